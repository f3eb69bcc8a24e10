/**
 * Taking insured money out of a channel: how much, where to, what will happen, then the bank is asked. The
 * bank's consent and the deposit that it funds wait in the batch bar as one group.
 */

import { h } from '../dom.js';
import { accountOf, amount, button, errorNote, field, form, note, sums, tag, tagTooLong, textField, typing, who } from '../parts/basic.js';
import { amountField, readAmount, typedAmount } from '../parts/amount-field.js';
import { accountName, amountLine, exactTime } from '../format.js';
import { asFairError, FairError, shape } from '../errors.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../api').AccountRef} AccountRef */
/** @typedef {import('../api').Channel} Channel */
/** @typedef {import('../api').ChannelAsset} ChannelAsset */
/**
 * Looked up and waiting for a yes. `owner` null: this wallet; `partner` null: an on-chain balance.
 * @typedef {{amount: bigint, owner: AccountRef | null, partner: AccountRef | null, invoice: string | null}} Plan
 */
/**
 * `place`: `onchain`, `bank:<key>` or `other`.
 * @typedef {{typed: import('../parts/amount-field.js').Typed, place: string, account: string, bank: string | null, invoice: string, tried: boolean, key: string, plan: Plan | null}} Withdraw
 */

const KEY = /^[0-9a-f]{64}$/i;
/** Option for an account's on-chain balance. */
const NO_CHANNEL = '';

/**
 * @param {number} asset
 * @returns {Withdraw}
 */
export function newWithdraw(asset) {
  return { typed: typedAmount(asset), place: 'onchain', account: '', bank: null, invoice: '', tried: false, key: crypto.randomUUID(), plan: null };
}

/**
 * @param {App} app
 * @param {Channel} channel
 * @param {ChannelAsset} one
 * @param {Withdraw} state
 */
export function withdrawView(app, channel, one, state) {
  const { ticker } = app.asset(one.asset);
  if (one.withdrawal) {
    return h('div', { class: 'operation', key: 'withdraw' }, h('h3', null, 'Withdrawal'), underWay(app, one.asset, one.withdrawal));
  }
  if (one.parts.insured === 0n && !state.plan) return null;
  return h('div', { class: 'operation', key: 'withdraw' }, h('details', null, h('summary', null, `Withdraw ${ticker}`),
    state.plan ? confirmation(app, channel, one, state, state.plan) : entry(app, channel, one, state)));
}

/**
 * @param {App} app
 * @param {Channel} channel
 * @param {ChannelAsset} one
 * @param {Withdraw} state
 */
function entry(app, channel, one, state) {
  const asset = app.asset(one.asset);
  const name = `withdraw-${one.asset}`;
  const problem = app.problem(name);
  const bank = channel.bank.account;
  const banks = app.use('banks').value ?? [channel.bank];
  const read = readAmount(app, state.typed);
  const most = one.parts.insured;
  const tooMuch = 'amount' in read && read.amount > most;
  const changed = () => { app.clearProblem(name); app.refresh(); };
  const select = (/** @type {string} */ value, /** @type {(value: string) => void} */ choose, /** @type {[string, string][]} */ options) =>
    (/** @type {Record<string, any>} */ attributes) => h('select', {
      ...attributes, class: 'input select', value, onchange: (/** @type {any} */ event) => { choose(event.target.value); changed(); },
    }, options.map(([key, label]) => h('option', { key, value: key }, label)));
  return form(() => {
    state.tried = true;
    state.typed.touched = true;
    app.refresh();
    if (!('amount' in read) || read.amount === 0n || tooMuch || (state.place === 'other' && (state.account.trim() === '' || tagTooLong(state.invoice)))) return;
    app.act(name, async () => { state.plan = await lookUp(app, state, read.amount, bank, banks); });
  },
  amountField(app, state.typed, {
    id: name, label: 'Amount to withdraw', hint: ['Insured and free: ', amount(app, asset, most)], onchange: changed,
    wrong: tooMuch ? `Only what is insured and free can be withdrawn: at most ${amountLine(most, asset, app.locale)}.`
      : state.tried && 'amount' in read && read.amount === 0n ? 'Enter an amount.' : null,
  }),
  field({ id: `place-${one.asset}`, label: 'Where to' }, select(state.place, (value) => { state.place = value; }, [
    ['onchain', 'My on-chain balance'],
    ...banks.filter(({ account }) => account.key !== bank.key).map(({ account }) => /** @type {[string, string]} */ ([`bank:${account.key}`, `My channel with ${accountName(account)}`])),
    ['other', 'Another account'],
  ])),
  state.place === 'other' && h('div', { class: 'grid2', key: 'other' },
    field({
      id: `account-${one.asset}`, label: 'Account', hint: 'Number, key, address or @handle.',
      wrong: state.tried && state.account.trim() === '' ? 'Enter an account.' : null,
    }, (attributes) => h('input', {
      ...attributes, class: 'input', type: 'text', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false',
      ...typing(state.account, (text) => { state.account = text; changed(); }),
    })),
    field({ id: `bank-${one.asset}`, label: 'Into its channel with', hint: state.bank === NO_CHANNEL ? 'For its own deposits and fees.' : 'There it insures the account.' },
      select(state.bank ?? bank.key, (value) => { state.bank = value; }, [
        ...banks.map(({ account }) => /** @type {[string, string]} */ ([account.key, accountName(account)])),
        [NO_CHANNEL, 'No channel: its on-chain balance'],
      ])),
    textField({ id: `invoice-${one.asset}`, label: 'Invoice tag', hint: 'What the payee asked for, if anything. Everybody can read it.', wrong: tagTooLong(state.invoice) }, state.invoice, (text) => { state.invoice = text; changed(); })),
  problem && errorNote(problem),
  h('div', { class: 'row' }, button('Continue', { submit: true, main: true, slim: true, busy: app.doing(name), busyLabel: 'Looking it up …' })));
}

