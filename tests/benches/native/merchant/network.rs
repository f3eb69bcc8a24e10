//! A merchant's process with a shop's clients, payers, a bank and a receiver of webhooks.

use crate::measure::time_of;
use anyhow::{Context as _, Result, ensure};
use fair_tests::network::{BANK, MERCHANT, Network, NewWallet, Plan};
use fair_tests::receiver::Receiver;
use fair_tests::wait;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Of a shop, each with a key and a connection of its own. Their keys' limits are above what is measured.
pub(super) const CLIENTS: u32 = 48;
pub(super) const INVOICES_OF_A_CLIENT: u32 = 150;
/// Payments that are accepted.
pub(super) const PAYMENTS: usize = 3_000;

/// Processes that pay, and payments of each that are under way at once.
const PAYERS: usize = 12;
const LANES: usize = 4;
/// In cents.
const AMOUNT: u64 = 10;
const MAX_FEE: u64 = 100;
/// What a payer has at least before it is measured.
const MONEY: u64 = 150_000;
/// Reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the merchant's process did in a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figures {
    /// How many invoices or payments.
    pub(super) count: u32,
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    /// Frames of its channel with the bank.
    pub(super) frames: u64,
    pub(super) commits: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// Invoices that were made, as text.
pub(super) struct Made {
    pub(super) figures: Figures,
    pub(super) texts: Vec<String>,
}

/// The merchant's counters at one moment.
struct Reading {
    at: Instant,
    cpu: Duration,
    status: Value,
}

pub(super) struct World {
    network: Network,
    http: reqwest::Client,
    keys: Vec<String>,
    receiver: Receiver,
    merchant: u32,
    payers: Vec<String>,
}

fn number(value: &Value) -> Result<u64> {
    value.as_u64().with_context(|| format!("no number: {value}"))
}

fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?)
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value> {
    let response = request.send().await?;
    let (status, text) = (response.status(), response.text().await?);
    ensure!(status.is_success(), "{status}: {text}");
    Ok(serde_json::from_str(&text)?)
}

impl World {
    /// Everything runs, and whoever pays has money.
    pub(super) async fn start() -> Result<Self> {
        let mut network = Network::start(&Plan { validators: 1, ..Plan::new()? }).await?;
        network.add_merchant(MERCHANT, "funds_itself = true\nprivate_webhooks = true\n").await?;
        let payers: Vec<String> = (1..=PAYERS).map(|number| format!("payer{number}")).collect();
        for name in &payers {
            network.add_wallet(&NewWallet { name, settings: None, side: None }).await?;
        }
        let merchant = network.process(MERCHANT)?.id().context("the merchant runs")?;
        let (http, receiver) = (client()?, Receiver::start().await?);
        let mut world = Self { network, http, keys: Vec::new(), receiver, merchant, payers };
        for number in 0..CLIENTS {
            let scopes = ["invoices:write", "webhooks"];
            let wanted = json!({ "scopes": scopes, "name": number.to_string() });
            let made = world.order(MERCHANT, "/v1/keys/create", &wanted).await?;
            world.keys.push(made["key"].as_str().context("a key")?.to_owned());
        }
        let body = json!({ "url": world.receiver.url() });
        let hook = world.http.post(format!("{}/v1/webhooks", world.url(MERCHANT)?)).bearer_auth(world.key(0)?);
        answer(hook.header("idempotency-key", "hook").json(&body)).await?;
        wait::until("money in the channels", PATIENCE, async || {
            let mut have = true;
            for name in world.payers.iter().map(String::as_str).chain([MERCHANT]) {
                have &= world.status(name).await?["assets"][0]["can_send"].as_u64() >= Some(MONEY);
            }
            Ok(have.then_some(()))
        })
        .await?;
        Ok(world)
    }

    pub(super) async fn end(self) -> Result<()> {
        self.network.shut_down().await
    }

    fn url(&self, name: &str) -> Result<&str> {
        self.network.url_of(name)
    }

    fn key(&self, number: usize) -> Result<&str> {
        self.keys.get(number).map(String::as_str).context("a key")
    }

    async fn order(&self, name: &str, path: &str, body: &Value) -> Result<Value> {
        let token = self.network.operator_token(name)?;
        let request = self.http.post(format!("{}{path}", self.url(name)?));
        answer(request.header("x-fair-operator", token.trim()).json(body)).await
    }

    async fn status(&self, name: &str) -> Result<Value> {
        answer(self.http.get(format!("{}/v1/status", self.url(name)?))).await
    }

    async fn read(&self) -> Result<Reading> {
        let status = self.status(MERCHANT).await?;
        Ok(Reading { at: Instant::now(), cpu: time_of(self.merchant)?, status })
    }

