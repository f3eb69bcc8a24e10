/**
 * `<fair-pay invoice-src status-src wallet>`: a button that asks the payer's wallet. docs/embedding.md.
 *
 * A wallet window's word is a hint. Only `status-src`, the shop's own server, confirms.
 */

import { generate } from './lean-qr.js';

const PROTOCOL = 'fair-pay/1';
const INVOICE = /^fairpay1[02-9ac-hj-np-z]{6,4088}$/;
const LOOPBACK = /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;
const STATUS_PAUSE_MS = 1_500;
const STATUS_LONGEST_PAUSE_MS = 20_000;
const CLOSED_CHECK_MS = 400;
const SVG = 'http://www.w3.org/2000/svg';
const QUIET = 4;

/** pay, code, scan, open, waiting, pending, hint, confirmed, expired, cancel, error @type {Record<string, string[]>} */
const WORDS = {
  en: ['Pay with Fair', 'QR code', 'Scan it with the device that has your wallet.', 'Open the wallet here', 'Go on in the wallet window.', 'The payment is under way.', 'The wallet says it is paid. Waiting for the shop.', 'Paid. The shop has confirmed it.', 'This invoice can no longer be paid. Press the button for a new one.', 'Not paid: the wallet window was closed.', 'The payment did not go through. Try again.'],
  de: ['Mit Fair bezahlen', 'QR-Code', 'Mit dem Gerät scannen, das Ihre Wallet hat.', 'Wallet hier öffnen', 'Weiter geht es im Fenster der Wallet.', 'Die Zahlung läuft.', 'Bezahlt, sagt die Wallet. Der Shop muss es noch bestätigen.', 'Bezahlt. Der Shop hat es bestätigt.', 'Diese Rechnung gilt nicht mehr. Der Knopf holt eine neue.', 'Nicht bezahlt: Das Fenster der Wallet wurde geschlossen.', 'Die Zahlung ist nicht zustande gekommen. Bitte noch einmal versuchen.'],
  fr: ['Payer avec Fair', 'Code QR', 'Scannez-le avec l’appareil qui a votre portefeuille.', 'Ouvrir le portefeuille ici', 'Continuez dans la fenêtre du portefeuille.', 'Le paiement est en cours.', 'Payé selon le portefeuille. En attente de la boutique.', 'Payé. La boutique l’a confirmé.', 'Cette facture n’est plus valable. Le bouton en demande une nouvelle.', 'Non payé : la fenêtre du portefeuille a été fermée.', 'Le paiement n’a pas abouti. Réessayez.'],
  es: ['Pagar con Fair', 'Código QR', 'Escanéelo con el dispositivo que tiene su cartera.', 'Abrir la cartera aquí', 'Continúe en la ventana de la cartera.', 'El pago está en curso.', 'Pagado según la cartera. Falta que la tienda lo confirme.', 'Pagado. La tienda lo ha confirmado.', 'Esta factura ya no se puede pagar. El botón pide otra.', 'No pagado: se cerró la ventana de la cartera.', 'El pago no se completó. Inténtelo de nuevo.'],
  ru: ['Оплатить через Fair', 'QR-код', 'Отсканируйте устройством, на котором ваш кошелёк.', 'Открыть кошелёк здесь', 'Продолжите в окне кошелька.', 'Платёж выполняется.', 'Кошелёк сообщает об оплате. Ждём магазин.', 'Оплачено. Магазин подтвердил.', 'Этот счёт больше нельзя оплатить. Кнопка запросит новый.', 'Не оплачено: окно кошелька закрыто.', 'Платёж не прошёл. Попробуйте ещё раз.'],
};
const NAMES = ['pay', 'code', 'scan', 'open', 'waiting', 'pending', 'hint', 'confirmed', 'expired', 'cancel', 'error'];

