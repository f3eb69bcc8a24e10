/** What a proof of payment or a receipt proves: who was paid, how much, for what. Nothing is asked of anybody. */

import { h } from '../dom.js';
import { amount, answered, bones, copyable, facts, heading, keyPicture, note, textField } from '../parts/basic.js';
import { exactTime, keyWords, strangersText } from '../format.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function proofPage(app) {
  let typed = app.route.query.get('text') ?? '';
  return {
    title: 'Check a receipt',
    view: () => {
      const { network } = app.use('status').value ?? {};
      const text = typed.trim();
      return [
        heading('Check a receipt'),
        h('section', { class: 'card', key: 'text' },
          h('p', { class: 'muted' }, 'Paste it to see who was paid, how much and for what. It is checked on this device, offline, and sent to nobody.'),
          textField({ id: 'proof', label: 'Receipt or proof of payment', area: true, placeholder: 'fairproof1…' }, typed, (now) => { typed = now; app.refresh(); })),
        text !== '' && (network ? answered(app.use('verifyProof', { text, chainId: network.chainId }), (proven) => provenCard(app, proven), () => h('div', { class: 'card' }, bones(5)))
          : note(undefined, h('p', null, 'It can be checked as soon as this page knows which network it is of.'))),
      ];
    },
  };
}

/**
 * @param {App} app
 * @param {import('../api').Proven} proven
 */
function provenCard(app, proven) {
  const { received, paidAt, description, origin } = proven;
  const sum = received ?? proven.amount;
  return h('section', { class: 'card', key: 'proven', 'aria-live': 'polite' },
    note('good', h('strong', null, 'It was paid')),
    sum === null ? h('p', null, 'The payer decided how much. Only a receipt of the payee says it.')
      : h('p', null, amount(app, proven.asset, sum, { big: true })),
    facts(
      ['To', h('span', { class: 'row' }, keyPicture(proven.payee, 32), h('a', { href: to('explorer', 'account', proven.payee) }, keyWords(proven.payee)))],
      ['Their key', copyable(app, proven.payee, 'key')],
      description !== null && description !== '' && ['For', h('span', { class: 'stranger' }, strangersText(description))],
      origin !== null && ['Site', [h('code', null, strangersText(origin)), h('span', { class: 'muted small' }, ' as the payee claims')]],
      ['When', paidAt === null ? 'not said: this is the payer’s proof, without the payee’s receipt' : `${exactTime(paidAt, app.locale)}, by the payee’s clock`],
      ['Invoice', copyable(app, proven.id, 'invoice number', { short: true })],
      ['Payment hash', copyable(app, proven.hash, 'payment hash', { short: true })]),
    note(undefined, h('p', { class: 'small' }, 'It proves that somebody paid this invoice, not who. Compare the key with that of whom you meant to pay.')));
}
