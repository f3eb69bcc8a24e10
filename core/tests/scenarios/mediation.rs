//! Payments through the bank: fees, failures, retries, caps.

use crate::world::*;
use fair_core::channel::event::OutgoingFailure;
use fair_core::channel::transition::FailReason;
use fair_core::payment::address::Address;
use fair_core::payment::proof::ProofOfPayment;
use fair_core::payment::route::NoRoute;
use fair_core::types::{Amount, PublicKey, Side};
use fair_core::wallet::{self, CannotPay, Failure, InvoiceState, Kind, Payable, PaymentState, Refusal};

/// Two users, the first with 1000 FRD in its channel; the second accepts 500 uninsured.
pub(crate) fn pair(setup: Setup) -> (World, PublicKey, PublicKey) {
    let (payer_key, payee_key) = (key(20), key(21));
    let mut setup = setup;
    setup.accounts.push((payer_key.public(), 10_000 * DOLLAR));
    let mut world = World::new(setup);
    let payer = world.user(&payer_key, 1_000 * DOLLAR, None);
    let payee = world.user(&payee_key, 500 * DOLLAR, None);
    world.fund(payer, 1_000 * DOLLAR);
    (world, payer, payee)
}

#[track_caller]
pub(crate) fn failure(world: &World, payer: PublicKey, request: &[u8; 16]) -> FailReason {
    let payment = world.payment(payer, request);
    assert_eq!(payment.state, PaymentState::Failed);
    match &payment.failure {
        Some(Failure::Attempt(OutgoingFailure::ByPartner { reason })) => *reason,
        other => panic!("another failure: {other:?}"),
    }
}

#[test]
fn a_payment_costs_exactly_its_fee_and_can_be_proven() {
    let (mut world, payer, payee) = pair(Setup { fee_base: 3, fee_ppm: 10_000, ..Setup::new() });
    let to = world.invoice(payee, Some(12_345));
    let quote = world.wallet(payer).quote(&to, FRD, 12_345, &world.chain(), world.now_ms).unwrap();
    // 1% of 12,345 rounds up to 124.
    assert_eq!((quote.route.fee(), quote.route.sent(), quote.provable), (127, 12_472, true));
    assert_eq!((quote.insured, quote.uninsured), (12_472, 0));
    let request = world.start_payment(payer, to, 12_345).unwrap();
    world.deliver();
    let payment = world.payment(payer, &request);
    assert_eq!((payment.state, payment.fee), (PaymentState::Paid, 127));
    assert_eq!(world.balance(payer), i128::from(100_000 - 12_472));
    assert_eq!(world.balance(payee), 12_345);
    let own = world.wallet(payee).invoices().next().unwrap();
    assert_eq!((own.state, own.received), (InvoiceState::Paid, 12_345));
    let text = world.wallet(payer).proof(&request).unwrap().to_text();
    let proven = ProofOfPayment::from_text(&text).unwrap().verify(&world.follower.state().chain_id()).unwrap();
    assert_eq!(proven.invoice.signer(), &payee);
    let incoming = world.wallet(payee).payments().next().unwrap();
    assert_eq!((incoming.state, incoming.amount), (PaymentState::Paid, 12_345));
    let mediated = fair_core::bank::Event::Mediated { asset: FRD, amount: 12_345, fee: 127 };
    assert!(world.nodes[&world.bank].bank_events.contains(&mediated));
}

#[test]
fn a_spontaneous_payment_arrives_and_proves_nothing() {
    let (mut world, payer, payee) = pair(Setup::new());
    let to = Payable::Address(world.wallet(payee).address());
    let request = world.start_payment(payer, to, 700).unwrap();
    world.deliver();
    assert_eq!(world.payment(payer, &request).state, PaymentState::Paid);
    assert_eq!(world.balance(payee), 700);
    assert_eq!(world.wallet(payer).proof(&request), None);
}

#[test]
fn what_cannot_be_paid_is_refused_with_its_reason_and_changes_nothing() {
    let (mut world, payer, payee) = pair(Setup::new());
    let before = (world.nodes[&payer].disk.clone(), world.nodes[&payer].writes);
    let to = world.invoice(payee, Some(200_000));
    let stale = world.invoice(payee, Some(5));
    let expect = |world: &mut World, to: &Payable, amount: Amount, expected: CannotPay| {
        let refused = world.start_payment(payer, to.clone(), amount).unwrap_err();
        assert_eq!(refused, Refusal::Payment(expected));
    };
    let too_much = NoRoute::TooMuch { available: 100_000, needed: 200_000 };
    expect(&mut world, &to, 200_000, CannotPay::Route(too_much));
    expect(&mut world, &to, 5, CannotPay::WrongAmount { expected: 200_000, got: 5 });
    let own = world.invoice(payer, Some(5));
    let before = if before.1 == world.nodes[&payer].writes { before } else { (world.nodes[&payer].disk.clone(), 0) };
    expect(&mut world, &own, 5, CannotPay::Own);
    world.now_ms += 21_000;
    expect(&mut world, &stale, 5, CannotPay::StaleHead);
    world.now_ms += 3_600_000;
    world.block();
    let Payable::Invoice(invoice) = &stale else { panic!("an invoice") };
    expect(&mut world, &stale, 5, CannotPay::Expired { at_ms: invoice.body().expires_ms });
    assert_eq!(world.nodes[&payer].disk, before.0);
}

