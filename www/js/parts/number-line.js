/**
 * The channel as a number line: the insurance block from 0 to I, the delta as a
 * marker, left's part before it and right's after it, promises outside the block.
 */

import { h } from '../dom.js';
import { amountLine } from '../format.js';

/** Positions are computed in ten-thousandths of the drawing's width. */
const PARTS = 10_000n;

/**
 * @param {import('../app.js').App} app
 * @param {{asset: import('../api').Asset, insurance: bigint, delta: bigint, left: string, right: string}} line
 */
export function numberLine(app, { asset, insurance, delta, left, right }) {
  const from = delta < 0n ? delta : 0n;
  const until = delta > insurance ? delta : insurance;
  const span = until - from || 1n;
  const percent = (/** @type {bigint} */ value) => `${Number((value * PARTS) / span) / 100}%`;
  const inside = delta < 0n ? 0n : delta > insurance ? insurance : delta;
  const text = (/** @type {bigint} */ value) => amountLine(value, asset, app.locale);
  const owes = (/** @type {string} */ debtor, /** @type {string} */ creditor, /** @type {bigint} */ value) =>
    `${debtor} ${debtor === 'you' ? 'owe' : 'owes'} ${text(value)} beyond it to ${creditor}`;
  const promise = delta < 0n ? owes(left, right, -delta) : delta > insurance ? owes(right, left, delta - insurance) : null;
  const label = `Insurance ${text(insurance)}: ${left} owns ${text(inside)}, ${right} owns ${text(insurance - inside)}${promise ? `; ${promise}` : ''}.`;
  const part = (/** @type {string} */ css, /** @type {bigint} */ start, /** @type {bigint} */ end) =>
    end > start && h('span', { class: css, key: css, style: { left: percent(start - from), width: percent(end - start) } });
  const place = Number(((delta - from) * 100n) / span);
  return h('figure', { class: 'numberline', role: 'img', 'aria-label': label },
    h('div', { class: 'ends' }, h('span', null, `left: ${left}`), h('span', null, `right: ${right}`)),
    h('div', { class: 'track' },
      part('left-part', 0n, inside), part('right-part', inside, insurance),
      part('promise', delta < 0n ? delta : insurance, delta < 0n ? 0n : delta),
      h('span', { class: 'marker', key: 'marker', style: { left: percent(delta - from) } })),
    h('div', { class: 'under' }, h('span', {
      class: 'value', style: { left: percent(delta - from), transform: `translateX(-${place < 25 ? 0 : place > 75 ? 100 : 50}%)` },
    }, `Δ ${text(delta)}`)),
    h('div', { class: 'ends' }, h('span', null, `insured ${text(inside)}`), h('span', null, `insured ${text(insurance - inside)}`)),
    promise && h('p', { class: 'small owes' }, promise));
}
