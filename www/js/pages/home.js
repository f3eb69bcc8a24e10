/** Home: one balance per asset with what stands behind it, and the next step for a newcomer. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { amount, answered, bones, button, errorNote, linkButton, note, tag } from '../parts/basic.js';
import { balanceBar, balanceLegend, ownBalance } from '../parts/balance-bar.js';
import { accountName } from '../format.js';
import { activityRows } from './activity.js';
import { shopLink } from '../parts/shop.js';
import { courtNotice, openBalance } from './dispute.js';
import { isRestoring } from './restore.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../api').Balance} Balance */

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function homePage(app) {
  /** Ids of assets shown bank by bank. @type {Set<number>} */
  const open = new Set();
  return {
    title: 'Home',
    view: () => {
      const status = app.use('status').value;
      return [
        h('h1', { class: 'unseen' }, 'Home'),
        status && !status.wordsConfirmed && h('div', { key: 'words' }, note('warn', h('strong', null, 'Your words are not confirmed yet'),
          h('p', null, 'Until they are, losing this browser means losing the money in it.'), linkButton('Confirm words', to('settings', 'words'), { slim: true }))),
        isRestoring(app.use('restoration').value) && h('div', { key: 'restoring' }, note('move', h('strong', null, 'Your wallet is coming back'),
          h('p', null, 'Banks are being asked for what they owe you. What you see may not be all yet.'), linkButton('See progress', to('restore'), { slim: true }))),
        courtNotice(app),
        answered(app.use('balances'), (balances) => [
          ...shownBalances(balances.map((balance) => openBalance(app, balance))).map((balance) => balanceCard(app, balance, open)),
          nextSteps(app, balances),
        ], () => h('div', { class: 'card' }, h('span', { class: 'bone w1' }), h('span', { class: 'bone tall w2' }), h('span', { class: 'bone w4' }), bones(2))),
        recent(app),
      ];
    },
  };
}

/** @param {Balance[]} balances the first asset always, others once there is something of them, or may be */
function shownBalances(balances) {
  return balances.filter(({ asset, onchain, parts }) => asset.id === 1 || onchain > 0n || ownBalance(parts) !== 0n || parts.canReceive > 0n);
}

/**
 * @param {App} app
 * @param {Balance} balance
 * @param {Set<number>} open
 */
function balanceCard(app, balance, open) {
  const { asset, onchain, parts, banks } = balance;
  const isOpen = open.has(asset.id);
  const promiser = banks.length === 1 ? accountName(banks[0].bank) : 'your banks';
  return h('section', { class: 'card', key: `balance-${asset.id}`, 'aria-label': `Balance in ${asset.ticker}` },
    h('div', { class: 'row apart' },
      h('div', { class: 'stack tight' }, h('p', { class: 'muted small' }, asset.id === 1 ? 'Balance' : asset.name || asset.ticker), amount(app, asset, ownBalance(parts), { big: true })),
      asset.id === 1 && h('div', { class: 'row' }, linkButton('Pay', to('pay'), { icon: 'pay', main: true }), linkButton('Receive', to('receive'), { icon: 'receive' }))),
    h('div', { class: 'stack' }, balanceBar(app, asset, parts), balanceLegend(app, asset, parts, promiser)),
    h('div', { class: 'row apart' },
      h('span', null, h('span', { class: 'muted' }, 'On-chain '), h('a', { href: to('onchain') }, amount(app, asset, onchain))),
      banks.length > 0 && h('button', {
        type: 'button', class: 'link', 'aria-expanded': String(isOpen),
        onclick: () => { if (!open.delete(asset.id)) open.add(asset.id); app.refresh(); },
      }, isOpen ? 'Hide banks' : 'By bank')),
    isOpen && h('ul', { class: 'stack wide', key: 'by-bank' }, banks.map((row) => h('li', { class: 'stack', key: row.bank.key },
      h('div', { class: 'row apart' }, h('a', { href: to('banks', row.bank.key) }, accountName(row.bank)), h('span', { class: 'row' }, connectionTag(row.connection), amount(app, asset, ownBalance(row.parts)))),
      balanceBar(app, asset, row.parts, { thin: true }),
      balanceLegend(app, asset, row.parts, accountName(row.bank))))));
}

