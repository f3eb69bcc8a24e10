/**
 * The state of the page and how it becomes visible.
 *
 * Views are functions of this state; `refresh` draws all of it again, at most
 * once per microtask. Answers of the engine are kept by call in a small cache:
 * `use` gives the newest known value at once and asks again whenever an event
 * says that it changed. Nothing here is a source of truth.
 */

import { asFairError } from './errors.js';
import { localeOf, readSettings, writeSettings, applyTheme } from './settings.js';

/** @typedef {import('./api').Client} Client */
/** @typedef {import('./api').Method} Method */
/** @typedef {import('./api').Fair} Fair */
/** @typedef {import('./errors.js').FairError} FairError */
/** @typedef {import('./dom.js').Child} Child */
/** @typedef {{path: string[], query: URLSearchParams}} Route */
/**
 * One page, made anew for every visit; its closure holds what was typed.
 * @typedef {{title: string, view: () => Child, wide?: boolean, leave?: () => void}} Page
 */
/**
 * @template T
 * @typedef {{value: T | undefined, error: FairError | null, busy: boolean}} Answer
 */
/**
 * @template {Method} M
 * @typedef {NonNullable<Parameters<Fair[M]>[0]>} Params
 */
/**
 * @template {Method} M
 * @typedef {Awaited<ReturnType<Fair[M]>>} Result
 */
/**
 * @typedef {object} Entry
 * @property {Method} method
 * @property {any} params
 * @property {Answer<any>} answer
 * @property {boolean} again   changed while a call was under way
 * @property {number} used     visit in which a view last asked
 */

/**
 * Which events make which answers old. Answers not listed never change.
 * @type {Partial<Record<Method, (keyof import('./api').Events)[]>>}
 */
const CHANGED_BY = {
  status: ['head'], blocks: ['head'], account: ['head', 'channel', 'batch'], accounts: ['head'], channelOnChain: ['head', 'channel'],
  validators: ['head'], parameters: ['head'], banks: ['head'], assets: ['head'], court: ['head'], governance: ['head'], snapshots: ['status'],
  draft: ['head', 'batch', 'channel'], batches: ['batch'],
  balances: ['channel', 'payment', 'batch', 'head', 'status'], channels: ['channel', 'payment', 'head', 'status'],
  restoration: ['channel', 'head', 'status'],
  towers: ['tower', 'channel', 'status'],
  activity: ['payment', 'batch', 'tower'], payment: ['payment', 'tower'], invoices: ['invoice', 'payment'],
};
/** Events that carry the whole answer of a method without parameters. */
const CARRIED = /** @type {const} */ ({ status: 'status', sync: 'syncState', head: 'head', draft: 'draft' });
/** Answers that only an open wallet has. @type {Set<Method>} */
const OF_WALLET = new Set(['restoration', 'draft', 'batches', 'balances', 'channels', 'activity', 'payment', 'invoices', 'address', 'towers']);
/** What is refused only until the chain goes on here. */
const WAITS_FOR_CHAIN = new Set(['chain.expired', 'chain.unknown', 'channel.stale_head', 'payment.stale_head']);
/** What stands on the page anyway, until somebody dismisses it or for as long as it lasts. */
const STANDS_ON_PAGE = /^(chain|snapshot)\.|^storage\.(failed|fenced|full)$/;
/** Answers that a view asked for within this many visits stay known. */
const KEPT_VISITS = 6;

export class App {
  /** @type {Client} */
  client;
  settings = readSettings();
  /** @type {Route} */
  route = { path: [], query: new URLSearchParams() };
  /** @type {Page | null} */
  page = null;
  /** The engine's trouble, if it does not run. @type {import('./api').FairErrorShape | null} */
  engineError = null;
  /** Address of the shop to try with on a test network. @type {string | null} */
  shop = null;
  /** Address of somebody who pays whoever asks, likewise. @type {string | null} */
  counterpart = null;
  /** Said to screen readers, and shown for a moment. */
  said = '';
  #saidTimer = 0;
  #visit = 0;
  /** True after the first place was shown. */
  visited = false;
  /** @type {Map<string, Entry>} */
  #cache = new Map();
  /** @type {Map<string, {busy: boolean, error: FairError | null}>} */
  #actions = new Map();
  #scheduled = false;
  /** @type {() => void} */
  #draw;

