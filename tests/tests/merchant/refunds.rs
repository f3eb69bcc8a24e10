//! Money that goes back: by a link, taken back, sent to nowhere, and sent once; and what it assures.

use crate::shop::{PATIENCE, PAYER, World};
use anyhow::{Context as _, Result, ensure};
use fair_core::crypto::SecretKey;
use fair_core::payment::address::Address;
use fair_core::payment::invoice::{self, Description, Invoice, InvoiceId, LatePolicy, RefundPolicy};
use fair_core::payment::text::Case;
use fair_core::types::{AssetId, Hash};
use fair_tests::network::{BANK, MERCHANT, Plan};
use fair_tests::wait;
use serde_json::{Value, json};

/// In cents.
const AMOUNT: u64 = 2_500;

struct Page(reqwest::Client);

impl Page {
    fn new() -> Result<Self> {
        Ok(Self(reqwest::Client::builder().no_proxy().build()?))
    }

    async fn claim(&self, refund: &Value, to: &str) -> Result<(u16, String)> {
        let link = refund["claim_url"].as_str().context("a link")?;
        let form = self.0.post(link).header("content-type", "application/x-www-form-urlencoded");
        let answer = form.body(format!("to={to}")).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_by_link_is_taken_back_or_sent_once_and_a_dead_address_loses_nothing() -> Result<()> {
    let world = World::start("").await?;
    let (shop, page) = (&world.shop, Page::new()?);
    let made = shop.invoice(&json!({ "amount": AMOUNT, "refunds": true })).await?;
    assert_eq!(world.pay(&made).await?, "paid");
    shop.until(&made, "paid").await?;
    let path = format!("/v1/invoices/{}/refunds", made["id"].as_str().context("an id")?);
    let cancel = |refund: &Value| format!("/v1/refunds/{}/cancel", refund["id"].as_str().unwrap_or_default());
    let by_link = json!({ "link": true });
    let money = world.money(MERCHANT).await?;

    // The payer said where refunds go, and a link is wanted all the same.
    let first = shop.post(&path, &by_link).await?.expect(201);
    assert_eq!((&first["state"], &first["amount"]), (&json!("claimable"), &json!(AMOUNT)));
    assert_eq!(shop.post(&path, &by_link).await?.code(409), "refund.too_much");
    let taken = shop.post(&cancel(&first), &json!({})).await?.expect(200);
    assert_eq!((&taken["state"], &taken["claim_url"]), (&json!("cancelled"), &Value::Null));
    assert_eq!(shop.post(&cancel(&first), &json!({})).await?.expect(200), taken);
    shop.event("refund.cancelled", &first["id"]).await?;
    let to = world.status(PAYER).await?["address"].as_str().context("an address")?.to_owned();
    let (status, says) = page.claim(&first, &to).await?;
    ensure!(status == 409 && says.contains("took this refund back"), "{status} {says}");

    // An address at the bank of somebody who has no channel there.
    let genesis = world.network.genesis()?;
    let (bank, nobody) = (genesis.banks.first().context("a bank")?.key, SecretKey::from_seed(&[77; 32]).public());
    let dead = Address::new(&genesis.chain_id(), nobody, &[bank]).to_text(Case::Lower);
    let second = shop.post(&path, &by_link).await?.expect(201);
    assert_eq!(page.claim(&second, &dead).await?.0, 200);
    let failed = shop.event("refund.failed", &second["id"]).await?;
    ensure!(failed["data"]["failure"].is_string(), "{failed}");
    assert_eq!(page.claim(&second, &to).await?.0, 409, "a link is good for one try");
    assert_eq!(world.money(MERCHANT).await?, money, "nothing left");

    let third = shop.post(&path, &by_link).await?.expect(201);
    let (one, other) = tokio::join!(page.claim(&third, &to), page.claim(&third, &to));
    let mut statuses = [one?.0, other?.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "two claims, one payment");
    shop.event("refund.paid", &third["id"]).await?;
    assert_eq!(shop.post(&cancel(&third), &json!({})).await?.code(409), "refund.claimed");
    assert_eq!(world.money(MERCHANT).await?, money - AMOUNT, "sent once");
    assert_eq!(shop.look(&made).await?["refunded"], AMOUNT);
    assert_eq!(shop.post(&path, &by_link).await?.code(409), "refund.too_much");

    // What went to an address has no link to take back.
    let made = shop.invoice(&json!({ "amount": 300, "refunds": true })).await?;
    assert_eq!(world.pay(&made).await?, "paid");
    shop.until(&made, "paid").await?;
    let path = format!("/v1/invoices/{}/refunds", made["id"].as_str().context("an id")?);
    let direct = shop.post(&path, &json!({})).await?.expect(201);
    assert_eq!(shop.post(&cancel(&direct), &json!({})).await?.code(409), "refund.no_link");
    assert_eq!(shop.post(&cancel(&json!({ "id": "00".repeat(16) })), &json!({})).await?.code(404), "refund.unknown");
    world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_another_network_is_neither_paid_nor_refunded_to() -> Result<()> {
    let world = World::start("").await?;
    let (shop, page) = (&world.shop, Page::new()?);
    let (elsewhere, key) = (Hash([7; 32]), SecretKey::from_seed(&[77; 32]));
    let address = Address::new(&elsewhere, key.public(), &[]).to_text(Case::Lower);
    let signed = Invoice {
        version: invoice::VERSION,
        chain_id: elsewhere,
        payee: key.public(),
        id: InvoiceId([1; 16]),
        asset: AssetId::FRD,
        amount: Some(5),
        lock_hash: Hash([2; 32]),
        payment_secret: fair_core::crypto::Secret([3; 32]),
        created_ms: 1,
        expires_ms: 1 << 60,
        description: Description::Text(String::new()),
        banks: Vec::new(),
        origin: None,
        refunds: RefundPolicy::None,
        late: LatePolicy::Fail,
    };
    let foreign = invoice::to_text(&signed.sign_by(&key)?, Case::Lower);
    assert_eq!(world.pay(&json!({ "invoice": foreign })).await?, "payment.bad_invoice");
    for (to, code) in [(&foreign, "payment.bad_invoice"), (&address, "payment.bad_address")] {
        let answer = shop.post("/v1/payouts", &json!({ "to": to, "amount": 5 })).await?;
        ensure!(answer.body["message"].as_str().is_some_and(|says| says.contains("network")), "{answer:?}");
        assert_eq!(answer.code(400), code);
    }
    let paid = shop.invoice(&json!({ "amount": 500 })).await?;
    assert_eq!(world.pay(&paid).await?, "paid");
    shop.until(&paid, "paid").await?;
    let path = format!("/v1/invoices/{}/refunds", paid["id"].as_str().context("an id")?);
    let refund = shop.post(&path, &json!({})).await?.expect(201);
    for to in [&foreign, &address] {
        assert_eq!(page.claim(&refund, to).await?.0, 400);
    }
    let look = shop.get(&format!("/v1/refunds/{}", refund["id"].as_str().context("an id")?)).await?.expect(200);
    assert_eq!(look["state"], "claimable");
    world.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_back_assures_no_other_payment() -> Result<()> {
    // The bank insures nobody by itself.
    let bank_settings = Some("rebalance_every_blocks = 0\n".to_owned());
    let world = World::start_as(&Plan { bank_settings, ..Plan::new()? }, "min_insured = 100\n").await?;
    let shop = &world.shop;
    let order = json!({ "amount": AMOUNT, "refunds": true });
    let [kept, returned] = [shop.invoice(&order).await?, shop.invoice(&order).await?];
    let promised = json!({ "insured": 0, "uninsured": AMOUNT, "enough": false });
    for made in [&kept, &returned] {
        assert_eq!(world.pay(made).await?, "paid");
        assert_eq!(shop.event("invoice.paid", &made["id"]).await?["data"]["assurance"], promised);
    }
    let path = format!("/v1/invoices/{}/refunds", returned["id"].as_str().context("an id")?);
    let refund = shop.post(&path, &json!({})).await?.expect(201);
    shop.event("refund.paid", &refund["id"]).await?;
    assert_eq!(shop.look(&kept).await?["assurance"], promised, "the bank owes it as before");
    let nothing = json!({ "insured": 0, "uninsured": 0, "enough": false });
    assert_eq!(shop.look(&returned).await?["assurance"], nothing);

    // Once the bank insures what it owes, that is told of what was kept.
    let assured = wait::until("insurance", PATIENCE, async || {
        world.network.node(BANK, "rebalance", &[]).await?;
        let events = shop.events().await?;
        let assured: Vec<Value> = events.into_iter().filter(|event| event["type"] == "invoice.assured").collect();
        Ok(Some(assured).filter(|assured| !assured.is_empty()))
    })
    .await?;
    assert_eq!(assured.iter().map(|event| &event["data"]["id"]).collect::<Vec<_>>(), [&kept["id"]]);
    world.network.shut_down().await
}
