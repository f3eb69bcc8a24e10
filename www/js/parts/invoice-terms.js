/** What an invoice asks of whoever pays it, and until when it can be paid. */

import { h } from '../dom.js';
import { ago, note } from './basic.js';

/** @typedef {import('../api').Invoice} Invoice */

/** @param {Invoice} invoice */
export function refundPromise(invoice) {
  return invoice.refunds && h('p', { class: 'small' }, 'The payee promises refunds on request. For that, paying shows it your account’s key and your bank: it learns who pays.');
}

/** Its time is over, and the payee takes the payment all the same. @param {Invoice} invoice */
export function isLate(invoice) {
  return invoice.acceptsLate && invoice.expires < Date.now();
}

/**
 * @param {import('../app.js').App} app
 * @param {Invoice} invoice
 */
export function timeToPay(app, invoice) {
  const when = ago(app, invoice.expires);
  return isLate(invoice)
    ? h('div', { key: 'late' }, note('warn', h('strong', null, 'The time to pay is over'),
      h('p', null, 'This invoice expired ', when, '. The payee still takes the payment, and marks it as late. Ask first whether you get for it what you expect.')))
    : h('p', { class: 'small muted', key: 'in-time' }, 'The invoice expires ', when, '.');
}
