/** Court: channels that are disputed, how they were split, and debts. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { namedAccount, plural } from '../format.js';
import { channelLink, proposalLink } from '../sentences.js';
import { accountOf, amount, beginning, tag } from './basic.js';
import { stateTag } from './governance.js';
import { numberLine } from './number-line.js';
import { inWords, movedChips } from './operation.js';
import { blocksTime } from './values.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../api').AccountRef} AccountRef */
/** @typedef {import('../api').Split} Split */
/** @typedef {import('../api').Dispute} Dispute */

/** @param {AccountRef} account */
const named = (account) => (account.you ? 'you' : namedAccount(account));

/**
 * Who gets what, in a sentence.
 * @param {App} app
 * @param {Split} split
 * @param {{left: AccountRef, right: AccountRef}} parties
 * @param {boolean} done
 */
export function splitSentence(app, split, { left, right }, done) {
  const sum = (/** @type {bigint} */ value) => amount(app, split.asset, value);
  const subject = (/** @type {AccountRef} */ account) => (account.you ? 'you' : accountOf(account));
  const both = /** @type {[AccountRef, bigint][]} */ ([[left, split.left], [right, split.right]]);
  const [[first, its], [second, rest]] = right.you ? both.reverse() : both;
  const gets = done ? ' got ' : ' would get ';
  const [debtor, creditor] = split.debtor === 'left' ? [left, right] : [right, left];
  return h('p', null, split.insurance === 0n ? `Nothing ${done ? 'was' : 'is'} insured.` : ['Of the insurance of ', sum(split.insurance), ', ', subject(first), gets, sum(its), ' and ', subject(second), gets, sum(rest), '.'],
    split.debtor !== null && [' ', h('span', null, debtor.you ? 'You' : beginning(debtor)), done ? ' owed ' : ' would owe ', sum(split.owed), ' more to ', subject(creditor),
      done ? [': ', sum(split.paid), ' of it was taken from ', debtor.you ? 'your' : 'its', ' on-chain balance, ', split.debt > 0n ? [sum(split.debt), ' became a debt.'] : 'nothing is left open.']
        : [', to be taken from ', debtor.you ? 'your' : 'its', ' on-chain balance; what is missing there becomes a debt.']]);
}

/**
 * @param {App} app
 * @param {Split} split
 * @param {{left: AccountRef, right: AccountRef}} parties
 */
export function splitLine(app, { asset, insurance, delta }, { left, right }) {
  return numberLine(app, { asset: app.asset(asset), insurance, delta, left: named(left), right: named(right) });
}

/**
 * The channel before court and after it.
 * @param {App} app
 * @param {Split} split
 * @param {{left: AccountRef, right: AccountRef}} parties
 */
export function splitDrawing(app, split, parties) {
  return h('div', { class: 'grid2', key: split.asset },
    h('div', { class: 'stack tight' }, h('h4', null, 'Before'), splitLine(app, split, parties)),
    h('div', { class: 'stack tight' }, h('h4', null, 'After'), splitLine(app, { ...split, insurance: 0n, delta: 0n }, parties)));
}

/**
 * @param {App} app
 * @param {import('../api').Opening} opening
 */
export function openingCard(app, { event, flows }) {
  if (event.kind === 'proposal') {
    const says = { open: 'is open', accepted: 'was accepted', executed: 'took effect', rejected: 'was rejected', void: 'is void: what would have resulted breaks a rule' }[event.state.kind];
    return h('article', { class: 'card', key: `proposal-${event.id}` }, h('div', { class: 'row apart' },
      h('p', { class: 'grow' }, 'The votes on ', ...inWords(app, [proposalLink(event.id)]), ` were counted: it ${says}.`), stateTag(event.state)));
  }
  const by = (/** @type {string} */ purpose) => flows.filter((flow) => flow.purpose === purpose);
  return h('article', { class: 'card', key: `${event.left.key} ${event.epoch}` },
    h('header', null, h('h3', null, 'Court resolved ', ...inWords(app, [channelLink(event.left, event.right)])), tag('disputed', icon('scales', { size: 14 }), 'resolved')),
    h('p', { class: 'small muted' }, event.frame === 0 ? 'No state was shown; the channel counted as it stands on the chain.' : `By state ${event.frame}, the newest that was shown.`, ` It begins anew, in epoch ${event.epoch}.`),
    event.assets.map((split) => h('div', { class: 'stack', key: split.asset }, splitDrawing(app, split, event), splitSentence(app, split, event, true))),
    movedChips(app, by('resolution'), 'Insurance'),
    movedChips(app, by('enforcement'), 'Taken from an on-chain balance'),
    movedChips(app, by('debt'), 'Older debts paid on the way'));
}

