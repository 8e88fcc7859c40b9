/**
 * What the page knows: the last answer of GET /v1/connections and the operations that it follows. It keeps itself up to
 * date by polling with the ETag, fast while something is under way, backing off while nothing changes, and not at all
 * while nobody looks or the network is gone. With a socket the polling is a safety net.
 */

/**
 * @import { AccountView, ConnectionList, ConnectionView, OperationView } from 'api'
 * @typedef {AccountView & {twin?: string|null}} Account `twin`: see `#twin`
 * @typedef {ConnectionView & {title: string, number?: number, institution: {nameless?: boolean}}} Connection
 * @typedef {OperationView & {undoing?: boolean}} Operation
 */

import { isFailure } from './api.js';
import { counts, totals } from './money.js';
import { SignInFailed } from './session.js';

const FAST_MS = [250, 350, 500, 700, 1000, 1400, 2000];
const SLOW_FIRST_MS = 10_000;
const SLOW_LAST_MS = 120_000;
const LONGEST_BACK_OFF_MS = 60_000;
const HURRY_MS = 45_000;
const INCIDENTS_MS = 60_000;

// --- what the API's states mean to the page ---

const OPEN = new Set(['pending', 'running']);
const CHANGING = new Set(['enabling', 'disabling']);

export const isOpen = (/** @type {Operation} */ operation) => OPEN.has(operation.status);

/** Whether Powens was told to enable or disable the account, and was not yet seen to have done it. */
export const isChanging = (/** @type {Account} */ account) => CHANGING.has(account.status);

export const isSettling = (/** @type {Connection} */ connection) => connection.accounts.some(isChanging);

/** Whether the account is in the list itself; the others are folded below it. */
export const isListed = ({ status, enabled }) => status !== 'disabled' && (enabled || status !== 'closed_at_bank');

export const isSelectable = (/** @type {Account} */ account) => account.status !== 'closed_at_bank' || account.enabled;

/** While a change is under way this is what was asked for, so that a further choice builds on it. */
export const isWanted = (/** @type {Account} */ account) => (
  isChanging(account) ? account.status === 'enabling' : account.enabled);

/** Milliseconds until the consent runs out; Infinity when it does not. */
export function consentLeft(/** @type {Connection} */ connection, now = Date.now()) {
  return connection.consent_expires_at ? Date.parse(connection.consent_expires_at) - now : Infinity;
}

const FRESHNESS = {
  fresh: ['good', 'status.fresh'],
  ageing: ['calm', 'status.ageing'],
  stale: ['warn', 'status.stale'],
};
const STATUS = {
  syncing: ['calm', 'status.syncing'],
  action_required: ['warn', 'status.action_required'],
  waiting: ['calm', 'status.waiting'],
  failed: ['bad', 'status.failed'],
};

/** How a connection looks: its tone and the key of its words. Green ("good") is kept for a recent success. */
export function condition(/** @type {Connection} */ connection) {
  if (connection.superseded_by) return ['calm', 'status.replaced'];
  const known = connection.status === 'ok' ? FRESHNESS[connection.freshness] : STATUS[connection.status];
  return known ?? ['calm', 'status.never'];
}

const NEW_MS = 24 * 3_600_000;

/** Whether the person has connected it lately. */
export const isNew = ({ connected_at: at }) => Date.now() - Date.parse(at) < NEW_MS;

/** Whether no new data comes: its balances are old, whatever they were. */
export const isFailing = (/** @type {Connection} */ connection) => connection.freshness === 'stale'
  || consentLeft(connection) <= 0
  || connection.status === 'action_required' || connection.status === 'failed';

/**
 * What was replaced is last in any order.
 * @param {'attention'|'name'|'balance'} order by name, where `attention` puts first what fails, and `balance` what has
 *   most in the `main` currency
 */
export function inOrder(/** @type {Connection[]} */ connections, locale, order, main) {
  const { compare } = new Intl.Collator(locale, { numeric: true });
  const sum = ({ accounts }) => Number(totals(accounts, main).find(([currency]) => currency === main)?.[1] ?? 0);
  const rank = (connection) => {
    if (connection.superseded_by) return Infinity;
    if (order === 'balance') return -sum(connection);
    return order === 'attention' ? Number(!isFailing(connection)) : 0;
  };
  const ranks = new Map(connections.map((connection) => [connection, rank(connection)]));
  const apart = (a, b) => (ranks.get(a) === ranks.get(b) ? 0 : ranks.get(a) - ranks.get(b));
  return [...connections].sort((a, b) => apart(a, b) || compare(a.title, b.title));
}

const ONE_SYNCHRONISATION_MS = 3_600_000; // by which the dates of a bank and its accounts may differ

/** Whether nothing came for this account, though its connection has had a success since: the last balance stays. */
export function isBehind(/** @type {Account} */ account, /** @type {Connection} */ connection) {
  // NaN when one of them is unknown
  const behind = Date.parse(connection.last_success_at) - Date.parse(account.last_success_at);
  return account.enabled && account.balance !== null && behind > ONE_SYNCHRONISATION_MS;
}

// --- the list ---

/** What a bank or Powens gave no name is called by what it is. `nameless`: there is no name to confirm an end with. */
function named(/** @type {ConnectionView} */ connection, words) {
  const { institution, accounts } = connection;
  return {
    ...connection,
    title: institution.name || words.t('institution.unnamed'),
    institution: institution.name
      ? institution
      : { ...institution, name: words.t('institution.unnamed'), nameless: true },
    accounts: accounts.map((account) => (account.name ? account : { ...account, name: words.product(account) })),
  };
}

