//! The batch bar: actions that wait, batches that were signed, and what becomes of them.
//!
//! A batch is stored exactly as signed, together with the emptied draft, before it is sent; it is sent
//! again with the same bytes until a verified block shows what became of it. One batch is under way at a
//! time. When it expires its actions return to the draft.

use super::Core;
use crate::changes::Changes;
use crate::error::Error;
use crate::events::now_ms;
use crate::explorer::Explorer;
use crate::limits;
use crate::net;
use crate::record;
use crate::store::Store;
use crate::view::{AssetAmount, Draft, DraftAction, SentBatch, SentOperation, SentState};
use borsh::{BorshDeserialize, BorshSerialize};
use fair_core::chain::genesis::Purpose;
use fair_core::codec;
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::{self, Batch, Entry};
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::ledger::receipt::{BatchOutcome, OperationOutcome, Receipt};
use fair_core::limits as core_limits;
use fair_core::message::Signed;
use fair_core::types::{AssetId, Hash, Height, PublicKey, TimeMs};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Longest record of an own batch: its bytes and what became of it.
const MAX_SENT_BYTES: usize = core_limits::MAX_BATCH_BYTES * 8;

/// An action that waits to be signed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Action {
    /// Neighbours with one group apply or fall together.
    pub(super) group: Option<u16>,
    pub(super) operation: Operation,
}

/// A batch that was signed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Sent {
    key: String,
    sent_at_ms: TimeMs,
    /// Height of the head when it was signed; no block up to it can hold the batch.
    signed_at: Height,
    batch: Signed<Batch>,
    fate: Fate,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
enum Fate {
    Waiting,
    Included { height: Height, time_ms: TimeMs, outcome: BatchOutcome },
    Expired,
}

/// All of it.
#[derive(Default)]
pub(super) struct Batches {
    draft: BTreeMap<u64, Action>,
    next_id: u64,
    sent: BTreeMap<u64, Sent>,
    delivery: Delivery,
}

/// Of the batch under way; not stored, since a restart sends it anyway.
#[derive(Default)]
struct Delivery {
    accepted: bool,
    sent_at_ms: TimeMs,
    error: Option<Error>,
}

impl Batches {
    pub(super) async fn load(store: &Store) -> Result<Self, Error> {
        let damaged = |error| Error::new("storage.damaged", format!("A stored batch cannot be read: {error}"));
        let mut batches = Self::default();
        for (key, value) in store.all(&record::drafts()).await? {
            if let Some(id) = number(&key) {
                batches.draft.insert(id, codec::decode(&value, core_limits::MAX_BATCH_BYTES).map_err(damaged)?);
                batches.next_id = id + 1;
            }
        }
        for (key, value) in store.all(&record::sent_batches()).await? {
            if let Some(nonce) = number(&key) {
                batches.sent.insert(nonce, codec::decode(&value, MAX_SENT_BYTES).map_err(damaged)?);
            }
        }
        Ok(batches)
    }

    fn under_way(&self) -> Option<&Sent> {
        self.sent.values().rev().find(|sent| sent.fate == Fate::Waiting)
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |action: &Action| Entry { group: action.group, operation: action.operation.clone() };
        self.draft.values().map(entry).collect()
    }
}

fn number(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(1..)?.try_into().ok()?))
}

impl Core {
    /// The draft as pages see it. With the key at hand each action is tried out on the present state.
    pub(super) fn draft(&self) -> Result<Draft, Error> {
        let chain = self.chain()?;
        let wallet = self.wallet.borrow();
        let you = wallet.account();
        let state = chain.state();
        let explorer = Explorer { state: &state, you };
        let fee_rate = state.parameters().min_fee_rate;
        let mut draft = Draft { actions: Vec::new(), bytes: 0_u64.into(), fee_rate, fee: 0, problem: None };
        let entries = wallet.batches.entries();
        let outcomes = match (you, entries.is_empty()) {
            (None, _) => return Ok(draft),
            (Some(_), true) => Vec::new(),
            (Some(you), false) => {
                let batch = compose(&explorer, you, entries);
                let bytes = batch::bytes_when_signed(&batch);
                draft.bytes = bytes.into();
                draft.fee = batch::fee(fee_rate, bytes).unwrap_or(u64::MAX);
                draft.problem = problem(&explorer, &wallet.batches, you, &batch, bytes, draft.fee);
                wallet.key().ok().map(|key| try_out(&chain, &key, batch)).unwrap_or_default()
            }
        };
        for (index, (id, action)) in wallet.batches.draft.iter().enumerate() {
            let problem = match outcomes.get(index).map(|outcome| &outcome.receipt) {
                Some(Receipt::Skipped { reason }) => Some(Error::of("batch", reason)),
                _ => None,
            };
            draft.actions.push(DraftAction {
                id: (*id).into(),
                operation: explorer.operation(&action.operation),
                group: action.group,
                problem,
            });
        }
        Ok(draft)
    }

