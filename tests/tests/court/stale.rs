//! A bank that lost the newest of its data, or says so, takes an older state to court. The partner answers with
//! the newest, and is paid by that.

use anyhow::{Context, Result, ensure};
use fair_core::channel::state::StateOrder;
use fair_core::ledger::receipt::{OpeningEvent, ResolvedAsset};
use fair_core::types::Side;
use fair_tests::network::BANK;
use std::path::Path;

use crate::cast::{Actor, World, frd};

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
    let shown = world
        .watcher
        .until("the bank's dispute", |seen| Ok(seen.state.dispute(&parties).map(|dispute| dispute.order())))
        .await?;
    let before = world.balance(&user.key);
    world.network.restart(&user.name).await?;
    let answered = world.watcher.until("the answer", |seen| {
        let dispute = seen.state.dispute(&parties).context("it was resolved by the older state")?;
        Ok((dispute.order() > shown).then(|| dispute.order()))
    });
    let newest: StateOrder = answered.await?;
    let resolved = world.watcher.until("the resolution", |seen| {
        Ok(seen.openings.iter().find_map(|opening| match &opening.event {
            OpeningEvent::Resolved { parties: of, order, assets, .. } if *of == parties => {
                Some((*order, assets.clone()))
            }
            _ => None,
        }))
    });
    let (order, assets): (StateOrder, Vec<ResolvedAsset>) = resolved.await?;
    ensure!(order == newest, "resolved by {order:?}, newest is {newest:?}");
    let [asset] = assets.as_slice() else { anyhow::bail!("{assets:?}") };
    let own = if parties.left() == user.key { asset.left } else { asset.right };
    ensure!((own, asset.owed, asset.paid, asset.debt) == (frd(1_000), frd(200), frd(200), 0), "{asset:?}");
    // The answer cost a fee.
    let gained = world.balance(&user.key) + frd(1) - before;
    ensure!(gained > frd(1_200) && gained <= frd(1_201), "{gained} gained");
    Ok(())
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
