//! Validators that lie, withhold or fail; and batches on their way to them.

use crate::network::*;
use axum::http::StatusCode;
use fair_core::chain::genesis::Purpose;
use fair_core::chain::params::Parameters;
use fair_core::codec;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use tempfile::TempDir;

/// Everything logged in this process.
#[derive(Clone)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn log() -> Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let log = Log(Arc::new(Mutex::new(Vec::new())));
        let writer = log.clone();
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
        log
    });
    log.clone()
}

/// The liar is asked first; the honest one has the same chain.
async fn check_liar(manner: Manner, said: &str) {
    let log = log();
    let bank = EchoBank::start().await;
    let mut network = Network::new("liar", &bank.url, Purpose::Test, 2);
    network.add_block(&[network.batch(0)]);
    let liar = FakeValidator::start(&network, manner).await;
    let honest = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&liar, &honest], data.path()).await;
    relay.reached(3).await;
    assert_eq!(relay.metric("relay_validator_lies_total").await, 1, "{manner:?}");
    for (height, block) in (1..).zip(network.blocks.borrow().clone()) {
        let served = relay.get(&format!("/v1/blocks/{height}")).await.bytes().await.unwrap();
        assert_eq!(served, codec::encode(&block), "{manner:?} at {height}");
    }
    relay.stop().await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let named = log.lines().any(|line| line.contains(&liar.url) && line.contains(said));
    assert!(named, "{manner:?}: {} and {said:?} should stand in one line of\n{log}", liar.url);
}

/// Offsets into a certified block: see the layout in `fair_core::chain::header`.
#[tokio::test]
async fn a_flipped_bit_is_refused_and_its_maker_named() {
    let check = |byte| check_liar(Manner::Flips { byte }, "false block");
    check(0).await; // version
    check(2).await; // chain
    check(34).await; // height
    check(42).await; // time
    check(50).await; // proposer
    check(82).await; // previous
    check(114).await; // clock U
    check(122).await; // batches root
    check(154).await; // state root
    check(186).await; // validators
    check(218).await; // next validators
    check(250).await; // parameters
    check(286).await; // signer of the first batch
}

#[tokio::test]
async fn other_bytes_than_blocks_are_refused() {
    check_liar(Manner::Babbles, "something else").await;
}

#[tokio::test]
async fn whoever_withholds_is_left() {
    check_liar(Manner::Withholds, "withholds").await;
}

/// Attack 39: a validator repeats an old head, so that nobody who follows this relay sees what happens.
#[tokio::test]
async fn whoever_repeats_an_old_head_is_left() {
    let bank = EchoBank::start().await;
    // As short as a standstill may be.
    let parameters = Parameters { max_idle_ms: Parameters::DEMO.min_block_interval_ms, ..Parameters::DEMO };
    let network = Network::with("repeats", &bank.url, Purpose::Test, 3, parameters);
    let liar = FakeValidator::start(&network, Manner::Repeats).await;
    let honest = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&liar, &honest], data.path()).await;
    tokio::time::timeout(PATIENCE, relay.reached(3)).await.expect("the newest block in time");
    relay.stop().await;
}

#[tokio::test]
async fn an_unreachable_validator_is_left() {
    let bank = EchoBank::start().await;
    let network = Network::new("gone", &bank.url, Purpose::Test, 2);
    let gone = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let honest = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let mut settings = settings(&network, &[&honest], data.path());
    settings.validators.insert(0, gone);
    let relay = Running::with(settings).await;
    relay.reached(2).await;
    assert_eq!(relay.metric("relay_validator_lies_total").await, 0);
    relay.stop().await;
}

#[tokio::test]
async fn a_batch_reaches_a_validator_even_if_others_are_down() {
    let bank = EchoBank::start().await;
    // The validators that the chain names are not there; those that the operator names are.
    let network = Network::new("batches", &bank.url, Purpose::Test, 1);
    let broken = FakeValidator::start(&network, Manner::Refuses(StatusCode::INTERNAL_SERVER_ERROR)).await;
    let honest = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&broken, &honest], data.path()).await;
    relay.reached(1).await;
    let bytes = codec::encode(&network.batch(0));
    let (status, answer) = relay.post("/v1/batches", bytes.clone()).await;
    assert_eq!((status, &answer["hash"]), (202, &"00".into()));
    assert_eq!(*honest.batches.lock().unwrap(), std::slice::from_ref(&bytes));
    assert_eq!(*broken.batches.lock().unwrap(), [bytes]);
    relay.stop().await;
}

/// A validator that is behind has not seen the batch before this one: another takes it. Where all are behind nothing is
/// final.
#[tokio::test]
async fn a_batch_that_is_ahead_of_a_validator_goes_to_another() {
    let bank = EchoBank::start().await;
    let network = Network::new("ahead", &bank.url, Purpose::Test, 1);
    let behind = FakeValidator::start(&network, Manner::Refuses(StatusCode::SERVICE_UNAVAILABLE)).await;
    let honest = FakeValidator::start(&network, Manner::Honest).await;
    let refusing = FakeValidator::start(&network, Manner::Refuses(StatusCode::UNPROCESSABLE_ENTITY)).await;
    let (ordinary, court) = (codec::encode(&network.batch(1)), codec::encode(&network.court_batch(2, 1)));
    let ask = async |validators: &[&FakeValidator], batch: &[u8]| {
        let data = TempDir::new().unwrap();
        let relay = Running::start(&network, validators, data.path()).await;
        relay.reached(1).await;
        let answer = relay.post("/v1/batches", batch.to_vec()).await;
        let counts =
            (relay.metric("relay_batches_refused_total").await, relay.metric("relay_batches_failed_total").await);
        relay.stop().await;
        (answer, counts)
    };
    for batch in [&ordinary, &court] {
        assert_eq!(ask(&[&behind, &honest], batch).await.0.0, 202);
        let ((status, problem), counts) = ask(&[&behind], batch).await;
        assert_eq!((status, &problem["code"], &problem["retryable"]), (503, &"wrong_nonce".into(), &true.into()));
        assert_eq!(counts, (0, 1));
    }
    let ((status, problem), _) = ask(&[&behind, &refusing], &court).await;
    assert_eq!((status, &problem["retryable"]), (503, &true.into()), "one of them may take it later");
    let ((status, problem), counts) = ask(&[&refusing], &court).await;
    assert_eq!((status, &problem["retryable"]), (422, &false.into()));
    assert_eq!(counts, (1, 0));
}

#[tokio::test]
async fn a_refusal_is_final_and_passed_on() {
    let bank = EchoBank::start().await;
    let network = Network::new("refusal", &bank.url, Purpose::Test, 1);
    let refusing = FakeValidator::start(&network, Manner::Refuses(StatusCode::CONFLICT)).await;
    let honest = FakeValidator::start(&network, Manner::Honest).await;
    let data = TempDir::new().unwrap();
    let relay = Running::start(&network, &[&refusing, &honest], data.path()).await;
    relay.reached(1).await;
    let (status, answer) = relay.post("/v1/batches", codec::encode(&network.batch(0))).await;
    assert_eq!((status, &answer["code"], &answer["data"]["expected"]), (409, &"wrong_nonce".into(), &7.into()));
    assert!(honest.batches.lock().unwrap().is_empty());
    relay.stop().await;
}