    async fn since(&self, before: &Reading, count: u32) -> Result<Figures> {
        let now = self.read().await?;
        let grown = |path: &str| {
            let of = |reading: &Reading| number(reading.status.pointer(path).unwrap_or(&Value::Null));
            Ok::<_, anyhow::Error>(of(&now)? - of(before)?)
        };
        Ok(Figures {
            count,
            wall: now.at - before.at,
            cpu: now.cpu.saturating_sub(before.cpu),
            frames: grown("/channel/frame")?,
            commits: grown("/stored/commits")?,
            rows: grown("/stored/rows")?,
            bytes: grown("/stored/bytes")?,
        })
    }

    /// Lets clients make invoices, each on its connection one after another.
    pub(super) async fn make_invoices(&self, clients: u32, each: u32) -> Result<Made> {
        let url = format!("{}/v1/invoices", self.url(MERCHANT)?);
        let make = |http: reqwest::Client, url: String, key: String, name: String| async move {
            let body = json!({ "amount": AMOUNT, "description": "A cup of coffee", "reference": name });
            let made = answer(http.post(url).bearer_auth(key).header("idempotency-key", &name).json(&body)).await?;
            Ok::<_, anyhow::Error>(made["invoice"].as_str().context("an invoice")?.to_owned())
        };
        // The connection stands before the time begins.
        let mut ready = Vec::new();
        for number in 0..clients {
            let (http, key) = (client()?, self.key(usize::try_from(number)?)?.to_owned());
            make(http.clone(), url.clone(), key.clone(), format!("warm-{number}")).await?;
            ready.push((http, key, number));
        }
        let before = self.read().await?;
        let mut tasks = JoinSet::new();
        for (http, key, number) in ready {
            let url = url.clone();
            tasks.spawn(async move {
                let mut made = Vec::new();
                for order in 0..each {
                    let name = format!("order-{number}-{order}");
                    made.push(make(http.clone(), url.clone(), key.clone(), name).await?);
                }
                Ok::<_, anyhow::Error>(made)
            });
        }
        let mut texts = Vec::new();
        while let Some(made) = tasks.join_next().await {
            texts.extend(made??);
        }
        let count = clients * each;
        ensure!(texts.len() == usize::try_from(count)?, "{} invoices", texts.len());
        Ok(Made { figures: self.since(&before, count).await?, texts })
    }

    /// Nothing is under way anywhere, every invoice is paid, and every event was taken.
    async fn rests(&self, paid: usize) -> Result<bool> {
        let (events, told) = self.receiver.counts();
        if told < paid {
            return Ok(false);
        }
        let bank = self.status(BANK).await?;
        let mut rests = bank["exposure"]["forwards"] == 0;
        for name in self.payers.iter().map(String::as_str).chain([MERCHANT]) {
            rests &= self.status(name).await?["channel"]["idle"] == true;
        }
        let hooks = self.http.get(format!("{}/v1/webhooks", self.url(MERCHANT)?)).bearer_auth(self.key(0)?);
        let next = number(&answer(hooks).await?["webhooks"][0]["next_sequence"])?;
        Ok(rests && next == u64::try_from(events)? + 1)
    }

    /// Lets the payers pay invoices, and waits until nothing is left to do.
    pub(super) async fn pay(&self, texts: Vec<String>) -> Result<Figures> {
        let (count, warm) = (texts.len(), PAYERS * LANES);
        ensure!(count > 2 * warm, "too few invoices to pay");
        let mut texts = texts;
        self.pay_all(texts.split_off(count - warm), 0).await?;
        wait::until("the first payments", PATIENCE, async || Ok(self.rests(warm).await?.then_some(()))).await?;
        let paid = texts.len();
        let before = self.read().await?;
        self.pay_all(texts, warm).await?;
        wait::until("rest", PATIENCE, async || Ok(self.rests(count).await?.then_some(()))).await?;
        self.since(&before, u32::try_from(paid)?).await
    }

    /// `from` is the number of the first one, so that each has a name of its own.
    async fn pay_all(&self, texts: Vec<String>, from: usize) -> Result<()> {
        let waiting: Arc<Mutex<VecDeque<(usize, String)>>> = Arc::new(Mutex::new((from..).zip(texts).collect()));
        let mut tasks = JoinSet::new();
        for name in self.payers.iter().flat_map(|name| std::iter::repeat_n(name, LANES)) {
            let url = format!("{}/v1/pay", self.url(name)?);
            let token = self.network.operator_token(name)?.trim().to_owned();
            let (http, waiting) = (client()?, waiting.clone());
            tasks.spawn(async move {
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((number, text)) = next else { return Ok::<_, anyhow::Error>(()) };
                    let body = json!({ "request": format!("{number:032x}"), "to": text, "max_fee": MAX_FEE });
                    let paid = answer(http.post(&url).header("x-fair-operator", &token).json(&body)).await?;
                    ensure!(paid["state"] == "paid", "{paid}");
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}
