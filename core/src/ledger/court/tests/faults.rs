//! Every operation of court with every field wrong, one at a time: skipped under a name of its own, and
//! nothing changed but fee and nonce.

use super::{FRD, funded, lock, state, sub, two};
use crate::chain::params::Parameters;
use crate::channel::state::{ChannelState, Lock, StateOrder, Sub};
use crate::crypto::{Secret, SecretKey};
use crate::ledger::fixture::{World, answer, dispute, key};
use crate::ledger::operation::{Answer, Operation, Reveal};
use crate::ledger::receipt::SkipReason;
use crate::limits;
use crate::types::{AssetId, Hash, Parties, Side};

fn locks(count: u64) -> Vec<Lock> {
    (0..count).map(|index| Lock { index, ..lock(1, 10) }).collect()
}

type Change = fn(&mut ChannelState);

/// A state with one fault each, and its reason.
fn bad_states(order: StateOrder) -> Vec<(Change, SkipReason)> {
    let not_newer = |frame, proposer| SkipReason::NotNewer { in_court: order, got: StateOrder { frame, proposer } };
    vec![
        (|state| state.chain_id = Hash([1; 32]), SkipReason::WrongChain),
        (|state| state.epoch = 1, SkipReason::WrongEpoch { expected: 0, got: 1 }),
        (|state| state.frame = 0, not_newer(0, Side::Right)),
        (|state| state.subs.push(sub(1)), SkipReason::MalformedState),
        (|state| state.subs = vec![Sub::zero(FRD)], SkipReason::MalformedState),
        (|state| state.subs[0].left_locks = vec![lock(1, 1), lock(1, 1)], SkipReason::MalformedState),
        (|state| state.subs[0].offdelta = i64::MIN, SkipReason::MalformedState),
        (|state| state.subs[0].offdelta = (1 << 62) + 1, SkipReason::MalformedState),
        (|state| state.subs[0].right_locks = vec![lock(1 << 62, 1)], SkipReason::MalformedState),
        (
            |state| {
                state.subs = (1..=9).map(|asset| Sub { asset: AssetId(asset), ..sub(1) }).collect();
            },
            SkipReason::TooManyStateAssets { limit: 8, got: 9 },
        ),
        (|state| state.subs[0].asset = AssetId(3), SkipReason::UnknownAsset { asset: AssetId(3) }),
        (
            |state| state.subs[0].left_locks = locks(290),
            SkipReason::StateTooLong { limit: 16 << 10, got: 149 + 20 + 290 * 56 },
        ),
    ]
}

#[test]
fn each_fault_of_a_dispute_has_its_reason() {
    let (mut world, left, right) = funded();
    let good = state(&world, 1, vec![sub(-1)]);
    for (change, reason) in bad_states(StateOrder::DEFAULT) {
        let mut bad = good.clone();
        change(&mut bad);
        world.assert_skipped(&right, dispute(&left, Some(bad)), reason);
    }
    for (giver, key) in [(Side::Left, &left), (Side::Right, &right)] {
        let mut bad = good.clone();
        *bad.subs[0].locks_of_mut(giver) = locks(61);
        let reason = SkipReason::TooManyLocks { giver: key.public(), limit: 60, got: 61 };
        world.assert_skipped(&right, dispute(&left, Some(bad)), reason);
    }
    world.assert_skipped(&right, dispute(&right, None), SkipReason::SelfChannel);
    let nobody = key(200);
    world.assert_skipped(&right, dispute(&nobody, None), SkipReason::AccusedUnknown { key: nobody.public() });
    world.assert_skipped(&right, dispute(&key(1), None), SkipReason::NothingAtStake);
    let of_others = ChannelState { parties: Parties::new(left.public(), key(1).public()).unwrap(), ..good.clone() };
    world.assert_skipped(&right, dispute(&left, Some(of_others)), SkipReason::OtherChannel);
    let mut forged = dispute(&right, Some(good.clone()));
    if let Operation::Dispute(forged) = &mut forged {
        forged.partner = left.public();
    }
    world.assert_skipped(&right, forged, SkipReason::BadStateSignature { expected: left.public() });
    let start = world.state().usable_height();
    world.run(&right, vec![dispute(&left, None)]);
    for again in [dispute(&left, None), dispute(&left, Some(good.clone()))] {
        world.assert_skipped(&right, again, SkipReason::AlreadyInCourt { start });
    }
    world.assert_skipped(&left, dispute(&right, Some(good)), SkipReason::AlreadyInCourt { start });
}

