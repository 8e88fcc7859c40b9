/** Choices: which accounts of a connection are to be enabled, from the first tick to the operation. */

/** @import { Connection } from '../store.js' */

import { Problem, path } from '../api.js';
import { isSelectable, isWanted } from '../store.js';

export class Choices {
  #drafts = new Map(); // connection id -> Map(account id -> boolean): only what the person changed
  #refusals = new Map(); // connection id -> why its ticks have to be looked at again
  #view = null; // js/views/choice-form.js, once somebody has chosen

  constructor(app) {
    this.app = app;
  }

  reset() {
    this.#drafts.clear();
    this.#refusals.clear();
  }

  /** The unsent ticks of a connection, or undefined while nobody chooses there. */
  draft(connectionId) {
    return this.#drafts.get(connectionId);
  }

  /** What is said beside *Terminer* when the ticks could not be sent, or undefined. */
  refusal(connectionId) {
    return this.#refusals.get(connectionId);
  }

  /** The tick-boxes of a connection where somebody chooses. */
  form(/** @type {Connection} */ connection) {
    return this.#view.choiceForm(this.app, connection, this.draft(connection.id));
  }

  /**
   * Opens the tick-boxes of one connection, from whatever page.
   * @param {string[]} ticked accounts that are ticked beforehand
   * @returns {Promise<boolean|null>} whether they are open; null when their view could not be had, which was said then
   */
  open(connectionId, ticked = []) {
    const { app } = this;
    return app.withView('choice-form', (view) => {
      if (!app.store.connection(connectionId)) return false;
      this.#view = view;
      this.#drafts.set(connectionId, new Map(ticked.map((id) => [id, true])));
      const page = app.frame.showAccounts();
      page.render();
      page.focusChoice(connectionId);
      return true;
    });
  }

  close(connectionId) {
    this.#forget(connectionId);
    this.app.frame.accountsPage?.focusChooseButton(connectionId);
  }

  #forget(connectionId) {
    this.#drafts.delete(connectionId);
    this.#refusals.delete(connectionId);
    this.app.frame.accountsPage?.render(); // undefined once nobody is signed in any more
  }

  #refuse(connectionId, text) {
    this.#refusals.set(connectionId, text);
    this.app.frame.accountsPage?.render();
  }

  /** Ticks some more accounts, and asks for the confirmation at once. */
  async add(connectionId, accountIds) {
    if (await this.open(connectionId, accountIds)) await this.finish(connectionId);
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
      app.tell(app.words.t('choice.nothing'));
      return;
    }
    this.#refusals.delete(connectionId);
    if (!await this.#view.confirmEffect(app.words, connection, effect)) return;
    await this.#send(connection, target, body, effect);
  }

  async #send(/** @type {Connection} */ connection, target, body, effect) {
    const { app } = this;
    let answer;
    try {
      answer = await app.api.change('PUT', target, body, { ifMatch: effect.entity_tag ?? `"${effect.revision}"` });
    } catch (error) {
      if (error instanceof Problem && error.status === 412) {
        await app.store.load();
        this.#refuse(connection.id, app.words.t('choice.changed', { name: connection.title }));
        return;
      }
      app.fail(error);
      return;
    }
    app.announce(app.words.t('operation.open.selection'));
    this.#forget(connection.id);
    app.operations.follow(answer.data, answer.retryAfter);
  }

  /** The ticked account ids: what is wanted now, with what the person changed on top. */
  #ticked(/** @type {Connection} */ connection) {
    const draft = this.draft(connection.id) ?? new Map();
    return connection.accounts
      .filter((account) => isSelectable(account) && (draft.get(account.id) ?? isWanted(account)))
      .map((account) => account.id);
  }
}
