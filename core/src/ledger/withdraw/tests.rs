use crate::ledger::fixture::{World, deposit, key, parties, signed_withdraw};
use crate::ledger::operation::{Operation, Withdraw, WithdrawalConsent};
use crate::ledger::receipt::{Receipt, SkipReason};
use crate::message::Signed;
use crate::types::{AssetId, Hash};

const FRD: AssetId = AssetId::FRD;

/// 5 and 6 with 1000 on 5's side.
fn funded() -> World {
    let mut world = World::new();
    world.run(&key(5), vec![Operation::Deposit(deposit(1_000, &key(5), Some(&key(6))))]);
    world
}

#[test]
fn both_sides_withdraw_and_the_delimiter_follows_left_alone() {
    let parties = parties(&key(5), &key(6));
    for (withdrawer, other) in [(key(5), key(6)), (key(6), key(5))] {
        let mut world = funded();
        let before = (world.channel(&withdrawer, &other, FRD), world.frd(&withdrawer));
        let batch = world.batch(&withdrawer, vec![world.withdraw(&withdrawer, &other, FRD, 300)]);
        let outcome = world.block(&[batch]).remove(0);
        let after = world.channel(&withdrawer, &other, FRD);
        assert_eq!(after.insurance, before.0.insurance - 300);
        let is_left = parties.left() == withdrawer.public();
        assert_eq!(after.ondelta, before.0.ondelta - if is_left { 300 } else { 0 });
        assert_eq!(world.frd(&withdrawer), before.1 + 300 - outcome.fee);
        let side = parties.side_of(&withdrawer.public()).unwrap();
        assert_eq!((after.next_consent(side), after.next_consent(side.other())), (1, 0));
    }
}

#[test]
fn each_rule_skips_by_its_name() {
    type Change = fn(&mut WithdrawalConsent);
    let mut world = funded();
    let (five, six) = (key(5), key(6));
    let good = world.consent(&five, &six, FRD, 300);
    let cases: Vec<(Change, SkipReason)> = vec![
        (|consent| consent.chain_id = Hash([9; 32]), SkipReason::WrongChain),
        (
            |consent| consent.withdrawer = consent.withdrawer.other(),
            SkipReason::NotTheWithdrawer { expected: six.public() },
        ),
        (|consent| consent.amount = 0, SkipReason::ZeroAmount),
        (|consent| consent.epoch = 1, SkipReason::WrongEpoch { expected: 0, got: 1 }),
        (|consent| consent.nonce = 1, SkipReason::WrongConsentNonce { expected: 0, got: 1 }),
        (|consent| consent.expires_at = 0, SkipReason::ConsentExpired { expires_at: 0, now: 5 }),
        (|consent| consent.amount = 1_001, SkipReason::MoreThanInsurance { insurance: 1_000, amount: 1_001 }),
        (|consent| consent.asset = AssetId(9), SkipReason::MoreThanInsurance { insurance: 0, amount: 300 }),
    ];
    for (index, (change, mut reason)) in cases.into_iter().enumerate() {
        let mut consent = good.clone();
        change(&mut consent);
        if let SkipReason::ConsentExpired { now, .. } = &mut reason {
            *now = 1 + u64::try_from(index).unwrap();
        }
        world.assert_skipped(&five, signed_withdraw(consent, &six), reason);
    }
    let own_signature = signed_withdraw(good.clone(), &five);
    world.assert_skipped(&five, own_signature, SkipReason::BadConsentSignature { expected: six.public() });
    let proof = Signed::new(good.clone(), &Hash([9; 32]), &six);
    let other_chain = Operation::Withdraw(Withdraw { proof });
    world.assert_skipped(&five, other_chain, SkipReason::BadConsentSignature { expected: six.public() });
    // The same consent, untouched, still works, and only once.
    let used = signed_withdraw(good, &six);
    let outcome = world.run(&five, vec![used.clone()]).remove(0);
    assert_eq!(outcome.receipt, Receipt::Applied { registered: None });
    world.assert_skipped(&five, used, SkipReason::WrongConsentNonce { expected: 1, got: 0 });
}

#[test]
fn a_consent_with_its_parties_the_wrong_way_round_is_refused() {
    let mut world = funded();
    let consent = world.consent(&key(5), &key(6), FRD, 1);
    let mut bytes = crate::codec::encode(&consent);
    let (left, right) = (consent.parties.left().0, consent.parties.right().0);
    bytes[32..64].copy_from_slice(&right);
    bytes[64..96].copy_from_slice(&left);
    let swapped: WithdrawalConsent = crate::codec::decode(&bytes, 1_000).unwrap();
    world.assert_skipped(&key(5), signed_withdraw(swapped, &key(6)), SkipReason::UnorderedParties);
}

/// A consent is valid in the block whose U equals its last one, and not in the next.
#[test]
fn a_consent_ends_after_its_last_block() {
    let mut world = funded();
    let consent =
        WithdrawalConsent { expires_at: world.state().usable_height(), ..world.consent(&key(5), &key(6), FRD, 1) };
    let operation = signed_withdraw(consent, &key(6));
    let mut late = funded();
    assert_eq!(world.run(&key(5), vec![operation.clone()])[0].receipt, Receipt::Applied { registered: None });
    late.block(&[]);
    late.assert_skipped(&key(5), operation, SkipReason::ConsentExpired { expires_at: 1, now: 2 });
}
