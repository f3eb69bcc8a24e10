//! Governance, assets and banks on the pages: a wallet becomes a validator's, proposes and votes; makes an asset and
//! registers as a bank. Everything with the keyboard's order and at the narrowest width.

use anyhow::{Context as _, Result, ensure};
use fair_core::chain::certificate::{Validator, ValidatorSet};
use fair_core::ledger::operation::{GovernanceAction, Operation, Propose, Vote};
use fair_core::types::PublicKey;
use fair_tests::browser::Browser;
use fair_tests::browser::person::{self, BLOCKS};
use fair_tests::network::{Network, Plan};
use std::time::Duration;

use crate::restore::create;
use crate::validator::{self, Signer};

/// Votes and the wait for new validators at one block a second, and half as much again.
const DECIDED: Duration = Duration::from_secs(120);

/// Keys, as WebDriver writes them.
const TAB: &str = "\u{e004}";
const ESCAPE: &str = "\u{e00c}";

/// Gives the wallet one share.
fn with_wallet(network: &Network, wallet: PublicKey) -> Result<GovernanceAction> {
    let mut validators = network.genesis()?.validators.validators;
    let url = "http://127.0.0.1:9".to_owned();
    validators.push(Validator { account: wallet, signing_key: wallet, shares: 1, url });
    validators.sort_by_key(|validator| validator.account);
    Ok(GovernanceAction::SetValidators { validators: Box::new(ValidatorSet { validators }) })
}

async fn all_vote(signers: &mut [Signer], proposal: u64) -> Result<()> {
    for signer in signers {
        let rationale = "The wallet is known to us.".to_owned();
        signer.send(vec![Operation::Vote(Vote { proposal, approve: true, rationale })]).await?;
    }
    Ok(())
}

async fn visit(browser: &Browser, place: &str, shows: &str) -> Result<()> {
    browser.run(&format!("location.hash = '#/{place}';")).await?;
    browser.see(shows).await
}

#[tokio::test]
async fn a_validators_wallet_proposes_votes_makes_an_asset_and_registers() -> Result<()> {
    let network = Network::start(&Plan::with_pages()?).await?;
    let mut signers = validator::all(&network)?;
    let browser = Browser::open().await?;
    become_a_validator(&browser, &network, &mut signers).await?;
    let busy = signers.pop().context("a validator")?.keeps_busy(signers[0].public());
    tokio::select! {
        done = story(&browser) => done?,
        stopped = busy => stopped?,
    }
    browser.close().await?;
    network.shut_down().await
}

/// A wallet with money, for which the validators vote.
async fn become_a_validator(browser: &Browser, network: &Network, signers: &mut [Signer]) -> Result<()> {
    browser.go(network.url()?).await?;
    create(browser).await?;
    person::get_money(browser).await?;
    visit(browser, "explorer/governance", "Nothing is proposed").await?;
    browser.screenshot("governance-empty").await?;
    visit(browser, "onchain", "Your account").await?;
    let wallet: PublicKey = browser.text_of(".copyable code").await?.trim().parse()?;

    let text = "A wallet with a vote.".to_owned();
    let action = with_wallet(network, wallet)?;
    signers[0].send(vec![Operation::Propose(Propose { action, text })]).await?;
    all_vote(signers, 1).await?;
    visit(browser, "explorer/governance", "Proposal 1").await?;
    browser.see_within("75 of 100 shares approve, 67 are needed", BLOCKS).await?;
    browser.screenshot("governance-open").await?;
    Ok(())
}

/// An asset, a bank, the vote's effect, a proposal, a vote.
async fn story(browser: &Browser) -> Result<()> {
    visit(browser, "explorer/assets", "Create asset").await?;
    browser.click("Create asset").await?;
    browser.fill("Ticker", "cup").await?;
    browser.click("Add to batch").await?;
    browser.see("Enter a name").await?;
    browser.fill("Name", "Cups of coffee").await?;
    browser.fill("Decimals", "0").await?;
    browser.fill("Supply", "1000").await?;
    browser.screenshot("asset-new").await?;
    browser.click("Add to batch").await?;
    browser.see("Create the asset CUP").await?;
    visit(browser, "explorer/banks/register", "Register a bank").await?;
    browser.fill("Handle", "corner").await?;
    browser.fill("Address", "https://corner.example").await?;
    browser.screenshot("bank-register").await?;
    browser.click("Add to batch").await?;
    browser.see("Register the bank @corner").await?;
    browser.click("Sign and send").await?;
    visit(browser, "explorer/assets", "Cups of coffee").await?;
    browser.screenshot("explorer-assets").await?;
    visit(browser, "explorer/banks", "@corner").await?;
    browser.see("Change your bank").await?;
    browser.screenshot("explorer-banks").await?;

    visit(browser, "explorer/governance", "Proposal 1").await?;
    browser.see_within("in force", DECIDED).await?;
    browser.see_within("Propose", BLOCKS).await?;
    browser.screenshot("governance-executed").await?;
    browser.click("Propose").await?;
    browser.fill("New value", "20").await?;
    browser.fill("Why", "Blocks are full of trifles.").await?;
    browser.screenshot("propose").await?;
    browser.click("Add proposal").await?;
    browser.see("Propose to change the parameter min_fee_rate").await?;
    browser.click("Sign and send").await?;
    visit(browser, "explorer/governance/2", "proposes to change").await?;
    browser.click("For it").await?;
    browser.fill("Why", "As I said.").await?;
    browser.click("Add vote").await?;
    browser.see("Vote for proposal 2").await?;
    browser.click("Sign and send").await?;
    browser.see_within("1 of 101 shares approve", BLOCKS).await?;
    browser.screenshot("proposal-voted").await?;
    for (kind, shows, picture) in [
        ("Other validators or shares", "Validator 5", "propose-validators"),
        ("Strike a bank off the register", "Its channels and debts stay", "propose-bank"),
        ("Show an asset under another name", "New ticker", "propose-rename"),
        ("A new version of the rules", "Hash of the published bundle", "propose-release"),
    ] {
        visit(browser, "explorer/governance/new", "What").await?;
        browser.fill("What", kind).await?;
        browser.see(shows).await?;
        browser.screenshot(picture).await?;
        visit(browser, "explorer/governance", "Open").await?;
    }
    narrow(browser).await
}

/// What only a validator sees, on a small phone; then the list of further places, by keyboard.
async fn narrow(browser: &Browser) -> Result<()> {
    for (place, shows) in [
        ("explorer/governance", "Decided"),
        ("explorer/governance/2", "Your vote"),
        ("explorer/governance/new", "New value"),
        ("explorer/banks", "Change your bank"),
        ("onchain", "Invoice tag"),
    ] {
        visit(browser, place, if place == "onchain" { "Your account" } else { shows }).await?;
        if place == "onchain" {
            browser.fill("Where to", "Another account").await?;
            browser.see(shows).await?;
        }
        browser.on_a_small_phone(place).await?;
    }
    browser.click("More").await?;
    browser.press(TAB).await?;
    let inside = browser.run("return document.activeElement.closest('#more-places') !== null;").await?;
    ensure!(inside == true, "the list comes after its button");
    browser.press(ESCAPE).await?;
    let left = browser.run("return [document.getElementById('more-places'), document.activeElement.id];").await?;
    ensure!(left == serde_json::json!([null, "more"]), "{left}");
    Ok(())
}
