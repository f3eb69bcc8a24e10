//! What a wallet process serves: a counterpart to try with.
//!
//! ```text
//! GET  /                   a page: its address, buy something, ask for a payment
//! POST /buy, POST /pay-me  the page's forms
//! POST /v1/invoices        JSON {amount, asset?, description?, origin?} → {id, invoice}
//! GET  /v1/invoices/{id}   JSON {id, state, received, with_tower}
//! POST /v1/pay-me          JSON {invoice} → {id, state, asset, amount, fee, failure}; test networks only, capped
//! GET  /v1/pay-me/{id}     the same of a payment begun before; the id is the first half of the lock hash
//! GET  /v1/status          JSON, to this machine alone
//! ```
//!
//! What its operator orders is in [`super::operator`]; connections are taken by [`super::serve`].

use super::{Hosted, operator, parts, towers};
use crate::channels::ChannelView;
use crate::host::Handle;
use crate::limits;
use crate::local::{self, Refusal, Token};
use crate::page::{POLICY, STYLE, decimal, escaped, parse_decimal, start};
use crate::progress::{Patience, Progress};
use crate::store::Counter;
use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use fair_core::account::RequestId;
use fair_core::chain::genesis::{Genesis, Purpose};
use fair_core::message::Verified;
use fair_core::payment::invoice::{self, Description, Invoice, InvoiceId, LatePolicy, RefundPolicy};
use fair_core::payment::text::Case;
use fair_core::types::{Amount, AssetId, PublicKey};
use fair_core::wallet::{Input, InvoiceState, NewInvoice, Payable, PaymentState, Wallet};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The way back from a page.
const BACK: &str = "<p><a href=/>Back to the counterpart</a></p>";
/// How long its invoices can be paid.
const INVOICE_LIFETIME_MS: u64 = 3_600_000;
/// Most that it pays for an invoice that it is handed: 100.00.
const MOST_PAID: Amount = 10_000;
/// What it pays when an invoice leaves the amount open: 10.00.
const USUALLY_PAID: Amount = 1_000;

/// What the server needs.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) host: Handle<Hosted>,
    pub(crate) own: PublicKey,
    pub(crate) bank: PublicKey,
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) relay: String,
    /// What orders must show.
    pub(crate) token: Token,
    /// Counts changes that are durable.
    pub(crate) changed: watch::Receiver<u64>,
    pub(crate) stored: Counter,
    /// When it was asked to pay.
    pub(crate) asked: Arc<Mutex<VecDeque<Instant>>>,
}

/// What somebody to try with serves.
pub(crate) fn router(served: Served) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/page.css", get(|| async { ([(header::CONTENT_TYPE, "text/css")], STYLE) }))
        .route("/buy", post(buy))
        .route("/pay-me", post(pay_me_form))
        .route("/v1/invoices", post(new_invoice))
        .route("/v1/invoices/{id}", get(look_at_invoice))
        .route("/v1/pay-me", post(pay_me))
        .route("/v1/pay-me/{id}", get(look_at_handed))
        .route("/v1/status", get(status))
        .merge(operator::routes(&served))
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here.") })
        .layer(DefaultBodyLimit::max(limits::JSON_BYTES))
        .with_state(served)
}

pub(crate) fn bad(code: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, code, message)
}

#[derive(Deserialize)]
struct Wanted {
    amount: Amount,
    #[serde(default = "frd")]
    asset: AssetId,
    #[serde(default)]
    description: String,
    /// Of the web page that sells, which lists this wallet's account in its `/.well-known/fair-pay.json`.
    origin: Option<String>,
}

pub(crate) const fn frd() -> AssetId {
    AssetId::FRD
}

#[derive(Serialize)]
struct Made {
    id: String,
    invoice: String,
}

