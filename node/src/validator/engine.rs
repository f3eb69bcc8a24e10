//! The validator's loop: the host of the consensus machine.
//!
//! For every input: what the machine wants kept becomes durable in one transaction, then the rest of its
//! effects follow in order. Nothing else touches the follower or the mempool.

mod catch_up;

use super::Identity;
use super::mempool::{Accepted, Mempool, Refused};
use super::peers::{Members, Peers};
use super::silence::{Silence, Source};
use super::timers::Timers;
use super::wire::Frame;
use crate::clock;
use crate::error::NodeError;
use crate::limits;
use crate::store::onchain::{self, Found, Head};
use crate::store::{Store, Write};
use catch_up::Sync;
use fair_core::chain::block::{Block, CertifiedBlock};
use fair_core::chain::certificate::Certificate;
use fair_core::chain::follow::{Follower, LeftOut, Step};
use fair_core::chain::genesis::Genesis;
use fair_core::chain::header::Header;
use fair_core::chain::snapshot::{Pace, Snapshot};
use fair_core::chain::verify::BadBlock;
use fair_core::consensus::{Consensus, Effect, Input, Message, Restored, Timeouts, Verdict};
use fair_core::ledger::batch::{self, Batch};
use fair_core::ledger::inclusion::InclusionError;
use fair_core::message::Signed;
use fair_core::types::{Hash, Height, PublicKey, TimeMs};
use fair_snapshots::Folder;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Duration, Instant};

/// What the loop reacts to.
pub(crate) enum Event {
    /// A consensus message that a validator sent.
    Consensus { from: PublicKey, message: Box<Message> },
    /// A validator says how high its head is.
    Head { from: PublicKey, height: Height },
    /// A batch of a validator's mempool.
    ForwardedBatch(Box<Signed<Batch>>),
    /// Blocks that were asked for.
    Fetched { peer: String, blocks: Vec<CertifiedBlock> },
    /// A block of a peer at the height of our head, to be compared.
    Compared { peer: String, block: Option<Box<CertifiedBlock>> },
}

/// A batch of a client. Anybody may bring any number, whatever they are worth: they wait in a queue of their own, behind
/// what validators say to each other.
pub(crate) struct Offer {
    pub(crate) batch: Signed<Batch>,
    pub(crate) answer: oneshot::Sender<Result<Accepted, Refused>>,
}

/// The head as it is shown to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// Header and certificate; none at genesis.
    pub(crate) head: Option<(Header, Certificate)>,
}

impl Published {
    pub(crate) const fn at(head: Option<Head>) -> Self {
        Self { head }
    }

    fn of(certified: &CertifiedBlock) -> Self {
        Self::at(Some((certified.block.header.clone(), certified.certificate.clone())))
    }
}

/// How the loop is, for its operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Vitals {
    /// Height being decided, and the round.
    pub(crate) height: Height,
    pub(crate) round: u32,
    /// Batches that wait.
    pub(crate) mempool: usize,
    /// Highest head that another validator claims.
    pub(crate) highest_claimed: Height,
    /// Validators that were caught, with what.
    pub(crate) misbehaved: BTreeMap<PublicKey, String>,
    /// Whether this node is one of the validators of that height, and may sign; it follows the chain either way.
    pub(crate) votes: bool,
    /// It does not know what it signed before it began: it signs after a block of this time or later.
    pub(crate) silent_until: Option<TimeMs>,
}

/// What the loop works with.
pub(crate) struct Parts {
    pub(crate) identity: Identity,
    pub(crate) silence: Silence,
    pub(crate) store: Store,
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) snapshots: Folder,
    pub(crate) pace: Pace,
    pub(crate) peers: Peers,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) heads: watch::Sender<Published>,
    pub(crate) members: watch::Sender<Members>,
    pub(crate) vitals: watch::Sender<Vitals>,
}

/// The loop's state.
pub(crate) struct Engine {
    parts: Parts,
    follower: Follower,
    consensus: Consensus,
    mempool: Mempool,
    timers: Timers,
    /// Blocks on the head that were worked out already.
    worked_out: BTreeMap<Hash, Step>,
    sync: Sync,
    vitals: Vitals,
    client: reqwest::Client,
}

