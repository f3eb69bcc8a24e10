//! Hosts a pure machine of the core (a bank, a wallet, a watchtower): follows the chain, keeps sessions, stores.
//!
//! One task owns the machine and the verified state. It takes what waits, input by input, then makes the
//! writes of all of them durable in one transaction, and only then sends, submits and answers, in order
//! ([`Host::run`]). So many inputs share one flush to the disk under load, and nothing leaves that is not
//! durable.
//!
//! ```text
//! follow  ── certified blocks ──►┌──────┐── writes ──► offchain/db.sqlite, onchain/db.sqlite
//! lines   ── payloads ──────────►│ Host │── payloads ► lines
//! HTTP    ── jobs ──────────────►└──────┘── batches ─► validators or relays
//! ```
//!
//! **Invariant**: an error of the disk ends the process: what the machine holds in memory is then ahead of
//! what is stored and must not be used.

pub(crate) mod begin;
#[cfg(test)]
mod crash;
pub(crate) mod follow;
pub(crate) mod line;
mod records;
mod submit;

use crate::clock;
use crate::error::NodeError;
use crate::limits;
use crate::store::onchain;
use crate::store::{Store, Write};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::follow::Follower;
use fair_core::chain::verify::BadBlock;
use fair_core::effect::Effect;
use fair_core::ledger::receipt::{BatchOutcome, Opening};
use fair_core::peers::Chain;
use fair_core::types::{Height, PublicKey, TimeMs};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

#[cfg(test)]
pub(crate) use crash::Crash;
pub(crate) use records::{Journal, open as open_records};
pub(crate) use submit::{Submitter, Through};

/// What every machine is told.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    Connected { peer: PublicKey },
    Disconnected { peer: PublicKey },
    Message { peer: PublicKey, bytes: &'a [u8] },
    Block { outcomes: &'a [BatchOutcome], openings: &'a [Opening] },
    Tick,
}

/// A machine that can be hosted.
pub(crate) trait Machine: Send + 'static {
    /// What it tells whoever watches.
    type Event: std::fmt::Debug + Send;
    /// Why it does not take an input; nothing changed then.
    type Refusal: std::fmt::Display;

    /// Handles one input.
    fn handle(
        &mut self,
        input: Input<'_>,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Result<Vec<Effect<Self::Event>>, Self::Refusal>;

    /// What it wants of itself after a block.
    fn after_block(&mut self, _chain: &Chain<'_>, _now_ms: TimeMs) -> Vec<Effect<Self::Event>> {
        Vec::new()
    }

    /// Adds to what an input, a block or a job came to, whoever caused it, what is to be stored together with it.
    fn complete(
        &mut self,
        effects: Vec<Effect<Self::Event>>,
        _chain: &Chain<'_>,
        _now_ms: TimeMs,
    ) -> Vec<Effect<Self::Event>> {
        effects
    }

    /// Hears of what is durable.
    fn heard(&mut self, event: Self::Event);
}

/// Work on a machine with what it comes to; the answer leaves once that is durable.
type Job<M> = Box<dyn FnOnce(&mut M, &Chain<'_>, TimeMs) -> Done<<M as Machine>::Event> + Send>;
type Answer = Box<dyn FnOnce() + Send>;

/// What a job came to.
pub(crate) struct Done<E> {
    effects: Vec<Effect<E>>,
    answer: Answer,
}

/// Which connection of a peer; a later one replaces the earlier.
pub(crate) type LineId = u64;

/// What the host is told.
pub(crate) enum Told<M: Machine> {
    /// A session with a peer stands.
    Connected { peer: PublicKey, line: LineId, out: mpsc::Sender<Vec<u8>> },
    /// It ended.
    Disconnected { peer: PublicKey, line: LineId },
    /// It brought a payload.
    Message { peer: PublicKey, line: LineId, bytes: Vec<u8> },
    /// Somebody serves these blocks.
    Blocks { blocks: Vec<CertifiedBlock>, taken: oneshot::Sender<Result<(), BadBlock>> },
    /// Somebody asks.
    Job(Job<M>),
}

/// What is told of the newest verified block.
#[derive(Clone, Copy, Debug)]
struct Head {
    height: Height,
    /// Its time; that of genesis before the first.
    time_ms: TimeMs,
    /// How late the next one may be, by the parameters in force.
    patience: Duration,
}

impl Head {
    fn of(follower: &Follower) -> Self {
        let (height, time_ms) = (follower.height(), follower.head_time_ms());
        Self { height, time_ms, patience: follow::patience(follower) }
    }
}

/// The way to a host. Clones lead to the same one.
pub(crate) struct Handle<M: Machine> {
    told: mpsc::Sender<Told<M>>,
    heads: watch::Receiver<Head>,
}

impl<M: Machine> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Self { told: self.told.clone(), heads: self.heads.clone() }
    }
}

