/**
 * Asks the browser to keep what is stored, once there is money. Only a page can ask; whether it was promised is
 * the engine's to report (`Status.persisted`).
 */

import { ownBalance } from './balance-bar.js';

/** @typedef {import('../app.js').App} App */

/** @param {App} app */
export async function askToKeep(app) {
  // Noted first: some browsers ask the person, who is to be asked once.
  app.changeSettings({ askedToKeep: true });
  await navigator.storage?.persist?.();
  app.put('status', await app.client.status());
}

/**
 * To be called whenever the page is drawn.
 * @param {App} app
 */
export function askToKeepOnce(app) {
  const status = app.use('status').value;
  if (app.settings.askedToKeep || status?.wallet !== 'unlocked' || status.persisted === true) return;
  const hasMoney = app.use('balances').value?.some(({ onchain, parts }) => onchain > 0n || ownBalance(parts) > 0n);
  if (hasMoney) app.act('keep', () => askToKeep(app));
}

/**
 * @param {App} app
 * @param {import('../api').Status} status
 */
export function storageInWords(app, status) {
  if (status.persisted === true) return 'The browser promised to keep it, also when space is short.';
  if (status.persisted === null) return 'This browser cannot promise to keep it. Your words bring the money back.';
  if (!app.settings.askedToKeep) return 'The browser is asked to keep it once there is money.';
  return 'The browser did not promise to keep it: when space is short it may delete it. Your words bring the money back.';
}
