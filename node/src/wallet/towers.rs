//! The watchtowers of a wallet's process: a session with each, kept by the list that the wallet stores, and its
//! operator's orders about it. A wallet that lost its records asks banks in the same way.
//!
//! ```text
//! POST /v1/towers/add     {tower, url?}  → {towers}     url: http://host:port; through the relay when left out
//! POST /v1/towers/remove  {tower}        → {towers}
//! POST /v1/towers/list    {}             → {towers}
//!
//! tower  {tower, url, connected, last_ms, channels: [{bank, covered, frame, declined}], faults}
//! ```

use super::Hosted;
use super::http::{Served, bad};
use crate::host::{Handle, line};
use crate::local::Refusal;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::Json;
use fair_core::types::PublicKey;
use fair_core::wallet::{Input, Wallet};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Keeps a session with every tower of the list, as long as it is on it, at the place where it is, and with every bank
/// that the wallet wants one with and that is none of `called`.
pub(super) async fn keep_sessions(
    host: Handle<Hosted>,
    identity: line::Identity,
    relay: String,
    called: Vec<PublicKey>,
    mut changed: watch::Receiver<u64>,
) {
    let mut lines: BTreeMap<(PublicKey, String), Calling> = BTreeMap::new();
    loop {
        let called = called.clone();
        let listed = host.ask(move |hosted, _, _| {
            let towers = hosted.wallet.towers().map(|view| (view.tower.key, view.tower.url.clone()));
            let banks = hosted.wallet.sessions().filter(|bank| !called.contains(bank));
            let listed: Vec<_> = towers.chain(banks.map(|bank| (bank, String::new()))).collect();
            (Vec::new(), listed)
        });
        let Ok(listed) = listed.await else { return };
        lines.retain(|line, _| listed.contains(line));
        for (tower, url) in listed {
            let way = if url.is_empty() {
                (relay.clone(), format!("/v1/peers/{tower}"))
            } else {
                (url.clone(), "/v1/peer".to_owned())
            };
            let (identity, host) = (identity.clone(), host.clone());
            lines.entry((tower, url)).or_insert_with(|| {
                Calling(tokio::spawn(async move { line::keep_calling(vec![way], tower, identity, host).await }))
            });
        }
        if changed.changed().await.is_err() {
            return;
        }
    }
}

/// Ends with its owner.
struct Calling(JoinHandle<()>);

impl Drop for Calling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The towers as their owner sees them.
pub(super) fn view(wallet: &Wallet) -> Value {
    let towers: Vec<Value> = wallet
        .towers()
        .map(|view| {
            let channels: Vec<Value> = view
                .channels
                .iter()
                .map(|channel| {
                    json!({
                        "bank": channel.bank,
                        "covered": channel.is_covered,
                        "frame": channel.has.map(|has| has.order.frame),
                        "declined": channel.declined,
                    })
                })
                .collect();
            json!({
                "tower": view.tower.key,
                "url": view.tower.url,
                "connected": view.connected,
                "last_ms": view.last_ms,
                "channels": channels,
                "faults": view.tower.misbehaviours.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!(towers)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Add {
    tower: PublicKey,
    #[serde(default)]
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remove {
    tower: PublicKey,
}

pub(super) async fn add(
    State(served): State<Served>,
    body: Result<Json<Add>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Json(Add { tower, url }) = body.map_err(|error| bad("input.json", error.body_text()))?;
    let url = url.trim_end_matches('/').to_owned();
    let host = url.strip_prefix("http://").unwrap_or(&url);
    if !url.is_empty() && (host == url || host.is_empty() || host.contains(['/', '?', '#', '@', ' '])) {
        return Err(bad("input.url", "The place of a watchtower is written as http://host:port."));
    }
    order(&served, Input::AddTower { tower, url }).await
}

pub(super) async fn remove(
    State(served): State<Served>,
    body: Result<Json<Remove>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Json(Remove { tower }) = body.map_err(|error| bad("input.json", error.body_text()))?;
    order(&served, Input::RemoveTower { tower }).await
}

pub(super) async fn list(State(served): State<Served>) -> Result<Json<Value>, Refusal> {
    let towers = served.host.ask(|hosted, _, _| (Vec::new(), view(&hosted.wallet))).await?;
    Ok(Json(json!({ "towers": towers })))
}

async fn order(served: &Served, input: Input<'static>) -> Result<Json<Value>, Refusal> {
    let done = served.host.ask(move |hosted, chain, now_ms| match hosted.wallet.handle(input, chain, now_ms) {
        Ok(effects) => (effects, Ok(view(&hosted.wallet))),
        Err(refusal) => (Vec::new(), Err(refusal.to_string())),
    });
    match done.await? {
        Ok(towers) => Ok(Json(json!({ "towers": towers }))),
        Err(reason) => Err(Refusal::new(StatusCode::CONFLICT, "order.refused", reason)),
    }
}
