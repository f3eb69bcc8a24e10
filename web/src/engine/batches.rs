//! The batch bar: the draft and own batches as pages see them, and their delivery. The records are the
//! wallet machine's (`fair_core::account`): a batch is stored exactly as signed, together with the emptied
//! draft, before it is sent, and sent again with the same bytes until a verified block shows what became
//! of it.

use super::Core;
use crate::chain::Chain;
use crate::error::{Datum, Error};
use crate::events::{json, now_ms, to_js};
use crate::explorer::Explorer;
use crate::input::from_js;
use crate::limits;
use crate::net;
use crate::request::{self, RequestId};
use crate::view::{AssetAmount, Draft, DraftAction, SentBatch, SentOperation, SentState};
use fair_core::account::{Action, CannotDraft, CannotSend, SentBatch as Sent, SentState as Fate};
use fair_core::chain::genesis::Purpose;
use fair_core::codec;
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::{self, Batch, Entry};
use fair_core::ledger::receipt::{OperationOutcome, Receipt};
use fair_core::message::Signed;
use fair_core::ordered;
use fair_core::types::{AssetId, Height, PublicKey, TimeMs};
use fair_core::wallet::Input;
use futures_util::future::join_all;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How sending the batch under way goes. Not stored: a restart sends it anyway.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    accepted: bool,
    sent_at_ms: TimeMs,
    error: Option<Error>,
}

impl Delivery {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The next delivery does not wait.
    pub(super) const fn hurry(&mut self) {
        self.sent_at_ms = 0;
    }
}

