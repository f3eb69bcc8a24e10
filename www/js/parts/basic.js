/** Small parts that every page uses: amounts, accounts, times, notes, buttons, fields, waiting. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { accountHandle, accountName, amountText, shortHex } from '../format.js';
import { meaning } from '../explain.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../dom.js').Child} Child */
/** @typedef {'good' | 'warn' | 'bad' | 'move' | 'disputed' | undefined} Tone */
/** @typedef {import('../api').AccountRef} AccountRef */

/**
 * @param {App} app
 * @param {number | import('../api').Asset} asset
 * @param {bigint} value
 * @param {{big?: boolean, plus?: boolean, tone?: 'plus' | 'minus'}} [options]
 */
export function amount(app, asset, value, { big = false, plus = false, tone } = {}) {
  const { ticker, decimals } = typeof asset === 'number' ? app.asset(asset) : asset;
  const { sign, int, dec } = amountText(value, decimals, app.locale, { plus });
  return h('span', { class: `amount${big ? ' big' : ''}${tone ? ` ${tone}` : ''}` },
    h('span', { class: 'int' }, sign + int), h('span', { class: 'dec' }, dec), h('span', { class: 'tick' }, ` ${ticker}`));
}

/**
 * @param {App} app
 * @param {number} at
 */
export function ago(app, at) {
  return h('fair-time', { at, locale: app.locale });
}

/** @param {AccountRef} account */
export function who(account) {
  return h('a', { class: 'who', href: to('explorer', 'account', accountHandle(account)), title: account.key },
    account.you ? `${accountName(account)} (you)` : accountName(account));
}

/** An account in a sentence: a bare number says what it is. @param {AccountRef} account */
export function accountOf(account) {
  return [account.handle === null && 'account ', who(account)];
}

/** An account at the beginning of a sentence. @param {AccountRef} account */
export function beginning(account) {
  return [account.handle === null && 'Account ', who(account)];
}

/** A name without a link, for text inside other links. @param {AccountRef} account */
export function name(account) {
  return account.you ? 'you' : accountName(account);
}

/**
 * A small picture of a key: five by five, mirrored, two tones.
 * @param {string} key
 * @param {number} [size]
 */
export function keyPicture(key, size = 40) {
  const bytes = key.match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? [];
  const hue = ((bytes[0] ?? 0) * 360) / 256;
  const cells = [];
  for (let row = 0; row < 5; row += 1) {
    for (let column = 0; column < 3; column += 1) {
      const byte = bytes[1 + row * 3 + column] ?? 0;
      if (byte % 2 === 0) continue;
      const fill = `oklch(0.6 0.12 ${byte & 64 ? hue : (hue + 60) % 360})`;
      cells.push(h('rect', { x: column, y: row, width: 1, height: 1, fill }));
      if (column < 2) cells.push(h('rect', { x: 4 - column, y: row, width: 1, height: 1, fill }));
    }
  }
  return h('svg', { class: 'picture', viewBox: '-0.5 -0.5 6 6', width: size, height: size, 'shape-rendering': 'crispEdges', 'aria-hidden': 'true' }, cells);
}

/**
 * @param {App} app
 * @param {string} text
 * @param {string} label what is copied: "key", "invoice"
 * @param {{short?: boolean}} [options]
 */
export function copyable(app, text, label, { short = false } = {}) {
  return h('div', { class: 'copyable' },
    h('code', short ? { title: text } : null, short ? shortHex(text) : text),
    copyButton(app, text, label));
}

/**
 * @param {App} app
 * @param {string} text
 * @param {string} label
 */
function copyButton(app, text, label) {
  return h('button', {
    type: 'button', class: 'icon-button', 'aria-label': `Copy ${label}`, title: `Copy ${label}`,
    onclick: () => copyText(app, text, label),
  }, icon('copy'));
}

/**
 * @param {App} app
 * @param {string} text
 * @param {string} label
 */
export async function copyText(app, text, label) {
  try {
    await navigator.clipboard.writeText(text);
    app.say(`Copied ${label}.`);
  } catch {
    app.say('The browser did not allow copying. Select the text and copy it.');
  }
}

/**
 * @param {Tone} tone
 * @param {...Child} children
 */
export function tag(tone, ...children) {
  return h('span', { class: 'tag', 'data-tone': tone }, ...children);
}

const NOTE_ICONS = /** @type {const} */ ({ good: 'check', warn: 'alert', bad: 'alert', move: 'clock', disputed: 'scales' });

/**
 * @param {Tone} tone
 * @param {...Child} children
 */
export function note(tone, ...children) {
  return h('div', { class: 'note', 'data-tone': tone, role: tone === 'bad' ? 'alert' : null },
    icon(tone ? NOTE_ICONS[tone] : 'info'), h('div', null, ...children));
}

/**
 * What failed, why, and what now.
 * @param {import('../api').FairErrorShape} error
 * @param {Child} [action]
 */
export function errorNote(error, action) {
  const { title, next, whole } = meaning(error);
  return note('bad', h('strong', null, title),
    !whole && error.message.replace(/\.$/, '') !== title && h('p', null, error.message),
    next && h('p', null, next),
    h('p', { class: 'small muted' }, h('code', null, error.code)), action);
}

/**
 * @param {string} label
 * @param {{busy?: boolean, busyLabel?: string, icon?: import('../icons.js').IconName, main?: boolean, danger?: boolean, slim?: boolean, block?: boolean, submit?: boolean, disabled?: boolean, onclick?: (event: Event) => void}} options
 */
