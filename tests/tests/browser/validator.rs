//! What an operator of a validator does: signs batches with its account's key.

use anyhow::{Context as _, Result, ensure};
use fair_core::codec;
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::message::Signed;
use fair_core::types::{AssetId, Hash, PublicKey};
use fair_tests::network::Network;
use fair_tests::wait;
use serde_json::Value;

use crate::person::BLOCKS;

/// An account of the genesis, and the validator that it hands its batches to.
pub(super) struct Signer {
    key: SecretKey,
    chain_id: Hash,
    nonce: u64,
    url: String,
}

impl Signer {
    /// The account of validator `name`.
    pub(super) fn of(network: &Network, name: &str) -> Result<Self> {
        let seed: Hash =
            std::fs::read_to_string(network.folder().join(name).join("keys/account.key"))?.trim().parse()?;
        let key = SecretKey::from_seed(&seed.0);
        Ok(Self { key, chain_id: network.genesis()?.chain_id(), nonce: 0, url: network.url_of(name)?.to_owned() })
    }

    pub(super) fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// Signs these, hands them in and waits for their block.
    pub(super) async fn send(&mut self, operations: Vec<Operation>) -> Result<()> {
        let info: Value = reqwest::get(format!("{}/v1/info", self.url)).await?.json().await?;
        let valid_until = info["head"]["height"].as_u64().context("a height")? + 60;
        let entries = operations.into_iter().map(|operation| Entry { group: None, operation }).collect();
        let body = Batch { signer: self.public(), nonce: self.nonce, valid_until, fee_rate: 100, entries };
        let bytes = codec::encode(&Signed::new(body, &self.chain_id, &self.key));
        let http = reqwest::Client::new();
        wait::until("a block with a validator's batch", BLOCKS, async || {
            let answer = http.post(format!("{}/v1/batches", self.url)).body(bytes.clone()).send().await?;
            let status = answer.status().as_u16();
            ensure!(status == 200 || status == 202, "{status} {}", answer.text().await?);
            Ok((status == 200).then_some(()))
        })
        .await?;
        self.nonce += 1;
        Ok(())
    }

    /// Sends one unit to somebody with every block, without an end: blocks come as fast as they may.
    pub(super) async fn keeps_busy(mut self, to: PublicKey) -> Result<()> {
        loop {
            let deposit =
                Deposit { asset: AssetId::FRD, amount: 1, to, partner: None, keep: 0, epoch: None, invoice: None };
            self.send(vec![Operation::Deposit(deposit)]).await?;
        }
    }
}

/// The validators with a key of their own: the first one's account is the bank's.
pub(super) fn all(network: &Network) -> Result<Vec<Signer>> {
    ["v2", "v3", "v4"].into_iter().map(|name| Signer::of(network, name)).collect()
}
