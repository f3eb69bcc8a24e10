//! Whoever has the bank's key goes to court with older states than what a person has: while the person's browser is
//! closed, a watchtower answers; when it is back, the page does. The person is on either side of the bank, and
//! reaches the tower directly or through the relay.

use anyhow::{Context as _, Result, ensure};
use fair_core::channel::state::{ChannelState, StateOrder};
use fair_core::ledger::operation::{Dispute, Operation};
use fair_core::message::Signed;
use fair_core::types::{AssetId, Height, Parties, PublicKey, Side};
use fair_tests::browser::person::{self, BLOCKS, Pictures, shown};
use fair_tests::browser::{Browser, Place};
use fair_tests::chain::{Chain, Resolution, account_key};
use fair_tests::disk;
use fair_tests::network::{BANK, BankKey, Network, Plan};
use fair_tests::wait;

const TOWER: &str = "tower";
/// On-chain money of the tower, in cents.
const MONEY: u64 = 20_000;

struct World {
    network: Network,
    chain: Chain,
    bank: PublicKey,
    tower: PublicKey,
    orders: u32,
}

/// A person and what the bank could show of their channel.
struct Victim {
    side: &'static str,
    key: PublicKey,
    parties: Parties,
    old: Signed<ChannelState>,
    newest: StateOrder,
}

/// How a dispute went.
struct Case {
    begun: Height,
    answered: Height,
    decided: Resolution,
}

impl World {
    async fn start() -> Result<Self> {
        let plan = Plan {
            preset: "swift",
            bank_key: BankKey::Middle,
            bank_settings: Some("rebalance_every_blocks = 0\n".to_owned()),
            ..Plan::with_pages()?
        };
        let mut network = Network::start(&plan).await?;
        let tower = network.add_tower(TOWER).await?;
        network.announce_tower(TOWER, &tower).await?;
        let mut chain = Chain::new(&network)?;
        chain.give(&account_key(&network, "v2")?, &[tower], MONEY).await?;
        let bank = network.genesis()?.banks.first().context("a bank")?.key;
        Ok(Self { network, chain, bank, tower, orders: 0 })
    }

    /// The bank pays somebody, and both have signed it.
    async fn pay(&mut self, person: &PublicKey, amount: &str) -> Result<()> {
        self.orders += 1;
        let (peer, request) = (person.to_string(), format!("{:032x}", self.orders));
        let order = ["--peer", &peer, "--amount", amount, "--request", &request];
        wait::until(format!("the payment of {amount}"), BLOCKS, async || {
            let answer = self.network.node(BANK, "pay-direct", &order).await?;
            Ok(answer.contains("\"paid\"").then_some(()))
        })
        .await
    }

    /// With the bank's key, an old state to court; the bank itself is gone. Returns the block.
    async fn dispute(&mut self, victim: &Victim) -> Result<Height> {
        let bank = account_key(&self.network, BANK)?;
        let dispute = Dispute { partner: victim.key, proof: Some(victim.old.clone()) };
        self.chain.apply(&bank, vec![Operation::Dispute(dispute)]).await?;
        Ok(self.chain.state().height())
    }

    /// Waits for the newest state in court. Returns the block.
    async fn answered(&mut self, victim: &Victim) -> Result<Height> {
        let answer = self.chain.until("the answer in court", |seen| {
            let dispute = seen.state.dispute(&victim.parties).context("it was resolved by the older state")?;
            Ok((dispute.order() == victim.newest).then(|| seen.state.height()))
        });
        answer.await
    }

    /// Waits for the decision: by the newest state, the whole insurance and the 51 that were promised.
    async fn decided(&mut self, victim: &Victim) -> Result<Resolution> {
        let decided = self.chain.resolution(&victim.parties).await?;
        ensure!(decided.order == victim.newest, "{decided:?}");
        let asset = decided.asset;
        let own = if victim.parties.left() == victim.key { asset.left } else { asset.right };
        ensure!((own, asset.owed, asset.paid, asset.debt) == (10_000, 5_100, 5_100, 0), "{asset:?}");
        Ok(decided)
    }

