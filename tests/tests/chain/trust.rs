//! Processes that were away for longer than K.trust_period go on by the word of their operator, and by no other.

use super::snapshots::run;
use super::{BLOCK_TIME_MS, PATIENCE, client, reaches};
use crate::client::Client;
use anyhow::{Context as _, Result, ensure};
use fair_tests::network::{BANK, Network, Plan, RELAY};
use fair_tests::wait;

/// More than any process falls behind while it runs.
const TRUST_MS: u64 = 20_000;

async fn start() -> Result<Network> {
    let parameters = vec![format!("trust_period_ms={TRUST_MS}"), "max_idle_ms=300".to_owned()];
    let plan = Plan { preset: "swift", parameters, block_time_ms: Some(BLOCK_TIME_MS), ..Plan::new()? };
    Network::start(&plan).await
}

/// The newest block, as an operator gives it.
async fn checkpoint(client: &Client) -> Result<String> {
    let height = client.height().await?;
    Ok(format!("{height}:{}", client.hash(height).await?))
}

async fn time(client: &Client) -> Result<u64> {
    let height = client.height().await?;
    Ok(client.block(height).await?.block.header.time_ms)
}

#[tokio::test]
async fn who_slept_too_long_waits_for_a_checkpoint() -> Result<()> {
    let mut network = start().await?;
    let (one, four) = (client(&network, "v1")?, client(&network, "v4")?);
    let relay = Client::new(network.url()?)?;
    for client in [&one, &four, &relay] {
        reaches(client, 4).await?;
    }
    for name in ["v4", RELAY, BANK] {
        network.kill(name).await?;
    }
    let slept = time(&one).await?;
    wait::until("the end of trust", PATIENCE, async || Ok((time(&one).await? > slept + TRUST_MS).then_some(())))
        .await?;

    for name in [RELAY, BANK] {
        let error = format!("{:?}", network.restart(name).await.unwrap_err());
        ensure!(error.contains("--checkpoint HEIGHT:HASH") && error.contains("clock is wrong"), "{name}: {error}");
    }
    // A validator takes part in what is decided now; what it missed it fetches from nobody.
    network.restart("v4").await?;
    network.process("v4")?.wait_for_line("--checkpoint HEIGHT:HASH", PATIENCE).await?;
    wait::until("v4 to end", PATIENCE, async || Ok(network.process("v4")?.ended()?)).await?;

    // A block that nobody certified: whoever is asked has another one.
    let height = one.height().await?;
    let hash = one.hash(height).await?.to_string();
    let turned: String = hash.chars().rev().collect();
    for home in ["v4", BANK] {
        let mut misled = run(&network, home, "misled", &["--checkpoint", &format!("{height}:{turned}")])?;
        let error = format!("{:?}", misled.ready().await.unwrap_err());
        ensure!(error.contains("does not lead to the confirmed checkpoint"), "{home}: {error}");
        let mut late = run(&network, home, "late", &["--checkpoint", &format!("1:{hash}")])?;
        let error = format!("{:?}", late.ready().await.unwrap_err());
        ensure!(error.contains("a newer one is needed"), "{home}: {error}");
    }
    for name in [RELAY, BANK, "v4"] {
        let argument = format!("--checkpoint={}", checkpoint(&one).await?);
        network.process(name)?.add_argument(argument.into());
        network.restart(name).await.with_context(|| name.to_owned())?;
    }
    let head = one.height().await?;
    for client in [&relay, &four] {
        reaches(client, head + 4).await?;
    }
    let bank = client(&network, BANK)?;
    wait::until("the bank to follow", PATIENCE, async || {
        Ok((bank.status().await?["head"].as_u64() > Some(head)).then_some(()))
    })
    .await?;
    network.shut_down().await
}
