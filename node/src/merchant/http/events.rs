//! Events in their order, as they are in the journal.

use super::invoices::{lines, patience};
use super::polls::Poll;
use super::{Answer, Asked, Caller, Shop, query, refusal};
use crate::host::Journal;
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
        let events = read(&shop.journal, after, limit)?;
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

/// The events after a number, and none where some of those are forgotten.
fn read(journal: &Journal, after: Option<u64>, limit: usize) -> Result<Vec<Value>, Refusal> {
    let failed = |error: StoreError| unreadable(&error.to_string());
    let lines = journal.after(after.unwrap_or(0), limit).map_err(failed)?;
    let events = lines.iter().map(|line| serde_json::from_slice(line));
    let events: Vec<Value> = events.collect::<Result<_, _>>().map_err(|error| unreadable(&error.to_string()))?;
    // Numbers have no gaps: what is between was forgotten.
    if let (Some(after), Some(first)) = (after, events.first().and_then(number))
        && first > after.saturating_add(1)
    {
        return Err(refusal(&Refused::ForgottenEvent { first }));
    }
    // Nor is there one above the newest: records were lost since, and numbers began anew.
    if events.is_empty() && after > Some(journal.last().map_err(failed)?) {
        let first = journal.first().map_err(failed)?.unwrap_or(1);
        return Err(refusal(&Refused::ForgottenEvent { first }));
    }
    Ok(events)
}

fn number(event: &Value) -> Option<u64> {
    event.get("sequence").and_then(Value::as_u64)
}

fn unreadable(error: &str) -> Refusal {
    tracing::error!(error, "events cannot be read");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "store", "The events cannot be read at the moment.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::open_records;
    use fair_core::crypto::SecretKey;
    use fair_core::types::Hash;

    /// A shop that read up to some number asks on. Of what is gone it is told, and from where on it can read: also when
    /// the merchant lost its records since and counts from 1 again.
    #[tokio::test]
    async fn whoever_reads_on_where_nothing_is_any_more_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let key = SecretKey::from_seed(&[1; 32]).public();
        let line = |sequence: u64| (Journal::key(sequence), json!({ "sequence": sequence }).to_string().into_bytes());
        let listed = |journal: &Journal, after| -> Result<Vec<u64>, u64> {
            let events = read(journal, after, 10).map_err(|refusal| {
                assert_eq!(refusal.status(), StatusCode::GONE);
                serde_json::to_value(&refusal).unwrap()["data"]["first"].as_u64().unwrap()
            })?;
            Ok(events.iter().filter_map(number).collect())
        };
        let forgotten = [(Some(1), Err(3)), (Some(2), Ok(vec![3, 4])), (Some(4), Ok(vec![])), (None, Ok(vec![3, 4]))];
        let lost = [(Some(9), Err(1)), (Some(3), Err(1)), (Some(2), Ok(vec![])), (None, Ok(vec![1, 2]))];
        let nothing = [(Some(1), Err(1)), (Some(0), Ok(vec![])), (None, Ok(vec![]))];
        let cases = [(3..5, &forgotten[..]), (1..3, &lost[..]), (0..0, &nothing[..])];
        for (place, (kept, asked)) in cases.into_iter().enumerate() {
            let path = folder.path().join(place.to_string());
            let opened = open_records(&path, Hash([1; 32]), key, kept.map(line).collect()).await;
            let (store, _) = opened.unwrap();
            let journal = Journal::of(&store).unwrap();
            for (after, expected) in asked {
                assert_eq!(&listed(&journal, *after), expected, "{place}: after {after:?}");
            }
        }
    }
}
