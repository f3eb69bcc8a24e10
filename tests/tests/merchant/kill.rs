//! The merchant is killed at every durable write and every send of an invoice's life, in turn, and started again:
//! channel, invoice, refund, events and webhooks agree. The invoice is made once, paid exactly when the payer paid,
//! refunded once, told of once, and each event arrives at the receiver, the newest perhaps twice, under the same id.
//! The same of what may follow a payment ([`after`]).

mod after;

use crate::shop::{Answer, PATIENCE, PAYER, World, fresh};
use anyhow::{Context as _, Result, ensure};
use fair_tests::network::{BANK, MERCHANT};
use fair_tests::points::{self, Outcome};
use fair_tests::receiver::Receiver;
use fair_tests::wait;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;

/// In cents.
const AMOUNT: u64 = 25;
/// What of it goes back.
const REFUND: u64 = 10;
/// SIGKILL.
const KILLED: i32 = 9;
/// One that none of this many lives came to was no point of a life.
const TRIES: u32 = 4;

/// Whose life is disturbed.
#[derive(Clone, Copy)]
enum Life {
    Invoice,
    After,
}

struct Street {
    world: World,
    receiver: Receiver,
    kills: u32,
}

impl Street {
    /// `settings` is what the operator writes beside where webhooks may go.
    async fn start(settings: &str) -> Result<Self> {
        let world = World::start(&format!("private_webhooks = true\n{settings}")).await?;
        Ok(Self { world, receiver: Receiver::start().await?, kills: 0 })
    }

    /// What becomes of a life, and the points that it passes when the merchant is not killed.
    async fn live(&mut self, life: Life, point: u64) -> Result<(Outcome, u64)> {
        match life {
            Life::Invoice => self.live_an_invoice(point).await,
            Life::After => self.live_on(point).await,
        }
    }

    /// Starts the merchant again if it was killed.
    async fn revive(&mut self) -> Result<()> {
        for (name, status) in self.world.network.ended()? {
            ensure!(name == MERCHANT && status.signal() == Some(KILLED), "{name} ended with {status}");
            self.kills += 1;
            self.world.network.restart(&name).await?;
        }
        Ok(())
    }

    /// Asks until `found` says that this is it, through all deaths.
    async fn persist<T>(
        &mut self,
        what: &str,
        ask: impl AsyncFn(&World) -> Result<Answer>,
        found: impl Fn(&Answer) -> Result<Option<T>>,
    ) -> Result<T> {
        let mut last = String::new();
        let asked = wait::until(what, PATIENCE, async || {
            self.revive().await?;
            match ask(&self.world).await {
                Ok(answer) => {
                    last = format!("{answer:?}");
                    // One key may ask so often only.
                    if answer.body["code"] == "limited" { Ok(None) } else { found(&answer) }
                }
                // Nobody answers while it is dead.
                Err(error) => {
                    last = format!("{error:#}");
                    Ok(None)
                }
            }
        });
        let asked = asked.await;
        asked.with_context(|| format!("seen last: {last}"))
    }

    /// Waits until the channel rests, and says what the merchant has in it.
    async fn rest(&mut self) -> Result<u64> {
        let ask = async |world: &World| {
            let body = world.status(MERCHANT).await?;
            let theirs = world.status(PAYER).await?;
            let body = json!({ "merchant": body, "payer": theirs });
            Ok(Answer { status: reqwest::StatusCode::OK, body, retry_after: None })
        };
        let rests = |status: &Value| {
            let asset = &status["assets"][0];
            let quiet = asset["incoming"] == 0 && asset["in_flight"] == 0;
            quiet && status["channel"]["idle"] == true && status["connected"] == true && status["stale"] == false
        };
        self.persist("the channels to rest", ask, |answer| {
            let (merchant, payer) = (&answer.body["merchant"], &answer.body["payer"]);
            let asset = &merchant["assets"][0];
            let money = asset["insured"].as_u64().zip(asset["uninsured"].as_u64());
            Ok(money.map(|(insured, uninsured)| insured + uninsured).filter(|_| rests(merchant) && rests(payer)))
        })
        .await
    }

