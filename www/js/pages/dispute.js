/** The channel with a bank and court: what a dispute would do, how one goes, what it came to. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { amount, button, errorNote, note, tag, who } from '../parts/basic.js';
import { courtNow, disputeProgress, splitDrawing, splitLine, splitSentence } from '../parts/court.js';
import { inWords } from '../parts/operation.js';
import { blocksTime, parameter } from '../parts/values.js';
import { accountName, countText } from '../format.js';
import { meaning } from '../explain.js';
import { sentence } from '../sentences.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../api').Channel} Channel */
/** What was begun on the page. @typedef {{asking: boolean}} Asking */

/** @param {Channel} channel */
export function inCourt({ court }) {
  return court.stage === 'signed' || court.dispute !== null;
}

/**
 * A balance as it is now: court lets nothing in, whatever the limits are.
 * @param {App} app
 * @param {import('../api').Balance} balance
 * @returns {import('../api').Balance}
 */
export function openBalance(app, balance) {
  const closed = new Set(app.use('channels').value?.filter(inCourt).map(({ bank }) => bank.account.key));
  const banks = balance.banks.map((row) => (closed.has(row.bank.key) ? { ...row, parts: { ...row.parts, canReceive: 0n } } : row));
  return { ...balance, banks, parts: { ...balance.parts, canReceive: banks.reduce((sum, { parts }) => sum + parts.canReceive, 0n) } };
}

/** What has to be done next is about court. @param {Channel} channel */
export function courtFirst(channel) {
  return inCourt(channel) || justDecided(channel) !== null && noLimits(channel);
}

/** @param {Channel} channel */
function justDecided({ court, epoch }) {
  return court.last?.epoch === epoch ? court.last : null;
}

/** @param {Channel} channel */
function noLimits({ assets }) {
  return assets.every(({ creditLimit }) => creditLimit === 0n);
}

/** @param {Channel} channel */
export function courtTag(channel) {
  return inCourt(channel) && tag('disputed', icon('scales', { size: 14 }), 'in court');
}

/**
 * @param {App} app
 * @param {Channel} channel
 */
function partiesOf(app, { side, bank }) {
  const you = app.use('status').value?.account ?? { id: null, key: '', handle: null, you: true };
  return side === 'left' ? { left: you, right: bank.account } : { left: bank.account, right: you };
}

/**
 * @param {App} app
 * @param {Channel} channel
 * @param {Asking} asking
 * @param {() => void} again goes on after court: opens the limits
 */
export function courtCard(app, channel, asking, again) {
  const { court } = channel;
  const problem = app.problem('dispute');
  const shown = court.dispute ? running(app, channel, court.dispute)
    : court.stage === 'signed' ? waiting(app, channel)
      : asking.asking ? confirmation(app, channel, asking) : null;
  const last = justDecided(channel);
  return [
    last && court.dispute === null && result(app, channel, last, again),
    h('section', { class: 'card', key: 'court', 'aria-label': 'Court' },
      shown ?? offer(app, channel, asking),
      court.problem && court.stage === 'wanted' && h('div', { key: 'wanted' }, note('warn', h('strong', null, 'The dispute is not sent yet'),
        h('p', null, `${meaning(court.problem).title}. ${meaning(court.problem).next ?? ''} It is tried again with every block.`))),
      problem && errorNote(problem)),
  ];
}

/**
 * @param {App} app
 * @param {Channel} channel
 * @param {Asking} asking
 */
function offer(app, channel, asking) {
  const name = accountName(channel.bank.account);
  return h('details', { key: 'offer' }, h('summary', { id: 'dispute' }, 'Dispute'),
    h('div', { class: 'stack' },
      h('p', null, `When ${name} stays away or refuses what is yours, you can take this channel to court, on the chain, without its help. You will see what comes of it before anything is signed.`),
      h('div', { class: 'row' }, button('What a dispute would do', { slim: true, icon: 'scales', disabled: channel.court.stage === 'wanted', onclick: () => { asking.asking = true; app.refresh(); } }))));
}

/**
 * @param {App} app
 * @param {Channel} channel
 * @param {Asking} asking
 */
