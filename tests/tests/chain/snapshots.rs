//! Snapshots of real validators: the same everywhere, and enough to begin with.

use super::{PATIENCE, client, reaches, start};
use crate::client::{Client, Payer};
use anyhow::{Context, Result, ensure};
use fair_core::types::AssetId;
use fair_tests::network::Plan;
use fair_tests::process::{Process, Spec};
use fair_tests::wait;

/// What a validator lists of height 1, once it does.
async fn first(client: &Client) -> Result<serde_json::Value> {
    wait::until(format!("a snapshot at {}", client.url), PATIENCE, async || {
        let (_, bytes) = client.get("/v1/snapshots").await?;
        let list: Vec<serde_json::Value> = serde_json::from_slice(&bytes)?;
        Ok(list.into_iter().find(|one| one["height"] == 1))
    })
    .await
}

#[tokio::test]
async fn validators_write_the_same_snapshot_and_one_begins_with_it() -> Result<()> {
    let mut network = start().await?;
    let (one, two, four) = (client(&network, "v1")?, client(&network, "v2")?, client(&network, "v4")?);
    let mut payer = Payer::new(&network)?;
    payer.pay(&one, AssetId::FRD, 700, PATIENCE).await?;
    let (ours, theirs) = (first(&one).await?, first(&two).await?);
    ensure!(ours["hash"] == theirs["hash"] && ours["block"] == theirs["block"], "{ours} and {theirs}");

    network.kill("v4").await?;
    payer.pay(&one, AssetId::FRD, 700, PATIENCE).await?;
    let home = network.folder().join("v4");
    std::fs::remove_dir_all(home.join("onchain"))?;
    let spec = Spec {
        name: "late".to_owned(),
        program: Plan::new()?.programs.join("node"),
        arguments: vec!["run".into(), "--home".into(), home.into(), "--snapshot".into(), one.url.clone().into()],
        environment: Vec::new(),
        log_file: network.folder().join("logs/late.log"),
    };
    let mut late = Process::start(spec)?;
    let line = late.wait_for_line("snapshot: begins at height 1", PATIENCE).await?;
    ensure!(line.ends_with(ours["hash"].as_str().context("a hash")?), "{line}");
    late.ready().await?;
    reaches(&four, one.height().await?).await?;
    let (status, body) = four.get("/v1/blocks?from=1&count=1").await?;
    ensure!(status == 404 && String::from_utf8_lossy(&body).contains("before_snapshot"), "blocks begin at 2");
    ensure!(four.block(2).await?.block == one.block(2).await?.block);
    payer.pay(&four, AssetId::FRD, 700, PATIENCE).await?;
    late.restart().await?;
    reaches(&four, one.height().await?).await?;
    late.stop().await?;
    network.shut_down().await
}
