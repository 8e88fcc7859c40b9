/** What the cards of the list have in common: how an account is named, what it holds, and the buttons beside it. */

/** @import { Account, Connection } from '../store.js' */

import { button, h } from '../dom.js';
import { sums, totals } from '../money.js';
import { condition, isBehind } from '../store.js';

/** The icon of a tone. */
export const TONE_ICON = { good: 'check', calm: 'clock', warn: 'alert', bad: 'cross' };

// --- moments ---

/** How long ago, or how soon; `updateTimes` keeps it true. */
export function timeAgo(words, moment) {
  const title = words.moments.format(new Date(moment));
  return h('time', { datetime: moment, title, 'data-ago': true }, words.relative(moment));
}

export function updateTimes(words) {
  const times = /** @type {NodeListOf<HTMLTimeElement>} */ (document.querySelectorAll('time[data-ago]'));
  for (const time of times) time.textContent = words.relative(time.dateTime);
}

// --- an account ---

/** Name, type, state, and whatever has to be said about it. `connection` is null for a manual account. */
export function identity(app, /** @type {Account} */ account, /** @type {Connection|null} */ connection = null) {
  const { words } = app;
  const joined = account.linked_account_id;
  const product = words.product(account);
  const facts = [
    product !== account.name && product,
    digits(account) && ending(words, digits(account)),
    account.institution_name,
  ].filter(Boolean);
  return h('div', { class: 'identity' },
    h('span', { class: 'name', data: { testid: 'account-name' } }, account.name),
    h('span', { class: 'facts' }, facts.flatMap((fact, place) => (place > 0 ? [' · ', fact] : [fact]))),
    accountStatus(words, account),
    account.status_reason?.message && h('span', { class: 'state-detail' }, account.status_reason.message),
    balanceAge(words, account, connection),
    account.duplicate_of && duplicate(app, account, connection),
    joined && h('span', { class: 'state-detail' },
      words.t('account.joined', { name: accountName(app.store, joined) ?? '' })));
}

/** The last digits by which the bank and Powens tell an account, or null. */
export const digits = (/** @type {Account} */ account) => account.iban_last4 ?? account.number_last4 ?? null;

function ending(words, text) {
  return h('span', { class: 'digits' },
    h('span', { 'aria-hidden': 'true' }, '••\u202f'),
    h('span', { class: 'visually-hidden' }, words.t('account.ending')),
    text);
}

function accountStatus(words, { status }) {
  const key = `account.${status}`;
  if (status === 'enabled' || status === 'disabled' || !words.has(key)) return null;
  const tone = status === 'failed' ? 'bad' : 'calm';
  return h('span', { class: `state ${tone}`, data: { testid: 'account-status' } }, words.t(key));
}

function balanceAge(words, /** @type {Account} */ account, /** @type {Connection} */ connection) {
  if (connection === null || !isBehind(account, connection)) return null;
  return h('span', { class: 'state-detail', data: { testid: 'balance-age' } },
    `${words.t('balance.age')} `, timeAgo(words, account.last_success_at));
}

function duplicate(app, /** @type {Account} */ account, /** @type {Connection} */ connection) {
  const reason = account.duplicate_reason;
  const data = { testid: 'duplicate', of: account.duplicate_of, reason: reason?.code ?? '' };
  return h('span', { class: 'state-detail copy', data },
    h('span', {}, duplicatePlace(app, account, connection)),
    h('span', {}, reason?.message || app.words.t('account.duplicate.once')));
}

/** Which copy of a real account counts instead of this one, and how the connection that it is in stands. */
export function duplicatePlace({ store, words }, /** @type {Account} */ account, own) {
  const copy = store.account(account.duplicate_of);
  if (copy === null) return words.t('account.duplicate.unnamed');
  const { institution, id } = copy.connection;
  const elsewhere = institution.id === own.institution.id ? 'again' : 'at';
  return words.t(`account.duplicate.${id === own.id ? 'here' : elsewhere}`, {
    name: copy.account.name, bank: institution.name, status: conditionRemark(words, copy.connection),
  });
}

/** How a connection looks, as a remark inside a sentence. */
export function conditionRemark(words, /** @type {Connection} */ connection) {
  const [, key] = condition(connection);
  const label = words.t(key);
  return label[0].toLocaleLowerCase(words.locale) + label.slice(1);
}

/** The name of any account, with its bank when it is a synchronised one; null when it is unknown. */
export function accountName(store, accountId) {
  const found = store.account(accountId);
  if (found) return `${found.account.name} (${found.connection.institution.name})`;
  return store.manualAccounts.find((account) => account.id === accountId)?.name ?? null;
}

export function balance(words, /** @type {Account} */ account) {
  if (account.balance === null || account.balance === undefined || !account.currency) {
    return h('span', { class: 'balance unknown' },
      h('span', { 'aria-hidden': 'true' }, '—'),
      h('span', { class: 'visually-hidden' }, words.t('account.no_balance')));
  }
  return h('span', { class: 'balance', data: { testid: 'balance' } }, words.money(account.balance, account.currency));
}

/** The sums of a card, by currency; where none of its accounts counts, what they hold, and that it does not. */
export function cardTotals({ config, words }, /** @type {Account[]} */ accounts) {
  const counted = totals(accounts, config.currency);
  const shown = counted.length > 0 ? counted : sums(accounts.filter((account) => account.enabled), config.currency);
  if (shown.length === 0) return null;
  const elsewhere = counted.length === 0;
  const data = { testid: 'card-totals', counts: String(!elsewhere) };
  return h('ul', { class: 'card-totals', 'aria-label': words.t('card.totals'), data },
    shown.map(([currency, amount]) => h('li', {}, words.money(amount, currency))),
    elsewhere && h('li', { class: 'facts' },
      words.t(accounts.some((account) => account.twin) ? 'card.totals.twins' : 'card.totals.elsewhere')));
}

// --- buttons ---

/** Of a manual account, or of a synchronised one that was joined with one: they have one past. */
export function pastBalancesButton(app, /** @type {Account} */ account) {
  const { words } = app;
  return button(words.t('action.balances'), {
    'aria-label': words.t('action.balances.account', { name: account.name }),
    data: { testid: 'past-balances', key: `balances-${account.id}` },
    action: () => app.withView('manual-dialogs', (view) => view.openPastBalances(app, account)),
  });
}

/** The button for the API's `next_step`, or null when there is nothing that the person can do. */
export function nextStepButton(app, step, /** @type {Connection} */ connection, key) {
  const { words } = app;
  const { name } = connection.institution;
  const data = { testid: 'next-step', step, key };
  if (step === 'manage' || step === 'reconnect') {
    return button(words.t(`action.${step}`), {
      kind: 'outline',
      'aria-label': words.t(`action.${step}.at`, { name }),
      data,
      action: () => app.visits.start(step, connection),
    });
  }
  if (step !== 'add_manually') return null;
  return button(words.t('action.add_manual'), {
    kind: 'outline',
    data,
    action: () => app.withView('manual-dialogs', (view) => view.addManualAccount(app, { institution: name })),
  });
}
