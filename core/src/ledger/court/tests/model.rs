//! Random disputes, answers, reveals and payments against a naive model of court and debts: plain lists and
//! wide integers, nothing shared with the code under test.

use super::SECRET;
use crate::chain::params::Parameters;
use crate::channel::state::{ChannelState, Lock, Sub};
use crate::crypto::{Secret, SecretKey, lock_hash};
use crate::ledger::batch;
use crate::ledger::fixture::{START, World, answer, deposit, dispute, genesis, key};
use crate::ledger::operation::{Deposit, Operation, Reveal};
use crate::ledger::receipt::Receipt;
use crate::types::{AssetId, Hash, Parties, Side};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeMap;

/// Payments of debts in one step, so few that some always carry over.
const STEP: usize = 2;
const DELAY: u64 = 20;
const BANK_DELAY: u64 = 16;
const HORIZON: u64 = 64;
const FLOOR: i128 = 100;

fn parameters() -> Parameters {
    Parameters {
        min_block_interval_ms: 10_000,
        max_idle_ms: 10_000,
        margin_blocks: 13,
        hop_delta_blocks: 24,
        max_hops: 1,
        lock_horizon_blocks: 64,
        bank_dispute_delay_blocks: 16,
        dispute_delay_blocks: 20,
        debt_payments_per_step: 2,
        ..Parameters::DEMO
    }
}

#[derive(Clone, Debug)]
struct Shown {
    frame: u64,
    by_left: bool,
    /// Of FRD and of FRB.
    offdelta: [i64; 2],
    /// Gives left or right so much FRB, if the first or second secret is revealed at U ≤ now + that.
    locks: Vec<(bool, u64, u64, u8)>,
    /// Of the epoch before.
    is_stale: bool,
}

#[derive(Clone, Debug)]
enum Action {
    Pay { asset: u32, to: usize, amount: u64 },
    Fund { asset: u32, other: usize, amount: u64 },
    Dispute { other: usize, shown: Option<Shown> },
    Answer { a: usize, b: usize, shown: Shown },
    Reveal { secret: u8 },
    Wait { blocks: u8 },
}

#[derive(Clone, Debug)]
struct CourtCase {
    start: u64,
    delay: u64,
    order: (u64, bool),
    offdelta: [i128; 2],
    /// Gains of left in FRB, if the hash is revealed by then.
    locks: Vec<(i128, u64, Hash)>,
}

/// Accounts by place: keys 1 to 6, of which 1 is a bank.
#[derive(Clone, Debug, Default)]
struct Model {
    balances: BTreeMap<(usize, u32), i128>,
    /// Parts of (left, right) of a pair in an asset.
    channels: BTreeMap<(usize, usize, u32), (i128, i128)>,
    epochs: BTreeMap<(usize, usize), u64>,
    cases: BTreeMap<(usize, usize), CourtCase>,
    /// Debtor, asset, creditor, amount: oldest first.
    debts: Vec<(usize, u32, usize, i128)>,
    reveals: BTreeMap<Hash, u64>,
}

fn secret(number: u8) -> Secret {
    if number == 0 { SECRET } else { Secret([number; 32]) }
}

/// Keys 1 to 6 in the order of their bytes, so that a lower place is left.
fn people() -> Vec<SecretKey> {
    let mut keys: Vec<_> = (1..=6).map(key).collect();
    keys.sort_by_key(SecretKey::public);
    keys
}

impl Model {
    fn new() -> Self {
        let mut model = Self::default();
        for person in 0..6 {
            model.balances.insert((person, 1), i128::from(START));
            model.balances.insert((person, 2), i128::from(START));
        }
        model
    }

    fn move_money(&mut self, from: usize, to: usize, asset: u32, amount: i128) {
        *self.balances.get_mut(&(from, asset)).unwrap() -= amount;
        *self.balances.get_mut(&(to, asset)).unwrap() += amount;
    }

    fn beyond_floor(&self, person: usize, asset: u32) -> i128 {
        (self.balances[&(person, asset)] - if asset == 1 { FLOOR } else { 0 }).max(0)
    }

    fn owes(&self, person: usize, asset: u32) -> bool {
        self.debts.iter().any(|debt| (debt.0, debt.1) == (person, asset))
    }

    fn pay_debts(&mut self, person: usize, asset: u32, step: &mut usize) {
        while *step > 0
            && let Some(place) = self.debts.iter().position(|debt| (debt.0, debt.1) == (person, asset))
        {
            let (_, _, creditor, open) = self.debts[place];
            let amount = open.min(self.beyond_floor(person, asset));
            if amount == 0 {
                return;
            }
            *step -= 1;
            self.move_money(person, creditor, asset, amount);
            self.debts[place].3 -= amount;
            self.debts.retain(|debt| debt.3 > 0);
        }
    }

