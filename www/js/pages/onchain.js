/** On-chain: own account, deposits and transfers into the batch, own batches with their receipts. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { amount, ago, answered, bones, button, copyable, empty, errorNote, facts, field, form, heading, note, sums, typing } from '../parts/basic.js';
import { amountField, readAmount, typedAmount } from '../parts/amount-field.js';
import { flowChips, inWords, receiptReason, receiptTag } from '../parts/operation.js';
import { accountName, countText } from '../format.js';
import { intention } from '../sentences.js';
import { meaning } from '../explain.js';
import { faucetButton } from './home.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function onchainPage(app) {
  const typed = typedAmount();
  /** `bank:<key>`: own side of that channel. `other`: what is typed below. */
  let target = '';
  let recipient = '';
  let partner = '';
  let tried = false;

  const depositForm = () => {
    const channels = app.use('channels').value ?? [];
    const assets = app.use('assets').value ?? [];
    const chosen = target || (channels[0] ? `bank:${channels[0].bank.account.key}` : 'other');
    const other = chosen === 'other';
    const problem = app.problem('draft-add');
    const available = app.use('balances').value?.find(({ asset }) => asset.id === typed.asset)?.onchain;
    const read = readAmount(app, typed);
    const tooMuch = available !== undefined && 'amount' in read && read.amount > available;
    return form(() => {
      tried = true;
      typed.touched = true;
      app.refresh();
      if (!('amount' in read) || read.amount === 0n || tooMuch || (other && recipient.trim() === '')) return;
      const you = app.use('status').value?.account;
      const operation = other
        ? { kind: /** @type {const} */ ('deposit'), asset: typed.asset, amount: read.amount, to: recipient.trim(), partner: partner.trim() || null }
        : { kind: /** @type {const} */ ('deposit'), asset: typed.asset, amount: read.amount, to: you?.key ?? '', partner: chosen.slice(5) };
      app.act('draft-add', async () => {
        app.put('draft', await app.client.draftAdd({ operation }));
        typed.text = '';
        typed.touched = false;
        tried = false;
        app.say('Added. Sign and send it below.');
      });
    },
    field({ id: 'target', label: 'Where to' }, (attributes) => h('select', {
      ...attributes, class: 'input select', value: chosen, onchange: (/** @type {any} */ event) => { target = event.target.value; app.refresh(); },
    },
    channels.map(({ bank }) => h('option', { key: bank.account.key, value: `bank:${bank.account.key}` }, `My channel with ${accountName(bank.account)}`)),
    h('option', { key: 'other', value: 'other' }, 'Another account'))),
    other && h('div', { class: 'grid2', key: 'other' },
      field({ id: 'recipient', label: 'Account', hint: 'Number, key, address or @handle.', wrong: tried && recipient.trim() === '' ? 'Enter an account.' : null }, (attributes) => textInput(attributes, recipient, (text) => { recipient = text; app.refresh(); })),
      field({ id: 'partner', label: 'Into its channel with', hint: 'Leave empty for its on-chain balance.' }, (attributes) => textInput(attributes, partner, (text) => { partner = text; app.refresh(); }))),
    amountField(app, typed, {
      id: 'amount', label: 'Amount', assets,
      hint: available === undefined ? null : ['Available on-chain: ', amount(app, typed.asset, available)],
      wrong: tooMuch ? 'This is more than your on-chain balance.' : tried && 'amount' in read && read.amount === 0n ? 'Enter an amount.' : null,
    }),
    problem && errorNote(problem),
    h('div', { class: 'row' }, button(other ? 'Add to batch' : 'Add deposit', { submit: true, main: true, icon: 'plus', busy: app.doing('draft-add') })));
  };

  return {
    title: 'On-chain',
    view: () => [
      heading('On-chain'),
      accountCard(app),
      h('section', { class: 'card', key: 'deposit' }, h('header', null, h('h2', null, 'Deposit or send')),
        h('p', { class: 'muted small' }, 'Actions collect in the bar below and go out under one signature.'),
        app.use('channels').value?.length === 0 && note(undefined, h('p', null, 'To deposit for payments, add a bank first. '), h('a', { href: to('banks', 'add') }, 'Add bank')),
        depositForm()),
      batchesCard(app),
    ],
  };
}

/**
 * @param {Record<string, any>} attributes
 * @param {string} value
 * @param {(text: string) => void} changed
 */
function textInput(attributes, value, changed) {
  return h('input', { ...attributes, class: 'input', type: 'text', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', ...typing(value, changed) });
}

/** @param {App} app */
function accountCard(app) {
  const status = app.use('status').value;
  return h('section', { class: 'card', key: 'account' }, h('header', null, h('h2', null, 'Your account'), status?.network?.faucet && faucetButton(app)),
    app.problem('faucet') && errorNote(/** @type {any} */ (app.problem('faucet'))),
    answered(app.use('balances'), (balances) => sums(...balances.filter(({ asset, onchain }) => asset.id === 1 || onchain > 0n)
      .map(({ asset, onchain }) => /** @type {[string, any]} */ ([asset.name || asset.ticker, amount(app, asset, onchain)]))), () => bones(2)),
    status?.account && facts(
      ['Account', status.account.id === null ? 'not on the chain yet; the first deposit to it registers it' : h('a', { href: to('explorer', 'account', status.account.id) }, String(status.account.id))],
      ['Key', copyable(app, status.account.key, 'key')]));
}

/** @param {App} app */
function batchesCard(app) {
  return h('section', { class: 'card', key: 'batches' }, h('header', null, h('h2', null, 'Your batches')),
    answered(app.use('batches', { limit: 20 }), (batches) => (batches.length === 0
      ? empty('chain', 'Nothing sent yet', 'What you sign appears here, with a receipt for each action.')
      : h('div', { class: 'stack wide' }, batches.map((batch) => sentBatch(app, batch))))));
}

/**
 * @param {App} app
 * @param {import('../api').SentBatch} batch
 */
function sentBatch(app, batch) {
  const you = app.use('status').value?.account;
  return h('article', { key: batch.key, class: 'stack' },
    h('div', { class: 'row apart' }, h('h3', { class: 'row fixed grow' }, batchState(app, batch)), h('span', { class: 'muted small' }, 'fee ', amount(app, 1, batch.fee), ' · ', ago(app, batch.time ?? batch.sentAt))),
    batch.error && batch.state !== 'included' && h('p', { class: 'small' }, `${meaning(batch.error).title}. It is sent again by itself.`),
    h('div', null, batch.operations.map(({ operation, group, receipt }, index) => h('div', { key: index, class: `operation${group === null ? '' : ' grouped'}` },
      h('div', { class: 'row apart' }, h('p', { class: 'grow' }, ...inWords(app, intention(operation))), batch.state === 'expired' ? null : receiptTag(receipt)),
      you && flowChips(app, operation, you),
      receiptReason(receipt)))));
}

/**
 * @param {App} app
 * @param {import('../api').SentBatch} batch
 */
function batchState(app, batch) {
  switch (batch.state) {
    case 'sending': return [icon('clock', { size: 16 }), 'Being sent'];
    case 'waiting': return [icon('clock', { size: 16 }), `Waiting for block, at the latest #${countText(batch.validUntil, app.locale)}`];
    case 'included': return h('a', { href: to('explorer', 'block', batch.height ?? 0) }, `In block #${countText(batch.height ?? 0, app.locale)}`);
    default: return [icon('cross', { size: 16 }), 'Expired: no block took it, nothing was done'];
  }
}
