//! A bank that is not in the genesis document.

use super::{PATIENCE, PAYEE, PAYER, money, pay, rests, status};
use anyhow::{Context as _, Result, ensure};
use fair_tests::network::{BANK, Network, NewWallet, Plan};
use fair_tests::wait;
use serde_json::{Value, json};

const SECOND: &str = "second";

/// It runs before it is on the register, is registered from its own home with its own signature, and mediates then,
/// also after it was killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_bank_joins_a_network_that_runs() -> Result<()> {
    let mut network = Network::start(&Plan { validators: 1, ..Plan::new()? }).await?;
    let bank = network.add_bank(SECOND).await?;
    let seen = status(&network, SECOND).await?;
    ensure!(seen["registered"] == false && seen["handle"] == "" && seen["stale"] == false, "{seen}");
    network.process(SECOND)?.wait_for_line("not on the register of banks", PATIENCE).await?;
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let url = format!("{}/v1/faucet", network.url_of(SECOND)?);
    let answer = client.post(url).json(&json!({ "account": bank })).send().await?;
    let refused: Value = answer.json().await?;
    ensure!(refused["code"] == "faucet.none", "{refused}");

    network.node(BANK, "faucet", &["--account", &bank.to_string()]).await?;
    let mut last = String::new();
    let ordered = wait::until("its order", PATIENCE, async || {
        match network.node(SECOND, "register-bank", &["--handle", "second"]).await {
            Ok(answer) => Ok(Some(answer)),
            // Its account is made by the faucet's batch.
            Err(error) => {
                last = format!("{error:#}");
                Ok(None)
            }
        }
    });
    let ordered: Value = serde_json::from_str(&ordered.await.with_context(|| format!("said last: {last}"))?)?;
    ensure!(["waiting", "applied"].iter().any(|state| ordered["state"] == *state), "{ordered}");
    wait::until("its entry", PATIENCE, async || {
        let seen = status(&network, SECOND).await?;
        Ok((seen["registered"] == true && seen["handle"] == "second").then_some(()))
    })
    .await?;
    network.process(SECOND)?.wait_for_line("on the register of banks: serving", PATIENCE).await?;

    for name in [PAYER, PAYEE] {
        let settings = format!("bank = \"{bank}\"\n");
        network.add_wallet(&NewWallet { name, settings: Some(&settings), side: None }).await?;
    }
    for name in [PAYER, PAYEE] {
        let seen = rests(&network, name, |_| true).await?;
        ensure!(seen["bank"] == bank.to_string().as_str(), "{seen}");
    }
    let before = money(&status(&network, PAYER).await?);
    pay(&network).await?;
    network.restart(SECOND).await?;
    rests(&network, PAYER, |seen| money(seen) < before).await?;
    rests(&network, PAYEE, |_| true).await?;
    pay(&network).await?;
    let seen = status(&network, SECOND).await?;
    ensure!(seen["channels"].as_array().map(Vec::len) == Some(2), "{seen}");
    network.shut_down().await
}
