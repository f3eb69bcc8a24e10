/** On-chain: own account, deposits and transfers into the batch, own batches with their receipts. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { amount, ago, answered, bones, button, copyable, empty, errorNote, facts, field, form, heading, note, sums, tagTooLong, textField, typing } from '../parts/basic.js';
import { amountField, readAmount, typedAmount } from '../parts/amount-field.js';
import { debtRows } from '../parts/court.js';
import { flowChips, inWords, movedChips, receiptReason, receiptTag } from '../parts/operation.js';
import { accountName, countText } from '../format.js';
import { intention } from '../sentences.js';
import { meaning } from '../explain.js';
import { faucetButton } from './home.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */

/**
 * @param {App} app
 * @param {string[]} path the bank to deposit with and the asset's number, if chosen already
 * @returns {import('../app.js').Page}
 */
export function onchainPage(app, [bank = '', asset = '1']) {
  const typed = typedAmount(Number(asset) || 1);
  /** `bank:<key>`: own side of that channel. `other`: what is typed below. */
  let target = bank && `bank:${bank}`;
  let recipient = '';
  let partner = '';
  let invoice = '';
  let tried = false;

  const depositForm = () => {
    const banks = app.use('banks').value ?? [];
    const added = new Set(app.use('channels').value?.map(({ bank }) => bank.account.key));
    const assets = app.use('assets').value ?? [];
    const first = banks.find(({ account }) => added.has(account.key)) ?? banks[0];
    const chosen = target || (first ? `bank:${first.account.key}` : 'other');
    const other = chosen === 'other';
    const problem = app.problem('draft-add');
    const balances = ownBalances(app).value;
    const available = balances && (balances.find(({ asset }) => asset === typed.asset)?.amount ?? 0n);
    const read = readAmount(app, typed);
    const tooMuch = available !== undefined && 'amount' in read && read.amount > available;
    return form(() => {
      tried = true;
      typed.touched = true;
      app.refresh();
      if (!('amount' in read) || read.amount === 0n || tooMuch || (other && (recipient.trim() === '' || tagTooLong(invoice)))) return;
      const you = app.use('status').value?.account;
      const operation = other
        ? { kind: /** @type {const} */ ('deposit'), asset: typed.asset, amount: read.amount, to: recipient.trim(), partner: partner.trim() || null, invoice: invoice.trim() || null }
        : { kind: /** @type {const} */ ('deposit'), asset: typed.asset, amount: read.amount, to: you?.key ?? '', partner: chosen.slice(5), invoice: null };
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
    banks.map(({ account }) => h('option', { key: account.key, value: `bank:${account.key}` }, `My channel with ${accountName(account)}`)),
    h('option', { key: 'other', value: 'other' }, 'Another account'))),
    other && h('div', { class: 'grid2', key: 'other' },
      field({ id: 'recipient', label: 'Account', hint: 'Number, key, address or @handle.', wrong: tried && recipient.trim() === '' ? 'Enter an account.' : null }, (attributes) => textInput(attributes, recipient, (text) => { recipient = text; app.refresh(); })),
      field({ id: 'partner', label: 'Into its channel with', hint: 'Leave empty for its on-chain balance.' }, (attributes) => textInput(attributes, partner, (text) => { partner = text; app.refresh(); })),
      textField({ id: 'invoice', label: 'Invoice tag', hint: 'What the payee asked for, if anything. Everybody can read it.', wrong: tagTooLong(invoice) }, invoice, (text) => { invoice = text; app.refresh(); })),
    amountField(app, typed, {
      id: 'amount', label: 'Amount', assets,
      hint: available === undefined ? null : ['Available on-chain: ', amount(app, typed.asset, available)],
      wrong: tooMuch ? 'This is more than your on-chain balance.' : tried && 'amount' in read && read.amount === 0n ? 'Enter an amount.' : null,
    }),
    !other && app.use('channels').value && !added.has(chosen.slice(5)) && note(undefined, h('p', null, 'You do not use this bank yet. Add it too, to pay and receive through it.'), h('a', { href: to('banks', 'add', chosen.slice(5)) }, 'Add bank')),
    other && note('warn', h('p', null, 'The money will belong to that account. You cannot take it back.')),
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
        depositForm()),
      debtsCard(app),
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

/**
 * What the chain says that we have. An account that is not there yet has nothing.
 * @param {App} app
 * @returns {import('../app.js').Answer<import('../api').AssetAmount[]>}
 */
function ownBalances(app) {
  const you = app.use('status').value?.account;
  if (!you) return { value: undefined, error: null, busy: true };
  const { value, error, busy } = app.use('account', { account: you.key });
  if (error?.code === 'chain.unknown_account') return { value: [{ asset: 1, amount: 0n }], error: null, busy };
  return { value: value && (value.balances.some(({ asset }) => asset === 1) ? value.balances : [{ asset: 1, amount: 0n }, ...value.balances]), error, busy };
}

/** @param {App} app */
function accountCard(app) {
  const status = app.use('status').value;
  const id = (status?.account && app.use('account', { account: status.account.key }).value?.account.id) ?? status?.account?.id ?? null;
  return h('section', { class: 'card', key: 'account' }, h('header', null, h('h2', null, 'Your account'), status?.network?.faucet && faucetButton(app)),
    app.problem('faucet') && errorNote(/** @type {any} */ (app.problem('faucet'))),
    answered(ownBalances(app), (balances) => sums(...balances.filter(({ asset, amount: held }) => asset === 1 || held > 0n)
      .map(({ asset, amount: held }) => /** @type {[string, any]} */ ([app.asset(asset).name || app.asset(asset).ticker, amount(app, asset, held)]))), () => bones(2)),
    status?.account && facts(
      ['Account', id === null ? 'not on the chain yet; the first deposit to it registers it' : h('a', { href: to('explorer', 'account', id) }, String(id))],
      ['Key', copyable(app, status.account.key, 'key')]));
}

/** @param {App} app */
function debtsCard(app) {
  const key = app.use('status').value?.account?.key;
  const debts = key && app.use('court', { account: key }).value?.debts;
  if (!key || !debts) return null;
  const owed = debts.filter(({ creditor }) => creditor.you);
  const own = debts.filter(({ debtor }) => debtor.you);
  const paid = (app.use('account', { account: key }).value?.recent ?? [])
    .flatMap(({ batch, opening }) => [...batch?.debts ?? [], ...opening?.flows ?? []])
    .filter((flow) => flow.purpose === 'debt' && flow.account.you);
  if (debts.length === 0 && paid.length === 0) return null;
  return h('section', { class: 'card', key: 'debts' }, h('header', null, h('h2', null, 'Debts')),
    debts.length === 0 && h('p', null, 'Nothing is owed any more.'),
    owed.length > 0 && h('div', { class: 'stack' }, h('h3', null, 'You are owed'), debtRows(app, owed),
      h('p', { class: 'small muted' }, 'Whatever the debtor receives on the chain pays its oldest debts first. You need not do anything.')),
    own.length > 0 && h('div', { class: 'stack' }, h('h3', null, 'You owe'), debtRows(app, own),
      note('warn', h('p', null, 'What you receive in this asset pays these debts first. You cannot spend it until they are paid.'))),
    movedChips(app, paid, 'Paid lately'));
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
