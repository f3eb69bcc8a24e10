//! Court batches of an account: signed at once, several at a time. One that waits is signed again with a higher fee,
//! so that a crowd in court's room cannot keep it out.
//!
//! The higher one has the same nonce, operations and last height: of all its signings one can be included, and none
//! later than the first.

use super::draft::alive;
use super::{CannotSend, OnChain, RequestId, SentBatch, SentState};
use crate::chain::params::Parameters;
use crate::codec;
use crate::crypto::SecretKey;
use crate::effect::Write;
use crate::ledger::batch::{self, Batch, Entry};
use crate::ledger::inclusion::may_offer;
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
            let courts = self.to_submit(state).filter(|sent| batch::is_court(&sent.batch.body)).count();
            let last = self.waiting().last().map(|sent| sent.batch.body.valid_until);
            if let (true, Some(until)) = (courts >= limits::MAX_COURT_BATCHES, last) {
                sent.problem = Some(CannotSend::Busy { until });
                break;
            }
            let (signed, problem) = self.sign_court(entries, key, state, now_ms);
            if let Some(signed) = signed {
                self.keep(signed.clone(), write);
                sent.batches.push(signed);
            }
            sent.problem = sent.problem.or(problem);
        }
        sent
    }

    /// A batch with all of these, or else, in their order, with those that can be paid for: what is too dear keeps out
    /// nothing that is not.
    fn sign_court(
        &self,
        entries: Vec<Entry>,
        key: &SecretKey,
        state: &State,
        now_ms: TimeMs,
    ) -> (Option<SentBatch>, Option<CannotSend>) {
        let parameters = state.parameters();
        let mut body = Batch {
            signer: self.key,
            nonce: self.free_nonce(state),
            valid_until: state.height().saturating_add(life(parameters)),
            fee_rate: parameters.min_fee_rate,
            entries,
        };
        let since = Since { sent_ms: now_ms, height: state.height() };
        let bytes = batch::bytes_when_signed(&body);
        let ordinary = self.under_way().filter(|sent| {
            self.waiting.get(&sent.batch.body.nonce).is_some_and(|requests| requests.as_slice() == [sent.request])
        });
        if let Some(dead) = ordinary.filter(|sent| self.is_dead(sent, state)) {
            // It is out of every mempool, so that nobody need outbid it.
            body.nonce = dead.batch.body.nonce;
        } else if let Some(displaced) = ordinary.filter(|_| !self.is_debtor(state)) {
            let nonce = displaced.batch.body.nonce;
            let fee_rate = batch::outbidding_rate(displaced.fee, bytes).max(body.fee_rate);
            let fee = batch::fee(fee_rate, bytes).unwrap_or(Amount::MAX);
            if fee <= self.free(nonce, state) {
                return (Some(sealed(Batch { nonce, fee_rate, ..body }, fee, key, state, since)), None);
            }
        }
        let balance = self.free(body.nonce, state);
        let cost = |bytes: usize| batch::fee(parameters.min_fee_rate, bytes).unwrap_or(Amount::MAX);
        let fee = cost(bytes);
        if fee <= balance {
            return (Some(sealed(body, fee, key, state, since)), None);
        }
        let mut bytes = BARE_BYTES;
        body.entries.retain(|entry| {
            let with = bytes.saturating_add(codec::encode(entry).len());
            let can_be_paid = cost(with) <= balance;
            if can_be_paid {
                bytes = with;
            }
            can_be_paid
        });
        let signed = (!body.entries.is_empty()).then(|| sealed(body, cost(bytes), key, state, since));
        (signed, Some(CannotSend::Fee { fee, balance }))
    }

    /// Whether no block can have a batch as things are: court took the money for it, or left a debt.
    fn is_dead(&self, sent: &SentBatch, state: &State) -> bool {
        let Batch { nonce, fee_rate, .. } = sent.batch.body;
        sent.fee > self.free(nonce, state) || !may_offer(state, &self.key, fee_rate)
    }

    /// What there is for the batch of a nonce. What waits is paid for first, but of one nonce only one batch.
    fn free(&self, nonce: u64, state: &State) -> Amount {
        let others = self.to_submit(state).filter(|sent| sent.batch.body.nonce != nonce);
        let reserved = others.fold(0, |sum: Amount, sent| sum.saturating_add(sent.fee));
        state.balance(&self.key, AssetId::FRD).saturating_sub(reserved)
    }

    /// Who owes FRD pays the least fee rate and not more.
    fn is_debtor(&self, state: &State) -> bool {
        state.debts_of(&self.key, AssetId::FRD).next().is_some()
    }

    /// Signs again what waits for too long: every [`limits::COURT_PATIENCE_HEIGHTS`] at twice the rate, up to
    /// [`limits::COURT_MOST_FEE_RATES`] times K.min_fee_rate, as far as the balance goes. What the largest dispute costs
    /// is kept back: who makes court dear would else keep out what is needed next, in another channel. What no block can
    /// have any more at the rates that it was signed with, since court took the money or left a debt, is signed again at
    /// the least.
    pub(super) fn raise_court(&mut self, key: &SecretKey, state: &State, write: &mut Write) {
        let kept = state.parameters().dispute_cost();
        let least = state.parameters().min_fee_rate;
        let offered = self.to_submit(state).filter(|sent| batch::is_court(&sent.batch.body));
        for sent in offered.cloned().collect::<Vec<_>>() {
            let bytes = batch::signed_bytes(&sent.batch);
            let cost = |rate| batch::fee(rate, bytes).unwrap_or(Amount::MAX);
            let free = self.free(sent.batch.body.nonce, state);
            let is_possible = sent.fee <= free && may_offer(state, &self.key, sent.batch.body.fee_rate);
            let fee_rate = if !is_possible {
                least
            } else if sent.batch.body.fee_rate < due_rate(&sent, state) {
                due_rate(&sent, state).max(batch::outbidding_rate(sent.fee, bytes))
            } else {
                continue;
            };
            let needed = if is_possible { cost(fee_rate).saturating_add(kept) } else { cost(fee_rate) };
            if needed <= free && may_offer(state, &self.key, fee_rate) {
                let since = Since { sent_ms: sent.sent_ms, height: sent.signed_at };
                let body = Batch { fee_rate, ..sent.batch.body };
                self.keep(sealed(body, cost(fee_rate), key, state, since), write);
            }
        }
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
        self.keep(SentBatch { batch, hash, fee, signed_at: state.height(), ..sent }, write);
        None
    }
}

