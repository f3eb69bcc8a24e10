//! The life of an invoice, and the money that goes back and out.

use crate::shop::{PATIENCE, World, fresh};
use anyhow::{Context as _, Result, ensure};
use fair_core::payment::proof::{ProofOfPayment, Proven, Receipt};
use fair_tests::network::{BANK, MERCHANT};
use fair_tests::wait;
use serde_json::{Value, json};

/// In cents.
const AMOUNT: u64 = 2_500;

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_is_made_once_paid_once_and_told_in_order() -> Result<()> {
    let world = World::start("").await?;
    let shop = &world.shop;
    let body = json!({ "amount": AMOUNT, "description": "Tea & <b>cake</b>", "reference": "42", "refunds": true });
    let name = fresh();
    let made = shop.named("/v1/invoices", &name, &body).await?.expect(201);
    assert_eq!((&made["state"], &made["received"], &made["reference"]), (&json!("open"), &json!(0), &json!("42")));
    assert_eq!(shop.named("/v1/invoices", &name, &body).await?.expect(201), made, "the same again is the same");
    let other = json!({ "amount": AMOUNT + 1 });
    assert_eq!(shop.named("/v1/invoices", &name, &other).await?.code(409), "idempotency.used");
    assert_eq!(shop.look(&made).await?, made);

    // Somebody waits while it is paid.
    let id = made["id"].as_str().context("an id")?.to_owned();
    let waiting = tokio::spawn({
        let shop = shop.clone();
        let path = format!("/v1/invoices/{id}?wait=60");
        async move { shop.get(&path).await }
    });
    assert_eq!(world.pay(&made).await?, "paid");
    let seen = waiting.await??.expect(200);
    ensure!(seen["state"] == "pending" || seen["state"] == "paid", "{seen}");
    let paid = shop.until(&made, "paid").await?;
    assert_eq!((&paid["received"], &paid["late"], &paid["duplicate"]), (&json!(AMOUNT), &json!(false), &json!(false)));
    assert_eq!(paid["refund_address"], true);
    let assurance = &paid["assurance"];
    let (insured, uninsured) = (assurance["insured"].as_u64(), assurance["uninsured"].as_u64());
    assert_eq!(insured.zip(uninsured).map(|(insured, uninsured)| insured + uninsured), Some(AMOUNT));
    // What was answered first is answered again, whatever has happened.
    assert_eq!(shop.named("/v1/invoices", &name, &body).await?.expect(201), made);

    let events = shop.events().await?;
    let about: Vec<&Value> = events.iter().filter(|event| event["data"]["id"] == made["id"]).collect();
    let kinds: Vec<&str> = about.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, ["invoice.pending", "invoice.paid"]);
    for (event, sequence) in events.iter().zip(1_u64..) {
        assert_eq!(event["sequence"], sequence);
    }
    assert_eq!(shop.post(&format!("/v1/invoices/{id}/cancel"), &json!({})).await?.code(409), "invoice.taken");

    let receipt = receipt(&world, &id, &paid).await?;
    refund(&world, &id).await?;
    assert_eq!(shop.get(&format!("/v1/invoices/{id}/receipt")).await?.expect(200), receipt, "whatever was given back");
    payout(&world).await?;
    balance(&world).await?;
    world.network.shut_down().await
}

/// What the payer gets is verified by anybody who knows the network.
async fn receipt(world: &World, id: &str, paid: &Value) -> Result<Value> {
    let given = world.shop.get(&format!("/v1/invoices/{id}/receipt")).await?.expect(200);
    let proof = ProofOfPayment::from_text(given["receipt"].as_str().context("a text")?)?;
    let genesis = world.network.genesis()?;
    let Proven { invoice, receipt } = proof.verify(&genesis.chain_id())?;
    assert_eq!((invoice.body().id.to_string(), invoice.signer()), (id.to_owned(), &invoice.body().payee));
    let receipt = receipt.context("the payee's part")?;
    let Receipt { amount, paid_ms, .. } = receipt.body();
    assert_eq!((json!(amount), json!(paid_ms)), (paid["received"].clone(), paid["paid_ms"].clone()));
    ensure!(Some(*paid_ms) > paid["created_ms"].as_u64(), "{paid}");

    let open = world.shop.post("/v1/invoices", &json!({ "amount": AMOUNT })).await?.expect(201);
    let path = format!("/v1/invoices/{}/receipt", open["id"].as_str().context("an id")?);
    assert_eq!(world.shop.get(&path).await?.code(409), "receipt.not_paid");
    let nobodys = format!("/v1/invoices/{}/receipt", "0".repeat(32));
    assert_eq!(world.shop.get(&nobodys).await?.code(404), "invoice.unknown");
    Ok(given)
}

