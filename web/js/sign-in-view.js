/** The door: in the demo one click per demo user; otherwise the way to the host application's own sign-in page. */

import { button, h, icon } from './dom.js';

/** @param {{users: {id: string, name: string}[]|null, lost: boolean}} state `users` is null when they could not be read */
export function signInView(app, { users, lost }) {
  const { words, config } = app;
  const door = config.sign_in_url && URL.canParse(config.sign_in_url, location.href) ? new URL(config.sign_in_url, location.href) : null;
  const choices = (users ?? []).map((user) => h('li', {}, button(user.name, {
    kind: 'person',
    data: { testid: 'sign-in', user: user.id },
    action: () => app.signIn(user),
  })));
  return h('div', { class: 'page narrow', data: { testid: 'sign-in-view' } },
    h('div', { class: 'card door' },
      h('h1', { class: 'title', tabindex: '-1' }, words.t('page.title')),
      h('p', { class: 'lede' }, words.t(config.demo ? 'signin.lede' : 'signin.elsewhere')),
      lost && h('p', { class: 'notice warn', role: 'status' }, words.t('signin.lost')),
      choices.length > 0 && h('ul', { class: 'people', 'aria-label': words.t('signin.users') }, choices),
      users === null && button(words.t('action.retry'), { kind: 'primary', data: { testid: 'retry' }, action: () => app.showSignIn(lost) }),
      !config.demo && door?.origin === location.origin && h('a', { class: 'button primary', href: door.href, data: { testid: 'sign-in-link' } }, icon('leave'), words.t('action.sign_in')),
      config.demo && h('p', { class: 'fine' }, words.t('signin.note')),
    ));
}
