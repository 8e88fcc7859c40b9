/** The card of one connection: its institution, how it stands, its accounts, and what can be done. */

/** @import { Account, Connection, Operation } from '../store.js' */

import { button, h, icon, unusable } from '../dom.js';
import { counts } from '../money.js';
import { condition, consentLeft, isListed, isNew, isOpen } from '../store.js';
import { partButton } from './manual-card.js';
import { operationOf, operationPanel } from './operation-panel.js';
import {
  TONE_ICON, accountName, balance, cardTotals, conditionRemark, duplicatePlace, identity, nextStepButton,
  pastBalancesButton, timeAgo,
} from './parts.js';

const SCROLLED_LIST = 30; // accounts

/** What the card says of other connections, of manual accounts and of incidents, which are not in its connection. */
export function cardSurroundings({ store, words }, /** @type {Connection} */ connection) {
  const { accounts } = connection;
  return [
    incidentOf(store, connection),
    store.replacement(connection) && replacementText(store, words, connection),
    accounts.filter((one) => one.linked_account_id).map((one) => accountName(store, one.linked_account_id)),
    accounts.filter((one) => one.duplicate_of).map((one) => duplicatePlace({ store, words }, one, connection)),
  ];
}

/**
 * @param {{accounts: object[], foldable: boolean, expanded: boolean, toggle: () => void,
 *   unfolded: boolean, unfold: (open: boolean) => void}} state
 *   `accounts` are those to show; `foldable`, `expanded` and `toggle` are about the card; `unfolded` and `unfold` about
 *   the accounts that are not synchronised
 */
export function institutionCard(app, /** @type {Connection} */ connection, state) {
  const { choices, words } = app;
  const { id, institution } = connection;
  const draft = choices.draft(id);
  const [tone, label] = condition(connection);
  const data = {
    testid: 'institution',
    connectionId: id,
    status: connection.status,
    freshness: connection.freshness,
    revision: String(connection.revision),
  };
  const card = h('section', { class: 'card institution', 'aria-labelledby': `institution-${id}`, data },
    h('header', { class: 'card-head' },
      app.logos.mark(institution),
      h('div', { class: 'card-title' },
        h('h2', { id: `institution-${id}` },
          institution.name,
          connection.number && h('span', { class: 'number' }, ` (${connection.number})`)),
        h('p', { class: 'card-status', data: { testid: 'connection-status' } },
          h('span', { class: `chip ${tone}` }, icon(TONE_ICON[tone]), words.t(label)),
          isNew(connection) && h('span', { class: 'chip new', data: { testid: 'new' } }, words.t('card.new')),
          freshness(words, connection)),
        connection.number && connection.connected_at && h('p', { class: 'facts', data: { testid: 'connected' } },
          words.t('card.connected', { date: words.days.format(new Date(connection.connected_at)) }))),
      cardTotals(app, connection.accounts),
      state.foldable && !draft && toggleButton(words, connection, state)));
  const operation = operationOf(app, connection);
  const panel = operation && operationPanel(app, connection, operation);
  if (!state.expanded) {
    if (panel) card.append(panel);
    return card;
  }
  const parts = [
    connectionReason(app, connection, operation, tone),
    incident(app, connection),
    panel,
    draft
      ? choices.form(connection)
      : [...accountRows(app, connection, state), cardFoot(app, connection, operation)],
  ];
  card.append(...parts.flat().filter(Boolean));
  return card;
}

// --- head ---

function freshness(words, /** @type {Connection} */ connection) {
  const at = connection.last_success_at;
  if (!at) return h('span', { class: 'when' }, words.t('freshness.never'));
  return h('span', { class: 'when' }, `${words.t('freshness.success')} `, timeAgo(words, at));
}

function toggleButton(words, { id, title, accounts }, { expanded, toggle }) {
  return h('button', {
    type: 'button',
    class: 'toggle',
    'aria-expanded': String(expanded),
    'aria-label': words.t('action.toggle', { name: title }),
    data: { testid: 'toggle', key: `toggle-${id}` },
    on: { click: toggle },
  },
  h('span', { class: 'toggle-count' }, words.t('count.short', { count: accounts.filter(counts).length })),
  icon('chevron'));
}

