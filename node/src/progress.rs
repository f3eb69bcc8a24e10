//! Answers that wait a little for the end of what was ordered.

use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// How long an answer waits.
const WAIT: Duration = Duration::from_secs(10);

/// How something stands, and whether there is more to wait for.
pub(crate) enum Progress<T> {
    /// Nothing more comes of it.
    Ended(T),
    /// So it stands at the moment.
    Waiting(T),
}

/// One answer's patience. Whoever looks after each change that it reports misses none.
pub(crate) struct Patience {
    changed: watch::Receiver<u64>,
    end: Instant,
}

impl Patience {
    /// `changed` counts changes that are durable.
    pub(crate) fn new(changed: &watch::Receiver<u64>) -> Self {
        let mut changed = changed.clone();
        changed.mark_unchanged();
        Self { changed, end: Instant::now() + WAIT }
    }

    /// How it ended, or how it stands when the patience is over; `None`: look again.
    pub(crate) async fn settle<T>(&mut self, progress: Progress<T>) -> Option<T> {
        match progress {
            Progress::Ended(value) => Some(value),
            Progress::Waiting(value) => {
                let has_changed = matches!(timeout_at(self.end, self.changed.changed()).await, Ok(Ok(())));
                (!has_changed).then_some(value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_that_comes_while_it_is_looked_at_is_not_missed() {
        let (changes, changed) = watch::channel(0_u64);
        let mut patience = Patience::new(&changed);
        for looks in 1..=3 {
            changes.send_modify(|count| *count += 1);
            assert_eq!(patience.settle(Progress::Waiting(looks)).await, None);
        }
        assert_eq!(patience.settle(Progress::Ended(4)).await, Some(4));
    }

    #[tokio::test]
    async fn whoever_waits_in_vain_is_told_how_it_stands() {
        let (changes, changed) = watch::channel(0_u64);
        drop(changes);
        assert_eq!(Patience::new(&changed).settle(Progress::Waiting("asked")).await, Some("asked"));
    }
}
