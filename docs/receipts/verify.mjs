/**
 * Verifies a proof of payment with WebCrypto alone. README.md describes the bytes.
 *
 *   node verify.mjs CHAIN_ID PROOF          prints what was paid, or says why nothing is proven
 *   node verify.mjs --vectors vectors.json  checks this program
 *
 * In a page: `import { verify } from './verify.mjs'`.
 */

const KIND = 'fairproof';
const VERSION = 1;
const MAX_TEXT_CHARS = 4096;
const MAX_PROOF_BYTES = 2304;
const MAX_DESCRIPTION_BYTES = 640;
const MAX_ORIGIN_BYTES = 256;
const MAX_BANKS = 8;
const MAX_SUPPLY = 1n << 62n;

const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const GENERATORS = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const BECH32M = 0x2bc830a3;

/** Points of small order, sign bit cleared: keys and signatures with them prove nothing. */
const WEAK = new Set([
  `00${'00'.repeat(31)}`, `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`, `ed${'ff'.repeat(30)}7f`, `ee${'ff'.repeat(30)}7f`,
]);

/** Why a text proves nothing; `code` is one of README.md's. */
export class BadProof extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/**
 * What the proof proves. Amounts and times are bigint, times in milliseconds since 1970, keys and hashes hex.
 * @param {string} text `fairproof1…`
 * @param {string} chainId the network, 64 hexadecimal digits
 * @throws {BadProof}
 */
export async function verify(text, chainId) {
  const reader = new Reader(readText(text));
  const start = reader.at;
  const invoice = readInvoice(reader);
  const invoiceBody = reader.since(start);
  const invoiceSignature = reader.take(64);
  const preimage = reader.take(32);
  const receipt = reader.option(() => {
    const from = reader.at;
    const body = { invoice: hex(reader.take(16)), amount: reader.u64(), paid_ms: reader.u64() };
    return { body, bytes: reader.since(from), signature: reader.take(64) };
  });
  reader.end();

  checkInvoice(invoice, chainId);
  const { payee } = invoice;
  if (!await isSigned('fair/invoice/001', chainId, invoiceBody, payee, invoiceSignature)) {
    throw new BadProof('signature', 'the payee did not sign the invoice');
  }
  if (hex(await sha256(preimage)) !== invoice.lock_hash) {
    throw new BadProof('preimage', 'the preimage belongs to another payment');
  }
  if (receipt !== null) {
    if (!await isSigned('fair/receipt/001', chainId, receipt.bytes, payee, receipt.signature)) {
      throw new BadProof('receipt_signature', 'the payee did not sign the receipt');
    }
    if (receipt.body.invoice !== invoice.id) throw new BadProof('receipt_invoice', 'the receipt is for another invoice');
  }
  return { ...invoice, receipt: receipt && { amount: receipt.body.amount, paid_ms: receipt.body.paid_ms } };
}

/** Bech32m without its length limit → bytes. @param {string} given */
function readText(given) {
  const text = given.trim();
  if (new TextEncoder().encode(text).length > MAX_TEXT_CHARS) throw new BadProof('too_long', 'longer than any proof');
  const lower = text.toLowerCase();
  const split = lower.lastIndexOf('1');
  const values = [...lower.slice(split + 1)].map((character) => ALPHABET.indexOf(character));
  const mixed = text !== lower && text !== text.toUpperCase();
  if (split < 1 || split > 83 || mixed || values.includes(-1) || /[^\x21-\x7e]/.test(text)) throw new BadProof('not_text', 'this is no payment text');
  const kind = lower.slice(0, split);
  const expanded = [...[...kind].map((c) => c.charCodeAt(0) >> 5), 0, ...[...kind].map((c) => c.charCodeAt(0) & 31)];
  if (values.length < 6 || polymod([...expanded, ...values]) !== BECH32M) throw new BadProof('checksum', 'a character is wrong or missing');
  if (kind !== KIND) throw new BadProof('kind', `this is a ${kind}, not a ${KIND}`);
  const data = values.slice(0, -6);
  const bytes = new Uint8Array(Math.floor((data.length * 5) / 8));
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const value of data) {
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at] = held >> bits;
      at += 1;
    }
  }
  // Bits beyond the last byte must be zero, and fewer than one character's: one text per value.
  if (bits >= 5 || (held & ((1 << bits) - 1)) !== 0) throw new BadProof('not_text', 'the text has another end than it should');
  if (bytes.length > MAX_PROOF_BYTES) throw new BadProof('encoding', 'more bytes than any proof has');
  return bytes;
}

