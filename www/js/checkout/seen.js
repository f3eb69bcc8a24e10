/** Another page may put something under the payer's finger: what has been shown so long can be paid. */
const SEEN_MS = 1_000;

export class Seen {
  #app;
  /** @type {symbol | null} */
  #shown = null;
  isLong = false;

  /** @param {import('../app.js').App} app */
  constructor(app) {
    this.#app = app;
  }

  /** It is shown from now on, or is already. */
  begin() {
    if (this.#shown !== null) return;
    const mine = Symbol('shown');
    this.#shown = mine;
    setTimeout(() => {
      if (this.#shown !== mine) return;
      this.isLong = true;
      this.#app.refresh();
    }, SEEN_MS);
  }

  /** Something else is shown. */
  forget() {
    this.#shown = null;
    this.isLong = false;
  }
}
