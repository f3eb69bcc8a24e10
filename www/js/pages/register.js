/** Making an asset, and registering as a bank: both are one action in the batch. */

import { h } from '../dom.js';
import { amount, button, errorNote, form, heading, linkButton, note, textField } from '../parts/basic.js';
import { amountPlain, parseAmount } from '../format.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {Record<string, string>} Typed */

/**
 * @param {App} app
 * @param {{place: string, crumb: string, title: string, says: import('../dom.js').Child, button: string}} about
 * @param {(tried: boolean) => import('../dom.js').Child} fields
 * @param {() => import('../api').DraftOperation | null} read null: something is wrong, and said beside its field
 * @returns {import('../app.js').Page}
 */
function onePage(app, about, fields, read) {
  let tried = false;
  return {
    title: about.title,
    view: () => [
      h('nav', { class: 'crumbs', 'aria-label': 'Where you are' }, h('a', { href: to('explorer', about.place) }, about.crumb), h('span', null, `› ${about.title}`)),
      heading(about.title),
      app.use('status').value?.wallet !== 'unlocked' ? note('warn', h('p', null, 'This needs an open wallet.'), linkButton('Wallet', to('home'), { slim: true }))
        : h('section', { class: 'card', key: 'form' }, h('p', { class: 'muted' }, about.says), form(() => {
          const operation = read();
          tried = operation === null;
          app.refresh();
          if (operation) {
            app.act('register', async () => {
              app.put('draft', await app.client.draftAdd({ operation }));
              app.say('Added. Sign and send it below.');
            });
          }
        }, fields(tried),
        app.problem('register') && errorNote(/** @type {any} */ (app.problem('register'))),
        price(app),
        h('div', { class: 'row' }, button(about.button, { submit: true, main: true, icon: 'plus', busy: app.doing('register') }), linkButton('Cancel', to('explorer', about.place))))),
    ],
  };
}

/** @param {App} app */
function price(app) {
  const rate = app.use('draft').value?.feeRate;
  return h('p', { class: 'small muted' }, 'It costs the fee of its batch', rate === undefined ? '' : [', ', amount(app, 1, rate), ' per 1,000 bytes'], '. The exact fee is shown below before you sign.');
}

/** @param {App} app @returns {import('../app.js').Page} */
export function createAssetPage(app) {
  const typed = { ticker: '', name: '', decimals: '2', supply: '' };
  const set = (/** @type {keyof typeof typed} */ key) => (/** @type {string} */ text) => { typed[key] = text; app.refresh(); };
  const decimals = () => (/^\d{1,2}$/.test(typed.decimals.trim()) && Number(typed.decimals) <= 18 ? Number(typed.decimals) : null);
  const supply = () => parseAmount(typed.supply, decimals() ?? 0, app.locale);
  const wrong = {
    ticker: () => (/^[A-Z0-9]{1,32}$/.test(typed.ticker.trim()) ? null : 'Capital letters and digits, at least one.'),
    name: () => (typed.name.trim() === '' ? 'Enter a name.' : null),
    decimals: () => (decimals() === null ? 'A whole number up to 18.' : null),
    supply: () => { const read = supply(); return 'wrong' in read ? read.wrong : read.amount === 0n ? 'Enter an amount.' : null; },
  };
  return onePage(app, {
    place: 'assets', crumb: 'Assets', title: 'Create asset', button: 'Add to batch',
    says: 'An asset is anything that you promise to others: points, shares, vouchers. All of it comes to your on-chain balance at once, and no more can ever be made.',
  }, (tried) => [
    h('div', { class: 'grid2' },
      textField({ id: 'ticker', label: 'Ticker', hint: 'Short, like FRD.', wrong: tried ? wrong.ticker() : null }, typed.ticker, (text) => set('ticker')(text.toUpperCase())),
      textField({ id: 'name', label: 'Name', wrong: tried ? wrong.name() : null }, typed.name, set('name')),
      textField({ id: 'decimals', label: 'Decimals', numeric: true, hint: 'Digits after the point. They never change.', wrong: tried ? wrong.decimals() : null }, typed.decimals, set('decimals')),
      textField({ id: 'supply', label: 'Supply', numeric: true, hint: 'How much exists, for ever.', wrong: tried ? wrong.supply() : null }, typed.supply, set('supply'))),
  ], () => {
    const [digits, read] = [decimals(), supply()];
    return digits === null || 'wrong' in read || Object.values(wrong).some((check) => check() !== null) ? null
      : { kind: 'create_asset', ticker: typed.ticker.trim(), name: typed.name.trim(), decimals: digits, supply: read.amount };
  });
}

