/**
 * One invoice: who asks, for what, how much, fee, route, assurance, what
 * happens if it fails; then one button, and one status line that moves.
 */

import { h } from '../dom.js';
import { amount, answered, bones, button, errorNote, form, heading, linkButton, note, sums, who } from '../parts/basic.js';
import { payeeAssurance } from '../parts/assurance.js';
import { amountField, readAmount, typedAmount } from '../parts/amount-field.js';
import { amountLine, exactTime, strangersText } from '../format.js';
import { asFairError } from '../errors.js';
import { meaning } from '../explain.js';
import { isLate, refundPromise, timeToPay } from '../parts/invoice-terms.js';
import { statusLine } from '../pages/pay.js';
import { unlockPage } from '../pages/unlock.js';
import { to } from '../router.js';
import { fund } from './fund.js';
import { Handover } from './handover.js';
import { Merchant } from './merchant.js';
import { merchantView, openedByOther, refusedMerchant } from './merchant-view.js';
import { otherDevice } from './other-device.js';
import { webOrigin } from './request.js';
import { Seen } from './seen.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../api').Invoice} Invoice */
/** @typedef {import('../api').Quote} Quote */
/** @typedef {import('../errors.js').FairError} FairError */
/** @typedef {import('./request.js').Request} Request */

/** A page that was to hand an invoice over is waited for so long before the payer is told. */
const HANDOVER_MS = 15_000;
/** Timers of browsers go no further. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** What a wallet without money, bank or room answers: on a test network it can be helped. */
const POOR = new Set(['payment.no_route', 'payment.too_much', 'channel.unknown_bank']);

export class CheckoutSheet {
  #app;
  /** @type {Request | null} */
  #request = null;
  /** @type {Handover | null} */
  #handover = null;
  #isLate = false;
  /** @type {string | null} */
  #text = null;
  /** @type {Merchant | null} */
  #merchant = null;
  /** @type {FairError | null} */
  #unusable = null;
  #typed = typedAmount();
  /** @type {Quote | null} */
  #quote = null;
  /** @type {FairError | null} */
  #quoteError = null;
  #seen;
  /** The invoice's time is over, and it can be paid all the same. */
  #afterTime = false;
  /** What is asked of the engine about the invoice here, by name. @type {Map<string, symbol>} */
  #busy = new Map();
  /** Grows with every invoice that is taken: answers about an earlier one are dropped. */
  #turn = 0;
  #attempt = 0;
  /** @type {string | null} */
  #paymentId = null;
  #step = '';
  #gate;

