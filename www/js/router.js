/** Places live behind the hash, so that any static host can serve them: `#/explorer/block/12?x=1`. */

/**
 * @param {string} hash
 * @returns {import('./app.js').Route}
 */
export function parseHash(hash) {
  const [path, query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  return { path: path.split('/').filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {...(string | number)} parts */
export function to(...parts) {
  return `#/${parts.map((part) => encodeURIComponent(part)).join('/')}`;
}
