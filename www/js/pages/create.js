/** A new wallet: password, words to write down, confirmation of some of them. */

import { h } from '../dom.js';
import { button, errorNote, field, form, heading, linkButton, note, typing } from '../parts/basic.js';
import { newPassword, passwordFields, passwordReady } from '../parts/password.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */
/** How many words are asked for. */
const ASKED = 3;

/**
 * @param {App} app
 * @returns {import('../app.js').Page}
 */
export function createPage(app) {
  const typed = newPassword();
  let count = /** @type {12 | 24} */ (12);
  /** @type {string[] | null} */
  let words = null;
  let written = false;
  /** @type {number[] | null} */
  let asked = null;
  return {
    title: 'Create wallet',
    view: () => {
      if (words && written) return confirmView(app, asked ??= askedWords(words.length), () => { written = false; app.turn(); });
      if (words) return wordsView(words, () => { written = true; app.turn(); });
      if (app.use('status').value?.wallet === 'locked' || app.use('status').value?.wallet === 'unlocked') {
        return [heading('Create wallet'), note(undefined, h('p', null, 'This browser already holds a wallet.'), linkButton('Open it', to('home'), { slim: true }))];
      }
      return [
        heading('Create wallet'),
        form(() => {
          if (!passwordReady(typed)) { app.refresh(); return; }
          app.act('create', async () => {
            words = (await app.client.create({ words: count, password: typed.first })).words;
            app.put('status', await app.client.status());
            app.turn();
          });
        },
        passwordFields(app, typed),
        h('fieldset', { class: 'field' }, h('legend', null, 'Recovery words'), h('div', { class: 'choices' },
          /** @type {const} */ ([12, 24]).map((number) => h('label', { class: 'choice', key: number },
            h('input', { type: 'radio', name: 'count', value: String(number), checked: count === number, onchange: () => { count = number; app.refresh(); } }), `${number} words`)))),
        app.problem('create') && errorNote(/** @type {any} */ (app.problem('create'))),
        h('div', { class: 'row' }, button('Create wallet', { submit: true, main: true, busy: app.doing('create'), busyLabel: 'Making keys …' }),
          linkButton('Restore wallet instead', to('restore')))),
      ];
    },
    leave: () => { words = null; },
  };
}

/**
 * Positions of the words to ask for, chosen at random, in order.
 * @param {number} total
 */
export function askedWords(total) {
  const random = crypto.getRandomValues(new Uint32Array(total));
  return [...random.keys()].sort((a, b) => random[a] - random[b]).slice(0, ASKED).sort((a, b) => a - b);
}

/**
 * @param {string[]} words
 * @param {() => void} next
 */
export function wordsView(words, next) {
  return [
    heading('Write down these words'),
    h('p', { class: 'lede' }, 'On paper, in this order. They are the only way back to your money if this browser is lost. Whoever has them has the money.'),
    h('ol', { class: 'wordlist', translate: 'no' }, words.map((word) => h('li', null, word))),
    h('div', { class: 'row' }, button('I wrote them down', { main: true, onclick: next })),
  ];
}

/**
 * @param {App} app
 * @param {number[]} asked positions from 0
 * @param {() => void} back
 */
export function confirmView(app, asked, back) {
  const answers = typedAnswers(app);
  const error = app.problem('confirm');
  const wrong = /** @type {number[]} */ (error?.code === 'wallet.wrong_words' ? error.data?.positions ?? [] : []);
  return [
    heading('Confirm your words'),
    h('p', { class: 'lede' }, 'Enter these words from your paper.'),
    form(() => app.act('confirm', async () => {
      app.put('status', await app.client.confirmWords({ answers: asked.map((index) => ({ index, word: (answers.get(index) ?? '').trim().toLowerCase() })) }));
      answers.clear();
      app.go(to('home'));
    }),
    h('div', { class: 'grid2' }, asked.map((index) => field({ id: `word-${index}`, label: `Word ${index + 1}`, wrong: wrong.includes(index) ? 'This is another word.' : null }, (attributes) => h('input', {
      ...attributes, class: 'input', type: 'text', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false',
      ...typing(answers.get(index) ?? '', (text) => { answers.set(index, text); app.refresh(); }),
    })))),
    error && errorNote(error),
    h('div', { class: 'row' }, button('Confirm words', { submit: true, main: true, busy: app.doing('confirm') }),
      button('Show them again', { onclick: back }),
      linkButton('Later', to('home')))),
  ];
}

/** @type {WeakMap<App, Map<number, string>>} */
const typedFor = new WeakMap();

/** @param {App} app */
function typedAnswers(app) {
  let answers = typedFor.get(app);
  if (!answers) typedFor.set(app, answers = new Map());
  return answers;
}
