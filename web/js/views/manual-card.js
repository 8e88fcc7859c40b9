/** The card of the manual accounts, and joins: a manual account is a synchronised one, and one of them counts. */

/** @import { Account } from '../store.js' */

import { path } from '../api.js';
import { button, h, icon } from '../dom.js';
import { counts } from '../money.js';
import { balance, cardTotals, identity, pastBalancesButton } from './parts.js';

export function manualCard(app, /** @type {Account[]} */ accounts) {
  const { words } = app;
  return h('section', { class: 'card', 'aria-labelledby': 'manual-heading', data: { testid: 'manual-accounts' } },
    h('header', { class: 'card-head' },
      h('span', { class: 'logo manual', 'aria-hidden': 'true' }, icon('pencil')),
      h('div', { class: 'card-title' },
        h('h2', { id: 'manual-heading' }, words.t('manual.title')),
        h('p', { class: 'card-status' }, h('span', { class: 'when' }, words.t('manual.text')))),
      cardTotals(app, accounts)),
    h('ul', { class: 'rows' }, accounts.map((account) => manualRow(app, account))));
}

/** What the card shows of synchronised accounts, which it does not hold: it is drawn again when that changes. */
export function suggestedAccounts(store, /** @type {Account[]} */ accounts) {
  return accounts.flatMap(suggestionsOf).map((suggestion) => synchronised(store, suggestion.account_id));
}

const suggestionsOf = (/** @type {Account} */ account) => account.link_suggestions ?? [];

/** A synchronised account with the name of its bank, or null. */
function synchronised(store, accountId) {
  const found = store.account(accountId);
  return found && { ...found.account, institution: found.connection.institution.name };
}

function manualRow(app, /** @type {Account} */ account) {
  const { words } = app;
  const { id, name } = account;
  const act = (verb, testid, kind, work) => button(words.t(`action.${verb}`), {
    kind,
    'aria-label': words.t(`action.${verb}.account`, { name }),
    data: { testid, key: `${testid}-${id}` },
    action: () => app.withView('manual-dialogs', work),
  });
  const data = { testid: 'manual-account', accountId: id, counts: String(counts(account)) };
  return h('li', { class: 'row', tabindex: '-1', data },
    identity(app, account),
    balance(words, account),
    h('div', { class: 'row-actions' },
      pastBalancesButton(app, account),
      account.linked_account_id
        ? partButton(app, id, name)
        : act('delete', 'delete-manual', 'quiet', (view) => view.deleteManualAccount(app, account)),
      act('edit', 'edit-manual', 'link', (view) => view.editManualAccount(app, account))),
    suggestionsOf(account).map((suggestion) => joinSuggestion(app, account, suggestion)));
}

// --- joins ---

/** "C'est le même compte ?": both accounts beside each other, and what speaks for it. */
function joinSuggestion(app, /** @type {Account} */ account, { account_id: accountId, evidence }) {
  const { store, words } = app;
  const other = synchronised(store, accountId);
  if (!other) return null;
  const title = words.t('join.title');
  const signs = evidence.map((code) => `sign.${code}`).filter((key) => words.has(key)).map((key) => words.t(key));
  const side = (key, values, one) => h('li', {}, h('span', {}, words.t(key, values)), balance(words, one));
  const data = { testid: 'suggestion', accountId };
  return h('div', { class: 'suggestion', role: 'group', 'aria-label': title, data },
    h('p', { class: 'suggestion-title' }, title),
    h('ul', {},
      side('join.manual', { name: account.name }, account),
      side('join.synchronised', { name: other.name, institution: other.institution }, other)),
    signs.length > 0 && h('p', { class: 'fine' }, words.t('join.signs', { signs: words.lists.format(signs) })),
    h('div', { class: 'card-actions' },
      button(words.t('join.yes'), {
        kind: 'outline',
        data: { testid: 'join', key: `join-${account.id}-${accountId}` },
        action: () => join(app, account, other),
      }),
      button(words.t('join.no'), {
        data: { testid: 'not-the-same', key: `reject-${account.id}-${accountId}` },
        action: () => rejectJoin(app, account, other),
      })));
}

/** @param {string} name of the account that the button stands beside */
export function partButton(app, manualAccountId, name) {
  const { words } = app;
  return button(words.t('join.part'), {
    'aria-label': words.t('join.part.account', { name }),
    data: { testid: 'part', key: `part-${manualAccountId}` },
    action: () => part(app, manualAccountId, name),
  });
}

function join(app, /** @type {Account} */ account, synchronised) {
  const said = app.words.t('join.done', { name: synchronised.name });
  const target = path`/v1/accounts/${account.id}/link`;
  return changeJoin(app, 'PUT', target, { account_id: synchronised.id }, said, synchronised.id);
}

function part(app, manualAccountId, name) {
  const said = app.words.t('join.parted', { name });
  return changeJoin(app, 'DELETE', path`/v1/accounts/${manualAccountId}/link`, undefined, said, manualAccountId);
}

/** The person says that they are not the same: it is not suggested again. */
function rejectJoin(app, /** @type {Account} */ account, synchronised) {
  const target = path`/v1/accounts/${account.id}/link-suggestions/${synchronised.id}`;
  return changeJoin(app, 'DELETE', target, undefined, app.words.t('join.rejected'), account.id);
}

/** @param {string} left the account that is still in the list afterwards */
async function changeJoin(app, method, target, body, said, left) {
  const answer = await app.attempt(() => app.api.change(method, target, body));
  if (answer === null) return;
  await app.store.load();
  app.tell(said);
  app.frame.showAccounts().focusAccount(left);
}
