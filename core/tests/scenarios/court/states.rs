//! Which states and secrets count.

use super::chain::*;
use fair_core::channel::shared::Sides;
use fair_core::channel::state::{ChannelState, StateOrder, Sub};
use fair_core::crypto::{SecretKey, lock_hash};
use fair_core::ledger::operation::{Answer, Deposit, Dispute, Operation, Withdraw, WithdrawalConsent};
use fair_core::ledger::receipt::SkipReason;
use fair_core::message::{Message as _, Signed};
use fair_core::types::Side;

/// Right gave a lock that was claimed in time, and reveals the secret again after its expiry.
#[test]
fn attack_14_unpaying() {
    let mut chain = Chain::new();
    chain.run(1, chain.deposit(1_000, 1, Some(0))).unwrap();
    let expiry = chain.u() + 10;
    let locked = Sub { left_locks: vec![lock(700, expiry)], ..sub(0) };
    chain.run(0, chain.dispute(1, Some(chain.signed(0, 1, 1, locked)))).unwrap();
    chain.run(0, reveal()).unwrap();
    let first = chain.state().hashlock(&lock_hash(&SECRET)).unwrap();
    chain.wait_until(expiry + 1);
    chain.run(1, reveal()).unwrap();
    let again = chain.state().hashlock(&lock_hash(&SECRET)).unwrap();
    assert!(again.deleted_at > first.deleted_at);
    let before = chain.frd(0);
    chain.end(0, 1);
    assert_eq!(chain.frd(0), before + 700);
}

/// Z signs a state for both sides and has a third account bring it.
#[test]
fn attack_21_forged_third_party() {
    let mut chain = Chain::new();
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    chain.run(1, chain.dispute(0, None)).unwrap();
    let state = chain.signed(0, 1, 1_000_000_000, sub(-1_000));
    let own = Some(state.sign(&chain.state().chain_id(), &chain.people[1]));
    let forged = |left| Operation::Answer(Answer { state: state.clone(), signatures: Sides { left, right: own } });
    let expected = chain.people[0].public();
    assert_eq!(chain.run(2, forged(own)), Err(SkipReason::BadStateSignature { expected }));
    assert_eq!(chain.run(2, forged(None)), Err(SkipReason::MissingStateSignature { expected }));
    let before = chain.frd(0);
    chain.end(0, 1);
    assert_eq!(chain.frd(0), before + 1_000);
}

/// An old state with both signatures neither replaces a newer one nor ends anything.
#[test]
fn attack_22_old_agreement() {
    let mut chain = Chain::new();
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    let (old, new) = (chain.signed(0, 1, 1, sub(-900)), chain.signed(0, 1, 2, sub(-100)));
    chain.run(0, chain.dispute(1, Some(new.clone()))).unwrap();
    let reason = SkipReason::NotNewer { in_court: new.order(), got: StateOrder { frame: 1, proposer: Side::Right } };
    assert_eq!(chain.run(1, chain.answer(&old)), Err(reason));
    assert!(chain.state().dispute(&chain.parties(0, 1)).is_some());
    let before = chain.frd(0);
    chain.end(0, 1);
    assert_eq!(chain.frd(0), before + 900);
}

/// A starts with a far lock, answers without it, and hopes that B's answer at the last moment is too late.
#[test]
fn attack_23_early_end() {
    let mut chain = Chain::new();
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    let start = chain.u();
    let far = Sub { left_locks: vec![lock(1, start + 60)], ..sub(0) };
    chain.run(0, chain.dispute(1, Some(chain.signed(0, 1, 1, far)))).unwrap();
    chain.run(0, chain.answer(&chain.signed(0, 1, 2, sub(0)))).unwrap();
    chain.wait_until(start + 20);
    chain.run(1, chain.answer(&chain.signed(0, 1, 3, sub(-800)))).unwrap();
    let before = chain.frd(1);
    chain.end(0, 1);
    assert_eq!((chain.u(), chain.frd(1)), (start + 22, before + 800));
}

/// A consent from before a dispute is shown when new insurance lies in the channel.
#[test]
fn attack_24_consent_outlives_court() {
    let mut chain = Chain::new();
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    let consent = WithdrawalConsent {
        chain_id: chain.state().chain_id(),
        parties: chain.parties(0, 1),
        epoch: 0,
        withdrawer: Side::Right,
        asset: FRD,
        amount: 1_000,
        nonce: 0,
        expires_at: chain.u() + 60,
    };
    let proof = Signed::new(consent, &chain.state().chain_id(), &chain.people[0]);
    chain.run(0, chain.dispute(1, None)).unwrap();
    chain.end(0, 1);
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    let late = chain.run(1, Operation::Withdraw(Withdraw { proof }));
    assert_eq!(late, Err(SkipReason::WrongEpoch { expected: 1, got: 0 }));
}

/// A state of an earlier epoch is brought to court again.
#[test]
fn attack_25_old_epoch() {
    let mut chain = Chain::new();
    let withheld = chain.signed(0, 1, 9, sub(-900));
    chain.run(0, chain.dispute(1, None)).unwrap();
    chain.end(0, 1);
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    let old = SkipReason::WrongEpoch { expected: 1, got: 0 };
    assert_eq!(chain.run(1, chain.dispute(0, Some(withheld.clone()))), Err(old.clone()));
    chain.run(1, chain.dispute(0, None)).unwrap();
    assert_eq!(chain.run(1, chain.answer(&withheld)), Err(old));
    let relabelled = ChannelState { epoch: 1, ..withheld.clone() };
    let Operation::Answer(mut forged) = chain.answer(&withheld) else { unreachable!() };
    forged.state = relabelled;
    let expected = chain.people[0].public();
    assert_eq!(chain.run(1, Operation::Answer(forged)), Err(SkipReason::BadStateSignature { expected }));
}

/// A bank takes the channel of a user who has no account, and so could not answer, to court.
#[test]
fn attack_26_erased_stranger() {
    let mut chain = Chain::new();
    let key = SecretKey::from_seed(&[77; 32]).public();
    let dispute = Operation::Dispute(Dispute { partner: key, proof: None });
    assert_eq!(chain.run(0, dispute), Err(SkipReason::AccusedUnknown { key }));
}

/// A deposit that was meant for the epoch before lands after the resolution.
#[test]
fn attack_32_deposit_race() {
    let mut chain = Chain::new();
    chain.run(1, chain.dispute(0, None)).unwrap();
    chain.end(0, 1);
    let Operation::Deposit(deposit) = chain.deposit(1_000, 0, Some(1)) else { unreachable!() };
    let late = Operation::Deposit(Deposit { epoch: Some(0), ..deposit });
    assert_eq!(chain.run(0, late), Err(SkipReason::WrongEpoch { expected: 1, got: 0 }));
    assert_eq!(chain.state().channel(&chain.parties(0, 1)).assets, vec![]);
}
