//! Books over a state and a wallet that are put together from records.

use super::*;
use crate::merchant::keys::KeyId;
use crate::presets::Preset;
use fair_core::chain::certificate::{Validator, ValidatorSet};
use fair_core::chain::genesis::{self, Asset, Genesis, GenesisAccount, Purpose};
use fair_core::channel::event::Debug;
use fair_core::channel::shared::Head;
use fair_core::crypto::SecretKey;
use fair_core::entropy::Entropy;
use fair_core::ledger::state::{BadState, Debt, Key, State as Ledger, Value};
use fair_core::payment::invoice::{Description, RefundPolicy};
use fair_core::wallet::{Config, InvoiceState, OwnInvoice};

mod cover;
mod lists;
mod money;

const ID: InvoiceId = InvoiceId([7; 16]);
const AMOUNT: Amount = 5_000;
const NOW_MS: TimeMs = 1_000_000;

fn keys() -> [SecretKey; 2] {
    [1, 2].map(|seed| SecretKey::from_seed(&[seed; 32]))
}

fn bank() -> PublicKey {
    keys()[1].public()
}

fn genesis() -> Genesis {
    let asset =
        |id, ticker: &str| Asset { id, ticker: ticker.into(), name: ticker.into(), decimals: 2, supply: 20_000 };
    let validator = Validator { account: bank(), signing_key: bank(), shares: 1, url: "http://127.0.0.1:1".into() };
    let genesis = Genesis {
        network: "desk".into(),
        purpose: Purpose::Test,
        time_ms: 1,
        parameters: Preset::Demo.parameters(Some(50)).unwrap(),
        validators: ValidatorSet { validators: vec![validator] },
        assets: vec![asset(AssetId::FRD, "FRD"), asset(AssetId::FRB, "FRB")],
        accounts: keys()
            .iter()
            .map(|key| GenesisAccount {
                key: key.public(),
                balances: vec![(AssetId::FRD, 10_000), (AssetId::FRB, 10_000)],
            })
            .collect(),
        banks: vec![genesis::Bank {
            key: bank(),
            handle: "main".into(),
            url: "http://127.0.0.1:2".into(),
            fee_base: 0,
            fee_ppm: 0,
            insurance_price: 0,
        }],
    };
    genesis.check().unwrap();
    genesis
}

/// The chain with debts of the bank: to whom, in what, how much.
fn ledger(debts: &[(PublicKey, AssetId, Amount)]) -> Ledger {
    let debts = (0..).zip(debts).map(|(number, (creditor, asset, amount))| {
        let debt = Debt { creditor: *creditor, amount: *amount };
        (Key::Debt(bank(), *asset, number), Value::Debt(debt))
    });
    ledger_with(&debts.collect::<Vec<_>>())
}

/// The chain at its beginning, with more than that.
fn ledger_with(more: &[(Key, Value)]) -> Ledger {
    let start = Ledger::genesis(&genesis());
    let mut stored: Vec<(Vec<u8>, Vec<u8>)> = start.encoded().collect();
    stored.extend(more.iter().map(|(key, value)| (codec::encode(key), codec::encode(value))));
    let restore = |root| {
        let stored = stored.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
        Ledger::restore(start.chain_id(), 0, root, stored)
    };
    match restore(Hash::ZERO) {
        Err(BadState::WrongRoot { got, .. }) => restore(got).unwrap(),
        other => panic!("{:?}", other.err()),
    }
}

fn chain(ledger: &Ledger, height: Height) -> Chain<'_> {
    Chain { state: ledger, head: Head { height, usable_height: height, time_ms: NOW_MS } }
}

fn wallet<'a>(records: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Wallet {
    let config = Config { debug: Debug::Off };
    let chain_id = genesis().chain_id();
    Wallet::restore(&config, keys()[0].clone(), chain_id, Entropy::from_seed([9; 32]), records).unwrap()
}

fn desk() -> Desk {
    let rules = Rules {
        own: keys()[0].public(),
        chain_id: genesis().chain_id(),
        origin: None,
        min_insured: 100,
        sweep: None,
        keeping: Keeping {
            open: 4,
            open_per_key: 3,
            late: 3,
            late_per_key: 2,
            unpaid: 4,
            unpaid_per_key: 3,
            unpaid_ms: 10_000,
            events_ms: 10_000,
        },
    };
    Desk::new(rules, 1, 0)
}

fn new_invoice(id: InvoiceId) -> NewInvoice {
    NewInvoice {
        request: id.0,
        asset: AssetId::FRD,
        amount: Some(AMOUNT),
        description: Description::Text(String::new()),
        lifetime_ms: 60_000,
        origin: None,
        refunds: RefundPolicy::None,
        late: LatePolicy::Fail,
    }
}

