/**
 * Pay: paste, scan or link, then who, how much, fee, route and assurance, one
 * button that says what it does, and one status line that moves. A failure
 * keeps what was typed.
 */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { accountOf, amount, answered, button, errorNote, field, heading, keyPicture, linkButton, note, sums, typing, who } from '../parts/basic.js';
import { payeeAssurance } from '../parts/assurance.js';
import { amountField, readAmount, typedAmount } from '../parts/amount-field.js';
import { amountInput, amountLine, exactTime, keyWords, namedAccount, strangersText, tookText } from '../format.js';
import { asFairError } from '../errors.js';
import { meaning } from '../explain.js';
import { canScan, takers } from '../parts/scanner.js';
import { refundPromise, timeToPay } from '../parts/invoice-terms.js';
import { shopLink } from '../parts/shop.js';
import { Merchant } from '../checkout/merchant.js';
import { merchantView, refusedMerchant } from '../checkout/merchant-view.js';
import { Seen } from '../checkout/seen.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../api').Decoded} Decoded */
/** @typedef {import('../api').Quote} Quote */
/** @typedef {import('../errors.js').FairError} FairError */

/** Typing settles before the engine is asked. */
const SETTLE_MS = 150;

/**
 * @param {App} app
 * @param {string[]} path
 * @returns {import('../app.js').Page}
 */
export function payPage(app, [linked = '']) {
  const sheet = new PaySheet(app, linked);
  return { title: 'Pay', view: () => sheet.view(), leave: () => sheet.leave() };
}

class PaySheet {
  #app;
  #text = '';
  /** @type {Decoded | null} */
  #decoded = null;
  /** Who asks with an invoice. @type {Merchant | null} */
  #merchant = null;
  /** @type {FairError | null} */
  #decodeError = null;
  #typed = typedAmount();
  #note = '';
  /** @type {Quote | null} */
  #quote = null;
  /** @type {FairError | null} */
  #quoteError = null;
  #quoting = false;
  #asking = new AbortController();
  #timer = 0;
  /** Repeating the confirmation of one quote must not pay twice. */
  #key = crypto.randomUUID();
  /** @type {string | null} */
  #paymentId = null;
  #camera = { scanning: false };
  #seen;

  /**
   * @param {App} app
   * @param {string} linked
   */
  constructor(app, linked) {
    this.#app = app;
    this.#seen = new Seen(app);
    if (linked !== '') this.#setText(linked);
  }

  leave() {
    this.#asking.abort();
    clearTimeout(this.#timer);
    this.#camera.scanning = false;
  }

  /** @param {string} text */
  #setText(text) {
    this.#text = text;
    this.#decoded = null;
    this.#merchant = null;
    this.#decodeError = null;
    this.#seen.forget();
    this.#dropQuote();
    const cleaned = text.trim().replace(/^web\+fair:(\/\/)?/i, '').replace(/^https?:\/\/[^#]*#(\/pay\/)?/i, '').replace(/\?.*$/s, '');
    if (cleaned !== '') this.#later(() => this.#decode(cleaned));
    this.#app.refresh();
  }

  #dropQuote() {
    this.#asking.abort();
    this.#asking = new AbortController();
    clearTimeout(this.#timer);
    this.#quote = null;
    this.#quoteError = null;
    this.#quoting = false;
    this.#key = crypto.randomUUID();
    this.#app.clearProblem('pay');
  }

  /** @param {() => void} work */
  #later(work) {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(work, SETTLE_MS);
  }

  /** @param {string} text */
  async #decode(text) {
    const { signal } = this.#asking;
    try {
      this.#decoded = await this.#app.client.decode({ text }, { signal });
      if (this.#decoded.kind === 'invoice') {
        const { invoice } = this.#decoded;
        if (invoice.amount === null) this.#typed.asset = invoice.asset.id;
        this.#merchant = new Merchant(invoice);
        this.#merchant.check().then(() => this.#app.refresh());
      }
      this.#askQuote();
    } catch (thrown) {
      if (signal.aborted) return;
      this.#decodeError = asFairError(thrown);
    }
    this.#app.refresh();
  }

  /** What is asked of the engine, or null while the amount is missing. @returns {import('../api').PayRequest | null} */
  #request() {
    const decoded = this.#decoded;
    if (!decoded || this.#merchant?.refused) return null;
    if (decoded.kind === 'invoice' && decoded.invoice.amount !== null) return { text: decoded.invoice.text, amount: null, asset: null };
    const read = readAmount(this.#app, this.#typed);
    if (!('amount' in read) || read.amount === 0n) return null;
    return { text: decoded.kind === 'invoice' ? decoded.invoice.text : decoded.text, amount: read.amount, asset: this.#typed.asset };
  }

  async #askQuote() {
    const request = this.#request();
    if (!request) return;
    const { signal } = this.#asking;
    this.#quoting = true;
    this.#app.refresh();
    try {
      this.#quote = await this.#app.client.quote(request, { signal });
      this.#quoteError = null;
      this.#seen.begin();
    } catch (thrown) {
      if (signal.aborted) return;
      this.#quoteError = asFairError(thrown);
    }
    this.#quoting = false;
    this.#app.refresh();
  }

  /** Whether what is to be paid is known and was to be seen, and so is who asks. */
  #isReady() {
    return this.#quote !== null && this.#seen.isLong && (this.#merchant === null || this.#merchant.isPayable);
  }

