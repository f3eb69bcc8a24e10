//! Callers that ask for the impossible, or too much.

use crate::network::*;
use fair_core::chain::genesis::Purpose;
use fair_core::codec;
use std::num::NonZeroU32;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn bad_requests_get_typed_errors() {
    let bank = EchoBank::start().await;
    let network = Network::new("hostile", &bank.url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;
    relay.reached(1).await;
    for (path, status, code) in [
        ("/v1/blocks/2", 404, "relay.unknown_block"),
        ("/v1/blocks/18446744073709551615", 404, "relay.unknown_block"),
        ("/v1/blocks/18446744073709551616", 400, "relay.bad_height"),
        ("/v1/blocks/-1", 400, "relay.bad_height"),
        ("/v1/blocks", 400, "relay.bad_query"),
        ("/v1/blocks?from=1&count=-1", 400, "relay.bad_query"),
        ("/v1/blocks?from=1&count=1&chain=zz", 400, "relay.bad_query"),
        ("/v1/headers?from=x&count=1", 400, "relay.bad_query"),
        ("/v1/batches", 400, "relay.wrong_method"),
        ("/v1/nothing/here", 404, "relay.unknown_path"),
    ] {
        let response = relay.get(path).await;
        let got = response.status().as_u16();
        let problem: serde_json::Value = response.json().await.unwrap();
        assert_eq!((got, problem["code"].as_str().unwrap()), (status, code), "{path}");
        assert!(problem["message"].is_string() && problem["retryable"].is_boolean(), "{path}");
    }
    let all = relay.get("/v1/blocks?from=0&count=18446744073709551615").await.bytes().await.unwrap();
    assert_eq!(all, codec::encode(&*network.blocks.borrow()));
    relay.stop().await;
}

#[tokio::test]
async fn bad_batches_reach_no_validator() {
    let bank = EchoBank::start().await;
    let network = Network::new("batches", &bank.url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;
    relay.reached(1).await;
    let good = codec::encode(&network.batch(0));
    let mut forged = good.clone();
    forged[40] ^= 1;
    let mut trailing = good.clone();
    trailing.push(0);
    let limit = usize::try_from(network.genesis.parameters.max_batch_bytes).unwrap();
    for (body, status, code) in [
        (vec![], 400, "batch.malformed"),
        (b"{}".to_vec(), 400, "batch.malformed"),
        (good[..good.len() - 1].to_vec(), 400, "batch.malformed"),
        (trailing, 400, "batch.malformed"),
        (forged, 400, "batch.bad_signature"),
        (vec![0; limit + 1], 413, "batch.too_large"),
    ] {
        let (got, problem) = relay.post("/v1/batches", body).await;
        assert_eq!((got, problem["code"].as_str().unwrap()), (status, code));
    }
    assert!(validator.batches.lock().unwrap().is_empty());
    assert_eq!(relay.post("/v1/batches", good).await.0, 202);
    relay.stop().await;
}

#[tokio::test]
async fn whoever_asks_too_often_waits() {
    let bank = EchoBank::start().await;
    let network = Network::new("limits", &bank.url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let mut settings = settings(&network, &[&validator], data.path());
    settings.rates.faucet_per_minute = NonZeroU32::new(2).unwrap();
    settings.rates.requests_per_minute = NonZeroU32::new(20).unwrap();
    let relay = Running::with(settings).await;
    let wish = format!("{{\"account\":\"{}\"}}", account(9).public());
    for _ in 0..2 {
        let (status, answer) = relay.post("/v1/faucet", wish.clone()).await;
        assert_eq!((status, &answer["account"]), (200, &account(9).public().to_string().into()));
    }
    let (status, problem) = relay.post("/v1/faucet", wish).await;
    assert_eq!((status, &problem["code"], &problem["retryable"]), (429, &"faucet.limited".into(), &true.into()));
    let mut refused = None;
    for _ in 0..30 {
        let response = relay.get("/v1/info").await;
        if response.status().as_u16() == 429 {
            refused = Some(response);
            break;
        }
    }
    let seconds = refused.expect("a limit").headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
    assert!((1..=60).contains(&seconds));
    relay.stop().await;
}

#[tokio::test]
async fn the_faucet_is_for_test_networks_and_real_keys() {
    let bank = EchoBank::start().await;
    let data = TempDir::new().unwrap();
    for (purpose, body, status, code) in [
        (Purpose::Main, format!("{{\"account\":\"{}\"}}", account(9).public()), 403, "faucet.none"),
        (Purpose::Test, "{\"account\":\"12\"}".into(), 400, "faucet.bad_request"),
        (Purpose::Test, "nonsense".into(), 400, "faucet.bad_request"),
        (Purpose::Test, "x".repeat(100_000), 400, "faucet.bad_request"),
    ] {
        let network = Network::new("faucet", &bank.url, purpose, 0);
        let validator = FakeValidator::start(&network, Manner::Honest).await;
        let folder = data.path().join(network.genesis.chain_id().to_string());
        let relay = Running::start(&network, &[&validator], &folder).await;
        let (got, problem) = relay.post("/v1/faucet", body).await;
        assert_eq!((got, problem["code"].as_str().unwrap()), (status, code));
        relay.stop().await;
    }
}

#[tokio::test]
async fn half_a_request_and_noise_do_no_harm() {
    let bank = EchoBank::start().await;
    let network = Network::new("noise", &bank.url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;
    let mut noise = TcpStream::connect(relay.address).await.unwrap();
    noise.write_all(&[0xff; 4096]).await.unwrap();
    let mut answer = Vec::new();
    // Whether it hangs up or answers 400 first does not matter; it must not keep the connection.
    let _ = timeout(PATIENCE, noise.read_to_end(&mut answer)).await.expect("an end");
    let mut half = TcpStream::connect(relay.address).await.unwrap();
    half.write_all(b"GET /v1/info HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let _ = timeout(PATIENCE, half.read_to_end(&mut answer)).await.expect("an end");
    assert_eq!(relay.get("/v1/info").await.status().as_u16(), 200);
    relay.stop().await;
}
