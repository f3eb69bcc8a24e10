/** Settings: words, password, locking, looks, watchtowers, relays, storage, advanced, wipe. */

import { h } from '../dom.js';
import { bones, button, errorNote, facts, field, form, heading, linkButton, note, tag, typing } from '../parts/basic.js';
import { newPassword, passwordFields, passwordInput, passwordReady } from '../parts/password.js';
import { LOCALES } from '../settings.js';
import { amountLine, exactTime } from '../format.js';
import { saveText } from '../parts/save.js';
import { askToKeep, storageInWords } from '../parts/storage.js';
import { towersCard } from '../parts/towers.js';
import { askedWords, confirmView, wordsView } from './create.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */

const IDLE = /** @type {const} */ ([[5, 'After 5 minutes'], [30, 'After 30 minutes'], [120, 'After 2 hours'], [0, 'Never']]);
/** What has to be typed before everything is deleted. */
const WIPE_WORD = 'wipe';

/**
 * @param {App} app
 * @param {string[]} path
 * @returns {import('../app.js').Page}
 */
export function settingsPage(app, [section]) {
  const replaced = newPassword();
  let old = '';
  /** @type {string | null} */
  let relays = null;
  let tower = '';
  let wipeText = '';
  let raw = '';
  return {
    title: 'Settings',
    view: () => {
      const status = app.use('status').value;
      const unlocked = status?.wallet === 'unlocked';
      const has = status !== undefined && status.wallet !== 'none';
      return [
        heading('Settings'),
        unlocked && walletCard(app, status),
        looksCard(app),
        unlocked && passwordCard(app, replaced, old, (text) => { old = text; }),
        unlocked && towersCard(app, tower, (text) => { tower = text; app.refresh(); }),
        relaysCard(app, relays, (text) => { relays = text; app.refresh(); }),
        status && aboutCard(app, status, raw, (text) => { raw = text; app.refresh(); }),
        has && wipeCard(app, wipeText, (text) => { wipeText = text; app.refresh(); }, section === 'wipe'),
      ];
    },
    leave: () => { old = ''; },
  };
}

/**
 * @param {App} app
 * @param {import('../api').Status} status
 */
function walletCard(app, status) {
  return h('section', { class: 'card', key: 'wallet' }, h('header', null, h('h2', null, 'Wallet'),
    status.wordsConfirmed ? tag('good', 'words confirmed') : tag('warn', 'words not confirmed')),
  h('div', { class: 'row' }, linkButton(status.wordsConfirmed ? 'Show words' : 'Confirm words', to('settings', 'words')),
    button('Lock now', { icon: 'lock', busy: app.doing('lock'), onclick: () => app.act('lock', async () => { app.put('status', await app.client.lock()); app.go(to('home')); }) })),
  app.problem('lock') && errorNote(/** @type {any} */ (app.problem('lock'))),
  field({ id: 'idle', label: 'Lock by itself', hint: 'A locked wallet cannot receive.' }, (attributes) => h('select', {
    ...attributes, class: 'input select', value: String(app.settings.idleMinutes), onchange: (/** @type {any} */ event) => app.changeSettings({ idleMinutes: Number(event.target.value) }),
  }, IDLE.map(([minutes, label]) => h('option', { key: minutes, value: minutes }, label)))));
}

/** @param {App} app */
function looksCard(app) {
  const themes = /** @type {const} */ ([['auto', 'As the system'], ['light', 'Light'], ['dark', 'Dark']]);
  return h('section', { class: 'card', key: 'looks' }, h('header', null, h('h2', null, 'Looks')),
    h('fieldset', { class: 'field' }, h('legend', null, 'Theme'), h('div', { class: 'choices' }, themes.map(([theme, label]) => h('label', { class: 'choice', key: theme },
      h('input', { type: 'radio', name: 'theme', value: theme, checked: app.settings.theme === theme, onchange: () => app.changeSettings({ theme }) }), label)))),
    field({ id: 'locale', label: 'Numbers and dates', hint: `${amountLine(123456789n, { decimals: 2, ticker: 'FRD' }, app.locale)} · ${exactTime(Date.UTC(2026, 0, 31, 12), app.locale)}` }, (attributes) => h('select', {
      ...attributes, class: 'input select', value: app.settings.locale, onchange: (/** @type {any} */ event) => app.changeSettings({ locale: event.target.value }),
    }, LOCALES.map((locale) => h('option', { key: locale, value: locale }, locale === 'auto' ? 'As the browser' : new Intl.DisplayNames('en', { type: 'language' }).of(locale) ?? locale)))));
}

/**
 * @param {App} app
 * @param {import('../parts/password.js').NewPassword} replaced
 * @param {string} old
 * @param {(text: string) => void} setOld
 */
function passwordCard(app, replaced, old, setOld) {
  const problem = app.problem('password');
  return h('section', { class: 'card', key: 'password' }, h('details', null, h('summary', null, 'Change password'), form(() => {
    if (!passwordReady(replaced)) { app.refresh(); return; }
    app.act('password', async () => {
      app.put('status', await app.client.changePassword({ old, new: replaced.first }));
      setOld('');
      Object.assign(replaced, newPassword());
      app.say('Password changed.');
    });
  },
  field({ id: 'old-password', label: 'Present password' }, (attributes) => passwordInput(attributes, 'current-password', old, (text) => { setOld(text); app.refresh(); })),
  passwordFields(app, replaced),
  problem && errorNote(problem),
  h('div', { class: 'row' }, button('Change password', { submit: true, busy: app.doing('password') })))));
}

/**
 * @param {App} app
 * @param {string | null} typed null until changed
 * @param {(text: string | null) => void} changed
 */
