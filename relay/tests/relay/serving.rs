//! What an honest caller gets.

use crate::network::*;
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::Certificate;
use fair_core::chain::genesis::{Genesis, Purpose};
use fair_core::chain::header::Header;
use fair_core::chain::proven::{MAX_PROVEN_BYTES, Proven};
use fair_core::codec;
use fair_core::ledger::state::{Account, Key, Value};
use fair_relay::Relay;
use futures_util::StreamExt as _;
use reqwest::StatusCode;
use tempfile::TempDir;

#[tokio::test]
async fn blocks_come_as_they_were_certified() {
    let bank = EchoBank::start().await;
    let mut network = Network::new("serving", &bank.url, Purpose::Test, 3);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;
    relay.reached(3).await;
    network.add_block(&[network.batch(0)]);
    relay.reached(4).await;
    let chain: Vec<CertifiedBlock> = network.blocks.borrow().clone();

    let info: serde_json::Value = relay.get("/v1/info").await.json().await.unwrap();
    assert_eq!(info["network"], "serving");
    assert_eq!(info["purpose"], "test");
    assert_eq!(info["chain_id"], network.genesis.chain_id().to_string());
    assert_eq!(info["head"]["height"], 4);
    assert_eq!(info["head"]["hash"], chain[3].block.header.hash().to_string());
    assert_eq!(info["terms"], "Be kind.");
    assert_eq!(info["shop"], "http://shop.example");
    assert_eq!(info["counterpart"], "http://counterpart.example");

    let genesis = relay.get("/v1/genesis").await.bytes().await.unwrap();
    assert_eq!(Genesis::decode(&genesis).unwrap(), network.genesis);

    let one = relay.get("/v1/blocks/4").await.bytes().await.unwrap();
    assert_eq!(one, codec::encode(&chain[3]));
    let range = relay.get("/v1/blocks?from=2&count=2").await.bytes().await.unwrap();
    assert_eq!(range, codec::encode(&chain[1..3].to_vec()));
    let beyond = relay.get("/v1/blocks?from=5&count=9").await.bytes().await.unwrap();
    assert_eq!(beyond, codec::encode(&Vec::<CertifiedBlock>::new()));
    let headers = relay.get("/v1/headers?from=3&count=99").await.bytes().await.unwrap();
    let headers: Vec<(Header, Certificate)> = codec::decode(&headers, 1 << 20).unwrap();
    assert_eq!(headers, [3, 4].map(|h| (chain[h - 1].block.header.clone(), chain[h - 1].certificate.clone())));
    relay.stop().await;
}

fn path_of(key: &Key) -> String {
    let digits: String = codec::encode(key).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/v1/proof/{digits}")
}

