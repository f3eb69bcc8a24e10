use super::*;
use crate::chain::genesis::{BadGenesis, Genesis};

#[test]
fn presets_hold() {
    assert_eq!(Parameters::DEMO.check(), Ok(()));
    assert_eq!(Parameters::SWIFT.check(), Ok(()));
    assert_eq!(Parameters::MAIN.check(), Ok(()));
}

pub(crate) type Break = fn(&mut Parameters);

/// One change of the demo parameters for each rule, that breaks it and no rule before it.
pub(crate) const BREAKS: &[(&str, Break)] = &[
    ("min_block_interval > 0", |k| k.min_block_interval_ms = 0),
    ("min_block_interval ≤ max_idle", |k| k.max_idle_ms = k.min_block_interval_ms - 1),
    ("max_idle + drift < stale_head", |k| k.max_idle_ms = k.stale_head_ms),
    ("max_block fits into the largest block that is decoded", |k| k.max_block_bytes = u32::MAX),
    ("max_batch fits into the largest batch that is decoded", |k| k.max_batch_bytes = u32::MAX),
    ("two batches fit into court_room", |k| k.court_room_bytes = k.max_batch_bytes),
    ("court_room ≤ half of max_block", |k| k.court_room_bytes = k.max_block_bytes),
    ("two states fit into a batch", |k| k.max_state_bytes = k.max_batch_bytes / 2),
    ("a channel and its state fit into the largest value that is decoded", |k| {
        k.max_batch_bytes = 256 << 10;
        k.court_room_bytes = 512 << 10;
        k.max_state_bytes = 100 << 10;
        k.standalone_balance = 5_000;
        k.min_insurance = 10_000;
    }),
    ("max_locks a side and max_channel_assets fit into max_state_bytes", |k| k.max_locks = 1_000),
    ("max_batch_life > 0", |k| k.max_batch_life_heights = 0),
    ("min_fee_rate > 0", |k| k.min_fee_rate = 0),
    ("standalone_balance > debt_floor", |k| k.debt_floor = k.standalone_balance),
    ("standalone_balance pays for disputing a maximal state and one reveal", |k| k.min_fee_rate = 30),
    ("max_channel_assets ≥ 2", |k| k.max_channel_assets = 1),
    ("max_locks ≥ 1 and min_lock ≥ 1", |k| k.min_lock = 0),
    ("max_hops ≥ 1", |k| k.max_hops = 0),
    ("max_hops fit into the largest onion that is decoded", |k| {
        k.max_hops = 16;
        k.lock_horizon_blocks = 1_000;
        k.hashlock_keepalive_blocks = 4_000;
    }),
    ("margin > stale_head in blocks + inclusion", |k| k.margin_blocks = 30),
    ("hop_delta > margin + head lag", |k| k.hop_delta_blocks = k.margin_blocks),
    ("lock_horizon ≥ (max_hops + 1) × hop_delta + margin", |k| k.lock_horizon_blocks = 100),
    ("stale_head + margin < shortest dispute delay", |k| k.bank_dispute_delay_blocks = 52),
    ("dispute delay against banks ≤ against others", |k| k.bank_dispute_delay_blocks = 121),
    ("hashlock_keepalive ≥ lock_horizon + 2 × longest dispute + margin", |k| k.hashlock_keepalive_blocks = 1_000),
    ("max_consent > inclusion", |k| k.max_consent_blocks = 10),
    ("proof_window ≥ max_lead and ≥ stale_head in blocks", |k| k.proof_window_heights = 3),
    ("max_lead_time < stale_head", |k| k.max_lead_ms = k.stale_head_ms),
    ("voting_period > inclusion", |k| k.voting_period_blocks = 10),
    ("validator_delay ≥ 1", |k| k.validator_delay_blocks = 0),
    ("debt_payments_per_step ≥ 1", |k| k.debt_payments_per_step = 0),
    ("min_insurance > standalone_balance", |k| k.min_insurance = k.standalone_balance),
    ("trust_period > stale_head", |k| k.trust_period_ms = k.stale_head_ms),
    ("snapshot_after > 0", |k| k.snapshot_after_bytes = 0),
];

/// A set that breaks a rule is refused by its name, and no chain starts with it.
#[test]
fn every_broken_rule_is_named() {
    for (rule, break_it) in BREAKS {
        let mut k = Parameters::DEMO;
        break_it(&mut k);
        assert_eq!(k.check(), Err(BadParameters { rule }), "{rule}");
        let genesis = Genesis { parameters: k, ..crate::ledger::fixture::genesis() };
        assert_eq!(genesis.check(), Err(BadGenesis::Parameters(BadParameters { rule })), "{rule}");
    }
    assert_eq!(BREAKS.len(), Parameters::DEMO.rules().len());
}
