//! What a merchant keeps beside an invoice of its wallet.

use super::MERCHANT;
use super::keys::KeyId;
use borsh::{BorshDeserialize, BorshSerialize};
use fair_core::codec;
use fair_core::effect::Write;
use fair_core::payment::invoice::InvoiceId;
use fair_core::types::{Amount, AssetId, Hash, PublicKey, TimeMs};
use fair_core::wallet::{InvoiceState, OwnInvoice};

pub(super) const ENTRY: u8 = b'e';

/// How an invoice stands, as the shop was told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub(super) enum State {
    Open,
    Pending,
    Paid,
    Expired,
    Cancelled,
}

impl State {
    /// As the channel says, and the clock where it says nothing.
    pub(super) fn of(own: &OwnInvoice, now_ms: TimeMs) -> Self {
        match own.state {
            InvoiceState::Open if own.invoice.body.is_expired(now_ms) => Self::Expired,
            InvoiceState::Open => Self::Open,
            InvoiceState::Pending => Self::Pending,
            InvoiceState::Paid => Self::Paid,
            // Its secret was given away for a lock whose time was up.
            InvoiceState::Void => Self::Expired,
            InvoiceState::Cancelled => Self::Cancelled,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn read(name: &str) -> Option<Self> {
        let all = [Self::Open, Self::Pending, Self::Paid, Self::Expired, Self::Cancelled];
        all.into_iter().find(|state| state.name() == name)
    }

    /// Whether there is no more to wait for.
    pub(super) const fn is_final(self) -> bool {
        matches!(self, Self::Paid | Self::Expired | Self::Cancelled)
    }
}

/// A merchant's side of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Entry {
    pub(super) id: InvoiceId,
    /// In the order in which invoices were made.
    pub(super) number: u64,
    /// Of what was asked for.
    pub(super) digest: Hash,
    /// The shop's own name for it.
    pub(super) reference: String,
    /// How much in a hundred of the payment must be insured.
    pub(super) min_insured: u8,
    pub(super) state: State,
    /// It was paid after its time.
    pub(super) late: bool,
    /// Somebody paid it once more; the money went back.
    pub(super) duplicate: bool,
    /// Through which channel it was paid, and in what; `None` again once court took that, so that nothing will stand
    /// behind what is uninsured.
    pub(super) paid_in: Option<(PublicKey, AssetId)>,
    /// Of what was received and not given back, what nothing stands behind but the bank's promise.
    pub(super) uninsured: Amount,
    /// Enough is insured.
    pub(super) assured: bool,
    pub(super) refunds: Vec<[u8; 16]>,
    /// With which key it was made.
    pub(super) key: KeyId,
    /// When it came into its state.
    pub(super) since_ms: TimeMs,
    /// How much could come in when it was made, if that was less than its amount.
    pub(super) receivable: Option<Amount>,
}

impl Entry {
    pub(super) fn new(id: InvoiceId, digest: Hash, reference: String, min_insured: u8, key: KeyId) -> Self {
        Self {
            id,
            number: 0,
            digest,
            reference,
            min_insured,
            key,
            since_ms: 0,
            receivable: None,
            state: State::Open,
            late: false,
            duplicate: false,
            paid_in: None,
            uninsured: 0,
            assured: false,
            refunds: Vec::new(),
        }
    }

    /// As it was when it was made.
    pub(super) fn as_made(&self) -> Self {
        let made = Self::new(self.id, self.digest, self.reference.clone(), self.min_insured, self.key);
        Self { number: self.number, receivable: self.receivable, ..made }
    }

    pub(super) fn write(&self, write: &mut Write) {
        write.put(record_key(&self.id), codec::encode(self));
    }

    pub(super) fn forget(id: &InvoiceId, write: &mut Write) {
        write.delete(record_key(id));
    }

    /// When it ended unpaid.
    pub(super) fn ended_unpaid(&self) -> Option<(TimeMs, InvoiceId)> {
        matches!(self.state, State::Expired | State::Cancelled).then_some((self.since_ms, self.id))
    }

    /// Its place among those that were paid: by time.
    pub(super) const fn place(&self) -> Place {
        (self.since_ms, self.number, self.id)
    }

    /// Whether enough is insured of what was `kept` of the payment.
    pub(super) fn has_enough(&self, kept: Amount) -> bool {
        let insured = u128::from(kept.saturating_sub(self.uninsured));
        insured.saturating_mul(100) >= u128::from(kept).saturating_mul(self.min_insured.into())
    }
}

/// By which paid invoices are ordered.
pub(super) type Place = (TimeMs, u64, InvoiceId);

fn record_key(id: &InvoiceId) -> Vec<u8> {
    [&[MERCHANT, ENTRY], id.0.as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_is_insured_from_the_wanted_part_on() {
        let of = |min_insured, uninsured| Entry {
            uninsured,
            ..Entry::new(InvoiceId([0; 16]), Hash([0; 32]), String::new(), min_insured, [0; 8])
        };
        assert!(of(0, 1000).has_enough(1000));
        assert!(of(100, 0).has_enough(1000));
        assert!(!of(100, 1).has_enough(1000));
        assert!(of(33, 670).has_enough(1000));
        assert!(!of(33, 671).has_enough(1000));
        assert!(!of(1, u64::MAX).has_enough(u64::MAX));
    }
}