    pub(super) fn emit_draft(&self) {
        if let Ok(draft) = self.draft() {
            self.events.emit("draft", &draft);
        }
    }

    /// Adds a deposit.
    pub(super) async fn draft_deposit(
        &self,
        asset: AssetId,
        amount: u64,
        to: &str,
        partner: Option<&str>,
    ) -> Result<Draft, Error> {
        self.you().ok_or_else(|| Error::new("wallet.none", "There is no wallet here yet."))?;
        let operation = self.explore(|explorer| {
            if explorer.state.asset(asset).is_none() {
                return Err(Error::new("input.asset", "There is no such asset.").with("got", u64::from(asset.0)));
            }
            if amount == 0 {
                return Err(Error::new("input.amount", "Give an amount above zero."));
            }
            let partner = partner.map(|partner| explorer.resolve(partner)).transpose()?;
            Ok(Operation::Deposit(Deposit {
                asset,
                amount,
                to: explorer.resolve(to)?,
                partner,
                keep: 0,
                epoch: None,
                invoice: None,
            }))
        })??;
        self.draft_actions(vec![Action { group: None, operation }]).await
    }

    /// Adds actions, all or none.
    pub(super) async fn draft_actions(&self, actions: Vec<Action>) -> Result<Draft, Error> {
        let _writing = self.writing.lock().await;
        let (mut changes, first) = {
            let wallet = self.wallet.borrow();
            if wallet.batches.draft.len() + actions.len() > limits::MAX_DRAFT_ACTIONS {
                return Err(Error::new(
                    "batch.draft_full",
                    format!("One batch takes {} actions here; send it first.", limits::MAX_DRAFT_ACTIONS),
                ));
            }
            (Changes::default(), wallet.batches.next_id)
        };
        for (id, action) in (first..).zip(&actions) {
            changes.put(record::draft(id), codec::encode(action));
        }
        self.store.commit(changes).await?;
        {
            let batches = &mut self.wallet.borrow_mut().batches;
            batches.next_id = first + actions.len() as u64;
            batches.draft.extend((first..).zip(actions));
        }
        self.emit_draft();
        self.draft()
    }

    /// Takes an action out again, with its whole group.
    pub(super) async fn draft_remove(&self, id: u64) -> Result<Draft, Error> {
        let _writing = self.writing.lock().await;
        let gone: Vec<u64> = {
            let wallet = self.wallet.borrow();
            let group = wallet.batches.draft.get(&id).and_then(|action| action.group);
            let falls = |other: &u64, action: &Action| *other == id || (group.is_some() && action.group == group);
            wallet.batches.draft.iter().filter(|(other, action)| falls(other, action)).map(|(id, _)| *id).collect()
        };
        let mut changes = Changes::default();
        for id in &gone {
            changes.delete(record::draft(*id));
        }
        self.store.commit(changes).await?;
        self.wallet.borrow_mut().batches.draft.retain(|id, _| !gone.contains(id));
        self.emit_draft();
        self.draft()
    }

