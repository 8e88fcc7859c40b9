/**
 * Who is signed in. The token lives in this object and nowhere else: it is gone when the page is left, which includes
 * the visit to the Webview. A new one then comes from the same door: in the demo by the remembered name of the demo
 * user, otherwise from the host application's own session (`token_url`, a cookie that this page cannot read).
 */

import { memory } from './memory.js';

/** Only the person can mend this, by signing in. */
export class SignInFailed extends Error {}

export class Session {
  #token = null;
  #expiresAt = 0;

  /** @param {{api_base: string, demo: boolean, token_url: string|null, sign_out_url: string|null}} config */
  constructor(config) {
    this.config = config;
    this.user = null; // {id, name}
  }

  /** @throws {SignInFailed|TypeError} TypeError is how fetch says that there was no answer */
  async demoUsers() {
    const response = await fetch(`${this.config.api_base}/demo/users`);
    if (!response.ok) throw new SignInFailed();
    return response.json();
  }

  async signIn(user) {
    await this.#newToken(user);
    memory.demoUser = user;
  }

  /** Signs in without asking, where that is possible. @returns {Promise<boolean>} whether somebody is signed in */
  async resume() {
    const user = this.config.demo ? memory.demoUser : null;
    if (!user?.id && !(this.config.token_url && !this.config.demo)) return false;
    await this.#newToken(user);
    return true;
  }

  signOut() {
    this.#token = null;
    this.user = null;
    memory.demoUser = null;
  }

  /** Whether the person can sign out here: else the host application, whose session it is, has the way. */
  get canEnd() { return this.config.demo || this.config.sign_out_url !== null; }

  /** Without it, this page would be signed in again when it is next opened. @throws {SignInFailed|TypeError} */
  async endAtHost() {
    if (this.config.demo) return;
    const response = await fetch(this.config.sign_out_url, { method: 'POST', credentials: 'same-origin' });
    if (!response.ok) throw new SignInFailed();
  }

  /** A token that has not expired, as far as we know. */
  async token() {
    if (this.#token === null || Date.now() > this.#expiresAt - 10_000) await this.renew();
    return this.#token;
  }

  /** @throws {SignInFailed} */
  async renew() {
    if (this.user === null) throw new SignInFailed();
    await this.#newToken(this.user);
  }

  async #newToken(user) {
    const { api_base: base, demo, token_url: url } = this.config;
    const response = await fetch(demo ? `${base}/demo/token` : url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: demo ? JSON.stringify({ user: user.id }) : '{}',
      credentials: 'same-origin',
    });
    if (!response.ok) throw new SignInFailed();
    const { token, expires_at: expiresAt, user: id = 'self', name = '' } = await response.json();
    this.#token = token;
    this.#expiresAt = new Date(expiresAt).getTime();
    this.user = user ?? { id, name };
  }
}
