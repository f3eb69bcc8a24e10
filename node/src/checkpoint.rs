//! How a home goes on whose newest block is older than K.trust_period: by the word of its operator.

use crate::clock;
use crate::error::NodeError;
use fair_core::chain::follow::Follower;
use fair_core::chain::trust::Confirmed;

/// Leaves a follower alone whose head is young; leads any other one to the checkpoint, with the headers of whoever
/// of `urls` has them.
pub(crate) async fn go_on(
    follower: &mut Follower,
    checkpoint: Option<Confirmed>,
    client: &reqwest::Client,
    urls: &[String],
) -> Result<(), NodeError> {
    let Err(expired) = follower.check_age(clock::now_ms()) else { return Ok(()) };
    let to = checkpoint.ok_or(NodeError::Expired(expired))?;
    let lead = fair_snapshots::lead(client, urls, follower.place(), to).await?;
    follower.take_lead(lead);
    tracing::info!(from = follower.height(), checkpoint = %to, "goes on to the checkpoint");
    follower.check_age(clock::now_ms()).map_err(NodeError::Expired)
}
