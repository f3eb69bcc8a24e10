//! The only place where this program reads the time of day.

use fair_core::types::TimeMs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[cfg(feature = "crash-points")]
pub(crate) use ahead::{put, sleep};

/// Milliseconds since the Unix epoch; 0 if the clock stands before it.
pub(crate) fn now_ms() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX).saturating_add(ahead_ms())
}

/// How far a test has put the clock ahead: never in a program that is used.
#[cfg(not(feature = "crash-points"))]
const fn ahead_ms() -> u64 {
    0
}

#[cfg(feature = "crash-points")]
fn ahead_ms() -> u64 {
    ahead::AHEAD_MS.load(std::sync::atomic::Ordering::SeqCst)
}

/// Waits for so long.
#[cfg(not(feature = "crash-points"))]
pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// A clock that a test moves, so that days pass while it watches: whoever sleeps until then wakes.
#[cfg(feature = "crash-points")]
mod ahead {
    use super::{Duration, now_ms};
    use fair_core::types::TimeMs;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::sync::Notify;

    pub(super) static AHEAD_MS: AtomicU64 = AtomicU64::new(0);
    static MOVED: Notify = Notify::const_new();

    /// Puts the clock ahead of the time of day, and says what it shows.
    pub(crate) fn put(ahead_ms: u64) -> TimeMs {
        AHEAD_MS.store(ahead_ms, Ordering::SeqCst);
        MOVED.notify_waiters();
        now_ms()
    }

    /// Waits for so long by this clock. Put back, it makes nobody wait longer.
    pub(crate) async fn sleep(duration: Duration) {
        let (mut left, mut seen_ms) = (duration, now_ms());
        loop {
            let moved = MOVED.notified();
            let now_ms = now_ms();
            left = left.saturating_sub(Duration::from_millis(now_ms.saturating_sub(seen_ms)));
            seen_ms = now_ms;
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => return,
                () = moved => {}
            }
        }
    }
}
