//! Batches that wait for inclusion: one per account (docs/protocol.md, section 3).
//!
//! A batch is admitted by the check that blocks are held against. It replaces one of the same account and
//! nonce when it pays at least [`limits::REPLACEMENT_PERCENT`] more. A full mempool refuses; nothing that
//! was accepted is pushed out by others.

use crate::limits;
use fair_core::ledger::batch::{self, Batch};
use fair_core::ledger::inclusion::{InclusionError, check_inclusion};
use fair_core::ledger::state::State;
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, Hash, Height, PublicKey};
use std::collections::{BTreeMap, VecDeque};

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
}

/// The batches that wait, and a memory of those included lately.
#[derive(Default)]
pub(crate) struct Mempool {
    waiting: BTreeMap<PublicKey, Waiting>,
    bytes: usize,
    arrivals: u64,
    included: BTreeMap<Hash, Height>,
    included_order: VecDeque<Hash>,
}

impl Mempool {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a batch in, or says why not. The same batch again gets the same answer.
    pub(crate) fn add(&mut self, state: &State, batch: Signed<Batch>) -> Result<Accepted, Refused> {
        let hash = batch::hash(&batch);
        if let Some(height) = self.included.get(&hash) {
            return Ok(Accepted::Included(hash, *height));
        }
        let signer = batch.body.signer;
        if self.waiting.get(&signer).is_some_and(|waiting| waiting.hash == hash) {
            return Ok(Accepted::Known(hash));
        }
        let bytes = batch::signed_bytes(&batch);
        let fee = batch::fee(batch.body.fee_rate, bytes).unwrap_or(Amount::MAX);
        // The price of replacing is asked before the signature, which costs more to check.
        if let Some(waiting) = self.waiting.get(&signer) {
            let least = outbid(waiting.fee);
            if fee < least && waiting.batch.body.nonce == batch.body.nonce {
                return Err(Refused::Replacement { least });
            }
        }
        check_inclusion(state, &batch, state.height().saturating_add(1))?;
        let replaced = self.waiting.get(&signer).map_or(0, |waiting| waiting.bytes);
        let is_new = replaced == 0;
        let total = self.bytes.saturating_sub(replaced).saturating_add(bytes);
        if total > limits::MEMPOOL_BYTES || (is_new && self.waiting.len() >= limits::MEMPOOL_BATCHES) {
            return Err(Refused::Full);
        }
        self.bytes = total;
        self.arrivals = self.arrivals.saturating_add(1);
        self.waiting.insert(signer, Waiting { batch, hash, fee, bytes, arrival: self.arrivals });
        Ok(Accepted::New(hash))
    }

    /// Batches for a block: those that pay more per byte first, then the older ones.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = &Signed<Batch>> {
        let mut ordered: Vec<&Waiting> = self.waiting.values().collect();
        ordered.sort_by_key(|waiting| (std::cmp::Reverse(waiting.batch.body.fee_rate), waiting.arrival));
        ordered.into_iter().map(|waiting| &waiting.batch)
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
        self.waiting.retain(|signer, waiting| {
            let nonce = state.account(signer).map(|account| account.nonce);
            let body = &waiting.batch.body;
            nonce == Some(body.nonce) && body.valid_until >= next && state.balance(signer, AssetId::FRD) >= waiting.fee
        });
        self.bytes = self.waiting.values().map(|waiting| waiting.bytes).sum();
    }

    /// Forgets a batch that could not be included after all.
    pub(crate) fn forget(&mut self, hash: &Hash) {
        self.waiting.retain(|_, waiting| waiting.hash != *hash);
        self.bytes = self.waiting.values().map(|waiting| waiting.bytes).sum();
    }
}

fn outbid(fee: Amount) -> Amount {
    let more = u128::from(fee).saturating_mul(100 + limits::REPLACEMENT_PERCENT).div_ceil(100);
    Amount::try_from(more).unwrap_or(Amount::MAX)
}

#[cfg(test)]
mod tests;