    fn number(&self, key: &PublicKey) -> Result<String> {
        Ok(self.chain.state().account_id(key).context("a registered account")?.to_string())
    }

    /// What everybody can look up: who began with which state, who answered with which, who got how much.
    async fn explorer(&self, victim: &Victim, case: &Case, who_answered: &PublicKey, scenario: &str) -> Result<()> {
        let (who, by) = (self.number(&victim.key)?, self.number(who_answered)?);
        let picture = |of: &str| format!("{scenario}-{}-{of}", victim.side);
        let old = victim.old.body.order().frame;
        let browser = Browser::open().await?;
        browser.go(&format!("{}/#/explorer", self.network.url()?)).await?;
        browser
            .pictures(&[
                Place {
                    at: &format!("explorer/block/{}", case.begun),
                    says: &[&format!("@main took its channel with account {who} to court, showing state {old}")],
                    picture: &picture("dispute"),
                },
                Place {
                    at: &format!("explorer/block/{}", case.answered),
                    says: &[&format!("{by} showed court a newer state"), &format!("number {}", victim.newest.frame)],
                    picture: &picture("answer"),
                },
                Place {
                    at: &format!("explorer/block/{}", case.decided.height),
                    says: &[
                        &format!("By state {}, the newest that was shown", victim.newest.frame),
                        &format!("account {who} got 100.00 FRD"),
                        &format!("@main owed 51.00 FRD more to account {who}: 51.00 FRD of it was taken"),
                    ],
                    picture: &picture("resolution"),
                },
            ])
            .await?;
        browser.close().await
    }

    /// What the person's pages say in the end.
    async fn pages(&self, browser: &Browser, victim: &Victim, who_answered: &str, scenario: &str) -> Result<()> {
        let balance = self.chain.state().balance(&victim.key, AssetId::FRD);
        let (who, old) = (self.number(&victim.key)?, victim.old.body.order().frame);
        browser
            .pictures(&[
                Place {
                    at: &format!("banks/{}", self.bank),
                    says: &[
                        "Court has decided",
                        "you got 100.00 FRD",
                        "@main owed 51.00 FRD more to you: 51.00 FRD of it was taken from its on-chain balance",
                        &format!("@main took its channel with account {who} (you) to court, showing state {old}"),
                        &format!("{who_answered} showed court a newer state"),
                        &format!("Court decided: by state {}, the newest that was shown", victim.newest.frame),
                    ],
                    picture: &format!("{scenario}-{}-bank", victim.side),
                },
                Place {
                    at: "onchain",
                    says: &[&format!("{} FRD", shown(balance))],
                    picture: &format!("{scenario}-{}-onchain", victim.side),
                },
            ])
            .await
    }
}

/// 100 in the channel, 1 promised, and the state of that in the bank's hands.
async fn robbed(browser: &Browser, world: &mut World, side: Side, key: PublicKey) -> Result<Victim> {
    person::deposit(browser, "100", Pictures::None).await?;
    world.pay(&key, "1.00").await?;
    let old = disk::signed_by_partner(&world.network, &key)?;
    let parties = Parties::new(key, world.bank).context("two keys")?;
    let newest = old.body.order();
    Ok(Victim { side: if side == Side::Left { "left" } else { "right" }, key, parties, old, newest })
}

/// 50 more, of which the older state says nothing.
async fn paid_since(world: &mut World, victim: &mut Victim) -> Result<()> {
    world.pay(&victim.key, "50.00").await?;
    victim.newest = disk::channel(&world.network, &victim.key)?.agreement().state.order();
    ensure!(victim.newest > victim.old.body.order(), "a newer state");
    Ok(())
}

/// Takes a tower, and sees that it has the newest state.
async fn use_tower(browser: &Browser, address: &str, side: Side) -> Result<()> {
    browser.run("location.hash = '#/settings'").await?;
    browser.see("It can only answer").await?;
    browser.fill("Address of a watchtower", "somebody").await?;
    browser.see("This is not the address of a watchtower.").await?;
    browser.fill("Address of a watchtower", address).await?;
    browser.click("Add watchtower").await?;
    browser.see_within("1 channel covered", BLOCKS).await?;
    if side == Side::Left { browser.screenshot("settings-watchtower").await } else { Ok(()) }
}

