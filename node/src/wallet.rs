//! A wallet as a process: hosts `fair_core::wallet` ([`crate::host`]) and reaches its banks through a relay.
//!
//! Two kinds of process have one: somebody to try with, who sells and, on test networks, pays small invoices that
//! it is handed ([`http`]), and a merchant ([`crate::merchant`]). In both the operator moves the money from the own
//! machine ([`operator`]).

mod config;
mod house;
pub(crate) mod http;
pub(crate) mod operator;
mod orders;
mod towers;

use crate::bank::http_client;
use crate::checkpoint;
use crate::error::NodeError;
use crate::home::{Config, Home};
use crate::host::begin::{self, Past};
use crate::host::{self, Host, Input, Journal, Machine, Parts, Submitter, Through, follow, line};
use crate::merchant::Desk;
use crate::say;
use crate::serve;
use crate::store::{Store, onchain};
use crate::validator::stop_asked;
use axum::Router;
pub(crate) use config::Settings;
use fair_core::chain::genesis::{Genesis, Purpose};
use fair_core::channel::event::Debug;
use fair_core::crypto::SecretKey;
use fair_core::effect::Effect;
use fair_core::ledger::state::State;
use fair_core::peers::Chain;
use fair_core::types::{PublicKey, TimeMs};
use fair_core::wallet::{self, Event, Refusal, Wallet};
use house::House;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The wallet as its host sees it.
pub(crate) struct Hosted {
    pub(crate) wallet: Wallet,
    house: House,
    /// Of a merchant.
    pub(crate) desk: Option<Desk>,
    /// Counts changes that are durable, so that others can wait for one.
    changes: watch::Sender<u64>,
    /// Counts changes of with whom a session is to be kept, beside the banks that it was started with.
    lines: watch::Sender<u64>,
}

impl Machine for Hosted {
    type Event = Event;
    type Refusal = Refusal;

    fn handle(&mut self, input: Input<'_>, chain: &Chain<'_>, now_ms: TimeMs) -> Result<Vec<Effect<Event>>, Refusal> {
        use fair_core::wallet::Input as Of;
        if let (Some(desk), Input::Block { .. }) = (&mut self.desk, &input) {
            desk.before_block(&self.wallet);
        }
        let input = match input {
            Input::Connected { peer } => Of::Connected { peer },
            Input::Disconnected { peer } => Of::Disconnected { peer },
            Input::Message { peer, bytes } => Of::Message { peer, bytes },
            Input::Block { outcomes, openings } => Of::Block { outcomes, openings },
            Input::Tick => Of::Tick,
        };
        self.wallet.handle(input, chain, now_ms)
    }

    fn after_block(&mut self, chain: &Chain<'_>, now_ms: TimeMs) -> Vec<Effect<Event>> {
        let mut effects = self.house.keep(&mut self.wallet, chain, now_ms);
        if let Some(desk) = &mut self.desk {
            effects.extend(desk.keep(&mut self.wallet, chain, now_ms));
        }
        effects
    }

    fn complete(&mut self, effects: Vec<Effect<Event>>, chain: &Chain<'_>, now_ms: TimeMs) -> Vec<Effect<Event>> {
        match &mut self.desk {
            Some(desk) => desk.complete(effects, &self.wallet, chain, now_ms),
            None => effects,
        }
    }

