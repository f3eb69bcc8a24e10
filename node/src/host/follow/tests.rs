use super::*;
use crate::host::{Head, Input};
use crate::presets::Preset;
use axum::Router;
use axum::extract::Query;
use axum::extract::ws::{Message as Sent, WebSocket, WebSocketUpgrade};
use axum::response::IntoResponse as _;
use axum::routing::get;
use fair_core::chain::certificate::{Precommit, Validator, ValidatorSet};
use fair_core::chain::genesis::{Asset, Genesis, GenesisAccount, Purpose};
use fair_core::crypto::SecretKey;
use fair_core::effect::Effect;
use fair_core::message::Message as _;
use fair_core::types::{AssetId, TimeMs};
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// Reached only by a failure.
const LONG: Duration = Duration::from_secs(30);
/// What the follower has with a source.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often a source says something.
const REPEAT: Duration = Duration::from_millis(10);

/// A machine that hears nothing.
struct Nobody;

impl Machine for Nobody {
    type Event = ();
    type Refusal = String;

    fn handle(&mut self, _: Input<'_>, _: &Chain<'_>, _: TimeMs) -> Result<Vec<Effect<()>>, String> {
        Ok(Vec::new())
    }

    fn heard(&mut self, (): ()) {}
}

/// A network of one validator, and its first blocks, of long ago.
fn chain(length: u64) -> (Genesis, Vec<CertifiedBlock>) {
    let (account, signer) = (SecretKey::from_seed(&[1; 32]).public(), SecretKey::from_seed(&[2; 32]));
    let asset = |id, ticker: &str| Asset { id, ticker: ticker.into(), name: ticker.into(), decimals: 2, supply: 1_000 };
    let validator =
        Validator { account, signing_key: signer.public(), shares: 25, url: "http://127.0.0.1:7100".to_owned() };
    let balances = vec![(AssetId::FRD, 1_000), (AssetId::FRB, 1_000)];
    let genesis = Genesis {
        network: "t".to_owned(),
        purpose: Purpose::Test,
        time_ms: 0,
        parameters: Preset::Demo.parameters(None).unwrap(),
        validators: ValidatorSet { validators: vec![validator] },
        assets: vec![asset(AssetId::FRD, "FRD"), asset(AssetId::FRB, "FRB")],
        accounts: vec![GenesisAccount { key: account, balances }],
        banks: Vec::new(),
    };
    genesis.check().unwrap();
    let mut follower = Follower::new(&genesis);
    let blocks = (1..=length).map(|height| {
        let built = follower.build([], account, height * 5_000);
        let block_hash = built.block.header.hash();
        let vote = Precommit { height, round: 0, block_hash: Some(block_hash) };
        let signatures = vec![Some(vote.sign(&genesis.chain_id(), &signer))];
        follower.commit(built.step);
        let certificate = Certificate { height, round: 0, block_hash, signatures };
        CertifiedBlock { block: built.block, certificate }
    });
    let blocks = blocks.collect();
    (genesis, blocks)
}

#[derive(Deserialize)]
struct Range {
    from: Height,
}

/// A source that announces the first of these blocks again and again, and serves of each height what `serves` says.
async fn source(serves: impl Fn(Height) -> Option<CertifiedBlock> + Clone + Send + Sync + 'static) -> String {
    let (_, mut blocks) = chain(1);
    let head = blocks.remove(0);
    let head = codec::encode(&(head.block.header, head.certificate));
    let heads = move |upgrade: WebSocketUpgrade| {
        let head = head.clone();
        async move { upgrade.on_upgrade(move |socket| repeat(socket, head)) }
    };
    let blocks = move |Query(range): Query<Range>| async move {
        sleep(REPEAT).await;
        codec::encode(&serves(range.from).into_iter().collect::<Vec<_>>())
    };
    serve(Router::new().route("/v1/heads", get(heads)).route("/v1/blocks", get(blocks))).await
}

async fn repeat(mut socket: WebSocket, head: Vec<u8>) {
    while socket.send(Sent::Binary(head.clone().into())).await.is_ok() {
        sleep(REPEAT).await;
    }
}

