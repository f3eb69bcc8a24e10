//! What strangers, thieves and floods get.

use crate::shop::{World, fresh, make_key, make_key_of};
use anyhow::{Context as _, Result, ensure};
use fair_tests::network::MERCHANT;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_further_than_the_key_allows() -> Result<()> {
    let world = World::start("").await?;
    let shop = &world.shop;
    let invoice = shop.invoice(&json!({ "amount": 500 })).await?;
    let id = invoice["id"].as_str().context("an id")?;
    let stolen = make_key(&world.network, &["invoices:read"]).await?;
    let thief = shop.with_key(&stolen);
    thief.get(&format!("/v1/invoices/{id}")).await?.expect(200);
    thief.get("/v1/invoices").await?.expect(200);
    let address = world.status(MERCHANT).await?["address"].clone();
    let refused = [
        ("/v1/invoices".to_owned(), json!({ "amount": 5 })),
        (format!("/v1/invoices/{id}/cancel"), json!({})),
        (format!("/v1/invoices/{id}/refunds"), json!({})),
        ("/v1/payouts".to_owned(), json!({ "to": address, "amount": 5 })),
        ("/v1/webhooks".to_owned(), json!({ "url": "https://thief.example/" })),
    ];
    for (path, body) in &refused {
        assert_eq!(thief.post(path, body).await?.code(403), "forbidden", "{path}");
    }
    for path in ["/v1/events", "/v1/balance", "/v1/webhooks", "/v1/payouts/00112233445566778899aabbccddeeff"] {
        assert_eq!(thief.get(path).await?.code(403), "forbidden", "{path}");
    }
    // Who may only read finds a refund, by a name that can be guessed, and not the link to its money.
    let paid = shop.invoice(&json!({ "amount": 500 })).await?;
    assert_eq!(world.pay(&paid).await?, "paid");
    shop.until(&paid, "paid").await?;
    let path = format!("/v1/invoices/{}/refunds", paid["id"].as_str().context("an id")?);
    let refund = shop.post(&path, &json!({})).await?.expect(201);
    ensure!(refund["claim_url"].is_string(), "{refund}");
    let path = format!("/v1/refunds/{}", refund["id"].as_str().context("an id")?);
    assert_eq!(shop.get(&path).await?.expect(200)["claim_url"], refund["claim_url"]);
    let seen = thief.get(&path).await?.expect(200);
    assert_eq!((&seen["state"], &seen["claim_url"]), (&json!("claimable"), &Value::Null));
    // A key is not the operator: it makes no keys and moves no money.
    for path in ["/v1/keys/create", "/v1/keys/rotate", "/v1/keys/list", "/v1/deposit", "/v1/pay"] {
        assert_eq!(shop.post(path, &json!({})).await?.code(403), "operator_only", "{path}");
    }
    for wrong in ["", "fair_", "fair_0011223344556677_00", &stolen.to_uppercase(), "Basic abc"] {
        assert_eq!(shop.with_key(wrong).get("/v1/balance").await?.code(401), "unauthorized", "{wrong}");
    }
    assert_eq!(shop.look(&invoice).await?["state"], "open");

    // Two shops with the same order number do not meet; a key that replaces another goes on in its names.
    let scopes = ["invoices:write", "invoices:read"];
    let cake = shop.with_key(&make_key_of(&world.network, "cake", &scopes).await?);
    let list =
        async || -> Result<Value> { Ok(serde_json::from_str(&world.network.node(MERCHANT, "key", &["list"]).await?)?) };
    let listed = list().await?;
    let keys = listed["keys"].as_array().context("keys")?;
    let of_cake = keys.iter().find(|key| key["name"] == "cake").context("the key")?;
    let id = of_cake["id"].as_str().context("an id")?;
    let rotated: Value = serde_json::from_str(&world.network.node(MERCHANT, "key", &["rotate", id]).await?)?;
    assert_eq!((&rotated["name"], &rotated["scopes"]), (&of_cake["name"], &of_cake["scopes"]));
    ensure!(rotated["id"] != of_cake["id"], "{rotated}");
    let replaced = shop.with_key(rotated["key"].as_str().context("a key")?);
    let (name, order) = (fresh(), json!({ "amount": 500 }));
    let of_test = shop.named("/v1/invoices", &name, &order).await?.expect(201);
    let of_cake = cake.named("/v1/invoices", &name, &order).await?.expect(201);
    ensure!(of_test["id"] != of_cake["id"] && of_test["invoice"] != of_cake["invoice"], "{of_cake}");
    assert_eq!(replaced.named("/v1/invoices", &name, &order).await?.expect(201), of_cake);
    // The one before stays good until it is revoked.
    world.network.node(MERCHANT, "key", &["revoke", id]).await?;
    cake.get("/v1/invoices").await?.expect(401);
    replaced.get("/v1/invoices").await?.expect(200);

    // Revoked, also after a restart; nothing on the disk is a key.
    let listed = list().await?;
    let keys = listed["keys"].as_array().context("keys")?;
    let read_only = keys.iter().find(|key| key["scopes"] == json!(["invoices:read"])).context("the key")?;
    world.network.node(MERCHANT, "key", &["revoke", read_only["id"].as_str().context("an id")?]).await?;
    thief.get("/v1/invoices").await?.expect(401);
    let mut world = world;
    world.network.restart(MERCHANT).await?;
    let (shop, thief) = (&world.shop, world.shop.with_key(&stolen));
    thief.get("/v1/invoices").await?.expect(401);
    shop.get("/v1/invoices").await?.expect(200);
    let secret = hex::decode(stolen.rsplit_once('_').context("a key")?.1)?;
    for file in ["db.sqlite", "db.sqlite-wal"] {
        let bytes = std::fs::read(world.network.folder().join(MERCHANT).join("offchain").join(file))?;
        ensure!(!bytes.windows(32).any(|window| window == secret), "{file} holds a key");
        ensure!(!bytes.windows(64).any(|window| hex::encode(&secret).as_bytes() == window), "{file} holds a key");
    }
    world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_get_typed_errors_and_change_nothing() -> Result<()> {
    let world = World::start("").await?;
    let shop = &world.shop;
    for (body, code) in [
        (json!({ "amount": 0 }), "input.amount"),
        (json!({ "amount": (1_u64 << 62) + 1 }), "input.amount"),
        (json!({ "amount": 5, "description": "a\u{202E}b" }), "input.description"),
        (json!({ "amount": 5, "description": "nul\u{0}" }), "input.description"),
        (json!({ "amount": 5, "description": "x".repeat(161) }), "input.description"),
        (json!({ "amount": 5, "reference": "x".repeat(129) }), "input.reference"),
        (json!({ "amount": 5, "expires_in_s": 0 }), "input.expires_in_s"),
        (json!({ "amount": 5, "expires_in_s": u64::MAX }), "input.expires_in_s"),
        (json!({ "amount": 5, "min_insured": 101 }), "input.min_insured"),
    ] {
        assert_eq!(shop.post("/v1/invoices", &body).await?.code(400), code, "{body}");
    }
    for body in [
        json!({ "amount": -1 }),
        json!({ "amount": 1.5 }),
        json!({ "amount": "5" }),
        json!({ "amount": 5, "admin": true }),
        json!([]),
    ] {
        assert_eq!(shop.post("/v1/invoices", &body).await?.code(422), "input.json", "{body}");
    }
    assert_eq!(shop.post("/v1/invoices", &json!({ "amount": 5, "asset": 99 })).await?.code(409), "asset.unknown");
    for name in ["", "has space", &"x".repeat(256)] {
        let answer = shop.named("/v1/invoices", name, &json!({ "amount": 5 })).await?;
        assert_eq!(answer.code(400), "input.idempotency_key", "{name:?}");
    }
    let unnamed = shop.request(Method::POST, "/v1/invoices").json(&json!({ "amount": 5 }));
    assert_eq!(shop.send(unnamed).await?.code(400), "input.idempotency_key");
    let giant = json!({ "amount": 5, "description": "x".repeat(1 << 20) });
    assert_eq!(shop.post("/v1/invoices", &giant).await?.code(413), "input.json");
    let broken = shop.request(Method::POST, "/v1/invoices").header("idempotency-key", fresh());
    let broken = broken.header("content-type", "application/json").body(vec![0xFF; 100]);
    assert_eq!(shop.send(broken).await?.code(400), "input.json");
    for path in
        ["/v1/invoices/zz", "/v1/invoices?limit=0", "/v1/invoices?limit=101", "/v1/events?wait=61", "/v1/events?x=1"]
    {
        ensure!(shop.get(path).await?.code(400).starts_with("input."), "{path}");
    }
    assert_eq!(shop.get("/v1/invoices/00112233445566778899aabbccddeeff").await?.code(404), "invoice.unknown");
    for url in
        ["http://127.0.0.1:1/", "https://10.0.0.1/", "https://2130706433/", "https://[::1]/", "file:///etc/passwd", "x"]
    {
        assert_eq!(shop.post("/v1/webhooks", &json!({ "url": url })).await?.code(400), "webhook.url", "{url}");
    }
    let listed = shop.get("/v1/invoices").await?.expect(200);
    assert_eq!(listed["invoices"], json!([]));
    // What a person may write comes back as it was written.
    let text = "<script>alert(1)</script> ' OR 1=1; -- {{7*7}} Käse 茶 🧀 \\u0000";
    let made = shop.invoice(&json!({ "amount": 5, "description": text, "reference": text })).await?;
    assert_eq!((&made["description"], &made["reference"]), (&json!(text), &json!(text)));
    world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_told_when_to_come_again_and_others_are_served() -> Result<()> {
    let world = World::start("").await?;
    let flooding = world.shop.with_key(&make_key(&world.network, &["invoices:read"]).await?);
    let mut limited = None;
    'flood: for _ in 0..40 {
        let requests = (0..20).map(|_| {
            let flooding = flooding.clone();
            tokio::spawn(async move { flooding.get("/v1/invoices").await })
        });
        for request in requests.collect::<Vec<_>>() {
            let answer = request.await??;
            if answer.status.as_u16() == 429 {
                limited = Some(answer);
                break 'flood;
            }
            answer.expect(200);
        }
    }
    let limited = limited.context("a limit")?;
    ensure!(limited.retry_after >= Some(1), "{limited:?}");
    assert_eq!(limited.body["retryable"], true);
    world.shop.get("/v1/invoices").await?.expect(200);
    let stranger = world.shop.with_key("fair_none");
    let mut refused = None;
    for _ in 0..100 {
        let answer = stranger.get("/v1/invoices").await?;
        if answer.status.as_u16() == 429 {
            refused = Some(answer);
            break;
        }
        answer.expect(401);
    }
    ensure!(refused.is_some_and(|answer| answer.retry_after >= Some(1)), "strangers are limited");
    world.shop.get("/v1/invoices").await?.expect(200);
    world.network.shut_down().await
}
