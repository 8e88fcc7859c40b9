/** The question before a connection is ended for good: the person types its name. */

/** @import { Connection } from '../store.js' */

import { ask } from '../dialogs.js';
import { h } from '../dom.js';

/** A name as it is compared with what somebody typed: without case, with the signs and the space of a keyboard. */
const typed = (name) => name.normalize('NFC')
  .replace(/[\p{Cf}\ufe0f]/gu, '')
  .replace(/[\u2018\u2019\u201b\u2032\u02bc\u00b4`]/g, "'")
  .replace(/[\p{Pd}\u2212]/gu, '-')
  .replace(/\s+/g, ' ').trim()
  .toUpperCase().toLowerCase(); // in two steps, as ß is SS

/** Whether somebody typed that name. Nothing is no name. */
const isSameName = (one, other) => typed(one) !== '' && typed(one) === typed(other);

/** @returns {Promise<boolean>} whether the person has confirmed it */
export async function confirmEnd({ store, words }, /** @type {Connection} */ connection) {
  const { name } = connection.institution;
  const replacement = store.replacement(connection);
  const text = replacement
    ? words.t('end.text.replaced', { name: replacement.institution.name })
    : words.t('end.text', { name });
  const input = h('input', {
    name: 'confirm', autocomplete: 'off', spellcheck: 'false', autofocus: true, data: { testid: 'end-name' },
  });
  const answer = await ask({
    testid: 'end-connection',
    danger: true,
    title: words.t(replacement ? 'end.title.replaced' : 'end.title', { name }),
    body: [
      h('p', {}, text),
      h('p', { class: 'effect-note' }, words.t('end.warning')),
      h('label', { class: 'field' }, h('span', {}, words.t('end.type', { name })), input),
    ],
    confirm: words.t('end.confirm'),
    cancel: words.t('end.keep'),
    lacks: (form) => (isSameName(form.elements.confirm.value, name) ? null : words.t('end.lacks')),
  });
  return answer !== null;
}
