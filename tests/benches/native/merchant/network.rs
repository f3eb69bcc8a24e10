//! A merchant's process with a shop's clients, payers, a bank and a receiver of webhooks.

use crate::measure::Times;
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
#[derive(Clone, Debug, Default, PartialEq)]
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

impl Figures {
    /// Another run.
    pub(super) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.wall += other.wall;
        self.cpu += other.cpu;
        self.frames += other.frames;
        self.commits += other.commits;
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}

/// The merchant's counters at one moment.
struct Reading {
    at: Instant,
    cpu: Times,
    status: Value,
}

/// Who makes invoices, with a connection of its own.
struct Client {
    number: u32,
    key: String,
    http: reqwest::Client,
    /// How many it has made.
    made: u32,
}

impl Client {
    /// Makes so many, one after another, and returns their texts.
    async fn make(mut self, url: String, count: u32) -> Result<(Self, Vec<String>)> {
        let mut texts = Vec::new();
        for _ in 0..count {
            let name = format!("order-{}-{}", self.number, self.made);
            self.made += 1;
            let body = json!({ "amount": AMOUNT, "description": "A cup of coffee", "reference": name });
            let request = self.http.post(&url).bearer_auth(&self.key).header("idempotency-key", &name);
            let made = answer(request.json(&body)).await?;
            texts.push(made["invoice"].as_str().context("an invoice")?.to_owned());
        }
        Ok((self, texts))
    }
}

pub(super) struct World {
    network: Network,
    http: reqwest::Client,
    clients: Vec<Client>,
    /// Invoices that nobody has paid, as text.
    open: VecDeque<String>,
    /// How many were paid.
    paid: usize,
    receiver: Receiver,
    hooks_key: String,
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
        let (clients, open, hooks_key) = (Vec::new(), VecDeque::new(), String::new());
        let mut world = Self { network, http, clients, open, paid: 0, receiver, hooks_key, merchant, payers };
        for number in 0..CLIENTS {
            let key = world.make_key("invoices:write", &number.to_string()).await?;
            world.clients.push(Client { number, key, http: client()?, made: 0 });
        }
        world.hooks_key = world.make_key("webhooks", "hooks").await?;
        let body = json!({ "url": world.receiver.url() });
        let hook = world.http.post(format!("{}/v1/webhooks", world.url(MERCHANT)?)).bearer_auth(&world.hooks_key);
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

    /// A key of the shop that is good for one thing.
    async fn make_key(&self, scope: &str, name: &str) -> Result<String> {
        let made = self.order(MERCHANT, "/v1/keys/create", &json!({ "scopes": [scope], "name": name })).await?;
        Ok(made["key"].as_str().context("a key")?.to_owned())
    }

    async fn order(&self, name: &str, path: &str, body: &Value) -> Result<Value> {
        let token = self.network.operator_token(name)?;
        let request = self.http.post(format!("{}{path}", self.url(name)?));
        answer(request.header("x-fair-operator", token.trim()).json(body)).await
    }

    async fn status(&self, name: &str) -> Result<Value> {
        answer(self.http.get(format!("{}/v1/status", self.url(name)?))).await
    }

    /// Its time is read last, so that the reading is no part of what follows.
    async fn read(&self) -> Result<Reading> {
        let status = self.status(MERCHANT).await?;
        Ok(Reading { status, cpu: Times::of(self.merchant)?, at: Instant::now() })
    }

    /// Here its time is read first.
    async fn since(&self, before: &Reading, count: u32) -> Result<Figures> {
        let (wall, cpu) = (before.at.elapsed(), Times::of(self.merchant)?.since(&before.cpu)?);
        let status = self.status(MERCHANT).await?;
        let grown = |path: &str| {
            let of = |status: &Value| number(status.pointer(path).unwrap_or(&Value::Null));
            Ok::<_, anyhow::Error>(of(&status)? - of(&before.status)?)
        };
        Ok(Figures {
            count,
            wall,
            cpu,
            frames: grown("/channel/frame")?,
            commits: grown("/stored/commits")?,
            rows: grown("/stored/rows")?,
            bytes: grown("/stored/bytes")?,
        })
    }

    /// Lets every client make invoices, each on its connection one after another.
    pub(super) async fn make_invoices(&mut self, each: u32) -> Result<Figures> {
        let url = format!("{}/v1/invoices", self.url(MERCHANT)?);
        let before = self.read().await?;
        let mut tasks = JoinSet::new();
        for client in std::mem::take(&mut self.clients) {
            tasks.spawn(client.make(url.clone(), each));
        }
        while let Some(made) = tasks.join_next().await {
            let (client, texts) = made??;
            self.clients.push(client);
            self.open.extend(texts);
        }
        self.since(&before, CLIENTS * each).await
    }

    /// Nothing is under way anywhere, every invoice is paid, and every event was taken.
    async fn rests(&self) -> Result<bool> {
        let (events, told) = self.receiver.counts();
        if told < self.paid {
            return Ok(false);
        }
        let bank = self.status(BANK).await?;
        let mut rests = bank["exposure"]["forwards"] == 0;
        for name in self.payers.iter().map(String::as_str).chain([MERCHANT]) {
            rests &= self.status(name).await?["channel"]["idle"] == true;
        }
        let hooks = self.http.get(format!("{}/v1/webhooks", self.url(MERCHANT)?)).bearer_auth(&self.hooks_key);
        let next = number(&answer(hooks).await?["webhooks"][0]["next_sequence"])?;
        Ok(rests && next == u64::try_from(events)? + 1)
    }

    /// Lets the payers pay so many invoices, and waits until nothing is left to do.
    pub(super) async fn pay(&mut self, count: usize) -> Result<Figures> {
        ensure!(self.open.len() >= count, "too few invoices to pay");
        let texts: Vec<String> = self.open.drain(..count).collect();
        let before = self.read().await?;
        self.pay_all(texts).await?;
        self.paid += count;
        wait::until("rest", PATIENCE, async || Ok(self.rests().await?.then_some(()))).await?;
        self.since(&before, u32::try_from(count)?).await
    }

    /// Each payment has a number of its own.
    async fn pay_all(&self, texts: Vec<String>) -> Result<()> {
        let waiting: Arc<Mutex<VecDeque<(usize, String)>>> = Arc::new(Mutex::new((self.paid..).zip(texts).collect()));
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
