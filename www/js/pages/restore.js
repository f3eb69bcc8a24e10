/** A wallet from its words, and what comes back of it. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { amount, answered, bones, button, errorNote, field, form, heading, keyPicture, linkButton, note, sums, tag, typing } from '../parts/basic.js';
import { ownBalance } from '../parts/balance-bar.js';
import { newPassword, passwordFields, passwordReady } from '../parts/password.js';
import { accountName, countText, plural } from '../format.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../api').Restoration} Restoration */
/** @typedef {import('../api').RestoreState} RestoreState */

/** @type {Record<RestoreState, {tone: 'good' | 'move' | undefined, word: string, says: string}>} */
const STATES = {
  asked: { tone: 'move', word: 'asked', says: 'It has not answered yet. The wallet keeps trying.' },
  adopted: { tone: 'move', word: 'waiting for a block', says: 'It showed the newest state that you both signed. With the next block your wallet signs that it goes on from there.' },
  restored: { tone: 'good', word: 'back', says: 'You and the bank have signed; payments work.' },
  nothing: { tone: undefined, word: 'nothing of yours', says: 'It says that it holds nothing for this wallet. If you know better, add it under Banks and it is asked again.' },
};

/**
 * Whether something is still to come.
 * @param {Restoration | null | undefined} restoration
 */
export function isRestoring(restoration) {
  return Boolean(restoration) && (restoration?.banks?.some(({ state }) => state === 'asked' || state === 'adopted') ?? true);
}

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function restorePage(app) {
  const typed = newPassword();
  let text = '';
  let tried = false;
  const words = () => text.toLowerCase().split(/[\s,;]+|\d+[.)]/u).map((word) => word.trim()).filter(Boolean);
  const problem = () => ([12, 24].includes(words().length) ? null : `A wallet has 12 or 24 words; these are ${words().length}.`);
  const wordsForm = () => {
    const error = app.problem('restore');
    const unknown = error?.code === 'wallet.bad_words' && typeof error.data?.index === 'number' ? Number(error.data.index) : null;
    return [
      heading('Restore wallet'),
      h('p', { class: 'lede' }, 'Enter or paste your 12 or 24 words.'),
      form(() => {
        tried = true;
        const ready = passwordReady(typed);
        app.refresh();
        if (problem() !== null || !ready) return;
        app.act('restore', async () => {
          app.put('status', await app.client.restore({ words: words(), password: typed.first }));
          text = '';
          app.turn();
        });
      },
      field({
        id: 'words', label: 'Words', hint: words().length > 0 ? `${words().length} words` : 'Separated by spaces.',
        wrong: unknown !== null ? `Word ${unknown + 1}, “${words()[unknown] ?? ''}”, is not in the list of words.` : tried ? problem() : null,
      }, (attributes) => h('textarea', {
        ...attributes, class: 'area', rows: 4, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', translate: 'no',
        ...typing(text, (now) => { text = now; app.clearProblem('restore'); app.refresh(); }),
      })),
      passwordFields(app, typed),
      error && errorNote(error),
      h('div', { class: 'row' }, button('Restore wallet', { submit: true, main: true, busy: app.doing('restore'), busyLabel: 'Restoring …' }),
        linkButton('Create wallet instead', to('create')))),
    ];
  };
  return {
    title: 'Restore wallet',
    view: () => {
      const wallet = app.use('status').value?.wallet;
      if (wallet === 'unlocked') return progress(app);
      if (wallet === 'locked') return [heading('Restore wallet'), occupied()];
      return wordsForm();
    },
    leave: () => { text = ''; },
  };
}

function occupied() {
  return note('warn', h('p', null, 'This browser already holds a wallet. Wipe it in the settings before restoring another one.'), linkButton('Open it', to('home'), { slim: true }));
}