    fn heard(&mut self, event: Event) {
        match event {
            Event::Misbehaviour { bank, what } => tracing::error!(%bank, ?what, "the bank broke the protocol"),
            Event::Suspended { bank, why } => tracing::error!(%bank, ?why, "the channel is suspended"),
            Event::Batch(sent) => tracing::info!(hash = %sent.hash, state = ?sent.state, "a batch ended"),
            Event::Court { peer, what } => tracing::warn!(%peer, ?what, "court"),
            Event::TowerFault { tower, what } => tracing::error!(%tower, %what, "a watchtower broke its word"),
            Event::Payment(_) | Event::Invoice(_) | Event::InvoicePaidAgain(_) => {
                if let Some(desk) = &self.desk {
                    desk.announce();
                }
            }
            Event::Tower(_) | Event::SessionWanted(_) | Event::SessionUnwanted(_) => {
                self.lines.send_modify(|count| *count = count.wrapping_add(1));
            }
            Event::Channel(_) | Event::Draft | Event::WithdrawalRefused { .. } => {}
        }
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// What a home with a wallet holds.
pub(crate) struct Stored {
    _lock: File,
    pub(crate) genesis: Genesis,
    pub(crate) key: SecretKey,
    relay: String,
    client: reqwest::Client,
    found: onchain::Found,
    onchain: Store,
    offchain: Store,
    path: PathBuf,
    records: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Stored {
    /// Opens the databases of a home.
    pub(crate) async fn open(home: &Home, config: &Config) -> Result<Self, NodeError> {
        let lock = home.lock()?;
        let (genesis, _) = home.genesis()?;
        let key = home.account_key()?;
        let no_relay = "a wallet needs the URL of a relay (relay = \"…\")";
        let relay = config.relay.clone().ok_or_else(|| content(home, no_relay))?;
        let (onchain, mut found) = onchain::open(&home.database("onchain")?, &genesis).await?;
        let client = http_client()?;
        let urls = std::slice::from_ref(&relay);
        checkpoint::go_on(&mut found.follower, config.checkpoint, &client, urls).await?;
        let path = home.database("offchain")?;
        let chain = (&mut found.follower, &onchain);
        let first = match begin::look(home, config, &path, chain, (&client, urls)).await? {
            Past::Known | Past::New => Vec::new(),
            Past::Lost => vec![Wallet::first_record_from_words()],
        };
        let (offchain, records) = host::open_records(&path, genesis.chain_id(), key.public(), first).await?;
        Ok(Self { _lock: lock, genesis, key, relay, client, found, onchain, offchain, path, records })
    }

    /// Takes the records out whose keys begin with a byte.
    pub(crate) fn take_records(&mut self, first: u8) -> Vec<(Vec<u8>, Vec<u8>)> {
        let (taken, rest) =
            std::mem::take(&mut self.records).into_iter().partition(|(key, _)| key.first() == Some(&first));
        self.records = rest;
        taken
    }

    pub(crate) fn journal(&self) -> Result<Journal, NodeError> {
        Ok(Journal::of(&self.offchain)?)
    }

    pub(crate) fn damaged(&self, reason: String) -> NodeError {
        NodeError::Damaged { path: self.path.clone(), reason }
    }
}

/// Which wallet is to run.
pub(crate) struct Wants {
    pub(crate) settings: Settings,
    /// Most liked first; empty: the one that it uses, or the network's first.
    pub(crate) banks: Vec<PublicKey>,
    pub(crate) desk: Option<Desk>,
}

/// A wallet that runs once somebody serves it.
pub(crate) struct Running {
    _lock: File,
    host: Host<Hosted>,
    listener: TcpListener,
    pub(crate) served: http::Served,
    pub(crate) tasks: Vec<JoinHandle<()>>,
}

/// Runs until it is told to stop, or must.
pub(crate) async fn run(home: &Home, config: &Config) -> Result<(), NodeError> {
    let settings = Settings::read(home)?;
    let stored = Stored::open(home, config).await?;
    let wants = Wants { settings, banks: settings.bank.into_iter().collect(), desk: None };
    let running = start(home, config, stored, wants).await?;
    let router = http::router(running.served.clone());
    running.serve(config, router).await
}

fn content(home: &Home, reason: &str) -> NodeError {
    NodeError::Content { path: home.path().to_owned(), reason: reason.to_owned() }
}

/// The bank of those who name none: of those on the register the one that is used, or the one with the lowest account
/// number, of those of the beginning if one is left: whoever registers later does not become everybody's bank by an old
/// account. One that was struck off is left to those who have a channel with it and with no other.
fn usual_bank(state: &State, genesis: &Genesis, used: &[PublicKey]) -> Option<PublicKey> {
    let by_number = |key: &PublicKey| state.account_id(key);
    let registered = used.iter().filter(|bank| state.bank(bank).is_some()).min_by_key(|bank| by_number(bank));
    let is_there = |bank: &PublicKey| state.bank(bank).is_some();
    let first = || genesis.banks.iter().map(|bank| bank.key).filter(is_there).min_by_key(by_number);
    let later = || state.banks().map(|bank| bank.key).min_by_key(by_number);
    registered.or_else(|| used.first()).copied().or_else(first).or_else(later)
}

/// Starts a wallet and everything that it has to do with the network.
pub(crate) async fn start(home: &Home, config: &Config, stored: Stored, wants: Wants) -> Result<Running, NodeError> {
    let Stored { _lock, genesis, key, relay, client, found, onchain, offchain, path, records } = stored;
    let chain_id = genesis.chain_id();
    let damaged = |reason: String| NodeError::Damaged { path: path.clone(), reason };
    let entropy = line::entropy().map_err(|error| damaged(error.to_string()))?;
    let records = records.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    let wallet = Wallet::restore(&machine_config(&genesis), key.clone(), chain_id, entropy, records)
        .map_err(|error| damaged(error.to_string()))?;
    let used: Vec<PublicKey> = wallet.banks().map(|(bank, _)| bank).collect();
    let state = found.follower.state();
    let usual = wants.banks.first().copied().or_else(|| usual_bank(state, &genesis, &used));
    let bank = usual.ok_or_else(|| content(home, "this network has no bank"))?;
    if state.bank(&bank).is_none() {
        tracing::warn!(%bank, "this bank is not on the register");
    }
    let banks = if wants.banks.is_empty() { vec![bank] } else { wants.banks };

    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| NodeError::Listen { address: config.listen.to_string(), error })?;
    let submitter = Submitter::new(client.clone(), Through::Configured, vec![relay.clone()]);
    let (changes, changed) = watch::channel(0);
    let (house, needs_money) = House::new(banks.clone(), genesis.purpose, wants.settings);
    let (lines, listed) = watch::channel(0);
    let machine = Hosted { wallet, house, desk: wants.desk, changes, lines };
    let stored = offchain.counter();
    let (host, handle) = Host::new(Parts { machine, follower: found.follower, onchain, offchain, submitter });
    let identity = line::Identity { chain_id, key };
    let mut tasks = vec![
        tokio::spawn(follow::run(handle.clone(), client.clone(), vec![relay.clone()])),
        tokio::spawn(towers::keep_sessions(handle.clone(), identity.clone(), relay.clone(), banks.clone(), listed)),
        tokio::spawn(house::ask_for_money(client, relay.clone(), identity.key.public(), needs_money)),
    ];
    for bank in banks {
        let path = (relay.clone(), format!("/v1/peers/{bank}"));
        tasks.push(tokio::spawn(line::keep_calling(vec![path], bank, identity.clone(), handle.clone())));
    }
    let served = http::Served {
        host: handle,
        own: identity.key.public(),
        bank,
        genesis: Arc::new(genesis),
        relay,
        token: home.make_operator_token()?,
        changed,
        stored,
        asked: Arc::default(),
    };
    Ok(Running { _lock, host, listener, served, tasks })
}

impl Running {
    /// Serves until it is told to stop, or must.
    pub(crate) async fn serve(self, config: &Config, router: Router) -> Result<(), NodeError> {
        let Self { _lock, host, listener, served, tasks } = self;
        drop(served);
        let server = serve::serve(listener, router, serve::ANYBODY);
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
        for task in tasks {
            task.abort();
        }
        hosting.stop().await;
        result
    }
}

fn machine_config(genesis: &Genesis) -> wallet::Config {
    wallet::Config { debug: if genesis.purpose == Purpose::Test { Debug::States } else { Debug::Off } }
}

/// The own part of the channel with the bank, for pages and status.
fn parts(hosted: &Hosted, bank: &PublicKey, asset: fair_core::types::AssetId) -> wallet::Parts {
    hosted.wallet.parts(bank, asset)
}

#[cfg(test)]
mod tests;
