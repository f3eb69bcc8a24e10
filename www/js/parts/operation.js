/** Operations as sentences with red and green chips, receipts, and the drawing of a rebalance. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { countText, withUnit } from '../format.js';
import { meaning } from '../explain.js';
import { flows, rebalance, sentence } from '../sentences.js';
import { accountOf, amount, beginning, tag, who } from './basic.js';
import { actionView } from './governance.js';
import { feeText } from './values.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../sentences.js').Part} Part */

/**
 * @param {App} app
 * @param {Part[]} parts of a sentence
 */
export function inWords(app, parts) {
  return parts.map((part, index) => typeof part === 'string' ? part
    : 'account' in part ? (index === 0 ? beginning(part.account) : accountOf(part.account))
      : 'href' in part ? h('a', { href: part.href }, part.text) : amount(app, part.asset, part.amount));
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

/**
 * Money that moved by itself, one chip for each place.
 * @param {App} app
 * @param {import('../api').Flow[]} moved
 * @param {string} title
 */
export function movedChips(app, moved, title) {
  return moved.length > 0 && h('div', { class: 'stack tight', key: title }, h('p', { class: 'small muted' }, title),
    h('div', { class: 'flow' }, moved.map((flow, index) => {
      const comes = flow.amount > 0n;
      return h('span', { class: `chip ${comes ? 'in' : 'out'}`, key: index }, h('span', { class: 'unseen' }, comes ? 'in: ' : 'out: '),
        amount(app, flow.asset, flow.amount, { plus: true }), comes ? ' to ' : ' from ',
        h('span', null, who(flow.account), flow.partner && [flow.partner.handle ? '' : '@', who(flow.partner)]));
    })));
}

/**
 * What the sentence left out.
 * @param {App} app
 * @param {import('../api').Operation} operation
 */
export function more(app, operation) {
  switch (operation.kind) {
    case 'deposit': return operation.invoice !== null && h('p', { class: 'small muted' }, 'Invoice tag: ', h('code', null, tagText(operation.invoice)));
    case 'reveal': return h('ul', { class: 'stack tight small' }, operation.hashes.map((hash) => h('li', { key: hash }, 'of the hash ', h('code', null, hash))));
    case 'propose': return [operation.text !== '' && h('blockquote', null, operation.text),
      // Compared with what is in force now, a change of long ago would seem to be another one.
      operation.action.kind.startsWith('set_') ? h('p', { class: 'small' }, h('a', { href: to('explorer', 'governance') }, 'What it changes, and how the vote went'))
        : actionView(app, operation.action)];
    case 'vote': return operation.rationale !== '' && h('blockquote', null, operation.rationale);
    case 'create_asset': return h('p', { class: 'small muted' }, 'Supply ', amount(app, { ...operation, id: 0 }, operation.supply), ', all of it the signer’s.');
    case 'register_bank':
    case 'update_bank': return h('p', { class: 'small muted' }, `Fee ${feeText(app, operation)}, insurance `, amount(app, 1, operation.insurancePrice), ', at ', h('code', null, operation.url));
    default: return null;
  }
}

/** The bytes of an invoice tag as the text that they are, or in hexadecimal digits. @param {string} hex */
function tagText(hex) {
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return /^[^\p{C}]+$/u.test(text) ? text : hex;
  } catch {
    return hex;
  }
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
      h('h3', null, beginning(batch.signer), ` sent ${batch.operations.length === 1 ? 'one action' : `${batch.operations.length} actions`}`),
      h('span', { class: 'muted small' }, 'fee ', amount(app, 1, batch.fee), ` · nonce ${batch.nonce} · ${withUnit(countText(batch.bytes, app.locale), 'bytes')}`)),
    moved && rebalanceDrawing(app, batch.signer, moved),
    h('div', null, batch.operations.map(({ operation, group, receipt }, index) => h('div', {
      key: index, class: `operation${receipt.state === 'skipped' ? ' skipped' : ''}${group === null ? '' : ' grouped'}`,
    },
    h('div', { class: 'row apart' }, h('p', { class: 'grow' }, ...inWords(app, sentence(operation, batch.signer))), receiptTag(receipt)),
    flowChips(app, operation, batch.signer),
    more(app, operation),
    receipt.state === 'applied' && receipt.registered && h('p', { class: 'small muted' }, 'Registered ', accountOf(receipt.registered), ' on the way.'),
    receiptReason(receipt)))),
    movedChips(app, batch.debts, 'Older debts paid on the way'),
    h('details', null, h('summary', null, 'Exact'), h('p', { class: 'small muted' }, 'Batch ', h('code', null, batch.hash),
      ` · valid until #${countText(batch.validUntil, app.locale)} · fee per 1,000 bytes `, amount(app, 1, batch.feeRate))));
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
