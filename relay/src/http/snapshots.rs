//! Snapshots: a list, and archives of which ranges can be asked for.

use super::App;
use crate::error::ApiError;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Json, Response};
use std::sync::Arc;

/// `GET /v1/snapshots`
pub(super) async fn list(State(app): State<Arc<App>>) -> Response {
    let mut response = Json(app.chain.snapshots().list()).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `GET /v1/snapshots/Fair-<height>.tar.gz`
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    match app.chain.snapshots().serve(&file, request).await {
        Some(response) => {
            app.metrics.snapshots_served.add_one();
            Ok(response)
        }
        None => Err(ApiError::not_found("relay.unknown_snapshot", "There is no such snapshot here.")),
    }
}
