//! Webhooks over days: the merchant's clock is put ahead, to each next try that it tells of, until a day or three
//! have passed for it.

use crate::shop::{PATIENCE, World};
use crate::webhooks::{make_events, taken};
use anyhow::{Context as _, Result, ensure};
use fair_tests::network::{MERCHANT, Plan};
use fair_tests::receiver::{How, Receiver};
use fair_tests::wait;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const HOUR_MS: u64 = 3_600_000;
/// As operating.md says: after 2 seconds, then twice as long each time, up to 4 hours.
const PAUSE_MS: (u64, u64) = (2_000, 4 * HOUR_MS);
/// No network trusts what it has not heard from for longer: the chain stands still for the merchant meanwhile.
const TRUST: &str = "trust_period_ms=1209600000";

/// A merchant whose webhook's receiver is away, and its clock.
struct Away {
    world: World,
    /// Of the webhook.
    path: String,
    secret: String,
    /// Of the receiver.
    port: u16,
    ahead_ms: u64,
    began_ms: u64,
    /// What came before it went away.
    before: Vec<Value>,
    /// Parts in a thousand of the longest pause that there may be.
    pauses: BTreeSet<u64>,
}

/// Why nothing gets through.
struct Failure {
    failures: u64,
    again_ms: u64,
}

impl Away {
    /// A payment is told to a receiver, which then goes away.
    async fn start() -> Result<Self> {
        let plan = Plan { parameters: vec![TRUST.to_owned()], ..Plan::new()? };
        let world = World::start_as(&plan, "private_webhooks = true\n").await?;
        let receiver = Receiver::start().await?;
        let endpoint = world.shop.post("/v1/webhooks", &json!({ "url": receiver.url() })).await?.expect(201);
        let secret = endpoint["secret"].as_str().context("a secret")?.to_owned();
        receiver.trust(&secret);
        let paid = world.shop.invoice(&json!({ "amount": 300 })).await?;
        assert_eq!(world.pay(&paid).await?, "paid");
        let before = taken(&receiver, 2).await?;
        ensure!(receiver.came().iter().all(|came| came.is_genuine), "signed in time");
        let path = format!("/v1/webhooks/{}", endpoint["id"].as_str().context("an id")?);
        // A connection that it has already taken may outlive it a moment.
        receiver.answer(std::iter::repeat_n(How::Status(503), 1_000));
        let (port, began_ms) = (receiver.port, world.put_clock(0).await?);
        Ok(Self { world, path, secret, port, ahead_ms: 0, began_ms, before, pauses: BTreeSet::new() })
    }

    async fn look(&self) -> Result<Value> {
        Ok(self.world.shop.get(&self.path).await?.expect(200))
    }

    /// Hours that have passed for the merchant.
    async fn hours(&self) -> Result<u64> {
        Ok((self.world.put_clock(self.ahead_ms).await? - self.began_ms) / HOUR_MS)
    }

    async fn go_to(&mut self, at_ms: u64) -> Result<()> {
        let now_ms = self.world.put_clock(self.ahead_ms).await?;
        self.ahead_ms += at_ms.saturating_sub(now_ms);
        self.world.put_clock(self.ahead_ms).await?;
        Ok(())
    }

