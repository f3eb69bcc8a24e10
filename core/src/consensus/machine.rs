//! The machine: inputs in, effects out. What Malachite sees of them, and when, is decided here.

use super::context::{self, BlockHash, Context, Height as MalachiteHeight};
use super::desk::{self, Desk, Replay};
use super::early::Early;
use super::event::{Effect, Fault, Input, Restored, Signer};
use super::message::{ExecutedBlock, LogEntry, Message, Proposal, Slot, Step, Timer, Verdict};
use super::timeouts::Timeouts;
use crate::chain::block::Block;
use crate::chain::certificate::ValidatorSet;
use crate::codec;
use crate::limits;
use crate::types::{Hash, Height, TimeMs};
use malachite_consensus::{Error, Input as Fed, Params, ProposedValue, State, process};
use malachite_types::{Round, Validity, ValueOrigin, ValuePayload, VoteExtensionPolicy};
use std::collections::{BTreeMap, BTreeSet};

/// The consensus machine of one validator.
pub struct Consensus {
    state: State<Context>,
    desk: Desk,
    begun: bool,
    early: Early,
    /// Blocks being executed, with the proposals that name them.
    executing: BTreeMap<Hash, (Block, Vec<Proposal>)>,
    /// Hashes proposed in each round.
    proposed: BTreeMap<u32, BTreeSet<Hash>>,
    /// Fresh proposals whose time is off, until the prevote of their round is cast.
    held: Vec<(Proposal, Block)>,
}

impl Consensus {
    /// A machine for the height after the head, as far as its log leads. The effects are due at once;
    /// among them is everything that was signed at this height, sent again.
    ///
    /// # Errors
    /// [`Fault`] when the log does not lead to what was signed.
    pub fn restore(restored: Restored, signer: Signer, timeouts: Timeouts) -> Result<(Self, Vec<Effect>), Fault> {
        let Restored { chain_id, height, validators, next_validators, log, signed } = restored;
        let parameters = Params {
            address: signer.account,
            threshold_params: malachite_consensus::ThresholdParams::default(),
            value_payload: ValuePayload::ProposalAndParts,
            enabled: true,
        };
        let state = State::new(Context, MalachiteHeight(height), validators.clone(), parameters, 1, 1);
        let mut machine = Self {
            state,
            desk: Desk {
                chain_id,
                signer,
                timeouts,
                set: validators,
                next_set: next_validators,
                height,
                signed: signed.into_iter().filter(|(slot, _)| slot.height == height).collect(),
                blocks: BTreeMap::new(),
                timers: BTreeSet::new(),
                replay: None,
                log_length: 0,
                effects: Vec::new(),
                fault: None,
            },
            begun: false,
            early: Early::default(),
            executing: BTreeMap::new(),
            proposed: BTreeMap::new(),
            held: Vec::new(),
        };
        if !log.is_empty() {
            machine.replay(log)?;
        }
        let effects = std::mem::take(&mut machine.desk.effects);
        Ok((machine, effects))
    }

    /// One step.
    ///
    /// # Errors
    /// [`Fault`]: the machine must not be used any further and none of its effects performed.
    pub fn handle(&mut self, input: Input, now: TimeMs) -> Result<Vec<Effect>, Fault> {
        match input {
            Input::Begin => self.begin(now)?,
            Input::Received(message) => self.receive(message, now)?,
            Input::Executed { block_hash, verdict } => self.executed(block_hash, verdict)?,
            Input::Built { round, block } => self.built(round, block)?,
            Input::Elapsed(timer) => self.elapsed(timer)?,
            Input::NewHead { height, validators, next_validators } => {
                self.new_head(height, validators, next_validators);
            }
        }
        self.release_held()?;
        Ok(std::mem::take(&mut self.desk.effects))
    }

    /// Whether this validator is one of those who decide the height. One who is not must not begin.
    pub fn is_member(&self) -> bool {
        let signer = &self.desk.signer;
        self.desk.set.by_account(&signer.account).is_some_and(|own| own.signing_key == signer.key.public())
    }

    /// Height being decided on: the head's plus one.
    pub const fn height(&self) -> Height {
        self.desk.height
    }

