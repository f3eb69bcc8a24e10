//! Timers of the consensus machine as deadlines.

use fair_core::consensus::Timer;
use std::collections::BTreeMap;
use tokio::time::{Duration, Instant};

#[derive(Default)]
pub(super) struct Timers {
    deadlines: BTreeMap<Timer, Instant>,
}

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, after_ms: u64) {
        self.deadlines.insert(timer, Instant::now() + Duration::from_millis(after_ms));
    }

    pub(super) fn cancel(&mut self, timer: &Timer) {
        self.deadlines.remove(timer);
    }

    pub(super) fn cancel_all(&mut self) {
        self.deadlines.clear();
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.deadlines.values().min().copied()
    }

    /// Takes one timer that ran out.
    pub(super) fn take_due(&mut self) -> Option<Timer> {
        let now = Instant::now();
        let due = self.deadlines.iter().filter(|(_, at)| **at <= now).min_by_key(|(_, at)| **at);
        let timer = due.map(|(timer, _)| *timer)?;
        self.deadlines.remove(&timer);
        Some(timer)
    }
}
