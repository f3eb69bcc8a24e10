//! A person uses a watchtower and closes the browser; whoever has the bank's key goes to court with an older
//! state, and the tower answers with the newest.

use anyhow::{Context as _, Result, ensure};
use fair_core::channel::Channel;
use fair_core::channel::state::ChannelState;
use fair_core::ledger::operation::{Dispute, Operation};
use fair_core::message::Signed;
use fair_core::peers::CHANNEL;
use fair_core::types::{Parties, PublicKey};
use fair_tests::browser::Browser;
use fair_tests::chain::{Chain, account_key};
use fair_tests::network::{BANK, Network, Plan};
use rusqlite::{Connection, OpenFlags};

use crate::person::{self, BLOCKS, Pictures};

const TOWER: &str = "tower";
/// On-chain money of the tower, in cents.
const MONEY: u64 = 20_000;

/// The newest state that both have signed of the bank's only channel, as it stands in the bank's database.
fn channel(network: &Network) -> Result<Channel> {
    let path = network.folder().join(BANK).join("offchain/db.sqlite");
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let range = ([CHANNEL].to_vec(), [CHANNEL + 1].to_vec());
    let query = "SELECT value FROM records WHERE key >= ? AND key < ?";
    let record: Vec<u8> = database.query_row(query, range, |row| row.get(0))?;
    Ok(Channel::from_record(&record)?)
}

/// What the person's wallet has signed, for the bank to show.
fn signed(channel: &Channel) -> Result<Signed<ChannelState>> {
    let signatures = channel.signatures().context("both have signed")?;
    Ok(Signed { body: channel.agreement().state.clone(), signature: *signatures.get(channel.partner()) })
}

async fn pay(network: &Network, person: &PublicKey, amount: &str) -> Result<()> {
    let answer = network.node(BANK, "pay-direct", &["--peer", &person.to_string(), "--amount", amount]).await?;
    ensure!(answer.contains("\"paid\""), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_tower_answers_while_the_browser_is_closed() -> Result<()> {
    let mut network = Network::start(&Plan::with_pages()?).await?;
    let tower = network.add_tower(TOWER).await?;
    let mut chain = Chain::new(&network)?;
    chain.give(&account_key(&network, "v2")?, &[tower], MONEY).await?;

    let browser = Browser::open().await?;
    browser.go(network.url()?).await?;
    person::create_wallet(&browser, Pictures::None).await?;
    person::get_money(&browser).await?;
    person::add_bank(&browser, Pictures::None).await?;
    person::deposit(&browser, "100", Pictures::None).await?;
    let first = channel(&network)?;
    let person = first.partner_key();
    pay(&network, &person, "1.00").await?;
    let old = signed(&channel(&network)?)?;

    browser.click("More").await?;
    browser.click("Settings").await?;
    browser.see("It can only answer").await?;
    browser.fill("Address of a watchtower", "somebody").await?;
    browser.see("This is not the address of a watchtower.").await?;
    let address = format!("{tower}@{}", network.url_of(TOWER)?);
    browser.fill("Address of a watchtower", &address).await?;
    browser.click("Add watchtower").await?;
    browser.see_within("1 channel covered", BLOCKS).await?;
    browser.screenshot("settings-watchtower").await?;
    // By itself, after the frame.
    pay(&network, &person, "50.00").await?;
    let newest = channel(&network)?.agreement().state.order();
    ensure!(newest > old.body.order(), "a newer state");
    browser.see_within("1 channel covered", BLOCKS).await?;
    browser.go(&format!("{}/#/activity", network.url()?)).await?;
    browser.see_within("50.00", BLOCKS).await?;
    browser
        .run("[...document.querySelectorAll('a.item')].find((item) => item.innerText.includes('50.00')).click()")
        .await?;
    browser.see_within("has it", BLOCKS).await?;
    browser.close().await?;

    network.kill(BANK).await?;
    let bank = account_key(&network, BANK)?;
    let parties = Parties::new(person, bank.public()).context("two keys")?;
    chain.submit(&bank, vec![Operation::Dispute(Dispute { partner: person, proof: Some(old) })]).await?;
    let is_there = |state: &fair_core::ledger::state::State| {
        state.dispute(&parties).filter(|dispute| dispute.order() == newest).map(|_| ())
    };
    chain.wait("the tower's answer in court", BLOCKS, is_there).await?;
    network.shut_down().await
}
