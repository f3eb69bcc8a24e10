/** A QR code from the modules that the engine gives, always dark on white. */

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