async fn new_invoice(
    State(served): State<Served>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Result<Json<Made>, Refusal> {
    let Json(wanted) = wanted.map_err(|error| bad("input.json", error.body_text()))?;
    Ok(Json(make_invoice(&served, wanted).await?))
}

async fn make_invoice(served: &Served, wanted: Wanted) -> Result<Made, Refusal> {
    if wanted.amount == 0 {
        return Err(bad("input.amount", "Give an amount above zero."));
    }
    count(served)?;
    let request = fresh_request()?;
    let new = NewInvoice {
        request,
        asset: wanted.asset,
        amount: Some(wanted.amount),
        description: Description::Text(wanted.description),
        lifetime_ms: INVOICE_LIFETIME_MS,
        origin: wanted.origin,
        refunds: RefundPolicy::None,
        late: LatePolicy::Fail,
    };
    let made = served.host.ask(move |hosted, chain, now_ms| {
        match hosted.wallet.handle(Input::CreateInvoice(Box::new(new)), chain, now_ms) {
            Ok(effects) => (effects, Ok(hosted.wallet.invoice(&InvoiceId(request)).map(|own| own.text(Case::Lower)))),
            Err(refusal) => (Vec::new(), Err(refusal.to_string())),
        }
    });
    let text = made.await?.map_err(|reason| bad("payment.invoice", reason))?;
    let text = text.ok_or_else(|| bad("payment.invoice", "The invoice could not be made."))?;
    Ok(Made { id: InvoiceId(request).to_string(), invoice: text })
}

async fn look_at_invoice(State(served): State<Served>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let bytes = read_id(&id)?;
    let found = served.host.ask(move |hosted, _, now_ms| {
        let found = hosted.wallet.invoice(&InvoiceId(bytes)).map(|own| {
            let state = match own.state {
                InvoiceState::Open if own.invoice.body.is_expired(now_ms) => "expired",
                InvoiceState::Open => "open",
                InvoiceState::Pending => "pending",
                InvoiceState::Paid => "paid",
                InvoiceState::Void => "void",
                InvoiceState::Cancelled => "cancelled",
            };
            let payment = own.payment.and_then(|payment| hosted.wallet.payment(&payment));
            (state, own.received, payment.and_then(|payment| hosted.wallet.is_with_tower(payment)))
        });
        (Vec::new(), found)
    });
    let (state, received, with_tower) = found
        .await?
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "payment.unknown_invoice", "There is no such invoice."))?;
    Ok(Json(json!({ "id": id, "state": state, "received": received, "with_tower": with_tower })))
}

#[derive(Deserialize)]
struct Handed {
    invoice: String,
}

async fn pay_me(
    State(served): State<Served>,
    handed: Result<Json<Handed>, JsonRejection>,
) -> Result<Json<Paying>, Refusal> {
    let Json(handed) = handed.map_err(|error| bad("input.json", error.body_text()))?;
    Ok(Json(pay(&served, &handed.invoice).await?))
}

async fn look_at_handed(State(served): State<Served>, Path(id): Path<String>) -> Result<Json<Paying>, Refusal> {
    Ok(Json(look_at_payment(&served, read_id(&id)?).await?))
}

pub(crate) fn read_id(text: &str) -> Result<[u8; 16], Refusal> {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).map_err(|_| bad("input.id", "An id is 32 hexadecimal digits."))?;
    Ok(id)
}

/// How a payment stands.
#[derive(Clone, Serialize)]
pub(super) struct Paying {
    id: String,
    state: &'static str,
    asset: AssetId,
    amount: Amount,
    fee: Amount,
    failure: Option<String>,
}

/// Pays an invoice if it is small enough, and waits a little for the end.
async fn pay(served: &Served, text: &str) -> Result<Paying, Refusal> {
    if served.genesis.purpose != Purpose::Test {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "payment.refused", "Only play money is given away."));
    }
    let invoice = invoice::from_text(text.trim(), &served.genesis.chain_id())
        .map_err(|error| bad("payment.bad_invoice", error.to_string()))?;
    let amount = invoice.body().amount.unwrap_or(USUALLY_PAID);
    if amount > MOST_PAID {
        let most = decimal(MOST_PAID, 2);
        return Err(bad("payment.too_much", format!("At most {most} are paid here; ask for less.")));
    }
    count(served)?;
    let request = start_payment(served, invoice, amount).await?;
    wait_for_payment(served, request).await
}

pub(super) async fn wait_for_payment(served: &Served, request: RequestId) -> Result<Paying, Refusal> {
    let mut patience = Patience::new(&served.changed);
    loop {
        let paying = look_at_payment(served, request).await?;
        let ended = matches!(paying.state, "paid" | "failed");
        let progress = if ended { Progress::Ended(paying) } else { Progress::Waiting(paying) };
        if let Some(paying) = patience.settle(progress).await {
            return Ok(paying);
        }
    }
}

