/** What stands behind the money that a payee gets, as far as the chain that this wallet verified says. */

import { amount, who } from './basic.js';

/**
 * How much of its insurance the payee needs for what it already has, only it and its bank know.
 * @param {import('../app.js').App} app
 * @param {import('../api').AccountRef} payee
 * @param {import('../api').Quote} quote
 * @returns {import('../dom.js').Child}
 */
export function payeeAssurance(app, payee, { route, asset }) {
  const bank = route.at(-1);
  if (!bank) return 'final in seconds; no bank is in between';
  const { value, error } = app.use('channelOnChain', { a: payee.key, b: bank.key });
  if (!value) return ['final in seconds; how much of it ', who(bank), ' insures is ', error ? 'not known here' : 'being looked up'];
  const insurance = value.assets.find((part) => part.asset === asset.id)?.insurance ?? 0n;
  return insurance === 0n
    ? ['final in seconds; only promised by ', who(bank), ' until that insures it']
    : ['final in seconds; of all that the payee has with ', who(bank), ', at most ', amount(app, asset, insurance), ' is insured'];
}
