//! Names that are used once, and money that goes back once.

use super::*;
use crate::merchant::outgoing::{NewPayout, NewRefund, Purpose, Stage};
use fair_core::payment::address::Address;
use fair_core::wallet::Payable;

const REFUND: [u8; 16] = [8; 16];
const OTHER: Hash = Hash([4; 32]);

fn address() -> Payable {
    Payable::Address(Address::new(&genesis().chain_id(), bank(), &[bank()]))
}

fn refund(amount: Option<Amount>) -> NewRefund {
    NewRefund { id: REFUND, digest: Hash::ZERO, invoice: ID, amount, link: true }
}

/// Money that is on its way out for some purpose.
fn sent(stage: Stage, made_as: Stage, purpose: Purpose) -> Outgoing {
    let (digest, asset, amount, created_ms) = (Hash::ZERO, AssetId::FRD, 100, NOW_MS);
    Outgoing { id: REFUND, digest, purpose, asset, amount, stage, made_as, created_ms, number: 1 }
}

#[test]
fn something_else_under_a_used_name_is_refused_and_changes_nothing() {
    let (mut desk, mut wallet, ledger) = (desk(), wallet([]), ledger(&[]));
    let chain = chain(&ledger, 1);
    desk.put(entry(ID));
    let mut create = |digest| {
        let entry = Entry { digest, ..entry(ID) };
        desk.create(new_invoice(ID), entry, &mut wallet, &chain, NOW_MS)
    };
    assert_eq!(create(Hash::ZERO), (Vec::new(), Ok(())), "the same again");
    assert_eq!(create(OTHER), (Vec::new(), Err(Refused::NameUsed)));

    let known = sent(Stage::Paid, Stage::Pending, Purpose::Refund { invoice: ID });
    desk.outgoing.insert(REFUND, known.clone());
    let mut again = |digest| desk.refund(&NewRefund { digest, ..refund(None) }, &mut wallet, &chain, NOW_MS);
    assert_eq!(again(Hash::ZERO), (Vec::new(), Ok(known)));
    assert_eq!(again(OTHER), (Vec::new(), Err(Refused::NameUsed)));

    let known = sent(Stage::Paid, Stage::Pending, Purpose::Payout);
    desk.outgoing.insert(REFUND, known.clone());
    let mut again = |digest| {
        let new = NewPayout { id: REFUND, digest, to: address(), asset: AssetId::FRD, amount: 100, max_fee: 10 };
        desk.payout(new, &mut wallet, &chain, NOW_MS)
    };
    assert_eq!(again(Hash::ZERO), (Vec::new(), Ok(known)));
    assert_eq!(again(OTHER), (Vec::new(), Err(Refused::NameUsed)));
}

#[test]
fn no_more_goes_back_than_came_and_what_is_promised_counts() {
    let ((mut desk, mut wallet), ledger) = (paid(), ledger(&[]));
    let chain = chain(&ledger, 1);
    let mut ask = |id: u8, amount| {
        let new = NewRefund { id: [id; 16], ..refund(amount) };
        desk.refund(&new, &mut wallet, &chain, NOW_MS).1.map(|made| made.amount)
    };
    assert_eq!(ask(1, Some(AMOUNT + 1)), Err(Refused::TooMuch { left: AMOUNT }));
    assert_eq!(ask(1, Some(AMOUNT - 1_000)), Ok(AMOUNT - 1_000));
    assert_eq!(ask(2, Some(1_001)), Err(Refused::TooMuch { left: 1_000 }));
    assert_eq!(ask(2, None), Ok(1_000));
    assert_eq!(ask(3, None), Err(Refused::TooMuch { left: 0 }));
}

#[test]
fn a_link_is_good_once_and_not_after_it_is_taken_back() {
    let (mut desk, mut wallet, ledger) = (desk(), wallet([]), ledger(&[]));
    let purpose = || Purpose::Refund { invoice: ID };
    let mut claim = |known: Outgoing| {
        desk.outgoing.insert(REFUND, known);
        let (effects, claimed) = desk.claim(REFUND, address(), &mut wallet, &chain(&ledger, 1), NOW_MS);
        assert!(effects.is_empty());
        claimed.unwrap_err()
    };
    for stage in [Stage::Pending, Stage::Paid, Stage::Failed] {
        assert_eq!(claim(sent(stage, Stage::Claimable, purpose())), Refused::Claimed);
        assert_eq!(claim(sent(stage, Stage::Pending, purpose())), Refused::NoLink);
    }
    assert_eq!(claim(sent(Stage::Cancelled, Stage::Claimable, purpose())), Refused::TakenBack);
    assert_eq!(claim(sent(Stage::Claimable, Stage::Claimable, Purpose::Payout)), Refused::UnknownRefund);
    // This one would be sent, if there were a bank.
    assert!(matches!(claim(sent(Stage::Claimable, Stage::Claimable, purpose())), Refused::Wallet(_)));
    assert_eq!(desk.outgoing[&REFUND].stage, Stage::Claimable);
    assert_eq!(desk.take_back(&REFUND, NOW_MS).1.map(|refund| refund.stage), Ok(Stage::Cancelled));
    desk.outgoing.insert(REFUND, sent(Stage::Pending, Stage::Claimable, purpose()));
    assert_eq!(desk.take_back(&REFUND, NOW_MS).1, Err(Refused::Claimed));
}
