//! All interleavings of a small case: every order of wishes, deliveries, new heads and faults within a
//! budget, over the real channel code. Worlds that were met before are not entered again.
//!
//! In every world both parties are checked against loss (rule 11), nobody is accused, and nothing is signed
//! below what was signed. From every world whose wires are empty the pair is healed on a copy, which must
//! end in agreement.

use super::pair::Pair;
use super::party::Crash;
use super::simulation::heal;
use fair_core::channel::event::{Command, Input};
use fair_core::crypto::{Tag, hash};
use fair_core::types::{Amount, AssetId, Hash, TimeMs};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::rc::Rc;

/// Something that a party wishes, when it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

#[derive(Clone)]
struct Node {
    pair: Pair,
    done: [usize; 2],
    budget: Budget,
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

/// Visits every world of a case.
///
/// # Panics
/// When a checker objects, with the steps that led there.
pub fn explore(case: Case) -> Explored {
    let mut explored = Explored::default();
    let mut seen = HashSet::new();
    let mut healed = HashSet::new();
    let Case { pair, wishes, budget } = case;
    let mut stack = vec![(Node { pair, done: [0, 0], budget }, Path::default())];
    while let Some((node, path)) = stack.pop() {
        if !seen.insert(key(&node, Scope::All)) {
            continue;
        }
        explored.states += 1;
        check(&node, &path, &mut healed, &mut explored);
        for action in actions(&node, &wishes) {
            let mut next = node.clone();
            let refused = perform(&mut next, action, &wishes);
            explored.steps += 1;
            explored.refusals += usize::from(refused);
            stack.push((next, path.and(action)));
        }
    }
    explored
}

fn check(node: &Node, path: &Path, healed: &mut HashSet<Hash>, explored: &mut Explored) {
    for party in &node.pair.parties {
        if let Err(loss) = party.check_loss(&node.pair.chain) {
            panic!("{loss} after {path:?}");
        }
        assert!(party.book.accusations.is_empty(), "{:?} after {path:?}", party.book.accusations);
    }
    let silent = node.pair.wires.iter().all(std::collections::VecDeque::is_empty);
    if silent && healed.insert(key(node, Scope::Durable)) {
        explored.healed += 1;
        let mut copy = node.pair.clone();
        for party in &mut copy.parties {
            party.restart();
        }
        heal(&mut copy);
        if let Err(difference) = copy.check_agreement() {
            panic!("{difference} after {path:?}");
        }
    }
}

fn actions(node: &Node, wishes: &[Vec<Wish>; 2]) -> Vec<Action> {
    let mut actions = Vec::new();
    let budget = &node.budget;
    let faulty = budget.total > 0;
    for (index, own) in wishes.iter().enumerate() {
        if let Some(wish) = own.get(node.done[index])
            && is_possible(&node.pair, index, *wish)
        {
            actions.push(Action::Wish(index));
        }
        if !node.pair.wires[index].is_empty() {
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
        if node.pair.parties[index].height < node.pair.chain.tip() {
            actions.push(Action::Head(index));
        }
        if faulty && budget.timeouts > 0 && node.pair.parties[index].channel.awaits_block() {
            actions.push(Action::Timeout(index));
        }
    }
    if !node.pair.connected {
        actions.push(Action::Connect);
    } else if faulty && budget.reconnects > 0 {
        actions.push(Action::Reconnect);
    }
    actions
}

fn is_possible(pair: &Pair, index: usize, wish: Wish) -> bool {
    let party = &pair.parties[index];
    match wish {
        Wish::Pay(_) | Wish::Lock(..) | Wish::Withdraw(_) => true,
        Wish::Take | Wish::GiveBack => !party.book.open.is_empty(),
        Wish::Grant | Wish::Decline => {
            let shared = &party.channel.agreement().shared;
            shared.hold(AssetId::FRD, party.side().other()).is_some()
        }
    }
}

/// Whether a frame was refused in this step.
fn perform(node: &mut Node, action: Action, wishes: &[Vec<Wish>; 2]) -> bool {
    let replies =
        |pair: &Pair| -> usize { pair.parties.iter().map(|party| usize::from(party.channel.refuses())).sum() };
    let before = replies(&node.pair);
    let budget = &mut node.budget;
    match action {
        Action::Wish(index) => {
            let wish = wishes[index][node.done[index]];
            node.done[index] += 1;
            perform_wish(&mut node.pair, index, wish);
        }
        Action::Deliver(index, crash) => {
            if let Some(bytes) = node.pair.wires[index].pop_front() {
                node.pair.input(index, Input::Message(&bytes), crash).expect("not a command");
            }
            if crash != Crash::Never {
                budget.crashes -= 1;
                budget.total -= 1;
            }
        }
        Action::Lose(index) => {
            node.pair.wires[index].pop_front();
            budget.losses -= 1;
            budget.total -= 1;
        }
        Action::Copy(index) => {
            if let Some(bytes) = node.pair.wires[index].front().cloned() {
                node.pair.input(index, Input::Message(&bytes), Crash::Never).expect("not a command");
            }
            budget.copies -= 1;
            budget.total -= 1;
        }
        Action::Connect => node.pair.connect(),
        Action::Reconnect => {
            node.pair.connect();
            budget.reconnects -= 1;
            budget.total -= 1;
        }
        Action::Head(index) => node.pair.head(index),
        Action::Timeout(index) => {
            let late: TimeMs = node.pair.chain.parameters.max_lead_ms;
            node.pair.now_ms += late;
            node.pair.input(index, Input::Timer, Crash::Never).expect("not a command");
            budget.timeouts -= 1;
            budget.total -= 1;
        }
    }
    for party in &mut node.pair.parties {
        party.forget_past();
    }
    replies(&node.pair) > before
}

/// A refused wish is gone; refusing is as good an outcome as any.
fn perform_wish(pair: &mut Pair, index: usize, wish: Wish) {
    let asset = AssetId::FRD;
    let first = pair.open(index).first().copied();
    match (wish, first) {
        (Wish::Pay(amount), _) => drop(pair.pay(index, amount)),
        (Wish::Lock(amount, blocks), _) => drop(pair.lock(index, amount, blocks)),
        (Wish::Take, Some(lock)) => drop(pair.take(index, lock)),
        (Wish::GiveBack, Some(lock)) => drop(pair.give_back(index, lock)),
        (Wish::Withdraw(amount), _) => {
            drop(pair.command(index, Command::RequestWithdrawal { asset, amount, lifetime_blocks: 8 }));
        }
        (Wish::Grant, _) => drop(pair.command(index, Command::GrantWithdrawal { asset })),
        (Wish::Decline, _) => drop(pair.command(index, Command::RefuseWithdrawal { asset })),
        (Wish::Take | Wish::GiveBack, None) => {}
    }
}

/// What makes two worlds the same.
enum Scope {
    /// Everything.
    All,
    /// What survives a power loss on both sides.
    Durable,
}

fn key(node: &Node, scope: Scope) -> Hash {
    let pair = &node.pair;
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut text = format!("{} {} {}", pair.now_ms, pair.counter, pair.chain.tip());
    for party in &pair.parties {
        let _infallible = write!(text, "|{:?} {} {}", party.disk.1, party.height, party.consents.len());
        for released in &party.released {
            let _infallible = write!(text, " {:?}", released.state.order());
        }
        parts.push(party.disk.0.clone());
    }
    if let Scope::All = scope {
        let _infallible = write!(text, "|{:?} {:?} {}", node.done, node.budget, pair.connected);
        for (party, wire) in pair.parties.iter().zip(&pair.wires) {
            let _infallible = write!(text, " {} {}", party.channel.is_connected(), wire.len());
            parts.extend(wire.iter().cloned());
        }
    }
    let lengths: Vec<_> = parts.iter().map(Vec::len).collect();
    let _infallible = write!(text, "{lengths:?}");
    parts.push(text.into_bytes());
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    hash(Tag(b"world/explore//1"), &parts)
}
