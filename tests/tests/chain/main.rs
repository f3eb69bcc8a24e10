//! Validators as real processes: blocks go on without one, whoever was away catches up, nobody signs
//! twice, and bad input is answered, not suffered.

mod bad_input;
mod client;
mod governance;
mod snapshots;
mod trust;

use anyhow::{Result, ensure};
use client::Client;
use fair_core::types::AssetId;
use fair_tests::network::{Members, Network, Plan};
use fair_tests::wait;
use std::time::Duration;

/// Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);
const BLOCK_TIME_MS: u64 = 200;

async fn start() -> Result<Network> {
    let plan = Plan { members: Members::Validators, block_time_ms: Some(BLOCK_TIME_MS), ..Plan::new()? };
    Network::start(&plan).await
}

fn client(network: &Network, name: &str) -> Result<Client> {
    Client::new(network.url_of(name)?)
}

async fn reaches(client: &Client, height: u64) -> Result<()> {
    wait::until(format!("block {height} at {}", client.url), PATIENCE, async || {
        Ok((client.height().await.unwrap_or(0) >= height).then_some(()))
    })
    .await
}

#[tokio::test]
async fn blocks_go_on_without_one_of_four_and_it_catches_up() -> Result<()> {
    let mut network = start().await?;
    let (one, four) = (client(&network, "v1")?, client(&network, "v4")?);
    let mut payer = client::Payer::new(&network)?;
    reaches(&one, 2).await?;
    network.kill("v4").await?;
    let stopped_at = one.height().await?;
    // Every validator's turn to propose comes, the absent one's too.
    for _ in 0..6 {
        payer.pay(&one, AssetId::FRD, 500, PATIENCE).await?;
    }
    let head = one.height().await?;
    ensure!(head >= stopped_at + 6, "from {stopped_at} to {head}");
    network.restart("v4").await?;
    reaches(&four, head).await?;
    // It takes part again: with another one away its vote is needed.
    network.kill("v3").await?;
    payer.pay(&four, AssetId::FRD, 500, PATIENCE).await?;
    let (ours, theirs) = (one.follow().await?, four.follow().await?);
    let common = ours.height().min(theirs.height());
    ensure!(common > head, "the chain went on");
    ensure!(
        one.block(common).await? == four.block(common).await? || one.hash(common).await? == four.hash(common).await?
    );
    network.shut_down().await
}

#[tokio::test]
async fn a_power_cut_for_all_loses_nothing() -> Result<()> {
    let mut network = start().await?;
    let one = client(&network, "v1")?;
    let mut payer = client::Payer::new(&network)?;
    payer.pay(&one, AssetId::FRD, 700, PATIENCE).await?;
    let height = one.height().await?;
    let hash = one.hash(height).await?;
    for name in ["v1", "v2", "v3", "v4"] {
        network.kill(name).await?;
    }
    for name in ["v1", "v2", "v3", "v4"] {
        network.restart(name).await?;
    }
    ensure!(one.hash(height).await? == hash, "the same block is there");
    payer.pay(&client(&network, "v3")?, AssetId::FRD, 700, PATIENCE).await?;
    reaches(&one, height + 1).await?;
    ensure!(one.follow().await?.state().balance(&client::RECEIVER, AssetId::FRD) == 1_400, "paid twice, once each");
    network.shut_down().await
}

#[tokio::test]
async fn a_validator_that_is_killed_again_and_again_signs_nothing_twice() -> Result<()> {
    let mut network = start().await?;
    let (one, two) = (client(&network, "v1")?, client(&network, "v2")?);
    let mut payer = client::Payer::new(&network)?;
    for _ in 0..8 {
        payer.submit(&one, AssetId::FRD, 500).await?;
        network.kill("v2").await?;
        network.restart("v2").await?;
        payer.included(&one, PATIENCE).await?;
    }
    let head = one.height().await?;
    reaches(&two, head).await?;
    for name in ["v1", "v3", "v4"] {
        let status = client(&network, name)?.status().await?;
        ensure!(status["deciding"]["misbehaved"] == serde_json::json!({}), "{name} saw {status}");
    }
    network.shut_down().await
}
