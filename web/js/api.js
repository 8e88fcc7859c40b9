/** The public API, as the contract has it. Every failure is one of three: Problem, Unreachable, SignInFailed. */

import { SignInFailed } from './session.js';

const TIMEOUT_MS = 20_000;
const REPEATS = 2;

/** The API answered with an error. `code` is stable, `message` is for people and already in their language. */
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(typeof body?.detail === 'string' ? body.detail : '');
    this.status = status;
    this.code = typeof body?.code === 'string' ? body.code : 'unknown';
    this.field = typeof body?.field === 'string' ? body.field.split('.').at(-1) : null;
    this.requestId = typeof body?.request_id === 'string' ? body.request_id : null;
    this.retryAfter = retryAfter;
  }

  get temporary() {
    return this.status === 429 || this.status >= 500;
  }
}

/** No answer: no network, a broken connection or a time-out. */
export class Unreachable extends Error {}

/**
 * Whether the API failed. Anything else, but for `SignInFailed`, is our own bug.
 * @returns {error is Partial<Problem> & Error}
 */
export const isFailure = (error) => error instanceof Problem || error instanceof Unreachable;

/** A path with its ids encoded: path`/v1/accounts/${id}`. */
export const path = (strings, ...ids) => String.raw({ raw: strings }, ...ids.map(encodeURIComponent));

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function seconds(response) {
  const header = response.headers.get('Retry-After');
  if (header === null) return null;
  const delay = Number(header);
  return Number.isFinite(delay) ? Math.max(0, delay) : Math.max(0, (Date.parse(header) - Date.now()) / 1000) || null;
}

function newKey() {
  // randomUUID exists in secure contexts only, and http on the local network is not one.
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export class Api {
  constructor(base, session) {
    this.base = base;
    this.session = session;
    this.language = 'fr';
  }

  /** @returns {Promise<{status: number, data: any, etag: string|null, retryAfter: number|null}>} 304 has no data */
  async get(path, { etag = null } = {}) {
    return this.#send('GET', path, { headers: etag ? { 'If-None-Match': etag } : {} });
  }

  get origin() {
    return new URL(this.base || '/', document.baseURI).origin;
  }

  /** The address in memory of a PNG that the API has, or null: nobody waits for a picture. */
  async picture(path) {
    try {
      const token = await this.session.token();
      const response = await fetch(this.base + path, {
        headers: { Accept: 'image/png', Authorization: `Bearer ${token}` },
        credentials: 'omit', redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (!response.ok || response.headers.get('Content-Type') !== 'image/png') return null;
      return URL.createObjectURL(await response.blob());
    } catch {
      return null; // the initial stays
    }
  }

  /**
   * A change. The idempotency key makes repeating it harmless, so an unreachable or overloaded API gets a second and
   * a third try with the same key before the user is told.
   */
  async change(method, path, body, { ifMatch = null } = {}) {
    const headers = { 'Idempotency-Key': newKey() };
    if (ifMatch) headers['If-Match'] = ifMatch;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#send(method, path, { headers, body });
      } catch (error) {
        const again = error instanceof Unreachable ? navigator.onLine : error instanceof Problem && error.temporary;
        if (!again || attempt === REPEATS || (error.retryAfter ?? 0) > 5) throw error;
        await pause(Math.max((error.retryAfter ?? 0) * 1000, 400 * 2 ** attempt * (0.5 + Math.random())));
      }
    }
  }

  /** @param {string} method @param {string} path @param {{headers: Record<string, string>, body?: unknown}} request */
  async #send(method, path, { headers, body }, renewed = false) {
    const token = await this.#token();
    let response;
    let data = null;
    try {
      response = await fetch(this.base + path, {
        method,
        headers: {
          Accept: 'application/json',
          'Accept-Language': this.language,
          Authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: 'no-store', // the ETag is handled here: the browser's own cache would hide the 304
        credentials: 'omit',
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const type = response.headers.get('Content-Type') ?? '';
      if (type.includes('json')) data = await response.json();
    } catch (error) {
      throw new Unreachable(method + path.split('?')[0], { cause: error });
    }
    if (response.status === 401) {
      if (renewed) throw new SignInFailed();
      await this.#guarded(() => this.session.renew());
      return this.#send(method, path, { headers, body }, true);
    }
    if (!response.ok && response.status !== 304) throw new Problem(response.status, data, seconds(response));
    return { status: response.status, data, etag: response.headers.get('ETag'), retryAfter: seconds(response) };
  }

  #token() {
    return this.#guarded(() => this.session.token());
  }

  async #guarded(ask) {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof SignInFailed) throw error;
      throw new Unreachable('token', { cause: error });
    }
  }
}
