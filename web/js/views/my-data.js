/** Mes données: what Powens sees and until when, everything that is held as a file, and its erasure with a receipt. */

/** @import { OperationView } from 'api' @import { Connection } from '../store.js' */

import { Problem, isFailure, path } from '../api.js';
import { ask, refusalOf } from '../dialogs.js';
import { button, fill, h, icon } from '../dom.js';
import { memory } from '../memory.js';
import { consentLeft, isOpen, isWanted } from '../store.js';

const READ_AGAIN_S = 5;

export class MyDataPage {
  #erasure = null; // the operation of the erasure, under way or ended
  #left = false; // whether another page is shown

  constructor(app) {
    this.app = app;
    this.given = h('div', {});
    this.erased = h('div', { role: 'status' });
    const { words } = app;
    this.root = h('div', { class: 'page narrow', data: { testid: 'data-view' } },
      h('div', { class: 'page-head' },
        h('h1', { class: 'title', tabindex: '-1' }, words.t('data.title')),
        h('p', { class: 'lede' }, words.t('data.lede'))),
      this.erased,
      h('section', { class: 'card about' },
        h('h2', {}, words.t('data.seen.title')),
        h('ul', { class: 'plain' }, ['seen', 'kept', 'never'].map((key) => h('li', {}, words.t(`data.${key}`)))),
        this.given),
      h('section', { class: 'card about' },
        h('h2', {}, words.t('data.export.title')),
        h('p', {}, words.t('data.export.text')),
        button(words.t('data.export'), {
          kind: 'outline', data: { testid: 'export' }, action: () => this.#export(),
        })),
      h('section', { class: 'card about' },
        h('h2', {}, words.t('data.erase.title')),
        h('p', {}, words.t('data.erase.text')),
        button(words.t('data.erase'), {
          kind: 'outline bad', data: { testid: 'erase', key: 'erase' }, action: () => this.#erase(),
        })));
    const id = memory.erasure(app.session.user.id);
    if (id) this.#follow(id);
  }

  leave() {
    this.#left = true;
  }

  render() {
    const { store, words } = this.app;
    const connections = store.connections ?? [];
    const signature = JSON.stringify([connections, words.language]);
    if (this.signature === signature) return;
    this.signature = signature;
    fill(this.given, connections.length > 0
      && h('ul', { class: 'consents' }, connections.map((connection) => this.#consent(connection))));
  }

  // --- what Powens sees ---

  #consent(/** @type {Connection} */ connection) {
    const { choices, operations, words } = this.app;
    const { id, title: name, accounts, connected_at: since, consent_expires_at: until } = connection;
    const seen = accounts.filter(isWanted).map((account) => account.name);
    const day = (moment) => words.days.format(new Date(moment));
    const ended = consentLeft(connection) <= 0;
    return h('li', { data: { testid: 'given', connectionId: id } },
      h('h3', {}, name),
      h('p', {}, seen.length > 0
        ? words.t('data.given', { count: seen.length, names: words.lists.format(seen) })
        : words.t('card.none')),
      h('p', { class: 'facts' },
        [
          since && words.t('data.since', { date: day(since) }),
          until ? words.t(ended ? 'data.ended' : 'data.until', { date: day(until) }) : words.t('data.endless'),
        ].filter(Boolean).join(' ')),
      h('div', { class: 'card-actions' },
        accounts.length > 0 && button(words.t('data.withdraw'), {
          kind: 'link', 'aria-label': words.t('action.choose.at', { name }), data: { testid: 'withdraw' },
          action: () => choices.open(id),
        }),
        !connection.institution.nameless && button(words.t('action.end'), {
          kind: 'link bad', 'aria-label': words.t('action.end.at', { name }), data: { testid: 'withdraw-all' },
          action: () => operations.end(connection),
        })));
  }

  // --- a copy of everything ---

  async #export() {
    const { app } = this;
    const items = [];
    let exportedAt = null;
    let cursor = null;
    const done = await app.attempt(async () => {
      do {
        const query = cursor ? `?${new URLSearchParams({ cursor })}` : '';
        const { data } = await app.api.get(`/v1/me/export${query}`);
        items.push(...data.items);
        exportedAt ??= data.exported_at;
        cursor = data.next;
      } while (cursor);
      return true;
    });
    if (done === null) return;
    save(app.words.t('data.file'), { exported_at: exportedAt, items });
    app.tell(app.words.t('data.exported', { count: items.length }));
  }

  // --- erasure ---

  async #erase() {
    const { app } = this;
    const { words } = app;
    const word = words.t('data.erase.word');
    /** @type {OperationView} */
    let begun;
    const answer = await ask({
      testid: 'erase-dialog',
      danger: true,
      title: words.t('data.erase.ask'),
      body: [
        h('ul', { class: 'plain' },
          ['here', 'powens', 'manual'].map((key) => h('li', {}, words.t(`data.erase.${key}`)))),
        h('p', { class: 'effect-note' }, words.t('data.erase.warning')),
        h('label', { class: 'field' },
          h('span', {}, words.t('data.erase.type', { word })),
          h('input', { name: 'confirm', autocomplete: 'off', spellcheck: 'false', data: { testid: 'erase-word' } })),
      ],
      confirm: words.t('data.erase.confirm'),
      cancel: words.t('action.cancel'),
      lacks: (form) => (form.elements.confirm.value.trim().toLowerCase() === word ? null : words.t('data.erase.lacks')),
      send: () => refusalOf(words, async () => {
        ({ data: begun } = await app.api.change('DELETE', '/v1/me', undefined));
      }),
    });
    if (answer === null) return;
    memory.setErasure(app.session.user.id, begun.id);
    this.#show(begun);
    this.erased.firstElementChild.focus();
    this.#follow(begun.id);
  }

  async #follow(id) {
    const { app } = this;
    let wait = READ_AGAIN_S;
    try {
      const { data, retryAfter } = await app.api.get(path`/v1/operations/${id}`);
      this.#show(data);
      if (!isOpen(data)) {
        memory.setErasure(app.session.user.id, null);
        await app.store.load();
        return;
      }
      wait = retryAfter ?? wait;
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return;
      if (!isFailure(error)) {
        app.fail(error);
        return;
      }
    }
    setTimeout(() => this.#left || this.#follow(id), wait * 1000);
  }

  #show(erasure) {
    if (this.#erasure?.status === erasure.status) return;
    this.#erasure = erasure;
    const { words } = this.app;
    const open = isOpen(erasure);
    const when = (moment) => words.moments.format(new Date(moment));
    const data = { testid: 'receipt', status: erasure.status, operationId: erasure.id };
    fill(this.erased, h('section', { class: `card about receipt ${open ? '' : 'good'}`, tabindex: '-1', data },
      h('h2', {}, open ? h('span', { class: 'spinner', 'aria-hidden': 'true' }) : icon('check'),
        words.t(open ? 'data.erasing' : 'data.erased')),
      h('p', {}, words.t(open ? 'data.erasing.text' : 'data.erased.text', {
        asked: when(erasure.created_at), ended: open ? '' : when(erasure.ended_at), deadline: when(erasure.deadline_at),
      })),
      h('p', { class: 'facts' }, words.t('error.reference', { reference: erasure.id })),
      !open && button(words.t('data.receipt'), {
        kind: 'outline', data: { testid: 'receipt-file' }, action: () => save(words.t('data.receipt.file'), erasure),
      })));
  }
}

/** Gives `content` to the person as a file of JSON. */
function save(name, content) {
  const file = new Blob([JSON.stringify(content, null, 1)], { type: 'application/json' });
  const href = URL.createObjectURL(file);
  h('a', { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
