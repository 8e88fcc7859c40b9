/**
 * The page with the institutions and their accounts. Each card is drawn again only when something that it shows has
 * changed.
 */

/** @import { Account, Connection } from '../store.js' */

import { button, fill, h, icon, keepingFocus } from '../dom.js';
import { ACCOUNT_TYPES } from '../i18n.js';
import { counts, totals } from '../money.js';
import { inOrder, isNew } from '../store.js';
import { cardSurroundings, institutionCard } from './institution-card.js';
import { manualCard, suggestedAccounts } from './manual-card.js';
import { isUndoOpen, operationOf } from './operation-panel.js';
import { digits } from './parts.js';
import {
  addInstitutionButton, addManualButton, emptySummary, findNeeds, findTwins, needList, oldMoney, summary,
} from './summary.js';

const MANY_INSTITUTIONS = 8; // cards can be folded
const MANY_ACCOUNTS = 30; // there is a search
/** @type {('attention'|'name'|'balance')[]} */
const ORDERS = ['attention', 'name', 'balance'];

/** A text as it is searched: without case and accents. */
const searchable = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

export class AccountsPage {
  #cards = new Map(); // key -> {element, signature}
  #expanded = new Set(); // ids of connections whose card is open
  #unfolded = new Set(); // ids of connections whose accounts that are not synchronised are shown
  #filter = '';
  #type = ''; // of the accounts to show; empty: all
  #order = ORDERS[0];
  #hits = 0; // accounts that the filter has found
  #foldable = false;
  #searchFrame = 0;

  /** @param {AccountsPage|undefined} previous whose open cards are taken over */
  constructor(app, previous) {
    this.app = app;
    if (previous) {
      this.#expanded = previous.#expanded;
      this.#unfolded = previous.#unfolded;
    }
    this.summary = h('div', { class: 'summary', data: { testid: 'summary' } });
    this.needs = h('div', { class: 'attention', data: { testid: 'attention' } });
    this.search = h('div', { class: 'search', hidden: true });
    this.list = h('div', { class: 'sections' });
    this.lede = h('p', { class: 'lede', data: { testid: 'lede' } });
    this.add = button(app.words.t('action.add'), {
      kind: 'primary', icon: 'plus', hidden: true, data: { testid: 'add', key: 'add' },
      action: () => app.withView('add', (view) => view.openAdd(app)),
    });
    this.root = h('div', { class: 'page', data: { testid: 'accounts-view' } },
      h('div', { class: 'page-head' },
        h('h1', { class: 'title', tabindex: '-1' }, app.words.t('page.title')),
        this.add,
        this.lede),
      app.notices.element,
      this.needs,
      h('div', { class: 'columns' },
        this.summary,
        h('div', { class: 'stream' }, this.search, this.list)));
  }

  render() {
    const { store } = this.app;
    this.add.hidden = store.connections === null || this.#isEmpty;
    this.summary.hidden = this.#isEmpty;
    this.root.setAttribute('aria-busy', String(store.connections === null && !store.failure));
    if (store.connections !== null) this.#renderList();
    else if (store.failure || !store.online) this.#renderFailure();
    else this.#renderSkeleton();
  }

