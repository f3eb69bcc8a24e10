//! K: the chain's parameters, three presets, and the inequalities between them
//! (docs/protocol.md, sections 3 to 6).
//!
//! Units: `_ms` milliseconds, `_bytes` bytes, `_blocks` usable blocks (the clock U), `_heights` plain
//! heights; amounts in the smallest unit of FRD unless said otherwise.

use crate::codec;
use crate::crypto;
use crate::ledger::state::MAX_VALUE_BYTES;
use crate::limits;
use crate::message::tags;
use crate::payment::onion;
use crate::types::{Amount, Hash};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// A parameter set. Wherever one is accepted, [`Parameters::check`] is called first.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Parameters {
    /// Least time between a block and its predecessor; delays in blocks are sized for it.
    pub min_block_interval_ms: u64,
    /// A block is built at the latest this long after its predecessor, even an empty one.
    pub max_idle_ms: u64,
    /// Largest sum of encoded batches in a block.
    pub max_block_bytes: u32,
    /// Part of `max_block_bytes` that only court batches may fill.
    pub court_room_bytes: u32,
    /// Largest encoded batch.
    pub max_batch_bytes: u32,
    /// How far `valid_until` may lie ahead.
    pub max_batch_life_heights: u32,
    /// Least fee rate, in FRD units per 1,000 bytes of batch.
    pub min_fee_rate: Amount,

    /// Paid to the proposer by whoever makes an account.
    pub account_creation_fee: Amount,
    /// On-chain balance that a new account keeps of what it was created with.
    pub standalone_balance: Amount,

    /// Most assets in one channel.
    pub max_channel_assets: u16,
    /// Most locks of one side in one channel.
    pub max_locks: u16,
    /// Largest encoded channel state.
    pub max_state_bytes: u32,
    /// Least amount of a lock, in the asset's unit.
    pub min_lock: Amount,
    /// How far ahead a lock may expire.
    pub lock_horizon_blocks: u32,
    /// Least difference of expiry between a bank's incoming and outgoing lock.
    pub hop_delta_blocks: u32,
    /// What every deadline in a channel keeps from the chain's: later than expiry minus margin a secret
    /// goes on-chain, earlier than expiry plus margin nothing is expired.
    pub margin_blocks: u32,
    /// Most hops of a payment.
    pub max_hops: u8,
    /// How old a withdrawal consent may become.
    pub max_consent_blocks: u32,
    /// How far behind the receiver's head a frame's chain facts may lie.
    pub proof_window_heights: u32,
    /// How far ahead of the receiver's head they may lie.
    pub max_lead_heights: u32,
    /// How long a receiver waits for a block that a frame names.
    pub max_lead_ms: u64,
    /// A head older than this is stale: no new locks, no settling off-chain.
    pub stale_head_ms: u64,

    /// Least amount of insurance that may be requested.
    pub min_insurance: Amount,
    /// Insured part of a bank above which a rebalance asks for a withdrawal.
    pub risk: Amount,

    /// Length of the answer window of a dispute against an ordinary account.
    pub dispute_delay_blocks: u32,
    /// The same against a bank, shorter.
    pub bank_dispute_delay_blocks: u32,
    /// How long a revealed secret stays in the registry.
    pub hashlock_keepalive_blocks: u32,
    /// Most payments of debts in one step.
    pub debt_payments_per_step: u16,
    /// FRD that debts leave to an account, for fees alone.
    pub debt_floor: Amount,
    /// How long a proposal can be voted on.
    pub voting_period_blocks: u32,
    /// How long a change of validators waits.
    pub validator_delay_blocks: u32,
    /// How long a client may trust a validator set that it does not follow.
    pub trust_period_ms: u64,
    /// Bytes of blocks after which a snapshot is written.
    pub snapshot_after_bytes: u64,
}

/// An inequality that a parameter set breaks, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameters break a rule: {rule}")]
pub struct BadParameters {
    /// The rule.
    pub rule: &'static str,
}

/// What a value of the state needs beside a channel's assets or a channel state in court, generously.
const VALUE_FRAMING: u64 = 128;

fn largest_value_bytes() -> u64 {
    u64::try_from(MAX_VALUE_BYTES).unwrap_or(u64::MAX)
}