    /// Whether deciding has begun.
    pub const fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether another validator has begun with this height and we have not.
    pub fn is_awaited(&self) -> bool {
        !self.begun && self.is_member() && self.early.has_signed(self.desk.height)
    }

    #[cfg(test)]
    pub(super) fn early_count(&self) -> usize {
        self.early.count()
    }

    fn begin(&mut self, now: TimeMs) -> Result<(), Fault> {
        if self.begun || !self.is_member() {
            return Ok(());
        }
        self.begun = true;
        self.feed(self.start(Start::Fresh))?;
        for message in self.early.take(self.desk.height) {
            self.receive(message, now)?;
        }
        Ok(())
    }

    fn start(&self, start: Start) -> Fed<Context> {
        Fed::StartHeight(
            MalachiteHeight(self.desk.height),
            self.desk.set.clone(),
            matches!(start, Start::Replay),
            None,
            VoteExtensionPolicy::Disabled,
        )
    }

    fn receive(&mut self, message: Message, now: TimeMs) -> Result<(), Fault> {
        let height = message.height();
        let next = self.desk.height.saturating_add(1);
        if height < self.desk.height || height > next {
            return Ok(());
        }
        if height == next || !self.begun {
            let set = if height == next { &self.desk.next_set } else { &self.desk.set };
            if self.early.has_room(&message) && message.is_authentic(&self.desk.chain_id, set) {
                self.early.keep(message);
            }
            return Ok(());
        }
        if message.round() > context::number(self.state.round()).saturating_add(limits::MAX_ROUNDS_AHEAD) {
            return Ok(());
        }
        match message {
            Message::Vote(vote) => self.feed(Fed::Vote(context::vote_in(vote))),
            Message::Proposal(proposal, block) => self.propose(proposal, block, now),
            Message::Polka(certificate) if certificate.signatures.len() <= self.desk.set.validators.len() => {
                self.feed(Fed::PolkaCertificate(context::polka_in(certificate)))
            }
            Message::Round(certificate) if certificate.votes.len() <= self.desk.set.validators.len() => {
                self.feed(Fed::RoundCertificate(context::round_in(certificate)))
            }
            Message::Polka(_) | Message::Round(_) => Ok(()),
        }
    }

    /// A proposal for this height: verified and counted before its block is executed.
    fn propose(&mut self, proposal: Proposal, block: Block, now: TimeMs) -> Result<(), Fault> {
        let (round, block_hash) = (proposal.body.round, proposal.body.block_hash);
        let count = self.proposed.get(&round).map_or(0, BTreeSet::len);
        let is_known = self.proposed.get(&round).is_some_and(|hashes| hashes.contains(&block_hash));
        if is_known || count >= limits::MAX_PROPOSALS_PER_ROUND {
            return Ok(());
        }
        let message = Message::Proposal(proposal, block);
        if !message.is_authentic(&self.desk.chain_id, &self.desk.set) {
            return Ok(());
        }
        let Message::Proposal(proposal, block) = message else { return Ok(()) };
        self.proposed.entry(round).or_default().insert(block_hash);
        let is_fresh = proposal.body.polka_round.is_none();
        if is_fresh && block.header.time_ms.abs_diff(now) > limits::CLOCK_DRIFT_MS {
            self.held.push((proposal, block));
            return Ok(());
        }
        self.admit(proposal, block)
    }

    /// A proposal that may be voted on once its block is executed.
    fn admit(&mut self, proposal: Proposal, block: Block) -> Result<(), Fault> {
        let block_hash = proposal.body.block_hash;
        if self.desk.blocks.contains_key(&block_hash) {
            return self.feed(Fed::Proposal(context::proposal_in(proposal)));
        }
        if let Some((_, waiting)) = self.executing.get_mut(&block_hash) {
            waiting.push(proposal);
            return Ok(());
        }
        self.desk.effects.push(Effect::Execute(block.clone()));
        self.executing.insert(block_hash, (block, vec![proposal]));
        Ok(())
    }

