//! What became of bringing events, for the owners of webhooks to see, until the process ends.

use super::webhooks::EndpointId;
use crate::limits;
use fair_core::types::TimeMs;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An event that was brought to an endpoint, taken or not.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) id: String,
    /// 0 of one that tells of nothing: a test.
    pub(super) sequence: u64,
    pub(super) kind: String,
    pub(super) at_ms: TimeMs,
    /// Until the answer was there.
    pub(super) took_ms: u64,
    /// Of the answer, if one came.
    pub(super) status: Option<u16>,
    /// Why it was not taken.
    pub(super) reason: Option<String>,
}

/// Why an endpoint does not take the event whose turn it is.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) reason: String,
    pub(super) at_ms: TimeMs,
    /// How often in a row.
    pub(super) failures: u32,
    /// When it is tried again.
    pub(super) again_ms: TimeMs,
}

#[derive(Default)]
struct Seen {
    trouble: Option<Trouble>,
    /// The newest last.
    attempts: VecDeque<Attempt>,
}

/// By endpoint.
#[derive(Clone, Default)]
pub(super) struct Attempts(Arc<Mutex<BTreeMap<EndpointId, Seen>>>);

impl Attempts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<EndpointId, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest first.
    pub(super) fn of(&self, id: &EndpointId) -> Vec<Attempt> {
        self.lock().get(id).map_or_else(Vec::new, |seen| seen.attempts.iter().rev().cloned().collect())
    }

    pub(super) fn note(&self, id: EndpointId, attempt: Attempt) {
        let mut all = self.lock();
        let attempts = &mut all.entry(id).or_default().attempts;
        if attempts.len() >= limits::WEBHOOK_ATTEMPTS {
            attempts.pop_front();
        }
        attempts.push_back(attempt);
    }

    pub(super) fn trouble(&self, id: &EndpointId) -> Option<Trouble> {
        self.lock().get(id)?.trouble.clone()
    }

    /// `None`: it took the event.
    pub(super) fn set_trouble(&self, id: EndpointId, trouble: Option<Trouble>) {
        self.lock().entry(id).or_default().trouble = trouble;
    }

    /// The endpoint is no more.
    pub(super) fn forget(&self, id: &EndpointId) {
        self.lock().remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_seen_the_newest_first() {
        let attempts = Attempts::default();
        let last = u64::try_from(limits::WEBHOOK_ATTEMPTS).unwrap() + 7;
        for sequence in 1..=last {
            let (id, kind) = (String::new(), String::new());
            let attempt = Attempt { id, sequence, kind, at_ms: 0, took_ms: 0, status: None, reason: None };
            attempts.note([1; 16], attempt);
        }
        let seen: Vec<u64> = attempts.of(&[1; 16]).iter().map(|attempt| attempt.sequence).collect();
        assert_eq!(seen, (8..=last).rev().collect::<Vec<_>>());
        assert!(attempts.of(&[2; 16]).is_empty());
        attempts.forget(&[1; 16]);
        assert!(attempts.lock().is_empty());
    }
}