/// Begins a payment. The same invoice again is the same payment, unless that one failed.
async fn start_payment(served: &Served, invoice: Verified<Invoice>, amount: Amount) -> Result<RequestId, Refusal> {
    let (usual, other) = (usual_request(&invoice), fresh_request()?);
    let started = served.host.ask(move |hosted, chain, now_ms| {
        let has_failed = |wallet: &Wallet| wallet.payment(&usual).is_some_and(|old| old.state == PaymentState::Failed);
        let request = if has_failed(&hosted.wallet) { other } else { usual };
        let input = Input::Pay {
            request,
            asset: invoice.body().asset,
            amount,
            max_fee: amount / 10,
            to: Box::new(Payable::Invoice(Box::new(invoice))),
            description: "You asked for it".to_owned(),
        };
        match hosted.wallet.handle(input, chain, now_ms) {
            Ok(effects) => (effects, Ok(request)),
            Err(refusal) => (Vec::new(), Err(refusal.to_string())),
        }
    });
    started.await?.map_err(|reason| Refusal::new(StatusCode::CONFLICT, "payment.refused", reason))
}

async fn look_at_payment(served: &Served, request: RequestId) -> Result<Paying, Refusal> {
    let found = served.host.ask(move |hosted, _, _| {
        let found = hosted.wallet.payment(&request).map(|payment| Paying {
            id: hex::encode(request),
            state: match payment.state {
                PaymentState::Locking => "locking",
                PaymentState::Settling => "settling",
                PaymentState::Paid => "paid",
                PaymentState::Failed => "failed",
            },
            asset: payment.asset,
            amount: payment.amount,
            fee: payment.fee,
            failure: payment.failure.as_ref().map(ToString::to_string),
        });
        (Vec::new(), found)
    });
    found.await?.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "payment.unknown", "There is no such payment."))
}

fn usual_request(invoice: &Verified<Invoice>) -> RequestId {
    let mut request = [0; 16];
    for (to, from) in request.iter_mut().zip(invoice.body().lock_hash.0) {
        *to = from;
    }
    request
}

fn fresh_request() -> Result<RequestId, Refusal> {
    local::fresh_name()
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "randomness", error.to_string()))
}

/// All together may ask so often a minute.
fn count(served: &Served) -> Result<(), Refusal> {
    let mut asked = served.asked.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    while asked.front().is_some_and(|at| now.duration_since(*at) > Duration::from_secs(60)) {
        asked.pop_front();
    }
    if asked.len() >= limits::COUNTERPART_PER_MINUTE {
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "payment.limited", "Too many are asking.");
        return Err(refusal.after(60));
    }
    asked.push_back(now);
    Ok(())
}

async fn look(served: &Served) -> Result<Value, Refusal> {
    let (own, bank, stored) = (served.own, served.bank, served.stored.read());
    let status = served.host.ask(move |hosted, chain, now_ms| {
        let assets: Vec<Value> = chain
            .state
            .assets()
            .map(|asset| {
                let parts = parts(hosted, &bank, asset.id);
                let terms = hosted.wallet.channel(&bank).and_then(|channel| {
                    let agreement = channel.agreement();
                    agreement.shared.terms(asset.id, channel.side())
                });
                json!({
                    "asset": asset.id, "ticker": asset.ticker, "decimals": asset.decimals,
                    "on_chain": chain.state.balance(&own, asset.id),
                    "insured": parts.insured, "uninsured": parts.uninsured, "owed": parts.owed,
                    "in_flight": parts.in_flight, "incoming": parts.incoming,
                    "can_receive": parts.can_receive, "can_send": parts.can_send,
                    "credit_limit": terms.map_or(0, |terms| terms.credit_limit),
                    "insure_above": terms.and_then(|terms| terms.insure_above),
                })
            })
            .collect();
        let status = json!({
            "kind": if hosted.desk.is_some() { "merchant" } else { "wallet" }, "account": own, "bank": bank,
            "address": hosted.wallet.address().to_text(Case::Lower),
            "connected": hosted.wallet.banks().any(|(key, connected)| key == bank && connected),
            "head": chain.head.height, "stale": chain.is_stale(now_ms), "assets": assets,
            "channel": hosted.wallet.channel(&bank).map(ChannelView::of),
            "draft": hosted.wallet.on_chain().draft().count(),
            "towers": towers::view(&hosted.wallet),
            "stored": stored,
            "batch_under_way": hosted.wallet.on_chain().under_way().map(|sent| sent.hash),
        });
        (Vec::new(), status)
    });
    Ok(status.await?)
}

