//! Counters for `/metrics`, in the text form of Prometheus.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// One number that is counted.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// One more.
    pub(crate) fn add_one(&self) {
        self.add(1);
    }

    /// `n` more.
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) requests: Count,
    pub(crate) limited: Count,
    pub(crate) blocks_verified: Count,
    pub(crate) lies: Count,
    pub(crate) source_failures: Count,
    pub(crate) batches_accepted: Count,
    pub(crate) batches_refused: Count,
    pub(crate) batches_failed: Count,
    pub(crate) heads_opened: Count,
    pub(crate) heads_dropped: Count,
    pub(crate) pipes_opened: Count,
    pub(crate) pipe_messages: Count,
    pub(crate) pipe_bytes: Count,
    pub(crate) faucet_requests: Count,
    pub(crate) snapshots_served: Count,
}

impl Metrics {
    /// The text, with what is measured at this moment.
    pub(crate) fn text(&self, now: &[(&str, &str, u64)]) -> String {
        let counters = [
            ("relay_requests_total", "Requests.", &self.requests),
            ("relay_limited_total", "Requests refused by a rate limit.", &self.limited),
            ("relay_blocks_verified_total", "Blocks verified and executed.", &self.blocks_verified),
            ("relay_validator_lies_total", "False blocks and heads that validators served.", &self.lies),
            ("relay_validator_failures_total", "Validators that did not answer.", &self.source_failures),
            ("relay_batches_accepted_total", "Batches that a validator took.", &self.batches_accepted),
            ("relay_batches_refused_total", "Batches that were refused.", &self.batches_refused),
            ("relay_batches_failed_total", "Batches that no validator took yet.", &self.batches_failed),
            ("relay_heads_opened_total", "Listeners for heads.", &self.heads_opened),
            ("relay_heads_dropped_total", "Listeners for heads that were too slow.", &self.heads_dropped),
            ("relay_pipes_opened_total", "Pipes to banks.", &self.pipes_opened),
            ("relay_pipe_messages_total", "Messages through pipes.", &self.pipe_messages),
            ("relay_pipe_bytes_total", "Bytes through pipes.", &self.pipe_bytes),
            ("relay_snapshots_served_total", "Archives of snapshots, or ranges of them, sent.", &self.snapshots_served),
            ("relay_faucet_requests_total", "Requests to the faucet.", &self.faucet_requests),
        ];
        let mut text = String::new();
        for (name, help, count) in counters {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {}", count.get());
        }
        for (name, help, value) in now {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
        text
    }
}
