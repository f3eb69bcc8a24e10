//! Receiving: invoices, and what the payee checks of a lock (docs/protocol.md, section 5).
//!
//! Wrong amounts, unknown or paid invoices and bad secrets are all failed with one identical error, so that
//! nobody learns more than that the payment was not wanted. A lock with a wrong secret changes nothing about
//! its invoice: dust with somebody's hash does not keep the real payment away.

use super::payment::{Direction, Failure, Kind, Payment, PaymentState, incoming_id};
use super::{Event, Out, Refusal, Wallet};
use crate::account::{BadRecord, RequestId, read};
use crate::channel::event::{Closed, Command};
use crate::channel::state::{Lock, LockId};
use crate::channel::transition::FailReason;
use crate::codec;
use crate::crypto::{self, Secret};
use crate::effect::Write;
use crate::message::Signed;
use crate::payment::invoice::{self, Description, Invoice, InvoiceId, LatePolicy, RefundPolicy};
use crate::payment::onion::{self, Claim, Final, Layer, RefundAddress};
use crate::payment::text::Case;
use crate::peers::Chain;
use crate::types::{Amount, AssetId, Epoch, PublicKey, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};

/// First byte of an invoice's key.
const INVOICE: u8 = b'i';
/// First byte of the key of a refund address.
const REFUND: u8 = b'f';

/// An invoice that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvoice {
    /// Names it; the same again does nothing. It is the invoice's id.
    pub request: RequestId,
    /// What.
    pub asset: AssetId,
    /// How much; `None`: the payer decides.
    pub amount: Option<Amount>,
    /// What for.
    pub description: Description,
    /// For how long it should be paid, in milliseconds.
    pub lifetime_ms: u64,
    /// Web origin of a merchant.
    pub origin: Option<String>,
    /// About refunds.
    pub refunds: RefundPolicy,
    /// About late payments.
    pub late: LatePolicy,
}

/// An invoice made here.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OwnInvoice {
    /// What was signed.
    pub invoice: Signed<Invoice>,
    /// What the payer gets for the money.
    pub preimage: Secret,
    /// How it stands.
    pub state: InvoiceState,
    /// What has come in.
    pub received: Amount,
    /// The payment that pays it.
    pub payment: Option<RequestId>,
}

impl OwnInvoice {
    /// What a payer's wallet reads. The own signature is not verified again.
    pub fn text(&self, case: Case) -> String {
        invoice::own_text(&self.invoice, case)
    }
}

/// How an own invoice stands. Whether it expired is a matter of time: [`Invoice::is_expired`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum InvoiceState {
    /// Not paid.
    Open,
    /// The secret was sent for a lock; not irrevocable yet.
    Pending,
    /// Paid.
    Paid,
    /// The secret was given away for a lock that came to nothing: whoever knows it could keep the next
    /// payment, so none is taken.
    Void,
    /// The payee takes no payment any more. No secret was given away.
    Cancelled,
}

/// Why an invoice cannot be cancelled or forgotten. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotCancel {
    /// None of ours.
    #[error("there is no invoice {0}")]
    Unknown(InvoiceId),
    /// Its secret is out.
    #[error("invoice {0} is paid, or is being paid")]
    Taken(InvoiceId),
}

/// What a payee knows while it looks at a lock.
struct Situation<'a> {
    id: &'a LockId,
    lock: &'a Lock,
    /// The lock must not expire earlier.
    least_expiry: u64,
    now_ms: TimeMs,
}

/// Checks the final layer of a lock against the lock alone.
fn check_layer(last: &Final, situation: &Situation<'_>) -> Option<()> {
    let Situation { id, lock, least_expiry, .. } = situation;
    let fits = last.asset == id.asset
        && last.amount == lock.amount
        && last.total == last.amount
        && lock.expiry >= last.least_expiry
        && lock.expiry > *least_expiry;
    fits.then_some(())
}

/// Checks a lock against the invoice that it claims to pay.
fn check_invoice(own: &OwnInvoice, payment_secret: &Secret, situation: &Situation<'_>) -> Option<Secret> {
    let invoice = &own.invoice.body;
    let in_time = !invoice.is_expired(situation.now_ms) || invoice.late == LatePolicy::Accept;
    let fits = own.state == InvoiceState::Open
        && invoice.payment_secret == *payment_secret
        && invoice.lock_hash == situation.lock.hash
        && invoice.asset == situation.id.asset
        && invoice.amount.is_none_or(|amount| amount == situation.lock.amount)
        && in_time;
    fits.then_some(own.preimage)
}

fn invoice_key(id: &InvoiceId) -> Vec<u8> {
    [&[INVOICE], id.0.as_slice()].concat()
}

fn promises_refunds(own: &OwnInvoice) -> bool {
    own.invoice.body.refunds == RefundPolicy::OnRequest
}

