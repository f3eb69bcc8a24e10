use crate::chain::genesis::{Asset, Bank};
use crate::crypto::SecretKey;
use crate::ledger::fixture::{START, World, genesis, key};
use crate::ledger::operation::{BankTerms, CreateAsset, Operation};
use crate::ledger::receipt::{Flow, Place, Purpose, Receipt, SkipReason};
use crate::ledger::state::{Key, Value};
use crate::limits;
use crate::types::AssetId;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn asset() -> CreateAsset {
    CreateAsset { ticker: "GLD".into(), name: "Gold".into(), decimals: 3, supply: 1_000_000 }
}

fn terms(handle: &str) -> BankTerms {
    BankTerms {
        handle: handle.into(),
        url: "https://bank.example".into(),
        fee_base: 1,
        fee_ppm: 100,
        insurance_price: 5,
    }
}

fn apply(world: &mut World, signer: &SecretKey, operation: Operation) -> Vec<Flow> {
    let outcome = world.run(signer, vec![operation]).remove(0);
    assert_eq!(outcome.receipt, Receipt::Applied { registered: None });
    outcome.flows
}

#[test]
fn an_asset_is_made_once_and_belongs_to_its_maker() {
    let mut world = World::new();
    let maker = key(5);
    let flows = apply(&mut world, &maker, Operation::CreateAsset(asset()));
    let id = AssetId(3);
    let CreateAsset { ticker, name, decimals, supply } = asset();
    assert_eq!(world.state().asset(id), Some(&Asset { id, ticker, name, decimals, supply }));
    assert_eq!(world.state().balance(&maker.public(), id), supply);
    assert_eq!(world.state().value(&Key::ticker("GLD")), Some(&Value::Ticker(id)));
    let fee = world.state().parameters().account_creation_fee;
    let account = Place::Account { key: maker.public() };
    let paid: i64 = flows
        .iter()
        .filter(|flow| flow.purpose == Purpose::CreationFee && flow.place == account)
        .map(|flow| flow.amount)
        .sum();
    assert_eq!(paid, -i64::try_from(fee).unwrap());
    let issue = Flow { place: account, asset: id, amount: 1_000_000, purpose: Purpose::Issue };
    assert_eq!(flows.iter().filter(|flow| flow.purpose == Purpose::Issue).collect::<Vec<_>>(), [&issue]);

    let taken = SkipReason::TickerTaken { ticker: "GLD".into(), asset: id };
    world.assert_skipped(&key(6), Operation::CreateAsset(asset()), taken);
    let second = CreateAsset { ticker: "SLV".into(), supply: limits::MAX_SUPPLY, ..asset() };
    apply(&mut world, &key(6), Operation::CreateAsset(second));
    assert_eq!(world.state().balance(&key(6).public(), AssetId(4)), limits::MAX_SUPPLY);
}

#[test]
fn every_field_of_an_asset_has_its_bounds() {
    let mut world = World::new();
    let long = "A".repeat(limits::MAX_NAME_BYTES + 1);
    let cases = [
        (CreateAsset { ticker: String::new(), ..asset() }, SkipReason::BadTicker),
        (CreateAsset { ticker: "gld".into(), ..asset() }, SkipReason::BadTicker),
        (CreateAsset { ticker: long.clone(), ..asset() }, SkipReason::BadTicker),
        (CreateAsset { name: String::new(), ..asset() }, SkipReason::BadName),
        (CreateAsset { name: long, ..asset() }, SkipReason::BadName),
        (CreateAsset { decimals: 19, ..asset() }, SkipReason::TooManyDecimals { got: 19 }),
        (CreateAsset { supply: 0, ..asset() }, SkipReason::ZeroAmount),
        (
            CreateAsset { supply: limits::MAX_SUPPLY + 1, ..asset() },
            SkipReason::SupplyTooLarge { got: limits::MAX_SUPPLY + 1 },
        ),
        (
            CreateAsset { ticker: "FRD".into(), ..asset() },
            SkipReason::TickerTaken { ticker: "FRD".into(), asset: AssetId::FRD },
        ),
    ];
    for (operation, reason) in cases {
        world.assert_skipped(&key(5), Operation::CreateAsset(operation), reason);
    }
}

/// A signer who can pay for the batch and not for the entry.
fn poor(world: &mut World, signer: &SecretKey, operation: &Operation) {
    let batch = world.batch(signer, vec![operation.clone()]);
    let bytes = crate::ledger::batch::signed_bytes(&batch);
    let fee = crate::ledger::batch::fee(batch.body.fee_rate, bytes).unwrap();
    let entry = world.state().parameters().account_creation_fee;
    let keep = crate::ledger::fixture::deposit(1, &key(6), None);
    let spend = |amount| Operation::Deposit(crate::ledger::operation::Deposit { amount, ..keep.clone() });
    let sample = world.batch(signer, vec![spend(START)]);
    let spending =
        crate::ledger::batch::fee(sample.body.fee_rate, crate::ledger::batch::signed_bytes(&sample)).unwrap();
    let rest = fee + entry - 1;
    world.run(signer, vec![spend(world.frd(signer) - spending - rest)]);
    assert_eq!(world.frd(signer), rest);
    let reason = SkipReason::NotEnough { asset: AssetId::FRD, balance: entry - 1, needed: entry };
    world.assert_skipped(signer, operation.clone(), reason);
}

