/** The shop that the relay of a test network names: somebody to pay and to be paid by. */

import { h } from '../dom.js';
import { icon } from '../icons.js';

/** @typedef {import('../app.js').App} App */

/**
 * Asks the own relay once. Without an answer there is no shop.
 * @param {App} app
 */
export async function lookForShop(app) {
  try {
    const answer = await fetch('/v1/info', { headers: { accept: 'application/json' } });
    const { shop } = await answer.json();
    const url = new URL(shop);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return;
    app.shop = url.href;
    app.refresh();
  } catch {
    app.shop = null;
  }
}

/**
 * A link that opens the shop beside the wallet, which stays open to receive.
 * @param {App} app
 */
export function shopLink(app) {
  if (app.shop === null || !app.use('status').value?.network?.test) return null;
  return h('a', { class: 'button slim', href: app.shop, target: '_blank', rel: 'noopener noreferrer', key: 'shop' },
    'Open the corner shop', h('span', { class: 'unseen' }, ' in a new tab'), icon('out', { size: 16 }));
}
