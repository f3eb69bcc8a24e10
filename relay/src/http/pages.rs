//! The pages: files of one folder, compressed beforehand, under a strict content security policy.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use fair_core::chain::genesis::Purpose;
use std::convert::Infallible;
use std::path::Path;
use tower::service_fn;
use tower_http::services::ServeDir;

/// `{loopback}` is filled in on test networks alone, where relays and wallets share a machine.
macro_rules! policy {
    ($loopback:literal) => {
        concat!(
            "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' https: wss:",
            $loopback,
            "; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
            "; require-trusted-types-for 'script'; trusted-types fair-worker"
        )
    };
}

const POLICY: &str = policy!("");
const POLICY_WITH_LOOPBACK: &str = policy!(" http://127.0.0.1:* ws://127.0.0.1:* http://localhost:* ws://localhost:*");

static HEADERS: [(HeaderName, &str); 5] = [
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(self), geolocation=(), microphone=(), payment=()"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// The checkout, which tells the shop that opened its window how the payment goes: it keeps its opener.
const CHECKOUT: &str = "/pay/";

/// What shops put into their own pages.
const EMBED: &str = "/embed/";

/// Headers by which a place differs from the others.
fn headers_of(path: &str) -> &'static [(HeaderName, &'static str)] {
    static CHECKOUTS: [(HeaderName, &str); 1] =
        [(HeaderName::from_static("cross-origin-opener-policy"), "unsafe-none")];
    static EMBEDDED: [(HeaderName, &str); 2] = [
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    if path.starts_with(CHECKOUT) {
        &CHECKOUTS
    } else if path.starts_with(EMBED) {
        &EMBEDDED
    } else {
        &[]
    }
}

/// Serves a folder.
pub(super) fn service(folder: &Path, purpose: Purpose) -> Router {
    let policy = match purpose {
        Purpose::Test => POLICY_WITH_LOOPBACK,
        Purpose::Main => POLICY,
    };
    let missing = service_fn(|_: Request| async {
        Ok::<_, Infallible>((StatusCode::NOT_FOUND, "There is no such page.\n").into_response())
    });
    let files = ServeDir::new(folder).precompressed_br().fallback(missing);
    Router::new()
        .fallback_service(files)
        .layer(middleware::from_fn(move |request: Request, next: Next| dress(request, next, policy)))
}

async fn dress(request: Request, next: Next, policy: &'static str) -> Response {
    let own = headers_of(request.uri().path());
    let cache = if has_hash(request.uri().path()) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = next.run(request).await;
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    for (name, value) in HEADERS.iter().chain(own) {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    } else {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Whether a file's name holds the hash of its content, as in `fair_web_bg.0123456789abcdef.wasm`.
fn has_hash(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut parts = name.split('.').rev().skip(1);
    parts.any(|part| part.len() >= 8 && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)))
}

#[cfg(test)]
mod tests;
