//! What a tower serves.
//!
//! ```text
//! GET /v1/peer    WebSocket: a Noise session (`fair_core::session`); the tower responds
//! GET /v1/status  JSON, to this machine alone
//! GET /healthz    the process answers
//! GET /readyz     JSON: the head is fresh, and there is money to answer with
//! ```

use super::Hosted;
use crate::host::{Handle, line};
use crate::limits;
use crate::local::{self, Refusal};
use crate::serve;
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use fair_core::chain::genesis::Genesis;
use fair_core::tower::Money;
use fair_core::types::AssetId;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

static LINES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(limits::TOWER_LINES)));

/// What the server needs.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) host: Handle<Hosted>,
    pub(super) identity: line::Identity,
    pub(super) genesis: Arc<Genesis>,
    /// Where others reach it.
    pub(super) url: String,
}

/// Serves for ever.
pub(super) async fn serve(listener: TcpListener, served: Served) -> io::Result<()> {
    let router = Router::new()
        .route("/v1/peer", get(peer))
        .route("/v1/status", get(status))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here.") })
        .with_state(served);
    serve::serve(listener, router, serve::NOBODY_ALONE).await
}

async fn peer(State(served): State<Served>, upgrade: WebSocketUpgrade) -> Response {
    let Ok(permit) = LINES.clone().try_acquire_owned() else {
        return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "tower.busy", "Too many are connected.").into_response();
    };
    let limit = fair_core::limits::MAX_SESSION_MESSAGE_BYTES;
    upgrade.max_message_size(limit).max_frame_size(limit).on_upgrade(move |socket| async move {
        let ended = line::serve(socket, &served.identity, &served.host).await;
        tracing::debug!(reason = %ended, "a line ended");
        drop(permit);
    })
}

async fn status(
    State(served): State<Served>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    local::only(from, &headers)?;
    let (network, url) = (served.genesis.network.clone(), served.url.clone());
    let status = served.host.ask(move |hosted, chain, now_ms| {
        let tower = &hosted.tower;
        let (channels, strangers) = tower.rooms_taken();
        let status = json!({
            "kind": "tower",
            "network": network,
            "account": tower.key(),
            "address": format!("{}@{url}", tower.key()),
            "head": chain.head.height,
            "stale": chain.is_stale(now_ms),
            "balance": chain.state.balance(&tower.key(), AssetId::FRD),
            "money": tower.money(),
            "largest_answers_affordable": tower.affordable(chain),
            "clients": tower.clients(),
            "connected": tower.connected(),
            "channels": channels,
            "channels_with_strangers": strangers,
            "unanswered": tower.unanswered(chain),
            "answers_under_way": tower.answering(),
        });
        (Vec::new(), status)
    });
    Ok(Json(status.await?))
}

async fn ready(State(served): State<Served>) -> Result<Json<Value>, Refusal> {
    let looked = served
        .host
        .ask(|hosted, chain, now_ms| (Vec::new(), (chain.head.height, chain.is_stale(now_ms), hosted.tower.money())));
    let (height, is_stale, money) = looked.await?;
    match (is_stale, money) {
        (false, Money::Enough) => Ok(Json(json!({ "height": height }))),
        (true, _) => {
            let message = "The newest verified block is old.";
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "tower.stale", message))
        }
        (false, Money::Unregistered | Money::Short { .. }) => {
            let message = "The account cannot pay for an answer.";
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "tower.money", message))
        }
    }
}
