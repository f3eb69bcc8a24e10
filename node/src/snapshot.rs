//! Snapshots of a home: beside its database, and how a new home begins with one.

use crate::clock;
use crate::error::NodeError;
use crate::home::{Config, Home};
use crate::say;
use crate::store::onchain;
use fair_core::chain::genesis::Genesis;
use fair_core::chain::snapshot::{Opened, Reader, Snapshot};
use fair_core::chain::trust::Confirmed;
use fair_core::types::Hash;
use fair_snapshots::{Folder, ReadError};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where an archive lies until it is verified.
const FETCHED: &str = "fetched.tar.gz";

/// The archives beside a database.
pub(crate) fn folder(database: &Path) -> Result<Folder, NodeError> {
    let path = beside(database);
    Folder::open(&path).map_err(|error| NodeError::File { path, error })
}

fn beside(database: &Path) -> PathBuf {
    database.parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// Fetches and verifies a snapshot and makes it the beginning of the home's database. A home that has blocks
/// already goes on from there. What the home's key signed before is not known. Nothing is begun with a snapshot that is
/// not of the chain of the checkpoint that the operator gave.
pub(crate) async fn begin(home: &Home, config: &Config, from: &str) -> Result<(), NodeError> {
    let _lock = home.lock()?;
    let (genesis, _) = home.genesis()?;
    let database = home.database("onchain")?;
    if onchain::has_begun(&database)? {
        tracing::info!("this home has begun already; no snapshot is needed");
        return Ok(());
    }
    let fetched = beside(&database).join(FETCHED);
    let client = crate::bank::http_client()?;
    let urls = sources(config, &genesis, from);
    let checkpoint = config.checkpoint.map(|to| (to, &urls[..]));
    let result = take(&client, (genesis.chain_id(), checkpoint), from, &fetched, &database).await;
    let result = match result {
        Ok(opened) => onchain::begin(&database, &opened).await.map(|()| {
            let (height, id) = (opened.follower.height(), opened.id);
            say::progress(format_args!("snapshot: begins at height {height} with {id}"));
        }),
        Err(error) => Err(error),
    };
    // Also what was never finished; there may be nothing.
    let _ = std::fs::remove_file(&fetched);
    result
}

/// Who may have the headers between a snapshot and a checkpoint.
fn sources(config: &Config, genesis: &Genesis, from: &str) -> Vec<String> {
    let validators = genesis.validators.validators.iter().map(|validator| validator.url.as_str());
    let origin = from.split("/v1/").next().filter(|origin| origin.starts_with("http"));
    let urls = config.relay.as_deref().into_iter().chain(origin).chain(validators);
    let mut urls: Vec<String> = urls.map(|url| url.trim_end_matches('/').to_owned()).collect();
    urls.retain(|url| !url.is_empty() && *url != config.url);
    let mut known = BTreeSet::new();
    urls.retain(|url| known.insert(url.clone()));
    urls
}

async fn take(
    client: &reqwest::Client,
    (chain_id, checkpoint): (Hash, Option<(Confirmed, &[String])>),
    from: &str,
    fetched: &Path,
    database: &Path,
) -> Result<Opened, NodeError> {
    let failed = |reason: String| NodeError::Snapshot { reason };
    let fetching = fair_snapshots::fetch(client, from, fetched, |bytes, all| match all {
        Some(all) => say::progress(format_args!("snapshot: {bytes} of {all} bytes")),
        None => say::progress(format_args!("snapshot: {bytes} bytes")),
    });
    let archive = fetching.await.map_err(|error| failed(error.to_string()))?;
    let reading = tokio::task::spawn_blocking(move || {
        let reader = Reader::new(chain_id, None, clock::now_ms());
        fair_snapshots::read(&archive, reader, |done, all| {
            say::progress(format_args!("snapshot: {done} of {all} chunks verified"));
        })
    });
    let opened = reading.await.map_err(|error| failed(error.to_string()))?;
    let opened = opened.map_err(|error: ReadError| failed(error.to_string()))?;
    if let Some((checkpoint, urls)) = checkpoint {
        let (height, hash) = opened.follower.place();
        fair_snapshots::hold(client, urls, Confirmed { height, hash }, checkpoint).await?;
    }
    // Whoever follows a node that began here needs it too.
    if let Some(snapshot) = Snapshot::of(&opened) {
        let path = beside(database);
        fair_snapshots::write(&path, snapshot).map_err(|error| NodeError::File { path, error })?;
    }
    Ok(opened)
}

#[cfg(test)]
mod tests;
