/** The frame around the pages: header, language, and the page of an address (`#/`, `#/history`, `#/history/<id>`). */

import { button, h } from '../dom.js';
import { LANGUAGES, LANGUAGE_NAMES, Words } from '../i18n.js';
import { memory } from '../memory.js';
import { HistoryPage } from '../views/history.js';
import { AccountsPage } from '../views/page.js';
import { updateTimes } from '../views/parts.js';
import { signInPage } from '../views/sign-in.js';

const TIMES_MS = 30_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const $ = (id) => document.getElementById(id);

export class Frame {
  #page = null; // what is shown to somebody who is signed in
  #timer = 0;
  #hash; // of the page that was shown last
  #signIn = null; // {users, lost}: what the sign-in page shows

  constructor(app) {
    this.app = app;
    this.accountsPage = undefined; // the latest one, also while the history is shown
  }

  start() {
    window.addEventListener('hashchange', () => this.route());
    $('skip').addEventListener('click', (event) => {
      event.preventDefault(); // the fragment is the page's route
      $('main').focus();
    });
    setInterval(() => updateTimes(this.app.words), TIMES_MS);
    this.renderHeader();
  }

  /** Forgets the pages of somebody who has signed out. */
  reset() {
    this.#page = null;
    this.accountsPage = undefined;
    this.renderHeader();
  }

  // --- header ---

  renderHeader() {
    const { session, words } = this.app;
    document.documentElement.lang = words.language;
    document.title = words.t('page.title');
    $('skip').textContent = words.t('page.skip');
    $('brand-name').textContent = words.t('page.brand');
    $('tabs').classList.toggle('away', !session.user); // keeps its place, so that signing in moves nothing
    $('tabs').setAttribute('aria-label', words.t('page.nav'));
    $('tabs').replaceChildren(...this.#tabs());
    const languages = this.#languages();
    $('tools').replaceChildren(languages); // stays last, at the edge, so that signing in moves nothing
    if (session.user) languages.before(...this.#person());
  }

  #tabs() {
    const history = location.hash.startsWith('#/history');
    const tab = (href, label, current) => h('a', { href, class: 'tab', 'aria-current': current ? 'page' : null },
      this.app.words.t(label));
    return [tab('#/', 'tab.accounts', !history), tab('#/history', 'tab.history', history)];
  }

  #languages() {
    const { words } = this.app;
    return h('div', { class: 'languages', role: 'group', 'aria-label': words.t('page.language') },
      LANGUAGES.map((language) => h('button', {
        type: 'button',
        lang: language,
        'aria-pressed': String(language === words.language),
        'aria-label': LANGUAGE_NAMES[language],
        data: { testid: `language-${language}`, key: `language-${language}` },
        on: { click: () => this.#switchLanguage(language) },
      }, language.toUpperCase())));
  }

  #person() {
    const { app } = this;
    const label = app.words.t('action.sign_out');
    const signOut = button(label, {
      icon: 'leave',
      'aria-label': label,
      data: { testid: 'sign-out' },
      action: () => {
        app.signOut();
        return app.showSignIn(false);
      },
    });
    return [h('span', { class: 'who', data: { testid: 'signed-in-as' } }, app.session.user.name), signOut];
  }

  async #switchLanguage(language) {
    const { app } = this;
    if (language === app.words.language) return;
    app.useWords(await Words.load(language));
    memory.language = language;
    app.notices.clear();
    this.renderHeader();
    document.querySelector(`[data-testid=language-${language}]`).focus();
    if (!app.session.user) {
      this.showSignIn(this.#signIn);
      return;
    }
    app.store.forgetVersion();
    this.route();
    await app.store.load();
  }

  // --- pages ---

  /** @param {{users: {id: string, name: string}[]|null, lost: boolean}} state as the sign-in page has it */
  showSignIn(state) {
    this.#signIn = state;
    this.#page = null;
    $('main').replaceChildren(signInPage(this.app, state));
  }

  /** Shows the page that the address names. */
  route() {
    const { app } = this;
    const { words } = app;
    if (!app.session.user) return;
    this.renderHeader();
    const [, name, id] = location.hash.split('/');
    const isHistory = name === 'history';
    if (isHistory) this.#page = new HistoryPage(app, id ? decodeURIComponent(id) : null);
    else this.#page = this.accountsPage = new AccountsPage(app, this.accountsPage);
    this.#page.render();
    const moved = this.#hash !== undefined && this.#hash !== location.hash;
    this.#hash = location.hash;
    $('main').replaceChildren(this.#page.root);
    if (isHistory) document.title = `${words.t('history.title')} · ${words.t('page.title')}`;
    if (moved) this.#page.root.querySelector('h1')?.focus();
  }

  /** @param {string|null} connectionId null: of all connections */
  showHistory(connectionId) {
    location.hash = connectionId ? `#/history/${encodeURIComponent(connectionId)}` : '#/history';
  }

  /** @returns {AccountsPage} the page with the list, which is shown from now on */
  showAccounts() {
    if (this.#page !== this.accountsPage) {
      history.pushState(null, '', '#/');
      this.route();
    }
    return this.accountsPage;
  }

  /** Shows what has changed. */
  render() {
    const { app } = this;
    if (!app.session.user) return;
    if (this.#page === null) this.route();
    else this.#page.render();
    app.visits.showArrival();
    app.wishes.showGranted();
  }

  /** Shows what depends on the socket or on the moment of the last answer, when nothing else has changed. */
  renderState() {
    this.#page?.render();
  }

  /** Render once more at that moment: an offer on the page runs out then. */
  renderAt(moment) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.render(), Math.min(moment - Date.now(), LONGEST_TIMER_MS));
  }
}