  #pay() {
    const request = this.#request();
    const quote = this.#quote;
    if (!request || !quote || !this.#isReady()) return;
    this.#app.act('pay', async () => {
      const payment = await this.#app.client.pay({ ...request, key: this.#key, maxFee: quote.fee, description: this.#note.trim() || null });
      this.#paymentId = payment.id;
      this.#app.turn();
      this.#app.put('payment', { ...await this.#app.client.payment({ id: payment.id }) }, { id: payment.id });
    });
  }

  view() {
    if (this.#paymentId !== null) return this.#statusView(this.#paymentId);
    return [
      heading('Pay'),
      this.#inputView(),
      this.#decodeError && errorNote(this.#decodeError),
      this.#decoded && this.#sheetView(this.#decoded),
    ];
  }

  #inputView() {
    const { viewfinder, buttons } = takers(this.#app, this.#camera, 'request', (text) => this.#setText(text));
    return h('section', { class: 'card', key: 'input' },
      field({ id: 'request', label: 'Invoice or address', hint: this.#decoded ? null : canScan() ? 'Paste it, scan it, or follow a payment link.' : 'Paste it, or follow a payment link.' }, (attributes) => h('textarea', {
        ...attributes, class: 'area', rows: 3, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false',
        'aria-invalid': this.#decodeError ? 'true' : null,
        ...typing(this.#text, (text) => this.#setText(text)),
      })),
      viewfinder,
      h('div', { class: 'row' },
        buttons,
        this.#text === '' && shopLink(this.#app),
        this.#text !== '' && button('Clear', { icon: 'cross', slim: true, onclick: () => this.#setText('') })));
  }

  /** @param {Decoded} decoded */
  #sheetView(decoded) {
    const app = this.#app;
    const invoice = decoded.kind === 'invoice' ? decoded.invoice : null;
    const payee = decoded.kind === 'invoice' ? decoded.invoice.payee : decoded.payee;
    const open = !invoice || invoice.amount === null;
    const problem = app.problem('pay');
    if (this.#merchant?.refused) return h('section', { class: 'card', key: 'refused' }, merchantView(this.#merchant), refusedMerchant(this.#merchant));
    return h('form', {
      class: 'card', key: 'sheet', novalidate: true,
      onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); this.#typed.touched = true; this.#pay(); },
    },
    this.#merchant?.origin ? merchantView(this.#merchant) : h('div', { class: 'payee' }, keyPicture(payee.key, 48), h('div', { class: 'stack tight' },
      h('p', null, h('strong', null, payee.handle || payee.id !== null ? namedAccount(payee) : 'Unregistered account')),
      h('p', { class: 'small muted' }, keyWords(payee.key)))),
    invoice?.description && h('p', { class: 'stranger' }, strangersText(invoice.description)),
    open
      ? amountField(app, this.#typed, {
        id: 'amount', label: 'Amount', big: true, fixedAsset: invoice !== null, assets: invoice ? [] : app.use('assets').value ?? [],
        hint: this.#sendable(), onchange: () => { this.#dropQuote(); this.#later(() => this.#askQuote()); },
      })
      : invoice && invoice.amount !== null && h('p', null, amount(app, invoice.asset, invoice.amount, { big: true })),
    !invoice && field({ id: 'note', label: 'Note for yourself', hint: 'Stays in this wallet.' }, (attributes) => h('input', {
      ...attributes, class: 'input', type: 'text', maxlength: 140, ...typing(this.#note, (text) => { this.#note = text; app.refresh(); }),
    })),
    this.#quoteView(payee),
    invoice && refundPromise(invoice),
    invoice && timeToPay(app, invoice),
    problem && this.#failedToPay(problem),
    h('div', { class: 'row' }, this.#payButton()));
  }

  #sendable() {
    const balance = this.#app.use('balances').value?.find(({ asset }) => asset.id === this.#typed.asset);
    return balance && ['You can send up to ', amount(this.#app, balance.asset, balance.canSend), ' less the fee.'];
  }

  #payButton() {
    const quote = this.#quote;
    const app = this.#app;
    const label = quote ? `Pay ${amountLine(quote.amount, quote.asset, app.locale)}` : 'Pay';
    return button(label, { submit: true, main: true, block: true, busy: app.doing('pay'), busyLabel: 'Locking …', disabled: !this.#isReady() });
  }

  /** @param {import('../api').AccountRef} payee */
  #quoteView(payee) {
    const app = this.#app;
    if (this.#quoteError) return this.#failedQuote(this.#quoteError);
    const quote = this.#quote;
    if (!quote) {
      return this.#quoting ? h('div', { class: 'stack', 'aria-busy': 'true' }, h('span', { class: 'unseen' }, 'Looking for a route'), h('span', { class: 'bone w3' }), h('span', { class: 'bone w2' })) : null;
    }
    const { insured, uninsured } = quote.assurance;
    return h('div', { class: 'stack', key: 'quote' }, sums(
      ['Fee', quote.fee === 0n ? 'none' : amount(app, quote.asset, quote.fee)],
      ['Total', amount(app, quote.asset, quote.amount + quote.fee)],
      ['Route', quote.route.length === 0 ? 'straight to the payee' : ['you', ...quote.route.flatMap((hop) => [' → ', who(hop)]), ' → payee']],
      ['Paid from', [insured > 0n && ['insured ', amount(app, quote.asset, insured)], insured > 0n && uninsured > 0n && ', ', uninsured > 0n && ['uninsured ', amount(app, quote.asset, uninsured)]]],
      ['For the payee', payeeAssurance(app, payee, quote)],
      ['Paid or returned by', exactTime(quote.latestEnd, app.locale)]),
    !quote.provable && note(undefined, h('p', { class: 'small' }, 'A payment to an address leaves no proof. Ask for an invoice if you need one.')));
  }

  /**
   * What would have worked, where the engine knows it.
   * @param {FairError} error
   */
  #failedQuote(error) {
    const available = error.data?.available;
    const app = this.#app;
    const usable = typeof available === 'bigint' && available > 0n && this.#decoded && !(this.#decoded.kind === 'invoice' && this.#decoded.invoice.amount !== null);
    return h('div', { key: 'quote-error' }, errorNote(error, [
      typeof available === 'bigint' && h('p', null, 'Possible now: ', amount(app, this.#typed.asset, available), '.'),
      usable && button('Use that amount', { slim: true, onclick: () => {
        this.#typed.text = amountInput(/** @type {bigint} */ (available), app.asset(this.#typed.asset).decimals, app.locale);
        this.#dropQuote();
        this.#askQuote();
      } }),
      error.retryable && button('Try again', { slim: true, onclick: () => { this.#dropQuote(); this.#askQuote(); } })]));
  }

  /** @param {FairError} error */
  #failedToPay(error) {
    return errorNote(error, error.code === 'payment.fee_rose'
      ? button('Look at the new fee', { slim: true, onclick: () => { this.#dropQuote(); this.#askQuote(); } }) : null);
  }

  /** @param {string} id */
  #statusView(id) {
    const app = this.#app;
    return [
      heading('Payment'),
      answered(app.use('payment', { id }), (payment) => h('section', { class: 'card', key: 'status' },
        h('p', null, amount(app, payment.asset, payment.amount, { big: true })),
        whatFor(payment),
        statusLine(app, payment),
        payment.state === 'failed' && payment.error && h('div', { class: 'stack' },
          h('p', null, meaning(payment.error).title, '. ', meaning(payment.error).next), h('p', { class: 'small muted' }, h('code', null, payment.error.code))),
        h('div', { class: 'row' },
          payment.state === 'failed' && button('Try again', { main: true, onclick: () => this.#again() }),
          linkButton(payment.state === 'paid' ? 'Details and proof' : 'Details', to('payment', id)),
          payment.state === 'paid' && button('Pay something else', { onclick: () => { this.#paymentId = null; this.#setText(''); this.#typed.text = ''; this.#note = ''; app.turn(); } })))),
    ];
  }

  #again() {
    this.#paymentId = null;
    this.#dropQuote();
    this.#askQuote();
    this.#app.turn();
  }
}

/** What for and to whom; a stranger's words and the account's never in one line. @param {import('../api').Payment} payment */
function whatFor({ counterparty, description }) {
  return [description !== null && h('p', { class: 'stranger' }, strangersText(description)),
    counterparty && h('p', { class: 'small muted' }, 'To ', accountOf(counterparty))];
}

/**
 * The line that moves: locking, settling, paid or failed, with times.
 * @param {App} app
 * @param {import('../api').Payment} payment
 */
export function statusLine(app, payment) {
  const took = payment.endedAt === null ? null : Math.max(0, payment.endedAt - payment.createdAt);
  const within = took === null ? '' : ` in ${tookText(took, app.locale)}`;
  const view = (/** @type {string} */ tone, /** @type {import('../icons.js').IconName} */ picture, /** @type {string} */ title, /** @type {import('../dom.js').Child} */ says) =>
    h('div', { class: 'statusline', 'data-tone': tone, role: 'status', 'aria-live': 'polite', 'data-state': payment.state, key: 'statusline' },
      icon(picture, { size: 24 }), h('div', null, h('strong', null, title), h('p', { class: 'small' }, says)));
  switch (payment.state) {
    case 'locking': return view('move', 'clock', 'Locking', ['On its way', payment.latestEnd === null ? '.' : [', decided by ', exactTime(payment.latestEnd, app.locale), ' at the latest.']]);
    case 'settling': return view('move', 'clock', 'Settling', 'The secret is known; both sides are signing.');
    case 'paid': return view('good', 'check', payment.direction === 'in' ? 'Received' : 'Paid', payment.direction === 'in' ? 'It is in your balance; Home says how much of that is insured.' : `Final${within}.`);
    default: return view('bad', 'cross', 'Failed', 'Nothing was paid; the money is back.');
  }
}