    /// Fresh proposals whose time was off cannot win our prevote any more, but others may decide them.
    fn release_held(&mut self) -> Result<(), Fault> {
        let height = self.desk.height;
        let current = context::number(self.state.round());
        let (due, held) = std::mem::take(&mut self.held).into_iter().partition(|(proposal, _)| {
            let round = proposal.body.round;
            let voted = self.desk.signed.contains_key(&Slot { height, round, step: Step::Prevote });
            voted || round < current
        });
        self.held = held;
        let due: Vec<(Proposal, Block)> = due;
        for (proposal, block) in due {
            self.admit(proposal, block)?;
        }
        Ok(())
    }

    fn executed(&mut self, block_hash: Hash, verdict: Verdict) -> Result<(), Fault> {
        let Some((block, waiting)) = self.executing.remove(&block_hash) else { return Ok(()) };
        let Some(first) = waiting.first() else { return Ok(()) };
        let executed = ExecutedBlock { round: first.body.round, proposer: first.proposer, block, verdict };
        self.feed_block(block_hash, executed)?;
        for proposal in waiting {
            self.feed(Fed::Proposal(context::proposal_in(proposal)))?;
        }
        Ok(())
    }

    fn feed_block(&mut self, block_hash: Hash, executed: ExecutedBlock) -> Result<(), Fault> {
        let value = ProposedValue {
            height: MalachiteHeight(self.desk.height),
            round: Round::new(executed.round),
            valid_round: Round::Nil,
            proposer: executed.proposer,
            value: BlockHash(block_hash),
            validity: Validity::from_bool(executed.verdict == Verdict::Valid),
        };
        self.desk.blocks.insert(block_hash, executed);
        self.feed(Fed::ProposedValue(value, ValueOrigin::Consensus))
    }

    fn built(&mut self, round: u32, block: Block) -> Result<(), Fault> {
        let height = self.desk.height;
        if !self.begun || block.header.height != height || self.state.round() != Round::new(round) {
            return Ok(());
        }
        if self.desk.signed.contains_key(&Slot { height, round, step: Step::Propose }) {
            return Ok(());
        }
        let block_hash = block.header.hash();
        let proposer = self.desk.signer.account;
        self.desk.blocks.insert(block_hash, ExecutedBlock { round, proposer, block, verdict: Verdict::Valid });
        self.proposed.entry(round).or_default().insert(block_hash);
        self.feed(Fed::Propose(context::local_value(height, round, block_hash)))
    }

    fn elapsed(&mut self, timer: Timer) -> Result<(), Fault> {
        if !self.begun || !self.desk.timers.remove(&timer) {
            return Ok(());
        }
        self.feed(Fed::TimeoutElapsed(desk::timeout(&timer)))
    }

    fn new_head(&mut self, height: Height, validators: ValidatorSet, next_validators: ValidatorSet) {
        let next = height.saturating_add(1);
        if next <= self.desk.height {
            return;
        }
        self.begun = false;
        self.executing.clear();
        self.proposed.clear();
        self.held.clear();
        self.early.forget_before(next);
        self.desk.height = next;
        self.desk.set = validators;
        self.desk.next_set = next_validators;
        self.desk.signed.clear();
        self.desk.blocks.clear();
        self.desk.timers.clear();
        self.desk.log_length = 0;
        self.desk.effects.push(Effect::CancelTimers);
    }