    async fn arm(&self, left: u64) -> Result<u64> {
        let shop = &self.world.shop;
        let request = shop.request(Method::POST, "/v1/crash-points").header("x-fair-operator", "1");
        let answer = shop.send(request.json(&json!({ "left": left }))).await?;
        ensure!(
            answer.status.is_success(),
            "this test needs programs with the feature `crash-points` (docs/testing.md)"
        );
        answer.body["passed"].as_u64().context("a count of points")
    }

    /// One invoice from the shop's request to the last webhook, with the merchant to be killed on the way.
    async fn live_an_invoice(&mut self, point: u64) -> Result<(Outcome, u64)> {
        let before = self.rest().await?;
        let kills = self.kills;
        self.arm(point).await?;
        let (name, body) = (fresh(), json!({ "amount": AMOUNT, "description": "a life", "refunds": true }));
        let make = async |world: &World| world.shop.named("/v1/invoices", &name, &body).await;
        let made = self.persist("an invoice", make, |answer| {
            ensure!(answer.status.as_u16() == 201, "{answer:?}");
            Ok(Some(answer.body.clone()))
        });
        let made = made.await?;
        let id = made["id"].as_str().context("an id")?.to_owned();
        let pay = async |world: &World| {
            let body = json!({ "state": world.pay(&made).await? });
            Ok(Answer { status: reqwest::StatusCode::OK, body, retry_after: None })
        };
        // A payment that failed is another one when it is asked for again.
        let paying = self.persist("the end of the payment", pay, |answer| match answer.body["state"].as_str() {
            Some("paid") => Ok(Some(true)),
            Some("locking" | "settling") => Ok(None),
            _ => Ok(Some(false)),
        });
        let was_paid = paying.await?;
        let after = self.rest().await?;
        let expected = if was_paid { AMOUNT } else { 0 };
        ensure!(after == before + expected, "{before} became {after}, paid: {was_paid}");

        let look = async |world: &World| world.shop.get(&format!("/v1/invoices/{id}")).await;
        let seen = self.persist("the invoice", look, |answer| Ok(Some(answer.clone()))).await?.expect(200);
        let state = seen["state"].as_str().unwrap_or_default();
        ensure!(state == if was_paid { "paid" } else { "open" }, "paid: {was_paid}, but {seen}");
        ensure!(seen["received"] == expected, "{seen}");
        let refunded = if was_paid { Some(self.refund(&id, after).await?) } else { None };
        let again = self.persist("the same answer", make, |answer| Ok(Some(answer.body.clone()))).await?;
        ensure!(again == made, "made once: {again}");
        let paid: &[&str] = if was_paid { &["invoice.pending", "invoice.paid"] } else { &[] };
        self.check_told(&id, paid).await?;
        if let Some((refund, kind)) = refunded {
            self.check_told(&refund, &[&kind]).await?;
        }
        self.end(kills, was_paid).await
    }

    /// What it was armed for may come later than all that was waited for.
    async fn end(&mut self, kills: u32, was_paid: bool) -> Result<(Outcome, u64)> {
        let passed = match self.arm(0).await {
            Ok(passed) => passed,
            Err(_) => {
                self.rest().await?;
                0
            }
        };
        Ok((Outcome { was_killed: self.kills > kills, was_paid }, passed))
    }

