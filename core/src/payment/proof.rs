//! Proofs of payment: verified offline, by anybody.
//!
//! The payee signed the invoice, which names the lock hash; only the payee knew the preimage, and gave it
//! away for the money. So invoice and preimage together prove that it was paid. A receipt, signed by the
//! payee afterwards, adds amount and time. Text: `fairproof1…`.

use super::invoice::{self, BadInvoice, Invoice, InvoiceId};
use super::text::{self, BadText, Case};
use crate::crypto::{self, Secret, Tag};
use crate::limits;
use crate::message::{BadSignature, Message, Signed, Verified, tags};
use crate::types::{Amount, Hash, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};

/// Human-readable part of a proof.
pub const KIND: &str = "fairproof";

/// What the payee adds: how much came, and when.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// The invoice.
    pub invoice: InvoiceId,
    /// What was received, in the invoice's asset.
    pub amount: Amount,
    /// When it was paid, by the payee's clock.
    pub paid_ms: TimeMs,
}

impl Message for Receipt {
    const TAG: Tag = tags::RECEIPT;
}

/// A payment's evidence, not yet looked at.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ProofOfPayment {
    /// What was asked for.
    pub invoice: Signed<Invoice>,
    /// What the payee gave for the money.
    pub preimage: Secret,
    /// What the payee said afterwards.
    pub receipt: Option<Signed<Receipt>>,
}

/// A proof that proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// Not readable.
    #[error("this is no proof of payment: {0}")]
    Text(#[from] BadText),
    /// The invoice in it is not one of this network's.
    #[error(transparent)]
    Invoice(#[from] BadInvoice),
    /// The preimage belongs to another payment.
    #[error("the preimage hashes to {got}, the invoice asks for {expected}")]
    Preimage {
        /// The invoice's lock hash.
        expected: Hash,
        /// Hash of what came.
        got: Hash,
    },
    /// The payee did not sign the receipt.
    #[error("receipt: {0}")]
    ReceiptSignature(BadSignature),
    /// The receipt is for another invoice.
    #[error("the receipt is for invoice {got}, not {expected}")]
    ReceiptInvoice {
        /// The proof's invoice.
        expected: InvoiceId,
        /// The receipt's.
        got: InvoiceId,
    },
}

/// A proof that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// What was asked for, by whom.
    pub invoice: Verified<Invoice>,
    /// Amount and time, if the payee gave a receipt.
    pub receipt: Option<Verified<Receipt>>,
}

impl ProofOfPayment {
    /// As text.
    pub fn to_text(&self) -> String {
        text::write(KIND, self, Case::Lower)
    }

    /// Reads a proof. [`Self::verify`] says whether it proves anything.
    ///
    /// # Errors
    /// [`BadProof::Text`] when it is not readable.
    pub fn from_text(text: &str) -> Result<Self, BadProof> {
        Ok(text::read(KIND, text, limits::MAX_PROOF_BYTES)?)
    }

    /// Checks the proof, without any network.
    ///
    /// # Errors
    /// [`BadProof`] says what is wrong.
    pub fn verify(self, chain_id: &Hash) -> Result<Proven, BadProof> {
        let invoice = invoice::check(self.invoice, chain_id)?;
        let (expected, got) = (invoice.body().lock_hash, crypto::lock_hash(&self.preimage));
        if got != expected {
            return Err(BadProof::Preimage { expected, got });
        }
        let receipt = match self.receipt {
            None => None,
            Some(receipt) => {
                let receipt = receipt.verify(chain_id, invoice.signer()).map_err(BadProof::ReceiptSignature)?;
                let (expected, got) = (invoice.body().id, receipt.body().invoice);
                if got != expected {
                    return Err(BadProof::ReceiptInvoice { expected, got });
                }
                Some(receipt)
            }
        };
        Ok(Proven { invoice, receipt })
    }
}

#[cfg(test)]
mod tests;
