//! Validators that take answers and drop them. The relay gives an answer to all of them and repeats it, so that one
//! honest validator is enough, even when whoever answered is gone.

use anyhow::{Context, Result, ensure};
use fair_core::ledger::batch::Batch;
use fair_core::ledger::operation::Operation;
use fair_core::ledger::receipt::OpeningEvent;
use fair_core::types::Side;
use fair_tests::censor::Censors;
use fair_tests::network::BANK;
use fair_tests::wait;

use crate::cast::{World, frd};
use crate::chain::PATIENCE;
use crate::stale::copy;

fn has_answer(batch: &Batch) -> bool {
    batch.entries.iter().any(|entry| matches!(entry.operation, Operation::Answer(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_validators_drop_is_repeated_by_the_relay() -> Result<()> {
    let censors = Censors::new(has_answer);
    let mut world = World::with(Some(censors.clone())).await?;
    let user = world.wallet("user", Side::Left).await?;
    world.give(user.key, frd(1_100)).await?;
    world.deposit(&user, "1000").await?;
    world.owns(&user, 100_000).await?;

    // The bank owes 200 more than what it shows.
    let data = world.network.folder().join(BANK).join("offchain");
    let backup = world.network.folder().join("bank-backup");
    world.network.stop(BANK).await?;
    copy(&data, &backup)?;
    world.network.restart(BANK).await?;
    world.bank_pays(&user, "200").await?;
    world.owns(&user, 120_000).await?;
    world.network.stop(&user.name).await?;
    world.network.stop(BANK).await?;
    copy(&backup, &data)?;
    world.network.restart(BANK).await?;
    world.node(BANK, "dispute", &["--peer", &user.key.to_string()]).await?;
    let parties = world.parties(&user)?;
    let dispute = world.watcher.until("the bank's dispute", |seen| Ok(seen.state.dispute(&parties).cloned())).await?;

    // The user answers once and is gone; every validator has dropped it.
    world.network.restart(&user.name).await?;
    wait::until("every validator to drop the answer", PATIENCE, async || {
        Ok(censors.dropped().iter().all(|count| *count > 0).then_some(()))
    })
    .await?;
    world.network.kill(&user.name).await?;
    world.watcher.until("the newest block", |_| Ok(Some(()))).await?;
    let court = world.watcher.state().dispute(&parties).context("the dispute")?;
    ensure!(court.order() == dispute.order(), "nobody let the answer through");

    censors.let_through("v3");
    let answered = world.watcher.until("the answer", |seen| {
        let court = seen.state.dispute(&parties).context("it was resolved by the older state")?;
        Ok((court.order() > dispute.order()).then(|| court.order()))
    });
    let newest = answered.await?;
    let resolved = world.watcher.until("the resolution", |seen| {
        Ok(seen.openings.iter().find_map(|opening| match &opening.event {
            OpeningEvent::Resolved { parties: of, order, assets, .. } if *of == parties => {
                Some((*order, assets.clone()))
            }
            _ => None,
        }))
    });
    let (order, assets) = resolved.await?;
    let [asset] = assets.as_slice() else { anyhow::bail!("{assets:?}") };
    ensure!((order, asset.owed, asset.paid, asset.debt) == (newest, frd(200), frd(200), 0), "{asset:?}");
    world.end().await
}
