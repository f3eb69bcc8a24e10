//! Following a chain: the verifying client in full mode, and the same steps for those who build blocks.
//!
//! A [`Follower`] holds the state after its head. Every block is first worked out as a [`Step`], which
//! changes nothing; a host stores the block and [`Step::encoded_changes`] in one transaction and then
//! [`Follower::commit`]s the step. After a restart [`Follower::restore`] takes the stored bytes back and
//! believes them only if their root is the head's; [`Follower::recall`] takes recent heights back as well.
//!
//! A follower that has once reached the present trusts what it knew for K.trust_period: see [`super::trust`].
//!
//! - Clients: [`Follower::check`] a certified block, store, commit.
//! - Validators: [`Follower::execute`] a proposal before voting for it, [`Follower::build`] their own.

use super::block::{Block, CertifiedBlock, batches_root};
use super::genesis::Genesis;
use super::header::{FIRST_VERSION, Header, VERSION};
use super::trust::{self, Lead};
use super::verify::{self, BadBlock, Expected};
use crate::ledger::batch::Batch;
use crate::ledger::execute::{Excluded, Execution};
use crate::ledger::inclusion::InclusionError;
use crate::ledger::receipt::{BatchOutcome, Opening};
use crate::ledger::state::{BadState, Release, State};
use crate::ledger::transition::Transition;
use crate::message::Signed;
use crate::types::{Hash, Height, PublicKey, TimeMs};
use std::collections::VecDeque;

/// The chain up to a head, and the state after it.
pub struct Follower {
    state: State,
    genesis_time_ms: TimeMs,
    /// The newest headers, the head last; none at genesis.
    recent: VecDeque<Header>,
    /// Whether it has once held a block younger than K.trust_period. The first walk from genesis has no age.
    has_arrived: bool,
    /// What leads on from a head that is older.
    lead: Option<Lead>,
}

/// Stored beside the state, at a key that no value of it has: whether the follower has arrived.
const ARRIVED: &[u8] = &[0xFF];
/// What stands there of one that has not.
const ON_ITS_WAY: &[u8] = &[0];

/// A block that was worked out and found right, not committed yet.
#[derive(Debug)]
pub struct Step {
    header: Header,
    transition: Transition,
    /// With it the follower has arrived, for the first time.
    arrives: bool,
}

/// A block of our own making.
#[derive(Debug)]
pub struct Built {
    /// The block, to be proposed.
    pub block: Block,
    /// Its outcome, to be committed once it is decided.
    pub step: Step,
    /// Batches that were not taken, by their place in what was given, and why.
    pub left_out: Vec<(usize, LeftOut)>,
}

/// Why a batch was not taken into a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeftOut {
    /// Later, perhaps.
    #[error("the block is full")]
    NoRoom,
    /// Not on top of this head.
    #[error(transparent)]
    Refused(InclusionError),
}

/// Why stored bytes were not taken as the state of a head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadStore {
    /// The head is one of another network.
    #[error("the stored blocks belong to another network ({got})")]
    WrongChain {
        /// Hash of the genesis document.
        expected: Hash,
        /// What the stored head says.
        got: Hash,
    },
    /// A stored header is not the one before the next.
    #[error("the stored block {height} does not lead to the head")]
    OtherPast {
        /// Its height.
        height: Height,
    },
    /// The state is not the head's.
    #[error(transparent)]
    State(#[from] BadState),
}

impl Step {
    /// Header of the block.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// What it does to the ledger.
    pub const fn transition(&self) -> &Transition {
        &self.transition
    }

    /// What fell due at the start of the block: resolved disputes, decided proposals.
    pub fn openings(&self) -> &[Opening] {
        self.transition.openings()
    }

    /// What became of each batch, in order.
    pub fn outcomes(&self) -> &[BatchOutcome] {
        self.transition.outcomes()
    }

    /// What leads back to the block before, to be stored beside the block ([`Follower::recall`]).
    pub fn encoded_undo(&self) -> Vec<u8> {
        self.transition.encoded_undo()
    }

    /// Puts and deletes for the host's store: what [`Follower::restore`] takes back.
    pub fn encoded_changes(&self) -> impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> + '_ {
        let arrives = self.arrives.then(|| arrival(true));
        self.transition.encoded_changes().chain(arrives.map(|(key, value)| (key, Some(value))))
    }
}

