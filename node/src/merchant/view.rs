//! What a shop is shown. Amounts are in the asset's smallest unit.

use super::entry::Entry;
use super::outgoing::{Outgoing, Purpose};
use crate::clock;
use fair_core::payment::invoice::{Description, LatePolicy};
use fair_core::payment::text::Case;
use fair_core::types::Amount;
use fair_core::wallet::{OwnInvoice, Payment, Wallet};
use serde_json::{Value, json};

/// An invoice as it stands.
pub(super) fn invoice(entry: &Entry, own: &OwnInvoice, refunded: Amount, wallet: &Wallet) -> Value {
    let payment = own.payment.and_then(|payment| wallet.payment(&payment));
    let has_address = own.payment.is_some_and(|payment| wallet.refund_address(&payment).is_some());
    let with_tower = payment.and_then(|payment| wallet.is_with_tower(payment));
    shown(entry, own, own.received, refunded, has_address, with_tower)
}

/// The invoice as it was when it was made.
pub(super) fn invoice_as_made(entry: &Entry, own: &OwnInvoice) -> Value {
    shown(&entry.as_made(), own, 0, 0, false, None)
}

fn shown(
    entry: &Entry,
    own: &OwnInvoice,
    received: Amount,
    refunded: Amount,
    has_address: bool,
    with_tower: Option<bool>,
) -> Value {
    let body = &own.invoice.body;
    let description = match &body.description {
        Description::Text(text) => text.as_str(),
        Description::Hash(_) => "",
    };
    json!({
        "id": body.id.to_string(),
        "state": entry.state.name(),
        "asset": body.asset,
        "amount": body.amount,
        "description": description,
        "reference": entry.reference,
        "invoice": own.text(Case::Lower),
        "created_ms": body.created_ms,
        "expires_ms": body.expires_ms,
        "accepts_late": body.late == LatePolicy::Accept,
        "receivable": entry.receivable,
        "received": received,
        "late": entry.late,
        "duplicate": entry.duplicate,
        "refunded": refunded,
        "refund_address": has_address,
        "min_insured": entry.min_insured,
        "assurance": {
            "insured": received.saturating_sub(entry.uninsured),
            "uninsured": entry.uninsured,
            "enough": entry.assured,
        },
        "with_tower": with_tower,
    })
}

/// Money on its way out. `claim` is the link for whoever may have it.
pub(super) fn outgoing(outgoing: &Outgoing, payment: Option<&Payment>, claim: Option<String>) -> Value {
    let invoice = match &outgoing.purpose {
        Purpose::Refund { invoice } => Some(invoice.to_string()),
        Purpose::Payout | Purpose::Sweep => None,
    };
    json!({
        "id": hex::encode(outgoing.id),
        "kind": outgoing.kind(),
        "state": outgoing.stage.name(),
        "invoice": invoice,
        "automatic": outgoing.purpose == Purpose::Sweep,
        "asset": outgoing.asset,
        "amount": outgoing.amount,
        "fee": payment.map_or(0, |payment| payment.fee),
        "failure": payment.and_then(|payment| payment.failure.as_ref()).map(ToString::to_string),
        "created_ms": outgoing.created_ms,
        "claim_url": claim,
    })
}

/// Seconds since the epoch, for signatures.
pub(super) fn now_s() -> u64 {
    clock::now_ms() / 1000
}
