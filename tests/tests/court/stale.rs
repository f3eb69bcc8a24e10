//! A bank that lost the newest of its data, or says so, takes an older state to court. The partner, who opens the
//! wallet in time, answers with the newest, and is paid by that.

use anyhow::{Context, Result, ensure};
use fair_core::channel::state::StateOrder;
use fair_core::types::{Amount, Height, Side};
use fair_tests::browser::person::{self, BLOCKS, shown};
use fair_tests::browser::{Browser, Place};
use fair_tests::network::BANK;
use std::path::Path;

use crate::cast::{World, frd};
use crate::chain::Resolution;
use crate::person::Person;

/// Copies the files of a folder that no process uses.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// A person to whom the bank owes 200 more than what it showed to court.
pub(super) struct Robbed {
    person: Person,
    /// The state that the bank showed, and when.
    pub(super) shown: StateOrder,
    begun: Height,
    /// What the person had on-chain.
    before: Amount,
}

/// The newer state that court saw, and what it decided.
pub(super) struct Outcome {
    newest: StateOrder,
    answered: Height,
    decided: Resolution,
}

impl Robbed {
    /// A person with 1,000 in the channel and 200 more of the bank's. While the browser is closed the bank falls back
    /// to what it was before it paid these, and goes to court. The browser is open then, and the wallet locked.
    pub(super) async fn by_the_bank(world: &mut World, side: Side) -> Result<(Self, Browser)> {
        let (person, browser) = Person::arrives(world, side, frd(1_100)).await?;
        person.deposits(&browser, world, "1000").await?;
        let data = world.network.folder().join(BANK).join("offchain");
        let backup = world.network.folder().join("bank-backup");
        world.network.stop(BANK).await?;
        copy(&data, &backup)?;
        world.network.restart(BANK).await?;
        world.bank_pays(&person.key, "200").await?;
        browser.see_within("Uninsured 200.00 FRD", BLOCKS).await?;

        let closed = browser.shut().await?;
        world.network.stop(BANK).await?;
        copy(&backup, &data)?;
        world.network.restart(BANK).await?;
        let browser = closed.open_where_it_was().await?;
        browser.see_within("Unlock", BLOCKS).await?;
        world.node(BANK, "dispute", &["--peer", &person.key.to_string()]).await?;
        let (shown, begun) = world
            .watcher
            .until("the bank's dispute", |seen| {
                Ok(seen.state.dispute(&person.parties).map(|dispute| (dispute.order(), seen.state.height())))
            })
            .await?;
        let before = world.balance(&person.key);
        Ok((Self { person, shown, begun, before }, browser))
    }

    /// Opens the wallet, which answers by itself.
    pub(super) async fn comes_back(&self, browser: &Browser, world: &World) -> Result<()> {
        person::unlock(browser).await?;
        world.to_bank(browser).await?;
        browser.see("@main took this channel to court").await
    }

    /// Whether court still has what the bank showed.
    pub(super) async fn is_unanswered(&self, world: &mut World) -> Result<bool> {
        let dispute = world.watcher.newest().await?.dispute(&self.person.parties);
        Ok(dispute.context("it was resolved by the older state")?.order() == self.shown)
    }

    /// Waits for the newer state in court and for the decision by it: the insurance, and the 200.
    pub(super) async fn decided(&self, world: &mut World) -> Result<Outcome> {
        let Self { person: Person { key, parties, .. }, shown, before, .. } = self;
        let answered = world.watcher.until("the answer", |seen| {
            let dispute = seen.state.dispute(parties).context("it was resolved by the older state")?;
            Ok((dispute.order() > *shown).then(|| (dispute.order(), seen.state.height())))
        });
        let (newest, answered) = answered.await?;
        let decided = world.watcher.resolution(parties).await?;
        let Resolution { order, asset, .. } = decided;
        ensure!(order == newest, "resolved by {order:?}, newest is {newest:?}");
        let own = if parties.left() == *key { asset.left } else { asset.right };
        ensure!((own, asset.owed, asset.paid, asset.debt) == (frd(1_000), frd(200), frd(200), 0), "{asset:?}");
        // The answer cost a fee.
        let gained = world.balance(key) + frd(1) - before;
        ensure!(gained > frd(1_200) && gained <= frd(1_201), "{gained} gained");
        Ok(Outcome { newest, answered, decided })
    }

