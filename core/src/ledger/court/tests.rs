use crate::channel::state::{ChannelState, Lock, StateOrder, Sub};
use crate::crypto::{Secret, SecretKey, lock_hash};
use crate::ledger::fixture::{World, answer, bare_dispute, deposit, dispute, key, parties};
use crate::ledger::operation::{CreateAsset, Operation, Reveal};
use crate::ledger::receipt::{OpeningEvent, ResolvedAsset, SkipReason};
use crate::ledger::state::{Debt, Key};
use crate::types::{AssetId, Side};

mod faults;
mod model;

const FRD: AssetId = AssetId::FRD;
const SECRET: Secret = Secret([7; 32]);

/// 5 and 6, left first.
fn two() -> (SecretKey, SecretKey) {
    if key(5).public() < key(6).public() { (key(5), key(6)) } else { (key(6), key(5)) }
}

fn sub(offdelta: i64) -> Sub {
    Sub { offdelta, ..Sub::zero(FRD) }
}

fn lock(amount: u64, expiry: u64) -> Lock {
    Lock { index: 0, amount, hash: lock_hash(&SECRET), expiry }
}

fn reveal() -> Operation {
    Operation::Reveal(Reveal { secrets: vec![SECRET] })
}

/// A channel of left and right with 1,000 that left put in.
fn funded() -> (World, SecretKey, SecretKey) {
    let (left, right) = two();
    let mut world = World::new();
    world.run(&left, vec![Operation::Deposit(deposit(1_000, &left, Some(&right)))]);
    (world, left, right)
}

fn state(world: &World, frame: u64, subs: Vec<Sub>) -> ChannelState {
    let (left, right) = two();
    world.channel_state(&left, &right, frame, subs)
}

