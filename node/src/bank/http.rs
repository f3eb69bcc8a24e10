//! What a bank serves.
//!
//! ```text
//! GET  /v1/peer       WebSocket: a Noise session (`fair_core::session`); the bank responds. Before it is on the
//!                     register it hangs up on everybody
//! POST /v1/faucet     JSON {account, asset?} → {account, asset, amount}; test networks only
//! GET  /v1/status     JSON, to this machine alone
//! POST /v1/rebalance  to this machine alone, with the operator's token in the header `x-fair-operator`
//! POST /v1/pay        JSON {request, peer, amount, asset?, note?} → {request, state, failure}; as rebalance
//! POST /v1/order      JSON {request, operation} → batch, as a wallet's; as rebalance: a proposal, a vote, an entry
//!                     of a register
//! POST /v1/resume     JSON {peer}, likewise: proposes again on a suspended channel
//! POST /v1/dispute    JSON {peer}, likewise: takes the channel to court → [`crate::court`]
//! POST /v1/court      JSON {peer}, likewise: where the channel stands in court → [`crate::court`]
//! GET  /              the operator's page, to this machine alone
//! ```
//!
//! `request` names a payment or an order: the same again does nothing twice and says how it stands (a payment
//! `waiting`, `paid` or `failed`); another one under a name that was used is refused.

use super::config::Settings;
use super::faucet::{self, NoGift, Wish};
use super::{Hosted, page, view};
use crate::court;
use crate::host::{Handle, line};
use crate::limits;
use crate::local::{self, Named, Refusal, Token};
use crate::page::{POLICY, STYLE};
use crate::progress::{Patience, Progress};
use crate::serve;
use crate::wallet::operator::batch;
use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post};
use fair_core::account::{RequestId, SentBatch, SentState};
use fair_core::bank::{self, Bank, DirectState, Input};
use fair_core::chain::genesis::Genesis;
use fair_core::types::{Amount, AssetId, PublicKey};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

static LINES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(limits::BANK_LINES)));

/// What the server needs.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) host: Handle<Hosted>,
    pub(super) identity: line::Identity,
    pub(super) genesis: Arc<Genesis>,
    pub(super) settings: Arc<Settings>,
    /// What orders must show.
    pub(super) token: Token,
    /// When the newest requests to the faucet came.
    pub(super) gifts: Arc<Mutex<VecDeque<Instant>>>,
    /// Counts changes that are durable.
    pub(super) changed: watch::Receiver<u64>,
}

/// Serves for ever.
pub(super) async fn serve(listener: TcpListener, served: Served) -> io::Result<()> {
    let router = Router::new()
        .route("/", get(operator))
        .route("/page.css", get(|| async { ([(header::CONTENT_TYPE, "text/css")], STYLE) }))
        .route("/v1/peer", get(peer))
        .route("/v1/faucet", post(ask_faucet))
        .route("/v1/status", get(status))
        .route("/v1/rebalance", post(rebalance))
        .route("/v1/resume", post(resume))
        .route("/v1/dispute", post(dispute))
        .route("/v1/court", post(ask_court))
        .route("/v1/pay", post(pay))
        .route("/v1/order", post(take_order).layer(DefaultBodyLimit::max(limits::ORDER_JSON_BYTES)))
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here.") })
        .layer(DefaultBodyLimit::max(limits::JSON_BYTES))
        .with_state(served);
    serve::serve(listener, router, serve::NOBODY_ALONE).await
}

async fn peer(State(served): State<Served>, upgrade: WebSocketUpgrade) -> Response {
    let Ok(permit) = LINES.clone().try_acquire_owned() else {
        return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "bank.full", "Too many are connected.").into_response();
    };
    let limit = fair_core::limits::MAX_SESSION_MESSAGE_BYTES;
    upgrade.max_message_size(limit).max_frame_size(limit).on_upgrade(move |socket| async move {
        let ended = line::serve(socket, &served.identity, &served.host).await;
        tracing::debug!(reason = %ended, "a line ended");
        drop(permit);
    })
}

#[derive(Deserialize)]
struct AskFaucet {
    account: PublicKey,
    #[serde(default = "frd")]
    asset: AssetId,
}

const fn frd() -> AssetId {
    AssetId::FRD
}

