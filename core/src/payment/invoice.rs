//! Invoices: what a payee asks for, signed, as text with a checksum.
//!
//! Text: `fairpay1…`. Layout (borsh):
//!
//! ```text
//! version u8 │ chain_id 32 │ payee 32 │ id 16 │ asset u32 │ 0 or 1 (+ amount u64) │ lock_hash 32
//! │ payment_secret 32 │ created_ms u64 │ expires_ms u64 │ description: 0 + text or 1 + hash 32
//! │ banks: count u32 + count × 32 │ origin: 0 or 1 (+ text) │ refunds u8 │ late u8 │ signature 64
//! ```
//!
//! The payment secret proves to the payee that whoever pays has read the invoice: the final onion layer
//! repeats it. The preimage of the lock hash and the invoice together prove the payment ([`super::proof`]).

use super::address::check_banks;
use super::text::{self, BadText, Case};
use crate::crypto::{Secret, SecretKey, Tag};
use crate::limits;
use crate::message::{BadSignature, Message, Signed, Verified, tags};
use crate::types::{Amount, AssetId, Hash, PublicKey, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};

/// Human-readable part of an invoice.
pub const KIND: &str = "fairpay";

/// The version that this code writes and reads.
pub const VERSION: u8 = 1;

/// Chosen by the payee, never used twice by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct InvoiceId(pub [u8; 16]);

impl std::fmt::Display for InvoiceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for InvoiceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InvoiceId({self})")
    }
}

/// What the payment is for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Description {
    /// In words, at most [`limits::MAX_DESCRIPTION_BYTES`].
    Text(String),
    /// SHA-256 of a longer text that the payer has from elsewhere.
    Hash(Hash),
}

/// What the payee does with a payment that the payer wants back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum RefundPolicy {
    /// Nothing is promised.
    None,
    /// The payee refunds on request, to the refund address of the payment.
    OnRequest,
}

/// What the payee does with a payment that comes after `expires_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum LatePolicy {
    /// It is failed.
    Fail,
    /// It is accepted and marked as late.
    Accept,
}

/// What a payee asks for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Invoice {
    /// [`VERSION`].
    pub version: u8,
    /// The network.
    pub chain_id: Hash,
    /// Who is paid, and who signs.
    pub payee: PublicKey,
    /// The payee's number for it.
    pub id: InvoiceId,
    /// What is paid.
    pub asset: AssetId,
    /// How much, in the asset's smallest unit; `None`: the payer decides.
    pub amount: Option<Amount>,
    /// SHA-256 of the preimage that the payee gives for the money.
    pub lock_hash: Hash,
    /// Repeated by the final onion layer.
    pub payment_secret: Secret,
    /// When it was made.
    pub created_ms: TimeMs,
    /// Until when it should be paid.
    pub expires_ms: TimeMs,
    /// What it is for.
    pub description: Description,
    /// Banks through which the payee is reached, most liked first; at most [`limits::MAX_PAYEE_BANKS`].
    pub banks: Vec<PublicKey>,
    /// Web origin of a merchant, such as `https://shop.example`.
    pub origin: Option<String>,
    /// About refunds.
    pub refunds: RefundPolicy,
    /// About late payments.
    pub late: LatePolicy,
}

impl Message for Invoice {
    const TAG: Tag = tags::INVOICE;
}

/// Text that is no invoice to pay here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadInvoice {
    /// Not readable.
    #[error("this is no invoice: {0}")]
    Text(#[from] BadText),
    /// Made by newer software.
    #[error("the invoice has version {got}, known is {VERSION}")]
    Version {
        /// What came.
        got: u8,
    },
    /// For another network.
    #[error("the invoice belongs to network {got}, this is {expected}")]
    WrongNetwork {
        /// This chain.
        expected: Hash,
        /// The invoice's.
        got: Hash,
    },
    /// Changed after it was signed, or never signed by its payee.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// Too many banks, or one twice.
    #[error("the invoice names {got} banks, allowed are {limit} different ones", limit = limits::MAX_PAYEE_BANKS)]
    Banks {
        /// How many.
        got: usize,
    },
    /// The payee's key cannot be sealed to.
    #[error("the invoice's payee {payee} has an unusable key")]
    Payee {
        /// Whose.
        payee: PublicKey,
    },
    /// A field has an impossible value.
    #[error("the invoice breaks a rule: {rule}")]
    Content {
        /// Which.
        rule: &'static str,
    },
}

