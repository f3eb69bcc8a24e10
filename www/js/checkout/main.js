/** The checkout page: one invoice, and the ways to a wallet that can pay it. */

import '../elements/define.js';
import { App } from '../app.js';
import { connect } from '../client.js';
import { patch } from '../dom.js';
import { asFairError, shape } from '../errors.js';
import { watchIdle } from '../idle.js';
import { createPage } from '../pages/create.js';
import { restorePage } from '../pages/restore.js';
import { parseHash } from '../router.js';
import { plainShell, unsupported } from '../shell.js';
import { CheckoutSheet } from './sheet.js';
import { currentRequest, readRequest } from './request.js';

const root = /** @type {Element} */ (document.getElementById('app'));
const name = new URLSearchParams(location.search).get('wallet') ?? 'default';

start();

function start() {
  root.replaceChildren();
  try {
    // Headers refuse frames too, but not every host sends them.
    if (window.top !== window) throw shape('browser.framed', 'A wallet does not run inside another page.');
    const app = new App(connect({ name, relays: [location.origin] }), () => draw(app));
    const sheet = new CheckoutSheet(app, currentRequest());
    window.addEventListener('hashchange', () => {
      const request = readRequest(location.hash);
      // The page that opened this window can change its address: what the payer looks at is not exchanged in place.
      if (request && window.opener !== null && sheet.replaces(request)) location.reload();
      else visit(app, sheet);
    });
    watchIdle(app, name);
    visit(app, sheet);
  } catch (thrown) {
    patch(root, unsupported(asFairError(thrown)));
  }
}

/**
 * Places of the wallet that belong to a payment are here; others are the wallet's.
 * @param {App} app
 * @param {CheckoutSheet} sheet
 */
function visit(app, sheet) {
  const request = readRequest(location.hash);
  app.page?.leave?.();
  app.beginVisit();
  app.route = request ? { path: ['pay'], query: new URLSearchParams() } : parseHash(location.hash);
  const [place = 'home'] = app.route.path;
  if (place === 'create') app.page = createPage(app);
  else if (place === 'restore') app.page = restorePage(app);
  else if (place === 'pay' || place === 'home') {
    if (request) sheet.turnTo(currentRequest());
    app.page = sheet;
  } else location.assign(`/${location.hash}`);
  draw(app);
  window.scrollTo(0, 0);
  if (app.visited) document.getElementById('main')?.focus({ preventScroll: true });
  app.visited = true;
}

/** @param {App} app */
function draw(app) {
  patch(root, plainShell(app));
  document.title = `${app.page?.title ?? 'Pay'} · Fair`;
}
