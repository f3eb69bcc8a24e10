/**
 * The page's side of the engine: typed calls, events, and what happens when
 * the worker or the leading tab ends.
 *
 * A call waits until there is a leader, then goes to it. When the leader
 * changes, calls whose answer was lost are sent again if they may be repeated
 * (see api.d.ts, "Asking again"), else they reject with `engine.interrupted`.
 * A crashed worker is replaced; after several crashes in a row the page stops
 * trying and says so.
 */

import { FairError, shape } from './errors.js';

/** @typedef {import('./api').Method} Method */
/** @typedef {import('./api').Client} Client */
/** @typedef {import('./api').ClientEvents} ClientEvents */
/** @typedef {import('./api').FairErrorShape} FairErrorShape */
/** @typedef {import('./transport').ToWorker} ToWorker */
/** @typedef {import('./transport').ToPage} ToPage */
/**
 * @typedef {object} Pending
 * @property {number} id
 * @property {Method} method
 * @property {unknown} params
 * @property {string | null} term   leadership it was sent to
 * @property {number} sends
 * @property {(value: any) => void} resolve
 * @property {(error: FairError) => void} reject
 */

/** Every method, and whether a call whose answer was lost may be sent again. */
const METHODS = /** @type {const} */ ({
  status: true, create: false, confirmWords: true, restore: false, restoration: true, unlock: true, lock: true, wipe: false,
  words: true, changePassword: false, rawState: true,
  syncState: true, setRelays: true, dismissFailure: true, confirm: true, head: true, block: true, blocks: true, account: true,
  accounts: true, channelOnChain: true, validators: true, parameters: true, banks: true, assets: true, court: true, governance: true, snapshots: true,
  draft: true, draftAdd: false, draftRemove: true, signAndSend: true, batches: true, faucet: false,
  balances: true, channels: true, addBank: true, setCredit: true, requestInsurance: true, resume: true, dispute: true,
  requestWithdrawal: false, splice: true, address: true, createInvoice: true, cancelInvoice: true, invoices: true, decode: true,
  quote: true, pay: true, activity: true, payment: true, verifyProof: true, towers: true, addTower: true, removeTower: false,
});

const WORKER = new URL('./worker.js', import.meta.url).href;
/** A call that meets this many ends of the engine probably causes them. */
const MAX_SENDS = 2;
const MAX_CRASHES = 5;
const CRASH_WINDOW_MS = 60_000;
const RESTART_DELAY_MS = 250;

/** @type {{createScriptURL: (url: string) => any}} */
const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy('fair-worker', {
  createScriptURL(/** @type {string} */ url) {
    if (url !== WORKER) throw new TypeError('Only the wallet worker may be started');
    return url;
  },
}) ?? { createScriptURL: (url) => url };

/**
 * What this browser lacks to run the wallet; empty when nothing.
 * @returns {string[]}
 */
function missingFeatures() {
  const needed = {
    'WebAssembly': typeof WebAssembly === 'object',
    'Web Workers': typeof Worker === 'function',
    'Web Locks': 'locks' in navigator,
    'BroadcastChannel': typeof BroadcastChannel === 'function',
    'IndexedDB': typeof indexedDB === 'object',
    'a secure connection (https)': globalThis.isSecureContext,
  };
  return Object.entries(needed).filter(([, present]) => !present).map(([name]) => name);
}

/**
 * Starts the worker and returns the interface.
 * @param {{name: string, relays: string[]}} options
 * @returns {Client}
 */
export function connect({ name, relays }) {
  const missing = missingFeatures();
  if (missing.length > 0) {
    throw new FairError(shape('browser.unsupported', `This browser lacks ${missing.join(', ')}`, { data: { missing } }));
  }
  const link = new Link(name, relays);
  /** @type {Record<string, unknown>} */
  const methods = {};
  for (const method of /** @type {Method[]} */ (Object.keys(METHODS))) {
    methods[method] = (/** @type {unknown} */ params = null, /** @type {import('./api').CallOptions} */ options = {}) =>
      link.call(method, params, options.signal);
  }
  return /** @type {Client} */ (/** @type {unknown} */ (Object.freeze(Object.defineProperties(methods, {
    role: { get: () => link.role, enumerable: true },
    on: { value: link.on.bind(link) },
    events: { value: link.events.bind(link) },
    close: { value: link.close.bind(link) },
  }))));
}

class Link {
  #name;
  #relays;
  /** @type {Worker | null} */
  #worker = null;
  /** @type {string | null} */
  #term = null;
  /** @type {ClientEvents['leader']['role']} */
  role = 'starting';
  #nextId = 1;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #target = new EventTarget();
  #stop = new AbortController();
  /** Set when no worker will be started any more. @type {FairError | null} */
  #dead = null;
  /** @type {number[]} */
  #crashes = [];

  /**
   * @param {string} name
   * @param {string[]} relays
   */
  constructor(name, relays) {
    this.#name = name;
    this.#relays = relays;
    this.#startWorker();
  }