  get #isEmpty() {
    const { connections, manualAccounts } = this.app.store;
    return connections?.length === 0 && manualAccounts.length === 0;
  }

  #renderList() {
    const { store, words } = this.app;
    const { connections } = store;
    // Those that are not enabled are joined, and show where they count.
    const manualAccounts = store.manualAccounts.filter((account) => account.enabled);
    const empty = this.#isEmpty;
    const accounts = connections.flatMap((connection) => connection.accounts);
    const institutions = new Set(connections.map((connection) => connection.institution.id)).size;
    this.#foldable = connections.length > MANY_INSTITUTIONS;
    this.lede.textContent = empty ? words.t('empty.lede') : words.t('page.count', {
      accounts: words.t('count.accounts', { count: accounts.filter(counts).length }),
      institutions: words.t('count.institutions', { count: institutions }),
    });
    keepingFocus(this.root, () => {
      if (!empty) this.#renderSummary([...accounts, ...manualAccounts]);
      this.#renderNeeds(connections);
      this.#renderSearch(this.#foldable || accounts.length > MANY_ACCOUNTS);
      this.#renderCards(connections, manualAccounts, empty);
    });
  }

  #renderFailure() {
    const { store, words } = this.app;
    const offline = !store.online || store.failure?.status === undefined;
    const reference = store.failure?.requestId;
    this.lede.textContent = '';
    fill(this.summary, emptySummary(words));
    this.summarySignature = null;
    this.needs.replaceChildren();
    this.#cards.clear();
    const data = { testid: offline ? 'offline' : 'error' };
    this.list.replaceChildren(h('section', { class: 'card blank', data, role: 'alert' },
      h('span', { class: 'blank-mark' }, icon(offline ? 'cloud' : 'alert')),
      h('h2', {}, words.t(offline ? 'offline.title' : 'error.title')),
      h('p', {}, words.t(offline ? 'offline.text' : 'error.text')),
      reference && h('p', { class: 'fine' }, words.t('error.reference', { reference })),
      button(words.t('action.retry'), {
        kind: 'primary', data: { testid: 'retry', key: 'retry' }, action: () => store.load(),
      })));
  }

  /** The same shapes as index.html shows before any script runs. */
  #renderSkeleton() {
    if (this.list.querySelector('.bone')) return;
    const bones = (...kinds) => kinds.map((kind) => h('div', { class: `bone ${kind}` }));
    const card = (rows) => h('div', { class: 'card bone-card', 'aria-hidden': 'true', data: { testid: 'skeleton' } },
      bones('bone-head', ...Array(rows).fill('')));
    fill(this.lede, h('span', { class: 'visually-hidden' }, this.app.words.t('page.loading')));
    fill(this.summary, bones('bone-line', 'bone-total'));
    this.#cards.clear();
    fill(this.list, card(3), card(2));
  }

  // --- above the list ---

  #renderSummary(/** @type {Account[]} */ accounts) {
    const { config, store, words } = this.app;
    const money = {
      sums: totals(accounts, config.currency),
      old: oldMoney(store.connections, config.currency),
      twins: store.manualAccounts.filter((account) => account.enabled && account.twin),
    };
    const stale = Boolean(store.failure) || !store.online;
    const connected = store.live?.connected ?? null;
    const signature = JSON.stringify([money, stale, words.language, connected, stale && store.receivedAt]);
    if (this.summarySignature === signature) return;
    this.summarySignature = signature;
    fill(this.summary, summary(this.app, money, { stale, connected }));
  }

  #renderNeeds(/** @type {Connection[]} */ connections) {
    const { words } = this.app;
    const needs = findNeeds(connections, words);
    const lines = needs.map((need) => [need.connection.id, need.title, need.message, need.flow]);
    const twins = findTwins(this.app.store);
    const signature = JSON.stringify([words.language, lines, twins]);
    if (this.needsSignature === signature) return;
    this.needsSignature = signature;
    fill(this.needs, needList(this.app, needs, twins));
  }

  #renderSearch(wanted) {
    const { words } = this.app;
    this.search.hidden = !wanted;
    if (!wanted || this.search.dataset.language === words.language) return;
    this.search.dataset.language = words.language;
    const input = h('input', {
      type: 'search', id: 'search', value: this.#filter, autocomplete: 'off', spellcheck: 'false',
      placeholder: words.t('search.hint'), data: { testid: 'search', key: 'search' },
      on: { input: () => this.#find(input.value) },
    });
    const label = h('label', { for: 'search', class: 'visually-hidden' }, words.t('search.label'));
    const choice = (testid, options, value, set) => {
      const select = h('select', { 'aria-label': words.t(`search.${testid}`), data: { testid, key: testid } },
        options.map(([key, text]) => h('option', { value: key, selected: key === value }, text)));
      select.addEventListener('change', () => {
        set(select.value);
        this.render();
      });
      return select;
    };
    const types = [['', words.t('search.all')], ...ACCOUNT_TYPES.map((type) => [type, words.t(`types.${type}`)])];
    const orders = ORDERS.map((order) => [order, words.t(`search.by.${order}`)]);
    this.search.replaceChildren(label, h('div', { class: 'search-box' }, icon('search'), input),
      h('div', { class: 'search-choices' },
        choice('type', types, this.#type, (type) => { this.#type = type; }),
        choice('order', orders, this.#order, (order) => { this.#order = order; })));
  }

  #find(text) {
    this.#filter = searchable(text.trim());
    cancelAnimationFrame(this.#searchFrame);
    this.#searchFrame = requestAnimationFrame(() => {
      this.render();
      this.search.scrollIntoView({ block: 'nearest' }); // a shorter list must not leave it behind the header
      if (this.#filter) this.app.announce(this.app.words.t('search.found', { count: this.#hits }));
    });
  }

  // --- the list ---

  #renderCards(/** @type {Connection[]} */ connections, manualAccounts, empty) {
    this.list.classList.toggle('many', this.#foldable);
    this.#hits = 0;
    const cards = [...this.#institutionCards(connections), ...this.#manualCards(manualAccounts)];
    if (cards.length === 0) cards.push(empty ? this.#emptyCard() : this.#nothingFoundCard());
    this.#place(cards);
  }

  #institutionCards(/** @type {Connection[]} */ connections) {
    const { config, words } = this.app;
    const ordered = inOrder(connections, words.locale, this.#order, config.currency);
    return ordered.flatMap((connection) => {
      const accounts = this.#matches(connection);
      if (accounts === null) return [];
      this.#hits += accounts.length;
      return [{
        key: connection.id,
        signature: this.#signature(connection),
        build: () => institutionCard(this.app, connection, this.#cardState(connection, accounts)),
      }];
    });
  }

  /** The accounts to show under the filter, or null when the whole institution is to be left out. */
  #matches({ institution, accounts }) {
    const listed = this.#type ? accounts.filter(({ type }) => type === this.#type) : accounts;
    if (this.#type && listed.length === 0) return null;
    if (!this.#filter || searchable(institution.name).includes(this.#filter)) return listed;
    const { words } = this.app;
    const text = (account) => searchable(`${account.name} ${words.product(account)} ${digits(account) ?? ''}`);
    const hits = listed.filter((account) => text(account).includes(this.#filter));
    return hits.length > 0 ? hits : null;
  }

  #signature(/** @type {Connection} */ connection) {
    const { app } = this;
    const operation = operationOf(app, connection);
    return JSON.stringify([
      connection, isNew(connection), operation, isUndoOpen(operation), cardSurroundings(app, connection),
      app.words.language, app.store.online, this.#foldable, this.#filter, this.#type,
      this.#expanded.has(connection.id), Boolean(app.choices.draft(connection.id)),
      app.choices.refusal(connection.id),
    ]);
  }

  #cardState({ id }, accounts) {
    const filtered = Boolean(this.#filter || this.#type);
    const toggle = (set, wanted) => (wanted ? set.add(id) : set.delete(id));
    return {
      accounts,
      foldable: this.#foldable,
      expanded: !this.#foldable || Boolean(this.app.choices.draft(id)) || filtered || this.#expanded.has(id),
      toggle: () => {
        toggle(this.#expanded, !this.#expanded.has(id));
        this.render();
      },
      unfolded: this.#unfolded.has(id) || filtered,
      unfold: (open) => {
        if (!filtered) toggle(this.#unfolded, open); // else opened by the search, not by the person
      },
    };
  }

  #manualCards(manualAccounts) {
    const { app } = this;
    const accounts = manualAccounts.filter(({ name, type }) => searchable(name).includes(this.#filter)
      && (!this.#type || type === this.#type));
    this.#hits += accounts.length;
    if (accounts.length === 0) return [];
    const signature = JSON.stringify([app.words.language, accounts, suggestedAccounts(app.store, accounts)]);
    return [{ key: 'manual', signature, build: () => manualCard(app, accounts) }];
  }

  #emptyCard() {
    const { words } = this.app;
    const build = () => h('section', { class: 'card blank', data: { testid: 'empty' } },
      h('span', { class: 'blank-mark' }, icon('bank')),
      h('h2', {}, words.t('empty.title')),
      h('p', {}, words.t('empty.text')),
      h('p', { class: 'fine' }, words.t('add.consent')),
      addInstitutionButton(this.app),
      addManualButton(this.app));
    return { key: 'empty', signature: words.language, build };
  }

  #nothingFoundCard() {
    const { words } = this.app;
    const build = () => h('p', { class: 'card blank', data: { testid: 'nothing-found' } }, words.t('search.nothing'));
    return { key: 'nothing', signature: words.language, build };
  }

  /** Puts the cards into the list in this order; those whose signature is the same stay as they are. */
  #place(cards) {
    let place = this.list.firstChild;
    for (const { key, signature, build } of cards) {
      let card = this.#cards.get(key);
      if (card?.signature !== signature) {
        const element = build();
        if (card?.element.isConnected) {
          if (place === card.element) place = element;
          card.element.replaceWith(element);
        }
        card = { element, signature };
        this.#cards.set(key, card);
      }
      if (place === card.element) place = place.nextSibling;
      else this.list.insertBefore(card.element, place);
    }
    const keys = new Set(cards.map(({ key }) => key));
    for (const key of this.#cards.keys()) if (!keys.has(key)) this.#cards.delete(key);
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  // --- focus ---

  /** On the first tick-box of a connection. */
  focusChoice(connectionId) {
    const card = this.#cards.get(connectionId)?.element;
    (card?.querySelector('input[type=checkbox]') ?? card?.querySelector('button'))?.focus();
  }

  /** Back on the button that opens the tick-boxes. */
  focusChooseButton(connectionId) {
    this.#cards.get(connectionId)?.element.querySelector('[data-testid=choose]')?.focus();
  }

  /** On the operation of a connection: the answer to what was pressed. */
  focusOperation(connectionId) {
    focusWhole(this.#cards.get(connectionId)?.element.querySelector('[data-testid=operation]'));
  }

  /** On the row of an account, unless it is folded away. */
  focusAccount(accountId) {
    focusWhole(this.list.querySelector(`.row[data-account-id="${CSS.escape(accountId)}"]`));
  }
}

/** The focus, with all of the element in view where it fits. */
function focusWhole(element) {
  element?.focus({ preventScroll: true });
  element?.scrollIntoView({ block: 'nearest' });
}
