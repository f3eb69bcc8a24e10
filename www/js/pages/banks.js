/** Banks: channels, adding one, limits, insurance; withdrawal is in withdraw.js. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { ago, amount, answered, bones, button, empty, errorNote, facts, form, heading, keyPicture, linkButton, note, sums, tag } from '../parts/basic.js';
import { amountField, readAmount, typedAmount } from '../parts/amount-field.js';
import { balanceBar, balanceLegend } from '../parts/balance-bar.js';
import { numberLine } from '../parts/number-line.js';
import { accountName, amountInput, countText, plural, shortHex } from '../format.js';
import { connectionTag } from './home.js';
import { courtCard, courtFirst, courtTag, inCourt } from './dispute.js';
import { newWithdraw, withdrawView } from './withdraw.js';
import { feeText } from '../parts/values.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../api').Channel} Channel */
/** @typedef {import('../api').ChannelAsset} ChannelAsset */

/** What the wallet proposes as the first limit, in whole units; the person confirms. */
const PROPOSED_LIMIT = 1000n;

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function channelsPage(app) {
  return {
    title: 'Banks',
    view: () => [
      heading('Banks', linkButton('Add bank', to('banks', 'add'), { icon: 'plus', slim: true })),
      answered(app.use('channels'), (channels) => (channels.length === 0
        ? h('section', { class: 'card' }, empty('bank', 'No bank yet', 'A bank forwards your payments. Collateral on the chain insures your balance; you decide how much the bank may owe you beyond it.', linkButton('Add bank', to('banks', 'add'), { main: true })))
        : channels.map((channel) => h('section', { class: 'card', key: channel.bank.account.key },
          h('div', { class: 'payee' }, keyPicture(channel.bank.account.key, 40), h('div', { class: 'row apart' },
            h('h2', null, h('a', { href: to('banks', channel.bank.account.key) }, accountName(channel.bank.account))), courtTag(channel) || connectionTag(channel.connection))),
          channel.problem && errorNote(channel.problem),
          channel.assets.map((one) => h('div', { class: 'stack', key: one.asset }, balanceBar(app, app.asset(one.asset), one.parts), balanceLegend(app, app.asset(one.asset), one.parts, accountName(channel.bank.account)))),
          h('div', { class: 'row' }, linkButton(inCourt(channel) ? 'How court goes' : 'Limits, insurance, withdrawal', to('banks', channel.bank.account.key), { slim: true })))))),
    ],
  };
}

/**
 * @param {App} app
 * @param {string[]} path
 * @returns {import('../app.js').Page}
 */
