//! A person with a wallet in a browser, who uses the bank.

use anyhow::{Context, Result};
use fair_core::types::{Amount, Parties, PublicKey, Side};
use fair_tests::browser::Browser;
use fair_tests::browser::person::{self, BLOCKS, Pictures, shown};

use crate::cast::World;

pub(super) struct Person {
    /// Which side of the bank, for pictures.
    pub(super) name: &'static str,
    pub(super) key: PublicKey,
    pub(super) parties: Parties,
}

impl Person {
    /// Opens a browser, makes a wallet on a side of its channel with the bank, and adds the bank with the limit that
    /// the page proposes, 1,000. The chain knows the person by this much FRD; 0: it does not.
    pub(super) async fn arrives(world: &mut World, side: Side, funds: Amount) -> Result<(Self, Browser)> {
        let browser = Browser::open().await?;
        let name = if side == Side::Left { "left" } else { "right" };
        let key = person::create_wallet_on(&browser, &world.network, side, name).await?;
        let parties = world.parties(&key)?;
        if funds > 0 {
            world.give(key, funds).await?;
        }
        browser.run("location.hash = '#/banks'").await?;
        browser.see("No bank yet").await?;
        person::add_bank(&browser, Pictures::None).await?;
        Ok((Self { name, key, parties }, browser))
    }

    /// Into the channel, of what the chain says that the person has.
    pub(super) async fn deposits(&self, browser: &Browser, world: &World, amount: &str) -> Result<()> {
        browser.run("location.hash = '#/onchain'").await?;
        browser.see_within(&format!("{} FRD", shown(world.balance(&self.key))), BLOCKS).await?;
        world.to_bank(browser).await?;
        person::deposit(browser, amount, Pictures::None).await
    }

    /// The number of the account, as the explorer calls it.
    pub(super) fn number(&self, world: &World) -> Result<String> {
        world.number(&self.key).context("a person whom the chain knows")
    }
}