    /// The start of a block at this U.
    fn open_block(&mut self, now: u64) {
        let due: Vec<_> = self
            .cases
            .iter()
            .filter(|(_, case)| {
                let last = case.locks.iter().map(|lock| lock.1).max().unwrap_or(0).min(case.start + HORIZON);
                now > (case.start + case.delay).max(last)
            })
            .map(|(pair, _)| *pair)
            .collect();
        for pair in due {
            let case = self.cases.remove(&pair).unwrap();
            *self.epochs.entry(pair).or_default() += 1;
            let mut step = STEP;
            for asset in [1, 2] {
                self.resolve(pair, asset, &case, &mut step);
            }
        }
    }

    fn resolve(&mut self, (left, right): (usize, usize), asset: u32, case: &CourtCase, step: &mut usize) {
        let (left_part, right_part) = self.channels.remove(&(left, right, asset)).unwrap_or_default();
        let mut gain = case.offdelta[usize::from(asset == 2)];
        if asset == 2 {
            let in_time = |lock: &&(i128, u64, Hash)| self.reveals.get(&lock.2).is_some_and(|at| *at <= lock.1);
            gain += case.locks.iter().filter(in_time).map(|lock| lock.0).sum::<i128>();
        }
        let (left_owns, right_owns) = (left_part + gain, right_part - gain);
        let all = left_part + right_part;
        *self.balances.get_mut(&(left, asset)).unwrap() += left_owns.max(0).min(all);
        *self.balances.get_mut(&(right, asset)).unwrap() += right_owns.max(0).min(all);
        self.pay_debts(left, asset, step);
        self.pay_debts(right, asset, step);
        for (debtor, creditor, owns) in [(left, right, left_owns), (right, left, right_owns)] {
            if owns < 0 {
                let paid = if self.owes(debtor, asset) { 0 } else { self.beyond_floor(debtor, asset).min(-owns) };
                self.move_money(debtor, creditor, asset, paid);
                if paid < -owns {
                    self.debts.push((debtor, asset, creditor, -owns - paid));
                }
            }
        }
    }

    /// Applies an operation if it must apply.
    fn apply(&mut self, signer: usize, action: &Action, now: u64, bank: usize) -> bool {
        match action {
            Action::Pay { asset, to, amount } => {
                let may = *to != signer && !self.owes(signer, *asset);
                let may = may && self.balances[&(signer, *asset)] >= i128::from(*amount);
                if may {
                    self.move_money(signer, *to, *asset, i128::from(*amount));
                }
                may
            }
            Action::Fund { asset, other, amount } => {
                let may = *other != signer && !self.owes(signer, *asset);
                let may = may && self.balances[&(signer, *asset)] >= i128::from(*amount);
                if may {
                    *self.balances.get_mut(&(signer, *asset)).unwrap() -= i128::from(*amount);
                    let (left, right) = (signer.min(*other), signer.max(*other));
                    let parts = self.channels.entry((left, right, *asset)).or_default();
                    *(if signer == left { &mut parts.0 } else { &mut parts.1 }) += i128::from(*amount);
                }
                may
            }
            Action::Dispute { other, shown } => {
                let pair = (signer.min(*other), signer.max(*other));
                let is_good =
                    shown.as_ref().is_none_or(|shown| !shown.is_stale && (shown.frame, shown.by_left) > (0, false));
                let is_funded = [1, 2]
                    .iter()
                    .any(|asset| self.channels.get(&(pair.0, pair.1, *asset)).is_some_and(|part| *part != (0, 0)));
                let is_good = is_good && (shown.is_some() || is_funded);
                let may = *other != signer && !self.cases.contains_key(&pair) && is_good;
                if may {
                    let delay = if *other == bank { BANK_DELAY } else { DELAY };
                    let mut case =
                        CourtCase { start: now, delay, order: (0, false), offdelta: [0, 0], locks: Vec::new() };
                    if let Some(shown) = shown {
                        take(&mut case, shown, now);
                    }
                    self.cases.insert(pair, case);
                }
                may
            }
            Action::Answer { a, b, shown } => {
                let pair = (*a.min(b), *a.max(b));
                let Some(case) = self.cases.get_mut(&pair) else { return false };
                let may =
                    now <= case.start + case.delay && !shown.is_stale && (shown.frame, shown.by_left) > case.order;
                if may {
                    take(case, shown, now);
                }
                may
            }
            Action::Reveal { secret: number } => {
                self.reveals.entry(lock_hash(&secret(*number))).or_insert(now);
                true
            }
            Action::Wait { .. } => true,
        }
    }

