/** The icon set: 24-unit strokes, drawn through the DOM. Always beside a word or with a label. */

import { h } from './dom.js';

const PATHS = {
  home: 'M4 11 12 4l8 7M6 9.5V20h12V9.5M10 20v-5h4v5',
  pay: 'M12 19V5M6 11l6-6 6 6',
  receive: 'M12 5v14M6 13l6 6 6-6',
  activity: 'M5 6h14M5 12h14M5 18h9',
  bank: 'M4 10 12 5l8 5M5 10v8M10 10v8M14 10v8M19 10v8M3.5 20h17',
  chain: 'M9 15l6-6M8.5 10.5 6 13a3.5 3.5 0 0 0 5 5l2.5-2.5M15.5 13.5 18 11a3.5 3.5 0 0 0-5-5l-2.5 2.5',
  explorer: 'M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5',
  more: 'M4.4 12a.6.6 0 1 0 1.2 0a.6.6 0 1 0-1.2 0M11.4 12a.6.6 0 1 0 1.2 0a.6.6 0 1 0-1.2 0M18.4 12a.6.6 0 1 0 1.2 0a.6.6 0 1 0-1.2 0',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  shield: 'M12 3l7 3v5.5c0 4.5-3 7.7-7 9.5-4-1.8-7-5-7-9.5V6zM9 12l2.2 2.2L15.2 10',
  cross: 'M6 6l12 12M18 6 6 18',
  alert: 'M12 8v5M12 16.5v.01M12 3.5 21.5 20h-19z',
  info: 'M12 11v5.5M12 7.5v.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z',
  clock: 'M12 7v5l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z',
  scales: 'M12 4v16M8 20h8M5 7h14M5 7l-2.5 6h5zM19 7l-2.5 6h5z',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  copy: 'M9 9h10v10H9zM15 9V5H5v10h4',
  scan: 'M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M4 12h16',
  paste: 'M9 5H6v15h12V5h-3M9 3.5h6v3H9z',
  plus: 'M12 5v14M5 12h14',
  arrow: 'M5 12h14M13 6l6 6-6 6',
  save: 'M12 4v11M7 10.5l5 5 5-5M5 20h14',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.5 4.5',
  out: 'M13 5h6v6M19 5l-9 9M16 14v5H5V8h5',
  offline: 'M3 3l18 18M5 12.5a10 10 0 0 1 4-2.3M8.5 16a5 5 0 0 1 7 0M13 9.6a10 10 0 0 1 6 2.9M12 19.5v.01',
};

/** @typedef {keyof typeof PATHS} IconName */

/**
 * @param {IconName} name
 * @param {{size?: number, label?: string}} [options] without a label it is decoration
 */
export function icon(name, { size = 20, label } = {}) {
  return h('svg', {
    viewBox: '0 0 24 24', width: size, height: size, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.8,
    'stroke-linecap': 'round', 'stroke-linejoin': 'round', focusable: 'false',
    ...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': 'true' }),
  }, h('path', { d: PATHS[name] }));
}

/** The mark of the network: a number line with its delimiter. @param {number} size */
export function mark(size) {
  return h('svg', { viewBox: '0 0 24 24', width: size, height: size, 'aria-hidden': 'true', focusable: 'false' },
    h('rect', { x: 2, y: 9, width: 20, height: 6, rx: 3, fill: 'currentColor', opacity: 0.28 }),
    h('path', { d: 'M5 9h9v6H5a3 3 0 0 1 0-6z', fill: 'currentColor' }),
    h('rect', { x: 13, y: 4, width: 2.4, height: 16, rx: 1.2, fill: 'currentColor' }));
}
