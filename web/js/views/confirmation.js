/**
 * A new connection is its user's once they confirm it: by the code that their way back from Powens brought, or, when
 * they closed the tab, by the end of an IBAN of the bank.
 */

import { Problem, isFailure, path } from '../api.js';
import { ask, refusalOf } from '../dialogs.js';
import { button, h } from '../dom.js';
import { memory } from '../memory.js';

const PATIENCE_MS = 90_000; // longer than Powens is read back after a return, also on a bad day
const WAIT_MS = 1000;

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Sends the return code with the token of whoever is signed in, until the connection has been read. */
export async function sendCode(app) {
  const { user } = app.session;
  const until = Date.now() + PATIENCE_MS;
  while (memory.returnCode !== null && app.session.user === user && Date.now() < until) {
    const waits = await attempt(app, memory.returnCode);
    if (waits === null) return;
    await pause(waits);
  }
}

/** @returns {Promise<number|null>} milliseconds until the next attempt, null when there is none to make */
async function attempt(app, code) {
  let answer;
  try {
    answer = await app.api.change('POST', '/v1/webview-confirmations', { return_code: code });
  } catch (error) {
    if (!isFailure(error)) throw error;
    if (!(error instanceof Problem) || error.temporary) return 5 * WAIT_MS;
    memory.returnCode = null;
    if (error.code === 'visit_of_another_user' || error.code === 'confirmation_over') refused(app, error);
    return null;
  }
  if (answer.status === 202) return (answer.retryAfter ?? 1) * WAIT_MS;
  memory.returnCode = null;
  app.store.hurry();
  return null;
}

function refused({ notices, words }, error) {
  notices.drop('return');
  notices.show('refused', { tone: 'bad', text: error.message, close: words.t('action.close') });
}

/** Asks whose the first unconfirmed connection is. Once per connection: a notice that was closed stays so. */
export function askWhose(app, asked) {
  const { notices, store, words } = app;
  const [waiting] = store.unconfirmed;
  if (memory.returnCode !== null || waiting === undefined || asked.has(waiting.id)) return;
  asked.add(waiting.id);
  notices.show('unconfirmed', {
    tone: 'warn',
    text: words.t('confirm.text'),
    actions: [
      button(words.t('confirm.mine'), {
        kind: 'primary', data: { testid: 'confirm-mine' }, action: () => mine(app, waiting),
      }),
      button(words.t('confirm.not_mine'), {
        kind: 'outline', data: { testid: 'confirm-not-mine' }, action: () => notMine(app, waiting),
      }),
    ],
    close: words.t('action.close'),
  });
}

async function mine({ api, notices, store, words }, { id }) {
  const input = h('input', {
    name: 'iban_last4', autocomplete: 'off', spellcheck: 'false', maxlength: '4', autofocus: true,
    data: { testid: 'confirm-iban' },
  });
  const answer = await ask({
    testid: 'confirm-connection',
    title: words.t('confirm.title'),
    body: [
      h('p', {}, words.t('confirm.why')),
      h('label', { class: 'field' }, h('span', {}, words.t('confirm.iban')), input),
    ],
    confirm: words.t('action.confirm'),
    cancel: words.t('action.cancel'),
    lacks: (form) => (/^[0-9A-Za-z]{4}$/.test(form.elements.iban_last4.value.trim()) ? null : words.t('confirm.lacks')),
    send: (form) => refusalOf(words, () => api.change(
      'POST', path`/v1/connections/${id}/confirmation`, { iban_last4: form.get('iban_last4').trim() },
    )),
  });
  if (answer === null) return;
  notices.drop('unconfirmed');
  store.hurry();
}

async function notMine(app, { id }) {
  const done = await app.attempt(() => app.api.change('DELETE', path`/v1/connections/${id}/confirmation`));
  if (done === null) return;
  app.notices.drop('unconfirmed');
  app.announce(app.words.t('confirm.denied'));
  app.store.load();
}
