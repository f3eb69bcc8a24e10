/** Locks the wallet after the chosen time without any input in any tab. */

import { everySecond } from './clock.js';

/**
 * @param {import('./app.js').App} app
 * @param {string} name of the wallet
 */
export function watchIdle(app, name) {
  const key = `fair-active-${name}`;
  let noted = 0;
  const active = () => {
    const now = Date.now();
    if (now - noted < 5_000) return;
    noted = now;
    try {
      localStorage.setItem(key, String(now));
    } catch {
      // Without storage each tab counts for itself.
    }
  };
  for (const kind of ['pointerdown', 'keydown']) window.addEventListener(kind, active, { passive: true, capture: true });
  active();
  const check = () => {
    const limit = app.settings.idleMinutes * 60_000;
    if (limit === 0 || app.use('status').value?.wallet !== 'unlocked') return;
    let shared = 0;
    try {
      shared = Number(localStorage.getItem(key));
    } catch {
      shared = 0;
    }
    if (Date.now() - Math.max(shared, noted) > limit) app.act('idle-lock', async () => app.put('status', await app.client.lock()));
  };
  everySecond(check);
}