/// Part of it goes back to the payer, and never more than came.
async fn refund(world: &World, id: &str) -> Result<()> {
    let (shop, path) = (&world.shop, format!("/v1/invoices/{id}/refunds"));
    let before = world.money(crate::shop::PAYER).await?;
    let name = fresh();
    let made = shop.named(&path, &name, &json!({ "amount": 1_000 })).await?.expect(201);
    assert_eq!((&made["state"], &made["claim_url"]), (&json!("pending"), &Value::Null));
    shop.event("refund.paid", &made["id"]).await?;
    assert_eq!(shop.named(&path, &name, &json!({ "amount": 1_000 })).await?.expect(201), made);
    assert_eq!(shop.named(&path, &name, &json!({ "amount": 999 })).await?.code(409), "idempotency.used");
    wait::until("the refund at the payer", PATIENCE, async || {
        Ok((world.money(crate::shop::PAYER).await? == before + 1_000).then_some(()))
    })
    .await?;
    assert_eq!(shop.post(&path, &json!({ "amount": AMOUNT - 999 })).await?.code(409), "refund.too_much");
    let seen = shop.get(&format!("/v1/invoices/{id}")).await?.expect(200);
    assert_eq!((&seen["refunded"], &seen["received"]), (&json!(1_000), &json!(AMOUNT)));
    // Without an amount it is the rest.
    let rest = shop.post(&path, &json!({})).await?.expect(201);
    assert_eq!(rest["amount"], AMOUNT - 1_000);
    shop.event("refund.paid", &rest["id"]).await?;
    assert_eq!(shop.post(&path, &json!({})).await?.code(409), "refund.too_much");
    Ok(())
}

async fn payout(world: &World) -> Result<()> {
    let shop = &world.shop;
    let to = world.status(crate::shop::PAYER).await?["address"].clone();
    let made = shop.post("/v1/payouts", &json!({ "to": to, "amount": 700 })).await?.expect(201);
    let event = shop.event("payout.paid", &made["id"]).await?;
    assert_eq!((&event["data"]["amount"], &event["data"]["kind"]), (&json!(700), &json!("payout")));
    let id = made["id"].as_str().context("an id")?;
    assert_eq!(shop.get(&format!("/v1/payouts/{id}")).await?.expect(200)["state"], "paid");
    let much = shop.post("/v1/payouts", &json!({ "to": to, "amount": 1_000_000_000 })).await?;
    assert_eq!(much.code(409), "wallet.refused");
    Ok(())
}

