/** Starts the page: connects to the engine, follows the hash, draws. */

import './elements/define.js';
import { App } from './app.js';
import { connect } from './client.js';
import { asFairError } from './errors.js';
import { patch } from './dom.js';
import { watchIdle } from './idle.js';
import { parseHash } from './router.js';
import { askToKeepOnce } from './parts/storage.js';
import { shell, unsupported } from './shell.js';
import { openPage } from './pages.js';
import { lookForOthers } from './parts/shop.js';

const root = /** @type {Element} */ (document.getElementById('app'));
const name = new URLSearchParams(location.search).get('wallet') ?? 'default';

start();

function start() {
  root.replaceChildren();
  let client;
  try {
    if (!/^[a-z0-9-]{1,32}$/.test(name)) throw new Error('A wallet name has 1 to 32 small letters, digits and dashes.');
    client = connect({ name, relays: [location.origin] });
  } catch (thrown) {
    patch(root, unsupported(asFairError(thrown)));
    return;
  }
  const app = new App(client, () => draw(app));
  window.addEventListener('hashchange', () => visit(app));
  watchIdle(app, name);
  lookForOthers(app);
  visit(app);
}

/** @param {App} app */
function visit(app) {
  app.page?.leave?.();
  app.route = parseHash(location.hash);
  app.beginVisit();
  app.page = openPage(app);
  draw(app);
  window.scrollTo(0, 0);
  // A new place is announced by focusing its heading's region; not on first load.
  if (document.activeElement !== document.body || app.visited) document.getElementById('main')?.focus({ preventScroll: true });
  app.visited = true;
}

/** @param {App} app */
function draw(app) {
  const views = shell(app);
  patch(root, views);
  root.classList.toggle('has-batch', root.querySelector('.batchbar') !== null);
  askToKeepOnce(app);
  document.title = `${app.page?.title ?? 'Wallet'} · Fair`;
}