#[tokio::test]
async fn values_and_absence_come_with_their_proof() {
    let bank = EchoBank::start().await;
    let mut network = Network::new("proofs", &bank.url, Purpose::Test, 1);
    network.add_block(&[network.batch(0)]);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;
    relay.reached(2).await;
    let (chain_id, validators) = (network.genesis.chain_id(), network.genesis.validators.clone());
    let check = async |key: Key, query: &str, height: u64, expected: Option<Value>| {
        let bytes = relay.get(&format!("{}{query}", path_of(&key))).await.bytes().await.unwrap();
        let proven: Proven = codec::decode(&bytes, MAX_PROVEN_BYTES).unwrap();
        assert_eq!(proven.header.height, height);
        assert_eq!(proven.verify(&key, chain_id, &validators).unwrap(), expected.as_ref());
    };
    let signer = Key::Account(account(1).public());
    check(signer, "", 2, Some(Value::Account(Account { id: 1, nonce: 1 }))).await;
    check(signer, "?height=1", 1, Some(Value::Account(Account { id: 1, nonce: 0 }))).await;
    check(Key::Account(account(9).public()), "", 2, None).await;

    let forever = relay.get(&format!("{}?height=1&chain={chain_id}", path_of(&signer))).await;
    assert!(forever.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    for query in ["", "?height=1"] {
        let today = relay.get(&format!("{}{query}", path_of(&signer))).await;
        assert_eq!(today.headers()["cache-control"], "no-store", "{query}");
    }
    let key = path_of(&signer);
    for (path, status, code) in [
        (format!("{key}?height=3"), 404, "relay.outside_window"),
        (format!("{key}?height=0"), 404, "relay.unknown_block"),
        (format!("{key}?height=x"), 400, "relay.bad_query"),
        (format!("{key}00"), 400, "relay.bad_state_key"),
        ("/v1/proof/zz".to_owned(), 400, "relay.bad_state_key"),
        ("/v1/proof/ff".to_owned(), 400, "relay.bad_state_key"),
        (format!("/v1/proof/{}", "00".repeat(200)), 400, "relay.bad_state_key"),
        (format!("{key}?chain={}", "00".repeat(32)), 404, "relay.wrong_chain"),
    ] {
        let response = relay.get(&path).await;
        let got = response.status().as_u16();
        let problem: serde_json::Value = response.json().await.unwrap();
        assert_eq!((got, problem["code"].as_str().unwrap()), (status, code), "{path}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn only_urls_that_name_the_chain_are_kept_for_ever() {
    let bank = EchoBank::start().await;
    let network = Network::new("caching", &bank.url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;
    relay.reached(1).await;
    let cache = |response: &reqwest::Response| response.headers()["cache-control"].to_str().unwrap().to_owned();

    let named = relay.get(&format!("/v1/blocks/1?chain={}", network.genesis.chain_id())).await;
    assert!(cache(&named).contains("immutable"));
    let plain = relay.get("/v1/blocks/1").await;
    assert_eq!(cache(&plain), "no-cache");
    let tag = plain.headers()["etag"].clone();
    let again = relay.client.get(relay.url("/v1/blocks/1")).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let other = relay.get(&format!("/v1/blocks/1?chain={}", "00".repeat(32))).await;
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
    let problem: serde_json::Value = other.json().await.unwrap();
    assert_eq!(problem["code"], "relay.wrong_chain");
    relay.stop().await;
}

#[tokio::test]
async fn pages_come_compressed_and_under_a_strict_policy() {
    let bank = EchoBank::start().await;
    let network = Network::new("pages", &bank.url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;

    let page = relay.get("/").await;
    assert_eq!(page.status(), StatusCode::OK);
    let headers = page.headers();
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("require-trusted-types-for 'script'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
    assert_eq!(headers["cache-control"], "no-cache");

    let script = relay.client.get(relay.url("/app.js")).header("accept-encoding", "br").send().await.unwrap();
    assert_eq!(script.headers()["content-encoding"], "br");
    assert_eq!(script.bytes().await.unwrap(), "compressed");
    assert_eq!(relay.get("/app.js").await.text().await.unwrap(), "export {}");
    let wasm = relay.get("/fair_web_bg.0123456789abcdef.wasm").await;
    assert!(wasm.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(wasm.headers()["content-type"], "application/wasm");
    for missing in ["/nothing", "/..%2f..%2fetc%2fpasswd", "/.%2e/lock"] {
        assert_eq!(relay.get(missing).await.status(), StatusCode::NOT_FOUND, "{missing}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn every_listener_hears_every_head() {
    let bank = EchoBank::start().await;
    let mut network = Network::new("heads", &bank.url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;
    relay.reached(1).await;
    let (mut a, mut b) = (relay.open("/v1/heads").await.unwrap(), relay.open("/v1/heads").await.unwrap());
    assert_eq!(next_head(&mut a).await.height, 1);
    assert_eq!(next_head(&mut b).await.height, 1);
    for height in 2..10 {
        network.add_block(&[]);
        assert_eq!(next_head(&mut a).await.height, height);
        assert_eq!(next_head(&mut b).await.height, height);
    }
    relay.stop().await;
    while let Some(Ok(_)) = a.next().await {}
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let bank = EchoBank::start().await;
    let mut network = Network::new("restart", &bank.url, Purpose::Test, 0);
    network.add_block(&[network.batch(0)]);
    let data = TempDir::new().unwrap();
    {
        let validator = FakeValidator::start(&network, Manner::Honest).await;
        let relay = Running::start(&network, &[&validator], data.path()).await;
        relay.reached(1).await;
        relay.stop().await;
    }
    network.add_block(&[network.batch(1)]);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let relay = Running::start(&network, &[&validator], data.path()).await;
    relay.reached(2).await;
    // Blocks that came together are counted together, after their heads were announced.
    assert_eq!(relay.counted("relay_blocks_verified_total").await, 1, "the first block was not verified again");
    let one = relay.get("/v1/blocks/1").await.bytes().await.unwrap();
    assert_eq!(one, codec::encode(&network.blocks.borrow()[0]));

    let second = Relay::start(settings(&network, &[&validator], data.path())).await.err().unwrap();
    assert!(format!("{second:#}").contains("another relay is using it"), "{second:#}");
    relay.stop().await;

    let other = Network::new("another", &bank.url, Purpose::Test, 0);
    let refused = Relay::start(settings(&other, &[&validator], data.path())).await.err().unwrap();
    assert!(format!("{refused:#}").contains("another network"), "{refused:#}");
}

#[tokio::test]
async fn a_taken_port_is_said() {
    let bank = EchoBank::start().await;
    let network = Network::new("port", &bank.url, Purpose::Test, 0);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let data = TempDir::new().unwrap();
    let mut settings = settings(&network, &[&validator], data.path());
    settings.listen = taken.local_addr().unwrap();
    let error = Relay::start(settings).await.err().unwrap();
    assert!(format!("{error:#}").contains("is another program using the port?"), "{error:#}");
}

#[tokio::test]
async fn an_old_head_is_not_ready() {
    let bank = EchoBank::start().await;
    let network = Network::new("ready", &bank.url, Purpose::Test, 1);
    let validator = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&validator], data.path()).await;
    relay.reached(1).await;
    assert_eq!(relay.get("/healthz").await.status(), StatusCode::OK);
    let ready = relay.get("/readyz").await;
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE, "the blocks of this test are an hour old");
    let problem: serde_json::Value = ready.json().await.unwrap();
    assert_eq!(problem["data"]["height"], 1);
    relay.stop().await;
}
