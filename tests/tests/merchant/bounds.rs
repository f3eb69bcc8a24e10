//! What anybody with a key, a link or a connection can use up, and what is left for the others.

use crate::shop::{ALL, Answer, PATIENCE, Shop, World, make_key, make_key_of};
use anyhow::{Context as _, Result, ensure};
use fair_tests::network::{BANK, MERCHANT, Network, NewWallet, Plan};
use fair_tests::wait;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Far below what a long poll or the body of a request may take.
const AT_ONCE: Duration = Duration::from_secs(10);
/// Of long polls with one key.
const PLACES: usize = 64;

fn id_of(thing: &Value) -> Result<&str> {
    thing["id"].as_str().context("an id")
}

#[tokio::test(flavor = "multi_thread")]
async fn so_much_is_open_and_what_nobody_pays_is_forgotten() -> Result<()> {
    let settings = "open_invoices_per_key = 3\nopen_invoices = 5\nkeep_unpaid_s = 1\nkeep_events_s = 1\n";
    let mut world = World::start(settings).await?;
    let shop = world.shop.clone();
    let order = json!({ "amount": 100 });
    let full = |answer: Answer| {
        let wait = answer.retry_after;
        assert_eq!(answer.body["retryable"], true, "{answer:?}");
        assert_eq!(answer.code(429), "invoice.too_many_open");
        assert!(wait.is_some_and(|seconds| seconds >= 1));
    };
    let paid = shop.invoice(&order).await?;
    assert_eq!(world.pay(&paid).await?, "paid");
    shop.until(&paid, "paid").await?;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(shop.invoice(&order).await?);
    }
    full(shop.post("/v1/invoices", &order).await?);
    // Another key has room of its own, until the merchant is full.
    let other = shop.with_key(&make_key(&world.network, &["invoices:write"]).await?);
    for _ in 0..2 {
        other.invoice(&order).await?;
    }
    full(other.post("/v1/invoices", &order).await?);
    for invoice in &open {
        shop.post(&format!("/v1/invoices/{}/cancel", id_of(invoice)?), &json!({})).await?.expect(200);
    }
    let newest = shop.named("/v1/invoices", "the-newest", &order).await?.expect(201);

    let forgotten = format!("/v1/invoices/{}", id_of(&open[0])?);
    wait::until("the cancelled one to be forgotten", PATIENCE, async || {
        let answer = shop.get(&forgotten).await?;
        Ok((answer.status.as_u16() == 404).then_some(()))
    })
    .await?;
    assert_eq!(shop.look(&paid).await?["state"], "paid");
    shop.post(&format!("/v1/invoices/{}/refunds", id_of(&paid)?), &json!({ "amount": 10 })).await?.expect(201);

    // The events of all that are too; whoever reads on where nothing is left is told so.
    let first = wait::until("old events to be forgotten", PATIENCE, async || {
        let answer = shop.get("/v1/events?after=0").await?;
        let is_forgotten = answer.status.as_u16() == 410 && answer.body["code"] == "event.forgotten";
        Ok(answer.body["data"]["first"].as_u64().filter(|first| is_forgotten && *first > 4))
    })
    .await?;
    let page = shop.get("/v1/events").await?.expect(200);
    let oldest = page["events"][0]["sequence"].as_u64().context("the newest event stays")?;
    ensure!(oldest >= first, "{page}");
    shop.get(&format!("/v1/events?after={}", page["cursor"])).await?.expect(200);

    // Numbers go on after a restart, whatever is forgotten.
    let before = page["cursor"].as_u64().context("a cursor")?;
    world.network.restart(MERCHANT).await?;
    shop.post(&format!("/v1/invoices/{}/cancel", id_of(&newest)?), &json!({})).await?.expect(200);
    let told = shop.get("/v1/events").await?.expect(200);
    let told = told["events"].as_array().context("events")?;
    let cancelled = told.iter().find(|event| event["data"]["id"] == newest["id"]).context("the event")?;
    ensure!(cancelled["sequence"].as_u64() > Some(before), "{cancelled}");
    let listed = shop.get("/v1/invoices").await?.expect(200);
    let listed = listed["invoices"].as_array().context("invoices")?;
    ensure!(listed.iter().any(|one| one["id"] == paid["id"]), "paid for ever");
    world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn so_much_can_be_paid_late_and_what_is_paid_or_cancelled_makes_room() -> Result<()> {
    let mut world = World::start("late_invoices_per_key = 2\n").await?;
    let shop = world.shop.clone();
    let late = json!({ "amount": 100, "expires_in_s": 1, "accepts_late": true });
    let full = async || {
        let answer = shop.post("/v1/invoices", &late).await?;
        ensure!(answer.retry_after.is_some() && answer.body["retryable"] == true, "{answer:?}");
        ensure!(answer.body["message"].as_str().is_some_and(|says| says.contains("cancel those")), "{answer:?}");
        assert_eq!(answer.code(429), "invoice.too_many_late");
        anyhow::Ok(())
    };
    let [paid, cancelled] = [shop.invoice(&late).await?, shop.invoice(&late).await?];
    full().await?;
    // The others have their own bounds.
    shop.invoice(&json!({ "amount": 100 })).await?;
    for made in [&paid, &cancelled] {
        shop.event("invoice.expired", &made["id"]).await?;
    }
    full().await?;
    assert_eq!(world.pay(&paid).await?, "paid");
    assert_eq!(shop.event("invoice.paid", &paid["id"]).await?["data"]["late"], true);
    shop.invoice(&late).await?;
    full().await?;
    // Counted again after a restart.
    world.network.restart(MERCHANT).await?;
    full().await?;
    let path = format!("/v1/invoices/{}/cancel", id_of(&cancelled)?);
    assert_eq!(shop.post(&path, &json!({})).await?.expect(200)["state"], "cancelled");
    shop.invoice(&late).await?;
    full().await?;
    world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_does_not_hold_all_long_polls_and_a_revoked_one_holds_none() -> Result<()> {
    let world = World::start("").await?;
    let shop = &world.shop;
    let invoice = shop.invoice(&json!({ "amount": 100 })).await?;
    let key = make_key_of(&world.network, "greedy", &["invoices:read", "events:read"]).await?;
    let greedy = shop.with_key(&key);
    let paths = [format!("/v1/invoices/{}?wait=60", id_of(&invoice)?), "/v1/events?wait=60".to_owned()];
    let polls: Vec<_> = (0..PLACES + 10)
        .map(|number| {
            let (greedy, path) = (greedy.clone(), paths[number % 2].clone());
            tokio::spawn(async move { greedy.get(&path).await })
        })
        .collect();
    // Those that found no place are answered; the others wait.
    wait::until("ten refusals", PATIENCE, async || {
        Ok((polls.iter().filter(|poll| poll.is_finished()).count() == 10).then_some(()))
    })
    .await?;
    assert_eq!(greedy.get(&paths[0]).await?.code(429), "limited");
    shop.get("/v1/events?wait=1").await?.expect(200);
    let revoked = Instant::now();
    let id = key.split('_').nth(1).context("a key")?;
    world.network.node(MERCHANT, "key", &["revoke", id]).await?;
    let (mut refused, mut ended) = (0, 0);
    for poll in polls {
        match poll.await??.status.as_u16() {
            429 => refused += 1,
            401 => ended += 1,
            other => anyhow::bail!("{other}"),
        }
    }
    assert_eq!((refused, ended), (10, PLACES));
    ensure!(revoked.elapsed() < AT_ONCE, "at once");
    world.network.shut_down().await
}

/// Sends some bytes and nothing more, and says what came until the other side hung up, and when the first of it.
pub(super) async fn half(address: &str, sent: String) -> Result<(String, Option<Duration>)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(sent.as_bytes()).await?;
    let (began, mut first, mut got) = (Instant::now(), None, Vec::new());
    let read = async {
        while stream.read_buf(&mut got).await? > 0 {
            first.get_or_insert(began.elapsed());
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, read).await.context("nobody hangs up")??;
    Ok((String::from_utf8_lossy(&got).into_owned(), first))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_half_a_request_is_hung_up_on_and_strangers_bodies_are_not_read() -> Result<()> {
    let world = World::start("").await?;
    let url = world.network.url_of(MERCHANT)?;
    let address = url.strip_prefix("http://").context("a plain URL")?;
    let key = make_key(&world.network, &["invoices:write"]).await?;
    let head = "GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n".to_owned();
    let body = |path: &str, more: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\n{more}Content-Length: 100\r\n\r\n{{\"amount\"")
    };
    let json = format!("Authorization: Bearer {key}\r\nIdempotency-Key: x\r\nContent-Type: application/json\r\n");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let zeros = "0".repeat(32);
    let (head, idle, body, claim, nobody) = tokio::join!(
        half(address, head),
        half(address, String::new()),
        half(address, body("/v1/invoices", &json)),
        half(address, body(&format!("/claim/{zeros}/{zeros}{zeros}"), form)),
        half(address, body("/v1/invoices", "Content-Type: application/json\r\n")),
    );
    for (got, _) in [head?, idle?] {
        ensure!(got.is_empty() || got.starts_with("HTTP/1.1 408"), "{got}");
    }
    let (got, _) = body?;
    ensure!(got.starts_with("HTTP/1.1 400") && got.contains("input.json"), "{got}");
    // Who shows neither a good link nor a key is answered at once, whatever was to come.
    for (got, status, first) in [(claim?, "404"), (nobody?, "401")].map(|((got, first), status)| (got, status, first)) {
        ensure!(got.starts_with(&format!("HTTP/1.1 {status}")), "{got}");
        ensure!(first.is_some_and(|first| first < AT_ONCE), "{status} after {first:?}");
    }
    world.shop.get("/v1/invoices").await?.expect(200);
    world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_no_answer_is_hung_up_on() -> Result<()> {
    let world = World::start("").await?;
    let url = world.network.url_of(MERCHANT)?;
    let mut stream = TcpStream::connect(url.strip_prefix("http://").context("a plain URL")?).await?;
    let write = async {
        loop {
            if stream.write_all(b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n").await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, write).await.context("nobody hangs up")?;
    world.shop.get("/v1/invoices").await?.expect(200);
    world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_links_does_not_keep_others_from_theirs() -> Result<()> {
    let world = World::start("").await?;
    let shop = &world.shop;
    let paid = shop.invoice(&json!({ "amount": 500 })).await?;
    assert_eq!(world.pay(&paid).await?, "paid");
    shop.until(&paid, "paid").await?;
    let refund = shop.post(&format!("/v1/invoices/{}/refunds", id_of(&paid)?), &json!({})).await?.expect(201);
    let link = refund["claim_url"].as_str().context("a link")?;
    // As through a proxy: all come from one address.
    let page = reqwest::Client::builder().no_proxy().build()?;
    let guess = format!("{}/{}", link.rsplit_once('/').context("a link")?.0, "0".repeat(64));
    let mut statuses = Vec::new();
    for _ in 0..70 {
        statuses.push(page.get(&guess).send().await?.status().as_u16());
    }
    assert_eq!((statuses.first(), statuses.last()), (Some(&404), Some(&429)));
    for _ in 0..10 {
        assert_eq!(page.get(link).send().await?.status().as_u16(), 200);
    }
    // One link is not asked without end either.
    let mut last = 200;
    for _ in 0..40 {
        last = page.get(link).send().await?.status().as_u16();
    }
    assert_eq!(last, 429);
    world.network.shut_down().await
}

/// A newcomer's first minutes.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_could_pay_is_refused_and_said_why() -> Result<()> {
    let mut network = Network::start(&Plan { validators: 1, ..Plan::new()? }).await?;
    network.add_wallet(&NewWallet { name: crate::shop::PAYER, settings: None, side: None }).await?;
    let genesis = network.folder().join("genesis.bin");
    let genesis = genesis.to_str().context("a path")?;
    let arguments = ["--kind", "merchant", "--relay", "http://127.0.0.1:1", "--genesis", genesis];
    network.node("fresh", "init", &arguments).await?;
    let early = network.node("fresh", "key", &["list"]).await.unwrap_err();
    ensure!(format!("{early:#}").contains("node run --home"), "{early:#}");

    network.stop(BANK).await?;
    network.add_merchant(MERCHANT, "funds_itself = true\ncredit_limit = 1000\ninsure_above = 1000\n").await?;
    let shop = Shop::new(&network, &make_key(&network, &ALL).await?)?;
    let answer = shop.post("/v1/invoices", &json!({ "amount": 100 })).await?;
    ensure!(answer.retry_after >= Some(1) && answer.body["retryable"] == true, "{answer:?}");
    assert_eq!(answer.code(503), "not_ready");
    network.restart(BANK).await?;
    let world = World::with(network, shop).await?;
    let shop = &world.shop;

    let answer = shop.post("/v1/invoices", &json!({ "amount": 1_001 })).await?;
    assert_eq!(answer.body["data"], json!({ "largest": 1_000 }));
    assert_eq!(answer.code(409), "invoice.above_limit");
    let made = shop.invoice(&json!({ "amount": 600 })).await?;
    assert_eq!(made["receivable"], Value::Null);
    assert_eq!(world.pay(&made).await?, "paid");
    shop.until(&made, "paid").await?;
    // The bank may insure more until the payer comes, so this one is made, and says what there is.
    let (name, order) = ("large", json!({ "amount": 900 }));
    let large = shop.named("/v1/invoices", name, &order).await?.expect(201);
    assert_eq!(large["receivable"], 400);
    assert_eq!(shop.named("/v1/invoices", name, &order).await?.expect(201), large);
    assert_eq!(world.pay(&large).await?, "failed");

    // The command of an operator says by its exit code that nothing was paid.
    let to = large["invoice"].as_str().context("an invoice")?;
    let failed = world.network.node(crate::shop::PAYER, "pay", &["--to", to]).await.unwrap_err();
    ensure!(format!("{failed:#}").contains("the payment failed"), "{failed:#}");
    let refused = shop.get("/v1/events?after=x").await?;
    ensure!(refused.body["message"].as_str().is_some_and(|says| says.contains("after")), "{refused:?}");
    assert_eq!(refused.code(400), "input.after");
    world.network.shut_down().await
}
