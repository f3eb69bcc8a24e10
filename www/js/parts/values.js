/** Values in words: parameters, fees, spans of blocks as spans of time. */

import { amountLine, countText, durationText, withUnit } from '../format.js';

/** @typedef {import('../app.js').App} App */

/**
 * @param {App} app
 * @param {{value: bigint, unit: string}} parameter
 */
export function parameterText(app, { value, unit }) {
  if (unit === 'ms') return value < 1000n ? withUnit(String(value), 'ms') : durationText(Number(value) / 1000);
  // `FRD` or `FRD per 1,000 bytes`: the value is in the asset's smallest unit.
  const [first, ...rest] = unit.split(' ');
  const asset = app.use('assets').value?.find(({ ticker }) => ticker === first);
  if (asset) return [amountLine(value, asset, app.locale), ...rest].join(' ');
  return withUnit(countText(value, app.locale), unit);
}

/**
 * @param {App} app
 * @param {{feeFlat: bigint, feePpm: number}} bank
 */
export function feeText(app, bank) {
  const percent = bank.feePpm === 0 ? '' : withUnit(new Intl.NumberFormat(app.locale, { maximumFractionDigits: 4 }).format(bank.feePpm / 10_000), '%');
  const flat = bank.feeFlat === 0n ? '' : amountLine(bank.feeFlat, app.asset(1), app.locale);
  return [flat, percent].filter(Boolean).join(' + ') || 'none';
}

/**
 * @param {App} app
 * @param {string} name
 * @returns {bigint | undefined}
 */
export function parameter(app, name) {
  return app.use('parameters').value?.find((one) => one.name === name)?.value;
}

/**
 * How long so many blocks take: at the pace of a busy chain, and of an idle one.
 * @param {App} app
 * @param {number} blocks
 */
export function blocksTime(app, blocks) {
  const [least, most] = [parameter(app, 'min_block_interval'), parameter(app, 'max_idle')];
  if (blocks <= 0) return 'one block';
  if (least === undefined || most === undefined) return withUnit(countText(blocks, app.locale), 'blocks');
  const [from, until] = [least, most].map((ms) => durationText(Number(ms) * blocks / 1000));
  return from === until ? from : `${from} to ${until}`;
}
