/**
 * Pure formatting and parsing: amounts from bigint and decimals, keys, times.
 * Nothing here touches the document or the engine. Amounts never become floats.
 */

/** @typedef {{sign: '' | '−' | '+', int: string, dec: string}} AmountText */

/** Between a number and its unit, which stay in one line. */
const NBSP = '\u00a0';

/** @type {Map<string, {group: string, decimal: string, numbers: Intl.NumberFormat}>} */
const separators = new Map();

/** @param {string} locale */
function localeParts(locale) {
  let known = separators.get(locale);
  if (!known) {
    const numbers = new Intl.NumberFormat(locale, { numberingSystem: 'latn', useGrouping: 'always' });
    const parts = numbers.formatToParts(1234567.5);
    known = {
      group: parts.find((part) => part.type === 'group')?.value ?? '',
      decimal: parts.find((part) => part.type === 'decimal')?.value ?? '.',
      numbers,
    };
    separators.set(locale, known);
  }
  return known;
}

/**
 * @param {bigint} amount   in the smallest unit, may be negative
 * @param {number} decimals
 * @param {string} locale
 * @param {{plus?: boolean}} [options]  plus: show + on positive amounts
 * @returns {AmountText}
 */
export function amountText(amount, decimals, locale, options = {}) {
  const { decimal, numbers } = localeParts(locale);
  const size = amount < 0n ? -amount : amount;
  const unit = 10n ** BigInt(decimals);
  const fraction = (size % unit).toString().padStart(decimals, '0');
  return {
    sign: amount < 0n ? '−' : options.plus && amount > 0n ? '+' : '',
    int: numbers.format(size / unit),
    dec: decimals === 0 ? '' : decimal + fraction,
  };
}

/**
 * One line such as `1,234.50 FRD`.
 * @param {bigint} amount
 * @param {{decimals: number, ticker: string}} asset
 * @param {string} locale
 */
export function amountLine(amount, asset, locale) {
  const { sign, int, dec } = amountText(amount, asset.decimals, locale);
  return withUnit(`${sign}${int}${dec}`, asset.ticker);
}

/**
 * @param {string} number
 * @param {string} unit
 */
export function withUnit(number, unit) {
  return number + NBSP + unit;
}

/**
 * For machines: `-1234.50`, the same in every locale.
 * @param {bigint} amount
 * @param {number} decimals
 */
export function amountPlain(amount, decimals) {
  const size = amount < 0n ? -amount : amount;
  const digits = size.toString().padStart(decimals + 1, '0');
  const cut = digits.length - decimals;
  return `${amount < 0n ? '-' : ''}${digits.slice(0, cut)}${decimals > 0 ? `.${digits.slice(cut)}` : ''}`;
}

/** Largest amount that the protocol knows. */
const MAX_AMOUNT = 2n ** 62n;

/**
 * Reads what a person typed. Separators must stand where the locale puts them,
 * so that `1.000` is never silently a thousand here and one there.
 * @param {string} text
 * @param {number} decimals
 * @param {string} locale
 * @returns {{amount: bigint} | {wrong: string}}
 */
export function parseAmount(text, decimals, locale) {
  const { group, decimal } = localeParts(locale);
  const example = `1${group}234${decimals > 0 ? `${decimal}5` : ''}`;
  const typed = text.trim().replace(/[\u00a0\u202f]/g, ' ');
  if (typed === '') return { wrong: 'Enter an amount.' };
  const groupChar = group.replace(/[\u00a0\u202f]/g, ' ');
  const [typedWhole, fraction, ...rest] = typed.split(decimal);
  const whole = typedWhole === '' && fraction ? '0' : typedWhole;
  if (rest.length > 0) return { wrong: `Write the amount like ${example}.` };
  const groups = groupChar ? whole.split(groupChar) : [whole];
  const wellGrouped = groups.every((part, index) => /^\d+$/.test(part)
    && (groups.length === 1 || (index === 0 ? part.length <= 3 : part.length === 3 || (part.length === 2 && index < groups.length - 1))));
  if (!wellGrouped || (fraction !== undefined && !/^\d*$/.test(fraction))) {
    return { wrong: `Write the amount like ${example}.` };
  }
  const digits = (fraction ?? '').replace(/0+$/, '');
  if (digits.length > decimals) {
    return { wrong: decimals === 0 ? 'This asset has no decimals.' : `At most ${decimals} decimals.` };
  }
  const amount = BigInt(groups.join('')) * 10n ** BigInt(decimals) + BigInt(digits.padEnd(decimals, '0') || '0');
  if (amount > MAX_AMOUNT) return { wrong: 'This amount is too large.' };
  return { amount };
}

/**
 * What a person could have typed for this amount.
 * @param {bigint} amount
 * @param {number} decimals
 * @param {string} locale
 */
export function amountInput(amount, decimals, locale) {
  const { decimal } = localeParts(locale);
  const plain = amountPlain(amount, decimals);
  return plain.replace('.', decimal).replace(new RegExp(`\\${decimal}0+$`), '');
}

