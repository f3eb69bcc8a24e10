//! All interleavings of a small case: every order of wishes, deliveries, new heads and faults within a
//! budget, over the real channel code. Worlds that were met before are not entered again.
//!
//! A world is two parties and the wires between them. Most worlds consist of parties that were met in other
//! worlds: what a party does with an input is worked out once ([`Locals`]), and a world is no more than
//! the names of its parts. A name is a digest of 128 bits.
//!
//! Every party is checked against loss (rule 11), nobody is accused, and nothing is signed below what was
//! signed. From every world whose wires are empty the pair is healed, which must end in agreement.

use super::chain::Chain;
use super::pair::{Pair, check_rest, hash, secret_of};
use super::party::{Crash, Party};
use fair_core::channel::event::{Command, Input};
use fair_core::channel::transition::FailReason;
use fair_core::types::{Amount, AssetId, Height, TimeMs};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;

/// Digest of everything that makes a part what it is.
type Name = u128;

fn name(parts: &impl std::hash::Hash) -> Name {
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        parts.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}

/// Highest number of a wish; a reference and the number of its secret.
const MOST_WISHES: u64 = 200;
/// Blocks that come while a pair is healed.
const HEALING_BLOCKS: u64 = 60;

/// Something that a party wishes, when it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// Pay an amount.
    Pay(Amount),
    /// Lock an amount for so many blocks.
    Lock(Amount, u64),
    /// Take the first open lock; waits for one.
    Take,
    /// Give back the first open lock; waits for one.
    GiveBack,
    /// Ask to withdraw.
    Withdraw(Amount),
    /// Consent to the partner's withdrawal; waits for one.
    Grant,
    /// Decline it; waits for one.
    Decline,
}

/// How many of each fault, and how many in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Messages lost.
    pub losses: u8,
    /// Messages delivered twice.
    pub copies: u8,
    /// Sessions that end.
    pub reconnects: u8,
    /// Power losses: before a write, after it, or after its sends.
    pub crashes: u8,
    /// Times that a frame waits in vain for a block and is refused.
    pub timeouts: u8,
    /// Faults in all.
    pub total: u8,
}

/// A small case.
#[derive(Clone)]
pub struct Case {
    /// Where it starts.
    pub pair: Pair,
    /// What left and right wish, in order; each at any time.
    pub wishes: [Vec<Wish>; 2],
    /// Faults.
    pub budget: Budget,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Explored {
    /// Different worlds.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// Worlds from which the pair was healed.
    pub healed: usize,
    /// Steps in which a frame was refused.
    pub refusals: usize,
    /// Different states of one party.
    pub locals: usize,
}

/// One party in a state.
struct Local {
    party: Party,
    name: Name,
    /// Of what survives a power loss.
    durable: Name,
}

/// A message on a wire.
struct Wired {
    bytes: Vec<u8>,
    name: Name,
}

/// What a party is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Given {
    Message(Name, Crash),
    Connected,
    Disconnected,
    Restart,
    Head(Height),
    Timer,
    /// A wish under a number.
    Wish(Wish, u64),
    Resume,
}

/// What came of it.
#[derive(Clone)]
struct Outcome {
    local: Rc<Local>,
    sent: Vec<Rc<Wired>>,
    crashed: bool,
    refused: bool,
}

/// What parties do, each worked out once.
struct Locals {
    /// As far as the case goes: what is left of consents is judged by its newest block.
    chain: Chain,
    /// With the blocks that come while a pair is healed.
    future: Chain,
    known: HashMap<(Name, Given, TimeMs), Outcome>,
    parties: HashMap<Name, Rc<Local>>,
    wired: HashMap<Name, Rc<Wired>>,
}

impl Locals {
    fn new(chain: Chain) -> Self {
        let mut future = chain.clone();
        future.mine_many(HEALING_BLOCKS);
        let (known, parties, wired) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { chain, future, known, parties, wired }
    }

    fn local(&mut self, mut party: Party) -> Rc<Local> {
        party.forget_past();
        let orders: Vec<_> = party.released.states.iter().map(|state| (state.frame, state.proposer)).collect();
        let books = format!("{:?} {orders:?} {}", party.disk.1, party.released.consents.len());
        let durable = name(&(&party.disk.0, &books, party.height));
        let all = name(&(durable, format!("{:?}", party.channel)));
        if let Some(local) = self.parties.get(&all) {
            return local.clone();
        }
        if let Err(loss) = party.check_loss(&self.chain) {
            panic!("{loss}");
        }
        assert!(party.book.accusations.is_empty(), "{:?}", party.book.accusations);
        let local = Rc::new(Local { party, name: all, durable });
        self.parties.insert(all, local.clone());
        local
    }

