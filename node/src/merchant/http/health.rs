//! What a monitor of the operator asks, without a key and so often: whether the process answers, and whether it can sell.

use super::{Answer, Shop, refusal};
use crate::local::Refusal;
use crate::merchant::desk::{Refused, can_be_paid};
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::Json;
use serde_json::json;
use std::net::SocketAddr;

pub(super) async fn healthy() -> &'static str {
    "ok\n"
}

/// Whether an invoice that is made now can be paid: the head is fresh, a bank is connected and gives credit.
pub(super) async fn ready(State(shop): State<Shop>, ConnectInfo(from): ConnectInfo<SocketAddr>) -> Answer {
    shop.waiting.rates.monitor(from.ip())?;
    let looked = shop.at_desk(|_, wallet, chain, now_ms| {
        let connected = wallet.banks().any(|(_, connected)| connected);
        (Vec::new(), Ok((chain.head.height, chain.is_stale(now_ms), connected, can_be_paid(wallet))))
    });
    let (height, stale, connected, credit) = looked.await?;
    let state = json!({ "height": height, "stale": stale, "connected": connected, "credit": credit });
    let not = |code, says: &str| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, says).with_data(state.clone());
    match (stale, connected, credit) {
        (true, ..) => Err(not("merchant.stale", "The newest block is old.")),
        (_, false, _) => Err(not("merchant.disconnected", "No bank is connected.")),
        (.., false) => Err(refusal(&Refused::NotReady).with_data(state)),
        (false, true, true) => Ok(Json(state)),
    }
}
