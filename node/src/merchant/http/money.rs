//! Refunds, payouts, balances.

use super::{Answer, Asked, Body, Caller, Made, Name, Named, Shop, part, read, state, texts as said};
use crate::local::Refusal;
use crate::merchant::desk::{Part, Refused};
use crate::merchant::keys::Scope;
use crate::merchant::outgoing::{NewPayout, NewRefund, Outgoing, Purpose, Stage};
use crate::merchant::{numbers, texts, view};
use crate::wallet::http::{bad, frd, read_id};
use crate::wallet::operator::{payable, usual_fee};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Json;
use fair_core::limits::MAX_SUPPLY;
use fair_core::payment::invoice::InvoiceId;
use fair_core::types::{Amount, AssetId};
use fair_core::wallet::{Payment, Wallet};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedRefund {
    /// All that is left when it is not given.
    #[serde(default, deserialize_with = "numbers::optional")]
    amount: Option<Amount>,
    /// To whoever has the link, although the payer said where refunds go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    link: bool,
}

pub(super) async fn refund(
    caller: Caller,
    State(shop): State<Shop>,
    Path(invoice): Path<String>,
    name: Named,
    body: Body<WantedRefund>,
) -> Made {
    caller.may(Scope::Refunds)?;
    let Name(name) = name?;
    let invoice = InvoiceId(read_id(&invoice)?);
    let wanted = read(body)?;
    check(wanted.amount)?;
    let digest = texts::digest_of(&(invoice.to_string(), &wanted));
    let digest = digest.map_err(|error| bad("input.json", error.to_string()))?;
    let id = texts::id_of(&shop.wallet.own, &caller.name, "refund", &name);
    let new = NewRefund { id, digest, invoice, amount: wanted.amount, link: wanted.link };
    let made = shop.at_desk(move |desk, wallet, chain, now_ms| desk.refund(&new, wallet, chain, now_ms));
    let made = made.await?;
    Ok((StatusCode::CREATED, Json(shown(&shop, &as_made(&made)))))
}

fn check(amount: Option<Amount>) -> Result<(), Refusal> {
    match amount {
        Some(amount) if amount == 0 || amount > MAX_SUPPLY => {
            Err(bad("input.amount", format!("An amount is between 1 and {MAX_SUPPLY}.")))
        }
        _ => Ok(()),
    }
}

/// How it stood when it was made.
fn as_made(outgoing: &Outgoing) -> Outgoing {
    Outgoing { stage: outgoing.made_as, ..outgoing.clone() }
}

/// Without the payment that may have come of it.
fn shown(shop: &Shop, outgoing: &Outgoing) -> Value {
    view::outgoing(outgoing, None, super::claim::link(shop, outgoing))
}

pub(super) async fn look_at_refund(caller: Caller, State(shop): State<Shop>, Path(id): Path<String>) -> Answer {
    caller.may(Scope::InvoicesRead)?;
    let (refund, payment) =
        find(&shop, &id, |purpose| matches!(purpose, Purpose::Refund { .. }), Refused::UnknownRefund).await?;
    // Whoever has the link has the money.
    let link = caller.may(Scope::Refunds).ok().and_then(|()| super::claim::link(&shop, &refund));
    Ok(Json(view::outgoing(&refund, payment.as_ref(), link)))
}

pub(super) async fn list_refunds(caller: Caller, State(shop): State<Shop>, asked: Asked) -> Answer {
    caller.may(Scope::InvoicesRead)?;
    let [after, limit, stage, invoice] = said(asked, ["after", "limit", "state", "invoice"])?;
    let (part, stage) = (part(after, limit)?, state(stage, Stage::read)?);
    let invoice = invoice.map(|id| read_id(&id)).transpose()?.map(InvoiceId);
    let listed = shop.at_desk(move |desk, wallet, _, _| {
        let entry = invoice.map(|id| desk.entry(&id).ok_or(Refused::UnknownInvoice)).transpose();
        (Vec::new(), entry.map(|entry| Listed::of(&desk.refunds(entry, stage, part), wallet)))
    });
    let listed = listed.await?;
    let shows_links = caller.may(Scope::Refunds).is_ok();
    Ok(Json(listed.shown("refunds", |refund| shows_links.then(|| super::claim::link(&shop, refund)).flatten())))
}

pub(super) async fn list_payouts(caller: Caller, State(shop): State<Shop>, asked: Asked) -> Answer {
    caller.may(Scope::Payouts)?;
    let [after, limit, stage] = said(asked, ["after", "limit", "state"])?;
    let (part, stage) = (part(after, limit)?, state(stage, Stage::read)?);
    let listed =
        shop.at_desk(move |desk, wallet, _, _| (Vec::new(), Ok(Listed::of(&desk.payouts(stage, part), wallet))));
    Ok(Json(listed.await?.shown("payouts", |_| None)))
}

/// A part of a list, with the payments that came of it.
struct Listed {
    lines: Vec<(Outgoing, Option<Payment>)>,
    cursor: u64,
    more: bool,
}

impl Listed {
    fn of(part: &Part<'_, Outgoing>, wallet: &Wallet) -> Self {
        let lines = part.lines.iter().map(|one| ((*one).clone(), wallet.payment(&one.id).cloned()));
        Self { lines: lines.collect(), cursor: part.cursor, more: part.more }
    }