    /// Waits for another failure, and sees that the next try is where it must be.
    async fn failure_after(&mut self, known: u64) -> Result<Failure> {
        let error = wait::until("another try", PATIENCE, async || {
            let error = self.look().await?["last_error"].clone();
            Ok((error["failures"].as_u64() > Some(known)).then_some(error))
        })
        .await?;
        let of = |field: &str| error[field].as_u64().with_context(|| format!("{field} in {error}"));
        let (failures, at_ms, again_ms) = (of("failures")?, of("at_ms")?, of("again_ms")?);
        ensure!(error["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{error}");
        let longest = (PAUSE_MS.0 << (failures - 1).min(20)).min(PAUSE_MS.1);
        let pause = again_ms.checked_sub(at_ms).context("the next try is in the past")?;
        ensure!((longest / 2..=longest).contains(&pause), "try {failures}: {pause} ms of {longest}");
        self.pauses.insert(pause * 1_000 / longest);
        Ok(Failure { failures, again_ms })
    }

    /// Lets it try until so many hours have passed, with what else happens at each try.
    async fn try_for(&mut self, hours: u64, happens: impl AsyncFn(&World, u64) -> Result<()>) -> Result<Failure> {
        let mut failure = self.failure_after(0).await?;
        while self.hours().await? < hours {
            happens(&self.world, failure.failures).await?;
            self.go_to(failure.again_ms).await?;
            failure = self.failure_after(failure.failures).await?;
        }
        Ok(failure)
    }

    /// The receiver is there again.
    async fn come_back(&self) -> Result<Receiver> {
        let receiver = wait::until("the port", PATIENCE, async || Ok(Receiver::start_at(self.port).await.ok())).await?;
        receiver.trust_strictly(&self.secret);
        Ok(receiver)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_for_a_day_gets_every_event_once_and_in_order() -> Result<()> {
    let mut away = Away::start().await?;
    let ends = away.world.shop.invoice(&json!({ "amount": 5, "expires_in_s": 7_200 })).await?;
    make_events(&away.world, 1).await?;
    let last = away
        .try_for(24, async |world, failures| {
            // The shop goes on selling meanwhile.
            if failures % 4 == 0 { make_events(world, 1).await } else { Ok(()) }
        })
        .await?;
    // 2 s, 4 s … 4 h are 4.5 hours at most; then 2 to 4 hours each.
    ensure!((13 + 4..=13 + 12).contains(&last.failures), "{} tries in a day", last.failures);
    ensure!(away.pauses.len() > 5, "the pauses differ: {:?}", away.pauses);
    away.world.shop.event("invoice.expired", &ends["id"]).await?;

    let receiver = away.come_back().await?;
    away.go_to(last.again_ms).await?;
    let all = away.world.shop.events().await?;
    let came = taken(&receiver, all.len() - away.before.len()).await?;
    assert_eq!([away.before.clone(), came].concat(), all, "every one, in order, and nothing else");
    let numbers: Vec<u64> = all.iter().filter_map(|event| event["sequence"].as_u64()).collect();
    ensure!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
    let came = receiver.came();
    let ids: BTreeSet<&String> = came.iter().map(|came| &came.id).collect();
    assert_eq!(ids.len(), came.len(), "each once");
    ensure!(came.iter().all(|came| came.is_genuine && came.taken), "each is signed");
    let seen = wait::until("the last to be noted", PATIENCE, async || {
        let seen = away.look().await?;
        Ok((seen["next_sequence"] == numbers.len() + 1).then_some(seen))
    })
    .await?;
    assert_eq!((&seen["last_error"], &seen["given_up"]), (&Value::Null, &json!(0)));
    away.world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_takes_for_three_days_is_given_up_and_that_is_told() -> Result<()> {
    let mut away = Away::start().await?;
    make_events(&away.world, 1).await?;
    let failure = away.try_for(60, async |_, _| Ok(())).await?;
    make_events(&away.world, 1).await?;
    let (old, young) = (away.before.len() + 1, away.before.len() + 2);
    // A retry of the old one is due after its third day; the young one is tried after the next pause.
    let mut again_ms = failure.again_ms;
    let seen = loop {
        let hours = away.hours().await?;
        away.go_to(again_ms).await?;
        let seen = wait::until("another try", PATIENCE, async || {
            let seen = away.look().await?;
            let error = &seen["last_error"];
            let is_again = error["again_ms"] != error["at_ms"] && error["again_ms"].as_u64() > Some(again_ms);
            Ok((seen["given_up"] != 0 || is_again).then_some(seen))
        })
        .await?;
        if seen["given_up"] != 0 {
            break seen;
        }
        ensure!(hours <= 76, "{seen}");
        again_ms = seen["last_error"]["again_ms"].as_u64().context("when it is tried again")?;
    };
    ensure!(away.hours().await? >= 72, "not before");
    assert_eq!((&seen["given_up"], &seen["next_sequence"]), (&json!(1), &json!(young)));
    assert_eq!(seen["state"], "enabled");
    let log = away.world.network.process(MERCHANT)?.wait_for_line("a webhook is given up", PATIENCE).await?;
    ensure!(log.contains(&format!("sequence={old}")), "{log}");
    let all = away.world.shop.events().await?;
    assert_eq!(all.len(), young, "whoever asks for events finds it");

    let receiver = away.come_back().await?;
    // It is tried again so soon that it may have come already.
    if let Some(again_ms) = away.look().await?["last_error"]["again_ms"].as_u64() {
        away.go_to(again_ms).await?;
    }
    assert_eq!(taken(&receiver, 1).await?, all[old..], "the young one alone");
    let again = away.world.shop.post(&format!("{}/redeliver", away.path), &json!({ "sequence": old })).await?;
    again.expect(200);
    assert_eq!(taken(&receiver, 2).await?[1], all[old - 1], "and the old one when it is asked for");
    away.world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grew_old_while_nobody_tried_is_not_given_up() -> Result<()> {
    let mut away = Away::start().await?;
    make_events(&away.world, 2).await?;
    let mut failure = away.failure_after(0).await?;
    // Days in which the machine was off, and then the receiver is still away.
    away.go_to(away.began_ms + 96 * HOUR_MS).await?;
    for _ in 0..3 {
        failure = away.failure_after(failure.failures).await?;
        away.go_to(failure.again_ms).await?;
    }
    failure = away.failure_after(failure.failures).await?;
    ensure!(away.hours().await? >= 96, "they are older than what is given up");
    let receiver = away.come_back().await?;
    away.go_to(failure.again_ms).await?;
    let all = away.world.shop.events().await?;
    let came = taken(&receiver, all.len() - away.before.len()).await?;
    assert_eq!([away.before.clone(), came].concat(), all, "every one, in order");
    assert_eq!(away.look().await?["given_up"], 0);
    away.world.network.shut_down().await
}
