/** To choose an institution: one that the person has connected, or one of the catalogue, found by its name. */

import { isFailure } from '../api.js';
import { fill, h, icon } from '../dom.js';

const PAUSE_MS = 200; // after the last letter, before the API is asked
const MOST_RESULTS = 8;

export class InstitutionSearch {
  #text = '';
  #results = null; // institutions as GET /v1/institutions has them, null before the first search
  #failed = false;
  #request = 0; // the number of the latest one: answers of others are not wanted any more
  #pause = 0;

  /**
   * @param {(institution: object) => void} choose is given the institution, with its `connection` or null, and with its
   *   catalogue `entry` when it was found there
   * @param {(error: Error) => void} fail is given what is not a failure of the API
   */
  constructor(app, choose, fail) {
    this.app = app;
    this.choose = choose;
    this.fail = fail;
    this.list = h('ul', { class: 'options' });
    this.status = h('p', { class: 'fine', role: 'status', data: { testid: 'missing-found' } });
  }

  /** @param {string} id of the search field @returns {(Node|false)[]} */
  content(id) {
    const { store, words } = this.app;
    const connections = store.connections.filter((connection) => !connection.superseded_by);
    const input = h('input', {
      type: 'search', id, value: this.#text, autocomplete: 'off', spellcheck: 'false',
      placeholder: words.t('missing.search.hint'), data: { testid: 'missing-search' },
      on: { input: () => this.#searchSoon(input.value) },
    });
    const label = words.t(connections.length > 0 ? 'missing.search.other' : 'missing.search.label');
    this.#showResults();
    return [
      connections.length > 0 && h('ul', { class: 'options', data: { testid: 'missing-connected' } },
        connections.map((connection) => this.#option({ ...connection.institution, connection }))),
      h('div', { class: 'search' },
        h('label', { for: id, class: 'search-label' }, label),
        h('div', { class: 'search-box' }, icon('search'), input)),
      this.status,
      this.list,
    ];
  }

  /** What is still on its way is not wanted any more. */
  stop() {
    this.#request += 1;
  }

  #option(institution) {
    const data = { testid: 'missing-institution', institutionId: institution.id };
    const click = () => this.choose(institution);
    return h('li', {}, h('button', { type: 'button', class: 'option', data, on: { click } },
      this.app.logos.mark(institution), h('span', {}, institution.name)));
  }

  #searchSoon(text) {
    this.#text = text;
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.#search(text.trim()), PAUSE_MS);
  }

  async #search(text) {
    const request = (this.#request += 1);
    let results = null;
    let failed = false;
    try {
      if (text !== '') results = await this.#read(text);
    } catch (error) {
      if (!isFailure(error)) {
        this.fail(error);
        return;
      }
      failed = true;
    }
    if (request !== this.#request) return;
    this.#results = results;
    this.#failed = failed;
    this.#showResults();
  }

  async #read(text) {
    const query = new URLSearchParams({ search: text, limit: String(MOST_RESULTS) });
    return (await this.app.api.get(`/v1/institutions?${query}`)).data.institutions;
  }

  /** Without the institutions that are connected: they are in the list above. */
  #showResults() {
    const { store, words } = this.app;
    const connected = new Set(store.connections.map((connection) => connection.institution.id));
    const others = (this.#results ?? []).filter((institution) => !connected.has(institution.id));
    fill(this.list, others.map((one) => this.#option({ ...one, connection: null, entry: one })));
    fill(this.status, this.#failed
      ? words.t('missing.search.failed')
      : this.#results && words.t('missing.search.found', { count: others.length }));
  }
}
