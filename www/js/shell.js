/** The frame around every page: header with trust line, places, notices that concern everything, batch bar. */

import { h, flat } from './dom.js';
import { icon, mark } from './icons.js';
import { batchBar } from './parts/batch-bar.js';
import { ago, button, errorNote, linkButton, note } from './parts/basic.js';
import { expiredCard } from './parts/checkpoint.js';
import { releaseNotice } from './parts/governance.js';
import { bytesText, countText, durationText } from './format.js';
import { meaning, refusalSentence, refusedPlace } from './explain.js';
import { to } from './router.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('./icons.js').IconName} IconName */

/** @type {{place: string, label: string, icon: IconName, late: boolean}[]} */
const PLACES = [
  { place: 'home', label: 'Home', icon: 'home', late: false },
  { place: 'pay', label: 'Pay', icon: 'pay', late: false },
  { place: 'receive', label: 'Receive', icon: 'receive', late: false },
  { place: 'activity', label: 'Activity', icon: 'activity', late: false },
  { place: 'banks', label: 'Banks', icon: 'bank', late: true },
  { place: 'onchain', label: 'On-chain', icon: 'chain', late: true },
  { place: 'explorer', label: 'Explorer', icon: 'explorer', late: true },
  { place: 'settings', label: 'Settings', icon: 'settings', late: true },
];

/** Places that are reached from another one. @type {Record<string, string>} */
const WITHIN = { payment: 'activity', proof: 'activity', till: 'receive' };

let moreOpen = false;

/** @param {App} app */
export function shell(app) {
  const status = app.use('status').value;
  const sync = app.use('syncState').value;
  const page = app.page;
  return flat([
    h('a', { class: 'skip', href: '#main', onclick: (/** @type {Event} */ event) => { event.preventDefault(); document.getElementById('main')?.focus(); } }, 'Skip to the content'),
    header(app, status, sync),
    places(app, status),
    h('main', { class: `main${page?.wide ? ' wide' : ''}`, id: 'main', tabindex: '-1', onclick: () => { if (moreOpen) closeMore(app); } },
      h('div', { class: 'page' },
        notices(app, status, sync),
        h('div', { class: 'page', key: `${app.route.path.join('/')}` }, page?.view()))),
    status?.wallet === 'unlocked' ? batchBar(app) : null,
    h('div', { role: 'status', 'aria-live': 'polite', key: 'said' }, app.said !== '' && h('p', { class: 'toast' }, app.said)),
  ]);
}

/** The frame of a page that stands alone: no places, no batch bar. @param {App} app */
export function plainShell(app) {
  const status = app.use('status').value;
  const sync = app.use('syncState').value;
  return flat([
    header(app, status, sync),
    h('main', { class: 'main', id: 'main', tabindex: '-1' },
      h('div', { class: 'page' }, notices(app, status, sync), h('div', { class: 'page', key: app.route.path.join('/') }, app.page?.view()))),
    h('div', { role: 'status', 'aria-live': 'polite', key: 'said' }, app.said !== '' && h('p', { class: 'toast' }, app.said)),
  ]);
}

/**
 * @param {App} app
 * @param {import('./api').Status | undefined} status
 * @param {import('./api').SyncState | undefined} sync
 */
function header(app, status, sync) {
  return h('header', { class: 'head', key: 'head' },
    h('a', { class: 'brand', href: to('home') }, mark(22), 'Fair'),
    status?.network && h('span', { class: 'net', title: status.network.chainId }, status.network.name),
    trustLine(app, sync));
}

/**
 * @param {App} app
 * @param {import('./api').SyncState | undefined} sync
 */
function trustLine(app, sync) {
  const line = (/** @type {string} */ tone, /** @type {IconName} */ picture, /** @type {import('./dom.js').Child[]} */ ...text) =>
    h('a', { class: 'trust', 'data-tone': tone, href: to('verification') }, icon(picture, { size: 18 }), h('span', null, ...text));
  if (!sync) return line('', 'clock', app.engineError ? 'not running' : 'starting');
  const at = sync.verified ? `#${countText(sync.verified.height, app.locale)}` : '';
  switch (sync.phase) {
    case 'live': return line('good', 'shield', `verified ${at}`, sync.verifiedAt ? [' · ', ago(app, sync.verifiedAt)] : null);
    case 'syncing': return line('', 'clock', `verifying ${at}`);
    case 'connecting': return line('', 'clock', 'connecting');
    case 'stale': return line('warn', 'clock', at ? `old: ${at} · ` : 'old', sync.verified && ago(app, sync.verified.time));
    case 'offline': return line('warn', 'offline', at ? `offline · ${at}` : 'offline');
    case 'failed': return line('bad', 'alert', 'not verified');
    case 'expired': return line('bad', 'clock', at ? `too old: ${at}` : 'too old');
    default: return line('bad', 'alert', 'fork');
  }
}

