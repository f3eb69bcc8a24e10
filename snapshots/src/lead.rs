//! What leads a process on that slept longer than K.trust_period: the headers up to a block that its operator
//! confirmed.

use crate::fetch::{FetchError, get};
use crate::{HEADERS_AT_ONCE, HEADERS_TIME, PACE_WINDOW};
use fair_core::chain::certificate::Certificate;
use fair_core::chain::header::Header;
use fair_core::chain::trust::{Confirmed, Lead, NoLead};
use fair_core::codec;
use fair_core::limits::{MAX_CERTIFICATE_BYTES, MAX_HEADER_BYTES};
use fair_core::types::{Hash, Height};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Longest answer with headers.
const MAX_HEADERS_BYTES: usize = HEADERS_AT_ONCE as usize * (MAX_HEADER_BYTES + MAX_CERTIFICATE_BYTES) + 4;

/// Why nothing leads there.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// The checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] NoLead),
    /// Nobody who was asked has the headers to it.
    #[error(
        "nobody leads to the checkpoint {to} ({said}); if they have no blocks that old, follow a node that began at genesis"
    )]
    Nobody {
        /// The checkpoint.
        to: Confirmed,
        /// Everybody's answer.
        said: String,
    },
}

#[derive(Debug, thiserror::Error)]
enum Left {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("{url}: {reason}")]
    Other { url: String, reason: String },
}

/// Asks one after another for the headers that lead from a head to a checkpoint. Nobody is trusted with that; who gives
/// out fewer than were asked for, or other ones, is left and named. Who is only slow gives way to the next after
/// [`PACE_WINDOW`], and goes on from where it was when its turn comes again: else it would keep a sleeper for hours.
///
/// # Errors
/// [`LeadError`].
pub async fn lead(
    client: &reqwest::Client,
    urls: &[String],
    from: (Height, Hash),
    to: Confirmed,
) -> Result<Lead, LeadError> {
    by_turns(client, urls, from, to, PACE_WINDOW).await
}

async fn by_turns(
    client: &reqwest::Client,
    urls: &[String],
    from: (Height, Hash),
    to: Confirmed,
    turn: Duration,
) -> Result<Lead, LeadError> {
    let begun = Lead::new(from, to)?;
    let mut waiting: VecDeque<_> = urls.iter().map(|url| (url, begun.clone())).collect();
    let mut said = Vec::new();
    while let Some((url, mut lead)) = waiting.pop_front() {
        match follow(client, url, &mut lead, turn).await {
            Ok(()) if lead.next(HEADERS_AT_ONCE).is_none() => return Ok(lead),
            Ok(()) => waiting.push_back((url, lead)),
            Err(reason) => {
                tracing::warn!(%reason, "does not lead to the checkpoint {to}");
                said.push(reason.to_string());
            }
        }
    }
    Err(LeadError::Nobody { to, said: said.join("; ") })
}

/// Until it leads there, or the turn is over.
async fn follow(client: &reqwest::Client, url: &str, lead: &mut Lead, turn: Duration) -> Result<(), Left> {
    let left = |reason: String| Left::Other { url: url.to_owned(), reason };
    let until = Instant::now() + turn;
    while let Some((from, count)) = lead.next(HEADERS_AT_ONCE) {
        let headers = format!("{url}/v1/headers?from={from}&count={count}");
        let bytes = get(client, &headers, MAX_HEADERS_BYTES, HEADERS_TIME).await?;
        let headers: Vec<(Header, Certificate)> =
            codec::decode(&bytes, MAX_HEADERS_BYTES).map_err(|error| left(error.to_string()))?;
        let headers = headers.iter().map(|(header, _)| header);
        lead.take(HEADERS_AT_ONCE, headers).map_err(|error| left(error.to_string()))?;
        if until <= Instant::now() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
