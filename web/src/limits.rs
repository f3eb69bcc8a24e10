//! Bounds and periods of the browser client, in one place.

/// Least length of a password in characters.
pub const MIN_PASSWORD_CHARS: usize = 8;
/// Longest password in bytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;
/// Argon2id memory in KiB (RFC 9106, second recommended option, with one lane: a worker has one thread).
pub const ARGON2_MEMORY_KIB: u32 = 64 * 1024;
/// Argon2id passes.
pub const ARGON2_PASSES: u32 = 3;
/// Argon2id lanes.
pub const ARGON2_LANES: u32 = 1;
/// Most Argon2id memory that a stored record may ask for, in KiB.
pub const MAX_ARGON2_MEMORY_KIB: u32 = 1024 * 1024;
/// Most Argon2id passes that a stored record may ask for.
pub const MAX_ARGON2_PASSES: u32 = 64;
/// Longest sealed seed in bytes.
pub const MAX_VAULT_BYTES: usize = 512;

/// Most relays configured.
pub const MAX_RELAYS: usize = 8;
/// Longest address of a relay in bytes.
pub const MAX_RELAY_URL_BYTES: usize = 256;
/// A relay's answer must begin and end within this time.
pub const REQUEST_TIMEOUT_MS: u32 = 20_000;
/// Longest JSON answer of a relay in bytes.
pub const MAX_JSON_BYTES: usize = 64 << 10;
/// Blocks asked for at once.
pub const BLOCKS_PER_REQUEST: u64 = 256;
/// Headers asked for at once.
pub const HEADERS_PER_REQUEST: u32 = 512;
/// Longest answer to a request for headers in bytes.
pub const MAX_HEADERS_BYTES: usize = HEADERS_PER_REQUEST as usize * MAX_HEAD_BYTES + 4;
/// Longest answer to a request for blocks in bytes.
pub const MAX_BLOCKS_BYTES: usize = 32 << 20;
/// A snapshot is begun with when it saves at least this many blocks: below, blocks are there as soon.
pub const SNAPSHOT_LEAD: u64 = BLOCKS_PER_REQUEST;
/// Largest archive of a snapshot that is fetched, in bytes.
pub const MAX_ARCHIVE_BYTES: u64 = 32 << 20;
/// Most bytes that an archive may inflate to. The state is in memory as a tree, so that more would be too much.
pub const MAX_INFLATED_BYTES: u64 = 128 << 20;
/// Compressed bytes handed to the browser at a time: what they inflate to, at most about a thousand times as much,
/// waits in memory.
pub const INFLATE_BYTES: u32 = 8 << 10;
/// Times that a download is begun or resumed in a row with less than [`LEAST_PACE_BYTES`] that are new.
pub const DOWNLOAD_TRIES: u32 = 5;
/// A download that brings less than [`LEAST_PACE_BYTES`] within this time is left: another relay is asked, or blocks. A
/// relay that did not lead to the end by blocks or headers within it lets others try.
pub const PACE_WINDOW_MS: f64 = 30_000.0;
/// How often that time doubles for whoever was too slow, at most: to about four hours.
pub const MAX_DOUBLINGS: u32 = 9;
/// What anybody's line carries in that time.
pub const LEAST_PACE_BYTES: u32 = 64 << 10;
/// Snapshots of one relay that are looked at.
pub const MAX_LISTED: usize = 16;
/// Longest message that announces a head.
pub const MAX_HEAD_BYTES: usize = fair_core::limits::MAX_HEADER_BYTES + fair_core::limits::MAX_CERTIFICATE_BYTES;
/// Work between two looks at other events.
pub const WORK_SLICE_MS: f64 = 25.0;
/// Least time between two reports of progress.
pub const PROGRESS_INTERVAL_MS: f64 = 200.0;
/// First wait before a connection is tried again; it doubles up to [`RECONNECT_MAX_MS`].
pub const RECONNECT_MIN_MS: u32 = 250;
/// Longest wait before a connection is tried again.
pub const RECONNECT_MAX_MS: u32 = 15_000;
/// How often the age of the head is looked at, and waiting batches are sent again.
pub const WATCH_INTERVAL_MS: u32 = 1_000;
/// A relay that announces a head and does not serve it this long is withholding.
pub const WITHHOLDING_MS: f64 = 30_000.0;

/// Most blocks in one page of the explorer.
pub const MAX_BLOCKS_PAGE: u64 = 100;
/// Most accounts in one page of the explorer.
pub const MAX_ACCOUNTS_PAGE: u64 = 100;
/// Batches shown with an account.
pub const RECENT_BATCHES: usize = 20;
/// Own batches listed at most.
pub const MAX_SENT_LISTED: u64 = 200;
/// Waiting batches are sent again this often.
pub const RESEND_BATCH_MS: u64 = 5_000;

/// Bytes that may wait in the browser to be sent to a bank.
pub const MAX_UNSENT_BYTES: usize = 8 << 20;
/// How often it is looked whether the chain is far enough to talk to banks.
pub const READY_INTERVAL_MS: u32 = 200;
/// Payments in one page of the activity list.
pub const MAX_ACTIVITY_PAGE: u64 = 100;
/// Own invoices listed at most.
pub const MAX_INVOICES_LISTED: usize = 50;
/// Longest time that an invoice may be open.
pub const MAX_INVOICE_SECONDS: u64 = 365 * 24 * 3600;

const _: () = assert!(fair_core::limits::MAX_CERTIFIED_BLOCK_BYTES < MAX_BLOCKS_BYTES);
