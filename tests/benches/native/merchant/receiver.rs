//! A shop's receiver of webhooks, which takes everything.

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Ids of events that came, and of invoices that are paid.
#[derive(Default)]
pub(super) struct Came {
    pub(super) events: BTreeSet<String>,
    pub(super) paid: BTreeSet<String>,
}

/// Serves until it is dropped.
pub(super) struct Receiver {
    pub(super) url: String,
    came: Arc<Mutex<Came>>,
    server: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Receiver {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("a port for the receiver")?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let came: Arc<Mutex<Came>> = Arc::default();
        let router = Router::new().route("/hook", post(receive)).with_state(came.clone());
        let server = tokio::spawn(async move {
            // Ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, came, server })
    }

    /// How many different events came, and how many invoices are paid by what they say.
    pub(super) fn counts(&self) -> (usize, usize) {
        let came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        (came.events.len(), came.paid.len())
    }
}

async fn receive(State(came): State<Arc<Mutex<Came>>>, body: String) -> StatusCode {
    let Ok(event) = serde_json::from_str::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut came = came.lock().unwrap_or_else(PoisonError::into_inner);
    came.events.insert(text(&event["id"]));
    if event["type"] == "invoice.paid" {
        came.paid.insert(text(&event["data"]["id"]));
    }
    StatusCode::NO_CONTENT
}