/// The browser is closed, and the tower answers.
async fn while_closed(world: &mut World, browser: Browser, side: Side, key: PublicKey) -> Result<Browser> {
    let mut victim = robbed(&browser, world, side, key).await?;
    let address = match side {
        Side::Left => format!("{}@{}", world.tower, world.network.url_of(TOWER)?),
        // Through the relay, which announces it.
        Side::Right => world.tower.to_string(),
    };
    use_tower(&browser, &address, side).await?;
    paid_since(world, &mut victim).await?;
    browser.run("location.hash = '#/activity'").await?;
    browser.see_within("50.00", BLOCKS).await?;
    browser
        .run("[...document.querySelectorAll('a.item')].find((item) => item.innerText.includes('50.00')).click()")
        .await?;
    // By itself, after the frame.
    browser.see_within("has it", BLOCKS).await?;
    let closed = browser.shut().await?;

    world.network.kill(BANK).await?;
    let begun = world.dispute(&victim).await?;
    let answered = world.answered(&victim).await?;
    let decided = world.decided(&victim).await?;
    let (case, tower) = (Case { begun, answered, decided }, world.tower);
    world.explorer(&victim, &case, &tower, "tower").await?;
    let browser = closed.open_where_it_was().await?;
    person::unlock(&browser).await?;
    let who_answered = format!("Account {}, your watchtower,", world.number(&tower)?);
    world.pages(&browser, &victim, &who_answered, "tower").await?;
    Ok(browser)
}

/// There is no tower; the person opens the wallet in time, and the page answers.
async fn while_locked(world: &mut World, browser: Browser, side: Side, key: PublicKey) -> Result<Browser> {
    world.network.kill(TOWER).await?;
    world.network.restart(BANK).await?;
    browser.run(&format!("location.hash = '#/banks/{}'", world.bank)).await?;
    browser.click("Set a limit again").await?;
    browser.fill("Credit limit in FRD", "500").await?;
    browser.click("Save limits").await?;
    browser.see_no_more("Your limits are zero").await?;
    let mut victim = robbed(&browser, world, side, key).await?;
    paid_since(world, &mut victim).await?;
    browser.click("Home").await?;
    browser.see_within("Uninsured 51.00", BLOCKS).await?;
    let browser = browser.shut().await?.open_where_it_was().await?;
    browser.see_within("Unlock", BLOCKS).await?;

    world.network.kill(BANK).await?;
    let begun = world.dispute(&victim).await?;
    person::unlock(&browser).await?;
    browser.run(&format!("location.hash = '#/banks/{}'", world.bank)).await?;
    browser.see("@main took this channel to court").await?;
    let answered = world.answered(&victim).await?;
    browser.see("Court has the newest state that you know").await?;
    browser.screenshot(&format!("page-{}-answered", victim.side)).await?;
    let decided = world.decided(&victim).await?;
    let case = Case { begun, answered, decided };
    world.explorer(&victim, &case, &victim.key, "page").await?;
    let who_answered = format!("Account {} (you)", world.number(&victim.key)?);
    world.pages(&browser, &victim, &who_answered, "page").await?;
    world.network.restart(BANK).await?;
    world.network.restart(TOWER).await?;
    Ok(browser)
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_proofs_are_answered_by_a_tower_and_by_the_page() -> Result<()> {
    let mut world = World::start().await?;
    for (name, side) in [("left", Side::Left), ("right", Side::Right)] {
        let browser = Browser::open().await?;
        let key = person::create_wallet_on(&browser, &world.network, side, name).await?;
        person::get_money(&browser).await?;
        person::add_bank(&browser, Pictures::None).await?;
        let browser = while_closed(&mut world, browser, side, key).await?;
        let browser = while_locked(&mut world, browser, side, key).await?;
        browser.close().await?;
    }
    world.network.shut_down().await
}
