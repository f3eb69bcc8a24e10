//! What may follow a payment: a webhook is added, a part goes back by a link that is opened and claimed, the webhook's
//! secret is changed, another refund is taken back, money is paid out, old events are forgotten, the webhook is removed.

use super::Street;
use crate::shop::{Answer, PATIENCE, PAYER, World, fresh};
use anyhow::{Context as _, Result, ensure};
use fair_tests::points::Outcome;
use fair_tests::receiver::Receiver;
use fair_tests::wait;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// In cents.
const PRICE: u64 = 40;
const BY_LINK: u64 = 10;
const TAKEN_BACK: u64 = 7;
const PAID_OUT: u64 = 5;
/// How long events are kept: longer than a life, and shorter than a network is trusted without news.
pub(super) const KEPT_S: u64 = 3_600;

/// What was made under a name.
struct Made {
    path: String,
    name: String,
    body: Value,
    answer: Value,
}

impl Made {
    fn id(&self) -> Result<&str> {
        self.answer["id"].as_str().context("an id")
    }
}

impl Street {
    pub(super) async fn live_on(&mut self, point: u64) -> Result<(Outcome, u64)> {
        // The last life may have ended with a merchant that is still on its way to its bank.
        self.rest().await?;
        let invoice = self.sell().await?;
        let id = invoice["id"].as_str().context("an id")?.to_owned();
        let before = self.rest().await?;
        let last = self.world.shop.newest_event().await?;
        self.receiver = Receiver::start().await?;
        let to = self.world.status(PAYER).await?["address"].as_str().context("an address")?.to_owned();
        let kills = self.kills;
        self.arm(point).await?;

        let endpoint = self.make("/v1/webhooks".to_owned(), json!({ "url": self.receiver.url() })).await?;
        self.receiver.trust_strictly(endpoint.answer["secret"].as_str().context("a secret")?);
        let hook = format!("/v1/webhooks/{}", endpoint.id()?);

        let refunds = format!("/v1/invoices/{id}/refunds");
        let back = self.make(refunds.clone(), json!({ "amount": BY_LINK, "link": true })).await?;
        let link = back.answer["claim_url"].as_str().context("a link")?.to_owned();
        self.open(&link).await?;
        self.claim(&link, &to).await?;
        let refund = self.ended(&format!("/v1/refunds/{}", back.id()?)).await?;
        ensure!(self.claim(&link, &to).await? == 409, "a link is good once");

        let rotated = self.make(format!("{hook}/rotate"), json!({})).await?;
        self.told_up_to(last + 1).await?;
        // What is brought from now on is signed with both; what was on its way is refused, and comes again.
        self.receiver.trust_strictly(rotated.answer["secret"].as_str().context("a secret")?);
        ensure!(rotated.answer["secret"] != endpoint.answer["secret"], "another secret");

        let second = self.make(refunds, json!({ "amount": TAKEN_BACK, "link": true })).await?;
        let cancel = format!("/v1/refunds/{}/cancel", second.id()?);
        let cancelled = self.make(cancel, json!({})).await?;
        ensure!(cancelled.answer["state"] == "cancelled", "{}", cancelled.answer);
        ensure!(self.claim(second.answer["claim_url"].as_str().context("a link")?, &to).await? == 409, "taken back");

        let out = self.make("/v1/payouts".to_owned(), json!({ "to": to, "amount": PAID_OUT })).await?;
        let payout = self.ended(&format!("/v1/payouts/{}", out.id()?)).await?;

        let after = self.rest().await?;
        let part = |state: &str, amount| if state == "paid" { amount } else { 0 };
        let gone = part(&refund, BY_LINK) + part(&payout, PAID_OUT);
        ensure!(after + gone == before, "{before} became {after}: the refund {refund}, the payout {payout}");
        let seen = self.get(&format!("/v1/invoices/{id}")).await?;
        ensure!(seen["state"] == "paid" && seen["received"] == PRICE, "{seen}");
        ensure!(seen["refunded"] == part(&refund, BY_LINK), "the refund {refund}, but {seen}");
        for made in [&back, &second, &rotated, &out] {
            let again = self.ask(&made.path, &made.name, &made.body).await?;
            ensure!(again == made.answer, "{} came to {}, and then to {again}", made.path, made.answer);
        }

        let told = [
            (back.id()?, format!("refund.{refund}")),
            (second.id()?, "refund.cancelled".to_owned()),
            (out.id()?, format!("payout.{payout}")),
        ];
        self.check_told_since(last, &told).await?;
        let newest = last + told.len() as u64;
        // What is forgotten before it is noted that it came counts as given up.
        self.check_webhook(&hook, newest + 1).await?;
        self.forget_up_to(newest).await?;
        self.check_webhook(&hook, newest + 1).await?;
        self.remove(&hook).await?;
        self.end(kills, refund == "paid" && payout == "paid").await
    }

