//! Random batches against a naive model: plain sums of wide integers, no overlays, no groups' machinery
//! shared with the code under test.

use super::{Operation, Receipt, World, applied, deposit, key, parties, signed_withdraw};
use crate::crypto::SecretKey;
use crate::ledger::fixture::START;
use crate::ledger::operation::{Deposit, WithdrawalConsent};
use crate::types::{AssetId, PublicKey};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeMap;

/// Who may appear: 1, 5 and 6 are registered, 200 to 202 are not.
const PEOPLE: [u8; 6] = [1, 5, 6, 200, 201, 202];

#[derive(Clone, Debug)]
enum Action {
    Deposit { asset: u32, amount: u64, to: usize, partner: Option<usize>, keep: u64 },
    Withdraw { other: usize, asset: u32, amount: u64, skew: u64, forged: bool },
}

#[derive(Clone, Debug)]
struct Plan {
    signer: usize,
    actions: Vec<(Option<u16>, Action)>,
}

/// Balances, channels as (left's part, right's part, consents of left, of right), accounts.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    balances: BTreeMap<(PublicKey, u32), i128>,
    channels: BTreeMap<(PublicKey, PublicKey, u32), [i128; 4]>,
    accounts: Vec<PublicKey>,
}

fn person(index: usize) -> SecretKey {
    key(PEOPLE[index])
}

impl Model {
    fn new(world: &World) -> Self {
        let accounts: Vec<_> = world.genesis.accounts.iter().map(|account| account.key).collect();
        let balances = accounts.iter().flat_map(|key| [1, 2].map(|asset| ((*key, asset), i128::from(START))));
        Self { balances: balances.collect(), channels: BTreeMap::new(), accounts }
    }

    fn held(&mut self, key: PublicKey, asset: u32) -> &mut i128 {
        self.balances.entry((key, asset)).or_default()
    }

    /// The state after an action, `None` when it must be skipped.
    fn after(&self, signer: PublicKey, proposer: PublicKey, action: &Action) -> Option<Self> {
        let mut next = self.clone();
        match *action {
            Action::Deposit { asset, amount, to, partner, keep } => {
                let (to, partner) = (person(to).public(), partner.map(|partner| person(partner).public()));
                let wide = i128::from(amount);
                let sane = amount > 0 && asset <= 2 && partner != Some(to) && (partner.is_some() || to != signer);
                let unknown: Vec<_> =
                    [Some(to), partner].into_iter().flatten().filter(|key| !self.accounts.contains(key)).collect();
                let fee = if unknown.is_empty() { 0 } else { 100 };
                let may_register = unknown.is_empty() || unknown.len() == 1 && asset == 1 && amount > 500;
                let rest = *next.held(signer, asset) - wide - fee;
                if !sane || !may_register || rest < i128::from(keep) {
                    return None;
                }
                *next.held(signer, asset) = rest;
                *next.held(proposer, 1) += fee;
                next.accounts.extend(&unknown);
                let Some(partner) = partner else {
                    *next.held(to, asset) += wide;
                    return Some(next);
                };
                let (left, right) = if to < partner { (to, partner) } else { (partner, to) };
                let is_new = !self.channels.contains_key(&(left, right, asset));
                if is_new && signer != to && signer != partner {
                    return None;
                }
                let part = next.channels.entry((left, right, asset)).or_default();
                part[usize::from(to == right)] += wide;
                for newcomer in unknown {
                    part[usize::from(newcomer == right)] -= 500;
                    *next.balances.entry((newcomer, asset)).or_default() += 500;
                }
            }
            Action::Withdraw { other, asset, amount, skew, forged } => {
                let other = person(other).public();
                let (left, right) = if signer < other { (signer, other) } else { (other, signer) };
                let part = next.channels.get_mut(&(left, right, asset))?;
                let insurance = part[0] + part[1];
                if amount == 0 || skew > 0 || forged || i128::from(amount) > insurance {
                    return None;
                }
                let side = usize::from(signer == right);
                part[side] -= i128::from(amount);
                part[2 + side] += 1;
                *next.held(signer, asset) += i128::from(amount);
            }
        }
        Some(next)
    }

    fn assert_matches(&self, world: &World) {
        for (&(key, asset), amount) in &self.balances {
            assert_eq!(i128::from(world.state().balance(&key, AssetId(asset))), *amount);
        }
        for (&(left, right, asset), part) in &self.channels {
            let channel = world.state().channel(&crate::types::Parties::new(left, right).unwrap());
            let got = channel.asset(AssetId(asset)).unwrap();
            let expected = (part[0] + part[1], part[0], part[2], part[3]);
            let wide = |number: u64| i128::from(number);
            let got = (wide(got.insurance), i128::from(got.ondelta), wide(got.left_consents), wide(got.right_consents));
            assert_eq!(got, expected);
        }
        assert_eq!(world.state().account_count(), u64::try_from(self.accounts.len()).unwrap());
    }
}

