/**
 * The interface between the pages and the wallet engine.
 *
 * The engine is the wasm module in a worker. Pages never see it: they hold a
 * `Fair` (made by `connect` in client.js), whose methods are promises. Every
 * method takes at most one parameter object and has the same name on the wasm
 * side, where it is one case of `engine.call(method, params, signal)`.
 *
 * Units and shapes
 * - `Amount`: bigint in the asset's smallest unit, never negative.
 *   `Signed`: bigint that may be negative. No amount is ever a number.
 * - Heights, ids, counts, shares, block counts: integers as number (u32 or f64
 *   on the wasm side, below 2^53).
 * - Times: milliseconds since 1970 as number. Block times come from headers,
 *   `…At` of this device from its clock.
 * - Keys and hashes: lower-case hex without prefix. Proofs, invoices and
 *   addresses: their canonical text.
 * - Absent: null, never undefined, never a magic value.
 *
 * Time: a method returns as soon as its own effect is durable (or the answer
 * is computed). What waits for a block, a bank or a relay is reported by an
 * event, and can be asked for again at any moment by the matching read.
 *
 * Asking again: reads have no effect. `pay`, `createInvoice`, `signAndSend`
 * and `splice` take a `key` chosen by the caller; the same key again returns the
 * same record and does nothing twice. `createInvoice` rejects `input.key_used` when
 * something else is asked for under a used key. Everything else sets a state and may be
 * repeated.
 */

export type Amount = bigint;
export type Signed = bigint;
export type Hex = string;
export type Height = number;
export type TimeMs = number;
export type AssetId = number;

// ------------------------------------------------------------------ errors

/**
 * Every rejected promise carries this. `code` is stable and has a room before
 * the dot: `engine`, `browser`, `storage`, `wallet`, `relay`, `chain`, `batch`,
 * `faucet`, `channel`, `payment`, `input`, `snapshot`. `message` is one English sentence.
 * `retryable` says whether the same call can succeed later without a change.
 * `data` holds what was expected and what came, if that is known:
 * `{expected, got}`, `{height, relay}`, `{available, asset}`, `{field}`.
 */
export interface FairErrorShape {
  code: string;
  message: string;
  retryable: boolean;
  data: Record<string, unknown> | null;
}

// ----------------------------------------------------------------- general

/** Somebody with a key. `id` is null before registration on-chain. */
export interface AccountRef {
  id: number | null;
  key: Hex;
  /** A bank's handle without the `@`, else null. */
  handle: string | null;
  /** True for the own account of this wallet. */
  you: boolean;
}

export interface Asset {
  id: AssetId;
  ticker: string;
  name: string;
  decimals: number;
  supply: Amount;
}

export interface AssetAmount { asset: AssetId; amount: Amount }

/** A QR code: `size` × `size` modules, row by row, 1 is dark, without quiet zone. */
export interface Qr { size: number; modules: Uint8Array }

/** Where an answer about the chain comes from. */
export interface VerifiedAt {
  height: Height;
  /** Time of that block. */
  time: TimeMs;
  stateRoot: Hex;
}

export interface Status {
  /** Version of the engine. */
  version: string;
  /** null until a genesis document is known. `test` networks may have a faucet. */
  network: { name: string; chainId: Hex; test: boolean; faucet: boolean } | null;
  wallet: 'none' | 'locked' | 'unlocked';
  /** False until `confirmWords` succeeded. */
  wordsConfirmed: boolean;
  /** Known while a wallet exists, also when it is locked. */
  account: AccountRef | null;
  /** Set when a write failed: the wallet shows everything and changes nothing. */
  readOnly: FairErrorShape | null;
  /** Whether the browser promised to keep what is stored (navigator.storage.persisted()); null where it cannot be asked. */
  persisted: boolean | null;
}

/** How far a wallet made from its words is with getting its channels back. */
export interface Restoration {
  /** The banks that are asked; null until the chain is verified up to its head. */
  banks: { bank: AccountRef; state: RestoreState }[] | null;
}

/** `asked`: no answer yet. `nothing`: it knows nothing of this wallet. `adopted`: its newest state was taken over, a new block and its signature must come. `restored`: the channel works as before. */
export type RestoreState = 'asked' | 'nothing' | 'adopted' | 'restored';

// ------------------------------------------------------------------- chain

export interface RelayState {
  url: string;
  /** `dropped`: it served something that does not verify; `error` says what. */
  state: 'connecting' | 'online' | 'offline' | 'dropped';
  /** Height that it announces, unverified. */
  head: Height | null;
  /** Hash of that block, as unverified. */
  hash: Hex | null;
  error: FairErrorShape | null;
}

