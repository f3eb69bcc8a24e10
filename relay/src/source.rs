//! One validator as a source of blocks. Nothing that it says is believed here.

use crate::limits;
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::Certificate;
use fair_core::chain::header::Header;
use fair_core::codec;
use fair_core::types::Height;
use futures_util::StreamExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// Blocks asked for at once.
const BLOCKS_AT_ONCE: u64 = 64;

/// Where blocks may be had.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    url: String,
    client: reqwest::Client,
}

/// Why a source is left.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// Not reached, or the connection broke.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// Bytes that are not what was asked for.
    #[error("answers with something else: {0}")]
    Malformed(String),
}

/// Its announcements of heads.
pub(crate) struct Announcements(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Source {
    pub(crate) fn new(url: String) -> Self {
        let client = reqwest::Client::builder()
            .connect_timeout(limits::CONNECT_TIME)
            .timeout(limits::ANSWER_TIME)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap_or_default();
        Self { url, client }
    }

    /// What it is called in the log.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Some blocks from a height on; none when it has no more.
    pub(crate) async fn blocks(&self, from: Height) -> Result<Vec<CertifiedBlock>, SourceError> {
        let url = format!("{}/v1/blocks?from={from}&count={BLOCKS_AT_ONCE}", self.url);
        let response = self.client.get(url).send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(SourceError::Unreachable(format!("it answers {}", response.status())));
        }
        let bytes = read_capped(response, limits::MAX_BLOCKS_ANSWER_BYTES).await?;
        codec::decode(&bytes, limits::MAX_BLOCKS_ANSWER_BYTES)
            .map_err(|error| SourceError::Malformed(error.to_string()))
    }

    /// Listens for its heads.
    pub(crate) async fn announcements(&self) -> Result<Announcements, SourceError> {
        let url = web_socket_url(&self.url, "/v1/heads");
        let config = WebSocketConfig::default()
            .max_message_size(Some(fair_core::limits::MAX_HEADER_BYTES + fair_core::limits::MAX_CERTIFICATE_BYTES))
            .max_frame_size(Some(fair_core::limits::MAX_HEADER_BYTES + fair_core::limits::MAX_CERTIFICATE_BYTES));
        let connecting = connect_async_with_config(url, Some(config), true);
        let (socket, _) = timeout(limits::CONNECT_TIME, connecting)
            .await
            .map_err(|_| SourceError::Unreachable("no answer in time".to_owned()))?
            .map_err(unreachable)?;
        Ok(Announcements(socket))
    }
}

impl Announcements {
    /// Height of the next head that it announces.
    pub(crate) async fn next(&mut self) -> Result<Height, SourceError> {
        loop {
            let Some(message) = self.0.next().await else {
                return Err(SourceError::Unreachable("it closed the connection".to_owned()));
            };
            match message.map_err(unreachable)? {
                Message::Binary(bytes) => {
                    let limit = fair_core::limits::MAX_HEADER_BYTES + fair_core::limits::MAX_CERTIFICATE_BYTES;
                    let (header, _): (Header, Certificate) =
                        codec::decode(&bytes, limit).map_err(|error| SourceError::Malformed(error.to_string()))?;
                    return Ok(header.height);
                }
                Message::Close(_) => return Err(SourceError::Unreachable("it closed the connection".to_owned())),
                _ => {}
            }
        }
    }
}

fn unreachable(error: impl std::error::Error) -> SourceError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    SourceError::Unreachable(text)
}

/// The WebSocket form of an `http://` URL with a path.
pub(crate) fn web_socket_url(url: &str, path: &str) -> String {
    let base = url.trim_end_matches('/');
    let base = match base.strip_prefix("http") {
        Some(rest) => format!("ws{rest}"),
        None => base.to_owned(),
    };
    format!("{base}{path}")
}

/// Reads an answer, but not beyond a cap.
pub(crate) async fn read_capped(mut response: reqwest::Response, limit: usize) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if bytes.len().saturating_add(chunk.len()) > limit {
            return Err(SourceError::Malformed(format!("an answer of more than {limit} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