/**
 * Who is meant, before anything is asked of anybody.
 * @param {App} app
 * @param {Withdraw} state
 * @param {bigint} sum
 * @param {AccountRef} bank
 * @param {import('../api').Bank[]} banks
 * @returns {Promise<Plan>}
 */
async function lookUp(app, state, sum, bank, banks) {
  if (state.place === 'onchain') return { amount: sum, owner: null, partner: null, invoice: null };
  const known = (/** @type {string} */ key) => banks.find(({ account }) => account.key === key)?.account ?? null;
  if (state.place !== 'other') return { amount: sum, owner: null, partner: known(state.place.slice('bank:'.length)), invoice: null };
  const { owner, named } = await whoIs(app, state.account.trim());
  const partner = known(state.bank ?? bank.key);
  if (partner && named.length > 0 && !named.some(({ key }) => key === partner.key)) {
    const names = named.map((one) => accountName(one)).join(' or ');
    throw new FairError(shape('input.other_bank', `This address is reached through ${names}, not through ${accountName(partner)}. Choose ${names}.`));
  }
  return { amount: sum, owner: owner.you ? null : owner, partner, invoice: state.invoice.trim() || null };
}

/**
 * @param {App} app
 * @param {string} text
 * @returns {Promise<{owner: AccountRef, named: AccountRef[]}>} `named`: the banks of an address
 */
async function whoIs(app, text) {
  try {
    return { owner: (await app.client.account({ account: text })).account, named: await banksOf(app, text) };
  } catch (thrown) {
    const error = asFairError(thrown);
    if (error.code !== 'chain.unknown_account') throw error;
    // A key needs no account yet; the deposit makes one.
    if (KEY.test(text)) return { owner: { id: null, key: text.toLowerCase(), handle: null, you: false }, named: [] };
    const decoded = await app.client.decode({ text }).catch(() => { throw error; });
    if (decoded.kind !== 'address') throw error;
    return { owner: decoded.payee, named: decoded.banks };
  }
}

/**
 * @param {App} app
 * @param {string} text
 * @returns {Promise<AccountRef[]>}
 */
async function banksOf(app, text) {
  const decoded = await app.client.decode({ text }).catch(() => null);
  return decoded?.kind === 'address' ? decoded.banks : [];
}

/**
 * What will happen, in order, and one button that begins it.
 * @param {App} app
 * @param {Channel} channel
 * @param {ChannelAsset} one
 * @param {Withdraw} state
 * @param {Plan} plan
 */
