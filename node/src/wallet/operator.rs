//! What the wallet's operator orders, from the wallet's own machine and with its token in the header `x-fair-operator`.
//! Amounts are in the asset's smallest unit.
//!
//! ```text
//! POST /v1/deposit     {request, amount, asset?}                     → batch
//! POST /v1/splice      {request, amount, asset?, owner, partner?}    → batch, or {state: "asked"}
//! POST /v1/order       {request, operation}                          → batch
//! POST /v1/pay         {request, to, amount?, asset?, max_fee?, description?} → payment
//! POST /v1/pay-direct  {request, amount, asset?, note?}              → payment
//! POST /v1/credit      {limit, asset?, insure_above?, most_price?}   → {asset, limit, insure_above, agreed}
//! POST /v1/insurance   {asset?, most_price?}                         → {asset, agreed}
//! POST /v1/resume      proposes again on a suspended channel
//! POST /v1/dispute     takes the channel with the bank to court      → [`crate::court`]
//! POST /v1/court       where it stands in court                      → [`crate::court`]
//! POST /v1/towers/add, remove, list                                  → [`super::towers`]
//!
//! batch    {request, state, hash, fee, height?, why?}   asked, waiting, applied, skipped, expired
//! payment  {id, state, asset, amount, fee, failure}     locking, settling, paid, failed
//! ```
//!
//! `operation` is the canonical encoding, in hexadecimal, of a proposal, a vote, or an entry of a register.
//!
//! `request` names an order: the same again does nothing twice and says how it stands; another order under a
//! name that was used is refused. Credit and insurance are what they are asked to be, however often. `most_price` is
//! what each insurance may cost that comes of it, a hundredth of what it is about where it is left out; a bank that
//! wants more is not asked. An answer waits a little for the end; whoever wants to know more asks again.

use super::http::{Paying, Served, bad, frd, wait_for_payment};
use super::orders::{self, Asking, DepositOrder, EntryOrder, Refused, SpliceOrder, Stands, Step};
use super::towers;
use crate::court;
use crate::limits;
use crate::local::{self, Named, Refusal, Token};
use crate::progress::{Patience, Progress};
use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use fair_core::account::{RequestId, SentBatch, SentState};
use fair_core::channel::shared::Terms;
use fair_core::ledger::receipt::Receipt;
use fair_core::payment::address::{self, Address};
use fair_core::payment::invoice;
use fair_core::peers::Chain;
use fair_core::types::{Amount, AssetId, PublicKey, TimeMs};
use fair_core::wallet::{Credit, Input, Payable, Wallet, usual_price};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// What banks may take of an amount unless whoever orders the payment says otherwise: one in a hundred, of few FRD a
/// little more, and never more than there is.
pub(crate) fn usual_fee(asset: AssetId, amount: Amount) -> Amount {
    let least = if asset == AssetId::FRD { limits::LEAST_MAX_FEE } else { 0 };
    (amount / 100).max(least).min(amount)
}

pub(crate) fn routes(served: &Served) -> Router<Served> {
    Router::new()
        .route("/v1/deposit", post(deposit))
        .route("/v1/splice", post(splice))
        .route("/v1/order", post(order).layer(DefaultBodyLimit::max(limits::ORDER_JSON_BYTES)))
        .route("/v1/pay", post(pay))
        .route("/v1/pay-direct", post(pay_direct))
        .route("/v1/credit", post(credit))
        .route("/v1/insurance", post(insurance))
        .route("/v1/resume", post(resume))
        .route("/v1/dispute", post(dispute))
        .route("/v1/court", post(ask_court))
        .route("/v1/towers/add", post(towers::add))
        .route("/v1/towers/remove", post(towers::remove))
        .route("/v1/towers/list", post(towers::list))
        .layer(middleware::from_fn_with_state(served.token.clone(), admit))
}

