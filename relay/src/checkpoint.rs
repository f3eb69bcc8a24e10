//! How a relay goes on whose newest block is older than K.trust_period: by the word of its operator.

use crate::chain::Chain;
use crate::config::Checked;
use crate::sync::now_ms;
use anyhow::Context as _;

/// What an operator is to do.
pub(crate) const HOW: &str =
    "compare a newer block with somebody you trust and begin again with it (--checkpoint HEIGHT:HASH)";

/// Leaves a chain alone whose head is young; leads any other one to the checkpoint.
pub(crate) async fn go_on(chain: &Chain, config: &Checked) -> anyhow::Result<()> {
    let Err(expired) = chain.check_age(now_ms()) else { return Ok(()) };
    let Some(to) = config.checkpoint else { return Err(expired).context(HOW) };
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let head = chain.head();
    let lead = fair_snapshots::lead(&client, &config.validators, (head.height, head.hash), to).await;
    chain.take_lead(lead.context("cannot go on to the checkpoint (--checkpoint)")?);
    tracing::info!(from = head.height, checkpoint = %to, "goes on to the checkpoint");
    chain.check_age(now_ms()).context(HOW)
}