/// What is wanted of a lock.
struct Wanted {
    /// To settle with.
    secret: Secret,
    /// What it pays.
    invoice: Option<InvoiceId>,
    refund: Option<RefundAddress>,
}

impl Wallet {
    pub(super) fn restore_invoice(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        if key.first() != Some(&INVOICE) {
            return Ok(false);
        }
        let own: OwnInvoice = read(INVOICE, value)?;
        self.invoices.insert(own.invoice.body.id, own);
        Ok(true)
    }

    fn keep_invoice(&mut self, own: OwnInvoice, out: &mut Out) {
        let id = own.invoice.body.id;
        out.write.put(invoice_key(&id), codec::encode(&own));
        out.notify(Event::Invoice(id));
        self.invoices.insert(id, own);
    }

    pub(super) fn create_invoice(&mut self, new: NewInvoice, now_ms: TimeMs, out: &mut Out) -> Result<(), Refusal> {
        let id = InvoiceId(new.request);
        if self.invoices.contains_key(&id) {
            return Ok(());
        }
        let preimage = self.entropy.secret();
        let invoice = Invoice {
            version: invoice::VERSION,
            chain_id: self.peers.chain_id(),
            payee: self.key(),
            id,
            asset: new.asset,
            amount: new.amount,
            lock_hash: crypto::lock_hash(&preimage),
            payment_secret: self.entropy.secret(),
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(new.lifetime_ms),
            description: new.description,
            banks: self.address().banks,
            origin: new.origin,
            refunds: new.refunds,
            late: new.late,
        };
        let invoice = invoice.sign_by(self.peers.secret_key())?.into_signed();
        let own = OwnInvoice { invoice, preimage, state: InvoiceState::Open, received: 0, payment: None };
        self.keep_invoice(own, out);
        Ok(())
    }

    /// Takes no payment of an invoice any more. One that is cancelled, expired or void stays as it is.
    pub(super) fn cancel_invoice(&mut self, id: InvoiceId, out: &mut Out) -> Result<(), CannotCancel> {
        let own = self.invoices.get(&id).cloned().ok_or(CannotCancel::Unknown(id))?;
        match own.state {
            InvoiceState::Open => self.keep_invoice(OwnInvoice { state: InvoiceState::Cancelled, ..own }, out),
            InvoiceState::Cancelled | InvoiceState::Void => {}
            InvoiceState::Pending | InvoiceState::Paid => return Err(CannotCancel::Taken(id)),
        }
        Ok(())
    }

    /// Forgets an invoice that nobody has paid, and with it its id: a payment of it is refused from then on as one of
    /// an invoice that never was. To be stored with whatever made the owner want it.
    ///
    /// # Errors
    /// [`CannotCancel`]; nothing has changed then.
    pub fn forget_invoice(&mut self, id: &InvoiceId, write: &mut Write) -> Result<(), CannotCancel> {
        match self.invoices.get(id).map(|own| own.state) {
            None => Err(CannotCancel::Unknown(*id)),
            Some(InvoiceState::Pending | InvoiceState::Paid) => Err(CannotCancel::Taken(*id)),
            Some(InvoiceState::Open | InvoiceState::Cancelled | InvoiceState::Void) => {
                self.invoices.remove(id);
                write.delete(invoice_key(id));
                Ok(())
            }
        }
    }

    /// Where the payer of an incoming payment wants a refund, if it said so.
    pub fn refund_address(&self, payment: &RequestId) -> Option<&RefundAddress> {
        self.refunds.get(payment)
    }

    pub(super) fn restore_refund(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        let [REFUND, payment @ ..] = key else { return Ok(false) };
        self.refunds.insert(read(REFUND, payment)?, read(REFUND, value)?);
        Ok(true)
    }

    fn keep_refund(&mut self, payment: RequestId, address: RefundAddress, out: &mut Out) {
        let mut key = vec![REFUND];
        key.extend_from_slice(&payment);
        out.write.put(key, codec::encode(&address));
        self.refunds.insert(payment, address);
    }

