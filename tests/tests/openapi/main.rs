//! A merchant's HTTP interface against its own document: schemathesis makes requests of it, good and bad ones, and
//! looks whether every answer is one that the document names. `cargo xtask test` installs schemathesis and says where
//! it is; plain `cargo test` leaves this out.

use anyhow::{Context as _, Result, ensure};
use fair_tests::network::{Network, Plan};
use fair_tests::wait;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

const MERCHANT: &str = "merchant";
/// Reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(90);
/// The variable that names the program.
const PROGRAM: &str = "SCHEMATHESIS";
/// Below what a key may ask for, so that every request is answered for what it is.
const RATE: &str = "15/s";
/// Of each operation.
const EXAMPLES: &str = "25";
const SCOPES: [&str; 7] =
    ["invoices:read", "invoices:write", "refunds", "payouts", "events:read", "balance:read", "webhooks"];

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_that_the_document_names() -> Result<()> {
    let program = std::env::var(PROGRAM).context("the variable SCHEMATHESIS names the program (docs/testing.md)")?;
    let mut network = Network::start(&Plan { validators: 1, ..Plan::new()? }).await?;
    network.add_merchant(MERCHANT, "").await?;
    let scopes = SCOPES.iter().flat_map(|scope| ["--scope", scope]);
    let arguments: Vec<&str> = std::iter::once("create").chain(scopes).collect();
    let made: Value = serde_json::from_str(&network.node(MERCHANT, "key", &arguments).await?)?;
    let key = made["key"].as_str().context("a key")?;
    let url = network.url_of(MERCHANT)?;
    // Before it has a bank it makes no invoices, and says so with a status of its own.
    wait::until("credit of the bank", PATIENCE, async || {
        let status: Value = serde_json::from_str(&network.node(MERCHANT, "status", &["--json"]).await?)?;
        Ok((status["assets"][0]["can_receive"].as_u64() >= Some(1)).then_some(()))
    })
    .await?;
    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi/schemathesis.toml");
    let mut command = Command::new(program);
    command.current_dir(network.folder()).arg("--config-file").arg(settings);
    command.args(["run", &format!("{url}/v1/openapi.json"), "--url", url, "--seed", "1"]);
    command.args(["--rate-limit", RATE, "--max-examples", EXAMPLES, "--phases", "coverage,fuzzing"]);
    command.arg("--header").arg(format!("Authorization: Bearer {key}"));
    let status = command.kill_on_drop(true).status().await.context("schemathesis")?;
    ensure!(status.success(), "schemathesis ended with {status}");
    ensure!(network.ended()?.is_empty(), "a process ended");
    network.shut_down().await
}
