/**
 * The bar at the bottom: actions that wait for one signature, their fee, then
 * the batch on its way. What became of it is told by its receipts.
 */

import { h } from '../dom.js';
import { icon } from '../icons.js';
import { plural } from '../format.js';
import { intention } from '../sentences.js';
import { meaning } from '../explain.js';
import { to } from '../router.js';
import { amount, button } from './basic.js';
import { inWords } from './operation.js';

/** @typedef {import('../app.js').App} App */

/**
 * Signing the same actions again after an interruption must not sign twice, so
 * the key stays with the actions that it was made for.
 */
let signing = { actions: '', key: '' };

/** @param {App} app */
export function batchBar(app) {
  const draft = app.use('draft').value;
  const waiting = app.use('batches', { limit: 20 }).value?.find(({ state }) => state === 'sending' || state === 'waiting');
  if (!draft || (draft.actions.length === 0 && !waiting)) return null;
  return h('section', { class: 'batchbar', 'aria-label': 'Batch', key: 'batchbar' }, h('div', { class: 'inner' },
    waiting && h('div', { class: 'row', role: 'status', key: 'waiting' }, icon('clock', { size: 18 }),
      h('span', { class: 'grow' }, waiting.error ? meaning(waiting.error).title : 'Signed and sent. Waiting for block.'),
      h('a', { href: to('onchain') }, 'See')),
    draft.actions.length > 0 && actions(app, draft)));
}

/**
 * @param {App} app
 * @param {import('../api').Draft} draft
 */
function actions(app, draft) {
  const error = app.problem('sign');
  return h('div', { class: 'stack', key: 'actions' },
    h('ul', { 'aria-label': 'Actions waiting' }, draft.actions.map(({ id, operation, problem }) => h('li', { key: id },
      h('div', null, h('p', null, ...inWords(app, intention(operation))), problem && h('p', { class: 'wrong' }, icon('alert', { size: 16 }), meaning(problem).title)),
      h('button', {
        type: 'button', class: 'icon-button', 'aria-label': 'Remove this action', disabled: app.doing('sign'),
        onclick: () => app.act(`remove-${id}`, async () => app.put('draft', await app.client.draftRemove({ id }))),
      }, icon('cross', { size: 18 }))))),
    (error ?? draft.problem) && h('p', { class: 'wrong', role: 'alert' }, icon('alert', { size: 16 }), sentence(/** @type {any} */ (error ?? draft.problem))),
    h('div', { class: 'row apart' },
      h('span', null, `${plural(draft.actions.length, 'action')} · fee `, amount(app, 1, draft.fee)),
      button('Sign and send', { main: true, busy: app.doing('sign'), busyLabel: 'Signing …', disabled: draft.problem !== null, onclick: () => sign(app, draft) })));
}

/** @param {import('../api').FairErrorShape} error */
function sentence(error) {
  const { title, next } = meaning(error);
  return next ? `${title}. ${next}` : title;
}

/**
 * @param {App} app
 * @param {import('../api').Draft} draft
 */
function sign(app, draft) {
  const actions = draft.actions.map(({ id }) => id).join();
  if (signing.actions !== actions) signing = { actions, key: crypto.randomUUID() };
  app.act('sign', async () => {
    await app.client.signAndSend({ key: signing.key });
    // The button is gone.
    document.getElementById('main')?.focus({ preventScroll: true });
    app.say('Signed and sent. Waiting for block.');
    app.again('batches');
    app.again('draft');
  });
}
