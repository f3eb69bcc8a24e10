/**
 * On-chain operations in words, and what moves in them. Pure data; pages draw it.
 *
 * A sentence is a list of parts: text, an account or an amount. A flow is what
 * leaves one pocket (red, `out`) or enters another (green, `in`); a pocket is an
 * on-chain balance, or one side of a channel.
 */

import { accountHandle, namedAccount, plural } from './format.js';
import { to } from './router.js';

/** @typedef {import('./api').AccountRef} AccountRef */
/** @typedef {import('./api').Operation} Operation */
/** @typedef {string | {account: AccountRef} | {asset: number, amount: bigint} | {href: string, text: string}} Part */
/** @typedef {{direction: 'in' | 'out', asset: number, amount: bigint, account: AccountRef, partner: AccountRef | null}} Flow */

/**
 * @param {Operation} operation
 * @param {AccountRef} signer
 * @returns {Part[]}
 */
export function sentence(operation, signer) {
  switch (operation.kind) {
    case 'deposit': {
      const amount = { asset: operation.asset, amount: operation.amount };
      if (!operation.partner) return [{ account: signer }, ' sent ', amount, ' to ', { account: operation.to }];
      const own = operation.to.key === signer.key;
      return own
        ? [{ account: signer }, ' insured ', amount, ' of its own in the channel with ', { account: operation.partner }]
        : [{ account: signer }, ' deposited ', amount, ' for ', { account: operation.to }, ' in the channel with ', { account: operation.partner }];
    }
    case 'withdraw':
      return [{ account: operation.withdrawer }, ' took ', { asset: operation.asset, amount: operation.amount },
        ' of insurance out of the channel with ', { account: operation.partner }];
    case 'dispute':
      return [{ account: signer }, ' took its channel with ', { account: operation.partner }, ' to court, ', shown(operation.frame)];
    case 'answer':
      return [{ account: signer }, ' showed court a newer state of ', channelLink(operation.left, operation.right), `: number ${operation.frame}`];
    case 'reveal':
      return [{ account: signer }, ` revealed ${plural(operation.hashes.length, 'secret')} of payments`];
    case 'propose':
      return [{ account: signer }, ' proposed to ', ...proposed(operation.action)];
    case 'vote':
      return [{ account: signer }, ` voted ${operation.approve ? 'for' : 'against'} `, proposalLink(operation.proposal)];
    case 'create_asset':
      return [{ account: signer }, ` created the asset ${operation.ticker} (${operation.name})`];
    case 'register_bank':
      return [{ account: signer }, ` registered as the bank @${operation.handle}`];
    case 'update_bank':
      return [{ account: signer }, ` changed what it is registered with as the bank @${operation.handle}`];
  }
}

/**
 * What a proposal would do, after "to".
 * @param {import('./api').GovernanceAction} action
 * @returns {Part[]}
 */
export function proposed(action) {
  switch (action.kind) {
    case 'set_parameters': return [`change ${action.changes.length === 1 ? `the parameter ${action.changes[0].name}` : plural(action.changes.length, 'parameter')}`];
    case 'set_validators': return ['change the validators'];
    case 'remove_bank': return ['strike ', { account: action.bank }, ' off the register of banks'];
    case 'rename_asset': return [`show asset ${action.asset} as ${action.ticker} (${action.name})`];
    case 'release': return [`follow version ${action.version} of the rules from block `, blockLink(action.height), ' on'];
  }
}

/** @param {number} height @returns {Part} */
function blockLink(height) {
  return { href: to('explorer', 'block', height), text: `#${height}` };
}

/** @param {number} id @returns {Part} */
export function proposalLink(id) {
  return { href: to('explorer', 'governance', id), text: `proposal ${id}` };
}

/**
 * @param {AccountRef} left
 * @param {AccountRef} right
 * @returns {Part}
 */
export function channelLink(left, right) {
  return { href: to('explorer', 'channel', accountHandle(left), accountHandle(right)), text: `the channel of ${namedAccount(left)} and ${namedAccount(right)}` };
}

/** @param {number | null} frame of a state that was shown to court */
function shown(frame) {
  return frame === null ? 'showing no state of it' : `showing state ${frame}`;
}

/**
 * What somebody is about to do, for the batch bar.
 * @param {Operation} operation
 * @returns {Part[]}
 */
export function intention(operation) {
  switch (operation.kind) {
    case 'deposit': {
      const amount = { asset: operation.asset, amount: operation.amount };
      if (!operation.partner) return ['Send ', amount, ' to ', { account: operation.to }];
      return operation.to.you
        ? ['Deposit ', amount, ' into the channel with ', { account: operation.partner }]
        : ['Deposit ', amount, ' for ', { account: operation.to }, ' in the channel with ', { account: operation.partner }];
    }
    case 'withdraw':
      return ['Withdraw ', { asset: operation.asset, amount: operation.amount }, ' from the channel with ', { account: operation.partner }];
    case 'dispute':
      return ['Take the channel with ', { account: operation.partner }, ' to court'];
    case 'answer':
      return ['Show court the newer state of ', channelLink(operation.left, operation.right)];
    case 'reveal':
      return [`Reveal ${plural(operation.hashes.length, 'secret')}`];
    case 'propose':
      return ['Propose to ', ...proposed(operation.action)];
    case 'vote':
      return [`Vote ${operation.approve ? 'for' : 'against'} `, proposalLink(operation.proposal)];
    case 'create_asset':
      return [`Create the asset ${operation.ticker}`];
    default:
      return [operation.kind === 'register_bank' ? `Register the bank @${operation.handle}` : `Change the bank @${operation.handle}`];
  }
}

/**
 * @param {Operation} operation
 * @param {AccountRef} signer
 * @returns {Flow[]}
 */
export function flows(operation, signer) {
  if (operation.kind === 'deposit') {
    const { asset, amount } = operation;
    return [
      { direction: 'out', asset, amount, account: signer, partner: null },
      { direction: 'in', asset, amount, account: operation.to, partner: operation.partner },
    ];
  }
  if (operation.kind === 'withdraw') {
    const { asset, amount } = operation;
    return [
      { direction: 'out', asset, amount, account: operation.withdrawer, partner: operation.partner },
      { direction: 'in', asset, amount, account: operation.withdrawer, partner: null },
    ];
  }
  return [];
}

/**
 * A batch that takes insurance out of some channels and puts it into others: what left where and went where.
 * @param {import('./api').Batch} batch
 * @returns {{asset: number, from: Flow[], to: Flow[]} | null} null unless at least one withdrawal and one channel deposit applied
 */
export function rebalance(batch) {
  const applied = batch.operations.filter(({ receipt }) => receipt.state === 'applied')
    .flatMap(({ operation }) => flows(operation, batch.signer)).filter((flow) => flow.partner !== null);
  const asset = applied[0]?.asset;
  const from = applied.filter((flow) => flow.asset === asset && flow.direction === 'out');
  const to = applied.filter((flow) => flow.asset === asset && flow.direction === 'in');
  return asset !== undefined && from.length > 0 && to.length > 0 ? { asset, from, to } : null;
}
