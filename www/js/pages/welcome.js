/** The first page of somebody without a wallet. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { linkButton } from '../parts/basic.js';
import { to } from '../router.js';

/**
 * @param {import('../app.js').App} app
 * @returns {import('../app.js').Page}
 */
export function welcomePage(app) {
  return {
    title: 'Welcome',
    view: () => {
      const network = app.use('status').value?.network;
      return h('div', { class: 'welcome' },
        h('h1', null, 'Money you can check yourself'),
        h('p', { class: 'lede' }, 'This page is the wallet. It verifies every block on its own, keeps your keys in this browser, and says at every moment how much of your money is insured.'),
        h('div', { class: 'row' },
          linkButton('Create wallet', to('create'), { main: true }),
          linkButton('Restore wallet', to('restore')),
          linkButton('Look at the explorer', to('explorer'))),
        h('ul', { class: 'promises' },
          promise('shield', 'Verified here', 'Blocks are executed and checked in this page. Nobody is believed.'),
          promise('bank', 'Insured and promised', 'Each balance says what collateral backs and what a bank only promises.'),
          promise('lock', 'Keys stay here', 'Encrypted with your password. Twelve words bring them back.')),
        network?.test && h('p', { class: 'small muted' }, `This is the test network “${network.name}”: its money is for trying things out.`));
    },
  };
}

/**
 * @param {import('../icons.js').IconName} picture
 * @param {string} title
 * @param {string} says
 */
function promise(picture, title, says) {
  return h('li', null, icon(picture, { size: 24 }), h('h3', null, title), h('p', { class: 'small muted' }, says));
}
