//! Stands between a shop and its merchant, and when told to keeps the answer to a refund for itself.

use anyhow::Result;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use reqwest::Client;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What a request brings along.
const PASSED: [&str; 3] = ["authorization", "content-type", "idempotency-key"];
const MOST_BYTES: usize = 1 << 20;

#[derive(Default)]
struct Inside {
    http: Client,
    merchant: String,
    keeps: AtomicBool,
    kept: Notify,
}

/// Serves until it is dropped.
pub(super) struct Front {
    pub(super) url: String,
    inside: Arc<Inside>,
    server: JoinHandle<()>,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Front {
    pub(super) async fn before(merchant: &str) -> Result<Self> {
        let http = Client::builder().no_proxy().build()?;
        let inside = Arc::new(Inside { http, merchant: merchant.to_owned(), ..Inside::default() });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(pass).with_state(inside.clone());
        let server = tokio::spawn(async move {
            // Ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, inside, server })
    }

    /// Whether answers to refunds are kept.
    pub(super) fn keep(&self, keeps: bool) {
        self.inside.keeps.store(keeps, Ordering::SeqCst);
    }

    /// Waits until one is.
    pub(super) async fn kept(&self) {
        self.inside.kept.notified().await;
    }
}

async fn pass(State(front): State<Arc<Inside>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let is_refund = head.uri.path().ends_with("/refunds");
    let asked = async {
        let mut asked = front.http.request(head.method, format!("{}{}", front.merchant, head.uri));
        for name in PASSED {
            if let Some(value) = head.headers.get(name) {
                asked = asked.header(name, value);
            }
        }
        let answer = asked.body(to_bytes(body, MOST_BYTES).await?).send().await?;
        anyhow::Ok((answer.status(), answer.bytes().await?))
    };
    let Ok((status, body)) = asked.await else { return StatusCode::BAD_GATEWAY.into_response() };
    if is_refund && front.keeps.load(Ordering::SeqCst) {
        front.kept.notify_one();
        std::future::pending::<()>().await;
    }
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