impl Engine {
    /// Continues where the store stands.
    pub(crate) async fn start(found: Found, parts: Parts) -> Result<Self, NodeError> {
        let Found { follower, log, signed, .. } = found;
        check_rules(&follower)?;
        let timeouts = Timeouts::suited(follower.state().parameters());
        let restored = Restored {
            chain_id: parts.identity.chain_id,
            height: follower.height().saturating_add(1),
            validators: follower.state().validators().clone(),
            next_validators: follower.state().next_validators().clone(),
            log,
            signed,
        };
        tracing::info!(height = restored.height, log = restored.log.len(), "continuing");
        let (consensus, effects) = Consensus::restore(restored, parts.identity.signer.clone(), timeouts)?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(|error| NodeError::System { what: "an HTTP client", reason: error.to_string() })?;
        match parts.silence {
            _ if !consensus.is_member() => tracing::info!("this node's keys are not those of a validator: following"),
            Silence::Over => {}
            Silence::Until(until_ms) => tracing::warn!(until_ms, "signing nothing before a block of that time"),
            Silence::AtGenesis { .. } => tracing::info!("at genesis: signing when others say that they are there too"),
        }
        let vitals = Vitals { height: consensus.height(), ..Vitals::default() };
        let mut engine = Self {
            parts,
            follower,
            consensus,
            mempool: Mempool::default(),
            timers: Timers::default(),
            worked_out: BTreeMap::new(),
            sync: Sync::new(),
            vitals,
            client,
        };
        engine.record_unfinished()?;
        engine.perform(effects).await?;
        Ok(engine)
    }

