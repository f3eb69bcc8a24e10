//! Bounds of the native processes. What happens at each is said where it is used.

/// Writes that wait for the store's thread; who commits more waits.
pub(crate) const STORE_QUEUE: usize = 1024;
/// Commits that share one durable transaction at most.
pub(crate) const STORE_GROUP: usize = 256;
/// Batches that wait for inclusion.
pub(crate) const MEMPOOL_BATCHES: usize = 10_000;
/// Their bytes.
pub(crate) const MEMPOOL_BYTES: usize = 64 << 20;
/// Most bytes of those that are not court batches, so that nobody fills the mempool against court.
pub(crate) const MEMPOOL_ORDINARY_BYTES: usize = MEMPOOL_BYTES / 2;
/// Most of those that are not court batches.
pub(crate) const MEMPOOL_ORDINARY_BATCHES: usize = MEMPOOL_BATCHES / 2;
/// Most batches of one account that wait.
pub(crate) const MEMPOOL_ACCOUNT_BATCHES: usize = 64;
/// Most court batches that wait behind an ordinary one of their account: it can spend what they would pay with, so
/// that they wait for nothing. Who has more to say to court says it first.
pub(crate) const MEMPOOL_BEHIND_ORDINARY: usize = 4;
/// Included batches that are remembered, so that who submits one again gets the same answer.
pub(crate) const REMEMBERED_BATCHES: usize = 20_000;
/// Rounds of a height in which blocks include batches. Later ones are empty: what keeps validators from
/// agreeing may be the size of blocks, and every block of a height is kept until it ends.
pub(crate) const ROUNDS_WITH_BATCHES: u32 = 20;
/// Events that wait for the validator's loop; who brings more waits.
pub(crate) const ENGINE_QUEUE: usize = 1024;
/// Batches of clients that wait for it; who brings more waits.
pub(crate) const OFFERS_QUEUE: usize = 64;
/// Frames that wait for one peer; beyond it the oldest are dropped.
pub(crate) const PEER_QUEUE_FRAMES: usize = 512;
/// Their bytes.
pub(crate) const PEER_QUEUE_BYTES: usize = 32 << 20;
/// How long an incoming peer may take to say who it is.
pub(crate) const HELLO_TIMEOUT_MS: u64 = 5_000;
/// Incoming peer connections that have not said yet who they are; more are refused.
pub(crate) const PENDING_HELLOS: usize = 64;
/// Shortest and longest pause before a peer is called again.
pub(crate) const RECONNECT_MS: (u64, u64) = (100, 2_000);
/// How long a call to a peer may take.
pub(crate) const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// A connection on which nothing could be sent for this long is given up.
pub(crate) const SEND_TIMEOUT_MS: u64 = 20_000;
/// Blocks in one answer to `GET /v1/blocks`.
pub(crate) const BLOCKS_PER_ANSWER: u64 = 256;
/// Bytes after which such an answer ends.
pub(crate) const BYTES_PER_ANSWER: usize = 8 << 20;
/// Headers in one answer to `GET /v1/headers`.
pub(crate) const HEADERS_PER_ANSWER: u64 = 512;
/// Connections that are told new heads; more are refused.
pub(crate) const HEAD_LISTENERS: usize = 4_096;
/// How long a validator waits for its own decision before it fetches a block that others have.
pub(crate) const PATIENCE_MS: u64 = 700;
/// How long a peer may take to answer with blocks.
pub(crate) const FETCH_TIMEOUT_MS: u64 = 20_000;
/// Largest answer with blocks.
pub(crate) const FETCH_BYTES: usize = 2 * BYTES_PER_ANSWER + fair_core::limits::MAX_CERTIFIED_BLOCK_BYTES;
/// Heights for which it stays on record what was signed.
pub(crate) const SIGNED_HEIGHTS: u64 = 10_000;
/// Heights whose outcomes a host keeps: more than it takes between two of its machine's writes.
pub(crate) const OUTCOME_HEIGHTS: u64 = 1_024;
/// Things that wait for a host's loop; who brings more waits.
pub(crate) const HOST_QUEUE: usize = 1024;
/// Inputs whose writes share one commit at most.
pub(crate) const HOST_GROUP: usize = 128;
/// Payloads that wait for one peer; a peer that lets more come together is hung up on.
pub(crate) const LINE_QUEUE: usize = 256;
/// Sessions of a bank, standing or being made; more are refused.
pub(crate) const BANK_LINES: usize = 16_384;
/// Sessions of a tower, standing or being made; more are refused.
pub(crate) const TOWER_LINES: usize = 16_384;
/// Between two pings on a line.
pub(crate) const LINE_PING_MS: u64 = 25_000;
/// A line on which nothing came for this long, not even a pong, is given up.
pub(crate) const LINE_SILENCE_MS: u64 = 80_000;
/// How long a validator or relay may take to answer about a batch.
pub(crate) const SUBMIT_TIMEOUT_MS: u64 = 10_000;
/// What a block may be late, beyond K.max_idle_ms, before another source is asked.
pub(crate) const LATE_BLOCK_MS: u64 = 5_000;
/// Pause before the next source of blocks is asked.
pub(crate) const FOLLOW_PAUSE_MS: u64 = 300;
/// Shortest and longest wait, in seconds, that a source which is asked too often can ask for.
pub(crate) const BUSY_PAUSE_S: (u64, u64) = (1, 30);
/// Longest JSON request.
pub(crate) const JSON_BYTES: usize = 16 << 10;
/// The same where an operation comes with it: a proposal of a whole validator set.
pub(crate) const ORDER_JSON_BYTES: usize = 256 << 10;
/// Requests to a faucet in a minute, from everybody together.
pub(crate) const FAUCET_PER_MINUTE: usize = 600;
/// Invoices and payments asked of a counterpart in a minute, by everybody together.
pub(crate) const COUNTERPART_PER_MINUTE: usize = 300;

