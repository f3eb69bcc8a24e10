//! The verified chain in a real browser: what is verified is stored and comes back, and a bit flipped
//! anywhere is refused with a code of its own while nothing is used.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]

use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::{Certificate, Precommit, Validator, ValidatorSet};
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::{Asset, Genesis, GenesisAccount, Purpose};
use fair_core::chain::header::Header;
use fair_core::chain::params::Parameters;
use fair_core::chain::snapshot::{Opened, Reader, Snapshot};
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::message::{Message as _, Signed};
use fair_core::types::{AssetId, Hash};
use fair_web::chain::Chain;
use fair_web::error::Error;
use fair_web::record;
use fair_web::store::Store;
use std::rc::Rc;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

const START_MS: u64 = 1_700_000_000_000;
const NOW_MS: u64 = START_MS + 3_600_000;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn genesis() -> Genesis {
    let balance = 10_000_000;
    let accounts = (1..=5).map(|seed| GenesisAccount {
        key: key(seed).public(),
        balances: vec![(AssetId::FRD, balance), (AssetId::FRB, balance)],
    });
    let mut validators: Vec<_> = (1..=4_u8)
        .map(|seed| Validator {
            account: key(seed).public(),
            signing_key: key(100 + seed).public(),
            shares: 25,
            url: "http://127.0.0.1:9".to_owned(),
        })
        .collect();
    validators.sort_by_key(|validator| validator.account);
    let asset = |id, ticker: &str| Asset {
        id,
        ticker: ticker.to_owned(),
        name: ticker.to_owned(),
        decimals: 2,
        supply: 5 * balance,
    };
    let genesis = Genesis {
        network: "browser".to_owned(),
        purpose: Purpose::Test,
        time_ms: START_MS,
        parameters: Parameters::DEMO,
        validators: ValidatorSet { validators },
        assets: vec![asset(AssetId::FRD, "FRD"), asset(AssetId::FRB, "FRB")],
        accounts: accounts.collect(),
        banks: Vec::new(),
    };
    genesis.check().unwrap();
    genesis
}

fn certify(header: &Header, signers: u8) -> Certificate {
    let vote = Precommit { height: header.height, round: 0, block_hash: Some(header.hash()) };
    let signature = |validator: &Validator| {
        let signer = (101..=100 + signers).map(key).find(|key| key.public() == validator.signing_key)?;
        Some(vote.sign(&header.chain_id, &signer))
    };
    let signatures = genesis().validators.validators.iter().map(signature).collect();
    Certificate { height: header.height, round: 0, block_hash: header.hash(), signatures }
}

/// A chain in which account 5 pays 6, who is new, in every block.
fn blocks(count: u64) -> Vec<CertifiedBlock> {
    let genesis = genesis();
    let mut follower = Follower::new(&genesis);
    let mut blocks = Vec::new();
    for nonce in 0..count {
        let deposit = Deposit {
            asset: AssetId::FRD,
            amount: 1_000,
            to: key(6).public(),
            partner: None,
            keep: 0,
            epoch: None,
            invoice: None,
        };
        let batch = Batch {
            signer: key(5).public(),
            nonce,
            valid_until: follower.height() + 10,
            fee_rate: genesis.parameters.min_fee_rate,
            entries: vec![Entry { group: None, operation: Operation::Deposit(deposit) }],
        };
        let batch = Signed::new(batch, &genesis.chain_id(), &key(5));
        let built = follower.build([&batch], key(1).public(), START_MS);
        assert!(built.left_out.is_empty());
        let certificate = certify(&built.block.header, 3);
        blocks.push(CertifiedBlock { block: built.block, certificate });
        follower.commit(built.step);
    }
    blocks
}

async fn fresh(name: &str) -> Rc<Store> {
    Rc::new(Store::open(&format!("test-{name}-{}", js_sys::Math::random())).await.unwrap())
}

#[wasm_bindgen_test]
async fn what_was_verified_is_there_after_a_reload() {
    let store = fresh("chain").await;
    let name = store.name().to_owned();
    let chain = Chain::begin(genesis(), store).await.unwrap();
    let blocks = blocks(70);
    let verified = chain.verify(&blocks, NOW_MS, || true).await.unwrap();
    assert_eq!((verified.blocks, verified.bad), (70, None));
    let before = chain.verified_at();
    assert_eq!(chain.state().balance(&key(6).public(), AssetId::FRD), 70_000);
    drop(chain);

    let store = Rc::new(Store::open(&name).await.unwrap());
    let chain = Chain::load(store).await.unwrap().unwrap();
    assert_eq!(chain.verified_at(), before);
    assert_eq!(chain.state().oldest_height(), 70 - u64::from(Parameters::DEMO.proof_window_heights));
    let stored = chain.block(37).await.unwrap().unwrap();
    assert_eq!(stored.certified, blocks[36]);
    assert_eq!(stored.outcomes.len(), 1);
    assert!(chain.block(71).await.unwrap().is_none());
}

