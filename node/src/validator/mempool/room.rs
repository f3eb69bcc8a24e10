//! Room among the batches that wait, and what gives way to a court batch when there is none.
//!
//! A batch behind another of its account may never pay: the one before it can spend what it would pay with. So whoever
//! has little can make many wait. What a victim says to court must not wait for them.

use super::{Queue, Refused, Waiting};
use crate::limits;
use fair_core::types::{Amount, PublicKey};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Number and bytes of batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) batches: usize,
    pub(super) bytes: usize,
}

impl Size {
    fn add(&mut self, waiting: &Waiting) {
        self.batches = self.batches.saturating_add(1);
        self.bytes = self.bytes.saturating_add(waiting.bytes);
    }

    fn remove(&mut self, waiting: &Waiting) {
        self.batches = self.batches.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(waiting.bytes);
    }
}

/// Room that is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// By all batches.
    pub(super) all: Size,
    /// By those that are not court batches.
    pub(super) ordinary: Size,
}

impl Taken {
    pub(super) fn add(&mut self, waiting: &Waiting) {
        self.all.add(waiting);
        if !waiting.is_court {
            self.ordinary.add(waiting);
        }
    }

    pub(super) fn remove(&mut self, waiting: &Waiting) {
        self.all.remove(waiting);
        if !waiting.is_court {
            self.ordinary.remove(waiting);
        }
    }

    pub(super) const fn fits(&self) -> bool {
        self.all.bytes <= limits::MEMPOOL_BYTES
            && self.all.batches <= limits::MEMPOOL_BATCHES
            && self.ordinary.bytes <= limits::MEMPOOL_ORDINARY_BYTES
            && self.ordinary.batches <= limits::MEMPOOL_ORDINARY_BATCHES
    }
}

/// How much sooner than others the last batch of a queue gives way; the greatest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Yields {
    /// Batches of the queue behind its ordinary one: that can spend what they would pay with.
    behind_ordinary: u64,
    /// Batches of the queue behind another.
    behind: u64,
    /// Of those that wait alike, the one that pays least for its bytes, and the newest.
    fee_rate: Reverse<Amount>,
    arrival: u64,
}

impl Yields {
    /// Of the last of those in a queue up to a nonce; `None` when it stays: a court batch that is its account's next.
    fn of(queue: &Queue, nonce: u64) -> Option<(Self, &Waiting)> {
        let last = queue.get(&nonce)?;
        let behind = nonce.saturating_sub(*queue.first_key_value()?.0);
        let ordinary = queue.range(..=nonce).find(|(_, waiting)| !waiting.is_court).map(|(nonce, _)| *nonce);
        if behind == 0 && last.is_court {
            return None;
        }
        let behind_ordinary = ordinary.map_or(0, |ordinary| nonce.saturating_sub(ordinary));
        let fee_rate = Reverse(last.batch.body.fee_rate);
        Some((Self { behind_ordinary, behind, fee_rate, arrival: last.arrival }, last))
    }
}

/// What gives way to a court batch that the next block could include, until everything fits: the last batch of the
/// longest queue behind an ordinary batch, then of the longest queue, then the ordinary batch that pays the least for
/// its bytes. Nothing of the batch's own account. With `taken` that batch has its room already; what gives way is
/// taken out of it.
///
/// # Errors
/// [`Refused::Full`] when everything else waits with no less right.
pub(super) fn make_room(
    waiting: &BTreeMap<PublicKey, Queue>,
    own: &PublicKey,
    taken: &mut Taken,
) -> Result<Vec<(PublicKey, u64)>, Refused> {
    let others = waiting.iter().filter(|(account, _)| *account != own);
    let mut next: BinaryHeap<_> = others
        .filter_map(|(account, queue)| {
            let (nonce, _) = queue.last_key_value()?;
            let (yields, _) = Yields::of(queue, *nonce)?;
            Some((yields, *account, *nonce))
        })
        .collect();
    let mut displaced = Vec::new();
    while !taken.fits() {
        let (_, account, nonce) = next.pop().ok_or(Refused::Full)?;
        let queue = waiting.get(&account).ok_or(Refused::Full)?;
        let (_, last) = Yields::of(queue, nonce).ok_or(Refused::Full)?;
        taken.remove(last);
        displaced.push((account, nonce));
        if let Some(before) = nonce.checked_sub(1)
            && let Some((yields, _)) = Yields::of(queue, before)
        {
            next.push((yields, account, before));
        }
    }
    Ok(displaced)
}
