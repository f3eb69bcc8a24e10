//! The chain as a test follows and writes it: blocks from the relay, executed; batches of keys that it holds.

use crate::network::Network;
use crate::wait;
use anyhow::{Context as _, Result, bail, ensure};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::follow::Follower;
use fair_core::channel::state::StateOrder;
use fair_core::codec;
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::{self, Batch, Entry};
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::ledger::receipt::{BatchOutcome, Opening, OpeningEvent, Receipt, ResolvedAsset};
use fair_core::ledger::state::State;
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, Hash, Height, Parties, PublicKey};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long anything may take that blocks decide: a dispute against a bank lasts less than half of it.
pub const PATIENCE: Duration = Duration::from_secs(150);

const ANSWER: Duration = Duration::from_secs(30);
const MOST_BYTES: usize = 64 << 20;
const MOST_BLOCKS: usize = 256;
const BATCH_LIFE: Height = 100;

/// A follower of a network's relay: what it has seen, wallets can know.
pub struct Chain {
    client: reqwest::Client,
    url: String,
    follower: Follower,
}

/// What a block left behind.
#[expect(missing_debug_implementations, reason = "a whole state is nothing to print")]
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// After it.
    pub state: &'a State,
    /// What fell due at its start.
    pub openings: &'a [Opening],
    /// What became of its batches.
    pub outcomes: &'a [BatchOutcome],
}

impl Seen<'_> {
    /// How court decided a channel in this block, if it did.
    ///
    /// # Errors
    /// If it decided about several assets, or none.
    pub fn resolution(&self, of: &Parties) -> Result<Option<Resolution>> {
        for opening in self.openings {
            if let OpeningEvent::Resolved { parties, order, assets, .. } = &opening.event
                && parties == of
            {
                let [asset] = assets.as_slice() else { bail!("not one asset: {assets:?}") };
                return Ok(Some(Resolution { height: self.state.height(), order: *order, asset: *asset }));
            }
        }
        Ok(None)
    }
}

/// How court decided a channel in one asset.
#[derive(Clone, Copy, Debug)]
pub struct Resolution {
    /// The block.
    pub height: Height,
    /// By which state.
    pub order: StateOrder,
    /// Who got what.
    pub asset: ResolvedAsset,
}

/// A batch that was handed in.
#[derive(Clone, Copy, Debug)]
pub struct Handed {
    hash: Hash,
    signer: PublicKey,
    nonce: u64,
    /// What it costs in FRD.
    pub fee: Amount,
}