    /// A payment that nothing disturbs.
    async fn sell(&mut self) -> Result<Value> {
        let invoice = self.world.shop.invoice(&json!({ "amount": PRICE })).await?;
        let state = self.world.pay(&invoice).await?;
        ensure!(state == "paid", "{state}");
        self.world.shop.until(&invoice, "paid").await
    }

    /// Makes something once, under a name of its own.
    async fn make(&mut self, path: String, body: Value) -> Result<Made> {
        let name = fresh();
        let answer = self.ask(&path, &name, &body).await?;
        Ok(Made { path, name, body, answer })
    }

    async fn ask(&mut self, path: &str, name: &str, body: &Value) -> Result<Value> {
        let ask = async |world: &World| world.shop.named(path, name, body).await;
        let made = self.persist(path, ask, |answer| match answer.status.as_u16() {
            200 | 201 => Ok(Some(answer.body.clone())),
            // Just started, it has no way to its bank yet.
            409 if answer.body["code"] == "wallet.refused" => Ok(None),
            _ => anyhow::bail!("{answer:?}"),
        });
        made.await
    }

    async fn get(&mut self, path: &str) -> Result<Value> {
        let ask = async |world: &World| world.shop.get(path).await;
        Ok(self.persist(path, ask, |answer| Ok(Some(answer.clone()))).await?.expect(200))
    }

    /// Looks at the page of a refund.
    async fn open(&mut self, link: &str) -> Result<()> {
        let page = reqwest::Client::builder().no_proxy().build()?;
        let ask = async |world: &World| world.shop.send(page.get(link)).await;
        let seen = self.persist("the page of the refund", ask, |answer| Ok(Some(answer.clone()))).await?.expect(200);
        ensure!(seen["text"].as_str().is_some_and(|text| text.contains("0.10 FRD are yours")), "{seen}");
        Ok(())
    }

    /// Says where a refund goes. The status of the answer: 409 when it was claimed or taken back.
    async fn claim(&mut self, link: &str, to: &str) -> Result<u16> {
        let page = reqwest::Client::builder().no_proxy().build()?;
        let ask = async |world: &World| {
            let form = page.post(link).header("content-type", "application/x-www-form-urlencoded");
            world.shop.send(form.body(format!("to={to}"))).await
        };
        let claimed = self.persist("an answer to a claim", ask, |answer| {
            let says = |text: &str| answer.body["text"].as_str().is_some_and(|said| said.contains(text));
            match answer.status.as_u16() {
                200 => Ok(Some(200)),
                409 if says("was claimed already") || says("took this refund back") => Ok(Some(409)),
                // Just started, it has no way to its bank yet; and a link is asked so often only.
                409 if says("The wallet refuses") => Ok(None),
                429 => Ok(None),
                _ => anyhow::bail!("{answer:?}"),
            }
        });
        claimed.await
    }

