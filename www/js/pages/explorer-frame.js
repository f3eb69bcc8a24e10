/** What all explorer pages share: search, tabs, and how the shown was verified. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { countText, exactTime } from '../format.js';
import { button, typing } from '../parts/basic.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */

const TABS = /** @type {const} */ ([
  ['blocks', 'Blocks'], ['accounts', 'Accounts'], ['court', 'Court'], ['governance', 'Governance'], ['validators', 'Validators'], ['banks', 'All banks'], ['assets', 'Assets'], ['parameters', 'Parameters'], ['snapshots', 'Snapshots'],
]);

let searched = '';

/**
 * @param {App} app
 * @param {string} current
 */
export function explorerHead(app, current) {
  return [
    h('form', {
      class: 'searchbar', role: 'search', key: 'search',
      onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); find(app); },
    },
    h('input', {
      class: 'input', type: 'search', id: 'search', 'aria-label': 'Search block, account or key', placeholder: 'Block, account, @handle', autocomplete: 'off',
      ...typing(searched, (text) => { searched = text; app.refresh(); }),
    }), button('Search', { submit: true, icon: 'search' })),
    h('nav', { class: 'tabs', 'aria-label': 'Explorer', key: 'tabs' }, TABS.map(([kind, label]) =>
      h('a', { key: kind, href: to('explorer', kind), 'aria-current': kind === current ? 'page' : null }, label))),
  ];
}

/**
 * `#12` and 64 hex digits that are a block go to the block, everything else to accounts.
 * @param {App} app
 */
async function find(app) {
  const text = searched.trim();
  if (text === '') return;
  searched = '';
  if (/^#\d+$/.test(text)) return app.go(to('explorer', 'block', text.slice(1)));
  if (/^[0-9a-f]{64}$/i.test(text)) {
    const block = await app.client.block({ hash: text.toLowerCase() }).catch(() => null);
    if (block) return app.go(to('explorer', 'block', block.height));
    return app.go(to('explorer', 'account', text.toLowerCase()));
  }
  if (/^\d+$/.test(text)) {
    const account = await app.client.account({ account: text }).catch(() => null);
    return app.go(account ? to('explorer', 'account', text) : to('explorer', 'block', text));
  }
  return app.go(`${to('explorer', 'accounts')}?q=${encodeURIComponent(text)}`);
}

/**
 * How what is shown was verified.
 * @param {App} app
 * @param {import('../api').VerifiedAt | null | undefined} at null: the newest
 */
export function verifiedLine(app, at) {
  const sync = app.use('syncState').value;
  const shown = at ?? sync?.verified;
  if (!shown) return null;
  return h('p', { class: 'small muted row fixed', key: 'verified' }, icon('shield', { size: 16 }),
    h('span', null, sync?.mode === 'light' ? 'Proved against the certified state root of block ' : 'Executed again in this page; state as of block ',
      h('a', { href: to('explorer', 'block', shown.height) }, `#${countText(shown.height, app.locale)}`), `, ${exactTime(shown.time, app.locale)}. `, h('a', { href: to('verification') }, 'How')));
}