/** @param {App} app @returns {import('../app.js').Page} */
export function registerBankPage(app) {
  /** @type {{handle: string, url: string, flat: string, percent: string, price: string} | null} */
  let typed = null;
  const frd = () => app.asset(1);
  const own = () => app.use('banks').value?.find(({ account }) => account.you);
  const values = () => {
    const bank = own();
    return typed ??= bank
      ? { handle: bank.handle, url: bank.urls[0] ?? '', flat: amountPlain(bank.feeFlat, frd().decimals), percent: String(bank.feePpm / 10_000), price: amountPlain(bank.insurancePrice, frd().decimals) }
      : { handle: '', url: 'https://', flat: '0', percent: '0.1', price: '1' };
  };
  const set = (/** @type {'handle' | 'url' | 'flat' | 'percent' | 'price'} */ key) => (/** @type {string} */ text) => { values()[key] = text; app.refresh(); };
  const read = (/** @type {'flat' | 'price'} */ key) => parseAmount(values()[key], frd().decimals, app.locale);
  const ppm = () => parseAmount(values().percent, 4, app.locale);
  const wrongOf = (/** @type {ReturnType<typeof parseAmount>} */ result) => ('wrong' in result ? result.wrong : null);
  const wrongHandle = () => (/^[a-z0-9-]{1,32}$/.test(values().handle.trim()) ? null : 'Lower-case letters, digits and -, at least one.');
  const wrongUrl = () => (/^https?:\/\/[!-~]+$/.test(values().url.trim()) ? null : 'It begins with https:// or http://.');
  const about = {
    place: 'banks', crumb: 'Banks', title: 'Register a bank', button: 'Add to batch',
    says: 'A bank forwards payments and insures those who use it. Its key is this wallet’s key, so the bank’s node must hold the same key. Everybody sees what is registered.',
  };
  return onePage(app, about, (tried) => [
    own() && note(undefined, h('p', null, 'You are registered already; this changes it.')),
    h('div', { class: 'grid2' },
      textField({ id: 'handle', label: 'Handle', hint: 'The name after the @.', wrong: tried ? wrongHandle() : null }, values().handle, set('handle')),
      textField({ id: 'url', label: 'Address', hint: 'Where wallets reach it.', wrong: tried ? wrongUrl() : null }, values().url, set('url')),
      textField({ id: 'flat', label: 'Fee of a payment, flat', numeric: true, hint: 'In the asset that is paid.', wrong: tried ? wrongOf(read('flat')) : null }, values().flat, set('flat')),
      textField({ id: 'percent', label: 'Fee of a payment in percent', numeric: true, wrong: tried ? wrongOf(ppm()) : null }, values().percent, set('percent')),
      textField({ id: 'price', label: `Price of one insurance in ${frd().ticker}`, numeric: true, wrong: tried ? wrongOf(read('price')) : null }, values().price, set('price'))),
  ], () => {
    const [flat, price, percent] = [read('flat'), read('price'), ppm()];
    if ('wrong' in flat || 'wrong' in price || 'wrong' in percent || wrongHandle() || wrongUrl()) return null;
    return {
      kind: own() ? 'update_bank' : 'register_bank', handle: values().handle.trim(), url: values().url.trim(),
      feeFlat: flat.amount, feePpm: Number(percent.amount), insurancePrice: price.amount,
    };
  });
}
