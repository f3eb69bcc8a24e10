//! What a caller is told when a request fails: `{code, message, retryable, data}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The body of an error, as relays, validators and banks send it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Problem {
    /// Stable, with a room before the dot.
    pub(crate) code: String,
    /// One sentence.
    pub(crate) message: String,
    /// Whether the same request can succeed later without a change.
    pub(crate) retryable: bool,
    /// What was expected and what came.
    #[serde(default)]
    pub(crate) data: Value,
}

/// A failed request.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    problem: Box<Problem>,
    retry_after_s: Option<u64>,
}

impl ApiError {
    fn new(status: StatusCode, code: &str, message: impl Into<String>, retryable: Retryable) -> Self {
        let problem = Problem {
            code: code.to_owned(),
            message: message.into(),
            retryable: retryable == Retryable::Yes,
            data: Value::Null,
        };
        Self { status, problem: Box::new(problem), retry_after_s: None }
    }

    /// The request itself is wrong.
    pub(crate) fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message, Retryable::No)
    }

    /// What was asked for is not here.
    pub(crate) fn not_found(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message, Retryable::No)
    }

    /// Not allowed on this network or from this address.
    pub(crate) fn forbidden(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message, Retryable::No)
    }

    /// The body is longer than allowed.
    pub(crate) fn too_large(code: &str, limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, format!("At most {limit} bytes are taken."), Retryable::No)
            .with_data(serde_json::json!({ "limit": limit }))
    }

    /// Too many requests.
    pub(crate) fn limited(wait_s: u64) -> Self {
        let message = format!("Too many requests; try again in {wait_s} s.");
        Self {
            retry_after_s: Some(wait_s),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "relay.rate_limited", message, Retryable::Yes)
        }
    }

    /// The same, said by the faucet.
    pub(crate) fn of_faucet(mut self) -> Self {
        self.problem.code = "faucet.limited".to_owned();
        self.problem.data = serde_json::json!({ "retryAfter": self.retry_after_s });
        self
    }

    /// No validator or bank answered.
    pub(crate) fn bad_gateway(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, code, message, Retryable::Yes)
    }

    /// Not now.
    pub(crate) fn unavailable(code: &str, message: impl Into<String>) -> Self {
        Self { retry_after_s: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message, Retryable::Yes) }
    }

    /// A fault of ours; the cause goes to the log alone.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "relay.internal", "The relay failed.", Retryable::Yes)
    }

    /// Passes on what somebody else answered.
    pub(crate) fn passed_on(status: StatusCode, problem: Problem) -> Self {
        Self { status, problem: Box::new(problem), retry_after_s: None }
    }

    /// Whether the same request can succeed later without a change.
    pub(crate) const fn is_retryable(&self) -> bool {
        self.problem.retryable
    }

    /// Adds what was expected and what came.
    pub(crate) fn with_data(mut self, data: Value) -> Self {
        self.problem.data = data;
        self
    }
}

#[derive(PartialEq, Eq)]
enum Retryable {
    Yes,
    No,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
