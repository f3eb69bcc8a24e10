//! Batches that wait for inclusion (docs/protocol.md, section 3).
//!
//! Of one account wait at most one ordinary batch and several court batches, with consecutive nonces. A batch
//! is admitted by the check that blocks are held against, behind those of its account that wait. It replaces
//! one of the same nonce when it repeats its court operations and pays at least
//! [`batch::REPLACEMENT_PERCENT`] percent more. A full mempool refuses; nothing that was accepted is pushed out by
//! others, and ordinary batches leave room for court batches.

use crate::limits;
use fair_core::ledger::batch::{self, Batch};
use fair_core::ledger::inclusion::{InclusionError, check_inclusion_behind};
use fair_core::ledger::state::State;
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, Hash, Height, PublicKey};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// Why a batch does not wait here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It could not stand in the next block.
    #[error(transparent)]
    Inclusion(#[from] InclusionError),
    /// Another of the account waits and pays as much.
    #[error("another batch of this account waits; to replace it pay at least {least}")]
    Replacement {
        /// Least fee.
        least: Amount,
    },
    /// Another of the account waits and says more to court.
    #[error("another batch of this account waits; to replace it repeat its court operations")]
    CourtNotRepeated,
    /// No room.
    #[error("too many batches wait; try again later")]
    Full,
}

/// What became of a batch that was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// New: tell the other validators.
    New(Hash),
    /// It waits already.
    Known(Hash),
    /// A block has it.
    Included(Hash, Height),
}

struct Waiting {
    batch: Signed<Batch>,
    hash: Hash,
    fee: Amount,
    bytes: usize,
    arrival: u64,
    is_court: bool,
}

impl Waiting {
    fn new(batch: Signed<Batch>, hash: Hash) -> Self {
        let bytes = batch::signed_bytes(&batch);
        let fee = batch::fee(batch.body.fee_rate, bytes).unwrap_or(Amount::MAX);
        let is_court = batch::is_court(&batch.body);
        Self { batch, hash, fee, bytes, arrival: 0, is_court }
    }

    /// What goes first: the higher rate, then the older.
    const fn rank(&self) -> (Amount, Reverse<u64>) {
        (self.batch.body.fee_rate, Reverse(self.arrival))
    }
}

/// Number and bytes of batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    batches: usize,
    bytes: usize,
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

/// The batches that wait, and a memory of those included lately.
#[derive(Default)]
pub(crate) struct Mempool {
    /// By account and nonce; the nonces of an account have no gaps.
    waiting: BTreeMap<PublicKey, BTreeMap<u64, Waiting>>,
    size: Size,
    ordinary: Size,
    arrivals: u64,
    included: BTreeMap<Hash, Height>,
    included_order: VecDeque<Hash>,
}

