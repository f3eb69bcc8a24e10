/** The one timer of the page: calls everybody once a second while visible. */

/** @type {Set<() => void>} */
const listeners = new Set();
let timer = 0;

function tick() {
  for (const listener of listeners) listener();
}

function arrange() {
  clearInterval(timer);
  timer = 0;
  if (listeners.size > 0 && document.visibilityState === 'visible') timer = window.setInterval(tick, 1000);
}

document.addEventListener('visibilitychange', () => {
  arrange();
  if (document.visibilityState === 'visible') tick();
});

/**
 * @param {() => void} listener
 * @returns {() => void} stops it
 */
export function everySecond(listener) {
  listeners.add(listener);
  if (timer === 0) arrange();
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) arrange();
  };
}
