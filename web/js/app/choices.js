/** Choices: which accounts of a connection are to be enabled, from the first tick to the operation. */

import { Problem, path } from '../api.js';
import { ask } from '../dialogs.js';
import { h } from '../dom.js';
import { isSelectable, isWanted } from '../store.js';

export class Choices {
  #drafts = new Map(); // connection id -> Map(account id -> boolean): only what the person changed

  constructor(app) {
    this.app = app;
  }

  reset() {
    this.#drafts.clear();
  }

  /** The unsent ticks of a connection, or undefined while nobody chooses there. */
  draft(connectionId) {
    return this.#drafts.get(connectionId);
  }

  /**
   * Opens the tick-boxes of one connection, from whatever page.
   * @param {string[]} ticked accounts that are ticked beforehand
   */
  open(connectionId, ticked = []) {
    if (!this.app.store.connection(connectionId)) return;
    this.#drafts.set(connectionId, new Map(ticked.map((id) => [id, true])));
    const page = this.app.frame.showAccounts();
    page.render();
    page.focusChoice(connectionId);
  }

  close(connectionId) {
    this.#drafts.delete(connectionId);
    const { accountsPage } = this.app.frame; // undefined once nobody is signed in any more
    accountsPage?.render();
    accountsPage?.focusChooseButton(connectionId);
  }

  /** Ticks some more accounts, and asks for the confirmation at once. */
  async add(connectionId, accountIds) {
    this.open(connectionId, accountIds);
    await this.finish(connectionId);
  }

  /** Shows the effect of what is ticked, and sends it once the person has confirmed it. */
  async finish(connectionId) {
    const { app } = this;
    const connection = app.store.connection(connectionId);
    if (!connection) return;
    const body = { enabled_account_ids: this.#ticked(connection) };
    const target = path`/v1/connections/${connectionId}/selection`;
    const preview = await app.attempt(() => app.api.change('PUT', `${target}?dry_run=true`, body));
    if (preview === null) return;
    const effect = preview.data;
    if (effect.enable.length === 0 && effect.disable.length === 0) {
      this.close(connectionId);
      app.announce(app.words.t('choice.nothing'));
      this.#notice('calm', 'choice.nothing');
      return;
    }
    app.notices.drop('choice');
    if (!await this.#confirmed(connection, effect)) return;
    await this.#send(connection, target, body, effect);
  }

  async #send(connection, target, body, effect) {
    const { app } = this;
    let answer;
    try {
      answer = await app.api.change('PUT', target, body, { ifMatch: effect.entity_tag ?? `"${effect.revision}"` });
    } catch (error) {
      if (error instanceof Problem && error.status === 412) {
        await app.store.load();
        this.#notice('warn', 'choice.changed', { name: connection.institution.name });
        return;
      }
      app.fail(error);
      return;
    }
    app.announce(app.words.t('operation.open.selection'));
    app.operations.follow(answer.data, answer.retryAfter);
    this.close(connection.id);
  }

  #notice(tone, key, values) {
    const { notices, words } = this.app;
    notices.show('choice', { tone, text: words.t(key, values), close: words.t('action.close') });
  }

  /** The ticked account ids: what is wanted now, with what the person changed on top. */
  #ticked(connection) {
    const draft = this.draft(connection.id) ?? new Map();
    return connection.accounts
      .filter((account) => isSelectable(account) && (draft.get(account.id) ?? isWanted(account)))
      .map((account) => account.id);
  }

  async #confirmed(connection, effect) {
    const { words } = this.app;
    const answer = await ask({
      testid: 'preview',
      title: words.t('preview.title', { name: connection.institution.name }),
      body: effectText(words, connection, effect),
      confirm: words.t('action.confirm'),
      cancel: words.t('action.back'),
    });
    return answer !== null;
  }
}

/** @param effect the API's answer to a dry run: account ids by what happens to them, and counts */
function effectText(words, connection, effect) {
  const { enable, disable, unchanged, deleted_at_powens: deleted } = effect;
  const { name } = connection.institution;
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
    effect.requires_consent && h('p', { class: 'consent', data: { testid: 'consent' } },
      words.t('preview.consent', { name, count: enable.length })),
  ];
}