export function addBankPage(app, [chosenKey]) {
  let chosen = chosenKey ?? '';
  /** @type {Map<number, {limit: import('../parts/amount-field.js').Typed, above: import('../parts/amount-field.js').Typed}>} */
  const limits = new Map();
  const limitsOf = (/** @type {import('../api').Asset} */ asset) => {
    let entry = limits.get(asset.id);
    if (!entry) {
      entry = { limit: typedAmount(asset.id), above: typedAmount(asset.id) };
      entry.limit.text = asset.id === 1 ? amountInput(PROPOSED_LIMIT * 10n ** BigInt(asset.decimals), asset.decimals, app.locale) : '';
      limits.set(asset.id, entry);
    }
    return entry;
  };
  return {
    title: 'Add bank',
    view: () => [
      h('nav', { class: 'crumbs', 'aria-label': 'Where you are' }, h('a', { href: to('banks') }, 'Banks'), h('span', null, '› Add bank')),
      heading('Add bank'),
      answered(app.use('banks'), (banks) => {
        const known = new Set(app.use('channels').value?.map(({ bank }) => bank.account.key));
        const free = banks.filter(({ account }) => !known.has(account.key));
        if (free.length === 0) return h('section', { class: 'card' }, empty('bank', 'You use every bank there is', 'Banks are registered on the chain; new ones appear here.', linkButton('Your banks', to('banks'))));
        if (!free.some(({ account }) => account.key === chosen)) chosen = free[0].account.key;
        const assets = (app.use('assets').value ?? []).filter(({ id }) => id <= 2);
        const problem = app.problem('add-bank');
        return form(() => {
          // What was shown beside the bank is what an insurance may cost.
          const mostPrice = free.find(({ account }) => account.key === chosen)?.insurancePrice ?? 0n;
          /** @type {{asset: number, limit: bigint, insureAbove: bigint | null, mostPrice: bigint}[]} */
          const credit = [];
          for (const asset of assets) {
            const { limit, above } = limitsOf(asset);
            if (limit.text.trim() === '') continue;
            const read = readAmount(app, limit);
            const threshold = above.text.trim() === '' ? { amount: null } : readAmount(app, above);
            limit.touched = true;
            above.touched = above.text !== '';
            if (!('amount' in read) || !('amount' in threshold)) { app.refresh(); return; }
            credit.push({ asset: asset.id, limit: read.amount, insureAbove: threshold.amount, mostPrice });
          }
          app.act('add-bank', async () => {
            await app.client.addBank({ bank: chosen, credit });
            app.again('channels');
            app.say('Added. The wallet connects to it.');
            app.go(to('banks', chosen));
          });
        },
        h('fieldset', { class: 'stack' }, h('legend', null, 'Bank'), free.map((bank) => h('label', { class: 'choice', key: bank.account.key },
          h('input', { type: 'radio', name: 'bank', value: bank.account.key, checked: chosen === bank.account.key, onchange: () => { chosen = bank.account.key; app.refresh(); } }),
          keyPicture(bank.account.key, 32),
          h('span', null, h('strong', null, accountName(bank.account)), h('span', { class: 'small muted' }, ` fee ${feeText(app, bank)} · insurance costs `, amount(app, 1, bank.insurancePrice), ` · ${plural(bank.channels, 'channel')}`))))),
        assets.filter(({ id }) => id === 1).map((asset) => limitFields(app, asset, limitsOf(asset), 'Money that comes in is at first only promised by the bank, up to this limit. Insurance puts collateral behind it.')),
        assets.length > 1 && h('details', null, h('summary', null, 'Limits in other assets'),
          h('div', { class: 'stack' }, assets.filter(({ id }) => id !== 1).map((asset) => limitFields(app, asset, limitsOf(asset), `Leave it empty if you do not use ${asset.ticker}.`)))),
        problem && errorNote(problem),
        h('div', { class: 'row' }, button('Add bank', { submit: true, main: true, busy: app.doing('add-bank') }), linkButton('Cancel', to('banks'))));
      }),
    ],
  };
}

/**
 * @param {App} app
 * @param {import('../api').Asset} asset
 * @param {{limit: import('../parts/amount-field.js').Typed, above: import('../parts/amount-field.js').Typed}} typed
 * @param {string} hint
 */
function limitFields(app, asset, { limit, above }, hint) {
  return h('div', { class: 'grid2', key: `limits-${asset.id}` },
    amountField(app, limit, { id: `limit-${asset.id}`, label: `Credit limit in ${asset.ticker}`, hint }),
    amountField(app, above, { id: `above-${asset.id}`, label: `Insure above in ${asset.ticker}`, hint: 'Insurance is asked for when the promised part passes this. Empty: only when you ask.' }));
}

/**
 * @param {App} app
 * @param {string[]} path
 * @returns {import('../app.js').Page}
 */
export function channelDetailPage(app, [key]) {
  /** Form state per asset. @type {Map<number, AssetForms>} */
  const forms = new Map();
  const formsOf = (/** @type {number} */ asset) => {
    let entry = forms.get(asset);
    if (!entry) forms.set(asset, entry = { limit: typedAmount(asset), above: typedAmount(asset), editing: false, withdraw: newWithdraw(asset) });
    return entry;
  };
  const asking = { asking: false };
  const court = (/** @type {Channel} */ channel) => courtCard(app, channel, asking, () => {
    const first = formsOf(channel.assets[0]?.asset ?? 1);
    first.limit.text = '';
    first.above.text = '';
    first.editing = true;
    app.refresh();
    // Drawn in the microtask before.
    queueMicrotask(() => document.getElementById(`limit-${channel.assets[0]?.asset ?? 1}`)?.focus());
  });
  return {
    title: 'Bank',
    view: () => [
      h('nav', { class: 'crumbs', 'aria-label': 'Where you are' }, h('a', { href: to('banks') }, 'Banks'), h('span', null, '› Bank')),
      answered(app.use('channels'), (channels) => {
        const channel = channels.find(({ bank }) => bank.account.key === key || bank.handle === key || String(bank.account.id) === key);
        if (!channel) return h('section', { class: 'card' }, empty('bank', 'You do not use this bank', 'Add it to pay and receive through it.', linkButton('Add bank', to('banks', 'add', key ?? ''), { main: true })));
        return [
          channelHead(app, channel),
          courtFirst(channel) && court(channel),
          channel.assets.map((one) => assetCard(app, channel, one, formsOf(one.asset))),
          !courtFirst(channel) && court(channel),
          exactCard(app, channel),
        ];
      }, () => h('div', { class: 'card' }, bones(8))),
    ],
  };
}

