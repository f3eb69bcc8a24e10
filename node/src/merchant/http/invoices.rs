//! Invoices: made, looked at, listed, cancelled.

use super::polls::Poll;
use super::{Answer, Asked, Body, Caller, Name, Named, Shop, part, query, read, texts as said};
use crate::limits;
use crate::local::Refusal;
use crate::merchant::desk::{Desk, Part, Refused, Wanted as Which};
use crate::merchant::entry::{Entry, State as Stands};
use crate::merchant::keys::Scope;
use crate::merchant::{numbers, texts, view};
use crate::wallet::http::{bad, frd, read_id};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json};
use fair_core::limits::MAX_SUPPLY;
use fair_core::payment::invoice::{Description, InvoiceId, LatePolicy, RefundPolicy};
use fair_core::types::{Amount, AssetId};
use fair_core::wallet::{self, CannotCancel, Input, NewInvoice, Wallet};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

const HOUR_S: u64 = 3_600;

/// An invoice that is asked for.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The payer decides when it is not given.
    #[serde(default, deserialize_with = "numbers::optional")]
    amount: Option<Amount>,
    #[serde(default = "frd", deserialize_with = "numbers::asset")]
    asset: AssetId,
    #[serde(default)]
    description: String,
    #[serde(default)]
    reference: String,
    #[serde(default = "an_hour", deserialize_with = "numbers::whole")]
    expires_in_s: u64,
    #[serde(default)]
    accepts_late: bool,
    #[serde(default)]
    refunds: bool,
    #[serde(default, deserialize_with = "numbers::optional")]
    min_insured: Option<u8>,
}

const fn an_hour() -> u64 {
    HOUR_S
}

impl Wanted {
    fn check(&self) -> Result<(), Refusal> {
        if self.amount.is_some_and(|amount| amount == 0 || amount > MAX_SUPPLY) {
            return Err(bad("input.amount", format!("An amount is between 1 and {MAX_SUPPLY}.")));
        }
        if self.expires_in_s == 0 || self.expires_in_s > limits::MERCHANT_INVOICE_S {
            let most = limits::MERCHANT_INVOICE_S;
            return Err(bad("input.expires_in_s", format!("An invoice can be paid for 1 to {most} seconds.")));
        }
        if self.min_insured.is_some_and(|part| part > 100) {
            return Err(bad("input.min_insured", "This is a part in a hundred: 0 to 100."));
        }
        check_text("description", &self.description, limits::MERCHANT_DESCRIPTION_CHARS)?;
        check_reference(&self.reference)
    }

    fn into_new(self, request: [u8; 16], origin: Option<String>) -> NewInvoice {
        NewInvoice {
            request,
            asset: self.asset,
            amount: self.amount,
            description: Description::Text(self.description),
            lifetime_ms: self.expires_in_s.saturating_mul(1_000),
            origin,
            refunds: if self.refunds { RefundPolicy::OnRequest } else { RefundPolicy::None },
            late: if self.accepts_late { LatePolicy::Accept } else { LatePolicy::Fail },
        }
    }
}

fn check_text(field: &str, text: &str, most: usize) -> Result<(), Refusal> {
    texts::check(text, most).map_err(|why| bad(&format!("input.{field}"), format!("The {field} is refused: {why}.")))
}

fn check_reference(text: &str) -> Result<(), Refusal> {
    check_text("reference", text, limits::MERCHANT_REFERENCE_CHARS)
}

pub(super) async fn create(
    caller: Caller,
    State(shop): State<Shop>,
    name: Named,
    body: Body<Wanted>,
) -> Result<impl IntoResponse, Refusal> {
    caller.may(Scope::InvoicesWrite)?;
    let Name(name) = name?;
    let wanted = read(body)?;
    wanted.check()?;
    let digest = texts::digest_of(&wanted).map_err(|error| bad("input.json", error.to_string()))?;
    let id = texts::id_of(&shop.wallet.own, &caller.name, "invoice", &name);
    let key = caller.id;
    let made = shop.at_desk(move |desk, wallet, chain, now_ms| {
        if chain.state.asset(wanted.asset).is_none() {
            return (Vec::new(), Err(Refused::UnknownAsset(wanted.asset)));
        }
        let min_insured = wanted.min_insured.unwrap_or(desk.rules.min_insured);
        let entry = Entry::new(InvoiceId(id), digest, wanted.reference.clone(), min_insured, key);
        let new = wanted.into_new(id, desk.rules.origin.clone());
        let (effects, made) = desk.create(new, entry, wallet, chain, now_ms);
        let shown = made.and_then(|()| found(desk, wallet, &InvoiceId(id)));
        (effects, shown.map(|(entry, own)| view::written(&view::invoice_as_made(&entry.as_made(), own))))
    });
    Ok((StatusCode::CREATED, [(header::CONTENT_TYPE, "application/json")], made.await?))
}

fn found<'a>(
    desk: &'a Desk,
    wallet: &'a Wallet,
    id: &InvoiceId,
) -> Result<(&'a Entry, &'a fair_core::wallet::OwnInvoice), Refused> {
    desk.entry(id).zip(wallet.invoice(id)).ok_or(Refused::UnknownInvoice)
}

