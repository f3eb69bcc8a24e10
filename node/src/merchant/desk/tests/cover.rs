//! What stands behind a payment, and what only looks so.

use super::*;
use crate::merchant::outgoing::{Purpose, Stage};
use fair_core::wallet::{Direction, Kind, Payment, PaymentState};

const OLDER: InvoiceId = InvoiceId([1; 16]);
const NEWER: InvoiceId = InvoiceId([2; 16]);
const REFUND: [u8; 16] = [8; 16];

type Records = Vec<(Vec<u8>, Vec<u8>)>;

fn wallet_of(records: &Records) -> Wallet {
    wallet(records.iter().map(|(key, value)| (key.as_slice(), value.as_slice())))
}

fn records_in(effects: Vec<Effect<Event>>) -> Records {
    let writes = effects.into_iter().filter_map(|effect| match effect {
        Effect::Write(write) => Some(write.puts),
        _ => None,
    });
    writes.flatten().collect()
}

/// Books with two payments that were only promised, and the records of the wallet that they came to.
fn promised() -> (Desk, Records) {
    let (mut desk, mut wallet, ledger) = (desk(), wallet([]), ledger(&[]));
    let mut records = Records::new();
    for (number, id) in (1_u64..).zip([OLDER, NEWER]) {
        let input = Input::CreateInvoice(Box::new(new_invoice(id)));
        let made = records_in(wallet.handle(input, &chain(&ledger, 1), NOW_MS).unwrap());
        let own = wallet.invoice(&id).unwrap().clone();
        let paid = codec::encode(&OwnInvoice { state: InvoiceState::Paid, received: AMOUNT, ..own });
        records.extend(made.into_iter().map(|(key, _)| (key, paid.clone())));
        let paid_in = Some((bank(), AssetId::FRD));
        let since_ms = NOW_MS + number;
        let entry = Entry { number, state: State::Paid, since_ms, paid_in, uninsured: AMOUNT, ..entry(id) };
        desk.expose((bank(), AssetId::FRD), entry.place(), AMOUNT);
        desk.put(entry);
    }
    (desk, records)
}

/// Lets a refund of the newer one arrive while the bank owes so much.
fn refunded(amount: Amount, owed: Amount) -> (Desk, Wallet, String) {
    let (mut desk, mut records) = promised();
    let payment = Payment {
        id: REFUND,
        direction: Direction::Out,
        kind: Kind::Spontaneous,
        asset: AssetId::FRD,
        amount,
        fee: 0,
        counterparty: None,
        description: String::new(),
        state: PaymentState::Paid,
        failure: None,
        created_ms: NOW_MS,
        ended_ms: Some(NOW_MS),
        ended_height: Some(1),
        hash: None,
        preimage: None,
        invoice: None,
        attempts: Vec::new(),
        max_fee: 0,
        payee_banks: Vec::new(),
        reference: None,
        lock: None,
    };
    records.push(([b"p", REFUND.as_slice()].concat(), codec::encode(&payment)));
    let wallet = wallet_of(&records);
    let (digest, purpose) = (Hash::ZERO, Purpose::Refund { invoice: NEWER });
    let (stage, made_as, asset) = (Stage::Pending, Stage::Pending, AssetId::FRD);
    let refund = Outgoing { id: REFUND, digest, purpose, asset, amount, stage, made_as, created_ms: NOW_MS };
    desk.outgoing.insert(REFUND, refund);
    desk.entries.get_mut(&NEWER).unwrap().refunds.push(REFUND);
    let text = blocks_later(&mut desk, &wallet, 2, owed, vec![Effect::Notify(Event::Payment(REFUND))]);
    assert!(text.contains("refund.paid"), "{text}");
    (desk, wallet, text)
}

/// What is told when the bank owes so much.
fn blocks_later(desk: &mut Desk, wallet: &Wallet, height: Height, owed: Amount, with: Vec<Effect<Event>>) -> String {
    let own = keys()[0].public();
    let debts = [(own, AssetId::FRD, owed)];
    let ledger = ledger(if owed > 0 { &debts } else { &[] });
    told(&desk.complete(with, wallet, &chain(&ledger, height), NOW_MS))
}

fn uninsured_of(desk: &Desk) -> [Amount; 2] {
    [OLDER, NEWER].map(|id| desk.entries[&id].uninsured)
}

fn assured(desk: &Desk) -> [bool; 2] {
    [OLDER, NEWER].map(|id| desk.entries[&id].assured)
}

#[test]
fn what_was_given_back_assures_no_other_payment() {
    let (mut desk, wallet, text) = refunded(AMOUNT, AMOUNT);
    assert!(!text.contains("invoice.assured"), "{text}");
    assert_eq!((uninsured_of(&desk), assured(&desk)), ([AMOUNT, 0], [false; 2]));
    let text = blocks_later(&mut desk, &wallet, 3, 0, Vec::new());
    assert_eq!(text.matches("invoice.assured").count(), 1, "{text}");
    assert_eq!(assured(&desk), [true, false], "of what was given back nothing is told");
}

#[test]
fn what_was_given_back_in_part_or_by_another_bank_assures_nothing_either() {
    // The bank of both owes what it owed: the refund went out elsewhere.
    let (mut desk, wallet, text) = refunded(3_000, 2 * AMOUNT);
    let left = AMOUNT - 3_000;
    assert!(!text.contains("invoice.assured"), "{text}");
    assert_eq!(uninsured_of(&desk), [AMOUNT, left]);
    let text = blocks_later(&mut desk, &wallet, 3, AMOUNT + left, Vec::new());
    assert!(!text.contains("invoice.assured"), "{text}");
    assert_eq!(uninsured_of(&desk), [AMOUNT, left]);
    // Of 2,000 that were kept 500 are insured: a quarter, of the 5,000 that came it would be most.
    desk.entries.get_mut(&NEWER).unwrap().min_insured = 26;
    let text = blocks_later(&mut desk, &wallet, 4, left - 500, Vec::new());
    assert_eq!(text.matches("invoice.assured").count(), 1, "{text}");
    assert_eq!((uninsured_of(&desk), assured(&desk)), ([0, left - 500], [true, false]));
}
