/** Explorer: the list of blocks, and one block with its batches as sentences. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { accountOf, ago, answered, bones, button, copyable, empty, facts, heading, linkButton, who } from '../parts/basic.js';
import { bytesText, countText, exactTime, namedAccount, plural, shortHex } from '../format.js';
import { openingCard } from '../parts/court.js';
import { batchCard } from '../parts/operation.js';
import { explorerHead, verifiedLine } from './explorer-frame.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */
const ROWS = 30;

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function blocksPage(app) {
  let onlyFull = false;
  /** Where older pages begin. @type {number[]} */
  const older = [];
  return {
    title: 'Blocks',
    view: () => {
      const pages = [null, ...older].map((before) => app.use('blocks', { before, limit: ROWS }));
      const blocks = pages.flatMap(({ value }) => value ?? []).filter((block, index, all) => index === 0 || block.height < all[index - 1].height);
      const shown = onlyFull ? blocks.filter(({ batches }) => batches > 0) : blocks;
      const last = blocks.at(-1);
      const first = firstBlock(app);
      return [
        h('h1', { class: 'unseen' }, 'Explorer'),
        explorerHead(app, 'blocks'),
        h('section', { class: 'card flush', key: 'blocks' },
          h('header', null, h('h2', null, 'Blocks'), h('label', { class: 'choice small' }, h('input', { type: 'checkbox', checked: onlyFull, onchange: (/** @type {any} */ event) => { onlyFull = event.target.checked; app.refresh(); } }), 'Only with batches')),
          answered(pages[0], () => (shown.length === 0
            ? empty('explorer', onlyFull ? 'No block with batches here' : 'No block verified yet', onlyFull ? 'Load older ones below.' : 'The first one appears as soon as it is verified.')
            : h('ul', { class: 'rows' }, shown.map((block) => h('li', { key: block.height }, blockRow(app, block))))), () => h('div', { class: 'card' }, bones(8)))),
        last && last.height > first && h('div', { class: 'row', key: 'older' }, button('Older blocks', { busy: pages.at(-1)?.value === undefined && pages.at(-1)?.busy, onclick: () => { older.push(last.height); app.refresh(); } })),
        first > 1 && (!last || last.height === first) && h('p', { class: 'muted', key: 'base' }, `Blocks up to #${countText(first - 1, app.locale)} are not kept in this browser: it began with the snapshot of that block. Relays and nodes that began at genesis serve them.`),
        verifiedLine(app, null),
      ];
    },
  };
}

/**
 * @param {App} app
 * @param {import('../api').BlockSummary} block
 */
function blockRow(app, block) {
  return h('a', { class: 'item', href: to('explorer', 'block', block.height) },
    h('span', null, h('strong', null, `#${countText(block.height, app.locale)}`)),
    h('span', { class: 'stack tight' },
      h('span', null, block.batches === 0 ? h('span', { class: 'muted' }, 'empty') : `${plural(block.batches, 'batch', 'batches')}, ${plural(block.operations, 'action')}`),
      h('span', { class: 'sub' }, `by ${namedAccount(block.proposer)} · ${bytesText(block.bytes, app.locale)}`)),
    h('span', { class: 'stack tight' }, dots(block.signatures), h('span', { class: 'sub' }, ago(app, block.time))));
}

/**
 * Height of the first block that is stored here.
 * @param {App} app
 */
function firstBlock(app) {
  return (app.use('syncState').value?.base?.height ?? 0) + 1;
}

/** @param {import('../api').Signature[]} signatures */
function dots(signatures) {
  const signed = signatures.filter((one) => one.signed).length;
  const label = `${signed} of ${signatures.length} validators signed`;
  return h('span', { class: 'dots', role: 'img', 'aria-label': label, title: label }, signatures.map((one) => h('span', { key: one.validator.key, class: `dot${one.signed ? '' : ' off'}` })));
}

/**
 * @param {App} app
 * @param {string[]} path
 * @returns {import('../app.js').Page}
 */
export function blockPage(app, [text]) {
  const height = Number(text);
  return {
    title: `Block #${text}`,
    view: () => [
      explorerHead(app, 'blocks'),
      !Number.isSafeInteger(height) || height < 0 ? empty('search', 'This is no block number', `“${text}” is not a height.`, linkButton('Blocks', to('explorer')))
        : answered(app.use('block', { height }), (block) => blockView(app, block), () => h('div', { class: 'card' }, bones(6))),
    ],
  };
}

/**
 * @param {App} app
 * @param {import('../api').Block} block
 */
function blockView(app, block) {
  const head = app.use('head').value?.height ?? block.height;
  const signed = block.signatures.filter((one) => one.signed);
  const shares = signed.reduce((sum, one) => sum + one.shares, 0);
  const all = block.signatures.reduce((sum, one) => sum + one.shares, 0);
  return [
    heading(`Block #${countText(block.height, app.locale)}`, h('div', { class: 'row' },
      block.height > firstBlock(app) && linkButton('Earlier', to('explorer', 'block', block.height - 1), { slim: true }),
      block.height < head && linkButton('Later', to('explorer', 'block', block.height + 1), { slim: true }))),
    h('section', { class: 'card', key: 'facts' },
      facts(
        ['Time', [exactTime(block.time, app.locale), ' (', ago(app, block.time), ')']],
        ['Proposed by', accountOf(block.proposer)],
        ['Signed by', h('span', { class: 'row fixed' }, dots(block.signatures), `${shares} of ${all} shares, more than two thirds needed`)],
        ['Contents', `${plural(block.batches, 'batch', 'batches')}, ${plural(block.operations, 'action')}, ${bytesText(block.bytes, app.locale)}`],
        ['Verified', block.mode === 'full' ? 'executed again in this page; the state root below came out' : 'signatures and validator set checked'])),
    block.openings.length > 0 && h('section', { class: 'stack wide', key: 'openings' }, h('h2', null, 'Fell due with this block'), block.openings.map((opening) => openingCard(app, opening))),
    block.contents.length === 0 ? block.openings.length === 0 &&
      h('section', { class: 'card', key: 'empty' }, empty('explorer', 'An empty block', 'Blocks come at the latest after a fixed time, so that everybody sees that the chain is alive.'))
      : h('div', { class: 'stack wide', key: 'batches' }, block.contents.map((batch) => batchCard(app, batch))),
    h('section', { class: 'card', key: 'header' }, h('details', null, h('summary', null, 'Header and signatures'),
      facts(
        ['Hash', copyable(app, block.hash, 'block hash')],
        ['Previous', h('a', { href: to('explorer', 'block', Math.max(0, block.height - 1)) }, h('code', { title: block.previous }, shortHex(block.previous)))],
        ['State root', copyable(app, block.stateRoot, 'state root')],
        ['Batches root', h('code', null, block.batchesRoot)],
        ['Validators', h('code', null, block.validatorsHash)],
        ['Next validators', h('code', null, block.nextValidatorsHash)],
        ['Parameters', h('code', null, block.parametersHash)],
        ['Usable blocks', countText(block.usable, app.locale)],
        ['Round', String(block.round)],
        ['Version', String(block.version)],
        ['Signatures', h('ul', { class: 'stack tight' }, block.signatures.map((one) => h('li', { key: one.validator.key, class: 'row' },
          one.signed ? icon('check', { size: 16, label: 'signed' }) : icon('cross', { size: 16, label: 'did not sign' }), who(one.validator), h('span', { class: 'muted small' }, plural(one.shares, 'share')))))]))),
  ];
}
