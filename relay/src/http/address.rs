//! Who calls, and whether it may.

use super::App;
use crate::error::ApiError;
use crate::limit::Kind;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::net::IpAddr;
use std::sync::Arc;

/// The other end of the connection.
#[derive(Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// Whoever is behind the request: the other end, or whom a trusted proxy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller(pub(crate) IpAddr);

/// Counts the request and names its caller to the handlers.
pub(super) async fn admit(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    app.metrics.requests.add_one();
    let Some(Peer(peer)) = request.extensions().get::<Peer>().copied() else {
        return ApiError::internal(&"a request without an address").into_response();
    };
    let caller = caller(peer, request.headers(), &app.trusted_proxies);
    if let Err(refusal) = app.limits.admit(Kind::Request, caller) {
        app.metrics.limited.add_one();
        return refusal.into_response();
    }
    request.extensions_mut().insert(Caller(caller));
    next.run(request).await
}

/// The last address in X-Forwarded-For that no trusted proxy has, if the peer is one of these.
fn caller(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let mut caller = peer.to_canonical();
    let lists = headers.get_all("x-forwarded-for");
    let named: Vec<&str> =
        lists.iter().filter_map(|list| list.to_str().ok()).flat_map(|list| list.split(',')).collect();
    for name in named.into_iter().rev() {
        if !trusted.contains(&caller) {
            break;
        }
        match name.trim().parse::<IpAddr>() {
            Ok(address) => caller = address.to_canonical(),
            Err(_) => break,
        }
    }
    caller
}

#[cfg(test)]
mod tests;
