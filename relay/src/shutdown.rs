//! Telling every task to end.

use std::sync::Arc;
use tokio::sync::watch;

/// Shared by all tasks; once stopped it stays so.
#[derive(Clone)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Shutdown {
    /// Everything shall end.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Waits until everything shall end.
    pub async fn stopped(&self) {
        let mut receiver = self.0.subscribe();
        // The sender lives in `self`, so this ends only by the value.
        let _ = receiver.wait_for(|stopped| *stopped).await;
    }
}
