//! A newcomer at the demo's address, following what is written on the pages.

use std::time::Duration;

use anyhow::{Context, Result};
use fair_tests::browser::Browser;
use fair_tests::network::{Network, Plan};

const PASSWORD: &str = "correct horse battery staple";

/// Blocks come every few seconds; something that needs one or two of them takes longer than a click.
const BLOCKS: Duration = Duration::from_secs(60);

/// Makes a wallet as the pages ask for it: password, words, confirmation of some of them.
async fn create_wallet(browser: &Browser) -> Result<()> {
    browser.click("Create wallet").await?;
    browser.fill("Password", PASSWORD).await?;
    browser.fill("Password again", PASSWORD).await?;
    browser.screenshot("create-password").await?;
    browser.click("Create wallet").await?;
    browser.see_within("Write down these words", BLOCKS).await?;
    browser.screenshot("create-words").await?;
    let words =
        browser.run("return [...document.querySelectorAll('ol li')].map((item) => item.innerText.trim());").await?;
    let words = words.as_array().context("a list of words")?;
    anyhow::ensure!(words.len() == 12, "{} words are shown", words.len());
    browser.click("I wrote them down").await?;
    browser.see("Confirm your words").await?;
    for label in browser.text().await?.lines().filter(|line| line.starts_with("Word ")) {
        let number: usize = label.trim_start_matches("Word ").parse()?;
        let word = words.get(number - 1).and_then(|word| word.as_str()).context("a word that was shown")?;
        browser.fill(label, word).await?;
    }
    browser.screenshot("create-confirm").await?;
    browser.click("Confirm words").await?;
    browser.see("Next steps").await
}

/// From nothing to money in a channel with a bank.
#[tokio::test]
async fn a_newcomer_creates_a_wallet_and_deposits() -> Result<()> {
    let network = Network::start(&Plan::new()?).await?;
    let browser = Browser::open().await?;
    browser.go(network.url()?).await?;
    browser.see_within("Money you can check yourself", BLOCKS).await?;
    browser.screenshot("welcome").await?;

    create_wallet(&browser).await?;
    browser.screenshot("home-empty").await?;
    browser.click("Get test FRD").await?;
    browser.see_within("Add a bank", BLOCKS).await?;
    browser.click("Add bank").await?;
    browser.see("Credit limit in FRD").await?;
    browser.screenshot("add-bank").await?;
    browser.click("Add bank").await?;
    browser.see_within("connected", BLOCKS).await?;
    browser.screenshot("bank").await?;

    browser.click("Deposit").await?;
    browser.see("Available on-chain").await?;
    browser.fill("Amount", "250").await?;
    browser.click("Add deposit").await?;
    browser.see("Sign and send").await?;
    browser.screenshot("onchain-batch").await?;
    browser.click("Sign and send").await?;
    browser.see_within("applied", BLOCKS).await?;
    browser.screenshot("onchain-receipt").await?;
    browser.click("Home").await?;
    browser.see_within("Insured", BLOCKS).await?;
    browser.screenshot("home-insured").await?;

    let browser = browser.reopen().await?;
    browser.go(network.url()?).await?;
    browser.fill("Password", PASSWORD).await?;
    browser.screenshot("unlock").await?;
    browser.click("Unlock").await?;
    browser.see_within("Insured", BLOCKS).await?;
    browser.close().await?;
    network.shut_down().await
}