// --- why ---

function connectionReason(app, /** @type {Connection} */ connection, /** @type {Operation} */ operation, tone) {
  if (app.store.replacement(connection)) return replaced(app, connection, operation);
  const message = connection.status_reason?.message;
  if (connection.status === 'ok' || !message) return null;
  return h('p', { class: `reason ${tone}`, data: { testid: 'connection-reason' } }, message);
}

/** A connection that brings nothing any more: only whether to end it is left to decide. */
function replaced(app, /** @type {Connection} */ connection, /** @type {Operation} */ operation) {
  const ending = operation?.kind === 'deletion' && isOpen(operation);
  return h('div', { class: 'reason', data: { testid: 'superseded', by: connection.superseded_by } },
    h('p', {}, replacementText(app.store, app.words, connection)),
    !ending && h('div', { class: 'card-actions' }, endButton(app, connection, 'outline')));
}

function replacementText(store, words, /** @type {Connection} */ connection) {
  const replacement = store.replacement(connection);
  const { institution } = replacement;
  const key = institution.id === connection.institution.id ? 'replaced.again' : 'replaced.elsewhere';
  return words.t(key, { name: institution.name, status: conditionRemark(words, replacement) });
}

function incidentOf(store, /** @type {Connection} */ connection) {
  return store.incidents.find((one) => one.institution_id === connection.institution.id) ?? null;
}

function incident({ store, words }, /** @type {Connection} */ connection) {
  const found = incidentOf(store, connection);
  if (!found) return null;
  return h('p', { class: 'reason warn', data: { testid: 'incident' } },
    words.t('incident.since', { name: connection.institution.name }), ' ', timeAgo(words, found.since), '. ',
    found.reason.message);
}

// --- accounts ---

function accountRows(app, /** @type {Connection} */ connection, { accounts, unfolded, unfold }) {
  const { words } = app;
  const row = (account) => accountRow(app, connection, account);
  const listed = accounts.filter(isListed);
  const folded = accounts.filter((account) => !isListed(account));
  const length = listed.length > SCROLLED_LIST ? 'long' : '';
  const list = listed.length > 0
    ? h('ul', { class: `rows ${length}`, 'aria-label': words.t('card.synchronised') }, listed.map(row))
    : h('p', { class: 'none' }, words.t('card.none'));
  if (folded.length === 0) return [list];
  const details = h('details', { class: 'folded', open: unfolded, data: { testid: 'not-synchronised' } },
    h('summary', { data: { key: `folded-${connection.id}` } },
      icon('chevron'), words.t('card.folded', { count: folded.length })),
    h('ul', { class: 'rows' }, folded.map(row)));
  details.addEventListener('toggle', () => unfold(details.open));
  return [list, details];
}

function accountRow(app, /** @type {Connection} */ connection, /** @type {Account} */ account) {
  const { words } = app;
  const { id, name } = account;
  const joined = account.linked_account_id;
  const data = {
    testid: 'account',
    accountId: id,
    status: account.status,
    enabled: String(account.enabled),
    counts: String(counts(account)),
  };
  return h('li', { class: 'row', tabindex: '-1', data },
    identity(app, account, connection),
    balance(words, account),
    h('div', { class: 'row-actions' },
      joined && [pastBalancesButton(app, account), partButton(app, joined, name)],
      button(words.t('action.manage'), {
        kind: 'link',
        'aria-label': words.t('action.manage.account', { name }),
        data: { testid: 'modify', key: `modify-${id}` },
        action: () => app.visits.start('manage', connection),
      })));
}

// --- foot ---

/** What the foot of a card can offer. */
function offers(store, /** @type {Connection} */ connection, /** @type {Operation} */ operation) {
  const { status, status_reason: reason } = connection;
  const busy = operation !== null && isOpen(operation);
  const expired = consentLeft(connection) <= 0;
  const replacement = store.replacement(connection);
  const more = connection.can_add_accounts ?? null;
  const healthy = !replacement && !expired && (status === 'ok' || status === 'syncing');
  const repair = status !== 'ok' && reason?.next_step === 'manage' ? 'manage' : null;
  return {
    busy,
    ending: busy && operation.kind === 'deletion',
    replacement,
    more, // the API's reason why accounts can or cannot be added, or null
    canAdd: healthy && (more === null || more.next_step === 'manage'),
    repair: expired || status === 'action_required' ? 'reconnect' : repair,
  };
}

