/** Proposals: what they would change, how far their vote is, where they stand. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { countText, plural, shortHex } from '../format.js';
import { proposed } from '../sentences.js';
import { to } from '../router.js';
import { beginning, facts, note, tag } from './basic.js';
import { inWords } from './operation.js';
import { blocksTime, parameterText } from './values.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../api').Proposal} Proposal */
/** @typedef {import('../api').Governance} Governance */

/**
 * What would change, old and new.
 * @param {App} app
 * @param {import('../api').GovernanceAction} action
 */
export function actionView(app, action) {
  const change = (/** @type {import('../dom.js').Child} */ from, /** @type {import('../dom.js').Child} */ to) => [from, h('span', { class: 'unseen' }, ' becomes '), h('span', { 'aria-hidden': 'true' }, ' → '), h('strong', null, to)];
  switch (action.kind) {
    case 'set_parameters':
      return action.changes.length === 0 ? h('p', { class: 'small muted' }, 'Nothing that differs from what is in force.')
        : facts(...action.changes.map(({ name, unit, from, to }) => /** @type {[string, any]} */ ([name, change(parameterText(app, { value: from, unit }), parameterText(app, { value: to, unit }))])));
    case 'set_validators':
      return action.changes.length === 0 ? h('p', { class: 'small muted' }, 'Nothing that differs from what is in force.')
        : h('ul', { class: 'stack tight' }, action.changes.map(({ account, from, to }) => h('li', { key: account.key }, beginning(account), ': ',
          change(from ? plural(from.shares, 'share') : 'no validator', to ? plural(to.shares, 'share') : 'no validator'),
          to && to.url !== from?.url && h('span', { class: 'small muted' }, ' at ', h('code', null, to.url)),
          to && to.signingKey !== from?.signingKey && h('span', { class: 'small muted' }, ', signing with ', h('code', { title: to.signingKey }, shortHex(to.signingKey))))));
    case 'rename_asset': {
      const now = app.asset(action.asset);
      return now.ticker === action.ticker && now.name === action.name ? null
        : facts(['Ticker', change(now.ticker, action.ticker)], ['Name', change(now.name, action.name)]);
    }
    case 'release': return facts(['Published bundle', h('code', null, action.bundle)]);
    default: return null;
  }
}

const STATES = /** @type {const} */ ({
  open: ['move', 'clock', 'open'], accepted: ['good', 'clock', 'accepted, waits'], executed: ['good', 'check', 'in force'],
  rejected: ['bad', 'cross', 'rejected'], void: ['warn', 'alert', 'void'],
});

/** @param {import('../api').ProposalState} state */
export function stateTag(state) {
  const [tone, picture, word] = STATES[state.kind];
  return tag(tone, icon(picture, { size: 14 }), word);
}

/**
 * @param {App} app
 * @param {Governance} all
 * @param {Proposal} proposal
 */
function whatNext(app, { now }, { state, votesUntil }) {
  switch (state.kind) {
    case 'open': return `Votes are taken for another ${blocksTime(app, votesUntil - now + 1)}. Then they are counted.`;
    case 'accepted': return `More than two thirds of the shares approved. It takes effect in ${blocksTime(app, state.effective - now)}.`;
    case 'executed': return 'More than two thirds of the shares approved, and it took effect.';
    case 'rejected': return 'Too few shares approved; nothing changes.';
    case 'void': return 'It was accepted, but what would have resulted breaks a rule; nothing changes.';
  }
}

/**
 * @param {App} app
 * @param {Governance} all
 * @param {Proposal} proposal
 */
export function proposalCard(app, all, proposal) {
  const sum = (/** @type {boolean} */ approve) => proposal.votes.reduce((total, vote) => total + (vote.approve === approve ? vote.shares : 0), 0);
  const [approving, against] = [sum(true), sum(false)];
  const percent = Math.min(100, Math.floor((approving * 100) / Math.max(1, proposal.shares)));
  const line = Math.min(100, (proposal.needed * 100) / Math.max(1, proposal.shares));
  const undecided = proposal.state.kind === 'open';
  return h('article', { class: 'card', key: proposal.id },
    h('header', null, h('h2', null, h('a', { href: to('explorer', 'governance', proposal.id) }, `Proposal ${proposal.id}`)), stateTag(proposal.state)),
    h('p', null, beginning(proposal.proposer), ' proposes to ', ...inWords(app, proposed(proposal.action)), '.'),
    actionView(app, proposal.action),
    proposal.text !== '' && h('blockquote', null, proposal.text),
    (undecided || proposal.votes.length > 0) && h('div', { class: 'stack tight', key: 'progress' },
      h('div', {
        class: 'progress tally', role: 'progressbar', 'aria-label': 'Shares that approve', 'aria-valuemin': 0, 'aria-valuemax': proposal.shares, 'aria-valuenow': approving,
        'aria-valuetext': `${approving} of ${proposal.shares} shares approve, ${proposal.needed} are needed`,
      }, h('span', { style: { width: `${percent}%` } }), h('i', { style: { left: `${line}%` } })),
      h('p', { class: 'small' }, `${countText(approving, app.locale)} of ${plural(proposal.shares, 'share')} approve, ${countText(proposal.needed, app.locale)} are needed`, against > 0 && ` · ${countText(against, app.locale)} against`)),
    h('p', { class: 'small muted', key: 'next' }, whatNext(app, all, proposal)),
    proposal.votes.length > 0 && h('details', { key: 'votes' }, h('summary', null, plural(proposal.votes.length, 'vote')),
      h('ul', { class: 'stack tight' }, proposal.votes.map((vote) => h('li', { key: vote.account.key },
        vote.approve ? icon('check', { size: 16, label: 'for' }) : icon('cross', { size: 16, label: 'against' }), ' ', beginning(vote.account), h('span', { class: 'small muted' }, ` ${plural(vote.shares, 'share')}`),
        vote.rationale !== '' && h('blockquote', null, vote.rationale))))));
}

/**
 * What everybody should know of a version of the rules that this client does not know.
 * @param {App} app
 */
export function releaseNotice(app) {
  const known = app.use('governance').value;
  const head = app.use('head').value?.height;
  const next = known?.releases.find(({ version }) => version > known.version);
  if (!known || !next || head === undefined) return null;
  // The head never reaches that block, and validators that stop there may not give out the one before.
  const blocks = next.height - head - 2;
  return h('div', { key: 'release' }, note(blocks > 0 ? 'warn' : 'bad', h('strong', null, blocks > 0 ? 'A new version is needed soon' : 'A new version is needed'),
    h('p', null, `The validators decided on version ${next.version} of the rules from block `, h('a', { href: to('explorer', 'block', next.height) }, `#${countText(next.height, app.locale)}`), ' on',
      blocks > 0 ? `, in ${blocksTime(app, blocks)}` : '', `. This page knows version ${known.version} and stops there: it then shows everything and does nothing. Load it again to get the new version.`),
    h('p', { class: 'small' }, 'Published bundle: ', h('code', null, next.bundle))));
}