/** Something served to us that does not verify. Nothing of it was used. */
export interface VerificationFailure {
  /** `chain.…` or `snapshot.…`, one code per check. Of a snapshot, `data.file` is the place in it. */
  error: FairErrorShape;
  relay: string;
  height: Height | null;
  at: TimeMs;
}

export interface SyncState {
  /**
   * `connecting`: nothing heard yet. `syncing`: verifying blocks. `live`: at the head.
   * `stale`: the head is older than allowed. `offline`: no relay answers.
   * `failed`: what the relays serve does not verify, and none is left.
   * `forked`: two certified blocks at one height; signing has stopped.
   * `expired`: the newest block is older than K.trust_period; nothing is fetched or signed until a person confirms a
   * newer one (`confirm`).
   */
  phase: 'connecting' | 'syncing' | 'live' | 'stale' | 'offline' | 'failed' | 'forked' | 'expired';
  mode: 'full' | 'light';
  /** The snapshot that the chain begins with here: blocks up to its height are not stored. null: genesis. */
  base: { height: Height; hash: Hex } | null;
  /** A snapshot being fetched and verified: compressed bytes. */
  snapshot: { height: Height; bytesDone: number; bytesTotal: number; secondsLeft: number | null } | null;
  /** Newest verified block, null before the first. */
  verified: VerifiedAt | null;
  /** Its hash. */
  hash: Hex | null;
  /** `chain.expired`, in that phase: data.trusted_ms, data.now_ms, data.trust_period_ms. */
  expired: FairErrorShape | null;
  /** `height:hash` that a person confirmed last. */
  confirmed: string | null;
  /** No relay has the blocks or the snapshot that would lead on. */
  stuck: boolean;
  /** This device's time when that block was verified. */
  verifiedAt: TimeMs | null;
  /** Progress of the running sync; `target` is what relays announce. */
  target: Height | null;
  blocksDone: number;
  blocksTotal: number;
  bytesDone: number;
  secondsLeft: number | null;
  relays: RelayState[];
  /** Newest refused thing until `dismissFailure`. */
  failure: VerificationFailure | null;
}

/** A snapshot that relays list. */
export interface Snapshot {
  height: Height;
  /** Of its manifest: its identity, the same on every node. */
  hash: Hex;
  /** The block after which it has the state, as the relay says. */
  block: Hex;
  /** Of the archive. */
  bytes: number;
  /** The archive, at every relay that lists it. */
  urls: string[];
  /**
   * `begun`: verified whole; the chain begins with it here. `block_verified`: its block is verified here, the archive
   * was not read. `other_block`: another block than it names is verified here. `unknown`: its block is not stored here.
   */
  state: 'begun' | 'block_verified' | 'other_block' | 'unknown';
}

export interface Signature { validator: AccountRef; shares: number; signed: boolean }

export interface BlockSummary {
  height: Height;
  hash: Hex;
  time: TimeMs;
  proposer: AccountRef;
  /** One per validator of that height, in set order. */
  signatures: Signature[];
  batches: number;
  operations: number;
  bytes: number;
}

export interface Block extends BlockSummary {
  version: number;
  round: number;
  previous: Hex;
  usable: number;
  batchesRoot: Hex;
  stateRoot: Hex;
  validatorsHash: Hex;
  nextValidatorsHash: Hex;
  parametersHash: Hex;
  /** What fell due at its start, before its batches. */
  openings: Opening[];
  contents: Batch[];
  mode: 'full' | 'light';
}

/** What fell due: a dispute resolved, or a proposal decided or put into effect. */
export interface Opening { event: OpeningEvent; flows: Flow[] }

export type OpeningEvent =
  /** `epoch`: of the channel from now on. `frame`: of the state by which it was split, 0 for the default state. */
  | { kind: 'resolved'; left: AccountRef; right: AccountRef; epoch: number; frame: number; assets: Split[] }
  | { kind: 'proposal'; id: number; state: ProposalState };

/** How court splits one asset. `owed` beyond the insurance = `paid` from the debtor's on-chain balance + `debt`. */
export interface Split {
  asset: AssetId;
  insurance: Amount;
  delta: Signed;
  left: Amount;
  right: Amount;
  debtor: Side | null;
  owed: Amount;
  paid: Amount;
  debt: Amount;
}

export type Side = 'left' | 'right';

/** Money that came to a place (or left it, negative): an on-chain balance, or with `partner` one side of a channel. */
export interface Flow {
  asset: AssetId;
  amount: Signed;
  account: AccountRef;
  partner: AccountRef | null;
  purpose: 'transfer' | 'creation_fee' | 'standalone_balance' | 'resolution' | 'enforcement' | 'debt' | 'issue';
}

