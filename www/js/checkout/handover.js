/**
 * Messages with the page that opened this window. Taken from that window, that
 * origin and under the nonce that it chose, and sent to that origin alone.
 */

/** @typedef {'pending' | 'paid' | 'cancel' | 'expired' | 'error'} Told */

const PROTOCOL = 'fair-pay/1';
const MAX_INVOICE_CHARS = 4_096;

export class Handover {
  /** @type {Window | null} */
  #window = window.opener;
  #nonce;
  /** @type {string | null} */
  #invoice = null;
  #told = '';
  origin;

  /**
   * @param {{origin: string, nonce: string}} opener
   * @param {(invoice: string) => void} take called once
   */
  constructor({ origin, nonce }, take) {
    this.origin = origin;
    this.#nonce = nonce;
    window.addEventListener('message', (event) => {
      if (event.source === null || event.source !== this.#window || event.origin !== origin) return;
      const { protocol, type, nonce: got, invoice } = event.data ?? {};
      if (protocol !== PROTOCOL || type !== 'invoice' || got !== nonce) return;
      // What is on the page here does not change under the payer's finger.
      if (this.#invoice !== null || typeof invoice !== 'string' || invoice.length > MAX_INVOICE_CHARS) return;
      this.#invoice = invoice;
      take(invoice);
    });
    this.#send({ type: 'ready' });
  }

  /** Whether the page that opened this window is still there. */
  get isOpen() {
    return this.#window !== null && !this.#window.closed;
  }

  /**
   * @param {Told} type
   * @param {{code?: string}} [more]
   */
  tell(type, more = {}) {
    const said = type + (more.code ?? '');
    if (this.#invoice === null || said === this.#told) return;
    this.#told = said;
    this.#send({ type, invoice: this.#invoice, ...more });
  }

  /** @param {Record<string, string>} message */
  #send(message) {
    this.#window?.postMessage({ protocol: PROTOCOL, nonce: this.#nonce, ...message }, { targetOrigin: this.origin });
  }
}