function confirmation(app, channel, asking) {
  const { court } = channel;
  const parties = partiesOf(app, channel);
  const locks = court.assets.reduce((sum, one) => sum + one.locks, 0);
  const horizon = Number(parameter(app, 'lock_horizon') ?? 0n);
  const bank = who(channel.bank.account);
  return h('div', { class: 'stack wide', key: 'confirm' },
    h('h2', { tabindex: '-1', ref: (/** @type {HTMLElement} */ title) => title.focus() }, 'Before you take it to court'),
    h('ol', { class: 'happens' },
      h('li', null, 'You sign it now, and it goes out at once. It costs about ', amount(app, 1, court.fee), ' of your on-chain balance. From then on nothing can be paid, received or insured in this channel.'),
      h('li', null, bank, ` can show a newer state, if there is one, for ${blocksTime(app, court.delay)}. Your wallet watches and does the same for you; open it now and then.`),
      h('li', null, locks > 0 ? ['Payments are still under way. Court waits until they are decided, at most ', blocksTime(app, horizon), ' from the start. Then it decides.'] : `Then court decides: in ${blocksTime(app, court.delay + 1)}.`),
      h('li', null, 'Insurance is paid out to both on the chain. What the one owes beyond it is taken from the on-chain balance; what is missing there becomes a debt. A debt is paid from whatever the debtor receives later, the oldest first. It may never be paid in full.'),
      h('li', null, 'The channel begins anew at zero. To use the bank again you set a limit again.')),
    h('h3', null, 'What court would decide now'),
    h('p', { class: 'small muted' }, court.frame === null ? 'The bank has signed no state yet: the channel counts as it stands on the chain.' : `By the newest state that the bank has signed: ${court.frame}.`),
    court.assets.map(({ split }) => h('div', { class: 'stack', key: split.asset }, splitLine(app, split, parties), splitSentence(app, split, parties, false))),
    h('div', { class: 'row' },
      button('Sign and dispute', { main: true, danger: true, busy: app.doing('dispute'), onclick: () => app.act('dispute', async () => {
        await app.client.dispute({ bank: channel.bank.account.key });
        asking.asking = false;
        app.again('channels');
        app.say('Signed and sent to court.');
        app.turn();
      }) }),
      button('Not now', { onclick: () => { asking.asking = false;
        app.clearProblem('dispute');
        app.refresh();
        // Drawn in the microtask before.
        queueMicrotask(() => document.getElementById('dispute')?.focus());
      } })));
}

/**
 * @param {App} app
 * @param {Channel} channel
 */
function waiting(app, { court }) {
  return h('div', { class: 'stack', key: 'signed', role: 'status' }, h('h2', null, 'On its way to court'),
    note('disputed', h('p', null, 'Signed and sent. Waiting for a block', court.until !== null && `, at the latest #${countText(court.until, app.locale)}`, '. Meanwhile nothing is signed in this channel.')));
}

/**
 * @param {App} app
 * @param {Channel} channel
 * @param {import('../api').Dispute} dispute
 */
function running(app, channel, dispute) {
  const { court, side } = channel;
  const ours = dispute.starter === side;
  const newer = (court.frame ?? 0) > (dispute.frame ?? 0);
  return h('div', { class: 'stack wide', key: 'running' },
    h('div', { class: 'row apart' }, h('h2', null, 'In court'), courtTag(channel)),
    h('p', null, ours ? ['You took this channel to court. '] : [who(channel.bank.account), ' took this channel to court. '],
      court.answering ? 'Your wallet is showing court your newer state.'
        : newer && dispute.now <= dispute.answersUntil ? 'Your wallet has a newer state and shows it with the next block.'
          : 'Court has the newest state that you know. You need not do anything.'),
    !ours && whyBanksDispute(),
    disputeProgress(app, dispute),
    h('h3', null, 'As it stands'),
    courtNow(app, dispute),
    h('p', { class: 'small muted' }, 'What you insure or deposit here meanwhile counts. Everybody can follow it ', h('a', { href: to('explorer', 'court') }, 'in the explorer'), '.'));
}

/** What the chain does not say. */
function whyBanksDispute() {
  return h('p', { class: 'small muted', key: 'why' }, 'A bank goes to court when its part of the insurance is needed for others and you are away or do not sign, when the secret of a payment has to count, or when it has lost data. Whatever its reason: the newest state that both signed decides.');
}