pub(crate) async fn status(
    State(served): State<Served>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    local::only(from, &headers)?;
    Ok(Json(look(&served).await?))
}

fn dressed(html: String) -> Response {
    let security = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")];
    (security, Html(html)).into_response()
}

async fn page(State(served): State<Served>) -> Result<Response, Refusal> {
    let status = look(&served).await?;
    let connected = status["connected"].as_bool().unwrap_or(false);
    let address = status["address"].as_str().unwrap_or_default();
    let open = if connected { "open" } else { "closed: its bank cannot be reached at the moment" };
    let mut html = start("The counterpart", 0);
    // Writing to a String cannot fail.
    let _ = write!(
        html,
        "<p>Somebody to try with: it sells, and it pays you when you ask. Play money only. It is {open}.</p>\
         <h2>Buy something</h2><form method=post action=/buy>\
         <label>Amount in FRD<input name=amount value=5.00 inputmode=decimal required></label>\
         <label>What for<input name=description value='A cup of coffee' maxlength=200></label>\
         <button>Make an invoice</button></form>\
         <h2>Ask for a payment</h2><form method=post action=/pay-me>\
         <label>Your invoice (at most {most} FRD)<textarea name=invoice required></textarea></label>\
         <button>Pay me</button></form>\
         <h2>Address</h2>\
         <label>For payments without an invoice<textarea readonly rows=3>{address}</textarea></label>",
        most = decimal(MOST_PAID, 2),
        address = escaped(address),
    );
    Ok(dressed(html))
}

#[derive(Deserialize)]
struct BuyForm {
    amount: String,
    #[serde(default)]
    description: String,
}

async fn buy(State(served): State<Served>, form: Result<Form<BuyForm>, FormRejection>) -> Response {
    answer(make_bill(&served, form).await)
}

async fn make_bill(served: &Served, form: Result<Form<BuyForm>, FormRejection>) -> Result<String, Refusal> {
    let Form(form) = form.map_err(|error| bad("input.form", error.body_text()))?;
    let amount = parse_decimal(&form.amount, 2)
        .ok_or_else(|| bad("input.amount", format!("{:?} is no amount such as 5.00.", form.amount)))?;
    let wanted = Wanted { amount, asset: AssetId::FRD, description: form.description, origin: None };
    let made = make_invoice(served, wanted).await?;
    let mut html = start("Your invoice", 0);
    let _ = write!(
        html,
        "<p>{amount} FRD. Copy it into your wallet, or <a href='{relay}/pay/#{invoice}'>pay with the wallet</a>.</p>\
         <label>Invoice<textarea readonly rows=8>{invoice}</textarea></label>{BACK}",
        amount = decimal(amount, 2),
        relay = escaped(&served.relay),
        invoice = made.invoice,
    );
    Ok(html)
}

async fn pay_me_form(State(served): State<Served>, form: Result<Form<Handed>, FormRejection>) -> Response {
    answer(pay_somebody(&served, form).await)
}

async fn pay_somebody(served: &Served, form: Result<Form<Handed>, FormRejection>) -> Result<String, Refusal> {
    let Form(handed) = form.map_err(|error| bad("input.form", error.body_text()))?;
    let paying = pay(served, &handed.invoice).await?;
    let asset = served.genesis.assets.iter().find(|asset| asset.id == paying.asset);
    let (decimals, ticker) = asset.map_or((0, ""), |asset| (asset.decimals, asset.ticker.as_str()));
    let amount = format!("{} {ticker}", decimal(paying.amount, decimals));
    let said = match (paying.state, paying.failure) {
        ("paid", _) => format!("Paid: {amount} is yours."),
        ("failed", Some(why)) => format!("It did not work: {why}."),
        ("failed", None) => "It did not work.".to_owned(),
        _ => format!("{amount} is on its way."),
    };
    let mut html = start("Pay me", 0);
    let _ = write!(html, "<p>{}</p>{BACK}", escaped(&said));
    Ok(html)
}

/// A page for a person, also of what went wrong.
fn answer(page: Result<String, Refusal>) -> Response {
    match page {
        Ok(html) => dressed(html),
        Err(refusal) => {
            let mut html = start("It did not work", 0);
            let _ = write!(html, "<p>{}</p>{BACK}", escaped(refusal.message()));
            (refusal.status(), dressed(html)).into_response()
        }
    }
}
