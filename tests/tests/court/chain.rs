//! The chain as whoever trusts nobody follows it, and batches signed by hand.

use anyhow::{Context, Result, bail, ensure};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::follow::Follower;
use fair_core::codec;
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::{self, Batch, Entry};
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::ledger::receipt::{Opening, Receipt};
use fair_core::ledger::state::State;
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, Hash, PublicKey};
use fair_tests::network::Network;
use fair_tests::wait;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long anything may take that blocks decide: a dispute against a bank lasts a quarter of it.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
const ANSWER: Duration = Duration::from_secs(30);
const MAX_BLOCKS_BYTES: usize = 64 << 20;

/// Executes every block that the relay has.
pub(super) struct Watcher {
    http: reqwest::Client,
    relay: String,
    follower: Follower,
}

/// What a block left behind.
pub(super) struct Seen<'a> {
    pub(super) state: &'a State,
    /// What fell due at its start.
    pub(super) openings: &'a [Opening],
}

impl Watcher {
    pub(super) fn new(network: &Network) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER).build()?;
        Ok(Self { http, relay: network.url()?.to_owned(), follower: Follower::new(&network.genesis()?) })
    }

    pub(super) fn state(&self) -> &State {
        self.follower.state()
    }

    /// Executes blocks, and shows each, until one shows what is awaited. The present head is shown first.
    pub(super) async fn until<T>(
        &mut self,
        what: &str,
        mut seen: impl FnMut(&Seen<'_>) -> Result<Option<T>>,
    ) -> Result<T> {
        if let Some(found) = seen(&Seen { state: self.follower.state(), openings: &[] })? {
            return Ok(found);
        }
        let Self { http, relay, follower } = self;
        wait::until(what, PATIENCE, async || {
            for block in blocks_after(http, relay, follower).await? {
                let step = follower.check(&block, now_ms())?;
                let openings = step.openings().to_vec();
                follower.commit(step);
                if let Some(found) = seen(&Seen { state: follower.state(), openings: &openings })? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Signs operations for an account, hands them in and waits for their block: all are applied. Returns the fee.
    pub(super) async fn apply(&mut self, key: &SecretKey, operations: Vec<Operation>) -> Result<Amount> {
        let signer = key.public();
        let state = self.follower.state();
        let body = Batch {
            signer,
            nonce: state.account(&signer).context("a registered account")?.nonce,
            valid_until: state.height() + 100,
            fee_rate: state.parameters().min_fee_rate,
            entries: operations.into_iter().map(|operation| Entry { group: None, operation }).collect(),
        };
        let nonce = body.nonce;
        let signed = Signed::new(body, &state.chain_id(), key);
        let fee = batch::fee(signed.body.fee_rate, batch::signed_bytes(&signed)).context("a fee")?;
        let (url, bytes) = (format!("{}/v1/batches", self.relay), codec::encode(&signed));
        let answer = self.http.post(url).body(bytes).send().await?;
        let (status, said) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{status}: {said}");
        let hash = batch::hash(&signed);
        let Self { http, relay, follower } = self;
        wait::until("a batch in a block", PATIENCE, async || {
            for block in blocks_after(http, relay, follower).await? {
                let step = follower.check(&block, now_ms())?;
                let outcome = step.outcomes().iter().find(|outcome| outcome.hash == hash).cloned();
                follower.commit(step);
                if let Some(outcome) = outcome {
                    for operation in &outcome.operations {
                        if let Receipt::Skipped { reason } = &operation.receipt {
                            bail!("skipped: {reason}");
                        }
                    }
                    return Ok(Some(()));
                }
            }
            let now = follower.state().account(&signer).map(|account| account.nonce);
            ensure!(now.is_none_or(|now| now <= nonce), "the batch's nonce {nonce} was used by another");
            Ok(None)
        })
        .await?;
        Ok(fee)
    }
}

/// Blocks that the relay has above what was executed, a hundred at most.
async fn blocks_after(http: &reqwest::Client, relay: &str, follower: &Follower) -> Result<Vec<CertifiedBlock>> {
    let from = follower.height() + 1;
    let answer = http.get(format!("{relay}/v1/blocks?from={from}&count=100")).send().await?;
    Ok(codec::decode(&answer.error_for_status()?.bytes().await?, MAX_BLOCKS_BYTES)?)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The account key in a process's home.
pub(super) fn account_key(network: &Network, name: &str) -> Result<SecretKey> {
    let text = std::fs::read_to_string(network.folder().join(name).join("keys/account.key"))?;
    let seed: Hash = text.trim().parse()?;
    Ok(SecretKey::from_seed(&seed.0))
}

/// FRD from one account's balance to another's.
pub(super) fn transfer(amount: Amount, to: PublicKey) -> Operation {
    let (asset, partner) = (AssetId::FRD, None);
    Operation::Deposit(Deposit { asset, amount, to, partner, keep: 0, epoch: None, invoice: None })
}

/// What an account owes another in FRD on-chain.
pub(super) fn owed(state: &State, debtor: &PublicKey, creditor: &PublicKey) -> Amount {
    let debts = state.debts_of(debtor, AssetId::FRD).map(|(_, debt)| debt);
    debts.filter(|debt| debt.creditor == *creditor).map(|debt| debt.amount).sum()
}
