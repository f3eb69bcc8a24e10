//! What people and machines that look after a relay ask, and `/v1/info`.

use super::{App, Caller};
use crate::error::ApiError;
use crate::limits;
use crate::sync::now_ms;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /v1/info`
pub(super) async fn info(State(app): State<Arc<App>>) -> Response {
    let (head, genesis) = (app.chain.head(), app.chain.genesis());
    let body = json!({
        "network": genesis.network,
        "purpose": genesis.purpose,
        "chain_id": app.chain.chain_id(),
        "head": { "height": head.height, "hash": head.hash, "time_ms": head.time_ms },
        "version": env!("CARGO_PKG_VERSION"),
        "limits": {
            "headers_per_request": limits::MAX_HEADERS,
            "blocks_per_request": limits::MAX_BLOCKS,
            "batch_bytes": app.max_batch_bytes(),
            "peer_message_bytes": limits::MAX_PEER_MESSAGE_BYTES,
            "requests_per_minute": app.requests_per_minute,
            "batches_per_minute": app.batches_per_minute,
        },
        "terms": app.terms,
        "shop": app.shop,
        "counterpart": app.counterpart,
        "towers": app.towers.keys().collect::<Vec<_>>(),
    });
    let mut response = Json(body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `GET /healthz`: the process answers.
pub(super) async fn healthy() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the head is fresh.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let head = app.chain.head();
    let age_ms = now_ms().saturating_sub(head.time_ms);
    let state = json!({ "height": head.height, "age_ms": age_ms });
    if age_ms < app.chain.genesis().parameters.stale_head_ms {
        Ok(Json(state))
    } else {
        Err(ApiError::unavailable("relay.not_ready", "The newest verified block is old.").with_data(state))
    }
}

/// `GET /metrics`, for the own machine only.
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    Extension(Caller(address)): Extension<Caller>,
) -> Result<String, ApiError> {
    if !address.is_loopback() {
        return Err(ApiError::forbidden("relay.local_only", "Metrics are told to this machine alone."));
    }
    let head = app.chain.head();
    let sockets = u64::try_from(app.limits.open_sockets()).unwrap_or(u64::MAX);
    let snapshots = u64::try_from(app.chain.snapshots().list().len()).unwrap_or(u64::MAX);
    Ok(app.metrics.text(&[
        ("relay_head_height", "Height of the newest verified block.", head.height),
        ("relay_head_time_ms", "Its time.", head.time_ms),
        ("relay_snapshots", "Snapshots that are offered.", snapshots),
        ("relay_sockets", "WebSockets open.", sockets),
    ]))
}
