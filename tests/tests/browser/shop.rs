//! The demo's shop with a real merchant behind it: somebody with a fresh browser buys, makes a wallet in the checkout
//! and pays; the shop hears of it by webhook and its page follows. Then merchant and shop are killed on the way, the
//! shop is closed while it is paid, an order is cancelled, one is paid twice, one has a crowd before its page, and one is
//! paid after its time.

use anyhow::{Context as _, Result, ensure};
use fair_tests::browser::person::{self, BLOCKS};
use fair_tests::browser::{Browser, Kind, Windows};
use fair_tests::network::{MERCHANT, Network, Plan, SHOP};
use fair_tests::wait;
use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::embed::windows;

in_both!(a_shop_is_paid_by_somebody_without_a_wallet_through_all_deaths);

/// Stands beside the button that pays.
const READY: &str = "If it fails";

/// A life of invoices that ends while somebody looks at one.
const SHORT_LIFE_S: &str = "8";

/// More than may wait for one order.
const CROWD: usize = 9;

/// A customer in the street of the shop.
struct Street {
    network: Network,
    browser: Browser,
}

impl Street {
    async fn picture(&self, name: &str) -> Result<()> {
        self.browser.screenshot(name).await?;
        self.browser.on_a_small_phone(name).await?;
        match self.browser.kind() {
            Kind::Chromium => self.browser.narrow_pictures(name).await,
            Kind::Firefox => Ok(()),
        }
    }

    /// Buys something, up to the order's page.
    async fn buy(&self, article: &str) -> Result<()> {
        self.browser.go(&format!("{}/", self.network.url_of(SHOP)?)).await?;
        self.browser.see("What there is today").await?;
        self.browser.click(&format!("Buy {article}")).await?;
        self.browser.see("Waiting for your payment").await
    }

    /// From the order's page into the wallet's window, which is open for the first time since it was closed.
    async fn enter(&self, button: &str) -> Result<()> {
        self.browser.click_to_new_tab(button).await?;
        self.browser.see_within("Wallet locked", BLOCKS).await?;
        self.browser.see_within("confirmed by the site", BLOCKS).await?;
        person::unlock(&self.browser).await?;
        self.browser.see_within(READY, BLOCKS).await
    }

    /// From the wallet's window, at the end of a payment, back to the order's page.
    async fn go_back(&self) -> Result<()> {
        self.browser.see_within("Final in", BLOCKS).await?;
        self.browser.click("Back to the shop").await?;
        windows(&self.browser, 1).await?;
        self.browser.to_tab(0).await
    }

    /// The line of the shop's log that says how an order became paid.
    async fn paid_by(&mut self, number: u32) -> Result<String> {
        let line = format!("order {number} is paid");
        self.network.process(SHOP)?.wait_for_line(&line, BLOCKS).await
    }

    /// From nothing to a paid order, both windows right.
    async fn newcomer(&mut self) -> Result<()> {
        let browser = &self.browser;
        browser.go(&format!("{}/", self.network.url_of(SHOP)?)).await?;
        browser.see("What there is today").await?;
        self.picture("shop").await?;
        self.buy("Assam tea").await?;
        self.picture("shop-open").await?;
        browser.click_to_new_tab("Pay 12.00 FRD").await?;
        browser.see_within("You need a wallet", BLOCKS).await?;
        browser.see_within("confirmed by the site", BLOCKS).await?;
        self.picture("shop-checkout-newcomer").await?;
        person::make_keys(browser, person::Pictures::None).await?;
        browser.see_within("Your wallet cannot pay this yet", BLOCKS).await?;
        self.picture("shop-checkout-poor").await?;
        browser.click("Get test money").await?;
        browser.see_within(READY, 2 * BLOCKS).await?;
        browser.see_within("only promised by @main until that insures it", BLOCKS).await?;
        browser.see("1 × Assam tea, order 1001").await?;
        self.picture("shop-checkout-ready").await?;
        browser.click("Pay 12.00 FRD").await?;
        browser.see_within("Final in", BLOCKS).await?;
        browser.see_focus("main").await?;
        self.picture("shop-checkout-paid").await?;
        assert_eq!(browser.console_errors().await?, Vec::<String>::new());
        browser.to_tab(0).await?;
        browser.see_within("Paid. Thank you!", BLOCKS).await?;
        browser.see("Paid. The shop has confirmed it.").await?;
        ensure!(!browser.text().await?.contains("Cancel the order"), "what is paid is not cancelled");
        self.picture("shop-paid").await?;
        assert_eq!(browser.console_errors().await?, Vec::<String>::new(), "the shop's policy forbids nothing of it");
        browser.to_tab(1).await?;
        self.go_back().await?;
        self.browser.click("Receipt").await?;
        self.browser.see("Signed text of the invoice").await?;
        self.picture("shop-receipt").await?;
        self.browser.click("Back to the order").await?;
        self.browser.see("Paid. Thank you!").await?;
        ensure!(!self.browser.text().await?.contains("Pay 12.00 FRD"), "what is paid is not paid again");
        let line = self.paid_by(1_001).await?;
        ensure!(line.starts_with("webhook ") && line.contains(" invoice.paid:"), "{line}");
        Ok(())
    }