    /// Runs until consensus or the disk forbids to go on.
    pub(crate) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        mut offers: mpsc::Receiver<Offer>,
    ) -> Result<(), NodeError> {
        loop {
            self.begin_if_due().await?;
            self.fetch_if_behind();
            self.publish_vitals();
            let wake = self.next_wake();
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(wake) => {
                    while let Some(timer) = self.timers.take_due() {
                        self.handle(Input::Elapsed(timer)).await?;
                    }
                }
                event = events.recv() => match event {
                    Some(event) => self.react(event).await?,
                    None => return Ok(()),
                },
                Some(offer) = offers.recv() => self.take(offer),
            }
        }
    }

    async fn react(&mut self, event: Event) -> Result<(), NodeError> {
        match event {
            Event::Consensus { from, message } => {
                self.sync.claims(from, message.height().saturating_sub(1));
                self.handle(Input::Received(*message)).await
            }
            Event::Head { from, height } => {
                self.sync.claims(from, height);
                Ok(())
            }
            Event::ForwardedBatch(batch) => {
                if let Err(reason) = self.mempool.add(self.follower.state(), *batch) {
                    tracing::debug!(%reason, "a forwarded batch was refused");
                }
                Ok(())
            }
            Event::Fetched { peer, blocks } => self.fetched(peer, blocks).await,
            Event::Compared { peer, block } => self.compared(peer, block).await,
        }
    }

    fn take(&mut self, Offer { batch, answer }: Offer) {
        let result = self.mempool.add(self.follower.state(), batch.clone());
        if matches!(result, Ok(Accepted::New(_))) {
            self.parts.peers.broadcast(&Frame::Batch(batch));
        }
        // Whoever brought it may be gone.
        let _ = answer.send(result.map_err(|refused| refused.told(self.are_others_ahead())));
    }

    // Pace.

    /// Earliest time of the next block, and the latest at which one is built.
    fn pace(&self) -> (TimeMs, TimeMs) {
        let parameters = self.follower.state().parameters();
        let previous = self.follower.head_time_ms();
        (previous.saturating_add(parameters.min_block_interval_ms), previous.saturating_add(parameters.max_idle_ms))
    }

    /// A height that has not begun is not voted on.
    fn votes(&self) -> bool {
        let (own, set) = (&self.parts.identity.signer.account, self.follower.state().validators());
        self.consensus.is_member() && self.parts.silence.is_over(own, set, &self.sync.claimed)
    }

    async fn begin_if_due(&mut self) -> Result<(), NodeError> {
        if self.consensus.has_begun() || !self.votes() {
            return Ok(());
        }
        let (earliest, latest) = self.pace();
        let now = clock::now_ms();
        let has_reason = !self.mempool.is_empty() || self.consensus.is_awaited() || now >= latest;
        if now >= earliest && has_reason {
            self.parts.silence.has_begun();
            self.handle(Input::Begin).await?;
        }
        Ok(())
    }

    fn next_wake(&self) -> Instant {
        let mut wake = Instant::now() + Duration::from_secs(3600);
        if let Some(deadline) = self.timers.next() {
            wake = wake.min(deadline);
        }
        if !self.consensus.has_begun() && self.votes() {
            let (earliest, latest) = self.pace();
            let now = clock::now_ms();
            let due = if self.mempool.is_empty() && !self.consensus.is_awaited() { latest } else { earliest };
            // A millisecond more, so that the clock has passed it.
            wake = wake.min(Instant::now() + Duration::from_millis(due.saturating_sub(now).saturating_add(1)));
        }
        if self.is_behind() && !self.sync.is_fetching {
            wake = wake.min(self.sync.since + Duration::from_millis(limits::PATIENCE_MS));
        }
        wake
    }

    // The machine.

    async fn handle(&mut self, input: Input) -> Result<(), NodeError> {
        let effects = self.consensus.handle(input, clock::now_ms())?;
        self.perform(effects).await
    }

    /// Performs effects; what they lead to is handled in turn.
    async fn perform(&mut self, effects: Vec<Effect>) -> Result<(), NodeError> {
        let mut rounds = VecDeque::from([effects]);
        while let Some(effects) = rounds.pop_front() {
            let writes: Vec<Write> = effects.iter().filter_map(write_of).collect();
            self.parts.store.commit(writes).await?;
            for effect in effects {
                if let Some(input) = self.perform_one(effect).await? {
                    rounds.push_back(self.consensus.handle(input, clock::now_ms())?);
                }
            }
        }
        Ok(())
    }

    async fn perform_one(&mut self, effect: Effect) -> Result<Option<Input>, NodeError> {
        match effect {
            Effect::Log { .. } | Effect::Signed { .. } => {}
            Effect::Send(message) => self.parts.peers.broadcast(&Frame::Consensus(message)),
            Effect::SetTimer { timer, after_ms } => self.timers.set(timer, after_ms),
            Effect::CancelTimer(timer) => self.timers.cancel(&timer),
            Effect::CancelTimers => self.timers.cancel_all(),
            Effect::Execute(block) => return Ok(Some(self.execute(&block))),
            Effect::Build { height, round } => return Ok(self.build(height, round)),
            Effect::Decided { block, certificate } => {
                return self.commit(CertifiedBlock { block, certificate }, None).await.map(Some);
            }
            Effect::Round { height, round, proposer } => {
                self.vitals.height = height;
                self.vitals.round = round;
                if round > 0 {
                    tracing::info!(height, round, %proposer, "another round");
                }
            }
            Effect::Misbehaved { validator, what } => {
                tracing::warn!(%validator, what, "a validator misbehaved");
                self.vitals.misbehaved.insert(validator, what.to_owned());
            }
            Effect::Complaint(text) => tracing::warn!(text, "consensus could not use an input"),
        }
        Ok(None)
    }

    fn execute(&mut self, block: &Block) -> Input {
        let block_hash = block.header.hash();
        let verdict = match self.follower.execute(block) {
            Ok(step) => {
                self.worked_out.insert(block_hash, step);
                Verdict::Valid
            }
            Err(reason) => {
                tracing::warn!(height = block.header.height, proposer = %block.header.proposer, %reason, "a proposed block is wrong");
                Verdict::Invalid
            }
        };
        Input::Executed { block_hash, verdict }
    }

    fn build(&mut self, height: Height, round: u32) -> Option<Input> {
        if height != self.follower.height().saturating_add(1) {
            return None;
        }
        let account = self.parts.identity.signer.account;
        let candidates: Vec<&Signed<Batch>> =
            if round < limits::ROUNDS_WITH_BATCHES { self.mempool.candidates().collect() } else { Vec::new() };
        let built = self.follower.build(candidates.iter().copied(), account, clock::now_ms());
        let refused: Vec<Hash> = built
            .left_out
            .iter()
            .filter(|(_, why)| is_final(why))
            .filter_map(|(place, _)| candidates.get(*place).map(|batch| batch::hash(batch)))
            .collect();
        for hash in &refused {
            self.mempool.forget(hash);
        }
        tracing::debug!(height, round, batches = built.block.batches.len(), "built a block");
        self.worked_out.insert(built.block.header.hash(), built.step);
        Some(Input::Built { round, block: built.block })
    }

    /// Block and state become durable, then visible.
    async fn commit(&mut self, certified: CertifiedBlock, step: Option<Step>) -> Result<Input, NodeError> {
        let header = &certified.block.header;
        let source = if step.is_some() { Source::Fetched } else { Source::Decided };
        let step = match step.or_else(|| self.worked_out.remove(&header.hash())) {
            Some(step) => step,
            // After a restart the log says that the block was found right; its outcome is worked out anew.
            None => self.follower.execute(&certified.block).map_err(|reason| self.damaged(&reason))?,
        };
        let mut writes = onchain::block_writes(&certified, &step, &self.follower);
        let (more, is_due) = onchain::snapshot_writes(&certified, &self.follower, &mut self.parts.pace);
        writes.extend(more);
        let (silence, write) = self.parts.silence.after_block(source, header.time_ms);
        writes.extend(write);
        self.parts.store.commit(writes).await?;
        if std::mem::replace(&mut self.parts.silence, silence) != silence {
            tracing::info!(height = header.height, ?silence, "what may be signed changed");
        }
        self.follower.commit(step);
        if is_due {
            self.record(&certified.block.header, &certified.certificate)?;
        }
        self.worked_out.clear();
        self.mempool.after_block(self.follower.state(), &certified.block.batches);
        let height = self.follower.height();
        tracing::info!(
            height,
            round = certified.certificate.round,
            batches = certified.block.batches.len(),
            hash = %certified.certificate.block_hash,
            "block"
        );
        self.sync.since = Instant::now();
        self.parts.heads.send_replace(Published::of(&certified));
        self.parts.peers.announce(height);
        self.follow_validators();
        check_rules(&self.follower)?;
        let state = self.follower.state();
        let (validators, next_validators) = (state.validators().clone(), state.next_validators().clone());
        Ok(Input::NewHead { height, validators, next_validators })
    }

    /// Connections follow those who decide the next heights; what others claimed is forgotten.
    fn follow_validators(&mut self) {
        let members = Members::of(self.follower.state());
        self.parts.peers.follow(&members);
        self.sync.claimed.retain(|from, _| members.by_account(from).is_some());
        self.parts.members.send_if_modified(|known| {
            let is_new = *known != members;
            *known = members;
            is_new
        });
    }

    /// Takes the state after the head; it is written while the chain goes on.
    fn record(&self, header: &Header, certificate: &Certificate) -> Result<(), NodeError> {
        let turns = onchain::turns_below(&self.parts.store, header.height)?;
        let (genesis, state) = (&self.parts.genesis, self.follower.state());
        match Snapshot::past(genesis, turns, header.clone(), certificate.clone(), state) {
            Ok(snapshot) => self.parts.snapshots.record(snapshot),
            Err(error) => tracing::warn!(height = header.height, %error, "a snapshot cannot be written any more"),
        }
        Ok(())
    }

    /// A snapshot that was being written when the process ended is written again.
    fn record_unfinished(&self) -> Result<(), NodeError> {
        let Some(due) = self.parts.pace.due().filter(|due| !self.parts.snapshots.has(*due)) else { return Ok(()) };
        match onchain::block(&self.parts.store, due)? {
            Some(CertifiedBlock { block, certificate }) => self.record(&block.header, &certificate),
            None => Ok(()),
        }
    }

    fn damaged(&self, reason: &BadBlock) -> NodeError {
        let reason = format!("a block that was decided does not execute: {reason}");
        NodeError::Damaged { path: self.parts.store.path().to_owned(), reason }
    }

    fn publish_vitals(&mut self) {
        self.vitals.height = self.consensus.height();
        self.vitals.mempool = self.mempool.len();
        let votes = self.votes();
        if votes != self.vitals.votes {
            self.vitals.votes = votes;
            tracing::info!(height = self.vitals.height, votes, "whether this node votes changed");
        }
        self.vitals.silent_until = self.parts.silence.until();
        self.vitals.highest_claimed = self.sync.highest();
        let vitals = &self.vitals;
        self.parts.vitals.send_if_modified(|shown| {
            let is_new = shown != vitals;
            if is_new {
                shown.clone_from(vitals);
            }
            is_new
        });
    }
}

/// Whether a batch that was left out goes for good. One behind another of its account that had no room
/// waits with it.
const fn is_final(why: &LeftOut) -> bool {
    match why {
        LeftOut::Refused(InclusionError::WrongNonce { expected, got }) => *got < *expected,
        LeftOut::Refused(_) => true,
        LeftOut::NoRoom => false,
    }
}

/// Rules that this program does not know end it.
fn check_rules(follower: &Follower) -> Result<(), NodeError> {
    follower.check_rules().map_err(NodeError::Rules)
}

fn write_of(effect: &Effect) -> Option<Write> {
    match effect {
        Effect::Log { height, index, entry } => Some(onchain::log_write(*height, *index, entry)),
        Effect::Signed { slot, content } => Some(onchain::signed_write(slot, content)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
