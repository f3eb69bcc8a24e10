//! A relay of whoever has the keys of all validators that a wallet knew: it serves another continuation of the chain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::{Certificate, Precommit};
use fair_core::chain::follow::Follower;
use fair_core::codec;
use fair_core::crypto::SecretKey;
use fair_core::message::Message as _;
use fair_core::types::{Hash, Height, TimeMs};
use fair_tests::network::Network;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

struct Served {
    genesis: Vec<u8>,
    blocks: Vec<CertifiedBlock>,
    asked: AtomicUsize,
}

/// The relay, until it is dropped.
pub(super) struct Forger {
    served: Arc<Served>,
    task: JoinHandle<()>,
}

#[derive(Deserialize)]
struct Range {
    from: Height,
    count: usize,
}

impl Served {
    fn from(&self, range: &Range) -> impl Iterator<Item = &CertifiedBlock> {
        self.blocks.iter().filter(|block| block.block.header.height >= range.from).take(range.count)
    }
}

impl Forger {
    /// Continues the true blocks by so many of its own.
    pub(super) async fn start(
        place: SocketAddr,
        network: &Network,
        mut blocks: Vec<CertifiedBlock>,
        forged: usize,
    ) -> Result<Self> {
        let genesis = network.genesis()?;
        let keys = (1..=genesis.validators.validators.len()).map(|number| signing_key(network, number));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let mut follower = Follower::new(&genesis);
        for block in &blocks {
            let step = follower.check(block, block.block.header.time_ms)?;
            follower.commit(step);
        }
        for _ in 0..forged {
            let proposer = genesis.validators.validators.first().context("a validator")?.account;
            let built = follower.build(&[], proposer, now_ms()?);
            let (height, block_hash) = (built.block.header.height, built.block.header.hash());
            let vote = Precommit { height, round: 0, block_hash: Some(block_hash) };
            let signatures = genesis.validators.validators.iter().map(|validator| {
                let key = keys.iter().find(|key| key.public() == validator.signing_key)?;
                Some(vote.sign(&genesis.chain_id(), key))
            });
            let certificate = Certificate { height, round: 0, block_hash, signatures: signatures.collect() };
            blocks.push(CertifiedBlock { block: built.block, certificate });
            follower.commit(built.step);
        }
        let served = Arc::new(Served { genesis: codec::encode(&genesis), blocks, asked: AtomicUsize::new(0) });
        let router = Router::new()
            .route("/v1/genesis", get(async |State(served): State<Arc<Served>>| served.genesis.clone()))
            .route("/v1/heads", get(heads))
            .route("/v1/blocks", get(blocks_from))
            .route("/v1/headers", get(headers_from))
            .fallback(async || StatusCode::NOT_FOUND)
            .layer(map_response(async |mut response: Response| {
                response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
                response
            }))
            .with_state(served.clone());
        let listener = TcpListener::bind(place).await?;
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") });
        Ok(Self { served, task })
    }

    /// How often it was asked for blocks.
    pub(super) fn asked(&self) -> usize {
        self.served.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Forger {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn heads(State(served): State<Arc<Served>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        if let Some(CertifiedBlock { block, certificate }) = served.blocks.last() {
            let head = codec::encode(&(&block.header, certificate));
            // A browser hangs up whenever it likes.
            let _ = socket.send(Message::Binary(head.into())).await;
        }
        while let Some(Ok(_)) = socket.recv().await {}
    })
}

async fn blocks_from(State(served): State<Arc<Served>>, Query(range): Query<Range>) -> Vec<u8> {
    served.asked.fetch_add(1, Ordering::SeqCst);
    codec::encode(&served.from(&range).collect::<Vec<_>>())
}

async fn headers_from(State(served): State<Arc<Served>>, Query(range): Query<Range>) -> Vec<u8> {
    codec::encode(&served.from(&range).map(|one| (&one.block.header, &one.certificate)).collect::<Vec<_>>())
}

fn signing_key(network: &Network, number: usize) -> Result<SecretKey> {
    let text = std::fs::read_to_string(network.folder().join(format!("v{number}/keys/signing.key")))?;
    let seed: Hash = text.trim().parse()?;
    Ok(SecretKey::from_seed(&seed.0))
}

fn now_ms() -> Result<TimeMs> {
    Ok(TimeMs::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}
