//! The demo's shop over HTTP: whom it believes, and that one order has one invoice, whatever happens.

use crate::shop::{PATIENCE, PAYER};
use anyhow::{Context as _, Result, ensure};
use fair_tests::network::{MERCHANT, Network, NewWallet, Plan, SHOP};
use fair_tests::wait;
use reqwest::{Client, RequestBuilder, StatusCode, redirect};
use serde_json::{Value, json};
use std::path::Path;

/// A network with the shop and somebody who pays.
struct Town {
    network: Network,
    http: Client,
}

impl Town {
    async fn start() -> Result<Self> {
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("a workspace")?.join("www");
        let mut network = Network::start(&Plan { validators: 1, pages: Some(pages), ..Plan::new()? }).await?;
        network.add_wallet(&NewWallet { name: PAYER, settings: None, side: None }).await?;
        network.add_shop(None).await?;
        let http = Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(PATIENCE).build()?;
        let town = Self { network, http };
        let status = format!("{}/v1/status", town.network.url_of(PAYER)?);
        wait::until("a payer with money", PATIENCE, async || {
            let status: Value = town.http.get(&status).send().await?.json().await?;
            Ok(status["assets"][0]["can_send"].as_u64().filter(|money| *money >= 50_000))
        })
        .await?;
        Ok(town)
    }

    fn get(&self, path: &str) -> Result<RequestBuilder> {
        Ok(self.http.get(format!("{}{path}", self.network.url_of(SHOP)?)))
    }

    fn post(&self, path: &str, body: &'static str) -> Result<RequestBuilder> {
        let request = self.http.post(format!("{}{path}", self.network.url_of(SHOP)?));
        Ok(request.header("content-type", "application/x-www-form-urlencoded").body(body))
    }

    async fn page(&self, path: &str) -> Result<String> {
        Ok(self.get(path)?.send().await?.error_for_status()?.text().await?)
    }

    async fn order(&self) -> Result<String> {
        let answer = self.post("/orders", "article=tea&quantity=2")?.send().await?;
        ensure!(answer.status() == StatusCode::SEE_OTHER, "{answer:?}");
        Ok(answer.headers()["location"].to_str()?.to_owned())
    }

    async fn invoice(&self, order: &str) -> Result<String> {
        let answer: Value = self.get(&format!("{order}/invoice"))?.send().await?.error_for_status()?.json().await?;
        Ok(answer["invoice"].as_str().context("an invoice")?.to_owned())
    }

    async fn pay(&self, invoice: &str) -> Result<Value> {
        let url = format!("{}/v1/pay-me", self.network.url_of(PAYER)?);
        Ok(self.http.post(url).json(&json!({ "invoice": invoice })).send().await?.json().await?)
    }

