//! Operators' orders: from the own machine alone, checked before anything is signed, each done once.

use anyhow::{Context, Result, ensure};
use fair_core::codec;
use fair_core::ledger::operation::{CreateAsset, Operation, Vote};
use fair_core::types::PublicKey;
use fair_tests::network::{BANK, Members, Network, NewWallet, Plan};
use fair_tests::wait;
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const WALLET: &str = "customer";
/// More points than the bank passes between an order and the outcome of its batch.
const BANK_POINTS: u64 = 10;

struct World {
    network: Network,
    http: reqwest::Client,
    key: PublicKey,
}

/// The name of an order.
fn named(number: u8) -> String {
    format!("{number:032x}")
}

impl World {
    async fn start() -> Result<Self> {
        let plan = Plan { members: Members::All, block_time_ms: Some(200), ..Plan::new()? };
        let mut network = Network::start(&plan).await?;
        let settings = Some("funds_itself = false\ncredit_limit = 5000\n");
        let key = network.add_wallet(&NewWallet { name: WALLET, settings, side: None }).await?;
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?;
        Ok(Self { network, http, key })
    }

    /// Status and answer of an order of a process's operator.
    async fn order(&self, name: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.send(name, path, body, Some(&self.network.operator_token(name)?)).await
    }

    async fn send(&self, name: &str, path: &str, body: &Value, token: Option<&str>) -> Result<(u16, Value)> {
        let request = self.http.post(format!("{}{path}", self.network.url_of(name)?)).json(body);
        let request = token.into_iter().fold(request, |request, token| request.header("x-fair-operator", token));
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.json().await?))
    }

    async fn done(&self, name: &str, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.order(name, path, body).await?;
        ensure!(status == 200, "{path} {body}: {status} {answer}");
        Ok(answer)
    }

    /// Asserts that an order is refused with a code, and that nothing is left of it.
    async fn refused(&self, name: &str, path: &str, body: &Value, code: &str) -> Result<()> {
        let (status, answer) = self.order(name, path, body).await?;
        ensure!(status >= 400 && answer["code"] == code, "{path} {body}: {status} {answer}");
        if name == WALLET {
            let status = self.status().await?;
            ensure!(status["draft"] == 0 && status["batch_under_way"].is_null(), "{path} {body} left {status}");
        }
        Ok(())
    }

    async fn status(&self) -> Result<Value> {
        Ok(self.http.get(format!("{}/v1/status", self.network.url_of(WALLET)?)).send().await?.json().await?)
    }

    /// A number of the wallet's FRD.
    async fn frd(&self, what: &str) -> Result<u64> {
        self.status().await?["assets"][0][what].as_u64().with_context(|| what.to_owned())
    }

    async fn reaches(&self, what: &str, amount: u64) -> Result<()> {
        wait::until(format!("{what} to be {amount}"), PATIENCE, async || {
            Ok((self.frd(what).await? == amount).then_some(()))
        })
        .await
    }
}

#[tokio::test]
async fn orders_are_checked_and_done_once() -> Result<()> {
    let mut world = World::start().await?;
    only_operators_order(&world).await?;
    let deposit = deposits(&world).await?;
    payments(&world).await?;
    terms(&world).await?;
    splices(&world).await?;
    // What was answered is durable.
    let (on_chain, insured) = (world.frd("on_chain").await?, world.frd("insured").await?);
    world.network.restart(WALLET).await?;
    let again = world.done(WALLET, "/v1/deposit", &json!({ "request": named(1), "amount": 500_000 })).await?;
    ensure!(again == deposit, "{again} instead of {deposit}");
    ensure!(world.frd("on_chain").await? == on_chain && world.frd("insured").await? == insured);
    world.network.shut_down().await
}

async fn only_operators_order(world: &World) -> Result<()> {
    let body = json!({ "request": named(1), "amount": 500_000, "peer": world.key, "limit": 1, "to": "x" });
    for (name, path) in [
        (WALLET, "/v1/deposit"),
        (WALLET, "/v1/splice"),
        (WALLET, "/v1/pay"),
        (WALLET, "/v1/pay-direct"),
        (WALLET, "/v1/credit"),
        (WALLET, "/v1/insurance"),
        (WALLET, "/v1/resume"),
        (BANK, "/v1/resume"),
        (BANK, "/v1/rebalance"),
        (BANK, "/v1/pay"),
    ] {
        for token in [None, Some("1"), Some("")] {
            let (status, answer) = world.send(name, path, &body, token).await?;
            ensure!(status == 403 && answer["code"] == "operator_only", "{path}: {status} {answer}");
        }
        let forwarded = world.http.post(format!("{}{path}", world.network.url_of(name)?)).json(&body);
        let forwarded = forwarded.header("x-fair-operator", world.network.operator_token(name)?);
        let forwarded = forwarded.header("x-forwarded-for", "127.0.0.1");
        ensure!(forwarded.send().await?.status().as_u16() == 403, "{path} by way of a proxy");
    }
    Ok(())
}