    /// What everybody can look up: who began with which state, who showed a newer one, who got how much.
    pub(super) async fn explorer(&self, world: &World, outcome: &Outcome, scenario: &str) -> Result<()> {
        let who = self.person.number(world)?;
        let (old, newest) = (self.shown.frame, outcome.newest.frame);
        let picture = |of: &str| format!("{scenario}-{}-{of}", self.person.name);
        world
            .pictures(&[
                Place {
                    at: &format!("explorer/block/{}", self.begun),
                    says: &[&format!("@main took its channel with account {who} to court, showing state {old}")],
                    picture: &picture("dispute"),
                },
                Place {
                    at: &format!("explorer/block/{}", outcome.answered),
                    says: &[&format!("{who} showed court a newer state"), &format!("number {newest}")],
                    picture: &picture("answer"),
                },
                Place {
                    at: &format!("explorer/block/{}", outcome.decided.height),
                    says: &[
                        &format!("By state {newest}, the newest that was shown"),
                        &format!("account {who} got 1,000.00 FRD"),
                        &format!("@main owed 200.00 FRD more to account {who}: 200.00 FRD of it was taken"),
                    ],
                    picture: &picture("resolution"),
                },
            ])
            .await
    }

    /// What the person's pages say of it: the same, and what came of it.
    pub(super) async fn pages(
        &self,
        browser: &Browser,
        world: &World,
        outcome: &Outcome,
        scenario: &str,
    ) -> Result<()> {
        let who = self.person.number(world)?;
        let (old, newest) = (self.shown.frame, outcome.newest.frame);
        let picture = |of: &str| format!("{scenario}-{}-{of}", self.person.name);
        browser
            .pictures(&[
                Place {
                    at: "home",
                    says: &["Court has decided about your channel with @main", "until you set a limit again"],
                    picture: &picture("home"),
                },
                Place {
                    at: &world.bank_place(),
                    says: &[
                        "you got 1,000.00 FRD",
                        "@main owed 200.00 FRD more to you: 200.00 FRD of it was taken from its on-chain balance",
                        &format!("@main took its channel with account {who} (you) to court, showing state {old}"),
                        &format!("{who} (you) showed court a newer state"),
                        &format!("Court decided: by state {newest}, the newest that was shown"),
                        "A bank goes to court when",
                    ],
                    picture: &picture("bank"),
                },
                Place {
                    at: "onchain",
                    says: &[&format!("{} FRD", shown(world.balance(&self.person.key)))],
                    picture: &picture("onchain"),
                },
            ])
            .await
    }
}

async fn told_of_the_newest(world: &mut World, side: Side) -> Result<()> {
    let (robbed, browser) = Robbed::by_the_bank(world, side).await?;
    robbed.comes_back(&browser, world).await?;
    browser.see_within("Court has the newest state that you know", BLOCKS).await?;
    browser.screenshot(&format!("stale-{}-answered", robbed.person.name)).await?;
    let outcome = robbed.decided(world).await?;
    robbed.explorer(world, &outcome, "stale").await?;
    robbed.pages(&browser, world, &outcome, "stale").await?;
    browser.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_proof_is_answered_by_the_partner() -> Result<()> {
    let mut world = World::start().await?;
    for side in [Side::Left, Side::Right] {
        told_of_the_newest(&mut world, side).await.with_context(|| format!("the partner is {side:?}"))?;
    }
    world.end().await
}
