//! Snapshots that a relay writes, serves and begins with.

use crate::network::*;
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::genesis::Purpose;
use fair_core::chain::params::Parameters;
use fair_core::chain::snapshot::Pace;
use fair_core::codec;
use fair_core::ledger::state::Key;
use fair_core::types::Height;
use fair_snapshots::Listed;
use reqwest::StatusCode;
use std::time::Duration;
use tempfile::TempDir;

/// Small enough for a snapshot every few blocks.
fn often() -> Parameters {
    Parameters { snapshot_after_bytes: 2_000, ..Parameters::DEMO }
}

/// Height of the newest snapshot that is due. Those before it may be left out when blocks come in a burst.
fn newest_due(network: &Network) -> Height {
    let mut pace = Pace::default();
    let mut newest = 0;
    for CertifiedBlock { block, .. } in network.blocks.borrow().iter() {
        let (next, is_due) = pace.after(block, &network.genesis.parameters);
        pace = next;
        newest = if is_due { block.header.height } else { newest };
    }
    newest
}

/// The list, once there is a snapshot of this height.
async fn listed(relay: &Running, height: Height) -> Vec<Listed> {
    let looking = async {
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        loop {
            let list: Vec<Listed> = relay.get("/v1/snapshots").await.json().await.unwrap();
            if list.first().is_some_and(|newest| newest.height == height) {
                return list;
            }
            looks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("a snapshot in time")
}

#[tokio::test]
async fn two_relays_write_the_same_and_serve_ranges_of_it() {
    let bank = EchoBank::start().await;
    let network = Network::with("snapshots", &bank.url, Purpose::Test, 40, often());
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let (data, other_data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let relay = Running::start(&network, &[&validator], data.path()).await;
    let other = Running::start(&network, &[&validator], other_data.path()).await;
    relay.reached(40).await;
    other.reached(40).await;
    let newest = newest_due(&network);
    assert!(newest > 30, "{newest}");
    let list = listed(&relay, newest).await;
    assert_eq!(listed(&other, newest).await[0].hash, list[0].hash);
    assert!(list.len() <= fair_snapshots::KEPT && list.is_sorted_by(|a, b| a.height > b.height), "{list:?}");
    let header = &network.blocks.borrow()[usize::try_from(list[0].height).unwrap() - 1].block.header;
    assert_eq!(list[0].block, header.hash());

    let path = format!("/v1/snapshots/{}", list[0].file);
    let whole = relay.get(&path).await;
    assert_eq!(whole.headers()["content-type"], "application/gzip");
    assert_eq!(whole.headers()["accept-ranges"], "bytes");
    assert_eq!(whole.headers()["cache-control"], "no-cache");
    assert!(whole.headers().get("content-encoding").is_none());
    let whole = whole.bytes().await.unwrap();
    assert_eq!(whole.len() as u64, list[0].bytes);
    let part = relay.client.get(relay.url(&path)).header("range", "bytes=10-19").send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], format!("bytes 10-19/{}", whole.len()));
    assert_eq!(part.bytes().await.unwrap(), whole[10..20]);
    let beyond = format!("bytes={}-", whole.len());
    let beyond = relay.client.get(relay.url(&path)).header("range", beyond).send().await.unwrap();
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    for unknown in ["Fair-9999.tar.gz", "blocks.sqlite", "..%2Fblocks.sqlite", "lock"] {
        let answer = relay.get(&format!("/v1/snapshots/{unknown}")).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{unknown}");
    }
    assert!(relay.metric("relay_snapshots_served_total").await >= 2);
    relay.stop().await;
    let again = Running::start(&network, &[&validator], data.path()).await;
    assert_eq!(listed(&again, newest).await, list, "as before the restart");
    again.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_relay_begins_with_a_snapshot_and_goes_on() {
    let bank = EchoBank::start().await;
    let mut network = Network::with("begins", &bank.url, Purpose::Test, 40, often());
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let (data, late_data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let relay = Running::start(&network, &[&validator], data.path()).await;
    relay.reached(40).await;
    let newest = listed(&relay, newest_due(&network)).await.remove(0);
    let begin = |network: &Network| {
        let mut settings = settings(network, &[&validator], late_data.path());
        settings.snapshot = Some(relay.url(""));
        settings
    };
    let late = Running::with(begin(&network)).await;
    late.reached(40).await;
    let first = newest.height + 1;
    let before = late.get(&format!("/v1/blocks?from={}&count=9", newest.height)).await;
    assert_eq!(before.status(), StatusCode::NOT_FOUND);
    let before: serde_json::Value = before.json().await.unwrap();
    assert_eq!((&before["code"], &before["data"]["first"]), (&"relay.before_snapshot".into(), &first.into()));
    assert_eq!(late.get(&format!("/v1/blocks/{first}")).await.status(), StatusCode::OK);
    network.add_block(&[network.batch(0)]);
    late.reached(41).await;
    relay.reached(41).await;
    let digits: String = codec::encode(&Key::Counters).iter().map(|byte| format!("{byte:02x}")).collect();
    for height in [newest.height, 41] {
        let path = format!("/v1/proof/{digits}?height={height}");
        let (ours, theirs) = (late.get(&path).await, relay.get(&path).await);
        assert_eq!(ours.status(), StatusCode::OK, "{height}");
        assert_eq!(ours.bytes().await.unwrap(), theirs.bytes().await.unwrap());
    }
    late.stop().await;
    let again = Running::with(begin(&network)).await;
    again.reached(41).await;
    again.stop().await;
    relay.stop().await;
}

#[tokio::test]
async fn a_relay_does_not_begin_with_a_broken_snapshot() {
    let bank = EchoBank::start().await;
    let network = Network::with("broken", &bank.url, Purpose::Test, 1, often());
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let (data, late_data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let relay = Running::start(&network, &[&validator], data.path()).await;
    relay.reached(1).await;
    let newest = listed(&relay, 1).await.remove(0);
    let elsewhere = Network::with("elsewhere", &bank.url, Purpose::Test, 1, often());
    let mut other = settings(&elsewhere, &[&validator], late_data.path());
    other.snapshot = Some(relay.url(""));
    let error = fair_relay::Relay::start(other).await.err().unwrap();
    assert!(format!("{error:#}").contains("another network"), "{error:#}");

    let mut bytes = std::fs::read(data.path().join(&newest.file)).unwrap();
    let cut = late_data.path().join("cut.tar.gz");
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&cut, &bytes).unwrap();
    let begin = TempDir::new().unwrap();
    let mut broken = settings(&network, &[&validator], begin.path());
    broken.snapshot = Some(cut.display().to_string());
    assert!(fair_relay::Relay::start(broken).await.is_err());
    let whole = Running::start(&network, &[&validator], begin.path()).await;
    whole.reached(1).await;
    assert_eq!(whole.get("/v1/blocks/1").await.status(), StatusCode::OK, "it began at genesis");
    whole.stop().await;
    relay.stop().await;
}

/// Attack 37: a thief's relay offers a snapshot of a network of the same name and the same parties, but with a
/// genesis of the thief's.
#[tokio::test]
async fn attack_37_self_certified_snapshot() {
    let bank = EchoBank::start().await;
    let network = Network::with("victim", &bank.url, Purpose::Test, 1, often());
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let other = Parameters { snapshot_after_bytes: 2_001, ..often() };
    let thiefs = Network::with("victim", &bank.url, Purpose::Test, 3, other);
    let accomplice = FakeValidator::start(&thiefs, Manner::Honest).await;
    let (data, begin) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let thief = Running::start(&thiefs, &[&accomplice], data.path()).await;
    thief.reached(3).await;
    listed(&thief, 1).await;
    let mut lured = settings(&network, &[&validator], begin.path());
    lured.snapshot = Some(thief.url(""));
    let error = fair_relay::Relay::start(lured).await.err().expect("the thief's snapshot is refused");
    assert!(format!("{error:#}").contains("another network"), "{error:#}");
    let relay = Running::start(&network, &[&validator], begin.path()).await;
    relay.reached(1).await;
    relay.stop().await;
    thief.stop().await;
}
