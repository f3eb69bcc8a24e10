/** QR codes, always dark on white: from the modules that the engine gives, or of a text that only the page knows. */

import { generate } from '../../embed/lean-qr.js';
import { h } from '../dom.js';

const QUIET = 4;

/**
 * @param {import('../api').Qr} qr
 * @param {string} label
 */
export function qrCode({ size, modules }, label) {
  let path = '';
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      if (!modules[row * size + column]) continue;
      let run = 1;
      while (column + run < size && modules[row * size + column + run]) run += 1;
      path += `M${column + QUIET} ${row + QUIET}h${run}v1h-${run}z`;
      column += run;
    }
  }
  const side = size + 2 * QUIET;
  return h('svg', { class: 'qr', viewBox: `0 0 ${side} ${side}`, role: 'img', 'aria-label': label, 'shape-rendering': 'crispEdges' },
    h('path', { d: path }));
}

/** @type {{text: string, qr: import('../api').Qr} | null} */
let last = null;

/**
 * Drawn once a text: views are made anew all the time.
 * @param {string} text
 * @param {string} label
 */
export function qrOfText(text, label) {
  if (last?.text !== text) {
    const code = generate(text);
    const { size } = code;
    last = { text, qr: { size, modules: Uint8Array.from({ length: size * size }, (_, index) => Number(code.get(index % size, Math.floor(index / size)))) } };
  }
  return qrCode(last.qr, label);
}
