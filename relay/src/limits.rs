//! Bounds of the relay, in one place. Those that an operator may change are in [`crate::config`].

use std::time::Duration;

/// Most headers in one answer.
pub const MAX_HEADERS: u64 = 512;
/// Most blocks in one answer.
pub const MAX_BLOCKS: u64 = 128;
/// An answer takes no further block once it has this many bytes.
pub const BLOCKS_ANSWER_BYTES: usize = 4 << 20;
/// Longest answer taken from a validator when it is asked for blocks.
pub const MAX_BLOCKS_ANSWER_BYTES: usize = BLOCKS_ANSWER_BYTES + fair_core::limits::MAX_CERTIFIED_BLOCK_BYTES + 4;
/// Court batches that are repeated with each block have at most this many bytes together.
pub const MAX_KEPT_COURT_BYTES: usize = 4 << 20;
/// A court batch is repeated if at most so many nonces lie between its account's and its own.
pub const MAX_NONCES_AHEAD: u64 = 64;
/// Court batches that one validator is given at a time.
pub const REPEATED_AT_ONCE: usize = 16;
/// Longest JSON answer taken from a validator or bank.
pub const MAX_JSON_ANSWER_BYTES: usize = 64 << 10;
/// Longest JSON request.
pub const MAX_JSON_REQUEST_BYTES: usize = 4 << 10;
/// Longest message in a pipe to a bank: what a session makes of its longest payload.
pub const MAX_PEER_MESSAGE_BYTES: usize = fair_core::limits::MAX_SESSION_MESSAGE_BYTES;
/// Bytes a second that flow through a pipe each way; what is faster waits. On a test network a payment takes about 3 KB
/// of them on its way to a merchant, and as many payments as its process accepts must fit.
pub const PEER_BYTES_PER_SECOND: u32 = 8 << 20;
/// Bytes that may flow at once before that rate is held.
pub const PEER_BURST_BYTES: u32 = 16 << 20;
/// Every message counts as at least this many bytes.
pub const PEER_LEAST_BYTES: u32 = 1 << 10;
/// New heads that may wait for a slow reader before it is dropped.
pub const HEADS_QUEUE: usize = 16;
/// Most connections at once.
pub const MAX_CONNECTIONS: usize = 8_192;
/// Most WebSockets at once.
pub const MAX_SOCKETS: usize = 4_096;

/// For the head of a request to arrive.
pub const REQUEST_HEAD_TIME: Duration = Duration::from_secs(10);
/// For a request to be answered, its body included.
pub const REQUEST_TIME: Duration = Duration::from_secs(30);
/// For a connection to a validator or bank.
pub const CONNECT_TIME: Duration = Duration::from_secs(5);
/// For an answer of a validator or bank.
pub const ANSWER_TIME: Duration = Duration::from_secs(10);
/// For one message to leave towards a slow reader.
pub const SEND_TIME: Duration = Duration::from_secs(10);
/// Between pings.
pub const PING_TIME: Duration = Duration::from_secs(25);
/// Silence, pongs included, after which a WebSocket is closed.
pub const SILENCE_TIME: Duration = Duration::from_secs(80);
/// For connections to end after the signal to stop.
pub const DRAIN_TIME: Duration = Duration::from_secs(10);
/// For which a validator that served something false is not asked again.
pub const LIAR_TIME: Duration = Duration::from_secs(600);
/// Before the next validator is tried after a failure.
pub const RETRY_TIME: Duration = Duration::from_millis(500);
/// What a block may be late, beyond K.max_idle_ms, before another validator is asked.
pub const LATE_TIME: Duration = Duration::from_secs(5);
/// Between sweeps of the rate limits' memory.
pub const SWEEP_TIME: Duration = Duration::from_secs(60);

const _: () = assert!(MAX_PEER_MESSAGE_BYTES <= PEER_BURST_BYTES as usize);
const _: () = assert!(PING_TIME.as_millis() * 3 < SILENCE_TIME.as_millis());

/// Most watchtowers that are announced.
pub const MAX_TOWERS: usize = 32;
