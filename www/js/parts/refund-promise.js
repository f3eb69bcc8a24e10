/** What an invoice with promised refunds asks of whoever pays it. */

import { h } from '../dom.js';

/** @param {import('../api').Invoice} invoice */
export function refundPromise(invoice) {
  return invoice.refunds && h('p', { class: 'small' }, 'The payee promises refunds on request. For that, paying shows it your account’s key and your bank: it learns who pays.');
}