export interface Batch {
  hash: Hex;
  signer: AccountRef;
  nonce: number;
  validUntil: Height;
  /** In FRD units per 1,000 bytes. */
  feeRate: Amount;
  bytes: number;
  /** FRD paid to the proposer. */
  fee: Amount;
  operations: ExecutedOperation[];
  /** What of older debts was paid on the way. */
  debts: Flow[];
}

export interface ExecutedOperation {
  operation: Operation;
  /** Neighbours with one group applied or were skipped together. */
  group: number | null;
  receipt: Receipt;
}

/** `reason.code` is `batch.…`. `registered`: the account that this operation created. */
export type Receipt =
  | { state: 'applied'; registered: AccountRef | null }
  | { state: 'skipped'; reason: FairErrorShape };

export type Operation =
  | { kind: 'deposit'; asset: AssetId; amount: Amount; to: AccountRef;
      /** null: to the on-chain balance. Else into the channel with partner, on `to`'s side. */
      partner: AccountRef | null; keep: Amount | null; epoch: number | null; invoice: Hex | null }
  | { kind: 'withdraw'; asset: AssetId; amount: Amount; withdrawer: AccountRef; partner: AccountRef;
      nonce: number; expiresAt: number }
  /** `frame` of the state that it shows; null: the default state. */
  | { kind: 'dispute'; partner: AccountRef; frame: number | null }
  | { kind: 'answer'; left: AccountRef; right: AccountRef; frame: number }
  | { kind: 'reveal'; hashes: Hex[] }
  | { kind: 'propose'; action: GovernanceAction; text: string }
  | { kind: 'vote'; proposal: number; approve: boolean; rationale: string }
  | { kind: 'create_asset'; ticker: string; name: string; decimals: number; supply: Amount }
  | { kind: 'register_bank' | 'update_bank' } & BankTerms;

/** What a bank is registered with. */
export interface BankTerms { handle: string; url: string; feeFlat: Amount; feePpm: number; insurancePrice: Amount }

/** What a proposal would change, compared with what is in force (for one that took effect: with what was before it). */
export type GovernanceAction =
  | { kind: 'set_parameters'; changes: { name: string; unit: string; from: bigint; to: bigint }[] }
  | { kind: 'set_validators'; changes: { account: AccountRef; from: ValidatorTerms | null; to: ValidatorTerms | null }[] }
  | { kind: 'remove_bank'; bank: AccountRef }
  | { kind: 'rename_asset'; asset: AssetId; ticker: string; name: string }
  | { kind: 'release'; version: number; height: Height; bundle: Hex };

export interface ValidatorTerms { signingKey: Hex; shares: number; url: string }

/** `effective`, `at`: usable block counts. `void`: accepted, but what would result breaks a rule. */
export type ProposalState =
  | { kind: 'open' } | { kind: 'accepted'; effective: number } | { kind: 'executed'; at: number } | { kind: 'rejected' } | { kind: 'void' };

export interface Proposal {
  id: number;
  proposer: AccountRef;
  action: GovernanceAction;
  text: string;
  /** Last usable block count at which votes are taken. */
  votesUntil: number;
  state: ProposalState;
  /** Of all validators together at the tally, as far as they are decided by now, and how many of them decide. */
  shares: number;
  needed: number;
  /** With the shares that each has of these. */
  votes: { account: AccountRef; shares: number; approve: boolean; rationale: string }[];
}

export interface Governance {
  /** Usable block count. */
  now: number;
  /** Version of the rules that this client knows. */
  version: number;
  /** 0: this wallet's account is no validator's. */
  sharesOfYou: number;
  /** Newest first. */
  proposals: Proposal[];
  releases: { version: number; height: Height; bundle: Hex }[];
}

/** A channel in court. Usable block counts: answers count up to `answersUntil`; at `end` it is resolved, or looked at again for its locks. */
export interface Dispute {
  left: AccountRef;
  right: AccountRef;
  starter: Side;
  start: number;
  answersUntil: number;
  end: number;
  now: number;
  /** Of the newest state shown; null: the default state. */
  frame: number | null;
  assets: CourtAsset[];
}

/** How it would be split with the secrets revealed by now; `locks` wait for theirs. */
export interface CourtAsset { split: Split; locks: number; locked: Amount }

/** `place`: 1 is paid next. */
export interface Debt { debtor: AccountRef; creditor: AccountRef; asset: AssetId; number: number; place: number; amount: Amount }

export interface Court { disputes: Dispute[]; debts: Debt[] }

