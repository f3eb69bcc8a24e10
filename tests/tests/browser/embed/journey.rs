//! Buying, from nothing: a wallet is made and funded in the checkout, and what may happen to windows does.

use anyhow::{Context as _, Result, ensure};
use fair_tests::browser::{Browser, Kind, Windows};
use fair_tests::network::{COUNTERPART, Members, Network, Plan};
use fair_tests::wait;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::shop::{Order, Shop};
use super::{BUTTON, hear, text, told, windows};
use fair_tests::browser::person::{self, BLOCKS, Pictures};

in_both!(a_shop_is_paid_whatever_happens_to_the_windows);

/// Stands beside the button that pays.
const READY: &str = "If it fails";

/// The counterpart's deposit is all that insures it.
const ASSURANCE: &str = "of all that the payee has with @main, at most 2,000.00 FRD is insured";

/// The network, its counterpart as the shop's purse, and the payer's browser.
struct Scene {
    network: Network,
    shop: Shop,
    browser: Browser,
}

impl Scene {
    async fn open(kind: Kind) -> Result<Self> {
        let network = Network::start(&Plan { members: Members::AllAndCounterpart, ..Plan::with_pages()? }).await?;
        let counterpart = network.url_of(COUNTERPART)?;
        // An invoice that is made before names no bank, and nobody finds the way to it.
        let status = wait::until("a shop that can be paid", BLOCKS, async || {
            let status: Value = reqwest::get(format!("{counterpart}/v1/status")).await?.json().await?;
            Ok(status["assets"][0]["can_receive"].as_u64().is_some_and(|room| room > 0).then_some(status))
        });
        let payees = vec![text(&status.await?["account"])?.to_owned()];
        let shop = Shop::open(network.url()?, Some(counterpart), payees).await?;
        Ok(Self { network, shop, browser: Browser::open_as(kind, Windows::Guarded).await? })
    }

    /// An invoice over 12.00 FRD, and its number at the counterpart.
    async fn invoice(&self, number: u32) -> Result<(String, String)> {
        let wanted = json!({ "amount": 1_200, "description": format!("Order {number}"), "origin": self.shop.origin });
        let url = format!("{}/v1/invoices", self.network.url_of(COUNTERPART)?);
        let made: Value = reqwest::Client::new().post(url).json(&wanted).send().await?.json().await?;
        Ok((text(&made["invoice"])?.to_owned(), text(&made["id"])?.to_owned()))
    }

    /// Puts something up for 12.00 FRD and opens its page.
    async fn sell(&self, number: u32) -> Result<()> {
        let (invoice, id) = self.invoice(number).await?;
        self.shop.put(number, Order { invoice, id: Some(id), ..Order::default() });
        self.browser.go(&self.shop.page(number)).await?;
        self.browser.run("sessionStorage.removeItem('told'); window.told.length = 0;").await?;
        Ok(())
    }

    /// Presses the button of the shop's page and opens the wallet in its window, if no other window has.
    async fn enter(&self) -> Result<()> {
        self.browser.click_to_new_tab(BUTTON).await?;
        self.unlock().await
    }

    /// Waits until the wallet's window, which this is, offers to pay.
    async fn unlock(&self) -> Result<()> {
        self.browser.see_within("confirmed by the site", BLOCKS).await?;
        let locked = wait::until("a wallet", BLOCKS, async || {
            let text = self.browser.text().await?;
            Ok(if text.contains(READY) { Some(false) } else { text.contains("Wallet locked").then_some(true) })
        });
        if locked.await? {
            person::unlock(&self.browser).await?;
        }
        self.browser.see_within(READY, BLOCKS).await
    }

    /// Pays in the wallet's window, which this is, and goes back through its button.
    async fn pay_and_return(&self) -> Result<()> {
        self.browser.click(BUTTON).await?;
        self.browser.see_within("Final in", BLOCKS).await?;
        self.browser.click("Back to the shop").await?;
        windows(&self.browser, 1).await?;
        self.browser.to_tab(0).await
    }

    /// Stops the counterpart where it stands, or lets it go on.
    fn signal(&mut self, signal: Signal) -> Result<()> {
        let id = self.network.process(COUNTERPART)?.id().context("it runs")?;
        Ok(kill_process(Pid::from_raw(i32::try_from(id)?).context("an id")?, signal)?)
    }
}

