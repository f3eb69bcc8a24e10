/** Which page answers which place, and which of them need an open wallet. */

import { accountPage, channelPage, accountsPage } from './pages/explorer-accounts.js';
import { assetsPage, banksPage, parametersPage, validatorsPage } from './pages/explorer-lists.js';
import { blockPage, blocksPage } from './pages/explorer-blocks.js';
import { courtPage } from './pages/explorer-court.js';
import { snapshotsPage } from './pages/explorer-snapshots.js';
import { activityPage, paymentPage } from './pages/activity.js';
import { addBankPage, channelDetailPage, channelsPage } from './pages/banks.js';
import { createPage } from './pages/create.js';
import { governancePage } from './pages/governance.js';
import { homePage } from './pages/home.js';
import { onchainPage } from './pages/onchain.js';
import { payPage } from './pages/pay.js';
import { createAssetPage, registerBankPage } from './pages/register.js';
import { proofPage } from './pages/proof.js';
import { receivePage } from './pages/receive.js';
import { restorePage } from './pages/restore.js';
import { settingsPage } from './pages/settings.js';
import { tillPage } from './pages/till.js';
import { unlockPage } from './pages/unlock.js';
import { verificationPage } from './pages/verification.js';
import { welcomePage } from './pages/welcome.js';
import { bones, empty, linkButton } from './parts/basic.js';
import { to } from './router.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('./app.js').Page} Page */

/** @type {Record<string, (app: App, rest: string[]) => Page>} */
const OPEN = {
  explorer: (app, [kind, ...rest]) => (EXPLORER[kind ?? 'blocks'] ?? notFound)(app, rest),
  verification: verificationPage,
  proof: proofPage,
  create: createPage,
  restore: restorePage,
  settings: settingsPage,
};

/** @type {Record<string, (app: App, rest: string[]) => Page>} */
const EXPLORER = {
  blocks: blocksPage, block: blockPage, accounts: accountsPage, account: accountPage, channel: channelPage,
  validators: validatorsPage, parameters: parametersPage, court: courtPage, governance: governancePage, snapshots: snapshotsPage,
  banks: (app, [what]) => (what === 'register' ? registerBankPage(app) : banksPage(app)),
  assets: (app, [what]) => (what === 'new' ? createAssetPage(app) : assetsPage(app)),
};

/** @type {Record<string, (app: App, rest: string[]) => Page>} */
const WALLET = {
  home: homePage, pay: payPage, receive: receivePage, activity: activityPage, payment: paymentPage,
  banks: (app, rest) => (rest[0] === 'add' ? addBankPage(app, rest.slice(1)) : rest[0] ? channelDetailPage(app, rest) : channelsPage(app)),
  onchain: onchainPage, till: tillPage,
};

/**
 * @param {App} app
 * @returns {Page}
 */
export function openPage(app) {
  const [place = 'home', ...rest] = app.route.path;
  if (OPEN[place]) return OPEN[place](app, rest);
  if (WALLET[place]) return needsWallet(app, () => WALLET[place](app, rest));
  return notFound();
}

/**
 * Shows the way in until the wallet is open, then the page itself.
 * @param {App} app
 * @param {() => Page} open
 * @returns {Page}
 */
function needsWallet(app, open) {
  /** @type {Page | null} */
  let page = null;
  /** @type {Page | null} */
  let gate = null;
  let state = '';
  const current = () => {
    const now = app.use('status').value?.wallet ?? '';
    if (now !== state) {
      state = now;
      gate = now === 'none' ? welcomePage(app) : now === 'locked' ? unlockPage(app) : null;
      if (now !== 'unlocked') { page?.leave?.(); page = null; }
    }
    if (state === 'unlocked') page ??= open();
    return gate ?? page;
  };
  return {
    get title() { return current()?.title ?? 'Wallet'; },
    get wide() { return current()?.wide ?? false; },
    view: () => current()?.view() ?? bones(4),
    leave: () => page?.leave?.(),
  };
}

/** @returns {Page} */
function notFound() {
  return {
    title: 'Not found',
    view: () => empty('search', 'There is nothing at this place', 'The link may be incomplete.', linkButton('Home', to('home'))),
  };
}