  /**
   * @param {App} app
   * @param {Request | null} request
   */
  constructor(app, request) {
    this.#app = app;
    this.#gate = unlockPage(app, 'h2');
    this.#seen = new Seen(app);
    this.turnTo(request);
    for (const event of /** @type {const} */ (['head', 'channel', 'status'])) app.client.on(event, () => { if (this.#quoteError && !app.doing('fund')) this.#ask(); });
    app.client.on('payment', (payment) => { if (payment.id === this.#paymentId) this.#told(payment); });
  }

  get #invoice() {
    return this.#merchant?.invoice ?? null;
  }

  get title() {
    return this.#paymentId === null ? 'Pay' : 'Payment';
  }

  /** Whether turning to this would replace an invoice that is shown. @param {Request} request */
  replaces(request) {
    return this.#invoice !== null && !this.#isAt(request);
  }

  /** @param {Request} request */
  #isAt(request) {
    return JSON.stringify(request) === JSON.stringify(this.#request);
  }

  /** @param {Request | null} request */
  turnTo(request) {
    if (request && this.#isAt(request)) return;
    this.#request = request;
    this.#handover = null;
    this.#take(request?.invoice ?? null);
    if (!request?.opener) return;
    const handover = new Handover(request.opener, (invoice) => { if (this.#handover === handover) this.#take(invoice); });
    this.#handover = handover;
    setTimeout(() => { this.#isLate = true; this.#app.refresh(); }, HANDOVER_MS);
  }

  /** @param {string | null} text */
  #take(text) {
    this.#turn += 1;
    this.#busy.clear();
    this.#text = text;
    this.#merchant = null;
    this.#unusable = null;
    this.#typed = typedAmount();
    this.#quote = null;
    this.#quoteError = null;
    this.#seen.forget();
    this.#afterTime = false;
    this.#attempt = 0;
    this.#paymentId = null;
    this.#app.refresh();
  }

  /** Does the next thing that everything is there for; called with every drawing. */
  #advance() {
    const app = this.#app;
    if (this.#text !== null && !this.#invoice && !this.#unusable && app.use('syncState').value?.verified) this.#decode(this.#text);
    if (app.use('status').value?.wallet !== 'unlocked') {
      // What was answered before it was locked holds no more: it calls its banks anew.
      this.#quote = this.#quoteError = null;
      this.#seen.forget();
    } else if (this.#invoice && !this.#quote && !this.#quoteError && this.#paymentId === null) this.#ask();
    if (this.#invoice && !this.#afterTime && isLate(this.#invoice)) {
      this.#afterTime = true;
      // What is said about it now is to be seen as well.
      this.#seen.forget();
      if (this.#quote) this.#seen.begin();
    }
    if (this.#invoice && !this.#invoice.acceptsLate && this.#invoice.expires < Date.now() && this.#paymentId === null) {
      this.#unusable = asFairError({ code: 'payment.expired', message: 'The invoice has expired.', retryable: false, data: null });
      this.#handover?.tell('expired');
    }
  }

  /** @param {string} what @param {() => Promise<void>} work */
  async #once(what, work) {
    if (this.#busy.has(what)) return;
    const mine = Symbol(what);
    this.#busy.set(what, mine);
    await work();
    if (this.#busy.get(what) === mine) this.#busy.delete(what);
    this.#app.refresh();
  }

  /** @param {string} text */
  #decode(text) {
    const turn = this.#turn;
    return this.#once('decode', async () => {
      try {
        const decoded = await this.#app.client.decode({ text });
        if (decoded.kind !== 'invoice') throw { code: 'payment.malformed', message: 'This is an address, not an invoice.', retryable: false, data: null };
        const { invoice } = decoded;
        if (this.#turn !== turn) return;
        const merchant = new Merchant(invoice, this.#handover?.origin ?? null);
        this.#merchant = merchant;
        const left = invoice.expires - Date.now();
        if (left > 0 && left < LONGEST_TIMER_MS) setTimeout(() => this.#app.refresh(), left + 1);
        this.#typed.asset = invoice.asset.id;
        const known = read(invoice.hash);
        this.#attempt = known.attempt;
        this.#paymentId = known.id;
        if (known.id !== null) {
          const payment = await this.#app.client.payment({ id: known.id });
          if (this.#turn !== turn) return;
          this.#told(payment);
        }
        this.#app.refresh();
        await merchant.check();
        if (this.#turn !== turn) return;
        if (merchant.refused) this.#handover?.tell('error', { code: 'merchant.refused' });
      } catch (thrown) {
        if (this.#turn !== turn) return;
        this.#unusable = asFairError(thrown);
        this.#handover?.tell(this.#unusable.code === 'payment.expired' ? 'expired' : 'error', { code: this.#unusable.code });
      }
    });
  }

  /** @returns {import('../api').PayRequest | null} */
  #order() {
    const invoice = this.#invoice;
    if (!invoice) return null;
    if (invoice.amount !== null) return { text: invoice.text, amount: null, asset: null };
    const typed = readAmount(this.#app, this.#typed);
    return 'amount' in typed && typed.amount > 0n ? { text: invoice.text, amount: typed.amount, asset: invoice.asset.id } : null;
  }

  #ask() {
    const order = this.#order();
    if (!order || this.#merchant?.refused) return;
    const turn = this.#turn;
    // Another invoice came or another amount was typed meanwhile: it is asked about next.
    const isOld = () => this.#turn !== turn || this.#order()?.amount !== order.amount;
    this.#once('quote', async () => {
      try {
        const quote = await this.#app.client.quote(order);
        if (isOld()) return;
        this.#quote = quote;
        this.#quoteError = null;
        this.#seen.begin();
      } catch (thrown) {
        if (isOld()) return;
        this.#quote = null;
        this.#quoteError = asFairError(thrown);
      }
    });
  }

  /** Whether what is to be paid is known and was to be seen. */
  #isReady() {
    return this.#quote !== null && this.#seen.isLong && Boolean(this.#merchant?.isPayable);
  }

  #pay() {
    const order = this.#order();
    const quote = this.#quote;
    const invoice = this.#invoice;
    if (!order || !quote || !invoice || !this.#isReady()) return;
    const [turn, attempt] = [this.#turn, this.#attempt];
    this.#app.act('pay', async () => {
      // The same attempt at the same invoice is the same payment, in every tab and after a reload.
      const key = `checkout-${invoice.hash}-${attempt}`;
      const payment = await this.#app.client.pay({ ...order, key, maxFee: quote.fee, description: null });
      write(invoice.hash, { attempt, id: payment.id });
      if (this.#turn !== turn) return;
      this.#paymentId = payment.id;
      this.#app.turn();
      this.#told(payment);
    });
  }

  /** @param {import('../api').Payment} payment */
  #told(payment) {
    if (payment.state === 'paid') this.#handover?.tell('paid');
    else if (payment.state === 'failed') this.#handover?.tell('error', { code: payment.error?.code ?? 'payment.failed' });
    else this.#handover?.tell('pending');
  }

  #again() {
    this.#attempt += 1;
    this.#paymentId = null;
    this.#quote = null;
    this.#quoteError = null;
    if (this.#invoice) write(this.#invoice.hash, { attempt: this.#attempt, id: null });
    this.#app.turn();
  }

  view() {
    this.#advance();
    if (!this.#request) return this.#problem('There is nothing to pay here', 'The link is incomplete. Go back to where you found it, and follow it again.');
    if (this.#unusable) return [heading('This cannot be paid'), errorNote(this.#unusable), this.#wayBack()];
    if (this.#text === null) return this.#waitingView();
    if (!this.#merchant) return [heading('Payment'), h('div', { class: 'card' }, bones(5))];
    return this.#paymentId === null ? this.#sheetView(this.#merchant) : this.#statusView(this.#merchant, this.#paymentId);
  }

  /** @param {string} title @param {string} next */
  #problem(title, next) {
    return [heading('Payment'), note('warn', h('strong', null, title), h('p', null, next)), h('div', { class: 'row' }, linkButton('Open my wallet', '/'))];
  }

  #waitingView() {
    const { origin } = /** @type {{origin: string}} */ (this.#request?.opener);
    if (!this.#handover?.isOpen) return this.#problem('The page that opened this window is gone', `Go back to ${origin} and begin again there.`);
    if (this.#isLate) return this.#problem('No invoice came', `${origin} has not sent one. Close this window and try again there, or scan its QR code.`);
    return [heading('Payment'), h('div', { class: 'card' }, h('p', { role: 'status' }, 'Waiting for the invoice of ', h('strong', null, origin), '.'), bones(4))];
  }

  /** Who asks, and for what. @param {Merchant} merchant */
  #asked(merchant) {
    const { description } = merchant.invoice;
    return [merchantView(merchant), description && h('p', { class: 'stranger' }, strangersText(description))];
  }

  /** @param {Merchant} merchant */
  #sheetView(merchant) {
    const app = this.#app;
    const wallet = app.use('status').value?.wallet;
    const { invoice, refused } = merchant;
    return [
      heading('Payment'),
      h('section', { class: 'card', key: 'asked' }, ...this.#asked(merchant),
        invoice.amount !== null && h('p', null, amount(app, invoice.asset, invoice.amount, { big: true })),
        refundPromise(invoice),
        timeToPay(app, invoice)),
      // With a link nobody says which page it was.
      !refused && !this.#handover && window.opener !== null && openedByOther(merchant),
      refused ? [refusedMerchant(merchant), this.#wayBack()]
        : wallet === 'unlocked' ? this.#payView(invoice)
          : wallet === 'locked' ? h('section', { class: 'card', key: 'locked' }, this.#gate.view(), h('div', { class: 'row' }, this.#cancelButton()))
            : wallet === 'none' ? this.#newcomerView() : bones(2),
      !refused && otherDevice(app, invoice),
    ];
  }

  #newcomerView() {
    const test = this.#app.use('status').value?.network?.test;
    return h('section', { class: 'card', key: 'newcomer' }, h('h2', null, 'You need a wallet'),
      h('p', null, 'This page is one: it keeps your keys in this browser and checks every block itself. Making it takes a minute; then you come back here.'),
      test && h('p', { class: 'small muted' }, 'On this test network it also gets play money to pay with.'),
      h('div', { class: 'row' }, linkButton('Create wallet', to('create'), { main: true }), linkButton('Restore wallet', to('restore')), this.#cancelButton()));
  }

  /** @param {Invoice} invoice */
  #payView(invoice) {
    const app = this.#app;
    const quote = this.#quote;
    const problem = app.problem('pay');
    const label = quote ? `Pay ${amountLine(quote.amount, quote.asset, app.locale)}${this.#afterTime ? ' late' : ''}` : 'Pay';
    return h('div', { class: 'card', key: 'pay' }, form(() => { this.#typed.touched = true; this.#pay(); },
      invoice.amount === null && amountField(app, this.#typed, {
        id: 'amount', label: 'Amount', big: true, fixedAsset: true, assets: [], hint: 'The shop leaves it to you.',
        onchange: () => { this.#quote = this.#quoteError = null; app.refresh(); },
      }),
      quote && this.#quoteView(invoice, quote),
      !quote && !this.#quoteError && this.#order() && h('div', { class: 'stack', 'aria-busy': 'true' }, h('span', { class: 'unseen' }, 'Looking for a route'), h('span', { class: 'bone w3' }), h('span', { class: 'bone w2' })),
      this.#quoteError && this.#poorView(invoice, this.#quoteError),
      problem && errorNote(problem, button('Look again', { slim: true, onclick: () => { app.clearProblem('pay'); this.#ask(); } })),
      h('div', { class: 'row', key: 'do' }, !this.#quoteError && button(label, { submit: true, main: true, busy: app.doing('pay'), busyLabel: 'Locking …', disabled: !this.#isReady() }), this.#cancelButton())));
  }

  /**
   * @param {Invoice} invoice
   * @param {Quote} quote
   */
  #quoteView(invoice, quote) {
    const app = this.#app;
    const { insured, uninsured } = quote.assurance;
    return h('div', { class: 'stack', key: 'quote' }, sums(
      ['Fee', quote.fee === 0n ? 'none' : amount(app, quote.asset, quote.fee)],
      ['Total', amount(app, quote.asset, quote.amount + quote.fee)],
      ['Route', quote.route.length === 0 ? 'straight to the payee' : ['you', ...quote.route.flatMap((hop) => [' → ', who(hop)]), ' → payee']],
      ['Paid from', [insured > 0n && ['insured ', amount(app, quote.asset, insured)], insured > 0n && uninsured > 0n && ', ', uninsured > 0n && ['uninsured ', amount(app, quote.asset, uninsured)]]],
      ['For the payee', payeeAssurance(app, invoice.payee, quote)],
      ['If it fails', ['nothing is paid; the money is back by ', exactTime(quote.latestEnd, app.locale), ' at the latest']]));
  }

  /**
   * @param {Invoice} invoice
   * @param {FairError} error
   */
  #poorView(invoice, error) {
    const app = this.#app;
    const network = app.use('status').value?.network;
    const drafted = (app.use('draft').value?.actions.length ?? 0) > 0;
    const canSend = app.use('balances').value?.find(({ asset }) => asset.id === invoice.asset.id)?.canSend ?? 0n;
    const isRich = canSend >= (invoice.amount ?? 1n);
    if (!POOR.has(error.code) || isRich || !network?.faucet || invoice.asset.id !== 1 || drafted) return errorNote(error, linkButton('Open my wallet', '/', { slim: true }));
    const problem = app.problem('fund');
    return h('div', { class: 'stack', key: 'fund' },
      note('move', h('strong', null, 'Your wallet cannot pay this yet'),
        h('p', null, 'This is a test network. Its faucet gives play money, which is then deposited with a bank: two blocks, about ten seconds.'),
        h('div', { role: 'status', 'aria-live': 'polite' }, this.#step !== '' && h('p', null, this.#step)),
        button('Get test money', {
          main: true, busy: app.doing('fund'), busyLabel: 'Getting test money …',
          onclick: () => app.act('fund', async () => {
            await fund(app, invoice.amount ?? 0n, (step) => { this.#step = step; app.refresh(); });
            this.#step = '';
            this.#quoteError = null;
          }),
        })),
      problem && errorNote(problem));
  }

  /** @param {Merchant} merchant @param {string} id */
  #statusView(merchant, id) {
    const app = this.#app;
    return [
      heading('Payment'),
      answered(app.use('payment', { id }), (payment) => h('section', { class: 'card', key: 'status' },
        ...this.#asked(merchant),
        h('p', null, amount(app, payment.asset, payment.amount, { big: true })),
        statusLine(app, payment),
        payment.state === 'failed' && payment.error && h('p', null, meaning(payment.error).title, '. ', meaning(payment.error).next),
        payment.state !== 'paid' && payment.state !== 'failed' && h('p', { class: 'small muted' }, 'You may close this window: the shop learns the end from its own server.'),
        h('div', { class: 'row' },
          payment.state === 'failed' && button('Try again', { main: true, onclick: () => this.#again() }),
          payment.state === 'paid' && this.#backButton(),
          linkButton(payment.state === 'paid' ? 'Details and proof' : 'Details', `/${to('payment', id)}`)))),
    ];
  }

  /** Where the payer came from: the window that opened this one, or a place of the shop's own origin. */
  #backButton() {
    if (this.#handover?.isOpen) return button('Back to the shop', { main: true, onclick: () => window.close() });
    try {
      const back = new URL(this.#request?.back ?? '');
      const isOfShop = back.origin === this.#invoice?.origin && webOrigin(back.origin) !== null;
      return isOfShop ? linkButton(`Back to ${back.host}`, back.href, { main: true }) : null;
    } catch {
      return null;
    }
  }

  #wayBack() {
    // A page that is not what it seems is no place to go back to.
    const back = this.#merchant?.refused ? this.#handover?.isOpen && button('Close this window', { onclick: () => window.close() }) : this.#backButton();
    return h('div', { class: 'row' }, back, linkButton('Open my wallet', '/'));
  }

  #cancelButton() {
    if (!this.#handover?.isOpen) return this.#backButton();
    return button('Cancel', { onclick: () => { this.#handover?.tell('cancel'); window.close(); } });
  }
}

/** The newest payment of an invoice in this window, for a reload. @param {string} hash @returns {{attempt: number, id: string | null}} */
function read(hash) {
  try {
    const { attempt, id } = JSON.parse(sessionStorage.getItem(`fair-checkout-${hash}`) ?? '');
    return { attempt: Number.isSafeInteger(attempt) ? attempt : 0, id: typeof id === 'string' ? id : null };
  } catch {
    return { attempt: 0, id: null };
  }
}

/** @param {string} hash @param {{attempt: number, id: string | null}} value */
function write(hash, value) {
  try {
    sessionStorage.setItem(`fair-checkout-${hash}`, JSON.stringify(value));
  } catch {
    // Without storage a reload shows the invoice again; paying it twice is refused by the engine.
  }
}
