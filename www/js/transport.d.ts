/** Messages between a page, its worker, and the workers of other tabs. */
import type { FairErrorShape, Method } from './api';

/** Page to its worker. */
export type ToWorker =
  | { type: 'start'; name: string; relays: string[] }
  | { type: 'call'; id: number; method: Method; params: unknown }
  | { type: 'abort'; id: number };

/** Worker to its page. */
export type ToPage =
  /** A leader is there; `term` changes with every new one. */
  | { type: 'leader'; role: 'leading' | 'following'; term: string }
  | { type: 'answer'; id: number; result?: unknown; error?: FairErrorShape }
  | { type: 'event'; event: { type: string; detail: unknown } }
  /** The engine is gone or never came; `fatal`: starting again cannot help. */
  | { type: 'down'; error: FairErrorShape; fatal: boolean };

/** Between workers, over the BroadcastChannel `fair-wallet-<name>`. */
export type OnChannel =
  | { type: 'who' }
  | { type: 'leader'; term: string }
  | { type: 'call'; from: string; term: string; id: number; method: Method; params: unknown }
  | { type: 'abort'; from: string; term: string; id: number }
  | { type: 'answer'; to: string; id: number; result?: unknown; error?: FairErrorShape }
  | { type: 'event'; event: { type: string; detail: unknown } };
