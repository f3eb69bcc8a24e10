//! Validators that take answers and drop them. The relay gives an answer to all of them and repeats it, so that one
//! honest validator is enough, even when whoever answered is gone.

use anyhow::{Context, Result, ensure};
use fair_core::ledger::batch::Batch;
use fair_core::ledger::operation::Operation;
use fair_core::types::Side;
use fair_tests::browser::person;
use fair_tests::censor::Censors;
use fair_tests::wait;

use crate::cast::World;
use crate::chain::PATIENCE;
use crate::stale::Robbed;

fn has_answer(batch: &Batch) -> bool {
    batch.entries.iter().any(|entry| matches!(entry.operation, Operation::Answer(_)))
}

/// The person's page answers once and is closed; every validator has dropped the answer.
async fn censored(world: &mut World, censors: &Censors, side: Side) -> Result<()> {
    censors.begin_anew();
    let (robbed, browser) = Robbed::by_the_bank(world, side).await?;
    robbed.comes_back(&browser, world).await?;
    wait::until("every validator to drop the answer", PATIENCE, async || {
        Ok(censors.dropped().iter().all(|count| *count > 0).then_some(()))
    })
    .await?;
    let closed = browser.shut().await?;
    ensure!(robbed.is_unanswered(world).await?, "nobody let the answer through");

    censors.let_through("v3");
    let outcome = robbed.decided(world).await?;
    robbed.explorer(world, &outcome, "censored").await?;
    let browser = closed.open_where_it_was().await?;
    person::unlock(&browser).await?;
    robbed.pages(&browser, world, &outcome, "censored").await?;
    browser.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_validators_drop_is_repeated_by_the_relay() -> Result<()> {
    let censors = Censors::new(has_answer);
    let mut world = World::with(Some(censors.clone())).await?;
    for side in [Side::Left, Side::Right] {
        censored(&mut world, &censors, side).await.with_context(|| format!("the partner is {side:?}"))?;
    }
    world.end().await
}
