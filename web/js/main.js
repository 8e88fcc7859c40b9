/** Starts the page, signs its person in and out, and holds the parts that views and features use. */

import { Api, Problem, Unreachable, isFailure } from './api.js';
import { Choices } from './app/choices.js';
import { Frame } from './app/frame.js';
import { Notices, showDone, showToast } from './app/notices.js';
import { Operations } from './app/operations.js';
import { Visits } from './app/visits.js';
import { Wishes } from './app/wishes.js';
import { button, h } from './dom.js';
import { Words, pickLanguage } from './i18n.js';
import { Live } from './live.js';
import { Logos } from './logos.js';
import { memory } from './memory.js';
import { Session, SignInFailed } from './session.js';
import { Store } from './store.js';
import { operationMessage } from './views/operation-panel.js';

const DEFAULTS = {
  api_base: '', currency: 'EUR', demo: false, live_url: null, token_url: null, sign_in_url: null, sign_out_url: null,
};

const failedLoads = new Map(); // name of a view -> how often it could not be had

/** A module of js/views that is not loaded with the page. @throws {Unreachable} when it cannot be had now */
async function loadView(name) {
  const failed = failedLoads.get(name) ?? 0;
  try {
    // A browser may remember that a module failed, so another try has another address.
    return await import(`./views/${name}.js${failed > 0 ? `?try=${failed}` : ''}`);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // TypeError is how import says "no answer"
    failedLoads.set(name, failed + 1);
    throw new Unreachable(name, { cause: error });
  }
}

class App {
  #tap = 0; // the number of the latest one that needed a view: what others asked for is not wanted any more

  constructor(config, words) {
    this.config = config;
    this.session = new Session(config);
    this.api = new Api(config.api_base, this.session);
    this.logos = new Logos(this.api);
    this.store = new Store(this.api, words);
    this.useWords(words);
    this.operations = this.store.operations = new Operations(this);
    this.notices = new Notices();
    this.visits = new Visits(this);
    this.choices = new Choices(this);
    this.wishes = new Wishes(this);
    this.frame = new Frame(this);
  }

  useWords(words) {
    this.words = words;
    this.api.language = words.language;
    this.store.words = words;
  }

  async start() {
    this.visits.readReturn();
    this.#listen();
    this.frame.start();
    let resumed = false;
    try {
      resumed = await this.session.resume();
    } catch (error) {
      if (error instanceof SignInFailed) memory.demoUser = null;
      else if (!(error instanceof TypeError)) throw error; // TypeError is how fetch says "no network"
    }
    if (resumed) await this.#enter();
    else await this.showSignIn(false);
  }