/// The process is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process is stopping")]
pub(crate) struct Stopping;

impl<M: Machine> Handle<M> {
    /// Lets somebody work on the machine. Returns when everything that this came to is durable.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut M, &Chain<'_>, TimeMs) -> (Vec<Effect<M::Event>>, T) + Send + 'static,
    ) -> Result<T, Stopping> {
        let (send, answer) = oneshot::channel();
        let job: Job<M> = Box::new(move |machine, chain, now_ms| {
            let (effects, value) = work(machine, chain, now_ms);
            // Whoever asked may have gone.
            Done { effects, answer: Box::new(move || drop(send.send(value))) }
        });
        self.tell(Told::Job(job)).await?;
        answer.await.map_err(|_| Stopping)
    }

    /// Waits if there is more than the host can take.
    pub(crate) async fn tell(&self, told: Told<M>) -> Result<(), Stopping> {
        self.told.send(told).await.map_err(|_| Stopping)
    }

    /// Height of the newest verified block.
    pub(crate) fn height(&self) -> Height {
        self.head().height
    }

    fn head(&self) -> Head {
        *self.heads.borrow()
    }
}

struct Line {
    id: LineId,
    out: mpsc::Sender<Vec<u8>>,
}

/// A host at work.
pub(crate) struct Hosting(JoinHandle<Result<(), NodeError>>);

impl Hosting {
    /// Waits until it ends by itself. A panic goes on here.
    pub(crate) async fn ended(&mut self) -> Result<(), NodeError> {
        match (&mut self.0).await {
            Ok(result) => result,
            Err(error) => error.try_into_panic().map_or(Ok(()), |panic| std::panic::resume_unwind(panic)),
        }
    }

    /// Ends it, and returns when its databases are closed.
    pub(crate) async fn stop(self) {
        if !self.0.is_finished() {
            self.0.abort();
            // It was told to end: how it did so does not matter.
            let _ = self.0.await;
        }
    }
}

/// What happens once everything before it is durable.
enum After<E> {
    Send { to: PublicKey, line: LineId, bytes: Vec<u8> },
    Effect(Effect<E>),
    Answer(Answer),
}

/// What a host is made of.
pub(crate) struct Parts<M> {
    pub(crate) machine: M,
    pub(crate) follower: Follower,
    /// Blocks and state.
    pub(crate) onchain: Store,
    /// The machine's records.
    pub(crate) offchain: Store,
    pub(crate) submitter: Submitter,
}

/// The task that owns a machine.
pub(crate) struct Host<M: Machine> {
    parts: Parts<M>,
    told: mpsc::Receiver<Told<M>>,
    heads: watch::Sender<Head>,
    lines: BTreeMap<PublicKey, Line>,
    timers: BTreeSet<TimeMs>,
    writes: Vec<Write>,
    after: Vec<After<M::Event>>,
    #[cfg(test)]
    crash: Crash,
}

impl<M: Machine> Host<M> {
    pub(crate) fn new(parts: Parts<M>) -> (Self, Handle<M>) {
        let (send, told) = mpsc::channel(limits::HOST_QUEUE);
        let (heads, seen) = watch::channel(Head::of(&parts.follower));
        let host = Self {
            parts,
            told,
            heads,
            lines: BTreeMap::new(),
            timers: BTreeSet::new(),
            writes: Vec::new(),
            after: Vec::new(),
            #[cfg(test)]
            crash: Crash::default(),
        };
        (host, Handle { told: send, heads: seen })
    }