impl Follower {
    /// Starts at genesis. The document must have passed [`Genesis::check`].
    pub fn new(genesis: &Genesis) -> Self {
        let (state, genesis_time_ms) = (State::genesis(genesis), genesis.time_ms);
        Self { state, genesis_time_ms, recent: VecDeque::new(), has_arrived: false, lead: None }
    }

    /// Starts at a stored head with the stored keys and values.
    ///
    /// # Errors
    /// [`BadStore`] when they are not the state of that head on this chain.
    pub fn restore<'a>(
        genesis: &Genesis,
        head: Header,
        stored: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, BadStore> {
        let (expected, got) = (genesis.chain_id(), head.chain_id);
        if got != expected {
            return Err(BadStore::WrongChain { expected, got });
        }
        // Stores of before there was this rule say nothing. They are held to it, by the age of their head like all
        // others: one whose head is young goes on as ever, and one that slept asks for a person's word, where it could
        // otherwise be led astray. At worst that is asked of a first walk that had not ended.
        let mut has_arrived = true;
        let stored = stored.into_iter().filter(|(key, value)| {
            has_arrived = has_arrived && !(*key == ARRIVED && *value == ON_ITS_WAY);
            *key != ARRIVED
        });
        let state = State::restore(expected, head.height, head.state_root, stored)?;
        Ok(Self { has_arrived, ..Self::at(genesis, head, state) })
    }

    /// Starts at a head that was authorised, with the state that has its root.
    pub(super) fn at(genesis: &Genesis, head: Header, state: State) -> Self {
        let (genesis_time_ms, recent) = (genesis.time_ms, VecDeque::from([head]));
        Self { state, genesis_time_ms, recent, has_arrived: false, lead: None }
    }

    /// Looks whether the head is young.
    pub(super) fn arrive(&mut self, now: TimeMs) {
        self.has_arrived = self.has_arrived || self.is_fresh(self.head_time_ms(), now);
    }

    const fn is_fresh(&self, time_ms: TimeMs, now: TimeMs) -> bool {
        trust::is_fresh(time_ms, self.state.parameters().trust_period_ms, now)
    }

    /// Everything that [`Follower::restore`] takes back: the keys and values of the state, and what is beside them.
    pub fn encoded(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
        self.state.encoded().chain([arrival(self.has_arrived)])
    }

    /// Takes the place of a follower of the same chain that lies behind: its trust is as old.
    pub fn take_over(&mut self, before: &Self) {
        self.has_arrived = self.has_arrived || before.has_arrived;
    }

    /// Goes on, from the head that a complete lead begins with, by what leads to the confirmed block. Any other lead
    /// changes nothing.
    pub fn take_lead(&mut self, lead: Lead) {
        if lead.next(1).is_none() && lead.from() == self.place() {
            self.lead = Some(lead);
        }
    }

    /// Height and hash of the head: where a [`Lead`] begins.
    pub fn place(&self) -> (Height, Hash) {
        (self.height(), self.head().map_or(Hash::ZERO, Header::hash))
    }

    /// Whether the head is too old to be led on by those who certified it, and no lead goes on from it.
    ///
    /// # Errors
    /// [`BadBlock::Expired`].
    pub fn check_age(&self, now: TimeMs) -> Result<(), BadBlock> {
        let (trusted_ms, trust_period_ms) = (self.head_time_ms(), self.state.parameters().trust_period_ms);
        let next = self.height().saturating_add(1);
        if !self.has_arrived
            || self.is_fresh(trusted_ms, now)
            || self.lead.as_ref().is_some_and(|lead| lead.at(next).is_some())
        {
            return Ok(());
        }
        Err(BadBlock::Expired { height: self.height(), trusted_ms, now_ms: now, trust_period_ms })
    }

    /// The block is the one that leads to what was confirmed, as far as anything was.
    fn check_lead(&self, header: &Header) -> Result<(), BadBlock> {
        match self.lead.as_ref().and_then(|lead| lead.at(header.height)) {
            Some(expected) if expected != header.hash() => {
                Err(BadBlock::OtherCheckpoint { expected, got: header.hash() })
            }
            _ => Ok(()),
        }
    }

