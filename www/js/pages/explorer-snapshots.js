/** Explorer: snapshots that relays offer, and what is known of each here. */

import { h } from '../dom.js';
import { copyable, tag } from '../parts/basic.js';
import { bytesText, countText, plural } from '../format.js';
import { listPage, table } from './explorer-lists.js';

/** @typedef {import('../app.js').App} App */

/** @type {Record<import('../api').Snapshot['state'], ['good' | 'warn' | 'bad' | 'move', string, string]>} */
const STATES = {
  begun: ['good', 'verified here', 'This client began with it, and held all of it against the certified state root.'],
  block_verified: ['move', 'block verified', 'Its block was verified here; the archive itself was not read.'],
  other_block: ['bad', 'another block', 'It names another block than the one verified here.'],
  unknown: ['warn', 'not verified', 'Its block is not stored here.'],
};

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function snapshotsPage(app) {
  app.again('snapshots');
  const page = listPage(app, 'snapshots', 'Snapshots', 'The whole state after a block, with what proves it: a node, a relay or a client that is far behind begins with one and verifies it. The hash of its manifest is the same everywhere.', () => app.use('snapshots'), (rows) =>
    table(['Block', 'Size', 'Manifest hash', 'Verified', 'Download'], rows.map((row) => {
      const [tone, word, says] = STATES[row.state];
      return [
        h('strong', null, `#${countText(row.height, app.locale)}`),
        bytesText(row.bytes, app.locale),
        copyable(app, row.hash, 'manifest hash', { short: true }),
        h('span', { class: 'stack tight' }, h('span', null, tag(tone, word)), h('span', { class: 'small muted' }, says)),
        h('span', { class: 'stack tight' }, row.urls.map((url) => h('a', { key: url, href: url, download: '' }, fileName(url))),
          row.urls.length > 1 && h('span', { class: 'small muted' }, plural(row.urls.length, 'relay', 'relays'))),
      ];
    }), [1]));
  return { ...page, wide: true };
}

/** @param {string} url */
function fileName(url) {
  return url.slice(url.lastIndexOf('/') + 1);
}