export interface Account {
  account: AccountRef;
  balances: AssetAmount[];
  nonce: number;
  channels: ChainChannel[];
  validator: { shares: number } | null;
  bank: Bank | null;
  /** Newest batches that it signed or that named it, and what fell due for it, at most 20. */
  recent: { height: Height; time: TimeMs; batch: Batch | null; opening: Opening | null }[];
  at: VerifiedAt;
}

export interface AccountRow { account: AccountRef; balances: AssetAmount[]; channels: number }

/** A channel as the chain knows it. `offdelta` is known to its parties only. */
export interface ChainChannel {
  left: AccountRef;
  right: AccountRef;
  epoch: number;
  assets: { asset: AssetId; insurance: Amount; ondelta: Signed; offdelta: Signed | null }[];
  at: VerifiedAt;
}

export interface Validator { account: AccountRef; signingKey: Hex; shares: number; url: string; next: boolean }

export interface Bank {
  account: AccountRef;
  handle: string;
  urls: string[];
  /** Fee of a mediated payment: `feeFlat` in the asset + `feePpm` millionths, rounded up. */
  feeFlat: Amount;
  feePpm: number;
  insurancePrice: Amount;
  /** Insurance in all its channels. */
  insured: AssetAmount[];
  channels: number;
}

/** One value of K. `unit` is a word such as `ms`, `blocks`, `bytes`, `FRD`, `%`. */
export interface Parameter { name: string; value: bigint; unit: string; meaning: string }

// ------------------------------------------------------------------- batch

/** What a page may put into the draft. `to`, `partner`, `account`, `bank`: id, key, address or `@handle`. `invoice`: a public tag of at most 32 bytes, as text or 64 hexadecimal digits. */
export type DraftOperation =
  | { kind: 'deposit'; asset: AssetId; amount: Amount; to: string; partner: string | null; invoice: string | null }
  | { kind: 'create_asset'; ticker: string; name: string; decimals: number; supply: Amount }
  | { kind: 'register_bank' | 'update_bank' } & BankTerms
  | { kind: 'propose'; action: DraftAction; text: string }
  | { kind: 'vote'; proposal: number; approve: boolean; rationale: string };

/** `set_parameters`: by name, the others stay. `set_validators`: the whole set. */
export type DraftAction =
  | { kind: 'set_parameters'; changes: { name: string; value: bigint }[] }
  | { kind: 'set_validators'; validators: ({ account: string } & ValidatorTerms)[] }
  | { kind: 'remove_bank'; bank: string }
  | { kind: 'rename_asset'; asset: AssetId; ticker: string; name: string }
  | { kind: 'release'; version: number; height: Height; bundle: Hex };

/** Actions waiting to be signed. Granted withdrawals and splices arrive here by themselves. */
export interface Draft {
  actions: { id: number; operation: Operation; group: number | null;
    /** Why it would be skipped right now. */
    problem: FairErrorShape | null }[];
  bytes: number;
  /** In FRD units per 1,000 bytes. */
  feeRate: Amount;
  fee: Amount;
  /** Why the whole cannot be sent now: unregistered, not enough FRD, a batch still waiting. */
  problem: FairErrorShape | null;
}

/** A batch of ours. `operations[].receipt` is null until it is included. */
export interface SentBatch {
  key: string;
  hash: Hex;
  nonce: number;
  state: 'sending' | 'waiting' | 'included' | 'expired';
  sentAt: TimeMs;
  validUntil: Height;
  fee: Amount;
  height: Height | null;
  time: TimeMs | null;
  operations: { operation: Operation; group: number | null; receipt: Receipt | null }[];
  /** Newest trouble in delivering it; it is sent again by itself. */
  error: FairErrorShape | null;
}

// ---------------------------------------------------------------- payments

/**
 * Own money in channels, by what stands behind it.
 * `insured + uninsured + inFlight − owed` is the own balance.
 */
export interface Parts {
  /** Covered by insurance on-chain and free. */
  insured: Amount;
  /** Promised by the bank beyond insurance, free. */
  uninsured: Amount;
  /** Reserved by own outgoing locks and holds. */
  inFlight: Amount;
  /** What could still come in under the own credit limit. */
  canReceive: Amount;
  /** What we owe the bank beyond insurance (usually 0). */
  owed: Amount;
  /** Locks on their way to us; not yet ours, in no other part. */
  incoming: Amount;
}

export interface Balance {
  asset: Asset;
  onchain: Amount;
  /** Over all banks. */
  parts: Parts;
  /** Largest single payment now, before fees. */
  canSend: Amount;
  banks: { bank: AccountRef; connection: Connection; parts: Parts; canSend: Amount }[];
}

