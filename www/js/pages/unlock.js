/** The way into a locked wallet. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { button, errorNote, field, form, linkButton } from '../parts/basic.js';
import { passwordInput } from '../parts/password.js';
import { to } from '../router.js';

/**
 * @param {import('../app.js').App} app
 * @param {'h1' | 'h2'} [level] of its heading, within a page that has one
 * @returns {import('../app.js').Page}
 */
export function unlockPage(app, level = 'h1') {
  let password = '';
  return {
    title: 'Unlock',
    view: () => {
      const error = app.problem('unlock');
      const mistyped = error?.code === 'wallet.wrong_password';
      return h('div', { class: 'welcome' },
        icon('lock', { size: 36 }),
        h(level, null, 'Wallet locked'),
        form(() => app.act('unlock', async () => {
          app.put('status', await app.client.unlock({ password }));
          password = '';
        }),
        field({ id: 'password', label: 'Password', wrong: mistyped ? 'This is not the password.' : null }, (attributes) => passwordInput(
          { ...attributes, autofocus: true, ref: (/** @type {HTMLElement} */ element) => queueMicrotask(() => element.focus()) }, 'current-password', password, (text) => { password = text; app.clearProblem('unlock'); app.refresh(); })),
        error && !mistyped && errorNote(error),
        h('div', { class: 'row' }, button('Unlock', { submit: true, main: true, busy: app.doing('unlock'), busyLabel: 'Unlocking …', disabled: password === '' }),
          level === 'h1' && linkButton('Look at the explorer', to('explorer')))),
        h('details', null, h('summary', null, 'Password forgotten'),
          h('p', { class: 'small' }, 'Nobody can reset it. With your words you can wipe this wallet and restore it: ', h('a', { href: to('settings', 'wipe') }, 'wipe and restore'), '.')));
    },
    leave: () => { password = ''; },
  };
}
