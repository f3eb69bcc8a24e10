//! Masses: of disputes, of batches, of resolutions.

use super::chain::*;
use fair_core::chain::params::Parameters;
use fair_core::channel::state::{Lock, Sub};
use fair_core::crypto::{Secret, lock_hash};
use fair_core::ledger::operation::{Deposit, Operation, Reveal};
use fair_core::ledger::receipt::{Receipt, SkipReason};
use fair_core::limits;
use fair_core::types::Hash;

/// Everybody disputes their channel with 0 by an old state, in one block; 0 answers each in a court batch of
/// its own, all in the next block.
#[test]
fn attack_28_mass_dispute() {
    let mut chain = Chain::new();
    for other in 1..PEOPLE {
        chain.run(0, chain.deposit(1_000, 0, Some(other))).unwrap();
    }
    let disputes: Vec<_> = (1..PEOPLE)
        .map(|other| {
            let old = chain.signed(0, other, 1, sub(-900));
            chain.batch(other, 0, 10, vec![chain.dispute(0, Some(old))])
        })
        .collect();
    chain.block(&disputes);
    let mut ahead = 0;
    let answers: Vec<_> = (1..PEOPLE)
        .map(|other| {
            let answer = chain.answer(&chain.signed(0, other, 2, sub(-100)));
            ahead += 1;
            chain.batch(0, ahead - 1, 10, vec![answer])
        })
        .collect();
    let outcomes = chain.block(&answers);
    let applied = |receipt: &Receipt| matches!(receipt, Receipt::Applied { .. });
    assert!(outcomes.iter().flat_map(|outcome| &outcome.operations).all(|outcome| applied(&outcome.receipt)));
    let before = chain.frd(0);
    chain.end(0, PEOPLE - 1);
    assert_eq!(chain.frd(0), before + 900 * 11);
}

/// Z disputes with an old state and fills every block with ordinary batches, so that the answer finds no room.
#[test]
fn attack_28_crowded_out() {
    let mut chain = Chain::new();
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    chain.run(1, chain.dispute(0, Some(chain.signed(0, 1, 1, sub(-900))))).unwrap();
    let tag = Some(vec![0; 32]);
    let much = |chain: &Chain| {
        let junk = Operation::Deposit(Deposit { invoice: tag.clone(), ..chain.deposit_of(FRD, 1, 0, None) });
        vec![junk; (usize::try_from(PARAMETERS.max_batch_bytes).unwrap() - 200) / 96]
    };
    // As much as a batch may hold, so that it fits into no gap.
    let reveals = |secrets| Operation::Reveal(fair_core::ledger::operation::Reveal { secrets: vec![SECRET; secrets] });
    let answer = chain.answer(&chain.signed(0, 1, 2, sub(-100)));
    let full: Vec<_> = std::iter::once(answer).chain((0..7).map(|_| reveals(250))).collect();
    let mut batches: Vec<_> = (2..PEOPLE).map(|who| chain.batch(who, 0, 10, much(&chain))).collect();
    batches.push(chain.batch(0, 0, 10, full));
    let (left_out, outcomes) = chain.offer(&batches);
    assert!(left_out >= 5, "{left_out} batches found no room");
    assert_eq!(outcomes.last().unwrap().signer, chain.people[0].public(), "the answer did");
    assert_eq!(chain.state().dispute(&chain.parties(0, 1)).unwrap().order().frame, 2);
}

/// Whoever fills the court's room stops the clock with it; whoever fills the rest does not, nor does a flood
/// of tiny batches make it fly.
#[test]
fn attack_29_bought_time() {
    let mut chain = Chain::new();
    chain.run(0, chain.deposit(1_000, 0, Some(1))).unwrap();
    chain.run(1, chain.dispute(0, Some(chain.signed(0, 1, 1, sub(-900))))).unwrap();
    let until = chain.u() + 19;
    for _ in 0..30 {
        let junk = vec![Operation::Reveal(Reveal { secrets: vec![SECRET; 200] }); 9];
        let flood: Vec<_> = (2..6).map(|who| chain.batch(who, 0, 10, junk.clone())).collect();
        let before = chain.u();
        chain.block(&flood);
        assert_eq!(chain.u(), before, "no deadline runs while court is full");
    }
    let tiny: Vec<_> = (2..6).map(|who| chain.batch(who, 0, 10, vec![])).collect();
    let before = chain.u();
    chain.block(&tiny);
    assert_eq!(chain.u(), before + 1);
    assert!(chain.u() < until);
    chain.run(0, chain.answer(&chain.signed(0, 1, 2, sub(-100)))).unwrap();
}

/// Small blocks, so that few disputes are more than one ends.
const SMALL: Parameters = Parameters {
    max_block_bytes: 128 << 10,
    court_room_bytes: 64 << 10,
    max_batch_bytes: 30 << 10,
    max_state_bytes: 8 << 10,
    ..PARAMETERS
};

/// Every two insure each other.
fn insure_all(chain: &mut Chain) {
    let batches: Vec<_> = (0..PEOPLE - 1)
        .map(|left| {
            let deposits = (left + 1..PEOPLE).map(|right| chain.deposit(1, left, Some(right)));
            chain.batch(left, 0, 10, deposits.collect())
        })
        .collect();
    chain.block(&batches);
}

