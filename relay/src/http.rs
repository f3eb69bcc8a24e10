//! What the relay serves.
//!
//! ```text
//! GET  /v1/info                    network, head, limits, terms
//! GET  /v1/genesis                 the genesis document
//! GET  /v1/headers, /v1/blocks     ranges by `from` and `count`; /v1/blocks/{height} one
//! GET  /v1/proof/{key}             a value of the state with its proof
//! GET  /v1/snapshots               snapshots of verified states; /v1/snapshots/{file} an archive, ranges included
//! GET  /v1/heads                   WebSocket: new heads
//! GET  /v1/peers/{key}             WebSocket: a pipe to the bank or watchtower with this key
//! POST /v1/batches                 to the next validator; one of court to all, again with each block
//! POST /v1/faucet                  to the bank of a test network
//! GET  /healthz, /readyz, /metrics for its operator
//! GET  /…                          the pages
//! ```
//!
//! Connections are accepted here rather than by axum, to bound their number and the time that a request's
//! head may take.

mod address;
pub(crate) mod batches;
mod blocks;
mod faucet;
mod heads;
mod operator;
mod pages;
mod peers;
mod proof;
mod snapshots;

use crate::chain::Chain;
use crate::config::Checked;
use crate::court::Kept;
use crate::crash;
use crate::error::ApiError;
use crate::limit::Limits;
use crate::limits;
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::routing::{get, post};
use axum::{Extension, Router, middleware};
use fair_core::types::PublicKey;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, sleep, timeout};
use tower_http::cors::{Any, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

pub(crate) use address::Caller;

/// What all requests share.
pub(crate) struct App {
    pub(crate) chain: Arc<Chain>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) kept: Kept,
    limits: Limits,
    client: reqwest::Client,
    pages: Option<PathBuf>,
    validators: Vec<String>,
    trusted_proxies: Vec<IpAddr>,
    terms: String,
    shop: Option<String>,
    counterpart: Option<String>,
    towers: BTreeMap<PublicKey, String>,
    requests_per_minute: u32,
    batches_per_minute: u32,
}

impl App {
    pub(crate) fn new(config: Checked, chain: Arc<Chain>) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .connect_timeout(limits::CONNECT_TIME)
            .timeout(limits::ANSWER_TIME)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            chain,
            metrics: Arc::new(Metrics::default()),
            kept: Kept::default(),
            limits: Limits::new(&config.rates),
            client,
            pages: config.pages,
            validators: config.validators,
            trusted_proxies: config.trusted_proxies,
            terms: config.terms,
            shop: config.shop,
            counterpart: config.counterpart,
            towers: config.towers,
            requests_per_minute: config.rates.requests_per_minute.get(),
            batches_per_minute: config.rates.batches_per_minute.get(),
        })
    }

    /// Largest batch that is taken.
    fn max_batch_bytes(&self) -> usize {
        usize::try_from(self.chain.genesis().parameters.max_batch_bytes).unwrap_or(usize::MAX)
    }
}

/// Accepts connections until `shutdown`, then waits for those that are open, but not for long.
pub(crate) async fn serve(listener: TcpListener, app: Arc<App>, shutdown: Shutdown) {
    let router = router(&app, &shutdown);
    let mut sweep = interval(limits::SWEEP_TIME);
    loop {
        let accepted = tokio::select! {
            () = shutdown.stopped() => break,
            _ = sweep.tick() => { app.limits.sweep(); continue }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let Some(permit) = app.limits.connect(from.ip(), &app.trusted_proxies) else { continue };
                let router = router.clone().layer(Extension(address::Peer(from.ip())));
                let shutdown = shutdown.clone();
                tokio::spawn(async move {
                    connection(stream, router, shutdown).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: others must end first.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(limits::RETRY_TIME).await;
            }
        }
    }
    drop(listener);
    if timeout(limits::DRAIN_TIME, app.limits.all_closed()).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}

async fn connection(stream: TcpStream, router: Router, shutdown: Shutdown) {
    // Small frames must not wait for each other; the connection works without it too.
    let _ = stream.set_nodelay(true);
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits::REQUEST_HEAD_TIME);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).with_upgrades();
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = shutdown.stopped() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection");
    }
}

fn router(app: &Arc<App>, shutdown: &Shutdown) -> Router {
    let json = DefaultBodyLimit::max(limits::MAX_JSON_REQUEST_BYTES);
    let api = Router::new()
        .route("/v1/info", get(operator::info))
        .route("/v1/genesis", get(blocks::genesis))
        .route("/v1/headers", get(blocks::headers))
        .route("/v1/blocks", get(blocks::range))
        .route("/v1/blocks/{height}", get(blocks::one))
        .route("/v1/proof/{key}", get(proof::of))
        .route("/v1/snapshots", get(snapshots::list))
        .route("/v1/snapshots/{file}", get(snapshots::one))
        .route("/v1/heads", get(heads::listen))
        .route("/v1/peers/{key}", get(peers::open))
        .route("/v1/batches", post(batches::submit).layer(DefaultBodyLimit::max(app.max_batch_bytes())))
        .route("/v1/faucet", post(faucet::ask).layer(json))
        .route("/v1/{*rest}", get(nothing_here).post(nothing_here))
        .method_not_allowed_fallback(wrong_method)
        // No cookies and nothing secret: any page may use any relay.
        .layer(
            CorsLayer::new().allow_origin(Any).allow_methods(Any).allow_headers([header::CONTENT_TYPE, header::RANGE]),
        )
        .layer(fixed(header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"));
    let operator = Router::new()
        .route("/healthz", get(operator::healthy))
        .route("/readyz", get(operator::ready))
        .route("/metrics", get(operator::metrics));
    let router = api.merge(operator).with_state(app.clone()).merge(crash::routes());
    let router = match &app.pages {
        Some(folder) => router.fallback_service(pages::service(folder, app.chain.genesis().purpose)),
        None => router.fallback(nothing_here),
    };
    router
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limits::REQUEST_TIME))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(middleware::from_fn_with_state(app.clone(), address::admit))
        .layer(Extension(shutdown.clone()))
}

fn fixed(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

async fn nothing_here(request: Request) -> ApiError {
    ApiError::not_found("relay.unknown_path", format!("There is nothing at {}.", request.uri().path()))
}

async fn wrong_method(request: Request) -> ApiError {
    ApiError::bad_request("relay.wrong_method", format!("{} is not possible here.", request.method()))
}
