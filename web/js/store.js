/**
 * What the page knows: the last answer of GET /v1/connections and the operations being followed. It keeps itself up to
 * date by polling with the ETag, fast while something is under way, backing off while nothing changes, and not at all
 * while nobody looks or the network is gone. With a socket the polling is a safety net.
 */

import { Problem, Unreachable } from './api.js';
import { memory } from './memory.js';
import { SignInFailed } from './session.js';

export const OPEN = new Set(['pending', 'running']);
const CHANGING = new Set(['enabling', 'disabling']);

const FAST_MS = [250, 350, 500, 700, 1000, 1400, 2000];
const SLOW_FIRST_MS = 10_000;
const SLOW_LAST_MS = 120_000;
const HURRY_MS = 45_000;
const INCIDENTS_MS = 60_000;
const RESULT_IS_NEWS_MS = 10 * 60 * 1000;

export const settling = (connection) => connection.accounts.some((account) => CHANGING.has(account.status));

/** What a bank or Powens gave no name is called by what it is. `nameless`: there is no name to confirm an end with. */
function named(connection, words) {
  const { institution, accounts } = connection;
  return {
    ...connection,
    institution: institution.name ? institution : { ...institution, name: words.t('institution.unnamed'), nameless: true },
    accounts: accounts.map((account) => (account.name ? account : { ...account, name: words.type(account.type) })),
  };
}

export class Store extends EventTarget {
  #etag = null;
  #timer = 0;
  #fetching = null;
  #again = false;
  #fastStep = 0;
  #slow = SLOW_FIRST_MS;
  #failures = 0;
  #hurryUntil = 0;
  #running = false;
  #incidentsAt = 0;
  #followed = new Map(); // connection id -> {id, timer}

  constructor(api, words) {
    super();
    this.api = api;
    this.words = words;
    this.live = null;
    this.reset();
  }

