//! A relay that lies about one block: everything comes from an honest relay, but one part of the block of one
//! height is changed on the way.

use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use fair_core::chain::block::CertifiedBlock;
use fair_core::types::Height;
use fair_core::{codec, limits};
use fair_tests::http::{Server, pass_on, read_head};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Longest answer with blocks.
const MAX_BLOCKS_BYTES: usize = 32 << 20;

/// Changes a block.
pub(super) type Lie = fn(&mut CertifiedBlock);

/// What all connections share.
struct Script {
    upstream: String,
    height: Height,
    lie: Mutex<Option<Lie>>,
}

/// The relay, on a free port, until it is dropped.
pub(super) struct LyingRelay {
    /// `http://127.0.0.1:PORT`
    pub(super) url: String,
    script: Arc<Script>,
    _server: Server,
}

impl LyingRelay {
    /// Stands before an honest relay and will lie about the block at `height`.
    pub(super) async fn start(upstream: &str, height: Height) -> Result<Self> {
        let upstream = upstream.strip_prefix("http://").context("an http address")?.to_owned();
        let script = Arc::new(Script { upstream, height, lie: Mutex::new(None) });
        let shared = script.clone();
        let server = Server::start(move |stream| answer(stream, shared.clone())).await?;
        Ok(Self { url: server.url.clone(), script, _server: server })
    }

    /// Tells this lie from now on, or the truth.
    pub(super) fn tell(&self, lie: Option<Lie>) {
        *self.script.lie.lock().expect("nobody panics with it") = lie;
    }
}

/// One request per connection; a WebSocket lasts as long as its connection.
async fn answer(mut stream: TcpStream, script: Arc<Script>) -> Result<()> {
    let (head, rest) = read_head(&mut stream).await?;
    let path = head.split(' ').nth(1).context("a path")?.to_owned();
    if path.starts_with("/v1/blocks") {
        return answer_with_blocks(stream, &script, &path).await;
    }
    pass_on(stream, &script.upstream, &head, &rest).await
}

async fn answer_with_blocks(mut stream: TcpStream, script: &Script, path: &str) -> Result<()> {
    let answer = reqwest::get(format!("http://{}{path}", script.upstream)).await?.error_for_status()?;
    let mut blocks: Vec<CertifiedBlock> = codec::decode(&answer.bytes().await?, MAX_BLOCKS_BYTES)?;
    let lie = *script.lie.lock().expect("nobody panics with it");
    if let Some(lie) = lie {
        blocks.iter_mut().filter(|block| block.block.header.height == script.height).for_each(lie);
    }
    let body = codec::encode(&blocks);
    assert!(body.len() <= limits::MAX_CERTIFIED_BLOCK_BYTES, "a short chain");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    Ok(stream.shutdown().await?)
}
