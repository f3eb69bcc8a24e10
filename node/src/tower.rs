//! The watchtower's process: hosts `fair_core::tower` ([`crate::host`]), serves sessions, and answers in court with
//! the money of its own account ([`http`] says what it tells).

mod config;
mod http;

use crate::bank::http_client;
use crate::checkpoint;
use crate::error::NodeError;
use crate::home::{Config, Home};
use crate::host::{self, Host, Input, Machine, Parts, Submitter, Through, follow, line};
use crate::say;
use crate::store::onchain;
use crate::validator::stop_asked;
use config::Settings;
use fair_core::effect::Effect;
use fair_core::peers::Chain;
use fair_core::tower::{Event, Money, Refusal, Tower};
use fair_core::types::TimeMs;
use std::sync::Arc;
use tokio::net::TcpListener;

/// The tower as its host sees it.
pub(crate) struct Hosted {
    tower: Tower,
}

impl Machine for Hosted {
    type Event = Event;
    type Refusal = Refusal;

    fn handle(&mut self, input: Input<'_>, chain: &Chain<'_>, now_ms: TimeMs) -> Result<Vec<Effect<Event>>, Refusal> {
        use fair_core::tower::Input as Of;
        let input = match input {
            Input::Connected { peer } => Of::Connected { peer },
            Input::Disconnected { peer } => Of::Disconnected { peer },
            Input::Message { peer, bytes } => Of::Message { peer, bytes },
            Input::Block { outcomes, .. } => Of::Block { outcomes },
            // A tower asks for no timers.
            Input::Tick => return Ok(Vec::new()),
        };
        self.tower.handle(input, chain, now_ms)
    }

    fn heard(&mut self, event: Event) {
        match event {
            Event::Kept { client, place, .. } => {
                tracing::debug!(%client, epoch = place.epoch, frame = place.order.frame, "a newer state is kept");
            }
            Event::Declined { client, reason } => tracing::info!(%client, %reason, "a state is not kept"),
            Event::Misbehaviour { client, what } => tracing::warn!(%client, %what, "a client broke the protocol"),
            Event::Answering { answers, fee } => tracing::warn!(answers, fee, "answering in court"),
            Event::Answered { taken, skipped } => {
                for skipped in skipped {
                    let (left, right) = (skipped.parties.left(), skipped.parties.right());
                    tracing::warn!(%left, %right, reason = %skipped.reason, "court did not take an answer");
                }
                tracing::info!(taken, "answers are in court");
            }
            Event::Money(Money::Enough) => tracing::info!("there is money to answer with"),
            Event::Money(money) => tracing::error!(?money, "the account cannot pay for answers: deposit FRD"),
            Event::Released { parties } => {
                tracing::info!(left = %parties.left(), right = %parties.right(), "an epoch is over");
            }
        }
    }
}

/// Runs until it is told to stop, or must.
pub(crate) async fn run(home: &Home, config: &Config) -> Result<(), NodeError> {
    let _lock = home.lock()?;
    let (genesis, _) = home.genesis()?;
    let settings = Settings::read(home, &genesis)?;
    let key = home.account_key()?;
    let chain_id = genesis.chain_id();
    let (onchain, mut found) = onchain::open(&home.database("onchain")?, &genesis).await?;
    let path = home.database("offchain")?;
    let (offchain, records) = host::open_records(&path, chain_id, key.public(), Vec::new()).await?;
    let stored = records.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    let tower = Tower::restore(settings.machine, key.clone(), chain_id, stored)
        .map_err(|error| NodeError::Damaged { path: path.clone(), reason: error.to_string() })?;

    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| NodeError::Listen { address: config.listen.to_string(), error })?;
    let client = http_client()?;
    checkpoint::go_on(&mut found.follower, config.checkpoint, &client, &settings.follow).await?;
    let submitter = Submitter::new(client.clone(), Through::Validators, settings.follow.clone());
    let parts = Parts { machine: Hosted { tower }, follower: found.follower, onchain, offchain, submitter };
    let (host, handle) = Host::new(parts);
    let following = tokio::spawn(follow::run(handle.clone(), client, settings.follow));
    let served = http::Served {
        host: handle,
        identity: line::Identity { chain_id, key },
        genesis: Arc::new(genesis),
        url: config.url.clone(),
    };
    let server = http::serve(listener, served);
    say::ready(config.listen);
    let result = tokio::select! {
        result = host.run() => result,
        result = server => result.map_err(|error| NodeError::Listen { address: config.listen.to_string(), error }),
        () = stop_asked() => {
            tracing::info!("stopping");
            Ok(())
        }
    };
    following.abort();
    result
}