    fn shown(&self, name: &str, link: impl Fn(&Outgoing) -> Option<String>) -> Value {
        let lines = self.lines.iter().map(|(one, payment)| view::outgoing(one, payment.as_ref(), link(one)));
        json!({ name: lines.collect::<Vec<_>>(), "cursor": self.cursor, "more": self.more })
    }
}

pub(super) async fn take_back(caller: Caller, State(shop): State<Shop>, Path(id): Path<String>) -> Answer {
    caller.may(Scope::Refunds)?;
    let id = read_id(&id)?;
    let taken = shop.at_desk(move |desk, _, _, now_ms| desk.take_back(&id, now_ms)).await?;
    Ok(Json(view::outgoing(&taken, None, None)))
}

pub(super) async fn look_at_payout(caller: Caller, State(shop): State<Shop>, Path(id): Path<String>) -> Answer {
    caller.may(Scope::Payouts)?;
    let (payout, payment) =
        find(&shop, &id, |purpose| matches!(purpose, Purpose::Payout | Purpose::Sweep), Refused::UnknownPayout).await?;
    Ok(Json(view::outgoing(&payout, payment.as_ref(), None)))
}

async fn find(
    shop: &Shop,
    id: &str,
    which: fn(&Purpose) -> bool,
    unknown: Refused,
) -> Result<(Outgoing, Option<Payment>), Refusal> {
    let id = read_id(id)?;
    let found = shop.at_desk(move |desk, wallet, _, _| {
        let found = desk.outgoing(&id).filter(|outgoing| which(&outgoing.purpose));
        (Vec::new(), found.map(|found| (found.clone(), wallet.payment(&id).cloned())).ok_or(unknown))
    });
    found.await
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedPayout {
    /// An invoice or an address.
    to: String,
    /// An invoice may say it itself.
    #[serde(default, deserialize_with = "numbers::optional")]
    amount: Option<Amount>,
    #[serde(default = "frd", deserialize_with = "numbers::asset")]
    asset: AssetId,
    #[serde(default, deserialize_with = "numbers::optional")]
    max_fee: Option<Amount>,
}

pub(super) async fn payout(caller: Caller, State(shop): State<Shop>, name: Named, body: Body<WantedPayout>) -> Made {
    caller.may(Scope::Payouts)?;
    let Name(name) = name?;
    let wanted = read(body)?;
    check(wanted.amount)?;
    let digest = texts::digest_of(&wanted).map_err(|error| bad("input.json", error.to_string()))?;
    let (to, _, asked) = payable(&shop.wallet, wanted.to.trim())?;
    let amount = wanted.amount.or(asked).ok_or_else(|| bad("input.amount", "Give an amount."))?;
    let id = texts::id_of(&shop.wallet.own, &caller.name, "payout", &name);
    let max_fee = wanted.max_fee.unwrap_or_else(|| usual_fee(wanted.asset, amount));
    let new = NewPayout { id, digest, to, asset: wanted.asset, amount, max_fee };
    let made = shop.at_desk(move |desk, wallet, chain, now_ms| desk.payout(new, wallet, chain, now_ms)).await?;
    Ok((StatusCode::CREATED, Json(shown(&shop, &as_made(&made)))))
}

pub(super) async fn balance(caller: Caller, State(shop): State<Shop>) -> Answer {
    caller.may(Scope::BalanceRead)?;
    let own = shop.wallet.own;
    let looked = shop.at_desk(move |desk, wallet, chain, now_ms| {
        let banks: Vec<_> = wallet.banks().collect();
        let assets: Vec<Value> = chain
            .state
            .assets()
            .map(|asset| {
                let parts: Vec<_> = banks.iter().map(|(bank, _)| (bank, wallet.parts(bank, asset.id))).collect();
                let sum = |part: fn(&fair_core::wallet::Parts) -> Amount| {
                    parts.iter().fold(0, |sum: Amount, (_, parts)| sum.saturating_add(part(parts)))
                };
                let channels = parts.iter().map(|(bank, parts)| {
                    json!({
                        "bank": bank, "insured": parts.insured, "uninsured": parts.uninsured, "owed": parts.owed,
                        "can_send": parts.can_send, "can_receive": parts.can_receive,
                    })
                });
                json!({
                    "asset": asset.id, "ticker": asset.ticker, "decimals": asset.decimals,
                    "assurance": { "insured": sum(|parts| parts.insured), "uninsured": sum(|parts| parts.uninsured) },
                    "incoming": sum(|parts| parts.incoming), "in_flight": sum(|parts| parts.in_flight),
                    "on_chain": chain.state.balance(&own, asset.id),
                    "channels": channels.collect::<Vec<_>>(),
                })
            })
            .collect();
        let promised: Amount =
            desk.claimable_refunds().fold(0, |sum: Amount, outgoing| sum.saturating_add(outgoing.amount));
        let banks: Vec<Value> =
            banks.iter().map(|(bank, connected)| json!({ "bank": bank, "connected": connected })).collect();
        let balance = json!({
            "height": chain.head.height, "stale": chain.is_stale(now_ms),
            "assets": assets, "banks": banks, "unclaimed_refunds": promised,
        });
        (Vec::new(), Ok(balance))
    });
    Ok(Json(looked.await?))
}
