/** Explorer: accounts, one account, one channel as the chain knows it. */

import { h } from '../dom.js';
import { accountOf, ago, amount, answered, bones, button, copyable, empty, facts, heading, keyPicture, note, sums, tag } from '../parts/basic.js';
import { accountHandle, accountName, countText, keyWords, namedAccount, plural, shortHex } from '../format.js';
import { numberLine } from '../parts/number-line.js';
import { debtRows, disputeCard, openingCard } from '../parts/court.js';
import { batchCard } from '../parts/operation.js';
import { explorerHead, verifiedLine } from './explorer-frame.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */
const ROWS = 50;

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function accountsPage(app) {
  const search = app.route.query.get('q');
  /** @type {number[]} */
  const later = [];
  return {
    title: 'Accounts',
    view: () => {
      const pages = [null, ...later].map((after) => app.use('accounts', { search, after, limit: ROWS }));
      const rows = pages.flatMap(({ value }) => value ?? []);
      const lastId = rows.at(-1)?.account.id;
      const more = (pages.at(-1)?.value?.length ?? 0) === ROWS && typeof lastId === 'number';
      return [
        explorerHead(app, 'accounts'),
        h('section', { class: 'card flush', key: 'accounts' }, h('header', null, h('h1', null, search ? `Accounts matching “${search}”` : 'Accounts')),
          answered(pages[0], () => (rows.length === 0 ? empty('search', 'No account found', 'Search by number, start of a key, or @handle.')
            : h('ul', { class: 'rows' }, rows.map(({ account, balances, channels }) => h('li', { key: account.key }, h('a', { class: 'item sums-below', href: to('explorer', 'account', accountHandle(account)) },
              keyPicture(account.key, 32),
              h('span', { class: 'stack tight' }, h('strong', { class: 'line' }, account.you ? `${accountName(account)} (you)` : accountName(account)), h('span', { class: 'sub' }, shortHex(account.key), ' · ', plural(channels, 'channel'))),
              h('span', { class: 'stack tight' }, balances.map((balance) => amount(app, balance.asset, balance.amount)))))))), () => h('div', { class: 'card' }, bones(6)))),
        more && h('div', { class: 'row' }, button('More accounts', { onclick: () => { later.push(Number(lastId)); app.refresh(); } })),
        verifiedLine(app, null),
      ];
    },
  };
}

/**
 * @param {App} app
 * @param {string[]} path
 * @returns {import('../app.js').Page}
 */
export function accountPage(app, [text = '']) {
  return {
    title: `Account ${text.length > 20 ? shortHex(text) : text}`,
    view: () => [
      explorerHead(app, 'accounts'),
      answered(app.use('account', { account: text }), (account) => accountView(app, account), () => h('div', { class: 'card' }, bones(6))),
    ],
  };
}

/**
 * @param {App} app
 * @param {import('../api').Account} shown
 */