async fn ask_faucet(
    State(served): State<Served>,
    asked: Result<Json<AskFaucet>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Some(policy) = served.settings.faucet else {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "faucet.none", "This bank gives nothing away."));
    };
    let Json(asked) =
        asked.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "faucet.bad_request", error.body_text()))?;
    count(&served.gifts)?;
    let own = served.identity.key.public();
    let wish = Wish { account: asked.account, asset: asked.asset };
    let given = served
        .host
        .ask(move |hosted, chain, now_ms| faucet::give(&mut hosted.bank, own, wish, policy, chain, now_ms))
        .await?;
    given.map(|gift| Json(json!(gift))).map_err(|no| {
        let (status, code) = match no {
            NoGift::Recently { .. } => (StatusCode::TOO_MANY_REQUESTS, "faucet.limited"),
            NoGift::Empty => (StatusCode::SERVICE_UNAVAILABLE, "faucet.empty"),
            NoGift::Busy => (StatusCode::SERVICE_UNAVAILABLE, "faucet.busy"),
            NoGift::NotRegistered => (StatusCode::FORBIDDEN, "faucet.none"),
            NoGift::UnknownAsset(_) | NoGift::OwnAccount => (StatusCode::BAD_REQUEST, "faucet.bad_request"),
        };
        let refusal = Refusal::new(status, code, no.to_string());
        match no {
            NoGift::Recently { wait_s } => refusal.after(wait_s),
            _ => refusal,
        }
    })
}

/// All together may ask so often a minute.
fn count(gifts: &Mutex<VecDeque<Instant>>) -> Result<(), Refusal> {
    let mut gifts = gifts.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    while gifts.front().is_some_and(|at| now.duration_since(*at) > Duration::from_secs(60)) {
        gifts.pop_front();
    }
    if gifts.len() >= limits::FAUCET_PER_MINUTE {
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "faucet.limited", "Too many are asking.");
        return Err(refusal.after(60));
    }
    gifts.push_back(now);
    Ok(())
}

async fn look(served: &Served) -> Result<view::View, Refusal> {
    let (own, settings) = (served.identity.key.public(), served.settings.clone());
    let view = served.host.ask(move |hosted, chain, now_ms| {
        let view = view::view(&hosted.bank, own, &settings, chain, now_ms);
        (Vec::new(), view)
    });
    Ok(view.await?)
}

async fn status(
    State(served): State<Served>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    local::only(from, &headers)?;
    let mut status = json!(look(&served).await?);
    if let Some(fields) = status.as_object_mut() {
        fields.insert("network".to_owned(), json!(served.genesis.network));
    }
    Ok(Json(status))
}

async fn operator(
    State(served): State<Served>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    local::only(from, &headers)?;
    let html = page::html(&look(&served).await?);
    let security = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")];
    Ok((security, Html(html)).into_response())
}