    /// How money that was sent ended.
    async fn ended(&mut self, path: &str) -> Result<String> {
        let ask = async |world: &World| world.shop.get(path).await;
        let ended = self.persist(path, ask, |answer| {
            let state = answer.body["state"].as_str().map(str::to_owned);
            Ok(state.filter(|state| state == "paid" || state == "failed"))
        });
        ended.await
    }

    /// Waits until the receiver has an event.
    async fn told_up_to(&mut self, sequence: u64) -> Result<()> {
        wait::until(format!("event {sequence}"), PATIENCE, async || {
            self.revive().await?;
            Ok(self.receiver.taken().iter().any(|came| came.event["sequence"] == sequence).then_some(()))
        })
        .await
    }

    /// Events after one and webhooks say what happened, once and in order.
    async fn check_told_since(&mut self, last: u64, expected: &[(&str, String)]) -> Result<()> {
        let events = self.get(&format!("/v1/events?after={last}")).await?["events"].clone();
        let events = events.as_array().context("events")?;
        let told: Vec<_> = events
            .iter()
            .map(|event| {
                let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (of(&event["data"]["id"]), of(&event["type"]))
            })
            .collect();
        ensure!(
            told.iter().map(|(id, kind)| (id.as_str(), kind)).eq(expected.iter().map(|(id, kind)| (*id, kind))),
            "told {told:?}, not {expected:?}"
        );
        ensure!((last + 1..).zip(events).all(|(number, event)| event["sequence"] == number), "{events:?}");
        self.told_up_to(last + expected.len() as u64).await?;
        let mut first = BTreeSet::new();
        let came = self.receiver.taken();
        let unique = came.iter().filter(|came| first.insert(&came.id)).map(|came| &came.event);
        ensure!(unique.eq(events), "webhooks and events differ: {came:?}");
        ensure!(came.iter().all(|came| came.is_genuine), "a webhook is not signed");
        Ok(())
    }

    /// Lets so much time pass for the merchant that it forgets all events but the newest, and goes back to the time of
    /// day. Killed meanwhile, it starts by that.
    async fn forget_up_to(&mut self, newest: u64) -> Result<()> {
        let ask = async |world: &World| {
            world.put_clock(2 * KEPT_S * 1_000).await?;
            world.shop.get("/v1/events?after=0").await
        };
        let forgotten = self.persist("old events to be forgotten", ask, |answer| {
            Ok((answer.status.as_u16() == 410 && answer.body["data"]["first"] == newest).then_some(()))
        });
        forgotten.await?;
        let back = async |world: &World| {
            world.put_clock(0).await?;
            Ok(Answer { status: StatusCode::OK, body: Value::Null, retry_after: None })
        };
        self.persist("the time of day", back, |_| Ok(Some(()))).await?;
        let left = self.get("/v1/events").await?;
        ensure!(left["cursor"] == newest && left["events"].as_array().is_some_and(|left| left.len() == 1), "{left}");
        Ok(())
    }

    /// It is noted that the webhook has all, and nothing is given up.
    async fn check_webhook(&mut self, hook: &str, next: u64) -> Result<()> {
        let ask = async |world: &World| world.shop.get(hook).await;
        let seen = self.persist("all to be noted", ask, |answer| {
            Ok((answer.body["next_sequence"] == next).then(|| answer.body.clone()))
        });
        let seen = seen.await?;
        ensure!(seen["given_up"] == 0 && seen["state"] == "enabled" && seen["redeliveries"] == json!([]), "{seen}");
        Ok(())
    }

    async fn remove(&mut self, hook: &str) -> Result<()> {
        let ask = async |world: &World| world.shop.send(world.shop.request(Method::DELETE, hook)).await;
        let removed = self.persist("the end of the webhook", ask, |answer| match answer.status.as_u16() {
            204 | 404 => Ok(Some(())),
            _ => anyhow::bail!("{answer:?}"),
        });
        removed.await
    }
}
