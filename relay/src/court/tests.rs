use super::*;
use crate::store::Store;
use fair_core::chain::certificate::{Validator, ValidatorSet};
use fair_core::chain::genesis::{Asset, Genesis, GenesisAccount, Purpose};
use fair_core::chain::params::Parameters;
use fair_core::codec;
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::Entry;
use fair_core::ledger::operation::{Dispute, Operation};
use fair_core::types::{AssetId, Hash, Height};
use fair_snapshots::Folder;
use std::path::Path;

const RATE: Amount = Parameters::DEMO.min_fee_rate;

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

/// A chain at genesis, on which accounts 1 and 2 have so much FRD.
fn chain(folder: &Path, balance: Amount) -> Chain {
    let supply = 1_000_000_000;
    let asset = |id, ticker: &str| Asset { id, ticker: ticker.into(), name: ticker.into(), decimals: 2, supply };
    let account = |number, balance| GenesisAccount {
        key: key(number).public(),
        balances: vec![(AssetId::FRD, balance), (AssetId::FRB, balance)],
    };
    let mut accounts = vec![account(1, balance), account(2, balance), account(3, supply - 2 * balance)];
    accounts.sort_by_key(|account| account.key);
    let validator =
        Validator { account: key(3).public(), signing_key: key(4).public(), shares: 25, url: String::new() };
    let genesis = Genesis {
        network: "kept".to_owned(),
        purpose: Purpose::Test,
        time_ms: 0,
        parameters: Parameters::DEMO,
        validators: ValidatorSet { validators: vec![validator] },
        assets: vec![asset(AssetId::FRD, "FRD"), asset(AssetId::FRB, "FRB")],
        accounts,
        banks: Vec::new(),
    };
    genesis.check().unwrap();
    let store = Store::open(folder, &genesis).unwrap();
    Chain::open(genesis, store, Folder::open(folder).unwrap()).unwrap()
}

fn dispute(number: u8, nonce: u64, valid_until: Height, fee_rate: Amount) -> (Signed<Batch>, Bytes) {
    let operation = Operation::Dispute(Dispute { partner: key(3).public(), proof: None });
    let entries = vec![Entry { group: None, operation }];
    let body = Batch { signer: key(number).public(), nonce, valid_until, fee_rate, entries };
    let batch = Signed::new(body, &Hash::ZERO, &key(number));
    let bytes = codec::encode(&batch).into();
    (batch, bytes)
}

fn fee() -> Amount {
    batch::fee(RATE, dispute(1, 0, 1, RATE).1.len()).unwrap()
}

fn keep(kept: &Kept, chain: &Chain, (batch, bytes): (Signed<Batch>, Bytes)) -> bool {
    let place = (batch.body.signer, batch.body.nonce);
    kept.keep(chain, batch, bytes.clone());
    kept.waiting().get(&place).is_some_and(|waiting| waiting.bytes == bytes)
}

/// A validator says that it has taken whatever it is given, and the relay keeps none of what no block could have soon.
#[tokio::test]
async fn nothing_is_kept_that_no_block_could_have_soon() {
    let folder = tempfile::tempdir().unwrap();
    let chain = chain(folder.path(), 1_000 * fee());
    let kept = Kept::default();
    let last = 1 + Height::from(Parameters::DEMO.max_batch_life_heights);
    for refused in [
        dispute(9, 0, last, RATE),
        dispute(1, limits::MAX_NONCES_AHEAD + 1, last, RATE),
        dispute(1, 0, 0, RATE),
        dispute(1, 0, last + 1, RATE),
        dispute(1, 0, Height::MAX, RATE),
        dispute(1, 0, last, RATE - 1),
        dispute(1, 0, last, Amount::MAX),
    ] {
        let body = refused.0.body.clone();
        assert!(!keep(&kept, &chain, refused), "{body:?}");
    }
    assert!(keep(&kept, &chain, dispute(1, 0, last, RATE)));
    assert!(keep(&kept, &chain, dispute(1, limits::MAX_NONCES_AHEAD, 1, RATE)));
}

/// All that is kept of an account together is what it can pay for; what takes the place of another counts once.
#[tokio::test]
async fn an_account_keeps_what_it_can_pay_for() {
    let folder = tempfile::tempdir().unwrap();
    let chain = chain(folder.path(), 3 * fee());
    let kept = Kept::default();
    assert!(keep(&kept, &chain, dispute(1, 0, 9, RATE)));
    assert!(keep(&kept, &chain, dispute(1, 1, 9, RATE)));
    assert!(keep(&kept, &chain, dispute(1, 1, 9, 2 * RATE)), "one of both nonces");
    assert!(!keep(&kept, &chain, dispute(1, 2, 9, RATE)));
    assert!(keep(&kept, &chain, dispute(2, 0, 9, RATE)), "another account's are its own");
    assert_eq!(kept.still(&chain).len(), 3);
}

/// Whoever has much waiting keeps others from nothing, and who was cut off goes on where it was.
#[tokio::test]
async fn lower_nonces_come_first_of_every_account() {
    let folder = tempfile::tempdir().unwrap();
    let chain = chain(folder.path(), 10 * fee());
    let kept = Kept::default();
    for (number, nonce) in [(1, 5), (1, 0), (1, 1), (2, 7), (2, 3)] {
        assert!(keep(&kept, &chain, dispute(number, nonce, 9, RATE)));
    }
    let turns = kept.still(&chain);
    let nonces = |begin| -> Vec<(PublicKey, u64)> { from(&turns, begin).map(|((_, place), _)| *place).collect() };
    let (one, two) = (key(1).public(), key(2).public());
    let mut rounds = [[(one, 0), (two, 3)], [(one, 1), (two, 7)]];
    rounds.iter_mut().for_each(|round| round.sort());
    let mut all = rounds.concat();
    all.push((one, 5));
    assert_eq!(nonces(FIRST), all);
    all.rotate_left(2);
    assert_eq!(nonces((1, all[0])), all);
}
