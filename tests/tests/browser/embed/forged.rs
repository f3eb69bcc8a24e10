//! Messages that the element and the checkout do not believe.

use anyhow::Result;
use fair_tests::browser::{Browser, Kind, Windows};
use fair_tests::network::{Network, Plan};
use serde_json::{Value, json};

use super::invoices::{order_of, payee, signed};
use super::shop::Shop;
use super::{BUTTON, count_messages, hear, messages, order, text, told, windows};
use fair_tests::browser::person::BLOCKS;

in_both!(a_payment_is_told_by_its_own_wallet_window_alone);

fn paid(nonce: &Value, invoice: &Value) -> Value {
    json!({ "protocol": "fair-pay/1", "type": "paid", "nonce": nonce, "invoice": invoice })
}

/// Says it to the window that opened this one.
async fn say(browser: &Browser, message: &Value, to: &str) -> Result<()> {
    browser.run(&format!("window.opener.postMessage({message}, '{to}');")).await?;
    Ok(())
}

/// Opens an address beside this window, by a script of it, and goes there.
async fn open_beside(browser: &Browser, url: &str) -> Result<()> {
    let before = browser.driver().windows().await?;
    browser.run(&format!("window.open('{url}', '_blank');")).await?;
    windows(browser, before.len() + 1).await?;
    for window in browser.driver().windows().await? {
        if !before.contains(&window) {
            browser.driver().switch_to_window(window).await?;
        }
    }
    Ok(())
}

async fn a_payment_is_told_by_its_own_wallet_window_alone(kind: Kind) -> Result<()> {
    let network = Network::start(&Plan::with_pages()?).await?;
    let url = network.url()?;
    let shop = Shop::open(url, None, vec![payee().public().to_string()]).await?;
    let elsewhere = Shop::open(url, None, vec![]).await?;
    let of = |id: u8, words: &str| {
        signed(&network, &payee(), |invoice| {
            invoice.id.0 = [id; 16];
            invoice.origin = Some(shop.origin.clone());
            invoice.description = fair_core::payment::invoice::Description::Text(words.to_owned());
        })
    };
    shop.put(1, order_of(of(1, "A bag of coffee")?));
    shop.put(2, order_of(of(2, "A pot of tea")?));
    elsewhere.put(1, order_of(String::new()));
    let browser = Browser::open_as(kind, Windows::Opened).await?;
    browser.go(&shop.page(1)).await?;
    let shop_window = browser.driver().window().await?;
    browser.click_to_new_tab(BUTTON).await?;
    browser.see_within("A bag of coffee", BLOCKS).await?;
    let wallet_window = browser.driver().window().await?;

    browser.driver().switch_to_window(shop_window.clone()).await?;
    browser.see("Go on in the wallet window").await?;
    let kept = order(&browser).await?;
    let right = paid(&kept["nonce"], &kept["invoice"]);
    browser.run("window.heard = 0;").await?;

    // The right words from another origin, from another window of the wallet's origin, and from itself.
    open_beside(&browser, &elsewhere.page(1)).await?;
    say(&browser, &right, &shop.origin).await?;
    browser.driver().switch_to_window(shop_window.clone()).await?;
    messages(&browser, 1).await?;
    open_beside(&browser, &format!("{url}/pay/")).await?;
    browser.see_within("There is nothing to pay here", BLOCKS).await?;
    say(&browser, &right, &shop.origin).await?;
    browser.driver().switch_to_window(shop_window.clone()).await?;
    browser.run(&format!("window.postMessage({right}, location.origin);")).await?;
    messages(&browser, 3).await?;
    assert_eq!(told(&browser).await?, ["open"]);

    // From the wallet's window: another protocol, nonce, invoice.
    browser.driver().switch_to_window(wallet_window.clone()).await?;
    let other_invoice = Value::from(of(9, "Something else")?);
    let mut other_protocol = right.clone();
    other_protocol["protocol"] = "fair-pay/2".into();
    say(&browser, &other_protocol, &shop.origin).await?;
    say(&browser, &paid(&"0".repeat(32).into(), &kept["invoice"]), &shop.origin).await?;
    say(&browser, &paid(&kept["nonce"], &other_invoice), &shop.origin).await?;
    say(&browser, &json!("paid"), &shop.origin).await?;
    browser.driver().switch_to_window(shop_window.clone()).await?;
    messages(&browser, 7).await?;
    assert_eq!(told(&browser).await?, ["open"]);

    // The same window with the right words is a hint; the shop's server alone confirms.
    browser.driver().switch_to_window(wallet_window.clone()).await?;
    say(&browser, &right, &shop.origin).await?;
    browser.driver().switch_to_window(shop_window.clone()).await?;
    assert_eq!(hear(&browser, "paid-hint").await?, ["open", "paid-hint"]);
    browser.see("Waiting for the shop").await?;
    browser.screenshot("embed-hint").await?;
    shop.set_state(1, "paid");
    assert_eq!(hear(&browser, "confirmed").await?, ["open", "paid-hint", "confirmed"]);

    // Said again it changes nothing, neither here nor for the next order.
    browser.driver().switch_to_window(wallet_window.clone()).await?;
    say(&browser, &right, &shop.origin).await?;
    browser.driver().switch_to_window(shop_window.clone()).await?;
    messages(&browser, 9).await?;
    assert_eq!(told(&browser).await?, ["open", "paid-hint", "confirmed"]);
    browser.run("sessionStorage.removeItem('told');").await?;
    browser.go(&shop.page(2)).await?;
    browser.click_to_new_tab(BUTTON).await?;
    browser.see_within("A pot of tea", BLOCKS).await?;
    let second_window = browser.driver().window().await?;
    count_messages(&browser).await?;
    browser.driver().switch_to_window(shop_window.clone()).await?;
    browser.run("window.heard = 0;").await?;
    let second = order(&browser).await?;
    assert_ne!(second["nonce"], kept["nonce"]);
    browser.driver().switch_to_window(wallet_window).await?;
    say(&browser, &right, &shop.origin).await?;
    browser.driver().switch_to_window(second_window.clone()).await?;
    say(&browser, &paid(&kept["nonce"], &second["invoice"]), &shop.origin).await?;
    browser.driver().switch_to_window(shop_window.clone()).await?;
    messages(&browser, 2).await?;
    assert_eq!(told(&browser).await?, ["open"]);

    // The checkout shows what it was handed first, whatever comes afterwards.
    let swap =
        json!({ "protocol": "fair-pay/1", "type": "invoice", "nonce": second["nonce"], "invoice": other_invoice });
    let nonce = text(&second["nonce"])?;
    browser.run(&format!("window.open('', 'fair-pay-{nonce}').postMessage({swap}, '{url}');")).await?;
    browser.driver().switch_to_window(second_window).await?;
    messages(&browser, 1).await?;
    browser.see("A pot of tea").await?;
    assert!(!browser.text().await?.contains("Something else"));

    // The wallet's own window, with the right words, once another site is in it.
    let right = paid(&second["nonce"], &second["invoice"]);
    browser.go(&elsewhere.page(1)).await?;
    say(&browser, &right, &shop.origin).await?;
    browser.driver().switch_to_window(shop_window).await?;
    messages(&browser, 3).await?;
    assert_eq!(told(&browser).await?, ["open"]);
    browser.close().await?;
    network.shut_down().await
}
