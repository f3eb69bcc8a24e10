//! Locks that court enforces: a payee, in a browser, whose bank falls silent between lock and acknowledgement reveals
//! the secret on-chain and disputes; the bank is paid by the payer when it comes back, with the secret from the chain.

use anyhow::{Context, Result, bail, ensure};
use fair_core::types::{Hash, Side};
use fair_tests::browser::person::{self, BLOCKS, shown};
use fair_tests::browser::{Browser, Place};
use fair_tests::network::BANK;
use fair_tests::wait;
use serde_json::json;

use crate::cast::{Actor, World, frd};
use crate::chain::{PATIENCE, Resolution};
use crate::person::Person;

/// More points than a bank passes in a payment.
const MOST_POINTS: u64 = 40;
const AMOUNT: u64 = frd(100);

/// A payment during which the bank died.
struct Broken {
    /// What it is for, as the payee's pages show it.
    what_for: String,
    /// As the payer names it.
    payment: String,
    hash: Hash,
    /// After how many points of the bank.
    point: u64,
}

/// Somebody without a browser pays somebody with one.
struct Pair {
    payer: Actor,
    payee: Person,
    browser: Browser,
}

impl Pair {
    /// A payer with 2,000 in its channel, and a payee whom the chain knows.
    async fn arrives(world: &mut World, side: Side) -> Result<Self> {
        let payer = world.wallet(&format!("payer-{side:?}"), side.other()).await?;
        world.give(payer.key, frd(2_100)).await?;
        let (payee, browser) = Person::arrives(world, side, frd(10)).await?;
        world.deposit(&payer, "2000").await?;
        world.owns(&payer, 200_000).await?;
        Ok(Self { payer, payee, browser })
    }

