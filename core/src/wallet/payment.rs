//! One line of the activity list: a payment in or out, and how it stands.
//!
//! ```text
//! out   locking ─► settling (secret known) ─► paid (in all possible outcomes)
//!          └─► failed: every attempt is in no possible outcome
//! in    settling (secret sent) ─► paid
//!          └─► failed: the lock expired
//! ```

use super::{Event, Out, Wallet};
use crate::account::{BadRecord, RequestId, read};
use crate::channel::event::{CommandFailure, OutgoingFailure, Reference};
use crate::channel::state::LockId;
use crate::codec;
use crate::crypto::{self, Secret, Tag};
use crate::message::Signed;
use crate::payment::invoice::Invoice;
use crate::payment::proof::{ProofOfPayment, Receipt};
use crate::payment::route::Route;
use crate::types::{Amount, AssetId, Epoch, Hash, Height, PublicKey, TimeMs, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};

/// First byte of a payment's key.
const PAYMENT: u8 = b'p';
/// For numbers that follow from others.
const DERIVED: Tag = Tag(b"fair/derived/001");

/// Which way the money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Direction {
    /// To us.
    In,
    /// From us.
    Out,
}

/// What kind of payment it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Kind {
    /// Of an invoice: provable.
    Invoice,
    /// To an address: proves nothing.
    Spontaneous,
    /// Between channel partners, unconditional.
    Direct,
    /// A bank's price of insurance.
    InsurancePrice,
}

/// How a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum PaymentState {
    /// On its way.
    Locking,
    /// The secret is known; not in all possible outcomes yet.
    Settling,
    /// Irrevocable.
    Paid,
    /// In no possible outcome.
    Failed,
}

/// Why a payment failed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, thiserror::Error)]
pub enum Failure {
    /// The last attempt came to nothing and no other way is left.
    #[error("the payment did not arrive, and no other way is left")]
    Attempt(OutgoingFailure),
    /// The channel did not take it.
    #[error("{0}")]
    Channel(CommandFailure),
    /// An incoming payment's time was up.
    #[error("the payment's time was up")]
    Expired,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Payment {
    /// Its name.
    pub id: RequestId,
    /// To us or from us.
    pub direction: Direction,
    /// What kind.
    pub kind: Kind,
    /// What.
    pub asset: AssetId,
    /// What the payee gets.
    pub amount: Amount,
    /// What banks take, of the newest attempt.
    pub fee: Amount,
    /// The other party, if it is known.
    pub counterparty: Option<PublicKey>,
    /// In words.
    pub description: String,
    /// How it stands.
    pub state: PaymentState,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// When it began.
    pub created_ms: TimeMs,
    /// When it was paid or failed.
    pub ended_ms: Option<TimeMs>,
    /// Height of the head when it ended.
    pub ended_height: Option<Height>,
    /// The lock hash.
    pub hash: Option<Hash>,
    /// Known when it is settling or paid, and to the payer of an address from the start.
    pub preimage: Option<Secret>,
    /// What was paid.
    pub invoice: Option<Signed<Invoice>>,
    /// Ways that were tried, oldest first.
    pub attempts: Vec<Attempt>,
    /// The banks may not take more together.
    pub max_fee: Amount,
    /// Banks through which the payee is reached.
    pub payee_banks: Vec<PublicKey>,
    /// Names the wish of a direct payment.
    pub reference: Option<Reference>,
    /// An incoming payment's lock, until it is closed.
    pub lock: Option<(PublicKey, LockId)>,
}

/// One way that was tried.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Attempt {
    /// Which.
    pub route: Route,
    /// Names the lock's wish.
    pub reference: Reference,
    /// How it stands.
    pub state: AttemptState,
    /// When it began.
    pub started_ms: TimeMs,
    /// When its lock expires: by then, and a margin, it has ended.
    pub expiry: UsableHeight,
}