fn shown(desk: &Desk, wallet: &Wallet, id: &InvoiceId) -> Result<Value, Refused> {
    let (entry, own) = found(desk, wallet, id)?;
    Ok(json!(view::invoice(entry, own, desk.refunded(&entry.refunds).0, wallet)))
}

fn state(desk: &Desk, id: &InvoiceId) -> Result<Stands, Refused> {
    desk.entry(id).map(|entry| entry.state).ok_or(Refused::UnknownInvoice)
}

/// How long somebody wants to wait.
pub(super) fn patience(wait: Option<u64>) -> Result<Option<Instant>, Refusal> {
    match wait.unwrap_or(0) {
        0 => Ok(None),
        wait if wait <= limits::MERCHANT_WAIT_S => Ok(Some(Instant::now() + Duration::from_secs(wait))),
        _ => Err(bad("input.wait", format!("A request waits at most {} seconds.", limits::MERCHANT_WAIT_S))),
    }
}

pub(super) async fn look(caller: Caller, State(shop): State<Shop>, Path(id): Path<String>, asked: Asked) -> Answer {
    caller.may(Scope::InvoicesRead)?;
    let id = InvoiceId(read_id(&id)?);
    let [wait] = query(asked, ["wait"])?;
    if let Some(until) = patience(wait)? {
        let mut poll = Poll::begin(&shop, &caller, until)?;
        let mut before = None;
        loop {
            let known = poll.mark();
            let state = shop.at_desk(move |desk, _, _, _| (Vec::new(), state(desk, &id))).await?;
            let is_new = *before.get_or_insert(state) != state;
            if is_new || state.is_final() || !poll.event_after(known).await? {
                break;
            }
        }
    }
    Ok(Json(shop.at_desk(move |desk, wallet, _, _| (Vec::new(), shown(desk, wallet, &id))).await?))
}

/// How many lines somebody wants.
pub(super) fn lines(limit: Option<u64>) -> Result<usize, Refusal> {
    let most = limits::MERCHANT_LIST;
    match limit.map_or(Ok(most), usize::try_from).unwrap_or(0) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        _ => Err(bad("input.limit", format!("A list has 1 to {most} lines."))),
    }
}

pub(super) async fn list(caller: Caller, State(shop): State<Shop>, asked: Asked) -> Answer {
    caller.may(Scope::InvoicesRead)?;
    let [after, limit, state, reference] = said(asked, ["after", "limit", "state", "reference"])?;
    let part = part(after, limit)?;
    let state = super::state(state, Stands::read)?;
    if let Some(reference) = &reference {
        check_reference(reference)?;
        if reference.is_empty() {
            return Err(bad("input.reference", "Give a reference, or leave it out."));
        }
    }
    let listed = shop.at_desk(move |desk, wallet, _, _| {
        let Part { lines, cursor, more } = desk.invoices(&Which { state, reference }, part);
        let shown = lines.into_iter().filter_map(|entry| {
            let own = wallet.invoice(&entry.id)?;
            Some(json!(view::invoice(entry, own, desk.refunded(&entry.refunds).0, wallet)))
        });
        let invoices: Vec<Value> = shown.collect();
        (Vec::new(), Ok(json!({ "invoices": invoices, "cursor": cursor, "more": more })))
    });
    Ok(Json(listed.await?))
}

/// What the shop gives to whoever paid: verified by anybody, offline (`docs/receipts/`).
pub(super) async fn receipt(caller: Caller, State(shop): State<Shop>, Path(id): Path<String>) -> Answer {
    caller.may(Scope::InvoicesRead)?;
    let id = InvoiceId(read_id(&id)?);
    let proof = shop.at_desk(move |desk, wallet, _, _| {
        let proof = found(desk, wallet, &id).and_then(|(_, own)| {
            own.payment.and_then(|payment| wallet.proof(&payment)).ok_or(Refused::NothingReceived)
        });
        (Vec::new(), proof)
    });
    Ok(Json(json!({ "receipt": proof.await?.to_text() })))
}

pub(super) async fn cancel(caller: Caller, State(shop): State<Shop>, Path(id): Path<String>) -> Answer {
    caller.may(Scope::InvoicesWrite)?;
    let id = InvoiceId(read_id(&id)?);
    shop.at_desk(move |desk, wallet, chain, now_ms| {
        if desk.entry(&id).is_none() {
            return (Vec::new(), Err(Refused::UnknownInvoice));
        }
        match wallet.handle(Input::CancelInvoice(id), chain, now_ms) {
            Ok(effects) => (effects, Ok(())),
            Err(wallet::Refusal::Cancel(CannotCancel::Taken(_))) => (Vec::new(), Err(Refused::Taken)),
            Err(refusal) => (Vec::new(), Err(Refused::Wallet(refusal.to_string()))),
        }
    })
    .await?;
    // What it came to was told after that.
    let shown = shop.at_desk(move |desk, wallet, _, _| (Vec::new(), shown(desk, wallet, &id)));
    Ok(Json(shown.await?))
}