/// A source that is asked too often by others: it answers us from the second time on, and counts how often we come.
async fn busy_source(comes: Arc<AtomicUsize>) -> String {
    let (_, mut blocks) = chain(1);
    let head = blocks.remove(0);
    let head = codec::encode(&(head.block.header, head.certificate));
    let heads = move |upgrade: WebSocketUpgrade| {
        comes.fetch_add(1, Ordering::Relaxed);
        let head = head.clone();
        async move { upgrade.on_upgrade(move |socket| repeat(socket, head)) }
    };
    let asked = Arc::new(AtomicUsize::new(0));
    let blocks = move || {
        let is_first = asked.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            if is_first {
                (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response()
            } else {
                codec::encode(&Vec::<CertifiedBlock>::new()).into_response()
            }
        }
    };
    serve(Router::new().route("/v1/heads", get(heads)).route("/v1/blocks", get(blocks))).await
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Follows a source with a host that believes every block and takes it for one of `age` ago. Before the first one it is
/// as patient as `before` says.
async fn leave(url: &str, age: Duration, before: Duration) -> Leave {
    let (told, mut told_seen) = mpsc::channel::<Told<Nobody>>(8);
    let time_ms = clock::now_ms().saturating_sub(u64::try_from(age.as_millis()).unwrap());
    let (heads, heads_seen) = watch::channel(Head { height: 1, time_ms, patience: before });
    tokio::spawn(async move {
        while let Some(told) = told_seen.recv().await {
            let Told::Blocks { taken, .. } = told else { continue };
            heads.send_modify(|head| *head = Head { height: head.height + 1, patience: PATIENCE, ..*head });
            taken.send(Ok(())).unwrap();
        }
    });
    let handle = Handle { told, heads: heads_seen };
    timeout(LONG, follow(&handle, &client(), url)).await.expect("it is left")
}

/// Attack 39: what a source repeats is no sign that the chain stands still.
#[tokio::test]
async fn whoever_repeats_an_old_head_is_left() {
    let url = source(|_| None).await;
    for age in [Duration::ZERO, LONG] {
        let reason = leave(&url, age, PATIENCE).await;
        assert!(matches!(reason, Leave::Silent), "{reason}");
    }
}

/// The same: one block at a time, of long ago, for ever.
#[tokio::test]
async fn whoever_never_reaches_the_present_is_left() {
    let (_, blocks) = chain(1);
    let url = source(move |_| blocks.first().cloned()).await;
    let reason = leave(&url, LONG, PATIENCE).await;
    assert!(matches!(reason, Leave::Silent), "{reason}");
}

/// The same before there is a host, when the time of the source is over: what else it has is not waited for.
#[tokio::test]
async fn whoever_never_reaches_the_present_is_left_at_the_start() {
    let (genesis, blocks) = chain(3);
    let folder = tempfile::tempdir().unwrap();
    let (store, found) = onchain::open(&folder.path().join("db.sqlite"), &genesis).await.unwrap();
    let mut follower = found.follower;
    let url = source(move |from| blocks.get(usize::try_from(from).unwrap() - 1).cloned()).await;
    let since = Instant::now().checked_sub(patience(&follower)).unwrap();
    let reason = take_all(&mut follower, &store, &client(), &url, since).await.unwrap().unwrap_err();
    assert!(matches!(reason, Leave::Silent), "{reason}");
    assert_eq!(follower.height(), 1);
}

/// How late a block may be is what the newest block says: an early chain may have been told to be slow.
#[tokio::test]
async fn patience_is_that_of_the_parameters_in_force() {
    let (_, blocks) = chain(1);
    let url = source(move |from| blocks.first().filter(|_| from == 2).cloned()).await;
    let reason = leave(&url, LONG, 10 * LONG).await;
    assert!(matches!(reason, Leave::Silent), "{reason}");
}

/// Many followers behind one address would else keep each other out of a relay: each that is refused would come
/// back at once, with two requests.
#[tokio::test]
async fn a_busy_source_is_asked_again_when_it_says() {
    let reason = leave(&busy_source(Arc::default()).await, LONG, PATIENCE).await;
    assert_eq!(reason.busy(), Duration::from_secs(1), "{reason}");
    let comes = Arc::new(AtomicUsize::new(0));
    let reason = leave(&busy_source(comes.clone()).await, LONG, Duration::from_secs(3)).await;
    assert!(matches!(reason, Leave::Silent), "{reason}");
    assert_eq!(comes.load(Ordering::Relaxed), 1);
}
