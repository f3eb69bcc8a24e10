//! A purchase from a shop with a merchant's process behind it: its webhook and its page say the same.

use anyhow::{Context as _, Result, ensure};
use fair_tests::browser::person::{self, BLOCKS, Pictures};
use fair_tests::browser::{Browser, Kind, Windows};
use fair_tests::network::{Members, Network, Plan};
use fair_tests::wait;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::shop::{Order, PRICE, Shop};
use super::{BUTTON, hear, text, windows};

in_both!(a_merchants_shop_is_paid_by_webhook_and_by_page);

/// The merchant's process.
const MERCHANT: &str = "merchant";

/// What the shop's server asks of its merchant.
struct Desk {
    http: Client,
    url: String,
    key: String,
}

impl Desk {
    async fn open(network: &Network) -> Result<Self> {
        let scopes = ["--scope", "invoices:read", "--scope", "invoices:write", "--scope", "webhooks"];
        let arguments = [&["create", "--name", "shop"], scopes.as_slice()].concat();
        let made: Value = serde_json::from_str(&network.node(MERCHANT, "key", &arguments).await?)?;
        let key = text(&made["key"])?.to_owned();
        Ok(Self { http: Client::new(), url: network.url_of(MERCHANT)?.to_owned(), key })
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Value> {
        Ok(request.bearer_auth(&self.key).send().await?.error_for_status()?.json().await?)
    }

    async fn make(&self, path: &str, name: &str, what: &Value) -> Result<Value> {
        self.ask(self.http.post(format!("{}{path}", self.url)).header("idempotency-key", name).json(what)).await
    }

    async fn look(&self, path: &str) -> Result<Value> {
        self.ask(self.http.get(format!("{}{path}", self.url))).await
    }
}

/// A shop, its merchant that can be paid, and an order that is open.
async fn open_shop(network: &mut Network) -> Result<(Shop, Desk, String)> {
    let shop = Shop::open(network.url()?, None, vec![]).await?;
    let settings = format!("origin = {:?}\nfunds_itself = true\nprivate_webhooks = true\n", shop.origin);
    shop.pay_to(network.add_merchant(MERCHANT, &settings).await?.to_string());
    let desk = Desk::open(network).await?;
    wait::until("a merchant that can be paid", BLOCKS, async || {
        let status = desk.look("/v1/status").await?;
        Ok((status["assets"][0]["can_receive"].as_u64() >= Some(PRICE)).then_some(()))
    })
    .await?;
    let hook = json!({ "url": format!("{}/hook", shop.origin) });
    shop.trust(text(&desk.make("/v1/webhooks", "hook", &hook).await?["secret"])?)?;
    let wanted = json!({ "amount": PRICE, "description": "Coffee", "reference": "1" });
    let made = desk.make("/v1/invoices", "order-1", &wanted).await?;
    let id = text(&made["id"])?.to_owned();
    shop.put(1, Order { invoice: text(&made["invoice"])?.to_owned(), state: "open".into(), ..Order::default() });
    Ok((shop, desk, id))
}

async fn a_merchants_shop_is_paid_by_webhook_and_by_page(kind: Kind) -> Result<()> {
    let mut network = Network::start(&Plan { members: Members::AllAndCounterpart, ..Plan::with_pages()? }).await?;
    let (shop, desk, id) = open_shop(&mut network).await?;
    let browser = Browser::open_as(kind, Windows::Guarded).await?;
    browser.go(&shop.page(1)).await?;
    browser.click_to_new_tab(BUTTON).await?;
    browser.see_within("confirmed by the site", BLOCKS).await?;
    person::make_keys(&browser, Pictures::None).await?;
    browser.see_within("Your wallet cannot pay this yet", BLOCKS).await?;
    browser.click("Get test money").await?;
    browser.see_within("final in seconds", 2 * BLOCKS).await?;

    // Neither the payer's page nor a stranger makes an order paid.
    let claim = json!({ "type": "invoice.paid", "data": { "reference": "1", "received": PRICE, "assurance": { "enough": true } } });
    let forged = Client::new().post(format!("{}/hook", shop.origin)).json(&claim).send().await?;
    assert_eq!((forged.status().as_u16(), shop.state(1).as_str(), shop.said().len()), (400, "open", 0));

    browser.click(BUTTON).await?;
    browser.see_within("Final in", BLOCKS).await?;
    browser.screenshot("sold-wallet").await?;
    browser.to_tab(0).await?;
    let told = hear(&browser, "confirmed").await?;
    ensure!(told.first().is_some_and(|first| first == "open"), "{told:?}");
    browser.see("Paid. The shop has confirmed it.").await?;
    browser.screenshot("sold-shop").await?;
    assert_eq!((shop.state(1).as_str(), shop.asked(1)), ("paid", 1));
    assert_eq!(shop.said(), ["invoice.pending", "invoice.paid"]);
    let invoice = desk.look(&format!("/v1/invoices/{id}")).await?;
    assert_eq!((invoice["state"].as_str(), invoice["received"].as_u64()), (Some("paid"), Some(PRICE)));
    assert_eq!(browser.console_errors().await?, Vec::<String>::new());
    browser.to_tab(1).await.context("the wallet's window")?;
    browser.click("Back to the shop").await?;
    windows(&browser, 1).await?;
    browser.close().await?;
    network.shut_down().await
}
