/** Watchtowers in the settings: add one, and what each of them has. */

import { h } from '../dom.js';
import { accountName, plural, shortHex } from '../format.js';
import { ago, button, errorNote, field, form, note, tag, typing } from './basic.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../api').Tower} Tower */

/** A key, and the place where it is reached unless the relay pipes to it. */
const ADDRESS = /^[0-9a-f]{64}(@https?:\/\/[^\s@]+)?$/i;

/** Key of the tower that somebody began to remove. @type {string | null} */
let removing = null;

/**
 * @param {App} app
 * @param {string} typed
 * @param {(text: string) => void} changed
 */
export function towersCard(app, typed, changed) {
  const { value: towers = [] } = app.use('towers');
  const problem = app.problem('tower');
  const address = typed.trim();
  return h('section', { class: 'card', key: 'towers' }, h('header', null, h('h2', null, 'Watchtowers')),
    h('p', { class: 'muted small' }, 'A watchtower sees your balances with your banks. It can only answer: when a bank goes to court with an old state while this wallet is closed, the tower shows the newest one. It can start nothing and take nothing.'),
    towers.length > 0 && h('ul', { class: 'stack' }, towers.map((tower) => towerRow(app, tower))),
    form(() => {
      if (!ADDRESS.test(address)) return;
      app.act('tower', async () => {
        app.put('towers', await app.client.addTower({ address }));
        changed('');
        app.say('Watchtower added.');
      });
    },
    field({ id: 'tower', label: 'Address of a watchtower', hint: 'Its operator gives it to you.', wrong: address !== '' && !ADDRESS.test(address) ? 'This is not the address of a watchtower.' : null }, (attributes) => h('input', {
      ...attributes, class: 'input', type: 'text', spellcheck: 'false', autocapitalize: 'none', autocomplete: 'off', ...typing(typed, changed),
    })),
    problem && errorNote(problem),
    h('div', { class: 'row' }, button('Add watchtower', { submit: true, busy: app.doing('tower'), disabled: address === '' }))));
}

/**
 * @param {App} app
 * @param {Tower} tower
 */
function towerRow(app, tower) {
  const covered = tower.channels.filter((channel) => channel.covered).length;
  const remove = (/** @type {string | null} */ key) => { removing = key; app.refresh(); };
  const open = tower.channels.filter((channel) => !channel.covered);
  return h('li', { key: tower.tower, class: 'stack tight' },
    h('div', { class: 'row' }, h('code', { title: tower.url ? `${tower.tower}@${tower.url}` : tower.tower }, shortHex(tower.tower)),
      tower.connected ? tag('good', 'connected') : tag('warn', 'not connected'),
      removing !== tower.tower && button(`Remove ${shortHex(tower.tower)}`, { slim: true, onclick: () => remove(tower.tower) })),
    removing === tower.tower && note('warn', h('p', null, 'Without it nobody answers for you in court while this wallet is closed, unless another watchtower does. To come back to it you need its address.'),
      h('div', { class: 'row' },
        button(`Remove ${shortHex(tower.tower)}`, { slim: true, danger: true, busy: app.doing('tower'), onclick: () => app.act('tower', async () => {
          app.put('towers', await app.client.removeTower({ tower: tower.tower }));
          removing = null;
        }) }),
        button('Keep it', { slim: true, onclick: () => remove(null) }))),
    h('p', null, tower.last === null ? 'Nothing handed over yet' : ['Last handed over ', ago(app, tower.last)], ` · ${plural(covered, 'channel')} covered`),
    open.map(({ bank, declined }) => h('p', { class: 'muted small', key: bank.key }, `${accountName(bank)}: the newest state is not with the tower yet${declined ? `: ${declined}` : ''}.`)),
    tower.faults.length > 0 && note('bad', h('strong', null, 'This watchtower broke its word'), tower.faults.map((fault) => h('p', { key: fault }, `${fault}.`)), h('p', null, 'Use another one.')));
}