  #startWorker() {
    const worker = new Worker(policy.createScriptURL(WORKER), { type: 'module', name: `fair-${this.#name}` });
    this.#worker = worker;
    worker.addEventListener('message', ({ data }) => this.#onMessage(worker, data));
    // Only a worker whose script cannot be loaded ends up here; it reports the rest itself.
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      this.#onDown(worker, shape('engine.load_failed', event.message || 'The worker could not be started'), true);
    });
    this.#post({ type: 'start', name: this.#name, relays: this.#relays });
  }

  /** @param {ToWorker} message */
  #post(message) {
    this.#worker?.postMessage(message);
  }

  /**
   * @param {Method} method
   * @param {unknown} params
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  call(method, params, signal) {
    if (this.#dead) return Promise.reject(this.#dead);
    if (signal?.aborted) return Promise.reject(aborted());
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      /** @type {Pending} */
      const pending = { id, method, params, term: null, sends: 0, resolve, reject };
      this.#pending.set(id, pending);
      signal?.addEventListener('abort', () => {
        if (!this.#pending.delete(id)) return;
        this.#post({ type: 'abort', id });
        reject(aborted());
      }, { once: true });
      this.#send(pending);
    });
  }

  /** @param {Pending} pending */
  #send(pending) {
    if (this.#term === null || pending.term === this.#term) return;
    if (pending.term !== null && (!METHODS[pending.method] || pending.sends >= MAX_SENDS)) {
      this.#pending.delete(pending.id);
      pending.reject(new FairError(shape('engine.interrupted',
        'The wallet restarted before it could answer. Look whether it was done before trying again.', { retryable: true })));
      return;
    }
    pending.term = this.#term;
    pending.sends += 1;
    this.#post({ type: 'call', id: pending.id, method: pending.method, params: pending.params });
  }

  /**
   * @param {Worker} worker
   * @param {ToPage} message
   */
  #onMessage(worker, message) {
    if (worker !== this.#worker) return;
    switch (message.type) {
      case 'leader':
        this.#term = message.term;
        this.role = message.role;
        this.#emit('engine', null);
        this.#emit('leader', { role: message.role });
        for (const pending of [...this.#pending.values()]) this.#send(pending);
        break;
      case 'answer': {
        const pending = this.#pending.get(message.id);
        if (!pending) break;
        this.#pending.delete(message.id);
        if (message.error) pending.reject(new FairError(message.error));
        else pending.resolve(message.result);
        break;
      }
      case 'event':
        this.#emit(/** @type {any} */ (message.event.type), /** @type {any} */ (message.event.detail));
        break;
      case 'down':
        this.#onDown(worker, message.error, message.fatal);
        break;
    }
  }

  /**
   * @param {Worker} worker
   * @param {FairErrorShape} error
   * @param {boolean} fatal
   */
  #onDown(worker, error, fatal) {
    if (worker !== this.#worker) return;
    worker.terminate();
    this.#worker = null;
    this.#term = null;
    this.role = 'starting';
    const now = performance.now();
    this.#crashes = [...this.#crashes.filter((at) => now - at < CRASH_WINDOW_MS), now];
    if (fatal || this.#crashes.length > MAX_CRASHES) this.#die(new FairError({ ...error, retryable: false }));
    else setTimeout(() => { if (!this.#dead) this.#startWorker(); }, RESTART_DELAY_MS * this.#crashes.length);
    this.#emit('engine', this.#dead ?? error);
    this.#emit('leader', { role: 'starting' });
  }

  /** @param {FairError} error */
  #die(error) {
    this.#dead = error;
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }

  /**
   * @template {keyof ClientEvents} E
   * @param {E} event
   * @param {ClientEvents[E]} detail
   */
  #emit(event, detail) {
    this.#target.dispatchEvent(new CustomEvent(event, { detail }));
  }

  /**
   * @template {keyof ClientEvents} E
   * @param {E} event
   * @param {(detail: ClientEvents[E]) => void} listener
   */
  on(event, listener) {
    const handler = (/** @type {Event} */ e) => listener(/** @type {CustomEvent} */ (e).detail);
    this.#target.addEventListener(event, handler);
    return () => this.#target.removeEventListener(event, handler);
  }

  /**
   * @template {keyof ClientEvents} E
   * @param {E} event
   * @param {AbortSignal} [signal]
   * @returns {AsyncIterableIterator<ClientEvents[E]>}
   */
  async *events(event, signal) {
    /** @type {ClientEvents[E][]} */
    const waiting = [];
    let wake = () => {};
    const off = this.on(event, (detail) => { waiting.push(detail); wake(); });
    const stops = [this.#stop.signal, ...(signal ? [signal] : [])];
    const onStop = () => wake();
    for (const stop of stops) stop.addEventListener('abort', onStop);
    try {
      while (!stops.some((stop) => stop.aborted)) {
        const next = waiting.shift();
        if (next !== undefined) yield next;
        else await new Promise((resolve) => { wake = () => resolve(undefined); });
      }
    } finally {
      off();
      for (const stop of stops) stop.removeEventListener('abort', onStop);
    }
  }

  close() {
    this.#stop.abort();
    this.#worker?.terminate();
    this.#worker = null;
    this.#term = null;
    this.#die(new FairError(shape('engine.closed', 'The wallet was closed')));
  }
}

const aborted = () => new FairError(shape('engine.aborted', 'Stopped', { retryable: true }));

