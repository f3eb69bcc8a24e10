//! Homes of processes: a bank that joins a network that runs, records that were lost, answers that nobody reads.

mod lost;
mod second;

use anyhow::{Context as _, Result, ensure};
use fair_tests::network::{Network, Plan};
use fair_tests::wait;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(90);
/// Who pays.
const PAYER: &str = "payer";
/// Who is paid.
const PAYEE: &str = "payee";
/// In cents.
const AMOUNT: u64 = 2_500;

async fn status(network: &Network, name: &str) -> Result<Value> {
    let url = format!("{}/v1/status", network.url_of(name)?);
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    Ok(client.get(url).send().await?.error_for_status()?.json().await?)
}

/// What a wallet has in its channel.
fn money(status: &Value) -> u64 {
    let part = |name: &str| status["assets"][0][name].as_u64().unwrap_or_default();
    part("insured") + part("uninsured") + part("in_flight")
}

/// As [`quiet`], and it can send something.
async fn rests(network: &Network, name: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    quiet(network, name, |status| status["assets"][0]["can_send"].as_u64() >= Some(100_000) && wanted(status)).await
}

/// Waits until a wallet's channel rests, its bank connected; returns what it says then.
async fn quiet(network: &Network, name: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let mut last = Value::Null;
    let resting = wait::until(format!("the channel of {name} to rest"), PATIENCE, async || {
        last = status(network, name).await?;
        let channel = &last["channel"];
        let is_quiet = channel["idle"] == true && channel["connected"] == true && last["stale"] == false;
        Ok((is_quiet && wanted(&last)).then(|| last.clone()))
    });
    let result = resting.await;
    result.with_context(|| format!("seen last: {last:#}"))
}

/// Lets the payer pay an invoice of the payee.
async fn pay(network: &Network) -> Result<()> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let before = money(&status(network, PAYEE).await?);
    let post = async |name: &str, path: &str, body: Value| -> Result<Value> {
        let response = client.post(format!("{}{path}", network.url_of(name)?)).json(&body).send().await?;
        let (is_good, text) = (response.status().is_success(), response.text().await?);
        ensure!(is_good, "{name}{path}: {text}");
        Ok(serde_json::from_str(&text)?)
    };
    let made = post(PAYEE, "/v1/invoices", json!({ "amount": AMOUNT, "description": "tea" })).await?;
    let paying = post(PAYER, "/v1/pay-me", json!({ "invoice": made["invoice"] })).await?;
    let id = paying["id"].as_str().context("an id")?.to_owned();
    wait::until("the payment", PATIENCE, async || {
        let url = format!("{}/v1/pay-me/{id}", network.url_of(PAYER)?);
        let paying: Value = client.get(url).send().await?.error_for_status()?.json().await?;
        ensure!(paying["state"] != "failed", "{paying}");
        Ok((paying["state"] == "paid").then_some(()))
    })
    .await?;
    rests(network, PAYEE, |status| money(status) == before + AMOUNT).await?;
    Ok(())
}

/// `node … | head -1` ends without a word, however long the answer is.
#[test]
fn an_answer_that_nobody_reads_is_no_failure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let home = folder.path().join("home");
    for subcommand in ["init", "status"] {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let mut command = Command::new(Plan::new()?.programs.join("node"));
        command.arg(subcommand).arg("--home").arg(&home).stdout(writer).stderr(Stdio::piped());
        let output = command.spawn()?.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success() && said.is_empty(), "node {subcommand}: {}: {said}", output.status);
    }
    ensure!(home.join("config.toml").exists(), "what was asked for is done");
    Ok(())
}
