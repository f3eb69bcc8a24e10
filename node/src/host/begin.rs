//! How the records of a home begin, when there are none: with a new key, or after they were lost.
//!
//! A channel of which nothing is known may be one that is used first, or one in which much was signed and forgotten.
//! Taking the second for the first signs states below others that are out, for the partner to choose from. What tells
//! them apart is the chain, as it is now, and whether the home's process ever ran.

use super::follow;
use super::records;
use crate::error::NodeError;
use crate::home::{Claims, Config, Home};
use crate::store::Store;
use fair_core::chain::follow::Follower;
use fair_core::ledger::state::State;
use fair_core::types::PublicKey;
use std::path::Path;

/// What is known of the time before a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Past {
    /// There are records.
    Known,
    /// There are none, and nothing was ever signed.
    New,
    /// There are none any more.
    Lost,
}

/// Looks at a home's records, and where there are none at the chain, which is followed up to now first.
pub(crate) async fn look(
    home: &Home,
    config: &Config,
    records: &Path,
    (follower, onchain): (&mut Follower, &Store),
    (client, urls): (&reqwest::Client, &[String]),
) -> Result<Past, NodeError> {
    if records::have_begun(records)? {
        return Ok(Past::Known);
    }
    tracing::info!(from = follower.height(), "no records here: following the chain up to now first");
    follow::to_now(follower, onchain, client, urls).await?;
    let past = judge(config.claims, home.has_run(), follower.state(), &config.account);
    if past == Past::Lost {
        tracing::warn!("the records of this home were lost: what partners show is adopted");
    }
    Ok(past)
}

/// The word of the operator, else what shows.
fn judge(claims: Claims, has_run: bool, state: &State, own: &PublicKey) -> Past {
    match claims {
        Claims { data_lost: true, .. } => Past::Lost,
        // One that was left standing does not undo what the home shows.
        Claims { never_signed: true, .. } if !has_run => Past::New,
        _ if has_run || state.partners(own).next().is_some() => Past::Lost,
        _ => Past::New,
    }
}

#[cfg(test)]
mod tests;
