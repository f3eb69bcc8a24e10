//! Validators decide by the orders of their operators.

use crate::network::Network;
use crate::wait;
use anyhow::{Context as _, Result, ensure};
use fair_core::chain::certificate::ValidatorSet;
use serde_json::Value;
use std::time::Duration;

/// A vote and the wait for the new validators, generously.
const DECIDED: Duration = Duration::from_secs(90);

async fn listed(network: &Network, name: &str) -> Result<Value> {
    Ok(serde_json::from_str(&network.node(name, "proposals", &[]).await?)?)
}

/// Lets a validator propose something, by the arguments of `node propose`, and all of `voters` approve. Returns the
/// proposal's number.
///
/// # Errors
/// If an order is refused.
pub async fn approve(network: &Network, proposer: &str, change: &[&str], voters: &[&str]) -> Result<u64> {
    network.node(proposer, "propose", &[&["--text", "as agreed"], change].concat()).await?;
    let proposals = listed(network, proposer).await?;
    let newest = proposals["proposals"].as_array().and_then(|all| all.iter().max_by_key(|one| one["id"].as_u64()));
    let id = newest.and_then(|one| one["id"].as_u64()).context("a proposal")?;
    for voter in voters {
        network.node(voter, "vote", &[&id.to_string(), "yes", "--why", "it is better"]).await?;
    }
    // The proposer's own node may be a block behind those of the voters.
    let counted = wait::until(format!("the votes on proposal {id}"), DECIDED, async || {
        let proposals = listed(network, proposer).await?;
        let all = proposals["proposals"].as_array().context("proposals")?;
        let votes = all.iter().find(|one| one["id"] == id).and_then(|one| one["votes"].as_array());
        let count = votes.map_or(0, Vec::len);
        ensure!(count <= voters.len(), "{proposals}");
        Ok((count == voters.len()).then_some(()))
    });
    counted.await?;
    Ok(id)
}

/// The same for a change of validators, waiting until they are in force.
///
/// # Errors
/// If an order is refused, or nothing changes.
pub async fn decide(network: &Network, proposer: &str, change: &[&str], voters: &[&str]) -> Result<ValidatorSet> {
    let before = listed(network, proposer).await?["validators"].clone();
    approve(network, proposer, &[&["validators"], change].concat(), voters).await?;
    wait::until("another set of validators", DECIDED, async || {
        let validators = listed(network, proposer).await?["validators"].clone();
        let set = || serde_json::from_value(validators.clone()).map(|validators| ValidatorSet { validators });
        Ok(if validators == before { None } else { Some(set()?) })
    })
    .await
}
