//! The bad bank of docs/protocol.md, section 8, in whole FRD and all four orientations: it moves its FRD away and
//! censors 123; somebody registers 123, which disputes; what the bank has left is taken, the rest is debt.

use crate::world::*;
use fair_core::bank;
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::ledger::receipt::{Place, Purpose};
use fair_core::types::{Amount, PublicKey, Side};
use fair_core::wallet;
use fair_core::watch::{CourtEvent, CourtStage};

fn to_account(to: PublicKey, amount: Amount) -> Deposit {
    Deposit { asset: FRD, amount, to, partner: None, keep: 0, epoch: None, invoice: None }
}

/// What court and debts have paid to a key in the newest block.
fn paid_to(world: &World, key: PublicKey) -> i64 {
    let of_batches = world
        .outcomes
        .iter()
        .flat_map(|outcome| outcome.operations.iter().flat_map(|operation| &operation.flows).chain(&outcome.debts));
    let of_openings = world.openings.iter().flat_map(|opening| &opening.flows);
    of_batches
        .chain(of_openings)
        .filter(|flow| matches!(flow.purpose, Purpose::Enforcement | Purpose::Debt))
        .filter(|flow| flow.place == Place::Account { key })
        .map(|flow| flow.amount)
        .sum()
}

fn bad_bank(two_is: Side, newcomer_is: Side) {
    let bank_key = key(1);
    let two_key = key_on(two_is, &bank_key, 2);
    let newcomer_key = key_on(newcomer_is, &bank_key, 123);
    let setup = Setup { accounts: vec![(two_key.public(), 1_000_000 * DOLLAR)], ..Setup::new() };
    let mut world = World::new(setup);
    let two = world.user(&two_key, 1_000 * DOLLAR, None);
    let newcomer = world.user(&newcomer_key, 1_000 * DOLLAR, None);
    let bank = world.bank;
    world.fund(two, 5_000 * DOLLAR);
    for _ in 0..50 {
        world.pay(two, newcomer, 20 * DOLLAR);
    }
    assert_eq!(world.owned(newcomer), (0, 1_000 * DOLLAR));
    // It cannot enforce anything before it has an account.
    let refused = world.wish(newcomer, wallet::Input::Dispute { bank }).unwrap_err();
    assert!(matches!(refused, wallet::Refusal::Batch(fair_core::account::CannotSend::Unregistered { .. })));

    // The bank moves all but 250 FRD away and censors 123.
    let accomplice = key(77).public();
    let away = world.on_chain(bank) - 260 * DOLLAR;
    world.tell_bank(bank::Input::Deposit { deposit: Box::new(to_account(accomplice, away)) }).unwrap();
    world.disconnect(newcomer);
    world.block();
    world.assert_applied();

    // Somebody registers 123, which disputes with the newest state that the bank signed.
    let gift = Operation::Deposit(to_account(newcomer, 10 * DOLLAR));
    world.wish(two, wallet::Input::DraftAdd { operations: vec![gift] }).unwrap();
    world.send_batch(two);
    world.block();
    world.assert_applied();
    let before = world.on_chain(newcomer);
    world.wish(newcomer, wallet::Input::Dispute { bank }).unwrap();
    let view = world.wallet(newcomer).court(&bank, &world.chain()).unwrap();
    assert!(matches!(view.stage, CourtStage::BatchUnderWay { .. }), "{:?}", view.stage);
    world.block();
    world.assert_applied();
    let fee = world.outcomes[0].fee;
    let view = world.wallet(newcomer).court(&bank, &world.chain()).unwrap();
    assert!(matches!(view.stage, CourtStage::Answering { .. }), "{:?}", view.stage);
    assert_eq!(view.begun_by_us, Some(true));
    assert_eq!((view.lines_in_court[0].insured, view.lines_in_court[0].uninsured), (0, 1_000 * DOLLAR));

    // What the bank has is taken, the rest is debt, and their sum is 1000 at every block.
    let left = world.on_chain(bank);
    let mut paid: i64 = 0;
    let mut resolved = false;
    let mut given = 0;
    for height in 0..200 {
        if resolved && height % 3 == 0 && given < 10 {
            // The bank receives something: it goes on to 123 at once.
            given += 1;
            let gift = Operation::Deposit(to_account(bank, 90 * DOLLAR));
            world.wish(two, wallet::Input::DraftAdd { operations: vec![gift] }).unwrap();
            world.send_batch(two);
        }
        world.block();
        paid += paid_to(&world, newcomer);
        let state = world.follower.state();
        let debts: Amount = state.debts_of(&bank, FRD).map(|(_, debt)| debt.amount).sum();
        resolved |= !world.openings.is_empty();
        if resolved {
            assert_eq!(paid.unsigned_abs() + debts, 1_000 * DOLLAR, "paid and open debt");
            let theirs = world.wallet(newcomer).court(&bank, &world.chain()).unwrap().owed_to_us;
            assert_eq!(theirs.iter().map(|debt| debt.amount).sum::<Amount>(), debts);
        } else {
            assert_eq!((paid, debts), (0, 0));
        }
        assert_eq!(world.on_chain(newcomer), before - fee + paid.unsigned_abs());
    }
    assert!(resolved);
    assert_eq!(paid, 1_000 * 100, "everything is paid in the end");
    let floor = world.follower.state().parameters().debt_floor;
    let last = world.wallet(newcomer).court(&bank, &world.chain()).unwrap().last.unwrap();
    assert_eq!(last.assets[0].owed, 1_000 * DOLLAR);
    assert_eq!(last.assets[0].paid, left - floor);
    assert_eq!(last.assets[0].debt, 1_000 * DOLLAR - (left - floor));
    let events = &world.nodes[&newcomer].wallet_events;
    let what: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            wallet::Event::Court { peer, what } if *peer == bank => Some(what.clone()),
            _ => None,
        })
        .collect();
    assert!(
        matches!(
            &what[..],
            [CourtEvent::Signed, CourtEvent::Disputed { by_us: true, .. }, CourtEvent::Resolved(resolution)]
                if *resolution == last
        ),
        "{what:?}"
    );
    // The channel with 2 has nothing to do with it.
    assert_eq!(world.owned(two), (4_000 * DOLLAR, 0));
}

#[test]
fn bad_bank_two_left_newcomer_right() {
    bad_bank(Side::Left, Side::Right);
}

#[test]
fn bad_bank_two_left_newcomer_left() {
    bad_bank(Side::Left, Side::Left);
}

#[test]
fn bad_bank_two_right_newcomer_right() {
    bad_bank(Side::Right, Side::Right);
}

#[test]
fn bad_bank_two_right_newcomer_left() {
    bad_bank(Side::Right, Side::Left);
}
