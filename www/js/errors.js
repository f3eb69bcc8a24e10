/**
 * The one error type of the pages: a stable code, a sentence, whether trying
 * again can help, and what was expected and what came.
 */

/** @typedef {import('./api').FairErrorShape} FairErrorShape */

/** @implements {FairErrorShape} */
export class FairError extends Error {
  /** @param {FairErrorShape} shape */
  constructor(shape) {
    super(shape.message);
    this.name = 'FairError';
    this.code = shape.code;
    this.retryable = shape.retryable;
    this.data = shape.data;
  }
}

/**
 * @param {string} code
 * @param {string} message
 * @param {{retryable?: boolean, data?: Record<string, unknown> | null}} [more]
 * @returns {FairErrorShape}
 */
export function shape(code, message, more = {}) {
  return { code, message, retryable: more.retryable ?? false, data: more.data ?? null };
}

/**
 * True for what the engine throws on purpose. Anything else it throws is a crash.
 * @param {unknown} thrown
 * @returns {thrown is FairErrorShape}
 */
export function isShape(thrown) {
  return typeof thrown === 'object' && thrown !== null
    && typeof /** @type {any} */ (thrown).code === 'string'
    && typeof /** @type {any} */ (thrown).message === 'string';
}

/**
 * Anything thrown, as a FairError.
 * @param {unknown} thrown
 */
export function asFairError(thrown) {
  if (thrown instanceof FairError) return thrown;
  if (isShape(thrown)) return new FairError(thrown);
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new FairError(shape('page.unexpected', text));
}
