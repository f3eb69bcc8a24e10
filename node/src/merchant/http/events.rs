//! Events in their order, as they are in the journal.

use super::invoices::{lines, patience};
use super::polls::Poll;
use super::{Answer, Asked, Caller, Shop, query, refusal};
use crate::local::Refusal;
use crate::merchant::desk::Refused;
use crate::merchant::keys::Scope;
use crate::store::StoreError;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use serde_json::{Value, json};

pub(super) async fn list(caller: Caller, State(shop): State<Shop>, asked: Asked) -> Answer {
    caller.may(Scope::EventsRead)?;
    let [after, limit, wait] = query(asked, ["after", "limit", "wait"])?;
    let (limit, until) = (lines(limit)?, patience(wait)?);
    let mut poll = until.map(|until| Poll::begin(&shop, &caller, until)).transpose()?;
    loop {
        if let Some(poll) = &mut poll {
            poll.mark();
        }
        let events = read(&shop, after.unwrap_or(0), limit)?;
        let number = |event: &Value| event.get("sequence").and_then(Value::as_u64);
        // Numbers have no gaps: what is between was forgotten.
        if let (Some(after), Some(first)) = (after, events.first().and_then(number))
            && first > after.saturating_add(1)
        {
            return Err(refusal(&Refused::ForgottenEvent { first }));
        }
        // Nor is there one above the newest: records were lost since, and numbers began anew.
        if events.is_empty() && after.is_some_and(|after| after > 0) {
            let journal = || Ok::<_, StoreError>((shop.journal.last()?, shop.journal.first()?));
            let (last, first) = journal().map_err(|error| unreadable(&error.to_string()))?;
            if after > Some(last) {
                return Err(refusal(&Refused::ForgottenEvent { first: first.unwrap_or(1) }));
            }
        }
        if let (Some(poll), true) = (&mut poll, events.is_empty())
            && poll.event_after(after.unwrap_or(0)).await?
        {
            continue;
        }
        let cursor = events.last().and_then(number).or(after).unwrap_or(0);
        let more = events.len() == limit;
        return Ok(Json(json!({ "events": events, "cursor": cursor, "more": more })));
    }
}

fn read(shop: &Shop, after: u64, limit: usize) -> Result<Vec<Value>, Refusal> {
    let lines = shop.journal.after(after, limit).map_err(|error| unreadable(&error.to_string()))?;
    let events = lines.iter().map(|line| serde_json::from_slice(line));
    events.collect::<Result<_, _>>().map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(error: &str) -> Refusal {
    tracing::error!(error, "events cannot be read");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "store", "The events cannot be read at the moment.")
}
