//! Points at which a test ends a host in its own process: before and after every durable write, after every
//! send. Whole processes are ended by `crate::crash`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// A point to come. Shared by the test and the host.
#[derive(Clone)]
pub(crate) struct Crash {
    /// Points left until the end; 0: none is wanted.
    left: Arc<AtomicU64>,
    happened: Arc<watch::Sender<bool>>,
}

impl Default for Crash {
    fn default() -> Self {
        Self { left: Arc::default(), happened: Arc::new(watch::Sender::new(false)) }
    }
}

impl Crash {
    pub(crate) fn arm(&self, points: u64) {
        self.left.store(points, Ordering::SeqCst);
    }

    pub(crate) fn disarm(&self) {
        self.left.store(0, Ordering::SeqCst);
    }

    pub(crate) fn has_happened(&self) -> bool {
        *self.happened.borrow()
    }

    pub(crate) async fn happened(&self) {
        let mut happened = self.happened.subscribe();
        // The sender lives in `self`.
        let _ = happened.wait_for(|happened| *happened).await;
    }

    /// A host passes here; at the point that was named it does nothing more, for ever.
    pub(super) async fn pass(&self) {
        let passed = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if passed == Ok(1) {
            self.happened.send_replace(true);
            std::future::pending::<()>().await;
        }
    }
}
