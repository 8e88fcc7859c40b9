/** "Connecter d'autres comptes": what is known about them before anybody is sent to Powens. */

/** @import { Connection } from '../store.js' */

import { newId, openDialog } from '../dialogs.js';
import { button, h } from '../dom.js';
import { isSelectable, isWanted } from '../store.js';

/** Accounts that are known and not synchronised can be ticked here; whether there are others, only Powens can say. */
export function openMoreAccounts(app, /** @type {Connection} */ connection) {
  const { choices, visits, words } = app;
  const { can_add_accounts: more, id, title: name } = connection;
  const known = connection.accounts.filter((account) => isSelectable(account) && !isWanted(account));
  const names = words.lists.format(known.map((account) => account.name));
  const heading = newId();
  let next = null;
  const then = (work) => () => {
    next = work;
    dialog.close();
  };
  const title = h('h2', { id: heading, tabindex: '-1' }, words.t('action.more.at', { name }));
  const content = [
    title,
    h('p', { data: { testid: 'more-answer', reason: more?.reason ?? '' } },
      known.length > 0
        ? words.t('more.known', { count: known.length, names })
        : more?.message || words.t('missing.unknown')),
    h('p', {}, words.t('more.ask'), ' ', button(words.t('missing.ask'), {
      kind: 'link',
      data: { testid: 'more-ask' },
      action: async () => {
        await app.withView('missing-account', (view) => { next = () => view.openMissingAccount(app, connection); });
        dialog.close();
      },
    })),
    h('div', { class: 'dialog-actions' },
      button(words.t('action.cancel'), { data: { testid: 'dialog-cancel' }, action: () => dialog.close() }),
      button(words.t('action.open_powens'), {
        kind: 'outline',
        data: { testid: 'more-powens' },
        action: async () => {
          await visits.start('manage', connection);
          dialog.close();
        },
      }),
      known.length > 0 && button(words.t('action.choose'), {
        kind: 'primary', data: { testid: 'more-choose' }, action: then(() => choices.open(id)),
      })),
  ].filter(Boolean);
  const dialog = openDialog({ testid: 'more-dialog', heading, content, closed: () => next?.() });
  title.focus();
}
