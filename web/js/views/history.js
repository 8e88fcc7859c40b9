/** Historique: what happened to the accounts, when, and by whom, newest first. */

/** @import { HistoryLineView } from 'api' */

import { isFailure, path } from '../api.js';
import { button, h, icon } from '../dom.js';
import { canUndo } from './operation-panel.js';

const UNDO_MS = 24 * 3_600_000; // no choice can be taken back for longer
const MOST_OPERATIONS = 10; // that are asked for
const TOGETHER_MS = 5_000; // by which a choice and the change that it made may differ

export class HistoryPage {
  #entries = []; // of all kinds
  #undoable = new Map(); // id of an entry -> the operation that can be taken back there
  #next = null; // the cursor of older entries, null when there are none
  #state = 'loading'; // loading | ready | failed
  #request = 0; // the number of the latest one: answers of others are not wanted any more

  /** @param {string|null} connectionId null: of all connections */
  constructor(app, connectionId) {
    this.app = app;
    this.connectionId = connectionId;
    this.root = h('div', { class: 'page narrow', data: { testid: 'history-view' } });
    this.load();
  }

  async load(cursor = null) {
    const { api, words } = this.app;
    const request = (this.#request += 1);
    const query = new URLSearchParams();
    if (this.connectionId) query.set('connection_id', this.connectionId);
    if (cursor) query.set('cursor', cursor);
    try {
      const { data } = await api.get(`/v1/history?${query}`);
      if (request !== this.#request) return;
      const before = this.#shown.length;
      this.#entries = cursor ? [...this.#entries, ...data.entries] : data.entries;
      this.#next = data.next ?? null;
      this.#state = 'ready';
      if (cursor) this.app.announce(words.t('history.loaded', { count: this.#shown.length - before }));
      else this.#findUndoable();
    } catch (error) {
      if (!isFailure(error)) {
        this.app.fail(error);
        return;
      }
      if (request !== this.#request) return;
      this.#state = 'failed';
    }
    this.render();
  }

  /** A request that simply succeeded is already told by the changes it made. */
  get #shown() {
    return this.#entries.filter(
      ({ id, kind, status }) => kind !== 'OperationEnded' || status !== 'completed' || this.#undoable.has(id),
    );
  }

  /** The newest choice of each connection, if it can still be taken back, stands at the change that it made. */
  async #findUndoable() {
    const recent = this.#entries.filter(({ kind, operation_id: operation, occurred_at: at }) => (
      kind === 'OperationEnded' && operation && Date.now() - Date.parse(at) < UNDO_MS)).slice(0, MOST_OPERATIONS);
    const request = this.#request;
    const operations = await Promise.all(recent.map((entry) => this.#operation(entry.operation_id)));
    if (request !== this.#request) return;
    const chosen = new Set(); // connections whose newest choice was found
    for (const [place, operation] of operations.entries()) {
      if (operation?.kind !== 'selection' || chosen.has(operation.connection_id)) continue;
      chosen.add(operation.connection_id);
      if (canUndo(operation)) this.#undoable.set(this.#madeBy(recent[place]).id, operation);
    }
    if (this.#undoable.size > 0) this.render();
  }

  /** @returns {Promise<object|null>} null when it cannot be had: then it is simply not offered to take it back */
  async #operation(id) {
    try {
      return (await this.app.api.get(path`/v1/operations/${id}`)).data;
    } catch (error) {
      if (!isFailure(error)) this.app.fail(error);
      return null;
    }
  }

  /** The entry of the change that a choice made, or that of the choice itself. */
  #madeBy(choice) {
    const apart = (entry) => Math.abs(Date.parse(entry.occurred_at) - Date.parse(choice.occurred_at));
    return this.#entries.find((entry) => entry.kind === 'AccountsUpdated' && entry.cause === 'user'
      && entry.connection_id === choice.connection_id && apart(entry) <= TOGETHER_MS) ?? choice;
  }

  render() {
    const { words } = this.app;
    const focused = this.root.contains(document.activeElement)
      ? /** @type {HTMLElement} */ (document.activeElement).dataset.testid : null;
    this.root.replaceChildren(
      h('div', { class: 'page-head' },
        h('h1', { class: 'title', tabindex: '-1' }, words.t('history.title')),
        h('p', { class: 'lede' }, words.t('history.lede'))),
      h('div', { class: 'filter' },
        h('label', { for: 'history-filter' }, words.t('history.filter')),
        this.#connectionFilter()),
      this.#body());
    if (focused) this.root.querySelector(`[data-testid="${focused}"]`)?.focus({ preventScroll: true });
  }

  #connectionFilter() {
    const { frame, store, words } = this.app;
    const filter = h('select', { id: 'history-filter', data: { testid: 'history-filter' } },
      h('option', { value: '' }, words.t('history.all')),
      (store.connections ?? []).map(({ id, title }) => h('option', {
        value: id, selected: id === this.connectionId,
      }, title)));
    filter.addEventListener('change', () => frame.showHistory(filter.value || null));
    return filter;
  }

  #body() {
    const { words } = this.app;
    if (this.#state === 'loading') {
      const bones = [1, 2, 3].map(() => h('div', { class: 'bone' }));
      return h('div', { class: 'card bone-card', 'aria-hidden': 'true' }, bones);
    }
    if (this.#state === 'failed') {
      return h('div', { class: 'card blank', role: 'alert', data: { testid: 'history-error' } },
        h('span', { class: 'blank-mark' }, icon('alert')),
        h('p', {}, words.t('history.failed')),
        button(words.t('action.retry'), { kind: 'primary', data: { testid: 'retry' }, action: () => this.load() }));
    }
    if (this.#shown.length === 0 && !this.#next) {
      return h('p', { class: 'card blank', data: { testid: 'history-empty' } }, words.t('history.empty'));
    }
    const days = Map.groupBy(this.#shown, (entry) => words.weekdays.format(new Date(entry.occurred_at)));
    return h('div', {},
      [...days].map(([day, entries]) => h('section', { class: 'card day' },
        h('h2', {}, day),
        h('ol', { class: 'entries' }, entries.map((entry) => this.#entry(entry))))),
      this.#next && button(words.t('history.more'), {
        kind: 'outline', data: { testid: 'history-more' }, action: () => this.load(this.#next),
      }));
  }

  #entry(entry) {
    const { operations, words } = this.app;
    const { id, cause, kind, status, institution_name: institution } = entry;
    const operation = this.#undoable.get(id);
    const knownOr = (key, other) => words.t(words.has(key) ? key : other);
    const outcome = kind !== 'ConnectionUpdated' && words.has(`outcome.${status}`) && words.t(`outcome.${status}`);
    return h('li', { class: 'entry', data: { testid: 'history-entry', cause, kind } },
      h('time', { datetime: entry.occurred_at }, words.times.format(new Date(entry.occurred_at))),
      h('div', {},
        h('p', { class: 'entry-title' }, institution && [h('strong', {}, institution), ' — '], title(words, entry)),
        accountChanges(words, entry.accounts),
        h('p', { class: 'entry-cause' },
          knownOr(`cause.${cause}`, 'cause.reconciliation'), outcome && ` · ${outcome}`),
        operation && button(words.t('action.undo'), {
          kind: 'outline', data: { testid: 'undo' }, action: () => operations.undo(operation),
        })));
  }
}

/** A line for each account that changed, and one that counts those which were only refreshed. */
function accountChanges(words, /** @type {HistoryLineView[]} */ accounts) {
  const refreshed = accounts.filter(({ change }) => change === 'refreshed').length;
  const changed = accounts.filter(({ change }) => change !== 'refreshed' && words.has(`change.${change}`));
  if (changed.length === 0 && refreshed === 0) return null;
  const line = ({ change, name }) => words.t(`change.${change}`, { name: name || words.t('account.unknown') });
  return h('ul', {},
    changed.map((account) => h('li', {}, line(account))),
    refreshed > 0 && h('li', {}, words.t('change.refreshed', { count: refreshed })));
}

/** What happened, as far as words are known for it. */
function title(words, { kind, status, type }) {
  const known = [
    kind === 'ConnectionUpdated' && `history.status.${status}`,
    kind === 'AccountNowAvailable' && words.has(`types.${type}`) && 'history.available',
    `history.kind.${kind}`,
  ].find((key) => key && words.has(key));
  return words.t(known ?? 'history.kind.other', { type: words.t(`types.${type}`) });
}