async fn rebalance(
    State(served): State<Served>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    local::operator(from, &headers, &served.token)?;
    order(&served, Input::Rebalance).await?;
    Ok(Json(json!({ "started": true })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfChannel {
    peer: PublicKey,
}

type AskedChannel = Result<Json<OfChannel>, JsonRejection>;

/// The operator's word, and which channel it is about.
fn channel(served: &Served, from: SocketAddr, headers: &HeaderMap, asked: AskedChannel) -> Result<PublicKey, Refusal> {
    local::operator(from, headers, &served.token)?;
    let Json(OfChannel { peer }) =
        asked.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "input.json", error.body_text()))?;
    Ok(peer)
}

/// Hands the bank an order.
async fn order(served: &Served, input: Input<'static>) -> Result<(), Refusal> {
    let taken = served.host.ask(move |hosted, chain, now_ms| match hosted.bank.handle(input, chain, now_ms) {
        Ok(effects) => (effects, Ok(())),
        Err(refusal) => (Vec::new(), Err(refusal)),
    });
    taken.await?.map_err(|refusal| {
        let code = if refusal == bank::Refusal::RequestUsed { "order.request_used" } else { "bank.refused" };
        Refusal::new(StatusCode::CONFLICT, code, refusal.to_string())
    })
}

async fn resume(
    State(served): State<Served>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    asked: AskedChannel,
) -> Result<Json<Value>, Refusal> {
    let peer = channel(&served, from, &headers, asked)?;
    order(&served, Input::Resume { peer }).await?;
    Ok(Json(json!({ "resumed": true })))
}

/// Takes a channel to court and waits a little for the block.
async fn dispute(
    State(served): State<Served>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    asked: AskedChannel,
) -> Result<Json<Value>, Refusal> {
    let peer = channel(&served, from, &headers, asked)?;
    order(&served, Input::Dispute { peer }).await?;
    let mut patience = Patience::new(&served.changed);
    loop {
        if let Some(answer) = patience.settle(look_at_court(&served, peer).await?).await {
            return Ok(Json(answer));
        }
    }
}

async fn ask_court(
    State(served): State<Served>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    asked: AskedChannel,
) -> Result<Json<Value>, Refusal> {
    let peer = channel(&served, from, &headers, asked)?;
    let (Progress::Waiting(answer) | Progress::Ended(answer)) = look_at_court(&served, peer).await?;
    Ok(Json(answer))
}

async fn look_at_court(served: &Served, peer: PublicKey) -> Result<Progress<Value>, Refusal> {
    let looked = served.host.ask(move |hosted, chain, _| {
        let view = hosted.bank.court(&peer, chain);
        (Vec::new(), view.map(|view| court::progress(&peer, &view)))
    });
    let own = || Refusal::new(StatusCode::BAD_REQUEST, "input.peer", "This is the bank's own key.");
    looked.await?.ok_or_else(own)
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pay {
    request: Named,
    peer: PublicKey,
    amount: Amount,
    #[serde(default = "frd")]
    asset: AssetId,
    #[serde(default)]
    note: String,
}

async fn pay(
    State(served): State<Served>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    asked: Result<Json<Pay>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    local::operator(from, &headers, &served.token)?;
    let Json(asked) = asked.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "input.json", error.body_text()))?;
    let Pay { request: Named(request), peer, amount, asset, note } = asked;
    let input = Input::Pay { request, peer, asset, amount, note: note.into_bytes() };
    order(&served, input).await?;
    let answer = |state: &str, failure: Option<String>| {
        Json(json!({ "request": hex::encode(request), "state": state, "failure": failure }))
    };
    let mut patience = Patience::new(&served.changed);
    loop {
        let looked = served.host.ask(move |hosted, _, _| {
            let state = hosted.bank.direct_payment(&request).map(|payment| payment.state.clone());
            (Vec::new(), state)
        });
        let progress = match looked.await? {
            Some(DirectState::Paid) => Progress::Ended(answer("paid", None)),
            Some(DirectState::Failed(reason)) => Progress::Ended(answer("failed", Some(reason.to_string()))),
            Some(DirectState::Waiting) | None => Progress::Waiting(answer("waiting", None)),
        };
        if let Some(answer) = patience.settle(progress).await {
            return Ok(answer);
        }
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    request: Named,
    operation: String,
}

async fn take_order(
    State(served): State<Served>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    asked: Result<Json<Order>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    local::operator(from, &headers, &served.token)?;
    let Json(asked) = asked.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "input.json", error.body_text()))?;
    let Order { request: Named(request), operation } = asked;
    let operation = Box::new(local::read_operation(&operation)?);
    order(&served, Input::Order { request, operation }).await?;
    let mut patience = Patience::new(&served.changed);
    loop {
        let looked = served.host.ask(move |hosted, _, _| (Vec::new(), ordered(&hosted.bank, request)));
        if let Some(answer) = patience.settle(looked.await?).await {
            return Ok(answer);
        }
    }
}

/// How an order stands: as its batch, with what became of it alone.
fn ordered(bank: &Bank, request: RequestId) -> Progress<Json<Value>> {
    let order = bank.order(&request);
    let sent = order.and_then(|order| Some((order, bank.on_chain().sent_for(&order.batch?)?)));
    let Some((order, sent)) = sent else {
        return Progress::Waiting(Json(json!({ "request": hex::encode(request), "state": "waiting" })));
    };
    let mut alone = SentBatch { request, ..sent.clone() };
    let entries = &mut alone.batch.body.entries;
    if let Some(place) = entries.iter().position(|entry| entry.operation == order.operation) {
        *entries = entries.drain(place..).take(1).collect();
        if let SentState::Included { receipts, .. } = &mut alone.state {
            *receipts = receipts.drain(..).skip(place).take(1).collect();
        }
    }
    batch(&alone)
}