    fn assert_matches(&self, world: &World) {
        let people = people();
        for (&(person, asset), amount) in &self.balances {
            assert_eq!(i128::from(world.state().balance(&people[person].public(), AssetId(asset))), *amount);
        }
        for left in 0..6 {
            for right in left + 1..6 {
                let parties = Parties::new(people[left].public(), people[right].public()).unwrap();
                let channel = world.state().channel(&parties);
                assert_eq!(channel.epoch, self.epochs.get(&(left, right)).copied().unwrap_or(0));
                assert_eq!(world.state().dispute(&parties).is_some(), self.cases.contains_key(&(left, right)));
                for asset in [1, 2] {
                    let part = channel.asset_or_zero(AssetId(asset));
                    let expected = self.channels.get(&(left, right, asset)).copied().unwrap_or_default();
                    assert_eq!(
                        (i128::from(part.ondelta), i128::from(part.insurance)),
                        (expected.0, expected.0 + expected.1)
                    );
                }
            }
        }
        for (person, key) in people.iter().enumerate() {
            for asset in [1, 2] {
                let got: Vec<_> = world
                    .state()
                    .debts_of(&key.public(), AssetId(asset))
                    .map(|(_, debt)| (debt.creditor, i128::from(debt.amount)))
                    .collect();
                let expected: Vec<_> = self
                    .debts
                    .iter()
                    .filter(|debt| (debt.0, debt.1) == (person, asset))
                    .map(|debt| (people[debt.2].public(), debt.3))
                    .collect();
                assert_eq!(got, expected);
            }
        }
    }
}

fn take(case: &mut CourtCase, shown: &Shown, now: u64) {
    case.order = (shown.frame, shown.by_left);
    case.offdelta = shown.offdelta.map(i128::from);
    let lock = |lock: &(bool, u64, u64, u8)| {
        let amount = i128::from(lock.1);
        (if lock.0 { amount } else { -amount }, now + lock.2, lock_hash(&secret(lock.3)))
    };
    case.locks = shown.locks.iter().map(lock).collect();
}

fn channel_state(world: &World, a: &SecretKey, b: &SecretKey, shown: &Shown) -> ChannelState {
    let lock = |(index, lock): (usize, &(bool, u64, u64, u8))| Lock {
        index: u64::try_from(index).unwrap(),
        amount: lock.1,
        hash: lock_hash(&secret(lock.3)),
        expiry: world.state().usable_height() + lock.2,
    };
    let of =
        |to_left: bool| shown.locks.iter().enumerate().filter(move |(_, lock)| lock.0 == to_left).map(lock).collect();
    let mut subs = vec![
        Sub { offdelta: shown.offdelta[0], ..Sub::zero(AssetId(1)) },
        Sub { asset: AssetId(2), offdelta: shown.offdelta[1], left_locks: of(true), right_locks: of(false) },
    ];
    subs.retain(|sub| !sub.is_zero());
    let state = world.channel_state(a, b, shown.frame, subs);
    let proposer = if shown.by_left { Side::Left } else { Side::Right };
    let epoch = if shown.is_stale { state.epoch.wrapping_sub(1) } else { state.epoch };
    ChannelState { proposer, epoch, ..state }
}

fn operation(world: &World, signer: usize, action: &Action) -> Option<Operation> {
    let people = people();
    let key = |place: usize| &people[place];
    Some(match action {
        Action::Pay { asset, to, amount } => {
            Operation::Deposit(Deposit { asset: AssetId(*asset), ..deposit(*amount, key(*to), None) })
        }
        Action::Fund { asset, other, amount } => {
            Operation::Deposit(Deposit { asset: AssetId(*asset), ..deposit(*amount, key(signer), Some(key(*other))) })
        }
        Action::Dispute { other, shown } if *other != signer => {
            let state = shown.as_ref().map(|shown| channel_state(world, key(signer), key(*other), shown));
            dispute(key(*other), state)
        }
        Action::Dispute { other, .. } => dispute(key(*other), None),
        Action::Answer { a, b, shown } if a != b => {
            answer(channel_state(world, key(*a), key(*b), shown), &[key(*a), key(*b)])
        }
        Action::Reveal { secret: number } => Operation::Reveal(Reveal { secrets: vec![secret(*number)] }),
        Action::Answer { .. } | Action::Wait { .. } => return None,
    })
}