function accountView(app, shown) {
  const { account, balances, channels, validator, bank } = shown;
  const court = app.use('court', { account: account.key }).value;
  return [
    h('div', { class: 'payee', key: 'title' }, keyPicture(account.key, 48), h('div', { class: 'stack tight' },
      h('div', { class: 'row' }, h('h1', null, account.handle ? `@${account.handle}` : account.id === null ? 'Unregistered account' : `Account ${account.id}`),
        account.you && tag('move', 'you'), bank && tag(undefined, 'bank'), validator && tag(undefined, `validator, ${plural(validator.shares, 'share')}`)),
      h('p', { class: 'small muted' }, keyWords(account.key)))),
    h('section', { class: 'card', key: 'facts' },
      sums(...balances.map((balance) => /** @type {[string, any]} */ ([`On-chain ${app.asset(balance.asset).ticker}`, amount(app, balance.asset, balance.amount)]))),
      facts(['Number', account.id === null ? 'none' : String(account.id)], ['Key', copyable(app, account.key, 'key')], ['Batches sent', String(shown.nonce)])),
    h('section', { class: 'card flush', key: 'channels' }, h('header', null, h('h2', null, 'Channels')),
      channels.length === 0 ? empty('bank', 'No channel on the chain', 'Channels appear here with their first deposit.')
        : h('ul', { class: 'rows' }, channels.map((channel) => {
          const other = channel.left.key === account.key ? channel.right : channel.left;
          return h('li', { key: other.key }, h('a', { class: 'item sums-below', href: to('explorer', 'channel', accountHandle(account), accountHandle(other)) },
            keyPicture(other.key, 32), h('span', { class: 'stack tight' }, h('strong', { class: 'line' }, `with ${namedAccount(other)}`), h('span', { class: 'sub' }, 'insurance')),
            h('span', { class: 'stack tight' }, channel.assets.length === 0 ? h('span', { class: 'muted' }, 'none') : channel.assets.map(({ asset, insurance }) => amount(app, asset, insurance)))));
        }))),
    court && court.disputes.length > 0 && h('section', { class: 'stack wide', key: 'disputes' }, h('h2', null, 'In court'), court.disputes.map((dispute) => disputeCard(app, dispute))),
    court && court.debts.length > 0 && h('section', { class: 'card flush', key: 'debts' }, h('header', null, h('h2', null, 'Debts')), debtRows(app, court.debts)),
    shown.recent.length > 0 && h('section', { class: 'stack wide', key: 'recent' }, h('h2', null, 'Latest'),
      shown.recent.map(({ height, time, batch, opening }, index) => h('div', { key: `${height} ${batch?.hash ?? index}`, class: 'stack tight' },
        h('p', { class: 'small muted' }, h('a', { href: to('explorer', 'block', height) }, `Block #${countText(height, app.locale)}`), ' · ', ago(app, time)), batch && batchCard(app, batch), opening && openingCard(app, opening)))),
    verifiedLine(app, shown.at),
  ];
}

/**
 * @param {App} app
 * @param {string[]} path
 * @returns {import('../app.js').Page}
 */
export function channelPage(app, [a = '', b = '']) {
  return {
    title: 'Channel',
    view: () => [
      explorerHead(app, 'accounts'),
      answered(app.use('channelOnChain', { a, b }), (channel) => channelView(app, channel), () => h('div', { class: 'card' }, bones(6))),
    ],
  };
}

/**
 * @param {App} app
 * @param {import('../api').ChainChannel} channel
 */
function channelView(app, channel) {
  const left = namedAccount(channel.left);
  const right = namedAccount(channel.right);
  const dispute = app.use('court', { account: channel.left.key }).value?.disputes.find((one) => one.left.key === channel.left.key && one.right.key === channel.right.key);
  return [
    heading(`Channel of ${left} and ${right}`),
    h('section', { class: 'card', key: 'parties' }, facts(['Left', accountOf(channel.left)], ['Right', accountOf(channel.right)], ['Disputes resolved', String(channel.epoch)])),
    dispute && disputeCard(app, dispute),
    channel.assets.length === 0 ? h('section', { class: 'card' }, empty('bank', 'Nothing insured here', 'This channel has no collateral on the chain.'))
      : channel.assets.map(({ asset, insurance, ondelta, offdelta }) => h('section', { class: 'card', key: asset },
        h('header', null, h('h2', null, app.asset(asset).ticker), h('span', { class: 'muted small' }, 'insurance ', amount(app, asset, insurance))),
        numberLine(app, { asset: app.asset(asset), insurance, delta: ondelta + (offdelta ?? 0n), left, right }),
        sums(['Insurance', amount(app, asset, insurance)], ['On-chain part of the delimiter', amount(app, asset, ondelta)],
          offdelta !== null && ['Off-chain part, known to you', amount(app, asset, offdelta)],
          offdelta !== null && ['Delta', amount(app, asset, ondelta + offdelta)]),
        offdelta === null && note(undefined, h('p', { class: 'small' }, 'The two parties also keep an off-chain part between them, which moves the delimiter with every payment. The chain does not know it; shown is the on-chain part alone.')))),
    verifiedLine(app, channel.at),
  ];
}
