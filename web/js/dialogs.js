/** Questions that need an answer before anything is sent. The browser's own <dialog> keeps the focus inside. */

import { button, h } from './dom.js';

let count = 0;

/**
 * @param {{title: string, body: (Node|false|null)[], confirm: string, cancel: string, danger?: boolean, testid: string,
 *   ready?: (form: HTMLFormElement) => boolean}} question `ready` decides whether the answer may be given
 * @returns {Promise<FormData|null>} what was filled in, null when the person stepped back
 */
export function ask({ title, body, confirm, cancel, danger = false, testid, ready }) {
  const opener = document.activeElement;
  const id = `dialog-${(count += 1)}`;
  return new Promise((resolve) => {
    let answer = null;
    const yes = h('button', { type: 'submit', class: `button ${danger ? 'danger' : 'primary'}`, data: { testid: 'confirm' } }, h('span', {}, confirm));
    const form = h('form', { novalidate: true },
      h('h2', { id, tabindex: '-1' }, title),
      ...body,
      h('div', { class: 'dialog-actions' },
        button(cancel, { data: { testid: 'dialog-cancel' }, action: () => dialog.close() }),
        yes));
    const dialog = h('dialog', { class: 'dialog', 'aria-labelledby': id, data: { testid } }, form);
    const check = () => {
      if (ready) yes.toggleAttribute('disabled', !ready(form));
    };
    form.addEventListener('input', check);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (ready && !ready(form)) return;
      answer = new FormData(form);
      dialog.close();
    });
    dialog.addEventListener('click', (event) => {
      if (event.target === dialog) dialog.close();
    });
    dialog.addEventListener('close', () => {
      dialog.remove();
      const back = opener?.isConnected ? opener : opener?.dataset?.key && document.querySelector(`[data-key="${CSS.escape(opener.dataset.key)}"]`);
      (back || document.querySelector('#main')).focus({ preventScroll: true });
      resolve(answer);
    });
    check();
    document.body.append(dialog);
    dialog.showModal();
    (form.querySelector('[autofocus]') ?? form.querySelector('h2')).focus();
  });
}
