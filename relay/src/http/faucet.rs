//! `POST /v1/faucet`: asks the first bank for play money. Test networks only.

use super::{App, Caller};
use crate::error::{ApiError, Problem};
use crate::limit::Kind;
use crate::limits;
use crate::source::read_capped;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use fair_core::chain::genesis::Purpose;
use fair_core::types::{AssetId, PublicKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Who wants money.
#[derive(Deserialize, Serialize)]
pub(super) struct Wish {
    account: PublicKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<AssetId>,
}

pub(super) async fn ask(
    State(app): State<Arc<App>>,
    Extension(Caller(address)): Extension<Caller>,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Result<Response, ApiError> {
    if app.chain.genesis().purpose != Purpose::Test {
        return Err(ApiError::forbidden("faucet.none", "Only test networks give money away."));
    }
    app.limits.admit(Kind::Faucet, address).map_err(ApiError::of_faucet)?;
    let Json(wish) = wish.map_err(|error| ApiError::bad_request("faucet.bad_request", error.body_text()))?;
    app.limits.admit_account(&wish.account).map_err(ApiError::of_faucet)?;
    app.metrics.faucet_requests.add_one();
    let Some(url) = app.chain.first_bank_url() else {
        return Err(ApiError::not_found("faucet.none", "This network has no bank."));
    };
    let unreachable = || ApiError::bad_gateway("faucet.unreachable", "The bank that runs the faucet does not answer.");
    let request = app.client.post(format!("{}/v1/faucet", url.trim_end_matches('/'))).json(&wish);
    let response = request.send().await.map_err(|error| {
        tracing::warn!(bank = url, %error, "the faucet does not answer");
        unreachable()
    })?;
    let status = response.status();
    let bytes = read_capped(response, limits::MAX_JSON_ANSWER_BYTES).await.map_err(|_| unreachable())?;
    if status.is_success() {
        let answer: Value = serde_json::from_slice(&bytes).map_err(|_| unreachable())?;
        return Ok((StatusCode::OK, Json(answer)).into_response());
    }
    let problem: Problem = serde_json::from_slice(&bytes).map_err(|_| unreachable())?;
    Err(ApiError::passed_on(status, problem))
}