    /// Takes back recent heights after [`Follower::restore`], so that their values, proofs and headers can
    /// be asked for again. `blocks` are stored headers with their [`Step::encoded_undo`], newest first, the
    /// head among them; as many as K.proof_window_heights + 1 are used, and none beyond one with an empty undo, which
    /// was too long to be stored. Every height's root is computed again and held against its header.
    ///
    /// # Errors
    /// [`BadStore`] when they are not what led to the head; then nothing changed.
    pub fn recall(&mut self, blocks: impl IntoIterator<Item = (Header, Vec<u8>)>) -> Result<(), BadStore> {
        let window = u64::from(self.state.parameters().proof_window_heights).saturating_add(1);
        let (mut headers, mut undos): (VecDeque<Header>, Vec<Vec<u8>>) = (VecDeque::new(), Vec::new());
        let mut expected = self.head().map(Header::hash);
        for (header, undo) in blocks.into_iter().take(usize::try_from(window).unwrap_or(usize::MAX)) {
            let got = header.hash();
            if expected != Some(got) {
                return Err(BadStore::OtherPast { height: header.height });
            }
            expected = Some(header.previous);
            headers.push_front(header);
            let is_oldest = undo.is_empty();
            undos.push(undo);
            if is_oldest {
                break;
            }
        }
        undos.pop();
        let roots: Vec<Hash> = headers.iter().rev().map(|header| header.state_root).collect();
        if !roots.is_empty() {
            let undos: Vec<&[u8]> = undos.iter().map(Vec::as_slice).collect();
            self.state.recall(&undos, &roots)?;
            self.recent = headers;
        }
        Ok(())
    }

    /// The state after the head.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The newest header; `None` at genesis.
    pub fn head(&self) -> Option<&Header> {
        self.recent.back()
    }

    /// Height of the head; 0 at genesis.
    pub const fn height(&self) -> Height {
        self.state.height()
    }

    /// Time of the head, or of genesis.
    pub fn head_time_ms(&self) -> TimeMs {
        self.head().map_or(self.genesis_time_ms, |head| head.time_ms)
    }

    /// A header among those kept: the head and, as far as this follower saw them, those within
    /// K.proof_window_heights below it.
    pub fn header_at(&self, height: Height) -> Option<&Header> {
        let back = self.height().checked_sub(height)?;
        let place = u64::try_from(self.recent.len()).ok()?.checked_sub(back)?.checked_sub(1)?;
        self.recent.get(usize::try_from(place).ok()?)
    }

    /// The release whose rules the next block follows, with its version; `None`: those of the start.
    fn release(&self) -> Option<(u16, Release)> {
        let next = self.height().saturating_add(1);
        self.state.releases().filter(|(_, release)| release.height <= next).last()
    }

    /// Whether the next block follows rules that this code knows. Whoever builds blocks asks before, for
    /// [`Self::build`] cannot follow others.
    ///
    /// # Errors
    /// [`BadBlock::NewRules`]: there is nothing left to do but to install the release that it names.
    pub fn check_rules(&self) -> Result<(), BadBlock> {
        match self.release() {
            Some((version, Release { height, bundle })) if version > VERSION => {
                Err(BadBlock::NewRules { version, height, bundle })
            }
            _ => Ok(()),
        }
    }

