//! What a merchant serves to its shop's server. Bodies and answers are JSON and described by `/v1/openapi.json`;
//! a request shows a key, `Authorization: Bearer fair_…`, whose scopes allow it. Errors are
//! `{code, message, retryable, data}`.
//!
//! ```text
//! POST /v1/invoices                     invoices:write   Idempotency-Key
//! GET  /v1/invoices?after&limit&state&reference   invoices:read
//! GET  /v1/invoices/{id}?wait           invoices:read    waits until it stands otherwise, or finally
//! POST /v1/invoices/{id}/cancel         invoices:write
//! POST /v1/invoices/{id}/refunds        refunds          Idempotency-Key
//! GET  /v1/refunds?after&limit&state&invoice      invoices:read    their links only with refunds
//! GET  /v1/refunds/{id}                 invoices:read    likewise
//! POST /v1/refunds/{id}/cancel          refunds          takes a link back that nobody has used
//! POST /v1/payouts                      payouts          Idempotency-Key
//! GET  /v1/payouts?after&limit&state    payouts
//! GET  /v1/payouts/{id}                 payouts
//! GET  /v1/balance                      balance:read
//! GET  /v1/events?after&limit&wait      events:read
//! GET, POST /v1/webhooks                webhooks         Idempotency-Key
//! GET, DELETE /v1/webhooks/{id}         webhooks
//! POST /v1/webhooks/{id}/enable         webhooks
//! POST /v1/webhooks/{id}/redeliver      webhooks
//! POST /v1/webhooks/{id}/rotate         webhooks         Idempotency-Key; another secret
//! POST /v1/webhooks/{id}/test           webhooks         brings what tells of nothing, and says what came of it
//! GET  /v1/webhooks/{id}/deliveries     webhooks         the newest attempts
//! GET  /v1/openapi.json                 everybody
//! GET  /healthz, /readyz                everybody, so often: it answers; an invoice can be paid
//! GET, POST /claim/{id}/{token}         whoever has the link: a page that says where a refund goes
//! POST /v1/keys/create, rotate, list, revoke   the operator ([`crate::local`])
//! ```
//!
//! Beside these the operator's orders of every wallet, and `GET /v1/status`.

mod caller;
mod claim;
mod events;
mod health;
mod invoices;
mod keys;
mod money;
mod polls;
mod webhooks;

use super::address::Reach;
use super::attempts::Attempts;
use super::desk::{Desk, Refused};
use super::keys::Keyring;
use super::webhooks::EndpointId;
use crate::host::Journal;
use crate::limits;
use crate::local::Refusal;
use crate::page::STYLE;
use crate::wallet::http::{Served, bad, status};
use crate::wallet::operator;
use axum::Router;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequestParts, Query};
use axum::http::{HeaderMap, StatusCode, header, request};
use axum::middleware;
use axum::response::Json;
use axum::routing::{get, post};
use caller::Caller;
use fair_core::crypto::SecretKey;
use fair_core::effect::Effect;
use fair_core::peers::Chain;
use fair_core::types::TimeMs;
use fair_core::wallet::{Event, Wallet};
use reqwest::Certificate;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

pub(super) use polls::Places;

const OPENAPI: &str = include_str!("openapi.json");

/// What the server needs. Every request has a clone, of the same parts.
#[derive(Clone)]
pub(super) struct Shop(Arc<Parts>);

