/** How what you see was verified: height, signers, mode, relays; and what was refused. */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { accountOf, ago, answered, button, errorNote, facts, heading, note, tag } from '../parts/basic.js';
import { bytesText, countText, durationText, exactTime } from '../format.js';
import { meaning, refusalSentence } from '../explain.js';
import { checkpointCard, expiredCard } from '../parts/checkpoint.js';
import { refusal } from '../shell.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */

/** @type {Record<import('../api').RelayState['state'], ['good' | 'warn' | 'bad' | 'move', string]>} */
const RELAY = { online: ['good', 'online'], connecting: ['move', 'connecting'], offline: ['warn', 'does not answer'], dropped: ['bad', 'dropped'] };

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function verificationPage(app) {
  /** @type {{held: import('../api').SyncState | null}} */
  const shown = { held: null };
  return {
    title: 'Verification',
    view: () => [
      heading('How this is verified'),
      answered(app.use('syncState'), (sync) => [
        sync.phase === 'expired' && expiredCard(app, sync),
        (sync.phase === 'failed' || sync.phase === 'forked') ? refusal(app, sync) : sync.failure && failureCard(app, sync.failure),
        headCard(app, sync),
        checkpointCard(app, sync, shown),
        relaysCard(app, sync),
      ]),
    ],
  };
}

/**
 * @param {App} app
 * @param {import('../api').VerificationFailure} failure
 */
function failureCard(app, failure) {
  return h('section', { class: 'refusal', role: 'alert', key: 'failure' },
    h('h2', null, icon('alert', { size: 32 }), 'A relay served what does not verify'),
    h('p', null, refusalSentence(failure, app.locale)),
    h('p', { class: 'code' }, failure.error.code),
    h('p', null, failure.error.message),
    failure.error.data && facts(...Object.entries(failure.error.data).map(([key, value]) => /** @type {[string, any]} */ ([key, h('code', null, String(value))]))),
    h('p', { class: 'small' }, 'From ', h('code', null, failure.relay), ', ', ago(app, failure.at), '.'),
    h('div', { class: 'row' }, button('Dismiss', { slim: true, busy: app.doing('dismiss'), onclick: () => app.act('dismiss', async () => app.put('syncState', await app.client.dismissFailure())) })));
}

/**
 * @param {App} app
 * @param {import('../api').SyncState} sync
 */
function headCard(app, sync) {
  const { verified } = sync;
  return h('section', { class: 'card', key: 'head' }, h('header', null, h('h2', null, 'Newest verified block')),
    verified ? facts(
      ['Block', h('a', { href: to('explorer', 'block', verified.height) }, `#${countText(verified.height, app.locale)}`)],
      ['Block time', [exactTime(verified.time, app.locale), ' (', ago(app, verified.time), ')']],
      sync.verifiedAt !== null && ['Verified here', [exactTime(sync.verifiedAt, app.locale), ' (', ago(app, sync.verifiedAt), ')']],
      ['How', sync.mode === 'full' ? `Every block was executed again in this page, from the ${sync.base ? 'snapshot' : 'genesis document'} on, and each resulting state root compared.` : 'Signatures of more than two thirds of the validators, and proofs against the state root.'],
      sync.base && ['Begins with', [`the snapshot of block #${countText(sync.base.height, app.locale)}: its state has the root that more than two thirds of the validators certified, and every set of validators since the genesis document was certified by the one before it. `, h('code', null, sync.base.hash)]],
      ['State root', h('code', null, verified.stateRoot)],
      sync.phase === 'syncing' && ['Progress', `${countText(sync.blocksDone, app.locale)} of ${countText(sync.blocksTotal, app.locale)} blocks, ${bytesText(sync.bytesDone, app.locale)}${sync.secondsLeft === null ? '' : `, ${durationText(sync.secondsLeft)} left`}`],
    ) : h('p', { class: 'muted' }, 'No block has been verified yet.'),
    answered(app.use('head'), (head) => head && h('div', { class: 'stack tight' }, h('h3', null, 'Signed by'),
      h('ul', { class: 'stack tight' }, head.signatures.map(({ validator, shares, signed }) => h('li', { class: 'row', key: validator.key },
        h('span', { class: `dot${signed ? '' : ' off'}`, 'aria-hidden': 'true' }), h('span', null, accountOf(validator)), h('span', { class: 'muted small' }, `${shares} shares · ${signed ? 'signed' : 'did not sign'}`))))), () => null));
}

/**
 * @param {App} app
 * @param {import('../api').SyncState} sync
 */
function relaysCard(app, sync) {
  return h('section', { class: 'card', key: 'relays' }, h('header', null, h('h2', null, 'Relays')),
    h('p', { class: 'muted' }, 'Relays deliver blocks and are trusted with nothing. Several can be used; their heads are compared.'),
    h('ul', { class: 'stack' }, sync.relays.map((relay) => h('li', { key: relay.url, class: 'stack tight' },
      h('div', { class: 'row apart' }, h('code', null, relay.url), tag(...RELAY[relay.state])),
      h('p', { class: 'small muted' }, relay.head === null ? 'announces nothing' : `announces #${countText(relay.head, app.locale)}`),
      relay.error && h('p', { class: 'small' }, `${meaning(relay.error).title} `, h('code', null, relay.error.code))))),
    app.problem('dismiss') && errorNote(/** @type {any} */ (app.problem('dismiss'))),
    h('div', { class: 'row' }, h('a', { href: to('settings') }, 'Change relays in the settings'), h('a', { href: to('proof') }, 'Check a receipt')),
    note(undefined, h('p', { class: 'small' }, 'What others can see: a relay sees your address on the network and which blocks and pipes you use, never amounts; a bank sees your channel with it.')));
}
