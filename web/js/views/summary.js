/** What stands above the list: what needs the person, the sums and how current they are. */

/** @import { Account, Connection } from '../store.js' */

import { button, h, icon } from '../dom.js';
import { counts, totals } from '../money.js';
import { consentLeft, isBehind, isFailing } from '../store.js';

const CONSENT_WARNING_DAYS = 14;
const DAY_MS = 86_400_000;
const MOST_NEEDS = 3; // the others are folded: their cards come first in the list anyway

/**
 * @param {any} app
 * @param {{sums: [string, string][], old: {sums: [string, string][], names: string[]}, twins: object[]}} money
 *   `sums`: [currency, decimal string], the main currency first; `old`: how much of it comes from where no new data
 *   comes; `twins`: manual accounts that are not in it, as they may be there already
 * @param {{stale: boolean, connected: boolean}} state `connected`: the socket is open
 */
export function summary(app, { sums, old, twins }, { stale, connected }) {
  const { words } = app;
  const [first, ...rest] = sums;
  const amounts = (list) => words.lists.format(list.map(([currency, amount]) => words.money(amount, currency)));
  return [
    h('p', { class: 'eyebrow' }, words.t('summary.title')),
    h('p', { class: 'total', data: { testid: 'total' } }, first ? words.money(first[1], first[0]) : '—'),
    rest.length > 0 && h('ul', { class: 'other-totals' },
      rest.map(([currency, amount]) => h('li', {}, words.money(amount, currency)))),
    old.sums.length > 0 && h('p', { class: 'total-note warn', data: { testid: 'total-old' } },
      words.t('summary.old', { amounts: amounts(old.sums), names: words.lists.format(old.names) })),
    twins.length > 0 && h('p', { class: 'total-note', data: { testid: 'total-twins' } },
      words.t('summary.twins', { names: words.lists.format(twins.map(({ name }) => name)), count: twins.length })),
    h('p', { class: `link-state ${stale ? 'warn' : ''}`, data: { testid: 'page-state' } },
      h('span', { class: 'dot', 'aria-hidden': 'true' }),
      stale ? staleness(app) : words.t(connected ? 'state.live' : 'state.polling')),
  ];
}

/** What counts of accounts for which no new data comes, and at which institutions. */
export function oldMoney(/** @type {Connection[]} */ connections, main) {
  const old = connections.map((connection) => ({
    title: connection.title,
    accounts: connection.accounts.filter((one) => counts(one) && (isFailing(connection) || isBehind(one, connection))),
  })).filter(({ accounts }) => totals(accounts, main).length > 0);
  return { sums: totals(old.flatMap(({ accounts }) => accounts), main), names: old.map(({ title }) => title) };
}

/** Where nothing could be read yet. */
export function emptySummary(words) {
  return [
    h('p', { class: 'eyebrow' }, words.t('summary.title')),
    h('p', { class: 'total', 'aria-hidden': 'true' }, '—'),
  ];
}

function staleness({ store, words }) {
  const time = words.times.format(store.receivedAt);
  return words.t(store.online ? 'state.failing' : 'state.offline', { time });
}

export function addInstitutionButton({ visits, words }) {
  return button(words.t('action.add_institution'), {
    kind: 'primary',
    icon: 'plus',
    data: { testid: 'add-institution', key: 'add-institution' },
    action: () => visits.start('connect', null),
  });
}

export function addManualButton(app) {
  return button(app.words.t('action.add_manual'), {
    kind: 'link',
    data: { testid: 'add-manual', key: 'add-manual' },
    action: () => app.withView('manual-dialogs', (view) => view.addManualAccount(app)),
  });
}

// --- what needs the person ---

/**
 * @returns {{connection, urgent: boolean, left?: number, title: string, message: string, flow: string}[]} the most
 *   urgent first; `left` is how long the consent lasts, in milliseconds
 */
