//! Lists: everything is found in them, in its order, by those who may see it.

use crate::shop::{PAYER, Shop, World, make_key};
use anyhow::{Context as _, Result, ensure};
use fair_tests::network::MERCHANT;
use serde_json::{Value, json};

/// The ids in a list, in its order, got in parts of `limit` lines.
async fn ids(shop: &Shop, what: &str, filter: &str, limit: usize) -> Result<Vec<Value>> {
    let (mut found, mut after) = (Vec::new(), json!(0));
    loop {
        let page = shop.get(&format!("/v1/{what}?after={after}&limit={limit}{filter}")).await?.expect(200);
        let lines = page[what].as_array().context("lines")?;
        ensure!(lines.len() <= limit, "{page}");
        found.extend(lines.iter().map(|line| line["id"].clone()));
        after = page["cursor"].clone();
        if page["more"] == false {
            return Ok(found);
        }
    }
}

fn of(made: &[&Value]) -> Vec<Value> {
    made.iter().map(|one| one["id"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_found_by_what_it_is_and_by_nobody_who_may_not() -> Result<()> {
    let mut world = World::start("").await?;
    let shop = world.shop.clone();
    let order = async |reference: &str| shop.invoice(&json!({ "amount": 500, "reference": reference })).await;
    let (first, other, again, plain) =
        (order("tea 1").await?, order("tea").await?, order("tea 1").await?, order("").await?);
    assert_eq!(world.pay(&first).await?, "paid");
    shop.until(&first, "paid").await?;
    let path = format!("/v1/invoices/{}/cancel", again["id"].as_str().context("an id")?);
    shop.post(&path, &json!({})).await?.expect(200);
    let path = format!("/v1/invoices/{}/refunds", first["id"].as_str().context("an id")?);
    let mut refunds = Vec::new();
    for amount in [100, 50, 20] {
        refunds.push(shop.post(&path, &json!({ "amount": amount })).await?.expect(201));
    }
    let cancel = format!("/v1/refunds/{}/cancel", refunds[1]["id"].as_str().context("an id")?);
    shop.post(&cancel, &json!({})).await?.expect(200);
    let to = world.status(PAYER).await?["address"].clone();
    let mut payouts = Vec::new();
    for amount in [30, 40] {
        let made = shop.post("/v1/payouts", &json!({ "to": to, "amount": amount })).await?.expect(201);
        shop.event("payout.paid", &made["id"]).await?;
        payouts.push(made);
    }

    // The same after a restart, from what is stored.
    for _ in 0..2 {
        for (what, filter, made) in [
            ("invoices", "", vec![&first, &other, &again, &plain]),
            ("invoices", "&reference=tea%201", vec![&first, &again]),
            ("invoices", "&state=open", vec![&other, &plain]),
            ("invoices", "&state=cancelled&reference=tea%201", vec![&again]),
            ("invoices", "&reference=nothing", vec![]),
            ("refunds", "", refunds.iter().collect()),
            ("refunds", "&state=claimable", vec![&refunds[0], &refunds[2]]),
            ("payouts", "", payouts.iter().collect()),
            ("payouts", "&state=paid", payouts.iter().collect()),
            ("payouts", "&state=failed", vec![]),
        ] {
            for limit in [1, 100] {
                assert_eq!(ids(&shop, what, filter, limit).await?, of(&made), "{what} {filter}");
            }
        }
        let id = |invoice: &Value| format!("&invoice={}", invoice["id"].as_str().unwrap_or_default());
        assert_eq!(ids(&shop, "refunds", &id(&first), 2).await?, of(&refunds.iter().collect::<Vec<_>>()));
        assert_eq!(ids(&shop, "refunds", &id(&other), 2).await?, [] as [Value; 0]);
        world.network.restart(MERCHANT).await?;
    }
    let listed = shop.get("/v1/refunds?state=claimable").await?.expect(200);
    assert_eq!(listed["refunds"][0]["claim_url"], refunds[0]["claim_url"]);
    let payout = shop.get("/v1/payouts?limit=1").await?.expect(200);
    assert_eq!((&payout["payouts"][0]["state"], &payout["more"]), (&json!("paid"), &json!(true)));

    // A link is money: who may only look sees none.
    let thief = shop.with_key(&make_key(&world.network, &["invoices:read"]).await?);
    let seen = thief.get("/v1/refunds").await?.expect(200);
    ensure!(seen["refunds"][0]["state"] == "claimable" && !seen.to_string().contains("/claim/"), "{seen}");
    assert_eq!(thief.get("/v1/payouts").await?.code(403), "forbidden");
    let seller = shop.with_key(&make_key(&world.network, &["invoices:write", "refunds"]).await?);
    for path in ["/v1/invoices", "/v1/refunds"] {
        assert_eq!(seller.get(path).await?.code(403), "forbidden", "{path}");
    }

    let nobodys = format!("/v1/refunds?invoice={}", "0".repeat(32));
    assert_eq!(shop.get(&nobodys).await?.code(404), "invoice.unknown");
    for (path, code) in [
        ("/v1/invoices?state=Paid", "input.state"),
        ("/v1/invoices?state=claimable", "input.state"),
        ("/v1/refunds?state=open", "input.state"),
        ("/v1/invoices?state=paid&state=open", "input.state"),
        ("/v1/invoices?reference=", "input.reference"),
        ("/v1/invoices?reference=a%00", "input.reference"),
        ("/v1/refunds?invoice=1", "input.id"),
        ("/v1/refunds?reference=a", "input.query"),
        ("/v1/payouts?invoice=1", "input.query"),
        ("/v1/payouts?limit=101", "input.limit"),
    ] {
        assert_eq!(shop.get(path).await?.code(400), code, "{path}");
    }
    world.network.shut_down().await
}
