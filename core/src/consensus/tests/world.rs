//! Validators in one thread: a network that loses, delays and reorders by a seed, stores that survive
//! crashes, and checkers that see only what was sent and decided.

use crate::chain::block::{Block, batches_root};
use crate::chain::certificate::{Certificate, Validator, ValidatorSet};
use crate::chain::header::{Header, VERSION};
use crate::chain::verify;
use crate::consensus::*;
use crate::crypto::SecretKey;
use crate::types::{Hash, Height, PublicKey, TimeMs};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const CHAIN: Hash = Hash([7; 32]);
const INTERVAL_MS: u64 = 100;

/// What the network does to messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) loss_percent: u64,
    pub(super) longest_delay_ms: u64,
}

pub(super) const FAIR: Weather = Weather { loss_percent: 0, longest_delay_ms: 1 };
pub(super) const STORMY: Weather = Weather { loss_percent: 15, longest_delay_ms: 400 };

/// Where a node dies: at its n-th durable transaction, or at its n-th commit of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    BeforeWrite(u64),
    AfterWrite(u64),
    AfterFirstSend(u64),
    BeforeCommit(u64),
    AfterCommit(u64),
}

/// What misbehaves, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    Honest,
    /// Sends one thing to half of the others and a conflicting one to the rest.
    Equivocator,
    /// Proposes blocks that do not execute.
    Liar,
    /// Proposes blocks that name another validator as their builder.
    Usurper,
}

pub(super) struct Node {
    pub(super) account: PublicKey,
    key: SecretKey,
    pub(super) nature: Nature,
    machine: Option<Consensus>,
    pub(super) chain: Vec<(Block, Certificate)>,
    log: BTreeMap<(Height, u64), LogEntry>,
    signed: BTreeMap<Slot, Hash>,
    pub(super) transactions: u64,
    pub(super) crash: Option<Crash>,
    pub(super) restarts: u64,
    clock_skew_ms: i64,
    generation: u64,
    /// Whether it was started and not stopped; a crashed node comes back by itself.
    is_wanted: bool,
    pub(super) reported: BTreeSet<PublicKey>,
}

impl Node {
    fn head(&self) -> Height {
        self.chain.last().map_or(0, |(block, _)| block.header.height)
    }

    pub(super) fn is_up(&self) -> bool {
        self.machine.is_some()
    }
}

#[allow(clippy::large_enum_variant, reason = "few events wait at a time")]
#[derive(Clone, Debug)]
enum Event {
    Deliver { to: usize, message: Message },
    Elapsed { node: usize, timer: Timer, number: u64 },
    Begin { node: usize, height: Height },
    Restart { node: usize },
    Status { node: usize },
}

pub(super) struct World {
    pub(super) set: ValidatorSet,
    /// Another set that decides from a height on.
    pub(super) change: Option<(Height, ValidatorSet)>,
    pub(super) nodes: Vec<Node>,
    pub(super) weather: Weather,
    pub(super) now: TimeMs,
    events: BTreeMap<(TimeMs, u64), Event>,
    sequence: u64,
    timers: BTreeMap<(usize, Timer), u64>,
    random: u64,
    /// Everything honest validators ever sent, by slot: the checker against double signing.
    sent: BTreeMap<(PublicKey, Slot), Hash>,
    /// The first decision of each height: the checker for agreement.
    decided: BTreeMap<Height, Hash>,
    pub(super) trace: Hash,
}

pub(super) fn key_of(index: usize) -> SecretKey {
    SecretKey::from_seed(&[u8::try_from(index).unwrap() + 1; 32])
}

impl World {
    pub(super) fn new(count: usize, seed: u64, weather: Weather) -> Self {
        let mut keys: Vec<(PublicKey, SecretKey)> = (0..count)
            .map(|index| (SecretKey::from_seed(&[u8::try_from(index).unwrap() + 101; 32]).public(), key_of(index)))
            .collect();
        keys.sort_by_key(|(account, _)| *account);
        let validators = keys
            .iter()
            .map(|(account, key)| Validator {
                account: *account,
                signing_key: key.public(),
                shares: 25,
                url: String::new(),
            })
            .collect();
        let set = ValidatorSet { validators };
        set.check().unwrap();
        let nodes = keys.into_iter().map(|(account, key)| Node {
            account,
            key,
            nature: Nature::Honest,
            machine: None,
            chain: Vec::new(),
            log: BTreeMap::new(),
            signed: BTreeMap::new(),
            transactions: 0,
            crash: None,
            restarts: 0,
            clock_skew_ms: 0,
            generation: 0,
            is_wanted: false,
            reported: BTreeSet::new(),
        });
        Self {
            set,
            change: None,
            nodes: nodes.collect(),
            weather,
            now: 1_000_000,
            events: BTreeMap::new(),
            sequence: 0,
            timers: BTreeMap::new(),
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            sent: BTreeMap::new(),
            decided: BTreeMap::new(),
            trace: Hash::ZERO,
        }
    }