/// Disputes of all pairs but the last, which end together with the last one's, ahead of it. As soon as they run, states
/// that take long to resolve are shown, in the blocks after.
fn all_pairs(chain: &mut Chain) {
    let start = chain.u();
    let batches: Vec<_> = (0..PEOPLE - 2)
        .map(|left| chain.batch(left, 0, 10, (left + 1..PEOPLE).map(|right| chain.dispute(right, None)).collect()))
        .collect();
    let locked = Sub { left_locks: vec![lock(700, start)], ..sub(0) };
    let last = chain.dispute(11, Some(chain.signed(10, 11, 1, locked)));
    let last = chain.batch(10, 0, 10, vec![last]);
    chain.block(&batches.into_iter().chain([last]).collect::<Vec<_>>());
    for left in 0..PEOPLE - 2 {
        let of = |index| Lock { index, hash: Hash([9; 32]), ..lock(1, start) };
        let long = Sub { left_locks: (0..LOCKS).map(of).collect(), ..sub(0) };
        let answers =
            (left + 1..PEOPLE).map(|right| chain.answer(&chain.signed(left, right, 1, long.clone()))).collect();
        let answers = chain.batch(left, 0, 10, answers);
        chain.block(&[answers]);
    }
}

/// Locks of each of these states. What one of them is resolved with is itself, its asset twice, and these.
const LOCKS: u64 = 40;
const WORK: u64 = 3 + LOCKS;

/// More disputes end in one block than it resolves: the rest carries over, in order.
#[test]
fn attack_33_resolutions_in_one_block() {
    let mut chain = Chain::with(SMALL);
    insure_all(&mut chain);
    let start = chain.u();
    all_pairs(&mut chain);
    chain.wait_until(start + 21);
    assert_eq!(chain.state().disputes().count(), 66);
    chain.block(&[]);
    let most = u64::from(SMALL.max_block_bytes / limits::BYTES_PER_RESOLUTION_WORK);
    let resolved = usize::try_from(most.div_ceil(WORK)).unwrap();
    assert_eq!((chain.openings.len(), chain.state().disputes().count()), (resolved, 66 - resolved));
    chain.block(&[]);
    assert_eq!((chain.openings.len(), chain.state().disputes().count()), (66 - resolved, 0));
}

/// A block of nothing but disputes between accounts of one owner. What is not at stake is not taken, and what is, one
/// block ends: nobody else's resolution waits.
#[test]
fn attack_33_a_block_of_disputes_delays_nobody() {
    let mut chain = Chain::with(SMALL);
    let flood: Vec<_> = (0..PEOPLE - 1)
        .map(|left| chain.batch(left, 0, 10, (left + 1..PEOPLE).map(|right| chain.dispute(right, None)).collect()))
        .collect();
    let said = chain.block(&flood);
    let nothing = Receipt::Skipped { reason: SkipReason::NothingAtStake };
    assert!(said.iter().flat_map(|outcome| &outcome.operations).all(|outcome| outcome.receipt == nothing));
    insure_all(&mut chain);
    let start = chain.u();
    let flood: Vec<_> = (0..PEOPLE - 1)
        .map(|left| chain.batch(left, 0, 10, (left + 1..PEOPLE).map(|right| chain.dispute(right, None)).collect()))
        .collect();
    chain.block(&flood);
    chain.wait_until(start + 21);
    assert_eq!(chain.state().disputes().count(), 66);
    chain.block(&[]);
    assert_eq!((chain.openings.len(), chain.state().disputes().count()), (66, 0));
}

/// A flood of resolutions pushes one beyond the block that would delete its secret.
#[test]
fn attack_36_backlog() {
    let mut chain = Chain::with(SMALL);
    insure_all(&mut chain);
    chain.run(11, chain.deposit(1_000, 11, Some(10))).unwrap();
    let revealed = chain.u();
    chain.run(10, reveal()).unwrap();
    let deleted = revealed + u64::from(PARAMETERS.hashlock_keepalive_blocks);
    chain.wait_until(deleted - 21);
    all_pairs(&mut chain);
    chain.wait_until(deleted);
    let before = chain.frd(10);
    chain.block(&[]);
    assert!(chain.state().hashlock(&lock_hash(&SECRET)).is_some(), "it is due, and so is a resolution");
    chain.block(&[]);
    assert_eq!(chain.frd(10), before + 701, "with what it had put in itself");
    assert!(chain.state().hashlock(&lock_hash(&SECRET)).is_some(), "whoever was late finds what decided it");
    chain.block(&[]);
    assert!(chain.state().hashlock(&lock_hash(&SECRET)).is_none());
}

/// Whoever reveals many secrets at once makes no block long that must forget them.
#[test]
fn a_block_deletes_so_many_secrets() {
    let mut chain = Chain::new();
    let secret = |number: u16| {
        let [low, high] = number.to_le_bytes();
        let mut bytes = [9; 32];
        (bytes[0], bytes[1]) = (low, high);
        Secret(bytes)
    };
    let secrets: Vec<Secret> = (0..1_280).map(secret).collect();
    let reveal = |part: &[Secret]| Operation::Reveal(Reveal { secrets: part.to_vec() });
    let reveals = secrets.chunks(limits::MAX_SECRETS).map(reveal).collect();
    let revealed = chain.u();
    let batch = chain.batch(0, 0, 10, reveals);
    chain.block(&[batch]);
    let kept = |chain: &Chain| secrets.iter().filter(|it| chain.state().hashlock(&lock_hash(it)).is_some()).count();
    chain.wait_until(revealed + u64::from(PARAMETERS.hashlock_keepalive_blocks));
    assert_eq!(kept(&chain), secrets.len());
    chain.block(&[]);
    assert_eq!(kept(&chain), secrets.len() - limits::MAX_DELETIONS);
    chain.block(&[]);
    assert_eq!(kept(&chain), 0);
}