/// Blocks within which a batch sent to all validators is included: two rotations of a small set and slack.
const INCLUSION_BLOCKS: u64 = 10;

impl Parameters {
    /// Short delays, for trying everything out in minutes.
    pub const DEMO: Self = Self {
        min_block_interval_ms: 1_000,
        max_idle_ms: 5_000,
        max_block_bytes: 1 << 20,
        court_room_bytes: 256 << 10,
        max_batch_bytes: 64 << 10,
        max_batch_life_heights: 120,
        min_fee_rate: 10,
        account_creation_fee: 100,
        standalone_balance: 500,
        max_channel_assets: 8,
        max_locks: 60,
        max_state_bytes: 16 << 10,
        min_lock: 1,
        lock_horizon_blocks: 360,
        hop_delta_blocks: 48,
        margin_blocks: 32,
        max_hops: 4,
        max_consent_blocks: 60,
        proof_window_heights: 64,
        max_lead_heights: 4,
        max_lead_ms: 10_000,
        stale_head_ms: 20_000,
        min_insurance: 1_000,
        risk: 1_000,
        dispute_delay_blocks: 120,
        bank_dispute_delay_blocks: 60,
        hashlock_keepalive_blocks: 2_000,
        debt_payments_per_step: 16,
        debt_floor: 100,
        voting_period_blocks: 60,
        validator_delay_blocks: 10,
        trust_period_ms: 24 * 3_600_000,
        snapshot_after_bytes: 4 << 20,
    };

    /// The demo's values with the shortest delays that the rules allow: a dispute against a bank ends within
    /// a minute, so that it can be watched.
    pub const SWIFT: Self = Self {
        min_block_interval_ms: 250,
        max_idle_ms: 250,
        max_hops: 2,
        lock_horizon_blocks: 180,
        hop_delta_blocks: 46,
        margin_blocks: 35,
        max_lead_ms: 3_000,
        stale_head_ms: 6_000,
        dispute_delay_blocks: 60,
        bank_dispute_delay_blocks: 60,
        hashlock_keepalive_blocks: 600,
        voting_period_blocks: 40,
        ..Self::DEMO
    };

    /// Delays for real money.
    pub const MAIN: Self = Self {
        min_block_interval_ms: 5_000,
        max_idle_ms: 60_000,
        max_block_bytes: 4 << 20,
        court_room_bytes: 1 << 20,
        max_batch_bytes: 256 << 10,
        max_batch_life_heights: 720,
        min_fee_rate: 10,
        account_creation_fee: 100,
        standalone_balance: 500,
        max_channel_assets: 32,
        max_locks: 120,
        max_state_bytes: 32 << 10,
        min_lock: 1,
        lock_horizon_blocks: 5_760,
        hop_delta_blocks: 288,
        margin_blocks: 144,
        max_hops: 6,
        max_consent_blocks: 2_880,
        proof_window_heights: 256,
        max_lead_heights: 8,
        max_lead_ms: 60_000,
        stale_head_ms: 600_000,
        min_insurance: 1_000,
        risk: 100_000,
        dispute_delay_blocks: 2_880,
        bank_dispute_delay_blocks: 720,
        hashlock_keepalive_blocks: 34_560,
        debt_payments_per_step: 64,
        debt_floor: 400,
        voting_period_blocks: 17_280,
        validator_delay_blocks: 2_880,
        trust_period_ms: 14 * 24 * 3_600_000,
        snapshot_after_bytes: 256 << 20,
    };

    /// Hash that headers carry.
    pub fn hash(&self) -> Hash {
        crypto::hash(tags::PARAMETERS, &[&codec::encode(self)])
    }

    /// Checks every inequality that the protocol relies on.
    ///
    /// # Errors
    /// [`BadParameters`] names the first rule that does not hold.
    pub fn check(&self) -> Result<(), BadParameters> {
        for (holds, rule) in self.rules() {
            if !holds {
                return Err(BadParameters { rule });
            }
        }
        Ok(())
    }

    /// Blocks that pass in a time, at the fastest pace.
    fn blocks_in(&self, ms: u64) -> u64 {
        ms.checked_div(self.min_block_interval_ms).unwrap_or(u64::MAX)
    }

