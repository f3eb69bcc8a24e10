//! `POST /v1/batches`: looks at a batch and passes it to the validator that builds next, or to another.
//!
//! One of court goes to all, and is repeated ([`crate::court`]): no validator can keep it back alone.

use super::{App, Caller};
use crate::error::{ApiError, Problem};
use crate::limit::Kind;
use crate::limits;
use crate::source::read_capped;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use fair_core::codec::{self, DecodeError};
use fair_core::ledger::batch::{Batch, fee, is_court};
use fair_core::message::Signed;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What one validator answered.
pub(crate) enum Answer {
    Accepted(Value),
    /// Another validator would say the same.
    Refused(ApiError),
    /// It may take it later, and another may take it now: a validator that is behind has not seen the batch before it.
    NotYet(ApiError),
    /// Another one may be asked.
    Failed,
}

pub(super) async fn submit(
    State(app): State<Arc<App>>,
    Extension(Caller(address)): Extension<Caller>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let limit = app.max_batch_bytes();
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large("batch.too_large", limit),
        _ => ApiError::bad_request("batch.unreadable", rejection.body_text()),
    })?;
    let checked = check(&app, &body, limit);
    match &checked {
        // Whoever shares the address, and brings what nobody wants, keeps nobody's word from court.
        Ok(batch) if is_court(&batch.body) && pays(&app, batch, &body) => app.limits.admit_court(&batch.body.signer)?,
        Ok(_) | Err(_) => app.limits.admit(Kind::Batch, address)?,
    }
    let batch = checked.inspect_err(|_| app.metrics.batches_refused.add_one())?;
    let result =
        if is_court(&batch.body) { pass_on_to_all(&app, batch, body).await } else { pass_on(&app, body).await };
    let counted = match &result {
        Ok(_) => &app.metrics.batches_accepted,
        Err(Some(error)) if !error.is_retryable() => &app.metrics.batches_refused,
        Err(_) => &app.metrics.batches_failed,
    };
    counted.add_one();
    let nobody = || ApiError::bad_gateway("relay.no_validator", "No validator answers at the moment.");
    let answer = result.map_err(|refused| refused.unwrap_or_else(nobody))?;
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// Whether its account is known, and can pay for it.
fn pays(app: &App, batch: &Signed<Batch>, body: &[u8]) -> bool {
    fee(batch.body.fee_rate, body.len()).is_some_and(|fee| app.chain.may_include(&batch.body, fee))
}

/// Nothing is passed on that its signer has not signed for this network.
fn check(app: &App, body: &[u8], limit: usize) -> Result<Signed<Batch>, ApiError> {
    let batch: Signed<Batch> = codec::decode(body, limit).map_err(|error| match error {
        DecodeError::TooLong { limit, .. } => ApiError::too_large("batch.too_large", limit),
        DecodeError::Malformed(_) => ApiError::bad_request("batch.malformed", error.to_string()),
    })?;
    let signer = batch.body.signer;
    batch
        .clone()
        .verify(&app.chain.chain_id(), &signer)
        .map_err(|error| ApiError::bad_request("batch.bad_signature", error.to_string()))?;
    Ok(batch)
}

/// URLs of all validators, whoever builds next first.
pub(crate) fn validators(app: &App) -> Vec<String> {
    let mut urls = app.chain.validators_by_turn();
    for url in &app.validators {
        if !urls.contains(url) {
            urls.push(url.clone());
        }
    }
    urls
}

/// What a validator answered; why none took it, or nothing when nobody answers.
type Passed = Result<Value, Option<ApiError>>;

async fn pass_on(app: &App, body: Bytes) -> Passed {
    let mut later = None;
    for url in validators(app) {
        match ask(app, &url, body.clone()).await {
            Answer::Accepted(answer) => return Ok(answer),
            Answer::Refused(error) => return Err(Some(error)),
            Answer::NotYet(error) => later = Some(error),
            Answer::Failed => {}
        }
    }
    Err(later)
}

/// Returns when the first has taken it; the others are asked all the same.
async fn pass_on_to_all(app: &Arc<App>, batch: Signed<Batch>, body: Bytes) -> Passed {
    let urls = validators(app);
    let (answers, mut answered) = mpsc::channel(urls.len().max(1));
    for url in urls {
        let (app, body, answers) = (app.clone(), body.clone(), answers.clone());
        tokio::spawn(async move {
            let answer = ask(&app, &url, body).await;
            // Nobody listens any more when another has taken it.
            drop(answers.send(answer).await);
        });
    }
    drop(answers);
    let (mut refused, mut later) = (None, None);
    while let Some(answer) = answered.recv().await {
        match answer {
            Answer::Accepted(answer) => {
                app.kept.keep(&app.chain, batch, body);
                return Ok(answer);
            }
            Answer::Refused(error) => refused = Some(error),
            Answer::NotYet(error) => later = Some(error),
            Answer::Failed => {}
        }
    }
    // Nothing is final that somebody may still take.
    Err(later.or(refused))
}

pub(crate) async fn ask(app: &App, url: &str, body: Bytes) -> Answer {
    let request = app.client.post(format!("{url}/v1/batches")).header("content-type", "application/octet-stream");
    let response = match request.body(body).send().await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(validator = url, %error, "a validator does not take a batch");
            return Answer::Failed;
        }
    };
    let status = response.status();
    let Ok(bytes) = read_capped(response, limits::MAX_JSON_ANSWER_BYTES).await else { return Answer::Failed };
    if status.is_success() {
        return serde_json::from_slice(&bytes).map_or(Answer::Failed, Answer::Accepted);
    }
    let refusal = status.is_client_error()
        && !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::NOT_FOUND);
    match serde_json::from_slice::<Problem>(&bytes) {
        Ok(problem) if refusal => Answer::Refused(ApiError::passed_on(status, problem)),
        Ok(problem) if status == StatusCode::SERVICE_UNAVAILABLE && problem.retryable => {
            Answer::NotYet(ApiError::passed_on(status, problem))
        }
        _ => {
            tracing::warn!(validator = url, %status, "a validator does not take a batch");
            Answer::Failed
        }
    }
}