    /// Signs the draft, stores the signed bytes, and begins to send them. The same key gives the same batch.
    pub(super) async fn sign_and_send(&self, caller: &str) -> Result<SentBatch, Error> {
        let writing = self.writing.lock().await;
        if let Some(stored) = self.store.get(&record::sent_key(caller)).await? {
            let nonce = <[u8; 8]>::try_from(stored).map_or(0, u64::from_be_bytes);
            return self.sent_batch(nonce);
        }
        self.may_sign()?;
        let key = self.key()?;
        let draft = self.draft()?;
        if let Some(problem) = draft.problem {
            return Err(problem);
        }
        if draft.actions.is_empty() {
            return Err(Error::new("batch.empty", "There is nothing in the batch yet."));
        }
        let chain = self.chain()?;
        let sent = {
            let state = chain.state();
            let wallet = self.wallet.borrow();
            let batch = compose(&Explorer { state: &state, you: None }, key.public(), wallet.batches.entries());
            let batch = Signed::new(batch, &chain.chain_id(), &key);
            Sent { key: caller.to_owned(), sent_at_ms: now_ms(), signed_at: chain.height(), batch, fate: Fate::Waiting }
        };
        let nonce = sent.batch.body.nonce;
        let mut changes = Changes::default();
        for action in &draft.actions {
            changes.delete(record::draft(action.id.0));
        }
        changes.put(record::sent_batch(nonce), codec::encode(&sent));
        changes.put(record::sent_key(caller), nonce.to_be_bytes().to_vec());
        self.store.commit(changes).await?;
        {
            let batches = &mut self.wallet.borrow_mut().batches;
            batches.draft.clear();
            batches.sent.insert(nonce, sent);
            batches.delivery = Delivery::default();
        }
        drop(writing);
        self.emit_draft();
        let answer = self.sent_batch(nonce)?;
        self.events.emit("batch", &answer);
        Ok(answer)
    }

    /// Sends the batch under way, first at once and then from time to time.
    pub(super) async fn deliver_batches(&self) {
        let now = now_ms();
        let due = {
            let wallet = &mut *self.wallet.borrow_mut();
            let batches = &mut wallet.batches;
            let Some(sent) = batches.sent.values().rev().find(|sent| sent.fate == Fate::Waiting) else { return };
            if now.saturating_sub(batches.delivery.sent_at_ms) < limits::RESEND_BATCH_MS {
                return;
            }
            batches.delivery.sent_at_ms = now;
            (sent.batch.body.nonce, codec::encode(&sent.batch))
        };
        let (nonce, bytes) = due;
        let result = self.post_batch(&bytes).await;
        let changed = {
            let delivery = &mut self.wallet.borrow_mut().batches.delivery;
            let before = (delivery.accepted, delivery.error.clone());
            match result {
                Ok(()) => (delivery.accepted, delivery.error) = (true, None),
                Err(error) => delivery.error = Some(error),
            }
            before != (delivery.accepted, delivery.error.clone())
        };
        if changed && let Ok(sent) = self.sent_batch(nonce) {
            self.events.emit("batch", &sent);
        }
    }

