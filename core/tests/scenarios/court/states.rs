//! Which states and secrets count.

use super::chain::*;
use fair_core::channel::shared::Sides;
use fair_core::channel::state::{ChannelState, Lock, StateOrder, Sub};
use fair_core::crypto::{SecretKey, lock_hash};
use fair_core::ledger::operation::{Answer, Deposit, Dispute, Operation};
use fair_core::ledger::receipt::SkipReason;
use fair_core::message::{Message as _, Signed};
use fair_core::types::{AssetId, Hash, Side};

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

/// A state of an earlier epoch is brought to court again.
#[test]
fn attack_25_old_epoch() {
    let mut chain = Chain::new();
    let withheld = chain.signed(0, 1, 9, sub(-900));
    chain.run(0, chain.deposit(1, 0, Some(1))).unwrap();
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
    chain.run(1, chain.deposit(1, 1, Some(0))).unwrap();
    chain.run(1, chain.dispute(0, None)).unwrap();
    chain.end(0, 1);
    let Operation::Deposit(deposit) = chain.deposit(1_000, 0, Some(1)) else { unreachable!() };
    let late = Operation::Deposit(Deposit { epoch: Some(0), ..deposit });
    assert_eq!(chain.run(0, late), Err(SkipReason::WrongEpoch { expected: 1, got: 0 }));
    assert_eq!(chain.state().channel(&chain.parties(0, 1)).assets, vec![]);
}

/// Z brings a state that the other party never signed: as its proof, and as its answer.
#[test]
fn attack_21_forged_proof() {
    let mut chain = Chain::new();
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    let state = chain.signed(0, 1, 1, sub(-1_000));
    let chain_id = chain.state().chain_id();
    let expected = chain.people[0].public();
    let refused = Err(SkipReason::BadStateSignature { expected });
    let proof = Some(Signed::new(state.clone(), &chain_id, &chain.people[1]));
    assert_eq!(chain.run(1, Operation::Dispute(Dispute { partner: expected, proof })), refused);
    chain.run(1, chain.dispute(0, None)).unwrap();
    let own = Some(state.sign(&chain_id, &chain.people[1]));
    let both = Sides { left: own, right: own };
    let forged = Operation::Answer(Answer { state: state.clone(), signatures: both });
    assert_eq!(chain.run(1, forged), refused);
    let before = chain.frd(0);
    chain.end(0, 1);
    assert_eq!(chain.frd(0), before + 1_000);
}

/// The two have a channel on another network, whose states were worth little there.
#[test]
fn a_state_of_another_network_is_worth_nothing() {
    let mut chain = Chain::new();
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    let elsewhere = Hash([9; 32]);
    let state = ChannelState { chain_id: elsewhere, ..chain.signed(0, 1, 1, sub(-1_000)) };
    let partner = chain.people[0].public();
    let proof = Some(Signed::new(state.clone(), &elsewhere, &chain.people[0]));
    assert_eq!(chain.run(1, Operation::Dispute(Dispute { partner, proof })), Err(SkipReason::WrongChain));
    chain.run(1, chain.dispute(0, None)).unwrap();
    let left = Some(state.sign(&elsewhere, &chain.people[0]));
    let foreign = Operation::Answer(Answer { state, signatures: Sides { left, right: None } });
    assert_eq!(chain.run(1, foreign), Err(SkipReason::WrongChain));
}

/// Z disputes with an old state; when it is answered, it begins again, so that the answer must be brought again
/// and again, and is missed once.
#[test]
fn a_dispute_is_not_begun_anew() {
    let mut chain = Chain::new();
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    let start = chain.u();
    chain.run(1, chain.dispute(0, Some(chain.signed(0, 1, 1, sub(-900))))).unwrap();
    chain.run(0, chain.answer(&chain.signed(0, 1, 2, sub(-100)))).unwrap();
    let again = chain.run(1, chain.dispute(0, Some(chain.signed(0, 1, 1, sub(-900)))));
    assert_eq!(again, Err(SkipReason::AlreadyInCourt { start }));
    let before = chain.frd(0);
    chain.end(0, 1);
    assert_eq!(chain.frd(0), before + 900);
}