function confirmation(app, channel, one, state, plan) {
  const name = `withdraw-${one.asset}`;
  const problem = app.problem(name);
  const bank = channel.bank.account;
  const sum = () => amount(app, one.asset, plan.amount);
  const onchain = plan.owner === null && plan.partner === null;
  const ask = () => app.act(name, async () => {
    await app.client.splice({
      key: state.key, asset: one.asset, amount: plan.amount, from: bank.key,
      to: plan.partner?.key ?? null, account: plan.owner?.key ?? null, invoice: plan.invoice,
    });
    Object.assign(state, newWithdraw(one.asset));
    app.again('channels');
    app.say(`Asked ${accountName(bank)} for its consent.`);
  });
  return h('div', { class: 'stack wide', key: 'confirm' },
    h('h3', { tabindex: '-1', ref: (/** @type {HTMLElement} */ title) => title.focus() }, 'Check before it moves'),
    sums(['Amount', sum()], plan.invoice !== null && ['Invoice tag, public', plan.invoice]),
    h('ol', { class: 'happens' },
      h('li', null, accountName(bank), ' is asked to agree that ', sum(), ' leaves your channel. Meanwhile you cannot spend it.'),
      h('li', null, onchain ? 'The withdrawal waits in the bar below for your signature.'
        : ['The withdrawal, and the deposit into ', placeInWords(plan), ', wait in the bar below as one group: both happen or neither.']),
      h('li', null, 'You sign and send. Once a block has applied it, the money is there. The fee is shown before you sign.')),
    plan.owner !== null && note('warn', h('p', null, 'The money will belong to ', accountOf(plan.owner), '. You cannot take it back.'), newcomer(app, plan.owner)),
    problem && errorNote(problem),
    h('div', { class: 'row' },
      button('Ask for withdrawal', { main: true, slim: true, busy: app.doing(name), onclick: ask }),
      button('Change', { slim: true, disabled: app.doing(name), onclick: () => {
        state.plan = null;
        // What was asked under the old name stays asked; another order is another one.
        state.key = crypto.randomUUID();
        app.clearProblem(name);
        app.refresh();
        // Drawn in the microtask before.
        queueMicrotask(() => document.getElementById(name)?.focus());
      } })));
}

/** @param {Pick<Plan, 'owner' | 'partner'>} plan */
function placeInWords({ owner, partner }) {
  const whose = owner === null ? 'your' : 'the';
  if (partner === null) return [whose, ' on-chain balance', owner !== null && [' of ', accountOf(owner)]];
  return [whose, ' channel ', owner !== null && ['of ', accountOf(owner), ' '], 'with ', who(partner)];
}

/**
 * What it costs that an account does not exist yet.
 * @param {App} app
 * @param {AccountRef} owner
 */
function newcomer(app, owner) {
  if (owner.id !== null) return null;
  const value = (/** @type {string} */ wanted) => app.use('parameters').value?.find(({ name }) => name === wanted)?.value;
  const [fee, kept] = [value('account_creation_fee'), value('standalone_balance')];
  return h('p', null, 'This account is not on the chain yet; the deposit makes it.',
    fee !== undefined && kept !== undefined && [' That costs you ', amount(app, 1, fee), ', and ', amount(app, 1, kept), ' of the money goes to its on-chain balance.']);
}

/**
 * @param {App} app
 * @param {number} asset
 * @param {import('../api').Withdrawal} withdrawal
 */
function underWay(app, asset, withdrawal) {
  const words = /** @type {const} */ ({
    asked: ['move', 'waiting for the bank', 'The bank is asked for its consent; the amount is held meanwhile.'],
    granted: ['good', 'bank agreed', 'It waits for your signature in the bar below.'],
    sent: ['move', 'waiting for block', 'Signed and sent.'],
    refused: ['bad', 'refused', 'The bank refused. The hold ends by itself.'],
  });
  const [tone, word, says] = words[withdrawal.state];
  const { target } = withdrawal;
  return h('div', { class: 'stack tight' },
    h('div', { class: 'row' }, amount(app, asset, withdrawal.amount), tag(tone, word),
      target && h('span', { class: 'small' }, 'into ', placeInWords({ owner: target.owner.you ? null : target.owner, partner: target.partner }))),
    h('p', { class: 'small muted' }, says, ' Ends by ', exactTime(withdrawal.expiresTime, app.locale), ' at the latest.'));
}
