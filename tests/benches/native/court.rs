//! Court: disputes that are resolved, and the largest batches and blocks that the rules allow.

use crate::chain::{genesis, key};
use crate::measure::{Signatures, Table, median, per_second, times};
use fair_core::chain::follow::Follower;
use fair_core::channel::shared::Sides;
use fair_core::channel::state::{ChannelState, Lock, Sub};
use fair_core::crypto::{Secret, SecretKey, lock_hash};
use fair_core::ledger::batch::{self, Batch, Entry};
use fair_core::ledger::operation::{Answer, Deposit, Dispute, Operation, Withdraw, WithdrawalConsent};
use fair_core::ledger::receipt::{OpeningEvent, Receipt};
use fair_core::limits;
use fair_core::message::{Message as _, Signed};
use fair_core::types::{AssetId, Hash, Parties, PublicKey, Side};
use std::time::Duration;

/// Accounts that are not the bank's.
const USERS: usize = 2_000;
/// Disputes that are begun and resolved together.
const DISPUTES: usize = 64;

/// A chain of one bank and its users, and what each user's next batch is numbered.
struct World {
    follower: Follower,
    bank: SecretKey,
    time_ms: u64,
}

impl World {
    /// Each user has 5,000 in its channel with the bank.
    fn new() -> Self {
        let follower = Follower::new(&genesis(USERS + 1));
        let mut world = Self { follower, bank: key(0), time_ms: 0 };
        let bank = world.bank.public();
        let deposits = (1..=USERS).map(|user| {
            let deposit = Deposit {
                asset: AssetId::FRD,
                amount: 5_000,
                to: key(user).public(),
                partner: Some(bank),
                keep: 0,
                epoch: None,
                invoice: None,
            };
            world.batch(&key(user), 0, vec![Operation::Deposit(deposit)])
        });
        let deposits: Vec<_> = deposits.collect();
        world.block(&deposits);
        world
    }

    /// A batch on top of the head, so many after the next.
    fn batch(&self, signer: &SecretKey, later: u64, operations: Vec<Operation>) -> Signed<Batch> {
        let state = self.follower.state();
        let batch = Batch {
            signer: signer.public(),
            nonce: state.account(&signer.public()).map_or(0, |account| account.nonce) + later,
            valid_until: state.height() + 1,
            fee_rate: state.parameters().min_fee_rate,
            entries: operations.into_iter().map(|operation| Entry { group: None, operation }).collect(),
        };
        Signed::new(batch, &state.chain_id(), signer)
    }

    /// Builds a block of exactly these batches and goes on from it.
    fn block(&mut self, batches: &[Signed<Batch>]) {
        let built = self.follower.build(batches, self.bank.public(), self.time_ms);
        assert_eq!(built.left_out, [], "every batch is included");
        let operations = built.step.outcomes().iter().flat_map(|outcome| &outcome.operations);
        for operation in operations {
            assert!(matches!(operation.receipt, Receipt::Applied { .. }), "{:?}", operation.receipt);
        }
        self.time_ms = built.block.header.time_ms;
        self.follower.commit(built.step);
    }

    fn parties(&self, user: &SecretKey) -> Parties {
        let Some(parties) = Parties::new(user.public(), self.bank.public()) else { unreachable!("two keys") };
        parties
    }

    /// A state of a user's channel in which the bank's side gave so many locks.
    fn state(&self, user: &SecretKey, frame: u64, locks: usize) -> ChannelState {
        let (state, parties) = (self.follower.state(), self.parties(user));
        let expiry = state.usable_height() + 10;
        let lock = |index: usize| {
            let (index, secret) = (index as u64, Secret([index as u8; 32]));
            Lock { index, amount: 1, hash: lock_hash(&secret), expiry }
        };
        let locks: Vec<Lock> = (0..locks).map(lock).collect();
        let (left_locks, right_locks) = match parties.side_of(&user.public()) {
            Some(Side::Left) => (locks, Vec::new()),
            _ => (Vec::new(), locks),
        };
        let offdelta = if left_locks.is_empty() { 100 } else { -100 };
        let sub = Sub { asset: AssetId::FRD, offdelta, left_locks, right_locks };
        ChannelState {
            chain_id: state.chain_id(),
            parties,
            epoch: 0,
            frame,
            proposer: Side::Right,
            subs: vec![sub],
            shared_hash: Hash::ZERO,
        }
    }
}

/// Operations that fit into one batch, and into so many bytes.
fn fitting(operation: &Operation, room: usize) -> usize {
    let empty = fair_core::codec::encode(&Batch {
        signer: PublicKey([0; 32]),
        nonce: 0,
        valid_until: 0,
        fee_rate: 0,
        entries: Vec::new(),
    });
    let entry = fair_core::codec::encode(&Entry { group: None, operation: operation.clone() }).len();
    ((room - empty.len() - 64) / entry).min(limits::MAX_OPERATIONS)
}

