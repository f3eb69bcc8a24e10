//! What a validator serves. Bodies are canonical borsh unless JSON is said; errors are JSON
//! `{code, message, retryable, data}`.
//!
//! ```text
//! GET  /v1/info                    JSON
//! GET  /v1/genesis                 Genesis
//! GET  /v1/headers?from=H&count=N  Vec<(Header, Certificate)>, at most HEADERS_PER_ANSWER
//! GET  /v1/blocks?from=H&count=N   Vec<CertifiedBlock>, at most BLOCKS_PER_ANSWER and about BYTES_PER_ANSWER
//! GET  /v1/blocks/{height}         CertifiedBlock, immutable
//! GET  /v1/snapshots               JSON list, newest first: height, hash of the manifest, block, bytes, file
//! GET  /v1/snapshots/{file}        the archive; ranges are served
//! GET  /v1/heads                   WebSocket: (Header, Certificate) on connect and on each new head; who is
//!                                  slow gets the newest only
//! POST /v1/batches                 Signed<Batch> → 202 JSON {hash}, 200 {hash, height} when a block has it
//! GET  /v1/consensus               WebSocket: other validators
//! GET  /v1/status                  JSON for the operator
//! ```

use super::Identity;
use super::engine::{Event, Offer, Published, Vitals};
use super::mempool::{Accepted, Refused};
use super::peers::{Members, Peers};
use super::wire::{Challenge, Frame, MAX_FRAME_BYTES, ValidatorHello};
use crate::limits;
use crate::local::Refusal;
use crate::serve::{self, Addresses};
use crate::store::StoreError;
use crate::store::onchain::Blocks;
use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use fair_core::chain::certificate::Certificate;
use fair_core::chain::genesis::Genesis;
use fair_core::chain::header::Header;
use fair_core::codec;
use fair_core::ledger::batch::Batch;
use fair_core::message::Signed;
use fair_core::types::{Height, PublicKey};
use fair_snapshots::Folder;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Duration, timeout};

/// What the server needs.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) identity: Identity,
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) genesis_bytes: Bytes,
    pub(crate) blocks: Blocks,
    pub(crate) snapshots: Folder,
    pub(crate) heads: watch::Receiver<Published>,
    pub(crate) vitals: watch::Receiver<Vitals>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) offers: mpsc::Sender<Offer>,
    pub(crate) members: watch::Receiver<Members>,
    pub(crate) peers: Peers,
}

static HEAD_LISTENERS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(limits::HEAD_LISTENERS)));
static PENDING_HELLOS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(limits::PENDING_HELLOS)));
static CALLERS: LazyLock<Arc<Addresses>> = LazyLock::new(|| Addresses::new(limits::PENDING_HELLOS_PER_ADDRESS));
const IMMUTABLE: (HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=31536000, immutable");
const FLEETING: (HeaderName, &str) = (header::CACHE_CONTROL, "no-store");
const BINARY: (HeaderName, &str) = (header::CONTENT_TYPE, "application/octet-stream");

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, served: Served) -> io::Result<()> {
    let router = Router::new()
        .route("/v1/info", get(info))
        .route("/v1/genesis", get(genesis))
        .route("/v1/headers", get(headers))
        .route("/v1/blocks", get(blocks))
        .route("/v1/blocks/{height}", get(block))
        .route("/v1/snapshots", get(snapshots))
        .route("/v1/snapshots/{file}", get(snapshot))
        .route("/v1/heads", get(heads))
        .route("/v1/batches", post(batches))
        .route("/v1/consensus", get(consensus))
        .route("/v1/status", get(status))
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here") })
        .layer(DefaultBodyLimit::max(fair_core::limits::MAX_BATCH_BYTES))
        .with_state(served);
    serve::serve(listener, router, serve::FEW_EACH).await
}

/// An error that names its own code under `"code"`.
fn coded(status: StatusCode, error: &impl Serialize, message: String) -> Refusal {
    let mut data = serde_json::to_value(error).unwrap_or_default();
    let code = data.as_object_mut().and_then(|fields| fields.remove("code"));
    let code = code.as_ref().and_then(|code| code.as_str()).unwrap_or("refused");
    Refusal::new(status, code, message).with_data(data)
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "cannot read what is stored");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store", "the database does not answer")
    }
}

async fn info(State(served): State<Served>) -> impl IntoResponse {
    let head = served
        .heads
        .borrow()
        .head
        .as_ref()
        .map(|(header, _)| json!({ "height": header.height, "hash": header.hash(), "time_ms": header.time_ms }));
    let head = head.unwrap_or_else(
        || json!({ "height": 0, "hash": fair_core::types::Hash::ZERO, "time_ms": served.genesis.time_ms }),
    );
    let body = json!({
        "network": served.genesis.network,
        "purpose": served.genesis.purpose,
        "chain_id": served.identity.chain_id,
        "head": head,
        "version": env!("CARGO_PKG_VERSION"),
    });
    ([FLEETING], Json(body))
}