const style = new CSSStyleSheet();
style.replaceSync(`
:host { display: inline-block; max-width: 100%; font: inherit; font-family: var(--fair-font, system-ui, sans-serif); line-height: 1.4; }
:host([hidden]), [hidden] { display: none; }
[part=box] { display: flex; flex-wrap: wrap; gap: 8px; }
button { font: inherit; min-height: 44px; padding: 8px 16px; border-radius: var(--fair-radius, 10px); border: 1px solid currentColor; background: transparent; color: inherit; cursor: pointer; overflow-wrap: anywhere; }
[part=button] { font-weight: 600; color: var(--fair-on-accent, #fff); background: var(--fair-accent, #1a56c4); border-color: transparent; }
button:disabled { opacity: .6; cursor: default; }
:focus-visible { outline: 3px solid var(--fair-focus, #7aa7ff); outline-offset: 2px; }
[part=status], [part=qr] { flex: 1 0 100%; margin: 0; }
[part=status]:empty { display: none; }
[part=qr] p { margin: 4px 0; }
a { color: inherit; display: inline-block; padding: 4px 0; }
svg { display: block; width: 100%; max-width: 320px; background: #fff; border-radius: 6px; }
[part=status]::before { content: '● '; content: '● ' / ''; }
:host([state=pending]) [part=status]::before, :host([state=hint]) [part=status]::before { animation: beat 1.2s infinite alternate; }
:host([state=confirmed]) [part=status]::before { content: '✓ '; content: '✓ ' / ''; }
:host([state=error]) [part=status]::before, :host([state=expired]) [part=status]::before { content: '! '; content: '! ' / ''; }
@keyframes beat { to { opacity: .2; } }
@media (prefers-reduced-motion: reduce) { [part=status]::before { animation: none !important; } }
`);

class FairPay extends HTMLElement {
  static observedAttributes = ['invoice-src', 'status-src', 'wallet', 'lang'];