    /// What the next block is held against.
    pub fn expected(&self) -> Expected<'_> {
        Expected {
            version: self.release().map_or(FIRST_VERSION, |(version, _)| version),
            chain_id: self.state.chain_id(),
            height: self.height().saturating_add(1),
            previous: self.head().map_or(Hash::ZERO, Header::hash),
            previous_time_ms: self.head_time_ms(),
            usable_height: self.state.usable_height(),
            validators: self.state.validators(),
            next_validators_hash: self.state.next_validators().hash(),
            parameters: self.state.parameters(),
        }
    }

    /// Works out a certified block. Checks are ordered so that each fault shows its own code, and so that
    /// nothing is executed for which there is no quorum at this height.
    ///
    /// # Errors
    /// The first [`BadBlock`].
    pub fn check(&self, certified: &CertifiedBlock, now: TimeMs) -> Result<Step, BadBlock> {
        self.check_rules()?;
        self.check_age(now)?;
        let CertifiedBlock { block, certificate } = certified;
        let (header, validators) = (&block.header, self.state.validators());
        self.check_lead(header)?;
        verify::block(block, &self.expected()).map_err(|error| verify::blame_root(error, header, certificate))?;
        verify::clock(header, now)?;
        verify::quorum(certificate, self.height().saturating_add(1), self.state.chain_id(), validators)
            .map_err(|error| verify::blame_vote(error, header, certificate, validators))?;
        let step = self.run(block)?;
        verify::certified(&block.header, certificate)?;
        Ok(Step { arrives: !self.has_arrived && self.is_fresh(header.time_ms, now), ..step })
    }

    /// Works out a block that nobody has certified yet: what a validator does before it votes. Whoever takes part
    /// has arrived.
    ///
    /// # Errors
    /// The first [`BadBlock`].
    pub fn execute(&self, block: &Block) -> Result<Step, BadBlock> {
        self.check_rules()?;
        verify::block(block, &self.expected())?;
        self.run(block)
    }

    fn run(&self, block: &Block) -> Result<Step, BadBlock> {
        let mut execution = Execution::new(&self.state, block.header.proposer);
        for (index, batch) in block.batches.iter().enumerate() {
            execution.include(batch).map_err(|excluded| match excluded {
                Excluded::NoRoom { limit, got } => BadBlock::TooLarge { limit, got },
                Excluded::Refused(reason) => BadBlock::BadBatch { index, reason },
            })?;
        }
        let transition = execution.finish();
        verify::state_root(&block.header, transition.root())?;
        Ok(Step { header: block.header.clone(), transition, arrives: !self.has_arrived })
    }

    /// Builds the next block of those batches that may stand in it, in the order given. Its time is
    /// `time_ms`, or the earliest allowed if that is later.
    pub fn build<'a>(
        &self,
        batches: impl IntoIterator<Item = &'a Signed<Batch>>,
        proposer: PublicKey,
        time_ms: TimeMs,
    ) -> Built {
        let expected = self.expected();
        let mut execution = Execution::new(&self.state, proposer);
        let (mut taken, mut left_out) = (Vec::new(), Vec::new());
        for (place, batch) in batches.into_iter().enumerate() {
            match execution.include(batch) {
                Ok(()) => taken.push(batch.clone()),
                Err(Excluded::NoRoom { .. }) => left_out.push((place, LeftOut::NoRoom)),
                Err(Excluded::Refused(reason)) => left_out.push((place, LeftOut::Refused(reason))),
            }
        }
        let transition = execution.finish();
        let header = Header {
            version: expected.version,
            chain_id: expected.chain_id,
            height: expected.height,
            time_ms: time_ms.max(verify::earliest_time(&expected)),
            proposer,
            previous: expected.previous,
            usable_height: expected.usable_height,
            batches_root: batches_root(&taken),
            state_root: transition.root(),
            validators_hash: expected.validators.hash(),
            next_validators_hash: expected.next_validators_hash,
            parameters_hash: expected.parameters.hash(),
        };
        let block = Block { header: header.clone(), batches: taken };
        Built { block, step: Step { header, transition, arrives: !self.has_arrived }, left_out }
    }

    /// Makes a worked-out block the head. It must have been worked out on the present head.
    pub fn commit(&mut self, step: Step) {
        let Step { header, transition, arrives } = step;
        assert_eq!(header.previous, self.expected().previous, "a step worked out on another head");
        self.state.commit(transition);
        self.has_arrived = self.has_arrived || arrives;
        self.lead = self.lead.take().filter(|lead| lead.at(header.height.saturating_add(1)).is_some());
        self.recent.push_back(header);
        let kept = u64::from(self.state.parameters().proof_window_heights).saturating_add(1);
        while u64::try_from(self.recent.len()).unwrap_or(u64::MAX) > kept {
            self.recent.pop_front();
        }
    }
}

/// What is stored of that.
fn arrival(has_arrived: bool) -> (Vec<u8>, Vec<u8>) {
    (ARRIVED.to_vec(), if has_arrived { vec![1] } else { ON_ITS_WAY.to_vec() })
}

#[cfg(test)]
mod tests;