async fn balance(world: &World) -> Result<()> {
    let balance = world.shop.get("/v1/balance").await?.expect(200);
    let status = world.status(MERCHANT).await?;
    let asset = &balance["assets"][0];
    assert_eq!(asset["assurance"]["insured"], status["assets"][0]["insured"]);
    assert_eq!(asset["assurance"]["uninsured"], status["assets"][0]["uninsured"]);
    assert_eq!(balance["banks"][0]["connected"], true);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_twice_or_after_cancelling_is_told_as_what_it_is() -> Result<()> {
    let world = World::start("").await?;
    let shop = &world.shop;
    // Nobody else could pay it while it is open for a second only.
    let short = json!({ "amount": 100, "expires_in_s": 1 });
    let expired = shop.invoice(&short).await?;
    let accepts = shop.invoice(&json!({ "amount": 100, "expires_in_s": 1, "accepts_late": true })).await?;
    shop.until(&expired, "expired").await?;
    shop.event("invoice.expired", &expired["id"]).await?;
    shop.event("invoice.expired", &accepts["id"]).await?;
    assert_eq!(world.pay(&expired).await?, "payment.refused", "a wallet does not pay what expired");
    assert_eq!(world.pay(&accepts).await?, "paid");
    let late = shop.event("invoice.paid", &accepts["id"]).await?;
    assert_eq!((&late["data"]["late"], &late["data"]["received"]), (&json!(true), &json!(100)));

    let cancelled = shop.invoice(&json!({ "amount": 100 })).await?;
    let path = format!("/v1/invoices/{}/cancel", cancelled["id"].as_str().context("an id")?);
    assert_eq!(shop.post(&path, &json!({})).await?.expect(200)["state"], "cancelled");
    assert_eq!(shop.post(&path, &json!({})).await?.expect(200)["state"], "cancelled");
    assert_eq!(world.pay(&cancelled).await?, "failed");
    shop.event("invoice.cancelled", &cancelled["id"]).await?;

    // The bank's own wallet is none; the merchant's payer pays, then somebody else with the same invoice.
    let twice = shop.invoice(&json!({ "amount": 100 })).await?;
    assert_eq!(world.pay(&twice).await?, "paid");
    let mut world = world;
    let other = fair_tests::network::NewWallet { name: "other", settings: None, side: None };
    world.network.add_wallet(&other).await?;
    wait::until("money of the other", PATIENCE, async || {
        let status = world.status("other").await?;
        Ok((status["assets"][0]["can_send"].as_u64() >= Some(1_000)).then_some(()))
    })
    .await?;
    let name = "00112233445566778899aabbccddeeff";
    let again = world.order("other", "/v1/pay", &json!({ "request": name, "to": twice["invoice"] })).await?;
    assert_eq!(again.expect(200)["state"], "failed", "it goes back");
    let told = world.shop.event("invoice.paid_again", &twice["id"]).await?;
    assert_eq!((&told["data"]["duplicate"], &told["data"]["received"]), (&json!(true), &json!(100)));

    // A list goes through all of them by its cursor.
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let page = world.shop.get(&format!("/v1/invoices?after={after}&limit=3")).await?.expect(200);
        found.extend(page["invoices"].as_array().context("invoices")?.iter().map(|one| one["id"].clone()));
        after = page["cursor"].as_u64().context("a cursor")?;
        if page["more"] == false {
            break;
        }
    }
    let made = [&expired, &accepts, &cancelled, &twice].map(|invoice| invoice["id"].clone());
    assert_eq!(found, made);
    world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_without_enough_behind_it_is_told_again_when_it_is_insured() -> Result<()> {
    let world = World::start("min_insured = 100\n").await?;
    let shop = &world.shop;
    let enough = shop.invoice(&json!({ "amount": 5_000, "min_insured": 0 })).await?;
    let wants_all = shop.invoice(&json!({ "amount": 5_000 })).await?;
    for invoice in [&enough, &wants_all] {
        assert_eq!(world.pay(invoice).await?, "paid");
    }
    let paid = shop.event("invoice.paid", &enough["id"]).await?;
    assert_eq!(paid["data"]["assurance"]["enough"], true);
    let paid = shop.event("invoice.paid", &wants_all["id"]).await?;
    assert_eq!(paid["data"]["assurance"], json!({ "insured": 0, "uninsured": 5_000, "enough": false }));
    // It asks for insurance by itself; the bank gives it when it rebalances.
    let assured = wait::until("insurance", PATIENCE, async || {
        world.network.node(BANK, "rebalance", &[]).await?;
        let events = shop.events().await?;
        Ok(events.into_iter().find(|event| event["type"] == "invoice.assured"))
    })
    .await?;
    assert_eq!(assured["data"]["id"], wants_all["id"]);
    assert_eq!(assured["data"]["assurance"]["enough"], true);
    world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_without_an_address_goes_to_whoever_has_the_link_and_the_surplus_is_swept() -> Result<()> {
    let mut world = World::start("").await?;
    let shop = world.shop.clone();
    let made = shop.invoice(&json!({ "amount": AMOUNT })).await?;
    assert_eq!(world.pay(&made).await?, "paid");
    shop.until(&made, "paid").await?;
    let path = format!("/v1/invoices/{}/refunds", made["id"].as_str().context("an id")?);
    let refund = shop.post(&path, &json!({ "amount": 600 })).await?.expect(201);
    assert_eq!(refund["state"], "claimable");
    let link = refund["claim_url"].as_str().context("a link")?.to_owned();
    let page = reqwest::Client::builder().no_proxy().build()?;
    let look = page.get(&link).send().await?;
    assert_eq!(look.status().as_u16(), 200);
    ensure!(look.text().await?.contains("6.00 FRD"), "the page says how much");
    let forged = format!("{}0", link.get(..link.len() - 1).context("a link")?);
    let forged = if forged == link { format!("{}1", link.get(..link.len() - 1).context("a link")?) } else { forged };
    assert_eq!(page.get(&forged).send().await?.status().as_u16(), 404);
    let to = world.status(crate::shop::PAYER).await?["address"].as_str().context("an address")?.to_owned();
    let form = format!("to={to}");
    let send =
        |link: &str| page.post(link).header("content-type", "application/x-www-form-urlencoded").body(form.clone());
    assert_eq!(send(&link).send().await?.status().as_u16(), 200);
    assert_eq!(send(&link).send().await?.status().as_u16(), 409, "once");
    shop.event("refund.paid", &refund["id"]).await?;

    // From now on what is above 1,600.00 goes to the payer, down to 1,500.00.
    let home = world.network.folder().join(MERCHANT).join("merchant.toml");
    std::fs::write(
        &home,
        format!("funds_itself = true\nsweep_to = {to:?}\nsweep_above = 160000\nsweep_keep = 150000\n"),
    )?;
    world.network.restart(MERCHANT).await?;
    let swept = shop.first(|event| event["type"] == "payout.paid").await?;
    assert_eq!(swept["data"]["automatic"], true);
    let left = wait::until("less", PATIENCE, async || {
        let status = world.status(MERCHANT).await?;
        Ok(status["assets"][0]["can_send"].as_u64().filter(|left| *left < 160_000))
    })
    .await?;
    ensure!((150_000..=152_000).contains(&left), "{left}");
    world.network.shut_down().await
}