  reset() {
    this.stop();
    for (const { timer } of this.#followed.values()) clearTimeout(timer);
    this.#followed.clear();
    this.#etag = null;
    this.connections = null; // null: nothing was ever received
    this.manualAccounts = [];
    this.wishes = [];
    this.incidents = [];
    this.#incidentsAt = 0;
    this.operations = new Map(); // connection id -> Operation, open or just ended
    this.failure = null; // Problem | Unreachable of the last attempt
    this.receivedAt = null;
    this.online = navigator.onLine;
  }

  connection(id) {
    return this.connections?.find((connection) => connection.id === id) ?? null;
  }

  /** The synchronised account of that id and where it is, or null. @returns {{account: object, connection: object}|null} */
  account(id) {
    for (const connection of this.connections) {
      const account = connection.accounts.find((one) => one.id === id);
      if (account) return { account, connection };
    }
    return null;
  }

  /** The connection that counts instead of one that brings nothing any more, or null. */
  heir(connection) {
    return connection.superseded_by ? this.connection(connection.superseded_by) : null;
  }

  start() {
    if (this.#running) return Promise.resolve();
    this.#running = true;
    return this.refresh();
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
  }

  /** Something should change soon (somebody came back from the Webview): look often for a while. */
  hurry() {
    this.#hurryUntil = Date.now() + HURRY_MS;
    this.#fastStep = 0;
    this.#schedule();
  }

  /** Forget the ETag: the texts must come again in another language, though the state is the same. */
  forgetVersion() {
    this.#etag = null;
  }

  /** Ask now. Calls while a request is under way become one more request after it, never a second at the same time. */
  async refresh() {
    if (this.#fetching) {
      this.#again = true;
      return this.#fetching;
    }
    this.#fetching = this.#fetchUntilQuiet();
    try {
      await this.#fetching;
    } finally {
      this.#fetching = null;
      this.#schedule();
    }
    return undefined;
  }

  async #fetchUntilQuiet() {
    do {
      this.#again = false;
      await this.#fetch();
    } while (this.#again && this.failure === null);
  }

  async #fetch() {
    const first = this.connections === null;
    try {
      const answer = await this.api.get('/v1/connections', { etag: this.#etag });
      this.online = navigator.onLine; // an answer that was on its way when the network went does not mean it is back
      this.failure = null;
      this.#failures = 0;
      this.receivedAt = Date.now();
      this.#fetchIncidents();
      if (answer.status === 304) {
        this.#slow = Math.min(this.#slow * 2, SLOW_LAST_MS);
        this.#fastStep += 1;
        this.#emit('checked');
        return;
      }
      this.#etag = answer.etag;
      this.connections = answer.data.connections.map((connection) => named(connection, this.words));
      this.manualAccounts = answer.data.manual_accounts;
      this.wishes = answer.data.wishes ?? [];
      this.#slow = SLOW_FIRST_MS;
      this.#fastStep = 0;
    } catch (error) {
      if (error instanceof SignInFailed) {
        this.#emit('signed-out');
        return;
      }
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      this.failure = error;
      this.#failures += 1;
      this.#emit('change');
      return;
    }
    this.#pickUpOperations(first);
    this.#emit('change');
  }

  /** Incidents are nobody's own, so they come by themselves, after the list, and what cannot be had is asked for later. */
  async #fetchIncidents() {
    if (Date.now() - this.#incidentsAt < INCIDENTS_MS || this.connections?.length === 0) return;
    this.#incidentsAt = Date.now();
    let incidents;
    try {
      ({ incidents } = (await this.api.get('/v1/incidents')).data);
    } catch (error) {
      if (error instanceof Problem || error instanceof Unreachable || error instanceof SignInFailed) return; // the list itself says so
      throw error;
    }
    if (JSON.stringify(incidents) === JSON.stringify(this.incidents)) return;
    this.incidents = incidents;
    if (this.connections !== null) this.#emit('change');
  }

  #schedule() {
    clearTimeout(this.#timer);
    if (!this.#running || document.hidden || !this.online) return;
    this.#timer = setTimeout(() => this.refresh(), this.#delay() * (0.85 + 0.3 * Math.random()));
  }

  #delay() {
    if (this.failure) return Math.max((this.failure.retryAfter ?? 0) * 1000, Math.min(2000 * 2 ** (this.#failures - 1), 60_000));
    const underWay = [...this.operations.values()].some((operation) => OPEN.has(operation.status));
    if (underWay || Date.now() < this.#hurryUntil || this.connections?.some(settling)) {
      return FAST_MS[Math.min(this.#fastStep, FAST_MS.length - 1)];
    }
    return this.live?.connected ? SLOW_LAST_MS : this.#slow;
  }

  wake() {
    this.#slow = SLOW_FIRST_MS;
    this.online = true;
    if (this.#running) this.refresh();
  }

  sleep({ offline }) {
    if (offline) this.online = false;
    clearTimeout(this.#timer);
    this.#emit('change');
  }

  // --- operations ---

  /** Follow an operation to its end. `operation` is the API's 202 answer; `undoing` marks one that takes a choice back. */
  follow(operation, retryAfter = null) {
    const id = operation.connection_id;
    memory.setOperation(this.api.session.user.id, id, operation.id);
    this.operations.set(id, operation);
    this.#watch(id, operation.id, retryAfter);
    this.#fastStep = 0;
    this.#emit('change');
    this.#schedule();
  }

  /** The person has read the result. */
  dismiss(connectionId) {
    clearTimeout(this.#followed.get(connectionId)?.timer);
    this.#followed.delete(connectionId);
    this.operations.delete(connectionId);
    memory.setOperation(this.api.session.user.id, connectionId, null);
    this.#emit('change');
  }

  #watch(connectionId, operationId, retryAfter) {
    clearTimeout(this.#followed.get(connectionId)?.timer);
    const timer = setTimeout(() => this.#read(connectionId, operationId), Math.max(retryAfter ?? 1, 0.25) * 1000);
    this.#followed.set(connectionId, { id: operationId, timer });
  }

  async #read(connectionId, operationId) {
    const watched = this.#followed.get(connectionId);
    if (watched?.id !== operationId) return;
    clearTimeout(watched.timer);
    let answer;
    try {
      answer = await this.api.get(`/v1/operations/${encodeURIComponent(operationId)}`);
    } catch (error) {
      if (error instanceof SignInFailed) this.#emit('signed-out');
      else if (error instanceof Problem && error.status === 404) this.dismiss(connectionId);
      else if (error instanceof Problem || error instanceof Unreachable) this.#watch(connectionId, operationId, Math.max(error.retryAfter ?? 0, 3));
      else throw error;
      return;
    }
    if (this.#followed.get(connectionId)?.id !== operationId) return; // a newer choice took its place meanwhile
    const operation = { ...answer.data, undoing: this.operations.get(connectionId)?.undoing };
    if (OPEN.has(operation.status)) {
      this.operations.set(connectionId, operation);
      this.#watch(connectionId, operationId, answer.retryAfter);
      this.#emit('change');
      return;
    }
    this.#followed.delete(connectionId);
    const undoable = operation.undo_until && Date.parse(operation.undo_until) > Date.now();
    if (!undoable && Date.now() - Date.parse(operation.ended_at) > RESULT_IS_NEWS_MS) {
      this.dismiss(connectionId);
      return;
    }
    await this.refresh(); // the result and the list it speaks of appear together
    this.operations.set(connectionId, operation);
    this.#emit('operation-ended', operation);
    this.#emit('change');
  }

  #pickUpOperations(first) {
    if (first) {
      for (const [connectionId, operationId] of Object.entries(memory.operations(this.api.session.user.id))) {
        if (!this.operations.has(connectionId)) this.#watch(connectionId, operationId, 0.25);
      }
    }
    for (const connection of this.connections) {
      const watched = this.#followed.get(connection.id);
      const operation = this.operations.get(connection.id);
      if (watched && operation && OPEN.has(operation.status) && !settling(connection)) {
        // Every account has arrived, so the operation has most likely ended: no need to sit out Retry-After.
        if (operation.kind === 'selection' || operation.kind === 'restoration') {
          if (connection.revision !== watched.askedAt) {
            watched.askedAt = connection.revision;
            this.#read(connection.id, watched.id);
          }
        }
      } else if (!watched) {
        // A change under way that this browser did not start, or has forgotten: its accounts know their operation.
        const operationId = connection.accounts.find((account) => account.operation_id)?.operation_id;
        if (operationId) {
          memory.setOperation(this.api.session.user.id, connection.id, operationId);
          this.#watch(connection.id, operationId, 0.25);
        }
      }
    }
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
