/** Choosing a password twice, and asking for it once. */

import { h } from '../dom.js';
import { field, typing } from './basic.js';

/** The engine refuses shorter ones. */
const LEAST = 8;

/** @typedef {{first: string, second: string, tried: boolean}} NewPassword */

/** @returns {NewPassword} */
export function newPassword() {
  return { first: '', second: '', tried: false };
}

/** @param {NewPassword} typed */
function passwordProblem(typed) {
  if ([...typed.first].length < LEAST) return `Use at least ${LEAST} characters.`;
  return null;
}

/** @param {NewPassword} typed */
export function passwordReady(typed) {
  typed.tried = true;
  return passwordProblem(typed) === null && typed.first === typed.second;
}

/**
 * @param {import('../app.js').App} app
 * @param {NewPassword} typed
 */
export function passwordFields(app, typed) {
  return h('div', { class: 'grid2' },
    field({ id: 'password', label: 'Password', hint: 'Encrypts your keys in this browser. Nobody can reset it.', wrong: typed.tried ? passwordProblem(typed) : null }, (attributes) =>
      passwordInput(attributes, 'new-password', typed.first, (text) => { typed.first = text; app.refresh(); })),
    field({ id: 'password-again', label: 'Password again', wrong: typed.tried && typed.first !== typed.second ? 'The two passwords differ.' : null }, (attributes) =>
      passwordInput(attributes, 'new-password', typed.second, (text) => { typed.second = text; app.refresh(); })));
}

/**
 * @param {Record<string, any>} attributes
 * @param {'new-password' | 'current-password'} autocomplete
 * @param {string} value
 * @param {(text: string) => void} changed
 */
export function passwordInput(attributes, autocomplete, value, changed) {
  return h('input', {
    ...attributes, class: 'input', type: 'password', autocomplete, ...typing(value, changed),
  });
}