/** `suspended`: repeated refusals or misbehaviour; `problem` of the channel says what. */
export type Connection = 'connecting' | 'online' | 'offline' | 'suspended';

/** Our channel with a bank. */
export interface Channel {
  bank: Bank;
  connection: Connection;
  /** Our side. */
  side: 'left' | 'right';
  epoch: number;
  frame: number;
  /** One for each asset in use or with a limit; after `addBank` all that were named, zeros included. */
  assets: ChannelAsset[];
  problem: FairErrorShape | null;
  court: ChannelCourt;
  at: VerifiedAt | null;
}

/** A channel of ours and court. */
export interface ChannelCourt {
  /** `wanted`: asked for and not signed yet, `problem` says why. `signed`: waits for a block, the last one `until`. */
  stage: 'none' | 'wanted' | 'signed' | 'answering' | 'waiting';
  problem: FairErrorShape | null;
  until: Height | null;
  dispute: Dispute | null;
  /** Newest state that the bank signed, which we would show; null: the default state. `assets`: how court would split by it now. */
  frame: number | null;
  assets: CourtAsset[];
  /** A batch of ours with an answer waits for a block. */
  answering: boolean;
  /** Answer window of a dispute begun now, in usable blocks. */
  delay: number;
  /** About what a dispute costs, in FRD. */
  fee: Amount;
  /** The newest dispute of this channel that was resolved while this wallet followed it. */
  last: { epoch: number; frame: number; assets: Split[] } | null;
}

export interface ChannelAsset {
  asset: AssetId;
  insurance: Amount;
  ondelta: Signed;
  offdelta: Signed;
  delta: Signed;
  /** Own balance; negative means owing. */
  balance: Signed;
  parts: Parts;
  canSend: Amount;
  /** Credit that we give the bank (how much uninsured we accept). */
  creditLimit: Amount;
  /** Insurance is asked for when uninsured passes this; null: never. */
  insureAbove: Amount | null;
  /** Credit that the bank gives us. */
  creditReceived: Amount;
  insurancePrice: Amount;
  /** Insurance asked for and not yet on-chain. */
  insuranceRequested: boolean;
  withdrawal: Withdrawal | null;
  locks: { direction: 'in' | 'out'; amount: Amount; hash: Hex; expiry: number; expiresAt: TimeMs }[];
}

/** `asked`: waiting for the bank. `granted`: its consent is in the draft. `sent`: in a batch. */
export interface Withdrawal {
  amount: Amount;
  state: 'asked' | 'granted' | 'sent' | 'refused';
  /** Usable block count at which the consent ends, and about when that is. */
  expiresAt: number;
  expiresTime: TimeMs;
  /** Where the money goes: null to the own on-chain balance, else a splice: to the owner's channel with the partner, or without one to its on-chain balance. */
  target: { owner: AccountRef; partner: AccountRef | null } | null;
}

export interface Invoice {
  /** Canonical text: what is shown, copied and drawn as QR. */
  text: string;
  id: Hex;
  asset: Asset;
  /** null: the payer decides. */
  amount: Amount | null;
  description: string | null;
  payee: AccountRef;
  banks: AccountRef[];
  created: TimeMs;
  expires: TimeMs;
  /** Web origin of a merchant as it claims. */
  origin: string | null;
  /** The payee refunds on request: whoever pays shows it its account key and bank. */
  refunds: boolean;
  /** The payee takes a payment after `expires` too, and marks it as late. */
  acceptsLate: boolean;
  /** Payment hash. */
  hash: Hex;
}

/** An invoice made here. */
export interface OwnInvoice extends Invoice {
  key: string;
  state: 'open' | 'pending' | 'paid' | 'expired' | 'cancelled';
  received: Amount;
  /** `https` link that opens a wallet with this invoice. */
  link: string;
  /** While it can be paid. */
  qr: Qr | null;
}

/** What a pasted, scanned or linked text means. Rejects with `payment.malformed`, `payment.wrong_network`, `payment.expired`, `payment.own`, `payment.already_paid`. */
export type Decoded =
  | { kind: 'invoice'; invoice: Invoice }
  | { kind: 'address'; text: string; payee: AccountRef; banks: AccountRef[] };

export interface PayRequest {
  /** Invoice or address text. */
  text: string;
  /** Needed where the invoice leaves them open, and for addresses. */
  amount: Amount | null;
  asset: AssetId | null;
}

