//! Pipes between wallets and banks.

use crate::network::*;
use fair_core::chain::genesis::Purpose;
use fair_relay::limits::MAX_PEER_MESSAGE_BYTES;
use futures_util::{SinkExt as _, StreamExt as _};
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

async fn next(socket: &mut Socket) -> Message {
    timeout(PATIENCE, socket.next()).await.expect("a message in time").expect("a message").expect("no error")
}

async fn close_code(socket: &mut Socket) -> u16 {
    loop {
        if let Message::Close(frame) = next(socket).await {
            return frame.map_or(1005, |frame| frame.code.into());
        }
    }
}

#[tokio::test]
async fn bytes_flow_both_ways_and_the_end_is_clean() {
    let mut bank = EchoBank::start().await;
    let network = Network::new("pipes", &bank.url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;
    let path = format!("/v1/peers/{}", network.bank());

    let mut wallet = relay.open(&path).await.unwrap();
    for length in [0, 1, 1000, MAX_PEER_MESSAGE_BYTES] {
        let sent = vec![7_u8; length];
        wallet.send(Message::Binary(sent.clone().into())).await.unwrap();
        assert_eq!(next(&mut wallet).await, Message::Binary(sent.into()));
    }
    wallet.close(None).await.unwrap();
    bank.open.wait_for(|open| *open == 0).await.unwrap();

    let mut text = relay.open(&path).await.unwrap();
    text.send(Message::Text("hello".into())).await.unwrap();
    assert_eq!(close_code(&mut text).await, 1003);

    let mut long = relay.open(&path).await.unwrap();
    // The relay may hang up before all of it has left.
    let _ = long.send(Message::Binary(vec![0; MAX_PEER_MESSAGE_BYTES + 1].into())).await;
    let ended = timeout(PATIENCE, async {
        loop {
            match long.next().await {
                Some(Ok(Message::Close(frame))) => break frame.map(|frame| u16::from(frame.code)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break None,
            }
        }
    });
    assert!(matches!(ended.await.expect("an end"), Some(1009) | None));
    bank.open.wait_for(|open| *open == 0).await.unwrap();

    let mut open = relay.open(&path).await.unwrap();
    open.send(Message::Binary(vec![1].into())).await.unwrap();
    next(&mut open).await;
    relay.stop().await;
    assert_eq!(close_code(&mut open).await, 1001);
}

#[tokio::test]
async fn only_registered_banks_are_reached() {
    let bank = EchoBank::start().await;
    let network = Network::new("strangers", &bank.url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;
    let check = async |key: &str, expected: u16| match relay.open(&format!("/v1/peers/{key}")).await {
        Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), expected, "{key}"),
        other => panic!("{key}: {other:?}"),
    };
    check(&account(2).public().to_string(), 404).await;
    check("00", 400).await;
    check("127.0.0.1", 400).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_bank_that_is_down_is_said() {
    let url = EchoBank::start().await.url.clone();
    let network = Network::new("down", &url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;
    match relay.open(&format!("/v1/peers/{}", network.bank())).await {
        Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 502),
        other => panic!("{other:?}"),
    }
    relay.stop().await;
}

#[tokio::test]
async fn one_address_opens_so_many_and_no_more() {
    let bank = EchoBank::start().await;
    let network = Network::new("many", &bank.url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;
    let path = format!("/v1/peers/{}", network.bank());
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(relay.open(&path).await.unwrap());
    }
    match relay.open(&path).await {
        Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 429),
        other => panic!("{other:?}"),
    }
    open.clear();
    relay.stop().await;
}

/// A watchtower is on no register: the operator names it, pages can read its key, and whoever asks for another
/// key is told that it is unknown.
#[tokio::test]
async fn a_named_watchtower_is_announced_and_piped_to() {
    let tower = EchoBank::start().await;
    let network = Network::new("towers", "http://127.0.0.1:1", Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let mut settings = settings(&network, &[&validator], data.path());
    let key = fair_core::types::PublicKey([7; 32]);
    settings.towers.insert(key, tower.url.clone());
    let relay = Running::with(settings).await;
    let info: serde_json::Value = relay.get("/v1/info").await.json().await.unwrap();
    assert_eq!(info["towers"], serde_json::json!([key]));
    let mut wallet = relay.open(&format!("/v1/peers/{key}")).await.unwrap();
    wallet.send(Message::Binary(vec![1, 2, 3].into())).await.unwrap();
    assert_eq!(next(&mut wallet).await, Message::Binary(vec![1, 2, 3].into()));
    assert!(relay.open(&format!("/v1/peers/{}", fair_core::types::PublicKey([8; 32]))).await.is_err());
}