/** @param {App} app */
function progress(app) {
  const { value: restoration } = app.use('restoration');
  if (restoration === null) return [heading('Restore wallet'), occupied()];
  const done = restoration !== undefined && !isRestoring(restoration);
  return [
    heading(done ? 'Your wallet is back' : 'Your wallet is coming back'),
    h('p', { class: 'lede', role: 'status', key: 'summary' }, summary(restoration)),
    h('section', { class: 'card', key: 'steps' }, h('ol', { class: 'steps' }, steps(app, restoration))),
    onChain(app),
    note('warn', h('strong', null, 'Past payments and invoices do not come back'),
      h('p', null, 'Their list, their proofs and the secrets of open invoices were only in the wallet that you lost. An invoice made there can no longer be paid; make a new one.')),
    h('p', { class: 'small muted', key: 'limited' }, 'For some minutes a bank may pay you only within your credit limit: it could have been allowed to take its collateral out, and your wallet no longer knows.'),
    h('div', { class: 'row', key: 'on' }, linkButton('Go to my wallet', to('home'), { main: done })),
  ];
}

/** @param {Restoration | undefined} restoration */
function summary(restoration) {
  const banks = restoration?.banks;
  if (!banks) return 'Your keys are here again. First the chain is verified, then your banks are asked for what they owe you.';
  const count = (/** @type {RestoreState[]} */ ...states) => banks.filter(({ state }) => states.includes(state)).length;
  const open = count('asked', 'adopted');
  if (open > 0) return `${count('restored', 'nothing')} of ${plural(banks.length, 'bank')} done. You can leave this page; it goes on by itself while the wallet is open.`;
  return count('restored') > 0 ? 'Your balances and limits are as you and your banks signed them last.' : 'No bank says that it knows this wallet. What you have on the chain is yours as before.';
}

/**
 * @param {App} app
 * @param {Restoration | undefined} restoration
 */
function steps(app, restoration) {
  const sync = app.use('syncState').value;
  const live = sync?.phase === 'live' || Boolean(restoration?.banks);
  const banks = restoration?.banks ?? null;
  const rows = [
    { title: 'Keys made from your words', done: true, says: null },
    {
      title: 'The chain verified up to now', done: live,
      says: !live && sync && h('p', { class: 'small muted' }, sync.blocksTotal > 0 ? `Block ${countText(sync.blocksDone, app.locale)} of ${countText(sync.blocksTotal, app.locale)}.` : 'Connecting to a relay.'),
    },
    {
      title: 'Every bank asked once for your channel', done: banks !== null && !isRestoring(restoration ?? null),
      says: banks && (banks.length === 0 ? h('p', { class: 'small muted' }, 'This network has no bank.') : h('ul', { class: 'stack' }, banks.map((one) => bankRow(app, one)))),
    },
  ];
  const current = rows.findIndex(({ done }) => !done);
  return rows.map(({ title, done, says }, index) => h('li', { key: title, 'aria-current': index === current ? 'step' : null },
    h('span', { class: 'round', 'data-tone': done ? 'good' : index === current ? 'move' : null }, done ? icon('check', { size: 16, label: 'done' }) : index + 1),
    h('div', { class: 'stack' }, h('h3', null, title), says)));
}

/**
 * @param {App} app
 * @param {{bank: import('../api').AccountRef, state: RestoreState}} one
 */
function bankRow(app, { bank, state }) {
  const { tone, word, says } = STATES[state];
  const shown = app.use('balances').value?.flatMap(({ asset, banks }) => {
    const row = banks.find((other) => other.bank.key === bank.key);
    return row && ownBalance(row.parts) !== 0n ? [{ asset, sum: ownBalance(row.parts) }] : [];
  }) ?? [];
  return h('li', { class: 'payee', key: bank.key }, keyPicture(bank.key, 32), h('div', { class: 'stack tight' },
    h('div', { class: 'row' }, h('strong', null, accountName(bank)), tag(tone, word), shown.map(({ asset, sum }) => h('span', { key: asset.id }, amount(app, asset, sum)))),
    h('p', { class: 'small muted' }, says)));
}

/** @param {App} app */
function onChain(app) {
  return h('section', { class: 'card', key: 'onchain' }, h('header', null, h('h2', null, 'On the chain')),
    answered(app.use('balances'), (balances) => sums(...balances.filter(({ asset, onchain }) => asset.id === 1 || onchain > 0n)
      .map(({ asset, onchain }) => /** @type {[string, any]} */ ([asset.name || asset.ticker, amount(app, asset, onchain)]))), () => bones(1)));
}
