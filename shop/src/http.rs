//! What the shop serves.

use crate::desk::Desk;
use crate::door;
use crate::goods::{ARTICLES, Wish};
use crate::pages;
use crate::problem::Problem;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Form, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Json, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

/// Where the merchant brings events.
pub(crate) const WEBHOOK: &str = "/fair/webhook";

/// Longest body: an event is far shorter.
const BODY_BYTES: usize = 64 << 10;

/// No script, style or picture but from files of the shop; the wallet's window keeps knowing who opened it.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Whoever has the address of an order sees it.
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin-allow-popups"),
    (header::CACHE_CONTROL, "no-store"),
];

/// What the pages need.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) desk: Arc<Desk>,
    /// Without a slash at the end.
    pub(crate) wallet: String,
    pub(crate) payee: String,
    /// The text of fair-pay.js.
    pub(crate) element: String,
}

type Answer<T> = Result<T, Problem>;

pub(crate) fn router(site: Site) -> Router {
    let script = site.element.clone();
    let pictures = Router::new()
        .route("/pictures/tea.svg", drawn(include_str!("../site/pictures/tea.svg")))
        .route("/pictures/cup.svg", drawn(include_str!("../site/pictures/cup.svg")))
        .route("/pictures/honey.svg", drawn(include_str!("../site/pictures/honey.svg")))
        .route("/pictures/pot.svg", drawn(include_str!("../site/pictures/pot.svg")))
        .route("/pictures/icon.svg", drawn(include_str!("../site/pictures/icon.svg")));
    Router::new()
        .route("/", get(|| async { Html(pages::index(&ARTICLES)) }))
        .route("/orders", post(buy))
        .route("/orders/{id}", get(order))
        .route("/orders/{id}/invoice", get(invoice))
        .route("/orders/{id}/status", get(status))
        .route("/orders/{id}/pay", get(pay))
        .route("/orders/{id}/receipt", get(receipt))
        .route("/orders/{id}/cancel", post(cancel))
        .route("/.well-known/fair-pay.json", get(payees))
        .route("/fair-pay.js", get(move || async move { typed("text/javascript", script.clone()) }))
        .route("/order.js", get(|| async { typed("text/javascript", include_str!("../site/order.js")) }))
        .route("/shop.css", get(|| async { typed("text/css", include_str!("../site/shop.css")) }))
        .merge(pictures)
        .layer(middleware::from_fn(own_forms_only))
        .route(WEBHOOK, post(webhook))
        .fallback(|| async { Problem::Nothing })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn(with_headers))
        .with_state(site)
}

fn drawn(picture: &'static str) -> axum::routing::MethodRouter<Site> {
    get(move || async move { typed("image/svg+xml", picture) })
}

fn typed(kind: &'static str, content: impl IntoResponse) -> Response {
    ([(header::CONTENT_TYPE, kind)], content).into_response()
}

async fn with_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Other sites order and cancel nothing in a customer's name.
async fn own_forms_only(request: Request, next: Next) -> Response {
    let from = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
    if request.method() == Method::POST && from.is_some_and(|from| from != "same-origin") {
        return Problem::Odd("This form is of another site.").into_response();
    }
    next.run(request).await
}

async fn buy(
    State(site): State<Site>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    form: Result<Form<Wish>, FormRejection>,
) -> Answer<Redirect> {
    let odd = Problem::Odd("Choose what you want, and how many, on the shop's page.");
    let Some((article, quantity)) = form.ok().and_then(|Form(wish)| wish.read()) else { return Err(odd) };
    let order = site.desk.buy(article, quantity, door::address(peer.ip(), &headers))?;
    Ok(Redirect::to(&format!("/orders/{}", order.id)))
}

async fn order(State(site): State<Site>, Path(id): Path<String>) -> Answer<Html<String>> {
    Ok(Html(pages::order(&site.desk.order(&id)?, &site.wallet)))
}

async fn receipt(State(site): State<Site>, Path(id): Path<String>) -> Answer<Html<String>> {
    let order = site.desk.order(&id)?;
    pages::receipt(&order, &site.wallet, &site.payee).map(Html).ok_or(Problem::Nothing)
}

async fn invoice(State(site): State<Site>, Path(id): Path<String>) -> Answer<Json<Value>> {
    Ok(Json(json!({ "invoice": site.desk.invoice_of(&id).await? })))
}

async fn pay(State(site): State<Site>, Path(id): Path<String>, headers: HeaderMap) -> Answer<Redirect> {
    let invoice = site.desk.invoice_of(&id).await?;
    // As the customer's browser calls the shop: the way back is a link of the wallet's, to the invoice's origin alone.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let back = format!("http://{host}/orders/{id}").replace(':', "%3A").replace('/', "%2F");
    Ok(Redirect::to(&format!("{}/pay/#{invoice}?return={back}", site.wallet)))
}

#[derive(Deserialize)]
struct Known {
    known: Option<String>,
}

async fn status(State(site): State<Site>, Path(id): Path<String>, asked: Query<Known>) -> Answer<Json<Value>> {
    let order = site.desk.follow(&id, asked.0.known.as_deref()).await?;
    Ok(Json(json!({ "state": order.state.name(), "late": order.late, "stands": order.stands() })))
}

async fn cancel(State(site): State<Site>, Path(id): Path<String>) -> Answer<Redirect> {
    site.desk.cancel(&id).await?;
    Ok(Redirect::to(&format!("/orders/{id}")))
}

async fn webhook(State(site): State<Site>, headers: HeaderMap, body: Bytes) -> Answer<axum::http::StatusCode> {
    site.desk.take(&headers, &body)?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

async fn payees(State(site): State<Site>) -> Response {
    let everybody = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (everybody, Json(json!({ "payees": [site.payee] }))).into_response()
}
