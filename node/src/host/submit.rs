//! Bringing batches to validators, directly or through relays. The machine stored the exact bytes before
//! and asks again with every block until the batch is included or too old.

use crate::limits;
use fair_core::chain::follow::Follower;
use fair_core::codec;
use fair_core::ledger::batch::{self, Batch};
use fair_core::message::Signed;
use fair_core::types::Hash;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Who takes batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Through {
    /// The chain's validators, whoever builds next first, then the configured addresses.
    Validators,
    /// The configured addresses alone.
    Configured,
}

/// Posts batches.
pub(crate) struct Submitter {
    client: reqwest::Client,
    through: Through,
    urls: Vec<String>,
    /// Being posted now: one at a time of each.
    under_way: Arc<Mutex<BTreeSet<Hash>>>,
}

impl Submitter {
    pub(crate) fn new(client: reqwest::Client, through: Through, urls: Vec<String>) -> Self {
        Self { client, through, urls, under_way: Arc::default() }
    }

    /// Starts to post a batch; what comes of it is seen on the chain. One of court goes to everybody: whoever keeps
    /// it back keeps nothing.
    pub(crate) fn submit(&self, batch: Signed<Batch>, follower: &Follower) {
        let hash = batch::hash(&batch);
        if !self.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(hash) {
            return;
        }
        let mut urls = match self.through {
            Through::Validators => by_turn(follower),
            Through::Configured => Vec::new(),
        };
        for url in &self.urls {
            if !urls.contains(url) {
                urls.push(url.clone());
            }
        }
        let (client, under_way) = (self.client.clone(), self.under_way.clone());
        let to_all = batch::is_court(&batch.body);
        tokio::spawn(async move {
            let bytes = codec::encode(&batch);
            if to_all {
                let posts = urls.iter().map(|url| post(&client, url, bytes.clone()));
                futures_util::future::join_all(posts).await;
            } else {
                for url in urls {
                    if post(&client, &url, bytes.clone()).await {
                        break;
                    }
                }
            }
            under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash);
        });
    }
}

/// URLs of the validators, whoever proposes the next block first.
fn by_turn(follower: &Follower) -> Vec<String> {
    let expected = follower.expected();
    let mut urls: Vec<String> = Vec::new();
    let rounds = u32::try_from(expected.validators.validators.len()).unwrap_or(u32::MAX);
    let turns = (0..rounds).filter_map(|round| expected.validators.proposer(expected.height, round));
    for validator in turns.chain(&expected.validators.validators) {
        if !urls.contains(&validator.url) {
            urls.push(validator.url.clone());
        }
    }
    urls
}

/// Whether nobody else needs to be asked.
async fn post(client: &reqwest::Client, url: &str, bytes: Vec<u8>) -> bool {
    let request = client
        .post(format!("{url}/v1/batches"))
        .header("content-type", "application/octet-stream")
        .timeout(Duration::from_millis(limits::SUBMIT_TIMEOUT_MS));
    match request.body(bytes).send().await {
        Ok(response) if response.status().is_success() => true,
        Ok(response) => {
            let status = response.status();
            let reason = response.text().await.unwrap_or_default();
            let reason: String = reason.chars().take(300).collect();
            tracing::warn!(url, %status, reason, "a batch was not taken");
            // It was understood and refused: the next one would say the same.
            status.is_client_error() && status != reqwest::StatusCode::TOO_MANY_REQUESTS
        }
        Err(error) => {
            tracing::warn!(url, %error, "a batch could not be brought");
            false
        }
    }
}
