/** Starts the page and carries out what people ask for. Views show state; the store holds it; this file connects them. */

import { AccountsView, operationMessage } from './accounts-view.js';
import { Api, Problem, Unreachable } from './api.js';
import { ask } from './dialogs.js';
import { button, h } from './dom.js';
import { HistoryView } from './history-view.js';
import { LANGUAGES, Words, pickLanguage, sameName } from './i18n.js';
import { Logos } from './logos.js';
import { Live } from './live.js';
import { ManualAccounts } from './manual.js';
import { memory } from './memory.js';
import { MissingAccount } from './missing.js';
import { Session, SignInFailed } from './session.js';
import { signInView } from './sign-in-view.js';
import { Store } from './store.js';

const TICK_MS = 30_000;
const TOAST_MS = 12_000;

const $ = (id) => document.getElementById(id);
const path = (strings, ...ids) => String.raw({ raw: strings }, ...ids.map(encodeURIComponent));

/** Messages that stay until they are closed. The region exists from the start, so that screen readers watch it. */
class Notices {
  constructor() {
    this.element = h('div', { class: 'notices', role: 'status' });
    this.entries = new Map();
  }

  /** `closed`: what closing means beyond taking the message away. */
  show(key, { tone, text, actions = [], close, closed = () => {} }) {
    const shut = () => {
      this.drop(key);
      return closed();
    };
    const entry = h('div', { class: `notice ${tone}`, data: { testid: 'notice', notice: key } }, h('p', {}, text),
      h('div', { class: 'card-actions' }, actions, button(close, { data: { testid: 'notice-close' }, action: shut })));
    if (this.entries.has(key)) this.entries.get(key).replaceWith(entry);
    else this.element.prepend(entry);
    this.entries.set(key, entry);
  }

  drop(key) {
    this.entries.get(key)?.remove();
    this.entries.delete(key);
  }

  clear() {
    for (const key of [...this.entries.keys()]) this.drop(key);
  }
}

class App {
  constructor(config, words) {
    this.config = config;
    this.words = words;
    this.session = new Session(config);
    this.api = new Api(config.api_base, this.session);
    this.logos = new Logos(this.api);
    this.api.language = words.language;
    this.store = new Store(this.api, words);
    this.manual = new ManualAccounts(this);
    this.notices = new Notices();
    this.view = null;
    this.accounts = undefined; // the latest AccountsView, whose unsent ticks outlive a look at the history
    this.timer = 0;
    this.returned = null; // what the Webview's return said, until it has been told
    this.awaited = null; // {signature}: the list before the trip, to notice when it has caught up
  }

  // --- life ---

