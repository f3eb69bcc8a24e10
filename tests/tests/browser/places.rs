//! Every place of the pages, visited by somebody whose wallet has money, a bank and payments: on a phone, a desk, a small
//! phone and by keyboard.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use fair_tests::browser::person::{self, BLOCKS};
use fair_tests::browser::{Browser, Kind};
use fair_tests::wait;

use crate::pages::eval;

/// A place as the router knows it, what follows it, what the page shows then, and the name of its picture if it
/// has one.
type Visit = (&'static str, &'static str, &'static str, &'static str);

/// All of the router's places. `BANK`, `ACCOUNT`, `PAYMENT`, `INVOICE` and `PROOF` are those of the wallet. What belongs
/// to a newcomer, a validator or somebody in court is shown where the tests come to be one.
const VISITS: [Visit; 40] = [
    ("explorer", "", "Only with batches", "explorer-blocks"),
    ("explorer/blocks", "", "Only with batches", ""),
    ("explorer/block", "/2", "Block #2", "explorer-block"),
    ("explorer/block", "/none", "This is no block number", ""),
    ("explorer/block", "/9999999", "There is no such block", ""),
    ("explorer/accounts", "", "channel", "explorer-accounts"),
    ("explorer/accounts", "?q=nobody", "No account found", ""),
    ("explorer/account", "/BANK", "Batches sent", "explorer-account"),
    ("explorer/account", "/ACCOUNT", "Batches sent", "explorer-account-own"),
    ("explorer/channel", "/ACCOUNT/BANK", "Disputes resolved", "explorer-channel"),
    ("explorer/court", "", "No channel is in court", ""),
    ("explorer/governance", "", "Nothing is proposed", ""),
    ("explorer/governance", "/77", "There is no such proposal", ""),
    ("explorer/governance/new", "", "Only validators propose", ""),
    ("explorer/validators", "", "of 100", "explorer-validators"),
    ("explorer/banks", "", "Insurance price", "explorer-banks"),
    ("explorer/banks/register", "", "Register a bank", ""),
    ("explorer/assets", "", "Supply", "explorer-assets"),
    ("explorer/assets/new", "", "Create asset", ""),
    ("explorer/parameters", "", "min_fee_rate", "explorer-parameters"),
    ("explorer/snapshots", "", "the same everywhere", "explorer-snapshots"),
    ("verification", "", "Newest verified block", "verification"),
    ("proof", "", "Check a receipt", ""),
    ("proof", "?text=PROOF", "It was paid", "proof"),
    ("create", "", "already holds a wallet", ""),
    ("restore", "", "already holds a wallet", ""),
    ("settings", "", "Addresses, one per line", "settings"),
    ("settings", "/wipe", "Type “wipe” to confirm", ""),
    ("settings/words", "", "nobody looks at your screen", "settings-words"),
    ("home", "", "Balance", ""),
    ("pay", "", "Invoice or address", "pay-empty"),
    ("pay", "/INVOICE", "your own invoice", ""),
    ("receive", "", "Your invoices", "receive-empty"),
    ("till", "", "To be paid", ""),
    ("activity", "", "My old bicycle", ""),
    ("payment", "/PAYMENT", "Proof of payment", ""),
    ("banks", "", "Limits, insurance, withdrawal", "banks"),
    ("banks", "/BANK", "all insured", ""),
    ("banks/add", "", "You use every bank there is", ""),
    ("onchain", "", "Your account", "onchain"),
];

/// What follows the last `/` in the address of the first link in the content with this text.
async fn linked(browser: &Browser, text: &str) -> Result<String> {
    let script = format!(
        "return [...document.querySelectorAll('main a')].find((one) => one.innerText.includes('{text}'))?.hash ?? null;"
    );
    let found = wait::until(format!("a link {text}"), BLOCKS, async || {
        let address = browser.run(&script).await?;
        Ok(address.as_str().map(ToOwned::to_owned))
    });
    Ok(found.await?.rsplit('/').next().unwrap_or_default().to_owned())
}

/// What stands in the addresses of places, read off the pages: the names that it has in the table.
async fn named(browser: &Browser) -> Result<[(&'static str, String); 5]> {
    let account = person::own_key(browser).await?.to_string();
    browser.run("location.hash = '#/banks';").await?;
    let bank = linked(browser, "@main").await?;
    browser.run("location.hash = '#/activity';").await?;
    let payment = linked(browser, "A cup of coffee").await?;
    browser.run(&format!("location.hash = '#/payment/{payment}';")).await?;
    browser.see("Proof of payment").await?;
    let proof = browser.text_of(".copyable code").await?;
    let invoice = person::make_invoice(browser, "1.00", "Nobody pays it").await?;
    Ok([("ACCOUNT", account), ("BANK", bank), ("PAYMENT", payment), ("PROOF", proof), ("INVOICE", invoice)])
}

/// Visits all places and one that is none; pictures are Chromium's.
pub(super) async fn visit_all(browser: &Browser) -> Result<()> {
    let routed = eval(browser, "return [...(await import('/js/pages.js')).PLACES.keys()];").await?;
    let routed: BTreeSet<&str> =
        routed.as_array().context("places")?.iter().filter_map(|place| place.as_str()).collect();
    let visited: BTreeSet<&str> = VISITS.iter().map(|(place, ..)| *place).collect();
    ensure!(routed == visited, "not both routed and visited: {:?}", routed.symmetric_difference(&visited));

    let named = named(browser).await?;
    for (place, rest, shows, picture) in
        VISITS.into_iter().chain([("nowhere", "", "nothing at this place", "not-found")])
    {
        let at = named.iter().fold(format!("{place}{rest}"), |at, (name, value)| at.replace(name, value.trim()));
        browser.run(&format!("location.hash = '#/{at}';")).await?;
        browser.see(shows).await.with_context(|| format!("at {place}{rest}"))?;
        wait::until(format!("all of {place}{rest}"), BLOCKS, async || {
            let waits = browser.run("return document.querySelector('main [aria-busy=true]') !== null;").await?;
            Ok((waits == false).then_some(()))
        })
        .await?;
        if browser.kind() == Kind::Chromium && !picture.is_empty() {
            browser.screenshot(picture).await?;
        }
        browser.on_a_small_phone(&at).await?;
    }
    Ok(())
}
