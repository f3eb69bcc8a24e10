//! K as a table, by the names that people see.

use crate::view::Parameter;
use fair_core::chain::params::Parameters;

/// One line for each parameter, in the order of the parameter set: field, name, unit, meaning.
macro_rules! parameters {
    ($($field:ident, $name:literal, $unit:literal, $meaning:literal;)*) => {
        /// Every parameter with unit and meaning.
        #[allow(clippy::useless_conversion, reason = "widths differ from line to line")]
        pub fn table(k: &Parameters) -> Vec<Parameter> {
            vec![$(Parameter { name: $name, value: k.$field.into(), unit: $unit, meaning: $meaning }),*]
        }

        /// Sets the parameter with a name; `None` if there is no such name, or the value does not fit.
        #[allow(clippy::useless_conversion, reason = "widths differ from line to line")]
        pub fn set(k: &mut Parameters, name: &str, value: u64) -> Option<()> {
            match name {
                $($name => k.$field = value.try_into().ok()?,)*
                _ => return None,
            }
            Some(())
        }
    };
}

parameters! {
    min_block_interval_ms, "min_block_interval", "ms", "Least time between a block and its predecessor; delays in blocks are sized for it.";
    max_idle_ms, "max_idle", "ms", "A block is built at the latest this long after its predecessor, even an empty one.";
    max_block_bytes, "max_block", "bytes", "Largest sum of encoded batches in a block.";
    court_room_bytes, "court_room", "bytes", "Part of max_block that only court batches may fill.";
    max_batch_bytes, "max_batch", "bytes", "Largest encoded batch.";
    max_batch_life_heights, "max_batch_life", "heights", "How far valid_until may lie ahead.";
    min_fee_rate, "min_fee_rate", "FRD per 1,000 bytes", "Least fee rate, in FRD units per 1,000 bytes of batch.";
    account_creation_fee, "account_creation_fee", "FRD", "Paid to the proposer by whoever makes an account.";
    standalone_balance, "standalone_balance", "FRD", "On-chain balance that a new account keeps of what it was created with.";
    max_channel_assets, "max_channel_assets", "assets", "Most assets in one channel.";
    max_locks, "max_locks", "locks", "Most locks of one side in one channel.";
    max_state_bytes, "max_state", "bytes", "Largest encoded channel state.";
    min_lock, "min_lock", "unit of the asset", "Least amount of a lock, in the asset's unit.";
    lock_horizon_blocks, "lock_horizon", "blocks", "How far ahead a lock may expire.";
    hop_delta_blocks, "hop_delta", "blocks", "Least difference of expiry between a bank's incoming and outgoing lock.";
    margin_blocks, "margin", "blocks", "What every deadline in a channel keeps from the chain's: later than expiry minus margin a secret goes on-chain, earlier than expiry plus margin nothing is expired.";
    max_hops, "max_hops", "hops", "Most hops of a payment.";
    max_consent_blocks, "max_consent", "blocks", "How old a withdrawal consent may become.";
    proof_window_heights, "proof_window", "heights", "How far behind the receiver's head a frame's chain facts may lie.";
    max_lead_heights, "max_lead", "heights", "How far ahead of the receiver's head they may lie.";
    max_lead_ms, "max_lead_time", "ms", "How long a receiver waits for a block that a frame names.";
    stale_head_ms, "stale_head", "ms", "A head older than this is stale: no new locks, no settling off-chain.";
    min_insurance, "min_insurance", "unit of the asset", "Least amount of insurance that may be requested.";
    risk, "risk", "unit of the asset", "Insured part of a bank above which a rebalance asks for a withdrawal.";
    dispute_delay_blocks, "dispute_delay", "blocks", "Length of the answer window of a dispute against an ordinary account.";
    bank_dispute_delay_blocks, "bank_dispute_delay", "blocks", "The same against a bank, shorter.";
    hashlock_keepalive_blocks, "hashlock_keepalive", "blocks", "How long a revealed secret stays in the registry.";
    debt_payments_per_step, "debt_payments_per_step", "payments", "Most payments of debts in one step.";
    debt_floor, "debt_floor", "FRD", "FRD that debts leave to an account, for fees alone.";
    voting_period_blocks, "voting_period", "blocks", "How long a proposal can be voted on.";
    validator_delay_blocks, "validator_delay", "blocks", "How long a change of validators waits.";
    trust_period_ms, "trust_period", "ms", "How long a client may trust a validator set that it does not follow.";
    snapshot_after_bytes, "snapshot_after", "bytes", "Bytes of blocks after which a snapshot is written.";
}