impl Invoice {
    /// Signs the invoice.
    ///
    /// # Errors
    /// [`BadInvoice`] when a field is out of bounds or `key` is not the payee's.
    pub fn sign_by(self, key: &SecretKey) -> Result<Verified<Self>, BadInvoice> {
        let chain_id = self.chain_id;
        self.check_terms(&chain_id)?;
        // Everybody can seal to a key whose secret is here.
        if self.payee != key.public() {
            return Err(BadInvoice::Signature(BadSignature { signer: self.payee }));
        }
        Ok(Verified::make(self, &chain_id, key))
    }

    fn check(&self, chain_id: &Hash) -> Result<(), BadInvoice> {
        self.check_terms(chain_id)?;
        if self.payee.x25519().is_none() {
            return Err(BadInvoice::Payee { payee: self.payee });
        }
        Ok(())
    }

    fn check_terms(&self, chain_id: &Hash) -> Result<(), BadInvoice> {
        if self.version != VERSION {
            return Err(BadInvoice::Version { got: self.version });
        }
        if self.chain_id != *chain_id {
            return Err(BadInvoice::WrongNetwork { expected: *chain_id, got: self.chain_id });
        }
        check_banks(&self.banks).map_err(|got| BadInvoice::Banks { got })?;
        let description_fits = match &self.description {
            Description::Text(text) => text.len() <= limits::MAX_DESCRIPTION_BYTES,
            Description::Hash(_) => true,
        };
        let rules = [
            (self.amount != Some(0), "the amount is zero"),
            (self.amount.is_none_or(|amount| amount <= limits::MAX_SUPPLY), "the amount is beyond any supply"),
            (self.created_ms <= self.expires_ms, "it expires before it was made"),
            (description_fits, "the description is too long"),
            (self.origin.as_ref().is_none_or(|origin| origin.len() <= limits::MAX_URL_BYTES), "the origin is too long"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(BadInvoice::Content { rule }),
            None => Ok(()),
        }
    }

    /// Whether it should no longer be paid.
    pub fn is_expired(&self, now_ms: TimeMs) -> bool {
        now_ms > self.expires_ms
    }
}

/// As text.
pub fn to_text(invoice: &Verified<Invoice>, case: Case) -> String {
    own_text(invoice.signed(), case)
}

/// As text, of one that was signed here.
pub(crate) fn own_text(invoice: &Signed<Invoice>, case: Case) -> String {
    text::write(KIND, invoice, case)
}

/// Reads an invoice for a chain and checks everything but its expiry, which is a matter of time.
///
/// # Errors
/// [`BadInvoice`] says what is wrong.
pub fn from_text(text: &str, chain_id: &Hash) -> Result<Verified<Invoice>, BadInvoice> {
    let signed: Signed<Invoice> = text::read(KIND, text, limits::MAX_INVOICE_BYTES)?;
    check(signed, chain_id)
}

/// Checks an invoice that came as bytes.
///
/// # Errors
/// [`BadInvoice`] says what is wrong.
pub fn check(signed: Signed<Invoice>, chain_id: &Hash) -> Result<Verified<Invoice>, BadInvoice> {
    signed.body.check(chain_id)?;
    let payee = signed.body.payee;
    Ok(signed.verify(chain_id, &payee)?)
}

#[cfg(test)]
mod tests;