/** @param {import('../api').Connection} connection */
export function connectionTag(connection) {
  switch (connection) {
    case 'online': return tag('good', icon('check', { size: 14 }), 'connected');
    case 'connecting': return tag('move', icon('clock', { size: 14 }), 'connecting');
    case 'offline': return tag('warn', icon('offline', { size: 14 }), 'offline');
    default: return tag('bad', icon('alert', { size: 14 }), 'suspended');
  }
}

/**
 * Teaches the way from nothing to a first payment; gone once it was walked.
 * @param {App} app
 * @param {Balance[]} balances
 */
function nextSteps(app, balances) {
  const frd = balances.find(({ asset }) => asset.id === 1);
  const channels = app.use('channels').value;
  const paid = app.use('activity', { before: null, limit: 5 }).value?.payments.some(({ direction }) => direction === 'out');
  if (!frd || !channels) return null;
  const hasMoney = frd.onchain > 0n || ownBalance(frd.parts) > 0n;
  const hasBank = channels.length > 0;
  const hasChannelMoney = ownBalance(frd.parts) > 0n;
  if (hasMoney && hasBank && hasChannelMoney && paid) return null;
  const faucet = app.use('status').value?.network?.faucet ?? false;
  const steps = [
    { done: hasMoney, title: 'Get money', says: faucet ? 'The faucet of this test network gives you some.' : 'Somebody sends it to your account on the chain.', action: faucet ? faucetButton(app) : linkButton('Show my account', to('onchain'), { slim: true }) },
    { done: hasBank, title: 'Add a bank', says: 'A bank forwards your payments. You choose how much you let it owe you.', action: linkButton('Add bank', to('banks', 'add'), { slim: true }) },
    { done: hasChannelMoney, title: 'Deposit', says: 'Money deposited with a bank pays in an instant and is insured.', action: linkButton('Deposit', to('onchain'), { slim: true }) },
    { done: Boolean(paid), title: 'Pay somebody', says: whereToPay(app), action: h('div', { class: 'row' }, shopLink(app), linkButton('Pay', to('pay'), { slim: true })) },
  ];
  const current = steps.findIndex(({ done }) => !done);
  return h('section', { class: 'card', key: 'steps' }, h('header', null, h('h2', null, 'Next steps')),
    h('ol', { class: 'steps' }, steps.map(({ done, title, says, action }, index) => h('li', { key: title, 'aria-current': index === current ? 'step' : null },
      h('span', { class: 'round', 'data-tone': done ? 'good' : index === current ? 'move' : null }, done ? icon('check', { size: 16, label: 'done' }) : index + 1),
      h('div', { class: done ? 'done' : '' }, h('h3', null, title), !done && h('p', { class: 'small muted' }, says), index === current && action)))),
    app.problem('faucet') && errorNote(/** @type {any} */ (app.problem('faucet'))));
}

/** @param {App} app */
function whereToPay(app) {
  if (app.shop !== null) return 'Buy something in the shop of this test network: play money, nothing is sent.';
  if (app.counterpart !== null) return 'The counterpart of this test network sells, and pays you when you ask.';
  return 'Paste an invoice or an address.';
}

/** @param {App} app */
export function faucetButton(app) {
  return button('Get test FRD', {
    slim: true, busy: app.doing('faucet'), busyLabel: 'Asking the faucet …',
    onclick: () => app.act('faucet', async () => {
      await app.client.faucet({ asset: 1 });
      app.say('The faucet sent it. It arrives with the next block.');
    }),
  });
}

/** @param {App} app */
function recent(app) {
  const answer = app.use('activity', { before: null, limit: 5 });
  if (!answer.value || answer.value.payments.length === 0) return null;
  return h('section', { class: 'card flush', key: 'recent' }, h('header', null, h('h2', null, 'Latest'), h('a', { href: to('activity') }, 'All activity')),
    h('ul', { class: 'rows' }, activityRows(app, answer.value.payments)));
}
