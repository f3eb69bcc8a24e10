// A scripted engine in place of the wasm one, to test what stands around it: client and worker.

export default async function init() {}

let running = 0;

export class Engine {
  static async open(config) {
    const engine = new Engine();
    engine.onEvent = config.onEvent;
    engine.born = Math.random();
    engine.log = [];
    return engine;
  }

  async call(method, params) {
    running += 1;
    try {
      return await this.#answer(method, params);
    } finally {
      running -= 1;
    }
  }

  async #answer(method, params) {
    if (running !== 1) throw { code: 'test.overlap', message: 'two calls at once', retryable: false, data: null };
    this.log.push(method);
    switch (method) {
      case 'status': return { born: this.born, amount: 2n ** 62n };
      case 'decode': throw { code: 'payment.malformed', message: 'not an invoice', retryable: false, data: { available: 5n } };
      case 'rawState': return { json: JSON.stringify(this.log) };
      case 'signAndSend': this.onEvent({ type: 'batch', detail: { key: params.key } }); return { key: params.key };
      // Waits for the next task, so that others can queue up behind it.
      case 'quote': await new Promise((resolve) => setTimeout(resolve, 50)); return { fee: 0n };
      // Panics once per profile: the second engine finds the mark.
      case 'pay': case 'create': if (await this.#first(method)) throw new WebAssembly.RuntimeError('unreachable'); return { id: params?.key ?? '' };
      // As a panic inside a spawned future: the call never returns.
      case 'balances': if (await this.#first(method)) { setTimeout(() => { throw new WebAssembly.RuntimeError('unreachable'); }); return new Promise(() => {}); } return [];
      case 'wipe': throw new WebAssembly.RuntimeError('unreachable, always');
      default: return null;
    }
  }

  async #first(name) {
    const cache = await caches.open('engine-test');
    const url = `/mark/${name}`;
    const seen = await cache.match(url);
    await cache.put(url, new Response(''));
    return seen === undefined;
  }
}
