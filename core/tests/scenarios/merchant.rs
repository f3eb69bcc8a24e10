//! What a merchant needs of its invoices: refunds, late payments, cancelling, payments that come twice.

use crate::mediation::pair;
use crate::world::*;
use fair_core::effect::Write;
use fair_core::payment::invoice::{Description, Invoice, InvoiceId, LatePolicy, RefundPolicy};
use fair_core::types::{Amount, Hash, PublicKey};
use fair_core::wallet::{
    self, CannotCancel, CannotPay, Event, InvoiceState, NewInvoice, Payable, PaymentState, Refusal,
};

const LIFETIME_MS: u64 = 60_000;

fn invoice(
    world: &mut World,
    payee: PublicKey,
    amount: Amount,
    refunds: RefundPolicy,
    late: LatePolicy,
) -> (InvoiceId, Payable) {
    invoice_of(world, payee, Some(amount), refunds, late)
}

fn invoice_of(
    world: &mut World,
    payee: PublicKey,
    amount: Option<Amount>,
    refunds: RefundPolicy,
    late: LatePolicy,
) -> (InvoiceId, Payable) {
    let request = world.next_request();
    let description = Description::Text("tea".into());
    let new =
        NewInvoice { request, asset: FRD, amount, description, lifetime_ms: LIFETIME_MS, origin: None, refunds, late };
    world.wish(payee, wallet::Input::CreateInvoice(Box::new(new))).unwrap();
    let id = InvoiceId(request);
    let signed = world.wallet(payee).invoice(&id).unwrap().invoice.clone();
    let verified = signed.verify(&world.follower.state().chain_id(), &payee).unwrap();
    (id, Payable::Invoice(Box::new(verified)))
}

fn state(world: &World, payee: PublicKey, id: &InvoiceId) -> InvoiceState {
    world.wallet(payee).invoice(id).unwrap().state
}

#[test]
fn a_payee_that_promises_refunds_learns_where_to_send_them_and_no_other_does() {
    let (mut world, payer, payee) = pair(Setup::new());
    for (refunds, expected) in [(RefundPolicy::OnRequest, true), (RefundPolicy::None, false)] {
        let (id, to) = invoice(&mut world, payee, 500, refunds, LatePolicy::Fail);
        world.start_payment(payer, to, 500).unwrap();
        world.deliver();
        world.restart(payee);
        world.deliver();
        assert_eq!(state(&world, payee, &id), InvoiceState::Paid);
        let payment = world.wallet(payee).invoice(&id).unwrap().payment.unwrap();
        let address = world.wallet(payee).refund_address(&payment).cloned();
        assert_eq!(address.is_some(), expected);
        if let Some(address) = address {
            let before = world.balance(payer);
            let chain_id = world.follower.state().chain_id();
            let back = Payable::Address(address.to_address(&chain_id));
            let request = world.start_payment(payee, back, 200).unwrap();
            world.deliver();
            assert_eq!(world.payment(payee, &request).state, PaymentState::Paid);
            assert_eq!(world.balance(payer), before + 200);
        }
    }
}

#[test]
fn a_cancelled_invoice_takes_no_payment_and_a_paid_one_is_not_cancelled() {
    let (mut world, payer, payee) = pair(Setup::new());
    let (id, to) = invoice(&mut world, payee, 500, RefundPolicy::None, LatePolicy::Fail);
    world.wish(payee, wallet::Input::CancelInvoice(id)).unwrap();
    world.wish(payee, wallet::Input::CancelInvoice(id)).unwrap();
    world.restart(payee);
    world.deliver();
    assert_eq!(state(&world, payee, &id), InvoiceState::Cancelled);
    let request = world.start_payment(payer, to, 500).unwrap();
    world.deliver();
    assert_eq!(world.payment(payer, &request).state, PaymentState::Failed);
    assert_eq!((state(&world, payee, &id), world.balance(payee)), (InvoiceState::Cancelled, 0));

    let (paid, to) = invoice(&mut world, payee, 500, RefundPolicy::None, LatePolicy::Fail);
    world.start_payment(payer, to, 500).unwrap();
    world.deliver();
    let refused = world.wish(payee, wallet::Input::CancelInvoice(paid)).unwrap_err();
    assert_eq!(refused, Refusal::Cancel(CannotCancel::Taken(paid)));
    let unknown = InvoiceId([9; 16]);
    let refused = world.wish(payee, wallet::Input::CancelInvoice(unknown)).unwrap_err();
    assert_eq!(refused, Refusal::Cancel(CannotCancel::Unknown(unknown)));
}