  async start() {
    this.returned = readReturn();
    this.store.addEventListener('change', () => this.render());
    this.store.addEventListener('checked', () => this.view?.render?.());
    this.store.addEventListener('signed-out', () => this.signedOut());
    this.store.addEventListener('operation-ended', ({ detail }) => this.operationEnded(detail));
    window.addEventListener('hashchange', () => this.route());
    window.addEventListener('online', () => { this.store.wake(); this.store.live?.nudge(); });
    window.addEventListener('offline', () => this.store.sleep({ offline: true }));
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.store.sleep({ offline: false });
      else if (this.session.user) { this.store.wake(); this.store.live?.nudge(); }
    });
    window.addEventListener('pageshow', (event) => {
      if (!event.persisted || !this.session.user) return; // back button out of the Webview: the page as it was left
      this.tellAboutVisit();
      this.store.wake();
    });
    $('skip').addEventListener('click', (event) => {
      event.preventDefault(); // the fragment is the page's route
      $('main').focus();
    });
    setInterval(() => this.tick(), TICK_MS);
    this.renderFrame();
    let resumed = false;
    try {
      resumed = await this.session.resume();
    } catch (error) {
      if (error instanceof SignInFailed) memory.demoUser = null;
      else if (!(error instanceof TypeError)) throw error; // TypeError is how fetch says "no network"
    }
    if (resumed) await this.enter();
    else await this.showSignIn(false);
  }

  async signIn(user) {
    try {
      await this.session.signIn(user);
    } catch (error) {
      this.fail(error instanceof SignInFailed ? new Problem(503, null, null) : new Unreachable('sign-in', { cause: error }));
      return;
    }
    await this.enter();
    document.querySelector('main h1')?.focus();
  }

  async enter() {
    if (this.config.live_url) {
      this.store.live = new Live(this.config.live_url, this.session);
      this.store.live.addEventListener('change', () => this.store.refresh());
      this.store.live.addEventListener('state', () => this.view?.render?.());
      this.store.live.start();
    }
    this.route();
    this.tellAboutVisit();
    await this.store.start();
  }

  signOut() {
    this.store.live?.stop();
    this.store.live = null;
    this.store.reset();
    this.session.signOut();
    this.notices.clear();
    this.view = null;
    this.accounts = undefined;
    this.renderFrame();
  }

  async signedOut() {
    this.signOut();
    await this.showSignIn(true);
  }

  async showSignIn(lost) {
    let users = [];
    try {
      if (this.config.demo) users = await this.session.demoUsers();
    } catch (error) {
      users = null;
      this.fail(error instanceof SignInFailed ? new Problem(503, null, null) : new Unreachable('users', { cause: error }));
    }
    this.signInShown = { users, lost };
    this.view = null;
    $('main').replaceChildren(signInView(this, { users, lost }));
  }

  // --- frame and routes ---

  renderFrame() {
    const { words } = this;
    document.documentElement.lang = words.language;
    document.title = words.t('page.title');
    $('skip').textContent = words.t('page.skip');
    $('brand-name').textContent = words.t('page.brand');
    const history = location.hash.startsWith('#/history');
    const tab = (href, label, current) => h('a', { href, class: 'tab', 'aria-current': current ? 'page' : null }, words.t(label));
    $('tabs').classList.toggle('away', !this.session.user); // keeps its place, so that signing in moves nothing
    $('tabs').setAttribute('aria-label', words.t('page.nav'));
    $('tabs').replaceChildren(tab('#/', 'tab.accounts', !history), tab('#/history', 'tab.history', history));
    const switches = h('div', { class: 'languages', role: 'group', 'aria-label': words.t('page.language') }, LANGUAGES.map((language) => h('button', {
      type: 'button', lang: language, 'aria-pressed': String(language === words.language), 'aria-label': { fr: 'Français', en: 'English' }[language],
      data: { testid: `language-${language}`, key: `language-${language}` }, on: { click: () => this.switchLanguage(language) },
    }, language.toUpperCase())));
    $('tools').replaceChildren(switches); // stays last, at the edge, so that signing in moves nothing
    if (this.session.user) {
      switches.before(h('span', { class: 'who', data: { testid: 'signed-in-as' } }, this.session.user.name),
        button(words.t('action.sign_out'), { icon: 'leave', 'aria-label': words.t('action.sign_out'), data: { testid: 'sign-out' }, action: () => this.signOut() || this.showSignIn(false) }));
    }
  }

  async switchLanguage(language) {
    if (language === this.words.language) return;
    this.words = await Words.load(language);
    this.api.language = language;
    this.store.words = this.words;
    memory.language = language;
    this.notices.clear();
    this.renderFrame();
    document.querySelector(`[data-testid=language-${language}]`).focus();
    if (!this.session.user) {
      $('main').replaceChildren(signInView(this, this.signInShown));
      return;
    }
    this.store.forgetVersion();
    this.route();
    await this.store.refresh();
  }

  route() {
    if (!this.session.user) return;
    this.renderFrame();
    const [, page, id] = location.hash.split('/');
    if (page === 'history') this.view = new HistoryView(this, id ? decodeURIComponent(id) : null);
    else this.view = this.accounts = new AccountsView(this, this.accounts);
    this.view.render();
    const moved = this.shownPage !== undefined && this.shownPage !== location.hash;
    this.shownPage = location.hash;
    $('main').replaceChildren(this.view.root);
    document.title = page === 'history' ? `${this.words.t('history.title')} · ${this.words.t('page.title')}` : this.words.t('page.title');
    if (moved) this.view.root.querySelector('h1')?.focus();
  }

  showHistory(connectionId) {
    location.hash = connectionId ? `#/history/${encodeURIComponent(connectionId)}` : '#/history';
  }

  render() {
    if (!this.session.user) return;
    if (this.view === null) this.route();
    else this.view.render();
    this.noticeArrival();
    this.tellAboutWishes();
  }

  /** Render once more at that moment: an offer on the page runs out then. */
  renderAt(moment) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.render(), Math.min(moment - Date.now(), 2 ** 31 - 1));
  }

  tick() {
    for (const time of document.querySelectorAll('time[data-ago]')) time.textContent = this.words.relative(time.dateTime);
  }

  ago(moment) {
    return h('time', { datetime: moment, title: this.words.moments.format(new Date(moment)), 'data-ago': true }, this.words.relative(moment));
  }

  announce(text) {
    $('announcer').textContent = text;
  }

  // --- errors ---

  /** Says what went wrong with something the person asked for. Anything that is not a known failure is our own bug. */
  fail(error) {
    const { words } = this;
    if (error instanceof SignInFailed) {
      this.signedOut();
      return;
    }
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    const text = error instanceof Unreachable ? words.t('toast.unreachable') : error.message || words.t('toast.problem');
    const toast = h('div', { class: 'toast', data: { testid: 'toast', code: error.code ?? 'unreachable' } },
      h('p', {}, text, error.requestId && h('small', {}, words.t('error.reference', { reference: error.requestId }))),
      button(words.t('action.close'), { data: { testid: 'toast-close' }, action: () => toast.remove() }));
    $('toasts').replaceChildren(toast);
    setTimeout(() => { if (!toast.matches(':hover, :focus-within')) toast.remove(); }, TOAST_MS);
  }

  async attempt(work) {
    try {
      return await work();
    } catch (error) {
      this.fail(error);
      return null;
    }
  }

  // --- the Powens space ---

  async goToPowens(flow, connection) {
    const answer = await this.attempt(() => this.api.change('POST', '/v1/webview-sessions', {
      flow,
      ...(connection ? { connection_id: connection.id } : {}),
      language: this.words.language,
      return_to: location.origin + location.pathname,
    }));
    if (answer === null) return;
    const target = safeTarget(answer.data.url);
    if (target === null) {
      this.fail(new Problem(502, null, null));
      return;
    }
    memory.startVisit({
      user: this.session.user.id, flow, connectionId: connection?.id ?? null, institution: connection?.institution.name ?? null,
      before: listSignature(this.store),
    });
    location.assign(target);
    await new Promise(() => {}); // the button stays busy while the browser leaves
  }

  /** What the trip to the Webview gave: said by the return address, or unknown when the tab was closed on the way. */
  tellAboutVisit() {
    const { words } = this;
    const visit = memory.visit(this.session.user.id);
    const result = this.returned ?? (visit ? 'unknown' : null);
    this.returned = null;
    memory.endVisit();
    if (result === null) return;
    const name = visit?.institution ?? null;
    const close = words.t('action.close');
    const key = name ? `return.${result}.at` : `return.${result}`;
    const tone = result === 'failed' && visit ? 'bad' : 'calm'; // of a way back that came late or again nothing is lost
    const actions = [];
    if (visit && result !== 'done') {
      const connection = visit.connectionId ? { id: visit.connectionId, institution: { name: visit.institution } } : null;
      actions.push(button(words.t('action.resume'), { kind: 'outline', data: { testid: 'resume' }, action: () => this.goToPowens(visit.flow, connection) }));
    }
    this.notices.show('return', { tone, text: words.t(key, { name }), actions, close });
    this.notices.element.dataset.result = result;
    // Also after a cancelled visit: what was confirmed at Powens before leaving stays confirmed.
    this.awaited = { before: visit?.before ?? null, result };
    this.store.hurry();
  }

  noticeArrival() {
    const { awaited, store, words } = this;
    if (!awaited?.before || !store.connections || store.connections.some((connection) => connection.status === 'syncing')) return;
    if (listSignature(store) === awaited.before) return;
    this.awaited = null;
    if (this.notices.entries.has('return')) this.notices.show('return', { tone: 'good', text: words.t('return.arrived'), close: words.t('action.close') });
  }

  // --- accounts that are missing ---

  findMissing(connection = null) {
    new MissingAccount(this, connection).open();
  }

  /** An account that somebody asked to be told about can be had now: said until it is closed. */
  tellAboutWishes() {
    const { notices, store, words } = this;
    const granted = new Map((store.connections === null ? [] : store.wishes).filter((wish) => wish.available_at).map((wish) => [`wish-${wish.id}`, wish]));
    for (const key of [...notices.entries.keys()]) if (key.startsWith('wish-') && !granted.has(key)) notices.drop(key);
    for (const [key, wish] of granted) {
      const there = store.connections.filter((one) => one.institution.id === wish.institution_id);
      const connection = there.find((one) => !one.superseded_by) ?? there[0] ?? null;
      const known = (connection?.accounts ?? []).filter((account) => account.type === wish.type);
      const tickable = known.filter((account) => account.status === 'disabled').map((account) => account.id);
      const had = tickable.length === 0 && known.some((account) => account.enabled || account.status === 'enabling');
      const signature = `${connection?.id} ${tickable} ${had}`;
      if (notices.entries.get(key)?.dataset.signature === signature) continue;
      const step = had ? null : tickable.length > 0
        ? button(words.t('action.choose'), { kind: 'outline', data: { testid: 'wish-step' }, action: () => this.showTicked(connection.id, tickable) })
        : button(words.t(connection ? 'action.open_powens' : 'missing.connect'), { kind: 'outline', data: { testid: 'wish-step' }, action: () => this.goToPowens(connection ? 'manage' : 'connect', connection) });
      notices.show(key, {
        tone: 'good', text: words.t('wish.granted', { name: wish.institution_name, type: words.t(`types.${wish.type}`) }), actions: [step], close: words.t('action.close'),
        closed: async () => {
          await this.attempt(() => this.api.change('DELETE', path`/v1/wishes/${wish.id}`, undefined));
          await store.refresh(); // tells again what could not be taken away
        },
      });
      notices.entries.get(key).dataset.signature = signature;
    }
  }

  // --- choices ---

  /** Open the tick-boxes of one institution with some more accounts ticked, from whatever page. */
  showTicked(connectionId, accountIds) {
    const connection = this.store.connection(connectionId);
    if (!connection) return;
    if (this.view !== this.accounts) {
      history.pushState(null, '', '#/');
      this.route();
    }
    this.accounts.choose(connection, accountIds);
  }

  async tickMore(connectionId, accountIds) {
    if (accountIds.length === 0) return;
    this.showTicked(connectionId, accountIds);
    await this.finishChoosing(connectionId);
  }

  async finishChoosing(connectionId) {
    const { words, store, accounts: view } = this;
    const connection = store.connection(connectionId);
    if (!connection) return;
    const ids = view.ticked(connection);
    const target = path`/v1/connections/${connectionId}/selection`;
    const preview = await this.attempt(() => this.api.change('PUT', `${target}?dry_run=true`, { enabled_account_ids: ids }));
    if (preview === null) return;
    const { data } = preview;
    if (data.enable.length === 0 && data.disable.length === 0) {
      view.stopChoosing(connectionId);
      this.announce(words.t('choice.nothing'));
      this.notices.show('choice', { tone: 'calm', text: words.t('choice.nothing'), close: words.t('action.close') });
      return;
    }
    this.notices.drop('choice');
    const yes = await ask({
      testid: 'preview', title: words.t('preview.title', { name: connection.institution.name }),
      body: this.#effect(connection, data), confirm: words.t('action.confirm'), cancel: words.t('action.back'),
    });
    if (yes === null) return;
    let answer;
    try {
      answer = await this.api.change('PUT', target, { enabled_account_ids: ids }, { ifMatch: data.entity_tag ?? `"${data.revision}"` });
    } catch (error) {
      if (error instanceof Problem && error.status === 412) {
        await store.refresh();
        this.notices.show('choice', { tone: 'warn', text: words.t('choice.changed', { name: connection.institution.name }), close: words.t('action.close') });
        return;
      }
      this.fail(error);
      return;
    }
    this.announce(words.t('operation.open.selection'));
    store.follow(answer.data, answer.retryAfter);
    view.stopChoosing(connectionId);
  }

  #effect(connection, { enable, disable, unchanged, deleted_at_powens: deleted, enabled_total: total, requires_consent: consent }) {
    const { words } = this;
    const names = new Map(connection.accounts.map((account) => [account.id, account.name]));
    const group = (key, ids, tone) => ids.length > 0 && h('div', { class: `effect ${tone}`, data: { testid: `effect-${key}` } },
      h('h3', {}, words.t(`preview.${key}`, { count: ids.length })),
      h('ul', {}, ids.map((id) => h('li', {}, names.get(id) ?? words.t('account.unknown')))));
    return [
      group('enable', enable, 'good'),
      group('disable', disable, 'warn'),
      deleted.length > 0 && h('p', { class: 'effect-note', data: { testid: 'effect-deleted' } }, words.t('preview.deleted', { count: deleted.length, names: words.lists.format(deleted.map((id) => names.get(id) ?? words.t('account.unknown'))) })),
      h('p', {}, unchanged.length > 0 && `${words.t('preview.unchanged', { count: unchanged.length })} `, words.t('preview.total', { count: total, name: connection.institution.name })),
      consent && h('p', { class: 'consent', data: { testid: 'consent' } }, words.t('preview.consent', { name: connection.institution.name, count: enable.length })),
    ];
  }

  async undo(connection, operation) {
    const answer = await this.attempt(() => this.api.change('POST', path`/v1/operations/${operation.id}/undo`, undefined));
    if (answer === null) return;
    this.announce(this.words.t('operation.open.undo'));
    this.store.follow({ ...answer.data, undoing: true }, answer.retryAfter);
  }

  async refreshConnection(connection) {
    const answer = await this.attempt(() => this.api.change('POST', path`/v1/connections/${connection.id}/refresh`, undefined));
    if (answer === null) return;
    this.announce(this.words.t('operation.open.refresh'));
    this.store.follow(answer.data, answer.retryAfter);
  }

  async endConnection(connection) {
    const { words } = this;
    const { name } = connection.institution;
    const heir = this.store.heir(connection);
    const yes = await ask({
      testid: 'end-connection', danger: true, title: words.t(heir ? 'end.title.superseded' : 'end.title', { name }),
      body: [
        h('p', {}, heir ? words.t('end.text.superseded', { name: heir.institution.name }) : words.t('end.text', { name })),
        h('p', { class: 'effect-note' }, words.t('end.warning')),
        h('label', { class: 'field' }, h('span', {}, words.t('end.type', { name })),
          h('input', { name: 'confirm', autocomplete: 'off', spellcheck: 'false', autofocus: true, data: { testid: 'end-name' } })),
      ],
      confirm: words.t('end.confirm'), cancel: words.t('end.keep'),
      ready: (form) => sameName(form.elements.confirm.value, name),
    });
    if (yes === null) return;
    const answer = await this.attempt(() => this.api.change('DELETE', path`/v1/connections/${connection.id}`, { confirm: name }));
    if (answer === null) return;
    this.announce(words.t('operation.open.deletion'));
    this.store.follow({ ...answer.data, institution_name: name }, answer.retryAfter);
  }

  operationEnded(operation) {
    const { words, store } = this;
    this.announce(operationMessage(words, operation));
    if (operation.kind === 'deletion' && !store.connection(operation.connection_id)) {
      this.notices.show('ended', { tone: 'good', text: words.t('operation.completed.deletion'), close: words.t('action.close') });
      store.dismiss(operation.connection_id);
    }
  }
}

