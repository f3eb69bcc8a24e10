//! Disputes that begin and end while a party is away: it never sees the state that decided.

use crate::world::*;
use fair_core::bank;
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::message::Signed;
use fair_core::types::{PublicKey, Side};
use fair_core::wallet::{self, PaymentState};

const SIDES: [(Side, Side); 4] =
    [(Side::Left, Side::Right), (Side::Left, Side::Left), (Side::Right, Side::Right), (Side::Right, Side::Left)];

/// A payer with 1000 FRD insured and a payee, both registered. The payer's lock over 300 stands, the payee knows the
/// secret and has told nobody.
struct Case {
    world: World,
    payer: PublicKey,
    request: [u8; 16],
    /// The bank's disk before the lock, and with it.
    before: Rows,
    with_lock: Rows,
    /// The payer's, when its frame with the lock was sent.
    lost: Rows,
    hash: fair_core::types::Hash,
}

fn case(sides: (Side, Side)) -> Case {
    let setup = Setup::new();
    let payer_key = key_on(sides.0, &setup.bank_key, 20);
    let payee_key = key_on(sides.1, &setup.bank_key, 60);
    let accounts = vec![(payer_key.public(), 10_000 * DOLLAR), (payee_key.public(), 100 * DOLLAR)];
    let mut world = World::new(Setup { accounts, ..setup });
    let payer = world.user(&payer_key, 1_000 * DOLLAR, None);
    let payee = world.user(&payee_key, 500 * DOLLAR, None);
    world.fund(payer, 1_000 * DOLLAR);
    let bank = world.bank;
    // Something signed, so that a dispute has a state to show.
    pay_direct(&mut world, payer, 7 * DOLLAR);
    let before = world.nodes[&bank].disk.clone();
    let to = world.invoice(payee, Some(300 * DOLLAR));
    let request = world.start_payment(payer, to, 300 * DOLLAR).unwrap();
    let lost = world.nodes[&payer].disk.clone();
    while world.wallet(payee).payments().next().is_none() {
        assert!(world.deliver_one());
    }
    world.disconnect(payee);
    world.deliver();
    let (_, lock) = world.wallet(payer).channel(&bank).unwrap().outgoing_locks().next().unwrap();
    let hash = lock.hash;
    let with_lock = world.nodes[&bank].disk.clone();
    // A newer state of the same channel, with which the payer would answer if it were there.
    pay_direct(&mut world, payer, 40 * DOLLAR);
    Case { world, payer, request, before, with_lock, lost, hash }
}

fn pay_direct(world: &mut World, payer: PublicKey, amount: u64) {
    let (request, bank, note) = (world.next_request(), world.bank, vec![]);
    world.wish(payer, wallet::Input::PayDirect { request, bank, asset: FRD, amount, note }).unwrap();
    world.deliver();
}

/// Why the payer does not answer.
#[derive(PartialEq)]
enum Payer {
    /// It is away until all is over.
    Away,
    /// It is away until the next epoch, in which nothing was signed, is over as well.
    AwayForTwo,
    /// It looks on, but a relay keeps its batches back.
    Withheld,
}

/// The bank puts the least into a channel, so that there is something to take to court.
fn put_in(world: &mut World, payer: PublicKey) {
    let (bank, state) = (world.bank, world.follower.state());
    let deposit =
        Deposit { asset: FRD, amount: 1, to: bank, partner: Some(payer), keep: 0, epoch: None, invoice: None };
    let batch = Batch {
        signer: bank,
        nonce: state.account(&bank).unwrap().nonce,
        valid_until: state.height() + 10,
        fee_rate: state.parameters().min_fee_rate,
        entries: vec![Entry { group: None, operation: Operation::Deposit(deposit) }],
    };
    let signed = Signed::new(batch, &state.chain_id(), &world.nodes[&bank].secret);
    world.submit(signed);
    world.block();
    world.assert_applied();
}