fn resolved(world: &World) -> ResolvedAsset {
    match &world.openings[..] {
        [opening] => match &opening.event {
            OpeningEvent::Resolved { assets, .. } => assets[0],
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Ends the dispute of left and right, at the stored end and not a block earlier.
fn end(world: &mut World) {
    let (left, right) = two();
    while let Some(dispute) = world.state().dispute(&parties(&left, &right)) {
        let (now, end) = (world.state().usable_height(), dispute.end);
        assert!(now <= end, "what is due is looked at");
        world.block(&[]);
    }
}

#[test]
fn a_dispute_without_a_proof_ends_by_what_is_on_chain() {
    let (mut world, left, right) = funded();
    let start = world.state().usable_height();
    world.run(&right, vec![dispute(&left, None)]);
    let parties = parties(&left, &right);
    let running = world.state().dispute(&parties).unwrap().clone();
    assert_eq!((running.start, running.delay, running.starter), (start, 120, Side::Right));
    assert_eq!(running.end, start + 121);
    let before = world.frd(&left);
    world.wait_until(start + 121);
    assert!(world.openings.is_empty() && world.state().dispute(&parties).is_some());
    world.block(&[]);
    let split = resolved(&world);
    assert_eq!((split.left, split.right, split.owed), (1_000, 0, 0));
    assert_eq!(world.frd(&left), before + 1_000);
    let channel = world.state().channel(&parties);
    assert_eq!((channel.epoch, channel.resolved), (1, Some(StateOrder::DEFAULT)));
    assert!(channel.assets.is_empty());
    assert!(world.state().dispute(&parties).is_none());
    assert!(world.state().value(&Key::DisputeByEnd(start + 121, parties)).is_none());
    // A second dispute runs in the next epoch, once there is something to decide.
    world.assert_skipped(&left, dispute(&right, None), SkipReason::NothingAtStake);
    world.run(&left, bare_dispute(&left, &right));
    end(&mut world);
    assert_eq!(world.state().channel(&parties).epoch, 2);
}

#[test]
fn against_a_bank_it_is_shorter_and_from_a_bank_it_is_not() {
    let mut world = World::new();
    let (bank, user) = (key(1), key(5));
    world.run(&user, bare_dispute(&user, &bank));
    world.run(&bank, bare_dispute(&bank, &key(6)));
    let delay = |other: &SecretKey| world.state().dispute(&parties(&bank, other)).unwrap().delay;
    assert_eq!((delay(&user), delay(&key(6))), (60, 120));
}

#[test]
fn a_newer_answer_counts_and_the_debtor_pays_what_it_has() {
    let (mut world, left, right) = funded();
    let signed = state(&world, 1, vec![sub(-400)]);
    world.run(&right, vec![dispute(&left, Some(signed))]);
    // Left owes 200 beyond the insurance in the newest state.
    let newest = state(&world, 2, vec![sub(-1_200)]);
    world.run(&right, vec![answer(newest.clone(), &[&left])]);
    let in_court = StateOrder { frame: 2, proposer: Side::Right };
    world.assert_skipped(&key(1), answer(newest, &[&left, &right]), SkipReason::NotNewer { in_court, got: in_court });
    let (poor, rich) = (world.frd(&left), world.frd(&right));
    end(&mut world);
    let split = resolved(&world);
    assert_eq!((split.delta, split.left, split.right), (-200, 0, 1_000));
    assert_eq!((split.debtor, split.owed, split.paid, split.debt), (Some(Side::Left), 200, 200, 0));
    assert_eq!((world.frd(&left), world.frd(&right)), (poor - 200, rich + 1_200));
}

#[test]
fn what_cannot_be_paid_becomes_a_debt_that_incoming_money_pays() {
    let (mut world, left, right) = funded();
    world.run(&left, vec![Operation::Deposit(deposit(world.frd(&left) - 2_000, &key(1), None))]);
    world.run(&right, vec![dispute(&left, Some(state(&world, 1, vec![sub(-11_000)])))]);
    let had = world.frd(&left);
    end(&mut world);
    let split = resolved(&world);
    assert_eq!((split.owed, split.paid, split.debt), (10_000, had - 100, 10_100 - had));
    assert_eq!(world.frd(&left), 100);
    let debt = |world: &World| world.state().debts_of(&left.public(), FRD).map(|(_, debt)| debt).collect::<Vec<_>>();
    assert_eq!(debt(&world), [Debt { creditor: right.public(), amount: split.debt }]);
    let before = world.frd(&right);
    world.run(&key(1), vec![Operation::Deposit(deposit(3_000, &left, None))]);
    assert_eq!(debt(&world), [Debt { creditor: right.public(), amount: split.debt - 3_000 }]);
    assert_eq!((world.frd(&left), world.frd(&right)), (100, before + 3_000));
    world.assert_skipped(
        &left,
        Operation::Deposit(deposit(1, &key(1), None)),
        SkipReason::DebtsFirst { asset: FRD, open: 1 },
    );
    let asset = CreateAsset { ticker: "NEW".into(), name: "New".into(), decimals: 0, supply: 1 };
    let first = SkipReason::DebtsFirst { asset: FRD, open: 1 };
    world.assert_skipped(&left, Operation::CreateAsset(asset), first);
    world.run(&key(1), vec![Operation::Deposit(deposit(split.debt, &left, None))]);
    assert_eq!(debt(&world), []);
    assert_eq!(world.frd(&right), before + split.debt);
    assert!(world.frd(&left) > 3_000);
}

/// A lock that right gives left 300 for: it counts when it is revealed at U ≤ its expiry, and keeps the
/// dispute open until then.
#[test]
fn a_lock_counts_when_it_was_revealed_in_time_and_keeps_the_dispute_open_until_then() {
    for (late, expected) in [(0, 700), (1, 1_000)] {
        let (mut world, left, right) = funded();
        let parties = parties(&left, &right);
        let start = world.state().usable_height();
        let expiry = start + 200;
        let locked = Sub { right_locks: vec![lock(300, expiry)], ..sub(0) };
        world.run(&right, vec![dispute(&left, Some(state(&world, 1, vec![locked])))]);
        let savings = world.frd(&left);
        world.wait_until(expiry + late);
        assert_eq!(world.state().dispute(&parties).unwrap().end, expiry + 1);
        world.run(&right, vec![reveal()]);
        assert_eq!(world.state().hashlock(&lock_hash(&SECRET)).unwrap().revealed_at, expiry + late);
        end(&mut world);
        assert_eq!(world.frd(&left), savings + expected, "left pays what was revealed in time");
    }
}

/// A lock beyond the horizon does not keep a dispute open longer; what is revealed until then counts.
#[test]
fn no_lock_keeps_a_dispute_open_beyond_the_horizon() {
    let (mut world, left, right) = funded();
    let start = world.state().usable_height();
    let far = Sub { left_locks: vec![lock(300, u64::MAX)], ..sub(-500) };
    world.run(&right, vec![dispute(&left, Some(state(&world, 1, vec![far])))]);
    world.wait_until(start + 122);
    let horizon = u64::from(world.state().parameters().lock_horizon_blocks);
    assert_eq!(world.state().dispute(&parties(&left, &right)).unwrap().end, start + horizon + 1);
    world.run(&left, vec![reveal()]);
    end(&mut world);
    assert_eq!(world.state().usable_height(), start + horizon + 2);
    assert_eq!(resolved(&world).left, 800);
}

/// Deposits and withdrawals stay valid and count; consents of the epoch before are void afterwards, and
/// their numbers stay used.
#[test]
fn a_channel_in_court_takes_deposits_and_withdrawals() {
    let (mut world, left, right) = funded();
    world.run(&right, vec![dispute(&left, Some(state(&world, 1, vec![sub(-600)])))]);
    let take = world.withdraw(&right, &left, FRD, 100);
    world.run(&right, vec![take]);
    world.run(&key(1), vec![Operation::Deposit(deposit(50, &left, Some(&right)))]);
    let late = world.withdraw(&right, &left, FRD, 100);
    end(&mut world);
    let split = resolved(&world);
    assert_eq!((split.insurance, split.delta, split.left, split.right), (950, 450, 450, 500));
    let part = world.channel(&left, &right, FRD);
    assert_eq!((part.insurance, part.ondelta), (0, 0));
    assert_eq!(part.next_consent(Side::Right), 1);
    world.run(&left, vec![Operation::Deposit(deposit(500, &left, Some(&right)))]);
    world.assert_skipped(&right, late, SkipReason::WrongEpoch { expected: 1, got: 0 });
}

/// A first reveal fixes U; a second only keeps the entry longer; it goes when it is due.
#[test]
fn a_revealed_secret_stays_as_long_as_it_is_kept() {
    let mut genesis = crate::ledger::fixture::genesis();
    genesis.parameters.hashlock_keepalive_blocks = 1_120;
    genesis.check().unwrap();
    let keep = u64::from(genesis.parameters.hashlock_keepalive_blocks);
    let mut world = World::with(genesis);
    let hash = lock_hash(&SECRET);
    world.run(&key(5), vec![reveal(), reveal()]);
    let first = world.state().hashlock(&hash).unwrap();
    assert_eq!((first.revealed_at, first.deleted_at), (0, keep));
    world.wait_until(5);
    world.run(&key(6), vec![reveal()]);
    let second = world.state().hashlock(&hash).unwrap();
    assert_eq!((second.revealed_at, second.deleted_at), (0, 5 + keep));
    assert!(world.state().value(&Key::HashlockByDeletion(keep, hash)).is_none());
    world.wait_until(keep + 5);
    assert!(world.state().hashlock(&hash).is_some());
    world.block(&[]);
    assert!(world.state().hashlock(&hash).is_none());
    assert!(world.state().value(&Key::HashlockByDeletion(5 + keep, hash)).is_none());
}
