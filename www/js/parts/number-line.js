/**
 * The channel as a number line: the insurance block from 0 to I, the delta as a
 * marker, left's part before it and right's after it, promises outside the block.
 */

import { h } from '../dom.js';
import { amountLine } from '../format.js';

/**
 * @param {import('../app.js').App} app
 * @param {{asset: import('../api').Asset, insurance: bigint, delta: bigint, left: string, right: string}} line
 */
export function numberLine(app, { asset, insurance, delta, left, right }) {
  const width = 640;
  const from = delta < 0n ? delta : 0n;
  const until = delta > insurance ? delta : insurance;
  const span = until - from || 1n;
  const at = (/** @type {bigint} */ value) => 24 + (Number(((value - from) * 100_000n) / span) / 100_000) * (width - 48);
  const inside = delta < 0n ? 0n : delta > insurance ? insurance : delta;
  const text = (/** @type {bigint} */ value) => amountLine(value, asset, app.locale);
  const leftOwns = text(inside);
  const rightOwns = text(insurance - inside);
  const promise = delta < 0n ? `${left} owes ${right} ${text(-delta)} beyond it` : delta > insurance ? `${right} owes ${left} ${text(delta - insurance)} beyond it` : '';
  const label = `Insurance ${text(insurance)}: ${left} owns ${leftOwns}, ${right} owns ${rightOwns}${promise ? `; ${promise}` : ''}.`;
  const marker = at(delta);
  return h('svg', { class: 'numberline', viewBox: `0 0 ${width} 118`, role: 'img', 'aria-label': label },
    h('line', { class: 'axis', x1: 8, x2: width - 8, y1: 60, y2: 60 }),
    h('rect', { class: 'right-part', x: at(0n), y: 48, width: Math.max(at(insurance) - at(0n), 1), height: 24, rx: 4 }),
    h('rect', { class: 'left-part', x: at(0n), y: 48, width: at(inside) - at(0n), height: 24, rx: 4 }),
    delta < 0n && h('rect', { class: 'promise', x: at(delta), y: 54, width: at(0n) - at(delta), height: 12 }),
    delta > insurance && h('rect', { class: 'promise', x: at(insurance), y: 54, width: at(delta) - at(insurance), height: 12 }),
    h('line', { class: 'marker', x1: marker, x2: marker, y1: 36, y2: 84 }),
    h('circle', { class: 'knob', cx: marker, cy: 36, r: 5 }),
    h('text', { x: 8, y: 14, 'text-anchor': 'start' }, `left: ${left}`),
    h('text', { x: width - 8, y: 14, 'text-anchor': 'end' }, `right: ${right}`),
    h('text', { class: 'value', x: marker, y: 26, 'text-anchor': marker < 120 ? 'start' : marker > width - 120 ? 'end' : 'middle' }, `Δ ${text(delta)}`),
    h('text', { x: 8, y: 104, 'text-anchor': 'start' }, `${left} insured ${leftOwns}`),
    h('text', { x: width - 8, y: 104, 'text-anchor': 'end' }, `${right} insured ${rightOwns}`));
}