#[test]
fn each_fault_of_an_answer_has_its_reason() {
    let (mut world, left, right) = funded();
    let newer = state(&world, 6, vec![sub(-1)]);
    world.assert_skipped(&left, answer(newer.clone(), &[&right]), SkipReason::NotInCourt);
    let start = world.state().usable_height();
    let first = state(&world, 5, vec![sub(-2)]);
    world.run(&right, vec![dispute(&left, Some(first))]);
    let in_court = StateOrder { frame: 5, proposer: Side::Right };
    for (change, reason) in bad_states(in_court) {
        let mut bad = newer.clone();
        change(&mut bad);
        world.assert_skipped(&left, answer(bad.clone(), &[&right]), reason.clone());
        world.assert_skipped(&key(1), answer(bad, &[&left, &right]), reason);
    }
    for (giver, key) in [(Side::Left, &left), (Side::Right, &right)] {
        let mut bad = newer.clone();
        *bad.subs[0].locks_of_mut(giver) = locks(61);
        let reason = SkipReason::TooManyLocks { giver: key.public(), limit: 60, got: 61 };
        world.assert_skipped(&left, answer(bad, &[&right]), reason);
    }
    let tie = ChannelState { frame: 5, ..newer.clone() };
    let not_newer = |got| SkipReason::NotNewer { in_court, got };
    world.assert_skipped(&left, answer(tie.clone(), &[&right]), not_newer(in_court));
    let older = ChannelState { frame: 4, proposer: Side::Left, ..newer.clone() };
    world.assert_skipped(&left, answer(older.clone(), &[&right]), not_newer(older.order()));
    let of_others = ChannelState { parties: Parties::new(left.public(), key(1).public()).unwrap(), ..newer.clone() };
    world.assert_skipped(&left, answer(of_others, &[&right]), SkipReason::NotInCourt);
    let swapped: Parties = crate::codec::decode(&[right.public().0, left.public().0].concat(), 64).unwrap();
    let unordered = ChannelState { parties: swapped, ..newer.clone() };
    world.assert_skipped(&left, answer(unordered, &[]), SkipReason::UnorderedParties);

    let missing = |key: &SecretKey| SkipReason::MissingStateSignature { expected: key.public() };
    let bad = |key: &SecretKey| SkipReason::BadStateSignature { expected: key.public() };
    let third = key(1);
    for (signer, signed_by, reason) in [
        (&left, vec![], missing(&right)),
        (&left, vec![&left], missing(&right)),
        (&right, vec![&right], missing(&left)),
        (&third, vec![], missing(&left)),
        (&third, vec![&left], missing(&right)),
        (&third, vec![&right], missing(&left)),
    ] {
        world.assert_skipped(signer, answer(newer.clone(), &signed_by), reason);
    }
    let forge = |who: Side| {
        let mut operation = answer(newer.clone(), &[&left, &right]);
        if let Operation::Answer(Answer { signatures, .. }) = &mut operation {
            *signatures.get_mut(who) = *signatures.get(who.other());
        }
        operation
    };
    world.assert_skipped(&left, forge(Side::Right), bad(&right));
    world.assert_skipped(&right, forge(Side::Left), bad(&left));
    world.assert_skipped(&third, forge(Side::Left), bad(&left));
    world.assert_skipped(&third, forge(Side::Right), bad(&right));

    // A tie is won by left; the last U of the window still counts, the next does not.
    let left_made = ChannelState { frame: 5, proposer: Side::Left, ..newer.clone() };
    assert!(applied(&mut world, &third, answer(left_made, &[&left, &right])));
    world.wait_until(start + 120);
    assert!(applied(&mut world, &left, answer(newer.clone(), &[&right])));
    // Kept open by a lock, so that the dispute is there when the answer comes too late.
    let (mut world, ..) = funded();
    let start = world.state().usable_height();
    let locked = Sub { left_locks: vec![lock(1, start + 300)], ..sub(0) };
    world.run(&right, vec![dispute(&left, Some(state(&world, 1, vec![locked])))]);
    world.wait_until(start + 122);
    let late = state(&world, 7, vec![sub(-1)]);
    let reason = SkipReason::AnswerTooLate { until: start + 120, now: start + 122 };
    world.assert_skipped(&left, answer(late, &[&right]), reason);
}

