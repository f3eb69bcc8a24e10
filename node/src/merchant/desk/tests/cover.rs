//! What stands behind a payment, and what only looks so.

use super::*;
use crate::merchant::outgoing::{Purpose, Stage};
use fair_core::channel::state::{ChannelState, StateOrder, Sub};
use fair_core::ledger::state::Channel;
use fair_core::types::{Parties, Side};
use fair_core::wallet::{Credit, Direction, Kind, Payment, PaymentState};

const OLDER: InvoiceId = InvoiceId([1; 16]);
const NEWER: InvoiceId = InvoiceId([2; 16]);
const REFUND: [u8; 16] = [8; 16];
const FRAME: u64 = 5;

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
    let (number, created_ms) = (1, NOW_MS);
    desk.put_outgoing(Outgoing { id: REFUND, digest, purpose, asset, amount, stage, made_as, created_ms, number });
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

/// Books and a wallet whose channel owes both payments by a state of the frame [`FRAME`].
fn owed_in_channel() -> (Desk, Wallet) {
    let (desk, mut records) = promised();
    let mut new = wallet([]);
    let credit = vec![Credit { asset: AssetId::FRD, limit: 10_000, insure_above: None, most_price: 0 }];
    let input = Input::AddBank { bank: bank(), credit };
    let made = records_in(new.handle(input, &chain(&ledger(&[]), 1), NOW_MS).unwrap());
    let channel = new.channel(&bank()).unwrap();
    let before = &channel.agreement().state;
    let amount = i64::try_from(2 * AMOUNT).unwrap();
    let offdelta = if channel.side() == Side::Left { amount } else { -amount };
    let sub = Sub { asset: AssetId::FRD, offdelta, left_locks: Vec::new(), right_locks: Vec::new() };
    let state = ChannelState { frame: FRAME, proposer: Side::Left, subs: vec![sub], ..before.clone() };
    let before = codec::encode(before);
    for (key, mut record) in made {
        if key.first() == Some(&fair_core::peers::CHANNEL) {
            let from = record.windows(before.len()).position(|bytes| bytes == before).unwrap();
            record.splice(from..from + before.len(), codec::encode(&state));
        }
        records.push((key, record));
    }
    let wallet = wallet_of(&records);
    assert_eq!(promised_by(&wallet), 2 * AMOUNT);
    (desk, wallet)
}

fn promised_by(wallet: &Wallet) -> Amount {
    super::super::promised(wallet, &bank(), AssetId::FRD)
}

/// Lets court end the epoch by the state of a frame, with a debt. What is told, and the books.
fn decided_by(frame: u64, debt: Amount) -> (Desk, Wallet, String) {
    let (mut desk, mut wallet) = owed_in_channel();
    let own = keys()[0].public();
    let parties = Parties::new(own, bank()).unwrap();
    let resolved = Some(StateOrder { frame, proposer: Side::Left });
    let channel = Channel { epoch: 1, assets: Vec::new(), resolved };
    let mut changed = vec![(Key::Channel(parties), Value::Channel(channel))];
    if debt > 0 {
        changed.push((Key::Debt(bank(), AssetId::FRD, 0), Value::Debt(Debt { creditor: own, amount: debt })));
    }
    let ledger = ledger_with(&changed);
    let chain = chain(&ledger, 2);
    desk.before_block(&wallet);
    let effects = wallet.handle(Input::Block { outcomes: &[], openings: &[] }, &chain, NOW_MS).unwrap();
    assert_eq!((wallet.channel(&bank()).unwrap().epoch(), promised_by(&wallet)), (1, 0));
    let text = told(&desk.complete(effects, &wallet, &chain, NOW_MS));
    (desk, wallet, text)
}

#[test]
fn what_court_decided_by_an_old_state_is_never_assured() {
    let (mut desk, wallet, text) = decided_by(FRAME - 1, 0);
    assert!(!text.contains("invoice.assured"), "{text}");
    let is_open = |desk: &Desk| (uninsured_of(desk), assured(desk)) == ([AMOUNT; 2], [false; 2]);
    assert!(is_open(&desk) && desk.exposed.is_empty());
    // Nor later, nor after a restart: what was stored says so.
    let text = blocks_later(&mut desk, &wallet, 3, 0, Vec::new());
    assert!(!text.contains("invoice.assured") && is_open(&desk), "{text}");
    let mut again = super::desk();
    for entry in desk.entries.values() {
        let mut write = Write::default();
        entry.write(&mut write);
        let (key, value) = write.puts.remove(0);
        assert!(again.restore(&key, &value).unwrap());
    }
    again.before_block(&wallet);
    let text = blocks_later(&mut again, &wallet, 4, 0, Vec::new());
    assert!(!text.contains("invoice.assured") && is_open(&again), "{text}");
}

#[test]
fn what_court_decided_by_the_newest_state_is_assured_but_for_the_debt() {
    for frame in [FRAME, FRAME + 1] {
        let (desk, _, text) = decided_by(frame, 0);
        assert_eq!(text.matches("invoice.assured").count(), 2, "{text}");
        assert_eq!((uninsured_of(&desk), assured(&desk)), ([0; 2], [true; 2]));
    }
    let (mut desk, wallet, text) = decided_by(FRAME, AMOUNT);
    assert_eq!(text.matches("invoice.assured").count(), 1, "{text}");
    assert_eq!((uninsured_of(&desk), assured(&desk)), ([0, AMOUNT], [true, false]));
    // It stays so in the new epoch, until the debt is paid.
    desk.before_block(&wallet);
    let text = blocks_later(&mut desk, &wallet, 3, AMOUNT, Vec::new());
    assert!(!text.contains("invoice.assured"), "{text}");
    desk.before_block(&wallet);
    assert!(blocks_later(&mut desk, &wallet, 4, 0, Vec::new()).contains("invoice.assured"));
}