/** Rejects with `payment.no_route`, `payment.too_much` (data.available), `payment.payee_offline`, `payment.stale_head`. */
export interface Quote {
  asset: Asset;
  amount: Amount;
  fee: Amount;
  /** Banks in order, without us and the payee. Empty: straight to the payee. */
  route: AccountRef[];
  /** How much of our money used for it is insured and promised. */
  assurance: { insured: Amount; uninsured: Amount };
  /** At the latest then it is paid or failed. */
  latestEnd: TimeMs;
  /** True when there is a preimage to prove it afterwards. */
  provable: boolean;
}

export interface Payment {
  id: string;
  direction: 'in' | 'out';
  kind: 'invoice' | 'address' | 'direct' | 'fee';
  asset: AssetId;
  amount: Amount;
  fee: Amount;
  /** null when unknown (received over an onion). */
  counterparty: AccountRef | null;
  description: string | null;
  /** `locking`: on its way. `settling`: secret known, not yet in all outcomes. */
  state: 'locking' | 'settling' | 'paid' | 'failed';
  error: FairErrorShape | null;
  createdAt: TimeMs;
  endedAt: TimeMs | null;
  latestEnd: TimeMs | null;
  /** Whether a watchtower has what a received payment was paid by; null without towers, and for all other payments. */
  withTower: boolean | null;
}

export interface PaymentDetails extends Payment {
  hash: Hex | null;
  /** Text that anybody can verify offline, of a payment to us with our receipt; null if there is none. */
  proof: string | null;
  preimage: Hex | null;
  invoice: string | null;
  route: AccountRef[];
  attempts: { route: AccountRef[]; state: 'locking' | 'settling' | 'paid' | 'failed'; error: FairErrorShape | null; startedAt: TimeMs }[];
  lockExpiry: { usable: number; time: TimeMs } | null;
  height: Height | null;
}

/** Somebody who answers in court while this wallet is closed. */
export interface Tower {
  tower: Hex;
  /** Where it is reached; empty: through the relay. */
  url: string;
  connected: boolean;
  /** When its newest receipt came. */
  last: TimeMs | null;
  /** One for each bank with which something is signed. */
  channels: { bank: AccountRef; covered: boolean; declined: string | null }[];
  /** How it broke its word. */
  faults: string[];
}

export interface ActivityPage { payments: Payment[]; /** Pass as `before` for older ones; null at the end. */ next: string | null }

// ----------------------------------------------------------------- methods

/** Options of every method. */
export interface CallOptions { signal?: AbortSignal }

export interface Fair {
  // wallet
  status(p?: null, o?: CallOptions): Promise<Status>;
  /** Makes a wallet and leaves it unlocked. Rejects `wallet.exists`, `wallet.weak_password`. */
  create(p: { words: 12 | 24; password: string }, o?: CallOptions): Promise<{ words: string[] }>;
  /** `answers` by position from 0. Rejects `wallet.wrong_words` with data.positions. */
  confirmWords(p: { answers: { index: number; word: string }[] }, o?: CallOptions): Promise<Status>;
  /** The wallet then asks every bank for what it knows (`restoration`). Rejects `wallet.bad_words` (data.index of an unknown word, or null for a bad checksum). */
  restore(p: { words: string[]; password: string }, o?: CallOptions): Promise<Status>;
  /** null in a wallet that was created here. */
  restoration(p?: null, o?: CallOptions): Promise<Restoration | null>;
  /** Rejects `wallet.wrong_password`. */
  unlock(p: { password: string }, o?: CallOptions): Promise<Status>;
  lock(p?: null, o?: CallOptions): Promise<Status>;
  /** Deletes keys and channels from this device. Works while locked: the words are the way back, and asking for the password would only stop its owner. */
  wipe(p?: null, o?: CallOptions): Promise<Status>;
  words(p: { password: string }, o?: CallOptions): Promise<{ words: string[] }>;
  changePassword(p: { old: string; new: string }, o?: CallOptions): Promise<Status>;
  /** Everything stored, as a JSON text without secrets, for the advanced page and for export. */
  rawState(p?: null, o?: CallOptions): Promise<{ json: string }>;

