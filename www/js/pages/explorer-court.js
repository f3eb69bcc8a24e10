/** Explorer: channels in court, and debts. */

import { h } from '../dom.js';
import { answered, bones, empty, heading } from '../parts/basic.js';
import { debtRows, disputeCard } from '../parts/court.js';
import { explorerHead, verifiedLine } from './explorer-frame.js';

/** @typedef {import('../app.js').App} App */

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function courtPage(app) {
  return {
    title: 'Court',
    view: () => [
      explorerHead(app, 'court'),
      heading('Court'),
      h('p', { class: 'muted', key: 'says' }, 'Whoever cannot agree with the other side of a channel takes it to court. The newest signed state decides; what the insurance does not cover is taken from the debtor’s balance, and the rest is a debt.'),
      answered(app.use('court', { account: null }), ({ disputes, debts }) => [
        h('section', { class: 'stack wide', key: 'disputes' }, h('h2', null, 'Disputes'),
          disputes.length === 0 ? h('div', { class: 'card' }, empty('scales', 'No channel is in court', 'A dispute shows here from its first block until it is decided.')) : disputes.map((dispute) => disputeCard(app, dispute))),
        h('section', { class: 'card flush', key: 'debts' }, h('header', null, h('h2', null, 'Debts')),
          debts.length === 0 ? empty('check', 'Nobody has a debt', 'Debts are what a resolved dispute could not collect.') : debtRows(app, debts)),
      ], () => h('div', { class: 'card' }, bones(6))),
      verifiedLine(app, null),
    ],
  };
}