    /// Merchant and shop are killed while the payment is on its way.
    async fn killed_on_the_way(&mut self) -> Result<()> {
        self.buy("Lime honey").await?;
        self.enter("Pay 7.50 FRD").await?;
        // It stands still, so that the payment is under way when it dies.
        let id = self.network.process(MERCHANT)?.id().context("it runs")?;
        kill_process(Pid::from_raw(i32::try_from(id)?).context("an id")?, Signal::STOP)?;
        self.browser.click("Pay 7.50 FRD").await?;
        self.browser.see_within("Locking", BLOCKS).await?;
        self.network.kill(MERCHANT).await?;
        self.network.kill(SHOP).await?;
        self.browser.to_tab(0).await?;
        self.browser.see("The payment is under way.").await?;
        self.browser.see_within("The shop does not answer at the moment", BLOCKS).await?;
        self.picture("shop-alone").await?;
        self.network.restart(MERCHANT).await?;
        self.network.restart(SHOP).await?;
        self.browser.see_within("Paid. Thank you!", BLOCKS).await?;
        self.browser.see_within("Paid. The shop has confirmed it.", BLOCKS).await?;
        let line = self.paid_by(1_002).await?;
        ensure!(line.contains(" invoice.paid:"), "{line}");
        self.browser.to_tab(1).await?;
        self.go_back().await
    }

    /// Nobody is in the shop when the money comes: it asks for what it has missed.
    async fn closed_meanwhile(&mut self) -> Result<()> {
        self.buy("Stoneware cup").await?;
        self.enter("Pay 18.50 FRD").await?;
        self.network.kill(SHOP).await?;
        self.browser.click("Pay 18.50 FRD").await?;
        self.browser.see_within("Final in", BLOCKS).await?;
        self.network.restart(SHOP).await?;
        self.browser.to_tab(0).await?;
        self.browser.see_within("Paid. Thank you!", BLOCKS).await?;
        let line = self.paid_by(1_003).await?;
        ensure!(line.contains(" invoice.paid:"), "{line}");
        self.browser.to_tab(1).await?;
        self.go_back().await
    }

    /// An order that is not paid ends, by its customer.
    async fn cancelled(&mut self) -> Result<()> {
        self.buy("Iron teapot").await?;
        self.enter("Pay 42.00 FRD").await?;
        self.browser.click("Cancel").await?;
        windows(&self.browser, 1).await?;
        self.browser.to_tab(0).await?;
        self.browser.see("Not paid").await?;
        self.browser.click("Cancel the order").await?;
        self.browser.see("this order can no longer be paid").await?;
        ensure!(!self.browser.text().await?.contains("Pay 42.00 FRD"), "it is over");
        self.picture("shop-cancelled").await
    }

    /// The shop's desk makes another invoice for an order, which the customer pays too: the page says so by itself, and
    /// leads to where it is given back.
    async fn twice(&self) -> Result<()> {
        let browser = &self.browser;
        self.buy("Stoneware cup").await?;
        let order = browser.address().await?;
        self.enter("Pay 18.50 FRD").await?;
        browser.click("Pay 18.50 FRD").await?;
        self.go_back().await?;
        browser.see_within("Paid. The shop has confirmed it.", BLOCKS).await?;
        let key = std::fs::read_to_string(self.network.folder().join(SHOP).join("server.key"))?;
        let wanted = json!({ "amount": 1_850, "reference": order.rsplit('/').next() });
        let made = reqwest::Client::new().post(format!("{}/v1/invoices", self.network.url_of(MERCHANT)?));
        let made = made.bearer_auth(key.trim()).header("idempotency-key", "second").json(&wanted).send().await?;
        let made: Value = made.error_for_status()?.json().await?;
        let second = made["invoice"].as_str().context("an invoice")?;
        let tab = browser.driver().new_tab().await?;
        browser.driver().switch_to_window(tab).await?;
        browser.go(&format!("{}/pay/#{second}", self.network.url()?)).await?;
        browser.see_within("Wallet locked", BLOCKS).await?;
        person::unlock(browser).await?;
        browser.see_within(READY, BLOCKS).await?;
        browser.click("Pay 18.50 FRD").await?;
        browser.see_within("Final in", BLOCKS).await?;
        browser.driver().close_window().await?;
        browser.to_tab(0).await?;
        browser.see_within("This order was paid twice. 18.50 FRD is yours again.", BLOCKS).await?;
        self.picture("shop-paid-twice").await?;
        browser.click("Take it back").await?;
        browser.see("18.50 FRD are yours. Where shall they go?").await?;
        browser.screenshot("shop-claim").await
    }