/// Shorter than that of others: nothing is signed in a channel while a dispute of it could still be included.
fn life(parameters: &Parameters) -> Height {
    Height::from(parameters.margin_blocks.min(parameters.max_batch_life_heights))
}

/// The rate that a batch should offer by now.
fn due_rate(sent: &SentBatch, state: &State) -> Amount {
    let waited = state.height().saturating_sub(sent.signed_at);
    let doublings = waited.checked_div(limits::COURT_PATIENCE_HEIGHTS).and_then(|count| u32::try_from(count).ok());
    let times = 1_u64.checked_shl(doublings.unwrap_or(u32::MAX)).unwrap_or(u64::MAX);
    state.parameters().min_fee_rate.saturating_mul(times.min(limits::COURT_MOST_FEE_RATES))
}

/// Since when a batch waits.
struct Since {
    sent_ms: TimeMs,
    height: Height,
}

/// A batch of court, signed: it is named after its hash.
fn sealed(body: Batch, fee: Amount, key: &SecretKey, state: &State, since: Since) -> SentBatch {
    let batch = Signed::new(body, &state.chain_id(), key);
    let hash = batch::hash(&batch);
    let mut request: RequestId = [0; 16];
    for (to, from) in request.iter_mut().zip(hash.0) {
        *to = from;
    }
    let Since { sent_ms, height: signed_at } = since;
    SentBatch { request, batch, hash, fee, sent_ms, state: SentState::Waiting, signed_at }
}

/// Whether a batch is an earlier signing of one at a higher rate, or lost to one: of several only the one that was
/// included is told of, or else the last.
pub(super) fn is_repeated(sent: &SentBatch, of_nonce: &[SentBatch], winner: Option<&RequestId>) -> bool {
    let mut courts = of_nonce.iter().filter(|other| batch::is_court(&other.batch.body));
    let told = courts.clone().find(|other| Some(&other.request) == winner).or_else(|| courts.next_back());
    batch::is_court(&sent.batch.body) && told.is_some_and(|told| told.request != sent.request)
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