/// From a shop's page to a wallet that has money.
async fn first_order(scene: &Scene) -> Result<()> {
    let browser = &scene.browser;
    scene.sell(1).await?;
    browser.see(BUTTON).await?;
    browser.screenshot("embed-idle").await?;
    browser.click("QR code").await?;
    browser.see("Scan it with the device").await?;
    browser.screenshot("embed-qr").await?;
    browser.click("QR code").await?;
    browser.click_to_new_tab(BUTTON).await?;
    browser.see_within("You need a wallet", BLOCKS).await?;
    browser.see_within("confirmed by the site", BLOCKS).await?;
    browser.screenshot("checkout-newcomer").await?;
    person::make_keys(browser, Pictures::None).await?;
    browser.see_within("Your wallet cannot pay this yet", BLOCKS).await?;
    browser.screenshot("checkout-poor").await?;
    browser.click("Get test money").await?;
    browser.see_within(READY, 2 * BLOCKS).await?;
    browser.see_within(ASSURANCE, BLOCKS).await?;
    browser.screenshot("checkout-ready").await?;
    browser.click("Pay with another device").await?;
    browser.screenshot("checkout-other-device").await?;
    browser.click("Pay with another device").await?;
    browser.click(BUTTON).await?;
    browser.see_within("Final in", BLOCKS).await?;
    browser.screenshot("checkout-paid").await?;
    assert_eq!(browser.console_errors().await?, Vec::<String>::new());
    browser.to_tab(0).await?;
    let said = hear(browser, "confirmed").await?;
    ensure!(said.first().is_some_and(|first| first == "open") && said.contains(&"pending".to_owned()), "{said:?}");
    ensure!(said.iter().all(|one| ["open", "pending", "paid-hint", "confirmed"].contains(&one.as_str())), "{said:?}");
    browser.see("Paid. The shop has confirmed it.").await?;
    browser.screenshot("embed-confirmed").await?;
    assert_eq!(browser.console_errors().await?, Vec::<String>::new(), "the shop's policy forbids nothing of it");
    assert_eq!(scene.shop.asked(1), 1, "one order has one invoice");
    browser.to_tab(1).await?;
    browser.click("Back to the shop").await?;
    windows(browser, 1).await?;
    browser.to_tab(0).await
}

/// One window however often the button is pressed; closing it is no payment.
async fn double_click_and_cancel(scene: &Scene) -> Result<()> {
    let browser = &scene.browser;
    scene.sell(2).await?;
    browser.double_click(BUTTON).await?;
    windows(browser, 2).await?;
    browser.to_tab(1).await?;
    browser.see_within("Wallet locked", BLOCKS).await?;
    browser.see_within("confirmed by the site", BLOCKS).await?;
    let headings = browser.run("return document.querySelectorAll('h1').length;").await?;
    assert_eq!(headings, 1, "one heading names the page");
    browser.screenshot("checkout-locked").await?;
    assert_eq!(browser.driver().windows().await?.len(), 2);
    browser.click("Cancel").await?;
    windows(browser, 1).await?;
    browser.to_tab(0).await?;
    assert_eq!(hear(browser, "cancel").await?, ["open", "cancel"]);
    browser.see("Not paid").await?;
    assert_eq!(scene.shop.asked(2), 1);
    // Closed by its own cross instead.
    scene.enter().await?;
    browser.driver().close_window().await?;
    browser.to_tab(0).await?;
    assert_eq!(hear(browser, "cancel").await?, ["open", "cancel", "open", "cancel"]);
    Ok(())
}

/// What the page shows is not what is paid: the invoice is signed.
async fn changed_amount(scene: &Scene) -> Result<()> {
    let browser = &scene.browser;
    scene.sell(3).await?;
    browser
        .run("document.querySelector('fair-pay a').textContent = 'Pay 0.01 FRD'; document.querySelector('fair-pay').lang = 'en';")
        .await?;
    browser.click_to_new_tab("Pay 0.01 FRD").await?;
    scene.unlock().await?;
    browser.see(BUTTON).await?;
    ensure!(!browser.text().await?.contains("0.01"), "the page's amount is nowhere");
    browser.click("Cancel").await?;
    windows(browser, 1).await?;
    browser.to_tab(0).await
}

