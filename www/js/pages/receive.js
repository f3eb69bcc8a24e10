/** Receive: an invoice with its QR code, or the address. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { ago, amount, answered, bones, button, copyable, copyText, errorNote, field, form, heading, linkButton, note, tag, typing } from '../parts/basic.js';
import { amountField, readAmount, typedAmount } from '../parts/amount-field.js';
import { qrCode } from '../parts/qr.js';
import { counterpartLink } from '../parts/shop.js';
import { to } from '../router.js';
import { openBalance } from './dispute.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../api').OwnInvoice} OwnInvoice */

const EXPIRIES = /** @type {const} */ ([['An hour', 3_600], ['A day', 86_400], ['A week', 604_800]]);

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function receivePage(app) {
  const typed = typedAmount();
  let description = '';
  let expiry = 86_400;
  let key = crypto.randomUUID();
  /** Key of the invoice shown. @type {string | null} */
  let shown = null;

  /** What is asked for is another invoice from now on, also where the one before was made and nobody heard of it. */
  const renewed = () => { key = crypto.randomUUID(); };
  const again = () => { shown = null; key = crypto.randomUUID(); typed.text = ''; typed.touched = false; description = ''; app.turn(); };

  const invoiceForm = () => {
    const problem = app.problem('invoice');
    const assets = app.use('assets').value ?? [];
    const held = app.use('balances').value?.find(({ asset }) => asset.id === typed.asset);
    const balance = held && openBalance(app, held);
    const read = typed.text.trim() === '' ? { amount: null } : readAmount(app, typed);
    const tooMuch = balance && 'amount' in read && read.amount !== null && read.amount > balance.parts.canReceive;
    return form(() => {
      typed.touched = typed.text !== '';
      app.refresh();
      if (!('amount' in read) || read.amount === 0n) return;
      app.act('invoice', async () => {
        const invoice = await app.client.createInvoice({ key, asset: typed.asset, amount: read.amount, description: description.trim() || null, expiresInSeconds: expiry });
        shown = invoice.key;
        app.again('invoices');
        app.turn();
      });
    },
    amountField(app, typed, {
      id: 'amount', label: 'Amount', assets, big: true, onchange: renewed,
      hint: ['Leave it empty to let the payer decide.', balance && [' You can receive up to ', amount(app, balance.asset, balance.parts.canReceive), '.']],
    }),
    tooMuch && note('warn', h('p', null, 'This is more than you can receive under your limits now.'), linkButton('Raise a limit', to('banks'), { slim: true })),
    field({ id: 'description', label: 'What for', hint: 'The payer sees it.' }, (attributes) => h('input', {
      ...attributes, class: 'input', type: 'text', maxlength: 140, ...typing(description, (text) => { description = text; renewed(); app.refresh(); }),
    })),
    field({ id: 'expiry', label: 'Valid for' }, (attributes) => h('select', { ...attributes, class: 'input select', value: String(expiry), onchange: (/** @type {any} */ event) => { expiry = Number(event.target.value); renewed(); } },
      EXPIRIES.map(([label, seconds]) => h('option', { key: seconds, value: seconds }, label)))),
    problem && errorNote(problem),
    h('div', { class: 'row' }, button('Create invoice', { submit: true, main: true, busy: app.doing('invoice') })));
  };

  return {
    title: 'Receive',
    view: () => {
      const invoices = app.use('invoices');
      const invoice = invoices.value?.find((one) => one.key === shown);
      const noBank = app.use('channels').value?.length === 0;
      if (shown !== null) return [heading('Receive'), invoice ? invoiceView(app, invoice, again) : h('div', { class: 'card' }, bones(5))];
      return [
        heading('Receive', linkButton('Till', to('till'), { slim: true })),
        noBank && h('div', { key: 'no-bank' }, note(undefined, h('p', null, 'Somebody has to forward payments to you. Add a bank first.'), linkButton('Add bank', to('banks', 'add'), { slim: true, main: true }))),
        h('section', { class: 'card', key: 'form' }, h('header', null, h('h2', null, 'Invoice')), invoiceForm()),
        addressCard(app),
        answered(invoices, (list) => list.length > 0 && h('section', { class: 'card flush', key: 'list' }, h('header', null, h('h2', null, 'Your invoices')),
          h('ul', { class: 'rows' }, list.map((one) => h('li', { key: one.key }, h('button', { type: 'button', class: 'item plain', onclick: () => { shown = one.key; app.turn(); } },
            h('span', { class: 'stack tight' }, h('span', { class: 'line' }, one.description ?? 'Without description'), h('span', { class: 'sub' }, ago(app, one.created))),
            h('span', { class: 'stack tight' }, one.amount === null ? h('span', { class: 'muted' }, 'open amount') : amount(app, one.asset, one.amount), invoiceTag(one))))))), () => null),
      ];
    },
  };
}

