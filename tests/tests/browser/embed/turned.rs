//! Other pages that change a checkout's address while somebody looks at it.

use anyhow::Result;
use fair_core::crypto::SecretKey;
use fair_tests::browser::{Browser, Kind, Windows};
use fair_tests::network::{Network, Plan};
use fair_tests::wait;
use serde_json::Value;

use super::invoices::{payee, signed};
use super::shop::Shop;
use super::windows;
use crate::pages::eval;
use fair_tests::browser::person::{self, BLOCKS, Pictures};

in_both!(
    a_late_answer_about_one_invoice_is_none_about_the_next,
    the_page_that_opened_the_window_exchanges_nothing_in_it,
);

/// An invoice over 12.00 FRD with these words, in the name of this origin.
fn of(network: &Network, key: &SecretKey, id: u8, words: &str, origin: Option<&str>) -> Result<String> {
    signed(network, key, |invoice| {
        invoice.id.0 = [id; 16];
        invoice.description = fair_core::payment::invoice::Description::Text(words.to_owned());
        invoice.origin = origin.map(ToOwned::to_owned);
    })
}

async fn a_late_answer_about_one_invoice_is_none_about_the_next(kind: Kind) -> Result<()> {
    let network = Network::start(&Plan::with_pages()?).await?;
    let url = network.url()?;
    let other = SecretKey::from_seed(&[78; 32]);
    let shop = Shop::open(url, None, vec![payee().public().to_string()]).await?;
    let slow = Shop::open(url, None, vec![other.public().to_string()]).await?;
    let browser = Browser::open_as(kind, Windows::Opened).await?;

    // With a wallet, since asking for a route is what once let the next invoice in.
    browser.go(&format!("{url}/pay/#{}", of(&network, &other, 1, "Nobody asks", None)?)).await?;
    person::make_keys(&browser, Pictures::None).await?;
    browser.see_within("Your wallet cannot pay this yet", BLOCKS).await?;

    slow.hold_payees(true);
    let first = of(&network, &other, 2, "A bag of coffee", Some(&slow.origin))?;
    browser.run(&format!("location.hash = '{first}';")).await?;
    browser.see("A bag of coffee").await?;
    browser.see("Your wallet cannot pay this yet").await?;
    browser.see("asking the site").await?;
    assert!(!browser.text().await?.contains("Another page opened this window"));
    let second = of(&network, &other, 3, "A pot of tea", Some(&shop.origin))?;
    browser.run(&format!("location.hash = '{second}';")).await?;
    browser.see("The shop does not know this payee").await?;
    slow.hold_payees(false);
    let place = format!("{}/.well-known/fair-pay.json", slow.origin);
    wait::until("the late answer", BLOCKS, async || {
        let came = browser.run(&format!("return performance.getEntriesByName('{place}').length;")).await?;
        Ok((came.as_u64() >= Some(1)).then_some(()))
    })
    .await?;
    // Asked once more, so that what the page does with the late answer is done.
    eval(&browser, &format!("return (await fetch('{place}')).json();")).await?;
    let text = browser.text().await?;
    assert!(text.contains("A pot of tea") && text.contains("The shop does not know this payee"), "{text}");
    assert!(!text.contains("confirmed by the site"), "{text}");
    browser.close().await?;
    network.shut_down().await
}

async fn the_page_that_opened_the_window_exchanges_nothing_in_it(kind: Kind) -> Result<()> {
    let network = Network::start(&Plan::with_pages()?).await?;
    let url = network.url()?;
    let elsewhere = Shop::open(url, None, vec![payee().public().to_string()]).await?;
    let browser = Browser::open_as(kind, Windows::Opened).await?;
    browser.go(&elsewhere.page(1)).await?;
    let opener = browser.driver().window().await?;
    let first = of(&network, &payee(), 1, "A bag of coffee", None)?;
    browser.run(&format!("window.wallet = window.open('{url}/pay/#{first}');")).await?;
    windows(&browser, 2).await?;
    browser.to_tab(1).await?;
    let wallet = browser.driver().window().await?;
    browser.see_within("A bag of coffee", BLOCKS).await?;
    browser.see("Another page opened this window").await?;
    browser.see("You are paying somebody without a website").await?;
    browser.screenshot("checkout-opened-by-other").await?;
    browser.run("window.isFirst = true;").await?;

    browser.driver().switch_to_window(opener).await?;
    let second = of(&network, &payee(), 2, "A pot of tea", Some(&elsewhere.origin))?;
    browser.run(&format!("window.wallet.location = '{url}/pay/#{second}';")).await?;
    browser.driver().switch_to_window(wallet).await?;
    browser.see_within("A pot of tea", BLOCKS).await?;
    browser.see(&format!("You are paying {}", elsewhere.origin)).await?;
    assert_eq!(browser.run("return window.isFirst ?? null;").await?, Value::Null, "the page was loaded anew");
    browser.close().await?;
    network.shut_down().await
}