/** @typedef {{limit: import('../parts/amount-field.js').Typed, above: import('../parts/amount-field.js').Typed, editing: boolean, withdraw: import('./withdraw.js').Withdraw}} AssetForms */

/**
 * @param {App} app
 * @param {Channel} channel
 */
function channelHead(app, channel) {
  const { bank } = channel;
  return [
    h('div', { class: 'payee', key: 'title' }, keyPicture(bank.account.key, 48), h('div', { class: 'stack tight' },
      h('div', { class: 'row' }, h('h1', null, accountName(bank.account)), connectionTag(channel.connection)),
      h('p', { class: 'small muted' }, `fee ${feeText(app, bank)} · insurance costs `, amount(app, 1, bank.insurancePrice)))),
    channel.problem && h('div', { key: 'problem' }, errorNote(channel.problem, channel.connection === 'suspended' && button('Try again', {
      slim: true, busy: app.doing('resume'), onclick: () => app.act('resume', async () => {
        await app.client.resume({ bank: bank.account.key });
        app.again('channels');
      }),
    })), app.problem('resume') && errorNote(/** @type {any} */ (app.problem('resume')))),
    channel.connection === 'offline' && h('div', { key: 'offline' }, note('warn', h('p', null, 'The bank cannot be reached. What it signed is stored here; payments and withdrawals through it wait.'))),
  ];
}

/**
 * @param {App} app
 * @param {Channel} channel
 * @param {ChannelAsset} one
 * @param {AssetForms} forms
 */
function assetCard(app, channel, one, forms) {
  const asset = app.asset(one.asset);
  const name = accountName(channel.bank.account);
  // Court lets nothing in, whatever the limits were.
  const parts = inCourt(channel) ? { ...one.parts, canReceive: 0n } : one.parts;
  return h('section', { class: 'card', key: `asset-${one.asset}`, 'aria-label': `${asset.ticker} with ${name}` },
    h('div', { class: 'row apart' }, amount(app, asset, one.balance, { big: true }), h('div', { class: 'row' },
      linkButton(`Deposit ${asset.ticker}`, to('onchain', channel.bank.account.key, one.asset), { slim: true }), !inCourt(channel) && linkButton('Pay this bank', to('pay', `@${channel.bank.handle}`), { slim: true }))),
    balanceBar(app, asset, parts),
    balanceLegend(app, asset, parts, name),
    !inCourt(channel) && [insuranceView(app, channel, one), limitsView(app, channel, one, forms), withdrawView(app, channel, one, forms.withdraw)]);
}

/**
 * @param {App} app
 * @param {Channel} channel
 * @param {ChannelAsset} one
 */
function insuranceView(app, channel, one) {
  const name = `insure-${one.asset}`;
  const bank = channel.bank.account.key;
  const problem = app.problem(name);
  if (!one.insuranceRequested && one.balance <= 0n) return null;
  return h('div', { class: 'operation', key: 'insurance' },
    h('div', { class: 'row apart' }, h('h3', null, 'Insurance'),
      one.insuranceRequested ? tag('move', icon('clock', { size: 14 }), 'asked for')
        : one.parts.uninsured > 0n ? tag('warn', icon('alert', { size: 14 }), 'part is promised only') : tag('good', icon('check', { size: 14 }), 'all insured')),
    one.insuranceRequested
      ? h('p', { class: 'small muted' }, 'The bank insures you with its next rebalance. Its price is due only then.')
      : one.parts.uninsured > 0n && [
        h('p', { class: 'small' }, amount(app, one.asset, one.parts.uninsured), ' is promised by ', accountName(channel.bank.account), ', not yet insured. Insuring costs ', amount(app, one.asset, one.insurancePrice), '.'),
        h('div', { class: 'row' }, button('Insure now', { slim: true, busy: app.doing(name), onclick: () => app.act(name, async () => {
          await app.client.requestInsurance({ bank, asset: one.asset, mostPrice: one.insurancePrice });
          app.again('channels');
          app.say('Insurance asked for.');
        }) }))],
    problem && errorNote(problem));
}