/// Presses the button that pays for as long as nobody can.
async fn be_impatient(browser: &Browser) -> Result<()> {
    let impatient = format!(
        "new MutationObserver(() => {{
            const buttons = [...document.querySelectorAll('button[type=submit]')];
            const button = buttons.find((one) => one.textContent.replace(/\\s/g, ' ') === '{BUTTON}');
            if (!button) return;
            window.appeared ??= performance.now();
            if (!button.disabled) window.enabled ??= performance.now();
            else button.form.requestSubmit();
        }}).observe(document.body, {{ subtree: true, childList: true, attributes: true, characterData: true }});"
    );
    browser.run(&impatient).await?;
    Ok(())
}

/// Waits until it can be pressed, which takes a second, and sees that nothing was paid before.
async fn waited_for_the_button(browser: &Browser) -> Result<()> {
    let waited = wait::until("a button to press", BLOCKS, async || {
        Ok(browser.run("return window.enabled - window.appeared;").await?.as_f64())
    });
    let waited = waited.await?;
    ensure!(waited > 900.0, "the button can be pressed {waited} ms after it appeared");
    ensure!(!browser.text().await?.contains("Locking"), "it is paid before");
    Ok(())
}

/// What has only just appeared is not paid: another page may have put it under the payer's finger.
async fn not_at_once(scene: &Scene) -> Result<()> {
    let browser = &scene.browser;
    scene.sell(8).await?;
    browser.click_to_new_tab(BUTTON).await?;
    browser.see_within("Wallet locked", BLOCKS).await?;
    be_impatient(browser).await?;
    scene.unlock().await?;
    waited_for_the_button(browser).await?;
    browser.click("Cancel").await?;
    windows(browser, 1).await?;
    browser.to_tab(0).await?;
    assert_eq!(hear(browser, "cancel").await?, ["open", "cancel"]);
    Ok(())
}

/// A page that is loaded anew goes on with the same window; a second tab knows nothing of it.
async fn reload_beside_another_tab(scene: &Scene) -> Result<()> {
    let browser = &scene.browser;
    scene.sell(4).await?;
    let first = browser.driver().window().await?;
    scene.enter().await?;
    let first_wallet = browser.driver().window().await?;
    // Firefox opens no tab in the wallet's window, which has no bar for them.
    browser.driver().switch_to_window(first.clone()).await?;
    let second = browser.driver().new_tab().await?;
    browser.driver().switch_to_window(second.clone()).await?;
    scene.sell(5).await?;
    scene.enter().await?;
    let second_wallet = browser.driver().window().await?;

    browser.driver().switch_to_window(first.clone()).await?;
    browser.reload().await?;
    browser.see(BUTTON).await?;
    browser.driver().switch_to_window(first_wallet).await?;
    browser.click(BUTTON).await?;
    browser.see_within("Final in", BLOCKS).await?;
    browser.driver().close_window().await?;
    browser.driver().switch_to_window(first).await?;
    hear(browser, "confirmed").await?;
    browser.driver().close_window().await?;
    browser.driver().switch_to_window(second).await?;
    assert_eq!(told(browser).await?, ["open"]);
    browser.driver().switch_to_window(second_wallet).await?;
    // The wallet was open in the window that is gone.
    browser.see_within("Wallet locked", BLOCKS).await?;
    be_impatient(browser).await?;
    scene.unlock().await?;
    // What was answered there is asked anew.
    waited_for_the_button(browser).await?;
    scene.pay_and_return().await?;
    hear(browser, "confirmed").await?;
    Ok(())
}

/// Where the browser opens no window, since nobody pressed the button, this one goes to the wallet and comes back.
async fn blocked_window(scene: &Scene) -> Result<()> {
    let browser = &scene.browser;
    scene.sell(6).await?;
    browser.go(&scene.shop.page_that_presses(6)).await?;
    scene.unlock().await?;
    assert_eq!(browser.driver().windows().await?.len(), 1);
    browser.click(BUTTON).await?;
    browser.see_within("Final in", BLOCKS).await?;
    browser.screenshot("checkout-redirected").await?;
    browser.click("Back to 127.0.0.1").await?;
    browser.see("Bean and Leaf").await?;
    hear(browser, "confirmed").await?;
    Ok(())
}

