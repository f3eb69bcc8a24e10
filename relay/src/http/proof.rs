//! `GET /v1/proof/{key}`: a value of the state, or its absence, with its Merkle proof and the certified header
//! that it is proven against. What is served was executed here first.

use super::App;
use super::blocks::{Lasts, answer, bad_query, check_chain, read};
use crate::chain::NoProof;
use crate::error::ApiError;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use fair_core::codec;
use fair_core::ledger::state::{Key, MAX_KEY_BYTES};
use fair_core::types::{Hash, Height};
use serde::Deserialize;
use std::sync::Arc;

/// After which block, and of which chain, if the caller says so.
#[derive(Deserialize)]
pub(super) struct Which {
    height: Option<Height>,
    chain: Option<Hash>,
}

/// The key is its canonical bytes in hexadecimal. Without a height: after the newest block.
pub(super) async fn of(
    State(app): State<Arc<App>>,
    Path(key): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Query(Which { height, chain }) = which.map_err(|error| bad_query(&error))?;
    let key = read_key(&key)?;
    let named = check_chain(&app, chain)?;
    let lasts = if height.is_some() { named } else { Lasts::Today };
    let prover = app.chain.clone();
    let bytes = read(&app, move |_| Ok(prover.prove(height, &key))).await?.map_err(|reason| no_proof(&reason))?;
    Ok(answer(bytes, lasts, None, &headers))
}

fn read_key(text: &str) -> Result<Key, ApiError> {
    let bad = |reason: &dyn std::fmt::Display| {
        ApiError::bad_request("relay.bad_state_key", format!("{text:?} is no key of the state: {reason}."))
    };
    let bytes = hex::decode(text).map_err(|error| bad(&error))?;
    codec::decode(&bytes, MAX_KEY_BYTES).map_err(|error| bad(&error))
}

fn no_proof(reason: &NoProof) -> ApiError {
    match reason {
        NoProof::Window(outside) => ApiError::not_found("relay.outside_window", format!("{outside}."))
            .with_data(serde_json::json!({ "oldest": outside.oldest, "newest": outside.newest, "got": outside.got })),
        NoProof::NoBlock => ApiError::not_found("relay.unknown_block", "There is no block here yet."),
        NoProof::Store(error) => ApiError::internal(error),
    }
}
