/**
 * The list of institutions and their accounts. Each institution is one section that is rebuilt only when something it
 * shows has changed; ticking a box touches its own counter and nothing else.
 */

import { button, fill, h, icon, keepingFocus } from './dom.js';
import { counts, totals } from './money.js';
import { OPEN, settling } from './store.js';

const MANY_INSTITUTIONS = 8;
const MANY_ACCOUNTS = 30;
const LONG_LIST = 6;
const CONSENT_WARNING_DAYS = 14;
const DAY_MS = 86_400_000;
const ONE_SYNCHRONISATION_MS = 3_600_000; // by which the dates of a bank and its accounts may differ
const UNDER_WAY = new Set(['enabling', 'disabling']);
const FOLDED = new Set(['disabled']);

const fold = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
const shown = (account) => !FOLDED.has(account.status) && (account.enabled || account.status !== 'closed_at_bank');
const selectable = (account) => account.status !== 'closed_at_bank' || account.enabled;
// While a change is under way the box shows what was asked for, so that a further choice builds on it.
const wantedNow = (account) => (UNDER_WAY.has(account.status) ? account.status === 'enabling' : account.enabled);

/** Whether only the person can say what an account is to be: several that look alike, or a choice that Powens refused. */
const asksForChoice = ({ duplicate_of: duplicate, status_reason: reason }) => !duplicate && reason?.who_must_act === 'user' && reason.next_step === 'manage';

const consentLeft = (connection, now = Date.now()) => (connection.consent_expires_at ? Date.parse(connection.consent_expires_at) - now : Infinity);

/** What needs the person, most urgent first: {connection, urgent, title, message, flow}. */
export function needs(connections, words, now = Date.now()) {
  const found = [];
  for (const connection of connections) {
    if (connection.superseded_by) continue; // nothing is lost through it, so nothing is asked
    const name = connection.institution.name;
    const reason = connection.status_reason;
    const left = consentLeft(connection, now);
    const asked = connection.status === 'action_required' || (connection.status !== 'ok' && reason?.who_must_act === 'user');
    if (asked) {
      found.push({ connection, urgent: true, title: words.t('needs.action', { name }), message: reason?.message ?? '', flow: reason?.next_step === 'manage' ? 'manage' : 'reconnect' });
    } else if (left <= 0) {
      found.push({ connection, urgent: true, title: words.t('needs.expired', { name }), message: words.t('needs.expired.detail'), flow: 'reconnect' });
    } else if (left <= CONSENT_WARNING_DAYS * DAY_MS) {
      const count = Math.ceil(left / DAY_MS);
      found.push({ connection, urgent: false, left, title: words.t('needs.expiring', { name, count }), message: words.t('needs.expiring.detail'), flow: 'reconnect' });
    }
    const choice = !asked && left > 0 && connection.accounts.find(asksForChoice);
    if (choice) found.push({ connection, urgent: false, title: words.t('needs.action', { name }), message: choice.status_reason.message, flow: 'manage' });
  }
  return found.sort((a, b) => Number(b.urgent) - Number(a.urgent) || (a.left ?? 0) - (b.left ?? 0));
}

/** How a connection looks. Green ("good") is kept for a recent success. */
export function condition(connection) {
  if (connection.superseded_by) return ['calm', 'status.superseded'];
  if (connection.status === 'ok') {
    return { fresh: ['good', 'status.fresh'], ageing: ['calm', 'status.ageing'], stale: ['warn', 'status.stale'] }[connection.freshness] ?? ['calm', 'status.never'];
  }
  return {
    syncing: ['calm', 'status.syncing'],
    action_required: ['warn', 'status.action_required'],
    waiting: ['calm', 'status.waiting'],
    failed: ['bad', 'status.failed'],
  }[connection.status] ?? ['calm', 'status.never'];
}

/** Connections whose institutions have one name are told apart by a number. @returns {Map<string, number>} by connection id */
function numbered(connections) {
  const groups = Object.values(Object.groupBy(connections, (connection) => connection.institution.name));
  return new Map(groups.filter((group) => group.length > 1).flatMap((group) => group.map((connection, place) => [connection.id, place + 1])));
}

const CONDITION_ICON = { good: 'check', calm: 'clock', warn: 'alert', bad: 'cross' };

export class AccountsView {
  #sections = new Map(); // key -> {element, signature}
  #expanded = new Set();
  #unfolded = new Set();
  #choices = new Map(); // connection id -> Map(account id -> boolean): only what the person changed
  #filter = '';

  /** @param {AccountsView|undefined} previous whose open sections and unsent ticks are taken over */
  constructor(app, previous) {
    this.app = app;
    if (previous) {
      this.#expanded = previous.#expanded;
      this.#unfolded = previous.#unfolded;
      this.#choices = previous.#choices;
    }
    this.summary = h('div', { class: 'summary', data: { testid: 'summary' } });
    this.attention = h('div', { class: 'attention', data: { testid: 'attention' } });
    this.search = h('div', { class: 'search', hidden: true });
    this.list = h('div', { class: 'sections' });
    this.root = h('div', { class: 'page', data: { testid: 'accounts-view' } },
      h('div', { class: 'page-head' }, h('h1', { class: 'title', tabindex: '-1' }, app.words.t('page.title')), h('p', { class: 'lede', data: { testid: 'lede' } })),
      h('div', { class: 'columns' }, this.summary, h('div', { class: 'stream' }, app.notices.element, this.attention, this.search, this.list)));
    this.lede = this.root.querySelector('.lede');
  }

