/**
 * "Un compte manque ?": institution, type, answer, and the one next step. The API decides the answer; this says it and
 * what it rests on.
 */

/** @import { Account, Connection } from '../store.js' */

import { Problem, isFailure, path } from '../api.js';
import { newId, openDialog } from '../dialogs.js';
import { button, fill, h, icon } from '../dom.js';
import { ACCOUNT_TYPES } from '../i18n.js';
import { InstitutionSearch } from './institution-search.js';
import { addManualAccount } from './manual-dialogs.js';
import { timeAgo } from './parts.js';

/** @param connection whose institution it is about, when the person has come from there */
export function openMissingAccount(app, /** @type {Connection|null} */ connection = null) {
  new MissingAccount(app, connection).open();
}

class MissingAccount {
  #request = 0; // the number of the latest one: answers of others are not wanted any more

  constructor(app, /** @type {Connection} */ connection) {
    this.app = app;
    this.heading = newId();
    /** @type {any} of a connection, or of the catalogue */
    this.institution = connection && { ...connection.institution, connection };
    this.fixed = connection !== null;
    this.type = null;
    this.answer = null; // {answer, reason, evidence, message, next_step, retry_at}, or {failure}
    this.search = new InstitutionSearch(app, (institution) => this.#choose(institution), (error) => this.#fail(error));
  }

  open() {
    this.body = h('div', {});
    this.dialog = openDialog({ testid: 'missing', heading: this.heading, content: this.body });
    this.#show();
  }

  #show() {
    fill(this.body, this.#step());
    this.dialog.scrollTop = 0;
    this.body.querySelector('h2').focus();
  }

  #step() {
    if (this.institution === null) return this.#institutionStep();
    return this.type === null ? this.#typeStep() : this.#answerStep();
  }

