//! The merchant's interface, as docs/merchants.md describes it.

use crate::order::{Event, Invoice};
use anyhow::{Context as _, Error, Result};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The merchant, with a key.
pub(crate) struct Merchant {
    http: Client,
    url: String,
    key: String,
}

/// Events from a place on.
#[derive(Deserialize)]
pub(crate) struct Events {
    pub(crate) events: Vec<Event>,
    pub(crate) cursor: u64,
    pub(crate) more: bool,
}

/// What there is to know of events after a place.
pub(crate) enum After {
    Events(Events),
    /// Those next to it are forgotten; this is the first that there still is.
    Forgotten(u64),
}

/// Where events are brought.
#[derive(Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    /// What they are signed with. It is told for some minutes after it was made.
    pub(crate) secret: Option<String>,
}

/// A refund as the merchant shows it.
#[derive(Debug, Deserialize)]
pub(crate) struct Outgoing {
    pub(crate) id: String,
    pub(crate) state: String,
    /// A page that asks where it goes, as long as nobody has said so.
    pub(crate) claim_url: Option<String>,
}

/// What the merchant answers instead.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    code: String,
    data: Value,
    text: String,
}

impl Refusal {
    fn read(status: StatusCode, text: String) -> Self {
        let mut body: Value = serde_json::from_str(&text).unwrap_or_default();
        let code = body["code"].as_str().unwrap_or_default().to_owned();
        Self { status, code, data: body["data"].take(), text }
    }

    /// The refusal that `error` is, if it has this code.
    fn of<'a>(error: &'a Error, code: &str) -> Option<&'a Self> {
        error.downcast_ref::<Self>().filter(|refusal| refusal.code == code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the merchant answers {}: {}", self.status, self.text)
    }
}

impl std::error::Error for Refusal {}

const UNKNOWN_INVOICE: &str = "invoice.unknown";

/// Whether an invoice is out of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancelled {
    Yes,
    /// It is paid or being paid.
    Taken,
}

impl Merchant {
    pub(crate) fn new(url: &str, key: &str) -> Result<Self> {
        let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), key: key.to_owned() })
    }

    /// An invoice under a name: the same name gets the same one.
    pub(crate) async fn invoice(&self, name: &str, wanted: &Value) -> Result<Invoice> {
        self.send(self.post("/v1/invoices").header("idempotency-key", name).json(wanted)).await
    }

    /// The invoice as it stands; none if it ended unpaid so long ago that the merchant has forgotten it.
    pub(crate) async fn look(&self, id: &str) -> Result<Option<Invoice>> {
        match self.send(self.get(&format!("/v1/invoices/{id}"))).await {
            Err(error) if Refusal::of(&error, UNKNOWN_INVOICE).is_some() => Ok(None),
            looked => looked.map(Some),
        }
    }

    pub(crate) async fn cancel(&self, id: &str) -> Result<Cancelled> {
        match self.send::<IgnoredAny>(self.post(&format!("/v1/invoices/{id}/cancel"))).await {
            Ok(_) => Ok(Cancelled::Yes),
            // Nobody can pay what the merchant has forgotten.
            Err(error) if Refusal::of(&error, UNKNOWN_INVOICE).is_some() => Ok(Cancelled::Yes),
            Err(error) if is_conflict(&error) => Ok(Cancelled::Taken),
            Err(error) => Err(error.context("cancelling an invoice")),
        }
    }

    /// Gives back what is left of an invoice, once under a name: to where its payer said, or to whoever has the link.
    /// None if nothing is left.
    pub(crate) async fn refund(&self, invoice: &str, name: &str, by_link: bool) -> Result<Option<Outgoing>> {
        let named = self.post(&format!("/v1/invoices/{invoice}/refunds")).header("idempotency-key", name);
        match self.send(named.json(&json!({ "link": by_link }))).await {
            Err(error) if Refusal::of(&error, "refund.too_much").is_some() => Ok(None),
            made => made.map(Some),
        }
    }

    /// How a refund stands.
    pub(crate) async fn look_at_refund(&self, id: &str) -> Result<Outgoing> {
        self.send(self.get(&format!("/v1/refunds/{id}"))).await
    }

    /// Lets events be brought to `url`. Asked again it is the same endpoint.
    pub(crate) async fn webhook(&self, url: &str) -> Result<Endpoint> {
        let named = self.post("/v1/webhooks").header("idempotency-key", format!("webhook-{url}"));
        self.send(named.json(&json!({ "url": url }))).await
    }

    /// Lets an endpoint have another secret, once under a name.
    pub(crate) async fn another_secret(&self, endpoint: &str, name: &str) -> Result<Endpoint> {
        self.send(self.post(&format!("/v1/webhooks/{endpoint}/rotate")).header("idempotency-key", name)).await
    }

    pub(crate) async fn events(&self, after: u64) -> Result<After> {
        match self.send(self.get(&format!("/v1/events?after={after}"))).await {
            Ok(events) => Ok(After::Events(events)),
            Err(error) => {
                let refusal = Refusal::of(&error, "event.forgotten");
                refusal.and_then(|refusal| refusal.data["first"].as_u64()).map(After::Forgotten).ok_or(error)
            }
        }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let answer = request.send().await.context("the merchant does not answer")?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            return Err(Refusal::read(status, text).into());
        }
        serde_json::from_str(&text).with_context(|| format!("the merchant answers {text}"))
    }
}

/// Whether the merchant's wallet refused to pay: it moved nothing.
pub(crate) fn is_impossible(error: &Error) -> bool {
    Refusal::of(error, "wallet.refused").is_some()
}

fn is_conflict(error: &Error) -> bool {
    error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.status == StatusCode::CONFLICT)
}
