//! What a person does on the pages, step by step, by what is written on them.

use std::time::Duration;

use anyhow::{Context, Result};
use fair_core::types::{Amount, Parties, PublicKey, Side};

use super::Browser;
use crate::network::Network;

/// The password of every wallet in these tests.
pub const PASSWORD: &str = "correct horse battery staple";

/// Blocks come every few seconds; something that needs one or two of them takes longer than a click.
pub const BLOCKS: Duration = Duration::from_secs(60);

/// Whether the pages on the way are kept as pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pictures {
    /// They are.
    Kept,
    /// They are not.
    None,
}

impl Pictures {
    async fn take(self, browser: &Browser, name: &str) -> Result<()> {
        match self {
            Pictures::Kept => {
                browser.screenshot(name).await?;
                browser.on_a_small_phone(name).await
            }
            Pictures::None => Ok(()),
        }
    }
}

/// Makes a wallet as the pages ask for it, from the first page on.
///
/// # Errors
/// If the pages do not show what belongs there.
pub async fn create_wallet(browser: &Browser, pictures: Pictures) -> Result<()> {
    browser.see_within("Money you can check yourself", BLOCKS).await?;
    pictures.take(browser, "welcome").await?;
    make_keys(browser, pictures).await?;
    browser.see("Next steps").await?;
    pictures.take(browser, "home-empty").await
}

/// From "Create wallet" on: password, words, confirmation of some of them.
///
/// # Errors
/// If the pages do not show what belongs there.
pub async fn make_keys(browser: &Browser, pictures: Pictures) -> Result<()> {
    browser.click("Create wallet").await?;
    browser.fill("Password", PASSWORD).await?;
    browser.fill("Password again", PASSWORD).await?;
    pictures.take(browser, "create-password").await?;
    browser.click("Create wallet").await?;
    browser.see_within("Write down these words", BLOCKS).await?;
    browser.see_focus("main").await?;
    pictures.take(browser, "create-words").await?;
    let words =
        browser.run("return [...document.querySelectorAll('ol li')].map((item) => item.innerText.trim());").await?;
    let words = words.as_array().context("a list of words")?;
    anyhow::ensure!(words.len() == 12, "{} words are shown", words.len());
    browser.click("I wrote them down").await?;
    browser.see("Confirm your words").await?;
    browser.see_focus("main").await?;
    for label in browser.text().await?.lines().filter(|line| line.starts_with("Word ")) {
        let number: usize = label.trim_start_matches("Word ").parse()?;
        let word = words.get(number - 1).and_then(|word| word.as_str()).context("a word that was shown")?;
        browser.fill(label, word).await?;
    }
    pictures.take(browser, "create-confirm").await?;
    browser.click("Confirm words").await
}

/// Asks the faucet, from the home page.
///
/// # Errors
/// If the pages do not show what belongs there.
pub async fn get_money(browser: &Browser) -> Result<()> {
    browser.click("Get test FRD").await?;
    browser.see_within("Add a bank", BLOCKS).await
}

/// Uses the only bank with the proposed limit, and waits until it is connected.
///
/// # Errors
/// If the pages do not show what belongs there.
pub async fn add_bank(browser: &Browser, pictures: Pictures) -> Result<()> {
    browser.click("Add bank").await?;
    browser.see("Credit limit in FRD").await?;
    pictures.take(browser, "add-bank").await?;
    browser.click("Add bank").await?;
    browser.see_within("connected", BLOCKS).await?;
    pictures.take(browser, "bank").await
}

/// Deposits into the channel with the bank, from the bank's page, and waits for the receipt.
///
/// # Errors
/// If the pages do not show what belongs there.
pub async fn deposit(browser: &Browser, amount: &str, pictures: Pictures) -> Result<()> {
    browser.click("Deposit FRD").await?;
    browser.see("Available on-chain").await?;
    browser.fill("Amount", amount).await?;
    browser.click("Add deposit").await?;
    browser.see("Sign and send").await?;
    pictures.take(browser, "onchain-batch").await?;
    browser.click("Sign and send").await?;
    browser.see_within("applied", BLOCKS).await?;
    pictures.take(browser, "onchain-receipt").await?;
    browser.click("Home").await?;
    browser.see_within("Insured", BLOCKS).await
}

/// Makes an invoice on the receiving page and returns its text as it is shown.
///
/// # Errors
/// If the pages do not show what belongs there.
pub async fn make_invoice(browser: &Browser, amount: &str, what_for: &str) -> Result<String> {
    browser.click("Receive").await?;
    browser.fill("Amount", amount).await?;
    browser.fill("What for", what_for).await?;
    browser.click("Create invoice").await?;
    browser.see("Keep this wallet open to receive").await?;
    browser.text_of(".copyable code").await
}

/// How many wallets are made to find one on a side: half of all keys are.
const WALLETS_TRIED: usize = 32;

/// Makes wallets until one is on this side of its channel with the bank, and returns its key. `name` tells the
/// wallets of one browser apart.
///
/// # Errors
/// If the pages do not show what belongs there, or no wallet is on that side.
pub async fn create_wallet_on(browser: &Browser, network: &Network, side: Side, name: &str) -> Result<PublicKey> {
    let bank = network.genesis()?.banks.first().context("a bank")?.key;
    for attempt in 0..WALLETS_TRIED {
        browser.go(&format!("{}/?wallet={name}-{attempt}", network.url()?)).await?;
        create_wallet(browser, Pictures::None).await?;
        let key = own_key(browser).await?;
        if Parties::new(key, bank).and_then(|parties| parties.side_of(&key)) == Some(side) {
            browser.click("Home").await?;
            return Ok(key);
        }
    }
    anyhow::bail!("{WALLETS_TRIED} keys on one side of the bank's")
}

/// The key of the wallet in use, read off its page.
///
/// # Errors
/// If the pages do not show what belongs there.
pub async fn own_key(browser: &Browser) -> Result<PublicKey> {
    browser.run("location.hash = '#/onchain'").await?;
    browser.see("Your account").await?;
    Ok(browser.text_of(".copyable code").await?.trim().parse()?)
}

/// An amount of FRD as the pages write it, without the ticker.
#[must_use]
pub fn shown(cents: Amount) -> String {
    let whole = (cents / 100).to_string();
    let (first, rest) = whole.split_at((whole.len() - 1) % 3 + 1);
    let rest: String = rest.as_bytes().chunks(3).map(|three| format!(",{}", String::from_utf8_lossy(three))).collect();
    format!("{first}{rest}.{:02}", cents % 100)
}

/// Opens the wallet with its password.
///
/// # Errors
/// If the pages do not show what belongs there.
pub async fn unlock(browser: &Browser) -> Result<()> {
    browser.fill("Password", PASSWORD).await?;
    browser.click("Unlock").await
}