/**
 * @param {number | bigint} count
 * @param {string} locale
 */
export function countText(count, locale) {
  return localeParts(locale).numbers.format(count);
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

/** `9f3a22c1…77d0` @param {string} hex */
export function shortHex(hex) {
  return hex.length <= 14 ? hex : `${hex.slice(0, 8)}…${hex.slice(-4)}`;
}

/** What changes the order of characters, hides them, or is none: shown as a mark. */
const UNSEEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
/** More marks on one letter than any script needs. */
const PILED_UP = /(\p{M}{4})\p{M}+/gu;

/**
 * Text of a stranger as text and nothing else.
 * @param {string} text
 */
export function strangersText(text) {
  return text.replace(UNSEEN, '\ufffd').replace(PILED_UP, '$1').replace(/\n{3,}/g, '\n\n');
}

const CONSONANTS = 'bdfghjklmnprstvz';
const VOWELS = 'aiou';

/**
 * Pronounceable words of a key's first 64 bits (proquints), to compare by voice.
 * @param {string} hex
 */
export function keyWords(hex) {
  const words = [];
  for (let at = 0; at < 16; at += 4) {
    const bits = Number.parseInt(hex.slice(at, at + 4), 16);
    words.push(CONSONANTS[(bits >> 12) & 15] + VOWELS[(bits >> 10) & 3] + CONSONANTS[(bits >> 6) & 15]
      + VOWELS[(bits >> 4) & 3] + CONSONANTS[bits & 15]);
  }
  return words.join('-');
}

/**
 * How an account is called: its handle, its number, or the start of its key.
 * @param {import('./api').AccountRef} account
 */
export function accountName(account) {
  if (account.handle) return `@${account.handle}`;
  return account.id === null ? shortHex(account.key) : String(account.id);
}

/**
 * The same in a sentence, where a bare number would say nothing.
 * @param {import('./api').AccountRef} account
 */
export function namedAccount(account) {
  return account.handle === null && account.id !== null ? `account ${account.id}` : accountName(account);
}

/**
 * What finds the account again in a link.
 * @param {import('./api').AccountRef} account
 */
export function accountHandle(account) {
  return account.id === null ? account.key : String(account.id);
}

const UNITS = /** @type {const} */ ([['year', 31_536_000], ['month', 2_592_000], ['day', 86_400], ['hour', 3_600], ['minute', 60], ['second', 1]]);

/**
 * `2 s ago`, `in 3 min`.
 * @param {number} time
 * @param {number} now
 * @param {string} locale
 */
export function relativeTime(time, now, locale) {
  const seconds = Math.round((time - now) / 1000);
  if (Math.abs(seconds) < 1) return 'now';
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ['second', 1];
  return new Intl.RelativeTimeFormat(locale, { numeric: 'always', style: 'narrow' }).format(Math.trunc(seconds / size), unit);
}

/**
 * `about 3 min`
 * @param {number} seconds
 */
export function durationText(seconds) {
  if (seconds < 1) return 'under a second';
  if (seconds < 90) return withUnit(String(Math.ceil(seconds)), 's');
  if (seconds < 5_400) return withUnit(String(Math.round(seconds / 60)), 'min');
  if (seconds < 129_600) return withUnit(String(Math.round(seconds / 3_600)), 'h');
  return withUnit(String(Math.round(seconds / 86_400)), 'days');
}

/**
 * How long something took: `240 ms`, `1.2 s`, `2 min`.
 * @param {number} ms
 * @param {string} locale
 */
export function tookText(ms, locale) {
  if (ms >= 90_000) return durationText(ms / 1_000);
  const [value, unit] = ms < 1_000 ? [ms, 'ms'] : [ms / 1_000, 's'];
  return withUnit(new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }).format(value), unit);
}

/**
 * @param {number} time
 * @param {string} locale
 */
export function exactTime(time, locale) {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }).format(time);
}

/**
 * `Today`, `Yesterday`, or the date.
 * @param {number} time
 * @param {number} now
 * @param {string} locale
 */
export function dayName(time, now, locale) {
  const day = (/** @type {number} */ at) => new Date(at).setHours(0, 0, 0, 0);
  const days = Math.round((day(now) - day(time)) / 86_400_000);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  return new Intl.DateTimeFormat(locale, { dateStyle: 'full' }).format(time);
}

/**
 * @param {number} bytes
 * @param {string} locale
 */
export function bytesText(bytes, locale) {
  const [value, unit] = bytes < 1_000 ? [bytes, 'B'] : bytes < 1_000_000 ? [bytes / 1_000, 'kB'] : [bytes / 1_000_000, 'MB'];
  return withUnit(new Intl.NumberFormat(locale, { maximumFractionDigits: value < 10 && unit !== 'B' ? 1 : 0 }).format(value), unit);
}

/**
 * One CSV cell. A leading sign that a spreadsheet would take for a formula is quoted.
 * @param {string} text
 */
export function csvCell(text) {
  const safe = /^[=+@\t\r]/.test(text) || (text.startsWith('-') && !/^-[\d.]+$/.test(text)) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
