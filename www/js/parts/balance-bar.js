/** The bar `insured | uninsured | in flight | can receive`, and the same in words. */

import { h } from '../dom.js';
import { amountLine } from '../format.js';
import { amount } from './basic.js';

/** @typedef {import('../api').Parts} Parts */
/** @typedef {import('../api').Asset} Asset */

/** @param {Parts} parts the own balance: what is ours in channels, negative when owing */
export function ownBalance(parts) {
  return parts.insured + parts.uninsured + parts.inFlight - parts.owed;
}

/**
 * @param {Parts} parts
 * @returns {{css: string, label: string, value: bigint}[]}
 */
function segments(parts) {
  return [
    { css: 'insured', label: 'Insured', value: parts.insured },
    { css: 'uninsured', label: 'Uninsured', value: parts.uninsured },
    { css: 'flight', label: 'In flight', value: parts.inFlight + parts.incoming },
    { css: 'owed', label: 'Owed', value: parts.owed },
    { css: 'receive', label: 'Can receive', value: parts.canReceive },
  ].filter(({ value }) => value > 0n);
}

/**
 * @param {import('../app.js').App} app
 * @param {Asset} asset
 * @param {Parts} parts
 * @param {{thin?: boolean}} [options]
 */
export function balanceBar(app, asset, parts, { thin = false } = {}) {
  const shown = segments(parts);
  const total = shown.reduce((sum, { value }) => sum + value, 0n);
  const label = shown.map(({ label: word, value }) => `${word} ${amountLine(value, asset, app.locale)}`).join(', ') || 'Nothing yet';
  return h('div', { class: `bar${thin ? ' thin' : ''}${total === 0n ? ' none' : ''}`, role: 'img', 'aria-label': label },
    shown.map(({ css, value }) => h('span', { key: css, class: css, style: { 'flex-grow': String(Number((value * 1000n) / total) || 1) } })));
}

/**
 * @param {import('../app.js').App} app
 * @param {Asset} asset
 * @param {Parts} parts
 * @param {string} promiser who stands behind the uninsured part: "Main", "your banks"
 */
export function balanceLegend(app, asset, parts, promiser) {
  const says = /** @type {Record<string, string>} */ ({
    insured: 'backed by collateral on the chain',
    uninsured: `promised by ${promiser}, not yet insured`,
    flight: 'reserved for what is under way',
    owed: `you owe this to ${promiser}`,
    receive: 'more can come in under your limits',
  });
  return h('ul', { class: 'legend' }, segments(parts).map(({ css, label, value }) => h('li', { key: css },
    h('span', { class: 'key', 'aria-hidden': 'true' }, h('span', { class: css })),
    h('span', null, `${label} `, amount(app, asset, value)),
    h('span', { class: 'says' }, says[css]))));
}
