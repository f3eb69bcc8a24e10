//! Genesis, headers and blocks: bytes that never change once they are served.
//!
//! A URL that names the chain (`?chain=ID`) may be kept for ever. One that does not is asked for again each
//! time, since another network may stand at the same address tomorrow.

use super::App;
use crate::error::ApiError;
use crate::limits;
use crate::store::Store;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use fair_core::types::{Hash, Height};
use serde::Deserialize;
use std::sync::Arc;

const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Of which chain, if the caller says so.
#[derive(Deserialize)]
pub(super) struct Which {
    chain: Option<Hash>,
}

/// Neighbours from a height on.
#[derive(Deserialize)]
pub(super) struct Range {
    from: Height,
    count: u64,
    chain: Option<Hash>,
}

/// Whether an answer can be another one tomorrow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasts {
    Forever,
    Today,
}

/// `GET /v1/genesis`
pub(super) async fn genesis(
    State(app): State<Arc<App>>,
    which: Result<Query<Which>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Query(which) = which.map_err(|error| bad_query(&error))?;
    let lasts = check_chain(&app, which.chain)?;
    Ok(answer(app.chain.genesis_bytes().to_vec(), lasts, Some(app.chain.chain_id().to_string()), &headers))
}

/// `GET /v1/blocks/{height}`
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(height): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Query(which) = which.map_err(|error| bad_query(&error))?;
    let height: Height = height
        .parse()
        .map_err(|_| ApiError::bad_request("relay.bad_height", format!("{height:?} is not a height.")))?;
    let lasts = check_chain(&app, which.chain)?;
    check_kept(&app, height)?;
    let tag = format!("{}-{height}", app.chain.chain_id());
    match read(&app, move |store| store.block(height)).await? {
        Some(bytes) => Ok(answer(bytes, lasts, Some(tag), &headers)),
        None => Err(ApiError::not_found("relay.unknown_block", format!("There is no block {height} here yet."))
            .with_data(serde_json::json!({ "height": height, "head": app.chain.head().height }))),
    }
}

/// `GET /v1/blocks?from=H&count=N`
pub(super) async fn range(
    State(app): State<Arc<App>>,
    range: Result<Query<Range>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Query(Range { from, count, chain }) = range.map_err(|error| bad_query(&error))?;
    check_chain(&app, chain)?;
    check_kept(&app, from)?;
    let count = count.min(limits::MAX_BLOCKS);
    let found = read(&app, move |store| store.blocks(from, count, limits::BLOCKS_ANSWER_BYTES)).await?;
    Ok(answer(list(&found), Lasts::Today, None, &headers))
}

/// `GET /v1/headers?from=H&count=N`
pub(super) async fn headers(
    State(app): State<Arc<App>>,
    range: Result<Query<Range>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Query(Range { from, count, chain }) = range.map_err(|error| bad_query(&error))?;
    check_chain(&app, chain)?;
    check_kept(&app, from)?;
    let count = count.min(limits::MAX_HEADERS);
    let found = read(&app, move |store| store.heads(from, count)).await?;
    Ok(answer(list(&found), Lasts::Today, None, &headers))
}

/// Blocks up to the snapshot that this relay began with were never here. Genesis is no block: 0 means from the first.
fn check_kept(app: &App, from: Height) -> Result<(), ApiError> {
    let first = app.chain.first();
    if from.max(1) >= first {
        return Ok(());
    }
    let message = format!("This relay has blocks from height {first} on; begin with a snapshot.");
    Err(ApiError::not_found("relay.before_snapshot", message).with_data(serde_json::json!({ "first": first })))
}

/// Reads from the store on a thread that may wait for the disk.
pub(super) async fn read<T: Send + 'static>(
    app: &Arc<App>,
    query: impl FnOnce(&Store) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    let store = app.chain.store();
    let result = tokio::task::spawn_blocking(move || query(&store)).await;
    result.map_err(|error| ApiError::internal(&error))?.map_err(|error| ApiError::internal(&error))
}

pub(super) fn bad_query(error: &QueryRejection) -> ApiError {
    ApiError::bad_request("relay.bad_query", error.body_text())
}

pub(super) fn check_chain(app: &App, chain: Option<Hash>) -> Result<Lasts, ApiError> {
    let expected = app.chain.chain_id();
    match chain {
        None => Ok(Lasts::Today),
        Some(got) if got == expected => Ok(Lasts::Forever),
        Some(got) => Err(ApiError::not_found("relay.wrong_chain", "This relay serves another network.")
            .with_data(serde_json::json!({ "expected": expected, "got": got }))),
    }
}

/// The canonical list of values that are encoded already.
fn list(encoded: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(encoded.len()).unwrap_or(u32::MAX);
    let mut bytes = count.to_le_bytes().to_vec();
    for one in encoded {
        bytes.extend_from_slice(one);
    }
    bytes
}

pub(super) fn answer(bytes: Vec<u8>, lasts: Lasts, tag: Option<String>, request: &HeaderMap) -> Response {
    let tag = tag.and_then(|tag| HeaderValue::try_from(format!("\"{tag}\"")).ok());
    let cache = match (lasts, &tag) {
        (Lasts::Forever, _) => IMMUTABLE,
        (Lasts::Today, Some(_)) => "no-cache",
        (Lasts::Today, None) => "no-store",
    };
    let known = tag.is_some() && request.get(header::IF_NONE_MATCH) == tag.as_ref();
    let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { bytes.into_response() };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Some(tag) = tag {
        headers.insert(header::ETAG, tag);
    }
    response
}