/// Nobody but the operator gets further.
pub(crate) async fn admit(
    State(token): State<Token>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match local::operator(from, request.headers(), &token) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

type Body<T> = Result<Json<T>, JsonRejection>;

fn read<T>(body: Body<T>) -> Result<T, Refusal> {
    let Json(body) = body.map_err(|error| bad("input.json", error.body_text()))?;
    Ok(body)
}

fn refusal(refused: &Refused) -> Refusal {
    let (status, code) = refused.kind();
    Refusal::new(status, code, refused.to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deposit {
    request: Named,
    amount: Amount,
    #[serde(default = "frd")]
    asset: AssetId,
}

async fn deposit(State(served): State<Served>, body: Body<Deposit>) -> Result<Json<Value>, Refusal> {
    let Deposit { request: Named(request), amount, asset } = read(body)?;
    let order = DepositOrder { request, bank: served.bank, asset, amount };
    let mut patience = Patience::new(&served.changed);
    loop {
        let step = move |wallet: &mut Wallet, chain: &Chain<'_>, now_ms| orders::deposit(wallet, &order, chain, now_ms);
        if let Some(answer) = patience.settle(take(&served, request, step).await?).await {
            return Ok(answer);
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Splice {
    request: Named,
    amount: Amount,
    #[serde(default = "frd")]
    asset: AssetId,
    owner: PublicKey,
    partner: Option<PublicKey>,
}

async fn splice(State(served): State<Served>, body: Body<Splice>) -> Result<Json<Value>, Refusal> {
    let Splice { request: Named(request), amount, asset, owner, partner } = read(body)?;
    let partner = partner.unwrap_or(served.bank);
    let order = SpliceOrder { request, bank: served.bank, asset, amount, owner, partner };
    let mut patience = Patience::new(&served.changed);
    let mut asking = Asking::May;
    loop {
        let step =
            move |wallet: &mut Wallet, chain: &Chain<'_>, now_ms| orders::splice(wallet, &order, asking, chain, now_ms);
        if let Some(answer) = patience.settle(take(&served, request, step).await?).await {
            return Ok(answer);
        }
        asking = Asking::Done;
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    request: Named,
    operation: String,
}

async fn order(State(served): State<Served>, body: Body<Order>) -> Result<Json<Value>, Refusal> {
    let Order { request: Named(request), operation } = read(body)?;
    let order = EntryOrder { request, operation: local::read_operation(&operation)? };
    let mut patience = Patience::new(&served.changed);
    loop {
        let order = order.clone();
        let step = move |wallet: &mut Wallet, chain: &Chain<'_>, now_ms| orders::entry(wallet, &order, chain, now_ms);
        if let Some(answer) = patience.settle(take(&served, request, step).await?).await {
            return Ok(answer);
        }
    }
}

/// Takes one step of an order that ends in a batch, and says how that stands.
async fn take(
    served: &Served,
    request: RequestId,
    step: impl FnOnce(&mut Wallet, &Chain<'_>, TimeMs) -> Step + Send + 'static,
) -> Result<Progress<Json<Value>>, Refusal> {
    let stepped = served.host.ask(move |hosted, chain, now_ms| {
        let (effects, stands) = step(&mut hosted.wallet, chain, now_ms);
        let found = stands.map(|stands| (stands, hosted.wallet.on_chain().sent_for(&request).cloned()));
        (effects, found)
    });
    match stepped.await?.map_err(|refused| refusal(&refused))? {
        (Stands::Sent, Some(sent)) => Ok(batch(&sent)),
        (Stands::Asked | Stands::Sent, _) => {
            Ok(Progress::Waiting(Json(json!({ "request": hex::encode(request), "state": "asked" }))))
        }
    }
}

pub(crate) fn batch(sent: &SentBatch) -> Progress<Json<Value>> {
    let answer = |state: &str, height: Option<u64>, why: Option<String>| {
        let (request, hash) = (hex::encode(sent.request), sent.hash);
        Json(json!({ "request": request, "state": state, "hash": hash, "fee": sent.fee, "height": height, "why": why }))
    };
    match &sent.state {
        SentState::Waiting => Progress::Waiting(answer("waiting", None, None)),
        SentState::Expired => Progress::Ended(answer("expired", None, None)),
        SentState::Included { height, receipts, .. } => {
            let skipped = receipts.iter().find_map(|receipt| match receipt {
                Receipt::Skipped { reason } => Some(reason.to_string()),
                Receipt::Applied { .. } => None,
            });
            // A crash may have lost the outcome; the block has it.
            let is_known = receipts.len() == sent.batch.body.entries.len();
            let state = if skipped.is_some() {
                "skipped"
            } else if is_known {
                "applied"
            } else {
                "included"
            };
            Progress::Ended(answer(state, Some(*height), skipped))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pay {
    request: Named,
    /// An invoice or an address.
    to: String,
    amount: Option<Amount>,
    asset: Option<AssetId>,
    max_fee: Option<Amount>,
    #[serde(default)]
    description: String,
}

async fn pay(State(served): State<Served>, body: Body<Pay>) -> Result<Json<Paying>, Refusal> {
    let Pay { request: Named(request), to, amount, asset, max_fee, description } = read(body)?;
    let (to, asked_asset, asked_amount) = payable(&served, to.trim())?;
    let amount = amount.or(asked_amount).filter(|amount| *amount > 0);
    let amount = amount.ok_or_else(|| refusal(&Refused::Nothing))?;
    let asset = asset.unwrap_or(asked_asset);
    let input = Input::Pay {
        request,
        to: Box::new(to),
        asset,
        amount,
        max_fee: max_fee.unwrap_or_else(|| usual_fee(asset, amount)),
        description,
    };
    start(&served, input).await?;
    Ok(Json(wait_for_payment(&served, request).await?))
}

/// What text stands for, with the asset and the amount that it asks for.
pub(crate) fn payable(served: &Served, text: &str) -> Result<(Payable, AssetId, Option<Amount>), Refusal> {
    let chain_id = served.genesis.chain_id();
    if text.to_ascii_lowercase().starts_with(address::KIND) {
        let address = Address::from_text(text, &chain_id);
        let address = address.map_err(|error| bad("payment.bad_address", error.to_string()))?;
        return Ok((Payable::Address(address), AssetId::FRD, None));
    }
    let invoice = invoice::from_text(text, &chain_id);
    let invoice = invoice.map_err(|error| bad("payment.bad_invoice", error.to_string()))?;
    let (asset, amount) = (invoice.body().asset, invoice.body().amount);
    Ok((Payable::Invoice(Box::new(invoice)), asset, amount))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PayDirect {
    request: Named,
    amount: Amount,
    #[serde(default = "frd")]
    asset: AssetId,
    #[serde(default)]
    note: String,
}

async fn pay_direct(State(served): State<Served>, body: Body<PayDirect>) -> Result<Json<Paying>, Refusal> {
    let PayDirect { request: Named(request), amount, asset, note } = read(body)?;
    let input = Input::PayDirect { request, bank: served.bank, asset, amount, note: note.into_bytes() };
    start(&served, input).await?;
    Ok(Json(wait_for_payment(&served, request).await?))
}

/// Hands the wallet a wish of its owner.
async fn start(served: &Served, input: Input<'static>) -> Result<(), Refusal> {
    let started = served.host.ask(move |hosted, chain, now_ms| match hosted.wallet.handle(input, chain, now_ms) {
        Ok(effects) => (effects, Ok(())),
        Err(refused) => (Vec::new(), Err(Refused::from(refused))),
    });
    started.await?.map_err(|refused| refusal(&refused))
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    limit: Amount,
    #[serde(default = "frd")]
    asset: AssetId,
    insure_above: Option<Amount>,
    most_price: Option<Amount>,
}

async fn credit(State(served): State<Served>, body: Body<Limit>) -> Result<Json<Value>, Refusal> {
    let Limit { limit, asset, insure_above, most_price } = read(body)?;
    let is_agreed = move |terms: &Terms| (terms.credit_limit, terms.insure_above) == (limit, insure_above);
    let most_price = most_price.unwrap_or_else(|| usual_price(insure_above.unwrap_or(0)));
    let credit = Credit { asset, limit, insure_above, most_price };
    let agreed = agree(&served, asset, Input::SetCredit { bank: served.bank, credit }, is_agreed).await?;
    Ok(Json(json!({ "asset": asset, "limit": limit, "insure_above": insure_above, "agreed": agreed })))
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Insure {
    #[serde(default = "frd")]
    asset: AssetId,
    most_price: Option<Amount>,
}

/// Proposes again on a suspended channel.
async fn resume(State(served): State<Served>) -> Result<Json<Value>, Refusal> {
    let bank = served.bank;
    let resumed = served.host.ask(move |hosted, chain, now_ms| {
        match hosted.wallet.handle(Input::Resume { bank }, chain, now_ms) {
            Ok(effects) => (effects, Ok(())),
            Err(refusal) => (Vec::new(), Err(refusal.to_string())),
        }
    });
    match resumed.await? {
        Ok(()) => Ok(Json(json!({ "resumed": true }))),
        Err(reason) => Err(Refusal::new(StatusCode::CONFLICT, "order.refused", reason)),
    }
}

/// Takes the channel to court and waits a little for the block.
async fn dispute(State(served): State<Served>) -> Result<Json<Value>, Refusal> {
    start(&served, Input::Dispute { bank: served.bank }).await?;
    let mut patience = Patience::new(&served.changed);
    loop {
        if let Some(answer) = patience.settle(look_at_court(&served).await?).await {
            return Ok(Json(answer));
        }
    }
}

async fn ask_court(State(served): State<Served>) -> Result<Json<Value>, Refusal> {
    let (Progress::Waiting(answer) | Progress::Ended(answer)) = look_at_court(&served).await?;
    Ok(Json(answer))
}

async fn look_at_court(served: &Served) -> Result<Progress<Value>, Refusal> {
    let bank = served.bank;
    let looked = served.host.ask(move |hosted, chain, _| {
        let view = hosted.wallet.court(&bank, chain);
        (Vec::new(), view.map(|view| court::progress(&bank, &view)))
    });
    looked.await?.ok_or_else(|| refusal(&Refused::OwnChannel))
}

async fn insurance(State(served): State<Served>, body: Body<Insure>) -> Result<Json<Value>, Refusal> {
    let Insure { asset, most_price } = read(body)?;
    let bank = served.bank;
    let most_price = match most_price {
        Some(most_price) => most_price,
        None => {
            let promised = move |wallet: &Wallet| usual_price(wallet.parts(&bank, asset).uninsured);
            served.host.ask(move |hosted, _, _| (Vec::new(), promised(&hosted.wallet))).await?
        }
    };
    let input = Input::RequestInsurance { bank, asset, most_price };
    let agreed = agree(&served, asset, input, |terms| terms.insurance_requested).await?;
    Ok(Json(json!({ "asset": asset, "agreed": agreed })))
}

/// Wishes for terms of the channel, unless they are agreed on already, and waits until they are.
async fn agree(
    served: &Served,
    asset: AssetId,
    input: Input<'static>,
    is_agreed: impl Fn(&Terms) -> bool + Copy + Send + 'static,
) -> Result<bool, Refusal> {
    let bank = served.bank;
    let mut patience = Patience::new(&served.changed);
    let mut wish = Some(input);
    loop {
        let input = wish.take();
        let looked = served.host.ask(move |hosted, chain, now_ms| {
            let terms = hosted.wallet.channel(&bank).and_then(|channel| {
                let agreement = channel.agreement();
                agreement.shared.terms(asset, channel.side())
            });
            if terms.is_some_and(is_agreed) {
                return (Vec::new(), Ok(Progress::Ended(true)));
            }
            match input.map(|input| hosted.wallet.handle(input, chain, now_ms)) {
                None => (Vec::new(), Ok(Progress::Waiting(false))),
                Some(Ok(effects)) => (effects, Ok(Progress::Waiting(false))),
                Some(Err(refused)) => (Vec::new(), Err(Refused::from(refused))),
            }
        });
        let progress = looked.await?.map_err(|refused| refusal(&refused))?;
        if let Some(agreed) = patience.settle(progress).await {
            return Ok(agreed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    #[test]
    fn orders_are_named_by_32_digits() {
        let of = |text: &str| serde_json::from_str::<Deposit>(text);
        let named = of(r#"{"request":"000102030405060708090a0b0c0d0e0f","amount":5}"#).unwrap();
        assert_eq!((named.request.0[15], named.asset), (15, AssetId::FRD));
        for bad in [
            r#"{"amount":5}"#,
            r#"{"request":"00","amount":5}"#,
            r#"{"request":"000102030405060708090a0b0c0d0e0g","amount":5}"#,
            r#"{"request":"000102030405060708090a0b0c0d0e0f","amount":-5}"#,
            r#"{"request":"000102030405060708090a0b0c0d0e0f","amount":5,"fee":1}"#,
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_refused_has_a_code_of_its_own() {
        let all = [
            Refused::Nothing,
            Refused::UnknownAsset(AssetId(9)),
            Refused::OwnChannel,
            Refused::RequestUsed,
            Refused::Busy,
            Refused::Funds { asset: AssetId::FRD, needed: 2, balance: 1 },
            Refused::Declined,
        ];
        let codes: std::collections::BTreeSet<_> = all.iter().map(|refused| refused.kind().1).collect();
        assert_eq!(codes.len(), all.len());
        assert!(all.iter().all(|refused| refused.kind().0 != StatusCode::OK));
    }

    #[test]
    fn banks_take_little_by_themselves_and_never_more_than_there_is() {
        let of = |asset, amounts: [Amount; 4]| amounts.map(|amount| usual_fee(asset, amount));
        assert_eq!(of(AssetId::FRD, [0, 3, 100, 5_000]), [0, 3, 10, 50]);
        assert_eq!(of(AssetId::FRB, [0, 3, 100, 5_000]), [0, 0, 1, 50]);
    }
}