  #listen() {
    const { frame, store } = this;
    store.addEventListener('change', () => frame.render());
    store.addEventListener('change', () => this.visits.askWhose());
    store.addEventListener('checked', () => frame.renderState());
    store.addEventListener('signed-out', () => this.#signedOut());
    store.addEventListener('operation-ended', (/** @type {CustomEvent} */ { detail }) => this.#operationEnded(detail));
    window.addEventListener('online', () => this.#wake());
    window.addEventListener('offline', () => store.sleep({ offline: true }));
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) store.sleep({ offline: false });
      else if (this.session.user) this.#wake();
    });
    window.addEventListener('pageshow', (event) => {
      if (!event.persisted || !this.session.user) return; // back button out of the Webview: the page as it was left
      this.visits.showResult();
      store.wake();
    });
  }

  #wake() {
    this.store.wake();
    this.store.live?.nudge();
  }

  // --- who is signed in ---

  async signIn(user) {
    try {
      await this.session.signIn(user);
    } catch (error) {
      this.#failSignIn(error);
      return;
    }
    await this.#enter();
    /** @type {HTMLElement|null} */ (document.querySelector('main h1'))?.focus();
  }

  async #enter() {
    const { frame, store } = this;
    if (this.config.live_url) {
      store.live = new Live(this.config.live_url, this.session);
      store.live.addEventListener('change', () => store.load());
      store.live.addEventListener('state', () => frame.renderState());
      store.live.start();
    }
    frame.route();
    this.visits.showResult();
    await store.start();
  }

  signOut() {
    this.store.live?.stop();
    this.store.live = null;
    this.store.reset();
    this.session.signOut();
    this.notices.clear();
    this.choices.reset();
    this.frame.reset();
  }

  /** The person leaves: nothing of theirs stays on this machine. */
  async leave() {
    this.signOut();
    memory.forget();
    const ended = this.session.endAtHost().catch((error) => error);
    await this.showSignIn(false);
    const error = await ended;
    if (error) this.#failSignIn(error);
  }

  async #signedOut() {
    this.signOut();
    await this.showSignIn(true);
  }

  /** @param {boolean} lost whether the person was signed in before, and did not sign out */
  async showSignIn(lost) {
    const [view, users] = await Promise.all([this.view('sign-in'), this.#demoUsers()]);
    if (view === null) showStartFailure();
    else this.frame.showSignIn(() => view.signInPage(this, { users, lost }));
  }

  /** @returns {Promise<{id: string, name: string}[]|null>} null when they could not be read, which was said then */
  async #demoUsers() {
    if (!this.config.demo) return [];
    try {
      return await this.session.demoUsers();
    } catch (error) {
      this.#failSignIn(error);
      return null;
    }
  }

  #failSignIn(error) {
    const refused = error instanceof SignInFailed;
    this.fail(refused ? new Problem(503, null, null) : new Unreachable('sign-in', { cause: error }));
  }

  #operationEnded(operation) {
    this.announce(operationMessage(this.words, operation));
    this.operations.showEnd(operation);
  }

  // --- for every feature ---

  /** Says something to screen readers. */
  announce(text) {
    document.getElementById('announcer').textContent = text;
  }

  /** Says on the screen, too, that something was done. */
  tell(text) {
    showDone(this.words, text);
  }

  /** Says what went wrong with something the person asked for. Anything that is not a known failure is our own bug. */
  fail(error) {
    if (error instanceof SignInFailed) {
      this.#signedOut();
      return;
    }
    if (!isFailure(error)) throw error;
    showToast(this.words, error);
  }

  /** @returns what `work` gives, or null when it failed, which was said then */
  async attempt(work) {
    try {
      return await work();
    } catch (error) {
      this.fail(error);
      return null;
    }
  }

  /** @returns a module of js/views that only a tap needs, or null when it could not be had, which was said then */
  view(name) {
    return this.attempt(() => loadView(name));
  }

  /**
   * Does `work` with such a view, unless the person has meanwhile tapped on something else or gone elsewhere.
   * @returns what `work` gives, or null when it was not done
   */
  async withView(name, work) {
    const tap = (this.#tap += 1);
    const { hash } = location;
    const { user } = this.session;
    const view = await this.view(name);
    const wanted = tap === this.#tap && hash === location.hash && user === this.session.user;
    return view && wanted ? work(view) : null;
  }
}

async function loadConfig() {
  const response = await fetch('config.json', { cache: 'no-cache' });
  if (!response.ok) throw new Error('config.json');
  return { ...DEFAULTS, ...await response.json() };
}

async function boot() {
  const language = pickLanguage(memory.language, navigator.languages);
  const [config, words] = await Promise.all([loadConfig(), Words.load(language)]);
  await new App(config, words).start();
}

/** The texts may be what is missing, so these words are the only ones outside them. */
function showStartFailure() {
  const retry = button('Réessayer · Try again', {
    kind: 'primary', data: { testid: 'retry' }, action: () => location.reload(),
  });
  document.getElementById('main').replaceChildren(h('div', { class: 'page narrow' },
    h('div', { class: 'card blank', role: 'alert', data: { testid: 'boot-error' } },
      h('h1', { class: 'title' }, 'Comptes synchronisés'),
      h('p', {}, 'La page n’a pas pu démarrer. The page could not start.'),
      retry)));
}

boot().catch((error) => {
  showStartFailure();
  throw error;
});