    /// Runs on a thread on which those run who tell it things: to wake another thread for each of them would cost more
    /// than most of what they tell.
    pub(crate) fn start(self) -> Hosting {
        Hosting(tokio::spawn(self.run()))
    }

    /// Runs until nobody is left who could tell anything, the disk fails, or the chain follows new rules.
    pub(crate) async fn run(mut self) -> Result<(), NodeError> {
        self.parts.follower.check_rules().map_err(NodeError::Rules)?;
        self.tell_missed()?;
        self.flush().await?;
        loop {
            let first = tokio::select! {
                told = self.told.recv() => match told {
                    Some(told) => Some(told),
                    None => return Ok(()),
                },
                () = until(self.timers.first().copied()) => None,
            };
            match first {
                Some(told) => self.take(told).await?,
                None => self.tick(),
            }
            for _ in 1..limits::HOST_GROUP {
                let Ok(told) = self.told.try_recv() else { break };
                self.take(told).await?;
            }
            self.flush().await?;
        }
    }

    async fn take(&mut self, told: Told<M>) -> Result<(), NodeError> {
        match told {
            Told::Connected { peer, line, out } => {
                self.hang_up(peer);
                if self.handle(Input::Connected { peer }, |host| drop(host.lines.insert(peer, Line { id: line, out })))
                {
                    tracing::debug!(%peer, "connected");
                }
            }
            Told::Disconnected { peer, line } => {
                if self.lines.get(&peer).is_some_and(|current| current.id == line) {
                    self.hang_up(peer);
                }
            }
            Told::Message { peer, line, bytes } => {
                if self.lines.get(&peer).is_some_and(|current| current.id == line) {
                    self.handle(Input::Message { peer, bytes: &bytes }, |_| {});
                }
            }
            Told::Blocks { blocks, taken } => {
                let result = self.take_blocks(&blocks).await?;
                // Whoever brought them may have gone.
                drop(taken.send(result));
            }
            Told::Job(job) => {
                let chain = Chain::of(&self.parts.follower);
                let Done { effects, answer } = job(&mut self.parts.machine, &chain, clock::now_ms());
                self.queue(effects);
                self.after.push(After::Answer(answer));
            }
        }
        Ok(())
    }

    /// Tells the machine what became of blocks that were stored just before the process died.
    fn tell_missed(&mut self) -> Result<(), NodeError> {
        let told = records::told(&self.parts.offchain)?;
        let (outcomes, openings) = onchain::outcomes_above(&self.parts.onchain, told)?;
        if !outcomes.is_empty() || !openings.is_empty() {
            self.tell_block(&outcomes, &openings);
        }
        Ok(())
    }

    /// Tells the machine of the newest block.
    fn tell_block(&mut self, outcomes: &[BatchOutcome], openings: &[Opening]) {
        self.handle(Input::Block { outcomes, openings }, |_| {});
        if !outcomes.is_empty() || !openings.is_empty() {
            self.writes.push(records::told_write(self.parts.follower.height()));
        }
        let chain = Chain::of(&self.parts.follower);
        let effects = self.parts.machine.after_block(&chain, clock::now_ms());
        self.queue(effects);
    }

    /// Verifies, executes and stores blocks one after another, and tells the machine.
    async fn take_blocks(&mut self, blocks: &[CertifiedBlock]) -> Result<Result<(), BadBlock>, NodeError> {
        for certified in blocks {
            if certified.block.header.height <= self.parts.follower.height() {
                continue;
            }
            let step = match self.parts.follower.check(certified, clock::now_ms()) {
                Ok(step) => step,
                Err(rules @ BadBlock::NewRules { .. }) => return Err(NodeError::Rules(rules)),
                Err(expired @ BadBlock::Expired { .. }) => return Err(NodeError::Expired(expired)),
                Err(bad) => return Ok(Err(bad)),
            };
            let mut writes = onchain::block_writes(certified, &step, &self.parts.follower);
            if !step.outcomes().is_empty() || !step.openings().is_empty() {
                writes.extend(onchain::outcome_writes(certified.block.header.height, &step));
            }
            self.crash_point().await;
            self.parts.onchain.commit(writes).await?;
            self.crash_point().await;
            let (outcomes, openings) = (step.outcomes().to_vec(), step.openings().to_vec());
            self.parts.follower.commit(step);
            self.heads.send_replace(Head::of(&self.parts.follower));
            self.tell_block(&outcomes, &openings);
        }
        Ok(Ok(()))
    }