/// Disputes that one block resolves, with no lock and with all the locks that a side may have.
pub(crate) fn resolutions(table: &mut Table, signatures: &Signatures) {
    for full in [false, true] {
        let mut world = World::new();
        let locks = if full { usize::from(world.follower.state().parameters().max_locks) } else { 0 };
        let disputes: Vec<_> = (1..=DISPUTES)
            .map(|user| {
                let user = key(user);
                let proof = Signed::new(world.state(&user, 1, locks), &world.follower.state().chain_id(), &world.bank);
                let dispute = Dispute { partner: world.bank.public(), proof: Some(proof) };
                world.batch(&user, 0, vec![Operation::Dispute(dispute)])
            })
            .collect();
        let opened = median(|| (), |()| world.follower.build(&disputes, world.bank.public(), 0));
        world.block(&disputes);
        loop {
            let built = world.follower.build([], world.bank.public(), world.time_ms);
            let resolved =
                |opening: &&fair_core::ledger::receipt::Opening| matches!(opening.event, OpeningEvent::Resolved { .. });
            match built.step.openings().iter().filter(resolved).count() {
                DISPUTES => break,
                count => assert_eq!(count, 0, "all are resolved in one block"),
            }
            world.block(&[]);
        }
        let time = median(|| (), |()| world.follower.build([], world.bank.public(), 0));
        let count = DISPUTES;
        let each = |time: Duration| time / u32::try_from(count).unwrap_or(1);
        let kind = format!("with {locks} locks");
        table.add(
            &format!("begin a dispute {kind}, {count} in a block"),
            each(opened),
            per_second(opened, count),
            times(each(opened), signatures.verify, "verify"),
        );
        table.add(
            &format!("resolve a dispute {kind}, {count} in a block"),
            each(time),
            per_second(time, count),
            times(each(time), signatures.verify, "verify"),
        );
    }
}

/// The batch and the block that cost the most work for their bytes: consents and answers, each of which
/// brings signatures to be verified.
pub(crate) fn largest(table: &mut Table, signatures: &Signatures) {
    let mut world = World::new();
    let parameters = world.follower.state().parameters().clone();
    let max_batch = parameters.max_batch_bytes as usize;
    let court_batches = parameters.court_room_bytes as usize / max_batch;
    let ordinary_batches = (parameters.max_block_bytes - parameters.court_room_bytes) as usize / max_batch;
    let consent = |user: &SecretKey, nonce: u64| {
        let parties = world.parties(user);
        let Some(withdrawer) = parties.side_of(&user.public()) else { unreachable!("a party") };
        let consent = WithdrawalConsent {
            chain_id: world.follower.state().chain_id(),
            parties,
            epoch: 0,
            withdrawer,
            asset: AssetId::FRD,
            amount: 1,
            nonce,
            expires_at: world.follower.state().usable_height() + 10,
        };
        Operation::Withdraw(Withdraw { proof: Signed::new(consent, &world.follower.state().chain_id(), &world.bank) })
    };
    let count = fitting(&consent(&key(1), 0), max_batch) as u64;
    let ordinary: Vec<_> = (1..=ordinary_batches)
        .map(|user| world.batch(&key(user), 0, (0..count).map(|nonce| consent(&key(user), nonce)).collect()))
        .collect();
    report(table, signatures, &world, "largest batch (consents)", &ordinary[..1]);

    let accused: Vec<_> = (ordinary_batches + 1..=USERS).map(key).collect();
    let disputes: Vec<_> = accused
        .iter()
        .map(|user| {
            world.batch(user, 0, vec![Operation::Dispute(Dispute { partner: world.bank.public(), proof: None })])
        })
        .collect();
    world.block(&disputes);
    // A third party answers for both, with both signatures.
    let chain_id = world.follower.state().chain_id();
    let answer = |user: &SecretKey| {
        let state = world.state(user, 1, 0);
        let (own, bank) = (state.sign(&chain_id, user), state.sign(&chain_id, &world.bank));
        let signatures = match state.parties.side_of(&user.public()) {
            Some(Side::Left) => Sides { left: Some(own), right: Some(bank) },
            _ => Sides { left: Some(bank), right: Some(own) },
        };
        Operation::Answer(Answer { state, signatures })
    };
    let count = fitting(&answer(&accused[0]), max_batch);
    let answering = key(ordinary_batches + 1);
    let court: Vec<_> = accused
        .chunks(count)
        .take(court_batches)
        .enumerate()
        .map(|(later, users)| world.batch(&answering, later as u64, users.iter().map(answer).collect()))
        .collect();
    report(table, signatures, &world, "largest court batch (answers with both signatures)", &court[..1]);
    let ordinary: Vec<_> = ordinary
        .iter()
        .map(|signed| {
            Signed::new(
                Batch { valid_until: world.follower.height() + 1, ..signed.body.clone() },
                &chain_id,
                &signer(&signed.body),
            )
        })
        .collect();
    let all: Vec<_> = ordinary.into_iter().chain(court).collect();
    report(table, signatures, &world, "largest block", &all);
}

/// The key of a batch's signer.
fn signer(batch: &Batch) -> SecretKey {
    let Some(user) = (0..=USERS).map(key).find(|key| key.public() == batch.signer) else { unreachable!("a user") };
    user
}

fn report(table: &mut Table, signatures: &Signatures, world: &World, what: &str, batches: &[Signed<Batch>]) {
    let built = world.follower.build(batches, world.bank.public(), 0);
    assert_eq!(built.left_out, [], "every batch is included");
    let outcomes = built.step.outcomes();
    let applied = outcomes.iter().flat_map(|outcome| &outcome.operations);
    assert!(applied.clone().all(|operation| matches!(operation.receipt, Receipt::Applied { .. })), "all apply");
    let operations = applied.count();
    let bytes: usize = batches.iter().map(batch::signed_bytes).sum();
    let verifications: usize = batches
        .iter()
        .map(|signed| {
            let inner = signed.body.entries.iter().map(|entry| match &entry.operation {
                Operation::Answer(_) => 2,
                _ => 1,
            });
            1 + inner.sum::<usize>()
        })
        .sum();
    let time = median(|| (), |()| world.follower.execute(&built.block));
    let signing = signatures.verify * u32::try_from(verifications).unwrap_or(u32::MAX);
    table.add(
        &format!("execute the {what}: {operations} operations, {bytes} bytes"),
        time,
        per_second(time, operations),
        times(time, signing, &format!("its {verifications} verifies")),
    );
}