/// A snapshot of the state after blocks, as somebody else who executed them writes it, read.
fn snapshot(blocks: &[CertifiedBlock]) -> Opened {
    let mut follower = Follower::new(&genesis());
    for block in blocks {
        let step = follower.check(block, NOW_MS).unwrap();
        follower.commit(step);
    }
    let (head, certificate) = (follower.head().unwrap().clone(), blocks.last().unwrap().certificate.clone());
    let snapshot = Snapshot::new(&genesis(), Vec::new(), head, certificate, follower.state());
    let manifest = snapshot.manifest();
    let mut reader = Reader::new(genesis().chain_id(), None, NOW_MS);
    snapshot.into_files(&manifest).for_each(|(name, bytes)| reader.take(&name, &bytes).unwrap());
    reader.finish().unwrap()
}

#[wasm_bindgen_test]
async fn a_chain_goes_on_from_a_snapshot_also_after_a_reload() {
    let store = fresh("snapshot").await;
    let name = store.name().to_owned();
    let chain = Chain::begin(genesis(), store).await.unwrap();
    let blocks = blocks(80);
    chain.verify(&blocks[..3], NOW_MS, || true).await.unwrap();
    let opened = snapshot(&blocks[..70]);
    let base = Some((70, opened.id));
    chain.go_on_from(opened, None).await.unwrap();
    assert_eq!((chain.height(), chain.base()), (70, base));
    assert_eq!(chain.verify(&blocks[70..75], NOW_MS, || true).await.unwrap().blocks, 5);
    drop(chain);

    let store = Rc::new(Store::open(&name).await.unwrap());
    let chain = Chain::load(store).await.unwrap().unwrap();
    assert_eq!((chain.height(), chain.base()), (75, base));
    assert_eq!(chain.state().balance(&key(6).public(), AssetId::FRD), 75_000);
    assert!(chain.block(3).await.unwrap().is_none(), "blocks from before are gone");
    assert_eq!(chain.verify(&blocks[75..], NOW_MS, || true).await.unwrap().blocks, 5);
    let changes = Chain::forget(chain.store()).await.unwrap();
    chain.store().commit(changes).await.unwrap();
    assert_eq!(chain.store().get(&record::base()).await.unwrap(), None, "another chain begins at genesis");
}

#[wasm_bindgen_test]
async fn a_snapshot_that_cannot_be_stored_changes_nothing() {
    let store = fresh("fenced").await;
    let name = store.name().to_owned();
    let chain = Chain::begin(genesis(), store).await.unwrap();
    let blocks = blocks(70);
    chain.verify(&blocks[..3], NOW_MS, || true).await.unwrap();
    let before = chain.verified_at();
    let other = Rc::new(Store::open(&name).await.unwrap());
    let refused = chain.go_on_from(snapshot(&blocks), None).await.unwrap_err();
    assert_eq!(refused.code, "storage.fenced");
    assert_eq!((chain.verified_at(), chain.base()), (before.clone(), None));
    let stored = Chain::load(other).await.unwrap().unwrap();
    assert_eq!((stored.verified_at(), stored.base()), (before, None));
}

#[wasm_bindgen_test]
async fn work_stops_at_the_end_of_its_slice_and_goes_on() {
    let chain = Chain::begin(genesis(), fresh("slice").await).await.unwrap();
    let blocks = blocks(3);
    assert_eq!(chain.verify(&blocks, NOW_MS, || false).await.unwrap().blocks, 1);
    assert_eq!(chain.verify(&blocks[1..], NOW_MS, || true).await.unwrap().blocks, 2);
    assert_eq!(chain.height(), 3);
}

