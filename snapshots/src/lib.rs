//! Archives of snapshots: `Fair-<height>.tar.gz` on disk and over HTTP, the same for nodes and relays. What is
//! in them, and whether it may be believed, is [`fair_core::chain::snapshot`]'s affair.
//!
//! - [`Folder`]: writes durably on a thread of its own, keeps the newest few, lists and serves them.
//! - [`read`]: inflates and verifies an archive of anybody.
//! - [`fetch`]: gets one from a file or a URL.
//! - [`lead`]: gets the headers that lead on a process that slept too long.
//! - [`hold`]: holds a snapshot against a checkpoint.
//!
//! **Invariant**: a file under its name is whole: it is written beside it, flushed, and then renamed.

mod fetch;
mod folder;
mod held;
mod lead;
mod read;

pub use fetch::{FetchError, fetch};
pub use folder::{Folder, Listed, write};
pub use held::{NotHeld, hold};
pub use lead::{LeadError, lead};
pub use read::{ReadError, read};

/// Archives that are kept in a folder; older ones are removed when a newer one is whole.
pub const KEPT: usize = 3;
/// Largest archive that is fetched or read, in bytes.
pub const MAX_ARCHIVE_BYTES: u64 = 2 << 30;
/// Largest archive after inflating, in bytes.
pub const MAX_INFLATED_BYTES: u64 = 5 << 30;
/// Archives that are sent at once; who asks for more waits for one to end.
pub const MAX_DOWNLOADS: usize = 32;
/// A source that sends nothing for this long is given up.
pub const SILENCE: std::time::Duration = std::time::Duration::from_secs(20);
/// How long a list of archives may take in all.
pub const LIST_TIME: std::time::Duration = std::time::Duration::from_secs(120);
/// A source that sends less than [`LEAST_PACE_BYTES`] within this time is given up, and one of headers gives way.
pub const PACE_WINDOW: std::time::Duration = std::time::Duration::from_secs(30);
/// What anybody's line carries in that time.
pub const LEAST_PACE_BYTES: u64 = 64 << 10;
/// Headers that are asked for at once: no host of such headers gives out fewer.
pub const HEADERS_AT_ONCE: u32 = 512;
/// How long an answer with so many may take.
pub const HEADERS_TIME: std::time::Duration = std::time::Duration::from_secs(30);
/// Least time between two reports of progress.
pub const REPORT_EVERY: std::time::Duration = std::time::Duration::from_millis(500);