#[test]
fn a_second_payment_goes_back_and_is_told() {
    let (mut world, payer, payee) = pair(Setup::new());
    let other = world.user(&key(22), 1_000 * DOLLAR, None);
    world.pay(payer, other, 600);
    let (id, to) = invoice(&mut world, payee, 500, RefundPolicy::None, LatePolicy::Fail);
    world.start_payment(payer, to.clone(), 500).unwrap();
    world.deliver();
    let again = Event::InvoicePaidAgain(id);
    assert!(!world.nodes[&payee].wallet_events.contains(&again));
    let second = world.start_payment(other, to, 500).unwrap();
    world.deliver();
    assert_eq!(world.payment(other, &second).state, PaymentState::Failed);
    assert!(world.nodes[&payee].wallet_events.contains(&again));
    assert_eq!(world.wallet(payee).invoice(&id).unwrap().received, 500);
    assert_eq!(world.balance(payee), 500);
}

/// Whoever has read an invoice can lock one unit with its payment secret.
#[test]
fn what_does_not_pay_an_invoice_does_not_pay_it_again() {
    let (mut world, payer, payee) = pair(Setup::new());
    let other = world.user(&key(22), 1_000 * DOLLAR, None);
    world.pay(payer, other, 600);
    for amount in [Some(500), None] {
        let (id, to) = invoice_of(&mut world, payee, amount, RefundPolicy::None, LatePolicy::Fail);
        world.start_payment(payer, to.clone(), 500).unwrap();
        world.deliver();
        let Payable::Invoice(invoice) = to else { panic!("an invoice") };
        let of = |change: fn(&mut Invoice)| {
            let mut body = invoice.body().clone();
            body.amount = None;
            change(&mut body);
            let signed = body.sign_by(&key(21)).unwrap();
            Payable::Invoice(Box::new(signed))
        };
        let (same, other_hash) = (of(|_| {}), of(|body| body.lock_hash = Hash([7; 32])));
        for (to, amount) in [(same.clone(), 1), (same, 499), (other_hash, 500)] {
            let request = world.start_payment(other, to, amount).unwrap();
            world.deliver();
            assert_eq!(world.payment(other, &request).state, PaymentState::Failed);
        }
        assert!(!world.nodes[&payee].wallet_events.contains(&Event::InvoicePaidAgain(id)));
    }
}

#[test]
fn what_nobody_paid_is_forgotten_and_what_is_paid_is_not() {
    let (mut world, payer, payee) = pair(Setup::new());
    let (open, to) = invoice(&mut world, payee, 500, RefundPolicy::None, LatePolicy::Fail);
    let (paid, paid_to) = invoice(&mut world, payee, 500, RefundPolicy::None, LatePolicy::Fail);
    world.start_payment(payer, paid_to, 500).unwrap();
    world.deliver();
    let mut write = Write::default();
    assert_eq!(world.wallet_mut(payee).forget_invoice(&paid, &mut write), Err(CannotCancel::Taken(paid)));
    assert!(write.is_empty());
    assert_eq!(world.wallet_mut(payee).forget_invoice(&open, &mut write), Ok(()));
    assert_eq!(world.wallet_mut(payee).forget_invoice(&open, &mut write), Err(CannotCancel::Unknown(open)));
    assert_eq!((write.puts.len(), write.deletes.len()), (0, 1));
    let request = world.start_payment(payer, to, 500).unwrap();
    world.deliver();
    assert_eq!(world.payment(payer, &request).state, PaymentState::Failed);
    assert_eq!(world.balance(payee), 500);
}

#[test]
fn what_comes_late_is_taken_only_where_the_invoice_says_so() {
    for (late, expected) in [(LatePolicy::Accept, InvoiceState::Paid), (LatePolicy::Fail, InvoiceState::Open)] {
        let (mut world, payer, payee) = pair(Setup::new());
        let (id, to) = invoice(&mut world, payee, 500, RefundPolicy::None, late);
        world.now_ms += LIFETIME_MS + 1;
        world.block();
        match world.start_payment(payer, to, 500) {
            Ok(_) => {
                assert_eq!(late, LatePolicy::Accept, "a wallet does not pay what expired");
                world.deliver();
            }
            Err(refused) => assert!(matches!(refused, Refusal::Payment(CannotPay::Expired { .. })), "{refused}"),
        }
        assert_eq!(state(&world, payee, &id), expected);
    }
}

/// A payer that has changed its wallet, or whose clock is behind.
#[test]
fn a_payee_takes_nothing_late_whatever_the_payer_believes() {
    for (late, expected) in [(LatePolicy::Accept, InvoiceState::Paid), (LatePolicy::Fail, InvoiceState::Open)] {
        let (mut world, payer, payee) = pair(Setup::new());
        let (id, to) = invoice(&mut world, payee, 500, RefundPolicy::None, late);
        world.now_ms += LIFETIME_MS + 1;
        world.block();
        let Payable::Invoice(signed) = to else { panic!("an invoice") };
        let mut body = signed.body().clone();
        body.expires_ms += 10 * LIFETIME_MS;
        let longer = Payable::Invoice(Box::new(body.sign_by(&key(21)).unwrap()));
        world.start_payment(payer, longer, 500).unwrap();
        world.deliver();
        assert_eq!(state(&world, payee, &id), expected);
    }
}