/// A lock keeps the dispute open beyond its answer window. Z shows a newer state only then, when nobody can show
/// the newest any more.
#[test]
fn an_answer_after_the_window_is_too_late() {
    let mut chain = Chain::new();
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    let start = chain.u();
    let open = Sub { left_locks: vec![lock(1, start + 40)], ..sub(-100) };
    chain.run(0, chain.dispute(1, Some(chain.signed(0, 1, 1, open)))).unwrap();
    chain.wait_until(start + 21);
    let late = chain.run(1, chain.answer(&chain.signed(0, 1, 2, sub(-900))));
    assert_eq!(late, Err(SkipReason::AnswerTooLate { until: start + 20, now: start + 21 }));
    let before = chain.frd(0);
    chain.end(0, 1);
    assert_eq!(chain.frd(0), before + 900);
}

/// A lock that expires in a thousand years is to keep the other's money in court as long.
#[test]
fn attack_13_endless_dispute() {
    let mut chain = Chain::new();
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    let start = chain.u();
    let endless = Sub { left_locks: vec![lock(1, u64::MAX)], ..sub(0) };
    chain.run(1, chain.dispute(0, Some(chain.signed(0, 1, 1, endless)))).unwrap();
    chain.wait_until(start + u64::from(PARAMETERS.lock_horizon_blocks) + 2);
    assert!(chain.state().dispute(&chain.parties(0, 1)).is_none());
}

/// The taker of a lock lets it expire, so that the giver counts on it, and reveals its secret just after.
#[test]
fn a_secret_after_the_expiry_pays_nothing() {
    let mut chain = Chain::new();
    chain.run(1, chain.deposit(1_000, 1, Some(0))).unwrap();
    let expiry = chain.u() + 10;
    let locked = Sub { left_locks: vec![lock(700, expiry)], ..sub(0) };
    chain.run(0, chain.dispute(1, Some(chain.signed(0, 1, 1, locked)))).unwrap();
    chain.wait_until(expiry + 1);
    chain.run(0, reveal()).unwrap();
    let before = chain.frd(1);
    chain.end(0, 1);
    assert_eq!(chain.frd(1), before + 1_000);
}

/// Colluders bring states that are expensive to keep and to resolve, or owe what does not exist.
#[test]
fn attack_33_oversized_states() {
    let mut chain = Chain::new();
    let many =
        |asset| Sub { left_locks: (0..61).map(|index| Lock { index, ..lock(1, 9) }).collect(), ..Sub::zero(asset) };
    let locks = ChannelState { subs: vec![many(FRD)], ..chain.signed(0, 1, 1, sub(1)) };
    let reason = SkipReason::TooManyLocks { giver: chain.people[1].public(), limit: 60, got: 61 };
    assert_eq!(chain.run(0, chain.dispute(1, Some(locks))), Err(reason));
    let assets: Vec<_> = (1..10).map(|id| Sub { offdelta: 1, ..Sub::zero(AssetId(id)) }).collect();
    let assets = ChannelState { subs: assets, ..chain.signed(0, 1, 1, sub(1)) };
    let reason = SkipReason::TooManyStateAssets { limit: 8, got: 9 };
    assert_eq!(chain.run(0, chain.dispute(1, Some(assets))), Err(reason));
    let long: Vec<_> = (1..9).map(|id| many(AssetId(id))).collect();
    let long = ChannelState { subs: long, ..chain.signed(0, 1, 1, sub(1)) };
    let reason = SkipReason::StateTooLong { limit: 16 << 10, got: long.encoded_bytes() };
    assert_eq!(chain.run(0, chain.dispute(1, Some(long))), Err(reason));
    // A debt in what somebody may create later under that number.
    let unborn =
        ChannelState { subs: vec![Sub { offdelta: 1, ..Sub::zero(AssetId(3)) }], ..chain.signed(0, 1, 1, sub(1)) };
    assert_eq!(chain.run(0, chain.dispute(1, Some(unborn))), Err(SkipReason::UnknownAsset { asset: AssetId(3) }));
}