impl std::ops::Deref for Shop {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What it is made of.
pub(super) struct Parts {
    pub(super) wallet: Served,
    pub(super) keys: Keyring,
    pub(super) journal: Arc<Journal>,
    /// Where others reach it, without a slash at the end.
    pub(super) url: String,
    /// Links to refunds are made with it.
    pub(super) secret: SecretKey,
    /// Where webhooks may go.
    pub(super) reach: Reach,
    /// Tells which endpoint was changed, once that is durable.
    pub(super) endpoints: mpsc::Sender<EndpointId>,
    /// Authorities of their certificates, beside those that the system trusts.
    pub(super) authorities: Arc<Vec<Certificate>>,
    pub(super) attempts: Attempts,
    /// The newest event that is durable.
    pub(super) told: watch::Receiver<u64>,
    pub(super) waiting: Places,
}

pub(super) fn router(parts: Parts) -> Router {
    let shop = Shop(Arc::new(parts));
    let served = shop.wallet.clone();
    let operated = operator::routes(&served).route("/v1/status", get(status)).with_state(served.clone());
    let keys = Router::new()
        .route("/v1/keys/create", post(keys::create))
        .route("/v1/keys/rotate", post(keys::rotate))
        .route("/v1/keys/list", post(keys::list))
        .route("/v1/keys/revoke", post(keys::revoke))
        .layer(middleware::from_fn_with_state(served.token, operator::admit));
    Router::new()
        .route("/v1/invoices", get(invoices::list).post(invoices::create))
        .route("/v1/invoices/{id}", get(invoices::look))
        .route("/v1/invoices/{id}/cancel", post(invoices::cancel))
        .route("/v1/invoices/{id}/receipt", get(invoices::receipt))
        .route("/v1/invoices/{id}/refunds", post(money::refund))
        .route("/v1/refunds", get(money::list_refunds))
        .route("/v1/refunds/{id}", get(money::look_at_refund))
        .route("/v1/refunds/{id}/cancel", post(money::take_back))
        .route("/v1/payouts", get(money::list_payouts).post(money::payout))
        .route("/v1/payouts/{id}", get(money::look_at_payout))
        .route("/v1/balance", get(money::balance))
        .route("/v1/events", get(events::list))
        .route("/v1/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/v1/webhooks/{id}", get(webhooks::look).delete(webhooks::remove))
        .route("/v1/webhooks/{id}/enable", post(webhooks::enable))
        .route("/v1/webhooks/{id}/redeliver", post(webhooks::redeliver))
        .route("/v1/webhooks/{id}/rotate", post(webhooks::rotate))
        .route("/v1/webhooks/{id}/test", post(webhooks::try_out))
        .route("/v1/webhooks/{id}/deliveries", get(webhooks::deliveries))
        .route("/healthz", get(health::healthy))
        .route("/readyz", get(health::ready))
        .route("/v1/openapi.json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], OPENAPI) }))
        .route("/claim/{id}/{token}", get(claim::page).post(claim::claim))
        .route("/page.css", get(|| async { ([(header::CONTENT_TYPE, "text/css")], STYLE) }))
        .merge(keys)
        .with_state(shop)
        .merge(operated)
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here.") })
        .method_not_allowed_fallback(|| async {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", "This is asked for in another way.")
        })
        .layer(DefaultBodyLimit::max(limits::JSON_BYTES))
}

/// What is read from an object: a list of values without names is none.
#[derive(Debug)]
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

type Body<T> = Result<Json<Object<T>>, JsonRejection>;
/// Parameters as they are written, so that what is wrong can be named.
type Asked = Result<Query<Vec<(String, String)>>, QueryRejection>;
type Answer = Result<Json<Value>, Refusal>;
type Work<T> = (Vec<Effect<Event>>, Result<T, Refused>);

/// Something was made.
type Made = Result<(StatusCode, Json<Value>), Refusal>;

fn read<T>(body: Body<T>) -> Result<T, Refusal> {
    let Json(Object(body)) = body.map_err(|error| Refusal::new(error.status(), "input.json", error.body_text()))?;
    Ok(body)
}

/// What parameters of these names say.
fn texts<const N: usize>(asked: Asked, names: [&str; N]) -> Result<[Option<String>; N], Refusal> {
    let Query(asked) = asked.map_err(|error| bad("input.query", error.body_text()))?;
    let mut texts = [const { None }; N];
    for (name, value) in asked {
        let place = names.iter().zip(&mut texts).find(|(known, _)| **known == name);
        let Some((name, text)) = place else {
            let known = names.join(", ");
            return Err(bad("input.query", format!("There is no parameter {name:?} here; there are: {known}.")));
        };
        if text.replace(value).is_some() {
            return Err(bad(&format!("input.{name}"), format!("{name} is there twice.")));
        }
    }
    Ok(texts)
}

fn number(name: &str, text: Option<String>) -> Result<Option<u64>, Refusal> {
    let wrong = |text: &str| bad(&format!("input.{name}"), format!("{name} is a whole number, not {text:?}."));
    text.map(|text| text.parse().map_err(|_| wrong(&text))).transpose()
}

/// The numbers that parameters of these names have.
fn query<const N: usize>(asked: Asked, names: [&str; N]) -> Result<[Option<u64>; N], Refusal> {
    let mut numbers = [None; N];
    for ((to, name), text) in numbers.iter_mut().zip(names).zip(texts(asked, names)?) {
        *to = number(name, text)?;
    }
    Ok(numbers)
}

/// Which part of a list: after which number, and how many lines.
fn part(after: Option<String>, limit: Option<String>) -> Result<(u64, usize), Refusal> {
    Ok((number("after", after)?.unwrap_or(0), invoices::lines(number("limit", limit)?)?))
}

/// The state that a parameter names.
fn state<S>(name: Option<String>, read: fn(&str) -> Option<S>) -> Result<Option<S>, Refusal> {
    let known =
        |name: String| read(&name).ok_or_else(|| bad("input.state", format!("There is no state {name:?} here.")));
    name.map(known).transpose()
}

/// The shop's own name for what it asks for.
struct Name(String);

impl<S: Sync> FromRequestParts<S> for Name {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Refusal> {
        name_of(&parts.headers).map(Self)
    }
}

/// It is looked at after the key.
type Named = Result<Name, Refusal>;

fn name_of(headers: &HeaderMap) -> Result<String, Refusal> {
    let wrong = || {
        let most = limits::IDEMPOTENCY_KEY_BYTES;
        bad("input.idempotency_key", format!("Idempotency-Key is a header of 1 to {most} visible ASCII characters."))
    };
    let mut names = headers.get_all("idempotency-key").iter();
    let (Some(name), None) = (names.next(), names.next()) else { return Err(wrong()) };
    let name = name.to_str().map_err(|_| wrong())?;
    let fits = (1..=limits::IDEMPOTENCY_KEY_BYTES).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(name.to_owned()) } else { Err(wrong()) }
}

fn refusal(refused: &Refused) -> Refusal {
    let (status, code) = refused.kind();
    let refusal = Refusal::new(status, code, refused.to_string());
    match (refused.data(), refused.wait_s()) {
        (Some(data), _) => refusal.with_data(data),
        (None, Some(wait_s)) => refusal.after(wait_s),
        (None, None) => refusal,
    }
}

impl Shop {
    /// Works at the desk. Returns when everything that this came to is durable.
    async fn at_desk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk, &mut Wallet, &Chain<'_>, TimeMs) -> Work<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let done = self.wallet.host.ask(move |hosted, chain, now_ms| match &mut hosted.desk {
            Some(desk) => {
                let (effects, result) = work(desk, &mut hosted.wallet, chain, now_ms);
                (effects, result.map_err(|refused| refusal(&refused)))
            }
            None => (Vec::new(), Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here."))),
        });
        done.await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merchant::event::KINDS;