    /// Gives a part back, once. Returns the refund's id and what the shop is told at the end.
    async fn refund(&mut self, invoice: &str, before: u64) -> Result<(String, String)> {
        let (name, path) = (fresh(), format!("/v1/invoices/{invoice}/refunds"));
        let ask = async |world: &World| world.shop.named(&path, &name, &json!({ "amount": REFUND })).await;
        let made = self.persist("a refund", ask, |answer| match answer.status.as_u16() {
            201 => Ok(Some(answer.body.clone())),
            // Just started, it has no way to its bank yet.
            409 if answer.body["code"] == "wallet.refused" => Ok(None),
            _ => anyhow::bail!("{answer:?}"),
        });
        let made = made.await?;
        let id = made["id"].as_str().context("an id")?.to_owned();
        let look = async |world: &World| world.shop.get(&format!("/v1/refunds/{id}")).await;
        let ended = self.persist("the end of the refund", look, |answer| {
            let state = answer.body["state"].as_str().map(str::to_owned);
            Ok(state.filter(|state| state == "paid" || state == "failed"))
        });
        let ended = ended.await?;
        let after = self.rest().await?;
        let gone = if ended == "paid" { REFUND } else { 0 };
        ensure!(after + gone == before, "{before} became {after}: the refund {ended}");
        let again = self.persist("the same answer", ask, |answer| Ok(Some(answer.body.clone()))).await?;
        ensure!(again == made, "refunded once: {again}");
        Ok((id, format!("refund.{ended}")))
    }

    /// Events and webhooks say what happened, once.
    async fn check_told(&mut self, id: &str, expected: &[&str]) -> Result<()> {
        let look = async |world: &World| {
            let body = json!(world.shop.events().await?);
            Ok(Answer { status: reqwest::StatusCode::OK, body, retry_after: None })
        };
        let events = self.persist("events", look, |answer| Ok(answer.body.as_array().cloned())).await?;
        let numbers: Vec<u64> = events.iter().filter_map(|event| event["sequence"].as_u64()).collect();
        ensure!(numbers.iter().copied().eq(1..=numbers.len() as u64), "a number is missing: {numbers:?}");
        let about: Vec<&Value> = events.iter().filter(|event| event["data"]["id"] == id).collect();
        let kinds: Vec<&str> = about.iter().filter_map(|event| event["type"].as_str()).collect();
        ensure!(kinds == expected, "told {kinds:?}, not {expected:?}");
        let newest = events.last().map(|event| event["id"].clone());
        wait::until("the newest webhook", PATIENCE, async || {
            self.revive().await?;
            let came = self.receiver.came();
            Ok((newest.is_none() || came.iter().any(|came| Some(json!(came.id)) == newest)).then_some(()))
        })
        .await?;
        let receiver = &self.receiver;
        let mut first = BTreeSet::new();
        let unique: Vec<Value> =
            receiver.came().into_iter().filter(|came| first.insert(came.id.clone())).map(|came| came.event).collect();
        ensure!(unique == events, "webhooks and events differ");
        ensure!(receiver.came().iter().all(|came| came.is_genuine), "a webhook is not signed");
        Ok(())
    }
}

/// Kills the merchant at every point of a life.
async fn kill_everywhere(mut street: Street, life: Life) -> Result<()> {
    let mut counted = u64::MAX;
    for _ in 0..3 {
        let (outcome, passed) = street.live(life, 0).await?;
        ensure!(outcome.was_paid && !outcome.was_killed, "an undisturbed payment arrives");
        counted = counted.min(passed);
    }
    ensure!(counted > 8, "a life has more durable writes and sends than {counted}");
    let disturbed = async |point| Ok(street.live(life, point).await?.0);
    points::end_at_each(MERCHANT, counted, TRIES, disturbed).await?;
    points::check_logs(&street.world.network, &[MERCHANT, PAYER, BANK])?;
    street.world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_may_be_killed_at_any_point_of_an_invoice() -> Result<()> {
    let street = Street::start("").await?;
    let endpoint = street.world.shop.post("/v1/webhooks", &json!({ "url": street.receiver.url() })).await?.expect(201);
    street.receiver.trust(endpoint["secret"].as_str().context("a secret")?);
    kill_everywhere(street, Life::Invoice).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_may_be_killed_at_any_point_of_what_follows_a_payment() -> Result<()> {
    let street = Street::start(&format!("keep_events_s = {}\n", after::KEPT_S)).await?;
    kill_everywhere(street, Life::After).await
}