function cardFoot(app, /** @type {Connection} */ connection, /** @type {Operation} */ operation) {
  const { words } = app;
  const { id, title: name } = connection;
  const { busy, ending, replacement, more, canAdd, repair } = offers(app.store, connection, operation);
  const act = (verb, action, /** @type {Record<string, any>} */ { why = null, ...props } = {}) => {
    const element = button(words.t(`action.${verb}`), {
      'aria-label': words.t(`action.${verb}.at`, { name }),
      data: { testid: verb.replaceAll('_', '-'), key: `${verb}-${id}` },
      action,
      ...props,
    });
    return why ? unusable(element, words.t(why), (text) => app.tell(text)) : element;
  };
  const repairButton = repair && act(repair === 'manage' ? 'open_powens' : 'reconnect',
    () => app.visits.start(repair, connection), { kind: replacement ? 'quiet' : 'outline' });
  const unchoosable = (ending && 'why.ending') || (connection.accounts.length === 0 && 'why.no_accounts');
  return h('footer', { class: 'card-foot' },
    h('div', { class: 'card-actions' },
      !replacement && repairButton,
      act('choose', () => app.choices.open(id), { kind: 'outline', why: unchoosable }),
      canAdd && act('more', () => app.withView('more-accounts', (view) => view.openMoreAccounts(app, connection)), {
        kind: 'outline', icon: 'plus',
      })),
    !replacement && missingHint(app, connection, canAdd ? null : more),
    h('details', { class: 'extra', data: { testid: 'extra' } },
      h('summary', { 'aria-label': words.t('action.extra.at', { name }), data: { key: `extra-${id}` } },
        icon('chevron'), words.t('action.extra')),
      replacement && connection.status_reason?.message
        && h('p', { class: 'fine', data: { testid: 'connection-reason' } }, connection.status_reason.message),
      h('div', { class: 'card-actions' },
        replacement && repairButton,
        act('refresh', () => app.operations.refresh(connection), { why: busy && 'why.busy' }),
        act('history', () => app.frame.showHistory(id)),
        !replacement && endButton(app, connection, 'quiet', ending))));
}

/** The way to ask about a missing account. `more`: why none can be added, or null where they can. */
function missingHint(app, /** @type {Connection} */ connection, more) {
  const { words } = app;
  const { id, title } = connection;
  const ask = button(words.t('missing.ask'), {
    kind: more ? 'link' : 'outline',
    'aria-label': words.t('missing.ask.at', { name: title }),
    data: { testid: 'missing-ask', key: `ask-${id}` },
    action: () => app.withView('missing-account', (view) => view.openMissingAccount(app, connection)),
  });
  return h('details', { class: 'hint', data: { testid: 'missing-hint', reason: more?.reason ?? '' } },
    h('summary', { data: { key: `hint-${id}` } }, icon('chevron'), words.t('missing.title')),
    h('p', {}, more ? more.message || words.t('missing.unknown') : words.t('missing.ask.text')),
    more?.retry_at && h('p', {}, words.t('missing.retry'), ' ', timeAgo(words, more.retry_at)),
    h('div', { class: 'card-actions' },
      more && nextStepButton(app, more.next_step, connection, `hint-step-${id}`),
      ask));
}

/** Null for a connection without a name, as nobody could type it. */
function endButton(app, /** @type {Connection} */ connection, kind, ending = false) {
  const { operations, words } = app;
  if (connection.institution.nameless) return null;
  const end = button(words.t('action.end'), {
    kind: `${kind} bad`,
    'aria-label': words.t('action.end.at', { name: connection.title }),
    data: { testid: 'end', key: `end-${connection.id}` },
    action: () => operations.end(connection),
  });
  return ending ? unusable(end, words.t('why.ending'), (text) => app.tell(text)) : end;
}