fn operation(world: &World, model: &Model, signer: &SecretKey, action: &Action) -> Option<Operation> {
    match *action {
        Action::Deposit { asset, amount, to, partner, keep } => Some(Operation::Deposit(Deposit {
            asset: AssetId(asset),
            keep,
            partner: partner.map(|partner| person(partner).public()),
            ..deposit(amount, &person(to), None)
        })),
        Action::Withdraw { other, asset, amount, skew, forged } => {
            let other = person(other);
            if other.public() == signer.public() {
                return None;
            }
            let parties = parties(signer, &other);
            let side = usize::from(parties.right() == signer.public());
            let used = model.channels.get(&(parties.left(), parties.right(), asset)).map_or(0, |part| part[2 + side]);
            let nonce = u64::try_from(used).unwrap() + skew;
            let consent = WithdrawalConsent { nonce, ..world.consent(signer, &other, AssetId(asset), amount) };
            Some(signed_withdraw(consent, if forged { signer } else { &other }))
        }
    }
}

/// Runs a batch through the chain and the model, and compares receipts and every number.
fn run(world: &mut World, model: &mut Model, plan: &Plan) {
    let signer = person(plan.signer);
    if !model.accounts.contains(&signer.public()) || world.frd(&signer) < 1_000 {
        return;
    }
    let proposer = world.state().validators().proposer(world.state().height() + 1, 0).unwrap().account;
    // The consents' numbers follow from what the model says has applied so far, so that later ones of one
    // batch can be right as well; operations are therefore made one by one.
    let mut after = model.clone();
    let mut operations = Vec::new();
    let mut expected = Vec::new();
    let possible: Vec<_> = plan
        .actions
        .iter()
        .filter(|(_, action)| !matches!(action, Action::Withdraw { other, .. } if *other == plan.signer))
        .cloned()
        .collect();
    let groups: Vec<Vec<_>> = possible.chunk_by(|a, b| a.0.is_some() && a.0 == b.0).map(<[_]>::to_vec).collect();
    let fee = fee_of(world, model, &signer, plan);
    *after.held(signer.public(), 1) -= fee;
    *after.held(proposer, 1) += fee;
    for group in groups {
        let mut trial = Some(after.clone());
        let mut count = 0;
        for (number, action) in &group {
            let base = trial.as_ref().unwrap_or(&after);
            let Some(operation) = operation(world, base, &signer, action) else { continue };
            operations.push((*number, operation));
            count += 1;
            trial = trial.and_then(|model| model.after(signer.public(), proposer, action));
        }
        expected.extend(vec![trial.is_some(); count]);
        after = trial.unwrap_or(after);
    }
    let batch = world.grouped(&signer, operations);
    let outcome = world.block(&[batch]).remove(0);
    assert_eq!(i128::from(outcome.fee), fee);
    assert_eq!(applied(&outcome.operations), expected, "{:?}", outcome.operations);
    assert!(
        outcome
            .operations
            .iter()
            .all(|operation| { matches!(operation.receipt, Receipt::Applied { .. }) || operation.flows.is_empty() })
    );
    *model = after;
    model.assert_matches(world);
}

/// The fee depends on the length alone, which no number in the batch changes.
fn fee_of(world: &World, model: &Model, signer: &SecretKey, plan: &Plan) -> i128 {
    let operations = plan
        .actions
        .iter()
        .filter_map(|(group, action)| Some((*group, operation(world, model, signer, action)?)))
        .collect();
    let batch = world.grouped(signer, operations);
    let bytes = crate::ledger::batch::signed_bytes(&batch);
    i128::from(crate::ledger::batch::fee(batch.body.fee_rate, bytes).unwrap())
}

fn amounts() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 1 => Just(500), 1 => Just(501), 6 => 1..20_000_u64, 1 => Just(START), 1 => Just(u64::MAX)]
}

fn actions() -> impl Strategy<Value = Action> {
    let people = 0..PEOPLE.len();
    let pay_in = (1..=3_u32, amounts(), people.clone(), prop::option::weighted(0.8, people.clone()), 0..3_u64)
        .prop_map(|(asset, amount, to, partner, keep)| {
            let keep = if keep == 2 { START } else { keep };
            Action::Deposit { asset, amount, to, partner, keep }
        });
    let take_out =
        (people, 1..=2_u32, amounts(), 0..8_u64, 0..10_u8).prop_map(|(other, asset, amount, skew, forged)| {
            Action::Withdraw { other, asset, amount, skew: skew / 7, forged: forged == 0 }
        });
    prop_oneof![3 => pay_in, 2 => take_out]
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let actions = prop::collection::vec((prop::option::of(0..2_u16), actions()), 0..6);
    let plan = (0..PEOPLE.len(), actions).prop_map(|(signer, actions)| Plan { signer, actions });
    prop::collection::vec(plan, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_agrees_with_a_naive_model(plans in plans()) {
        let mut world = World::new();
        let mut model = Model::new(&world);
        for plan in &plans {
            run(&mut world, &mut model, plan);
        }
    }
}