/// Of all invoices in the books.
fn numbers(desk: &Desk) -> Vec<u64> {
    desk.invoices(&Wanted::default(), (0, usize::MAX)).lines.into_iter().map(|entry| entry.number).collect()
}

fn entry(id: InvoiceId) -> Entry {
    Entry::new(id, Hash::ZERO, String::new(), 100, [5; 8])
}

/// Books with an invoice that is being paid through the bank, and a wallet to which it is paid.
fn paid() -> (Desk, Wallet) {
    let (mut desk, mut wallet_before) = (desk(), wallet([]));
    let ledger = ledger(&[]);
    let input = Input::CreateInvoice(Box::new(new_invoice(ID)));
    let effects = wallet_before.handle(input, &chain(&ledger, 1), NOW_MS).unwrap();
    desk.put(Entry { state: State::Pending, paid_in: Some((bank(), AssetId::FRD)), ..entry(ID) });
    let own = wallet_before.invoice(&ID).unwrap().clone();
    let own = codec::encode(&OwnInvoice { state: InvoiceState::Paid, received: AMOUNT, ..own });
    let Some(Effect::Write(write)) = effects.first() else { panic!("a write") };
    let key = write.puts.iter().map(|(key, _)| key).find(|key| key.first() != Some(&MERCHANT)).unwrap();
    (desk, wallet([(key.as_slice(), own.as_slice())]))
}

fn told(effects: &[Effect<Event>]) -> String {
    let writes = effects.iter().filter_map(|effect| match effect {
        Effect::Write(write) => Some(write),
        _ => None,
    });
    let texts = writes.flat_map(|write| &write.puts).map(|(_, value)| String::from_utf8_lossy(value).into_owned());
    texts.collect()
}

