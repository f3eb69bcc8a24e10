/**
 * What a checkout window was opened for, from its address:
 *
 *   /pay/#INVOICE[?return=URL]        a link, a QR code, or a shop whose window was blocked
 *   /pay/#?from=ORIGIN&nonce=HEX      `<fair-pay>`, which hands the invoice over by message
 */

/** @typedef {{invoice: string | null, opener: {origin: string, nonce: string} | null, back: string | null}} Request */

/** Kept for a reload after the address has moved on to another place of this page. */
const KEY = 'fair-checkout';
const MAX_CHARS = 8_192;
const LOOPBACK = /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

/**
 * @param {string} hash
 * @returns {Request | null} null for a place such as `#/create`
 */
export function readRequest(hash) {
  const whole = hash.slice(1, MAX_CHARS);
  const cut = whole.indexOf('?');
  const text = cut < 0 ? whole : whole.slice(0, cut);
  const parameters = new URLSearchParams(cut < 0 ? '' : whole.slice(cut));
  if (text.startsWith('/')) return null;
  if (text !== '') return { invoice: text, opener: null, back: parameters.get('return') };
  const origin = webOrigin(parameters.get('from') ?? '');
  const nonce = parameters.get('nonce') ?? '';
  return origin !== null && /^[0-9a-f]{32}$/.test(nonce) ? { invoice: null, opener: { origin, nonce }, back: null } : null;
}

/** The request of this window: of its address, or the one that it was opened with. */
export function currentRequest() {
  try {
    const now = readRequest(location.hash);
    if (now) sessionStorage.setItem(KEY, location.hash);
    return now ?? readRequest(sessionStorage.getItem(KEY) ?? '');
  } catch {
    return readRequest(location.hash);
  }
}

/**
 * The text if it is exactly the origin of a web page: https, or http on the own machine. Letters of other
 * scripts that look like Latin ones are never in it: such names are written with `xn--`.
 * @param {string} text
 */
export function webOrigin(text) {
  try {
    const { origin, protocol } = new URL(text);
    return origin === text && (protocol === 'https:' || LOOPBACK.test(origin)) ? origin : null;
  } catch {
    return null;
  }
}