    /// Waits with the shop's own page until the order stands so.
    async fn until(&self, order: &str, state: &str) -> Result<()> {
        let mut known = String::new();
        wait::until(format!("an order that is {state}"), PATIENCE, async || {
            let asked = self.get(&format!("{order}/status?known={known}"))?.send().await?.error_for_status()?;
            let answer: Value = asked.json().await?;
            known = answer["state"].as_str().context("a state")?.to_owned();
            Ok((known == state).then_some(()))
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_has_one_invoice_and_only_the_merchant_makes_it_paid() -> Result<()> {
    let mut town = Town::start().await?;
    let first = town.order().await?;
    let shown = town.get(&first)?.send().await?;
    let policy = shown.headers()["content-security-policy"].to_str()?;
    ensure!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    ensure!(shown.text().await?.contains("24.00 FRD"));
    let asked = asked_at_once(&town, &first).await?;
    ensure!(asked.iter().all(|one| *one == asked[0]), "{asked:?}");
    let listed: Value = serde_json::from_str(&town.page("/.well-known/fair-pay.json").await?)?;
    let member = std::fs::read(town.network.folder().join(MERCHANT).join("member.json"))?;
    let member: Value = serde_json::from_slice(&member)?;
    assert_eq!(listed, json!({ "payees": [member["account"]] }));

    // Whoever is not the merchant is not heard, nor another site's form.
    let id = first.rsplit('/').next().context("an id")?;
    let forged = json!({ "id": "evt_1", "sequence": 1, "type": "invoice.paid", "created_ms": 1, "data": {
        "id": "x", "state": "paid", "reference": id, "asset": 1, "received": 2_400, "invoice": asked[0], "late": false,
        "assurance": { "insured": 2_400, "uninsured": 0, "enough": true } } });
    let webhook = format!("{}/fair/webhook", town.network.url_of(SHOP)?);
    for signature in [None, Some("v1,AAAA")] {
        let mut request = town.http.post(&webhook).json(&forged).header("webhook-id", "evt_1");
        let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        request = request.header("webhook-timestamp", now_s.to_string());
        if let Some(signature) = signature {
            request = request.header("webhook-signature", signature);
        }
        assert_eq!(request.send().await?.status(), StatusCode::BAD_REQUEST);
    }
    let foreign = town.post(&format!("{first}/cancel"), "")?.header("sec-fetch-site", "cross-site");
    assert_eq!(foreign.send().await?.status(), StatusCode::BAD_REQUEST);
    for body in ["article=tea&quantity=0", "article=gold&quantity=1", "quantity=1"] {
        assert_eq!(town.post("/orders", body)?.send().await?.status(), StatusCode::BAD_REQUEST, "{body}");
    }
    town.until(&first, "open").await?;
    assert_eq!(town.get(&format!("{first}/receipt"))?.send().await?.status(), StatusCode::NOT_FOUND);

    // Paid once, by the merchant's word.
    assert_eq!(town.pay(&asked[0]).await?["state"], "paid");
    town.until(&first, "paid").await?;
    ensure!(town.page(&first).await?.contains("Paid. Thank you!"));
    ensure!(town.page(&format!("{first}/receipt")).await?.contains(&asked[0]));
    assert_eq!(
        town.get(&format!("{first}/invoice"))?.send().await?.error_for_status()?.json::<Value>().await?["invoice"],
        asked[0].as_str()
    );
    assert_eq!(town.post(&format!("{first}/cancel"), "")?.send().await?.status(), StatusCode::CONFLICT);

    // Cancelled, its invoice pays nobody.
    let second = town.order().await?;
    let invoice = town.invoice(&second).await?;
    assert_eq!(town.post(&format!("{second}/cancel"), "")?.send().await?.status(), StatusCode::SEE_OTHER);
    town.until(&second, "cancelled").await?;
    let refused = town.pay(&invoice).await?;
    ensure!(refused["state"] != "paid", "{refused}");
    assert_eq!(town.get(&format!("{second}/invoice"))?.send().await?.status(), StatusCode::CONFLICT);

    // The merchant is away: nothing is lost, and the order gets its invoice afterwards.
    let third = town.order().await?;
    town.network.kill(MERCHANT).await?;
    assert_eq!(town.get(&format!("{third}/invoice"))?.send().await?.status(), StatusCode::BAD_GATEWAY);
    town.network.restart(MERCHANT).await?;
    let invoice = town.invoice(&third).await?;
    // The shop is away while it is paid.
    town.network.kill(SHOP).await?;
    let paying = wait::until("a way to the merchant", PATIENCE, async || {
        Ok((town.pay(&invoice).await?["state"] == "paid").then_some(()))
    });
    paying.await?;
    town.network.restart(SHOP).await?;
    town.until(&third, "paid").await?;
    ensure!(town.page(&first).await?.contains("Paid. Thank you!"), "orders outlive the process");
    town.network.shut_down().await
}

/// Many ask for the same invoice at once.
async fn asked_at_once(town: &Town, order: &str) -> Result<Vec<String>> {
    let mut asked = Vec::new();
    for _ in 0..5 {
        let request = town.get(&format!("{order}/invoice"))?;
        asked.push(tokio::spawn(async move { request.send().await?.error_for_status()?.json::<Value>().await }));
    }
    let mut texts = Vec::new();
    for one in asked {
        texts.push(one.await??["invoice"].as_str().context("an invoice")?.to_owned());
    }
    Ok(texts)
}