    fn give(&mut self, to: &Rc<Local>, given: Given, now_ms: TimeMs) -> Outcome {
        let key = (to.name, given, now_ms);
        if let Some(outcome) = self.known.get(&key) {
            return outcome.clone();
        }
        let mut party = to.party.clone();
        let before = party.channel.refuses();
        let output = match given {
            Given::Restart => {
                party.restart();
                None
            }
            Given::Wish(wish, number) => command(&party, wish, number)
                .and_then(|command| party.input(Input::Command(command), &self.future, now_ms, Crash::Never).ok()),
            Given::Resume => party.input(Input::Command(Command::Resume), &self.future, now_ms, Crash::Never).ok(),
            Given::Message(of, crash) => {
                let bytes = self.wired.get(&of).map(|wired| wired.bytes.clone()).unwrap_or_default();
                party.input(Input::Message(&bytes), &self.future, now_ms, crash).ok()
            }
            Given::Head(height) => {
                party.height = height;
                party.input(Input::Head, &self.future, now_ms, Crash::Never).ok()
            }
            Given::Connected => party.input(Input::Connected, &self.future, now_ms, Crash::Never).ok(),
            Given::Disconnected => party.input(Input::Disconnected, &self.future, now_ms, Crash::Never).ok(),
            Given::Timer => party.input(Input::Timer, &self.future, now_ms, Crash::Never).ok(),
        };
        let refused = party.channel.refuses() && !before;
        let output = output.unwrap_or_default();
        let sent = output.sent.into_iter().map(|bytes| self.wire(bytes)).collect();
        let outcome = Outcome { local: self.local(party), sent, crashed: output.crashed, refused };
        self.known.insert(key, outcome.clone());
        outcome
    }

    fn wire(&mut self, bytes: Vec<u8>) -> Rc<Wired> {
        let name = name(&bytes);
        self.wired.entry(name).or_insert_with(|| Rc::new(Wired { bytes, name })).clone()
    }
}

/// What a party would have to be commanded for a wish. A refused one is gone; refusing is as good an
/// outcome as any.
fn command(party: &Party, wish: Wish, number: u64) -> Option<Command> {
    let asset = AssetId::FRD;
    let first = party.book.open.iter().next();
    Some(match wish {
        Wish::Pay(amount) => Command::Pay { asset, amount, note: Vec::new(), reference: number },
        Wish::Lock(amount, blocks) => {
            // Blocks and U go together here.
            let expiry = party.height + blocks;
            Command::Lock { asset, amount, hash: hash(number), expiry, onion: vec![0; 8], reference: number }
        }
        Wish::Take => {
            let (lock, terms) = first?;
            Command::Settle { lock: *lock, secret: secret_of(&terms.hash, MOST_WISHES)? }
        }
        Wish::GiveBack => Command::Fail { lock: *first?.0, reason: FailReason::Rejected },
        Wish::Withdraw(amount) => Command::RequestWithdrawal { asset, amount, lifetime_blocks: 8 },
        Wish::Grant => Command::GrantWithdrawal { asset },
        Wish::Decline => Command::RefuseWithdrawal { asset },
    })
}

/// Two parties and the wires between them.
#[derive(Clone)]
struct World {
    parties: [Rc<Local>; 2],
    wires: [Vec<Rc<Wired>>; 2],
    connected: bool,
    now_ms: TimeMs,
    done: [usize; 2],
    budget: Budget,
}

impl World {
    fn name(&self) -> Name {
        let wires = [0, 1].map(|index| self.wires[index].iter().map(|wired| wired.name).collect::<Vec<_>>());
        let parties = [self.parties[0].name, self.parties[1].name];
        name(&(parties, wires, self.connected, self.now_ms, self.done, self.budget))
    }

    /// Whether a frame was refused.
    fn give(&mut self, locals: &mut Locals, index: usize, given: Given) -> bool {
        let outcome = locals.give(&self.parties[index], given, self.now_ms);
        self.parties[index] = outcome.local;
        if self.connected {
            self.wires[1 - index].extend(outcome.sent);
        }
        if outcome.crashed {
            self.connected = false;
        }
        outcome.refused
    }