impl Mempool {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) const fn len(&self) -> usize {
        self.size.batches
    }

    /// Takes a batch in, or says why not. The same batch again gets the same answer.
    pub(crate) fn add(&mut self, state: &State, batch: Signed<Batch>) -> Result<Accepted, Refused> {
        let hash = batch::hash(&batch);
        if let Some(height) = self.included.get(&hash) {
            return Ok(Accepted::Included(hash, *height));
        }
        let (signer, nonce) = (batch.body.signer, batch.body.nonce);
        let none = BTreeMap::new();
        let queue = self.waiting.get(&signer).unwrap_or(&none);
        let replaced = queue.get(&nonce);
        if replaced.is_some_and(|waiting| waiting.hash == hash) {
            return Ok(Accepted::Known(hash));
        }
        let mut new = Waiting::new(batch, hash);
        // The price of replacing is asked before the signature, which costs more to check.
        if let Some(waiting) = replaced {
            may_replace(waiting, &new)?;
        }
        if !new.is_court && queue.values().any(|waiting| !waiting.is_court && waiting.batch.body.nonce != nonce) {
            return Err(InclusionError::SecondBatch { signer }.into());
        }
        if replaced.is_none() && queue.len() >= limits::MEMPOOL_ACCOUNT_BATCHES {
            return Err(Refused::Full);
        }
        let earlier = queue.range(..nonce).map(|(_, waiting)| &waiting.batch);
        check_inclusion_behind(state, earlier, &new.batch, state.height().saturating_add(1))?;
        let (mut size, mut ordinary) = (self.size, self.ordinary);
        if let Some(waiting) = replaced {
            size.remove(waiting);
            if !waiting.is_court {
                ordinary.remove(waiting);
            }
        }
        size.add(&new);
        if !new.is_court {
            ordinary.add(&new);
        }
        if size.bytes > limits::MEMPOOL_BYTES
            || size.batches > limits::MEMPOOL_BATCHES
            || ordinary.bytes > limits::MEMPOOL_ORDINARY_BYTES
            || ordinary.batches > limits::MEMPOOL_ORDINARY_BATCHES
        {
            return Err(Refused::Full);
        }
        (self.size, self.ordinary) = (size, ordinary);
        self.arrivals = self.arrivals.saturating_add(1);
        new.arrival = self.arrivals;
        self.waiting.entry(signer).or_default().insert(nonce, new);
        Ok(Accepted::New(hash))
    }

    /// Batches for a block: those that pay more per byte first, then the older ones, each account's in order
    /// of their nonces.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = &Signed<Batch>> {
        let mut queues: Vec<_> = self.waiting.values().map(|queue| queue.values().peekable()).collect();
        let mut next: BinaryHeap<_> = queues
            .iter_mut()
            .enumerate()
            .filter_map(|(place, queue)| queue.peek().map(|waiting| (waiting.rank(), place)))
            .collect();
        std::iter::from_fn(move || {
            let (_, place) = next.pop()?;
            let queue = queues.get_mut(place)?;
            let first = queue.next()?;
            next.extend(queue.peek().map(|waiting| (waiting.rank(), place)));
            Some(&first.batch)
        })
    }

    /// Takes note of a block: forgets what it includes and what cannot be included any more.
    pub(crate) fn after_block(&mut self, state: &State, included: &[Signed<Batch>]) {
        for batch in included {
            let hash = batch::hash(batch);
            if self.included.insert(hash, state.height()).is_none() {
                self.included_order.push_back(hash);
            }
        }
        while self.included_order.len() > limits::REMEMBERED_BATCHES {
            if let Some(oldest) = self.included_order.pop_front() {
                self.included.remove(&oldest);
            }
        }
        let next = state.height().saturating_add(1);
        for (signer, queue) in &mut self.waiting {
            let mut nonce = state.account(signer).map(|account| account.nonce);
            let mut balance = state.balance(signer, AssetId::FRD);
            queue.retain(|number, waiting| {
                let rest = balance.checked_sub(waiting.fee);
                let (true, true, Some(rest)) = (nonce == Some(*number), waiting.batch.body.valid_until >= next, rest)
                else {
                    return false;
                };
                balance = rest;
                nonce = number.checked_add(1);
                true
            });
        }
        self.tidy();
    }

    /// Forgets a batch that could not be included after all, and those of its account behind it.
    pub(crate) fn forget(&mut self, hash: &Hash) {
        for queue in self.waiting.values_mut() {
            let place = queue.iter().find(|(_, waiting)| waiting.hash == *hash).map(|(nonce, _)| *nonce);
            if let Some(nonce) = place {
                queue.retain(|number, _| *number < nonce);
            }
        }
        self.tidy();
    }

    /// Drops empty queues and counts anew.
    fn tidy(&mut self) {
        self.waiting.retain(|_, queue| !queue.is_empty());
        (self.size, self.ordinary) = (Size::default(), Size::default());
        for waiting in self.waiting.values().flat_map(BTreeMap::values) {
            self.size.add(waiting);
            if !waiting.is_court {
                self.ordinary.add(waiting);
            }
        }
    }
}

/// What replaces another pays more and says as much to court.
fn may_replace(waiting: &Waiting, new: &Waiting) -> Result<(), Refused> {
    let least = batch::outbid(waiting.fee);
    if new.fee < least {
        return Err(Refused::Replacement { least });
    }
    if !batch::repeats_court(&new.batch.body, &waiting.batch.body) {
        return Err(Refused::CourtNotRepeated);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
