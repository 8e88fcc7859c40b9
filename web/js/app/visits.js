/** Visits to the Powens space: going there in this tab, and what is said once the person is back. */

import { Problem } from '../api.js';
import { button } from '../dom.js';
import { memory } from '../memory.js';

const RESULTS = ['done', 'cancelled', 'failed'];
const THIS_MACHINE = ['localhost', '127.0.0.1', '[::1]'];
const UNCHANGED_MS = 60_000; // after which the person is told that nothing has come
const WATCHED_MS = 10 * 60_000; // what comes later has other reasons than the visit
const MOST_NAMES = 4;
const NEEDS_PERSON = ['action_required', 'failed'];

export class Visits {
  #result = null; // what the return address said, until the person was told
  #asked = new Set(); // ids of connections of which it was asked whose they are
  #visit = null; // {result, name, before, resume, at}: the one that the notice is about
  #changedHere = new Set(); // connections that the person has changed on this page since
  #said = ''; // the notice as it was shown last

  constructor(app) {
    this.app = app;
  }

  /** Takes the `result` out of the return address, so that a reload does not tell it again, and the return code. */
  readReturn() {
    const address = new URL(location.href);
    const result = address.searchParams.get('result');
    memory.returnCode = address.searchParams.get('return_code') ?? memory.returnCode;
    if (result === null) return;
    history.replaceState(null, '', address.pathname + address.hash);
    if (RESULTS.includes(result)) this.#result = result;
  }