fn applied(world: &mut World, signer: &SecretKey, operation: Operation) -> bool {
    let outcome = world.run(signer, vec![operation]).remove(0);
    matches!(outcome.receipt, crate::ledger::receipt::Receipt::Applied { .. })
}

#[test]
fn each_fault_of_a_reveal_has_its_reason() {
    let mut world = World::new();
    let (left, _) = two();
    let reveal = |count: usize| {
        let secret = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&u64::try_from(number).unwrap().to_le_bytes());
            Secret(bytes)
        };
        Operation::Reveal(Reveal { secrets: (0..count).map(secret).collect() })
    };
    world.assert_skipped(&left, reveal(0), SkipReason::NoSecrets);
    let most = limits::MAX_SECRETS;
    world.assert_skipped(&left, reveal(most + 1), SkipReason::TooManySecrets { limit: 256, got: 257 });
    assert!(applied(&mut world, &left, reveal(most)));
}

/// A state as large as K allows is taken, whatever the other party has put into the channel.
#[test]
fn the_largest_state_is_taken_and_nobody_crowds_it_out() {
    let mut genesis = crate::ledger::fixture::genesis();
    for number in 3..=16 {
        let ticker = format!("A{number}");
        let asset = crate::chain::genesis::Asset { id: AssetId(number), ticker, ..genesis.assets[1].clone() };
        genesis.assets.push(asset);
        for account in &mut genesis.accounts {
            account.balances.push((AssetId(number), 1_000));
        }
        genesis.assets.last_mut().unwrap().supply = 6_000;
    }
    genesis.check().unwrap();
    let mut world = World::with(genesis);
    let (left, right) = two();
    let sub = |asset| Sub {
        asset: AssetId(asset),
        offdelta: -1,
        left_locks: if asset == 9 { locks(60) } else { vec![] },
        right_locks: if asset == 16 { locks(60) } else { vec![] },
    };
    let full = state(&world, 1, (9..=16).map(sub).collect());
    assert_eq!(full.encoded_bytes(), 149 + 8 * 20 + 120 * 56);
    assert!(full.encoded_bytes() <= u64::from(Parameters::DEMO.max_state_bytes));
    let crowd = |asset| {
        let deposit = crate::ledger::fixture::deposit(10, &left, Some(&right));
        Operation::Deposit(crate::ledger::operation::Deposit { asset: AssetId(asset), ..deposit })
    };
    world.run(&left, (1..=8).map(crowd).collect());
    assert!(applied(&mut world, &right, dispute(&left, Some(full))));
    super::end(&mut world);
    let channel = world.state().channel(&Parties::new(left.public(), right.public()).unwrap());
    assert_eq!((channel.epoch, channel.assets.len()), (1, 0));
    match &world.openings[0].event {
        crate::ledger::receipt::OpeningEvent::Resolved { assets, .. } => {
            assert!(assets.iter().map(|asset| asset.asset.0).eq(1..=16));
        }
        other => panic!("{other:?}"),
    }
}
