//! What a client of a validator does: ask, verify everything, hand in batches.

use anyhow::{Context, Result, bail, ensure};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::Genesis;
use fair_core::codec;
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::limits;
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, Hash, Height, PublicKey};
use fair_tests::network::{BANK, Network};
use fair_tests::wait;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An account that nobody has the key of.
pub(super) const RECEIVER: PublicKey = PublicKey([3; 32]);

/// A validator seen from outside.
pub(super) struct Client {
    pub(super) url: String,
    http: reqwest::Client,
}

impl Client {
    pub(super) fn new(url: &str) -> Result<Self> {
        // Each request on its own connection: servers that are killed leave dead ones behind.
        let http =
            reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(Duration::from_secs(10)).build()?;
        Ok(Self { url: url.to_owned(), http })
    }

    pub(super) async fn get(&self, path: &str) -> Result<(u16, Vec<u8>)> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await?;
        Ok((answer.status().as_u16(), answer.bytes().await?.to_vec()))
    }

    async fn found(&self, path: &str) -> Result<Vec<u8>> {
        match self.get(path).await? {
            (200, bytes) => Ok(bytes),
            (status, bytes) => bail!("{path}: {status} {}", String::from_utf8_lossy(&bytes)),
        }
    }

    async fn json(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.found(path).await?)?)
    }

    pub(super) async fn height(&self) -> Result<Height> {
        self.json("/v1/info").await?["head"]["height"].as_u64().context("a height")
    }

    pub(super) async fn status(&self) -> Result<Value> {
        self.json("/v1/status").await
    }

    pub(super) async fn genesis(&self) -> Result<Genesis> {
        Ok(Genesis::decode(&self.found("/v1/genesis").await?)?)
    }

    pub(super) async fn block(&self, height: Height) -> Result<CertifiedBlock> {
        let bytes = self.found(&format!("/v1/blocks/{height}")).await?;
        Ok(codec::decode(&bytes, limits::MAX_CERTIFIED_BLOCK_BYTES)?)
    }

    pub(super) async fn hash(&self, height: Height) -> Result<Hash> {
        Ok(self.block(height).await?.block.header.hash())
    }

    /// Verifies the whole chain by executing it, as a wallet does.
    pub(super) async fn follow(&self) -> Result<Follower> {
        let mut follower = Follower::new(&self.genesis().await?);
        self.catch_up(&mut follower).await?;
        Ok(follower)
    }

    /// Verifies and executes what a client has missed.
    pub(super) async fn catch_up(&self, follower: &mut Follower) -> Result<()> {
        loop {
            let from = follower.height() + 1;
            let bytes = self.found(&format!("/v1/blocks?from={from}&count=1000")).await?;
            let blocks: Vec<CertifiedBlock> = codec::decode(&bytes, 64 << 20)?;
            if blocks.is_empty() {
                return Ok(());
            }
            for block in blocks {
                let step = follower.check(&block, now_ms())?;
                follower.commit(step);
            }
        }
    }

    /// Status and JSON body of the answer.
    pub(super) async fn post_batch(&self, body: Vec<u8>) -> Result<(u16, Value)> {
        let answer = self.http.post(format!("{}/v1/batches", self.url)).body(body).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Pays from account 1.
pub(super) struct Payer {
    key: SecretKey,
    chain_id: Hash,
    nonce: u64,
    last: Option<Vec<u8>>,
}

impl Payer {
    pub(super) fn new(network: &Network) -> Result<Self> {
        let genesis = Genesis::decode(&std::fs::read(network.folder().join("genesis.bin"))?)?;
        let text = std::fs::read_to_string(network.folder().join(BANK).join("keys/account.key"))?;
        let seed: Hash = text.trim().parse()?;
        Ok(Self { key: SecretKey::from_seed(&seed.0), chain_id: genesis.chain_id(), nonce: 0, last: None })
    }

    pub(super) fn batch(&self, nonce: u64, valid_until: Height, asset: AssetId, amount: Amount) -> Signed<Batch> {
        let deposit = Deposit { asset, amount, to: RECEIVER, partner: None, keep: 0, epoch: None, invoice: None };
        let entries = vec![Entry { group: None, operation: Operation::Deposit(deposit) }];
        let body = Batch { signer: self.key.public(), nonce, valid_until, fee_rate: 1_000, entries };
        Signed::new(body, &self.chain_id, &self.key)
    }

    /// Hands a payment in.
    pub(super) async fn submit(&mut self, client: &Client, asset: AssetId, amount: Amount) -> Result<()> {
        let valid_until = client.height().await? + 100;
        let bytes = codec::encode(&self.batch(self.nonce, valid_until, asset, amount));
        let (status, answer) = client.post_batch(bytes.clone()).await?;
        ensure!(status == 202, "{status} {answer}");
        self.nonce += 1;
        self.last = Some(bytes);
        Ok(())
    }

    /// Waits until a block has the last payment: whoever hands it in again is told which.
    pub(super) async fn included(&self, client: &Client, deadline: Duration) -> Result<Height> {
        let bytes = self.last.clone().context("nothing was handed in")?;
        wait::until("inclusion of a batch", deadline, async || match client.post_batch(bytes.clone()).await? {
            (200, answer) => Ok(answer["height"].as_u64()),
            (202, _) => Ok(None),
            (status, answer) => bail!("{status} {answer}"),
        })
        .await
    }

    pub(super) async fn pay(
        &mut self,
        client: &Client,
        asset: AssetId,
        amount: Amount,
        deadline: Duration,
    ) -> Result<Height> {
        self.submit(client, asset, amount).await?;
        self.included(client, deadline).await
    }
}
