//! Forgets events that are old. The journal is on the disk alone, so that somebody looks from time to time how old
//! its first lines are.

use crate::clock;
use crate::host::{Handle, Journal};
use crate::limits;
use crate::store::StoreError;
use crate::wallet::Hosted;
use fair_core::types::TimeMs;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Until the process ends.
pub(super) async fn forget_events(host: Handle<Hosted>, journal: Arc<Journal>, keep_ms: u64) {
    let (shortest, longest) = limits::MERCHANT_LOOKS_MS;
    let pause = Duration::from_millis((keep_ms / 2).clamp(shortest, longest));
    loop {
        let has_forgotten = match too_old(&journal, clock::now_ms().saturating_sub(keep_ms)) {
            Ok(Some(until)) => {
                let forget = host.ask(move |hosted, _, _| {
                    let effects = hosted.desk.as_mut().map(|desk| desk.forget_events(until)).unwrap_or_default();
                    let has_forgotten = !effects.is_empty();
                    (effects, has_forgotten)
                });
                let Ok(has_forgotten) = forget.await else { return };
                has_forgotten
            }
            Ok(None) => false,
            Err(error) => {
                tracing::error!(%error, "the journal of events cannot be read");
                false
            }
        };
        if !has_forgotten {
            clock::sleep(pause).await;
        }
    }
}

/// Number of the newest of the first lines that were written before a time.
fn too_old(journal: &Journal, before_ms: TimeMs) -> Result<Option<u64>, StoreError> {
    let number = |line: &[u8], field: &str| {
        let event: Value = serde_json::from_slice(line).unwrap_or_default();
        event.get(field).and_then(Value::as_u64)
    };
    let is_old = |line: &Vec<u8>| number(line, "created_ms").is_some_and(|created_ms| created_ms < before_ms);
    // Most of the time this is all that there is to read.
    if !journal.after(0, 1)?.first().is_some_and(is_old) {
        return Ok(None);
    }
    let lines = journal.after(0, limits::MERCHANT_FORGOTTEN_AT_ONCE)?;
    Ok(lines.iter().take_while(|line| is_old(line)).last().and_then(|line| number(line, "sequence")))
}