  /**
   * @param {Client} client
   * @param {() => void} draw
   */
  constructor(client, draw) {
    this.client = client;
    this.#draw = draw;
    for (const event of /** @type {const} */ (['status', 'sync', 'head', 'draft', 'batch', 'payment', 'invoice', 'channel', 'tower'])) {
      client.on(event, (detail) => this.#onEvent(event, detail));
    }
    client.on('error', (error) => { if (!STANDS_ON_PAGE.test(error.code)) this.say(error.message); });
    client.on('engine', (error) => { this.engineError = error; this.refresh(); });
    client.on('leader', ({ role }) => { if (role !== 'starting') this.#askAll(() => true); this.refresh(); });
  }

  /** Locale of numbers and dates. */
  get locale() {
    return localeOf(this.settings);
  }

  /** @param {Partial<import('./settings.js').Settings>} change */
  changeSettings(change) {
    this.settings = { ...this.settings, ...change };
    writeSettings(this.settings);
    applyTheme(this.settings);
    this.refresh();
  }

  refresh() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  /** @param {string} text one sentence for everybody, screen readers too */
  say(text) {
    this.said = text;
    clearTimeout(this.#saidTimer);
    this.#saidTimer = window.setTimeout(() => { this.said = ''; this.refresh(); }, 6000);
    this.refresh();
  }

  /** A new page begins: what was last used long ago is forgotten. */
  beginVisit() {
    this.#visit += 1;
    this.#actions.clear();
    for (const [key, entry] of this.#cache) if (this.#visit - entry.used > KEPT_VISITS) this.#cache.delete(key);
  }

  /**
   * The newest known answer of a read, asked for when first used and whenever it changed.
   * @template {Method} M
   * @param {M} method
   * @param {Params<M>} [params]
   * @returns {Answer<Result<M>>}
   */
  use(method, params) {
    const key = cacheKey(method, params);
    let entry = this.#cache.get(key);
    if (!entry) {
      entry = { method, params: params ?? null, answer: { value: undefined, error: null, busy: false }, again: false, used: 0 };
      this.#cache.set(key, entry);
      this.#ask(entry);
    }
    entry.used = this.#visit;
    return entry.answer;
  }

  /** @param {Entry} entry */
  async #ask(entry) {
    if (entry.answer.busy) {
      entry.again = true;
      return;
    }
    entry.answer.busy = true;
    do {
      entry.again = false;
      try {
        entry.answer.value = await /** @type {any} */ (this.client)[entry.method](entry.params);
        entry.answer.error = null;
      } catch (thrown) {
        entry.answer.error = asFairError(thrown);
      }
    } while (entry.again);
    entry.answer.busy = false;
    this.refresh();
  }

  /** @param {(entry: Entry) => boolean} which */
  #askAll(which) {
    for (const [key, entry] of this.#cache) {
      if (!which(entry)) continue;
      if (this.#visit - entry.used > 1) this.#cache.delete(key);
      else this.#ask(entry);
    }
  }

  /**
   * Asks again for what views use now.
   * @param {Method} method
   */
  again(method) {
    this.#askAll((entry) => entry.method === method);
  }

  /**
   * @param {keyof import('./api').Events} event
   * @param {any} detail
   */
  #onEvent(event, detail) {
    const carried = /** @type {Record<string, Method>} */ (CARRIED)[event];
    if (carried) this.put(carried, detail);
    if (event === 'sync' && detail.phase === 'live') this.#forgetWaiting();
    this.#askAll((entry) => entry.method !== carried && (CHANGED_BY[entry.method]?.includes(event)
      || (entry.answer.error !== null && (event === 'head' || event === 'status'))));
    this.refresh();
  }

  /**
   * Puts an answer that came otherwise than by asking.
   * @template {Method} M
   * @param {M} method
   * @param {Result<M>} value
   * @param {Params<M>} [params]
   */
  put(method, value, params) {
    if (method === 'status' && /** @type {any} */ (value).wallet !== 'unlocked') this.#forgetWallet();
    const key = cacheKey(method, params);
    const entry = this.#cache.get(key);
    if (entry) Object.assign(entry.answer, { value, error: null });
    else this.#cache.set(key, { method, params: params ?? null, answer: { value, error: null, busy: false }, again: false, used: this.#visit });
    this.refresh();
  }

  /**
   * Does something once at a time; its state is seen by `doing` and `problem`.
   * @param {string} name
   * @param {() => Promise<void>} work
   */
  async act(name, work) {
    if (this.#actions.get(name)?.busy) return;
    const action = { busy: true, error: /** @type {FairError | null} */ (null) };
    this.#actions.set(name, action);
    this.refresh();
    try {
      await work();
    } catch (thrown) {
      action.error = asFairError(thrown);
    }
    action.busy = false;
    this.refresh();
  }

  /** @param {string} name */
  doing(name) {
    return this.#actions.get(name)?.busy ?? false;
  }

  /** @param {string} name */
  problem(name) {
    return this.#actions.get(name)?.error ?? null;
  }

  /** @param {string} name */
  clearProblem(name) {
    const action = this.#actions.get(name);
    if (action && !action.busy) this.#actions.delete(name);
  }

  /** What could not be done for want of a newer block can be tried again. */
  #forgetWaiting() {
    for (const [name, { error }] of this.#actions) if (error && WAITS_FOR_CHAIN.has(error.code)) this.#actions.delete(name);
  }

  /** A locked or wiped wallet leaves nothing in the page, and a new one begins with nothing of it. */
  #forgetWallet() {
    for (const [key, { method }] of this.#cache) if (OF_WALLET.has(method)) this.#cache.delete(key);
  }

  /** The same place shows something else: whoever goes by ear or keyboard is at its beginning. */
  turn() {
    document.getElementById('main')?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
    this.refresh();
  }

  /** @param {number} id */
  asset(id) {
    return this.use('assets').value?.find((asset) => asset.id === id)
      ?? { id, ticker: `asset ${id}`, name: '', decimals: 0, supply: 0n };
  }

  /** @param {string} where */
  go(where) {
    location.hash = where;
  }
}

/**
 * @param {Method} method
 * @param {unknown} params
 */
function cacheKey(method, params) {
  return `${method} ${JSON.stringify(params ?? null, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))}`;
}