/** @param {number[]} values */
function polymod(values) {
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    GENERATORS.forEach((generator, index) => { if ((top >> index) & 1) sum ^= generator; });
  }
  return sum >>> 0;
}

/** Reads the one encoding that a value has. */
class Reader {
  at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
  }

  /** @param {number} count */
  take(count) {
    const taken = this.bytes.subarray(this.at, this.at + count);
    if (taken.length !== count) throw new BadProof('encoding', 'it ends too early');
    this.at += count;
    return taken;
  }

  /** @param {number} start */
  since(start) { return this.bytes.subarray(start, this.at); }

  u8() { return this.take(1)[0]; }

  u32() {
    const [a, b, c, d] = this.take(4);
    return a + b * 2 ** 8 + c * 2 ** 16 + d * 2 ** 24;
  }

  u64() { return BigInt(this.u32()) + (BigInt(this.u32()) << 32n); }

  /** @template T @param {T[]} variants */
  one(variants) {
    const tag = this.u8();
    if (tag >= variants.length) throw new BadProof('encoding', `there is no variant ${tag}`);
    return variants[tag];
  }

  /** @template T @param {() => T} read @returns {T | null} */
  option(read) { return this.one([() => null, read])(); }

  text() {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.take(this.u32()));
    } catch {
      throw new BadProof('encoding', 'a text is not UTF-8');
    }
  }

  end() {
    if (this.at !== this.bytes.length) throw new BadProof('encoding', 'bytes follow');
  }
}

/** @param {Reader} reader */
function readInvoice(reader) {
  return {
    version: reader.u8(),
    chain_id: hex(reader.take(32)),
    payee: hex(reader.take(32)),
    id: hex(reader.take(16)),
    asset: reader.u32(),
    amount: reader.option(() => reader.u64()),
    lock_hash: hex(reader.take(32)),
    payment_secret: hex(reader.take(32)),
    created_ms: reader.u64(),
    expires_ms: reader.u64(),
    description: reader.one([() => ({ text: reader.text() }), () => ({ hash: hex(reader.take(32)) })])(),
    banks: readKeys(reader),
    origin: reader.option(() => reader.text()),
    refunds: reader.one(['none', 'on_request']),
    late: reader.one(['fail', 'accept']),
  };
}

/** @param {Reader} reader */
function readKeys(reader) {
  const keys = [];
  for (let left = reader.u32(); left > 0; left -= 1) keys.push(hex(reader.take(32)));
  return keys;
}

/** @param {ReturnType<typeof readInvoice>} invoice @param {string} chainId */
function checkInvoice(invoice, chainId) {
  const { version, banks, amount, created_ms: created, expires_ms: expires, description, origin } = invoice;
  if (version !== VERSION) throw new BadProof('version', `version ${version} is not known`);
  if (invoice.chain_id !== chainId) throw new BadProof('network', `it belongs to network ${invoice.chain_id}`);
  if (banks.length > MAX_BANKS || new Set(banks).size !== banks.length) throw new BadProof('banks', 'too many banks, or one twice');
  if (isWeak(invoice.payee)) throw new BadProof('signature', 'the payee has an unusable key');
  const length = (/** @type {string} */ text) => new TextEncoder().encode(text).length;
  const holds = amount !== 0n && (amount === null || amount <= MAX_SUPPLY) && created <= expires
    && ('hash' in description || length(description.text) <= MAX_DESCRIPTION_BYTES)
    && (origin === null || length(origin) <= MAX_ORIGIN_BYTES);
  if (!holds) throw new BadProof('content', 'a field has an impossible value');
}

