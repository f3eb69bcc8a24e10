/** Typing an amount of an asset: one controlled field with its unit, read strictly. */

import { h } from '../dom.js';
import { parseAmount } from '../format.js';
import { field } from './basic.js';

/**
 * What was typed. `touched` delays complaints until the person has left the field or sent.
 * @typedef {{text: string, asset: number, touched: boolean}} Typed
 */

/** @param {number} [asset] @returns {Typed} */
export function typedAmount(asset = 1) {
  return { text: '', asset, touched: false };
}

/**
 * @param {import('../app.js').App} app
 * @param {Typed} typed
 */
export function readAmount(app, typed) {
  return parseAmount(typed.text, app.asset(typed.asset).decimals, app.locale);
}

/**
 * @param {import('../app.js').App} app
 * @param {Typed} typed
 * @param {{id: string, label: string, assets?: import('../api').Asset[], hint?: import('../dom.js').Child, big?: boolean, fixedAsset?: boolean, onchange?: () => void, wrong?: string | null}} options
 */
export function amountField(app, typed, { id, label, assets = [], hint, big = false, fixedAsset = false, onchange, wrong }) {
  const read = readAmount(app, typed);
  const complaint = typed.touched && 'wrong' in read ? read.wrong : wrong ?? null;
  const changed = () => { onchange?.(); app.refresh(); };
  const take = (/** @type {string} */ text, /** @type {boolean} */ left) => {
    typed.touched = left && text !== '';
    if (text === typed.text) return app.refresh();
    typed.text = text;
    changed();
  };
  return field({ id, label, hint, wrong: complaint }, (attributes) => h('div', { class: 'with-unit' },
    h('input', {
      ...attributes, class: `input${big ? ' big' : ''}`, type: 'text', inputmode: 'decimal', autocomplete: 'off', spellcheck: 'false',
      placeholder: '0', value: typed.text,
      oninput: (/** @type {any} */ event) => take(event.target.value, false),
      onchange: (/** @type {any} */ event) => take(event.target.value, true),
    }),
    fixedAsset || assets.length < 2
      ? h('span', { class: 'unit', key: 'unit' }, app.asset(typed.asset).ticker)
      : h('select', {
        class: 'select', key: 'assets', 'aria-label': `Asset of ${label.toLowerCase()}`, value: String(typed.asset),
        onchange: (/** @type {any} */ event) => { typed.asset = Number(event.target.value); changed(); },
      }, assets.map((asset) => h('option', { key: asset.id, value: asset.id }, asset.ticker)))));
}
