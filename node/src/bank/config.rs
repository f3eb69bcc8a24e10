//! `bank.toml` in a bank's home: what its operator decides. Every line may be left out.

use crate::error::NodeError;
use crate::home::Home;
use fair_core::bank::{self, AssetPolicy};
use fair_core::chain::genesis::{Genesis, Purpose};
use fair_core::channel::event::Debug;
use fair_core::types::Amount;
use serde::Deserialize;

const FILE: &str = "bank.toml";
/// What the usual rebalance and its waiting for consents take at the fastest pace of blocks.
const USUAL_REBALANCE_MS: u64 = 10_000;
const USUAL_CONSENT_WAIT_MS: u64 = 10_000;
/// How long partners whose money is needed may usually stay away before they are disputed.
const USUAL_DISPUTE_AFTER_MS: u64 = 24 * 3_600_000;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    /// Validators or relays to fetch blocks from; the genesis document's validators when empty.
    follow: Vec<String>,
    /// Blocks between two rebalances; 0: only when asked.
    rebalance_every_blocks: Option<u64>,
    /// Blocks that a rebalance waits for consents.
    consent_wait_blocks: Option<u64>,
    /// Blocks that a partner whose money is needed may stay away or decline before it is disputed; 0: for ever.
    dispute_after_blocks: Option<u64>,
    /// Uninsured balance that the bank accepts from each partner, in each asset.
    credit_limit: Amount,
    /// Most that one partner may have in locks under way, in each asset.
    max_in_flight: Amount,
    /// On-chain balance that rebalancing never touches, in each asset.
    safety_balance: Amount,
    /// Most locks of one partner under way.
    max_forwards: usize,
    /// Most partners without an account or money.
    max_strangers: usize,
    /// What the faucet of a test network gives, in each asset; 0: nothing.
    faucet_amount: Amount,
    /// For how long an account that was given something is not given more.
    faucet_pause_s: u64,
}

impl Default for File {
    fn default() -> Self {
        Self {
            follow: Vec::new(),
            rebalance_every_blocks: None,
            consent_wait_blocks: None,
            dispute_after_blocks: None,
            credit_limit: 0,
            max_in_flight: 1_000_000_000,
            safety_balance: 100_000,
            max_forwards: 40,
            max_strangers: 10_000,
            faucet_amount: 1_000_000,
            faucet_pause_s: 60,
        }
    }
}

/// What a bank runs with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) machine: bank::Config,
    pub(crate) follow: Vec<String>,
    /// `None` where money is worth something.
    pub(crate) faucet: Option<FaucetPolicy>,
}

/// What the faucet gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FaucetPolicy {
    pub(crate) amount: Amount,
    pub(crate) pause_ms: u64,
    /// Stays on the bank's account.
    pub(crate) keep: Amount,
}

impl Settings {
    /// Reads the file, if there is one.
    pub(crate) fn read(home: &Home, genesis: &Genesis) -> Result<Self, NodeError> {
        Ok(Self::of(home.settings(FILE)?, genesis))
    }

    fn of(file: File, genesis: &Genesis) -> Self {
        let blocks = |ms: u64| ms.div_ceil(genesis.parameters.min_block_interval_ms.max(1));
        let assets = genesis
            .assets
            .iter()
            .map(|asset| AssetPolicy {
                asset: asset.id,
                credit_limit: file.credit_limit,
                max_in_flight: file.max_in_flight,
                safety_balance: file.safety_balance,
            })
            .collect();
        let is_test = genesis.purpose == Purpose::Test;
        let validators = genesis.validators.validators.iter().map(|validator| validator.url.clone());
        Self {
            machine: bank::Config {
                assets,
                max_forwards: file.max_forwards,
                max_strangers: file.max_strangers,
                rebalance_every_blocks: file.rebalance_every_blocks.unwrap_or_else(|| blocks(USUAL_REBALANCE_MS)),
                consent_wait_blocks: file.consent_wait_blocks.unwrap_or_else(|| blocks(USUAL_CONSENT_WAIT_MS)),
                dispute_after_blocks: file.dispute_after_blocks.unwrap_or_else(|| blocks(USUAL_DISPUTE_AFTER_MS)),
                debug: if is_test { Debug::States } else { Debug::Off },
            },
            follow: if file.follow.is_empty() { validators.collect() } else { file.follow },
            faucet: (is_test && file.faucet_amount > 0).then_some(FaucetPolicy {
                amount: file.faucet_amount,
                pause_ms: file.faucet_pause_s.saturating_mul(1000),
                keep: file.safety_balance,
            }),
        }
    }
}