  // --- the whole page ---

  render() {
    const { store, words } = this.app;
    this.root.setAttribute('aria-busy', String(store.connections === null && !store.failure));
    if (store.connections === null) {
      if (store.failure || !store.online) this.#renderFailure();
      else this.#renderSkeleton();
      return;
    }
    const { connections } = store;
    const manualAccounts = store.manualAccounts.filter((account) => account.enabled); // the others show, joined, where they count
    const empty = connections.length === 0 && store.manualAccounts.length === 0;
    const accounts = connections.flatMap((connection) => connection.accounts);
    const institutions = new Set(connections.map((connection) => connection.institution.id)).size;
    this.many = connections.length > MANY_INSTITUTIONS;
    this.lede.textContent = empty ? words.t('empty.lede') : words.t('page.count', {
      accounts: words.t('count.accounts', { count: accounts.filter(counts).length }),
      institutions: words.t('count.institutions', { count: institutions }),
    });
    keepingFocus(this.root, () => {
      this.#renderSummary(connections, [...accounts, ...manualAccounts], empty);
      this.#renderAttention(connections);
      this.#renderSearch(this.many || accounts.length > MANY_ACCOUNTS);
      this.#renderSections(connections, manualAccounts, empty);
    });
  }

  #renderFailure() {
    const { store, words } = this.app;
    const offline = !store.online || store.failure?.status === undefined;
    const reference = store.failure?.requestId;
    this.lede.textContent = '';
    const title = this.app.words.t('summary.title');
    fill(this.summary, h('p', { class: 'eyebrow' }, title), h('p', { class: 'total', 'aria-hidden': 'true' }, '—'));
    this.summarySignature = null;
    this.attention.replaceChildren();
    this.#sections.clear();
    this.list.replaceChildren(h('section', { class: 'card blank', data: { testid: offline ? 'offline' : 'error' }, role: 'alert' },
      h('span', { class: 'blank-mark' }, icon(offline ? 'cloud' : 'alert')),
      h('h2', {}, words.t(offline ? 'offline.title' : 'error.title')),
      h('p', {}, words.t(offline ? 'offline.text' : 'error.text')),
      reference && h('p', { class: 'fine' }, words.t('error.reference', { reference })),
      button(words.t('action.retry'), { kind: 'primary', data: { testid: 'retry', key: 'retry' }, action: () => store.refresh() })));
  }

  /** The same shapes as index.html shows before any script runs. */
  #renderSkeleton() {
    if (this.list.querySelector('.bone')) return;
    const bones = (...kinds) => kinds.map((kind) => h('div', { class: `bone ${kind}` }));
    fill(this.lede, h('span', { class: 'visually-hidden' }, this.app.words.t('page.loading')));
    fill(this.summary, bones('bone-line', 'bone-total', 'bone-button'));
    this.#sections.clear();
    fill(this.list, [3, 2].map((rows) => h('div', { class: 'card bone-card', 'aria-hidden': 'true', data: { testid: 'skeleton' } }, bones('bone-head', ...Array(rows).fill('')))));
  }

  #renderSummary(connections, accounts, empty) {
    const { app } = this;
    const { store, words } = app;
    const sums = totals(accounts);
    const stale = Boolean(store.failure) || !store.online;
    const signature = JSON.stringify([sums, empty, stale, words.language, store.live?.connected ?? null, stale && store.receivedAt]);
    if (this.summarySignature === signature) return;
    this.summarySignature = signature;
    const [first, ...rest] = sums;
    fill(this.summary,
      h('p', { class: 'eyebrow' }, words.t('summary.title')),
      h('p', { class: 'total', data: { testid: 'total' } }, first ? words.money(first[1], first[0]) : '—'),
      rest.length > 0 && h('ul', { class: 'other-totals' }, rest.map(([currency, amount]) => h('li', {}, words.money(amount, currency)))),
      h('p', { class: `link-state ${stale ? 'warn' : ''}`, data: { testid: 'page-state' } },
        h('span', { class: 'dot', 'aria-hidden': 'true' }),
        stale ? words.t(store.online ? 'state.failing' : 'state.offline', { time: words.times.format(store.receivedAt) })
          : words.t(store.live?.connected ? 'state.live' : 'state.polling')),
      h('div', { class: 'summary-actions' },
        !empty && this.#addInstitution(),
        !empty && button(words.t('missing.title'), { kind: 'link', data: { testid: 'missing-open', key: 'missing-open' }, action: () => app.findMissing() }),
        button(words.t('action.add_manual'), { kind: 'link', data: { testid: 'add-manual', key: 'add-manual' }, action: () => app.manual.add() })));
  }

  #addInstitution() {
    return button(this.app.words.t('action.add_institution'), {
      kind: 'primary', icon: 'plus', data: { testid: 'add-institution', key: 'add-institution' }, action: () => this.app.goToPowens('connect', null),
    });
  }

  #renderAttention(connections) {
    const { app } = this;
    const { words } = app;
    const found = needs(connections, words);
    const signature = JSON.stringify([words.language, found.map((need) => [need.connection.id, need.title, need.message, need.flow])]);
    if (this.attentionSignature === signature) return;
    this.attentionSignature = signature;
    fill(this.attention, found.length > 0 && [
      h('h2', { class: 'visually-hidden' }, words.t('needs.title')),
      h('ul', {}, found.map((need) => h('li', { class: `need ${need.urgent ? 'urgent' : ''}`, data: { testid: 'need' } },
        icon(need.urgent ? 'alert' : 'clock'),
        h('div', { class: 'need-text' }, h('p', { class: 'need-title' }, need.title), need.message && h('p', {}, need.message)),
        button(words.t(`action.${need.flow}`), {
          kind: need.urgent ? 'primary' : 'outline',
          'aria-label': words.t(`action.${need.flow}.at`, { name: need.connection.institution.name }),
          data: { testid: 'need-action', key: `need-${need.flow}-${need.connection.id}` },
          action: () => app.goToPowens(need.flow, need.connection),
        })))),
    ]);
  }

  #renderSearch(wanted) {
    const { words } = this.app;
    this.search.hidden = !wanted;
    if (!wanted || this.search.dataset.language === words.language) return;
    this.search.dataset.language = words.language;
    const input = h('input', {
      type: 'search', id: 'search', value: this.#filter, autocomplete: 'off', spellcheck: 'false',
      placeholder: words.t('search.hint'), data: { testid: 'search', key: 'search' },
      on: { input: () => this.#search(input.value) },
    });
    this.search.replaceChildren(h('label', { for: 'search', class: 'visually-hidden' }, words.t('search.label')), icon('search'), input);
  }

  #search(text) {
    this.#filter = fold(text.trim());
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      this.render();
      const { words } = this.app;
      if (this.#filter) this.app.announce(words.t('search.found', { count: this.found }));
    });
  }

  #renderSections(connections, manualAccounts, empty) {
    const { words } = this.app;
    const wanted = [];
    this.list.classList.toggle('many', this.many);
    this.found = 0;
    // A connection that was replaced comes after those that count.
    const ordered = [...connections].sort((a, b) => Boolean(a.superseded_by) - Boolean(b.superseded_by));
    this.numbers = numbered(ordered);
    for (const connection of ordered) {
      const matches = this.#matches(connection);
      if (matches === null) continue;
      this.found += matches.size;
      wanted.push([connection.id, this.#signature(connection), () => this.#section(connection, matches)]);
    }
    const manual = this.#filter ? manualAccounts.filter((account) => fold(account.name).includes(this.#filter)) : manualAccounts;
    this.found += manual.length;
    if (manual.length > 0) wanted.push(['manual', JSON.stringify([words.language, manual, this.#suggested(manual)]), () => this.#manualSection(manual)]);
    if (empty) wanted.push(['empty', words.language, () => this.#emptySection()]);
    else if (wanted.length === 0) wanted.push(['nothing', words.language, () => h('p', { class: 'card blank', data: { testid: 'nothing-found' } }, words.t('search.nothing'))]);

    const seen = new Set();
    let place = this.list.firstChild;
    for (const [key, signature, build] of wanted) {
      seen.add(key);
      let section = this.#sections.get(key);
      if (section?.signature !== signature) {
        const element = build();
        if (section?.element.isConnected) {
          if (place === section.element) place = element;
          section.element.replaceWith(element);
        }
        section = { element, signature };
        this.#sections.set(key, section);
      }
      if (place === section.element) place = place.nextSibling;
      else this.list.insertBefore(section.element, place);
    }
    for (const [key, { element }] of this.#sections) {
      if (seen.has(key)) continue;
      element.remove();
      this.#sections.delete(key);
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  /** The ids of the accounts to show under the filter, or null when the whole institution is to be left out. */
  #matches(connection) {
    const all = () => new Set(connection.accounts.map((account) => account.id));
    if (!this.#filter || fold(connection.institution.name).includes(this.#filter)) return all();
    const hits = connection.accounts.filter((account) => fold(`${account.name} ${account.iban_last4 ?? ''}`).includes(this.#filter));
    return hits.length > 0 ? new Set(hits.map((account) => account.id)) : null;
  }

  #signature(connection) {
    const { store, words } = this.app;
    const operation = this.#operation(connection);
    const undo = operation?.undo_until ? Date.parse(operation.undo_until) > Date.now() : false;
    return JSON.stringify([
      connection, this.numbers.get(connection.id), operation, undo, this.#incident(connection), this.#elsewhere(connection), words.language, store.online, this.many, this.#filter,
      this.#expanded.has(connection.id), this.#choices.has(connection.id),
    ]);
  }

  #emptySection() {
    const { app } = this;
    return h('section', { class: 'card blank', data: { testid: 'empty' } },
      h('span', { class: 'blank-mark' }, icon('bank')),
      h('h2', {}, app.words.t('empty.title')),
      h('p', {}, app.words.t('empty.text')),
      this.#addInstitution());
  }

  // --- one institution ---

  #section(connection, matches) {
    const { store, words } = this.app;
    const { institution } = connection;
    const heading = `institution-${connection.id}`;
    const choosing = this.#choices.has(connection.id);
    const expanded = !this.many || choosing || Boolean(this.#filter) || this.#expanded.has(connection.id);
    const [tone, label] = condition(connection);
    const number = this.numbers.get(connection.id);
    const section = h('section', {
      class: 'card institution', 'aria-labelledby': heading,
      data: { testid: 'institution', connectionId: connection.id, status: connection.status, freshness: connection.freshness, revision: String(connection.revision) },
    },
    h('header', { class: 'card-head' },
      this.app.logos.mark(institution),
      h('div', { class: 'card-title' },
        h('h2', { id: heading }, institution.name, number && h('span', { class: 'number' }, ` (${number})`)),
        h('p', { class: 'card-status', data: { testid: 'connection-status' } },
          h('span', { class: `chip ${tone}` }, icon(CONDITION_ICON[tone]), words.t(label)),
          this.#freshness(connection))),
      this.#cardTotals(connection.accounts),
      this.many && !choosing && this.#toggle(connection, expanded)));
    if (!expanded) return section;
    const operation = this.#operation(connection);
    if (store.heir(connection)) section.append(this.#superseded(connection, operation));
    else if (connection.status !== 'ok' && connection.status_reason?.message) {
      section.append(h('p', { class: `reason ${tone}`, data: { testid: 'connection-reason' } }, connection.status_reason.message));
    }
    const incident = this.#incident(connection);
    if (incident) {
      section.append(h('p', { class: 'reason warn', data: { testid: 'incident' } },
        words.t('incident.since', { name: institution.name }), ' ', this.app.ago(incident.since), '. ', incident.reason.message));
    }
    if (operation) section.append(this.#operationPanel(connection, operation));
    const accounts = connection.accounts.filter((account) => matches.has(account.id));
    section.append(...(choosing ? [this.#choiceForm(connection)] : [...this.#rows(connection, accounts), this.#cardActions(connection, operation)]));
    return section;
  }

  #incident(connection) {
    return this.app.store.incidents.find((incident) => incident.institution_id === connection.institution.id) ?? null;
  }

  /** What a section says of other connections and of accounts kept by hand, which it does not hold. */
  #elsewhere(connection) {
    return [
      this.app.store.heir(connection) && this.#supersession(connection),
      ...connection.accounts.filter((account) => account.linked_account_id).map((account) => this.#nameOf(account.linked_account_id)),
      ...connection.accounts.filter((account) => account.duplicate_of).map((account) => this.#whereItCounts(account, connection)),
    ];
  }

  /** A connection that brings nothing any more, whose accounts all count through another: only whether to end it is left to decide. */
  #superseded(connection, operation) {
    const ending = operation?.kind === 'deletion' && OPEN.has(operation.status);
    return h('div', { class: 'reason', data: { testid: 'superseded', by: connection.superseded_by } },
      h('p', {}, this.#supersession(connection)),
      !ending && h('div', { class: 'card-actions' }, this.#endButton(connection, 'outline')));
  }

  #supersession(connection) {
    const { store, words } = this.app;
    const heir = store.heir(connection);
    const key = heir.institution.id === connection.institution.id ? 'superseded.again' : 'superseded.elsewhere';
    return words.t(key, { name: heir.institution.name, status: this.#standing(heir) });
  }

  /** How a connection stands, as a remark inside a sentence. */
  #standing(connection) {
    const { words } = this.app;
    const label = words.t(condition(connection)[1]);
    return label[0].toLocaleLowerCase(words.locale) + label.slice(1);
  }

  #endButton(connection, kind, disabled = false) {
    const { app } = this;
    if (connection.institution.nameless) return null;
    return button(app.words.t('action.end'), {
      kind: `${kind} bad`, disabled, 'aria-label': app.words.t('action.end.at', { name: connection.institution.name }),
      data: { testid: 'end', key: `end-${connection.id}` }, action: () => app.endConnection(connection),
    });
  }

  #freshness(connection) {
    const { words } = this.app;
    if (!connection.last_success_at) return h('span', { class: 'when' }, words.t('freshness.never'));
    return h('span', { class: 'when' }, `${words.t('freshness.success')} `, this.app.ago(connection.last_success_at));
  }

  #cardTotals(accounts) {
    const { words } = this.app;
    const sums = totals(accounts);
    return sums.length > 0 && h('ul', { class: 'card-totals', 'aria-label': words.t('card.totals'), data: { testid: 'card-totals' } },
      sums.map(([currency, amount]) => h('li', {}, words.money(amount, currency))));
  }

  #toggle(connection, expanded) {
    const { words } = this.app;
    return h('button', {
      type: 'button', class: 'toggle', 'aria-expanded': String(expanded), 'aria-label': words.t('action.toggle', { name: connection.institution.name }),
      data: { testid: 'toggle', key: `toggle-${connection.id}` },
      on: {
        click: () => {
          if (this.#expanded.has(connection.id)) this.#expanded.delete(connection.id);
          else this.#expanded.add(connection.id);
          this.render();
        },
      },
    }, h('span', { class: 'toggle-count' }, words.t('count.short', { count: connection.accounts.filter(counts).length })), icon('chevron'));
  }

  #rows(connection, accounts) {
    const { words } = this.app;
    const listed = accounts.filter(shown);
    const folded = accounts.filter((account) => !shown(account));
    const row = (account) => this.#row(connection, account);
    const parts = [listed.length > 0
      ? h('ul', { class: `rows ${listed.length > MANY_ACCOUNTS ? 'long' : ''}`, 'aria-label': words.t('card.synchronised') }, listed.map(row))
      : h('p', { class: 'none' }, words.t('card.none'))];
    if (folded.length > 0) {
      const details = h('details', { class: 'folded', open: this.#unfolded.has(connection.id) || Boolean(this.#filter), data: { testid: 'not-synchronised' } },
        h('summary', { data: { key: `folded-${connection.id}` } }, icon('chevron'), words.t('card.folded', { count: folded.length })),
        h('ul', { class: 'rows' }, folded.map(row)));
      details.addEventListener('toggle', () => {
        if (this.#filter) return; // opened by the search, not by the person
        if (details.open) this.#unfolded.add(connection.id);
        else this.#unfolded.delete(connection.id);
      });
      parts.push(details);
    }
    return parts;
  }

  #row(connection, account) {
    const { app } = this;
    const { words } = app;
    return h('li', { class: 'row', data: { testid: 'account', accountId: account.id, status: account.status, enabled: String(account.enabled), counts: String(counts(account)) } },
      this.#identity(account, connection),
      this.#balance(account),
      h('div', { class: 'row-actions' },
        account.linked_account_id && [this.#pastBalances(account), this.#part(account.linked_account_id, account.name)],
        button(words.t('action.manage'), {
          kind: 'link', 'aria-label': words.t('action.manage.account', { name: account.name }),
          data: { testid: 'modify', key: `modify-${account.id}` },
          action: () => app.goToPowens('manage', connection),
        })));
  }

  #identity(account, connection = null) {
    const { words } = this.app;
    return h('div', { class: 'identity' },
      h('span', { class: 'name', data: { testid: 'account-name' } }, account.name),
      h('span', { class: 'facts' }, words.type(account.type),
        account.iban_last4 && [' · ', h('span', { class: 'digits' }, h('span', { 'aria-hidden': 'true' }, '••\u202f'), h('span', { class: 'visually-hidden' }, words.t('account.ending')), account.iban_last4)],
        account.institution_name && ` · ${account.institution_name}`),
      !['enabled', 'disabled'].includes(account.status) && words.has(`account.${account.status}`)
        && h('span', { class: `state ${account.status === 'failed' ? 'bad' : 'calm'}`, data: { testid: 'account-status' } }, words.t(`account.${account.status}`)),
      account.status_reason?.message && h('span', { class: 'state-detail' }, account.status_reason.message),
      this.#balanceAge(account, connection),
      account.duplicate_of && h('span', { class: 'state-detail copy', data: { testid: 'duplicate', of: account.duplicate_of, reason: account.duplicate_reason?.code ?? '' } },
        h('span', {}, this.#whereItCounts(account, connection)), h('span', {}, account.duplicate_reason?.message || words.t('account.duplicate.once'))),
      account.linked_account_id && h('span', { class: 'state-detail' }, words.t('account.linked', { name: this.#nameOf(account.linked_account_id) ?? '' })));
  }

  #nameOf(accountId) {
    const { store } = this.app;
    const found = store.account(accountId);
    if (found) return `${found.account.name} (${found.connection.institution.name})`;
    return store.manualAccounts.find((account) => account.id === accountId)?.name ?? null;
  }

  /** Which copy of a real account counts instead of this one, and how the connection that it is in stands. */
  #whereItCounts(account, own) {
    const { store, words } = this.app;
    const counting = store.account(account.duplicate_of);
    if (counting === null) return words.t('account.duplicate.unnamed');
    const { institution, id } = counting.connection;
    const place = id === own.id ? 'here' : institution.id === own.institution.id ? 'again' : 'at';
    return words.t(`account.duplicate.${place}`, { name: counting.account.name, bank: institution.name, status: this.#standing(counting.connection) });
  }

  /** Since when nothing came for this account, though its connection has had a success since: the last balance stays shown. */
  #balanceAge(account, connection) {
    const behind = Date.parse(connection?.last_success_at) - Date.parse(account.last_success_at); // NaN when one of them is unknown
    if (!account.enabled || account.balance === null || !(behind > ONE_SYNCHRONISATION_MS)) return null;
    return h('span', { class: 'state-detail', data: { testid: 'balance-age' } }, `${this.app.words.t('balance.age')} `, this.app.ago(account.last_success_at));
  }

  #balance(account) {
    const { words } = this.app;
    if (account.balance === null || account.balance === undefined || !account.currency) {
      return h('span', { class: 'balance unknown' }, h('span', { 'aria-hidden': 'true' }, '—'), h('span', { class: 'visually-hidden' }, words.t('account.no_balance')));
    }
    return h('span', { class: 'balance', data: { testid: 'balance' } }, words.money(account.balance, account.currency));
  }

  #cardActions(connection, operation) {
    const { app } = this;
    const { words } = app;
    const { id } = connection;
    const { name } = connection.institution;
    const busy = operation !== null && OPEN.has(operation.status);
    const ending = busy && operation.kind === 'deletion';
    const more = connection.can_add_accounts ?? null;
    const expired = consentLeft(connection) <= 0;
    const heir = app.store.heir(connection);
    const healthy = !heir && !expired && (connection.status === 'ok' || connection.status === 'syncing');
    const offerMore = healthy && (more === null || more.next_step === 'manage');
    const at = (action) => ({ 'aria-label': words.t(`action.${action}.at`, { name }), data: { testid: action.replaceAll('_', '-'), key: `${action}-${id}` } });
    const step = expired || connection.status === 'action_required' ? 'reconnect' : connection.status !== 'ok' && connection.status_reason?.next_step === 'manage' && 'manage';
    const mend = step && button(words.t(step === 'manage' ? 'action.open_powens' : 'action.reconnect'), {
      kind: heir ? 'quiet' : 'outline', ...at(step === 'manage' ? 'open_powens' : 'reconnect'), action: () => app.goToPowens(step, connection),
    });
    return h('footer', { class: 'card-foot' },
      h('div', { class: 'card-actions' },
        !heir && mend,
        button(words.t('action.choose'), { kind: 'outline', ...at('choose'), disabled: ending || connection.accounts.length === 0, action: () => this.choose(connection) }),
        offerMore && button(words.t('action.more'), { kind: 'outline', icon: 'plus', ...at('more'), action: () => app.goToPowens('manage', connection) })),
      !heir && this.#hint(connection, offerMore ? null : more),
      h('details', { class: 'extra', data: { testid: 'extra' } },
        h('summary', { 'aria-label': words.t('action.extra.at', { name }), data: { key: `extra-${id}` } }, icon('chevron'), words.t('action.extra')),
        heir && connection.status_reason?.message && h('p', { class: 'fine', data: { testid: 'connection-reason' } }, connection.status_reason.message),
        h('div', { class: 'card-actions' },
          heir && mend,
          button(words.t('action.refresh'), { ...at('refresh'), disabled: busy, action: () => app.refreshConnection(connection) }),
          button(words.t('action.history'), { ...at('history'), action: () => app.showHistory(id) }),
          !heir && this.#endButton(connection, 'quiet', ending))));
  }

  /** Where the button to add accounts is, the way to ask about one; where it is not, also which cause it is. */
  #hint(connection, more) {
    const { app } = this;
    const { words } = app;
    const ask = button(words.t('missing.ask'), {
      kind: more ? 'link' : 'outline', 'aria-label': words.t('missing.ask.at', { name: connection.institution.name }),
      data: { testid: 'missing-ask', key: `ask-${connection.id}` }, action: () => app.findMissing(connection),
    });
    return h('details', { class: 'hint', data: { testid: 'missing-hint', reason: more?.reason ?? '' } },
      h('summary', { data: { key: `hint-${connection.id}` } }, icon('chevron'), words.t('missing.title')),
      h('p', {}, more ? more.message || words.t('missing.unknown') : words.t('missing.ask.text')),
      more?.retry_at && h('p', {}, words.t('missing.retry'), ' ', app.ago(more.retry_at)),
      h('div', { class: 'card-actions' }, more && this.#nextStep(more.next_step, connection, `hint-step-${connection.id}`), ask));
  }

  #nextStep(step, connection, key) {
    const { app } = this;
    const { words } = app;
    if (step === 'manage' || step === 'reconnect') {
      return button(words.t(`action.${step}`), {
        kind: 'outline', 'aria-label': words.t(`action.${step}.at`, { name: connection.institution.name }),
        data: { testid: 'next-step', step, key }, action: () => app.goToPowens(step, connection),
      });
    }
    if (step === 'add_manually') return button(words.t('action.add_manual'), { kind: 'outline', data: { testid: 'next-step', step, key }, action: () => app.manual.add({ institution: connection.institution.name }) });
    return null;
  }

  // --- the operation under way, or just ended ---

  #operation(connection) {
    const operation = this.app.store.operations.get(connection.id);
    if (operation) return operation;
    if (!settling(connection)) return null;
    // Started on another device, and not found in the history yet: the accounts themselves say what is under way.
    return {
      id: null, kind: 'selection', status: 'running', status_reason: null, undo_until: null,
      accounts: connection.accounts.filter((account) => UNDER_WAY.has(account.status))
        .map((account) => ({ account_id: account.id, wanted: account.status === 'enabling' ? 'enabled' : 'disabled', status: 'pending', reason: null })),
    };
  }

  #operationPanel(connection, operation) {
    const { app } = this;
    const { words, store } = app;
    const open = OPEN.has(operation.status);
    const title = operationMessage(words, operation);
    const tone = open ? 'calm' : { completed: 'good', partially_completed: 'warn', needs_user: 'warn' }[operation.status] ?? 'bad';
    const names = new Map(connection.accounts.map((account) => [account.id, account.name]));
    const lines = operation.accounts.map((line) => h('li', { class: `progress ${line.status}`, data: { testid: 'progress', accountId: line.account_id, status: line.status } },
      line.status === 'pending' ? h('span', { class: 'spinner', 'aria-hidden': 'true' }) : icon({ done: 'check', superseded: 'minus', needs_user: 'alert' }[line.status] ?? 'cross'),
      h('span', { class: 'progress-name' }, names.get(line.account_id) ?? words.t('account.unknown')),
      h('span', { class: 'progress-state' }, words.t(line.status === 'done' || line.status === 'pending' ? `progress.${line.status}.${line.wanted}` : `progress.${line.status}`)),
      line.reason?.message && h('span', { class: 'progress-reason' }, line.reason.message)));
    const undoable = operation.id && operation.kind === 'selection' && !operation.undoing && operation.undo_until && Date.parse(operation.undo_until) > Date.now();
    if (undoable) app.renderAt(Date.parse(operation.undo_until) + 50);
    const steps = new Map(operation.accounts.filter((line) => line.reason && line.status !== 'superseded').map((line) => [line.reason.next_step, true]));
    const step = operation.status_reason?.next_step ?? ['reconnect', 'manage', 'add_manually'].find((candidate) => steps.has(candidate));
    const list = lines.length > 0 && h('ul', { class: 'progress-list' }, lines);
    return h('div', { class: `operation ${tone}`, role: 'group', 'aria-label': words.t('operation.label'), data: { testid: 'operation', operationId: operation.id ?? '', kind: operation.undoing ? 'undo' : operation.kind, status: operation.status } },
      h('p', { class: 'operation-title' }, open ? h('span', { class: 'spinner', 'aria-hidden': 'true' }) : icon(CONDITION_ICON[tone]), h('span', { data: { testid: 'operation-message' } }, title)),
      operation.status_reason?.message && h('p', { class: 'operation-detail' }, operation.status_reason.message),
      operation.status === 'timed_out' && h('p', { class: 'operation-detail' }, words.t('operation.timed_out.detail')),
      lines.length > LONG_LIST ? h('details', {}, h('summary', { data: { key: `lines-${connection.id}` } }, icon('chevron'), words.t('operation.lines', { count: lines.length })), list) : list,
      (undoable || !open) && h('div', { class: 'card-actions' },
        !open && operation.status !== 'completed' && this.#nextStep(step, connection, `step-${connection.id}`),
        undoable && button(words.t('action.undo'), { kind: 'outline', data: { testid: 'undo', key: `undo-${connection.id}` }, action: () => app.undo(connection, operation) }),
        !open && button(words.t('action.close'), { data: { testid: 'dismiss', key: `dismiss-${connection.id}` }, action: () => store.dismiss(connection.id) })));
  }

  // --- choosing with tick-boxes ---

  /** @param {string[]} ticked accounts that are ticked beforehand */
  choose(connection, ticked = []) {
    this.#choices.set(connection.id, new Map(ticked.map((id) => [id, true])));
    this.render();
    const section = this.#sections.get(connection.id)?.element;
    (section?.querySelector('input[type=checkbox]') ?? section?.querySelector('button'))?.focus();
  }

  stopChoosing(connectionId) {
    this.#choices.delete(connectionId);
    this.render();
    this.#sections.get(connectionId)?.element.querySelector('[data-testid=choose]')?.focus({ preventScroll: true });
  }

  /** The ticked account ids: what is held now, with what the person changed on top. */
  ticked(connection) {
    const changes = this.#choices.get(connection.id) ?? new Map();
    return connection.accounts.filter((account) => selectable(account) && (changes.get(account.id) ?? wantedNow(account))).map((account) => account.id);
  }

  #choiceForm(connection) {
    const { app } = this;
    const { words } = app;
    const changes = this.#choices.get(connection.id);
    const choosable = connection.accounts.filter(selectable);
    const original = new Map(choosable.map((account) => [account.id, wantedNow(account)]));
    let ticked = this.ticked(connection).length;
    const counter = h('p', { class: 'choice-count', data: { testid: 'choice-count' } });
    const count = () => { counter.textContent = words.t('choice.count', { count: ticked, all: choosable.length }); };
    count();
    const mark = (accountId, value) => {
      if (value === original.get(accountId)) changes.delete(accountId);
      else changes.set(accountId, value);
    };
    const boxes = h('ul', { class: `rows boxes ${choosable.length > MANY_ACCOUNTS ? 'long' : ''}` }, choosable.map((account) => {
      const box = h('input', {
        type: 'checkbox', checked: changes.get(account.id) ?? wantedNow(account), value: account.id,
        data: { testid: 'account-choice', accountId: account.id, key: `box-${account.id}` },
      });
      return h('li', {}, h('label', { class: 'row' }, box, this.#identity(account, connection), this.#balance(account)));
    }));
    boxes.addEventListener('change', ({ target }) => {
      ticked += target.checked ? 1 : -1;
      mark(target.value, target.checked);
      count();
    });
    const all = (value) => () => {
      for (const box of boxes.querySelectorAll('input')) {
        box.checked = value;
        mark(box.value, value);
      }
      ticked = value ? choosable.length : 0;
      count();
    };
    const finish = button(words.t('action.finish'), {
      kind: 'primary', data: { testid: 'finish', key: `finish-${connection.id}` },
      action: () => app.finishChoosing(connection.id),
    });
    return h('form', { class: 'choice', data: { testid: 'selection' }, on: { submit: (event) => { event.preventDefault(); finish.click(); } } },
      h('fieldset', {},
        h('legend', {}, words.t('choice.legend', { name: connection.institution.name })),
        choosable.length > LONG_LIST && h('div', { class: 'card-actions' },
          button(words.t('choice.all'), { kind: 'link', data: { testid: 'tick-all', key: `all-${connection.id}` }, action: all(true) }),
          button(words.t('choice.none'), { kind: 'link', data: { testid: 'tick-none', key: `none-${connection.id}` }, action: all(false) })),
        boxes),
      h('div', { class: 'choice-bar' }, counter,
        button(words.t('action.cancel'), { data: { testid: 'cancel', key: `cancel-${connection.id}` }, action: () => this.stopChoosing(connection.id) }),
        finish));
  }

  // --- manual accounts ---

  #manualSection(accounts) {
    const { words } = this.app;
    return h('section', { class: 'card', 'aria-labelledby': 'manual-heading', data: { testid: 'manual-accounts' } },
      h('header', { class: 'card-head' },
        h('span', { class: 'logo manual', 'aria-hidden': 'true' }, icon('pencil')),
        h('div', { class: 'card-title' }, h('h2', { id: 'manual-heading' }, words.t('manual.title')), h('p', { class: 'card-status' }, h('span', { class: 'when' }, words.t('manual.text')))),
        this.#cardTotals(accounts)),
      h('ul', { class: 'rows' }, accounts.map((account) => this.#manualRow(account))));
  }

  #manualRow(account) {
    const { manual, words } = this.app;
    const act = (name, testid, kind, work) => button(words.t(`action.${name}`), {
      kind, 'aria-label': words.t(`action.${name}.account`, { name: account.name }), data: { testid, key: `${testid}-${account.id}` }, action: work,
    });
    return h('li', { class: 'row', data: { testid: 'manual-account', accountId: account.id } },
      this.#identity(account), this.#balance(account),
      h('div', { class: 'row-actions' },
        this.#pastBalances(account),
        account.linked_account_id
          ? this.#part(account.id, account.name)
          : act('delete', 'delete-manual', 'quiet', () => manual.remove(account)),
        act('edit', 'edit-manual', 'link', () => manual.edit(account))),
      this.#suggestions(account));
  }

  #pastBalances(account) {
    const { manual, words } = this.app;
    return button(words.t('action.balances'), {
      'aria-label': words.t('action.balances.account', { name: account.name }), data: { testid: 'past-balances', key: `balances-${account.id}` },
      action: () => manual.balances(account),
    });
  }

  #part(manualId, name) {
    const { manual, words } = this.app;
    return button(words.t('join.part'), {
      'aria-label': words.t('join.part.account', { name }), data: { testid: 'part', key: `part-${manualId}` }, action: () => manual.part(manualId, name),
    });
  }

  #suggested(accounts) {
    return accounts.map((account) => (account.link_suggestions ?? []).map((suggestion) => this.#synchronised(suggestion.account_id)));
  }

  #synchronised(accountId) {
    const found = this.app.store.account(accountId);
    return found && { ...found.account, institution: found.connection.institution.name };
  }

  /** "C'est le même compte ?": both accounts beside each other, and what speaks for it. */
  #suggestions(account) {
    const { manual, words } = this.app;
    return (account.link_suggestions ?? []).map(({ account_id: accountId, evidence }) => {
      const other = this.#synchronised(accountId);
      if (!other) return null;
      const signs = evidence.filter((code) => words.has(`sign.${code}`)).map((code) => words.t(`sign.${code}`));
      return h('div', { class: 'suggestion', role: 'group', 'aria-label': words.t('join.title'), data: { testid: 'suggestion', accountId } },
        h('p', { class: 'suggestion-title' }, words.t('join.title')),
        h('ul', {},
          h('li', {}, h('span', {}, words.t('join.by_hand', { name: account.name })), this.#balance(account)),
          h('li', {}, h('span', {}, words.t('join.synchronised', { name: other.name, institution: other.institution })), this.#balance(other))),
        signs.length > 0 && h('p', { class: 'fine' }, words.t('join.signs', { signs: words.lists.format(signs) })),
        h('div', { class: 'card-actions' },
          button(words.t('join.yes'), { kind: 'outline', data: { testid: 'join', key: `join-${account.id}-${accountId}` }, action: () => manual.join(account, other) }),
          button(words.t('join.no'), { data: { testid: 'not-the-same', key: `reject-${account.id}-${accountId}` }, action: () => manual.reject(account, other) })));
    });
  }
}

/** The sentence that says how an operation stands. */
export function operationMessage(words, operation) {
  const kind = operation.undoing ? 'undo' : operation.kind;
  if (OPEN.has(operation.status)) return words.t(`operation.open.${kind}`);
  const own = `operation.${operation.status}.${kind}`;
  return words.t(words.has(own) ? own : `operation.${operation.status}`);
}