  /** @param {'connect'|'manage'|'reconnect'} flow @param connection null when a new one is to be made */
  async start(flow, /** @type {{id: string, title: string}|null} */ connection = null) {
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
      institution: connection?.title ?? null,
      synchronised: synchronised(app.store),
    });
    location.assign(address);
    // The button stays busy while the browser leaves, until it shows the page again as it was left.
    await new Promise((resolve) => { window.addEventListener('pageshow', resolve, { once: true }); });
  }

  /** What the visit gave: said by the return address, or unknown when the tab was closed on the way. */
  showResult() {
    const { notices, session, store } = this.app;
    const visit = memory.visit(session.user.id);
    const result = this.#result ?? (visit ? 'unknown' : null);
    this.#result = null;
    memory.endVisit();
    if (memory.returnCode !== null) this.app.view('confirmation').then((view) => view?.sendCode(this.app));
    if (result === null) return;
    this.#visit = {
      result,
      name: visit?.institution ?? null,
      connectionId: visit?.connectionId ?? null,
      before: visit?.synchronised ?? null,
      resume: visit && result !== 'done' ? visit : null,
      at: Date.now(),
    };
    this.#changedHere.clear();
    this.#show();
    notices.focus('return');
    // Also after a cancelled visit: what was confirmed at Powens before leaving stays confirmed.
    store.hurry();
    setTimeout(() => this.showArrival(), UNCHANGED_MS);
  }

  /** The person has changed a connection on this page, so what becomes of it is not the visit's. */
  exclude(connectionId) {
    this.#changedHere.add(connectionId);
  }

  /** The notice says what came and went at Powens, as the list shows it. */
  showArrival() {
    if (!this.#visit || !this.app.store.connections) return;
    if (!this.app.notices.get('return') || Date.now() - this.#visit.at > WATCHED_MS) this.#visit = null;
    else this.#show();
  }

  #show() {
    const { notices, words } = this.app;
    const { result, name, resume, at } = this.#visit;
    const [news, arrived] = this.#news();
    const finished = result === 'done' || result === 'unknown';
    const nothing = result === 'done' && Date.now() - at >= UNCHANGED_MS;
    const opening = words.t(nothing ? 'return.unchanged' : `return.${result}${name ? '.at' : ''}`, { name });
    // What was left unfinished stays so, whatever came of it.
    const text = finished && news ? news : [opening, news].filter(Boolean).join(' ');
    if (notices.get('return') && text === this.#said) return;
    this.#said = text;
    const failed = result === 'failed' && resume && !news; // a way back that came late or again has lost nothing
    notices.show('return', {
      tone: failed ? 'bad' : arrived && finished ? 'good' : 'calm',
      text,
      actions: resume && !(arrived && finished) ? [this.#resumeButton(resume)] : [],
      close: words.t('action.close'),
    });
  }

  /** @returns {[string, boolean]} what came and went since before the visit; whether nothing of it is under way */
  #news() {
    const { store, words } = this.app;
    const { before, connectionId } = this.#visit;
    if (before === null || !store.connections) return ['', false];
    const all = store.connections.filter(({ id }) => !this.#changedHere.has(id));
    const came = [];
    const went = [];
    const sentences = [];
    let settled = true;
    for (const connection of all) {
      const { title: name, accounts, status } = connection;
      const known = before[connection.id];
      const named = (account) => `${account.name} (${name})`;
      if (known === undefined) {
        const syncing = status === 'syncing';
        const empty = !accounts.some((account) => account.enabled);
        settled &&= !syncing;
        if (syncing || empty) {
          sentences.push(words.t(syncing ? 'return.connected.syncing' : 'return.connected', { name }));
        }
        if (syncing) continue;
      } else if (isMended(known, connection)) {
        sentences.push(words.t('return.mended', { name }));
      }
      const enabled = new Set(known?.enabled);
      came.push(...accounts.filter((one) => one.enabled && !enabled.has(one.id)).map(named));
      went.push(...accounts.filter((one) => !one.enabled && enabled.has(one.id)).map(named));
    }
    for (const id of Object.keys(before)) {
      if (store.connection(id) || this.#changedHere.has(id)) continue;
      sentences.push(words.t(id === connectionId ? 'return.ended.at' : 'return.ended', this.#visit));
    }
    const told = (key, names) => names.length > 0
      && words.t(key, { count: names.length, names: nameList(words, names) });
    const accountNews = [told('return.came', came), told('return.went', went)].filter(Boolean);
    if (accountNews.length > 0) sentences.unshift(words.t('return.arrived'), ...accountNews);
    return [sentences.join(' '), sentences.length > 0 && settled];
  }

  /** Of a new bank that the person has not come back from, it is asked whose it is. */
  async askWhose() {
    if (this.app.store.unconfirmed.every(({ id }) => this.#asked.has(id))) return;
    (await this.app.view('confirmation'))?.askWhose(this.app, this.#asked);
  }

  #resumeButton({ flow, connectionId, institution }) {
    const connection = connectionId ? { id: connectionId, title: institution } : null;
    return button(this.app.words.t('action.resume'), {
      kind: 'outline', data: { testid: 'resume' }, action: () => this.start(flow, connection),
    });
  }
}

function nameList(words, names) {
  const shown = names.length > MOST_NAMES + 1 ? names.slice(0, MOST_NAMES) : names;
  const others = names.length - shown.length;
  return words.lists.format(others > 0 ? [...shown, words.t('return.others', { count: others })] : shown);
}

/** What is synchronised, by connection id, without any name: it is kept in storage while the person is away. */
function synchronised({ connections }) {
  return connections && Object.fromEntries(connections.map((connection) => [connection.id, {
    needed: NEEDS_PERSON.includes(connection.status),
    until: connection.consent_expires_at,
    enabled: connection.accounts.filter((account) => account.enabled).map((account) => account.id),
  }]));
}

/** Whether a connection that needed its person works again, or has a consent that lasts longer. */
function isMended({ needed, until }, { status, consent_expires_at: now }) {
  return status === 'ok' && (needed || Date.parse(now) > Date.parse(until));
}

/** An address over TLS, or of this very machine when the page is, too; null for whatever else an answer said. */
function safeAddress(text) {
  if (typeof text !== 'string' || !URL.canParse(text)) return null;
  const { protocol, hostname, href } = new URL(text);
  const local = THIS_MACHINE.includes(hostname) && THIS_MACHINE.includes(location.hostname);
  return protocol === 'https:' || (protocol === 'http:' && local) ? href : null;
}
