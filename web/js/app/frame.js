/** The frame around the pages: header, language, and the page of an address (`#/`, `#/history`, `#/history/<id>`,
 * `#/data`). */

import { button, h } from '../dom.js';
import { LANGUAGES, LANGUAGE_NAMES, Words } from '../i18n.js';
import { memory } from '../memory.js';
import { AccountsPage } from '../views/page.js';
import { updateTimes } from '../views/parts.js';

const TIMES_MS = 30_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const MOST_STUCK = 0.12; // of the screen's height, for the header

const $ = (id) => document.getElementById(id);

/** All of the header sticks to the edge, or only its row of tabs, or nothing: as much as leaves room to read. */
function stickHeader() {
  const { offsetHeight: height } = $('top');
  const { offsetTop: tabs } = $('tabs');
  const room = window.innerHeight * MOST_STUCK;
  const away = [0, tabs].find((above) => height - above <= room) ?? height;
  const { style } = document.documentElement;
  style.setProperty('--above', `${-away}px`);
  style.setProperty('--stuck', `${height - away}px`);
}

export class Frame {
  #page = null; // what is shown to somebody who is signed in
  #timer = 0;
  #hash; // of the page that was shown last
  #routing = 0; // the number of the latest one: a page that comes after another one was asked for is not wanted
  #signInPage = null; // draws the sign-in page, once that was shown

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
    new ResizeObserver(stickHeader).observe($('top'));
    window.addEventListener('resize', stickHeader);
    setInterval(() => updateTimes(this.app.words), TIMES_MS);
    this.renderHeader();
  }

  /** Forgets the pages of somebody who has signed out. */
  reset() {
    this.#page?.leave?.();
    this.#page = null;
    this.#routing += 1;
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
    const shown = location.hash.split('/')[1] ?? '';
    const tab = (href, label, current) => h('a', { href, class: 'tab', 'aria-current': current ? 'page' : null },
      this.app.words.t(label));
    return [
      tab('#/', 'tab.accounts', shown !== 'history' && shown !== 'data'),
      tab('#/history', 'tab.history', shown === 'history'),
      tab('#/data', 'tab.data', shown === 'data'),
    ];
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
      action: () => app.leave(),
    });
    const who = h('span', { class: 'who', data: { testid: 'signed-in-as' } }, app.session.user.name);
    return app.session.canEnd ? [who, signOut] : [who];
  }

  async #switchLanguage(language) {
    const { app } = this;
    if (language === app.words.language) return;
    app.useWords(await Words.load(language));
    memory.language = language;
    app.notices.clear();
    this.renderHeader();
    /** @type {HTMLElement} */ (document.querySelector(`[data-testid=language-${language}]`)).focus();
    if (!app.session.user) {
      if (this.#signInPage) this.showSignIn(this.#signInPage);
      return;
    }
    app.store.forgetVersion();
    this.route();
    await app.store.load();
  }

  // --- pages ---

  /** @param {() => Node} signInPage draws it in the language of the moment */
  showSignIn(signInPage) {
    this.#signInPage = signInPage;
    this.#page = null;
    $('main').replaceChildren(signInPage());
  }

  /** Shows the page that the address names. */
  route() {
    const { app } = this;
    if (!app.session.user) return;
    this.#routing += 1;
    this.renderHeader();
    const [, name, id] = location.hash.split('/');
    if (name === 'history') {
      const connectionId = id ? decodeURIComponent(id) : null;
      this.#routeTo('history', 'history.title', (view) => new view.HistoryPage(app, connectionId));
      return;
    }
    if (name === 'data') {
      this.#routeTo('my-data', 'data.title', (view) => new view.MyDataPage(app));
      return;
    }
    this.accountsPage = new AccountsPage(app, this.accountsPage);
    this.#show(this.accountsPage);
  }

  /** The page before stays until the view is there, and when it cannot be had, the list is shown. */
  async #routeTo(name, title, makePage) {
    const { app } = this;
    const routing = this.#routing;
    const view = await app.view(name);
    if (routing !== this.#routing) return;
    if (view === null) {
      history.replaceState(null, '', '#/');
      this.route();
      return;
    }
    this.#show(makePage(view));
    document.title = `${app.words.t(title)} · ${app.words.t('page.title')}`;
  }

  #show(page) {
    this.#page?.leave?.();
    this.#page = page;
    page.render();
    const moved = this.#hash !== undefined && this.#hash !== location.hash;
    this.#hash = location.hash;
    $('main').replaceChildren(page.root);
    if (moved) page.root.querySelector('h1')?.focus();
  }

  /** @param {string|null} connectionId null: of all connections */
  showHistory(connectionId) {
    return this.app.withView('history', () => {
      location.hash = connectionId ? `#/history/${encodeURIComponent(connectionId)}` : '#/history';
    });
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
