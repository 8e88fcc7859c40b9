/** "Ajouter": what can be added, each with what it means. */

import { newId, openDialog } from '../dialogs.js';
import { button, h } from '../dom.js';

export function openAdd(app) {
  const { visits, words } = app;
  const heading = newId();
  const option = (testid, icon, label, text, action) => h('li', {},
    button([words.t(label), h('small', {}, words.t(text))], { kind: 'option', icon, data: { testid }, action }));
  const then = (name, work) => async () => {
    await app.withView(name, (view) => { next = () => work(view); });
    dialog.close();
  };
  let next = null;
  const title = h('h2', { id: heading, tabindex: '-1' }, words.t('add.title'));
  const content = [
    title,
    h('ul', { class: 'options' },
      option('add-institution', 'bank', 'action.add_institution', 'add.institution', async () => {
        await visits.start('connect', null);
        dialog.close();
      }),
      option('add-manual', 'pencil', 'action.add_manual', 'add.manual',
        then('manual-dialogs', (view) => view.addManualAccount(app))),
      option('missing-open', 'search', 'missing.title', 'add.missing',
        then('missing-account', (view) => view.openMissingAccount(app)))),
    h('p', { class: 'consent fine', data: { testid: 'add-consent' } }, words.t('add.consent')),
    h('div', { class: 'dialog-actions' },
      button(words.t('action.cancel'), { data: { testid: 'dialog-cancel' }, action: () => dialog.close() })),
  ];
  const dialog = openDialog({ testid: 'add-dialog', heading, content, closed: () => next?.() });
  title.focus();
}
