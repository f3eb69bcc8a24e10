/** The invoice for a wallet on another device: as a QR code, a link and text. */

import { generate } from '../../embed/lean-qr.js';
import { h } from '../dom.js';
import { button, copyable, copyText } from '../parts/basic.js';
import { qrCode } from '../parts/qr.js';

/**
 * @param {import('../app.js').App} app
 * @param {import('../api').Invoice} invoice
 */
export function otherDevice(app, { text }) {
  const link = `${location.origin}/pay/#${text}`;
  return h('section', { class: 'card', key: 'other-device' }, h('details', null, h('summary', null, 'Pay with another device'),
    h('div', { class: 'stack' },
      h('p', { class: 'small muted' }, 'Scan this with the device that has your wallet, or copy the invoice into it.'),
      qrCode(drawn(link), 'QR code of the payment link'),
      copyable(app, text, 'invoice'),
      h('div', { class: 'row' }, button('Copy link', { slim: true, icon: 'copy', onclick: () => copyText(app, link, 'payment link') })))));
}

/** @type {{text: string, qr: import('../api').Qr} | null} */
let last = null;

/** Drawn once a text: views are made anew all the time. @param {string} text */
function drawn(text) {
  if (last?.text === text) return last.qr;
  const code = generate(text);
  const { size } = code;
  const modules = Uint8Array.from({ length: size * size }, (_, index) => Number(code.get(index % size, Math.floor(index / size))));
  last = { text, qr: { size, modules } };
  return last.qr;
}
