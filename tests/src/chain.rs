//! The chain as a test follows and writes it: blocks from a validator, verified; batches of keys that it holds.

use crate::network::Network;
use crate::wait;
use anyhow::{Context as _, Result, bail, ensure};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::follow::Follower;
use fair_core::codec;
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::ledger::state::State;
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, PublicKey};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const ANSWER: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 32 << 20;

/// A follower of a network's first validator.
pub struct Chain {
    client: reqwest::Client,
    url: String,
    follower: Follower,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("height", &self.follower.height()).finish_non_exhaustive()
    }
}

impl Chain {
    /// Begins with genesis.
    ///
    /// # Errors
    /// If the network has no first validator or genesis.
    pub fn new(network: &Network) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER).build()?;
        Ok(Self { client, url: network.url_of("v1")?.to_owned(), follower: Follower::new(&network.genesis()?) })
    }

    /// The state after every block that the validator has.
    ///
    /// # Errors
    /// If the validator does not answer, or with something that does not verify.
    pub async fn state(&mut self) -> Result<&State> {
        loop {
            let from = self.follower.height() + 1;
            let url = format!("{}/v1/blocks?from={from}&count=256", self.url);
            let bytes = self.client.get(url).send().await?.error_for_status()?.bytes().await?;
            let blocks: Vec<CertifiedBlock> = codec::decode(&bytes, MOST_BYTES)?;
            if blocks.is_empty() {
                return Ok(self.follower.state());
            }
            let now_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
            for block in &blocks {
                let step = self.follower.check(block, now_ms).context("a block of the validator")?;
                self.follower.commit(step);
            }
        }
    }

    /// Waits until something about the state is there.
    ///
    /// # Errors
    /// If the validator does not answer, or with something that does not verify.
    pub async fn wait<T>(
        &mut self,
        what: &str,
        deadline: Duration,
        mut look: impl FnMut(&State) -> Option<T>,
    ) -> Result<T> {
        wait::until(what, deadline, async || Ok(look(self.state().await?))).await
    }

    /// Signs a batch and brings it to the validator.
    ///
    /// # Errors
    /// If the validator does not answer, or with something that does not verify.
    pub async fn submit(&mut self, key: &SecretKey, operations: Vec<Operation>) -> Result<()> {
        let state = self.state().await?;
        let account = state.account(&key.public()).context("no account")?;
        let batch = Batch {
            signer: key.public(),
            nonce: account.nonce,
            valid_until: state.height() + 60,
            fee_rate: state.parameters().min_fee_rate,
            entries: operations.into_iter().map(|operation| Entry { group: None, operation }).collect(),
        };
        let (chain_id, nonce) = (state.chain_id(), batch.nonce);
        let bytes = codec::encode(&Signed::new(batch, &chain_id, key));
        let request = self.client.post(format!("{}/v1/batches", self.url));
        let response = request.header("content-type", "application/octet-stream").body(bytes).send().await?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "{status}: {text}");
        let included = |state: &State| (state.account(&key.public())?.nonce > nonce).then_some(());
        self.wait("a batch to be included", Duration::from_secs(30), included).await
    }

    /// On-chain money for accounts that need not exist.
    ///
    /// # Errors
    /// If the validator does not answer, or with something that does not verify.
    pub async fn give(&mut self, giver: &SecretKey, to: &[PublicKey], amount: Amount) -> Result<()> {
        let deposit = |to: &PublicKey| {
            Operation::Deposit(Deposit {
                asset: AssetId::FRD,
                amount,
                to: *to,
                partner: None,
                keep: 0,
                epoch: None,
                invoice: None,
            })
        };
        self.submit(giver, to.iter().map(deposit).collect()).await?;
        let state = self.state().await?;
        match to.iter().find(|key| state.account(key).is_none()) {
            None => Ok(()),
            Some(key) => bail!("{key} was not registered"),
        }
    }
}

/// The account key in a home.
///
/// # Errors
/// If it cannot be read.
pub fn account_key(network: &Network, name: &str) -> Result<SecretKey> {
    let text = std::fs::read_to_string(network.folder().join(name).join("keys/account.key"))?;
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed)?;
    Ok(SecretKey::from_seed(&seed))
}
