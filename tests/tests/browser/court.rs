//! A wallet takes its bank to court, and goes on afterwards; everything about it can be looked up.

use anyhow::Result;
use fair_tests::browser::Browser;
use fair_tests::browser::person::BLOCKS;
use fair_tests::chain::PATIENCE;
use fair_tests::network::{COUNTERPART, Members, Network, Plan};

use crate::restore::{create, fill};

async fn visit(browser: &Browser, place: &str, shows: &str, picture: &str) -> Result<()> {
    browser.run(&format!("location.hash = '#/{place}';")).await?;
    browser.see(shows).await?;
    browser.screenshot(picture).await
}

#[tokio::test]
async fn a_wallet_disputes_gets_its_own_and_goes_on() -> Result<()> {
    let plan = Plan { members: Members::AllAndCounterpart, preset: "swift", ..Plan::with_pages()? };
    let network = Network::start(&plan).await?;
    let counterpart = network.url_of(COUNTERPART)?.to_owned();
    let browser = Browser::open().await?;
    browser.go(network.url()?).await?;
    create(&browser).await?;
    fill(&browser, &counterpart).await?;

    browser.run("location.hash = '#/banks'").await?;
    browser.click("Limits, insurance, withdrawal").await?;
    browser.click("Dispute").await?;
    browser.see("without its help").await?;
    browser.screenshot("dispute-offer").await?;
    browser.click("What a dispute would do").await?;
    browser.see_focus("Before you take it to court").await?;
    browser.click("Not now").await?;
    browser.see_focus("dispute").await?;
    browser.click("Dispute").await?;
    browser.click("What a dispute would do").await?;
    browser.see("you would get 240.00 FRD").await?;
    browser.screenshot("dispute-confirm").await?;
    dispute(&browser).await?;
    look_it_up(&browser).await?;
    browser.close().await?;
    network.shut_down().await
}

/// From the signature to limits for the time after.
async fn dispute(browser: &Browser) -> Result<()> {
    browser.click("Sign and dispute").await?;
    browser.see_focus("main").await?;
    browser.see_within("In court", BLOCKS).await?;
    browser.see("Newer states can be shown").await?;
    browser.see("You took this channel to court").await?;
    browser.screenshot("dispute-running").await?;
    browser.click("Home").await?;
    browser.see("is in court").await?;
    // Court lets nothing in.
    browser.see_no_more("Can receive").await?;
    browser.screenshot("home-in-court").await?;
    visit(browser, "explorer/court", "Newer states can be shown", "explorer-court").await?;

    browser.run("location.hash = '#/banks'").await?;
    browser.click("How court goes").await?;
    browser.see_within("Court has decided", PATIENCE).await?;
    browser.see("you got 240.00 FRD").await?;
    browser.see("Your limits are zero").await?;
    browser.screenshot("dispute-result").await?;
    browser.click("Set a limit again").await?;
    browser.see_focus("limit-1").await?;
    browser.fill("Credit limit in FRD", "500").await?;
    browser.click("Save limits").await?;
    browser.see_no_more("Your limits are zero").await
}

/// What everybody sees of it.
async fn look_it_up(browser: &Browser) -> Result<()> {
    browser.run("location.hash = '#/onchain'").await?;
    browser.see("Your account").await?;
    browser.screenshot("onchain-after-court").await?;
    browser
        .run("location.hash = document.querySelector('main a[href*=\"explorer/account\"]').getAttribute('href');")
        .await?;
    browser.see("Court resolved").await?;
    browser.screenshot("explorer-account-court").await?;
    browser.run("[...document.querySelectorAll('article')].find((one) => one.textContent.includes('Court resolved')).parentElement.querySelector('a').click();").await?;
    browser.see("Fell due with this block").await?;
    browser.screenshot("explorer-block-resolved").await
}
