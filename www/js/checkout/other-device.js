/** The invoice for a wallet on another device: as a QR code, a link and text. */

import { h } from '../dom.js';
import { button, copyable, copyText } from '../parts/basic.js';
import { qrOfText } from '../parts/qr.js';

/**
 * @param {import('../app.js').App} app
 * @param {import('../api').Invoice} invoice
 */
export function otherDevice(app, { text }) {
  const link = `${location.origin}/pay/#${text}`;
  return h('section', { class: 'card', key: 'other-device' }, h('details', null, h('summary', null, 'Pay with another device'),
    h('div', { class: 'stack' },
      h('p', { class: 'small muted' }, 'Scan this with the device that has your wallet, or copy the invoice into it.'),
      qrOfText(link, 'QR code of the payment link'),
      copyable(app, text, 'invoice'),
      h('div', { class: 'row' }, button('Copy link', { slim: true, icon: 'copy', onclick: () => copyText(app, link, 'payment link') })))));
}
