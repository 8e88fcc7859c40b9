/**
 * Logos of institutions, through the API: a request to anybody else's host would tell it which banks this person has.
 * They come after the list, and an institution whose logo does not come keeps its initial.
 */

import { h } from './dom.js';

const LOGO = /^\/v1\/institutions\/[\w-]{1,64}\/logo$/;

export class Logos {
  #found = new Map(); // path -> address of the picture in memory, or null while it is asked for and when there is none

  /** @param {import('./api.js').Api} api */
  constructor(api) {
    this.api = api;
  }

  /** Lay the logo over an institution's initial. */
  async lay(institution, mark) {
    const path = this.#path(institution.logo_url);
    if (path === null) return;
    if (!this.#found.has(path)) {
      this.#found.set(path, null);
      this.#found.set(path, await this.api.picture(path));
    }
    const source = this.#found.get(path);
    if (source) mark.append(h('img', { src: source, alt: '', width: '44', height: '44', data: { testid: 'logo' } }));
  }

  #path(address) {
    if (typeof address !== 'string' || !URL.canParse(address, document.baseURI)) return null;
    const url = new URL(address, document.baseURI);
    return url.origin === this.api.origin && LOGO.test(url.pathname) ? url.pathname : null;
  }
}
