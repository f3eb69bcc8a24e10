//! What an operator of a validator does: signs batches with its account's key.

use anyhow::Result;
use fair_core::crypto::SecretKey;
use fair_core::ledger::operation::Operation;
use fair_core::types::PublicKey;
use fair_tests::chain::{Chain, account_key, transfer};
use fair_tests::network::Network;

/// An account of the genesis.
pub(super) struct Signer {
    key: SecretKey,
    chain: Chain,
}

impl Signer {
    /// The account of validator `name`.
    pub(super) fn of(network: &Network, name: &str) -> Result<Self> {
        Ok(Self { key: account_key(network, name)?, chain: Chain::new(network)? })
    }

    pub(super) fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// Signs these, hands them in and waits for their block.
    pub(super) async fn send(&mut self, operations: Vec<Operation>) -> Result<()> {
        self.chain.apply(&self.key, operations).await.map(drop)
    }

    /// Sends one unit to somebody with every block, without an end: blocks come as fast as they may.
    pub(super) async fn keeps_busy(mut self, to: PublicKey) -> Result<()> {
        loop {
            self.send(vec![transfer(1, to)]).await?;
        }
    }
}

/// The validators with a key of their own: the first one's account is the bank's.
pub(super) fn all(network: &Network) -> Result<Vec<Signer>> {
    ["v2", "v3", "v4"].into_iter().map(|name| Signer::of(network, name)).collect()
}