    /// Others have all places to wait for an order: its page follows it all the same.
    async fn crowded(&self) -> Result<()> {
        let http = reqwest::Client::new();
        let wish = http.post(format!("{}/orders", self.network.url_of(SHOP)?));
        let wish = wish.header("content-type", "application/x-www-form-urlencoded").body("article=honey&quantity=1");
        let order = wish.send().await?.error_for_status()?.url().to_string();
        let mut crowd = JoinSet::new();
        for _ in 0..CROWD {
            let waiting = http.get(format!("{order}/status?known=open"));
            crowd.spawn(async move {
                // Who has waited in vain waits again; who finds no place goes.
                while let Some(again) = waiting.try_clone() {
                    if again.send().await?.status() == StatusCode::TOO_MANY_REQUESTS {
                        break;
                    }
                }
                anyhow::Ok(())
            });
        }
        crowd.join_next().await.context("one too many")???;
        self.browser.go(&order).await?;
        wait::until("a page that finds no place", BLOCKS, async || {
            // Only then it asks without waiting.
            let met = "return performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/status'));";
            Ok((self.browser.run(met).await? == true).then_some(()))
        })
        .await?;
        ensure!(!self.browser.text().await?.contains("The shop does not answer"), "it does");
        let cancelled = http.post(format!("{order}/cancel")).send().await?;
        ensure!(cancelled.status().is_success(), "{cancelled:?}");
        self.browser.see_within("this order can no longer be paid", BLOCKS).await
    }

    /// An invoice runs out under the eyes of its payer, who pays all the same.
    async fn late(&mut self) -> Result<()> {
        self.network.kill(SHOP).await?;
        let shop = self.network.process(SHOP)?;
        shop.add_argument("--invoice-life".into());
        shop.add_argument(SHORT_LIFE_S.into());
        self.network.restart(SHOP).await?;
        self.buy("Assam tea").await?;
        self.enter("Pay 12.00 FRD").await?;
        let order = wait::until("the page of the order", BLOCKS, async || {
            self.browser.to_tab(0).await?;
            Ok(self.browser.text().await?.contains("The time to pay is over").then_some(()))
        });
        order.await?;
        self.browser.see("This invoice can no longer be paid").await?;
        self.picture("shop-expired").await?;
        self.browser.to_tab(1).await?;
        self.browser.see_within("The payee still takes the payment", BLOCKS).await?;
        self.picture("shop-checkout-late").await?;
        self.browser.click("Pay 12.00 FRD late").await?;
        self.go_back().await?;
        self.browser.see_within("It came after the time of its invoice", BLOCKS).await?;
        self.picture("shop-late").await?;
        // A page that is loaded anew says the same.
        self.browser.reload().await?;
        self.browser.see("It came after the time of its invoice").await?;
        // Another order runs out and gets a new invoice.
        self.buy("Lime honey").await?;
        self.enter("Pay 7.50 FRD").await?;
        self.browser.driver().close_window().await?;
        self.browser.to_tab(0).await?;
        self.browser.see_within("The time to pay is over", BLOCKS).await?;
        self.browser.click_to_new_tab("Pay 7.50 FRD").await?;
        self.browser.see_within("Wallet locked", BLOCKS).await?;
        self.browser.to_tab(0).await?;
        self.browser.see("Waiting for your payment").await
    }
}

async fn a_shop_is_paid_by_somebody_without_a_wallet_through_all_deaths(kind: Kind) -> Result<()> {
    let mut network = Network::start(&Plan { shop_port: Some(0), ..Plan::with_pages()? }).await?;
    network.add_shop().await?;
    let mut street = Street { network, browser: Browser::open_as(kind, Windows::Guarded).await? };
    street.newcomer().await?;
    street.killed_on_the_way().await?;
    street.closed_meanwhile().await?;
    street.cancelled().await?;
    street.twice().await?;
    street.crowded().await?;
    street.late().await?;
    let Street { network, browser } = street;
    browser.close().await?;
    network.shut_down().await
}
