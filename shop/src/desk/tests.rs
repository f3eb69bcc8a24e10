//! A desk over a merchant that has forgotten.

use super::*;
use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const HOOK: &str = "http://127.0.0.1:1/fair/webhook";

fn refusal(status: StatusCode, code: &str, data: Value) -> Response {
    (status, Json(json!({ "code": code, "message": "", "data": data }))).into_response()
}

fn unknown() -> Response {
    refusal(StatusCode::NOT_FOUND, "invoice.unknown", Value::Null)
}

fn invoice(id: &str) -> Value {
    json!({
        "id": id, "state": "paid", "asset": ASSET, "received": 1_200, "invoice": "fairpay1", "late": false,
        "assurance": { "insured": 1_200, "enough": true },
    })
}

/// Its secret is too old to be told, its events before the seventh are forgotten, and so is every invoice but "paid".
/// Counts secrets that it made.
async fn forgetful() -> (String, Arc<AtomicUsize>) {
    let secrets = Arc::new(AtomicUsize::new(0));
    let router = axum::Router::new()
        .route("/v1/webhooks", post(|| async { Json(json!({ "id": "hook", "secret": null })) }))
        .route(
            "/v1/webhooks/hook/rotate",
            post(|Shared(secrets): Shared<Arc<AtomicUsize>>| async move {
                let count = secrets.fetch_add(1, Ordering::Relaxed);
                Json(json!({ "id": "hook", "secret": format!("whsec_{count}") }))
            }),
        )
        .route(
            "/v1/events",
            get(|Query(asked): Query<BTreeMap<String, u64>>| async move {
                if asked["after"] < 6 {
                    return refusal(StatusCode::GONE, "event.forgotten", json!({ "first": 7 }));
                }
                Json(json!({ "events": [], "cursor": asked["after"], "more": false })).into_response()
            }),
        )
        .route(
            "/v1/invoices/{id}",
            get(|Path(id): Path<String>| async move {
                if id == "paid" { Json(invoice(&id)).into_response() } else { unknown() }
            }),
        )
        .route("/v1/invoices", post(|| async { Json(invoice("new")) }))
        .route("/v1/invoices/{id}/cancel", post(|| async { unknown() }))
        .with_state(secrets.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, secrets)
}

fn order(desk: &Desk, invoice: &str) -> String {
    let order = desk.store.add("tea", 1, 1_200).unwrap();
    let pair = Some((invoice.to_owned(), format!("text-{invoice}")));
    desk.store.change(&order.id, |order| order.invoice = pair).unwrap();
    order.id
}

#[tokio::test]
async fn a_shop_that_was_away_for_long_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (url, secrets) = forgetful().await;
    let open = || Desk::new(Store::open(folder.path()).unwrap(), Merchant::new(&url, "key").unwrap(), 900);
    let desk = open();
    let (paid, over, old) = (order(&desk, "paid"), order(&desk, "over"), order(&desk, "old"));
    desk.introduce(HOOK).await;
    assert_eq!(desk.order(&paid).unwrap().state, State::Paid, "whatever was told of it is forgotten");
    assert_eq!(desk.order(&over).unwrap().state, State::Expired);
    assert_eq!(desk.store.cursor().unwrap(), 6);

    // The secret is kept: no other one is made.
    let kept = desk.store.webhook().unwrap();
    assert_eq!(kept, Some((HOOK.to_owned(), "whsec_0".to_owned())));
    drop(desk);
    let desk = open();
    desk.introduce(HOOK).await;
    assert_eq!((desk.store.webhook().unwrap(), secrets.load(Ordering::Relaxed)), (kept, 1));

    // An order whose invoice is forgotten gets another one, and can be cancelled.
    assert_eq!(desk.invoice_of(&over).await.unwrap(), "fairpay1");
    assert_eq!(desk.order(&over).unwrap().invoice.unwrap().0, "new");
    desk.cancel(&over).await.unwrap();
    assert_eq!(desk.order(&over).unwrap().state, State::Cancelled);

    // What nobody paid for long takes no place at the merchant any more.
    desk.let_old_go(u64::MAX).await.unwrap();
    assert_eq!(desk.order(&old).unwrap().state, State::Expired);
    desk.let_old_go(0).await.unwrap();
    let states = [&old, &paid].map(|id| desk.order(id).unwrap().state);
    assert_eq!(states, [State::Cancelled, State::Paid]);
}
