/** Questions that need an answer before anything is sent. The browser's own <dialog> keeps the focus inside. */

import { Problem, Unreachable } from './api.js';
import { button, h } from './dom.js';

let count = 0;

/** An id for the heading that names a dialog. */
export const newId = () => `dialog-${(count += 1)}`;

/**
 * Shows `content` until it is closed; the focus then goes back to where it came from. `heading` is the id of its title;
 * while `locked` says so, it does not let itself be closed by a slip.
 * @param {{testid: string, heading: string, content: unknown, closed?: () => void, locked?: () => boolean}} dialog
 */
export function openDialog({ testid, heading, content, closed, locked = () => false }) {
  const opener = document.activeElement;
  const dialog = h('dialog', { class: 'dialog', 'aria-labelledby': heading, data: { testid } }, content);
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog && !locked()) dialog.close();
  });
  dialog.addEventListener('cancel', (event) => {
    if (locked()) event.preventDefault();
  });
  dialog.addEventListener('close', () => {
    dialog.remove();
    (returnPlace(opener) ?? document.querySelector('#main')).focus({ preventScroll: true });
    closed?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** The element that opened a dialog, or the one that was drawn in its place meanwhile. */
function returnPlace(opener) {
  if (opener?.isConnected) return opener;
  const key = opener?.dataset?.key;
  return key ? document.querySelector(`[data-key="${CSS.escape(key)}"]`) : null;
}

/**
 * Carries out what a form asks for.
 * @param {() => Promise<unknown>} work
 * @returns {Promise<{field: string|null, message: string}|null>} what to say at which field, null when it is done
 */
export async function refusalOf(words, work) {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof Unreachable) return { field: null, message: words.t('toast.unreachable') };
    if (error instanceof Problem) return { field: error.field, message: error.message || words.t('toast.problem') };
    throw error;
  }
}

/** Says at the field what is wrong with it, or above the buttons when no field is at fault. */
function showRefusal(form, actions, { field, message }) {
  const data = { testid: 'refusal', field: field ?? '' };
  const text = h('p', { class: 'refusal', role: 'alert', id: newId(), data }, message);
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

/** @typedef {Omit<FormData, 'get'> & {get: (name: string) => string}} Answer of fields alone, without files */

/**
 * @param {{title: string, body: (Node|false|null)[], confirm: string, cancel: string, danger?: boolean, testid: string,
 *   lacks?: (form: HTMLFormElement & {elements: any}) => string|null,
 *   send?: (answer: Answer) => Promise<{field: string|null, message: string}|null>}} question
 *   `lacks` says what the answer lacks before it may be given, null when it lacks nothing; `send` carries it out while
 *   the question stays on the screen, and gives the refusal to show, or null when it is done
 * @returns {Promise<Answer|null>} what was filled in, null when the person stepped back
 */
export function ask({ title, body, confirm, cancel, danger = false, testid, lacks = () => null, send }) {
  const id = newId();
  const yes = h('button', {
    type: 'submit', class: `button ${danger ? 'danger' : 'primary'}`, 'aria-describedby': `${id}-lack`,
    data: { testid: 'confirm' },
  }, h('span', {}, confirm));
  const sending = () => yes.classList.contains('busy');
  const no = button(cancel, { data: { testid: 'dialog-cancel' }, action: () => sending() || dialog.close() });
  const actions = h('div', { class: 'dialog-actions' }, no, yes);
  const lack = h('p', { class: 'fine lack', id: `${id}-lack`, data: { testid: 'lack' } });
  const form = h('form', { novalidate: true }, h('h2', { id, tabindex: '-1' }, title), ...body, lack, actions);
  const { promise, resolve, reject } = Promise.withResolvers();
  let answer = null;
  const check = () => {
    lack.textContent = lacks(form) ?? '';
    yes.toggleAttribute('disabled', lack.textContent !== '');
  };
  const submit = async (event) => {
    event.preventDefault();
    if (yes.disabled || sending()) return;
    const given = /** @type {Answer} */ (new FormData(form));
    const refusal = send ? await sendForm(form, yes, () => send(given)) : null;
    if (refusal && dialog.isConnected) {
      showRefusal(form, actions, refusal);
      return;
    }
    if (!refusal) answer = given;
    if (dialog.isConnected) dialog.close();
    else resolve(answer); // closed by force meanwhile, and done all the same unless it was refused
  };
  form.addEventListener('input', check);
  form.addEventListener('submit', (event) => submit(event).catch((error) => {
    dialog.close();
    reject(error);
  }));
  check();
  const closed = () => sending() || resolve(answer);
  const dialog = openDialog({ testid, heading: id, content: form, locked: sending, closed });
  (form.querySelector('[autofocus]') ?? form.querySelector('h2')).focus();
  return promise;
}

/** Runs `send` while the button of the form is busy. */
async function sendForm(form, yes, send) {
  clearRefusals(form);
  yes.classList.add('busy');
  yes.setAttribute('aria-disabled', 'true');
  try {
    return await send();
  } finally {
    yes.classList.remove('busy');
    yes.removeAttribute('aria-disabled');
  }
}
