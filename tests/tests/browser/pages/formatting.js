// What amounts, keys and times look like, and what typed amounts mean. Each row: call, arguments, expected.

import * as format from '/js/format.js';

const FRD = { ticker: 'FRD', decimals: 2 };
const NOW = Date.UTC(2026, 0, 31, 12);

const ROWS = [
  ['amountLine', [123456789n, FRD, 'en-US'], '1,234,567.89\u00a0FRD'],
  ['amountLine', [123456789n, FRD, 'de-DE'], '1.234.567,89\u00a0FRD'],
  ['amountLine', [-5n, FRD, 'en-US'], '−0.05\u00a0FRD'],
  ['amountLine', [2n ** 62n, FRD, 'en-US'], '46,116,860,184,273,879.04\u00a0FRD'],
  ['amountLine', [7n, { ticker: 'GEM', decimals: 0 }, 'en-US'], '7\u00a0GEM'],
  ['amountPlain', [-123450n, 2], '-1234.50'],
  ['amountPlain', [5n, 2], '0.05'],
  ['parseAmount', ['1,234.5', 2, 'en-US'], { amount: 123450n }],
  ['parseAmount', ['1.234,5', 2, 'de-DE'], { amount: 123450n }],
  ['parseAmount', ['.5', 2, 'en-US'], { amount: 50n }],
  ['parseAmount', ['12', 2, 'en-US'], { amount: 1200n }],
  ['parseAmount', ['12.500', 2, 'en-US'], { amount: 1250n }],
  ['parseAmount', ['46116860184273879.04', 2, 'en-US'], { amount: 2n ** 62n }],
  // A separator in the wrong place is never guessed at.
  ['parseAmount', ['12,50', 2, 'en-US'], { wrong: 'Write the amount like 1,234.5.' }],
  ['parseAmount', ['1.5', 2, 'de-DE'], { wrong: 'Write the amount like 1.234,5.' }],
  ['parseAmount', ['-5', 2, 'en-US'], { wrong: 'Write the amount like 1,234.5.' }],
  ['parseAmount', ['1e3', 2, 'en-US'], { wrong: 'Write the amount like 1,234.5.' }],
  ['parseAmount', ['1.2.3', 2, 'en-US'], { wrong: 'Write the amount like 1,234.5.' }],
  ['parseAmount', ['1.005', 2, 'en-US'], { wrong: 'At most 2 decimals.' }],
  ['parseAmount', ['1.5', 0, 'en-US'], { wrong: 'This asset has no decimals.' }],
  ['parseAmount', ['46116860184273879.05', 2, 'en-US'], { wrong: 'This amount is too large.' }],
  ['parseAmount', ['  ', 2, 'en-US'], { wrong: 'Enter an amount.' }],
  ['amountInput', [100000n, 2, 'en-US'], '1000'],
  ['amountInput', [100050n, 2, 'de-DE'], '1000,50'],
  ['shortHex', ['9f3a22c1d4e5f60718293a4b5c6d7e8f'], '9f3a22c1…7e8f'],
  ['keyWords', ['0000000000000000ffff'], 'babab-babab-babab-babab'],
  ['relativeTime', [NOW - 2000, NOW, 'en-US'], '2s ago'],
  ['relativeTime', [NOW + 180000, NOW, 'en-US'], 'in 3m'],
  ['relativeTime', [NOW, NOW, 'en-US'], 'now'],
  // Number and unit stay in one line.
  ['durationText', [44], '44\u00a0s'],
  ['durationText', [7200], '2\u00a0h'],
  ['tookText', [240, 'en-US'], '240\u00a0ms'],
  ['tookText', [1250, 'de-DE'], '1,3\u00a0s'],
  ['tookText', [143_100, 'en-US'], '2\u00a0min'],
  ['bytesText', [1500, 'en-US'], '1.5\u00a0kB'],
  ['csvCell', ['=cmd()'], "'=cmd()"],
  ['csvCell', ['-12.50'], '-12.50'],
  ['csvCell', ['a "b", c'], '"a ""b"", c"'],
];

const text = (value) => JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}n` : part));

export const failures = ROWS.flatMap(([name, args, expected]) => {
  const got = format[name](...args);
  return text(got) === text(expected) ? [] : [`${name}(${args.map(text)}) is ${text(got)}, expected ${text(expected)}`];
});
