/** Who asks, how sure that is, and why somebody is not paid. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { keyWords, strangersText } from '../format.js';
import { keyPicture, note, tag } from '../parts/basic.js';

/** @typedef {import('./merchant.js').Merchant} Merchant */

/** @param {Merchant} merchant */
export function merchantView({ invoice, origin, standing }) {
  return h('div', { class: 'payee' }, keyPicture(invoice.payee.key, 48), h('div', { class: 'stack tight' },
    h('p', { class: 'row' }, h('strong', { class: 'stranger' }, origin === null ? 'Somebody without a website' : shownOrigin(origin)), standingTag(standing)),
    h('p', { class: 'small muted' }, keyWords(invoice.payee.key))));
}

/** The plain name over https; where it is not, the whole. @param {string} origin */
function shownOrigin(origin) {
  return origin.replace(/^https:\/\//, '');
}

/** @param {import('./merchant.js').Standing} standing */
function standingTag(standing) {
  switch (standing) {
    case 'confirmed': return tag('good', icon('check', { size: 14 }), 'confirmed by the site');
    case 'asking': return tag('move', icon('clock', { size: 14 }), 'asking the site');
    case 'unknown': return tag('warn', icon('alert', { size: 14 }), 'as they claim');
    case 'denied': return tag('bad', icon('alert', { size: 14 }), 'not theirs');
    default: return null;
  }
}

/** Said where another page opened this window, nobody knows which. @param {Merchant} merchant */
export function openedByOther({ origin }) {
  const name = origin === null ? 'somebody without a website' : shownOrigin(origin);
  return h('div', { key: 'opened' }, note('warn', h('strong', null, 'Another page opened this window'),
    h('p', { class: 'stranger' }, `You are paying ${name}. Go on only if you ordered there.`)));
}

/** Said where one is refused. @param {Merchant} merchant */
export function refusedMerchant({ refused, invoice, origin, opener }) {
  if (refused === null) return null;
  const [title, says] = {
    other: ['This page is not the shop', `The invoice was made by ${origin}, but the page that sent you here is ${opener}. It may want you to pay for somebody else.`],
    denied: ['The shop does not know this payee', `${origin} lists the keys that it is paid with, and this one is not among them. Somebody may be using its name.`],
    odd: ['The shop’s address is not one', `The invoice claims to be from “${strangersText(invoice.origin ?? '').slice(0, 80)}”, which is not the address of a website.`],
  }[refused];
  return h('div', { key: 'refused' }, note('bad', h('strong', null, title), h('p', { class: 'stranger' }, says),
    h('p', null, 'Nothing was paid. Type the shop’s address yourself and order there.')));
}
