//! A newcomer at the demo's address, following what is written on the pages.

use anyhow::Result;
use fair_tests::browser::person::{self, BLOCKS, Pictures};
use fair_tests::browser::{Browser, Kind, Windows};
use fair_tests::network::{Members, Network, Plan};

use crate::places;

in_both!(a_newcomer_creates_deposits_pays_is_paid_and_is_insured);

/// Buys of the counterpart beside the wallet: its invoice, its link back to the wallet, the payment.
async fn buy(browser: &Browser) -> Result<()> {
    browser.click_to_new_tab("Open the counterpart").await?;
    browser.see_within("It is open", BLOCKS).await?;
    browser.screenshot("counterpart").await?;
    browser.fill("Amount in FRD", "5.00").await?;
    browser.fill("What for", "A cup of coffee").await?;
    browser.click("Make an invoice").await?;
    browser.see("Your invoice").await?;
    browser.screenshot("counterpart-invoice").await?;
    browser.click("pay with the wallet").await?;
    browser.see_within("A cup of coffee", BLOCKS).await?;
    browser.see("Pay 5.00 FRD").await?;
    browser.screenshot("pay-confirm").await?;
    browser.click("Pay 5.00 FRD").await?;
    browser.see("Final in").await?;
    // The button is gone.
    browser.see_focus("main").await?;
    browser.screenshot("pay-paid").await?;
    browser.click("Details and proof").await?;
    browser.see("Proof of payment").await?;
    browser.screenshot("payment-details").await
}

/// Asks the counterpart for a payment by an invoice of its own.
async fn be_paid(browser: &Browser) -> Result<()> {
    let invoice = person::make_invoice(browser, "25.00", "My old bicycle").await?;
    browser.see_focus("main").await?;
    browser.screenshot("receive-invoice").await?;
    browser.click_to_new_tab("Ask the counterpart to pay").await?;
    browser.fill("Your invoice (at most 100.00 FRD)", &invoice).await?;
    browser.click("Pay me").await?;
    browser.see("Paid: 25.00 FRD is yours").await?;
    browser.screenshot("counterpart-pay-me").await?;
    browser.to_tab(0).await?;
    browser.see("25.00 FRD received").await?;
    browser.screenshot("receive-paid").await
}

/// Has the promised part insured by the bank's next rebalance.
async fn be_insured(browser: &Browser) -> Result<()> {
    browser.click("Home").await?;
    browser.see("270.00 FRD").await?;
    browser.screenshot("home-promised").await?;
    browser.click("More").await?;
    browser.click("Banks").await?;
    browser.click("Limits, insurance, withdrawal").await?;
    browser.see("part is promised only").await?;
    browser.screenshot("bank-promised").await?;
    browser.click("Insure now").await?;
    // The bank rebalances every ten blocks, which may be idle ones.
    browser.see_within("all insured", 2 * BLOCKS).await?;
    browser.screenshot("bank-insured").await?;
    browser.click("Activity").await?;
    browser.see("My old bicycle").await?;
    browser.screenshot("activity").await?;
    browser.click("Home").await?;
    browser.see("270.00 FRD").await?;
    browser.see_no_more("Uninsured").await?;
    browser.screenshot("home-insured").await
}

/// From nothing to money that was earned and is insured.
async fn a_newcomer_creates_deposits_pays_is_paid_and_is_insured(kind: Kind) -> Result<()> {
    let network = Network::start(&Plan { members: Members::AllAndCounterpart, ..Plan::with_pages()? }).await?;
    let browser = Browser::open_as(kind, Windows::Opened).await?;
    browser.go(network.url()?).await?;
    person::create_wallet(&browser, Pictures::Kept).await?;
    person::get_money(&browser).await?;
    person::add_bank(&browser, Pictures::Kept).await?;
    person::deposit(&browser, "250", Pictures::Kept).await?;
    buy(&browser).await?;
    browser.to_tab(0).await?;
    be_paid(&browser).await?;
    be_insured(&browser).await?;
    places::visit_all(&browser).await?;

    let browser = browser.reopen().await?;
    browser.go(network.url()?).await?;
    browser.see("Password").await?;
    browser.see_focus("password").await?;
    browser.screenshot("unlock").await?;
    browser.on_a_small_phone("unlock").await?;
    person::unlock(&browser).await?;
    browser.see_within("270.00 FRD", BLOCKS).await?;
    browser.close().await?;
    network.shut_down().await
}