async fn status(State(served): State<Served>) -> impl IntoResponse {
    let peers: Vec<_> = served
        .peers
        .overview()
        .into_iter()
        .map(|(account, url, is_connected)| json!({ "account": account, "url": url, "connected": is_connected }))
        .collect();
    let vitals = served.vitals.borrow().clone();
    let head = served.heads.borrow().head.as_ref().map_or(0, |(header, _)| header.height);
    let body = json!({
        "kind": "validator",
        "account": served.identity.signer.account,
        "chain_id": served.identity.chain_id,
        "head": head,
        "deciding": vitals,
        "peers": peers,
    });
    ([FLEETING], Json(body))
}

async fn genesis(State(served): State<Served>) -> impl IntoResponse {
    ([BINARY, IMMUTABLE], served.genesis_bytes)
}

#[derive(Deserialize)]
struct Range {
    from: Height,
    count: u64,
}

async fn headers(State(served): State<Served>, Query(range): Query<Range>) -> Result<Response, Refusal> {
    if let Some(refusal) = before_snapshot(&served.blocks, range.from) {
        return Err(refusal);
    }
    let count = range.count.min(limits::HEADERS_PER_ANSWER);
    let found = read(served.blocks, move |blocks| {
        let mut found: Vec<(Header, Certificate)> = Vec::new();
        blocks.each_from(range.from, count, |certified| found.push((certified.block.header, certified.certificate)))?;
        Ok(found)
    });
    Ok(([BINARY, FLEETING], codec::encode(&found.await?)).into_response())
}

async fn blocks(State(served): State<Served>, Query(range): Query<Range>) -> Result<Response, Refusal> {
    if let Some(refusal) = before_snapshot(&served.blocks, range.from) {
        return Err(refusal);
    }
    let found = read(served.blocks, move |blocks| blocks.from(range.from, range.count)).await?;
    // A borsh vector: the count, then the elements as they are stored.
    let mut body = u32::try_from(found.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    found.iter().for_each(|block| body.extend_from_slice(block));
    Ok(([BINARY, FLEETING], body).into_response())
}

/// Blocks up to the snapshot that this validator began with were never here. Genesis is no block: 0 means from the
/// first.
fn before_snapshot(blocks: &Blocks, from: Height) -> Option<Refusal> {
    let first = blocks.first();
    let message = format!("this validator has blocks from height {first} on; begin with a snapshot");
    let data = json!({ "first": first });
    (from.max(1) < first).then(|| Refusal::new(StatusCode::NOT_FOUND, "before_snapshot", message).with_data(data))
}

async fn snapshots(State(served): State<Served>) -> impl IntoResponse {
    ([FLEETING], Json(served.snapshots.list()))
}

async fn snapshot(
    State(served): State<Served>,
    Path(file): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, "unknown_snapshot", "no such snapshot is here");
    served.snapshots.serve(&file, request).await.ok_or_else(unknown)
}

async fn block(State(served): State<Served>, Path(height): Path<Height>) -> Result<Response, Refusal> {
    if let Some(refusal) = before_snapshot(&served.blocks, height) {
        return Err(refusal);
    }
    match read(served.blocks, move |blocks| blocks.at(height)).await? {
        Some(bytes) => Ok(([BINARY, IMMUTABLE], bytes).into_response()),
        None => Err(Refusal::new(StatusCode::NOT_FOUND, "unknown_height", format!("no block {height} is here"))),
    }
}

/// Reads the database off the asynchronous threads.
async fn read<T: Send + 'static>(
    blocks: Blocks,
    query: impl FnOnce(Blocks) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refusal> {
    let unavailable = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the validator is stopping");
    Ok(tokio::task::spawn_blocking(move || query(blocks)).await.map_err(|_| unavailable())??)
}

async fn batches(State(served): State<Served>, body: Bytes) -> Result<Response, Refusal> {
    let batch: Signed<Batch> = codec::decode(&body, fair_core::limits::MAX_BATCH_BYTES)
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "malformed", error.to_string()))?;
    let stopping = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the validator is stopping");
    let (answer, result) = oneshot::channel();
    served.offers.send(Offer { batch, answer }).await.map_err(|_| stopping())?;
    match result.await.map_err(|_| stopping())? {
        Ok(Accepted::New(hash) | Accepted::Known(hash)) => {
            Ok((StatusCode::ACCEPTED, [FLEETING], Json(json!({ "hash": hash }))).into_response())
        }
        Ok(Accepted::Included(hash, height)) => {
            Ok((StatusCode::OK, [FLEETING], Json(json!({ "hash": hash, "height": height }))).into_response())
        }
        Err(refused) => Err(refusal(&refused)),
    }
}

