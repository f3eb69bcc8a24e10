//! A browser sleeps while one validator is voted in and another one out. When it is opened again it follows. At the
//! end: what it shows of a chain that stands still, and without a relay. Elsewhere: what it shows of rules that it does
//! not know, before and from the block on that follows them.

use anyhow::{Context as _, Result, ensure};
use fair_core::types::{AssetId, PublicKey};
use fair_tests::browser::person::{self, BLOCKS, Pictures};
use fair_tests::browser::{Browser, Place};
use fair_tests::chain::{Chain, PATIENCE, account_key};
use fair_tests::governance::{approve, decide};
use fair_tests::network::{BANK, Network, Plan, RELAY};

/// Blocks from a proposal of rules to their height: the vote, the wait, and time for pictures.
const UNTIL_RULES: u64 = 400;

/// Adds `v5`, then removes `v4`. Returns the keys of both.
async fn change_validators(network: &mut Network, chain: &mut Chain) -> Result<[PublicKey; 2]> {
    let newcomer = network.add_validator("v5").await?;
    network.node(BANK, "faucet", &["--account", &newcomer.to_string()]).await?;
    chain.until("the newcomer's account", |seen| Ok(seen.state.account(&newcomer).map(drop))).await?;
    let member = network.folder().join("v5/member.json");
    let add = ["--add", member.to_str().context("a path")?];
    let five = decide(network, "v2", &add, &["v2", "v3", BANK]).await?;
    ensure!(five.validators.len() == 5 && five.by_account(&newcomer).is_some());
    let leaver = account_key(network, "v4")?.public();
    let four = decide(network, "v2", &["--remove", &leaver.to_string()], &["v2", "v3", "v4", BANK]).await?;
    ensure!(four.validators.len() == 4 && four.by_account(&leaver).is_none());
    // Of the first validators three are left, which are no two thirds of all without the newcomer.
    network.kill("v4").await?;
    let head = chain.newest().await?.height();
    chain.until("blocks of the new validators", |seen| Ok((seen.state.height() > head + 8).then_some(()))).await?;
    Ok([newcomer, leaver])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_follows_validators_that_changed_while_it_slept() -> Result<()> {
    let mut network = Network::start(&Plan { preset: "swift", ..Plan::with_pages()? }).await?;
    let mut chain = Chain::new(&network)?;
    let browser = Browser::open().await?;
    browser.go(network.url()?).await?;
    person::create_wallet(&browser, Pictures::None).await?;
    person::get_money(&browser).await?;
    let key = person::own_key(&browser).await?;
    let old = network.url_of("v4")?.to_owned();
    let says: &[&str] = &["of 100", &old];
    browser.pictures(&[Place { at: "explorer/validators", says, picture: "sleeper-before" }]).await?;
    let asleep = browser.shut().await?;

    let [newcomer, leaver] = change_validators(&mut network, &mut chain).await?;
    let number = |key| Ok::<_, anyhow::Error>(chain.state().account_id(key).context("an account")?.to_string());
    let (newcomer, leaver) = (number(&newcomer)?, number(&leaver)?);
    let money = format!("{} FRD", person::shown(chain.state().balance(&key, AssetId::FRD)));
    let browser = asleep.open_where_it_was().await?;
    browser.run("location.hash = '#/home'").await?;
    person::unlock(&browser).await?;
    let new = network.url_of("v5")?.to_owned();
    browser
        .pictures(&[
            Place { at: "home", says: &[&money], picture: "sleeper-home" },
            Place { at: "explorer/validators", says: &["verified", &new, "25 of 100"], picture: "sleeper-after" },
            Place {
                at: "explorer/governance",
                says: &[
                    "Proposal 1",
                    &format!("Account {newcomer}: no validator"),
                    "Proposal 2",
                    &format!("Account {leaver}: 25 shares"),
                    "as agreed",
                    "75 of 100 shares approve",
                    "100 of 125 shares approve",
                    "More than two thirds of the shares approved, and it took effect.",
                ],
                picture: "sleeper-governance",
            },
            Place {
                at: "explorer/governance/2",
                says: &["proposes to change the validators", "4 votes", "in force"],
                picture: "sleeper-proposal",
            },
            Place {
                at: &format!("explorer/account/{newcomer}"),
                says: &["validator, 25 shares"],
                picture: "sleeper-newcomer",
            },
            Place {
                at: "verification",
                says: &["Every block was executed again in this page", "25 shares · signed"],
                picture: "sleeper-verification",
            },
        ])
        .await?;
    browser.run("location.hash = '#/explorer/validators'").await?;
    browser.see_no_more(&old).await?;
    // Its own batch in a block that the newcomer signed too.
    browser.run("location.hash = '#/banks'").await?;
    browser.see("No bank yet").await?;
    person::add_bank(&browser, Pictures::None).await?;
    person::deposit(&browser, "100", Pictures::None).await?;

    for name in ["v2", "v3"] {
        network.kill(name).await?;
    }
    browser.see_within("What you see is not current", BLOCKS).await?;
    browser.screenshot("state-stale").await?;
    network.kill(RELAY).await?;
    browser.see_within("No relay answers", BLOCKS).await?;
    browser.screenshot("state-offline").await?;
    browser.close().await?;
    network.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_that_it_will_not_know_the_rules_and_then_that_it_does_not() -> Result<()> {
    let network = Network::start(&Plan { preset: "swift", ..Plan::with_pages()? }).await?;
    let mut chain = Chain::new(&network)?;
    let browser = Browser::open().await?;
    browser.go(network.url()?).await?;
    person::create_wallet(&browser, Pictures::None).await?;
    person::get_money(&browser).await?;
    let height = chain.newest().await?.height() + UNTIL_RULES;
    let bundle = "ab".repeat(32);
    let release = ["release", "--number", "2", "--height", &height.to_string(), "--bundle", &bundle];
    approve(&network, "v2", &release, &["v2", "v3", BANK]).await?;
    chain.until("a decision on rules", |seen| Ok(seen.state.releases().next().map(drop))).await?;
    let says: &[&str] = &["A new version is needed soon", "version 2 of the rules", &bundle];
    browser.pictures(&[Place { at: "home", says, picture: "release-soon" }]).await?;
    browser.see_within("A new version is needed\n", PATIENCE).await?;
    let text = browser.text().await?;
    ensure!(!text.contains("needed soon") && text.contains("This page knows version 1 and stops there"), "{text}");
    browser.screenshot("release-needed").await?;
    browser.close().await?;
    network.shut_down().await
}
