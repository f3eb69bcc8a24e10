//! A bank that lost the newest of its data, or says so, takes an older state to court. The partner answers with
//! the newest, and is paid by that.

use anyhow::{Context, Result, ensure};
use fair_core::types::Side;
use fair_tests::browser::{Place, person};
use fair_tests::network::BANK;
use std::path::Path;

use crate::cast::{Actor, World, frd};
use crate::chain::Resolution;

/// Copies the files of a folder that no process uses.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
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

/// The bank owes 200 more than what it shows; the partner comes back within the answer window.
async fn told_of_the_newest(world: &mut World, user: &Actor) -> Result<()> {
    world.give(user.key, frd(1_100)).await?;
    world.deposit(user, "1000").await?;
    world.owns(user, 100_000).await?;
    let data = world.network.folder().join(BANK).join("offchain");
    let backup = world.network.folder().join("bank-backup");
    world.network.stop(BANK).await?;
    copy(&data, &backup)?;
    world.network.restart(BANK).await?;
    world.bank_pays(user, "200").await?;
    world.owns(user, 120_000).await?;

    world.network.stop(&user.name).await?;
    world.network.stop(BANK).await?;
    copy(&backup, &data)?;
    world.network.restart(BANK).await?;
    world.node(BANK, "dispute", &["--peer", &user.key.to_string()]).await?;
    let parties = world.parties(user)?;
    let (shown, begun) = world
        .watcher
        .until("the bank's dispute", |seen| {
            Ok(seen.state.dispute(&parties).map(|dispute| (dispute.order(), seen.state.height())))
        })
        .await?;
    let before = world.balance(&user.key);
    world.network.restart(&user.name).await?;
    let answered = world.watcher.until("the answer", |seen| {
        let dispute = seen.state.dispute(&parties).context("it was resolved by the older state")?;
        Ok((dispute.order() > shown).then(|| (dispute.order(), seen.state.height())))
    });
    let (newest, answered) = answered.await?;
    let Resolution { height, order, asset } = world.watcher.resolution(&parties).await?;
    ensure!(order == newest, "resolved by {order:?}, newest is {newest:?}");
    let own = if parties.left() == user.key { asset.left } else { asset.right };
    ensure!((own, asset.owed, asset.paid, asset.debt) == (frd(1_000), frd(200), frd(200), 0), "{asset:?}");
    // The answer cost a fee.
    let gained = world.balance(&user.key) + frd(1) - before;
    ensure!(gained > frd(1_200) && gained <= frd(1_201), "{gained} gained");

    let who = world.number(&user.key)?;
    let picture = |of: &str| format!("stale-{}-{of}", user.name);
    world
        .pictures(&[
            Place {
                at: &format!("explorer/block/{begun}"),
                says: &[&format!("@main took its channel with {who} to court, showing state {}", shown.frame)],
                picture: &picture("dispute"),
            },
            Place {
                at: &format!("explorer/block/{answered}"),
                says: &[&format!("{who} showed court a newer state"), &format!("number {}", newest.frame)],
                picture: &picture("answer"),
            },
            Place {
                at: &format!("explorer/block/{height}"),
                says: &[
                    &format!("By state {}, the newest that was shown", newest.frame),
                    &format!("account {who} got 1,000.00 FRD"),
                    &format!("@main owed 200.00 FRD more to account {who}: 200.00 FRD of it was taken"),
                ],
                picture: &picture("resolution"),
            },
            Place {
                at: &format!("explorer/account/{who}"),
                says: &["Court resolved", &format!("{} FRD", person::shown(world.balance(&user.key)))],
                picture: &picture("account"),
            },
        ])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_proof_is_answered_by_the_partner() -> Result<()> {
    let mut world = World::start().await?;
    for (name, side) in [("left", Side::Left), ("right", Side::Right)] {
        let user = world.wallet(name, side).await?;
        told_of_the_newest(&mut world, &user).await.with_context(|| format!("the partner is {side:?}"))?;
    }
    world.end().await
}
