//! Court batches: no validator keeps one back alone. One that only takes them and one that is out of order stand
//! beside an honest one.

use crate::network::*;
use axum::http::StatusCode;
use fair_core::chain::genesis::Purpose;
use fair_core::codec;
use fair_relay::limits::REPEATED_AT_ONCE;
use std::num::NonZeroU32;
use tempfile::TempDir;

#[tokio::test]
async fn a_court_batch_goes_to_all_and_again_until_a_block_has_it() {
    let bank = EchoBank::start().await;
    let mut network = Network::new("court", &bank.url, Purpose::Test, 1);
    // None of them builds blocks by what it is handed: each is one that drops it.
    let broken = FakeValidator::start(&network, Manner::Refuses(StatusCode::SERVICE_UNAVAILABLE)).await;
    let first = FakeValidator::start(&network, Manner::Honest).await;
    let second = FakeValidator::start(&network, Manner::Honest).await;
    let all = [&broken, &first, &second];
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &all, data.path()).await;
    relay.reached(1).await;

    let ordinary = network.batch(0);
    assert_eq!(relay.post("/v1/batches", codec::encode(&ordinary)).await.0, 202);
    let (answer, later) = (network.court_batch(2, 0), network.court_batch(3, 0));
    for batch in [&answer, &later] {
        assert_eq!(relay.post("/v1/batches", codec::encode(batch)).await.0, 202);
    }
    for validator in all {
        validator.has(&answer, 1).await;
        validator.has(&later, 1).await;
    }
    assert_eq!(first.had(&ordinary) + second.had(&ordinary), 1, "others go to the next validator alone");

    network.add_block(&[]);
    for validator in all {
        validator.has(&answer, 2).await;
        validator.has(&later, 2).await;
    }
    // A block has the answer: the other one is repeated alone.
    network.add_block(std::slice::from_ref(&answer));
    relay.reached(3).await;
    for validator in all {
        validator.has(&later, 3).await;
    }
    let had = second.had(&answer);
    network.add_block(&[]);
    second.has(&later, 4).await;
    assert_eq!(second.had(&answer), had, "nobody is asked for what a block has");
    relay.stop().await;
}

/// An address is that of many: whoever brings nonsense from there, as often as anybody may, keeps nobody from court.
#[tokio::test]
async fn a_neighbour_keeps_nobody_from_court() {
    let bank = EchoBank::start().await;
    let network = Network::new("neighbour", &bank.url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let mut settings = settings(&network, &[&validator], data.path());
    settings.rates.batches_per_minute = NonZeroU32::new(2).unwrap();
    let relay = Running::with(settings).await;
    relay.reached(1).await;
    let bring = async |batch: Vec<u8>| relay.post("/v1/batches", batch).await.0;
    assert_eq!([bring(vec![1]).await, bring(vec![1]).await, bring(vec![1]).await], [400, 400, 429]);
    assert_eq!(bring(codec::encode(&network.batch(0))).await, 429, "nor does it bring anything else");
    assert_eq!(bring(codec::encode(&network.court_batch(9, 0))).await, 429, "nobody has this account");
    assert_eq!(bring(codec::encode(&network.court_batch(2, 0))).await, 202);
    assert_eq!(bring(codec::encode(&network.court_batch(2, 1))).await, 202);
    assert_eq!(bring(codec::encode(&network.court_batch(2, 2))).await, 429, "an account has as much as an address");
    assert_eq!(bring(codec::encode(&network.court_batch(3, 0))).await, 202);
    relay.stop().await;
}

/// What every validator refuses is not repeated, and is said.
#[tokio::test]
async fn a_refused_court_batch_is_said_and_forgotten() {
    let bank = EchoBank::start().await;
    let mut network = Network::new("refused", &bank.url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Refuses(StatusCode::CONFLICT)).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;
    relay.reached(1).await;
    let batch = network.court_batch(2, 0);
    let (status, problem) = relay.post("/v1/batches", codec::encode(&batch)).await;
    assert_eq!((status, problem["code"].as_str().unwrap()), (409, "wrong_nonce"));
    network.add_block(&[]);
    relay.reached(2).await;
    let other = network.court_batch(3, 0);
    assert_eq!(relay.post("/v1/batches", codec::encode(&other)).await.0, 409);
    assert_eq!(validator.had(&batch), 1);
    relay.stop().await;
}

/// One validator takes batches and never answers. The others are offered what waits with each block, and that one has so
/// many open requests at a time, however much waits.
#[tokio::test]
async fn a_validator_that_never_answers_holds_nobody_up() {
    let bank = EchoBank::start().await;
    let mut network = Network::new("stalls", &bank.url, Purpose::Test, 1);
    let stalled = FakeValidator::start(&network, Manner::Stalls).await;
    let honest = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&stalled, &honest], data.path()).await;
    relay.reached(1).await;
    let batches: Vec<_> = (0..30).map(|nonce| network.court_batch(2, nonce)).collect();
    for batch in &batches {
        assert_eq!(relay.post("/v1/batches", codec::encode(batch)).await.0, 202, "the honest one's word is enough");
    }
    for times in 2..=5 {
        network.add_block(&[]);
        for batch in &batches {
            honest.has(batch, times).await;
        }
    }
    // Each batch was passed on when it came; beside that there is one offer, which waits for its first answers.
    let most = batches.len() + REPEATED_AT_ONCE;
    assert!(stalled.most_waiting() <= most, "{} wait at a time", stalled.most_waiting());
    let had = stalled.batches.lock().unwrap().len();
    assert!(had <= most, "{had} came before its time was over");
    relay.stop().await;
}
