//! The demo's shop over HTTP: whom it believes, that one order has one invoice, whatever happens, that what came twice
//! goes back once, and how much strangers get of it.

mod front;

use crate::shop::{PATIENCE, PAYER, Shop};
use anyhow::{Context as _, Result, ensure};
use fair_tests::network::{MERCHANT, Network, NewWallet, Plan, SHOP};
use fair_tests::wait;
use front::Front;
use reqwest::{Client, RequestBuilder, StatusCode, redirect};
use serde_json::{Value, json};
use std::path::Path;
use tokio::task::JoinSet;

/// How many may wait for one order.
const WAITERS_OF_ORDER: usize = 8;

/// A network with the shop and somebody who pays.
struct Town {
    network: Network,
    http: Client,
}

impl Town {
    async fn start() -> Result<Self> {
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("a workspace")?.join("www");
        let mut network =
            Network::start(&Plan { validators: 1, pages: Some(pages), shop_port: Some(0), ..Plan::new()? }).await?;
        network.add_wallet(&NewWallet { name: PAYER, settings: None, side: None }).await?;
        network.add_shop().await?;
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

    fn wish(&self) -> Result<RequestBuilder> {
        self.post("/orders", "article=tea&quantity=2")
    }

    async fn order(&self) -> Result<String> {
        let answer = self.wish()?.send().await?;
        ensure!(answer.status() == StatusCode::SEE_OTHER, "{answer:?}");
        Ok(answer.headers()["location"].to_str()?.to_owned())
    }

    /// An order that is paid, and by another invoice once more: the shop's own desk made two.
    async fn paid_twice(&self, desk: &Shop, refunds: bool) -> Result<(String, Value)> {
        let order = self.order().await?;
        assert_eq!(self.pay(&self.invoice(&order).await?).await?["state"], "paid");
        self.until(&order, "paid").await?;
        let reference = order.rsplit('/').next().context("an id")?;
        let second = desk.invoice(&json!({ "amount": 2_400, "reference": reference, "refunds": refunds })).await?;
        assert_eq!(self.pay(second["invoice"].as_str().context("an invoice")?).await?["state"], "paid");
        Ok((order, second))
    }

    /// What the payer has with its bank.
    async fn money(&self) -> Result<u64> {
        let status: Value =
            self.http.get(format!("{}/v1/status", self.network.url_of(PAYER)?)).send().await?.json().await?;
        let part = |part: &str| status["assets"][0][part].as_u64().context("money");
        Ok(part("insured")? + part("uninsured")? + part("in_flight")? + part("incoming")?)
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
            known = answer["stands"].as_str().context("how it stands")?.to_owned();
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

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_twice_goes_back_once_although_the_shop_is_killed() -> Result<()> {
    let mut town = Town::start().await?;
    let key = std::fs::read_to_string(town.network.folder().join(SHOP).join("server.key"))?;
    let desk = Shop::new(&town.network, key.trim())?;
    let front = Front::before(town.network.url_of(MERCHANT)?).await?;
    town.network.kill(SHOP).await?;
    for argument in ["--merchant", &front.url] {
        town.network.process(SHOP)?.add_argument(argument.into());
    }
    town.network.restart(SHOP).await?;

    // The merchant has made the refund, and the shop dies before it hears so.
    let before = town.money().await?;
    front.keep(true);
    let (order, second) = town.paid_twice(&desk, true).await?;
    front.kept().await;
    town.until(&order, "paid.owed").await?;
    ensure!(town.page(&order).await?.contains("24.00 FRD goes back to the wallet that paid"));
    town.network.kill(SHOP).await?;
    front.keep(false);
    town.network.restart(SHOP).await?;
    town.until(&order, "paid.paid").await?;
    ensure!(town.page(&order).await?.contains("This order was paid twice.</strong> 24.00 FRD was sent back."));
    assert_eq!(desk.look(&second).await?["refunded"], 2_400);
    assert_eq!(town.money().await?, before - 2_400, "paid for once");

    // A wallet that has not said where: the page has a link, which is good once.
    let (order, _) = town.paid_twice(&desk, false).await?;
    town.until(&order, "paid.claimable").await?;
    let page = town.page(&order).await?;
    let link =
        page.split("class=\"button\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).context("a link")?;
    let status: Value =
        town.http.get(format!("{}/v1/status", town.network.url_of(PAYER)?)).send().await?.json().await?;
    let form = format!("to={}", status["address"].as_str().context("an address")?);
    let claim = town.http.post(link).header("content-type", "application/x-www-form-urlencoded").body(form);
    claim.send().await?.error_for_status()?;
    town.until(&order, "paid.paid").await?;
    ensure!(!town.page(&order).await?.contains(link), "it is used");
    assert_eq!(town.money().await?, before - 4_800);

    let told = desk.events().await?.into_iter().filter(|event| event["type"] == "refund.paid").count();
    assert_eq!(told, 2);
    town.network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_take_neither_all_places_to_wait_nor_all_orders() -> Result<()> {
    let town = Town::start().await?;
    let address = town.network.url_of(SHOP)?.strip_prefix("http://").context("a plain URL")?.to_owned();
    let halves = ["GET / HTTP/1.1\r\nHost: x\r\n", ""];
    let halves = halves.map(|half| {
        let address = address.clone();
        tokio::spawn(async move { crate::bounds::half(&address, half.to_owned()).await })
    });
    let order = town.order().await?;
    let mut waiting = JoinSet::new();
    for _ in 0..=WAITERS_OF_ORDER {
        waiting.spawn(town.get(&format!("{order}/status?known=open"))?.send());
    }
    let refused = waiting.join_next().await.context("an answer")???;
    assert_eq!((refused.status(), refused.headers()["retry-after"].to_str()?), (StatusCode::TOO_MANY_REQUESTS, "5"));
    assert_eq!(refused.json::<Value>().await?["code"], "waiting.full");
    // Who does not wait is answered, and so is whoever waits, with what is new.
    let now: Value = town.get(&format!("{order}/status"))?.send().await?.error_for_status()?.json().await?;
    assert_eq!(now["state"], "open");
    assert_eq!(town.post(&format!("{order}/cancel"), "")?.send().await?.status(), StatusCode::SEE_OTHER);
    while let Some(told) = waiting.join_next().await {
        assert_eq!(told??.error_for_status()?.json::<Value>().await?["state"], "cancelled");
    }

    let refused = wait::until("an order that is refused", PATIENCE, async || {
        let answer = town.wish()?.send().await?;
        Ok((answer.status() != StatusCode::SEE_OTHER).then_some(answer))
    });
    let refused = refused.await?;
    assert_eq!((refused.status(), refused.headers()["retry-after"].to_str()?), (StatusCode::TOO_MANY_REQUESTS, "60"));
    ensure!(refused.text().await?.contains("All who share your internet connection count together"));
    let elsewhere = Client::builder().no_proxy().local_address(std::net::IpAddr::from([127, 0, 0, 2]));
    let elsewhere = elsewhere.redirect(redirect::Policy::none()).build()?;
    let wish = town.wish()?.build()?;
    assert_eq!(elsewhere.execute(wish).await?.status(), StatusCode::SEE_OTHER, "there is room for others");
    let behind_a_proxy = town.wish()?.header("x-forwarded-for", "192.0.2.1");
    assert_eq!(behind_a_proxy.send().await?.status(), StatusCode::SEE_OTHER);
    for half in halves {
        let (got, _) = half.await??;
        ensure!(got.is_empty() || got.starts_with("HTTP/1.1 408"), "{got}");
    }
    town.network.shut_down().await
}