    #[test]
    fn the_document_names_all_types_of_events() {
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        assert_eq!(document["components"]["schemas"]["EventType"]["enum"], serde_json::json!(KINDS));
    }

    #[test]
    fn a_body_is_an_object_that_says_everything_once() {
        #[derive(serde::Deserialize)]
        struct Wanted {
            amount: u64,
        }
        let of = |text: &str| serde_json::from_str::<Object<Wanted>>(text).ok().map(|Object(wanted)| wanted.amount);
        assert_eq!(of(r#"{"amount":5}"#), Some(5));
        for bad in ["[5]", "5", "null", "{}", r#"{"amount":5,"amount":5}"#, r#"{"amount":5}5"#] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_parameter_is_named() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            query(Ok(Query(pairs)), ["after", "limit"])
        };
        assert_eq!(of(&[("limit", "7")]).unwrap(), [None, Some(7)]);
        for (pairs, name) in [
            ([("after", "x")].as_slice(), "after"),
            (&[("limit", "-1")], "limit"),
            (&[("limit", "")], "limit"),
            (&[("limit", "1"), ("limit", "1")], "limit"),
            (&[("until", "1")], "until"),
        ] {
            assert!(of(pairs).unwrap_err().message().contains(name), "{pairs:?}");
        }
    }
}