#[test]
fn an_entry_of_a_register_costs_what_an_account_costs() {
    for operation in [Operation::CreateAsset(asset()), Operation::RegisterBank(terms("five"))] {
        poor(&mut World::new(), &key(5), &operation);
    }
}

#[test]
fn a_bank_registers_once_and_changes_its_terms() {
    let mut world = World::new();
    let bank = key(5);
    let flows = apply(&mut world, &bank, Operation::RegisterBank(terms("five")));
    assert!(flows.iter().all(|flow| flow.purpose == Purpose::CreationFee));
    assert_eq!(flows.len(), 2);
    let registered = |world: &World| world.state().bank(&bank.public()).cloned();
    let expected = Bank {
        key: bank.public(),
        handle: "five".into(),
        url: "https://bank.example".into(),
        fee_base: 1,
        fee_ppm: 100,
        insurance_price: 5,
    };
    assert_eq!(registered(&world), Some(expected.clone()));
    world.assert_skipped(&bank, Operation::RegisterBank(terms("other")), SkipReason::AlreadyABank);

    let dearer = BankTerms { fee_ppm: limits::MAX_FEE_PPM, ..terms("five") };
    assert_eq!(apply(&mut world, &bank, Operation::UpdateBank(dearer)), vec![]);
    assert_eq!(registered(&world), Some(Bank { fee_ppm: limits::MAX_FEE_PPM, ..expected }));
    let taken = SkipReason::HandleTaken { handle: "five".into(), owner: bank.public() };
    world.assert_skipped(&key(6), Operation::RegisterBank(terms("five")), taken);

    apply(&mut world, &bank, Operation::UpdateBank(terms("renamed")));
    assert_eq!(world.state().value(&Key::bank_handle("five")), None);
    apply(&mut world, &key(6), Operation::RegisterBank(terms("five")));
    assert_eq!(world.state().value(&Key::bank_handle("five")), Some(&Value::BankHandle(key(6).public())));
}

#[test]
fn every_field_of_a_banks_terms_has_its_bounds() {
    let mut world = World::new();
    let main = SkipReason::HandleTaken { handle: "main".into(), owner: key(1).public() };
    let cases = [
        (terms(""), SkipReason::BadHandle),
        (terms("Five"), SkipReason::BadHandle),
        (terms(&"a".repeat(limits::MAX_NAME_BYTES + 1)), SkipReason::BadHandle),
        (terms("main"), main),
        (BankTerms { url: "bank.example".into(), ..terms("five") }, SkipReason::BadUrl),
        (
            BankTerms { url: format!("http://{}", "a".repeat(limits::MAX_URL_BYTES)), ..terms("five") },
            SkipReason::BadUrl,
        ),
        (BankTerms { fee_ppm: 1_000_001, ..terms("five") }, SkipReason::FeeTooHigh { got: 1_000_001 }),
    ];
    for (terms, reason) in &cases {
        world.assert_skipped(&key(5), Operation::RegisterBank(terms.clone()), reason.clone());
    }
    let nobody = SkipReason::NotABank { bank: key(5).public() };
    world.assert_skipped(&key(5), Operation::UpdateBank(terms("five")), nobody);
    apply(&mut world, &key(5), Operation::RegisterBank(terms("five")));
    for (terms, reason) in cases {
        world.assert_skipped(&key(5), Operation::UpdateBank(terms), reason);
    }
}

/// Who asks for which handle and ticker; letters collide often.
fn wishes() -> impl Strategy<Value = Vec<(u8, bool, u8)>> {
    proptest::collection::vec((5_u8..=6, any::<bool>(), 0_u8..3), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, rng_seed: RngSeed::Fixed(11), ..ProptestConfig::default() })]

    /// Whatever is asked for, index and register say the same: one bank a handle, one asset a ticker, and each
    /// asset's supply is somebody's.
    #[test]
    fn registers_and_their_indexes_agree(wishes in wishes()) {
        let mut world = World::with(genesis());
        for (signer, is_bank, letter) in wishes {
            let signer = key(signer);
            let name = char::from(b'a' + letter).to_string();
            let operation = match (is_bank, world.state().bank(&signer.public())) {
                (true, None) => Operation::RegisterBank(terms(&name)),
                (true, Some(_)) => Operation::UpdateBank(terms(&name)),
                _ => Operation::CreateAsset(CreateAsset { ticker: name.to_uppercase(), ..asset() }),
            };
            world.run(&signer, vec![operation]);
        }
        let state = world.state();
        let entries: Vec<_> = state.encoded().collect();
        let count = |kind: u8| entries.iter().filter(|(key, _)| key[0] == kind).count();
        prop_assert_eq!(count(26), state.banks().count());
        prop_assert_eq!(count(27), state.assets().count());
        for bank in state.banks() {
            prop_assert_eq!(state.value(&Key::bank_handle(&bank.handle)), Some(&Value::BankHandle(bank.key)));
        }
        for asset in state.assets() {
            prop_assert_eq!(state.value(&Key::ticker(&asset.ticker)), Some(&Value::Ticker(asset.id)));
        }
    }
}