/**
 * Where a dispute is and when it ends, in words.
 * @param {App} app
 * @param {Dispute} dispute
 */
export function disputeProgress(app, { start, answersUntil, end, now, assets }) {
  const locks = assets.reduce((sum, one) => sum + one.locks, 0);
  const answering = now <= answersUntil;
  const percent = Math.max(0, Math.min(100, Math.floor(((now - start) * 100) / Math.max(1, end - start))));
  return h('div', { class: 'stack tight', key: 'progress' },
    h('div', { class: 'progress disputed', role: 'progressbar', 'aria-label': 'Until it is decided', 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': percent }, h('span', { style: { width: `${percent}%` } })),
    h('p', null, answering ? [h('strong', null, 'Newer states can be shown'), ` for another ${blocksTime(app, answersUntil - now + 1)}. Then it is decided.`]
      : [h('strong', null, 'Waiting for secrets'), ` of payments that were under way. Decided in ${blocksTime(app, end - now)} at the latest.`]),
    answering && locks > 0 && h('p', { class: 'small muted' }, `${plural(locks, 'payment')} under way may make it last longer: until their secrets are out or their time is up.`));
}

/**
 * @param {App} app
 * @param {Dispute} dispute
 */
export function disputeCard(app, dispute) {
  const [starter, other] = dispute.starter === 'left' ? [dispute.left, dispute.right] : [dispute.right, dispute.left];
  return h('article', { class: 'card', key: `${dispute.left.key}${dispute.right.key}` },
    h('header', null, h('h3', null, beginning(starter), ' disputes ', ...inWords(app, [{ ...channelHref(dispute), text: 'the channel' }]), ' with ', accountOf(other)), tag('disputed', icon('scales', { size: 14 }), 'in court')),
    disputeProgress(app, dispute),
    courtNow(app, dispute));
}

/** @param {Dispute} dispute @returns {{href: string, text: string}} */
function channelHref({ left, right }) {
  return /** @type {any} */ (channelLink(left, right));
}

/**
 * @param {App} app
 * @param {Dispute} dispute
 */
export function courtNow(app, dispute) {
  return [
    h('p', { class: 'small muted', key: 'frame' }, dispute.frame === null ? 'No state was shown yet: the channel counts as it stands on the chain.' : `Newest state shown: ${dispute.frame}.`),
    dispute.assets.map(({ split, locks, locked }) => h('div', { class: 'stack', key: split.asset }, splitLine(app, split, dispute), splitSentence(app, split, dispute, false),
      locks > 0 && h('p', { class: 'small muted' }, `${plural(locks, 'payment')} of `, amount(app, split.asset, locked), ' still under way; they count if their secrets come out in time.'))),
  ];
}

/**
 * @param {App} app
 * @param {import('../api').Debt[]} debts
 */
export function debtRows(app, debts) {
  return h('ul', { class: 'rows', key: 'debts' }, debts.map((debt) => h('li', { key: `${debt.debtor.key}${debt.asset} ${debt.number}` }, h('div', { class: 'item plain' },
    h('span', { class: 'stack tight' }, h('span', null, debt.debtor.you ? 'You owe ' : [beginning(debt.debtor), ' owes '], debt.creditor.you ? 'you' : accountOf(debt.creditor)),
      h('span', { class: 'sub' }, debt.place === 1 ? 'paid next' : `${plural(debt.place - 1, 'older debt')} first`)),
    amount(app, debt.asset, debt.amount)))));
}
