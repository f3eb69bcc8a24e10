//! Bounds of the native processes. What happens at each is said where it is used.

/// Writes that wait for the store's thread; who commits more waits.
pub(crate) const STORE_QUEUE: usize = 1024;
/// Commits that share one durable transaction at most.
pub(crate) const STORE_GROUP: usize = 256;
/// Batches that wait for inclusion.
pub(crate) const MEMPOOL_BATCHES: usize = 10_000;
/// Their bytes.
pub(crate) const MEMPOOL_BYTES: usize = 64 << 20;
/// By how much a batch must outbid the one that it replaces, in percent.
pub(crate) const REPLACEMENT_PERCENT: u128 = 10;
/// Included batches that are remembered, so that who submits one again gets the same answer.
pub(crate) const REMEMBERED_BATCHES: usize = 20_000;
/// Events that wait for the validator's loop; who brings more waits.
pub(crate) const ENGINE_QUEUE: usize = 1024;
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
pub(crate) const HEAD_LISTENERS: usize = 1024;
/// How long a validator waits for its own decision before it fetches a block that others have.
pub(crate) const PATIENCE_MS: u64 = 700;
/// How long a peer may take to answer with blocks.
pub(crate) const FETCH_TIMEOUT_MS: u64 = 20_000;
/// Largest answer with blocks.
pub(crate) const FETCH_BYTES: usize = 2 * BYTES_PER_ANSWER + fair_core::limits::MAX_CERTIFIED_BLOCK_BYTES;
/// Heights for which it stays on record what was signed.
pub(crate) const SIGNED_HEIGHTS: u64 = 10_000;

const _: () = assert!(FETCH_BYTES > BYTES_PER_ANSWER + fair_core::limits::MAX_CERTIFIED_BLOCK_BYTES);