    /// What the payer says of a payment.
    async fn paying(&self, world: &World, payment: &str) -> String {
        let payment = world.get(&self.payer, &format!("/v1/pay-me/{payment}")).await;
        payment.ok().and_then(|payment| payment["state"].as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Whether the list of the payee's invoices shows one in such a state.
    async fn shows(&self, world: &World, what_for: &str, state: &str) -> Result<bool> {
        // A page that is entered anew begins with the list.
        world.to_bank(&self.browser).await?;
        self.browser.see("Exact state").await?;
        self.browser.run("location.hash = '#/receive'").await?;
        self.browser.see("Your invoices").await?;
        let script = format!(
            "return [...document.querySelectorAll('main li')].some((row) => row.innerText.includes({what_for:?})
                && row.innerText.split(/\\n/).some((line) => line.trim() === {state:?}));"
        );
        Ok(self.browser.run(&script).await? == true)
    }

    /// Waits until both can pay through the bank.
    async fn is_ready(&self, world: &World) -> Result<()> {
        world.at_rest(&self.payer).await?;
        world.to_bank(&self.browser).await?;
        self.browser.see_within("connected", BLOCKS).await
    }

    /// A payment with the bank armed. `true`: the bank died. `None`: it failed at once, since sessions that just
    /// began take none yet.
    async fn attempt(&self, world: &mut World, point: u64) -> Result<Option<(bool, Broken)>> {
        self.is_ready(world).await?;
        let what_for = format!("Order {}", world.name_order().split_off(28));
        let invoice = person::make_invoice(&self.browser, &shown(AMOUNT), &what_for).await?;
        let hash = world.lock_hash(&invoice)?;
        let payment: String = hash.to_string().chars().take(32).collect();
        world.arm(BANK, point).await?;
        let order = world.begin(&self.payer, json!({ "invoice": invoice }))?;
        let died = wait::until("the bank to die or the payment to end", PATIENCE, async || {
            if world.network.ended()?.iter().any(|(name, _)| name == BANK) {
                return Ok(Some(true));
            }
            Ok(order.is_finished().then_some(false))
        });
        let died = died.await?;
        let is_paid = self.paying(world, &payment).await == "paid";
        Ok((died || is_paid).then_some((died, Broken { what_for, payment, hash, point })))
    }

    /// Pays until the bank dies at a point, this one or a later one, after which the payee has the lock and is not
    /// paid; the bank is dead then.
    async fn broken(&self, world: &mut World, first: u64) -> Result<Broken> {
        for point in first..=MOST_POINTS {
            let trying = wait::until("a payment that arrives, or a dead bank", PATIENCE, async || {
                self.attempt(world, point).await
            });
            let (died, broken) = trying.await?;
            if died {
                // What the bank said before it died has arrived when its end has.
                world.to_bank(&self.browser).await?;
                self.browser.see_within("The bank cannot be reached", BLOCKS).await?;
                if self.shows(world, &broken.what_for, "being paid").await? {
                    return Ok(broken);
                }
                world.network.restart(BANK).await?;
            } else {
                world.arm(BANK, 0).await?;
            }
            // Paid or failed, nothing is left of it.
            wait::until("the payment to end", PATIENCE, async || {
                let paying = self.paying(world, &broken.payment).await;
                let ends = paying != "locking" && paying != "settling";
                Ok((ends && !self.shows(world, &broken.what_for, "being paid").await?).then_some(()))
            })
            .await?;
        }
        bail!("no point of a payment leaves it so")
    }

    /// What the payee's pages say in the end.
    async fn pages(&self, world: &World, broken: &Broken, decided: &Resolution) -> Result<()> {
        let owned = format!("{} FRD", shown(decided.asset.owed));
        let picture = |of: &str| format!("silent-bank-{}-{of}", self.payee.name);
        let taken = format!("@main owed {owned} more to you: {owned} of it was taken from its on-chain balance");
        world.picture_of_decision(&self.browser, decided, &["Nothing was insured.", &taken], &picture("bank")).await?;
        self.browser
            .pictures(&[
                Place {
                    at: "onchain",
                    says: &[&format!("{} FRD", shown(world.balance(&self.payee.key)))],
                    picture: &picture("onchain"),
                },
                Place { at: "activity", says: &[&broken.what_for, "+100.00 FRD"], picture: &picture("activity") },
            ])
            .await?;
        let row = format!(
            "[...document.querySelectorAll('a.item')].find((row) => row.innerText.includes({:?}))",
            broken.what_for
        );
        self.browser.run(&format!("{row}.click()")).await?;
        self.browser.see("It is in your balance").await?;
        self.browser.see("Secret revealed").await?;
        self.browser.screenshot(&picture("payment")).await
    }
}

async fn a_silent_bank(world: &mut World, side: Side, first: u64) -> Result<u64> {
    let pair = Pair::arrives(world, side).await?;
    let broken = pair.broken(world, first).await?;
    let key = pair.payee.key;
    let decided = world.watcher.resolution(&pair.payee.parties).await?;
    let Resolution { height, asset, .. } = decided;
    let owned = asset.owed;
    ensure!(asset.insurance == 0 && owned >= AMOUNT && asset.paid == owned, "{asset:?}");
    ensure!(owned.is_multiple_of(AMOUNT), "what was paid before, and this payment: {asset:?}");
    let entry = world.watcher.state().hashlock(&broken.hash).context("the secret in the registry")?;
    ensure!(entry.revealed_at < world.watcher.state().usable_height());

    // The bank comes back and is paid by the payer, with the secret from the chain.
    world.network.restart(BANK).await?;
    world.owns(&pair.payer, 200_000 - i64::try_from(owned)?).await?;
    let end = wait::until("the payment to be paid at both ends", PATIENCE, async || {
        let is_paid = pair.paying(world, &broken.payment).await == "paid";
        Ok((is_paid && pair.shows(world, &broken.what_for, "paid").await?).then_some(()))
    });
    end.await?;

    let who = world.number(&key)?;
    let (owned, name) = (format!("{} FRD", shown(owned)), pair.payee.name);
    world
        .pictures(&[
            Place {
                at: &format!("explorer/block/{height}"),
                says: &[
                    &format!("@main owed {owned} more to account {who}: {owned} of it was taken"),
                    "nothing is left open",
                ],
                picture: &format!("silent-bank-{name}-resolution"),
            },
            Place {
                at: &format!("explorer/account/{who}"),
                says: &[
                    &format!("{who} revealed 1 secret of payments"),
                    &format!("of the hash {}", broken.hash),
                    &format!("{who} took its channel with @main to court"),
                    &format!("{} FRD", shown(world.balance(&key))),
                ],
                picture: &format!("silent-bank-{name}-payee"),
            },
        ])
        .await?;
    pair.pages(world, &broken, &decided).await?;
    pair.browser.close().await?;
    Ok(broken.point)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payee_enforces_a_lock_against_a_silent_bank() -> Result<()> {
    let mut world = World::start().await?;
    let mut point = 1;
    for side in [Side::Left, Side::Right] {
        point = a_silent_bank(&mut world, side, point).await.with_context(|| format!("the payee is {side:?}"))?;
    }
    world.end().await
}
