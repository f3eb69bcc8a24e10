//! Governance by the orders of operators, among real processes.

use super::client::Client;
use super::{PATIENCE, client, reaches};
use anyhow::{Context, Result, ensure};
use fair_core::types::PublicKey;
use fair_tests::governance::decide;
use fair_tests::network::{BANK, Members, Network, Plan};
use fair_tests::wait;

/// Blocks come by themselves and soon, so that periods pass; votes are counted after few of them.
async fn start() -> Result<Network> {
    let parameters = ["max_idle_ms=300", "voting_period_blocks=30", "validator_delay_blocks=2"];
    let plan = Plan {
        members: Members::All,
        block_time_ms: Some(200),
        parameters: parameters.map(str::to_owned).to_vec(),
        ..Plan::new()?
    };
    Network::start(&plan).await
}

async fn votes(client: &Client) -> Result<bool> {
    client.status().await?["deciding"]["votes"].as_bool().context("whether it votes")
}

/// Four validators, then five, then four others. Blocks go on; the newcomer's vote is needed and comes; the one that
/// was voted out follows on; a client that slept meanwhile executes what it missed, fetched from the relay.
#[tokio::test]
async fn a_validator_is_voted_in_and_another_one_out() -> Result<()> {
    let mut network = start().await?;
    let (one, four) = (client(&network, "v1")?, client(&network, "v4")?);
    let relay = Client::new(network.url()?)?;
    reaches(&relay, 2).await?;
    let mut sleeper = relay.follow().await?;
    let first = sleeper.state().validators().clone();
    ensure!(first.validators.len() == 4);

    let account = network.add_validator("v5").await?;
    let five = client(&network, "v5")?;
    network.node(BANK, "faucet", &["--account", &account.to_string()]).await?;
    let refused = wait::until("the newcomer to see its account", PATIENCE, async || {
        let refused = network.node("v5", "vote", &["1", "yes"]).await.unwrap_err().to_string();
        Ok((!refused.contains("is not registered")).then_some(refused))
    });
    let refused = refused.await?;
    ensure!(!votes(&five).await? && votes(&four).await?, "it follows, and does not vote");
    ensure!(refused.contains("only validators propose and vote"), "{refused}");

    let member = network.folder().join("v5/member.json");
    let change = ["--add", member.to_str().context("a path")?];
    let second = decide(&network, "v2", &change, &["v2", "v3", BANK]).await?;
    ensure!(second.validators.len() == 5 && second.by_account(&account).is_some());
    wait::until("the newcomer to vote", PATIENCE, async || Ok(votes(&five).await?.then_some(()))).await?;
    // Three of the first are no two thirds of five: blocks need the newcomer's vote now.
    network.kill("v4").await?;
    reaches(&one, one.height().await? + 4).await?;
    network.restart("v4").await?;

    let leaver: PublicKey = {
        let status = four.status().await?;
        status["account"].as_str().context("an account")?.parse()?
    };
    let change = ["--remove", &leaver.to_string()];
    let third = decide(&network, "v5", &change, &["v2", "v3", "v5", BANK]).await?;
    ensure!(third.validators.len() == 4 && third.by_account(&leaver).is_none());
    wait::until("the leaver to follow", PATIENCE, async || Ok((!votes(&four).await?).then_some(()))).await?;
    let head = one.height().await?;
    for validator in [&one, &four, &five, &relay] {
        reaches(validator, head + 4).await?;
    }
    let status = one.status().await?;
    ensure!(status["deciding"]["misbehaved"] == serde_json::json!({}), "{status}");
    let peers = status["peers"].as_array().context("peers")?;
    ensure!(peers.iter().all(|peer| peer["account"] != leaver.to_string().as_str()), "connections follow: {status}");

    relay.catch_up(&mut sleeper).await?;
    ensure!(sleeper.state().validators() == &third, "the sleeper has the set of today");
    ensure!(sleeper.state().proposals().count() == 2);
    let height = sleeper.height();
    ensure!(sleeper.head().map(|head| head.hash()) == Some(one.hash(height).await?));
    network.shut_down().await
}