  #title(text) {
    return h('h2', { id: this.heading, tabindex: '-1' }, text);
  }

  #actions(more = null) {
    const { words } = this.app;
    const hasPrevious = this.type !== null || (this.institution !== null && !this.fixed);
    return h('div', { class: 'dialog-actions' },
      button(words.t('action.close'), { data: { testid: 'dialog-cancel' }, action: () => this.dialog.close() }),
      hasPrevious && button(words.t('action.previous'), {
        kind: 'outline', data: { testid: 'missing-back' }, action: () => this.#goBack(),
      }),
      more);
  }

  #goBack() {
    this.#request += 1;
    this.search.stop();
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

  #fail(error) {
    this.#leave(() => this.app.fail(error));
  }

  // --- institution and type ---

  #institutionStep() {
    const { app } = this;
    const { words } = app;
    return [
      this.#title(words.t('missing.title')),
      h('p', {}, words.t('missing.institution.which')),
      this.search.content(`${this.heading}-search`),
      h('p', {}, words.t('missing.not_listed'), ' ', button(words.t('action.add_manual'), {
        kind: 'link', data: { testid: 'missing-manual' }, action: () => this.#leave(() => addManualAccount(app)),
      })),
      this.#actions(),
    ];
  }

  #choose(institution) {
    this.institution = institution;
    this.#show();
  }

  #typeStep() {
    const { words } = this.app;
    const option = (type) => h('button', {
      type: 'button', class: 'option', data: { testid: 'missing-type', type }, on: { click: () => this.#ask(type) },
    }, h('span', {}, words.t(`types.${type}`)));
    return [
      this.#title(words.t('missing.type.title', { name: this.institution.name })),
      h('p', {}, words.t('missing.type.which')),
      h('ul', { class: 'options types' }, ACCOUNT_TYPES.map((type) => h('li', {}, option(type)))),
      this.#actions(),
    ];
  }

  async #ask(type) {
    const request = (this.#request += 1);
    this.type = type;
    this.answer = null;
    this.#show();
    let answer;
    try {
      answer = this.institution.connection === null ? this.#expectation() : await this.#diagnosis();
    } catch (error) {
      if (!isFailure(error)) {
        this.#fail(error);
        return;
      }
      const said = error instanceof Problem && error.message;
      answer = { failure: said || this.app.words.t('toast.unreachable') };
    }
    if (request !== this.#request || !this.dialog.isConnected) return;
    this.answer = answer;
    this.#show();
  }

  async #diagnosis() {
    const query = new URLSearchParams({ type: this.type });
    const target = path`/v1/connections/${this.institution.connection.id}/missing-accounts`;
    return (await this.app.api.get(`${target}?${query}`)).data;
  }

  /** What the catalogue says about an institution that is not connected, in the shape of a diagnosis. */
  #expectation() {
    const { entry, name } = this.institution;
    const { words } = this.app;
    const line = entry.account_types.find(({ type }) => type === this.type) ?? { answer: 'unknown', evidence: [] };
    const never = line.answer === 'no';
    const key = `missing.expect.${entry.restricted && !never ? 'closed' : line.answer}`;
    return {
      ...line,
      reason: never ? 'type_not_supported' : 'not_connected',
      retry_at: null,
      next_step: never || entry.restricted ? 'add_manually' : 'connect',
      message: words.t(key, { name, type: words.t(`types.${this.type}`) }),
    };
  }

  // --- the answer ---

  #answerStep() {
    const { words } = this.app;
    const { answer } = this;
    const type = words.t(`types.${this.type}`);
    const title = this.#title(words.t('missing.answer.title', { name: this.institution.name, type }));
    if (answer === null) return [title, h('p', { role: 'status' }, words.t('missing.asking')), this.#actions()];
    if (answer.failure) {
      const retry = button(words.t('action.retry'), {
        kind: 'primary', data: { testid: 'retry' }, action: () => this.#ask(this.type),
      });
      return [title, h('p', { role: 'alert' }, answer.failure), this.#actions(retry)];
    }
    const hidden = answer.reason === 'hidden_by_user' ? this.#hiddenAccounts() : [];
    return [
      title,
      this.#verdict(),
      hidden.length > 0 && this.#tickBoxes(hidden),
      answer.reason === 'type_not_supported' && this.#wish(),
      this.#evidence(),
      this.#actions(hidden.length > 0 ? this.#finishButton() : this.#nextStepButton()),
    ];
  }

  #verdict() {
    const { words } = this.app;
    const { answer, reason, message, next_step: step, retry_at: retryAt } = this.answer;
    const nextTry = () => (retryAt
      ? [reason !== 'temporary_problem' && `${words.t('missing.next_try')} `, timeAgo(words, retryAt)]
      : words.t('missing.wait'));
    const data = { testid: 'missing-answer', answer, reason, step };
    return h('div', { class: `verdict ${answer}`, role: 'status', data },
      h('p', {}, message),
      step === 'wait' && h('p', { class: 'next-try', data: { testid: 'missing-retry' } },
        icon('clock'), h('span', {}, nextTry())));
  }

  /** Accounts of that type that the person did not choose. */
  #hiddenAccounts() {
    const connection = this.app.store.connection(this.institution.connection.id);
    return (connection?.accounts ?? []).filter(
      ({ type, enabled, status }) => type === this.type && !enabled && status !== 'closed_at_bank',
    );
  }

  #tickBoxes(/** @type {Account[]} */ accounts) {
    const box = ({ id }) => h('input', {
      type: 'checkbox', value: id, checked: accounts.length === 1, data: { testid: 'missing-choice', accountId: id },
    });
    return h('fieldset', { class: 'ticks' },
      h('legend', {}, this.app.words.t('missing.tick')),
      accounts.map((account) => h('label', { class: 'tick' }, box(account), h('span', {}, account.name))));
  }

  #evidence() {
    const { words } = this.app;
    const lines = this.answer.evidence.flatMap((code) => {
      const [name, value] = code.split(':');
      const key = `evidence.${name}`;
      return words.has(key) ? [words.t(key, { count: Number(value) || 0, name: this.institution.name })] : [];
    });
    if (lines.length === 0) return null;
    return h('details', { class: 'because', data: { testid: 'missing-evidence' } },
      h('summary', {}, icon('chevron'), words.t('missing.because')),
      h('ul', {}, [...new Set(lines)].map((line) => h('li', {}, line))));
  }

  #stepButton(label, action) {
    return button(this.app.words.t(label), {
      kind: 'primary', data: { testid: 'missing-step', step: this.answer.next_step }, action,
    });
  }

  /** Chooses the accounts that are ticked here. */
  #finishButton() {
    return this.#stepButton('action.finish', () => {
      const ids = [...this.body.querySelectorAll('input:checked')].map((box) => box.value);
      if (ids.length === 0) {
        this.body.querySelector('input').focus(); // there is nothing to finish yet
        return null;
      }
      return this.#leave(() => this.app.choices.add(this.institution.connection.id, ids));
    });
  }

  #nextStepButton() {
    const { app } = this;
    const { connection, name } = this.institution;
    const leaveTo = (label, work) => this.#stepButton(label, () => this.#leave(work));
    switch (this.answer.next_step) {
      case 'manage': return leaveTo('action.open_powens', () => app.visits.start('manage', connection));
      case 'reconnect': return leaveTo('action.reconnect', () => app.visits.start('reconnect', connection));
      case 'connect': return leaveTo('missing.connect', () => app.visits.start('connect', null));
      case 'add_manually':
        return leaveTo('action.add_manual', () => addManualAccount(app, { institution: name, type: this.type }));
      default: return null;
    }
  }

  // --- "Prévenez-moi" ---

  #wish() {
    const { wishes, words } = this.app;
    const { id } = this.institution;
    const wish = wishes.find(id, this.type);
    const act = (label, kind, testid, change) => button(words.t(label), {
      kind, data: { testid }, action: async () => this.#afterWish(await change()),
    });
    return h('div', { class: 'wish', data: { testid: 'wish', recorded: String(Boolean(wish)) } },
      h('p', { role: 'status' }, words.t(wish ? 'wish.recorded' : 'wish.offer')),
      wish
        ? act('wish.dismiss', 'link', 'wish-dismiss', () => wishes.dismiss(wish))
        : act('wish.tell_me', 'outline', 'wish-tell-me', () => wishes.record(id, this.type)));
  }

  #afterWish(changed) {
    if (!changed) {
      this.dialog.close(); // what went wrong is said on the page
      return;
    }
    if (!this.dialog.isConnected) return;
    this.#show();
    this.body.querySelector('[data-testid^=wish-]')?.focus();
  }
}
