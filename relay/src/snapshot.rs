//! How a relay without blocks begins with a snapshot.

use crate::config::Checked;
use crate::store::Store;
use crate::sync::now_ms;
use anyhow::Context as _;
use fair_core::chain::snapshot::{Reader, Snapshot};
use fair_core::chain::trust::Confirmed;

/// Where an archive lies until it is verified.
const FETCHED: &str = "fetched.tar.gz";

/// Fetches and verifies a snapshot and makes it the beginning of the data. Data with blocks goes on from there. Nothing
/// is begun with a snapshot that is not of the chain of the checkpoint given with it.
pub(crate) async fn begin(store: &Store, config: &Checked, from: &str) -> anyhow::Result<()> {
    if store.load()?.is_some() {
        tracing::info!("there are blocks already; no snapshot is needed");
        return Ok(());
    }
    let fetched = config.data.join(FETCHED);
    let result = take(store, config, from, &fetched).await.context("cannot begin with the snapshot (--snapshot)");
    // Also what was never finished; there may be nothing.
    let _ = std::fs::remove_file(&fetched);
    result
}

async fn take(store: &Store, config: &Checked, from: &str, fetched: &std::path::Path) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let report = |bytes, all| tracing::info!(bytes, all, "fetching a snapshot");
    let archive = fair_snapshots::fetch(&client, from, fetched, report).await?;
    let reader = Reader::new(config.genesis.chain_id(), None, now_ms());
    let reading = tokio::task::spawn_blocking(move || {
        fair_snapshots::read(&archive, reader, |done, all| tracing::info!(done, all, "verifying a snapshot"))
    });
    let opened = reading.await??;
    if let Some(checkpoint) = config.checkpoint {
        let (height, hash) = opened.follower.place();
        let held = fair_snapshots::hold(&client, &config.validators, Confirmed { height, hash }, checkpoint).await;
        held.context("--checkpoint")?;
    }
    // Whoever follows a relay that began here needs it too.
    if let Some(snapshot) = Snapshot::of(&opened) {
        fair_snapshots::write(&config.data, snapshot)?;
    }
    store.begin(&opened)?;
    tracing::info!(height = opened.follower.height(), hash = %opened.id, "begins with a snapshot");
    Ok(())
}
