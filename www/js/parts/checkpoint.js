/** What a wallet says that slept longer than it may trust what it knew, and the block by which a person leads it on: here, and there. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { ago, button, copyable, errorNote, form, note, textField } from './basic.js';
import { countText, durationText, exactTime } from '../format.js';
import { qrOfText } from './qr.js';
import { takers } from './scanner.js';
import { parameter } from './values.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */

/** Most blocks over which the wallet goes to a confirmed one. */
const MOST = 1 << 20;

/** What a person typed or took. @type {string | null} */
let typed = null;
const camera = { scanning: false };

/** A checkpoint out of what somebody sent: itself, or a link with it. @param {string} text */
function read(text) {
  // In a link the colon may be escaped.
  const found = /(\d+)(?::|%3a)([0-9a-f]{64})\s*$/i.exec(text);
  return found ? `${found[1]}:${found[2].toLowerCase()}` : null;
}

/**
 * @param {App} app
 * @param {import('../api').SyncState} sync
 */
export function expiredCard(app, sync) {
  const { trusted_ms: slept, now_ms: now, trust_period_ms: period } = /** @type {Record<string, number>} */ (sync.expired?.data ?? {});
  const height = sync.verified?.height ?? 0;
  const waits = sync.confirmed !== null && Number(sync.confirmed.split(':')[0]) > height;
  const text = typed ?? app.route.query.get('checkpoint') ?? '';
  const checkpoint = read(text);
  const problem = app.problem('confirm');
  const take = (/** @type {string} */ text) => { typed = text; app.refresh(); };
  const { viewfinder, buttons } = takers(app, camera, 'checkpoint', take);
  const offers = sync.relays.filter((relay) => relay.head !== null && relay.hash !== null);
  return h('section', { class: 'refusal', key: 'expired' },
    h('div', { role: 'alert' }, h('h2', null, icon('clock', { size: 32 }), `This wallet has not looked at the network for ${durationText((now - slept) / 1000)}`)),
    h('p', null, `That is longer than the ${durationText(period / 1000)} for which it may go on by itself. Validators that it knew may have left meanwhile, and whoever got hold of their keys could lead it astray. So it does nothing until you confirm a newer block.`),
    h('p', null, 'Your keys, channels and history are as they were. But until you go on, this wallet answers nothing in court: should a bank show an old state meanwhile, only a watchtower can answer for you.'),
    h('p', null, `The newest block that it knows is #${countText(height, app.locale)} of ${exactTime(slept, app.locale)}. This device’s clock says ${exactTime(now, app.locale)}. If the clock is wrong, set it right, and the wallet goes on by itself.`),
    waits && note(sync.stuck ? 'warn' : 'move', h('strong', null, `Confirmed: block #${countText(Number(sync.confirmed?.split(':')[0]), app.locale)}`),
      h('p', null, sync.stuck
        ? `No relay has what leads there: neither the blocks after #${countText(height, app.locale)}, at most ${countText(MOST, app.locale)} of them, nor a snapshot of a block not so far below the confirmed one. Add another relay in the settings, or confirm a block that is newer than the relays’ newest snapshot.`
        : 'The wallet looks for a relay whose blocks or snapshot lead there. One that leads elsewhere, or gives out less than it announces, is named and left.')),
    h('h3', null, 'Confirm a newer block'),
    h('p', null, 'Ask somebody whom you trust and whose wallet runs: a friend, your bank, a shop. They find theirs behind “verified” at the top of their page. Compare it with what the relays announce, or scan or paste what they show you. A relay alone is no proof.'),
    h('ul', { class: 'stack' }, offers.map((relay) => h('li', { key: relay.url, class: 'stack tight' },
      h('span', null, h('code', null, relay.url), ` announces #${countText(relay.head ?? 0, app.locale)}`),
      h('code', null, `${relay.head}:${relay.hash}`),
      h('div', { class: 'row' }, button('Take this one', { slim: true, onclick: () => take(`${relay.head}:${relay.hash}`) }))))),
    offers.length === 0 && h('p', { class: 'muted' }, 'No relay announces a block now. ', h('a', { href: to('settings') }, 'Other relays can be set in the settings.')),
    form(() => {
      if (checkpoint === null) return;
      app.act('confirm', async () => {
        app.put('syncState', await app.client.confirm({ checkpoint }));
        typed = null;
      });
    },
    viewfinder,
    textField({ id: 'checkpoint', label: 'Block to go on with', area: true, placeholder: 'height:hash', wrong: text !== '' && checkpoint === null ? 'A height, a colon and 64 hexadecimal digits are needed.' : null }, text, take),
    h('div', { class: 'row' }, buttons),
    problem && errorNote(problem),
    h('div', { class: 'row' }, button('It is the same. Go on', { main: true, submit: true, busy: app.doing('confirm'), disabled: checkpoint === null }))));
}

/**
 * A block that a wallet which slept too long can go on with. It is held still: every newer one would change what
 * somebody compares, copies or scans.
 * @param {App} app
 * @param {import('../api').SyncState} sync
 * @param {{held: import('../api').SyncState | null}} state
 */
export function checkpointCard(app, sync, state) {
  const period = parameter(app, 'trust_period');
  const { verified, hash } = state.held ?? sync;
  if (sync.phase !== 'live' || !verified || !hash) return null;
  const hold = () => { state.held = sync; app.refresh(); };
  return h('section', { class: 'card', key: 'checkpoint' }, h('header', null, h('h2', null, 'For a wallet that slept too long')),
    h('p', { class: 'muted' }, `A wallet that was closed for longer than ${period === undefined ? 'it may trust what it knew' : durationText(Number(period) / 1000)} asks for a newer block to go on with: another device of yours, or of somebody who trusts you.`),
    state.held === null ? h('div', { class: 'row' }, button('Show a block to go on with', { icon: 'scan', onclick: hold }))
      : [qrOfText(`${verified.height}:${hash}`, `QR code of block #${countText(verified.height, app.locale)}`),
        copyable(app, `${verified.height}:${hash}`, 'block'),
        h('div', { class: 'row apart' }, h('span', { class: 'small muted' }, `Block #${countText(verified.height, app.locale)}, `, ago(app, verified.time)),
          button('Take the newest', { slim: true, onclick: hold }))]);
}
