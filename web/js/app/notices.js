/** Messages of the page: notices stay until they are closed; toasts say for a while what was done, or has failed. */

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
   * @param {string} key
   * @param {{tone: string, text: string, actions?: Node[], close: string, closed?: () => unknown}} notice
   *   `close` is the label of its button; `closed` is what closing means beyond taking the notice away
   */
  show(key, { tone, text, actions = [], close, closed = () => {} }) {
    const shut = () => {
      this.drop(key);
      return closed();
    };
    const data = { testid: 'notice', notice: key };
    const entry = h('div', { class: `notice ${tone}`, tabindex: '-1', data },
      h('p', {}, text),
      h('div', { class: 'card-actions' },
        actions,
        button(close, { data: { testid: 'notice-close' }, action: shut })));
    const before = this.#entries.get(key);
    const focused = before?.contains(document.activeElement);
    if (before) before.replaceWith(entry);
    else this.element.prepend(entry);
    this.#entries.set(key, entry);
    if (focused) entry.focus({ preventScroll: true });
  }

  /** Brings the notice into view, with the focus. */
  focus(key) {
    this.#entries.get(key)?.focus();
  }

  drop(key) {
    this.#entries.get(key)?.remove();
    this.#entries.delete(key);
  }

  clear() {
    for (const key of this.keys) this.drop(key);
  }
}

/** Says that something was done which the screen may show elsewhere. */
export function showDone(words, text) {
  show(words, h('div', { class: 'toast done', data: { testid: 'done' } }, h('p', {}, text)), $('done'));
}

/**
 * @param {import('../i18n.js').Words} words
 * @param {Partial<import('../api.js').Problem> & Error} error a Problem, or Unreachable
 */
export function showToast(words, error) {
  const text = error instanceof Unreachable ? words.t('toast.unreachable') : error.message || words.t('toast.problem');
  const reference = error.requestId;
  const data = { testid: 'toast', code: error.code ?? 'unreachable' };
  const note = reference && h('small', {}, words.t('error.reference', { reference }));
  show(words, h('div', { class: 'toast', data }, h('p', {}, text, note)), $('toasts'));
}

const $ = (id) => document.getElementById(id);

function show(words, toast, place) {
  toast.append(button(words.t('action.close'), { data: { testid: 'toast-close' }, action: () => toast.remove() }));
  $('toasts').replaceChildren();
  $('done').replaceChildren();
  place.replaceChildren(toast);
  setTimeout(() => {
    if (!toast.matches(':hover, :focus-within')) toast.remove();
  }, TOAST_MS);
}
