/** Explorer: validators, banks, assets, parameters. */

import { h } from '../dom.js';
import { amount, answered, bones, empty, heading, linkButton, tag, who } from '../parts/basic.js';
import { countText, shortHex } from '../format.js';
import { feeText, parameterText } from '../parts/values.js';
import { explorerHead, verifiedLine } from './explorer-frame.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */

/**
 * @template T
 * @param {App} app
 * @param {string} kind
 * @param {string} title
 * @param {string} says
 * @param {() => import('../app.js').Answer<T[]>} ask
 * @param {(rows: T[]) => import('../dom.js').Child} view
 * @param {() => import('../dom.js').Child} [action]
 * @returns {import('../app.js').Page}
 */
export function listPage(app, kind, title, says, ask, view, action) {
  return {
    title,
    view: () => [
      explorerHead(app, kind),
      heading(title, app.use('status').value?.wallet === 'unlocked' && action?.()),
      h('p', { class: 'muted', key: 'says' }, says),
      answered(ask(), (rows) => (rows.length === 0 ? h('section', { class: 'card' }, empty('explorer', 'None', 'There are none on this network.')) : view(rows)), () => h('div', { class: 'card' }, bones(6))),
      verifiedLine(app, null),
    ],
  };
}

/**
 * @param {string[]} heads
 * @param {import('../dom.js').Child[][]} rows
 * @param {number[]} numeric columns aligned as numbers
 */
export function table(heads, rows, numeric = []) {
  const css = (/** @type {number} */ index) => (numeric.includes(index) ? 'num' : null);
  return h('section', { class: 'card flush', key: 'table' }, h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Table' }, h('table', { class: 'table' },
    h('thead', null, h('tr', null, heads.map((head, index) => h('th', { scope: 'col', class: css(index) }, head)))),
    h('tbody', null, rows.map((cells, row) => h('tr', { key: row }, cells.map((cell, index) => h('td', { class: css(index), 'data-label': heads[index] }, h('span', null, cell)))))))));
}

/** @param {App} app */
export function validatorsPage(app) {
  return listPage(app, 'validators', 'Validators', 'They build and sign blocks. A block counts when validators with more than two thirds of all shares signed it.', () => app.use('validators'), (rows) => {
    const all = rows.reduce((sum, { shares }) => sum + shares, 0);
    return table(['Account', 'Shares', 'Signing key', 'Address'], rows.map((row) => [
      [who(row.account), !row.next && [' ', tag('warn', 'leaves')]], `${row.shares} of ${all}`, h('code', { title: row.signingKey }, shortHex(row.signingKey)), h('code', null, row.url)]), [1]);
  });
}

/** @param {App} app */
export function banksPage(app) {
  return listPage(app, 'banks', 'Banks', 'They forward payments and move insurance to where it is needed. Fees and prices are registered on the chain.', () => app.use('banks'), (rows) =>
    table(['Bank', 'Fee', 'Insurance price', 'Insured', 'Channels'], rows.map((bank) => [
      who(bank.account), feeText(app, bank), amount(app, 1, bank.insurancePrice), bank.insured.length === 0 ? 'nothing' : h('span', { class: 'stack tight' }, bank.insured.map((one) => amount(app, one.asset, one.amount))), countText(bank.channels, app.locale)]), [3, 4]),
  () => linkButton(app.use('banks').value?.some(({ account }) => account.you) ? 'Change your bank' : 'Register a bank', to('explorer', 'banks', 'register'), { slim: true }));
}

/** @param {App} app */
export function assetsPage(app) {
  return listPage(app, 'assets', 'Assets', 'Everything that can be owned here. FRD pays the fees of the chain.', () => app.use('assets'), (rows) =>
    table(['Number', 'Ticker', 'Name', 'Decimals', 'Supply'], rows.map((asset) => [String(asset.id), h('strong', null, asset.ticker), asset.name, String(asset.decimals), amount(app, asset, asset.supply)]), [0, 3, 4]),
  () => linkButton('Create asset', to('explorer', 'assets', 'new'), { icon: 'plus', slim: true }));
}

/** @param {App} app */
export function parametersPage(app) {
  const page = listPage(app, 'parameters', 'Parameters', 'The rules in numbers. Every client computes with exactly these.', () => app.use('parameters'), (rows) =>
    table(['Name', 'Value', 'Meaning'], rows.map((row) => [h('code', null, row.name), parameterText(app, row), row.meaning]), [1]));
  return { ...page, wide: true };
}
