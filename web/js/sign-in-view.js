/** The door: in demo mode one click per demo user; otherwise the host application signs people in. */

import { button, h } from './dom.js';

export function signInView(app, { users, lost }) {
  const { words } = app;
  const choices = users.map((user) => h('li', {}, button(user.name, {
    kind: 'person',
    data: { testid: 'sign-in', user: user.id },
    action: () => app.signIn(user),
  })));
  return h('div', { class: 'page narrow', data: { testid: 'sign-in-view' } },
    h('div', { class: 'card door' },
      h('h1', { class: 'title', tabindex: '-1' }, words.t('page.title')),
      h('p', { class: 'lede' }, words.t(app.config.demo ? 'signin.lede' : 'signin.elsewhere')),
      lost && h('p', { class: 'notice warn', role: 'status' }, words.t('signin.lost')),
      choices.length > 0 && h('ul', { class: 'people', 'aria-label': words.t('signin.users') }, choices),
      app.config.demo && h('p', { class: 'fine' }, words.t('signin.note')),
    ));
}
