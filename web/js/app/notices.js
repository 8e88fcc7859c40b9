/** Messages of the page: notices stay until they are closed, a toast says for a while what has failed. */

import { Unreachable } from '../api.js';
import { button, h } from '../dom.js';

const TOAST_MS = 12_000;

/** The region exists from the start, so that screen readers watch it. */
export class Notices {
  #entries = new Map(); // key -> element

  constructor() {
    this.element = h('div', { class: 'notices', role: 'status' });
  }

  get keys() {
    return [...this.#entries.keys()];
  }

  /** @returns {HTMLElement|undefined} the notice of that key, while it is shown */
  get(key) {
    return this.#entries.get(key);
  }

  /**
   * Shows a notice, in place of the one with the same key.
   * @param {{tone: string, text: string, actions?: Node[], close: string, closed?: () => unknown}} notice
   *   `close` is the label of its button; `closed` is what closing means beyond taking the notice away
   */
  show(key, { tone, text, actions = [], close, closed = () => {} }) {
    const shut = () => {
      this.drop(key);
      return closed();
    };
    const entry = h('div', { class: `notice ${tone}`, data: { testid: 'notice', notice: key } },
      h('p', {}, text),
      h('div', { class: 'card-actions' },
        actions,
        button(close, { data: { testid: 'notice-close' }, action: shut })));
    if (this.#entries.has(key)) this.#entries.get(key).replaceWith(entry);
    else this.element.prepend(entry);
    this.#entries.set(key, entry);
  }

  drop(key) {
    this.#entries.get(key)?.remove();
    this.#entries.delete(key);
  }

  clear() {
    for (const key of this.keys) this.drop(key);
  }
}

/** @param {import('../api.js').Problem|Unreachable} error */
export function showToast(words, error) {
  const text = error instanceof Unreachable ? words.t('toast.unreachable') : error.message || words.t('toast.problem');
  const reference = error.requestId;
  const toast = h('div', { class: 'toast', data: { testid: 'toast', code: error.code ?? 'unreachable' } },
    h('p', {}, text, reference && h('small', {}, words.t('error.reference', { reference }))),
    button(words.t('action.close'), { data: { testid: 'toast-close' }, action: () => toast.remove() }));
  document.getElementById('toasts').replaceChildren(toast);
  setTimeout(() => {
    if (!toast.matches(':hover, :focus-within')) toast.remove();
  }, TOAST_MS);
}
