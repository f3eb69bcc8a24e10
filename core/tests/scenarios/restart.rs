//! Every process is killed after every delivered message of a payment, and of a withdrawal; the payment ends
//! paid on both sides or failed on both, and nothing is left over.

use crate::mediation::pair;
use crate::world::*;
use fair_core::account::SentState;
use fair_core::bank::{self, DirectState};
use fair_core::ledger::operation::{CreateAsset, Operation};
use fair_core::types::PublicKey;
use fair_core::wallet::{self, PaymentState, Target};

enum Who {
    Payer,
    Bank,
    Payee,
}

/// Restarts one process after `after` deliveries. False when the payment was over before.
fn interrupted(who: &Who, after: usize) -> bool {
    let (mut world, payer, payee) = pair(Setup { fee_base: 1, ..Setup::new() });
    let to = world.invoice(payee, Some(700));
    let request = world.start_payment(payer, to, 700).unwrap();
    for _ in 0..after {
        if !world.deliver_one() {
            return false;
        }
    }
    let node = match who {
        Who::Payer => payer,
        Who::Bank => world.bank,
        Who::Payee => payee,
    };
    world.restart(node);
    world.deliver();
    world.blocks(2);
    let state = world.payment(payer, &request).state;
    let (sent, got) = (world.balance(payer), world.balance(payee));
    match state {
        PaymentState::Paid => assert_eq!((sent, got), (100_000 - 701, 700)),
        PaymentState::Failed => assert_eq!((sent, got), (100_000, 0)),
        other => panic!("after {after} messages the payment is {other:?}"),
    }
    assert_eq!(world.bank().forwards().count(), 0, "after {after} messages");
    check_frames(&world, &[payer, payee]);
    true
}

fn check_frames(world: &World, users: &[PublicKey]) {
    for user in users {
        let theirs = world.wallet(*user).channel(&world.bank).unwrap();
        let ours = world.bank().channel(user).unwrap();
        assert!(theirs.is_idle() && ours.is_idle());
        assert_eq!(theirs.agreement().state.order(), ours.agreement().state.order());
    }
}

fn interrupt_everywhere(who: &Who) {
    let mut points = 0;
    while interrupted(who, points) {
        points += 1;
        assert!(points < 200);
    }
    assert!(points >= 8, "{points} points");
}

#[test]
fn the_payer_is_killed_at_every_step() {
    interrupt_everywhere(&Who::Payer);
}

#[test]
fn the_bank_is_killed_at_every_step() {
    interrupt_everywhere(&Who::Bank);
}

#[test]
fn the_payee_is_killed_at_every_step() {
    interrupt_everywhere(&Who::Payee);
}

#[test]
fn a_withdrawal_survives_restarts_at_every_step() {
    for after in 0..8 {
        for restart_bank in [true, false] {
            let (mut world, payer, _) = pair(Setup::new());
            let (bank, amount) = (world.bank, 300 * DOLLAR);
            let input = wallet::Input::RequestWithdrawal { bank, asset: FRD, amount, target: Target::OnChain };
            world.wish(payer, input).unwrap();
            for _ in 0..after {
                world.deliver_one();
            }
            world.restart(if restart_bank { bank } else { payer });
            world.deliver();
            assert_eq!(world.wallet(payer).on_chain().draft().count(), 1, "the consent is in the draft");
            world.restart(payer);
            world.deliver();
            world.send_batch(payer);
            world.block();
            world.assert_applied();
            assert_eq!(world.number_line(payer).0, 700 * DOLLAR);
            assert_eq!(world.wallet(payer).parts(&bank, FRD).in_flight, 0, "the hold ended");
        }
    }
}

/// The bank pays a user directly, and is killed after every message of it. Asked again under the same name it
/// pays nothing twice, and another payment under that name is refused.
#[test]
fn a_direct_payment_of_the_bank_is_made_once() {
    let mut points = 0;
    loop {
        let (mut world, payer, payee) = pair(Setup::new());
        world.pay(payer, payee, 700);
        let before = world.balance(payer);
        let pay = |amount| {
            let note = b"back".to_vec();
            bank::Input::Pay { request: request(7), peer: payer, asset: FRD, amount, note }
        };
        world.tell_bank(pay(300)).unwrap();
        let mut delivered = 0;
        while delivered < points && world.deliver_one() {
            delivered += 1;
        }
        world.restart(world.bank);
        world.tell_bank(pay(300)).unwrap();
        assert_eq!(world.tell_bank(pay(301)).unwrap_err(), bank::Refusal::RequestUsed);
        world.deliver();
        world.blocks(1);
        assert_eq!(world.balance(payer), before + 300, "killed after {points} messages");
        assert_eq!(world.bank().direct_payment(&request(7)).unwrap().state, DirectState::Paid);
        check_frames(&world, &[payer, payee]);
        if delivered < points {
            break;
        }
        points += 1;
    }
    assert!(points >= 2, "{points} points");
}

fn asset(ticker: &str) -> Box<Operation> {
    let (ticker, name) = (ticker.to_owned(), ticker.to_owned());
    Box::new(Operation::CreateAsset(CreateAsset { ticker, name, decimals: 2, supply: 1_000 }))
}

/// An order is found again under its name: after a restart, when court took the place of its batch, and when its
/// batch never found a block.
#[test]
fn an_order_is_done_once_under_its_name() {
    let (mut world, payer, _) = pair(Setup::new());
    let bank = world.bank;
    world.withholding.insert(bank);
    let order = |place, ticker| bank::Input::Order { request: request(place), operation: asset(ticker) };
    world.tell_bank(order(1, "ONE")).unwrap();
    world.tell_bank(order(1, "ONE")).unwrap();
    assert!(matches!(world.tell_bank(order(1, "TWO")).unwrap_err(), bank::Refusal::RequestUsed));
    // One batch is under way: the second order waits for it in the draft.
    world.tell_bank(order(2, "TWO")).unwrap();
    let first = world.bank().order(&request(1)).unwrap().batch.unwrap();
    assert_eq!(world.bank().order(&request(2)).unwrap().batch, None);
    world.restart(bank);
    let valid_until = world.bank().on_chain().sent_for(&first).unwrap().batch.body.valid_until;
    while world.follower.height() < valid_until {
        world.block();
    }
    // It never found a block: both are in the next batch.
    let next = world.bank().order(&request(1)).unwrap().batch.unwrap();
    assert!(next != first && world.bank().order(&request(2)).unwrap().batch == Some(next));
    world.withholding.clear();
    world.tell_bank(bank::Input::Dispute { peer: payer }).unwrap();
    world.restart(bank);
    world.block();
    world.block();
    world.assert_applied();
    world.tell_bank(order(1, "ONE")).unwrap();
    world.tell_bank(order(2, "TWO")).unwrap();
    for place in [1, 2] {
        let batch = world.bank().order(&request(place)).unwrap().batch.unwrap();
        let sent = world.bank().on_chain().sent_for(&batch).unwrap();
        let SentState::Included { receipts, .. } = &sent.state else { panic!("{:?}", sent.state) };
        assert_eq!((batch, receipts.len()), (next, 2));
    }
    world.blocks(3);
    let made = world.follower.state().assets().filter(|asset| asset.supply == 1_000).count();
    assert_eq!((made, world.bank().on_chain().draft().count()), (2, 0));
}