const _: () = assert!(LINE_PING_MS * 3 < LINE_SILENCE_MS);
const _: () = assert!(FETCH_BYTES > BYTES_PER_ANSWER + fair_core::limits::MAX_CERTIFIED_BLOCK_BYTES);

/// How many blocks an operator's batch to a validator waits at most to be included.
pub(crate) const ORDER_LIFE_HEIGHTS: u64 = 60;

/// Keys of a merchant's shop.
pub(crate) const MERCHANT_KEYS: usize = 64;
/// Requests with one key in a minute.
pub(crate) const MERCHANT_PER_MINUTE: u32 = 1_200;
/// Of them at once.
pub(crate) const MERCHANT_BURST: u32 = 200;
/// Requests without a key in a minute, from one address.
pub(crate) const STRANGERS_PER_MINUTE: u32 = 60;
/// Questions whether a merchant is ready in a minute, from one address.
pub(crate) const MONITOR_PER_MINUTE: u32 = 120;
/// Addresses of strangers that are remembered before those that were quiet are forgotten.
pub(crate) const STRANGERS: usize = 10_000;
/// Claims by one link in a minute.
pub(crate) const LINK_PER_MINUTE: u32 = 30;
/// Requests to a merchant that wait for something to happen; more are refused.
pub(crate) const MERCHANT_WAITING: usize = 512;
/// Of them with one key.
pub(crate) const MERCHANT_WAITING_PER_KEY: usize = 64;
/// Open invoices of a merchant; `open_invoices` says otherwise.
pub(crate) const MERCHANT_OPEN_INVOICES: usize = 100_000;
/// Of them made with one key; `open_invoices_per_key` says otherwise.
pub(crate) const MERCHANT_OPEN_PER_KEY: usize = 20_000;
/// Unpaid invoices of a merchant, open or not, that can be paid after their time; `late_invoices` says otherwise.
pub(crate) const MERCHANT_LATE_INVOICES: usize = 100_000;
/// Of them made with one key; `late_invoices_per_key` says otherwise.
pub(crate) const MERCHANT_LATE_PER_KEY: usize = 50_000;
/// How long an invoice is kept that ended unpaid, in seconds: 30 days; `keep_unpaid_s` says otherwise.
pub(crate) const MERCHANT_KEEP_UNPAID_S: u64 = 30 * 86_400;
/// Most of them; beyond, those that nobody can pay any more are forgotten earlier.
pub(crate) const MERCHANT_UNPAID_INVOICES: usize = 100_000;
/// Of them made with one key.
pub(crate) const MERCHANT_UNPAID_PER_KEY: usize = 50_000;
/// How long events are kept, in seconds: 30 days; `keep_events_s` says otherwise.
pub(crate) const MERCHANT_KEEP_EVENTS_S: u64 = 30 * 86_400;
const _: () = assert!(MERCHANT_KEEP_EVENTS_S * 1_000 > WEBHOOK_LIFE_MS);
/// Invoices or events that are forgotten in one step.
pub(crate) const MERCHANT_FORGOTTEN_AT_ONCE: usize = 1_000;
/// Shortest and longest pause between two looks for events that are too old.
pub(crate) const MERCHANT_LOOKS_MS: (u64, u64) = (500, 60_000);
/// Longest wait of such a request in seconds.
pub(crate) const MERCHANT_WAIT_S: u64 = 60;
/// Longest time in which an invoice can be paid, in seconds: a year.
pub(crate) const MERCHANT_INVOICE_S: u64 = 366 * 86_400;
/// Longest description of a shop's invoice, in characters.
pub(crate) const MERCHANT_DESCRIPTION_CHARS: usize = 160;
const _: () = assert!(MERCHANT_DESCRIPTION_CHARS * 4 <= fair_core::limits::MAX_DESCRIPTION_BYTES);
/// Longest name of a shop for an invoice, in characters.
pub(crate) const MERCHANT_REFERENCE_CHARS: usize = 128;
/// Longest `Idempotency-Key` in bytes.
pub(crate) const IDEMPOTENCY_KEY_BYTES: usize = 255;
/// Most lines of a list.
pub(crate) const MERCHANT_LIST: usize = 100;
/// Most invoices, refunds or payouts that are looked at for one part of a list; then it ends, with what was found.
pub(crate) const MERCHANT_LOOKED_AT: usize = 1_000;
const _: () = assert!(MERCHANT_LOOKED_AT >= MERCHANT_LIST);
/// Most refunds of one invoice.
pub(crate) const MERCHANT_REFUNDS: usize = 64;
/// Most webhooks of a merchant.
pub(crate) const MERCHANT_ENDPOINTS: usize = 16;
/// Most events that wait to be brought to one webhook again on request.
pub(crate) const MERCHANT_REDELIVERIES: usize = 128;
/// Events that are brought to a webhook in a row, one after another, before it is noted durably which were taken: so
/// many may come twice after a crash.
pub(crate) const WEBHOOK_EVENTS: usize = 16;
/// How long the next of them is waited for before it is noted which were taken.
pub(crate) const WEBHOOK_NOTE_MS: u64 = 20;
/// Attempts to bring events to one webhook that its owner is shown, the newest.
pub(crate) const WEBHOOK_ATTEMPTS: usize = 50;
/// How long a webhook may take to answer, its address and its connection included.
pub(crate) const WEBHOOK_TIMEOUT_MS: u64 = 15_000;
/// How long after a secret of a webhook was made the same request gets it again.
pub(crate) const WEBHOOK_SECRET_SHOWN_MS: u64 = 600_000;
/// How long events are signed with the secret before the newest too: a day.
pub(crate) const WEBHOOK_OLD_SECRET_MS: u64 = 86_400_000;
/// Most secrets with which the events of one webhook are signed.
pub(crate) const WEBHOOK_SECRETS: usize = 4;
/// Least that banks may take of a payment of FRD unless whoever orders it says otherwise, in its smallest unit.
pub(crate) const LEAST_MAX_FEE: u64 = 10;
/// Connections to a daemon: all, or as many as the system has descriptors for beside [`OTHER_DESCRIPTORS`].
pub(crate) const CONNECTIONS: usize = 20_480;
/// Of one address, to a validator: relays, banks and nodes come, and each is one of few at its address.
pub(crate) const CONNECTIONS_PER_ADDRESS: usize = 512;
/// Files and connections that a daemon opens by itself.
pub(crate) const OTHER_DESCRIPTORS: usize = 128;
/// Of [`PENDING_HELLOS`], from one address.
pub(crate) const PENDING_HELLOS_PER_ADDRESS: usize = 16;
/// How long the head of a request to a daemon may take, a connection without one included.
pub(crate) const REQUEST_HEAD_MS: u64 = 20_000;
/// How long the body may take.
pub(crate) const REQUEST_BODY_MS: u64 = 20_000;
/// How long the other side may take nothing of an answer.
pub(crate) const ANSWER_STUCK_MS: u64 = 20_000;
/// How much of an answer that waits for it the other side must take in a second; slower it has that time and no more.
pub(crate) const ANSWER_BYTES_PER_S: u64 = 4 << 10;
/// How long a connection to a webhook is kept without use: less than after what servers usually end it, so that an event
/// does not meet that.
pub(crate) const WEBHOOK_IDLE_MS: u64 = 2_000;
/// How long an event is tried to be brought: 3 days.
pub(crate) const WEBHOOK_LIFE_MS: u64 = 3 * 86_400_000;
/// Shortest and longest pause before it is tried again.
pub(crate) const WEBHOOK_PAUSE_MS: (u64, u64) = (2_000, 4 * 3_600_000);
