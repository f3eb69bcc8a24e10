//! The relay as whoever trusts nobody asks it, and the operators' side of wallets and banks.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fair_core::chain::block::{CertifiedBlock, batches_root};
use fair_core::chain::genesis::Genesis;
use fair_core::chain::proven::{MAX_PROVEN_BYTES, Proven};
use fair_core::chain::verify;
use fair_core::codec;
use fair_core::ledger::state::Key;
use fair_core::limits::MAX_CERTIFIED_BLOCK_BYTES;
use fair_core::types::Height;
use serde_json::Value;

use crate::wait;

/// How long an answer may take; operators' commands wait for ends themselves.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// How long the relay may lag behind.
const RELAY_DEADLINE: Duration = Duration::from_secs(60);
/// Carries the token that makes an order the operator's.
const OPERATOR_HEADER: &str = "x-fair-operator";

/// An HTTP client of one network.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    relay: String,
    genesis: Genesis,
}

impl Client {
    pub(super) fn new(relay: &str, genesis: Genesis) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_DEADLINE).build()?;
        Ok(Self { http, relay: relay.to_owned(), genesis })
    }

    pub(super) fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// What stood at a key after a block: header, certificate and proof from the relay, verified here.
    pub(super) async fn proven(&self, key: &Key, height: Height) -> Result<Proven> {
        let url = format!("{}/v1/proof/{}?height={height}", self.relay, hex::encode(codec::encode(key)));
        let bytes = self.once_there(&url).await?;
        let proven: Proven = codec::decode(&bytes, MAX_PROVEN_BYTES)?;
        ensure!(proven.header.height == height, "a proof of height {} instead of {height}", proven.header.height);
        proven
            .verify(key, self.genesis.chain_id(), &self.genesis.validators)
            .with_context(|| format!("the relay's proof of {key:?} at height {height}"))?;
        Ok(proven)
    }

    /// A block: certified, with the batches that its header commits to.
    pub(super) async fn block(&self, height: Height) -> Result<CertifiedBlock> {
        let bytes = self.once_there(&format!("{}/v1/blocks/{height}", self.relay)).await?;
        let certified: CertifiedBlock = codec::decode(&bytes, MAX_CERTIFIED_BLOCK_BYTES)?;
        let header = &certified.block.header;
        ensure!(header.height == height, "block {} instead of {height}", header.height);
        verify::alone(header, &certified.certificate, self.genesis.chain_id(), &self.genesis.validators)?;
        ensure!(batches_root(&certified.block.batches) == header.batches_root, "other batches in block {height}");
        Ok(certified)
    }

    /// Asks the relay until it has got so far.
    async fn once_there(&self, url: &str) -> Result<Vec<u8>> {
        wait::until(format!("an answer from {url}"), RELAY_DEADLINE, async || {
            let response = self.http.get(url).send().await?;
            let (status, bytes) = (response.status(), response.bytes().await?.to_vec());
            match status.as_u16() {
                200 => Ok(Some(bytes)),
                404 => Ok(None),
                _ => bail!("{url}: {status} {}", String::from_utf8_lossy(&bytes)),
            }
        })
        .await
    }

    /// An operator's order, in so many words; `Err` if it is refused.
    pub(super) async fn order(&self, url: &str, token: &str, body: &Value) -> Result<Value> {
        match self.try_order(url, body, Some(token)).await? {
            (200, answer) => Ok(answer),
            (status, answer) => bail!("{url}: {status} {answer}"),
        }
    }

    /// Status and answer of an order, with or without the operator's header.
    pub(super) async fn try_order(&self, url: &str, body: &Value, token: Option<&str>) -> Result<(u16, Value)> {
        let request = self.http.post(url).json(body);
        let request = token.into_iter().fold(request, |request, value| request.header(OPERATOR_HEADER, value));
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.json().await?))
    }
}
