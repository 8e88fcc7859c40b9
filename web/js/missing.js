/**
 * "Un compte manque ?": institution, type, answer, and the one next step. The API decides the answer; this says it and
 * what it rests on.
 */

import { Problem, Unreachable } from './api.js';
import { newId, openDialog } from './dialogs.js';
import { button, fill, h, icon } from './dom.js';
import { ACCOUNT_TYPES } from './i18n.js';

const SEARCH_PAUSE_MS = 200;
const MOST_FOUND = 8;

export class MissingAccount {
  #search = { text: '', found: null, failed: false };
  #asked = 0;

  /** @param connection the institution, when the person has come from there */
  constructor(app, connection = null) {
    this.app = app;
    this.heading = newId();
    this.institution = connection && { ...connection.institution, connection };
    this.fixed = connection !== null;
    this.type = null;
    this.answer = null; // {answer, reason, evidence, message, next_step, retry_at}, or {failure}
  }

  open() {
    this.body = h('div', {});
    this.dialog = openDialog({ testid: 'missing', heading: this.heading, content: this.body });
    this.#show();
  }

  #show() {
    const step = this.institution === null ? this.#institutions() : this.type === null ? this.#types() : this.#outcome();
    fill(this.body, step);
    this.dialog.scrollTop = 0;
    this.body.querySelector('h2').focus();
  }

  #title(text) {
    return h('h2', { id: this.heading, tabindex: '-1' }, text);
  }

  #actions(...more) {
    const { words } = this.app;
    const back = this.type !== null || (this.institution !== null && !this.fixed);
    return h('div', { class: 'dialog-actions' },
      button(words.t('action.close'), { data: { testid: 'dialog-cancel' }, action: () => this.dialog.close() }),
      back && button(words.t('action.previous'), { kind: 'outline', data: { testid: 'missing-back' }, action: () => this.#back() }),
      more);
  }

  #back() {
    this.#asked += 1; // an answer that is still on its way is not wanted any more
    if (this.type === null) this.institution = null;
    this.type = null;
    this.answer = null;
    this.#show();
  }

  /** Close, and go on with `work` on the page. */
  #leave(work) {
    this.dialog.close();
    return work();
  }

  // --- which institution ---

  #institutions() {
    const { store, words } = this.app;
    const connected = store.connections.filter((connection) => !connection.superseded_by);
    this.results = h('ul', { class: 'options' });
    this.found = h('p', { class: 'fine', role: 'status', data: { testid: 'missing-found' } });
    const input = h('input', {
      type: 'search', id: `${this.heading}-search`, value: this.#search.text, autocomplete: 'off', spellcheck: 'false', placeholder: words.t('missing.search.hint'),
      data: { testid: 'missing-search' }, on: { input: () => this.#type(input.value) },
    });
    this.#listFound();
    return [
      this.#title(words.t('missing.title')),
      h('p', {}, words.t('missing.institution.which')),
      connected.length > 0 && h('ul', { class: 'options', data: { testid: 'missing-connected' } },
        connected.map((connection) => this.#option({ ...connection.institution, connection }))),
      h('div', { class: 'search' },
        h('label', { for: input.id, class: 'search-label' }, words.t(connected.length > 0 ? 'missing.search.other' : 'missing.search.label')),
        h('div', { class: 'search-box' }, icon('search'), input)),
      this.found, this.results,
      h('p', {}, words.t('missing.not_listed'), ' ', button(words.t('action.add_manual'), {
        kind: 'link', data: { testid: 'missing-by-hand' }, action: () => this.#leave(() => this.app.manual.add()),
      })),
      this.#actions(),
    ];
  }

  #option(institution) {
    const option = h('button', { type: 'button', class: 'option', data: { testid: 'missing-institution', institutionId: institution.id } },
      this.app.logos.mark(institution), h('span', {}, institution.name));
    option.addEventListener('click', () => {
      this.institution = institution;
      this.#show();
    });
    return h('li', {}, option);
  }

  #type(text) {
    this.#search.text = text;
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.#find(text.trim()), SEARCH_PAUSE_MS);
  }

  async #find(text) {
    const asked = (this.#asked += 1);
    let found = null;
    let failed = false;
    if (text !== '') {
      try {
        const query = new URLSearchParams({ search: text, limit: String(MOST_FOUND) });
        found = (await this.app.api.get(`/v1/institutions?${query}`)).data.institutions;
      } catch (error) {
        if (!(error instanceof Problem || error instanceof Unreachable)) {
          this.dialog.close();
          this.app.fail(error);
          return;
        }
        failed = true;
      }
    }
    if (asked !== this.#asked || !this.dialog.isConnected) return;
    this.#search = { text: this.#search.text, found, failed };
    this.#listFound();
  }

  #listFound() {
    const { store, words } = this.app;
    const { found, failed } = this.#search;
    const held = new Set(store.connections.map((connection) => connection.institution.id));
    const others = (found ?? []).filter((institution) => !held.has(institution.id));
    fill(this.results, others.map((institution) => this.#option({ ...institution, connection: null, entry: institution })));
    fill(this.found, failed ? words.t('missing.search.failed') : found && words.t('missing.search.found', { count: others.length }));
  }

  // --- which type ---

  #types() {
    const { words } = this.app;
    return [
      this.#title(words.t('missing.type.title', { name: this.institution.name })),
      h('p', {}, words.t('missing.type.which')),
      h('ul', { class: 'options types' }, ACCOUNT_TYPES.map((type) => {
        const option = h('button', { type: 'button', class: 'option', data: { testid: 'missing-type', type } }, h('span', {}, words.t(`types.${type}`)));
        option.addEventListener('click', () => {
          this.type = type;
          this.#ask();
        });
        return h('li', {}, option);
      })),
      this.#actions(),
    ];
  }

  async #ask() {
    const asked = (this.#asked += 1);
    const { connection, entry, name } = this.institution;
    const { api, words } = this.app;
    this.answer = null;
    this.#show();
    let answer;
    if (connection === null) {
      const said = entry.account_types.find((line) => line.type === this.type) ?? { answer: 'unknown', evidence: [] };
      answer = {
        ...said, reason: said.answer === 'no' ? 'type_not_supported' : 'not_connected', retry_at: null,
        next_step: said.answer === 'no' || entry.restricted ? 'add_manually' : 'connect',
        message: words.t(`missing.expect.${entry.restricted && said.answer !== 'no' ? 'closed' : said.answer}`, { name, type: words.t(`types.${this.type}`) }),
      };
    } else {
      try {
        const query = new URLSearchParams({ type: this.type });
        answer = (await api.get(`/v1/connections/${encodeURIComponent(connection.id)}/missing-accounts?${query}`)).data;
      } catch (error) {
        if (!(error instanceof Problem || error instanceof Unreachable)) {
          this.dialog.close();
          this.app.fail(error);
          return;
        }
        answer = { failure: error instanceof Problem && error.message ? error.message : words.t('toast.unreachable') };
      }
    }
    if (asked !== this.#asked || !this.dialog.isConnected) return;
    this.answer = answer;
    this.#show();
  }

  // --- the answer ---

  #outcome() {
    const { words } = this.app;
    const { answer } = this;
    const title = this.#title(words.t('missing.answer.title', { name: this.institution.name, type: words.t(`types.${this.type}`) }));
    if (answer === null) return [title, h('p', { role: 'status' }, words.t('missing.asking')), this.#actions()];
    if (answer.failure) {
      return [title, h('p', { role: 'alert' }, answer.failure), this.#actions(button(words.t('action.retry'), { kind: 'primary', data: { testid: 'retry' }, action: () => this.#ask() }))];
    }
    const hidden = answer.reason === 'hidden_by_user' ? this.#hidden() : [];
    return [
      title,
      h('div', { class: `verdict ${answer.answer}`, role: 'status', data: { testid: 'missing-answer', answer: answer.answer, reason: answer.reason, step: answer.next_step } },
        h('p', {}, answer.message),
        answer.next_step === 'wait' && h('p', { class: 'next-try', data: { testid: 'missing-retry' } }, icon('clock'),
          h('span', {}, answer.retry_at ? [answer.reason !== 'temporary_problem' && `${words.t('missing.next_try')} `, this.app.ago(answer.retry_at)] : words.t('missing.wait')))),
      hidden.length > 0 && this.#tickBoxes(hidden),
      this.#wish(),
      this.#because(answer.evidence),
      this.#actions(this.#step(answer.next_step, hidden)),
    ];
  }

  #hidden() {
    const connection = this.app.store.connection(this.institution.connection.id);
    return (connection?.accounts ?? []).filter((account) => account.type === this.type && !account.enabled && account.status !== 'closed_at_bank');
  }

  #tickBoxes(accounts) {
    const { words } = this.app;
    return h('fieldset', { class: 'ticks' },
      h('legend', {}, words.t('missing.tick')),
      accounts.map((account) => h('label', { class: 'tick' },
        h('input', { type: 'checkbox', value: account.id, checked: accounts.length === 1, data: { testid: 'missing-choice', accountId: account.id } }), h('span', {}, account.name))));
  }

  #because(evidence) {
    const { words } = this.app;
    const lines = evidence.flatMap((code) => {
      const [name, value] = code.split(':');
      const key = `evidence.${name}`;
      return words.has(key) ? [words.t(key, { count: Number(value) || 0, name: this.institution.name })] : [];
    });
    if (lines.length === 0) return null;
    return h('details', { class: 'because', data: { testid: 'missing-evidence' } }, h('summary', {}, icon('chevron'), words.t('missing.because')),
      h('ul', {}, [...new Set(lines)].map((line) => h('li', {}, line))));
  }

  #step(step, hidden) {
    const { app } = this;
    const { words } = app;
    const { connection, name } = this.institution;
    const primary = (label, work) => button(words.t(label), { kind: 'primary', data: { testid: 'missing-step', step }, action: () => this.#leave(work) });
    if (hidden.length > 0) {
      return button(words.t('action.finish'), {
        kind: 'primary', data: { testid: 'missing-step', step },
        action: () => {
          const ids = [...this.body.querySelectorAll('input:checked')].map((box) => box.value);
          if (ids.length === 0) {
            this.body.querySelector('input').focus(); // there is nothing to finish yet
            return null;
          }
          return this.#leave(() => app.tickMore(connection.id, ids));
        },
      });
    }
    if (step === 'manage' || step === 'reconnect') return primary(`action.${step === 'manage' ? 'open_powens' : step}`, () => app.goToPowens(step, connection));
    if (step === 'connect') return primary('missing.connect', () => app.goToPowens('connect', null));
    if (step === 'add_manually') return primary('action.add_manual', () => app.manual.add({ institution: name, type: this.type }));
    return null;
  }

  // --- "Prévenez-moi" ---

  #wish() {
    const { store, words } = this.app;
    if (this.answer.reason !== 'type_not_supported') return null;
    const wish = store.wishes.find((one) => one.institution_id === this.institution.id && one.type === this.type && !one.available_at);
    const change = async (method, target, body) => {
      const done = await this.app.attempt(() => this.app.api.change(method, target, body));
      if (done === null) {
        this.dialog.close(); // what went wrong is said on the page
        return;
      }
      await store.refresh();
      if (!this.dialog.isConnected) return;
      this.#show();
      this.body.querySelector('[data-testid^=wish-]')?.focus();
    };
    return h('div', { class: 'wish', data: { testid: 'wish', recorded: String(Boolean(wish)) } },
      h('p', { role: 'status' }, words.t(wish ? 'wish.recorded' : 'wish.offer')),
      wish
        ? button(words.t('wish.take_back'), { kind: 'link', data: { testid: 'wish-take-back' }, action: () => change('DELETE', `/v1/wishes/${encodeURIComponent(wish.id)}`, undefined) })
        : button(words.t('wish.tell_me'), { kind: 'outline', data: { testid: 'wish-tell-me' }, action: () => change('POST', '/v1/wishes', { institution_id: this.institution.id, type: this.type }) }));
  }
}
