/**
 * `<fair-time at="1700000000000" locale="en-US">`: a relative time that keeps
 * itself current, with the exact one as tooltip and for screen readers.
 */

import { everySecond } from '../clock.js';
import { exactTime, relativeTime } from '../format.js';

export class FairTime extends HTMLElement {
  static observedAttributes = ['at', 'locale'];
  #time = document.createElement('time');
  /** @type {(() => void) | null} */
  #stop = null;

  connectedCallback() {
    this.append(this.#time);
    this.#stop = everySecond(() => this.#showRelative());
    this.#show();
  }

  disconnectedCallback() {
    this.#stop?.();
    this.#stop = null;
  }

  attributeChangedCallback() {
    if (this.isConnected) this.#show();
  }

  get #at() {
    return Number(this.getAttribute('at'));
  }

  get #locale() {
    return this.getAttribute('locale') ?? 'en-US';
  }

  #show() {
    if (!Number.isFinite(this.#at)) return;
    const exact = exactTime(this.#at, this.#locale);
    this.#time.dateTime = new Date(this.#at).toISOString();
    this.#time.title = exact;
    this.#showRelative();
  }

  #showRelative() {
    const text = relativeTime(this.#at, Date.now(), this.#locale);
    if (this.#time.textContent !== text) this.#time.textContent = text;
  }
}
