/** What this browser remembers about looks and habits: theme, number locale, idle lock, what it was asked. Never money, never secrets. */

/** @typedef {{theme: 'auto' | 'light' | 'dark', locale: string, idleMinutes: number, advanced: boolean, askedToKeep: boolean}} Settings */

const KEY = 'fair-settings';
/** @type {Settings} */
const DEFAULTS = { theme: 'auto', locale: 'auto', idleMinutes: 30, advanced: false, askedToKeep: false };

/** Locales on offer for numbers and dates; `auto` follows the browser. */
export const LOCALES = ['auto', 'en-US', 'en-GB', 'de-DE', 'de-CH', 'fr-FR', 'es-ES', 'pt-BR', 'en-IN', 'ja-JP'];

/** @returns {Settings} */
export function readSettings() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return {
      theme: ['light', 'dark'].includes(stored.theme) ? stored.theme : DEFAULTS.theme,
      locale: LOCALES.includes(stored.locale) ? stored.locale : DEFAULTS.locale,
      idleMinutes: Number.isSafeInteger(stored.idleMinutes) && stored.idleMinutes >= 0 ? stored.idleMinutes : DEFAULTS.idleMinutes,
      advanced: stored.advanced === true,
      askedToKeep: stored.askedToKeep === true,
    };
  } catch {
    return { ...DEFAULTS };
  }
}

/** @param {Settings} settings */
export function writeSettings(settings) {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Without storage the choice lasts until the page closes.
  }
}

/** @param {Settings} settings */
export function applyTheme(settings) {
  if (settings.theme === 'auto') document.documentElement.removeAttribute('data-theme');
  else document.documentElement.setAttribute('data-theme', settings.theme);
}

/** @param {Settings} settings */
export function localeOf(settings) {
  return settings.locale === 'auto' ? navigator.language || 'en-US' : settings.locale;
}