async fn deposits(world: &World) -> Result<Value> {
    // Nothing comes by itself, and there is nothing to deposit yet.
    let order = |request, amount: u64| json!({ "request": named(request), "amount": amount });
    world.refused(WALLET, "/v1/deposit", &order(1, 500_000), "order.funds").await?;
    ensure!(world.frd("on_chain").await? == 0 && world.frd("insured").await? == 0);
    world.network.node(BANK, "faucet", &["--account", &world.key.to_string()]).await?;
    world.reaches("on_chain", 1_000_000).await?;
    for (body, code) in [
        (order(2, 1_000_000), "order.funds"),
        (order(2, 1_000_001), "order.funds"),
        (order(2, u64::MAX), "order.funds"),
        (order(2, 0), "input.amount"),
        (json!({ "request": named(2), "amount": 5, "asset": 77 }), "input.asset"),
        (json!({ "request": named(2), "amount": 5, "extra": 1 }), "input.json"),
        (json!({ "request": "1", "amount": 5 }), "input.json"),
        (json!({ "request": named(2), "amount": -5 }), "input.json"),
        (json!({ "amount": 5 }), "input.json"),
    ] {
        world.refused(WALLET, "/v1/deposit", &body, code).await?;
    }
    let answer = world.done(WALLET, "/v1/deposit", &order(1, 500_000)).await?;
    ensure!(answer["state"] == "applied" && answer["height"].is_u64(), "{answer}");
    let fee = answer["fee"].as_u64().context("a fee")?;
    ensure!(world.done(WALLET, "/v1/deposit", &order(1, 500_000)).await? == answer);
    world.refused(WALLET, "/v1/deposit", &order(1, 500_001), "order.request_used").await?;
    ensure!(world.frd("on_chain").await? == 500_000 - fee, "deposited once");
    world.reaches("insured", 500_000).await?;
    Ok(answer)
}

async fn payments(world: &World) -> Result<()> {
    let order = |request, amount: u64| json!({ "request": named(request), "amount": amount });
    for _ in 0..2 {
        let paid = world.done(WALLET, "/v1/pay-direct", &order(3, 1_000)).await?;
        ensure!(paid["state"] == "paid", "{paid}");
        ensure!(world.frd("insured").await? == 499_000, "paid once");
    }
    world.refused(WALLET, "/v1/pay-direct", &order(3, 1_001), "order.refused").await?;
    world.refused(WALLET, "/v1/pay-direct", &order(4, 499_001), "order.refused").await?;
    world.refused(WALLET, "/v1/pay-direct", &order(4, 0), "order.refused").await?;
    let back = |request, amount: u64| json!({ "request": named(request), "peer": world.key, "amount": amount });
    for _ in 0..2 {
        let paid = world.done(BANK, "/v1/pay", &back(3, 600)).await?;
        ensure!(paid["state"] == "paid", "{paid}");
        world.reaches("insured", 499_600).await?;
    }
    world.refused(BANK, "/v1/pay", &back(3, 601), "order.request_used").await?;
    let stranger = json!({ "request": named(4), "peer": PublicKey([7; 32]), "amount": 1 });
    world.refused(BANK, "/v1/pay", &stranger, "bank.refused").await?;
    let nonsense = |to: &str| json!({ "request": named(5), "to": to, "amount": 5 });
    world.refused(WALLET, "/v1/pay", &nonsense("fairpay1nonsense"), "payment.bad_invoice").await?;
    world.refused(WALLET, "/v1/pay", &nonsense("fairto1nonsense"), "payment.bad_address").await
}

