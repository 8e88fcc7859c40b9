/** Historique: what happened to the accounts, when, and by whom, newest first. */

import { isFailure } from '../api.js';
import { button, h, icon } from '../dom.js';

export class HistoryPage {
  #entries = [];
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
      // A request that simply succeeded is already told by the changes it made.
      const entries = data.entries.filter(({ kind, status }) => kind !== 'OperationEnded' || status !== 'completed');
      this.#entries = cursor ? [...this.#entries, ...entries] : entries;
      this.#next = data.next ?? null;
      this.#state = 'ready';
      if (cursor) this.app.announce(words.t('history.loaded', { count: entries.length }));
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

  render() {
    const { words } = this.app;
    const focused = this.root.contains(document.activeElement) ? document.activeElement.dataset.testid : null;
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
    if (this.#entries.length === 0 && !this.#next) {
      return h('p', { class: 'card blank', data: { testid: 'history-empty' } }, words.t('history.empty'));
    }
    const days = Map.groupBy(this.#entries, (entry) => words.weekdays.format(new Date(entry.occurred_at)));
    return h('div', {},
      [...days].map(([day, entries]) => h('section', { class: 'card day' },
        h('h2', {}, day),
        h('ol', { class: 'entries' }, entries.map((entry) => historyEntry(words, entry))))),
      this.#next && button(words.t('history.more'), {
        kind: 'outline', data: { testid: 'history-more' }, action: () => this.load(this.#next),
      }));
  }
}

function historyEntry(words, entry) {
  const { cause, kind, status, institution_name: institution } = entry;
  const knownOr = (key, other) => words.t(words.has(key) ? key : other);
  const outcome = status && status !== 'completed' && words.has(`outcome.${status}`) && words.t(`outcome.${status}`);
  return h('li', { class: 'entry', data: { testid: 'history-entry', cause, kind } },
    h('time', { datetime: entry.occurred_at }, words.times.format(new Date(entry.occurred_at))),
    h('div', {},
      h('p', { class: 'entry-title' },
        institution && [h('strong', {}, institution), ' — '],
        knownOr(`history.kind.${kind}`, 'history.kind.other')),
      accountChanges(words, entry.accounts),
      h('p', { class: 'entry-cause' },
        knownOr(`cause.${cause}`, 'cause.reconciliation'), outcome && ` · ${outcome}`)));
}

/** A line for each account that changed, and one that counts those which were only refreshed. */
function accountChanges(words, accounts) {
  const refreshed = accounts.filter(({ change }) => change === 'refreshed').length;
  const changed = accounts.filter(({ change }) => change !== 'refreshed' && words.has(`change.${change}`));
  if (changed.length === 0 && refreshed === 0) return null;
  const line = ({ change, name }) => words.t(`change.${change}`, { name: name ?? words.t('account.unknown') });
  return h('ul', {},
    changed.map((account) => h('li', {}, line(account))),
    refreshed > 0 && h('li', {}, words.t('change.refreshed', { count: refreshed })));
}