    /// Most usable blocks from the start of a dispute to its end.
    pub fn longest_dispute_blocks(&self) -> u64 {
        u64::from(self.dispute_delay_blocks.max(self.lock_horizon_blocks)).saturating_add(1)
    }

    /// Usable blocks that a revealed secret stays in the registry at least, for the sake of every lock and
    /// dispute.
    fn least_keepalive_blocks(&self) -> u64 {
        u64::from(self.lock_horizon_blocks)
            .saturating_add(self.longest_dispute_blocks().saturating_mul(2))
            .saturating_add(u64::from(self.margin_blocks))
    }

    /// What disputing a maximal state and one reveal cost at the least fee rate.
    pub(crate) fn dispute_cost(&self) -> Amount {
        u64::from(self.max_state_bytes).saturating_add(1000).saturating_mul(self.min_fee_rate).div_ceil(1000)
    }

    /// Checks that this set may follow another in a chain whose channels, locks, consents and disputes run
    /// under it. What has been signed off-chain is known to nobody else, and may have been signed just before
    /// the change: so what bounds it never shrinks. What a change makes longer or dearer is held against what
    /// is already kept for it: so the one that keeps more comes first, and has taken effect before the other
    /// is proposed.
    ///
    /// # Errors
    /// [`BadParameters`] names the first rule that does not hold.
    pub fn check_succession(&self, before: &Self) -> Result<(), BadParameters> {
        match self.succession_rules(before).into_iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(BadParameters { rule }),
            None => Ok(()),
        }
    }

    pub(crate) fn succession_rules(&self, before: &Self) -> [(bool, &'static str); 9] {
        [
            (self.max_state_bytes >= before.max_state_bytes, "max_state never shrinks"),
            (self.max_locks >= before.max_locks, "max_locks never shrinks"),
            (self.max_channel_assets >= before.max_channel_assets, "max_channel_assets never shrinks"),
            (self.lock_horizon_blocks >= before.lock_horizon_blocks, "lock_horizon never shrinks"),
            (self.max_consent_blocks >= before.max_consent_blocks, "max_consent never shrinks"),
            (self.margin_blocks >= before.margin_blocks, "margin never shrinks"),
            (
                self.least_keepalive_blocks() <= u64::from(before.hashlock_keepalive_blocks),
                "hashlock_keepalive is raised before what it outlives",
            ),
            (
                u64::from(self.hashlock_keepalive_blocks) >= before.least_keepalive_blocks(),
                "hashlock_keepalive outlives disputes that began before",
            ),
            (
                self.dispute_cost() <= before.standalone_balance,
                "standalone_balance is raised before the cost of a dispute",
            ),
        ]
    }

    fn rules(&self) -> Vec<(bool, &'static str)> {
        let wide = u64::from;
        let state = u64::from(self.max_state_bytes);
        let margin = u64::from(self.margin_blocks);
        let stale_blocks = self.blocks_in(self.stale_head_ms);
        let shortest_delay = wide(self.dispute_delay_blocks.min(self.bank_dispute_delay_blocks));
        let path = u64::from(self.max_hops).saturating_add(1).saturating_mul(wide(self.hop_delta_blocks));
        vec![
            (self.min_block_interval_ms > 0, "min_block_interval > 0"),
            (self.min_block_interval_ms <= self.max_idle_ms, "min_block_interval ≤ max_idle"),
            (
                self.max_idle_ms.saturating_add(limits::CLOCK_DRIFT_MS) < self.stale_head_ms,
                "max_idle + drift < stale_head",
            ),
            (
                usize::try_from(self.max_block_bytes).is_ok_and(|bytes| {
                    bytes.saturating_add(limits::MAX_HEADER_BYTES).saturating_add(8) <= limits::MAX_BLOCK_BYTES
                }),
                "max_block fits into the largest block that is decoded",
            ),
            (
                usize::try_from(self.max_batch_bytes).is_ok_and(|bytes| bytes <= limits::MAX_BATCH_BYTES),
                "max_batch fits into the largest batch that is decoded",
            ),
            (
                wide(self.max_batch_bytes).saturating_mul(2) <= wide(self.court_room_bytes),
                "two batches fit into court_room",
            ),
            (
                wide(self.court_room_bytes).saturating_mul(2) <= wide(self.max_block_bytes),
                "court_room ≤ half of max_block",
            ),
            (state.saturating_mul(2) < wide(self.max_batch_bytes), "two states fit into a batch"),
            (
                state.max(self.largest_channel_bytes()).saturating_add(VALUE_FRAMING) <= largest_value_bytes(),
                "a channel and its state fit into the largest value that is decoded",
            ),
            (state >= self.largest_state_bytes(), "max_locks a side and max_channel_assets fit into max_state_bytes"),
            (self.max_batch_life_heights > 0, "max_batch_life > 0"),
            (self.min_fee_rate > 0, "min_fee_rate > 0"),
            (self.standalone_balance > self.debt_floor, "standalone_balance > debt_floor"),
            (
                self.dispute_cost() <= self.standalone_balance,
                "standalone_balance pays for disputing a maximal state and one reveal",
            ),
            (self.max_channel_assets >= 2, "max_channel_assets ≥ 2"),
            (self.max_locks >= 1 && self.min_lock >= 1, "max_locks ≥ 1 and min_lock ≥ 1"),
            (self.max_hops >= 1, "max_hops ≥ 1"),
            (
                onion::packet_bytes(self.max_hops) <= limits::MAX_ONION_BYTES,
                "max_hops fit into the largest onion that is decoded",
            ),
            (margin > stale_blocks.saturating_add(INCLUSION_BLOCKS), "margin > stale_head in blocks + inclusion"),
            (wide(self.hop_delta_blocks) > margin.saturating_add(INCLUSION_BLOCKS), "hop_delta > margin + head lag"),
            (
                wide(self.lock_horizon_blocks) >= path.saturating_add(margin),
                "lock_horizon ≥ (max_hops + 1) × hop_delta + margin",
            ),
            (stale_blocks.saturating_add(margin) < shortest_delay, "stale_head + margin < shortest dispute delay"),
            (
                self.bank_dispute_delay_blocks <= self.dispute_delay_blocks,
                "dispute delay against banks ≤ against others",
            ),
            (
                wide(self.hashlock_keepalive_blocks) >= self.least_keepalive_blocks(),
                "hashlock_keepalive ≥ lock_horizon + 2 × longest dispute + margin",
            ),
            (wide(self.max_consent_blocks) > INCLUSION_BLOCKS, "max_consent > inclusion"),
            (
                wide(self.max_lead_heights) <= wide(self.proof_window_heights)
                    && wide(self.proof_window_heights) >= stale_blocks,
                "proof_window ≥ max_lead and ≥ stale_head in blocks",
            ),
            (self.max_lead_ms < self.stale_head_ms, "max_lead_time < stale_head"),
            (wide(self.voting_period_blocks) > INCLUSION_BLOCKS, "voting_period > inclusion"),
            (self.validator_delay_blocks >= 1, "validator_delay ≥ 1"),
            (self.debt_payments_per_step >= 1, "debt_payments_per_step ≥ 1"),
            (self.min_insurance > self.standalone_balance, "min_insurance > standalone_balance"),
            (self.trust_period_ms > self.stale_head_ms, "trust_period > stale_head"),
            (self.snapshot_after_bytes > 0, "snapshot_after > 0"),
        ]
    }

    /// Bytes of a channel on the chain with every asset used: see `ledger::state::Channel`.
    fn largest_channel_bytes(&self) -> u64 {
        const PART: u64 = 4 + 8 + 8 + 8 + 8;
        PART.saturating_mul(u64::from(self.max_channel_assets))
    }

    /// Bytes of a channel state with every lock and every asset used: see `channel::state` for the layout.
    fn largest_state_bytes(&self) -> u64 {
        const FIXED: u64 = 32 * 4 + 8 + 8 + 1 + 4;
        const SUB: u64 = 4 + 8 + 4 + 4;
        const LOCK: u64 = 8 + 8 + 32 + 8;
        FIXED
            .saturating_add(SUB.saturating_mul(u64::from(self.max_channel_assets)))
            .saturating_add(LOCK.saturating_mul(2).saturating_mul(u64::from(self.max_locks)))
    }
}

#[cfg(test)]
pub(crate) mod tests;
