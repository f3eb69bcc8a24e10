//! Following the chain: asks one validator or relay at a time for blocks, and the next one when it is silent,
//! unreachable, serves something false or brings nothing that is of now. Nothing is believed here: the host verifies.
//! But only blocks count as a sign of life: whoever repeats an old head, or serves the chain too slowly to reach its
//! end, would else keep disputes from being seen.

use super::{Handle, Machine, Stopping, Told};
use crate::clock;
use crate::error::NodeError;
use crate::limits;
use crate::store::{Store, onchain};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::Certificate;
use fair_core::chain::follow::Follower;
use fair_core::chain::header::Header;
use fair_core::chain::verify::BadBlock;
use fair_core::codec;
use fair_core::peers::Chain;
use fair_core::types::Height;
use futures_util::StreamExt as _;
use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// A head's bytes are no longer.
pub(crate) const MAX_HEAD_BYTES: usize = fair_core::limits::MAX_HEADER_BYTES + fair_core::limits::MAX_CERTIFICATE_BYTES;

type Heads = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why a source is left.
#[derive(Debug, thiserror::Error)]
enum Leave {
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("it answers no more of us for {0:?}")]
    Busy(Duration),
    #[error("it sends what cannot be read: {0}")]
    Malformed(String),
    #[error("it serves a false block: {0}")]
    False(#[from] BadBlock),
    #[error("it announces height {announced} and serves nothing above {served}")]
    Withholds { announced: Height, served: Height },
    #[error("it brings no block that is of now")]
    Silent,
    #[error(transparent)]
    Stopping(#[from] Stopping),
}

impl Leave {
    /// For how long this source is not asked again.
    const fn busy(&self) -> Duration {
        if let Self::Busy(wait) = self { *wait } else { Duration::ZERO }
    }
}

/// How late a block may be, by the parameters in force: votes change them.
pub(super) fn patience(follower: &Follower) -> Duration {
    Duration::from_millis(follower.state().parameters().max_idle_ms.saturating_add(limits::LATE_BLOCK_MS))
}

/// Follows until the host ends.
pub(crate) async fn run<M: Machine>(host: Handle<M>, client: reqwest::Client, urls: Vec<String>) {
    let mut free = vec![Instant::now(); urls.len()];
    loop {
        for (url, free) in urls.iter().zip(&mut free) {
            if *free > Instant::now() {
                continue;
            }
            let reason = follow(&host, &client, url).await;
            match reason {
                Leave::Stopping(_) => return,
                Leave::False(_) | Leave::Malformed(_) | Leave::Withholds { .. } => {
                    tracing::error!(source = url, %reason, "leaving a source of blocks");
                }
                Leave::Unreachable(_) | Leave::Busy(_) | Leave::Silent => {
                    tracing::warn!(source = url, %reason, "leaving a source of blocks");
                }
            }
            *free = Instant::now() + reason.busy();
            sleep(Duration::from_millis(limits::FOLLOW_PAUSE_MS)).await;
        }
        one_is(&free).await;
    }
}

/// Waits until one of the sources may be asked.
async fn one_is(free: &[Instant]) {
    if let Some(first) = free.iter().min() {
        sleep_until(*first).await;
    }
}

/// Since when a source brings no block that is of now.
struct Deadline(Instant);

impl Deadline {
    /// Until when it has to.
    fn at<M: Machine>(&self, host: &Handle<M>) -> Instant {
        self.0 + host.head().patience
    }

    /// Blocks came. Only a young head gives more time.
    fn moved<M: Machine>(&mut self, host: &Handle<M>) {
        let head = host.head();
        let age = Duration::from_millis(clock::now_ms().saturating_sub(head.time_ms));
        if age <= head.patience {
            self.0 = Instant::now();
        }
    }
}

/// Follows one source until there is a reason to leave it.
async fn follow<M: Machine>(host: &Handle<M>, client: &reqwest::Client, url: &str) -> Leave {
    let mut deadline = Deadline(Instant::now());
    let mut heads = match listen(url).await {
        Ok(heads) => heads,
        Err(reason) => return reason,
    };
    if let Err(reason) = catch_up(host, client, url, &mut deadline).await {
        return reason;
    }
    tracing::info!(source = url, height = host.height(), "following the chain");
    loop {
        let announced = match timeout_at(deadline.at(host), next_head(&mut heads)).await {
            Ok(Ok(height)) => height,
            Ok(Err(reason)) => return reason,
            Err(_) => return Leave::Silent,
        };
        if announced <= host.height() {
            continue;
        }
        if let Err(reason) = catch_up(host, client, url, &mut deadline).await {
            return reason;
        }
        let served = host.height();
        if announced > served {
            return Leave::Withholds { announced, served };
        }
    }
}

/// Fetches until the source has no more, or its time is over.
async fn catch_up<M: Machine>(
    host: &Handle<M>,
    client: &reqwest::Client,
    url: &str,
    deadline: &mut Deadline,
) -> Result<(), Leave> {
    loop {
        let from = host.height().saturating_add(1);
        let blocks = fetch(client, url, from, deadline.at(host)).await?;
        if blocks.is_empty() {
            return Ok(());
        }
        let (taken, result) = oneshot::channel();
        host.tell(Told::Blocks { blocks, taken }).await?;
        result.await.map_err(|_| Stopping)??;
        if host.height() < from {
            return Err(Leave::Malformed("blocks that were not asked for".to_owned()));
        }
        deadline.moved(host);
        if deadline.at(host) <= Instant::now() {
            return Err(Leave::Silent);
        }
    }
}

/// Follows, before there is a host, until the head is fresh.
pub(super) async fn to_now(
    follower: &mut Follower,
    onchain: &Store,
    client: &reqwest::Client,
    urls: &[String],
) -> Result<(), NodeError> {
    follower.check_rules().map_err(NodeError::Rules)?;
    let mut free = vec![Instant::now(); urls.len()];
    loop {
        for (url, free) in urls.iter().zip(&mut free) {
            if *free > Instant::now() {
                continue;
            }
            match take_all(follower, onchain, client, url, Instant::now()).await? {
                Ok(()) if !Chain::of(follower).is_stale(clock::now_ms()) => return Ok(()),
                Ok(()) => tracing::info!(source = url, height = follower.height(), "waiting for a newer block"),
                Err(reason) => {
                    tracing::warn!(source = url, %reason, "leaving a source of blocks");
                    *free = Instant::now() + reason.busy();
                }
            }
            sleep(Duration::from_millis(limits::FOLLOW_PAUSE_MS)).await;
        }
        one_is(&free).await;
    }
}

/// Stores what a source has above the head. Another one is asked where it brings no block that is of now in its time.
async fn take_all(
    follower: &mut Follower,
    onchain: &Store,
    client: &reqwest::Client,
    url: &str,
    since: Instant,
) -> Result<Result<(), Leave>, NodeError> {
    loop {
        let from = follower.height().saturating_add(1);
        let blocks = match fetch(client, url, from, since + patience(follower)).await {
            Ok(blocks) if blocks.is_empty() => return Ok(Ok(())),
            Ok(blocks) => blocks,
            Err(reason) => return Ok(Err(reason)),
        };
        for certified in &blocks {
            match follower.check(certified, clock::now_ms()) {
                Ok(step) => {
                    onchain.commit(onchain::block_writes(certified, &step, follower)).await?;
                    follower.commit(step);
                }
                Err(rules @ BadBlock::NewRules { .. }) => return Err(NodeError::Rules(rules)),
                Err(expired @ BadBlock::Expired { .. }) => return Err(NodeError::Expired(expired)),
                Err(bad) => return Ok(Err(bad.into())),
            }
        }
        if since + patience(follower) <= Instant::now() && Chain::of(follower).is_stale(clock::now_ms()) {
            return Ok(Err(Leave::Silent));
        }
    }
}

/// Blocks from a height on. Whoever is asked too often, by all who share an address with us, says when to ask again;
/// to leave it and come back would be to ask even more often.
async fn fetch(
    client: &reqwest::Client,
    url: &str,
    from: Height,
    until: Instant,
) -> Result<Vec<CertifiedBlock>, Leave> {
    loop {
        match fetch_once(client, url, from).await {
            Err(Leave::Busy(wait)) if Instant::now() + wait < until => sleep(wait).await,
            result => return result,
        }
    }
}

async fn fetch_once(client: &reqwest::Client, url: &str, from: Height) -> Result<Vec<CertifiedBlock>, Leave> {
    let unreachable = |error: reqwest::Error| Leave::Unreachable(error.to_string());
    let url = format!("{url}/v1/blocks?from={from}&count={}", limits::BLOCKS_PER_ANSWER);
    let request = client.get(url).timeout(Duration::from_millis(limits::FETCH_TIMEOUT_MS));
    let response = request.send().await.map_err(unreachable)?;
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        return Err(Leave::Busy(retry_after(response.headers())));
    }
    let mut response = response.error_for_status().map_err(unreachable)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > limits::FETCH_BYTES {
            return Err(Leave::Malformed(format!("more than {} bytes", limits::FETCH_BYTES)));
        }
    }
    codec::decode(&bytes, limits::FETCH_BYTES).map_err(|error| Leave::Malformed(error.to_string()))
}

