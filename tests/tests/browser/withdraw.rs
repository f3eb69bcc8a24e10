//! Money out of a channel: straight into somebody else's, in one batch, after a look at what will happen.

use anyhow::{Context as _, Result, ensure};
use fair_tests::browser::Browser;
use fair_tests::browser::person::BLOCKS;
use fair_tests::network::{COUNTERPART, Members, Network, Plan};
use fair_tests::wait;
use serde_json::Value;

use crate::restore::{create, fill};

async fn status(counterpart: &str) -> Result<Value> {
    Ok(reqwest::get(format!("{counterpart}/v1/status")).await?.error_for_status()?.json().await?)
}

/// The counterpart's insured FRD, once there is more of it than `before`.
async fn more_insured(counterpart: &str, before: u64) -> Result<u64> {
    wait::until(format!("the counterpart to be insured for more than {before}"), BLOCKS, async || {
        Ok(status(counterpart).await?["assets"][0]["insured"].as_u64().filter(|now| *now > before))
    })
    .await
}

#[tokio::test]
async fn insurance_goes_from_ones_own_channel_into_anothers() -> Result<()> {
    let network = Network::start(&Plan { members: Members::AllAndCounterpart, ..Plan::with_pages()? }).await?;
    let counterpart = network.url_of(COUNTERPART)?.to_owned();
    let browser = Browser::open().await?;
    browser.go(network.url()?).await?;
    create(&browser).await?;
    fill(&browser, &counterpart).await?;
    // Only the counterpart itself could have brought the first FRD into its channel.
    let insured = more_insured(&counterpart, 0).await?;
    let address = status(&counterpart).await?["address"].as_str().context("an address")?.to_owned();

    browser.run("location.hash = '#/banks'").await?;
    browser.click("Limits, insurance, withdrawal").await?;
    browser.click("Withdraw FRD").await?;
    browser.fill("Amount to withdraw", "9999").await?;
    browser.see("at most 240.00 FRD").await?;
    browser.fill("Amount to withdraw", "50").await?;
    browser.fill("Where to", "Another account").await?;
    browser.fill("Account", "@nobody").await?;
    browser.screenshot("withdraw-form").await?;
    browser.click("Continue").await?;
    browser.see("Nobody has used this account on the chain").await?;
    browser.fill("Account", &address).await?;
    browser.fill("Into its channel with", "@main").await?;
    browser.fill("Invoice tag", "more than thirty-two bytes, which is all").await?;
    browser.click("Continue").await?;
    browser.see("At most 32 bytes").await?;
    browser.fill("Invoice tag", "order 42").await?;
    browser.click("Continue").await?;
    browser.see("Check before it moves").await?;
    browser.see("You cannot take it back").await?;
    browser.see("order 42").await?;
    browser.screenshot("withdraw-confirm").await?;
    browser.see_focus("Check before it moves").await?;
    browser.click("Change").await?;
    browser.see_focus("withdraw-1").await?;
    browser.click("Continue").await?;
    browser.see("Check before it moves").await?;
    browser.click("Ask for withdrawal").await?;
    browser.see_within("bank agreed", BLOCKS).await?;
    browser.see("Sign and send").await?;
    browser.screenshot("withdraw-granted").await?;
    browser.click("Sign and send").await?;
    browser.see_within("Withdraw FRD", BLOCKS).await?;
    browser.click("Home").await?;
    browser.see_within("Insured 190.00", BLOCKS).await?;

    let more = more_insured(&counterpart, insured).await?;
    ensure!(more - insured == 5_000, "{more} after {insured}");
    browser.close().await?;
    network.shut_down().await
}
