/** Accounts kept by hand: the forms that add and change them, their past balances, and joining them with synchronised ones. */

import { Problem, Unreachable } from './api.js';
import { ask, newId, openDialog } from './dialogs.js';
import { button, fill, h } from './dom.js';
import { ACCOUNT_TYPES } from './i18n.js';

const path = (strings, ...ids) => String.raw({ raw: strings }, ...ids.map(encodeURIComponent));

/** What somebody typed as an amount, as the API's decimal string, or null. Spaces group, and so does a repeated mark. */
export function readAmount(text, decimalMark) {
  let plain = text.trim().replace(/[\s\u00a0\u202f'’]/g, '').replace(/^[\u2212\u2013]/, '-');
  const marks = [...plain].filter((character) => character === ',' || character === '.');
  const kinds = new Set(marks);
  let decimal = null;
  if (kinds.size === 2) decimal = marks.at(-1); // 1.250,50 and 1,250.50: the last one separates the cents
  else if (marks.length === 1 && !(marks[0] !== decimalMark && /^-?[1-9]\d{0,2}[,.]\d{3}$/.test(plain))) [decimal] = marks;
  plain = plain.replace(/[,.]/g, (character, place) => (character === decimal && place === plain.lastIndexOf(character) ? 'd' : '')).replace('d', '.');
  return /^-?\d+(\.\d+)?$/.test(plain) ? plain : null;
}

export class ManualAccounts {
  constructor(app) {
    this.app = app;
  }

  /** Carries `work` out for an open form: null when done, else what to say at which field. */
  async #sent(work) {
    try {
      await work();
      return null;
    } catch (error) {
      const { words } = this.app;
      if (error instanceof Unreachable) return { field: null, message: words.t('toast.unreachable') };
      if (error instanceof Problem) return { field: error.field, message: error.message || words.t('toast.problem') };
      throw error;
    }
  }

  #field(name, label, props) {
    return h('label', { class: 'field' }, h('span', {}, this.app.words.t(label)), h('input', { name, autocomplete: 'off', ...props }));
  }

  #amount(form) {
    return readAmount(form.elements.namedItem('balance').value, this.app.words.decimalMark);
  }

  // --- adding, changing, deleting ---

  /** @param {{institution?: string, type?: string}} [known] what the person has said already */
  add(known = {}) {
    return this.app.attempt(() => this.#add(known));
  }

  edit(account) {
    return this.app.attempt(() => this.#edit(account));
  }

  remove(account) {
    return this.app.attempt(() => this.#remove(account));
  }

  async #add({ institution = '', type = 'checking' }) {
    const { api, store, words } = this.app;
    let form = null;
    const filled = await ask({
      testid: 'add-manual-account', title: words.t('manual.add'),
      body: [
        h('p', {}, words.t('manual.add.text')),
        this.#field('name', 'manual.name', { required: true, maxlength: '200', autofocus: true }),
        this.#field('institution_name', 'manual.institution', { maxlength: '200', value: institution }),
        h('label', { class: 'field' }, h('span', {}, words.t('manual.type')), h('select', { name: 'type' },
          ACCOUNT_TYPES.map((known) => h('option', { value: known, selected: known === type }, words.t(`type.${known}`))))),
        h('div', { class: 'fields' },
          this.#field('balance', 'manual.balance', { required: true, inputmode: 'decimal' }),
          this.#field('currency', 'manual.currency', { required: true, maxlength: '10', value: 'EUR', class: 'code' })),
      ],
      confirm: words.t('manual.confirm'), cancel: words.t('action.cancel'),
      ready: (candidate) => {
        form = candidate;
        return candidate.elements.namedItem('name').value.trim() !== '' && this.#amount(candidate) !== null && /^[a-z]{2,10}$/i.test(candidate.elements.namedItem('currency').value.trim());
      },
      send: (answer) => this.#sent(() => {
        const bank = answer.get('institution_name').trim();
        return api.change('POST', '/v1/accounts', {
          name: answer.get('name').trim(), type: answer.get('type'), currency: answer.get('currency').trim().toUpperCase(), balance: this.#amount(form),
          ...(bank ? { institution_name: bank } : {}),
        });
      }),
    });
    if (filled === null) return;
    await store.refresh();
    this.app.announce(words.t('manual.added', { name: filled.get('name').trim() }));
  }

  async #edit(account) {
    const { api, store, words } = this.app;
    let form = null;
    const target = path`/v1/accounts/${account.id}`;
    const filled = await ask({
      testid: 'edit-manual-account', title: words.t('manual.edit', { name: account.name }),
      body: [
        this.#field('name', 'manual.name', { required: true, maxlength: '200', value: account.name }),
        this.#field('balance', 'manual.balance.in', { required: true, inputmode: 'decimal', value: words.plain(account.balance), autofocus: true }),
        h('p', { class: 'fine' }, words.t('manual.edit.text')),
      ],
      confirm: words.t('action.save'), cancel: words.t('action.cancel'),
      ready: (candidate) => {
        form = candidate;
        return candidate.elements.namedItem('name').value.trim() !== '' && this.#amount(candidate) !== null;
      },
      send: (answer) => this.#sent(async () => {
        const name = answer.get('name').trim();
        if (name !== account.name) await api.change('PATCH', target, { name });
        if (form.elements.namedItem('balance').value !== words.plain(account.balance)) await api.change('PATCH', target, { balance: this.#amount(form) });
      }),
    });
    await store.refresh(); // also after a refusal: the name may have been changed before the balance was refused
    if (filled !== null) this.app.announce(words.t('manual.saved', { name: filled.get('name').trim() }));
  }

  async #remove(account) {
    const { api, store, words } = this.app;
    const yes = await ask({
      testid: 'delete-manual-account', danger: true, title: words.t('manual.delete', { name: account.name }),
      body: [h('p', {}, words.t('manual.delete.text'))], confirm: words.t('action.delete'), cancel: words.t('action.cancel'),
      send: () => this.#sent(() => api.change('DELETE', path`/v1/accounts/${account.id}`, undefined)),
    });
    if (yes === null) return;
    await store.refresh();
    this.app.announce(words.t('manual.deleted', { name: account.name }));
  }

  // --- past balances ---

  /** Of an account kept by hand, or of a synchronised one that was joined with one: they have one past. */
  async balances(account) {
    const { api, words } = this.app;
    const heading = newId();
    const list = h('ol', { class: 'balances', data: { testid: 'balances' } });
    const more = h('div', { class: 'card-actions' });
    const load = async (cursor) => {
      const query = cursor ? `?${new URLSearchParams({ cursor })}` : '';
      const refusal = await this.#sent(async () => {
        const { data } = await api.get(`${path`/v1/accounts/${account.id}/balances`}${query}`);
        list.append(...data.balances.map((line) => h('li', { data: { kind: line.kind } },
          h('time', { datetime: line.at }, words.moments.format(new Date(line.at))),
          h('span', { class: 'fine' }, words.t(`balances.${line.kind}`)),
          h('span', { class: 'balance' }, line.currency ? words.money(line.balance, line.currency) : words.plain(line.balance)))));
        fill(more, data.next && button(words.t('history.more'), { kind: 'outline', data: { testid: 'balances-more' }, action: () => load(data.next) }));
      });
      if (refusal) fill(more, h('p', { role: 'alert' }, refusal.message), button(words.t('action.retry'), { kind: 'outline', action: () => load(cursor) }));
    };
    const dialog = openDialog({
      testid: 'balances-dialog', heading, content: [
        h('h2', { id: heading, tabindex: '-1' }, words.t('balances.title', { name: account.name })), list, more,
        h('div', { class: 'dialog-actions' }, button(words.t('action.close'), { data: { testid: 'dialog-cancel' }, action: () => dialog.close() })),
      ],
    });
    dialog.querySelector('h2').focus();
    await load(null);
  }

  // --- joining ---

  async #change(method, target, body, said) {
    const answer = await this.app.attempt(() => this.app.api.change(method, target, body));
    if (answer === null) return;
    await this.app.store.refresh();
    this.app.announce(said);
  }

  join(account, synchronised) {
    return this.#change('PUT', path`/v1/accounts/${account.id}/link`, { account_id: synchronised.id }, this.app.words.t('join.done', { name: synchronised.name }));
  }

  part(accountId, name) {
    return this.#change('DELETE', path`/v1/accounts/${accountId}/link`, undefined, this.app.words.t('join.parted', { name }));
  }

  reject(account, synchronised) {
    return this.#change('DELETE', path`/v1/accounts/${account.id}/link-suggestions/${synchronised.id}`, undefined, this.app.words.t('join.rejected'));
  }
}
