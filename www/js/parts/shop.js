/** Whom the relay of a test network names to try with: a shop to buy in, and a counterpart, which pays whoever asks. */

import { h } from '../dom.js';
import { icon } from '../icons.js';

/** @typedef {import('../app.js').App} App */

/**
 * Asks the own relay once. Without an answer there is nobody.
 * @param {App} app
 */
export async function lookForOthers(app) {
  try {
    const answer = await fetch('/v1/info', { headers: { accept: 'application/json' } });
    const { shop, counterpart } = await answer.json();
    app.shop = webAddress(shop);
    app.counterpart = webAddress(counterpart);
    app.refresh();
  } catch {
    app.shop = null;
    app.counterpart = null;
  }
}

/** @param {unknown} text */
function webAddress(text) {
  if (typeof text !== 'string' || !URL.canParse(text)) return null;
  const { protocol, href } = new URL(text);
  return protocol === 'https:' || protocol === 'http:' ? href : null;
}

/**
 * Where to buy: in the shop, or where there is none, of the counterpart.
 * @param {App} app
 */
export function shopLink(app) {
  return app.shop === null ? counterpartLink(app, 'Open the counterpart') : link(app, app.shop, 'Open the shop');
}

/**
 * @param {App} app
 * @param {string} says
 */
export function counterpartLink(app, says) {
  return app.counterpart === null ? null : link(app, app.counterpart, says);
}

/**
 * Opens beside the wallet, which stays open to receive.
 * @param {App} app
 * @param {string} href
 * @param {string} says
 */
function link(app, href, says) {
  if (!app.use('status').value?.network?.test) return null;
  return h('a', { class: 'button slim', href, target: '_blank', rel: 'noopener noreferrer', key: href },
    says, h('span', { class: 'unseen' }, ' in a new tab'), icon('out', { size: 16 }));
}
