//! Getting an archive.

use crate::{LEAST_PACE_BYTES, LIST_TIME, Listed, MAX_ARCHIVE_BYTES, PACE_WINDOW, REPORT_EVERY, SILENCE};
use fair_core::chain::snapshot::archive_height;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

/// Longest list of snapshots in bytes.
const MAX_LIST_BYTES: usize = 64 << 10;

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody answers, or not with what was asked for.
    #[error("{url}: {reason}")]
    Source {
        /// Who was asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// It cannot be stored.
    #[error("{}: {error}", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// The path of an archive given as a file or as a URL: of an archive, or of a validator or relay whose newest
/// one is meant. What comes over the network is written to `to`. `report` hears how many bytes have come, of
/// how many if that is known. Nothing is verified here.
///
/// # Errors
/// [`FetchError`].
pub async fn fetch(
    client: &reqwest::Client,
    from: &str,
    to: &Path,
    report: impl FnMut(u64, Option<u64>),
) -> Result<PathBuf, FetchError> {
    if !from.starts_with("http://") && !from.starts_with("https://") {
        return Ok(PathBuf::from(from));
    }
    let name = from.rsplit('/').next().unwrap_or_default();
    let url = if archive_height(name).is_some() { from.to_owned() } else { newest(client, from).await? };
    download(client, &url, to, report).await?;
    Ok(to.to_owned())
}

async fn newest(client: &reqwest::Client, origin: &str) -> Result<String, FetchError> {
    let origin = origin.trim_end_matches('/');
    let url = format!("{origin}/v1/snapshots");
    let failed = |reason: String| FetchError::Source { url: url.clone(), reason };
    let bytes = get(client, &url, MAX_LIST_BYTES, LIST_TIME).await?;
    let listed: Vec<Listed> = serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?;
    let newest = listed.iter().filter(|one| archive_height(&one.file) == Some(one.height)).max_by_key(|one| one.height);
    let newest = newest.ok_or_else(|| failed("it has no snapshot".to_owned()))?;
    Ok(format!("{url}/{}", newest.file))
}

/// An answer, but not beyond a cap, nor after its time.
pub(crate) async fn get(
    client: &reqwest::Client,
    url: &str,
    limit: usize,
    time: Duration,
) -> Result<Vec<u8>, FetchError> {
    let late = |_| FetchError::Source { url: url.to_owned(), reason: "it takes too long".to_owned() };
    timeout(time, whole(client, url, limit)).await.map_err(late)?
}

async fn whole(client: &reqwest::Client, url: &str, limit: usize) -> Result<Vec<u8>, FetchError> {
    let mut response = answer(client, url).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = next(&mut response, url).await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > limit {
            let reason = format!("it sends more than {limit} bytes");
            return Err(FetchError::Source { url: url.to_owned(), reason });
        }
    }
    Ok(bytes)
}

async fn download(
    client: &reqwest::Client,
    url: &str,
    to: &Path,
    mut report: impl FnMut(u64, Option<u64>),
) -> Result<(), FetchError> {
    let file_error = |error| FetchError::File { path: to.to_owned(), error };
    let mut response = answer(client, url).await?;
    let length = response.content_length();
    let mut file = File::create(to).await.map_err(file_error)?;
    let (mut bytes, mut reported) = (0_u64, Instant::now());
    let (mut window, mut window_bytes) = (Instant::now(), 0_u64);
    while let Some(piece) = next(&mut response, url).await? {
        bytes = bytes.saturating_add(piece.len() as u64);
        if bytes > MAX_ARCHIVE_BYTES {
            let reason = format!("it sends more than {MAX_ARCHIVE_BYTES} bytes");
            return Err(FetchError::Source { url: url.to_owned(), reason });
        }
        window_bytes = window_bytes.saturating_add(piece.len() as u64);
        if window.elapsed() > PACE_WINDOW {
            if window_bytes < LEAST_PACE_BYTES {
                let reason = format!("it sent only {window_bytes} bytes in {} s", window.elapsed().as_secs());
                return Err(FetchError::Source { url: url.to_owned(), reason });
            }
            (window, window_bytes) = (Instant::now(), 0);
        }
        file.write_all(&piece).await.map_err(file_error)?;
        if reported.elapsed() > REPORT_EVERY {
            reported = Instant::now();
            report(bytes, length);
        }
    }
    file.flush().await.map_err(file_error)?;
    report(bytes, length);
    Ok(())
}

async fn answer(client: &reqwest::Client, url: &str) -> Result<reqwest::Response, FetchError> {
    let failed = |reason: String| FetchError::Source { url: url.to_owned(), reason };
    let answer = timeout(SILENCE, client.get(url).send()).await.map_err(|_| failed("it does not answer".to_owned()))?;
    answer.and_then(reqwest::Response::error_for_status).map_err(|error| failed(error.without_url().to_string()))
}

async fn next(response: &mut reqwest::Response, url: &str) -> Result<Option<axum::body::Bytes>, FetchError> {
    let failed = |reason: String| FetchError::Source { url: url.to_owned(), reason };
    let piece = timeout(SILENCE, response.chunk()).await.map_err(|_| failed("it fell silent".to_owned()))?;
    piece.map_err(|error| failed(error.without_url().to_string()))
}