/**
 * How it came to the decision: who began, who showed something newer, and by which state it was decided.
 * @param {App} app
 * @param {Channel} channel
 * @param {NonNullable<Channel['court']['last']>} last
 */
function course(app, channel, last) {
  const bank = channel.bank.account.key;
  const you = app.use('status').value?.account?.key;
  const recent = (you && app.use('account', { account: you }).value?.recent) || [];
  const isOurs = (/** @type {import('../api').AccountRef} */ a, /** @type {import('../api').AccountRef} */ b) => (a.you && b.key === bank) || (b.you && a.key === bank);
  const by = last.frame === 0 ? 'no state was shown, the channel counted as it stood on the chain' : `by state ${last.frame}, the newest that was shown`;
  const towers = app.use('towers').value ?? [];
  /** Newest first. @type {{height: number, says: import('../dom.js').Child}[]} */
  const steps = [];
  let began = null;
  for (const { height, batch, opening } of recent) {
    const event = opening?.event;
    if (event?.kind === 'resolved' && event.epoch === last.epoch && isOurs(event.left, event.right)) steps.push({ height, says: `Court decided: ${by}.` });
    if (steps.length === 0 || !batch || began) continue;
    for (const { operation, receipt } of [...batch.operations].reverse()) {
      const concerns = operation.kind === 'dispute' ? isOurs(batch.signer, operation.partner) : operation.kind === 'answer' && isOurs(operation.left, operation.right);
      if (!concerns || receipt.state !== 'applied' || began) continue;
      const [signer, ...did] = inWords(app, sentence(operation, batch.signer));
      steps.push({ height, says: [signer, towers.some(({ tower }) => tower === batch.signer.key) && ', your watchtower,', ...did, '.'] });
      if (operation.kind === 'dispute') began = batch.signer;
    }
  }
  return h('div', { class: 'stack tight', key: 'course' }, h('h3', null, 'How it came to that'),
    !began ? h('p', null, `Court decided: ${by}.`)
      : h('ul', { class: 'stack tight' }, steps.reverse().map(({ height, says }, index) => h('li', { key: index }, h('a', { href: to('explorer', 'block', height) }, `#${countText(height, app.locale)}`), ' ', says))),
    began?.key === bank && whyBanksDispute());
}

/**
 * @param {App} app
 * @param {Channel} channel
 * @param {NonNullable<Channel['court']['last']>} last
 * @param {() => void} again
 */
function result(app, channel, last, again) {
  const parties = partiesOf(app, channel);
  return h('section', { class: 'card', key: 'result' },
    h('header', null, h('h2', null, 'Court has decided'), tag('disputed', icon('scales', { size: 14 }), 'resolved')),
    last.assets.map((split) => h('div', { class: 'stack', key: split.asset }, splitDrawing(app, split, parties), splitSentence(app, split, parties, true))),
    course(app, channel, last),
    h('p', null, 'What you got is on your ', h('a', { href: to('onchain') }, 'on-chain balance'), '. The channel has begun anew, and both may use it again.'),
    noLimits(channel) && h('div', { class: 'stack' }, h('p', null, 'Your limits are zero: the bank may owe you nothing, and you can receive nothing. Set one to go on.'),
      h('div', { class: 'row' }, button('Set a limit again', { main: true, slim: true, onclick: again }))));
}

/**
 * On the first page: that a channel is in court, or what to do now that court has decided.
 * @param {App} app
 */
export function courtNotice(app) {
  const channels = (app.use('channels').value ?? []).filter(courtFirst);
  return channels.map((channel) => h('div', { key: `court ${channel.bank.account.key}` }, note('disputed',
    inCourt(channel) ? [h('strong', null, `Your channel with ${accountName(channel.bank.account)} is in court`),
      h('p', null, 'Nothing moves in it until court has decided. ', h('a', { href: to('banks', channel.bank.account.key) }, 'See how it stands'))]
      : [h('strong', null, `Court has decided about your channel with ${accountName(channel.bank.account)}`),
        h('p', null, 'What you got is on your on-chain balance, and you can receive nothing until you set a limit again. ', h('a', { href: to('banks', channel.bank.account.key) }, 'See who got what, and why'))])));
}
