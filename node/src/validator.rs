//! The validator's process.
//!
//! One loop ([`engine`]) owns the consensus machine, the follower and the mempool and performs effects in
//! the fixed order: durable first, then what leaves. Around it: [`http`] serves blocks and takes batches,
//! [`peers`] carries consensus messages, [`sync`] fetches blocks that others have already.
//!
//! A node whose keys are not those of a validator follows the chain and serves it, until a change of validators
//! makes it one; one that is voted out follows on.

mod engine;
mod http;
mod mempool;
mod peers;
mod silence;
mod sync;
mod timers;
mod wire;

use crate::checkpoint;
use crate::error::NodeError;
use crate::home::{Config, Home};
use crate::say;
use crate::store::onchain::{self, Blocks};
use engine::{Engine, Event, Parts};
use fair_core::consensus::Signer;
use fair_core::types::Hash;
use peers::{Members, Peers};
use silence::Silence;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// Who this validator is.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) chain_id: Hash,
    pub(crate) signer: Signer,
}

/// Runs until it is told to stop, or must.
pub(crate) async fn run(home: &Home, config: &Config) -> Result<(), NodeError> {
    let _lock = home.lock()?;
    let (genesis, genesis_bytes) = home.genesis()?;
    let key = home.signing_key()?;
    let identity = Identity { chain_id: genesis.chain_id(), signer: Signer { account: config.account, key } };
    let database = home.database("onchain")?;
    let (store, mut found) = onchain::open(&database, &genesis).await?;
    let silence = if config.claims.never_signed {
        store.commit(vec![onchain::silence_ends()]).await?;
        Silence::Over
    } else {
        Silence::at_start(&found, onchain::silent_until(&store)?, crate::clock::now_ms())
    };
    if config.checkpoint.is_some() {
        let validators = &found.follower.state().validators().validators;
        let others = validators.iter().map(|validator| validator.url.clone()).filter(|url| *url != config.url);
        let (others, client) = (others.collect::<Vec<_>>(), crate::bank::http_client()?);
        checkpoint::go_on(&mut found.follower, config.checkpoint, &client, &others).await?;
    }
    let members = Members::of(found.follower.state());

    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| NodeError::Listen { address: config.listen.to_string(), error })?;
    let blocks = Blocks::new(&store)?;
    let pace = onchain::pace(&store, &genesis)?;
    let snapshots = crate::snapshot::folder(&database)?;
    let genesis = Arc::new(genesis);
    let (events, incoming) = mpsc::channel::<Event>(crate::limits::ENGINE_QUEUE);
    let (offers, offered) = mpsc::channel(crate::limits::OFFERS_QUEUE);
    let peers = Peers::new(&members, identity.clone(), found.follower.height(), events.clone());
    let (members, members_seen) = watch::channel(members);
    let (heads, heads_seen) = watch::channel(engine::Published::at(found.head.clone()));
    let (vitals, vitals_seen) = watch::channel(engine::Vitals::default());
    let parts = Parts {
        identity: identity.clone(),
        silence,
        store,
        genesis: genesis.clone(),
        snapshots: snapshots.clone(),
        pace,
        peers: peers.clone(),
        events: events.clone(),
        heads,
        members,
        vitals,
    };
    let engine = Engine::start(found, parts).await?;

    let served = http::Served {
        identity,
        genesis,
        snapshots,
        genesis_bytes: genesis_bytes.into(),
        blocks,
        heads: heads_seen,
        vitals: vitals_seen,
        events,
        offers,
        members: members_seen,
        peers,
    };
    let server = http::serve(listener, served);
    say::ready(config.listen);
    tokio::select! {
        result = engine.run(incoming, offered) => result,
        result = server => result.map_err(|error| NodeError::Listen { address: config.listen.to_string(), error }),
        () = stop_asked() => {
            tracing::info!("stopping");
            Ok(())
        }
    }
}

/// SIGINT or SIGTERM.
pub(crate) async fn stop_asked() {
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    match terminate {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