/**
 * @param {App} app
 * @param {import('./api').Status | undefined} status
 */
function places(app, status) {
  const [first = 'home'] = app.route.path;
  const now = WITHIN[first] ?? first;
  const wallet = status?.wallet !== 'none';
  const shown = wallet ? PLACES : PLACES.filter(({ place }) => place === 'home' || place === 'explorer').map((place) => ({ ...place, late: false }));
  const link = (/** @type {typeof PLACES[number]} */ { place, label, icon: picture }) => h('a', {
    class: 'place', href: to(place), 'aria-current': now === place ? 'page' : null, onclick: () => { moreOpen = false; },
  }, icon(picture), wallet || place !== 'home' ? label : 'Start');
  const late = shown.filter((place) => place.late);
  return h('nav', { class: 'places', 'aria-label': 'Places', key: 'places' },
    h('ul', null,
      shown.filter((place) => !place.late).map((place) => h('li', { key: place.place }, link(place))),
      late.map((place) => h('li', { class: 'late', key: place.place }, link(place))),
      late.length > 0 && h('li', { class: 'more', key: 'more', onkeydown: (/** @type {KeyboardEvent} */ event) => { if (event.key === 'Escape') closeMore(app); } },
        h('button', {
          type: 'button', class: 'place', 'aria-expanded': String(moreOpen), 'aria-controls': 'more-places',
          'aria-current': late.some(({ place }) => place === now) ? 'page' : null,
          id: 'more', onclick: () => { moreOpen = !moreOpen; app.refresh(); },
        }, icon('more'), 'More'),
        moreOpen && h('ul', { class: 'more-list', id: 'more-places' }, late.map((place) => h('li', { key: place.place }, link(place)))))));
}

/**
 * Whoever was in the list is at its button again.
 * @param {App} app
 */
function closeMore(app) {
  const button = document.getElementById('more');
  if (button?.parentElement?.contains(document.activeElement)) button.focus();
  moreOpen = false;
  app.refresh();
}

/**
 * What concerns every page: engine trouble, refused blocks, progress, offline, read-only.
 * @param {App} app
 * @param {import('./api').Status | undefined} status
 * @param {import('./api').SyncState | undefined} sync
 */
function notices(app, status, sync) {
  /** @type {import('./dom.js').Child[]} */
  const shown = [];
  const onTrustPage = app.route.path[0] === 'verification';
  if (app.engineError) {
    shown.push(h('div', { key: 'engine' }, errorNote(app.engineError, app.engineError.retryable ? null : button('Load the page again', { slim: true, onclick: () => location.reload() }))));
  }
  if (status?.readOnly) {
    shown.push(h('div', { key: 'readonly' }, note('bad', h('strong', null, 'This wallet is read-only'),
      h('p', null, meaning(status.readOnly).title, '. It shows everything, changes nothing and signs nothing.'),
      h('p', { class: 'small' }, h('code', null, status.readOnly.code)), linkButton('Export what is stored', to('settings'), { slim: true }))));
  }
  if (sync && !onTrustPage) shown.push(...chainNotices(app, sync));
  shown.push(releaseNotice(app));
  return shown;
}

/**
 * @param {App} app
 * @param {import('./api').SyncState} sync
 */
function chainNotices(app, sync) {
  if (sync.phase === 'failed' || sync.phase === 'forked') return [refusal(app, sync)];
  /** @type {import('./dom.js').Child[]} */
  const shown = sync.phase === 'expired' ? [expiredCard(app, sync)] : [];
  if (sync.failure) {
    shown.push(h('div', { key: 'failure' }, note('bad', h('strong', null, 'A relay was caught serving what does not verify'),
      h('p', null, refusalSentence(sync.failure, app.locale), refusedPlace(sync.failure.error) ? ' It goes on block by block.' : ' Other relays are used instead.'),
      h('p', { class: 'small' }, h('code', null, sync.failure.error.code), ' · ', sync.failure.relay),
      linkButton('What this means', to('verification'), { slim: true }))));
  }
  if (sync.phase === 'syncing') shown.push(progress(app, sync));
  if (sync.phase === 'offline') {
    shown.push(h('div', { key: 'offline' }, note('warn', h('strong', null, 'No relay answers'),
      h('p', null, sync.verified ? ['You see the state of block #', countText(sync.verified.height, app.locale), ', ', ago(app, sync.verified.time), '. Payments start again with the connection.'] : 'The wallet tries again by itself.'))));
  }
  if (sync.phase === 'stale') {
    shown.push(h('div', { key: 'stale' }, note('warn', h('strong', null, 'What you see is not current'),
      h('p', null, 'The newest block came ', sync.verified ? ago(app, sync.verified.time) : 'long ago', '. Until a newer one is verified, the wallet starts no payment and counts nothing as received.'))));
  }
  return shown;
}