#[test]
fn an_offline_payee_fails_the_payment_and_later_it_can_be_paid() {
    let (mut world, payer, payee) = pair(Setup::new());
    let to = world.invoice(payee, Some(700));
    world.disconnect(payee);
    let request = world.start_payment(payer, to.clone(), 700).unwrap();
    world.deliver();
    assert_eq!(failure(&world, payer, &request), FailReason::NextHopUnavailable);
    assert_eq!(world.balance(payer), 100_000);
    world.connect(payee);
    world.deliver();
    let request = world.start_payment(payer, to, 700).unwrap();
    world.deliver();
    assert_eq!(world.payment(payer, &request).state, PaymentState::Paid);
}

#[test]
fn a_payee_without_room_fails_the_payment() {
    let (mut world, payer, payee) = pair(Setup::new());
    let to = world.invoice(payee, Some(50_001));
    let request = world.start_payment(payer, to, 50_001).unwrap();
    world.deliver();
    assert_eq!(failure(&world, payer, &request), FailReason::NextHopUnavailable);
    assert_eq!((world.balance(payer), world.balance(payee)), (100_000, 0));
}

#[test]
fn asking_again_does_nothing_twice() {
    let (mut world, payer, payee) = pair(Setup::new());
    let to = world.invoice(payee, None);
    let request = request(7);
    let pay = |amount| wallet::Input::Pay {
        request,
        to: Box::new(to.clone()),
        asset: FRD,
        amount,
        max_fee: 0,
        description: String::new(),
    };
    for _ in 0..3 {
        world.wish(payer, pay(900)).unwrap();
        world.deliver();
    }
    assert_eq!((world.balance(payer), world.balance(payee)), (99_100, 900));
    let refused = world.wish(payer, pay(901)).unwrap_err();
    assert_eq!(refused, Refusal::Payment(CannotPay::RequestUsed));
}

#[test]
fn payments_flow_both_ways_at_once_and_nothing_is_left_over() {
    for side in [Side::Left, Side::Right] {
        let bank_key = key(1);
        let payer_key = key_on(side, &bank_key, 30);
        let payee_key = key_on(side, &bank_key, 90);
        let setup = Setup {
            accounts: vec![(payer_key.public(), 10_000 * DOLLAR), (payee_key.public(), 10_000 * DOLLAR)],
            ..Setup::new()
        };
        let mut world = World::new(setup);
        let payer = world.user(&payer_key, 1_000 * DOLLAR, None);
        let payee = world.user(&payee_key, 1_000 * DOLLAR, None);
        world.fund(payer, 1_000 * DOLLAR);
        world.fund(payee, 1_000 * DOLLAR);
        let mut requests = vec![];
        for n in 1..=20 {
            let there = world.invoice(payee, Some(n));
            let back = world.invoice(payer, Some(2 * n));
            requests.push((payer, world.start_payment(payer, there, n).unwrap()));
            requests.push((payee, world.start_payment(payee, back, 2 * n).unwrap()));
        }
        world.deliver();
        for (user, request) in requests {
            assert_eq!(world.payment(user, &request).state, PaymentState::Paid);
        }
        assert_eq!(world.balance(payer), 100_000 + 210);
        assert_eq!(world.balance(payee), 100_000 - 210);
        assert_eq!(world.bank().forwards().count(), 0);
        assert!(world.nodes[&world.bank].disk.keys().all(|key| key[0] != b'f'), "no forward is left on disk");
    }
}

/// A bank's own address is paid without a lock, the note for oneself stays with oneself, and asking again
/// pays nothing more.
#[test]
fn the_address_of_an_own_bank_is_paid_directly() {
    let (mut world, payer, _) = pair(Setup::new());
    let (before, bank) = (world.balance(payer), world.bank);
    let address = Address::new(&world.follower.state().chain_id(), bank, &[]);
    let order = |amount| wallet::Input::Pay {
        request: request(1),
        to: Box::new(Payable::Address(address.clone())),
        asset: FRD,
        amount,
        max_fee: 0,
        description: "between us".to_owned(),
    };
    for _ in 0..2 {
        world.wish(payer, order(700)).unwrap();
        world.deliver();
    }
    let payment = world.payment(payer, &request(1));
    assert_eq!((payment.state, payment.kind, payment.fee), (PaymentState::Paid, Kind::Direct, 0));
    assert_eq!((payment.description.as_str(), payment.attempts.len()), ("between us", 0));
    assert_eq!(world.balance(payer), before - 700);
    let other = world.wish(payer, order(701)).unwrap_err();
    assert_eq!(other, wallet::Refusal::Payment(CannotPay::RequestUsed));
}