#[wasm_bindgen_test]
async fn every_flipped_bit_has_its_own_code_and_changes_nothing() {
    let chain = Chain::begin(genesis(), fresh("flip").await).await.unwrap();
    let good = blocks(2);
    chain.verify(&good[..1], NOW_MS, || true).await.unwrap();
    let before = chain.verified_at();
    type Flip = fn(&mut CertifiedBlock);
    let flips: Vec<(&str, Flip)> = vec![
        ("chain.unknown_version", |b| b.block.header.version ^= 1),
        ("chain.wrong_chain", |b| b.block.header.chain_id.0[0] ^= 1),
        ("chain.wrong_height", |b| b.block.header.height ^= 1),
        ("chain.wrong_previous", |b| b.block.header.previous.0[0] ^= 1),
        ("chain.too_early", |b| b.block.header.time_ms = START_MS),
        ("chain.from_the_future", |b| b.block.header.time_ms = NOW_MS + 60_000),
        ("chain.wrong_usable_height", |b| b.block.header.usable_height ^= 1),
        ("chain.unknown_proposer", |b| b.block.header.proposer.0[0] ^= 1),
        ("chain.wrong_validators", |b| b.block.header.validators_hash.0[0] ^= 1),
        ("chain.wrong_next_validators", |b| b.block.header.next_validators_hash.0[0] ^= 1),
        ("chain.wrong_parameters", |b| b.block.header.parameters_hash.0[0] ^= 1),
        ("chain.certificate_for_other_block", |b| b.block.header.time_ms ^= 1),
        ("chain.wrong_batches_root", |b| b.block.header.batches_root.0[0] ^= 1),
        ("chain.wrong_batches", |b| b.block.batches[0].body.nonce ^= 1),
        ("chain.wrong_batches", |b| b.block.batches[0].signature.0[0] ^= 1),
        ("chain.wrong_state_root", |b| b.block.header.state_root.0[0] ^= 1),
        ("chain.certificate_height", |b| b.certificate.height ^= 1),
        ("chain.certificate_vote", |b| b.certificate.round ^= 1),
        ("chain.certificate_block_hash", |b| b.certificate.block_hash.0[0] ^= 1),
        ("chain.certificate_signature", |b| b.certificate.signatures.iter_mut().flatten().next().unwrap().0[0] ^= 1),
        ("chain.certificate_length", |b| b.certificate.signatures.push(None)),
        ("chain.no_quorum", |b| b.certificate = certify(&b.block.header, 2)),
    ];
    for (code, flip) in flips {
        let mut bad = good[1].clone();
        flip(&mut bad);
        let verified = chain.verify(&[bad], NOW_MS, || true).await.unwrap();
        let (_, error) = verified.bad.unwrap_or_else(|| panic!("{code} was not seen"));
        let seen = Error::of("chain", &error).code;
        assert_eq!(seen, code);
        assert_eq!(chain.verified_at(), before, "{code}");
    }
    assert_eq!(chain.verify(&good[1..], NOW_MS, || true).await.unwrap().blocks, 1);
}

#[wasm_bindgen_test]
async fn two_certified_headers_of_one_height_are_a_fork() {
    let chain = Chain::begin(genesis(), fresh("fork").await).await.unwrap();
    let good = blocks(1);
    chain.verify(&good, NOW_MS, || true).await.unwrap();
    let (header, certificate) = (&good[0].block.header, &good[0].certificate);
    assert!(chain.compare(header, certificate, NOW_MS).await.unwrap().is_none());

    let mut other = header.clone();
    other.state_root = Hash([9; 32]);
    assert!(chain.compare(&other, &certify(&other, 2), NOW_MS).await.is_err(), "without a quorum it is no evidence");
    let late = NOW_MS + chain.follower().state().parameters().trust_period_ms;
    assert!(chain.compare(&other, &certify(&other, 3), late).await.unwrap().is_none(), "old keys stop nobody");
    let fork = chain.compare(&other, &certify(&other, 3), NOW_MS).await.unwrap().unwrap();
    assert!(!chain.has_fork().await.unwrap());
    chain.keep_fork(&fork).await.unwrap();
    assert!(chain.has_fork().await.unwrap());
}

#[wasm_bindgen_test]
async fn verification_keeps_pace() {
    let chain = Chain::begin(genesis(), fresh("pace").await).await.unwrap();
    let blocks = blocks(100);
    let start = js_sys::Date::now();
    chain.verify(&blocks, NOW_MS, || true).await.unwrap();
    let each = (js_sys::Date::now() - start) / 100.0;
    web_sys::console::log_1(&format!("{each:.2} ms to verify and store a block with 3 + 1 signatures").into());
}