  // chain, also without a wallet
  syncState(p?: null, o?: CallOptions): Promise<SyncState>;
  setRelays(p: { urls: string[] }, o?: CallOptions): Promise<SyncState>;
  /** Forgets the failure shown and tries dropped relays again. Without a wallet, when every relay shows another network than before, turns to that one. */
  dismissFailure(p?: null, o?: CallOptions): Promise<SyncState>;
  /** Goes on, from a head that is too old, to this block (`height:hash`) and over no others. Rejects `input.checkpoint`, `chain.not_ahead`. */
  confirm(p: { checkpoint: string }, o?: CallOptions): Promise<SyncState>;
  /** null before the first verified block, and until the first one after a snapshot. */
  head(p?: null, o?: CallOptions): Promise<BlockSummary | null>;
  /** Rejects `chain.unknown_block`, `chain.before_snapshot` for one up to `SyncState.base`. */
  block(p: { height: Height } | { hash: Hex }, o?: CallOptions): Promise<Block>;
  /** Newest first, at most 100, from `before − 1` (or the head) down. */
  blocks(p: { before: Height | null; limit: number }, o?: CallOptions): Promise<BlockSummary[]>;
  /** `account`: id, key, address or `@handle`. Rejects `chain.unknown_account`. */
  account(p: { account: string }, o?: CallOptions): Promise<Account>;
  /** `search` matches ids, starts of keys and handles. By id. */
  accounts(p: { search: string | null; after: number | null; limit: number }, o?: CallOptions): Promise<AccountRow[]>;
  /** Either order of the parties. */
  channelOnChain(p: { a: string; b: string }, o?: CallOptions): Promise<ChainChannel>;
  validators(p?: null, o?: CallOptions): Promise<Validator[]>;
  parameters(p?: null, o?: CallOptions): Promise<Parameter[]>;
  banks(p?: null, o?: CallOptions): Promise<Bank[]>;
  assets(p?: null, o?: CallOptions): Promise<Asset[]>;
  /** Disputes that run, the next to be resolved first, and debts by debtor and age; with `account` those that concern it. */
  court(p: { account: string | null }, o?: CallOptions): Promise<Court>;
  governance(p?: null, o?: CallOptions): Promise<Governance>;
  /** Asks all relays; highest first. */
  snapshots(p?: null, o?: CallOptions): Promise<Snapshot[]>;

  // batch
  draft(p?: null, o?: CallOptions): Promise<Draft>;
  draftAdd(p: { operation: DraftOperation }, o?: CallOptions): Promise<Draft>;
  draftRemove(p: { id: number }, o?: CallOptions): Promise<Draft>;
  signAndSend(p: { key: string }, o?: CallOptions): Promise<SentBatch>;
  /** Own batches, newest first. */
  batches(p: { limit: number }, o?: CallOptions): Promise<SentBatch[]>;
  /** Asks the network's faucet. Rejects `faucet.limited` with data.retryAfter in seconds. */
  faucet(p: { asset: AssetId }, o?: CallOptions): Promise<AssetAmount>;

  // channels and payments
  balances(p?: null, o?: CallOptions): Promise<Balance[]>;
  channels(p?: null, o?: CallOptions): Promise<Channel[]>;
  addBank(p: { bank: string; credit: { asset: AssetId; limit: Amount; insureAbove: Amount | null; mostPrice?: Amount }[] }, o?: CallOptions): Promise<Channel>;
  setCredit(p: { bank: string; asset: AssetId; limit: Amount; insureAbove: Amount | null; mostPrice?: Amount }, o?: CallOptions): Promise<Channel>;
  /** Takes the channel to court with the newest state that the bank signed. Does nothing while that is under way. */
  dispute(p: { bank: string }, o?: CallOptions): Promise<Channel>;
  /** Proposes again on a suspended channel. */
  resume(p: { bank: string }, o?: CallOptions): Promise<Channel>;
  /** `mostPrice`, here and beside `insureAbove`: what an insurance may cost; 0 when left out. A bank that wants more gets no signature: `channel.insurance_price`. */
  requestInsurance(p: { bank: string; asset: AssetId; mostPrice: Amount }, o?: CallOptions): Promise<Channel>;
  /** The consent arrives as an action in the draft. */
  requestWithdrawal(p: { bank: string; asset: AssetId; amount: Amount }, o?: CallOptions): Promise<Channel>;
  /**
   * Direct rebalance: out of the channel with `from`, as one group of one batch, into the one with `to`, on the
   * own side or, with `account`, on that account's side. `to` null: to the on-chain balance of `account`, or the
   * own one. `account` may be an address. `invoice`: public tag of the deposit. Rejects `input.same_channel`, and `batch.…` when it could not be put there.
   */
  splice(p: { key: string; asset: AssetId; amount: Amount; from: string; to: string | null; account: string | null; invoice: string | null }, o?: CallOptions): Promise<Channel>;
  address(p?: null, o?: CallOptions): Promise<{ text: string; qr: Qr }>;
  createInvoice(p: { key: string; asset: AssetId; amount: Amount | null; description: string | null; expiresInSeconds: number }, o?: CallOptions): Promise<OwnInvoice>;
  /** Takes no payment of it any more. Rejects `payment.cannot_cancel` when it is paid or being paid. */
  cancelInvoice(p: { key: string }, o?: CallOptions): Promise<OwnInvoice>;
  /** Newest first, at most 50. */
  invoices(p?: null, o?: CallOptions): Promise<OwnInvoice[]>;
  decode(p: { text: string }, o?: CallOptions): Promise<Decoded>;
  quote(p: PayRequest, o?: CallOptions): Promise<Quote>;
  /** Rejects like `quote`, and `payment.fee_rose` if no route costs at most maxFee. */
  pay(p: PayRequest & { key: string; maxFee: Amount; description: string | null }, o?: CallOptions): Promise<Payment>;
  activity(p: { before: string | null; limit: number }, o?: CallOptions): Promise<ActivityPage>;
  payment(p: { id: string }, o?: CallOptions): Promise<PaymentDetails>;
  /** What a proof of payment or a receipt proves, also without a wallet. Rejects `input.chain_id`, `payment.bad_proof`. */
  verifyProof(p: { text: string; chainId: Hex }, o?: CallOptions): Promise<Proven>;

