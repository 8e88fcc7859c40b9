/** Visits to the Powens space: going there in this tab, and what is said once the person is back. */

import { Problem } from '../api.js';
import { button } from '../dom.js';
import { memory } from '../memory.js';

const RESULTS = ['done', 'cancelled', 'failed'];
const THIS_MACHINE = ['localhost', '127.0.0.1', '[::1]'];
const LONGEST_SIGNATURE = 20_000; // characters, as it is kept in storage

export class Visits {
  #result = null; // what the return address said, until the person was told
  #before = null; // the signature of the list before the visit, until the list has caught up

  constructor(app) {
    this.app = app;
  }

  /** Takes the `result` out of the return address, so that a reload does not tell it again. */
  readReturn() {
    const address = new URL(location.href);
    const result = address.searchParams.get('result');
    if (result === null) return;
    history.replaceState(null, '', address.pathname + address.hash);
    if (RESULTS.includes(result)) this.#result = result;
  }

  /** @param {'connect'|'manage'|'reconnect'} flow @param connection null when a new one is to be made */
  async start(flow, connection) {
    const { app } = this;
    const answer = await app.attempt(() => app.api.change('POST', '/v1/webview-sessions', {
      flow,
      ...(connection ? { connection_id: connection.id } : {}),
      language: app.words.language,
      return_to: location.origin + location.pathname,
    }));
    if (answer === null) return;
    const address = safeAddress(answer.data.url);
    if (address === null) {
      app.fail(new Problem(502, null, null));
      return;
    }
    memory.startVisit({
      user: app.session.user.id,
      flow,
      connectionId: connection?.id ?? null,
      institution: connection?.institution.name ?? null,
      before: listSignature(app.store),
    });
    location.assign(address);
    await new Promise(() => {}); // the button stays busy while the browser leaves
  }

  /** What the visit gave: said by the return address, or unknown when the tab was closed on the way. */
  showResult() {
    const { notices, session, store, words } = this.app;
    const visit = memory.visit(session.user.id);
    const result = this.#result ?? (visit ? 'unknown' : null);
    this.#result = null;
    memory.endVisit();
    if (result === null) return;
    const name = visit?.institution ?? null;
    notices.show('return', {
      tone: result === 'failed' && visit ? 'bad' : 'calm', // a way back that came late or again has lost nothing
      text: words.t(name ? `return.${result}.at` : `return.${result}`, { name }),
      actions: visit && result !== 'done' ? [this.#resumeButton(visit)] : [],
      close: words.t('action.close'),
    });
    notices.element.dataset.result = result;
    // Also after a cancelled visit: what was confirmed at Powens before leaving stays confirmed.
    this.#before = visit?.before ?? null;
    store.hurry();
  }

  #resumeButton({ flow, connectionId, institution }) {
    const connection = connectionId ? { id: connectionId, institution: { name: institution } } : null;
    return button(this.app.words.t('action.resume'), {
      kind: 'outline', data: { testid: 'resume' }, action: () => this.start(flow, connection),
    });
  }

  /** The notice of the visit says so once the list has changed since. */
  showArrival() {
    const { notices, store, words } = this.app;
    if (!this.#before || !store.connections) return;
    if (store.connections.some((connection) => connection.status === 'syncing')) return;
    if (listSignature(store) === this.#before) return;
    this.#before = null;
    if (!notices.get('return')) return;
    notices.show('return', { tone: 'good', text: words.t('return.arrived'), close: words.t('action.close') });
  }
}

/** What the list holds, apart from its times: changes when accounts came, went, or were enabled or disabled. */
function listSignature({ connections }) {
  if (!connections) return null;
  const accounts = (connection) => connection.accounts.map((account) => account.id + account.enabled).join();
  const signatures = connections.map((connection) => `${connection.id}:${accounts(connection)}`);
  return signatures.join(' ').slice(0, LONGEST_SIGNATURE);
}

/** An address over TLS, or of this very machine when the page is, too; null for whatever else an answer said. */
function safeAddress(text) {
  if (typeof text !== 'string' || !URL.canParse(text)) return null;
  const { protocol, hostname, href } = new URL(text);
  const local = THIS_MACHINE.includes(hostname) && THIS_MACHINE.includes(location.hostname);
  return protocol === 'https:' || (protocol === 'http:' && local) ? href : null;
}
