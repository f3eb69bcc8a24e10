//! Webhooks as a receiver gets them: signed, in order, again and again until they are taken.

use crate::shop::{PATIENCE, World, fresh, make_key};
use anyhow::{Context as _, Result, ensure};
use fair_tests::receiver::{How, Receiver};
use fair_tests::wait;
use serde_json::{Value, json};

pub(super) async fn taken(receiver: &Receiver, count: usize) -> Result<Vec<Value>> {
    wait::until(format!("{count} webhooks"), PATIENCE, async || {
        let taken = receiver.taken();
        Ok((taken.len() >= count).then(|| taken.into_iter().map(|came| came.event).collect()))
    })
    .await
}

/// Cancelled invoices make an event each without anybody's money.
pub(super) async fn make_events(world: &World, count: usize) -> Result<()> {
    for _ in 0..count {
        let made = world.shop.invoice(&json!({ "amount": 5 })).await?;
        let path = format!("/v1/invoices/{}/cancel", made["id"].as_str().context("an id")?);
        world.shop.post(&path, &json!({})).await?.expect(200);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_arrives_signed_and_in_order_whatever_the_receiver_does() -> Result<()> {
    let world = World::start("private_webhooks = true\n").await?;
    let shop = &world.shop;
    make_events(&world, 1).await?;
    let receiver = Receiver::start().await?;
    let name = fresh();
    let endpoint = shop.named("/v1/webhooks", &name, &json!({ "url": receiver.url() })).await?.expect(201);
    assert_eq!(shop.named("/v1/webhooks", &name, &json!({ "url": receiver.url() })).await?.expect(201), endpoint);
    receiver.trust(endpoint["secret"].as_str().context("a secret")?);
    let path = format!("/v1/webhooks/{}", endpoint["id"].as_str().context("an id")?);

    // Errors and redirects are no answers; what is behind the redirect hears nothing.
    let behind = Receiver::start().await?;
    receiver.answer([How::Status(500), How::Redirect(behind.url())]);
    make_events(&world, 3).await?;
    let paid = shop.invoice(&json!({ "amount": 300 })).await?;
    assert_eq!(world.pay(&paid).await?, "paid");
    let events = taken(&receiver, 5).await?;
    let all = shop.events().await?;
    assert_eq!(events, all.get(1..).context("the event before the webhook was there")?);
    let came = receiver.came();
    ensure!(came.iter().all(|came| came.is_genuine), "each is verified by the standard's library");
    ensure!(came.iter().all(|came| came.event["id"] == came.id.as_str()), "the id is the event's");
    assert_eq!(came.iter().filter(|one| one.id == came[0].id).count(), 3, "tried again under the same id");
    assert_eq!(behind.came().len(), 0);
    receiver.trust("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    make_events(&world, 1).await?;
    taken(&receiver, 6).await?;
    ensure!(receiver.taken().last().is_some_and(|came| !came.is_genuine), "another secret verifies nothing");
    receiver.trust(endpoint["secret"].as_str().context("a secret")?);

    // Again on request, of what there is.
    let again = shop.post(&format!("{path}/redeliver"), &json!({ "sequence": 2 })).await?;
    assert_eq!(again.expect(200)["state"], "enabled");
    let events = taken(&receiver, 7).await?;
    assert_eq!(events[6], all[1]);
    let future = shop.post(&format!("{path}/redeliver"), &json!({ "sequence": 99 })).await?;
    assert_eq!(future.code(404), "event.unknown");

    // One that does not answer is given up after a while and asked again.
    receiver.answer([How::Never]);
    make_events(&world, 1).await?;
    taken(&receiver, 8).await?;

    // Gone: nothing more, until the shop says so.
    receiver.answer([How::Status(410)]);
    make_events(&world, 1).await?;
    wait::until("the end of the webhook", PATIENCE, async || {
        Ok((shop.get(&path).await?.expect(200)["state"] == "gone").then_some(()))
    })
    .await?;
    let before = receiver.came().len();
    make_events(&world, 2).await?;
    assert_eq!(receiver.came().len(), before);
    shop.post(&format!("{path}/enable"), &json!({})).await?.expect(200);
    let events = taken(&receiver, 11).await?;
    let all = shop.events().await?;
    assert_eq!(events.get(8..), all.get(all.len() - 3..), "from where it stopped");

    // What is asked for while the events before it wait comes alone, then they in their order, itself included.
    receiver.answer([How::Status(410)]);
    make_events(&world, 4).await?;
    wait::until("the end of the webhook", PATIENCE, async || {
        Ok((shop.get(&path).await?.expect(200)["state"] == "gone").then_some(()))
    })
    .await?;
    let all = shop.events().await?;
    let waiting = all.get(all.len() - 4..).context("four events")?;
    shop.post(&format!("{path}/redeliver"), &json!({ "sequence": waiting[2]["sequence"] })).await?.expect(200);
    shop.post(&format!("{path}/enable"), &json!({})).await?.expect(200);
    let events = taken(&receiver, 16).await?;
    assert_eq!((&events[11], events.get(12..)), (&waiting[2], Some(waiting)));

    // Down, with a merchant that restarts meanwhile, and up again at the same place.
    let port = receiver.port;
    drop(receiver);
    make_events(&world, 2).await?;
    let mut world = world;
    world.network.restart(fair_tests::network::MERCHANT).await?;
    make_events(&world, 1).await?;
    let receiver = wait::until("the port", PATIENCE, async || Ok(Receiver::start_at(port).await.ok())).await?;
    receiver.trust(endpoint["secret"].as_str().context("a secret")?);
    let events = taken(&receiver, 3).await?;
    let all = world.shop.events().await?;
    assert_eq!(Some(events.as_slice()), all.get(all.len() - 3..));
    ensure!(receiver.came().iter().all(|came| came.is_genuine), "the secret outlives a restart");

    let removed = world.shop.request(reqwest::Method::DELETE, &path);
    world.shop.send(removed).await?.expect(204);
    world.shop.get(&path).await?.expect(404);
    world.network.shut_down().await
}

/// The library of the standard verifies each event with the old and with the new secret.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_changed_without_a_gap_and_one_webhook_leaves_the_others_alone() -> Result<()> {
    let world = World::start("private_webhooks = true\n").await?;
    let shop = &world.shop;
    let (broken, works) = (Receiver::start().await?, Receiver::start().await?);
    broken.answer(std::iter::repeat_n(How::Status(503), 1_000));
    let endpoint = shop.post("/v1/webhooks", &json!({ "url": works.url() })).await?.expect(201);
    let failing = shop.post("/v1/webhooks", &json!({ "url": broken.url() })).await?.expect(201);
    let path = |endpoint: &Value| format!("/v1/webhooks/{}", endpoint["id"].as_str().unwrap_or_default());
    let secret = |endpoint: &Value| endpoint["secret"].as_str().unwrap_or_default().to_owned();
    works.trust(&secret(&endpoint));
    make_events(&world, 1).await?;
    taken(&works, 1).await?;

    // Why nothing gets through is said where the webhook is looked at, and nowhere is a secret.
    let seen = wait::until("three failures", PATIENCE, async || {
        let seen = shop.get(&path(&failing)).await?.expect(200);
        Ok((seen["last_error"]["failures"].as_u64() >= Some(3)).then_some(seen))
    })
    .await?;
    ensure!(seen["last_error"]["reason"].as_str().is_some_and(|says| says.contains("503")), "{seen}");
    let all = shop.get("/v1/webhooks").await?.expect(200);
    ensure!(!all.to_string().contains("whsec_"), "{all}");
    let fine = shop.get(&path(&endpoint)).await?.expect(200);
    assert_eq!((&fine["last_error"], &fine["next_sequence"]), (&Value::Null, &json!(2)));
    let before = broken.came().len();
    for count in 2..=20 {
        let again = shop.post(&format!("{}/redeliver", path(&endpoint)), &json!({ "sequence": 1 })).await?;
        again.expect(200);
        taken(&works, count).await?;
        // One that is asked for again while it is on its way comes once.
        wait::until("the end of the redelivery", PATIENCE, async || {
            let seen = shop.get(&path(&endpoint)).await?.expect(200);
            Ok((seen["redeliveries"] == json!([])).then_some(()))
        })
        .await?;
    }
    let woken = broken.came().len() - before;
    ensure!(woken <= 3, "{woken} tries although only the other webhook was asked for");

    let rotate = format!("{}/rotate", path(&endpoint));
    let name = fresh();
    let rotated = shop.named(&rotate, &name, &json!({})).await?.expect(200);
    assert_eq!(shop.named(&rotate, &name, &json!({})).await?.expect(200), rotated, "once under a name");
    ensure!(secret(&rotated) != secret(&endpoint) && secret(&rotated).starts_with("whsec_"), "{rotated}");
    make_events(&world, 1).await?;
    taken(&works, 21).await?;
    works.trust(&secret(&rotated));
    make_events(&world, 1).await?;
    taken(&works, 22).await?;
    ensure!(works.came().iter().all(|came| came.is_genuine), "by either secret");
    world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_hears_of_what_it_wants_and_of_the_rest_only_on_request() -> Result<()> {
    let mut world = World::start("private_webhooks = true\n").await?;
    let shop = world.shop.clone();
    let receiver = Receiver::start().await?;
    let wanted = json!({ "url": receiver.url(), "types": ["invoice.paid", "invoice.pending", "invoice.paid"] });
    let name = fresh();
    let endpoint = shop.named("/v1/webhooks", &name, &wanted).await?.expect(201);
    assert_eq!(endpoint["types"], json!(["invoice.paid", "invoice.pending"]));
    let same = json!({ "url": receiver.url(), "types": ["invoice.pending", "invoice.paid"] });
    assert_eq!(shop.named("/v1/webhooks", &name, &same).await?.expect(201), endpoint, "whatever their order");
    let all = json!({ "url": receiver.url() });
    assert_eq!(shop.named("/v1/webhooks", &name, &all).await?.code(409), "idempotency.used");
    let path = format!("/v1/webhooks/{}", endpoint["id"].as_str().context("an id")?);

    let pay = async |world: &World| {
        let paid = shop.invoice(&json!({ "amount": 100 })).await?;
        assert_eq!(world.pay(&paid).await?, "paid");
        shop.event("invoice.paid", &paid["id"]).await
    };
    let noted = async |last: &Value| {
        let next = last["sequence"].as_u64().context("a number")? + 1;
        wait::until("what was brought to be noted", PATIENCE, async || {
            Ok((shop.get(&path).await?.expect(200)["next_sequence"] == next).then_some(()))
        })
        .await
    };
    // More than are brought in a row.
    make_events(&world, 20).await?;
    let last = pay(&world).await?;
    taken(&receiver, 2).await?;
    // Else they may come twice.
    noted(&last).await?;
    world.network.restart(fair_tests::network::MERCHANT).await?;
    make_events(&world, 2).await?;
    wait::until("a way to the merchant", PATIENCE, async || {
        let status = world.status(fair_tests::network::MERCHANT).await?;
        Ok((status["connected"] == true).then_some(()))
    })
    .await?;
    let last = pay(&world).await?;
    let told = taken(&receiver, 4).await?;
    let kinds: Vec<_> = told.iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["invoice.pending", "invoice.paid", "invoice.pending", "invoice.paid"]);
    assert_eq!(told[3], last);
    noted(&last).await?;
    shop.post(&format!("{path}/redeliver"), &json!({ "sequence": 1 })).await?.expect(200);
    assert_eq!(taken(&receiver, 5).await?[4]["type"], "invoice.cancelled");

    for types in [json!([]), json!(["invoice"]), json!(["invoice.paid", "webhook.test"]), json!([""])] {
        let refused = shop.post("/v1/webhooks", &json!({ "url": receiver.url(), "types": types })).await?;
        ensure!(refused.body["message"].as_str().is_some_and(|says| says.contains("type")), "{refused:?}");
        assert_eq!(refused.code(400), "input.types", "{types}");
    }
    let refused = shop.post("/v1/webhooks", &json!({ "url": receiver.url(), "types": [1] })).await?;
    assert_eq!(refused.code(422), "input.json");
    world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_signed_and_no_event_and_what_came_of_each_attempt_is_told() -> Result<()> {
    let world = World::start("private_webhooks = true\n").await?;
    let shop = &world.shop;
    let receiver = Receiver::start().await?;
    let wanted = json!({ "url": receiver.url(), "types": ["payout.paid", "invoice.cancelled"] });
    let endpoint = shop.post("/v1/webhooks", &wanted).await?.expect(201);
    receiver.trust(endpoint["secret"].as_str().context("a secret")?);
    let path = format!("/v1/webhooks/{}", endpoint["id"].as_str().context("an id")?);
    let test = async || Ok::<_, anyhow::Error>(shop.post(&format!("{path}/test"), &json!({})).await?.expect(200));

    let told = test().await?;
    let came = receiver.came();
    let [one] = came.as_slice() else { anyhow::bail!("{came:?}") };
    ensure!(one.is_genuine && one.id.starts_with("test_") && one.event["id"] == one.id.as_str(), "{one:?}");
    assert_eq!((&one.event["type"], &one.event["sequence"]), (&json!("webhook.test"), &json!(0)));
    assert_eq!(one.event["data"], json!({ "webhook": endpoint["id"] }));
    assert_eq!((&told["id"], &told["status"], &told["taken"]), (&json!(one.id), &json!(204), &json!(true)));
    // It is no event: the next one has the first number.
    assert_eq!(shop.events().await?, [] as [Value; 0]);
    make_events(&world, 1).await?;
    assert_eq!(taken(&receiver, 2).await?[1]["sequence"], 1);

    // What is refused says so at once, stops nothing, and a 410 to it ends nothing.
    let elsewhere = Receiver::start().await?;
    receiver.answer([How::Status(500), How::Redirect(elsewhere.url()), How::Status(410)]);
    for (status, says) in [(500, "500"), (307, "307"), (410, "gone")] {
        let told = test().await?;
        assert_eq!((&told["status"], &told["taken"]), (&json!(status), &json!(false)));
        ensure!(told["reason"].as_str().is_some_and(|reason| reason.contains(says)), "{told}");
    }
    let seen = shop.get(&path).await?.expect(200);
    assert_eq!(
        (&seen["state"], &seen["last_error"], &seen["next_sequence"]),
        (&json!("enabled"), &Value::Null, &json!(2))
    );
    assert_eq!(elsewhere.came().len(), 0);
    receiver.answer([How::Status(503)]);
    make_events(&world, 1).await?;
    taken(&receiver, 3).await?;
    let port = receiver.port;
    drop(receiver);
    let told = test().await?;
    assert_eq!((&told["status"], &told["taken"]), (&Value::Null, &json!(false)));
    ensure!(told["reason"].is_string(), "{told}");

    let list = format!("{path}/deliveries");
    let listed = shop.get(&list).await?.expect(200);
    let listed = listed["deliveries"].as_array().context("deliveries")?;
    let lines: Vec<Value> = listed.iter().map(|line| json!([line["type"], line["sequence"], line["status"]])).collect();
    let expected = json!([
        ["webhook.test", 0, null],
        ["invoice.cancelled", 2, 204],
        ["invoice.cancelled", 2, 503],
        ["webhook.test", 0, 410],
        ["webhook.test", 0, 307],
        ["webhook.test", 0, 500],
        ["invoice.cancelled", 1, 204],
        ["webhook.test", 0, 204],
    ]);
    assert_eq!(json!(lines), expected, "{listed:?}");
    ensure!(listed.iter().all(|line| line["at_ms"].is_u64() && line["took_ms"].is_u64()), "{listed:?}");
    ensure!(listed.iter().all(|line| (line["taken"] == true) == (line["status"] == 204)), "{listed:?}");
    assert_eq!(listed[1]["id"], listed[2]["id"]);

    let thief = shop.with_key(&make_key(&world.network, &["events:read", "invoices:read"]).await?);
    assert_eq!(thief.get(&list).await?.code(403), "forbidden");
    assert_eq!(thief.post(&format!("{path}/test"), &json!({})).await?.code(403), "forbidden");
    let nobodys = format!("/v1/webhooks/{}", "0".repeat(32));
    assert_eq!(shop.get(&format!("{nobodys}/deliveries")).await?.code(404), "webhook.unknown");
    assert_eq!(shop.post(&format!("{nobodys}/test"), &json!({})).await?.code(404), "webhook.unknown");
    // One that was gone is tried before it is enabled.
    let receiver = wait::until("the port", PATIENCE, async || Ok(Receiver::start_at(port).await.ok())).await?;
    receiver.answer([How::Status(410)]);
    make_events(&world, 1).await?;
    wait::until("the end of the webhook", PATIENCE, async || {
        Ok((shop.get(&path).await?.expect(200)["state"] == "gone").then_some(()))
    })
    .await?;
    assert_eq!(test().await?["taken"], true);
    assert_eq!(shop.get(&path).await?.expect(200)["state"], "gone");
    world.network.shut_down().await
}

/// Certificates that an authority of the operator's own signed, and one that nobody did.
#[tokio::test(flavor = "multi_thread")]
async fn https_goes_to_whom_the_certificate_names_and_to_nobody_else() -> Result<()> {
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/merchant/tls/authority.pem");
    let world = World::start(&format!("private_webhooks = true\nwebhook_authorities = {authority:?}\n")).await?;
    let shop = &world.shop;
    let named =
        async || Receiver::start_with(include_bytes!("tls/receiver.pem"), include_bytes!("tls/receiver.key")).await;
    let (good, misnamed) = (named().await?, named().await?);
    let stranger = Receiver::start_with(include_bytes!("tls/stranger.pem"), include_bytes!("tls/stranger.key")).await?;
    let mut refused = Vec::new();
    for url in [misnamed.url_as("localhost"), stranger.url()] {
        refused.push(shop.post("/v1/webhooks", &json!({ "url": url })).await?.expect(201));
    }
    let endpoint = shop.post("/v1/webhooks", &json!({ "url": good.url() })).await?.expect(201);
    good.trust(endpoint["secret"].as_str().context("a secret")?);
    make_events(&world, 2).await?;
    taken(&good, 2).await?;
    ensure!(good.came().iter().all(|came| came.is_genuine), "signed as by http");
    for endpoint in refused {
        let path = format!("/v1/webhooks/{}", endpoint["id"].as_str().context("an id")?);
        let seen = wait::until("why nothing is brought", PATIENCE, async || {
            let seen = shop.get(&path).await?.expect(200);
            Ok(seen["last_error"]["reason"].as_str().map(str::to_owned))
        });
        let reason = seen.await?;
        ensure!(reason.contains("certificate"), "{reason}");
    }
    assert_eq!((misnamed.came().len(), stranger.came().len()), (0, 0));
    world.network.shut_down().await
}
