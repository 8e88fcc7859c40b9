/** Wishes: a person asks to hear when an institution gives a type of account, and is told once it does. */

/** @import { Connection } from '../store.js' */

import { path } from '../api.js';
import { button } from '../dom.js';

const noticeKey = (wish) => `wish-${wish.id}`;

export class Wishes {
  constructor(app) {
    this.app = app;
  }

  /** The wish that is recorded and was not granted yet. @returns {object|undefined} */
  find(institutionId, type) {
    return this.app.store.wishes.find(
      (wish) => wish.institution_id === institutionId && wish.type === type && !wish.available_at,
    );
  }

  /** @returns {Promise<boolean>} whether it is recorded; if not, the page says why */
  record(institutionId, type) {
    return this.#change('POST', '/v1/wishes', { institution_id: institutionId, type });
  }

  /** @returns {Promise<boolean>} whether it is dismissed; if not, the page says why */
  dismiss(wish) {
    return this.#change('DELETE', path`/v1/wishes/${wish.id}`, undefined);
  }

  async #change(method, target, body) {
    const { app } = this;
    if (await app.attempt(() => app.api.change(method, target, body)) === null) return false;
    await app.store.load();
    return true;
  }

  /** One notice for each account that was wished for and can be had now. It stays until it is closed. */
  showGranted() {
    const { notices, store } = this.app;
    const granted = store.connections === null ? [] : store.wishes.filter((wish) => wish.available_at);
    const keys = new Set(granted.map(noticeKey));
    for (const key of notices.keys) if (key.startsWith('wish-') && !keys.has(key)) notices.drop(key);
    for (const wish of granted) this.#show(wish);
  }

  #show(wish) {
    const { app } = this;
    const { notices, store, words } = app;
    const offer = offered(wish, store.connections);
    const signature = `${offer.connection?.id} ${offer.disabled} ${offer.enabled}`;
    if (notices.get(noticeKey(wish))?.dataset.signature === signature) return;
    notices.show(noticeKey(wish), {
      tone: 'good',
      text: words.t('wish.granted', { name: wish.institution_name, type: words.t(`types.${wish.type}`) }),
      actions: [this.#step(offer)],
      close: words.t('action.close'),
      closed: async () => {
        await app.attempt(() => app.api.change('DELETE', path`/v1/wishes/${wish.id}`, undefined));
        await store.load(); // shows again what could not be taken away
      },
    });
    notices.get(noticeKey(wish)).dataset.signature = signature;
  }

  #step({ connection, disabled, enabled }) {
    const { app } = this;
    if (enabled) return null;
    const step = (label, action) => button(app.words.t(label), {
      kind: 'outline', data: { testid: 'wish-step' }, action,
    });
    if (disabled.length > 0) return step('action.choose', () => app.choices.open(connection.id, disabled));
    if (connection) return step('action.open_powens', () => app.visits.start('manage', connection));
    return step('missing.connect', () => app.visits.start('connect', null));
  }
}

/** Where the account can be had: the connection, its disabled accounts of that type, whether one is enabled already. */
function offered(wish, /** @type {Connection[]} */ connections) {
  const there = connections.filter((connection) => connection.institution.id === wish.institution_id);
  const connection = there.find((one) => !one.superseded_by) ?? there[0] ?? null;
  const accounts = (connection?.accounts ?? []).filter((account) => account.type === wish.type);
  const disabled = accounts.filter((account) => account.status === 'disabled').map((account) => account.id);
  const enabled = disabled.length === 0
    && accounts.some((account) => account.enabled || account.status === 'enabling');
  return { connection, disabled, enabled };
}