    fn tick(&mut self) {
        let now_ms = clock::now_ms();
        self.timers = self.timers.split_off(&now_ms.saturating_add(1));
        self.handle(Input::Tick, |_| {});
    }

    fn hang_up(&mut self, peer: PublicKey) {
        if self.lines.remove(&peer).is_some() {
            self.handle(Input::Disconnected { peer }, |_| {});
        }
    }

    /// Gives the machine one input. `taken` runs if it takes it, before its effects are looked at.
    fn handle(&mut self, input: Input<'_>, taken: impl FnOnce(&mut Self)) -> bool {
        let chain = Chain::of(&self.parts.follower);
        match self.parts.machine.handle(input, &chain, clock::now_ms()) {
            Ok(effects) => {
                taken(self);
                self.queue(effects);
                true
            }
            Err(refusal) => {
                tracing::info!(%refusal, "an input was refused");
                false
            }
        }
    }

    fn queue(&mut self, effects: Vec<Effect<M::Event>>) {
        let chain = Chain::of(&self.parts.follower);
        let effects = self.parts.machine.complete(effects, &chain, clock::now_ms());
        for effect in effects {
            match effect {
                Effect::Write(write) => self.writes.extend(records::writes(write)),
                // Sealed in the session that stands now, and in no later one.
                Effect::Send { to, bytes } => {
                    if let Some(line) = self.lines.get(&to) {
                        self.after.push(After::Send { to, line: line.id, bytes });
                    }
                }
                other => self.after.push(After::Effect(other)),
            }
        }
    }

    /// Makes everything durable, then performs what follows.
    async fn flush(&mut self) -> Result<(), NodeError> {
        let writes = std::mem::take(&mut self.writes);
        if !writes.is_empty() {
            self.crash_point().await;
            self.parts.offchain.commit(writes).await?;
            self.crash_point().await;
        }
        for after in std::mem::take(&mut self.after) {
            match after {
                After::Send { to, line, bytes } => {
                    self.send(to, line, bytes);
                    // In a process the line to the peer passes one when the bytes have left.
                    #[cfg(test)]
                    self.crash_point().await;
                }
                After::Answer(answer) => answer(),
                After::Effect(Effect::Disconnect { peer }) => {
                    // The line ends when its sender is gone; it then says so and nothing is left to do.
                    self.hang_up(peer);
                }
                After::Effect(Effect::Timer { at_ms }) => {
                    self.timers.insert(at_ms);
                }
                After::Effect(Effect::Submit { batch }) => self.parts.submitter.submit(*batch, &self.parts.follower),
                After::Effect(Effect::Notify(event)) => self.parts.machine.heard(event),
                After::Effect(Effect::Write(_) | Effect::Send { .. }) => {}
            }
        }
        // Hanging up may have come to something too.
        if self.writes.is_empty() && self.after.is_empty() { Ok(()) } else { Box::pin(self.flush()).await }
    }

    /// Where a test may end this host.
    #[cfg(test)]
    async fn crash_point(&mut self) {
        self.crash.pass().await;
    }

    /// Where a test may end this process.
    #[cfg(not(test))]
    #[allow(clippy::unused_async, reason = "tests of a host wait here")]
    async fn crash_point(&mut self) {
        crate::crash::pass();
    }

    fn send(&mut self, to: PublicKey, line: LineId, bytes: Vec<u8>) {
        let Some(current) = self.lines.get(&to).filter(|current| current.id == line) else { return };
        if current.out.try_send(bytes).is_err() {
            tracing::info!(peer = %to, "a peer does not read; hanging up");
            self.hang_up(to);
        }
    }
}

/// Sleeps until a time by the clock; for ever when there is none.
async fn until(at_ms: Option<TimeMs>) {
    match at_ms {
        Some(at_ms) => clock::sleep(Duration::from_millis(at_ms.saturating_sub(clock::now_ms()))).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