/**
 * @param {App} app
 * @param {import('./api').SyncState} sync
 */
function progress(app, sync) {
  const { done, total, text } = sync.snapshot
    ? { done: sync.snapshot.bytesDone, total: sync.snapshot.bytesTotal, text: snapshotText(app, sync.snapshot) }
    : { done: sync.blocksDone, total: sync.blocksTotal, text: blocksText(app, sync) };
  const percent = total > 0 ? Math.min(100, Math.floor((done * 100) / total)) : 0;
  return h('div', { class: 'stack tight', key: 'progress' },
    h('div', {
      class: 'progress', role: 'progressbar', 'aria-label': sync.snapshot ? 'Fetching a snapshot' : 'Verifying blocks', 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': percent,
    }, h('span', { style: { width: `${percent}%` } })),
    h('p', { class: 'small muted' }, text));
}

/**
 * @param {App} app
 * @param {import('./api').SyncState} sync
 */
function blocksText(app, { blocksDone, blocksTotal, bytesDone, secondsLeft }) {
  return `Verifying block ${countText(blocksDone, app.locale)} of ${countText(blocksTotal, app.locale)} · ${bytesText(bytesDone, app.locale)}${left(secondsLeft)}`;
}

/**
 * @param {App} app
 * @param {NonNullable<import('./api').SyncState['snapshot']>} snapshot
 */
function snapshotText(app, { height, bytesDone, bytesTotal, secondsLeft }) {
  return `Fetching and verifying the snapshot of block #${countText(height, app.locale)} · ${bytesText(bytesDone, app.locale)} of ${bytesText(bytesTotal, app.locale)}${left(secondsLeft)}`;
}

/** @param {number | null} secondsLeft */
function left(secondsLeft) {
  return secondsLeft === null ? '' : ` · ${durationText(secondsLeft)} left`;
}

/**
 * The state of a wallet that was shown something false: large, plain, with the code.
 * @param {App} app
 * @param {import('./api').SyncState} sync
 */
export function refusal(app, sync) {
  const { failure, phase, verified } = sync;
  const forked = phase === 'forked';
  return h('section', { class: 'refusal', role: 'alert', key: 'refusal' },
    h('h2', null, icon('alert', { size: 32 }), forked ? 'Two certified blocks at one height' : 'This does not verify'),
    h('p', null, forked
      ? 'More than two thirds of the validators have signed two different blocks. The wallet keeps the evidence and signs nothing any more.'
      : failure ? refusalSentence(failure, app.locale) : 'What the relays serve does not verify. Nothing from it was used.'),
    failure && h('p', { class: 'code' }, failure.error.code),
    failure && h('p', null, failure.error.message),
    failure && h('p', { class: 'small' }, 'From ', h('code', null, failure.relay), ', ', ago(app, failure.at), '.'),
    h('p', null, verified ? [`What you see below was verified up to block #${countText(verified.height, app.locale)}. `] : '',
      forked ? 'Do not make payments until the validators have explained it.' : 'Your money is not affected: the wallet believes nobody. Add another relay in the settings, or try again.'),
    h('div', { class: 'row' },
      !forked && button('Try again', { slim: true, busy: app.doing('dismiss'), onclick: () => app.act('dismiss', async () => app.put('syncState', await app.client.dismissFailure())) }),
      app.route.path[0] !== 'verification' && linkButton('Details', to('verification'), { slim: true })));
}

/**
 * In place of everything, where the wallet cannot run.
 * @param {import('./errors.js').FairError} error
 */
export function unsupported(error) {
  const missing = /** @type {string[]} */ (error.data?.missing ?? []);
  return flat([
    h('header', { class: 'head' }, h('span', { class: 'brand' }, mark(22), 'Fair')),
    h('main', { class: 'main' }, h('div', { class: 'page' }, h('h1', null, 'The wallet cannot run here'), errorNote(error),
      missing.length > 0 && h('ul', null, missing.map((name) => h('li', null, `Missing: ${name}`))))),
  ]);
}