export function findNeeds(/** @type {Connection[]} */ connections, words, now = Date.now()) {
  return connections
    .filter((connection) => !connection.superseded_by) // nothing is lost through it, so nothing is asked
    .flatMap((connection) => needsOf(connection, words, now))
    .sort((a, b) => Number(b.urgent) - Number(a.urgent) || (a.left ?? 0) - (b.left ?? 0));
}

function needsOf(/** @type {Connection} */ connection, words, now) {
  const needs = [];
  const { title: name, status_reason: reason } = connection;
  const left = consentLeft(connection, now);
  const asked = connection.status === 'action_required'
    || (connection.status !== 'ok' && reason?.who_must_act === 'user');
  const add = (need) => needs.push({ connection, urgent: false, ...need });
  if (asked) {
    const flow = reason?.next_step === 'manage' ? 'manage' : 'reconnect';
    add({ urgent: true, title: words.t('needs.action', { name }), message: reason?.message ?? '', flow });
  } else if (left <= 0) {
    const message = words.t('needs.expired.detail');
    add({ urgent: true, title: words.t('needs.expired', { name }), message, flow: 'reconnect' });
  } else if (left <= CONSENT_WARNING_DAYS * DAY_MS) {
    const title = words.t('needs.expiring', { name, count: Math.ceil(left / DAY_MS) });
    add({ left, title, message: words.t('needs.expiring.detail'), flow: 'reconnect' });
  }
  const undecided = !asked && left > 0 && connection.accounts.find(isUndecided);
  if (undecided) {
    add({ title: words.t('needs.action', { name }), message: undecided.status_reason.message, flow: 'manage' });
  }
  return needs;
}

/** Whether only the person can say what an account is to be: several look alike, or Powens refused the choice. */
const isUndecided = ({ duplicate_of: duplicate, status_reason: reason }) => !duplicate
  && reason?.who_must_act === 'user' && reason.next_step === 'manage';

/** Manual accounts that may be the same as a synchronised one, which their row asks about. */
export function findTwins(store) {
  return store.manualAccounts.filter((account) => account.enabled && (account.link_suggestions ?? []).some(
    (suggestion) => store.account(suggestion.account_id),
  ));
}

/** The question itself stands with the account, at the foot of the page. */
function twinLine({ frame, words }, /** @type {Account} */ account) {
  return h('li', { class: 'need', data: { testid: 'need', twin: account.id } },
    icon('alert'),
    h('div', { class: 'need-text' },
      h('p', { class: 'need-title' }, words.t('needs.twin', { name: account.name })),
      h('p', {}, words.t('needs.twin.detail'))),
    button(words.t('needs.twin.see'), {
      kind: 'outline',
      'aria-label': words.t('needs.twin', { name: account.name }),
      data: { testid: 'need-action', key: `twin-${account.id}` },
      action: () => frame.showAccounts().focusAccount(account.id),
    }));
}

export function needList(app, needs, twins) {
  if (needs.length + twins.length === 0) return null;
  const lines = [...needs.map((need) => needLine(app, need)), ...twins.map((account) => twinLine(app, account))];
  return [
    h('h2', { class: 'visually-hidden' }, app.words.t('needs.title')),
    h('ul', {}, lines.slice(0, MOST_NEEDS)),
    lines.length > MOST_NEEDS && h('details', { data: { testid: 'more-needs' } },
      h('summary', {}, icon('chevron'), app.words.t('needs.more', { count: lines.length - MOST_NEEDS })),
      h('ul', {}, lines.slice(MOST_NEEDS))),
  ];
}

function needLine({ visits, words }, { connection, urgent, title, message, flow }) {
  return h('li', { class: `need ${urgent ? 'urgent' : ''}`, data: { testid: 'need' } },
    icon(urgent ? 'alert' : 'clock'),
    h('div', { class: 'need-text' }, h('p', { class: 'need-title' }, title), message && h('p', {}, message)),
    button(words.t(`action.${flow}`), {
      kind: urgent ? 'primary' : 'outline',
      'aria-label': words.t(`action.${flow}.at`, { name: connection.title }),
      data: { testid: 'need-action', key: `need-${flow}-${connection.id}` },
      action: () => visits.start(flow, connection),
    }));
}