#[test]
fn what_a_court_could_not_make_the_bank_pay_is_uninsured_until_it_is_paid() {
    let (mut desk, wallet) = paid();
    let own = keys()[0].public();
    // Of others and in another asset it does not count.
    let owed = ledger(&[(own, AssetId::FRD, 3_000), (bank(), AssetId::FRD, 900), (own, AssetId::FRB, 900)]);
    let settled = vec![Effect::Notify(Event::Invoice(ID))];
    let effects = desk.complete(settled, &wallet, &chain(&owed, 2), NOW_MS);
    let text = told(&effects);
    assert!(text.contains("invoice.paid") && text.contains(r#""enough":false"#), "{text}");
    assert_eq!(desk.entries[&ID].uninsured, 3_000);

    // A block alone changes what is owed: nothing else is told of it.
    let less = ledger(&[(own, AssetId::FRD, 1_000)]);
    assert!(!told(&desk.complete(Vec::new(), &wallet, &chain(&less, 3), NOW_MS)).contains("invoice.assured"));
    assert_eq!(desk.entries[&ID].uninsured, 1_000);
    // The bank has paid the rest of its debt, on-chain and so for good.
    let paid = ledger(&[]);
    let text = told(&desk.complete(Vec::new(), &wallet, &chain(&paid, 4), NOW_MS));
    assert!(text.contains("invoice.assured") && text.contains(r#""enough":true"#), "{text}");
}

#[test]
fn a_payment_that_was_only_promised_stays_so_when_the_bank_falls() {
    let (mut desk, wallet) = paid();
    let own = keys()[0].public();
    let entry = desk.entries.get_mut(&ID).unwrap();
    (entry.state, entry.uninsured) = (State::Paid, AMOUNT);
    let place = entry.place();
    desk.expose((bank(), AssetId::FRD), place, AMOUNT);
    // The court has ended the channel: its line owes nothing any more, the chain does.
    let owed = ledger(&[(own, AssetId::FRD, AMOUNT)]);
    let resolved = vec![Effect::Notify(Event::Channel(bank()))];
    let text = told(&desk.complete(resolved, &wallet, &chain(&owed, 2), NOW_MS));
    assert!(!text.contains("invoice.assured"), "{text}");
    assert_eq!((desk.entries[&ID].uninsured, desk.entries[&ID].assured), (AMOUNT, false));
}

/// A wallet that has no terms with a bank yet.
#[test]
fn nothing_is_made_that_nobody_could_pay() {
    let (mut desk, mut wallet, ledger) = (desk(), wallet([]), ledger(&[]));
    let (effects, made) = desk.create(new_invoice(ID), entry(ID), &mut wallet, &chain(&ledger, 1), NOW_MS);
    assert_eq!((effects, made), (Vec::new(), Err(Refused::NotReady)));
    assert!(desk.entries.is_empty() && wallet.invoice(&ID).is_none());
}

/// Invoices that end in this order, and the wallet that knows them.
fn with_open(desk: &mut Desk, wallet: &mut Wallet, ledger: &Ledger, ids: &[(u8, KeyId)]) {
    for (number, (id, key)) in (1_u64..).zip(ids) {
        let id = InvoiceId([*id; 16]);
        let new = NewInvoice { lifetime_ms: 1_000 * number, ..new_invoice(id) };
        wallet.handle(Input::CreateInvoice(Box::new(new)), &chain(ledger, 1), NOW_MS).unwrap();
        desk.put(Entry { number, key: *key, since_ms: NOW_MS, ..entry(id) });
    }
}

#[test]
fn so_many_are_open_with_one_key_and_in_all_and_those_that_end_make_room() {
    let (mut desk, mut wallet, ledger) = (desk(), wallet([]), ledger(&[]));
    let (one, other, third) = ([1; 8], [2; 8], [3; 8]);
    with_open(&mut desk, &mut wallet, &ledger, &[(9, one), (8, one), (7, one)]);
    desk.complete(Vec::new(), &wallet, &chain(&ledger, 2), NOW_MS);
    let full = |desk: &Desk, key| match desk.check_room(key, NOW_MS) {
        Err(Refused::TooManyOpen { whose, most, wait_s }) => Some((whose, most, wait_s)),
        other => {
            assert_eq!(other, Ok(()));
            None
        }
    };
    assert_eq!(full(&desk, &one), Some(("This key", 3, 2)), "the first ends in 1,001 ms");
    assert_eq!(full(&desk, &other), None);
    with_open(&mut desk, &mut wallet, &ledger, &[(9, one), (8, one), (7, one), (6, other)]);
    assert_eq!(full(&desk, &third).map(|(whose, most, _)| (whose, most)), Some(("This merchant", 4)));
    // The first one's time is over.
    desk.complete(Vec::new(), &wallet, &chain(&ledger, 3), NOW_MS + 1_001);
    assert_eq!((full(&desk, &one), full(&desk, &third)), (None, None));
    let cancelled = InvoiceId([8; 16]);
    let effects = wallet.handle(Input::CancelInvoice(cancelled), &chain(&ledger, 3), NOW_MS + 1_002).unwrap();
    desk.complete(effects, &wallet, &chain(&ledger, 3), NOW_MS + 1_002);
    // The one that was added beside the desk it does not look for.
    assert_eq!((desk.shelf_counts(), desk.ends.len()), ((2, 2), 1));
}

#[test]
fn what_ended_unpaid_is_forgotten_and_what_is_paid_or_newest_is_not() {
    let (mut desk, mut wallet, ledger) = (desk(), wallet([]), ledger(&[]));
    let key = [1; 8];
    with_open(&mut desk, &mut wallet, &ledger, &[(1, key), (2, key), (3, key), (4, key)]);
    let id = |number| InvoiceId([number; 16]);
    let paid = Entry { state: State::Paid, ..desk.entries[&id(2)].clone() };
    desk.put(paid);
    let late = NOW_MS + 4_001;
    desk.complete(Vec::new(), &wallet, &chain(&ledger, 2), late);
    assert!(desk.forget_unpaid(&mut wallet, late + 10_000).write.is_empty(), "they are kept for so long");
    let changes = desk.forget_unpaid(&mut wallet, late + 10_001);
    assert_eq!(changes.write.deletes.len(), 4, "two invoices, in the books and in the wallet");
    assert_eq!(desk.entries.keys().copied().collect::<Vec<_>>(), [id(2), id(4)]);
    assert_eq!(numbers(&desk), [2, 4]);
    assert!(wallet.invoice(&id(1)).is_none() && wallet.invoice(&id(2)).is_some() && wallet.invoice(&id(4)).is_some());
    assert_eq!(desk.shelf_counts(), (0, 1));
}

#[test]
fn too_many_that_ended_unpaid_are_forgotten_early_but_not_what_can_be_paid_late() {
    let (mut desk, mut wallet, ledger) = (desk(), wallet([]), ledger(&[]));
    let id = |number| InvoiceId([number; 16]);
    let late = NewInvoice { late: LatePolicy::Accept, ..new_invoice(id(1)) };
    wallet.handle(Input::CreateInvoice(Box::new(late)), &chain(&ledger, 1), NOW_MS).unwrap();
    let (greedy, other) = ([1; 8], [2; 8]);
    let ended = |number: u8, key| {
        let since_ms = NOW_MS + u64::from(number);
        Entry { number: number.into(), state: State::Expired, since_ms, key, ..entry(id(number)) }
    };
    let left = |desk: &Desk| desk.entries.keys().map(|id| id.0[0]).collect::<Vec<_>>();
    for number in 2..=5 {
        let new = new_invoice(id(number));
        wallet.handle(Input::CreateInvoice(Box::new(new)), &chain(&ledger, 1), NOW_MS).unwrap();
    }
    (1..=3).for_each(|number| desk.put(ended(number, greedy)));
    assert!(desk.forget_unpaid(&mut wallet, NOW_MS + 100).write.is_empty(), "there is room for them");
    desk.put(ended(4, greedy));
    desk.forget_unpaid(&mut wallet, NOW_MS + 100);
    assert_eq!(left(&desk), [1, 3, 4], "too many of one key: the first can still be paid");
    desk.put(ended(5, other));
    desk.rules.keeping.unpaid = 3;
    desk.forget_unpaid(&mut wallet, NOW_MS + 100);
    assert_eq!(left(&desk), [1, 4, 5], "too many in all");
    assert_eq!(desk.shelf_counts(), (0, 3));
}

#[test]
fn so_many_can_be_paid_late_with_one_key_and_in_all_until_they_are_paid_cancelled_or_forgotten() {
    let (mut desk, mut wallet, ledger) = (desk(), wallet([]), ledger(&[]));
    let (one, other, third) = ([1; 8], [2; 8], [3; 8]);
    let late = |desk: &mut Desk, wallet: &mut Wallet, number: u8, key: KeyId| {
        let id = InvoiceId([number; 16]);
        let new = NewInvoice { late: LatePolicy::Accept, lifetime_ms: 1_000, ..new_invoice(id) };
        wallet.handle(Input::CreateInvoice(Box::new(new)), &chain(&ledger, 1), NOW_MS).unwrap();
        let entry = Entry { number: number.into(), key, since_ms: NOW_MS, ..entry(id) };
        desk.put(entry.clone());
        entry
    };
    let full = |desk: &mut Desk, wallet: &Wallet, key| match desk.check_late(&key, wallet) {
        Err(Refused::TooManyLate { whose, most, .. }) => Some((whose, most)),
        other => {
            assert_eq!(other, Ok(()));
            None
        }
    };
    // After a restart nobody has counted them.
    late(&mut desk, &mut wallet, 1, one);
    late(&mut desk, &mut wallet, 2, one);
    with_open(&mut desk, &mut wallet, &ledger, &[(9, third)]);
    assert_eq!((full(&mut desk, &wallet, one), full(&mut desk, &wallet, other)), (Some(("This key", 2)), None));
    let third_one = late(&mut desk, &mut wallet, 3, other);
    desk.note_late(&third_one, &wallet);
    assert_eq!(full(&mut desk, &wallet, third), Some(("This merchant", 3)));
    // Their time is over: that makes no room.
    desk.complete(Vec::new(), &wallet, &chain(&ledger, 2), NOW_MS + 1_001);
    assert_eq!(desk.entries[&InvoiceId([1; 16])].state, State::Expired);
    assert_eq!(full(&mut desk, &wallet, third), Some(("This merchant", 3)));
    let cancelled = Input::CancelInvoice(InvoiceId([1; 16]));
    let effects = wallet.handle(cancelled, &chain(&ledger, 2), NOW_MS + 1_002).unwrap();
    desk.complete(effects, &wallet, &chain(&ledger, 2), NOW_MS + 1_002);
    assert_eq!((full(&mut desk, &wallet, third), full(&mut desk, &wallet, one)), (None, None));
    let fourth = late(&mut desk, &mut wallet, 4, one);
    desk.note_late(&fourth, &wallet);
    assert_eq!(full(&mut desk, &wallet, third), Some(("This merchant", 3)));
    let paid = Entry { state: State::Paid, ..fourth };
    desk.put(paid);
    assert_eq!(full(&mut desk, &wallet, third), None);
    // Long after, and again, since the newest stays.
    desk.forget_unpaid(&mut wallet, NOW_MS + 20_000);
    assert_eq!(desk.late_count(), 0);
}

/// What stands behind a channel stands behind what came first, whatever the ids are.
#[test]
fn after_a_restart_the_oldest_payment_is_insured_first() {
    let mut desk = desk();
    let ids = [3_u8, 1, 2];
    for (number, id) in (1_u64..).zip(ids) {
        let paid = Entry {
            number,
            state: State::Paid,
            since_ms: NOW_MS + number,
            paid_in: Some((bank(), AssetId::FRD)),
            uninsured: 10,
            ..entry(InvoiceId([id; 16]))
        };
        let mut write = Write::default();
        paid.write(&mut write);
        let (key, value) = write.puts.remove(0);
        assert!(desk.restore(&key, &value).unwrap());
    }
    let exposed = &desk.exposed[&(bank(), AssetId::FRD)];
    assert_eq!(exposed.ids.iter().map(|(_, _, id)| id.0[0]).collect::<Vec<_>>(), ids);
    assert_eq!(exposed.sum, 30);
}
