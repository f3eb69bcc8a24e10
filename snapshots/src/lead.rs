//! What leads a process on that slept longer than K.trust_period: the headers up to a block that its operator
//! confirmed.

use crate::HEADERS_AT_ONCE;
use crate::fetch::{FetchError, get};
use fair_core::chain::certificate::Certificate;
use fair_core::chain::header::Header;
use fair_core::chain::trust::{Confirmed, Lead, NoLead};
use fair_core::codec;
use fair_core::limits::{MAX_CERTIFICATE_BYTES, MAX_HEADER_BYTES};
use fair_core::types::{Hash, Height};

/// Longest answer with headers.
const MAX_HEADERS_BYTES: usize = HEADERS_AT_ONCE * (MAX_HEADER_BYTES + MAX_CERTIFICATE_BYTES) + 4;

/// Why nothing leads there.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// The checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] NoLead),
    /// Nobody who was asked has the headers to it.
    #[error("nobody has the blocks up to the checkpoint {to}: {said}")]
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

/// Asks one after another for the headers that lead from a head to a checkpoint. Nobody is trusted with that.
///
/// # Errors
/// [`LeadError`].
pub async fn lead(
    client: &reqwest::Client,
    urls: &[String],
    from: (Height, Hash),
    to: Confirmed,
) -> Result<Lead, LeadError> {
    let mut said = Vec::new();
    for url in urls {
        match follow(client, url, Lead::new(from, to)?).await {
            Ok(lead) => return Ok(lead),
            Err(reason) => said.push(reason.to_string()),
        }
    }
    Err(LeadError::Nobody { to, said: said.join("; ") })
}

async fn follow(client: &reqwest::Client, url: &str, mut lead: Lead) -> Result<Lead, Left> {
    let left = |reason: String| Left::Other { url: url.to_owned(), reason };
    while let Some(next) = lead.next() {
        let bytes =
            get(client, &format!("{url}/v1/headers?from={next}&count={HEADERS_AT_ONCE}"), MAX_HEADERS_BYTES).await?;
        let headers: Vec<(Header, Certificate)> =
            codec::decode(&bytes, MAX_HEADERS_BYTES).map_err(|error| left(error.to_string()))?;
        if headers.is_empty() {
            return Err(left(format!("it has no block {next}")));
        }
        for (header, _) in &headers {
            lead.push(header).map_err(|error| left(error.to_string()))?;
        }
    }
    Ok(lead)
}
