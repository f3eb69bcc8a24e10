/** The till of a counter: an amount, its QR code, "paid" to be seen and heard, and what came in today. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { ago, amount, button, copyable, errorNote, form, heading, linkButton, note } from '../parts/basic.js';
import { amountField, readAmount, typedAmount } from '../parts/amount-field.js';
import { qrCode } from '../parts/qr.js';
import { counterpartLink } from '../parts/shop.js';
import { chime, wakeSound } from '../parts/sound.js';
import { to } from '../router.js';
import { activityRows, paymentsSince, saveCsvOf } from './activity.js';

/** @typedef {import('../app.js').App} App */

/** How long somebody at the counter may take. */
const LIFETIME_S = 900;

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function tillPage(app) {
  const typed = typedAmount();
  let key = crypto.randomUUID();
  /** Key of the invoice shown. @type {string | null} */
  let shown = null;
  let isHeard = true;
  /** @type {import('../api').Payment[]} */
  let today = [];
  /** Keys of invoices that were chimed for. @type {Set<string>} */
  const chimed = new Set();

  const lookAtToday = async () => {
    try {
      today = (await paymentsSince(app, new Date().setHours(0, 0, 0, 0))).filter(({ direction, state }) => direction === 'in' && state === 'paid');
      app.refresh();
    } catch {
      // The next payment asks again.
    }
  };
  const off = app.client.on('payment', lookAtToday);
  lookAtToday();

  const reset = () => {
    shown = null;
    key = crypto.randomUUID();
    typed.text = '';
    typed.touched = false;
    app.refresh();
    queueMicrotask(() => document.getElementById('till-amount')?.focus());
  };
  /** Goes on to the next sale. What nobody has begun to pay takes no payment any more. @param {import('../api').OwnInvoice} invoice */
  const next = ({ key: sale, state }) => {
    // What is being paid goes on by itself, and is told below when it came in.
    if (state !== 'open') return reset();
    app.act('cancel', async () => {
      await app.client.cancelInvoice({ key: sale });
      app.again('invoices');
      reset();
    });
  };
  const charge = () => {
    const read = readAmount(app, typed);
    typed.touched = true;
    app.refresh();
    if (!('amount' in read) || read.amount === 0n) return;
    // Browsers let a page sound only after somebody has touched it.
    if (isHeard) wakeSound();
    app.act('charge', async () => {
      const invoice = await app.client.createInvoice({ key, asset: typed.asset, amount: read.amount, description: null, expiresInSeconds: LIFETIME_S });
      shown = invoice.key;
      app.again('invoices');
      app.turn();
    });
  };

  return {
    title: 'Till',
    leave: off,
    view: () => {
      const problem = app.problem('charge');
      const invoice = shown === null ? null : app.use('invoices').value?.find((one) => one.key === shown) ?? null;
      if (invoice?.state === 'paid' && !chimed.has(invoice.key)) {
        chimed.add(invoice.key);
        if (isHeard) chime();
      }
      return [
        heading('Till', h('button', {
          type: 'button', class: 'button slim', onclick: () => { isHeard = !isHeard; app.refresh(); },
        }, isHeard ? 'Sound is on' : 'Sound is off')),
        invoice ? saleView(app, invoice, () => next(invoice)) : h('section', { class: 'card', key: 'charge' }, form(charge,
          // Under the key of an amount that may have been charged already nothing else is.
          amountField(app, typed, { id: 'till-amount', label: 'To be paid', big: true, assets: app.use('assets').value ?? [], onchange: () => { key = crypto.randomUUID(); } }),
          problem && errorNote(problem),
          h('div', { class: 'row' }, button('Charge', { submit: true, main: true, busy: app.doing('charge') })))),
        todayView(app, today),
      ];
    },
  };
}

/**
 * @param {App} app
 * @param {import('../api').OwnInvoice} invoice
 * @param {() => void} next
 */
function saleView(app, invoice, next) {
  const { state } = invoice;
  const paid = state === 'paid';
  return h('section', { class: 'card', key: 'sale' },
    h('p', null, amount(app, invoice.asset, paid ? invoice.received : invoice.amount ?? 0n, { big: true })),
    h('div', { role: 'status', 'aria-live': 'assertive' },
      paid ? note('good', h('strong', { class: 'till-paid' }, 'Paid'), h('p', null, amount(app, invoice.asset, invoice.received), ' received.'))
        : state === 'expired' ? note('warn', h('p', null, 'Not paid in time. Charge it again.'))
          : state === 'pending' ? note('move', h('strong', null, 'Being paid'), h('p', null, 'Hand nothing over before it says “Paid”.'))
            : h('p', { class: 'muted' }, 'Show this to the customer. It expires ', ago(app, invoice.expires), '.')),
    // What one customer pays, no other one scans.
    state === 'open' && invoice.qr && [qrCode(invoice.qr, 'QR code of the invoice'),
      h('details', { key: 'text' }, h('summary', null, 'The customer cannot scan it'), h('div', { class: 'stack' },
        h('p', { class: 'small muted' }, 'Send them this text instead.'), copyable(app, invoice.text, 'invoice'),
        h('div', { class: 'row' }, counterpartLink(app, 'Ask the counterpart to pay'))))],
    app.problem('cancel') && errorNote(/** @type {any} */ (app.problem('cancel'))),
    h('div', { class: 'row' }, button(paid || state === 'pending' ? 'Next sale' : 'New amount', { main: paid, busy: app.doing('cancel'), onclick: next })));
}

/**
 * @param {App} app
 * @param {import('../api').Payment[]} today
 */
function todayView(app, today) {
  /** @type {Map<number, bigint>} */
  const sums = new Map();
  for (const payment of today) sums.set(payment.asset, (sums.get(payment.asset) ?? 0n) + payment.amount);
  return h('section', { class: 'card flush', key: 'today' },
    h('header', null, h('h2', null, 'Today'), today.length > 0 && button('Save as CSV', { icon: 'save', slim: true, onclick: () => saveCsvOf(app, 'fair-till.csv', today) })),
    today.length === 0
      ? h('p', { class: 'empty' }, 'Nothing has come in today.')
      : [h('p', { class: 'day row' }, icon('receive', { size: 16 }), `${today.length} received: `, [...sums].map(([asset, sum], index) => [index > 0 && ', ', amount(app, asset, sum)])),
        h('ul', { class: 'rows' }, activityRows(app, today))],
    app.use('channels').value?.length === 0 && linkButton('Add a bank to be paid', to('banks', 'add'), { slim: true }));
}
