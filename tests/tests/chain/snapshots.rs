//! Snapshots of real validators: the same everywhere, and enough to begin with.

use super::{BLOCK_TIME_MS, PATIENCE, client, reaches};
use crate::client::{Client, Payer};
use anyhow::{Context, Result, ensure};
use fair_core::types::{AssetId, Height, PublicKey};
use fair_tests::network::{Members, Network, Plan};
use fair_tests::process::{Process, Spec};
use fair_tests::wait;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A snapshot is due every few blocks.
const AFTER_BYTES: u64 = 2_000;
/// Whoever does not know what it signed signs nothing for this long.
const SILENCE: Duration = Duration::from_secs(10);

async fn start() -> Result<Network> {
    let parameters = vec![format!("snapshot_after_bytes={AFTER_BYTES}")];
    let block_time_ms = Some(BLOCK_TIME_MS);
    Network::start(&Plan { members: Members::Validators, parameters, block_time_ms, ..Plan::new()? }).await
}

async fn list(client: &Client) -> Result<Vec<Value>> {
    let (_, bytes) = client.get("/v1/snapshots").await?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// The newest that a validator lists, once it is above a height.
async fn above(client: &Client, height: Height) -> Result<Value> {
    wait::until(format!("a snapshot above {height} at {}", client.url), PATIENCE, async || {
        Ok(list(client).await?.into_iter().find(|one| one["height"].as_u64() > Some(height)))
    })
    .await
}

/// What a validator lists of a height, once it does.
async fn of(client: &Client, height: &Value) -> Result<Value> {
    wait::until(format!("a snapshot of {height} at {}", client.url), PATIENCE, async || {
        Ok(list(client).await?.into_iter().find(|one| one["height"] == *height))
    })
    .await
}

/// Starts a home again with other arguments.
pub(super) fn run(network: &Network, home: &str, name: &str, more: &[&str]) -> Result<Process> {
    let mut arguments = vec!["run".into(), "--home".into(), network.folder().join(home).into()];
    arguments.extend(more.iter().map(Into::into));
    Process::start(Spec {
        name: name.to_owned(),
        program: Plan::new()?.programs.join("node"),
        arguments,
        environment: Vec::new(),
        log_file: network.folder().join(format!("logs/{name}.log")),
    })
}

/// Whether a validator votes.
async fn votes(client: &Client) -> Result<bool> {
    client.status().await?["deciding"]["votes"].as_bool().context("votes")
}

/// Whether the certificate of a height has the signature of an account.
async fn signed(client: &Client, height: Height, account: &PublicKey) -> Result<bool> {
    let genesis = client.genesis().await?;
    let place = genesis.validators.validators.iter().position(|validator| validator.account == *account);
    let certificate = client.block(height).await?.certificate;
    Ok(certificate.signatures.get(place.context("a validator")?).is_some_and(Option::is_some))
}

#[tokio::test]
async fn a_validator_that_lost_its_database_begins_high_up_and_signs_nothing_twice() -> Result<()> {
    let mut network = start().await?;
    let (one, two, four) = (client(&network, "v1")?, client(&network, "v2")?, client(&network, "v4")?);
    let mut payer = Payer::new(&network)?;
    payer.pay(&one, AssetId::FRD, 700, PATIENCE).await?;
    let ours = above(&one, 10).await?;
    let theirs = of(&two, &ours["height"]).await?;
    ensure!(ours["hash"] == theirs["hash"] && ours["block"] == theirs["block"], "{ours} and {theirs}");

    // Three of four decide, so that the one without a database cannot have been needed.
    network.kill("v4").await?;
    let account = four_of(&network)?;
    std::fs::remove_dir_all(network.folder().join("v4/onchain"))?;
    let lost_at = one.height().await?;
    let mut late = run(&network, "v4", "late", &["--snapshot", &one.url])?;
    let line = late.wait_for_line("snapshot: begins at height", PATIENCE).await?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let base: Height = words.get(4).context("a height")?.parse()?;
    ensure!(base > 10, "{line}");
    late.ready().await?;
    let until = four.status().await?["deciding"]["silent_until"].as_u64().context("a time")?;
    ensure!(!votes(&four).await?, "it votes at once");
    // What it began with it offers to others, under the same hash.
    let offered = of(&four, &base.into()).await?;
    ensure!(line.ends_with(offered["hash"].as_str().context("a hash")?), "{line}");
    // It is still silent after another restart.
    late.restart().await?;
    ensure!(four.status().await?["deciding"]["silent_until"].as_u64() == Some(until), "the restart was not silent");

    let first = base + 1;
    reaches(&one, first).await?;
    reaches(&four, one.height().await?).await?;
    let (status, body) = four.get("/v1/blocks?from=1&count=1").await?;
    ensure!(status == 404 && String::from_utf8_lossy(&body).contains("before_snapshot"), "blocks begin at {first}");
    ensure!(four.block(first).await?.block == one.block(first).await?.block);

    wait::until("v4 to vote again", PATIENCE, async || Ok(votes(&four).await?.then_some(()))).await?;
    let head = four.height().await?;
    for height in lost_at + 1..head {
        let block = four.block(height).await?.block;
        if block.header.time_ms < until {
            ensure!(!signed(&four, height, &account).await?, "it signed {height}, which it may have signed before");
        }
    }
    // Its vote is needed now.
    network.kill("v3").await?;
    payer.pay(&four, AssetId::FRD, 700, PATIENCE).await?;
    ensure!(signed(&four, four.height().await?, &account).await?, "decided without it");
    late.restart().await?;
    reaches(&four, one.height().await?).await?;
    ensure!(votes(&four).await?, "silent again after a restart");
    late.stop().await?;
    network.shut_down().await
}

/// The same, but it begins at genesis, with an empty log. Where a whole network stands there, it begins without a word.
#[tokio::test]
async fn a_validator_that_lost_its_database_begins_at_genesis_and_signs_nothing_twice() -> Result<()> {
    let mut network = start().await?;
    let (one, four) = (client(&network, "v1")?, client(&network, "v4")?);
    let mut payer = Payer::new(&network)?;
    payer.pay(&one, AssetId::FRD, 700, PATIENCE).await?;
    reaches(&four, 3).await?;

    network.kill("v4").await?;
    let account = four_of(&network)?;
    std::fs::remove_dir_all(network.folder().join("v4/onchain"))?;
    let lost_at = one.height().await?;
    let began = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let mut late = run(&network, "v4", "late", &[])?;
    late.ready().await?;
    wait::until("v4 to vote again", PATIENCE, async || Ok(votes(&four).await?.then_some(()))).await?;
    let head = four.height().await?;
    let mut silent = 0;
    // Above all, the height that the others were deciding when it began.
    for height in lost_at + 1..=head {
        let time = Duration::from_millis(four.block(height).await?.block.header.time_ms);
        if time < began + SILENCE {
            ensure!(!signed(&four, height, &account).await?, "it signed {height}, which it may have signed before");
            silent += 1;
        }
    }
    ensure!(silent > 0, "nothing was decided meanwhile");
    network.kill("v3").await?;
    payer.pay(&four, AssetId::FRD, 700, PATIENCE).await?;
    ensure!(signed(&four, four.height().await?, &account).await?, "decided without it");
    late.stop().await?;
    network.shut_down().await
}

/// Nobody has to say that a network is new: whoever stands at genesis hears that the others do, too.
#[tokio::test]
async fn a_new_network_begins_without_a_word() -> Result<()> {
    let mut network = start().await?;
    let names = ["v1", "v2", "v3", "v4"];
    for name in names {
        network.kill(name).await?;
    }
    for name in names {
        std::fs::remove_dir_all(network.folder().join(name).join("onchain"))?;
    }
    let mut again = Vec::new();
    for name in names {
        again.push(run(&network, name, &format!("{name}-again"), &[])?);
    }
    for process in &mut again {
        process.ready().await?;
    }
    for name in names {
        reaches(&client(&network, name)?, 3).await?;
    }
    for mut process in again {
        process.stop().await?;
    }
    network.shut_down().await
}

#[tokio::test]
async fn an_archive_that_was_never_finished_is_written_at_the_next_start() -> Result<()> {
    let mut network = start().await?;
    let (one, four) = (client(&network, "v1")?, client(&network, "v4")?);
    let listed = above(&four, 3).await?;
    let ours = of(&one, &listed["height"]).await?;
    // What a kill in the middle leaves; meanwhile the chain may have gone on.
    network.kill("v4").await?;
    let folder = network.folder().join("v4/onchain");
    let archive = folder.join(listed["file"].as_str().context("a file")?);
    let whole = std::fs::read(&archive)?;
    let half = archive.with_extension("gz.tmp");
    std::fs::write(&half, &whole[..whole.len() / 2])?;
    std::fs::remove_file(&archive)?;
    network.restart("v4").await?;
    let again = of(&four, &listed["height"]).await?;
    ensure!(again["hash"] == ours["hash"], "{again} and {ours}");
    ensure!(!half.exists(), "the half file lies about");
    network.shut_down().await
}

fn four_of(network: &Network) -> Result<PublicKey> {
    let member = std::fs::read(network.folder().join("v4/member.json"))?;
    let member: Value = serde_json::from_slice(&member)?;
    Ok(member["account"].as_str().context("an account")?.parse()?)
}