/// How an attempt stands.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum AttemptState {
    /// It can still be paid.
    Open,
    /// Paid.
    Paid,
    /// In no possible outcome.
    Failed(OutgoingFailure),
}

impl Payment {
    /// The U at which it has ended at the latest, while it is under way.
    pub fn latest_end(&self, margin_blocks: u32) -> Option<UsableHeight> {
        let expiry = self.attempts.last()?.expiry;
        let open = matches!(self.state, PaymentState::Locking | PaymentState::Settling);
        open.then(|| expiry.saturating_add(margin_blocks.into()))
    }

    pub(super) fn end(&mut self, state: PaymentState, now_ms: TimeMs, height: Height) {
        self.state = state;
        self.ended_ms = Some(now_ms);
        self.ended_height = Some(height);
    }
}

/// A number that follows from parts, so that the same thing has the same number after a restart.
pub(super) fn derived<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let digest = crypto::hash(DERIVED, parts).0;
    let mut number = [0; N];
    for (to, from) in number.iter_mut().zip(digest) {
        *to = from;
    }
    number
}

/// Names the wish of an attempt.
pub(super) fn reference_of(id: &RequestId, attempt: usize) -> Reference {
    let attempt = u64::try_from(attempt).unwrap_or(u64::MAX);
    Reference::from_le_bytes(derived(&[b"attempt", id, &attempt.to_le_bytes()]))
}

/// Names an incoming payment by its lock.
pub(super) fn incoming_id(bank: &PublicKey, epoch: Epoch, lock: &LockId) -> RequestId {
    derived(&[b"incoming", &bank.0, &epoch.to_le_bytes(), &codec::encode(lock)])
}

impl Wallet {
    pub(super) fn restore_payment(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        if key.first() != Some(&PAYMENT) {
            return Ok(false);
        }
        let payment: Payment = read(PAYMENT, value)?;
        self.index(&payment);
        self.payments.insert(payment.id, payment);
        Ok(true)
    }

    fn index(&mut self, payment: &Payment) {
        let attempts = payment.attempts.iter().map(|attempt| attempt.reference);
        for reference in attempts.chain(payment.reference) {
            self.references.insert(reference, payment.id);
        }
        if let (Direction::Out, Some(hash)) = (payment.direction, payment.hash) {
            self.hashes.insert((hash, payment.id));
        }
    }

    /// Payments of ours with a lock hash.
    pub(super) fn with_hash(&self, hash: Hash) -> impl Iterator<Item = &Payment> {
        let all = self.hashes.range((hash, [0; 16])..=(hash, [0xff; 16]));
        all.filter_map(|(_, id)| self.payments.get(id))
    }

    /// Stores a payment that is new or has changed.
    pub(super) fn keep(&mut self, payment: Payment, out: &mut Out) {
        let mut key = vec![PAYMENT];
        key.extend_from_slice(&payment.id);
        out.write.put(key, codec::encode(&payment));
        out.notify(Event::Payment(payment.id));
        self.index(&payment);
        self.payments.insert(payment.id, payment);
    }

    /// What proves a payment of an invoice to anybody: one of ours once the payee gave its secret away, one to us once
    /// it is irrevocable, then with our receipt. The same each time.
    pub fn proof(&self, id: &RequestId) -> Option<ProofOfPayment> {
        let payment = self.payments.get(id)?;
        let (invoice, preimage) = (payment.invoice.clone()?, payment.preimage?);
        let receipt = match payment.direction {
            Direction::Out => None,
            Direction::In => {
                // Before that the secret is for the bank alone.
                let paid_ms = payment.ended_ms.filter(|_| payment.state == PaymentState::Paid)?;
                let receipt = Receipt { invoice: invoice.body.id, amount: payment.amount, paid_ms };
                Some(Signed::new(receipt, &self.peers.chain_id(), self.peers.secret_key()))
            }
        };
        Some(ProofOfPayment { invoice, preimage, receipt })
    }
}
