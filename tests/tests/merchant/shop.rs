//! A shop's server, as its author writes it, with the merchant behind it and somebody who pays.

use anyhow::{Context as _, Result, bail, ensure};
use fair_tests::network::{MERCHANT, Network, NewWallet, Plan};
use fair_tests::wait;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Who pays.
pub(super) const PAYER: &str = "payer";
/// Reached only by a failure.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
/// What every key of a whole shop is good for.
pub(super) const ALL: [&str; 7] =
    ["invoices:read", "invoices:write", "refunds", "payouts", "events:read", "balance:read", "webhooks"];

/// A network with a merchant and a payer, both with money.
pub(super) struct World {
    pub(super) network: Network,
    pub(super) shop: Shop,
}

/// Whoever has a key.
#[derive(Clone)]
pub(super) struct Shop {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    pub(super) retry_after: Option<u64>,
}

impl Answer {
    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// The code of an error.
    #[track_caller]
    pub(super) fn code(self, status: u16) -> String {
        self.expect(status)["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A name that nobody has used.
pub(super) fn fresh() -> String {
    static NAMES: AtomicU64 = AtomicU64::new(0);
    format!("order-{}-{}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed))
}

impl World {
    /// `settings` is what the operator writes into `merchant.toml` beside that it funds itself.
    pub(super) async fn start(settings: &str) -> Result<Self> {
        Self::start_as(&Plan::new()?, settings).await
    }

    /// The same in a network of a kind, with one validator.
    pub(super) async fn start_as(plan: &Plan, settings: &str) -> Result<Self> {
        let mut network = Network::start(&Plan { validators: 1, ..plan.clone() }).await?;
        network.add_wallet(&NewWallet { name: PAYER, settings: None, side: None }).await?;
        network.add_merchant(MERCHANT, &format!("funds_itself = true\n{settings}")).await?;
        let key = make_key(&network, &ALL).await?;
        let shop = Shop::new(&network, &key)?;
        Self::with(network, shop).await
    }

    /// Waits until payer and merchant of a network have money.
    pub(super) async fn with(network: Network, shop: Shop) -> Result<Self> {
        let world = Self { network, shop };
        for name in [PAYER, MERCHANT] {
            wait::until("money in the channels", PATIENCE, async || {
                let status = world.status(name).await?;
                Ok((status["assets"][0]["can_send"].as_u64() >= Some(100_000)).then_some(()))
            })
            .await?;
        }
        Ok(world)
    }

    pub(super) async fn status(&self, name: &str) -> Result<Value> {
        let url = format!("{}/v1/status", self.network.url_of(name)?);
        Ok(self.shop.http.get(url).send().await?.error_for_status()?.json().await?)
    }

    /// An order to a process of the operator.
    pub(super) async fn order(&self, name: &str, path: &str, body: &Value) -> Result<Answer> {
        let token = self.network.operator_token(name)?;
        let request = self.shop.http.post(format!("{}{path}", self.network.url_of(name)?));
        answer(request.header("x-fair-operator", token.trim()).json(body)).await
    }

    /// Lets the payer pay an invoice, and says how that stands at the end.
    pub(super) async fn pay(&self, invoice: &Value) -> Result<String> {
        let body = json!({ "invoice": invoice["invoice"] });
        let request = self.shop.http.post(format!("{}/v1/pay-me", self.network.url_of(PAYER)?)).json(&body);
        let answer = answer(request).await?;
        let state = answer.body["state"].as_str().or(answer.body["code"].as_str());
        Ok(state.context("a state")?.to_owned())
    }

    /// Puts the merchant's clock so far ahead of the time of day, and says what it shows.
    pub(super) async fn put_clock(&self, ahead_ms: u64) -> Result<u64> {
        let request = self.shop.request(Method::POST, "/v1/clock").header("x-fair-operator", "1");
        let answer = self.shop.send(request.json(&json!({ "ahead_ms": ahead_ms }))).await?;
        answer.body["now_ms"].as_u64().context("programs with the feature `crash-points` (docs/testing.md)")
    }

    /// What a wallet has with its bank: insured and uninsured.
    pub(super) async fn money(&self, name: &str) -> Result<u64> {
        let status = self.status(name).await?;
        let part = |part: &str| status["assets"][0][part].as_u64().unwrap_or(0);
        Ok(part("insured") + part("uninsured") + part("in_flight"))
    }
}

/// A key, made by the operator's command.
pub(super) async fn make_key(network: &Network, scopes: &[&str]) -> Result<String> {
    make_key_of(network, "test", scopes).await
}

/// A key with a name.
pub(super) async fn make_key_of(network: &Network, name: &str, scopes: &[&str]) -> Result<String> {
    let mut arguments = vec!["create", "--name", name];
    for scope in scopes {
        arguments.extend(["--scope", scope]);
    }
    let printed = network.node(MERCHANT, "key", &arguments).await?;
    let made: Value = serde_json::from_str(&printed)?;
    Ok(made["key"].as_str().context("a key")?.to_owned())
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Answer> {
    let response = request.send().await?;
    let status = response.status();
    let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let text = response.text().await?;
    let body =
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(json!({ "text": text })) };
    Ok(Answer { status, body, retry_after })
}

impl Shop {
    pub(super) fn new(network: &Network, key: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { http, url: network.url_of(MERCHANT)?.to_owned(), key: key.to_owned() })
    }

    /// The same shop with another key.
    pub(super) fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub(super) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    pub(super) async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer> {
        answer(request).await
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer> {
        answer(self.request(Method::GET, path)).await
    }

    /// Asks for something under a name.
    pub(super) async fn named(&self, path: &str, name: &str, body: &Value) -> Result<Answer> {
        answer(self.request(Method::POST, path).header("idempotency-key", name).json(body)).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.named(path, &fresh(), body).await
    }

    /// A new invoice.
    pub(super) async fn invoice(&self, body: &Value) -> Result<Value> {
        Ok(self.post("/v1/invoices", body).await?.expect(201))
    }

    pub(super) async fn look(&self, invoice: &Value) -> Result<Value> {
        let id = invoice["id"].as_str().context("an id")?;
        Ok(self.get(&format!("/v1/invoices/{id}")).await?.expect(200))
    }

    /// Waits until an invoice stands so.
    pub(super) async fn until(&self, invoice: &Value, state: &str) -> Result<Value> {
        let id = invoice["id"].as_str().context("an id")?;
        for _ in 0..8 {
            let seen = self.get(&format!("/v1/invoices/{id}?wait=20")).await?.expect(200);
            if seen["state"] == state {
                return Ok(seen);
            }
            ensure!(!matches!(seen["state"].as_str(), Some("paid" | "cancelled")), "{seen}");
        }
        bail!("invoice {id} does not become {state}")
    }

    /// All events.
    pub(super) async fn events(&self) -> Result<Vec<Value>> {
        let mut events = Vec::new();
        let mut after = 0;
        loop {
            let page = self.get(&format!("/v1/events?after={after}&limit=50")).await?.expect(200);
            events.extend(page["events"].as_array().context("events")?.iter().cloned());
            after = page["cursor"].as_u64().context("a cursor")?;
            if page["more"] == false {
                return Ok(events);
            }
        }
    }

    /// The number of the newest event; 0 before the first.
    pub(super) async fn newest_event(&self) -> Result<u64> {
        let mut page = self.get("/v1/events").await?.expect(200);
        while page["more"] == true {
            page = self.get(&format!("/v1/events?after={}", page["cursor"])).await?.expect(200);
        }
        page["cursor"].as_u64().context("a cursor")
    }

    /// Waits for an event of a kind about something.
    pub(super) async fn event(&self, kind: &str, id: &Value) -> Result<Value> {
        let wanted = |event: &Value| event["type"] == kind && event["data"]["id"] == *id;
        self.first(wanted).await.with_context(|| format!("{kind} of {id}"))
    }

    /// Waits for the first event that is wanted.
    pub(super) async fn first(&self, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let end = Instant::now() + PATIENCE;
        let mut after = 0;
        while Instant::now() < end {
            let page = self.get(&format!("/v1/events?after={after}&wait=20")).await?.expect(200);
            let events = page["events"].as_array().context("events")?;
            if let Some(found) = events.iter().find(|event| wanted(event)) {
                return Ok(found.clone());
            }
            after = page["cursor"].as_u64().context("a cursor")?;
        }
        bail!("no such event")
    }
}