  // watchtowers
  towers(p?: null, o?: CallOptions): Promise<Tower[]>;
  /** `KEY@URL`, or a key that the relay pipes to. Rejects `input.tower`, `tower.is_bank`, `tower.too_many`. */
  addTower(p: { address: string }, o?: CallOptions): Promise<Tower[]>;
  /** Rejects `tower.unknown`. */
  removeTower(p: { tower: Hex }, o?: CallOptions): Promise<Tower[]>;
}

export type Method = keyof Fair;

// ------------------------------------------------------------------ events

/** Pushed by the engine; each carries the new value, or what to read again. */
export interface Events {
  status: Status;
  sync: SyncState;
  /** A new verified head; null when it is that of a snapshot, whose block is not here. */
  head: BlockSummary | null;
  draft: Draft;
  /** A batch of ours changed: sent, included with receipts, expired. */
  batch: SentBatch;
  payment: Payment;
  invoice: OwnInvoice;
  /** A channel changed in any way: balances and channels are worth reading again. */
  channel: { bank: Hex };
  /** A watchtower was added or removed, connects or leaves, or has more. */
  tower: { tower: Hex };
  /** Something failed outside any call. */
  error: FairErrorShape;
}

/** Made by client.js itself. */
export interface ClientEvents extends Events {
  /** `starting`: no leader yet. `leading`: this tab's worker runs the engine. `following`: another tab's does. */
  leader: { role: 'starting' | 'leading' | 'following' };
  /** The engine could not be started or crashed; null when it runs again. */
  engine: FairErrorShape | null;
}

/** What `connect` returns: the methods, and the events. */
export interface Client extends Fair {
  readonly role: ClientEvents['leader']['role'];
  /** Returns a function that unsubscribes. */
  on<E extends keyof ClientEvents>(event: E, listener: (detail: ClientEvents[E]) => void): () => void;
  /** An endless iteration over one event; ends with the signal or close(). */
  events<E extends keyof ClientEvents>(event: E, signal?: AbortSignal): AsyncIterableIterator<ClientEvents[E]>;
  close(): void;
}

// --------------------------------------------------------------- wasm side

/** Config of `Engine.open`. */
export interface EngineConfig {
  /** Name of the wallet: the database is `fair-<name>`. */
  name: string;
  /** Relay origins to use when none were set; the first served the page. */
  relays: string[];
  /** Chain to follow and no other; absent: the one seen first, from then on. */
  chainId?: Hex;
  /** Called with `{type, detail}` for each of `Events`. */
  onEvent: (event: { type: keyof Events; detail: unknown }) => void;
}

/**
 * Export of `/pkg/fair_web.js`. `call` rejects with a `FairErrorShape`; anything
 * else that it throws counts as a crash, and the worker is replaced. Calls come
 * one after another. `signal` may be ignored where work is short.
 */
export interface Engine {
  call(method: Method, params: unknown, signal: AbortSignal): Promise<unknown>;
}
export interface EngineClass { open(config: EngineConfig): Promise<Engine> }

/** What a proof of payment proves. `received` and `paidAt` are known where the payee gave a receipt. */
export interface Proven {
  payee: Hex;
  id: Hex;
  asset: AssetId;
  amount: Amount | null;
  description: string | null;
  origin: string | null;
  hash: Hex;
  received: Amount | null;
  paidAt: TimeMs | null;
}

/** Export of `/pkg/fair_web.js`, which needs no engine; throws a `FairErrorShape`: `input.chain_id`, `payment.bad_proof`. */
export declare function verifyProof(text: string, chainId: Hex): Proven;
