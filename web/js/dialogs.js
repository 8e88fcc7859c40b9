/** Questions that need an answer before anything is sent. The browser's own <dialog> keeps the focus inside. */

import { button, h } from './dom.js';

let count = 0;

/** An id for the heading that names a dialog. */
export const newId = () => `dialog-${(count += 1)}`;

/**
 * Shows `content` until it is closed; the focus then goes back to where it came from. `heading` is the id of its title;
 * while `held` says so, it does not let itself be closed by a slip.
 */
export function openDialog({ testid, heading, content, closed, held = () => false }) {
  const opener = document.activeElement;
  const dialog = h('dialog', { class: 'dialog', 'aria-labelledby': heading, data: { testid } }, content);
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog && !held()) dialog.close();
  });
  dialog.addEventListener('cancel', (event) => {
    if (held()) event.preventDefault();
  });
  dialog.addEventListener('close', () => {
    dialog.remove();
    const back = opener?.isConnected ? opener : opener?.dataset?.key && document.querySelector(`[data-key="${CSS.escape(opener.dataset.key)}"]`);
    (back || document.querySelector('#main')).focus({ preventScroll: true });
    closed?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Says at the field what is wrong with it, or above the buttons when no field is at fault. */
function showRefusal(form, actions, { field, message }) {
  const text = h('p', { class: 'refusal', role: 'alert', id: newId(), data: { testid: 'refusal', field: field ?? '' } }, message);
  const input = field && form.elements.namedItem(field);
  if (!(input instanceof HTMLElement)) {
    actions.before(text);
    return;
  }
  input.setAttribute('aria-invalid', 'true');
  input.setAttribute('aria-describedby', text.id);
  input.closest('.field').append(text);
  input.focus();
}

function clearRefusals(form) {
  for (const text of form.querySelectorAll('.refusal')) text.remove();
  for (const input of form.querySelectorAll('[aria-invalid]')) {
    input.removeAttribute('aria-invalid');
    input.removeAttribute('aria-describedby');
  }
}

/**
 * @param {{title: string, body: (Node|false|null)[], confirm: string, cancel: string, danger?: boolean, testid: string,
 *   ready?: (form: HTMLFormElement) => boolean,
 *   send?: (answer: FormData) => Promise<{field: string|null, message: string}|null>}} question
 *   `ready` decides whether the answer may be given; `send` carries it out while the question stays on the screen, and
 *   gives the refusal to show, or null when it is done
 * @returns {Promise<FormData|null>} what was filled in, null when the person stepped back
 */
export function ask({ title, body, confirm, cancel, danger = false, testid, ready, send }) {
  const id = newId();
  return new Promise((resolve, reject) => {
    let answer = null;
    const yes = h('button', { type: 'submit', class: `button ${danger ? 'danger' : 'primary'}`, data: { testid: 'confirm' } }, h('span', {}, confirm));
    const sending = () => yes.classList.contains('busy');
    const actions = h('div', { class: 'dialog-actions' },
      button(cancel, { data: { testid: 'dialog-cancel' }, action: () => sending() || dialog.close() }),
      yes);
    const form = h('form', { novalidate: true }, h('h2', { id, tabindex: '-1' }, title), ...body, actions);
    const check = () => {
      if (ready) yes.toggleAttribute('disabled', !ready(form));
    };
    form.addEventListener('input', check);
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if ((ready && !ready(form)) || sending()) return;
      const given = new FormData(form);
      if (send) {
        clearRefusals(form);
        yes.classList.add('busy');
        yes.setAttribute('aria-disabled', 'true');
        let refusal = null;
        try {
          refusal = await send(given);
        } catch (error) {
          dialog.close();
          reject(error);
          return;
        } finally {
          yes.classList.remove('busy');
          yes.removeAttribute('aria-disabled');
        }
        if (refusal && dialog.isConnected) {
          showRefusal(form, actions, refusal);
          return;
        }
        if (refusal) {
          resolve(null);
          return;
        }
      }
      answer = given;
      if (dialog.isConnected) dialog.close();
      else resolve(answer); // closed by force meanwhile, and done all the same
    });
    check();
    const dialog = openDialog({ testid, heading: id, content: form, held: sending, closed: () => sending() || resolve(answer) });
    (form.querySelector('[autofocus]') ?? form.querySelector('h2')).focus();
  });
}
