//! Court batches of an account: signed at once, several at a time.

use super::{CannotSend, OnChain, RequestId, SentBatch, SentState, alive};
use crate::codec;
use crate::crypto::SecretKey;
use crate::effect::Write;
use crate::ledger::batch::{self, Batch, Entry};
use crate::ledger::operation::Operation;
use crate::ledger::state::State;
use crate::limits;
use crate::message::Signed;
use crate::types::{Amount, AssetId, Height, PublicKey, TimeMs};

/// Bytes of a signed batch without entries.
const BARE_BYTES: usize = 32 + 8 + 8 + 8 + 4 + 64;

/// What became of a wish to go to court.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CourtSent {
    /// Batches that were signed now.
    pub batches: Vec<SentBatch>,
    /// Why what is left over was not signed. It is asked for again with the next block.
    pub problem: Option<CannotSend>,
}

impl OnChain {
    /// Operations of court that are signed and wait for a block.
    pub fn court_under_way(&self) -> impl Iterator<Item = &Operation> {
        let entries = self.waiting().flat_map(|sent| &sent.batch.body.entries);
        entries.map(|entry| &entry.operation).filter(|operation| operation.is_court())
    }

    /// The last height that may include a dispute with a partner that this account signed; `None` when there is
    /// none that could still be included.
    pub fn disputing(&self, partner: &PublicKey) -> Option<Height> {
        let disputes = |entry: &Entry| matches!(&entry.operation, Operation::Dispute(it) if it.partner == *partner);
        let with = self.waiting().filter(|sent| sent.batch.body.entries.iter().any(disputes));
        with.map(|sent| sent.batch.body.valid_until).max()
    }

    /// Signs court operations in order, packed into as many batches as they need. The first takes the place of the
    /// draft's batch that waits, if the fee can be paid, the others follow with the next nonces.
    pub fn send_court(
        &mut self,
        operations: Vec<Operation>,
        key: &SecretKey,
        state: &State,
        now_ms: TimeMs,
        write: &mut Write,
    ) -> CourtSent {
        let mut sent = CourtSent::default();
        if operations.is_empty() {
            return sent;
        }
        if state.account(&self.key).is_none() {
            sent.problem = Some(CannotSend::Unregistered { key: self.key });
            return sent;
        }
        for entries in packed(operations, state) {
            let courts = self.waiting().filter(|sent| batch::is_court(&sent.batch.body)).count();
            let last = self.waiting().last().map(|sent| sent.batch.body.valid_until);
            if let (true, Some(until)) = (courts >= limits::MAX_COURT_BATCHES, last) {
                sent.problem = Some(CannotSend::Busy { until });
                break;
            }
            match self.sign_court(entries, key, state, now_ms) {
                Ok(signed) => {
                    self.keep(signed.clone(), write);
                    sent.batches.push(signed);
                }
                Err(problem) => {
                    sent.problem = Some(problem);
                    break;
                }
            }
        }
        sent
    }

    fn sign_court(
        &self,
        entries: Vec<Entry>,
        key: &SecretKey,
        state: &State,
        now_ms: TimeMs,
    ) -> Result<SentBatch, CannotSend> {
        let parameters = state.parameters();
        // Shorter than others: nothing is signed in a channel while a dispute of it could still be included.
        let life = parameters.margin_blocks.min(parameters.max_batch_life_heights);
        let mut body = Batch {
            signer: self.key,
            nonce: self.free_nonce(state),
            valid_until: state.height().saturating_add(Height::from(life)),
            fee_rate: parameters.min_fee_rate,
            entries,
        };
        let bytes = batch::bytes_when_signed(&body);
        let cost = |rate| batch::fee(rate, bytes).unwrap_or(Amount::MAX);
        // What waits is paid for first, but of one nonce only one batch.
        let reserved = |displaced: Option<u64>| {
            let others = self.to_submit().filter(|sent| Some(sent.batch.body.nonce) != displaced);
            others.fold(0, |sum: Amount, sent| sum.saturating_add(sent.fee))
        };
        let balance = state.balance(&self.key, AssetId::FRD);
        let displaced = self.under_way().filter(|sent| {
            let of_nonce = self.waiting.get(&sent.batch.body.nonce);
            of_nonce.and_then(|requests| requests.last()) == Some(&sent.request)
        });
        if let Some(displaced) = displaced {
            let nonce = displaced.batch.body.nonce;
            let rate = batch::outbidding_rate(displaced.fee, bytes).max(body.fee_rate);
            if cost(rate) <= balance.saturating_sub(reserved(Some(nonce))) {
                (body.nonce, body.fee_rate) = (nonce, rate);
            }
        }
        let fee = cost(body.fee_rate);
        let free = balance.saturating_sub(reserved(Some(body.nonce)));
        if fee > free {
            return Err(CannotSend::Fee { fee, balance: free });
        }
        let batch = Signed::new(body, &state.chain_id(), key);
        let hash = batch::hash(&batch);
        let mut request: RequestId = [0; 16];
        for (to, from) in request.iter_mut().zip(hash.0) {
            *to = from;
        }
        Ok(SentBatch { request, batch, hash, fee, sent_ms: now_ms, state: SentState::Waiting })
    }

    /// A batch whose nonce court used: what of it can still apply is signed again under the same request. When that
    /// cannot be, it waits in the draft. Returns the batch if it is decided by that.
    pub(super) fn sign_again(
        &mut self,
        sent: SentBatch,
        key: &SecretKey,
        state: &State,
        write: &mut Write,
    ) -> Option<SentBatch> {
        let life = Height::from(state.parameters().max_batch_life_heights);
        let body = Batch {
            nonce: self.free_nonce(state),
            valid_until: state.height().saturating_add(life),
            fee_rate: sent.batch.body.fee_rate.max(state.parameters().min_fee_rate),
            entries: alive(&sent.batch.body.entries, state),
            signer: self.key,
        };
        let fee = batch::fee(body.fee_rate, batch::bytes_when_signed(&body)).unwrap_or(Amount::MAX);
        if body.entries.is_empty() || fee > state.balance(&self.key, AssetId::FRD) {
            let sent = SentBatch { state: SentState::Expired, ..sent };
            self.put_back(&sent, state, write);
            self.keep(sent.clone(), write);
            return Some(sent);
        }
        let batch = Signed::new(body, &state.chain_id(), key);
        let hash = batch::hash(&batch);
        self.keep(SentBatch { batch, hash, fee, ..sent }, write);
        None
    }
}

/// Operations in order, as many to a batch as fit.
fn packed(operations: Vec<Operation>, state: &State) -> Vec<Vec<Entry>> {
    let limit = usize::try_from(state.parameters().max_batch_bytes).unwrap_or(usize::MAX).min(limits::MAX_BATCH_BYTES);
    let mut batches: Vec<Vec<Entry>> = Vec::new();
    let mut bytes = usize::MAX;
    for operation in operations {
        let entry = Entry { group: None, operation };
        let more = codec::encode(&entry).len();
        let is_full = batches.last().is_none_or(|entries| entries.len() >= limits::MAX_OPERATIONS);
        if is_full || bytes.saturating_add(more) > limit {
            batches.push(Vec::new());
            bytes = BARE_BYTES;
        }
        bytes = bytes.saturating_add(more);
        if let Some(entries) = batches.last_mut() {
            entries.push(entry);
        }
    }
    batches
}
