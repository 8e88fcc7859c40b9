/** Historique: what happened to the accounts, when, and by whom, newest first. */

import { Problem, Unreachable } from './api.js';
import { button, h, icon } from './dom.js';

export class HistoryView {
  #entries = [];
  #next = null;
  #state = 'loading'; // loading | ready | failed
  #asked = 0;

  constructor(app, connectionId) {
    this.app = app;
    this.connectionId = connectionId;
    this.root = h('div', { class: 'page narrow', data: { testid: 'history-view' } });
    this.load();
  }

  async load(cursor = null) {
    const asked = (this.#asked += 1);
    const query = new URLSearchParams();
    if (this.connectionId) query.set('connection_id', this.connectionId);
    if (cursor) query.set('cursor', cursor);
    try {
      const { data } = await this.app.api.get(`/v1/history?${query}`);
      if (asked !== this.#asked) return;
      // A request that simply succeeded is already told by the changes it made.
      const told = data.entries.filter((entry) => entry.kind !== 'OperationEnded' || entry.status !== 'completed');
      this.#entries = cursor ? [...this.#entries, ...told] : told;
      this.#next = data.next ?? null;
      this.#state = 'ready';
      if (cursor) this.app.announce(this.app.words.t('history.loaded', { count: told.length }));
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) {
        this.app.fail(error);
        return;
      }
      if (asked !== this.#asked) return;
      this.#state = 'failed';
    }
    this.render();
  }

  render() {
    const { words, store } = this.app;
    const choice = h('select', { id: 'history-filter', data: { testid: 'history-filter' }, on: { change: () => this.app.showHistory(choice.value || null) } },
      h('option', { value: '' }, words.t('history.all')),
      (store.connections ?? []).map((connection) => h('option', { value: connection.id, selected: connection.id === this.connectionId }, connection.institution.name)));
    const focused = this.root.contains(document.activeElement) ? document.activeElement.dataset.testid : null;
    this.root.replaceChildren(
      h('div', { class: 'page-head' }, h('h1', { class: 'title', tabindex: '-1' }, words.t('history.title')), h('p', { class: 'lede' }, words.t('history.lede'))),
      h('div', { class: 'filter' }, h('label', { for: 'history-filter' }, words.t('history.filter')), choice),
      this.#body());
    if (focused) this.root.querySelector(`[data-testid="${focused}"]`)?.focus({ preventScroll: true });
  }

  #body() {
    const { words } = this.app;
    if (this.#state === 'loading') return h('div', { class: 'card bone-card', 'aria-hidden': 'true' }, [1, 2, 3].map(() => h('div', { class: 'bone' })));
    if (this.#state === 'failed') {
      return h('div', { class: 'card blank', role: 'alert', data: { testid: 'history-error' } }, h('span', { class: 'blank-mark' }, icon('alert')), h('p', {}, words.t('history.failed')),
        button(words.t('action.retry'), { kind: 'primary', data: { testid: 'retry' }, action: () => this.load() }));
    }
    if (this.#entries.length === 0 && !this.#next) return h('p', { class: 'card blank', data: { testid: 'history-empty' } }, words.t('history.empty'));
    const days = Map.groupBy(this.#entries, (entry) => words.weekdays.format(new Date(entry.occurred_at)));
    return h('div', {}, [...days].map(([day, entries]) => h('section', { class: 'card day' }, h('h2', {}, day), h('ol', { class: 'entries' }, entries.map((entry) => this.#entry(entry))))),
      this.#next && button(words.t('history.more'), { kind: 'outline', data: { testid: 'history-more' }, action: () => this.load(this.#next) }));
  }

  #entry(entry) {
    const { words } = this.app;
    const refreshed = entry.accounts.filter((account) => account.change === 'refreshed').length;
    const changes = entry.accounts.filter((account) => account.change !== 'refreshed' && words.has(`change.${account.change}`));
    const outcome = entry.status && entry.status !== 'completed' && words.has(`outcome.${entry.status}`) ? words.t(`outcome.${entry.status}`) : null;
    const kind = `history.kind.${entry.kind}`;
    return h('li', { class: 'entry', data: { testid: 'history-entry', cause: entry.cause, kind: entry.kind } },
      h('time', { datetime: entry.occurred_at }, words.times.format(new Date(entry.occurred_at))),
      h('div', {},
        h('p', { class: 'entry-title' }, entry.institution_name && h('strong', {}, entry.institution_name), entry.institution_name && ' — ', words.t(words.has(kind) ? kind : 'history.kind.other')),
        (changes.length > 0 || refreshed > 0) && h('ul', {},
          changes.map((account) => h('li', {}, words.t(`change.${account.change}`, { name: account.name ?? words.t('account.unknown') }))),
          refreshed > 0 && h('li', {}, words.t('change.refreshed', { count: refreshed }))),
        h('p', { class: 'entry-cause' }, words.t(words.has(`cause.${entry.cause}`) ? `cause.${entry.cause}` : 'cause.reconciliation'), outcome && ` · ${outcome}`)));
  }
}