impl Core {
    /// The draft as pages see it; each action is tried out on the present state.
    pub(super) fn draft(&self) -> Result<Draft, Error> {
        let chain = self.chain()?;
        let state = chain.state();
        let fee_rate = state.parameters().min_fee_rate;
        let mut draft = Draft { actions: Vec::new(), bytes: 0_u64.into(), fee_rate, fee: 0, problem: None };
        let (machine, key) = match (self.machine(), self.key()) {
            (Ok(machine), Ok(key)) => (machine, key),
            (_, Err(error)) | (Err(error), _) => {
                draft.problem = Some(error);
                return Ok(draft);
            }
        };
        let actions: Vec<&Action> = machine.on_chain().draft().collect();
        if actions.is_empty() {
            return Ok(draft);
        }
        let estimate = machine.on_chain().estimate(&state);
        draft.bytes = estimate.bytes.into();
        draft.fee = estimate.fee;
        draft.problem = estimate.problem.as_ref().map(cannot_send);
        let groups = groups(&actions);
        let group_of = |action: &Action| action.group.and_then(|group| groups.get(&group).copied());
        let entries =
            actions.iter().map(|action| Entry { group: group_of(action), operation: action.operation.clone() });
        let outcomes = try_out(&chain, &key, entries.collect());
        let explorer = Explorer { state: &state, you: Some(machine.key()) };
        for (index, action) in actions.into_iter().enumerate() {
            let problem = match outcomes.get(index).map(|outcome| &outcome.receipt) {
                Some(Receipt::Skipped { reason }) => Some(Error::of("batch", reason)),
                _ => None,
            };
            draft.actions.push(DraftAction {
                id: action.id.into(),
                operation: explorer.operation(&action.operation),
                group: group_of(action),
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

    /// Takes an action out again, with its whole group.
    pub(super) async fn draft_remove(self: &Rc<Self>, id: u64) -> Result<Draft, Error> {
        let there = self.machine()?.on_chain().draft().any(|action| action.id == id);
        if there {
            self.handle(Input::DraftRemove { id }).await?;
        }
        self.draft()
    }

    /// Signs the draft, stores the signed bytes, and begins to send them. The same key gives the same batch.
    pub(super) async fn sign_and_send(self: &Rc<Self>, caller: &str) -> Result<SentBatch, Error> {
        let request = request::id(caller);
        if self.machine()?.on_chain().sent_for(&request).is_none() {
            self.delivery.borrow_mut().clear();
            self.handle(Input::SendBatch { request }).await?;
            self.emit_batch(request);
        }
        self.sent_batch(&request).await
    }

    /// Sends the batch under way in a moment, whatever was sent before.
    pub(super) fn deliver_soon(self: &Rc<Self>) {
        let core = self.clone();
        wasm_bindgen_futures::spawn_local(async move { core.deliver_batches().await });
    }

    /// Sends the batch under way, first at once and then from time to time.
    pub(super) async fn deliver_batches(&self) {
        let waiting: Vec<Sent> = match (self.machine(), self.chain()) {
            (Ok(machine), Ok(chain)) => machine.on_chain().to_submit(&chain.state()).cloned().collect(),
            _ => return,
        };
        let now = now_ms();
        {
            let mut delivery = self.delivery.borrow_mut();
            if now.saturating_sub(delivery.sent_at_ms) < limits::RESEND_BATCH_MS {
                return;
            }
            delivery.sent_at_ms = now;
        }
        // At once: a relay that does not answer keeps nothing but its own answer back.
        join_all(waiting.iter().map(|sent| self.deliver_batch(sent))).await;
    }

    async fn deliver_batch(&self, sent: &Sent) {
        let result = self.post_batch(&codec::encode(&sent.batch), batch::is_court(&sent.batch.body)).await;
        let changed = {
            let mut delivery = self.delivery.borrow_mut();
            let before = (delivery.accepted, delivery.error.clone());
            match result {
                Ok(()) => (delivery.accepted, delivery.error) = (true, None),
                Err(error) => delivery.error = Some(error),
            }
            before != (delivery.accepted, delivery.error.clone())
        };
        if changed {
            self.emit_batch(sent.request);
        }
    }

    /// Gives a batch to the first relay that takes it; one of court to all at once, so that none can keep it back.
    async fn post_batch(&self, bytes: &[u8], to_all: bool) -> Result<(), Error> {
        let relays = self.sync.borrow().usable();
        let post = async |relay: &String| {
            let url = format!("{relay}/v1/batches");
            net::post(&url, "batch", "application/octet-stream", bytes).await.map(drop)
        };
        let mut last =
            Error::passing("relay.unreachable", "No relay can be reached; the batch is kept and sent again.");
        if to_all {
            let results = join_all(relays.iter().map(post)).await;
            let taken = results.iter().any(Result::is_ok);
            return if taken { Ok(()) } else { results.into_iter().next_back().unwrap_or(Err(last)) };
        }
        for relay in &relays {
            match post(relay).await {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub(super) fn emit_batch(&self, request: RequestId) {
        let view = self.ask(|machine, chain| {
            let sent = machine.on_chain().sent_for(&request);
            Ok(sent.map(|sent| self.view_sent(&Explorer { state: chain.state, you: Some(machine.key()) }, sent, None)))
        });
        if let Ok(Some(view)) = view {
            self.events.emit("batch", &view);
        }
    }

    async fn sent_batch(&self, request: &RequestId) -> Result<SentBatch, Error> {
        let unknown = || Error::new("batch.unknown", "There is no such batch.");
        let sent = self.machine()?.on_chain().sent_for(request).cloned().ok_or_else(unknown)?;
        self.exact(&sent).await
    }

    /// Own batches, newest first.
    pub(super) async fn sent_batches(&self, limit: u64) -> Result<Vec<SentBatch>, Error> {
        let most = usize::try_from(limit.min(limits::MAX_SENT_LISTED)).unwrap_or(usize::MAX);
        let sent: Vec<Sent> = {
            let machine = self.machine()?;
            let newest = ordered::first_by_key(machine.on_chain().sent(), most, |sent| Reverse(sent.batch.body.nonce));
            newest.into_iter().cloned().collect()
        };
        let mut views = Vec::with_capacity(sent.len());
        for sent in &sent {
            views.push(self.exact(sent).await?);
        }
        Ok(views)
    }

    /// With the block that holds it: the machine knows only when it learned of it.
    async fn exact(&self, sent: &Sent) -> Result<SentBatch, Error> {
        let found = match sent.state {
            Fate::Included { .. } => self.find_batch(&sent.hash, sent.batch.body.valid_until).await?,
            Fate::Waiting | Fate::Expired => None,
        };
        let place = found.map(|(height, time_ms, _)| (height, time_ms));
        self.explore(|explorer| self.view_sent(&explorer, sent, place))
    }

    fn view_sent(&self, explorer: &Explorer<'_>, sent: &Sent, place: Option<(Height, TimeMs)>) -> SentBatch {
        let body = &sent.batch.body;
        let delivery = self.delivery.borrow();
        let (learned, receipts) = match &sent.state {
            Fate::Included { height, time_ms, receipts } => (Some((*height, *time_ms)), receipts.as_slice()),
            Fate::Waiting | Fate::Expired => (None, &[][..]),
        };
        let place = place.or(learned);
        let operations = body.entries.iter().enumerate().map(|(index, entry)| SentOperation {
            operation: explorer.operation(&entry.operation),
            group: entry.group,
            receipt: receipts.get(index).map(|receipt| explorer.receipt(receipt)),
        });
        SentBatch {
            key: request::text(&sent.request),
            hash: sent.hash,
            nonce: body.nonce.into(),
            state: match sent.state {
                Fate::Waiting if delivery.accepted => SentState::Waiting,
                Fate::Waiting => SentState::Sending,
                Fate::Included { .. } => SentState::Included,
                Fate::Expired => SentState::Expired,
            },
            sent_at: sent.sent_ms.into(),
            valid_until: body.valid_until.into(),
            fee: sent.fee,
            height: place.map(|(height, _)| height.into()),
            time: place.map(|(_, time_ms)| time_ms.into()),
            operations: operations.collect(),
            error: delivery.error.clone().filter(|_| sent.state == Fate::Waiting),
        }
    }

    /// Asks the network's faucet for play money.
    pub(super) async fn faucet(&self, asset: AssetId) -> Result<AssetAmount, Error> {
        #[derive(Serialize)]
        struct Ask {
            account: PublicKey,
            asset: AssetId,
        }
        struct Given {
            asset: AssetId,
            amount: u64,
        }
        from_js!(Given { asset, amount });
        let chain = self.chain()?;
        if chain.genesis().purpose != Purpose::Test {
            return Err(Error::new("faucet.none", "Only networks for play have a faucet."));
        }
        let account = self.you().ok_or_else(|| Error::new("wallet.none", "There is no wallet here yet."))?;
        let body = json(&to_js(&Ask { account, asset }), 0);
        let mut last = Error::passing("faucet.unreachable", "No relay can be reached.");
        let relays = self.sync.borrow().usable();
        for relay in relays {
            match net::post(&format!("{relay}/v1/faucet"), "faucet", "application/json", body.as_bytes()).await {
                Ok(answer) => {
                    let given: Given = net::parse(&answer)
                        .ok_or_else(|| Error::new("relay.malformed", "The faucet's answer cannot be read."))?;
                    return Ok(AssetAmount { asset: given.asset, amount: given.amount });
                }
                Err(error) if error.code == "relay.unreachable" => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

/// Groups of the draft as the batch numbers them.
fn groups(actions: &[&Action]) -> BTreeMap<u64, u16> {
    let mut groups = BTreeMap::new();
    for group in actions.iter().filter_map(|action| action.group) {
        let next = u16::try_from(groups.len()).unwrap_or(u16::MAX);
        groups.entry(group).or_insert(next);
    }
    groups
}

/// What each operation would come to in the next block. The signature stays here and is thrown away.
fn try_out(chain: &Chain, key: &SecretKey, entries: Vec<Entry>) -> Vec<OperationOutcome> {
    let follower = chain.follower();
    let state = follower.state();
    let batch = Batch {
        signer: key.public(),
        nonce: state.account(&key.public()).map_or(0, |account| account.nonce),
        valid_until: state.height().saturating_add(1),
        fee_rate: state.parameters().min_fee_rate,
        entries,
    };
    let signed = Signed::new(batch, &chain.chain_id(), key);
    let Some(proposer) = state.validators().validators.first() else { return Vec::new() };
    let built = follower.build([&signed], proposer.account, now_ms());
    built.step.outcomes().first().map(|outcome| outcome.operations.clone()).unwrap_or_default()
}

/// Why a draft is not sent.
pub(super) fn cannot_send(error: &CannotSend) -> Error {
    match error {
        CannotSend::Empty => Error::new("batch.empty", "There is nothing in the batch yet."),
        CannotSend::Unregistered { .. } => {
            Error::new("batch.unregistered", "Your account is not on the chain yet; the first deposit to it makes it.")
        }
        CannotSend::Busy { until } => {
            Error::passing("batch.waiting", "Your last batch still waits for its block; this one can follow it.")
                .with("until", *until)
        }
        CannotSend::Fee { fee, balance } => {
            Error::new("batch.cannot_pay_fee", "There is not enough FRD on the chain for the fee.")
                .with("fee", Datum::Amount((*fee).into()))
                .with("balance", Datum::Amount((*balance).into()))
        }
        CannotSend::TooLarge { limit, got } => {
            Error::new("batch.batch_too_long", "These actions are too many for one batch; take some out.")
                .with("limit", *limit)
                .with("got", *got)
        }
        CannotSend::NothingAtStake => Error::new(
            "batch.nothing_at_stake",
            "The channel has nothing on the chain, and the bank has signed nothing in it: court has nothing to decide.",
        ),
    }
}

/// Why the draft does not change.
pub(super) fn cannot_draft(error: &CannotDraft) -> Error {
    match error {
        CannotDraft::Unknown { id } => Error::new("batch.unknown_action", error.to_string()).with("got", *id),
        CannotDraft::Full { limit } => Error::new("batch.draft_full", error.to_string()).with("limit", *limit),
    }
}