/// What a busy source asks for, within bounds.
fn retry_after(headers: &HeaderMap) -> Duration {
    let (shortest, longest) = limits::BUSY_PAUSE_S;
    let named = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(named.unwrap_or(shortest).clamp(shortest, longest))
}

async fn listen(url: &str) -> Result<Heads, Leave> {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_HEAD_BYTES)).max_frame_size(Some(MAX_HEAD_BYTES));
    let connecting = connect_async_with_config(web_socket(url, "/v1/heads"), Some(config), true);
    match timeout(Duration::from_millis(limits::CONNECT_TIMEOUT_MS), connecting).await {
        Ok(Ok((heads, _))) => Ok(heads),
        Ok(Err(tungstenite::Error::Http(answer))) if answer.status() == StatusCode::TOO_MANY_REQUESTS => {
            Err(Leave::Busy(retry_after(answer.headers())))
        }
        Ok(Err(error)) => Err(Leave::Unreachable(error.to_string())),
        Err(_) => Err(Leave::Unreachable("no answer in time".to_owned())),
    }
}

async fn next_head(heads: &mut Heads) -> Result<Height, Leave> {
    let gone = || Leave::Unreachable("it hung up".to_owned());
    loop {
        match heads.next().await.ok_or_else(gone)?.map_err(|error| Leave::Unreachable(error.to_string()))? {
            Message::Binary(bytes) => {
                let (header, _): (Header, Certificate) =
                    codec::decode(&bytes, MAX_HEAD_BYTES).map_err(|error| Leave::Malformed(error.to_string()))?;
                return Ok(header.height);
            }
            Message::Close(_) => return Err(gone()),
            _ => {}
        }
    }
}

/// The WebSocket form of an `http://` URL with a path.
pub(crate) fn web_socket(url: &str, path: &str) -> String {
    let base = url.trim_end_matches('/');
    let base = base.strip_prefix("http").map_or_else(|| base.to_owned(), |rest| format!("ws{rest}"));
    format!("{base}{path}")
}

#[cfg(test)]
mod tests;
