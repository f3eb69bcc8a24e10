//! What a shop is shown. Amounts are in the asset's smallest unit.

use super::entry::{Entry, State};
use super::outgoing::{Outgoing, Purpose};
use crate::clock;
use fair_core::payment::invoice::{Description, LatePolicy};
use fair_core::payment::text::Case;
use fair_core::types::{Amount, AssetId, TimeMs};
use fair_core::wallet::{OwnInvoice, Payment, Wallet};
use serde::Serialize;
use serde_json::{Value, json};

/// Room for an invoice with its text, so that its JSON need not grow while it is written.
const USUAL_BYTES: usize = 2_048;

/// An invoice as it stands.
pub(super) fn invoice<'a>(entry: &'a Entry, own: &'a OwnInvoice, refunded: Amount, wallet: &Wallet) -> Shown<'a> {
    let payment = own.payment.and_then(|payment| wallet.payment(&payment));
    let has_address = own.payment.is_some_and(|payment| wallet.refund_address(&payment).is_some());
    let with_tower = payment.and_then(|payment| wallet.is_with_tower(payment));
    let paid_ms = payment.filter(|_| entry.state == State::Paid).and_then(|payment| payment.ended_ms);
    Shown { paid_ms, ..shown(entry, own, own.received, refunded, has_address, with_tower) }
}

/// The invoice as it was when it was made.
pub(super) fn invoice_as_made<'a>(made: &'a Entry, own: &'a OwnInvoice) -> Shown<'a> {
    shown(made, own, 0, 0, false, None)
}

/// An invoice as it is shown.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    id: String,
    state: &'static str,
    asset: AssetId,
    amount: Option<Amount>,
    description: &'a str,
    reference: &'a str,
    invoice: String,
    created_ms: TimeMs,
    expires_ms: TimeMs,
    accepts_late: bool,
    receivable: Option<Amount>,
    received: Amount,
    paid_ms: Option<TimeMs>,
    late: bool,
    duplicate: bool,
    refunded: Amount,
    refund_address: bool,
    min_insured: u8,
    assurance: Assurance,
    with_tower: Option<bool>,
}

/// What stands behind what was received and not given back.
#[derive(Serialize)]
struct Assurance {
    insured: Amount,
    uninsured: Amount,
    enough: bool,
}

fn shown<'a>(
    entry: &'a Entry,
    own: &'a OwnInvoice,
    received: Amount,
    refunded: Amount,
    has_address: bool,
    with_tower: Option<bool>,
) -> Shown<'a> {
    let body = &own.invoice.body;
    let description = match &body.description {
        Description::Text(text) => text.as_str(),
        Description::Hash(_) => "",
    };
    Shown {
        id: body.id.to_string(),
        state: entry.state.name(),
        asset: body.asset,
        amount: body.amount,
        description,
        reference: &entry.reference,
        invoice: own.text(Case::Lower),
        created_ms: body.created_ms,
        expires_ms: body.expires_ms,
        accepts_late: body.late == LatePolicy::Accept,
        receivable: entry.receivable,
        received,
        paid_ms: None,
        late: entry.late,
        duplicate: entry.duplicate,
        refunded,
        refund_address: has_address,
        min_insured: entry.min_insured,
        assurance: Assurance {
            insured: received.saturating_sub(refunded).saturating_sub(entry.uninsured),
            uninsured: entry.uninsured,
            enough: entry.assured,
        },
        with_tower,
    }
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

/// JSON of what is shown.
pub(super) fn written(shown: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::with_capacity(USUAL_BYTES);
    let result = serde_json::to_writer(&mut json, shown);
    assert!(result.is_ok(), "names, texts and numbers are JSON");
    json
}

/// Seconds since the epoch, for signatures.
pub(super) fn now_s() -> u64 {
    clock::now_ms() / 1000
}
