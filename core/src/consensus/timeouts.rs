//! How long a validator waits in a round. Local policy: nobody else depends on it.

use super::message::{Timer, TimerKind};
use crate::chain::params::Parameters;

/// Base times in milliseconds; each round adds [`Timeouts::step_ms`], up to [`Timeouts::longest_ms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the proposal, execution included.
    pub propose_ms: u64,
    /// For more prevotes or precommits.
    pub vote_ms: u64,
    /// Until own votes are sent again.
    pub rebroadcast_ms: u64,
    /// Added per round.
    pub step_ms: u64,
    /// Never longer than this.
    pub longest_ms: u64,
}

impl Timeouts {
    /// Times that suit a chain: two seconds for the proposal, and one per MiB that a block may have.
    pub fn suited(parameters: &Parameters) -> Self {
        let megabytes = u64::from(parameters.max_block_bytes >> 20);
        Self {
            propose_ms: megabytes.saturating_mul(1_000).saturating_add(1_500),
            vote_ms: 1_000,
            rebroadcast_ms: 2_000,
            step_ms: 500,
            longest_ms: 30_000,
        }
    }

    /// How long this timer runs.
    pub fn duration_ms(&self, timer: &Timer) -> u64 {
        let base = match timer.kind {
            TimerKind::Propose => self.propose_ms,
            TimerKind::Prevote | TimerKind::Precommit => self.vote_ms,
            TimerKind::Rebroadcast => self.rebroadcast_ms,
        };
        base.saturating_add(self.step_ms.saturating_mul(u64::from(timer.round))).min(self.longest_ms)
    }
}