/** What the list holds, apart from its times: changes when accounts came, went or were ticked. */
function listSignature(store) {
  if (!store.connections) return null;
  return store.connections.map((connection) => `${connection.id}:${connection.accounts.map((account) => account.id + account.enabled).join()}`).join(' ').slice(0, 20_000);
}

/** The `result` of the Webview's return, taken out of the address so that a reload does not tell it again. */
function readReturn() {
  const address = new URL(location.href);
  const result = address.searchParams.get('result');
  if (result === null) return null;
  history.replaceState(null, '', address.pathname + address.hash);
  return ['done', 'cancelled', 'failed'].includes(result) ? result : null;
}

/** Only a web address over TLS, or this very machine's, may be gone to: whatever else an answer said. */
function safeTarget(text) {
  if (typeof text !== 'string' || !URL.canParse(text)) return null;
  const url = new URL(text);
  const local = ['localhost', '127.0.0.1', '[::1]'];
  return url.protocol === 'https:' || (url.protocol === 'http:' && local.includes(url.hostname) && local.includes(location.hostname)) ? url.href : null;
}

async function boot() {
  const [config, words] = await Promise.all([
    fetch('config.json', { cache: 'no-cache' }).then((response) => {
      if (!response.ok) throw new Error('config.json');
      return response.json();
    }),
    Words.load(pickLanguage(memory.language, navigator.languages)),
  ]);
  await new App({ api_base: '', demo: false, live_url: null, token_url: null, sign_in_url: null, ...config }, words).start();
}

boot().catch((error) => {
  // The catalogue may be what is missing, so these words are the only ones outside it.
  const retry = button('Réessayer · Try again', { kind: 'primary', data: { testid: 'retry' }, action: () => location.reload() });
  $('main').replaceChildren(h('div', { class: 'page narrow' }, h('div', { class: 'card blank', role: 'alert', data: { testid: 'boot-error' } },
    h('h1', { class: 'title' }, 'Comptes synchronisés'), h('p', {}, 'La page n’a pas pu démarrer. The page could not start.'), retry)));
  throw error;
});