async fn terms(world: &World) -> Result<()> {
    ensure!(world.frd("credit_limit").await? == 5_000, "as the home's settings say");
    for _ in 0..2 {
        let agreed = world.done(WALLET, "/v1/credit", &json!({ "limit": 7_000, "insure_above": 6_000 })).await?;
        ensure!(agreed == json!({ "asset": 1, "limit": 7_000, "insure_above": 6_000, "agreed": true }), "{agreed}");
    }
    ensure!(world.frd("credit_limit").await? == 7_000);
    world.refused(WALLET, "/v1/credit", &json!({ "limit": u64::MAX }), "order.refused").await?;
    // Nothing is suspended: resuming changes nothing, and a stranger has no channel.
    ensure!(world.done(WALLET, "/v1/resume", &json!({})).await? == json!({ "resumed": true }));
    ensure!(world.done(BANK, "/v1/resume", &json!({ "peer": world.key })).await? == json!({ "resumed": true }));
    world.refused(BANK, "/v1/resume", &json!({ "peer": PublicKey([7; 32]) }), "bank.refused").await?;
    // Nothing is uninsured.
    world.refused(WALLET, "/v1/insurance", &json!({}), "order.refused").await
}

async fn splices(world: &World) -> Result<()> {
    let genesis = world.network.genesis()?;
    let bank = genesis.banks.first().context("a bank")?.key;
    let mut accounts = genesis.validators.validators.iter().map(|validator| validator.account);
    let partner = accounts.find(|account| *account != bank).context("somebody else")?;
    let order = |request, amount: u64| json!({ "request": named(request), "amount": amount, "owner": world.key, "partner": partner });
    let back = json!({ "request": named(6), "amount": 5_000, "owner": world.key });
    world.refused(WALLET, "/v1/splice", &back, "order.refused").await?;
    world.refused(WALLET, "/v1/splice", &order(6, 499_601), "order.refused").await?;
    world.refused(WALLET, "/v1/splice", &order(6, 0), "input.amount").await?;
    let itself = json!({ "request": named(6), "amount": 5, "owner": world.key, "partner": world.key });
    world.refused(WALLET, "/v1/splice", &itself, "input.owner").await?;
    world.refused(WALLET, "/v1/splice", &order(1, 5_000), "order.request_used").await?;
    let on_chain = world.frd("on_chain").await?;
    let answer = wait::until("the batch of the splice", PATIENCE, async || {
        let answer = world.done(WALLET, "/v1/splice", &order(7, 100_000)).await?;
        Ok((answer["state"] == "applied").then_some(answer))
    })
    .await?;
    ensure!(world.done(WALLET, "/v1/splice", &order(7, 100_000)).await? == answer);
    world.refused(WALLET, "/v1/splice", &order(7, 100_001), "order.request_used").await?;
    let fee = answer["fee"].as_u64().context("a fee")?;
    ensure!(world.frd("on_chain").await? == on_chain - fee, "the money only passed through, once");
    world.reaches("insured", 399_600).await
}

/// The bank dies at one point after the other while an order of its operator's is under way, between its block and
/// the outcome among them. Asked again under its name, it says what became of that one batch.
#[tokio::test]
async fn an_order_of_the_banks_is_done_once_wherever_it_dies() -> Result<()> {
    let mut world = World::start().await?;
    // The bank passes points of nobody else.
    world.network.kill(WALLET).await?;
    for point in 1..=BANK_POINTS {
        let (ticker, decimals) = (format!("T{point}"), 2);
        let create = CreateAsset { name: ticker.clone(), ticker, decimals, supply: 1_000 + point };
        let operation = hex::encode(codec::encode(&Operation::CreateAsset(create)));
        let body = json!({ "request": format!("{point:032x}"), "operation": operation });
        world.done(BANK, "/v1/crash-points", &json!({ "left": point })).await?;
        // It may die before it answers.
        let _ = world.order(BANK, "/v1/order", &body).await;
        wait::until("the bank to die", PATIENCE, async || Ok((!world.network.ended()?.is_empty()).then_some(())))
            .await?;
        world.network.restart(BANK).await?;
        let mut answers = Vec::new();
        for _ in 0..2 {
            let answer = wait::until(format!("the order of point {point}"), PATIENCE, async || {
                let answer = world.done(BANK, "/v1/order", &body).await?;
                Ok((answer["state"] != "waiting").then_some(answer))
            });
            answers.push(answer.await?);
        }
        let [first, again] = answers.as_slice() else { unreachable!("two were asked for") };
        ensure!(first["state"] == "applied" && first == again, "point {point}: {first} {again}");
        let other = json!({ "request": format!("{point:032x}"), "operation": hex::encode(codec::encode(&vote())) });
        world.refused(BANK, "/v1/order", &other, "order.request_used").await?;
    }
    world.network.shut_down().await
}

fn vote() -> Operation {
    Operation::Vote(Vote { proposal: 1, approve: true, rationale: String::new() })
}