/// One invoice in two tabs, and a hand that trembles: whoever presses sees the one payment.
async fn one_invoice_in_two_tabs(scene: &Scene) -> Result<()> {
    let browser = &scene.browser;
    let (invoice, _) = scene.invoice(9).await?;
    let link = format!("{}/pay/#{invoice}", scene.network.url()?);
    browser.go(&link).await?;
    scene.unlock().await?;
    let first = browser.driver().window().await?;
    let second = browser.driver().new_tab().await?;
    browser.driver().switch_to_window(second.clone()).await?;
    browser.go(&link).await?;
    scene.unlock().await?;
    browser.double_click(BUTTON).await?;
    browser.driver().switch_to_window(first.clone()).await?;
    browser.click(BUTTON).await?;
    browser.see_within("Final in", BLOCKS).await?;
    browser.driver().switch_to_window(second).await?;
    browser.see_within("Final in", BLOCKS).await?;
    browser.go(&format!("{}/#/activity", scene.network.url()?)).await?;
    browser.see_within("Order 9", BLOCKS).await?;
    assert_eq!(browser.text().await?.matches("Order 9").count(), 1, "it is paid once");
    browser.driver().close_window().await?;
    Ok(browser.driver().switch_to_window(first).await?)
}

/// The wallet's own page asks the site as well before anything is paid, and pays nothing at once.
async fn in_the_wallet_itself(scene: &Scene) -> Result<()> {
    let browser = &scene.browser;
    let (invoice, _) = scene.invoice(10).await?;
    browser.go(&format!("{}/#/pay", scene.network.url()?)).await?;
    browser.see_within("Wallet locked", BLOCKS).await?;
    person::unlock(browser).await?;
    browser.see_within("Invoice or address", BLOCKS).await?;
    // The site is asked for as long as the test wants.
    browser.run("window.AbortSignal.timeout = () => new AbortController().signal;").await?;
    scene.shop.hold_payees(true);
    be_impatient(browser).await?;
    browser.run(&format!("location.hash = '#/pay/{invoice}';")).await?;
    wait::until("more than the first second", BLOCKS, async || {
        let shown = browser.run("return performance.now() - window.appeared;").await?;
        Ok((shown.as_f64() > Some(1_500.0)).then_some(()))
    })
    .await?;
    browser.see("asking the site").await?;
    assert_eq!(browser.run("return window.enabled ?? null;").await?, Value::Null, "who asks is not known yet");
    assert!(!browser.text().await?.contains("Locking"), "it is paid before");
    scene.shop.hold_payees(false);
    browser.see_within("confirmed by the site", BLOCKS).await?;
    browser.screenshot("pay-shop").await?;
    browser.run("location.hash = '#/pay';").await?;
    browser.see_no_more("confirmed by the site").await?;
    browser.run("window.appeared = window.enabled = undefined;").await?;
    browser.run(&format!("location.hash = '#/pay/{invoice}';")).await?;
    waited_for_the_button(browser).await?;
    browser.click(BUTTON).await?;
    browser.see_within("Final in", BLOCKS).await
}

/// The wallet is closed while the payment is under way: the shop's server says how it ends.
async fn closed_on_the_way(scene: &mut Scene) -> Result<()> {
    scene.sell(7).await?;
    scene.enter().await?;
    scene.signal(Signal::STOP)?;
    scene.browser.click(BUTTON).await?;
    scene.browser.see_within("Locking", BLOCKS).await?;
    scene.browser.screenshot("checkout-locking").await?;
    scene.browser.driver().close_window().await?;
    scene.browser.to_tab(0).await?;
    scene.browser.see("The payment is under way").await?;
    scene.browser.screenshot("embed-pending").await?;
    scene.signal(Signal::CONT)?;
    assert_eq!(hear(&scene.browser, "confirmed").await?, ["open", "pending", "confirmed"]);
    Ok(())
}

async fn a_shop_is_paid_whatever_happens_to_the_windows(kind: Kind) -> Result<()> {
    let mut scene = Scene::open(kind).await?;
    first_order(&scene).await?;
    double_click_and_cancel(&scene).await?;
    changed_amount(&scene).await?;
    not_at_once(&scene).await?;
    reload_beside_another_tab(&scene).await?;
    blocked_window(&scene).await?;
    one_invoice_in_two_tabs(&scene).await?;
    in_the_wallet_itself(&scene).await?;
    closed_on_the_way(&mut scene).await?;
    let Scene { network, browser, .. } = scene;
    browser.close().await?;
    network.shut_down().await
}
