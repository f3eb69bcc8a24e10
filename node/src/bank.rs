//! The bank's process: hosts `fair_core::bank` ([`crate::host`]), serves sessions, the faucet of test
//! networks and what its operator looks at ([`http`]).
//!
//! The bank holds the key of its account and is the only one that signs batches for it: also the one that registers it
//! as a bank, so that it runs before that, following the chain and beginning no channels.

mod config;
mod faucet;
mod http;
mod page;
mod view;

use crate::checkpoint;
use crate::error::NodeError;
use crate::home::{Config, Home};
use crate::host::begin::{self, Past};
use crate::host::{self, Host, Input, Machine, Parts, Submitter, Through, follow, line};
use crate::say;
use crate::store::onchain;
use crate::validator::stop_asked;
use config::Settings;
use fair_core::bank::{Bank, Event, Refusal};
use fair_core::effect::Effect;
use fair_core::peers::Chain;
use fair_core::types::{PublicKey, TimeMs};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The bank as its host sees it.
pub(crate) struct Hosted {
    bank: Bank,
    own: PublicKey,
    registered: bool,
    /// Counts changes that are durable, so that others can wait for one.
    changes: watch::Sender<u64>,
}

impl Machine for Hosted {
    type Event = Event;
    type Refusal = Refusal;

    fn handle(&mut self, input: Input<'_>, chain: &Chain<'_>, now_ms: TimeMs) -> Result<Vec<Effect<Event>>, Refusal> {
        use fair_core::bank::Input as Of;
        let input = match input {
            Input::Connected { peer } => Of::Connected { peer },
            Input::Disconnected { peer } => Of::Disconnected { peer },
            Input::Message { peer, bytes } => Of::Message { peer, bytes },
            Input::Block { outcomes, openings } => Of::Block { outcomes, openings },
            Input::Tick => Of::Tick,
        };
        self.bank.handle(input, chain, now_ms)
    }

    fn after_block(&mut self, chain: &Chain<'_>, _now_ms: TimeMs) -> Vec<Effect<Event>> {
        let registered = chain.state.bank(&self.own).is_some();
        if registered != self.registered {
            self.registered = registered;
            self.tell_register();
        }
        Vec::new()
    }

    fn heard(&mut self, event: Event) {
        match event {
            Event::Misbehaviour { peer, what } => tracing::error!(%peer, ?what, "a partner broke the protocol"),
            Event::Suspended { peer, why } => tracing::error!(%peer, ?why, "a channel is suspended"),
            Event::RebalanceStarted { asked } => tracing::info!(asked, "rebalancing"),
            Event::RebalanceSent { withdrawals, deposits } => {
                tracing::info!(withdrawals, deposits, "a rebalance was sent");
            }
            Event::Batch(sent) => tracing::info!(hash = %sent.hash, state = ?sent.state, "a batch ended"),
            Event::Direct(request) => tracing::info!(request = hex::encode(request), "a direct payment moved on"),
            Event::Court { peer, what } => tracing::warn!(%peer, ?what, "court"),
            Event::Mediated { .. } | Event::Channel { .. } => {}
        }
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Hosted {
    fn tell_register(&self) {
        if self.registered {
            tracing::info!(account = %self.own, "on the register of banks: serving");
        } else {
            tracing::warn!(account = %self.own, "not on the register of banks: no channel begins (node register-bank)");
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
    let client = http_client()?;
    checkpoint::go_on(&mut found.follower, config.checkpoint, &client, &settings.follow).await?;
    let path = home.database("offchain")?;
    let chain = (&mut found.follower, &onchain);
    let first = match begin::look(home, config, &path, chain, (&client, &settings.follow)).await? {
        Past::Known | Past::New => Vec::new(),
        Past::Lost if config.claims.data_lost => vec![Bank::first_record_after_data_loss()],
        Past::Lost => return Err(NodeError::RecordsLost { path }),
    };
    let (offchain, records) = host::open_records(&path, chain_id, key.public(), first).await?;
    let stored = records.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    let damaged = |reason: String| NodeError::Damaged { path: path.clone(), reason };
    let entropy = line::entropy().map_err(|error| damaged(error.to_string()))?;
    let machine = Bank::restore(settings.machine.clone(), key.clone(), chain_id, entropy, stored)
        .map_err(|error| damaged(error.to_string()))?;

    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| NodeError::Listen { address: config.listen.to_string(), error })?;
    let submitter = Submitter::new(client.clone(), Through::Validators, settings.follow.clone());
    let (changes, changed) = watch::channel(0);
    let own = key.public();
    let registered = found.follower.state().bank(&own).is_some();
    let machine = Hosted { bank: machine, own, registered, changes };
    machine.tell_register();
    let parts = Parts { machine, follower: found.follower, onchain, offchain, submitter };
    let (host, handle) = Host::new(parts);
    let following = tokio::spawn(follow::run(handle.clone(), client, settings.follow.clone()));
    let served = http::Served {
        host: handle,
        identity: line::Identity { chain_id, key },
        genesis: Arc::new(genesis),
        settings: Arc::new(settings),
        token: home.make_operator_token()?,
        gifts: Arc::default(),
        changed,
    };
    let server = http::serve(listener, served);
    say::ready(config.listen);
    let mut hosting = host.start();
    let result = tokio::select! {
        result = hosting.ended() => result,
        result = server => result.map_err(|error| NodeError::Listen { address: config.listen.to_string(), error }),
        () = stop_asked() => {
            tracing::info!("stopping");
            Ok(())
        }
    };
    following.abort();
    hosting.stop().await;
    result
}

/// For asking validators and relays.
pub(crate) fn http_client() -> Result<reqwest::Client, NodeError> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| NodeError::System { what: "an HTTP client", reason: error.to_string() })
}
