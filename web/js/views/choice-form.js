/**
 * The tick-boxes of a connection's accounts, and the question before they are sent. Ticking a box touches the counter
 * and nothing else.
 */

/** @import { Account, Connection } from '../store.js' */

import { ask } from '../dialogs.js';
import { button, h } from '../dom.js';
import { isSelectable, isWanted } from '../store.js';
import { balance, identity } from './parts.js';

const LONG_LIST = 6; // accounts from which on all can be ticked at once
const SCROLLED_LIST = 30;

/** @param {Map<string, boolean>} draft account id -> ticked: what the person changed, kept up to date here */
export function choiceForm(app, /** @type {Connection} */ connection, draft) {
  const { choices, words } = app;
  const { id } = connection;
  const accounts = connection.accounts.filter(isSelectable);
  const wanted = new Map(accounts.map((account) => [account.id, isWanted(account)]));
  const isTicked = (account) => draft.get(account.id) ?? wanted.get(account.id);
  const counter = h('p', { class: 'choice-count', data: { testid: 'choice-count' } });
  const boxes = h('ul', { class: `rows boxes ${accounts.length > SCROLLED_LIST ? 'long' : ''}` },
    accounts.map((account) => accountBox(app, connection, account, isTicked(account))));
  let ticked = accounts.filter(isTicked).length;
  const count = (number) => {
    ticked = number;
    counter.textContent = words.t('choice.count', { count: ticked, all: accounts.length });
  };
  const record = ({ value: accountId, checked }) => {
    if (checked === wanted.get(accountId)) draft.delete(accountId);
    else draft.set(accountId, checked);
  };
  const tickAll = (checked) => {
    for (const box of boxes.querySelectorAll('input')) {
      box.checked = checked;
      record(box);
    }
    count(checked ? accounts.length : 0);
  };
  count(ticked);
  boxes.addEventListener('change', ({ target }) => {
    record(target);
    count(ticked + (target.checked ? 1 : -1));
  });
  const finish = button(words.t('action.finish'), {
    kind: 'primary', data: { testid: 'finish', key: `finish-${id}` }, action: () => choices.finish(id),
  });
  const submit = (event) => {
    event.preventDefault();
    finish.click();
  };
  return h('form', { class: 'choice', data: { testid: 'selection' }, on: { submit } },
    h('fieldset', {},
      h('legend', {}, words.t('choice.legend', { name: connection.title })),
      accounts.length > LONG_LIST && tickAllButtons(words, id, tickAll),
      boxes),
    h('div', { class: 'choice-bar' },
      choices.refusal(id)
        && h('p', { class: 'refusal', role: 'alert', data: { testid: 'choice-refusal' } }, choices.refusal(id)),
      counter,
      button(words.t('action.cancel'), {
        data: { testid: 'cancel', key: `cancel-${id}` }, action: () => choices.close(id),
      }),
      finish));
}

function accountBox(app, /** @type {Connection} */ connection, /** @type {Account} */ account, checked) {
  const box = h('input', {
    type: 'checkbox',
    checked,
    value: account.id,
    data: { testid: 'account-choice', accountId: account.id, key: `box-${account.id}` },
  });
  return h('li', {},
    h('label', { class: 'row' }, box, identity(app, account, connection), balance(app.words, account)));
}

function tickAllButtons(words, connectionId, tickAll) {
  return h('div', { class: 'card-actions' },
    button(words.t('choice.all'), {
      kind: 'link', data: { testid: 'tick-all', key: `all-${connectionId}` }, action: () => tickAll(true),
    }),
    button(words.t('choice.none'), {
      kind: 'link', data: { testid: 'tick-none', key: `none-${connectionId}` }, action: () => tickAll(false),
    }));
}

// --- the question before they are sent ---

/**
 * @param effect the API's answer to a dry run: account ids by what happens to them, and counts
 * @returns {Promise<boolean>} whether the person has confirmed it
 */
export async function confirmEffect(words, /** @type {Connection} */ connection, effect) {
  const answer = await ask({
    testid: 'preview',
    title: words.t('preview.title', { name: connection.title }),
    body: effectText(words, connection, effect),
    confirm: words.t('action.confirm'),
    cancel: words.t('action.back'),
  });
  return answer !== null;
}

function effectText(words, /** @type {Connection} */ connection, effect) {
  const { enable, disable, unchanged, deleted_at_powens: deleted } = effect;
  const { title: name, consent_expires_at: until } = connection;
  const accounts = new Map(connection.accounts.map((account) => [account.id, account.name]));
  const accountName = (id) => accounts.get(id) ?? words.t('account.unknown');
  const group = (key, ids, tone) => ids.length > 0
    && h('div', { class: `effect ${tone}`, data: { testid: `effect-${key}` } },
      h('h3', {}, words.t(`preview.${key}`, { count: ids.length })),
      h('ul', {}, ids.map((id) => h('li', {}, accountName(id)))));
  const deletedNames = words.lists.format(deleted.map(accountName));
  return [
    group('enable', enable, 'good'),
    group('disable', disable, 'warn'),
    deleted.length > 0 && h('p', { class: 'effect-note', data: { testid: 'effect-deleted' } },
      words.t('preview.deleted', { count: deleted.length, names: deletedNames })),
    h('p', {},
      unchanged.length > 0 && `${words.t('preview.unchanged', { count: unchanged.length })} `,
      words.t('preview.total', { count: effect.enabled_total, name })),
    effect.requires_consent && h('div', { class: 'consent', data: { testid: 'consent' } },
      h('p', {}, words.t('preview.consent', { name, count: enable.length })),
      h('p', {}, until
        ? words.t('preview.consent.until', { date: words.days.format(new Date(until)) })
        : words.t('preview.consent.endless'))),
  ];
}
