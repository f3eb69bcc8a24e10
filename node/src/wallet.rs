//! A wallet as a process: hosts `fair_core::wallet` ([`crate::host`]), reaches its bank through a relay,
//! sells and, on test networks, pays small invoices that it is handed ([`http`]): somebody to try with. Its
//! operator moves its money from the own machine ([`operator`]).

mod config;
mod house;
mod http;
pub(crate) mod operator;
mod orders;
mod towers;

use crate::bank::http_client;
use crate::error::NodeError;
use crate::home::{Config, Home};
use crate::host::{self, Host, Input, Machine, Parts, Submitter, Through, follow, line};
use crate::store::onchain;
use crate::validator::stop_asked;
use config::Settings;
use fair_core::chain::genesis::{Genesis, Purpose};
use fair_core::channel::event::Debug;
use fair_core::effect::Effect;
use fair_core::peers::Chain;
use fair_core::types::{PublicKey, TimeMs};
use fair_core::wallet::{self, Event, Refusal, Wallet};
use house::House;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The wallet as its host sees it.
pub(crate) struct Hosted {
    wallet: Wallet,
    house: House,
    /// Counts changes that are durable, so that others can wait for one.
    changes: watch::Sender<u64>,
    /// Counts changes of the list of towers.
    towers: watch::Sender<u64>,
}

impl Machine for Hosted {
    type Event = Event;
    type Refusal = Refusal;

    fn handle(&mut self, input: Input<'_>, chain: &Chain<'_>, now_ms: TimeMs) -> Result<Vec<Effect<Event>>, Refusal> {
        use fair_core::wallet::Input as Of;
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
        self.house.keep(&mut self.wallet, chain, now_ms)
    }

    fn heard(&mut self, event: Event) {
        match event {
            Event::Misbehaviour { bank, what } => tracing::error!(%bank, ?what, "the bank broke the protocol"),
            Event::Suspended { bank, why } => tracing::error!(%bank, ?why, "the channel is suspended"),
            Event::Batch(sent) => tracing::info!(hash = %sent.hash, state = ?sent.state, "a batch ended"),
            Event::Court { peer, what } => tracing::warn!(%peer, ?what, "court"),
            Event::TowerFault { tower, what } => tracing::error!(%tower, %what, "a watchtower broke its word"),
            Event::Tower(_) => self.towers.send_modify(|count| *count = count.wrapping_add(1)),
            Event::Payment(_)
            | Event::Invoice(_)
            | Event::InvoicePaidAgain(_)
            | Event::Channel(_)
            | Event::Draft
            | Event::SessionWanted(_)
            | Event::SessionUnwanted(_)
            | Event::WithdrawalRefused { .. } => {}
        }
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Runs until it is told to stop, or must.
pub(crate) async fn run(home: &Home, config: &Config) -> Result<(), NodeError> {
    let _lock = home.lock()?;
    let (genesis, _) = home.genesis()?;
    let content = |reason: &str| NodeError::Content { path: home.path().to_owned(), reason: reason.to_owned() };
    let relay = config.relay.clone().ok_or_else(|| content("a wallet needs the URL of a relay (relay = \"…\")"))?;
    let bank = genesis.banks.first().ok_or_else(|| content("this network has no bank"))?.key;
    let settings = Settings::read(home)?;
    let key = home.account_key()?;
    let chain_id = genesis.chain_id();
    let (onchain, found) = onchain::open(&home.database("onchain")?, &genesis).await?;
    let path = home.database("offchain")?;
    let (offchain, records) = host::open_records(&path, chain_id, key.public()).await?;
    let stored = records.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    let damaged = |reason: String| NodeError::Damaged { path: path.clone(), reason };
    let entropy = line::entropy().map_err(|error| damaged(error.to_string()))?;
    let machine = Wallet::restore(&machine_config(&genesis), key.clone(), chain_id, entropy, stored)
        .map_err(|error| damaged(error.to_string()))?;

    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| NodeError::Listen { address: config.listen.to_string(), error })?;
    let client = http_client()?;
    let submitter = Submitter::new(client.clone(), Through::Configured, vec![relay.clone()]);
    let patience = Duration::from_millis(genesis.parameters.max_idle_ms.saturating_add(crate::limits::LATE_BLOCK_MS));
    let (changes, changed) = watch::channel(0);
    let (house, needs_money) = House::new(bank, genesis.purpose, settings);
    let (towers, listed) = watch::channel(0);
    let machine = Hosted { wallet: machine, house, changes, towers };
    let (host, handle) = Host::new(Parts { machine, follower: found.follower, onchain, offchain, submitter });
    let identity = line::Identity { chain_id, key };
    let path = (relay.clone(), format!("/v1/peers/{bank}"));
    let tasks = [
        tokio::spawn(follow::run(handle.clone(), client.clone(), vec![relay.clone()], patience)),
        tokio::spawn(line::keep_calling(vec![path], bank, identity.clone(), handle.clone())),
        tokio::spawn(towers::keep_sessions(handle.clone(), identity.clone(), relay.clone(), listed)),
        tokio::spawn(house::ask_for_money(client, relay.clone(), identity.key.public(), needs_money)),
    ];
    let served = http::Served {
        host: handle,
        own: identity.key.public(),
        bank,
        genesis: Arc::new(genesis),
        relay,
        token: home.make_operator_token()?,
        changed,
        asked: Arc::default(),
    };
    let server = http::serve(listener, served);
    println!("ready http://{}", config.listen);
    let result = tokio::select! {
        result = host.run() => result,
        result = server => result.map_err(|error| NodeError::Listen { address: config.listen.to_string(), error }),
        () = stop_asked() => {
            tracing::info!("stopping");
            Ok(())
        }
    };
    for task in tasks {
        task.abort();
    }
    result
}

fn machine_config(genesis: &Genesis) -> wallet::Config {
    wallet::Config { debug: if genesis.purpose == Purpose::Test { Debug::States } else { Debug::Off } }
}

/// The own part of the channel with the bank, for pages and status.
fn parts(hosted: &Hosted, bank: &PublicKey, asset: fair_core::types::AssetId) -> wallet::Parts {
    hosted.wallet.parts(bank, asset)
}