function relaysCard(app, typed, changed) {
  const title = h('header', null, h('h2', null, 'Relays'));
  const relays = app.use('syncState').value?.relays;
  // What somebody types must not meet what comes later.
  if (!relays) return h('section', { class: 'card', key: 'relays' }, title, bones(6));
  const known = relays.map(({ url }) => url).join('\n');
  const problem = app.problem('relays');
  const text = typed ?? known;
  const urls = text.split(/\s+/).filter(Boolean);
  const bad = urls.find((url) => !URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol));
  return h('section', { class: 'card', key: 'relays' }, title, form(() => {
    if (bad || urls.length === 0) return;
    app.act('relays', async () => {
      app.put('syncState', await app.client.setRelays({ urls }));
      changed(null);
      app.say('Relays changed.');
    });
  },
  field({ id: 'relays', label: 'Addresses, one per line', hint: 'They deliver blocks and are trusted with nothing. A lying one is named and dropped.', wrong: bad ? `“${bad}” is no web address.` : urls.length === 0 && typed !== null ? 'At least one is needed.' : null }, (attributes) => h('textarea', {
    ...attributes, class: 'area', rows: 3, spellcheck: 'false', autocapitalize: 'none', ...typing(text, changed),
  })),
  problem && errorNote(problem),
  h('div', { class: 'row' }, button('Save relays', { submit: true, busy: app.doing('relays'), disabled: typed === null }))));
}

/**
 * @param {App} app
 * @param {import('../api').Status} status
 * @param {string} raw
 * @param {(text: string) => void} showRaw
 */
function aboutCard(app, status, raw, showRaw) {
  const problem = app.problem('raw');
  return h('section', { class: 'card', key: 'about' }, h('header', null, h('h2', null, 'Advanced')),
    facts(
      status.network && ['Network', status.network.name], status.network && ['Chain', h('code', null, status.network.chainId)],
      ['Version', status.version],
      ['This tab', app.client.role === 'leading' ? 'runs the wallet' : app.client.role === 'following' ? 'follows another tab' : 'starting'],
      ['Storage', storageInWords(app, status)]),
    app.problem('keep') && errorNote(/** @type {any} */ (app.problem('keep'))),
    h('div', { class: 'row' },
      status.persisted === false && app.settings.askedToKeep && button('Ask the browser to keep it', { slim: true, busy: app.doing('keep'), onclick: () => app.act('keep', () => askToKeep(app)) }),
      button('Show raw state', { slim: true, busy: app.doing('raw'), onclick: () => app.act('raw', async () => showRaw((await app.client.rawState()).json)) }),
      button('Export raw state', { slim: true, icon: 'save', busy: app.doing('raw'), onclick: () => app.act('raw', async () => saveText('fair-state.json', 'application/json', (await app.client.rawState()).json)) })),
    problem && errorNote(problem),
    raw !== '' && h('pre', { class: 'raw', tabindex: '0' }, raw));
}

/**
 * @param {App} app
 * @param {string} typed
 * @param {(text: string) => void} changed
 * @param {boolean} open
 */
function wipeCard(app, typed, changed, open) {
  const problem = app.problem('wipe');
  return h('section', { class: 'card', key: 'wipe' }, h('details', open ? { open: true } : null, h('summary', null, 'Wipe this wallet'), form(() => {
    if (typed.trim().toLowerCase() !== WIPE_WORD) return;
    app.act('wipe', async () => {
      await app.client.wipe();
      location.assign('/');
    });
  },
  note('bad', h('strong', null, 'This deletes keys and channels from this browser'), h('p', null, 'Only your words bring the money back.')),
  field({ id: 'wipe', label: `Type “${WIPE_WORD}” to confirm` }, (attributes) => h('input', { ...attributes, class: 'input', type: 'text', autocomplete: 'off', autocapitalize: 'none', ...typing(typed, changed) })),
  problem && errorNote(problem),
  h('div', { class: 'row' }, button('Wipe wallet', { submit: true, danger: true, busy: app.doing('wipe'), disabled: typed.trim().toLowerCase() !== WIPE_WORD })))));
}

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function wordsPage(app) {
  let password = '';
  /** @type {string[] | null} */
  let words = null;
  let confirming = false;
  /** @type {number[]} */
  let asked = [];
  return {
    title: 'Words',
    view: () => {
      const status = app.use('status').value;
      if (status && status.wallet !== 'unlocked') return note(undefined, h('p', null, 'Unlock the wallet first.'), linkButton('Unlock', to('home'), { slim: true }));
      if (words && confirming) return confirmView(app, asked, () => { confirming = false; app.turn(); });
      if (words) {
        const total = words.length;
        return status?.wordsConfirmed
          ? [wordsView(words, () => { words = null; app.go(to('settings')); })]
          : wordsView(words, () => {
            asked = askedWords(total);
            confirming = true;
            app.turn();
          });
      }
      const problem = app.problem('words');
      const mistyped = problem?.code === 'wallet.wrong_password';
      return [
        heading('Your words'),
        h('p', { class: 'lede' }, 'Make sure that nobody looks at your screen.'),
        form(() => app.act('words', async () => { words = (await app.client.words({ password })).words; password = ''; app.turn(); }),
          field({ id: 'password', label: 'Password', wrong: mistyped ? 'This is not the password.' : null }, (attributes) => passwordInput(attributes, 'current-password', password, (text) => { password = text; app.clearProblem('words'); app.refresh(); })),
          problem && !mistyped && errorNote(problem),
          h('div', { class: 'row' }, button('Show words', { submit: true, main: true, busy: app.doing('words'), disabled: password === '' }), linkButton('Back', to('settings')))),
      ];
    },
    leave: () => { words = null; password = ''; },
  };
}