fn refusal(refused: &Refused) -> Refusal {
    let message = refused.to_string();
    match refused {
        Refused::Inclusion(reason) => coded(StatusCode::UNPROCESSABLE_ENTITY, reason, message),
        Refused::NotYet(reason) => coded(StatusCode::SERVICE_UNAVAILABLE, reason, message),
        Refused::Replacement { least } => {
            Refusal::new(StatusCode::CONFLICT, "replacement_fee", message).with_data(json!({ "least": least }))
        }
        Refused::CourtNotRepeated => Refusal::new(StatusCode::CONFLICT, "court_not_repeated", message),
        Refused::BehindOrdinary { .. } => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "behind_ordinary", message),
        Refused::Full => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "mempool_full", message),
    }
}

async fn heads(State(served): State<Served>, upgrade: WebSocketUpgrade) -> Result<Response, Refusal> {
    let place = HEAD_LISTENERS.clone().try_acquire_owned();
    let place = place.map_err(|_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many listen already"))?;
    Ok(upgrade.max_message_size(1024).on_upgrade(move |socket| async move {
        tell_heads(socket, served.heads).await;
        drop(place);
    }))
}

async fn tell_heads(mut socket: WebSocket, mut heads: watch::Receiver<Published>) {
    heads.mark_changed();
    loop {
        tokio::select! {
            changed = heads.changed() => {
                if changed.is_err() {
                    return;
                }
                let Some(head) = heads.borrow_and_update().head.clone() else { continue };
                let send = socket.send(Message::Binary(codec::encode(&head).into()));
                match timeout(Duration::from_millis(limits::SEND_TIMEOUT_MS), send).await {
                    Ok(Ok(())) => {}
                    _ => return,
                }
            }
            received = socket.recv() => match received {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}

async fn consensus(
    State(served): State<Served>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let busy = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many call at once");
    let share = CALLERS.take(from.ip()).ok_or_else(busy)?;
    let place = PENDING_HELLOS.clone().try_acquire_owned().map_err(|_| busy())?;
    Ok(upgrade.max_message_size(MAX_FRAME_BYTES).max_frame_size(MAX_FRAME_BYTES).on_upgrade(
        move |mut socket| async move {
            let wait = Duration::from_millis(limits::HELLO_TIMEOUT_MS);
            let caller = timeout(wait, greet(&mut socket, &served)).await;
            drop((share, place));
            if let Ok(Some(caller)) = caller {
                listen(socket, caller, served.events, served.members).await;
            }
        },
    ))
}

/// Who calls, proven by a signature over fresh bytes; `None` for anybody but a validator.
async fn greet(socket: &mut WebSocket, served: &Served) -> Option<PublicKey> {
    let mut challenge: Challenge = [0; 32];
    getrandom::fill(&mut challenge).ok()?;
    socket.send(Message::Binary(challenge.to_vec().into())).await.ok()?;
    let Some(Ok(Message::Binary(answer))) = socket.recv().await else { return None };
    let Ok(Frame::Hello(hello)) = codec::decode(&answer, 1024) else { return None };
    let expected = ValidatorHello { challenge, from: hello.body.from, to: served.identity.signer.account };
    if hello.body != expected || hello.body.from == served.identity.signer.account {
        return None;
    }
    let keys: Vec<PublicKey> = served.members.borrow().signing_keys(hello.body.from).collect();
    keys.iter().find_map(|key| hello.clone().verify(&served.identity.chain_id, key).ok()).map(|it| it.body().from)
}

/// Passes frames on until one cannot be read, or the caller is a validator no more. A full queue of the loop holds this caller back, not others.
async fn listen(
    mut socket: WebSocket,
    caller: PublicKey,
    events: mpsc::Sender<Event>,
    members: watch::Receiver<Members>,
) {
    while let Some(Ok(message)) = socket.recv().await {
        if members.borrow().by_account(&caller).is_none() {
            return;
        }
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Text(_) | Message::Close(_) => return,
        };
        let event = match codec::decode(&bytes, MAX_FRAME_BYTES) {
            Ok(Frame::Head(height)) => Event::Head { from: caller, height },
            Ok(Frame::Consensus(message)) => Event::Consensus { from: caller, message: Box::new(message) },
            Ok(Frame::Batch(batch)) => Event::ForwardedBatch(Box::new(batch)),
            Ok(Frame::Hello(_)) => return,
            Err(error) => {
                tracing::warn!(%caller, %error, "a validator sent what cannot be read");
                return;
            }
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
}
