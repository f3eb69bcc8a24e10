/** A wallet from its words. */

import { h } from '../dom.js';
import { button, errorNote, field, form, heading, linkButton, note, typing } from '../parts/basic.js';
import { newPassword, passwordFields, passwordReady } from '../parts/password.js';
import { to } from '../router.js';

/**
 * @param {import('../app.js').App} app
 * @returns {import('../app.js').Page}
 */
export function restorePage(app) {
  const typed = newPassword();
  let text = '';
  let tried = false;
  const words = () => text.toLowerCase().split(/[\s,;]+|\d+[.)]/u).map((word) => word.trim()).filter(Boolean);
  const problem = () => ([12, 24].includes(words().length) ? null : `A wallet has 12 or 24 words; these are ${words().length}.`);
  return {
    title: 'Restore wallet',
    view: () => {
      const wallet = app.use('status').value?.wallet;
      if (wallet === 'locked' || wallet === 'unlocked') {
        return [heading('Restore wallet'), note('warn', h('p', null, 'This browser already holds a wallet. Wipe it in the settings before restoring another one.'), linkButton('Open it', to('home'), { slim: true }))];
      }
      const error = app.problem('restore');
      const unknown = error?.code === 'wallet.bad_words' && typeof error.data?.index === 'number' ? Number(error.data.index) : null;
      return [
        heading('Restore wallet'),
        h('p', { class: 'lede' }, 'Enter or paste your 12 or 24 words.'),
        form(() => {
          tried = true;
          const ready = passwordReady(typed);
          app.refresh();
          if (problem() !== null || !ready) return;
          app.act('restore', async () => {
            app.put('status', await app.client.restore({ words: words(), password: typed.first }));
            text = '';
            app.go(to('home'));
          });
        },
        field({
          id: 'words', label: 'Words', hint: words().length > 0 ? `${words().length} words` : 'Separated by spaces.',
          wrong: unknown !== null ? `Word ${unknown + 1}, “${words()[unknown] ?? ''}”, is not in the list of words.` : tried ? problem() : null,
        }, (attributes) => h('textarea', {
          ...attributes, class: 'area', rows: 4, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', translate: 'no',
          ...typing(text, (now) => { text = now; app.clearProblem('restore'); app.refresh(); }),
        })),
        passwordFields(app, typed),
        error && errorNote(error),
        h('div', { class: 'row' }, button('Restore wallet', { submit: true, main: true, busy: app.doing('restore'), busyLabel: 'Restoring …' }),
          linkButton('Create wallet instead', to('create')))),
      ];
    },
    leave: () => { text = ''; },
  };
}
