/**
 * Logos of institutions, through the API: a request to anybody else's host would tell it which banks this person has.
 * They come after the list, and an institution whose logo does not come keeps its initial.
 */

import { h } from './dom.js';

const LOGO = /^\/v1\/institutions\/[\w-]{1,64}\/logo$/;

/** The relative luminance of WCAG 2. @param {string} color six hexadecimal digits @returns {number} 0 black, 1 white */
function luminance(color) {
  const [red, green, blue] = [0, 2, 4]
    .map((start) => parseInt(color.slice(start, start + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export class Logos {
  #found = new Map(); // path -> address of the picture in memory, or null while it is asked for and when there is none

  /** @param {import('./api.js').Api} api */
  constructor(api) {
    this.api = api;
  }

  /** An institution's initial on its colour, under its logo once that has come. */
  mark(institution) {
    const initial = institution.name.match(/\p{L}|\p{N}/u)?.[0] ?? '?';
    const mark = h('span', { class: 'logo', 'aria-hidden': 'true' }, initial.toUpperCase());
    const color = /^#?([0-9a-f]{6})$/i.exec(institution.color ?? '')?.[1];
    if (color) {
      mark.style.setProperty('--institution', `#${color}`);
      mark.style.setProperty('--on-institution', luminance(color) > 0.179 ? '#000' : '#fff');
    }
    this.#lay(institution, mark);
    return mark;
  }

  async #lay(institution, mark) {
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