/**
 * Whether the key signed SHA-256(tag ‖ chain id ‖ body).
 * @param {string} tag @param {string} chainId @param {Uint8Array} body @param {string} key @param {Uint8Array} signature
 */
async function isSigned(tag, chainId, body, key, signature) {
  if (isWeak(hex(signature.subarray(0, 32)))) return false;
  const digest = await sha256(new Uint8Array([...new TextEncoder().encode(tag), ...bytesOf(chainId), ...body]));
  try {
    const imported = await crypto.subtle.importKey('raw', bytesOf(key), { name: 'Ed25519' }, false, ['verify']);
    return await crypto.subtle.verify({ name: 'Ed25519' }, imported, signature, digest);
  } catch (error) {
    // Bytes that are no key; a platform without Ed25519 must not look like a forgery.
    if (error instanceof DOMException && error.name === 'NotSupportedError') throw error;
    return false;
  }
}

/** @param {string} point */
function isWeak(point) {
  const last = (Number.parseInt(point.slice(62), 16) & 0x7f).toString(16).padStart(2, '0');
  return WEAK.has(point.slice(0, 62) + last);
}

/** @param {Uint8Array} bytes */
const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

/** @param {Uint8Array} bytes */
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** @param {string} text */
const bytesOf = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** As in vectors.json: 64-bit numbers are text. @param {unknown} value */
const json = (value) => JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part));

/** Checks every vector; returns how many differ. @param {string} file */
async function checkVectors(file) {
  const { readFile } = await import('node:fs/promises');
  const { chain_id: chainId, vectors } = JSON.parse(await readFile(file, 'utf8'));
  let wrong = 0;
  for (const { why, text, good, error } of vectors) {
    const got = await verify(text, chainId).then((proven) => ['good', json(sorted(proven))], (bad) => ['error', bad.code]);
    const expected = error === undefined ? ['good', json(sorted(good))] : ['error', error];
    if (got.join(' ') === expected.join(' ')) continue;
    wrong += 1;
    console.error(`${why}: expected ${expected.join(' ')}, got ${got.join(' ')}`);
  }
  console.log(`verify.mjs: ${vectors.length - wrong} of ${vectors.length} vectors hold`);
  return vectors.length === 0 ? 1 : wrong;
}

/** The same value with fields in the order of their names. @param {any} value @returns {any} */
function sorted(value) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]));
}

/** @param {string[]} given */
async function main([first = '', second = '']) {
  if (first === '--vectors') return (await checkVectors(second)) === 0 ? 0 : 1;
  if (!/^[0-9a-f]{64}$/.test(first) || second === '') {
    console.error('usage: verify.mjs CHAIN_ID PROOF | verify.mjs --vectors FILE');
    return 2;
  }
  try {
    console.log(json(await verify(second, first)));
    return 0;
  } catch (bad) {
    if (!(bad instanceof BadProof)) throw bad;
    console.error(`${bad.code}: ${bad.message}`);
    return 1;
  }
}

/** Whether this is the program that was started, by whatever path: with a space in it, or through a link. */
async function isStarted() {
  const path = typeof process === 'undefined' ? undefined : process.argv?.[1];
  if (path === undefined) return false;
  const [{ existsSync, realpathSync }, { pathToFileURL }] = await Promise.all([import('node:fs'), import('node:url')]);
  if (!existsSync(path)) return false;
  // With --preserve-symlinks-main the link itself is the module's address.
  return [path, realpathSync(path)].some((one) => pathToFileURL(one).href === import.meta.url);
}

if (await isStarted()) process.exitCode = await main(process.argv.slice(2));