    /// An incoming lock is irrevocable: take it or give it back.
    #[allow(clippy::too_many_arguments, reason = "the fields of one event and the context of every handler")]
    pub(super) fn receive(
        &mut self,
        bank: PublicKey,
        id: LockId,
        lock: &Lock,
        packet: &[u8],
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        let taken = self.wanted(&id, lock, packet, chain, now_ms, out).and_then(|wanted| {
            let command = Command::Settle { lock: id, secret: wanted.secret };
            self.peers.command(&bank, command, chain, now_ms, out).ok()?;
            Some(wanted)
        });
        let Some(Wanted { secret, invoice, refund }) = taken else {
            let command = Command::Fail { lock: id, reason: FailReason::Rejected };
            // Refused only when it is being closed already.
            let _ = self.peers.command(&bank, command, chain, now_ms, out);
            return;
        };
        let epoch = self.channel(&bank).map_or(0, crate::channel::Channel::epoch);
        let payment_id = incoming_id(&bank, epoch, &id);
        let kind = if invoice.is_some() { Kind::Invoice } else { Kind::Spontaneous };
        let own = invoice.and_then(|id| self.invoices.get(&id).cloned());
        let description = match own.as_ref().map(|own| &own.invoice.body.description) {
            Some(Description::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let payment = Payment {
            counterparty: None,
            description,
            state: PaymentState::Settling,
            hash: Some(lock.hash),
            preimage: Some(secret),
            invoice: own.as_ref().map(|own| own.invoice.clone()),
            lock: Some((bank, id)),
            ..Payment::bare(payment_id, Direction::In, kind, id.asset, lock.amount, bank, now_ms)
        };
        self.keep(payment, out);
        if let Some(address) = refund {
            self.keep_refund(payment_id, address, out);
        }
        if let Some(own) = own {
            let payment = Some(payment_id);
            self.keep_invoice(OwnInvoice { state: InvoiceState::Pending, payment, ..own }, out);
        }
    }

    /// What is wanted of the lock, if it is.
    fn wanted(
        &self,
        id: &LockId,
        lock: &Lock,
        packet: &[u8],
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) -> Option<Wanted> {
        let parameters = chain.parameters();
        let key = self.peers.secret_key();
        let layer = onion::open(&self.peers.chain_id(), &lock.hash, packet, parameters.max_hops, key).ok()?;
        let Layer::Final(last) = layer else { return None };
        // Settled later than expiry − margin it would have to go on-chain.
        let least_expiry = chain.head.usable_height.saturating_add(parameters.margin_blocks.into());
        let situation = Situation { id, lock, least_expiry, now_ms };
        check_layer(&last, &situation)?;
        match &last.claim {
            Claim::Invoice { id, payment_secret } => {
                let own = self.invoices.get(id)?;
                if self.is_paid_again(own, payment_secret, &situation) {
                    out.notify(Event::InvoicePaidAgain(*id));
                }
                let secret = check_invoice(own, payment_secret, &situation)?;
                Some(Wanted { secret, invoice: Some(*id), refund: last.refund.filter(|_| promises_refunds(own)) })
            }
            Claim::Spontaneous { preimage } => (crypto::lock_hash(preimage) == lock.hash).then_some(Wanted {
                secret: *preimage,
                invoice: None,
                refund: None,
            }),
        }
    }

    /// Whether a lock would pay as an earlier one does or did: of the same hash, asset and amount. Anything less is
    /// nobody's second payment, whatever it claims.
    fn is_paid_again(&self, own: &OwnInvoice, payment_secret: &Secret, situation: &Situation<'_>) -> bool {
        let first = own.payment.and_then(|payment| self.payments.get(&payment));
        matches!(own.state, InvoiceState::Pending | InvoiceState::Paid)
            && own.invoice.body.payment_secret == *payment_secret
            && own.invoice.body.lock_hash == situation.lock.hash
            && own.invoice.body.asset == situation.id.asset
            && first.is_some_and(|first| first.amount == situation.lock.amount)
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one event and the context of every handler")]
    pub(super) fn incoming_closed(
        &mut self,
        bank: PublicKey,
        id: LockId,
        epoch: Epoch,
        closed: Closed,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        let Some(mut payment) = self.payments.get(&incoming_id(&bank, epoch, &id)).cloned() else { return };
        payment.lock = None;
        let settled = closed == Closed::Settled;
        if settled {
            payment.end(PaymentState::Paid, now_ms, chain.head.height);
        } else {
            payment.failure = Some(Failure::Expired);
            payment.end(PaymentState::Failed, now_ms, chain.head.height);
        }
        let paid = payment.invoice.as_ref().map(|invoice| invoice.body.id);
        if let Some(own) = paid.and_then(|id| self.invoices.get(&id).cloned()) {
            let own = if settled {
                let received = own.received.saturating_add(payment.amount);
                OwnInvoice { state: InvoiceState::Paid, received, ..own }
            } else {
                OwnInvoice { state: InvoiceState::Void, ..own }
            };
            self.keep_invoice(own, out);
        }
        self.keep(payment, out);
    }

    /// A bank paid directly.
    #[allow(clippy::too_many_arguments, reason = "the fields of one event and the context of every handler")]
    pub(super) fn received_directly(
        &mut self,
        bank: PublicKey,
        asset: AssetId,
        amount: Amount,
        note: &[u8],
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        let id = self.entropy.bytes();
        let mut payment = Payment {
            description: String::from_utf8_lossy(note).into_owned(),
            ..Payment::bare(id, Direction::In, Kind::Direct, asset, amount, bank, now_ms)
        };
        payment.end(PaymentState::Paid, now_ms, chain.head.height);
        self.keep(payment, out);
    }
}
