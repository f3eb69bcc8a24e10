/**
 * The worker: one per tab, one of them leads.
 *
 * Every tab's worker asks for the Web Lock `fair-wallet-<name>`. Whoever holds it
 * loads the wasm engine and is the only writer; the others pass their page's
 * calls to it over a BroadcastChannel of the same name and pass its events back.
 * A worker that ends frees the lock, and the next in line takes over.
 *
 * Calls run strictly one after another, whichever tab they come from. A call is
 * addressed to a term (one leadership), so none reaches a leader it was not
 * meant for. An error that is not a typed one means that the engine is
 * poisoned: the worker says so and ends; its page starts a new one.
 */

import { isShape, shape } from './errors.js';

/** @typedef {import('./transport').ToPage} ToPage */
/** @typedef {import('./transport').ToWorker} ToWorker */
/** @typedef {import('./transport').OnChannel} OnChannel */
/** @typedef {import('./api').FairErrorShape} FairErrorShape */
/** @typedef {{from: string, id: number, method: import('./api').Method, params: unknown, abort: AbortController}} Call */

/** Built by `cargo xtask bundle`, served beside the pages. */
const MODULE = new URL('../pkg/fair_web.js', import.meta.url).href;
const WASM = new URL('../pkg/fair_web_bg.wasm', import.meta.url);

const tab = crypto.randomUUID();
/** @type {BroadcastChannel} */
let channel;
/** @type {import('./api').Engine | null} */
let engine = null;
/** Set together with the engine. @type {typeof import('./api').verifyProof | null} */
let verifyProof = null;
/** Of the present leader, which may be this worker. @type {string | null} */
let term = null;
let leading = false;
let ended = false;

/** Calls not answered yet, in order; the first one runs. @type {Call[]} */
const queue = [];
let running = false;

/** @param {ToPage} message */
const toPage = (message) => self.postMessage(message);
/** @param {OnChannel} message */
const toTabs = (message) => channel.postMessage(message);

self.addEventListener('message', (/** @type {MessageEvent<ToWorker>} */ { data }) => {
  if (data.type === 'start') start(data.name, data.relays);
  else if (leading) onCall(tab, data);
  else if (term !== null) toTabs({ ...data, from: tab, term });
});

// A panic inside a spawned future surfaces here and nowhere else.
self.addEventListener('error', (event) => end(crash(event.error ?? event.message), false));
self.addEventListener('unhandledrejection', (event) => end(crash(event.reason), false));

/**
 * @param {string} name
 * @param {string[]} relays
 */
function start(name, relays) {
  channel = new BroadcastChannel(`fair-wallet-${name}`);
  channel.addEventListener('message', ({ data }) => onTab(data));
  toTabs({ type: 'who' });
  navigator.locks.request(`fair-wallet-${name}`, () => lead(name, relays));
}

/**
 * Runs the engine until this worker ends. Holding the returned promise open
 * is holding the lock.
 * @param {string} name
 * @param {string[]} relays
 */
async function lead(name, relays) {
  try {
    /** @type {any} */
    const module = await import(MODULE).catch(notLoaded);
    await module.default({ module_or_path: WASM }).catch(notLoaded);
    engine = await /** @type {import('./api').EngineClass} */ (module.Engine).open({ name, relays, onEvent: publish });
    verifyProof = module.verifyProof;
  } catch (thrown) {
    const error = isShape(thrown) ? thrown : crash(thrown);
    return end(error, isShape(thrown) && !thrown.retryable);
  }
  leading = true;
  term = crypto.randomUUID();
  toPage({ type: 'leader', role: 'leading', term });
  toTabs({ type: 'leader', term });
  return new Promise(() => {});
}

/** @param {unknown} reason @returns {never} */
function notLoaded(reason) {
  throw shape('engine.load_failed', `The wallet engine could not be loaded: ${text(reason)}`, { retryable: false });
}

/** @param {{type: string, detail: unknown}} event */
function publish(event) {
  toPage({ type: 'event', event });
  toTabs({ type: 'event', event });
}

/** @param {OnChannel} message */
function onTab(message) {
  switch (message.type) {
    case 'who':
      if (leading && term !== null) toTabs({ type: 'leader', term });
      break;
    case 'leader':
      if (leading || message.term === term) break;
      term = message.term;
      toPage({ type: 'leader', role: 'following', term });
      break;
    case 'call':
    case 'abort':
      if (leading && message.term === term) onCall(message.from, message);
      break;
    case 'answer':
      if (message.to === tab) toPage({ type: 'answer', id: message.id, result: message.result, error: message.error });
      break;
    case 'event':
      if (!leading) toPage(message);
      break;
  }
}

/** @param {Call} call */
function resultOf({ method, params, abort }) {
  if (method === 'verifyProof') {
    const { text, chainId } = /** @type {Parameters<import('./api').Fair['verifyProof']>[0]} */ (params);
    return /** @type {NonNullable<typeof verifyProof>} */ (verifyProof)(text, chainId);
  }
  return /** @type {import('./api').Engine} */ (engine).call(method, params, abort.signal);
}

/**
 * @param {string} from
 * @param {Extract<ToWorker, {type: 'call' | 'abort'}>} message
 */
function onCall(from, message) {
  if (message.type === 'abort') {
    const index = queue.findIndex((call) => call.from === from && call.id === message.id);
    if (index < 0) return;
    queue[index].abort.abort();
    if (index > 0 || !running) queue.splice(index, 1);
    return;
  }
  const { id, method, params } = message;
  queue.push({ from, id, method, params, abort: new AbortController() });
  if (!running) run();
}

async function run() {
  running = true;
  for (let call = queue[0]; call && !ended; call = queue[0]) {
    try {
      answer(call, { result: await resultOf(call) });
    } catch (thrown) {
      if (!isShape(thrown)) return end(crash(thrown), false);
      answer(call, { error: plain(thrown) });
    }
    queue.shift();
  }
  running = false;
}

/**
 * @param {Call} call
 * @param {{result?: unknown, error?: FairErrorShape}} outcome
 */
function answer(call, outcome) {
  if (call.from === tab) toPage({ type: 'answer', id: call.id, ...outcome });
  else toTabs({ type: 'answer', to: call.from, id: call.id, ...outcome });
}

/**
 * @param {FairErrorShape} error
 * @param {boolean} fatal
 */
function end(error, fatal) {
  if (ended) return;
  ended = true;
  leading = false;
  toPage({ type: 'down', error: plain(error), fatal });
  channel?.close();
  self.close();
}

/** Only what survives structured cloning. @param {FairErrorShape} thrown */
function plain({ code, message, retryable, data }) {
  return { code, message, retryable: Boolean(retryable), data: data ?? null };
}

/** @param {unknown} thrown */
function crash(thrown) {
  return shape('engine.crashed', `The wallet engine stopped: ${text(thrown)}`, { retryable: true });
}

/** @param {unknown} thrown */
function text(thrown) {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