    fn deliver(&mut self, locals: &mut Locals, index: usize, crash: Crash) -> bool {
        let wired = self.wires[index].remove(0);
        self.give(locals, index, Given::Message(wired.name, crash))
    }

    fn connect(&mut self, locals: &mut Locals) {
        self.connected = false;
        self.wires = [Vec::new(), Vec::new()];
        for index in 0..2 {
            self.give(locals, index, Given::Disconnected);
        }
        self.connected = true;
        for index in 0..2 {
            self.give(locals, index, Given::Connected);
        }
    }

    fn settle_down(&mut self, locals: &mut Locals) {
        for _ in 0..1_000 {
            let Some(index) = (0..2).find(|index| !self.wires[*index].is_empty()) else { return };
            self.deliver(locals, index, Crash::Never);
        }
        panic!("two parties talk for ever");
    }
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Wish(usize),
    Deliver(usize, Crash),
    Lose(usize),
    Copy(usize),
    Connect,
    Reconnect,
    Head(usize),
    Timeout(usize),
}

/// The steps that led to a world.
#[derive(Clone, Default)]
struct Path(Option<Rc<(Action, Path)>>);

impl Path {
    fn and(&self, action: Action) -> Self {
        Self(Some(Rc::new((action, self.clone()))))
    }
}

impl std::fmt::Debug for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut steps = Vec::new();
        let mut rest = self;
        while let Some(step) = &rest.0 {
            steps.push(step.0);
            rest = &step.1;
        }
        steps.reverse();
        steps.fmt(f)
    }
}

struct Search {
    locals: Locals,
    wishes: [Vec<Wish>; 2],
    explored: Explored,
    seen: HashSet<Name>,
    /// Durable parts from which pairs were healed, or that they came through while healing.
    healed: HashSet<Name>,
}

/// Visits every world of a case.
///
/// # Panics
/// When a checker objects, after the steps that led there were printed.
pub fn explore(case: Case) -> Explored {
    let Case { pair, wishes, budget } = case;
    let mut locals = Locals::new(pair.chain.clone());
    let parties = pair.parties.clone().map(|party| locals.local(party));
    let (connected, now_ms) = (pair.connected, pair.now_ms);
    let wires = [Vec::new(), Vec::new()];
    let first = World { parties, wires, connected, now_ms, done: [0, 0], budget };
    let explored = Explored::default();
    let mut search = Search { locals, wishes, explored, seen: HashSet::new(), healed: HashSet::new() };
    let mut stack = vec![(first, Path::default())];
    while let Some((world, path)) = stack.pop() {
        if !search.seen.insert(world.name()) {
            continue;
        }
        search.explored.states += 1;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| search.visit(&world, &path)));
        match outcome {
            Ok(next) => stack.extend(next),
            Err(cause) => {
                eprintln!("after {path:?}");
                std::panic::resume_unwind(cause);
            }
        }
    }
    search.explored.locals = search.locals.parties.len();
    search.explored
}

impl Search {
    /// Heals on a copy when nothing is under way; the worlds that may come next.
    fn visit(&mut self, world: &World, path: &Path) -> Vec<(World, Path)> {
        if world.wires.iter().all(Vec::is_empty) {
            self.heal(world.clone());
        }
        let mut next = Vec::new();
        for action in self.actions(world) {
            let mut after = world.clone();
            let path = path.and(action);
            let refused = self.perform(&mut after, action);
            self.explored.steps += 1;
            self.explored.refusals += usize::from(refused);
            next.push((after, path));
        }
        next
    }

    /// Power fails on both sides; then there are no more faults: both see every block, talk in order, and
    /// take every lock. In the end nothing waits. What was met while healing need not be healed again.
    fn heal(&mut self, mut world: World) {
        let mut trail = vec![name(&(world.parties.each_ref().map(|local| local.durable), world.now_ms))];
        if self.healed.contains(&trail[0]) {
            return;
        }
        self.explored.healed += 1;
        for index in 0..2 {
            world.give(&mut self.locals, index, Given::Restart);
        }
        let mut height = self.locals.chain.tip();
        for round in 0..HEALING_BLOCKS {
            height += 1;
            world.now_ms = world.now_ms.max(self.locals.future.head_at(height).time_ms);
            for index in 0..2 {
                world.give(&mut self.locals, index, Given::Head(height));
            }
            world.connect(&mut self.locals);
            world.settle_down(&mut self.locals);
            for index in 0..2 {
                world.give(&mut self.locals, index, Given::Resume);
                for _ in 0..world.parties[index].party.book.open.len() {
                    world.give(&mut self.locals, index, Given::Wish(Wish::Take, 0));
                }
            }
            world.settle_down(&mut self.locals);
            let here = name(&(world.parties.each_ref().map(|local| local.name), world.now_ms));
            let [left, right] = world.parties.each_ref().map(|local| &local.party);
            let quiet = [left, right].iter().all(|party| party.channel.is_idle() && party.book.is_settled());
            if round > 0 && quiet {
                if let Err(difference) = check_rest(left, right) {
                    panic!("{difference}");
                }
                trail.push(here);
                self.healed.extend(trail);
                return;
            }
            if self.healed.contains(&here) {
                self.healed.extend(trail);
                return;
            }
            trail.push(here);
        }
        panic!("two honest parties do not come to rest");
    }