    pub(super) fn skew(&mut self, node: usize, skew_ms: i64) {
        self.nodes[node].clock_skew_ms = skew_ms;
    }

    pub(super) fn start(&mut self, node: usize) {
        self.nodes[node].is_wanted = true;
        self.after(0, Event::Restart { node });
        self.after(500, Event::Status { node });
    }

    pub(super) fn start_all(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.start(node));
    }

    pub(super) fn stop(&mut self, node: usize) {
        self.nodes[node].is_wanted = false;
        self.kill(node);
    }

    fn kill(&mut self, node: usize) {
        self.nodes[node].machine = None;
        self.nodes[node].generation += 1;
        self.timers.retain(|(owner, _), _| *owner != node);
    }

    /// Runs until every node that was started has decided on the height.
    pub(super) fn run_to(&mut self, height: Height) {
        let deadline = self.now + 600_000;
        while self.nodes.iter().any(|node| node.head() < height && node.is_wanted) {
            assert!(self.now < deadline, "no progress: heads {:?}", self.heads());
            self.step();
        }
    }

    /// Slots for which a validator sent something.
    pub(super) fn sent_by(&self, validator: PublicKey) -> impl Iterator<Item = &Slot> {
        self.sent.keys().filter(move |(sender, _)| *sender == validator).map(|(_, slot)| slot)
    }

    pub(super) fn heads(&self) -> Vec<Height> {
        self.nodes.iter().map(Node::head).collect()
    }

    pub(super) fn step(&mut self) {
        let ((at, _), event) = self.events.pop_first().expect("nothing will ever happen again");
        self.now = at;
        match event {
            Event::Deliver { to, message } => self.input(to, Input::Received(message)),
            Event::Elapsed { node, timer, number } => {
                if self.timers.get(&(node, timer)) == Some(&number) {
                    self.timers.remove(&(node, timer));
                    self.input(node, Input::Elapsed(timer));
                }
            }
            Event::Begin { node, height } => {
                if self.nodes[node].machine.as_ref().is_some_and(|machine| machine.height() == height) {
                    self.input(node, Input::Begin);
                }
            }
            Event::Restart { node } => self.restart(node),
            Event::Status { node } => self.catch_up(node),
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below.max(1)
    }

    fn after(&mut self, ms: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + ms, self.sequence), event);
    }

    /// Who decides a height.
    pub(super) fn set_of(&self, height: Height) -> ValidatorSet {
        match &self.change {
            Some((from, set)) if height >= *from => set.clone(),
            _ => self.set.clone(),
        }
    }

    fn local_time(&self, node: usize) -> TimeMs {
        self.now.saturating_add_signed(self.nodes[node].clock_skew_ms)
    }

    fn restart(&mut self, node: usize) {
        if !self.nodes[node].is_wanted || self.nodes[node].machine.is_some() {
            return;
        }
        let height = self.nodes[node].head() + 1;
        let (validators, next_validators) = (self.set_of(height), self.set_of(height + 1));
        let it = &mut self.nodes[node];
        it.restarts += 1;
        let restored = Restored {
            chain_id: CHAIN,
            height,
            validators,
            next_validators,
            log: it.log.range((height, 0)..=(height, u64::MAX)).map(|(_, entry)| entry.clone()).collect(),
            signed: it.signed.iter().map(|(slot, content)| (*slot, *content)).collect(),
        };
        let signer = Signer { account: it.account, key: it.key.clone() };
        let timeouts =
            Timeouts { propose_ms: 1_000, vote_ms: 500, rebroadcast_ms: 700, step_ms: 200, longest_ms: 10_000 };
        let (machine, effects) = Consensus::restore(restored, signer, timeouts).expect("the log leads back");
        it.machine = Some(machine);
        self.perform(node, effects);
        self.after(INTERVAL_MS, Event::Begin { node, height });
    }

    /// What the host does over HTTP: fetch certified blocks from whoever is ahead.
    fn catch_up(&mut self, node: usize) {
        if !self.nodes[node].is_wanted {
            return;
        }
        self.after(700, Event::Status { node });
        if self.nodes[node].machine.is_none() {
            return;
        }
        let head = self.nodes[node].head();
        let ahead =
            self.nodes.iter().find(|other| other.is_up() && other.head() > head).map(|other| other.chain.clone());
        let Some((block, certificate)) =
            ahead.and_then(|chain| chain.into_iter().find(|(block, _)| block.header.height == head + 1))
        else {
            return;
        };
        verify::certificate(&block.header, &certificate, &self.set_of(block.header.height))
            .expect("peers serve certified blocks");
        self.commit(node, block, certificate);
    }

    fn input(&mut self, node: usize, input: Input) {
        let now = self.local_time(node);
        let Some(machine) = &mut self.nodes[node].machine else { return };
        let effects = machine.handle(input, now).expect("no fault");
        self.perform(node, effects);
    }

    /// The host: one durable transaction, then everything else in order.
    fn perform(&mut self, node: usize, effects: Vec<Effect>) {
        let generation = self.nodes[node].generation;
        let is_write = |effect: &Effect| matches!(effect, Effect::Log { .. } | Effect::Signed { .. });
        let mut crash = None;
        if effects.iter().any(is_write) {
            let it = &mut self.nodes[node];
            let number = it.transactions;
            it.transactions += 1;
            if it.crash == Some(Crash::BeforeWrite(number)) {
                return self.crash(node);
            }
            for effect in effects.iter().filter(|effect| is_write(effect)) {
                match effect.clone() {
                    Effect::Log { height, index, entry } => {
                        let old = it.log.insert((height, index), entry);
                        assert!(old.is_none(), "a line of the log is written once");
                    }
                    Effect::Signed { slot, content } => {
                        let old = it.signed.insert(slot, content);
                        assert!(old.is_none_or(|old| old == content), "double signing at {slot:?}");
                    }
                    _ => unreachable!(),
                }
            }
            if it.crash == Some(Crash::AfterWrite(number)) {
                return self.crash(node);
            }
            crash = (it.crash == Some(Crash::AfterFirstSend(number))).then_some(());
        }
        for effect in effects {
            if self.nodes[node].generation != generation {
                return;
            }
            let is_send = matches!(effect, Effect::Send(_));
            self.perform_one(node, effect);
            if is_send && crash.is_some() {
                return self.crash(node);
            }
        }
    }

    fn crash(&mut self, node: usize) {
        self.nodes[node].crash = None;
        self.kill(node);
        let pause = 50 + self.draw(1_500);
        self.after(pause, Event::Restart { node });
    }

    fn perform_one(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Send(message) => self.send(node, message),
            Effect::SetTimer { timer, after_ms } => {
                let number = self.sequence + 1;
                self.timers.insert((node, timer), number);
                self.after(after_ms, Event::Elapsed { node, timer, number });
            }
            Effect::CancelTimer(timer) => {
                self.timers.remove(&(node, timer));
            }
            Effect::CancelTimers => self.timers.retain(|(owner, _), _| *owner != node),
            Effect::Execute(block) => {
                let verdict = if executes(&block, self.nodes[node].chain.last().map(|(block, _)| block)) {
                    Verdict::Valid
                } else {
                    Verdict::Invalid
                };
                let block_hash = block.header.hash();
                self.input(node, Input::Executed { block_hash, verdict });
            }
            Effect::Build { height, round } => {
                let block = self.build(node, height);
                self.input(node, Input::Built { round, block });
            }
            Effect::Decided { block, certificate } => self.commit(node, block, certificate),
            Effect::Misbehaved { validator, .. } => {
                self.nodes[node].reported.insert(validator);
            }
            Effect::Round { .. } | Effect::Log { .. } | Effect::Signed { .. } => {}
            Effect::Complaint(text) => panic!("{text}"),
        }
    }

    fn build(&self, node: usize, height: Height) -> Block {
        let it = &self.nodes[node];
        let previous = it.chain.last().map(|(block, _)| block);
        let mut block = Block {
            header: Header {
                version: VERSION,
                chain_id: CHAIN,
                height,
                time_ms: self.local_time(node),
                proposer: it.account,
                previous: previous.map_or(Hash::ZERO, |block| block.header.hash()),
                usable_height: height,
                batches_root: batches_root(&[]),
                state_root: root_after(height),
                validators_hash: self.set.hash(),
                next_validators_hash: self.set.hash(),
                parameters_hash: Hash::ZERO,
            },
            batches: Vec::new(),
        };
        match it.nature {
            Nature::Liar => block.header.state_root = Hash([0xEE; 32]),
            Nature::Usurper => block.header.proposer = self.nodes[(node + 1) % self.nodes.len()].account,
            Nature::Honest | Nature::Equivocator => {}
        }
        block
    }

    /// Block, head and the end of the log are one transaction.
    fn commit(&mut self, node: usize, block: Block, certificate: Certificate) {
        let number = self.nodes[node].head();
        if self.nodes[node].crash == Some(Crash::BeforeCommit(number)) {
            return self.crash(node);
        }
        verify::certificate(&block.header, &certificate, &self.set_of(block.header.height))
            .expect("2/3+ certify what is decided");
        let (height, hash) = (block.header.height, block.header.hash());
        assert_eq!(*self.decided.entry(height).or_insert(hash), hash, "two decisions at height {height}");
        self.trace =
            crate::crypto::hash(crate::message::tags::HELLO, &[&self.trace.0, &hash.0, &self.now.to_le_bytes()]);
        let it = &mut self.nodes[node];
        assert_eq!(height, it.head() + 1);
        it.chain.push((block, certificate));
        it.log.retain(|(logged, _), _| *logged > height);
        if it.crash == Some(Crash::AfterCommit(number)) {
            return self.crash(node);
        }
        let (validators, next_validators) = (self.set_of(height + 1), self.set_of(height + 2));
        self.input(node, Input::NewHead { height, validators, next_validators });
        self.after(INTERVAL_MS, Event::Begin { node, height: height + 1 });
    }

    fn send(&mut self, node: usize, message: Message) {
        if self.nodes[node].nature != Nature::Equivocator {
            self.check_single(&message);
        }
        for to in 0..self.nodes.len() {
            if to == node || self.draw(100) < self.weather.loss_percent {
                continue;
            }
            let conflicting = self.nodes[node].nature == Nature::Equivocator && to % 2 == 0;
            let message = if conflicting { self.conflicting(node, &message) } else { message.clone() };
            let delay = 1 + self.draw(self.weather.longest_delay_ms);
            self.after(delay, Event::Deliver { to, message });
        }
    }

    /// Everything that carries a validator's signature counts, whoever passes it on.
    fn check_single(&mut self, message: &Message) {
        let content = |hash: &Option<Hash>| hash.unwrap_or(Hash::ZERO);
        let (who, slot, content) = match message {
            Message::Vote(vote) => {
                let step = match vote.ballot.kind {
                    VoteKind::Prevote => Step::Prevote,
                    VoteKind::Precommit => Step::Precommit,
                };
                let ballot = &vote.ballot;
                (
                    ballot.validator,
                    Slot { height: ballot.height, round: ballot.round, step },
                    content(&ballot.block_hash),
                )
            }
            Message::Proposal(proposal, _) => {
                let body = &proposal.body;
                let slot = Slot { height: body.height, round: body.round, step: Step::Propose };
                (proposal.proposer, slot, body.block_hash)
            }
            Message::Polka(_) | Message::Round(_) => return,
        };
        let is_honest = self.nodes.iter().any(|node| node.account == who && node.nature != Nature::Equivocator);
        if is_honest {
            let first = *self.sent.entry((who, slot)).or_insert(content);
            assert_eq!(first, content, "{who} signed twice for {slot:?}");
        }
    }

    fn conflicting(&self, node: usize, message: &Message) -> Message {
        let it = &self.nodes[node];
        match message {
            Message::Vote(vote) if vote.ballot.validator == it.account => {
                let block_hash = match vote.ballot.block_hash {
                    Some(_) => None,
                    None => Some(Hash([0xAB; 32])),
                };
                let ballot = Ballot { block_hash, ..vote.ballot.clone() };
                let signature = ballot.sign(&CHAIN, &it.key);
                Message::Vote(Vote { ballot, signature })
            }
            Message::Proposal(proposal, block) if proposal.proposer == it.account => {
                let mut block = block.clone();
                block.header.time_ms += 1;
                let body = ProposalBody { block_hash: block.header.hash(), ..proposal.body.clone() };
                let signature = crate::message::Message::sign(&body, &CHAIN, &it.key);
                Message::Proposal(Proposal { body, signature, proposer: it.account }, block)
            }
            other => other.clone(),
        }
    }
}

fn root_after(height: Height) -> Hash {
    crate::crypto::hash(crate::message::tags::STATE_TREE, &[&height.to_le_bytes()])
}

/// Stands for the ledger: a function of the block and its predecessor, never of the clock.
fn executes(block: &Block, previous: Option<&Block>) -> bool {
    let earliest = previous.map_or(0, |previous| previous.header.time_ms + INTERVAL_MS);
    block.header.previous == previous.map_or(Hash::ZERO, |previous| previous.header.hash())
        && block.header.time_ms >= earliest
        && block.header.state_root == root_after(block.header.height)
}