/// The bank shows a state while the payer cannot answer, and court decides by it. What the payer has on the chain
/// before and after.
fn decided(case: &mut Case, doing: &Payer, shown: Rows) -> (u64, u64) {
    let Case { world, payer, hash, .. } = case;
    let bank = world.bank;
    world.disconnect(*payer);
    match doing {
        Payer::Away | Payer::AwayForTwo => world.fall_behind(*payer),
        Payer::Withheld => assert!(world.withholding.insert(*payer)),
    }
    world.sessions.clear();
    let Node { secret, .. } = world.nodes.remove(&bank).unwrap();
    world.start_bank(secret, shown);
    let before = world.on_chain(*payer);
    world.tell_bank(bank::Input::Dispute { peer: *payer }).unwrap();
    world.resolve(*payer);
    assert!(world.follower.state().hashlock(hash).is_some(), "the payee had to go to the chain");
    if *doing == Payer::AwayForTwo {
        put_in(world, *payer);
        world.tell_bank(bank::Input::Dispute { peer: *payer }).unwrap();
        world.resolve(*payer);
    }
    let after = world.on_chain(*payer);
    if *doing != Payer::Withheld {
        world.catch_up(*payer);
    }
    (before, after)
}

/// The old state holds the lock and its secret was revealed in time: court took the money from the payer, so it has
/// paid, and its proof is the secret. Were it told that the payment failed, it would pay the invoice twice.
#[test]
fn a_lock_that_court_paid_unseen_is_paid() {
    for sides in SIDES {
        is_paid_unseen(sides, &Payer::Away);
    }
}

/// The bank disputes again, with nothing signed: what the chain tells of the last resolution says nothing of the one
/// that took the money.
#[test]
fn a_lock_that_court_paid_two_disputes_ago_is_paid() {
    for sides in SIDES {
        is_paid_unseen(sides, &Payer::AwayForTwo);
    }
}

fn is_paid_unseen(sides: (Side, Side), doing: &Payer) {
    let mut case = case(sides);
    let old = case.with_lock.clone();
    let (before, after) = decided(&mut case, doing, old);
    assert_eq!(after, before + 693 * DOLLAR, "court took the 300, and the 40 that came later were unpaid");
    let Case { world, payer, request, .. } = case;
    let payment = world.payment(payer, &request);
    assert_eq!((payment.state, &payment.failure), (PaymentState::Paid, &None), "{sides:?}");
    assert!(world.wallet(payer).proof(&request).unwrap().verify(&world.follower.state().chain_id()).is_ok());
    assert_eq!(world.wallet(payer).channel(&world.bank).unwrap().outgoing_locks().count(), 0);
}

/// The old state is from before the lock: court took nothing for it, and the payee has shown the secret all the same.
/// Whoever has the proof of a payment does not pay it again.
#[test]
fn what_is_paid_by_its_secret_stays_paid() {
    for sides in SIDES {
        for doing in [Payer::Away, Payer::Withheld] {
            let mut case = case(sides);
            let old = case.before.clone();
            let (before, after) = decided(&mut case, &doing, old);
            assert_eq!(after, before + 993 * DOLLAR);
            let Case { world, payer, request, .. } = case;
            assert_eq!(world.payment(payer, &request).state, PaymentState::Paid, "{sides:?}");
            assert!(world.wallet(payer).proof(&request).unwrap().verify(&world.follower.state().chain_id()).is_ok());
        }
    }
}

/// The payer lost its data and does not know that its frame was answered, nor what came after it.
#[test]
fn a_lock_that_court_paid_is_paid_after_data_loss() {
    for sides in SIDES {
        let mut case = case(sides);
        let Node { secret, .. } = case.world.nodes.remove(&case.payer).unwrap();
        case.world.start_wallet(secret, case.lost.clone());
        let newest = case.world.nodes[&case.world.bank].disk.clone();
        let (before, after) = decided(&mut case, &Payer::Away, newest);
        assert_eq!(after, before + 653 * DOLLAR, "court took all three");
        let Case { world, payer, request, .. } = case;
        let payment = world.payment(payer, &request);
        assert_eq!((payment.state, &payment.failure), (PaymentState::Paid, &None), "{sides:?}");
        assert!(world.wallet(payer).proof(&request).unwrap().verify(&world.follower.state().chain_id()).is_ok());
    }
}
