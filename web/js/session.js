/**
 * Who is signed in. The token lives in this object and nowhere else: it is gone when the page is left, which includes
 * the trip to the Webview. In demo mode the name of the demo user is remembered for the tab, and a new token is asked for.
 */

import { memory } from './memory.js';

export class SignInFailed extends Error {}

export class Session {
  #token = null;
  #expiresAt = 0;

  /** @param {{api_base: string, demo: boolean}} config */
  constructor(config) {
    this.config = config;
    this.user = null; // {id, name}
  }

  async demoUsers() {
    const response = await fetch(`${this.config.api_base}/demo/users`);
    if (!response.ok) throw new SignInFailed();
    return response.json();
  }

  async signIn(user) {
    await this.#newToken(user.id);
    this.user = user;
    memory.demoUser = user;
  }

  /** Signs the remembered demo user in again. @returns {Promise<boolean>} whether somebody is signed in */
  async resume() {
    const user = this.config.demo ? memory.demoUser : null;
    if (!user?.id) return false;
    await this.signIn(user);
    return true;
  }

  signOut() {
    this.#token = null;
    this.user = null;
    memory.demoUser = null;
  }

  /** A token that has not expired, as far as we know. */
  async token() {
    if (this.#token === null || Date.now() > this.#expiresAt - 10_000) await this.renew();
    return this.#token;
  }

  /** @throws {SignInFailed} when only the person can sign in again */
  async renew() {
    if (!this.config.demo || this.user === null) throw new SignInFailed();
    await this.#newToken(this.user.id);
  }

  async #newToken(user) {
    const response = await fetch(`${this.config.api_base}/demo/token`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ user }),
    });
    if (!response.ok) throw new SignInFailed();
    const { token, expires_at: expiresAt } = await response.json();
    this.#token = token;
    this.#expiresAt = new Date(expiresAt).getTime();
  }
}
