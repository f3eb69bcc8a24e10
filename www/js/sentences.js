/**
 * On-chain operations in words, and what moves in them. Pure data; pages draw it.
 *
 * A sentence is a list of parts: text, an account or an amount. A flow is what
 * leaves one pocket (red, `out`) or enters another (green, `in`); a pocket is an
 * on-chain balance, or one side of a channel.
 */

/** @typedef {import('./api').AccountRef} AccountRef */
/** @typedef {import('./api').Operation} Operation */
/** @typedef {string | {account: AccountRef} | {asset: number, amount: bigint}} Part */
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
    case 'create_asset':
      return [{ account: signer }, ` created the asset ${operation.ticker} (${operation.name})`];
    case 'register_bank':
      return [{ account: signer }, ` registered as the bank @${operation.handle}`];
    case 'update_bank':
      return [{ account: signer }, ` changed the entry of the bank @${operation.handle}`];
    default:
      return [{ account: signer }, ` did ${/** @type {any} */ (operation).kind}`];
  }
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
