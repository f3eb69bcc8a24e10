/**
 * Whether a web origin stands behind a payee: it says so itself, at a place
 * that only its owner can write.
 */

import { webOrigin } from './request.js';

/**
 * `none`: the invoice names no origin. `confirmed`: the origin lists the payee. `denied`: it lists others.
 * `unknown`: it could not be asked, or what is claimed is no origin.
 * @typedef {'none' | 'asking' | 'confirmed' | 'denied' | 'unknown'} Standing
 */

const PLACE = '/.well-known/fair-pay.json';
const ANSWER_MS = 5_000;
const MAX_BYTES = 65_536;

/** Who asks with an invoice, and what is known of that. */
export class Merchant {
  invoice;
  opener;
  /** Whom the invoice names, or the page that handed it over. @type {string | null} */
  origin;
  /** @type {Standing} */
  standing;

  /**
   * @param {import('../api').Invoice} invoice
   * @param {string | null} opener origin of the page that handed it over
   */
  constructor(invoice, opener = null) {
    const claimed = invoice.origin ?? opener;
    this.invoice = invoice;
    this.opener = opener;
    this.origin = claimed === null ? null : webOrigin(claimed);
    this.standing = this.origin === null ? 'none' : 'asking';
  }

  /** Asks the origin. */
  async check() {
    if (this.origin !== null) this.standing = await checkMerchant(this.origin, this.invoice.payee.key);
  }

  /** Why this is not paid to whom it seems to be. @returns {'other' | 'denied' | 'odd' | null} */
  get refused() {
    const claimed = this.invoice.origin;
    if (claimed !== null && this.origin === null) return 'odd';
    if (claimed !== null && this.opener !== null && claimed !== this.opener) return 'other';
    return this.standing === 'denied' ? 'denied' : null;
  }

  /** Whether it has been asked, and nothing speaks against it. */
  get isPayable() {
    return this.standing !== 'asking' && this.refused === null;
  }
}

/**
 * @param {string} origin
 * @param {string} payee key as hex
 * @returns {Promise<Standing>}
 */
async function checkMerchant(origin, payee) {
  try {
    const answer = await fetch(origin + PLACE, {
      credentials: 'omit', redirect: 'error', cache: 'no-store', referrerPolicy: 'no-referrer', signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (!answer.ok) return 'unknown';
    const { payees } = JSON.parse(await capped(answer));
    if (!Array.isArray(payees)) return 'unknown';
    return payees.includes(payee) ? 'confirmed' : 'denied';
  } catch {
    return 'unknown';
  }
}

/** @param {Response} answer */
async function capped(answer) {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  // A reader, since not every browser iterates over streams.
  const reader = answer.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    bytes += part.value.length;
    if (bytes > MAX_BYTES) {
      await reader?.cancel();
      throw new RangeError('too long');
    }
    text += decoder.decode(part.value, { stream: true });
  }
  return text + decoder.decode();
}
