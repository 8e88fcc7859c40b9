/** The dialogs of manual accounts: to add one, to change it, to delete it, and its past balances. */

/** @import { AccountView } from 'api' @import { Account } from '../store.js' */

import { path } from '../api.js';
import { ask, newId, openDialog, refusalOf } from '../dialogs.js';
import { button, fill, h } from '../dom.js';
import { ACCOUNT_TYPES } from '../i18n.js';
import { readAmount } from '../money.js';

const CURRENCY = /^[a-z]{2,10}$/i;

/** @param {{institution?: string, type?: string}} [known] what the person has said already */
export function addManualAccount(app, known = {}) {
  return app.attempt(() => add(app, known));
}

export function editManualAccount(app, /** @type {Account} */ account) {
  return app.attempt(() => edit(app, account));
}

export function deleteManualAccount(app, /** @type {Account} */ account) {
  return app.attempt(() => remove(app, account));
}

async function add(app, { institution = '', type = 'checking' }) {
  const { api, store, words } = app;
  /** @type {AccountView} */
  let added;
  const answer = await ask({
    testid: 'add-manual-account',
    title: words.t('manual.add'),
    body: [
      h('p', {}, words.t('manual.add.text')),
      field(words, 'name', 'manual.name', { required: true, maxlength: '200', autofocus: true }),
      field(words, 'institution_name', 'manual.institution', { maxlength: '200', value: institution }),
      typeField(words, type),
      h('div', { class: 'fields' },
        field(words, 'balance', 'manual.balance', { required: true, inputmode: 'decimal' }),
        field(words, 'currency', 'manual.currency', { required: true, maxlength: '10', value: 'EUR', class: 'code' })),
    ],
    confirm: words.t('manual.confirm'),
    cancel: words.t('action.cancel'),
    lacks: (form) => lacking(words, form),
    send: (form) => refusalOf(words, async () => {
      const bank = form.get('institution_name').trim();
      ({ data: added } = await api.change('POST', '/v1/accounts', {
        name: form.get('name').trim(),
        type: form.get('type'),
        currency: form.get('currency').trim().toUpperCase(),
        balance: readAmount(form.get('balance'), words.decimalMark),
        ...(bank ? { institution_name: bank } : {}),
      }));
    }),
  });
  if (answer === null) return;
  await store.load();
  app.tell(words.t('manual.added', { name: added.name }));
  app.frame.showAccounts().focusAccount(added.id);
}

async function edit(app, /** @type {Account} */ account) {
  const { api, store, words } = app;
  const target = path`/v1/accounts/${account.id}`;
  const balance = words.plain(account.balance);
  const answer = await ask({
    testid: 'edit-manual-account',
    title: words.t('manual.edit', { name: account.name }),
    body: [
      field(words, 'name', 'manual.name', { required: true, maxlength: '200', value: account.name }),
      field(words, 'balance', 'manual.balance.in', {
        required: true, inputmode: 'decimal', value: balance, autofocus: true,
      }),
      h('p', { class: 'fine' }, words.t('manual.edit.text')),
    ],
    confirm: words.t('action.save'),
    cancel: words.t('action.cancel'),
    lacks: (form) => lacking(words, form),
    send: (form) => refusalOf(words, async () => {
      const name = form.get('name').trim();
      const amount = form.get('balance');
      if (name !== account.name) await api.change('PATCH', target, { name });
      if (amount !== balance) await api.change('PATCH', target, { balance: readAmount(amount, words.decimalMark) });
    }),
  });
  await store.load(); // also after a refusal: the name may have been changed before the balance was refused
  if (answer !== null) app.tell(words.t('manual.saved', { name: answer.get('name').trim() }));
}

async function remove(app, /** @type {Account} */ account) {
  const { api, store, words } = app;
  const { id, name } = account;
  const answer = await ask({
    testid: 'delete-manual-account',
    danger: true,
    title: words.t('manual.delete', { name }),
    body: [h('p', {}, words.t('manual.delete.text'))],
    confirm: words.t('action.delete'),
    cancel: words.t('action.cancel'),
    send: () => refusalOf(words, () => api.change('DELETE', path`/v1/accounts/${id}`, undefined)),
  });
  if (answer === null) return;
  await store.load();
  app.tell(words.t('manual.deleted', { name }));
}

function field(words, name, label, props) {
  return h('label', { class: 'field' },
    h('span', {}, words.t(label)),
    h('input', { name, autocomplete: 'off', ...props }));
}

function typeField(words, selected) {
  return h('label', { class: 'field' },
    h('span', {}, words.t('manual.type')),
    h('select', { name: 'type' },
      ACCOUNT_TYPES.map((type) => h('option', { value: type, selected: type === selected }, words.t(`type.${type}`)))));
}

const typed = (form, name) => form.elements.namedItem(name).value;

/** @returns {string|null} what the form lacks: a name, an amount, or a currency where it asks for one */
function lacking(words, form) {
  const { example } = words;
  const amount = typed(form, 'balance');
  if (typed(form, 'name').trim() === '') return words.t('manual.lacks.name');
  if (amount.trim() === '') return words.t('manual.lacks.balance', { example });
  if (readAmount(amount, words.decimalMark) === null) return words.t('manual.lacks.amount', { example });
  const currency = form.elements.namedItem('currency');
  return currency && !CURRENCY.test(currency.value.trim()) ? words.t('manual.lacks.currency') : null;
}

// --- past balances ---

/** Newest first, of a manual account or of a synchronised one that was joined with it: they have one past. */
export async function openPastBalances(app, /** @type {Account} */ account) {
  const { api, words } = app;
  const heading = newId();
  const list = h('ol', { class: 'balances', data: { testid: 'balances' } });
  const more = h('div', { class: 'card-actions' });
  const load = async (cursor) => {
    const query = cursor ? `?${new URLSearchParams({ cursor })}` : '';
    const refusal = await refusalOf(words, async () => {
      const { data } = await api.get(`${path`/v1/accounts/${account.id}/balances`}${query}`);
      list.append(...data.balances.map((one) => pastBalance(words, one)));
      fill(more, data.next && button(words.t('history.more'), {
        kind: 'outline', data: { testid: 'balances-more' }, action: () => load(data.next),
      }));
    });
    if (!refusal) return;
    fill(more,
      h('p', { role: 'alert' }, refusal.message),
      button(words.t('action.retry'), { kind: 'outline', action: () => load(cursor) }));
  };
  const close = button(words.t('action.close'), {
    data: { testid: 'dialog-cancel' }, action: () => dialog.close(),
  });
  const title = h('h2', { id: heading, tabindex: '-1' }, words.t('balances.title', { name: account.name }));
  const content = [title, list, more, h('div', { class: 'dialog-actions' }, close)];
  const dialog = openDialog({ testid: 'balances-dialog', heading, content });
  title.focus();
  await load(null);
}

function pastBalance(words, { at, kind, balance, currency }) {
  return h('li', { data: { kind } },
    h('time', { datetime: at }, words.moments.format(new Date(at))),
    h('span', { class: 'fine' }, words.t(`balances.${kind}`)),
    h('span', { class: 'balance' }, currency ? words.money(balance, currency) : words.plain(balance)));
}