    /// Gives a batch to the first relay that takes it.
    async fn post_batch(&self, bytes: &[u8]) -> Result<(), Error> {
        let relays = self.sync.borrow().usable();
        let mut last =
            Error::passing("relay.unreachable", "No relay can be reached; the batch is kept and sent again.");
        for relay in relays {
            match net::post(&format!("{relay}/v1/batches"), "batch", "application/octet-stream", bytes).await {
                Ok(_) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Looks into verified blocks for the batch under way.
    pub(super) async fn track_batches(&self) {
        if let Err(error) = self.try_track().await {
            self.events.error(&error);
        }
    }

    async fn try_track(&self) -> Result<(), Error> {
        let Some(sent) = self.wallet.borrow().batches.under_way().cloned() else { return Ok(()) };
        let _writing = self.writing.lock().await;
        let chain = self.chain()?;
        let (nonce, signer) = (sent.batch.body.nonce, sent.batch.body.signer);
        let (height, next) = {
            let state = chain.state();
            (state.height(), state.account(&signer).map_or(0, |account| account.nonce))
        };
        let fate = if next > nonce {
            match self.find(&sent).await? {
                Some(included) => included,
                None => Fate::Expired,
            }
        } else if height >= sent.batch.body.valid_until {
            Fate::Expired
        } else {
            return Ok(());
        };
        self.settle(Sent { fate, ..sent }).await
    }

    /// Stores the end of a batch; actions of an expired one return to the draft.
    async fn settle(&self, sent: Sent) -> Result<(), Error> {
        let nonce = sent.batch.body.nonce;
        let mut changes = Changes::default();
        changes.put(record::sent_batch(nonce), codec::encode(&sent));
        let first = self.wallet.borrow().batches.next_id;
        let mut back = BTreeMap::new();
        if sent.fate == Fate::Expired {
            let actions = sent.batch.body.entries.iter();
            let actions = actions.map(|entry| Action { group: entry.group, operation: entry.operation.clone() });
            back = (first..).zip(actions).collect();
        }
        for (id, action) in &back {
            changes.put(record::draft(*id), codec::encode(action));
        }
        self.store.commit(changes).await?;
        {
            let batches = &mut self.wallet.borrow_mut().batches;
            batches.next_id = first + back.len() as u64;
            batches.draft.append(&mut back);
            batches.sent.insert(nonce, sent);
            batches.delivery = Delivery::default();
        }
        self.events.emit("batch", &self.sent_batch(nonce)?);
        self.emit_status();
        self.emit_draft();
        Ok(())
    }

    /// The block that holds a batch of ours.
    async fn find(&self, sent: &Sent) -> Result<Option<Fate>, Error> {
        let chain = self.chain()?;
        let account = sent.batch.body.signer;
        let from = record::mention(&account, sent.signed_at, 0);
        let to = record::end_of(&record::mentions(&account));
        let wanted = batch::hash(&sent.batch);
        for (key, _) in chain.store().range(&from, &to, u32::MAX).await? {
            let Some((height, _)) = record::mention_place(&key) else { continue };
            let Some(block) = chain.block(height).await? else { continue };
            if let Some(outcome) = block.outcomes.into_iter().find(|outcome| outcome.hash == wanted) {
                let time_ms = block.certified.block.header.time_ms;
                return Ok(Some(Fate::Included { height, time_ms, outcome }));
            }
        }
        Ok(None)
    }

    fn sent_batch(&self, nonce: u64) -> Result<SentBatch, Error> {
        let wallet = self.wallet.borrow();
        let unknown = || Error::new("batch.unknown", "There is no such batch.");
        let sent = wallet.batches.sent.get(&nonce).ok_or_else(unknown)?;
        self.explore(|explorer| view(&explorer, sent, &wallet.batches.delivery))
    }

    /// Own batches, newest first.
    pub(super) fn sent_batches(&self, limit: u64) -> Result<Vec<SentBatch>, Error> {
        let wallet = self.wallet.borrow();
        let limit = usize::try_from(limit.min(limits::MAX_SENT_LISTED)).unwrap_or(usize::MAX);
        let newest = wallet.batches.sent.values().rev().take(limit);
        self.explore(|explorer| newest.map(|sent| view(&explorer, sent, &wallet.batches.delivery)).collect())
    }

    /// Asks the network's faucet for play money.
    pub(super) async fn faucet(&self, asset: AssetId) -> Result<AssetAmount, Error> {
        #[derive(Deserialize)]
        struct Given {
            asset: AssetId,
            amount: u64,
        }
        let chain = self.chain()?;
        if chain.genesis().purpose != Purpose::Test {
            return Err(Error::new("faucet.none", "Only networks for play have a faucet."));
        }
        let account = self.you().ok_or_else(|| Error::new("wallet.none", "There is no wallet here yet."))?;
        let body = serde_json::json!({ "account": account, "asset": asset }).to_string();
        let mut last = Error::passing("relay.unreachable", "No relay can be reached.");
        let relays = self.sync.borrow().usable();
        for relay in relays {
            match net::post(&format!("{relay}/v1/faucet"), "faucet", "application/json", body.as_bytes()).await {
                Ok(answer) => {
                    let given: Given = serde_json::from_slice(&answer)
                        .map_err(|_| Error::new("relay.malformed", "The faucet's answer cannot be read."))?;
                    return Ok(AssetAmount { asset: given.asset, amount: given.amount });
                }
                Err(error) if error.code == "relay.unreachable" => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

/// The batch that would be signed now.
fn compose(explorer: &Explorer<'_>, signer: PublicKey, entries: Vec<Entry>) -> Batch {
    let k = explorer.state.parameters();
    let life = u64::from(k.max_batch_life_heights).min(limits::BATCH_LIFE_HEIGHTS);
    Batch {
        signer,
        nonce: explorer.state.account(&signer).map_or(0, |account| account.nonce),
        valid_until: explorer.state.height().saturating_add(life),
        fee_rate: k.min_fee_rate,
        entries,
    }
}

/// Why the whole cannot be sent now.
fn problem(
    explorer: &Explorer<'_>,
    batches: &Batches,
    you: PublicKey,
    batch: &Batch,
    bytes: usize,
    fee: u64,
) -> Option<Error> {
    let k = explorer.state.parameters();
    let balance = explorer.state.balance(&you, AssetId::FRD);
    if explorer.state.account_id(&you).is_none() {
        return Some(Error::new(
            "batch.unknown_signer",
            "Your account is not on the chain yet; somebody must send it FRD first.",
        ));
    }
    if let Some(sent) = batches.under_way() {
        return Some(
            Error::passing("batch.waiting", "Your last batch is still under way; this one can follow it.")
                .with("nonce", sent.batch.body.nonce),
        );
    }
    if bytes > k.max_batch_bytes as usize {
        return Some(
            Error::new("batch.batch_too_long", "These actions are too many for one batch; take some out.")
                .with("limit", u64::from(k.max_batch_bytes))
                .with("got", bytes),
        );
    }
    if balance < fee {
        return Some(
            Error::new("batch.cannot_pay_fee", "There is not enough FRD on the chain for the fee.")
                .with("balance", crate::error::Datum::Amount(balance.into()))
                .with("fee", crate::error::Datum::Amount(fee.into())),
        );
    }
    debug_assert_eq!(batch.signer, you);
    None
}

/// What each operation would come to in the next block. The signature stays here and is thrown away.
fn try_out(chain: &crate::chain::Chain, key: &SecretKey, batch: Batch) -> Vec<OperationOutcome> {
    let follower = chain.follower();
    let signed = Signed::new(batch, &chain.chain_id(), key);
    let Some(proposer) = follower.state().validators().validators.first() else { return Vec::new() };
    let built = follower.build([&signed], proposer.account, now_ms());
    built.step.outcomes().first().map(|outcome| outcome.operations.clone()).unwrap_or_default()
}

fn view(explorer: &Explorer<'_>, sent: &Sent, delivery: &Delivery) -> SentBatch {
    let body = &sent.batch.body;
    let (outcome, height, time) = match &sent.fate {
        Fate::Included { height, time_ms, outcome } => (Some(outcome), Some(*height), Some(*time_ms)),
        Fate::Waiting | Fate::Expired => (None, None, None),
    };
    let operations = body.entries.iter().enumerate().map(|(index, entry)| SentOperation {
        operation: explorer.operation(&entry.operation),
        group: entry.group,
        receipt: outcome
            .and_then(|outcome| outcome.operations.get(index))
            .map(|outcome| explorer.receipt(&outcome.receipt)),
    });
    let waiting = sent.fate == Fate::Waiting;
    SentBatch {
        key: sent.key.clone(),
        hash: hash(sent),
        nonce: body.nonce.into(),
        state: match sent.fate {
            Fate::Waiting if delivery.accepted => SentState::Waiting,
            Fate::Waiting => SentState::Sending,
            Fate::Included { .. } => SentState::Included,
            Fate::Expired => SentState::Expired,
        },
        sent_at: sent.sent_at_ms.into(),
        valid_until: body.valid_until.into(),
        fee: outcome.map_or_else(
            || batch::fee(body.fee_rate, batch::signed_bytes(&sent.batch)).unwrap_or(u64::MAX),
            |outcome| outcome.fee,
        ),
        height: height.map(Into::into),
        time: time.map(Into::into),
        operations: operations.collect(),
        error: delivery.error.clone().filter(|_| waiting),
    }
}

fn hash(sent: &Sent) -> Hash {
    batch::hash(&sent.batch)
}