/** Connections whose institutions have one name are told apart by a number: the first that was made is 1. */
function numbered(/** @type {Connection[]} */ connections) {
  const groups = Object.values(Object.groupBy(connections, ({ title }) => title));
  const age = (one, other) => one.connected_at?.localeCompare(other.connected_at) || one.id.localeCompare(other.id);
  const numbers = new Map(groups
    .filter((group) => group.length > 1)
    .flatMap((group) => group.sort(age).map(({ id }, place) => [id, place + 1])));
  return connections.map((connection) => {
    const number = numbers.get(connection.id);
    return number ? { ...connection, number, title: `${connection.title} (${number})` } : connection;
  });
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

  constructor(api, words) {
    super();
    this.api = api;
    this.words = words;
    this.live = null;
    this.operations = null; // the Operations of this store, as soon as there are
    this.reset();
  }

  reset() {
    this.stop();
    this.operations?.reset();
    this.#etag = null;
    this.connections = null; // null: nothing was ever received
    this.manualAccounts = [];
    this.wishes = [];
    this.unconfirmed = [];
    this.incidents = [];
    this.#incidentsAt = 0;
    this.failure = null; // Problem | Unreachable of the last attempt
    this.receivedAt = null;
    this.online = navigator.onLine;
  }

  connection(id) {
    return this.connections?.find((connection) => connection.id === id) ?? null;
  }

  /** @returns {{account: object, connection: object}|null} the synchronised account of that id, and where it is */
  account(id) {
    for (const connection of this.connections) {
      const account = connection.accounts.find((one) => one.id === id);
      if (account) return { account, connection };
    }
    return null;
  }

  /** The synchronised account that counts and may be the same as a manual one, or null: nobody has said so yet. */
  #twin({ link_suggestions: suggestions = [] }) {
    const found = suggestions.map(({ account_id: id }) => this.account(id)?.account).filter(Boolean);
    return found.find(counts)?.id ?? null;
  }

  /** The connection that counts instead of one that was replaced, or null. */
  replacement(/** @type {Connection} */ connection) {
    return connection.superseded_by ? this.connection(connection.superseded_by) : null;
  }

  start() {
    if (this.#running) return Promise.resolve();
    this.#running = true;
    return this.load();
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

  /** Look often from now on, until the operation has ended. */
  operationStarted() {
    this.#fastStep = 0;
    this.emit('change');
    this.#schedule();
  }

  /** Forget the ETag: the texts must come again in another language, though the state is the same. */
  forgetVersion() {
    this.#etag = null;
  }

  /** Ask now. Calls while a request is under way become one more request after it, never a second at the same time. */
  async load() {
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
        this.emit('checked');
        return;
      }
      this.#etag = answer.etag;
      /** @type {ConnectionList} */
      const list = answer.data;
      this.connections = numbered(list.connections.map((connection) => named(connection, this.words)));
      this.manualAccounts = list.manual_accounts.map((account) => ({ ...account, twin: this.#twin(account) }));
      this.wishes = list.wishes ?? [];
      this.unconfirmed = list.unconfirmed ?? [];
      this.#slow = SLOW_FIRST_MS;
      this.#fastStep = 0;
    } catch (error) {
      if (error instanceof SignInFailed) {
        this.emit('signed-out');
        return;
      }
      if (!isFailure(error)) throw error;
      this.failure = error;
      this.#failures += 1;
      this.emit('change');
      return;
    }
    if (first) this.operations.resume();
    this.operations.compare(this.connections);
    this.emit('change');
  }

  /** Incidents are nobody's own, so they come apart, after the list; what fails is asked for later. */
  async #fetchIncidents() {
    if (Date.now() - this.#incidentsAt < INCIDENTS_MS || this.connections?.length === 0) return;
    this.#incidentsAt = Date.now();
    let incidents;
    try {
      ({ incidents } = (await this.api.get('/v1/incidents')).data);
    } catch (error) {
      if (isFailure(error) || error instanceof SignInFailed) return; // the list itself says so
      throw error;
    }
    if (JSON.stringify(incidents) === JSON.stringify(this.incidents)) return;
    this.incidents = incidents;
    if (this.connections !== null) this.emit('change');
  }

  #schedule() {
    clearTimeout(this.#timer);
    if (!this.#running || document.hidden || !this.online) return;
    this.#timer = setTimeout(() => this.load(), this.#delay() * (0.85 + 0.3 * Math.random()));
  }

  #delay() {
    if (this.failure) {
      const backOff = Math.min(2000 * 2 ** (this.#failures - 1), LONGEST_BACK_OFF_MS);
      return Math.max((this.failure.retryAfter ?? 0) * 1000, backOff);
    }
    if (this.operations.anyOpen || Date.now() < this.#hurryUntil || this.connections?.some(isSettling)) {
      return FAST_MS[Math.min(this.#fastStep, FAST_MS.length - 1)];
    }
    return this.live?.connected ? SLOW_LAST_MS : this.#slow;
  }

  wake() {
    this.#slow = SLOW_FIRST_MS;
    this.online = true;
    if (this.#running) this.load();
  }

  sleep({ offline }) {
    if (offline) this.online = false;
    clearTimeout(this.#timer);
    this.emit('change');
  }

  /** Also for the operations, which show with the list. */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