export function button(label, { busy, busyLabel, icon: picture, main, danger, slim, block, submit, disabled, onclick } = {}) {
  const classes = ['button', main && 'main-action', danger && 'danger', slim && 'slim', block && 'block'];
  return h('button', {
    type: submit ? 'submit' : 'button', class: classes.filter(Boolean).join(' '), disabled: Boolean(disabled || busy), 'aria-busy': busy ? 'true' : null, onclick,
  }, picture && icon(picture, { size: 18 }), busy ? busyLabel ?? `${label} …` : label);
}

/**
 * @param {string} label
 * @param {string} href
 * @param {{main?: boolean, icon?: import('../icons.js').IconName, slim?: boolean}} [options]
 */
export function linkButton(label, href, { main, icon: picture, slim } = {}) {
  return h('a', { class: `button${main ? ' main-action' : ''}${slim ? ' slim' : ''}`, href }, picture && icon(picture, { size: 18 }), label);
}

/**
 * A labelled control with a hint or what is wrong with it.
 * @param {{id: string, label: string, hint?: Child, wrong?: string | null}} about
 * @param {(attributes: Record<string, any>) => Child} control
 */
export function field({ id, label, hint, wrong }, control) {
  const described = wrong ? `${id}-wrong` : hint ? `${id}-hint` : null;
  return h('div', { class: 'field', key: `field-${id}` },
    h('label', { for: id, key: 'label' }, label),
    control({ id, 'aria-describedby': described, 'aria-invalid': wrong ? 'true' : null }),
    wrong ? h('p', { class: 'wrong', id: `${id}-wrong` }, icon('alert', { size: 16 }), wrong)
      : hint ? h('p', { class: 'hint', id: `${id}-hint` }, hint) : null);
}

/**
 * Value and listeners of a field that a view controls. Also `change`, since not
 * everything that fills a field in sends `input`.
 * @param {string} value
 * @param {(text: string) => void} changed
 */
export function typing(value, changed) {
  const listener = (/** @type {any} */ event) => { if (event.target.value !== value) changed(event.target.value); };
  return { value, oninput: listener, onchange: listener };
}

/**
 * A line (or with `area` several) of plain text.
 * @param {{id: string, label: string, hint?: Child, wrong?: string | null, area?: boolean, numeric?: boolean, placeholder?: string}} about
 * @param {string} value
 * @param {(text: string) => void} changed
 */
export function textField({ area, numeric, placeholder, ...about }, value, changed) {
  return field(about, (attributes) => h(area ? 'textarea' : 'input', {
    ...attributes, class: area ? 'input area words' : 'input', type: area ? null : 'text', inputmode: numeric ? 'numeric' : null, placeholder,
    autocomplete: 'off', autocapitalize: area ? null : 'none', spellcheck: area ? null : 'false', ...typing(value, changed),
  }));
}

/**
 * What is wrong with a public invoice tag. @param {string} text
 */
export function tagTooLong(text) {
  const length = new TextEncoder().encode(text.trim()).length;
  return length <= 32 || /^[0-9a-f]{64}$/i.test(text.trim()) ? null : 'At most 32 bytes, or 64 hexadecimal digits.';
}

/**
 * @param {{id: string, label: string, hint?: Child}} about
 * @param {string} value
 * @param {[string, string][]} options
 * @param {(value: string) => void} choose
 */
export function choice(about, value, options, choose) {
  return field(about, (attributes) => h('select', { ...attributes, class: 'input select', value, onchange: (/** @type {any} */ event) => choose(event.target.value) },
    options.map(([key, label]) => h('option', { key, value: key }, label))));
}

/**
 * A form that never leaves the page.
 * @param {() => void} onsubmit
 * @param {...Child} children
 */
export function form(onsubmit, ...children) {
  return h('form', {
    class: 'stack wide', novalidate: true,
    onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); onsubmit(); },
  }, ...children);
}

/** @param {number} [lines] */
export function bones(lines = 3) {
  return h('div', { class: 'stack', 'aria-busy': 'true' },
    h('span', { class: 'unseen' }, 'Loading'),
    Array.from({ length: lines }, (_, index) => h('span', { class: `bone w${4 - (index % 4)}` })));
}

/**
 * An answer, or the bones of it, or why there is none. Keeps showing an older
 * answer while a newer one is asked for.
 * @template T
 * @param {import('../app.js').Answer<T>} answer
 * @param {(value: T) => Child} view
 * @param {() => Child} [waiting]
 * @returns {Child}
 */
export function answered(answer, view, waiting = () => bones()) {
  if (answer.value !== undefined) return view(answer.value);
  if (answer.error) return errorNote(answer.error);
  return waiting();
}

/**
 * @param {import('../icons.js').IconName} picture
 * @param {string} title
 * @param {Child} says
 * @param {...Child} actions
 */
export function empty(picture, title, says, ...actions) {
  return h('div', { class: 'empty' }, icon(picture, { size: 36 }), h('h2', null, title), h('p', null, says), actions.length > 0 && h('div', { class: 'row' }, ...actions));
}

/**
 * @param {...([string, Child] | null | false | undefined)} rows
 */
export function facts(...rows) {
  return h('dl', { class: 'facts' }, rows.map((row) => row && h('div', { key: row[0] }, h('dt', null, row[0]), h('dd', null, row[1]))));
}

/**
 * Term and sum in one line, sums under each other.
 * @param {...([string, Child] | null | false | undefined)} rows
 */
export function sums(...rows) {
  return h('dl', { class: 'facts sums' }, rows.map((row) => row && h('div', { key: row[0] }, h('dt', null, row[0]), h('dd', null, row[1]))));
}

/** @param {string} title @param {Child} [beside] */
export function heading(title, beside) {
  return h('div', { class: 'row apart' }, h('h1', { key: 'h1' }, title), beside);
}
