use super::*;
use crate::presets::Preset;
use fair_core::chain::certificate::{Certificate, Precommit, Validator, ValidatorSet};
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::{Asset, Genesis, GenesisAccount, Purpose};
use fair_core::chain::snapshot::Snapshot;
use fair_core::crypto::SecretKey;
use fair_core::message::Message as _;
use fair_core::types::AssetId;
use std::time::Duration;

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

/// A network of one validator that signs with this key.
fn genesis(signing: u8) -> Genesis {
    let asset =
        |id, ticker: &str| Asset { id, ticker: ticker.into(), name: ticker.into(), decimals: 2, supply: 10_000 };
    let validator =
        Validator { account: key(1).public(), signing_key: key(signing).public(), shares: 25, url: String::new() };
    let balances = vec![(AssetId::FRD, 10_000), (AssetId::FRB, 10_000)];
    let genesis = Genesis {
        network: "victim".to_owned(),
        purpose: Purpose::Test,
        time_ms: 0,
        parameters: Preset::Demo.parameters(None).unwrap(),
        validators: ValidatorSet { validators: vec![validator] },
        assets: vec![asset(AssetId::FRD, "FRD"), asset(AssetId::FRB, "FRB")],
        accounts: vec![GenesisAccount { key: key(1).public(), balances }],
        banks: Vec::new(),
    };
    genesis.check().unwrap();
    genesis
}

/// The archive of a chain's first block, as a validator writes it.
async fn archive(genesis: &Genesis, signing: u8, at: &Path) -> String {
    let mut follower = Follower::new(genesis);
    let built = follower.build(&[], key(1).public(), 0);
    let header = built.block.header.clone();
    follower.commit(built.step);
    let block_hash = header.hash();
    let vote = Precommit { height: 1, round: 0, block_hash: Some(block_hash) };
    let signatures = vec![Some(vote.sign(&genesis.chain_id(), &key(signing)))];
    let certificate = Certificate { height: 1, round: 0, block_hash, signatures };
    let folder = Folder::open(at).unwrap();
    folder.record(Snapshot::new(genesis, Vec::new(), header, certificate, follower.state()));
    let writing = async {
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        while folder.list().is_empty() {
            looks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), writing).await.expect("an archive in time");
    at.join(&folder.list()[0].file).display().to_string()
}

/// Attack 37: an operator is given a snapshot of a network of the same name and the same parties, but with another
/// genesis. It is refused, and nothing is begun; for the thief's own network there is nothing wrong with it.
#[tokio::test]
async fn attack_37_self_certified_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let client = crate::bank::http_client().unwrap();
    let (truth, thiefs) = (genesis(9), genesis(10));
    let from = archive(&thiefs, 10, folder.path()).await;
    let (fetched, database) = (folder.path().join(FETCHED), folder.path().join("db.sqlite"));
    let error = take(&client, (truth.chain_id(), None), &from, &fetched, &database).await.err();
    let error = error.expect("the thief's snapshot is refused").to_string();
    assert!(error.contains("another network"), "{error}");
    assert!(!onchain::has_begun(&database).unwrap());
    let opened = take(&client, (thiefs.chain_id(), None), &from, &fetched, &database).await.unwrap();
    onchain::begin(&database, &opened).await.unwrap();
    assert!(onchain::has_begun(&database).unwrap());
}

/// A home that begins with a snapshot is silent, whatever it is begun with again; its operator's word that the key
/// signed nothing ends that, also when the home has begun already.
#[tokio::test]
async fn never_signed_ends_a_silence_that_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = genesis(9);
    let (document, path) = (folder.path().join("genesis.bin"), folder.path().join("home"));
    std::fs::write(&document, fair_core::codec::encode(&genesis)).unwrap();
    let listen = "127.0.0.1:7100".parse().unwrap();
    crate::genesis::init(&path, crate::home::Kind::Validator, listen, None, None, Some(&document)).unwrap();
    let (home, config) = Home::open(&path).unwrap();
    let from = archive(&genesis, 9, folder.path()).await;
    let silent = async || {
        let (store, _) = onchain::open(&home.database("onchain").unwrap(), &genesis).await.unwrap();
        onchain::silent_until(&store).unwrap()
    };
    begin(&home, &config, &from).await.unwrap();
    let until = silent().await;
    assert!(until.is_some());
    begin(&home, &config, &from).await.unwrap();
    assert_eq!(silent().await, until);
    let (store, _) = onchain::open(&home.database("onchain").unwrap(), &genesis).await.unwrap();
    store.commit(vec![onchain::silence_ends()]).await.unwrap();
    drop(store);
    assert_eq!(silent().await, None);
}

/// The checkpoint is of another chain than the snapshot: nothing is begun, and both are named.
#[tokio::test]
async fn a_snapshot_is_held_against_the_checkpoint_given_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = genesis(9);
    let (document, path) = (folder.path().join("genesis.bin"), folder.path().join("home"));
    std::fs::write(&document, fair_core::codec::encode(&genesis)).unwrap();
    let listen = "127.0.0.1:7100".parse().unwrap();
    crate::genesis::init(&path, crate::home::Kind::Validator, listen, None, None, Some(&document)).unwrap();
    let (home, mut config) = Home::open(&path).unwrap();
    let from = archive(&genesis, 9, folder.path()).await;
    let mut follower = Follower::new(&genesis);
    let built = follower.build(&[], key(1).public(), 0);
    follower.commit(built.step);
    let (height, hash) = follower.place();
    let other = Confirmed { height, hash: Hash([7; 32]) };
    config.checkpoint = Some(other);
    let error = begin(&home, &config, &from).await.unwrap_err();
    assert!(matches!(error, NodeError::NotHeld(fair_snapshots::NotHeld::Contradiction { .. })), "{error}");
    let said = error.to_string();
    assert!(said.contains(&other.to_string()) && said.contains(&format!("{height}:{hash}")), "{said}");
    assert!(!onchain::has_begun(&home.database("onchain").unwrap()).unwrap());
    config.checkpoint = Some(Confirmed { height, hash });
    begin(&home, &config, &from).await.unwrap();
    assert!(onchain::has_begun(&home.database("onchain").unwrap()).unwrap());
}