    fn actions(&self, world: &World) -> Vec<Action> {
        let mut actions = Vec::new();
        let budget = &world.budget;
        let faulty = budget.total > 0;
        for (index, own) in self.wishes.iter().enumerate() {
            let party = &world.parties[index].party;
            if own.get(world.done[index]).is_some_and(|wish| is_possible(party, *wish)) {
                actions.push(Action::Wish(index));
            }
            if !world.wires[index].is_empty() {
                actions.push(Action::Deliver(index, Crash::Never));
                if faulty && budget.crashes > 0 {
                    let crashes = [Crash::BeforeWrite, Crash::AfterSends(0), Crash::AfterSends(usize::MAX)];
                    actions.extend(crashes.map(|crash| Action::Deliver(index, crash)));
                }
                if faulty && budget.losses > 0 {
                    actions.push(Action::Lose(index));
                }
                if faulty && budget.copies > 0 {
                    actions.push(Action::Copy(index));
                }
            }
            if party.height < self.locals.chain.tip() {
                actions.push(Action::Head(index));
            }
            if faulty && budget.timeouts > 0 && party.channel.awaits_block() {
                actions.push(Action::Timeout(index));
            }
        }
        if !world.connected {
            actions.push(Action::Connect);
        } else if faulty && budget.reconnects > 0 {
            actions.push(Action::Reconnect);
        }
        actions
    }

    /// Whether a frame was refused in this step.
    fn perform(&mut self, world: &mut World, action: Action) -> bool {
        let locals = &mut self.locals;
        let spend = |budget: &mut Budget, kind: fn(&mut Budget) -> &mut u8| {
            *kind(budget) -= 1;
            budget.total -= 1;
        };
        match action {
            Action::Wish(index) => {
                let wish = self.wishes[index][world.done[index]];
                let number = (1 + world.done[index] + 100 * index) as u64;
                world.done[index] += 1;
                world.give(locals, index, Given::Wish(wish, number))
            }
            Action::Deliver(index, crash) => {
                if crash != Crash::Never {
                    spend(&mut world.budget, |budget| &mut budget.crashes);
                }
                world.deliver(locals, index, crash)
            }
            Action::Lose(index) => {
                spend(&mut world.budget, |budget| &mut budget.losses);
                world.wires[index].remove(0);
                false
            }
            Action::Copy(index) => {
                spend(&mut world.budget, |budget| &mut budget.copies);
                let first = world.wires[index][0].name;
                world.give(locals, index, Given::Message(first, Crash::Never))
            }
            Action::Connect => {
                world.connect(locals);
                false
            }
            Action::Reconnect => {
                spend(&mut world.budget, |budget| &mut budget.reconnects);
                world.connect(locals);
                false
            }
            Action::Head(index) => {
                let tip = locals.chain.tip();
                world.give(locals, index, Given::Head(tip))
            }
            Action::Timeout(index) => {
                spend(&mut world.budget, |budget| &mut budget.timeouts);
                world.now_ms += locals.chain.parameters.max_lead_ms;
                world.give(locals, index, Given::Timer)
            }
        }
    }
}

fn is_possible(party: &Party, wish: Wish) -> bool {
    match wish {
        Wish::Pay(_) | Wish::Lock(..) | Wish::Withdraw(_) => true,
        Wish::Take | Wish::GiveBack => !party.book.open.is_empty(),
        Wish::Grant | Wish::Decline => {
            let shared = &party.channel.agreement().shared;
            shared.hold(AssetId::FRD, party.side().other()).is_some()
        }
    }
}
