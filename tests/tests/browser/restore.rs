//! A lost wallet comes back from its words: balance, limits and payments, by the bank's newest state.

use anyhow::{Context as _, Result, ensure};
use fair_tests::browser::Browser;
use fair_tests::browser::person::{self, BLOCKS, PASSWORD, Pictures};
use fair_tests::network::{COUNTERPART, Members, Network, Plan};
use serde_json::{Value, json};

/// Makes a wallet and returns its words. They are confirmed another day.
pub(super) async fn create(browser: &Browser) -> Result<String> {
    browser.see_within("Money you can check yourself", BLOCKS).await?;
    browser.click("Create wallet").await?;
    browser.fill("Password", PASSWORD).await?;
    browser.fill("Password again", PASSWORD).await?;
    browser.click("Create wallet").await?;
    browser.see_within("Write down these words", BLOCKS).await?;
    let words =
        browser.run("return [...document.querySelectorAll('ol li')].map((item) => item.innerText.trim());").await?;
    let words: Vec<&str> = words.as_array().context("a list of words")?.iter().filter_map(Value::as_str).collect();
    ensure!(words.len() == 12, "{} words are shown", words.len());
    browser.click("I wrote them down").await?;
    browser.see("Confirm your words").await?;
    browser.click("Later").await?;
    browser.see("Next steps").await?;
    Ok(words.join(" "))
}

/// 250 FRD in a channel with the bank, of which 240 are left after a payment.
pub(super) async fn fill(browser: &Browser, counterpart: &str) -> Result<()> {
    person::get_money(browser).await?;
    person::add_bank(browser, Pictures::None).await?;
    person::deposit(browser, "250", Pictures::None).await?;
    browser.see_within("Insured 250.00", BLOCKS).await?;
    pay(browser, counterpart, 1_000).await?;
    browser.click("Home").await?;
    browser.see_within("Insured 240.00", BLOCKS).await
}

/// Pays an invoice of the counterpart over `cents`.
async fn pay(browser: &Browser, counterpart: &str, cents: u64) -> Result<()> {
    let order = json!({ "amount": cents, "description": "tea" });
    let answer = reqwest::Client::new().post(format!("{counterpart}/v1/invoices")).json(&order).send().await?;
    let answer: Value = answer.error_for_status()?.json().await?;
    let invoice = answer["invoice"].as_str().context("an invoice")?;
    browser.click("Pay").await?;
    browser.fill("Invoice or address", invoice).await?;
    browser.click(&format!("Pay {}.00 FRD", cents / 100)).await?;
    browser.see_within("Paid", BLOCKS).await
}

pub(super) async fn restore(browser: &Browser, words: &str) -> Result<()> {
    browser.see_within("Money you can check yourself", BLOCKS).await?;
    browser.click("Restore wallet").await?;
    browser.fill("Words", words).await?;
    browser.fill("Password", PASSWORD).await?;
    browser.fill("Password again", PASSWORD).await?;
    browser.click("Restore wallet").await?;
    browser.see_within("Past payments and invoices do not come back", BLOCKS).await?;
    browser.see_focus("main").await
}

/// Gives the permission that a browser asks its person for when a page wants its storage kept.
async fn allow_keeping(browser: &Browser) -> Result<()> {
    let permission = json!({ "permissions": ["durableStorage"] });
    browser.driver().cdp().send_raw("Browser.grantPermissions", permission).await?;
    Ok(())
}

/// The promise that the settings page speaks of, once there is money.
async fn storage_in_words(browser: &Browser) -> Result<String> {
    browser.run("location.hash = '#/settings'").await?;
    browser.see("Advanced").await?;
    browser.text().await
}

#[tokio::test]
async fn a_lost_wallet_comes_back_from_its_words() -> Result<()> {
    let network = Network::start(&Plan { members: Members::AllAndCounterpart, ..Plan::with_pages()? }).await?;
    let counterpart = network.url_of(COUNTERPART)?.to_owned();
    let lost = Browser::open().await?;
    lost.go(network.url()?).await?;
    let words = create(&lost).await?;
    let settings = storage_in_words(&lost).await?;
    ensure!(settings.contains("The browser is asked to keep it once there is money"), "{settings}");
    allow_keeping(&lost).await?;
    lost.run("location.hash = '#/home'").await?;
    fill(&lost, &counterpart).await?;
    lost.run("location.hash = '#/settings'").await?;
    lost.see("The browser promised to keep it").await?;
    lost.screenshot("settings-storage").await?;
    lost.close().await?;

    // Another device, with nothing but the words.
    let browser = Browser::open().await?;
    browser.go(network.url()?).await?;
    restore(&browser, &words).await?;
    browser.screenshot("restore-progress").await?;
    browser.see_within("Your wallet is back", BLOCKS).await?;
    browser.see("240.00 FRD").await?;
    browser.screenshot("restore-done").await?;
    browser.click("Go to my wallet").await?;
    browser.see_within("Insured 240.00", BLOCKS).await?;
    browser.see("Can receive").await?;
    pay(&browser, &counterpart, 4_000).await?;
    browser.click("Home").await?;
    browser.see_within("Insured 200.00", BLOCKS).await?;

    // The same browser, wiped: the same words again, and a reload in between.
    browser.run("location.hash = '#/settings/wipe'").await?;
    browser.fill("Type “wipe” to confirm", "wipe").await?;
    browser.click("Wipe wallet").await?;
    restore(&browser, &words).await?;
    browser.reload().await?;
    browser.click("Open it").await?;
    browser.fill("Password", PASSWORD).await?;
    browser.click("Unlock").await?;
    browser.see_within("Insured 200.00", BLOCKS).await?;
    browser.run("location.hash = '#/restore'").await?;
    browser.see_within("Your wallet is back", BLOCKS).await?;
    browser.close().await?;
    network.shut_down().await
}
