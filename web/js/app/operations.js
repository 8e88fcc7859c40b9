/** Operations, one for each connection: asking for a refresh, an end or an undo, and following them to their end. */

/** @import { Connection, Operation } from '../store.js' */

import { Problem, isFailure, path } from '../api.js';
import { memory } from '../memory.js';
import { SignInFailed } from '../session.js';
import { isOpen, isSettling } from '../store.js';

const RESULT_IS_NEWS_MS = 10 * 60 * 1000;
const FIRST_READ_S = 0.25;
const READ_AGAIN_S = 3; // after a failure

export class Operations {
  #latest = new Map(); // connection id -> Operation, open or just ended
  #watches = new Map(); // connection id -> {id, timer, revision}: the operation that is read again

  constructor(app) {
    this.app = app;
    this.store = app.store;
  }

  get #user() {
    return this.app.session.user.id;
  }

  /** @returns {object|undefined} the operation of a connection, open or just ended */
  get(connectionId) {
    return this.#latest.get(connectionId);
  }

  get anyOpen() {
    return [...this.#latest.values()].some(isOpen);
  }

  reset() {
    for (const { timer } of this.#watches.values()) clearTimeout(timer);
    this.#watches.clear();
    this.#latest.clear();
  }

  // --- asking for one ---

  /** Asks Powens to synchronise now. */
  async refresh(/** @type {Connection} */ connection) {
    const { app } = this;
    const target = path`/v1/connections/${connection.id}/refresh`;
    const answer = await app.attempt(() => app.api.change('POST', target, undefined));
    if (answer === null) return;
    app.announce(app.words.t('operation.open.refresh'));
    this.follow(answer.data, answer.retryAfter);
  }

  /** Ends it for good, once the person has typed its name. */
  async end(/** @type {Connection} */ connection) {
    const { app } = this;
    const { name } = connection.institution;
    if (!await app.withView('end-connection', (view) => view.confirmEnd(app, connection))) return;
    const target = path`/v1/connections/${connection.id}`;
    const answer = await app.attempt(() => app.api.change('DELETE', target, { confirm: name }));
    if (answer === null) return;
    app.announce(app.words.t('operation.open.deletion'));
    this.follow(answer.data, answer.retryAfter);
  }

  /** Takes back the choice of an operation, by one of its own. */
  async undo(/** @type {Operation} */ operation) {
    const { app } = this;
    const target = path`/v1/operations/${operation.id}/undo`;
    const answer = await app.attempt(() => app.api.change('POST', target, undefined));
    if (answer === null) return;
    app.announce(app.words.t('operation.open.undo'));
    this.follow({ ...answer.data, undoing: true }, answer.retryAfter);
  }

  // --- following ---

  /** Follow to its end what the API's 202 answer holds; `undoing` marks an operation that takes a choice back. */
  follow(/** @type {Operation} */ operation, retryAfter = null) {
    const id = operation.connection_id;
    memory.setOperation(this.#user, id, operation.id);
    this.#latest.set(id, operation);
    this.#watch(id, operation.id, retryAfter);
    this.app.visits.exclude(id);
    this.store.operationStarted();
    this.app.frame.showAccounts().focusOperation(id);
  }

  /** The person has read the result, or there is none to read. */
  dismiss(connectionId) {
    clearTimeout(this.#watches.get(connectionId)?.timer);
    this.#watches.delete(connectionId);
    this.#latest.delete(connectionId);
    memory.setOperation(this.#user, connectionId, null);
    this.store.emit('change');
  }

  #watch(connectionId, operationId, retryAfter) {
    clearTimeout(this.#watches.get(connectionId)?.timer);
    const wait = Math.max(retryAfter ?? 1, FIRST_READ_S) * 1000;
    const timer = setTimeout(() => this.#read(connectionId, operationId), wait);
    this.#watches.set(connectionId, { id: operationId, timer });
  }

  async #read(connectionId, operationId) {
    const watch = this.#watches.get(connectionId);
    if (watch?.id !== operationId) return;
    clearTimeout(watch.timer);
    let answer;
    try {
      answer = await this.app.api.get(path`/v1/operations/${operationId}`);
    } catch (error) {
      if (error instanceof SignInFailed) this.store.emit('signed-out');
      else if (error instanceof Problem && error.status === 404) this.dismiss(connectionId);
      else if (isFailure(error)) this.#watch(connectionId, operationId, Math.max(error.retryAfter ?? 0, READ_AGAIN_S));
      else throw error;
      return;
    }
    if (this.#watches.get(connectionId)?.id !== operationId) return; // a newer choice took its place meanwhile
    const operation = { ...answer.data, undoing: this.#latest.get(connectionId)?.undoing };
    if (isOpen(operation)) {
      this.#latest.set(connectionId, operation);
      this.#watch(connectionId, operationId, answer.retryAfter);
      this.store.emit('change');
      return;
    }
    await this.#end(connectionId, operation);
  }

  async #end(connectionId, /** @type {Operation} */ operation) {
    this.#watches.delete(connectionId);
    const undoable = operation.undo_until && Date.parse(operation.undo_until) > Date.now();
    if (!undoable && Date.now() - Date.parse(operation.ended_at) > RESULT_IS_NEWS_MS) {
      this.dismiss(connectionId);
      return;
    }
    await this.store.load(); // the result and the list it speaks of appear together
    this.#latest.set(connectionId, operation);
    this.store.emit('operation-ended', operation);
    this.store.emit('change');
  }

  /** Once, with the first list: go on with what this browser followed before. */
  resume() {
    for (const [connectionId, operationId] of Object.entries(memory.operations(this.#user))) {
      if (!this.#latest.has(connectionId)) this.#watch(connectionId, operationId, FIRST_READ_S);
    }
  }

  /** What a new list says about operations: some have most likely ended, and some were started elsewhere. */
  compare(/** @type {Connection[]} */ connections) {
    for (const connection of connections) {
      const watch = this.#watches.get(connection.id);
      if (watch) this.#readSettled(connection, watch);
      else this.#adopt(connection);
    }
  }

  /** Every account has arrived, so the operation has most likely ended: no need to sit out Retry-After. */
  #readSettled(/** @type {Connection} */ connection, watch) {
    const operation = this.#latest.get(connection.id);
    if (!operation || !isOpen(operation) || isSettling(connection)) return;
    if (operation.kind !== 'selection' && operation.kind !== 'restoration') return;
    if (connection.revision === watch.revision) return;
    watch.revision = connection.revision;
    this.#read(connection.id, watch.id);
  }

  /** A change under way that this browser did not start, or has forgotten: its accounts know their operation. */
  #adopt(/** @type {Connection} */ connection) {
    const operationId = connection.accounts.find((account) => account.operation_id)?.operation_id;
    if (!operationId) return;
    memory.setOperation(this.#user, connection.id, operationId);
    this.#watch(connection.id, operationId, FIRST_READ_S);
  }

  /** A connection that has ended is no longer in the list, so a notice says it. */
  showEnd(/** @type {Operation} */ operation) {
    const { notices, store, words } = this.app;
    if (operation.kind !== 'deletion' || store.connection(operation.connection_id)) return;
    const text = words.t('operation.completed.deletion');
    const lost = document.activeElement === document.body; // the focus went with the card
    notices.show('ended', { tone: 'good', text, close: words.t('action.close') });
    this.dismiss(operation.connection_id);
    if (lost) notices.focus('ended');
  }
}
