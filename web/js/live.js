/**
 * Live updates over a WebSocket. A message only says that something changed; the store then asks the API what, with
 * its ETag. That makes a lost, doubled or late message harmless: on opening, and after any gap, one request catches up.
 */

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60_000;

export class Live extends EventTarget {
  #socket = null;
  #timer = 0;
  #wait = FIRST_WAIT_MS;
  #stopped = true;

  /** @param {string} url ws:// or wss:// @param {import('./session.js').Session} session */
  constructor(url, session) {
    super();
    this.url = url;
    this.session = session;
  }

  get connected() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  start() {
    this.#stopped = false;
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = null;
  }

  /** Do not wait for the next try: the network has just come back, or somebody looks at the page again. */
  nudge() {
    if (this.#stopped || this.#socket !== null) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  async #connect() {
    let token;
    try {
      token = await this.session.token();
    } catch {
      this.#retry(); // the store's own requests tell the person that signing in is needed
      return;
    }
    if (this.#stopped || this.#socket !== null) return;
    // A browser cannot set headers here; the list of sub-protocols is sent, and no log line keeps it by default.
    const socket = new WebSocket(this.url, ['synced-accounts', `bearer.${token}`]);
    this.#socket = socket;
    socket.addEventListener('open', () => {
      this.#wait = FIRST_WAIT_MS;
      this.dispatchEvent(new Event('change')); // whatever happened while we were away
      this.dispatchEvent(new Event('state'));
    });
    socket.addEventListener('message', () => this.dispatchEvent(new Event('change')));
    socket.addEventListener('close', () => {
      if (this.#socket === socket) this.#socket = null;
      this.dispatchEvent(new Event('state'));
      this.#retry();
    });
  }

  #retry() {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), this.#wait * (0.5 + Math.random()));
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
  }
}
