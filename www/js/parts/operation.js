/** Operations as sentences with red and green chips, receipts, and the drawing of a rebalance. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { meaning } from '../explain.js';
import { flows, rebalance, sentence } from '../sentences.js';
import { amount, tag, who } from './basic.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../sentences.js').Part} Part */

/**
 * @param {App} app
 * @param {Part[]} parts
 */
export function inWords(app, parts) {
  return parts.map((part) => typeof part === 'string' ? part
    : 'account' in part ? who(part.account) : amount(app, part.asset, part.amount));
}

/**
 * `1,000.00 FRD from 2`: seen from the signer, whose partner names the channel.
 * @param {App} app
 * @param {import('../sentences.js').Flow} flow
 * @param {import('../api').AccountRef} signer
 */
function chip(app, flow, signer) {
  const own = flow.account.key === signer.key;
  const pocket = flow.partner === null ? [who(flow.account)]
    : own ? [flow.account.you ? 'your channel with ' : 'its channel with ', who(flow.partner)]
      : [who(flow.account), flow.partner.handle ? '' : '@', who(flow.partner)];
  const sign = flow.direction === 'in' ? '+' : '−';
  return h('span', { class: `chip ${flow.direction}` },
    h('span', { class: 'unseen' }, flow.direction === 'in' ? 'in: ' : 'out: '),
    sign, amount(app, flow.asset, flow.amount), flow.direction === 'in' ? ' to ' : ' from ', h('span', null, ...pocket));
}

/**
 * @param {App} app
 * @param {import('../api').Operation} operation
 * @param {import('../api').AccountRef} signer
 */
export function flowChips(app, operation, signer) {
  const moved = flows(operation, signer);
  return moved.length > 0 && h('div', { class: 'flow' }, chip(app, moved[0], signer), icon('arrow', { size: 16 }), chip(app, moved[1], signer));
}

/** @param {import('../api').Receipt | null} receipt */
export function receiptTag(receipt) {
  if (receipt === null) return tag('move', icon('clock', { size: 14 }), 'waiting for block');
  if (receipt.state === 'applied') return tag('good', icon('check', { size: 14 }), 'applied');
  return tag('bad', icon('cross', { size: 14 }), 'skipped');
}

/** @param {import('../api').Receipt | null} receipt */
export function receiptReason(receipt) {
  return receipt?.state === 'skipped' && h('p', { class: 'small' }, `Skipped: ${meaning(receipt.reason).title}. `, h('code', null, receipt.reason.code));
}

/**
 * @param {App} app
 * @param {import('../api').Batch} batch
 */
export function batchCard(app, batch) {
  const moved = rebalance(batch);
  return h('article', { class: 'card', key: batch.hash },
    h('header', null,
      h('h3', null, who(batch.signer), ` sent ${batch.operations.length === 1 ? 'one action' : `${batch.operations.length} actions`}`),
      h('span', { class: 'muted small' }, 'fee ', amount(app, 1, batch.fee), ` · nonce ${batch.nonce} · ${batch.bytes} bytes`)),
    moved && rebalanceDrawing(app, batch.signer, moved),
    h('div', null, batch.operations.map(({ operation, group, receipt }, index) => h('div', {
      key: index, class: `operation${receipt.state === 'skipped' ? ' skipped' : ''}${group === null ? '' : ' grouped'}`,
    },
    h('div', { class: 'row apart' }, h('p', { class: 'grow' }, ...inWords(app, sentence(operation, batch.signer))), receiptTag(receipt)),
    flowChips(app, operation, batch.signer),
    receipt.state === 'applied' && receipt.registered && h('p', { class: 'small muted' }, 'Registered ', who(receipt.registered), ' on the way.'),
    receiptReason(receipt)))),
    h('details', null, h('summary', null, 'Exact'), h('p', { class: 'small muted' }, 'Batch ', h('code', null, batch.hash),
      ` · valid until #${batch.validUntil} · fee per 1,000 bytes `, amount(app, 1, batch.feeRate))));
}

/**
 * Where insurance left and where it went, with the signer in the middle.
 * @param {App} app
 * @param {import('../api').AccountRef} signer
 * @param {NonNullable<ReturnType<typeof rebalance>>} moved
 */
function rebalanceDrawing(app, signer, { asset, from, to }) {
  const rows = Math.max(from.length, to.length);
  const height = rows * 36;
  const total = from.reduce((sum, flow) => sum + flow.amount, 0n) || 1n;
  const thick = (/** @type {bigint} */ value) => 1.5 + Number((value * 12n) / total);
  const y = (/** @type {number} */ index, /** @type {number} */ count) => height / 2 + (index - (count - 1) / 2) * 36;
  const pocket = (/** @type {import('../sentences.js').Flow} */ flow) => who(flow.account.key === signer.key && flow.partner ? flow.partner : flow.account);
  const curve = (/** @type {number} */ x, /** @type {number} */ start, /** @type {number} */ end) => `M${x} ${start}C${x + 25} ${start} ${x + 25} ${end} ${x + 50} ${end}`;
  return h('div', { class: 'rebalance' },
    h('ul', { 'aria-label': 'Out of the channels with' }, from.map((flow, index) => h('li', { key: index }, pocket(flow), ' ', amount(app, asset, -flow.amount)))),
    h('svg', { viewBox: `0 0 100 ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      from.map((flow, index) => h('path', { class: 'out', d: curve(0, y(index, from.length), height / 2), 'stroke-width': thick(flow.amount) })),
      to.map((flow, index) => h('path', { class: 'in', d: curve(50, height / 2, y(index, to.length)), 'stroke-width': thick(flow.amount) }))),
    h('ul', { 'aria-label': 'Into the channels with' }, to.map((flow, index) => h('li', { key: index }, amount(app, asset, flow.amount, { plus: true }), ' ', pocket(flow)))));
}
