use super::*;
use crate::genesis::{Plan, genesis};
use crate::host::Input;
use axum::Router;
use axum::extract::ws::{Message as Sent, WebSocket, WebSocketUpgrade};
use axum::response::IntoResponse as _;
use axum::routing::get;
use fair_core::effect::Effect;
use fair_core::peers::Chain;
use fair_core::types::TimeMs;
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

/// The first block of a network; what certifies it is no matter here.
fn block() -> CertifiedBlock {
    let folder = tempfile::tempdir().unwrap();
    let genesis = genesis(&Plan::of_four(folder.path())).unwrap();
    let follower = fair_core::chain::follow::Follower::new(&genesis);
    let block = follower.build([], genesis.validators.validators[0].account, genesis.time_ms + 5_000).block;
    let certificate =
        Certificate { height: block.header.height, round: 0, block_hash: block.header.hash(), signatures: vec![] };
    CertifiedBlock { block, certificate }
}

/// A source that announces one head again and again, and serves these blocks to everybody who asks for any.
async fn source(head: CertifiedBlock, served: Vec<CertifiedBlock>) -> String {
    let head = codec::encode(&(head.block.header, head.certificate));
    let heads = move |upgrade: WebSocketUpgrade| {
        let head = head.clone();
        async move { upgrade.on_upgrade(move |socket| repeat(socket, head)) }
    };
    let served = codec::encode(&served);
    let blocks = move || {
        let served = served.clone();
        async move {
            sleep(REPEAT).await;
            served
        }
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
    let head = codec::encode(&(block().block.header, block().certificate));
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

/// Follows a source with a host that believes every block and takes it for one of `age` ago.
async fn leave(url: &str, age: Duration) -> Leave {
    leave_after(PATIENCE, url, age).await
}

async fn leave_after(patience: Duration, url: &str, age: Duration) -> Leave {
    let (told, mut told_seen) = mpsc::channel::<Told<Nobody>>(8);
    let time_ms = clock::now_ms().saturating_sub(u64::try_from(age.as_millis()).unwrap());
    let (heads, heads_seen) = watch::channel((1, time_ms));
    tokio::spawn(async move {
        while let Some(told) = told_seen.recv().await {
            let Told::Blocks { taken, .. } = told else { continue };
            heads.send_modify(|(height, _)| *height += 1);
            taken.send(Ok(())).unwrap();
        }
    });
    let handle = Handle { told, heads: heads_seen };
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    timeout(LONG, follow(&handle, &client, url, patience)).await.expect("it is left")
}

/// Attack 39: what a source repeats is no sign that the chain stands still.
#[tokio::test]
async fn whoever_repeats_an_old_head_is_left() {
    let url = source(block(), vec![]).await;
    for age in [Duration::ZERO, LONG] {
        let reason = leave(&url, age).await;
        assert!(matches!(reason, Leave::Silent), "{reason}");
    }
}

/// The same: one block at a time, of long ago, for ever.
#[tokio::test]
async fn whoever_never_reaches_the_present_is_left() {
    let url = source(block(), vec![block()]).await;
    let reason = leave(&url, LONG).await;
    assert!(matches!(reason, Leave::Silent), "{reason}");
}

/// Many followers behind one address would else keep each other out of a relay: each that is refused would come
/// back at once, with two requests.
#[tokio::test]
async fn a_busy_source_is_asked_again_when_it_says() {
    let reason = leave_after(PATIENCE, &busy_source(Arc::default()).await, LONG).await;
    assert_eq!(reason.busy(), Duration::from_secs(1), "{reason}");
    let comes = Arc::new(AtomicUsize::new(0));
    let reason = leave_after(Duration::from_secs(3), &busy_source(comes.clone()).await, LONG).await;
    assert!(matches!(reason, Leave::Silent), "{reason}");
    assert_eq!(comes.load(Ordering::Relaxed), 1);
}
