//! Fetching blocks that others have already.

use super::engine::Event;
use crate::limits;
use fair_core::chain::block::CertifiedBlock;
use fair_core::codec;
use fair_core::types::Height;
use tokio::sync::mpsc;
use tokio::time::Duration;

/// Why blocks did not come.
#[derive(Debug, thiserror::Error)]
enum FetchFailed {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("answered {0}")]
    Status(reqwest::StatusCode),
    #[error("sent more than {} bytes", limits::FETCH_BYTES)]
    TooLong,
    #[error(transparent)]
    Decode(#[from] codec::DecodeError),
}

/// Fetches blocks from a validator and hands them to the loop; an empty list when nothing came.
pub(super) fn fetch(client: &reqwest::Client, url: String, from: Height, events: &mpsc::Sender<Event>) {
    let (client, events) = (client.clone(), events.clone());
    tokio::spawn(async move {
        let blocks = match get(&client, &url, from).await {
            Ok(blocks) => blocks,
            Err(error) => {
                tracing::warn!(peer = url, %error, "cannot fetch blocks");
                Vec::new()
            }
        };
        let _ = events.send(Event::Fetched { peer: url, blocks }).await;
    });
}

async fn get(client: &reqwest::Client, url: &str, from: Height) -> Result<Vec<CertifiedBlock>, FetchFailed> {
    let bytes = get_bytes(client, &format!("{url}/v1/blocks?from={from}&count={}", limits::BLOCKS_PER_ANSWER)).await?;
    Ok(codec::decode(&bytes, limits::FETCH_BYTES)?)
}

/// One block, to compare with ours.
pub(super) async fn block_at(client: &reqwest::Client, url: &str, height: Height) -> Option<CertifiedBlock> {
    let bytes = get_bytes(client, &format!("{url}/v1/blocks/{height}")).await.ok()?;
    codec::decode(&bytes, fair_core::limits::MAX_CERTIFIED_BLOCK_BYTES).ok()
}

async fn get_bytes(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, FetchFailed> {
    let wait = Duration::from_millis(limits::FETCH_TIMEOUT_MS);
    let mut response = client.get(url).timeout(wait).send().await?;
    if !response.status().is_success() {
        return Err(FetchFailed::Status(response.status()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > limits::FETCH_BYTES {
            return Err(FetchFailed::TooLong);
        }
    }
    Ok(bytes)
}
