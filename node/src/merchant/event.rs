//! Events: what a shop is told, in one order. The line of the journal is the body of the webhook.
//!
//! ```text
//! {"id": "evt_…", "sequence": 7, "type": "invoice.paid", "created_ms": …, "data": {…}}
//!
//! invoice.pending, .paid, .expired, .cancelled   data is the invoice as it stood then
//! invoice.assured     enough of a paid invoice's money is insured now
//! invoice.paid_again  somebody paid it once more; the money went back
//! refund.paid, .failed, .cancelled; payout.paid, .failed     data is the refund or payout
//! webhook.test        sequence is 0: a webhook tells of nothing, on request, and it is in no journal
//! ```

use super::view;
use super::webhooks::EndpointId;
use crate::host::Journal;
use fair_core::crypto::{self, Tag};
use fair_core::effect::Write;
use fair_core::types::{PublicKey, TimeMs};
use serde::Serialize;

const EVENT: Tag = Tag(b"fair/shop-event1");

/// What there is to tell.
pub(super) const KINDS: [&str; 11] = [
    "invoice.pending",
    "invoice.paid",
    "invoice.expired",
    "invoice.cancelled",
    "invoice.assured",
    "invoice.paid_again",
    "refund.paid",
    "refund.failed",
    "refund.cancelled",
    "payout.paid",
    "payout.failed",
];

/// Writes events with growing numbers.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    own: PublicKey,
    first: u64,
    last: u64,
}

impl Recorder {
    /// `first` is the oldest number that is kept, `last` the newest that was used.
    pub(super) const fn new(own: PublicKey, first: u64, last: u64) -> Self {
        Self { own, first, last }
    }

    /// The oldest number that is kept.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// Forgets events up to a number, and never the newest: the next one is counted from it.
    pub(super) fn forget(&mut self, until: u64, write: &mut Write) {
        let until = until.min(self.last.saturating_sub(1));
        (self.first..=until).for_each(|sequence| write.delete(Journal::key(sequence)));
        self.first = self.first.max(until.saturating_add(1));
    }

    /// The newest number that was used.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// Adds an event.
    pub(super) fn record(&mut self, kind: &str, data: &impl Serialize, now_ms: TimeMs, write: &mut Write) {
        debug_assert!(KINDS.contains(&kind), "nobody can subscribe to {kind}");
        let sequence = self.last.saturating_add(1);
        let id = id_of(&self.own, sequence, now_ms, kind);
        let line = Line { id, sequence, kind, created_ms: now_ms, data };
        write.put(Journal::key(sequence), view::written(&line));
        self.last = sequence;
    }
}

/// The body of a webhook that tells of nothing: its type is that of no event, and its number none's.
pub(super) fn test_line(endpoint: &EndpointId, now_ms: TimeMs) -> Result<Vec<u8>, getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    let id = format!("test_{}", hex::encode(random));
    let data = serde_json::json!({ "webhook": hex::encode(endpoint) });
    Ok(view::written(&Line { id, sequence: 0, kind: "webhook.test", created_ms: now_ms, data: &data }))
}

/// A line of the journal.
#[derive(Serialize)]
struct Line<'a, T> {
    id: String,
    sequence: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    created_ms: TimeMs,
    data: &'a T,
}

/// No two events have the same, also when records were lost, after which numbers begin anew.
fn id_of(own: &PublicKey, sequence: u64, now_ms: TimeMs, kind: &str) -> String {
    let digest = crypto::hash(EVENT, &[&own.0, &sequence.to_le_bytes(), &now_ms.to_le_bytes(), kind.as_bytes()]).0;
    format!("evt_{}", hex::encode(digest.get(..16).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fair_core::crypto::SecretKey;
    use serde_json::{Value, json};

    /// A shop takes each event once, by its id: one after the merchant lost its records must be new to it, though it has
    /// the number of an earlier one.
    #[test]
    fn an_event_has_an_id_of_its_own_also_after_records_were_lost() {
        let own = SecretKey::from_seed(&[1; 32]).public();
        let first_of = |now_ms| {
            let mut write = Write::default();
            Recorder::new(own, 1, 0).record("invoice.paid", &json!({}), now_ms, &mut write);
            let [(_, line)] = &write.puts[..] else { panic!("one event") };
            serde_json::from_slice::<Value>(line).unwrap()
        };
        let [before, after] = [1_000, 2_000].map(first_of);
        assert_eq!(before["sequence"], after["sequence"]);
        assert_ne!(before["id"], after["id"]);
        assert_eq!(before["id"], first_of(1_000)["id"]);
    }
}