/// One block in the chain and in the model; compares everything.
fn block(world: &mut World, model: &mut Model, planned: Option<(usize, &Action)>) {
    let people = people();
    let bank = people.iter().position(|person| person.public() == key(1).public()).unwrap();
    let now = world.state().usable_height();
    let height = world.state().height() + 1;
    let proposer = world.state().validators().proposer(height, 0).unwrap().account;
    let proposer = people.iter().position(|person| person.public() == proposer).unwrap();
    let made = planned.and_then(|(signer, action)| Some((signer, action, operation(world, signer, action)?)));
    let made = made.map(|(signer, action, operation)| (signer, action, world.batch(&people[signer], vec![operation])));
    let before: BTreeMap<_, _> =
        world.state().debts().map(|(who, asset, number, debt)| ((who, asset, number), debt)).collect();
    model.open_block(now);
    let mut batches = Vec::new();
    let mut expected = Vec::new();
    if let Some((signer, action, signed)) = made {
        let fee = i128::from(batch::fee(10, batch::signed_bytes(&signed)).unwrap());
        if model.balances[&(signer, 1)] >= fee {
            let mut step = STEP;
            model.move_money(signer, proposer, 1, fee);
            model.pay_debts(signer, 1, &mut step);
            if let Action::Pay { asset, .. } | Action::Fund { asset, .. } = action {
                model.pay_debts(signer, *asset, &mut step);
            }
            expected.push(model.apply(signer, action, now, bank));
            if let (Action::Pay { asset, to, .. }, [true]) = (action, &expected[..]) {
                model.pay_debts(*to, *asset, &mut step);
            }
            batches.push(signed);
        }
    }
    let outcomes = world.block(&batches);
    let applied = outcomes.iter().flat_map(|outcome| &outcome.operations);
    let applied: Vec<_> = applied.map(|outcome| matches!(outcome.receipt, Receipt::Applied { .. })).collect();
    assert_eq!(applied, expected, "{outcomes:?}");
    model.assert_matches(world);
    for (who, asset, number, debt) in world.state().debts() {
        assert!(debt.amount > 0, "no debt is empty");
        if let Some(old) = before.get(&(who, asset, number)) {
            assert!(debt.amount <= old.amount && debt.creditor == old.creditor, "no debt grows");
        }
    }
}

fn shown() -> impl Strategy<Value = Shown> {
    let amount = prop_oneof![3 => -20_000_i64..20_000, 2 => -20_000_000_i64..20_000_000, 1 => Just(0)];
    let lock = (any::<bool>(), 1..3_000_u64, 0..90_u64, 0..2_u8);
    let locks = prop::collection::vec(lock, 0..3);
    let stale = prop::bool::weighted(0.1);
    (0..5_u64, any::<bool>(), [amount.clone(), amount], locks, stale)
        .prop_map(|(frame, by_left, offdelta, locks, is_stale)| Shown { frame, by_left, offdelta, locks, is_stale })
}

fn actions() -> impl Strategy<Value = Action> {
    let amount = || prop_oneof![4 => 1..50_000_u64, 2 => 8_000_000..9_990_000_u64, 1 => Just(START)];
    let person = || 0..4_usize;
    let pay = (1..=2_u32, person(), amount()).prop_map(|(asset, to, amount)| Action::Pay { asset, to, amount });
    let fund = (1..=2_u32, person(), amount()).prop_map(|(asset, other, amount)| Action::Fund { asset, other, amount });
    let start =
        (person(), prop::option::weighted(0.8, shown())).prop_map(|(other, shown)| Action::Dispute { other, shown });
    let show = (person(), person(), shown()).prop_map(|(a, b, shown)| Action::Answer { a, b, shown });
    let tell = (0..2_u8).prop_map(|secret| Action::Reveal { secret });
    let wait = (1..30_u8).prop_map(|blocks| Action::Wait { blocks });
    prop_oneof![3 => pay, 2 => fund, 5 => start, 2 => show, 1 => tell, 2 => wait]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, rng_seed: RngSeed::Fixed(3), ..ProptestConfig::default() })]

    #[test]
    fn court_and_debts_agree_with_a_naive_model(plan in prop::collection::vec((0..4_usize, actions()), 1..40)) {
        let mut genesis = genesis();
        genesis.parameters = parameters();
        genesis.check().unwrap();
        let mut world = World::with(genesis);
        let mut model = Model::new();
        for (signer, action) in &plan {
            block(&mut world, &mut model, Some((*signer, action)));
            if let Action::Wait { blocks } = action {
                for _ in 0..*blocks {
                    block(&mut world, &mut model, None);
                }
            }
        }
        while !model.cases.is_empty() {
            block(&mut world, &mut model, None);
        }
    }
}
