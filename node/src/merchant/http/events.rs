//! Events in their order, as they are in the journal.

use super::invoices::{lines, patience};
use super::{Answer, Asked, Caller, Shop, query};
use crate::local::Refusal;
use crate::merchant::keys::Scope;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout_at;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    after: Option<u64>,
    limit: Option<usize>,
    wait: Option<u64>,
}

pub(super) async fn list(caller: Caller, State(shop): State<Shop>, asked: Asked<Page>) -> Answer {
    caller.may(Scope::EventsRead)?;
    let Page { after, limit, wait } = query(asked)?;
    let (after, limit, until) = (after.unwrap_or(0), lines(limit)?, patience(wait)?);
    let _place = until.map(|_| shop.place()).transpose()?;
    let mut changed = shop.wallet.changed.clone();
    loop {
        changed.mark_unchanged();
        let events = read(&shop, after, limit)?;
        let waits = until.filter(|_| events.is_empty());
        let again = match waits {
            Some(until) => matches!(timeout_at(until, changed.changed()).await, Ok(Ok(()))),
            None => false,
        };
        if !again {
            let cursor = events.last().and_then(|event| event.get("sequence")).and_then(Value::as_u64);
            let more = events.len() == limit;
            return Ok(Json(json!({ "events": events, "cursor": cursor.unwrap_or(after), "more": more })));
        }
    }
}

fn read(shop: &Shop, after: u64, limit: usize) -> Result<Vec<Value>, Refusal> {
    let unreadable = |error: String| {
        tracing::error!(error, "events cannot be read");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "store", "The events cannot be read at the moment.")
    };
    let lines = shop.journal.after(after, limit).map_err(|error| unreadable(error.to_string()))?;
    let events = lines.iter().map(|line| serde_json::from_slice(line));
    events.collect::<Result<_, _>>().map_err(|error| unreadable(error.to_string()))
}
