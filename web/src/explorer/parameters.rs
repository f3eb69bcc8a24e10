//! K as a table.

use crate::view::Parameter;
use fair_core::chain::params::Parameters;

/// Every parameter with unit and meaning, in the order of the parameter set.
#[allow(clippy::too_many_lines, reason = "one line for each parameter")]
pub fn table(k: &Parameters) -> Vec<Parameter> {
    vec![
        row(
            "min_block_interval",
            k.min_block_interval_ms,
            "ms",
            "Least time between a block and its predecessor; delays in blocks are sized for it.",
        ),
        row(
            "max_idle",
            k.max_idle_ms,
            "ms",
            "A block is built at the latest this long after its predecessor, even an empty one.",
        ),
        row("max_block", k.max_block_bytes.into(), "bytes", "Largest sum of encoded batches in a block."),
        row(
            "court_room",
            k.court_room_bytes.into(),
            "bytes",
            "Part of max_block_bytes that only court batches may fill.",
        ),
        row("max_batch", k.max_batch_bytes.into(), "bytes", "Largest encoded batch."),
        row("max_batch_life", k.max_batch_life_heights.into(), "heights", "How far valid_until may lie ahead."),
        row(
            "min_fee_rate",
            k.min_fee_rate,
            "FRD per 1,000 bytes",
            "Least fee rate, in FRD units per 1,000 bytes of batch.",
        ),
        row("account_creation_fee", k.account_creation_fee, "FRD", "Paid to the proposer by whoever makes an account."),
        row(
            "standalone_balance",
            k.standalone_balance,
            "FRD",
            "On-chain balance that a new account keeps of what it was created with.",
        ),
        row("max_channel_assets", k.max_channel_assets.into(), "assets", "Most assets in one channel."),
        row("max_locks", k.max_locks.into(), "locks", "Most locks of one side in one channel."),
        row("max_state", k.max_state_bytes.into(), "bytes", "Largest encoded channel state."),
        row("min_lock", k.min_lock, "unit of the asset", "Least amount of a lock, in the asset's unit."),
        row("lock_horizon", k.lock_horizon_blocks.into(), "blocks", "How far ahead a lock may expire."),
        row(
            "hop_delta",
            k.hop_delta_blocks.into(),
            "blocks",
            "Least difference of expiry between a bank's incoming and outgoing lock.",
        ),
        row(
            "margin",
            k.margin_blocks.into(),
            "blocks",
            "What every deadline in a channel keeps from the chain's: later than expiry minus margin a secret goes on-chain, earlier than expiry plus margin nothing is expired.",
        ),
        row("max_hops", k.max_hops.into(), "hops", "Most hops of a payment."),
        row("max_consent", k.max_consent_blocks.into(), "blocks", "How old a withdrawal consent may become."),
        row(
            "proof_window",
            k.proof_window_heights.into(),
            "heights",
            "How far behind the receiver's head a frame's chain facts may lie.",
        ),
        row("max_lead", k.max_lead_heights.into(), "heights", "How far ahead of the receiver's head they may lie."),
        row("max_lead", k.max_lead_ms, "ms", "How long a receiver waits for a block that a frame names."),
        row(
            "stale_head",
            k.stale_head_ms,
            "ms",
            "A head older than this is stale: no new locks, no settling off-chain.",
        ),
        row("min_insurance", k.min_insurance, "unit of the asset", "Least amount of insurance that may be requested."),
        row(
            "risk",
            k.risk,
            "unit of the asset",
            "Insured part of a bank above which a rebalance asks for a withdrawal.",
        ),
        row(
            "dispute_delay",
            k.dispute_delay_blocks.into(),
            "blocks",
            "Length of the answer window of a dispute against an ordinary account.",
        ),
        row("bank_dispute_delay", k.bank_dispute_delay_blocks.into(), "blocks", "The same against a bank, shorter."),
        row(
            "hashlock_keepalive",
            k.hashlock_keepalive_blocks.into(),
            "blocks",
            "How long a revealed secret stays in the registry.",
        ),
        row(
            "debt_payments_per_step",
            k.debt_payments_per_step.into(),
            "payments",
            "Most payments of debts in one step.",
        ),
        row("debt_floor", k.debt_floor, "FRD", "FRD that debts leave to an account, for fees alone."),
        row("voting_period", k.voting_period_blocks.into(), "blocks", "How long a proposal can be voted on."),
        row("validator_delay", k.validator_delay_blocks.into(), "blocks", "How long a change of validators waits."),
        row(
            "trust_period",
            k.trust_period_ms,
            "ms",
            "How long a client may trust a validator set that it does not follow.",
        ),
        row("snapshot_after", k.snapshot_after_bytes, "bytes", "Bytes of blocks after which a snapshot is written."),
    ]
}

fn row(name: &'static str, value: u64, unit: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, value, unit, meaning }
}
