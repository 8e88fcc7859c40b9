/** The door: in the demo one click per demo user; otherwise the way to the host application's own sign-in page. */

import { button, h, icon } from '../dom.js';

/**
 * @param {any} app
 * @param {{users: {id: string, name: string}[]|null, lost: boolean}} state `users` is null: they could not be read
 */
export function signInPage(app, { users, lost }) {
  const { words, config } = app;
  return h('div', { class: 'page narrow', data: { testid: 'sign-in-view' } },
    h('div', { class: 'card door' },
      h('h1', { class: 'title', tabindex: '-1' }, words.t('page.title')),
      h('p', { class: 'lede' }, words.t(config.demo ? 'signin.lede' : 'signin.elsewhere')),
      lost && h('p', { class: 'notice warn', role: 'status' }, words.t('signin.lost')),
      users?.length > 0 && demoUsers(app, users),
      users === null && button(words.t('action.retry'), {
        kind: 'primary', data: { testid: 'retry' }, action: () => app.showSignIn(lost),
      }),
      !config.demo && signInLink(app),
      config.demo && h('p', { class: 'fine' }, words.t('signin.note')),
    ));
}

function demoUsers(app, users) {
  return h('ul', { class: 'people', 'aria-label': app.words.t('signin.users') },
    users.map((user) => h('li', {}, button(user.name, {
      kind: 'person', data: { testid: 'sign-in', user: user.id }, action: () => app.signIn(user),
    }))));
}

/** Only on the page's own origin. */
function signInLink({ config, words }) {
  const address = config.sign_in_url;
  const door = address && URL.canParse(address, location.href) ? new URL(address, location.href) : null;
  if (door?.origin !== location.origin) return null;
  return h('a', { class: 'button primary', href: door.href, data: { testid: 'sign-in-link' } },
    icon('leave'), words.t('action.sign_in'));
}
