//! Locks that court enforces: a payee whose bank falls silent between lock and acknowledgement reveals the secret
//! on-chain and disputes; the bank is paid by the payer when it comes back, with the secret from the chain.

use anyhow::{Context, Result, bail, ensure};
use fair_core::types::{Hash, Side};
use fair_tests::browser::{Place, person};
use fair_tests::network::BANK;
use fair_tests::wait;
use serde_json::{Value, json};

use crate::cast::{Actor, World, frd};
use crate::chain::{PATIENCE, Resolution};

/// More points than a bank passes in a payment.
const MOST_POINTS: u64 = 40;
const AMOUNT: u64 = frd(100);

/// A payment during which the bank died.
struct Broken {
    invoice: String,
    payment: String,
    hash: Hash,
}

/// What both ends say of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stand {
    payee: String,
    payer: String,
}

async fn stand(world: &World, payer: &Actor, payee: &Actor, broken: &Broken) -> Result<Stand> {
    let invoice = world.get(payee, &format!("/v1/invoices/{}", broken.invoice)).await?;
    let payment = world.get(payer, &format!("/v1/pay-me/{}", broken.payment)).await;
    let text = |value: &Value| value["state"].as_str().unwrap_or("none").to_owned();
    Ok(Stand { payee: text(&invoice), payer: payment.map_or_else(|_| "none".to_owned(), |value| text(&value)) })
}

/// A payment with the bank armed. `true`: the bank died. `None`: it failed at once, since sessions that just began
/// take none yet.
async fn attempt(world: &mut World, payer: &Actor, payee: &Actor, point: u64) -> Result<Option<(bool, Broken)>> {
    world.arm(BANK, point).await?;
    let (id, text) = world.invoice(payee, AMOUNT).await?;
    let hash: Hash = world.lock_hash(&text)?;
    let payment: String = hash.to_string().chars().take(32).collect();
    let order = world.begin(payer, json!({ "invoice": text }))?;
    let died = wait::until("the bank to die or the payment to end", PATIENCE, async || {
        if world.network.ended()?.iter().any(|(name, _)| name == BANK) {
            return Ok(Some(true));
        }
        Ok(order.is_finished().then_some(false))
    });
    let died = died.await?;
    let broken = Broken { invoice: id, payment, hash };
    let is_paid = stand(world, payer, payee, &broken).await?.payer == "paid";
    Ok((died || is_paid).then_some((died, broken)))
}

/// Pays until the bank dies at a point after which both ends stand as wished; it is dead then.
async fn broken(world: &mut World, payer: &Actor, payee: &Actor, wished: fn(&Stand) -> bool) -> Result<Broken> {
    for point in 1..=MOST_POINTS {
        let trying = wait::until("a payment that arrives, or a dead bank", PATIENCE, async || {
            attempt(world, payer, payee, point).await
        });
        let (died, broken) = trying.await?;
        if died {
            if wished(&stand(world, payer, payee, &broken).await?) {
                return Ok(broken);
            }
            world.network.restart(BANK).await?;
        } else {
            world.arm(BANK, 0).await?;
        }
        // Paid or failed, nothing is left of it.
        wait::until("the payment to end", PATIENCE, async || {
            let stands = stand(world, payer, payee, &broken).await?;
            Ok((stands.payer != "locking" && stands.payer != "settling" && stands.payee != "pending").then_some(()))
        })
        .await?;
    }
    bail!("no point of a payment leaves it so")
}

/// A payer with 2,000 in its channel, and a payee whom the chain knows.
async fn pair(world: &mut World, name: &str, side: Side) -> Result<[Actor; 2]> {
    let payer = world.wallet(&format!("payer-{name}-{side:?}"), side.other()).await?;
    let payee = world.wallet(&format!("payee-{name}-{side:?}"), side).await?;
    world.give(payer.key, frd(2_100)).await?;
    world.give(payee.key, frd(10)).await?;
    world.deposit(&payer, "2000").await?;
    world.owns(&payer, 200_000).await?;
    world.connected(&payee).await?;
    Ok([payer, payee])
}

async fn a_silent_bank(world: &mut World, side: Side) -> Result<()> {
    let [payer, payee] = pair(world, "silent", side).await?;
    let broken = broken(world, &payer, &payee, |stands| stands.payee == "pending").await?;
    let parties = world.parties(&payee)?;
    let Resolution { height, asset, .. } = world.watcher.resolution(&parties).await?;
    let owned = asset.owed;
    ensure!(asset.insurance == 0 && owned >= AMOUNT && asset.paid == owned, "{asset:?}");
    ensure!(owned.is_multiple_of(AMOUNT), "what was paid before, and this payment: {asset:?}");
    let entry = world.watcher.state().hashlock(&broken.hash).context("the secret in the registry")?;
    ensure!(entry.revealed_at < world.watcher.state().usable_height());
    let balance = world.balance(&payee.key);

    // The bank comes back and is paid by the payer, with the secret from the chain.
    world.network.restart(BANK).await?;
    world.owns(&payer, 200_000 - i64::try_from(owned)?).await?;
    let end = wait::until("the payment to be paid at both ends", PATIENCE, async || {
        let stands = stand(world, &payer, &payee, &broken).await?;
        Ok((stands.payee == "paid" && stands.payer == "paid").then_some(()))
    });
    end.await?;
    world.owns(&payee, 0).await?;

    let who = world.number(&payee.key)?;
    let owned = format!("{} FRD", person::shown(owned));
    world
        .pictures(&[
            Place {
                at: &format!("explorer/block/{height}"),
                says: &[
                    &format!("@main owed {owned} more to account {who}: {owned} of it was taken"),
                    "nothing is left open",
                ],
                picture: &format!("silent-bank-{side:?}-resolution").to_lowercase(),
            },
            Place {
                at: &format!("explorer/account/{who}"),
                says: &[
                    &format!("{who} revealed 1 secret of payments"),
                    &format!("of the hash {}", broken.hash),
                    &format!("{who} took its channel with @main to court"),
                    &format!("{} FRD", person::shown(balance)),
                ],
                picture: &format!("silent-bank-{side:?}-payee").to_lowercase(),
            },
        ])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payee_enforces_a_lock_against_a_silent_bank() -> Result<()> {
    let mut world = World::start().await?;
    for side in [Side::Left, Side::Right] {
        a_silent_bank(&mut world, side).await.with_context(|| format!("the payee is {side:?}"))?;
    }
    world.end().await
}