/**
 * @param {App} app
 * @param {Channel} channel
 * @param {ChannelAsset} one
 * @param {AssetForms} forms
 */
function limitsView(app, channel, one, forms) {
  const asset = app.asset(one.asset);
  const name = `limits-${one.asset}`;
  const problem = app.problem(name);
  const edit = () => {
    forms.limit.text = amountInput(one.creditLimit, asset.decimals, app.locale);
    forms.above.text = one.insureAbove === null ? '' : amountInput(one.insureAbove, asset.decimals, app.locale);
    forms.editing = true;
    app.refresh();
  };
  if (!forms.editing) {
    return h('div', { class: 'operation', key: 'limits' },
      h('div', { class: 'row apart' }, h('h3', null, 'Limits'), button('Change limits', { slim: true, onclick: edit })),
      sums(['Credit limit: it may owe you', amount(app, asset, one.creditLimit)],
        ['Insure above', one.insureAbove === null ? 'only when you ask' : amount(app, asset, one.insureAbove)],
        one.creditReceived > 0n && ['You may owe it', amount(app, asset, one.creditReceived)]));
  }
  return h('div', { class: 'operation', key: 'limits' }, h('h3', null, 'Limits'), form(() => {
    const limit = readAmount(app, forms.limit);
    const above = forms.above.text.trim() === '' ? { amount: null } : readAmount(app, forms.above);
    forms.limit.touched = true;
    forms.above.touched = forms.above.text !== '';
    app.refresh();
    if (!('amount' in limit) || !('amount' in above)) return;
    app.act(name, async () => {
      await app.client.setCredit({ bank: channel.bank.account.key, asset: one.asset, limit: limit.amount, insureAbove: above.amount, mostPrice: one.insurancePrice });
      forms.editing = false;
      app.again('channels');
      app.say('Limits changed.');
    });
  },
  limitFields(app, asset, forms, 'How much uninsured balance you accept. Below what is in use it means: no more.'),
  h('p', { class: 'small muted' }, 'Each insurance costs ', amount(app, asset, one.insurancePrice), '.'),
  problem && errorNote(problem),
  h('div', { class: 'row' }, button('Save limits', { submit: true, main: true, slim: true, busy: app.doing(name) }), button('Cancel', { slim: true, onclick: () => { forms.editing = false; app.refresh(); } }))));
}

/**
 * @param {App} app
 * @param {Channel} channel
 */
function exactCard(app, channel) {
  const you = app.use('status').value?.account;
  const bankName = accountName(channel.bank.account);
  const [left, right] = channel.side === 'left' ? ['you', bankName] : [bankName, 'you'];
  return h('section', { class: 'card', key: 'exact' }, h('details', null, h('summary', null, 'Exact state'),
    h('div', { class: 'stack wide' },
      facts(['Bank key', h('code', null, channel.bank.account.key)], you && ['Your key', h('code', null, you.key)], ['Your side', channel.side], ['Epoch', String(channel.epoch)], ['Frame', String(channel.frame)],
        channel.at && ['Chain facts as of', h('a', { href: to('explorer', 'block', channel.at.height) }, `#${countText(channel.at.height, app.locale)}`)]),
      channel.assets.map((one) => h('div', { class: 'stack', key: one.asset },
        numberLine(app, { asset: app.asset(one.asset), insurance: one.insurance, delta: one.delta, left, right }),
        sums(['Insurance', amount(app, one.asset, one.insurance)], ['On-chain part', amount(app, one.asset, one.ondelta)], ['Off-chain part', amount(app, one.asset, one.offdelta)], ['Delta', amount(app, one.asset, one.delta)], ['Can send', amount(app, one.asset, one.canSend)]),
        one.locks.length > 0 && h('ul', { class: 'stack tight' }, one.locks.map((lock) => h('li', { key: lock.hash + lock.direction, class: 'row small' },
          tag('move', lock.direction === 'in' ? 'incoming lock' : 'outgoing lock'), amount(app, one.asset, lock.amount), h('code', { title: lock.hash }, shortHex(lock.hash)), ' ends ', ago(app, lock.expiresAt)))))))));
}