    /// Feeds a log again. Nothing leaves meanwhile; afterwards what was signed is sent once more, and the
    /// timers that were running start anew.
    fn replay(&mut self, log: Vec<LogEntry>) -> Result<(), Fault> {
        self.begun = true;
        self.desk.log_length = u64::try_from(log.len()).unwrap_or(u64::MAX);
        let logged = log.iter().map(codec::encode).collect();
        self.desk.replay = Some(Replay { logged, build: None });
        let own = self.own_messages(&log);
        let recorded: Vec<Fed<Context>> = log.iter().filter_map(replay_message).collect();
        self.state.index_wal_entries(&recorded);
        self.feed(self.start(Start::Replay))?;
        for entry in log {
            match entry {
                LogEntry::Block(executed) => {
                    let block_hash = executed.block.header.hash();
                    self.feed_block(block_hash, executed)?;
                }
                LogEntry::Timer(timer) => {
                    self.desk.timers.remove(&timer);
                    self.feed(Fed::TimeoutElapsed(desk::timeout(&timer)))?;
                }
                LogEntry::Proposal(proposal) => {
                    let body = &proposal.body;
                    self.proposed.entry(body.round).or_default().insert(body.block_hash);
                    self.feed(Fed::Proposal(context::proposal_in(proposal)))?;
                }
                LogEntry::Vote(vote) => self.feed(Fed::Vote(context::vote_in(vote)))?,
                LogEntry::Polka(certificate) => self.feed(Fed::PolkaCertificate(context::polka_in(certificate)))?,
            }
        }
        self.state.reset_entries_index();
        self.after_replay(own)
    }

    fn after_replay(&mut self, mut own: Vec<LogEntry>) -> Result<(), Fault> {
        let replay = self.desk.replay.take().unwrap_or_default();
        let effects = std::mem::take(&mut self.desk.effects);
        let kept = effects.into_iter().filter(|effect| {
            !matches!(effect, Effect::SetTimer { .. } | Effect::CancelTimer(_) | Effect::CancelTimers)
        });
        self.desk.effects = kept.collect();
        for effect in &self.desk.effects {
            if let Effect::Log { entry, .. } = effect {
                own.extend(self.own_messages(std::slice::from_ref(entry)));
            }
        }
        for entry in own {
            match entry {
                LogEntry::Vote(vote) => self.desk.effects.push(Effect::Send(Message::Vote(vote))),
                LogEntry::Proposal(proposal) => self.desk.send_proposal(proposal),
                _ => {}
            }
        }
        for timer in &self.desk.timers {
            let after_ms = self.desk.timeouts.duration_ms(timer);
            self.desk.effects.push(Effect::SetTimer { timer: *timer, after_ms });
        }
        let height = self.desk.height;
        if let Some(round) = replay.build
            && self.state.round() == Round::new(round)
            && !self.desk.signed.contains_key(&Slot { height, round, step: Step::Propose })
            && !self.desk.signed.contains_key(&Slot { height, round, step: Step::Prevote })
        {
            self.desk.effects.push(Effect::Build { height, round });
        }
        self.desk.fault.take().map_or(Ok(()), Err)
    }

    fn own_messages(&self, log: &[LogEntry]) -> Vec<LogEntry> {
        let me = self.desk.signer.account;
        let is_own = |entry: &&LogEntry| match entry {
            LogEntry::Vote(vote) => vote.ballot.validator == me,
            LogEntry::Proposal(proposal) => proposal.proposer == me,
            _ => false,
        };
        log.iter().filter(is_own).cloned().collect()
    }

    /// Gives Malachite one input and performs what it asks for.
    fn feed(&mut self, input: Fed<Context>) -> Result<(), Fault> {
        let Self { state, desk, .. } = self;
        let result: Result<(), Error<Context>> = process!(
            input: input,
            state: state,
            metrics: &(),
            with: asked => Ok::<_, Error<Context>>(desk.perform(asked))
        );
        if let Some(fault) = self.desk.fault.take() {
            return Err(fault);
        }
        match result {
            Ok(()) => Ok(()),
            Err(error @ (Error::ReplayDivergence(..) | Error::WalCorrupted(_) | Error::DecisionNotFound(..))) => {
                Err(Fault::Engine(error.to_string()))
            }
            Err(error) => {
                self.desk.effects.push(Effect::Complaint(error.to_string()));
                Ok(())
            }
        }
    }
}

/// Whether a height begins or is being replayed.
enum Start {
    Fresh,
    Replay,
}

/// Lines in which Malachite looks up what it signed.
fn replay_message(entry: &LogEntry) -> Option<Fed<Context>> {
    match entry {
        LogEntry::Vote(vote) => Some(Fed::Vote(context::vote_in(vote.clone()))),
        LogEntry::Proposal(proposal) => Some(Fed::Proposal(context::proposal_in(proposal.clone()))),
        _ => None,
    }
}