/** @param {OwnInvoice} invoice */
function invoiceTag({ state }) {
  switch (state) {
    case 'paid': return tag('good', icon('check', { size: 14 }), 'paid');
    case 'pending': return tag('move', icon('clock', { size: 14 }), 'being paid');
    case 'open': return tag(undefined, 'open');
    case 'cancelled': return tag(undefined, icon('cross', { size: 14 }), 'cancelled');
    default: return tag('warn', icon('clock', { size: 14 }), 'expired');
  }
}

/**
 * @param {App} app
 * @param {OwnInvoice} invoice
 * @param {() => void} again
 */
function invoiceView(app, invoice, again) {
  const paid = invoice.state === 'paid';
  return h('section', { class: 'card', key: 'invoice' },
    h('div', { class: 'row apart' }, invoice.amount === null && !paid ? h('h2', null, 'The payer decides the amount') : amount(app, invoice.asset, paid ? invoice.received : invoice.amount ?? 0n, { big: true }), invoiceTag(invoice)),
    invoice.description && h('p', null, invoice.description),
    h('div', { role: 'status', 'aria-live': 'polite' }, paid && note('good', h('strong', null, 'Paid'), h('p', null, amount(app, invoice.asset, invoice.received), ' received.'))),
    invoice.qr && qrCode(invoice.qr, `QR code of the invoice${invoice.description ? ` for ${invoice.description}` : ''}`),
    (invoice.state === 'open' || invoice.state === 'pending') && h('div', { class: 'stack' },
      copyable(app, invoice.text, 'invoice'),
      h('div', { class: 'row apart' }, h('span', { class: 'small muted' }, 'Expires ', ago(app, invoice.expires), '. Keep this wallet open to receive.'),
        button('Copy link', { slim: true, icon: 'copy', onclick: () => copyText(app, invoice.link, 'payment link') }))),
    invoice.state === 'expired' && note('warn', h('p', null, 'It has expired. Make a new one.')),
    invoice.state === 'cancelled' && note(undefined, h('p', null, 'You cancelled it: it can no longer be paid.')),
    app.problem('cancel') && errorNote(/** @type {any} */ (app.problem('cancel'))),
    h('div', { class: 'row' }, button('New invoice', { main: paid, onclick: again }),
      invoice.state === 'open' && button('Cancel it', { busy: app.doing('cancel'), onclick: () => app.act('cancel', async () => { await app.client.cancelInvoice({ key: invoice.key }); app.again('invoices'); }) }),
      linkButton('Activity', to('activity')), !paid && counterpartLink(app, 'Ask the counterpart to pay')));
}

/** @param {App} app */
function addressCard(app) {
  return h('section', { class: 'card', key: 'address' }, h('details', null, h('summary', null, 'Address'),
    h('div', { class: 'stack' },
      h('p', { class: 'small muted' }, 'For payments that need no proof. It can be used again and again.'),
      answered(app.use('address'), ({ text, qr }) => [qrCode(qr, 'QR code of your address'), copyable(app, text, 'address')]))));
}
