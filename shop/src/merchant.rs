//! The merchant's interface, as docs/merchants.md describes it.

use crate::order::{Event, Invoice};
use anyhow::{Context as _, Result, bail};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
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

#[derive(Deserialize)]
struct Endpoint {
    secret: String,
}

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

    /// The invoice as it stands.
    pub(crate) async fn look(&self, id: &str) -> Result<Invoice> {
        self.send(self.get(&format!("/v1/invoices/{id}"))).await
    }

    pub(crate) async fn cancel(&self, id: &str) -> Result<Cancelled> {
        let answer = self.post(&format!("/v1/invoices/{id}/cancel")).send().await?;
        match answer.status() {
            status if status.is_success() => Ok(Cancelled::Yes),
            StatusCode::CONFLICT => Ok(Cancelled::Taken),
            status => bail!("cancelling an invoice: {status}"),
        }
    }

    /// Lets events be brought to `url`, and returns the secret that they are signed with. Asked again it answers the
    /// same.
    pub(crate) async fn webhook(&self, url: &str) -> Result<String> {
        let named = self.post("/v1/webhooks").header("idempotency-key", format!("webhook-{url}"));
        Ok(self.send::<Endpoint>(named.json(&json!({ "url": url }))).await?.secret)
    }

    pub(crate) async fn events(&self, after: u64) -> Result<Events> {
        self.send(self.get(&format!("/v1/events?after={after}"))).await
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
            bail!("the merchant answers {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("the merchant answers {text}"))
    }
}
