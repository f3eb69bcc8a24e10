/** Which page answers which place, and which of them need an open wallet. */

import { accountPage, channelPage, accountsPage } from './pages/explorer-accounts.js';
import { assetsPage, banksPage, parametersPage, validatorsPage } from './pages/explorer-lists.js';
import { blockPage, blocksPage } from './pages/explorer-blocks.js';
import { courtPage } from './pages/explorer-court.js';
import { snapshotsPage } from './pages/explorer-snapshots.js';
import { activityPage, paymentPage } from './pages/activity.js';
import { addBankPage, channelDetailPage, channelsPage } from './pages/banks.js';
import { createPage } from './pages/create.js';
import { governancePage, proposePage } from './pages/governance.js';
import { homePage } from './pages/home.js';
import { onchainPage } from './pages/onchain.js';
import { payPage } from './pages/pay.js';
import { createAssetPage, registerBankPage } from './pages/register.js';
import { proofPage } from './pages/proof.js';
import { receivePage } from './pages/receive.js';
import { restorePage } from './pages/restore.js';
import { settingsPage, wordsPage } from './pages/settings.js';
import { tillPage } from './pages/till.js';
import { unlockPage } from './pages/unlock.js';
import { verificationPage } from './pages/verification.js';
import { welcomePage } from './pages/welcome.js';
import { bones, empty, linkButton } from './parts/basic.js';
import { to } from './router.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('./app.js').Page} Page */

/** @typedef {(app: App, rest: string[]) => Page} Opener */

/** Pages by their place, for everybody; `rest` is what follows it. @type {[string, Opener][]} */
const OPEN = [
  ['explorer', (app, [unknown]) => (unknown === undefined ? blocksPage(app) : notFound())],
  ['explorer/blocks', blocksPage],
  ['explorer/block', blockPage],
  ['explorer/accounts', accountsPage],
  ['explorer/account', accountPage],
  ['explorer/channel', channelPage],
  ['explorer/court', courtPage],
  ['explorer/governance', governancePage],
  ['explorer/governance/new', proposePage],
  ['explorer/validators', validatorsPage],
  ['explorer/banks', banksPage],
  ['explorer/banks/register', registerBankPage],
  ['explorer/assets', assetsPage],
  ['explorer/assets/new', createAssetPage],
  ['explorer/parameters', parametersPage],
  ['explorer/snapshots', snapshotsPage],
  ['verification', verificationPage],
  ['proof', proofPage],
  ['create', createPage],
  ['restore', restorePage],
  ['settings', settingsPage],
  ['settings/words', wordsPage],
];

/** Those of an open wallet. @type {[string, Opener][]} */
const WALLET = [
  ['home', homePage],
  ['pay', payPage],
  ['receive', receivePage],
  ['till', tillPage],
  ['activity', activityPage],
  ['payment', paymentPage],
  ['banks', (app, rest) => (rest.length === 0 ? channelsPage(app) : channelDetailPage(app, rest))],
  ['banks/add', addBankPage],
  ['onchain', onchainPage],
];

/** @type {Map<string, Opener>} */
export const PLACES = new Map([...OPEN, ...WALLET.map(([place, open]) => /** @type {[string, Opener]} */ ([place, (app, rest) => needsWallet(app, () => open(app, rest))]))]);

/**
 * @param {App} app
 * @returns {Page}
 */
export function openPage(app) {
  const path = app.route.path.length === 0 ? ['home'] : app.route.path;
  // The longest place that the path begins with.
  for (let length = path.length; length > 0; length -= 1) {
    const open = PLACES.get(path.slice(0, length).join('/'));
    if (open) return open(app, path.slice(length));
  }
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