  /** What this payment is, kept over a reload. @type {{nonce: string, invoice: string | null} | null} */
  #order = null;
  /** @type {Promise<string> | null} */
  #asking = null;
  /** @type {MessageEventSource | null} */
  #window = null;
  #state = 'idle';
  /** The window was opened for an invoice that was known before, and was not given it yet. */
  #isOld = false;
  #closedTimer = 0;
  #statusTimer = 0;
  /** Ends with the element's time in the page; null outside of it. @type {AbortController | null} */
  #life = null;
  #button = document.createElement('button');
  #code = document.createElement('button');
  #panel = document.createElement('div');
  #status = document.createElement('p');

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true });
    root.adoptedStyleSheets = [style];
    const box = document.createElement('div');
    box.part.add('box');
    this.#button.part.add('button');
    this.#code.part.add('code');
    this.#panel.part.add('qr');
    this.#panel.id = 'qr';
    this.#panel.hidden = true;
    this.#status.part.add('status');
    this.#status.role = 'status';
    this.#status.ariaLive = 'polite';
    for (const button of [this.#button, this.#code]) button.type = 'button';
    this.#code.setAttribute('aria-controls', 'qr');
    this.#button.addEventListener('click', () => this.#open());
    this.#code.addEventListener('click', () => this.#toggleCode());
    box.append(this.#button, this.#code, this.#panel, this.#status);
    root.append(box);
  }

  connectedCallback() {
    this.#life = new AbortController();
    const { signal } = this.#life;
    addEventListener('message', (event) => this.#hear(event), { signal });
    document.addEventListener('visibilitychange', () => { if (this.#order && !document.hidden) this.#watch(0); }, { signal });
    this.#order = this.#kept();
    if (this.#order) this.#watch(0);
    this.#draw();
  }

  disconnectedCallback() {
    this.#life?.abort();
    this.#life = null;
    clearInterval(this.#closedTimer);
    clearTimeout(this.#statusTimer);
  }

  /** @param {string} name @param {string | null} before @param {string | null} now */
  attributeChangedCallback(name, before, now) {
    // Attributes that stand in the page come before its connection.
    if (!this.#life || before === now) return;
    if (name !== 'lang') {
      // Another order, or another wallet: what was known is not about it.
      this.disconnectedCallback();
      this.#asking = this.#window = null;
      this.#panel.replaceChildren();
      this.#panel.hidden = true;
      this.#state = 'idle';
      this.connectedCallback();
    }
    this.#draw();
  }

  /** `idle`, `waiting`, `pending`, `hint`, `confirmed`, `expired`, `cancel` or `error`. */
  get state() { return this.#state; }

  /** The wallet's origin; null where the attribute is unusable. */
  get #wallet() {
    try {
      const { origin, protocol } = new URL(this.getAttribute('wallet') ?? '');
      return protocol === 'https:' || LOOPBACK.test(origin) ? origin : null;
    } catch {
      return null;
    }
  }

  get #key() { return `fair-pay ${this.#wallet} ${this.getAttribute('invoice-src')}`; }

  /** @returns {{nonce: string, invoice: string | null} | null} */
  #kept() {
    try {
      const { nonce, invoice } = JSON.parse(sessionStorage.getItem(this.#key) ?? '');
      return /^[0-9a-f]{32}$/.test(nonce) && (invoice === null || INVOICE.test(invoice)) ? { nonce, invoice } : null;
    } catch {
      return null;
    }
  }

  #keep() {
    try {
      if (this.#order) sessionStorage.setItem(this.#key, JSON.stringify(this.#order));
      else sessionStorage.removeItem(this.#key);
    } catch {
      // Without storage a reload begins anew.
    }
  }

  #begin() {
    const random = crypto.getRandomValues(new Uint8Array(16));
    this.#order ??= { nonce: Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join(''), invoice: null };
    this.#keep();
    return this.#order;
  }

  /** In the click itself, or the browser blocks the window. */
  #open() {
    const wallet = this.#wallet;
    if (wallet === null) return this.#fail('wallet');
    const known = /** @type {Window | null} */ (this.#window);
    if (known && !known.closed) return known.focus();
    const { nonce, invoice } = this.#begin();
    this.#isOld = invoice !== null;
    const from = new URLSearchParams({ from: location.origin, nonce });
    const opened = window.open(`${wallet}/pay/#?${from}`, `fair-pay-${nonce}`, 'popup,width=480,height=780');
    this.#window = opened;
    this.#show('waiting');
    this.#tell('open');
    this.#ask().then((invoice) => {
      if (opened) return this.#watch(0);
      location.assign(`${this.#link(invoice)}?${new URLSearchParams({ return: location.href })}`);
    }, () => {
      opened?.close();
      this.#window = null;
      this.#fail('invoice');
    });
    clearInterval(this.#closedTimer);
    if (opened) this.#closedTimer = window.setInterval(() => this.#onClosed(opened), CLOSED_CHECK_MS);
  }

  /** @param {Window} opened */
  #onClosed(opened) {
    if (!opened.closed) return;
    clearInterval(this.#closedTimer);
    this.#window = null;
    // A payment that is under way goes on without its window; the shop says how it ends.
    if (this.#state === 'waiting') this.#cancel();
  }

  #cancel() {
    this.#show('cancel');
    this.#tell('cancel');
  }

  /** The order's invoice, asked for once. @returns {Promise<string>} */
  #ask() {
    const order = this.#begin();
    if (order.invoice !== null) return Promise.resolve(order.invoice);
    this.#asking ??= this.#fetch('invoice-src').then(({ invoice }) => {
      const text = String(invoice).trim().toLowerCase();
      if (!INVOICE.test(text)) throw new Error('no invoice');
      order.invoice = text;
      this.#keep();
      return text;
    }).finally(() => { this.#asking = null; });
    return this.#asking;
  }

  /** @param {string} attribute @returns {Promise<any>} */
  async #fetch(attribute) {
    const url = this.getAttribute(attribute) ?? '';
    const answer = await fetch(url, { headers: { accept: 'application/json' }, cache: 'no-store', signal: this.#life?.signal });
    if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
    return answer.json();
  }

  /** @param {string} invoice */
  #link(invoice) { return `${this.#wallet}/pay/#${invoice}`; }

  /** @param {MessageEvent} event */
  #hear({ origin, source, data }) {
    const order = this.#order;
    if (!order || !source || origin !== this.#wallet || data?.protocol !== PROTOCOL || data.nonce !== order.nonce) return;
    // After a reload the window is known by the nonce that it alone was given.
    if (source !== (this.#window ?? source)) return;
    this.#window = source;
    if (data.type === 'ready') {
      this.#ask().then((invoice) => {
        this.#isOld = false;
        source.postMessage({ protocol: PROTOCOL, nonce: order.nonce, type: 'invoice', invoice }, { targetOrigin: origin });
      }, () => {});
      return;
    }
    if (order.invoice === null || data.invoice !== order.invoice || this.#state === 'confirmed') return;
    switch (data.type) {
      case 'pending': return this.#under('pending');
      case 'paid': return this.#under('hint');
      case 'expired': return this.#expire();
      case 'cancel': if (this.#state === 'waiting') this.#cancel(); return;
      case 'error': if (typeof data.code === 'string') this.#fail(data.code.slice(0, 64));
    }
  }

  /** @param {'pending' | 'hint'} state */
  #under(state) {
    if (this.#state === state || (this.#state === 'hint' && state === 'pending')) return;
    this.#show(state);
    this.#tell(state === 'hint' ? 'paid-hint' : 'pending');
    this.#watch(0);
  }

  #expire() {
    this.#tell('expired');
    this.#end('expired');
  }

  /** @param {string} state */
  #end(state) {
    clearTimeout(this.#statusTimer);
    this.#order = null;
    this.#window = null;
    this.#keep();
    this.#panel.replaceChildren();
    this.#panel.hidden = true;
    this.#show(state);
  }

  /** @param {string} code */
  #fail(code) {
    this.#show('error');
    this.#tell('error', { code });
  }

  /** Asks the shop's server until it says how the order ended. @param {number} pause */
  #watch(pause, longer = STATUS_PAUSE_MS) {
    if (!this.hasAttribute('status-src') || !this.#order?.invoice) return;
    clearTimeout(this.#statusTimer);
    const order = this.#order;
    const life = this.#life;
    this.#statusTimer = window.setTimeout(async () => {
      let next = STATUS_PAUSE_MS;
      try {
        const { state } = await this.#fetch('status-src');
        if (this.#order !== order || this.#life !== life) return;
        if (state === 'paid') {
          this.#tell('confirmed');
          return this.#end('confirmed');
        }
        if (state === 'expired' || state === 'cancelled') {
          if (!this.#isOld || this.#state !== 'waiting') return this.#expire();
          // Pressed before this was known: the window gets the new invoice.
          this.#isOld = false;
          order.invoice = null;
          await this.#ask();
        }
        if (state === 'pending') this.#under('pending');
      } catch {
        if (this.#life !== life) return;
        next = Math.min(longer * 2, STATUS_LONGEST_PAUSE_MS);
      }
      if (this.#order === order) this.#watch(next, next);
    }, pause);
  }

  async #toggleCode() {
    this.#panel.hidden = !this.#panel.hidden;
    this.#draw();
    if (this.#panel.hidden) return;
    if (this.#wallet === null) return this.#fail('wallet');
    try {
      const link = this.#link(await this.#ask());
      const words = this.#words();
      const text = document.createElement('p');
      text.textContent = words.scan;
      const here = document.createElement('a');
      here.part.add('link');
      here.href = link;
      here.textContent = words.open;
      this.#panel.replaceChildren(picture(link, words.code), text, here);
      this.#watch(0);
    } catch {
      this.#panel.hidden = true;
      this.#fail('invoice');
    }
  }

  /** @param {string} state */
  #show(state) {
    this.#state = state;
    this.#draw();
  }

  /** @param {string} name @param {object} [more] */
  #tell(name, more) {
    const detail = { invoice: this.#order?.invoice ?? null, ...more };
    this.dispatchEvent(new CustomEvent(`fair:${name}`, { bubbles: true, composed: true, detail }));
  }

  /** @returns {Record<string, string>} */
  #words() {
    const language = (this.closest('[lang]')?.getAttribute('lang') || navigator.language).slice(0, 2).toLowerCase();
    const words = WORDS[language] ?? WORDS.en;
    return Object.fromEntries(NAMES.map((name, index) => [name, words[index]]));
  }

  #draw() {
    const words = this.#words();
    const isOver = this.#state === 'confirmed';
    this.setAttribute('state', this.#state);
    this.#button.textContent = this.textContent?.trim() || words.pay;
    this.#code.textContent = words.code;
    this.#button.disabled = this.#code.disabled = isOver;
    this.#code.ariaExpanded = String(!this.#panel.hidden);
    const says = this.#state === 'idle' ? '' : words[this.#state];
    // A live region speaks when its text changes.
    if (this.#status.textContent !== says) this.#status.textContent = says;
  }
}

/** @param {string} text @param {string} label */
function picture(text, label) {
  const code = generate(text);
  let path = '';
  for (let y = 0; y < code.size; y += 1) for (let x = 0; x < code.size; x += 1) if (code.get(x, y)) path += `M${x} ${y}h1v1h-1z`;
  const svg = document.createElementNS(SVG, 'svg');
  const side = code.size + 2 * QUIET;
  svg.setAttribute('viewBox', `${-QUIET} ${-QUIET} ${side} ${side}`);
  svg.setAttribute('shape-rendering', 'crispEdges');
  svg.role = 'img';
  svg.ariaLabel = label;
  const modules = document.createElementNS(SVG, 'path');
  modules.setAttribute('d', path);
  svg.append(modules);
  return svg;
}

customElements.define('fair-pay', FairPay);
