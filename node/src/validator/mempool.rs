//! Batches that wait for inclusion (docs/protocol.md, section 3).
//!
//! Of one account wait at most one ordinary batch and several court batches, with consecutive nonces. A batch
//! is admitted by the check that blocks are held against, behind those of its account that wait. It replaces
//! one of the same nonce when it repeats its court operations and pays at least
//! [`batch::REPLACEMENT_PERCENT`] percent more. Ordinary batches leave room for court batches, and few court batches
//! wait behind an ordinary one. A full mempool refuses, but not a court batch that the next block could include: what
//! gives way to it, and nothing else is ever pushed out, is said in [`room`].

mod room;

use crate::limits;
use fair_core::ledger::batch::{self, Batch};
use fair_core::ledger::inclusion::{InclusionError, check_inclusion, may_offer};
use fair_core::ledger::state::State;
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, Hash, Height, PublicKey};
use room::Taken;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// Why a batch does not wait here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It could not stand in the next block.
    #[error(transparent)]
    Inclusion(#[from] InclusionError),
    /// The same, but it may stand in a block after one that this validator has still to execute.
    #[error("{0}, as far as this validator has followed the chain")]
    NotYet(InclusionError),
    /// Another of the account waits and pays as much.
    #[error("another batch of this account waits; to replace it pay at least {least}")]
    Replacement {
        /// Least fee.
        least: Amount,
    },
    /// Another of the account waits and says more to court.
    #[error("another batch of this account waits; to replace it repeat its court operations")]
    CourtNotRepeated,
    /// Too many court batches would wait behind an ordinary one, which could spend what they pay with.
    #[error("{limit} court batches may wait behind another of this account; try again once that is in a block")]
    BehindOrdinary {
        /// [`limits::MEMPOOL_BEHIND_ORDINARY`].
        limit: usize,
    },
    /// No room.
    #[error("too many batches wait; try again later")]
    Full,
}

impl Refused {
    /// What a validator says that may be behind the others: what it has yet to execute can bring an account, money for
    /// the fee, or the nonce before.
    pub(crate) fn told(self, is_behind: bool) -> Self {
        match self {
            Self::Inclusion(reason) if !is_final(&reason, is_behind) => Self::NotYet(reason),
            refused => refused,
        }
    }
}

/// Whether no block to come could change it.
const fn is_final(reason: &InclusionError, is_behind: bool) -> bool {
    match reason {
        // The other one may be in a block already, and so may be those before this one: a block that decided it is often
        // seen before its height is claimed.
        InclusionError::SecondBatch { .. } => false,
        InclusionError::WrongNonce { expected, got } => *got < *expected,
        InclusionError::TooManyOperations { .. }
        | InclusionError::Expired { .. }
        | InclusionError::BatchSignature { .. } => true,
        InclusionError::BatchTooLong { .. }
        | InclusionError::UnknownSigner { .. }
        | InclusionError::ValidTooLong { .. }
        | InclusionError::FeeTooLow { .. }
        | InclusionError::FeeBeforeDebts { .. }
        | InclusionError::CannotPayFee { .. } => !is_behind,
    }
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

/// Batches of one account by nonce, without gaps.
type Queue = BTreeMap<u64, Waiting>;

/// The batches that wait, and a memory of those included lately.
#[derive(Default)]
pub(crate) struct Mempool {
    waiting: BTreeMap<PublicKey, Queue>,
    taken: Taken,
    arrivals: u64,
    included: BTreeMap<Hash, Height>,
    included_order: VecDeque<Hash>,
}

impl Mempool {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) const fn len(&self) -> usize {
        self.taken.all.batches
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
        check_behind_ordinary(queue, &new)?;
        let earlier = queue.range(..nonce).map(|(_, waiting)| &waiting.batch);
        check_inclusion(state, earlier, &new.batch, state.height().saturating_add(1))?;
        let is_next = queue.range(..nonce).next().is_none();
        let mut taken = self.taken;
        if let Some(waiting) = replaced {
            taken.remove(waiting);
        }
        taken.add(&new);
        let displaced = match (taken.fits(), new.is_court && is_next) {
            (true, _) => Vec::new(),
            (false, true) => room::make_room(&self.waiting, &signer, &mut taken)?,
            (false, false) => return Err(Refused::Full),
        };
        if !displaced.is_empty() {
            for (account, nonce) in displaced {
                if let Some(queue) = self.waiting.get_mut(&account) {
                    queue.remove(&nonce);
                }
            }
            self.waiting.retain(|_, queue| !queue.is_empty());
        }
        self.taken = taken;
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
                let may_offer = may_offer(state, signer, waiting.batch.body.fee_rate);
                let rest = balance.checked_sub(waiting.fee).filter(|_| may_offer);
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
        self.taken = Taken::default();
        for waiting in self.waiting.values().flat_map(BTreeMap::values) {
            self.taken.add(waiting);
        }
    }
}

/// Few court batches wait behind an ordinary one of their account.
fn check_behind_ordinary(queue: &Queue, new: &Waiting) -> Result<(), Refused> {
    let limit = limits::MEMPOOL_BEHIND_ORDINARY;
    let nonce = new.batch.body.nonce;
    let waits =
        queue.iter().find(|(number, waiting)| !waiting.is_court && **number != nonce).map(|(number, _)| *number);
    let Some(ordinary) = (if new.is_court { waits } else { Some(nonce) }) else { return Ok(()) };
    let last = queue.last_key_value().map_or(nonce, |(last, _)| nonce.max(*last));
    let behind = usize::try_from(last.saturating_sub(ordinary)).unwrap_or(usize::MAX);
    if behind > limit { Err(Refused::BehindOrdinary { limit }) } else { Ok(()) }
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
