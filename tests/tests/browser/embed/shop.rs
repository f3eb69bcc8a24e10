//! A shop on an origin of its own: pages with `<fair-pay>` under a strict policy, and a server that knows
//! how its orders stand.

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// No script and no style but from files of its own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      frame-src http:; base-uri 'none'; require-trusted-types-for 'script'";

/// One thing that somebody buys.
#[derive(Clone, Default)]
pub(crate) struct Order {
    /// What `invoice-src` answers.
    pub(crate) invoice: String,
    /// What `status-src` answers, unless the counterpart is asked.
    pub(crate) state: String,
    /// The invoice's number at the counterpart, which then says how it stands.
    pub(crate) id: Option<String>,
    /// How often the invoice was asked for.
    pub(crate) asked: usize,
}

struct Inside {
    wallet: String,
    counterpart: Option<String>,
    payees: Vec<String>,
    element: PathBuf,
    orders: Mutex<BTreeMap<u32, Order>>,
    /// While true, whoever asks for the payees waits.
    held: watch::Sender<bool>,
}

/// Serves until it is dropped.
pub(crate) struct Shop {
    /// `http://127.0.0.1:PORT`
    pub(crate) origin: String,
    inside: Arc<Inside>,
    task: JoinHandle<()>,
}

impl Shop {
    /// A shop that is paid by keys of `payees`, with buttons that open `wallet`.
    pub(crate) async fn open(wallet: &str, counterpart: Option<&str>, payees: Vec<String>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let pages = fair_tests::network::Plan::with_pages()?.pages.context("no pages")?;
        let inside = Arc::new(Inside {
            wallet: wallet.to_owned(),
            counterpart: counterpart.map(ToOwned::to_owned),
            payees,
            element: pages.join("embed/fair-pay.js"),
            orders: Mutex::default(),
            held: watch::Sender::new(false),
        });
        let router = Router::new()
            .route("/orders/{number}", get(page))
            .route("/orders/{number}/invoice", get(invoice))
            .route("/orders/{number}/status", get(status))
            .route("/frame", get(frame))
            .route("/.well-known/fair-pay.json", get(well_known))
            .route("/fair-pay.js", get(element))
            .route("/press.js", get(|| async { typed("text/javascript", include_str!("press.js")) }))
            .route("/log.js", get(|| async { typed("text/javascript", include_str!("log.js")) }))
            .route("/shop.css", get(|| async { typed("text/css", include_str!("shop.css")) }))
            .with_state(Arc::clone(&inside));
        let task = tokio::spawn(async move {
            // Ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { origin, inside, task })
    }

    /// Puts something up for sale, or changes how it stands.
    pub(crate) fn put(&self, number: u32, order: Order) {
        self.inside.orders().insert(number, order);
    }

    /// Changes what `status-src` says.
    pub(crate) fn set_state(&self, number: u32, state: &str) {
        state.clone_into(&mut self.inside.orders().entry(number).or_default().state);
    }

    /// Lets whoever asks for the payees wait, or go on.
    pub(crate) fn hold_payees(&self, held: bool) {
        self.inside.held.send_replace(held);
    }

    /// How often the invoice of an order was asked for.
    pub(crate) fn asked(&self, number: u32) -> usize {
        self.inside.orders().get(&number).map_or(0, |order| order.asked)
    }

    /// The address of an order's page.
    pub(crate) fn page(&self, number: u32) -> String {
        format!("{}/orders/{number}", self.origin)
    }

    /// The same page, with a script that presses the button at once.
    pub(crate) fn page_that_presses(&self, number: u32) -> String {
        format!("{}?press", self.page(number))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inside {
    fn orders(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Order>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn typed(kind: &'static str, content: impl IntoResponse) -> Response {
    ([(header::CONTENT_TYPE, kind)], content).into_response()
}

fn page_of(html: String) -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response()
}

async fn page(State(shop): State<Arc<Inside>>, Path(number): Path<u32>, RawQuery(query): RawQuery) -> Response {
    let wallet = &shop.wallet;
    let press = if query.as_deref() == Some("press") { "<script type=module src=/press.js></script>" } else { "" };
    let link = shop.orders().get(&number).map(|order| order.invoice.clone()).unwrap_or_default();
    page_of(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>Bean and Leaf</title><link rel=stylesheet href=/shop.css>\
         <script src=/log.js></script><script type=module src=/fair-pay.js></script>\
         <h1>Bean and Leaf</h1><p>Order {number}: a bag of coffee.</p>\
         <fair-pay invoice-src=/orders/{number}/invoice status-src=/orders/{number}/status wallet={wallet}>\
         <a href='{wallet}/pay/#{link}'>Pay 12.00 FRD</a></fair-pay>{press}"
    ))
}

async fn invoice(State(shop): State<Arc<Inside>>, Path(number): Path<u32>) -> Response {
    let mut orders = shop.orders();
    let Some(order) = orders.get_mut(&number) else { return StatusCode::NOT_FOUND.into_response() };
    order.asked += 1;
    Json(json!({ "invoice": order.invoice })).into_response()
}

async fn status(State(shop): State<Arc<Inside>>, Path(number): Path<u32>) -> Response {
    let order = shop.orders().get(&number).cloned();
    let Some(order) = order else { return StatusCode::NOT_FOUND.into_response() };
    let (Some(id), Some(counterpart)) = (&order.id, &shop.counterpart) else {
        return Json(json!({ "state": order.state })).into_response();
    };
    let asked = async { reqwest::get(format!("{counterpart}/v1/invoices/{id}")).await?.json::<Value>().await };
    match asked.await {
        Ok(answer) => Json(json!({ "state": answer["state"] })).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// A page that shows the wallet inside of itself.
async fn frame(State(shop): State<Arc<Inside>>) -> Response {
    let wallet = &shop.wallet;
    page_of(format!("<!doctype html><title>Frame</title><p>Around</p><iframe src='{wallet}/pay/'></iframe>"))
}

async fn well_known(State(shop): State<Arc<Inside>>) -> Response {
    if shop.held.subscribe().wait_for(|held| !held).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let everybody: [(HeaderName, &str); 1] = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (everybody, Json(json!({ "payees": shop.payees }))).into_response()
}

async fn element(State(shop): State<Arc<Inside>>) -> Response {
    match std::fs::read(FilePath::new(&shop.element)) {
        Ok(content) => typed("text/javascript", content),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