impl Handed {
    /// Whether this block has it; if so, all of it was applied.
    ///
    /// # Errors
    /// If an operation was skipped, or another batch used the nonce.
    pub fn applied(&self, seen: &Seen<'_>) -> Result<Option<()>> {
        if let Some(outcome) = seen.outcomes.iter().find(|outcome| outcome.hash == self.hash) {
            for operation in &outcome.operations {
                if let Receipt::Skipped { reason } = &operation.receipt {
                    bail!("skipped: {reason}");
                }
            }
            return Ok(Some(()));
        }
        let now = seen.state.account(&self.signer).map(|account| account.nonce);
        ensure!(now.is_none_or(|now| now <= self.nonce), "nonce {} was used by another batch", self.nonce);
        Ok(None)
    }
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
    /// If the network has no relay or genesis.
    pub fn new(network: &Network) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER).build()?;
        Ok(Self { client, url: network.url()?.to_owned(), follower: Follower::new(&network.genesis()?) })
    }

    /// The state after the newest block that was executed.
    #[must_use]
    pub fn state(&self) -> &State {
        self.follower.state()
    }

    /// The state after every block that the relay has.
    ///
    /// # Errors
    /// If the relay does not answer, or with something that does not verify.
    pub async fn newest(&mut self) -> Result<&State> {
        while self.execute(|_| Ok(None::<()>)).await?.1 > 0 {}
        Ok(self.follower.state())
    }

    /// Executes blocks, and shows each, until one shows what is awaited. The present head is shown first.
    ///
    /// # Errors
    /// If the relay does not answer, or with something that does not verify; what `look` says.
    pub async fn until<T>(&mut self, what: &str, mut look: impl FnMut(&Seen<'_>) -> Result<Option<T>>) -> Result<T> {
        if let Some(found) = look(&Seen { state: self.follower.state(), openings: &[], outcomes: &[] })? {
            return Ok(found);
        }
        wait::until(what, PATIENCE, async || Ok(self.execute(&mut look).await?.0)).await
    }

    /// Waits for court's decision about a channel, in a block that is not executed yet.
    ///
    /// # Errors
    /// If the relay does not answer, or with something that does not verify.
    pub async fn resolution(&mut self, of: &Parties) -> Result<Resolution> {
        self.until("court's decision", |seen| seen.resolution(of)).await
    }

    /// Executes the blocks that the relay has now, up to one that shows what is looked for. How many it had.
    async fn execute<T>(&mut self, mut look: impl FnMut(&Seen<'_>) -> Result<Option<T>>) -> Result<(Option<T>, usize)> {
        let url = format!("{}/v1/blocks?from={}&count={MOST_BLOCKS}", self.url, self.follower.height() + 1);
        let bytes = self.client.get(url).send().await?.error_for_status()?.bytes().await?;
        let blocks: Vec<CertifiedBlock> = codec::decode(&bytes, MOST_BYTES)?;
        let now_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        for block in &blocks {
            let step = self.follower.check(block, now_ms).context("a block of the relay")?;
            let (openings, outcomes) = (step.openings().to_vec(), step.outcomes().to_vec());
            self.follower.commit(step);
            let seen = Seen { state: self.follower.state(), openings: &openings, outcomes: &outcomes };
            if let Some(found) = look(&seen)? {
                return Ok((Some(found), blocks.len()));
            }
        }
        Ok((None, blocks.len()))
    }

    /// Signs operations for an account and brings them to the relay.
    ///
    /// # Errors
    /// If there is no such account, or the relay refuses them.
    pub async fn hand_in(&mut self, key: &SecretKey, operations: Vec<Operation>) -> Result<Handed> {
        let signer = key.public();
        let state = self.newest().await?;
        let body = Batch {
            signer,
            nonce: state.account(&signer).context("no account")?.nonce,
            valid_until: state.height() + BATCH_LIFE,
            fee_rate: state.parameters().min_fee_rate,
            entries: operations.into_iter().map(|operation| Entry { group: None, operation }).collect(),
        };
        let nonce = body.nonce;
        let signed = Signed::new(body, &state.chain_id(), key);
        let fee = batch::fee(signed.body.fee_rate, batch::signed_bytes(&signed)).context("a fee")?;
        let request = self.client.post(format!("{}/v1/batches", self.url)).body(codec::encode(&signed));
        let response = request.send().await?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "{status}: {text}");
        Ok(Handed { hash: batch::hash(&signed), signer, nonce, fee })
    }

    /// Signs operations for an account, hands them in and waits for their block. Returns the fee.
    ///
    /// # Errors
    /// If they are refused, or one of them is skipped.
    pub async fn apply(&mut self, key: &SecretKey, operations: Vec<Operation>) -> Result<Amount> {
        let handed = self.hand_in(key, operations).await?;
        self.until("a batch in a block", |seen| handed.applied(seen)).await?;
        Ok(handed.fee)
    }

    /// On-chain FRD for accounts that need not exist.
    ///
    /// # Errors
    /// If it is refused, or skipped.
    pub async fn give(&mut self, giver: &SecretKey, to: &[PublicKey], amount: Amount) -> Result<()> {
        self.apply(giver, to.iter().map(|to| transfer(amount, *to)).collect()).await.map(drop)
    }
}

/// The account key in a home.
///
/// # Errors
/// If it cannot be read.
pub fn account_key(network: &Network, name: &str) -> Result<SecretKey> {
    let text = std::fs::read_to_string(network.folder().join(name).join("keys/account.key"))?;
    let seed: Hash = text.trim().parse()?;
    Ok(SecretKey::from_seed(&seed.0))
}

/// FRD from one account's balance to another's.
#[must_use]
pub fn transfer(amount: Amount, to: PublicKey) -> Operation {
    let (asset, partner) = (AssetId::FRD, None);
    Operation::Deposit(Deposit { asset, amount, to, partner, keep: 0, epoch: None, invoice: None })
}

/// What an account owes another in FRD on-chain.
#[must_use]
pub fn owed(state: &State, debtor: &PublicKey, creditor: &PublicKey) -> Amount {
    let debts = state.debts_of(debtor, AssetId::FRD).map(|(_, debt)| debt);
    debts.filter(|debt| debt.creditor == *creditor).map(|debt| debt.amount).sum()
}
