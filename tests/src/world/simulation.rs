//! An honest pair under faults: one seed derives every choice. The first phase injects faults, the second
//! heals and demands progress: everything wished is done or failed, on both sides alike.

use super::pair::{Pair, brisk_parameters};
use super::party::Crash;
use super::random::Random;
use fair_core::channel::event::{Command, Input};
use fair_core::types::AssetId;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Digest of every message in order: the same seed gives the same.
    pub trace: u64,
    /// Payments and locks that were paid.
    pub paid: usize,
    /// Payments and locks that failed.
    pub failed: usize,
    /// Power losses.
    pub crashes: usize,
    /// Frame number at the end.
    pub frames: u64,
}

/// Runs one seed.
///
/// # Panics
/// With the seed, when a checker objects.
pub fn run(seed: u64, steps: u64) -> Report {
    let outcome = std::panic::catch_unwind(|| run_unguarded(seed, steps));
    outcome.unwrap_or_else(|cause| {
        let text =
            cause.downcast_ref::<String>().cloned().or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).into()));
        panic!("seed {seed}: {}", text.unwrap_or_default())
    })
}

fn run_unguarded(seed: u64, steps: u64) -> Report {
    let mut random = Random::new(seed);
    let mut pair = Pair::funded(brisk_parameters(), 1_000 + random.below(1_000), random.below(800));
    let mut report = Report::default();
    let mut trace = DefaultHasher::new();
    for _ in 0..steps {
        act(&mut pair, &mut random, &mut report);
        pair.wires.hash(&mut trace);
        for index in 0..2 {
            pair.assert_safe(index);
        }
        assert!(pair.accusations().is_empty(), "honest parties accuse each other: {:?}", pair.accusations());
    }
    heal(&mut pair);
    pair.check_agreement().expect("agreement");
    let fates = pair.parties.iter().flat_map(|party| party.book.issued.values());
    for (_, fate) in fates {
        match fate {
            super::book::Fate::Paid => report.paid += 1,
            super::book::Fate::Failed => report.failed += 1,
            super::book::Fate::Open => unreachable!("the books are settled"),
        }
    }
    pair.parties[0].channel.record_bytes().hash(&mut trace);
    report.trace = trace.finish();
    report.frames = pair.parties[0].channel.agreement().state.frame;
    report
}

/// One random step with its faults.
fn act(pair: &mut Pair, random: &mut Random, report: &mut Report) {
    let index = random.index(2);
    match random.below(100) {
        0..50 => deliver(pair, index, random, report),
        50..72 => wish(pair, index, random),
        72..82 => answer(pair, index, random),
        82..88 => {
            // Blocks come to one party earlier than to the other.
            pair.chain.mine_many(1 + random.below(2));
            pair.follow_clock();
            pair.head(index);
        }
        88..92 => pair.head(index),
        92..94 => {
            let crash = some_crash(random);
            if pair.input(index, Input::Timer, crash).expect("not a command").crashed {
                report.crashes += 1;
            }
            pair.now_ms += random.below(3_000);
        }
        94..96 => {
            pair.parties[index].restart();
            pair.connected = false;
            report.crashes += 1;
        }
        _ => pair.connect(),
    }
}

/// Delivers any message that is under way: lost, copied, out of order, or at the price of a power loss.
fn deliver(pair: &mut Pair, index: usize, random: &mut Random, report: &mut Report) {
    if !pair.connected && random.chance(1, 3) {
        pair.connect();
    }
    let length = pair.wires[index].len();
    if length == 0 {
        return;
    }
    let position = if random.chance(1, 8) { random.index(length) } else { 0 };
    let bytes = pair.wires[index][position].clone();
    if !random.chance(1, 12) {
        pair.wires[index].remove(position);
    }
    if random.chance(1, 12) {
        return;
    }
    let crash = if random.chance(1, 10) { some_crash(random) } else { Crash::Never };
    if pair.input(index, Input::Message(&bytes), crash).expect("not a command").crashed {
        report.crashes += 1;
    }
}

fn some_crash(random: &mut Random) -> Crash {
    match random.below(4) {
        0 => Crash::BeforeWrite,
        count => Crash::AfterSends(usize::try_from(count - 1).unwrap_or(0)),
    }
}

/// A local wish; refusals are part of life.
fn wish(pair: &mut Pair, index: usize, random: &mut Random) {
    let asset = AssetId::FRD;
    match random.below(20) {
        0..6 => drop(pair.pay(index, 1 + random.below(400))),
        6..14 => drop(pair.lock(index, 1 + random.below(300), 1 + random.below(24))),
        14 => {
            let threshold = random.chance(1, 2).then(|| random.below(200));
            let command = Command::SetCredit { asset, limit: random.below(900), insure_above: threshold };
            drop(pair.command(index, command));
        }
        15 => drop(pair.command(index, Command::RequestInsurance { asset })),
        16..18 => {
            let lifetime_blocks = u32::try_from(1 + random.below(12)).unwrap_or(1);
            let amount = 1 + random.below(300);
            drop(pair.command(index, Command::RequestWithdrawal { asset, amount, lifetime_blocks }));
        }
        _ => pair.deposit(index, 1 + random.below(200)),
    }
}

/// Whatever the party was asked.
fn answer(pair: &mut Pair, index: usize, random: &mut Random) {
    let asset = AssetId::FRD;
    match random.below(8) {
        0..4 => {
            let open = pair.open(index);
            if let Some(lock) = open.get(random.index(open.len())) {
                drop(if random.chance(2, 3) { pair.take(index, *lock) } else { pair.give_back(index, *lock) });
            }
        }
        4 | 5 => drop(pair.command(index, Command::GrantWithdrawal { asset })),
        6 => drop(pair.command(index, Command::RefuseWithdrawal { asset })),
        _ => {
            let consents = pair.parties[index].book.consents.len();
            if consents > 0 {
                let _skipped = pair.withdraw(index, consents - 1);
            }
        }
    }
}

/// No more faults: both see every block, talk in order, and answer what is open. In the end nothing waits.
///
/// # Panics
/// When two honest parties do not come to rest.
pub fn heal(pair: &mut Pair) {
    for round in 0..60 {
        pair.advance(1);
        pair.connect();
        pair.settle_down();
        for index in 0..2 {
            drop(pair.command(index, Command::Resume));
            for lock in pair.open(index) {
                drop(pair.take(index, lock));
            }
        }
        pair.settle_down();
        let settled = pair.parties.iter().all(|party| party.book.is_settled());
        if round > 0 && settled && pair.is_quiet() {
            return;
        }
    }
    for party in &pair.parties {
        eprintln!("{:?}: {:?}", party.side(), party.channel);
    }
    panic!("two honest parties do not come to rest");
}
