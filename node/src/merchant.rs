//! A merchant: the wallet as a process ([`crate::wallet`]) for the server of a shop, which makes invoices, hears of
//! payments and gives refunds over HTTP ([`http`]).
//!
//! What the shop is told stands in the same transaction as the channel's state that it tells of: [`Desk::complete`]
//! sees everything that an input came to and adds the records and events that follow, before any of it is durable.
//! Answers, long polls and webhooks ([`courier`]) read what is durable. So a crash loses no event and makes none up.
//!
//! Records, all with the first byte `M`: `e ‖ invoice id` → [`entry::Entry`], `o ‖ id` → [`outgoing::Outgoing`],
//! `k ‖ key id` → [`keys::Key`], `w ‖ id` → [`webhooks::Endpoint`]. The journal's lines are events as JSON, by
//! sequence.

mod address;
mod attempts;
mod broom;
mod config;
mod courier;
mod desk;
mod entry;
mod event;
mod http;
mod keys;
mod numbers;
mod outgoing;
mod texts;
mod view;
mod webhooks;

pub(crate) use desk::Desk;
pub(crate) use keys::Scope;

use crate::error::NodeError;
use crate::home::{Config, Home};
use crate::limits;
use crate::wallet::{self, Stored, Wants};
use attempts::Attempts;
use config::Settings;
use courier::Courier;
use desk::Rules;
use keys::Keyring;
use std::sync::Arc;
use tokio::sync::mpsc;

/// First byte of all its records' keys.
const MERCHANT: u8 = b'M';

/// Runs until it is told to stop, or must.
pub(crate) async fn run(home: &Home, config: &Config) -> Result<(), NodeError> {
    let settings = Settings::read(home, home.genesis()?.0.chain_id())?;
    let authorities = Arc::new(settings.authorities(home)?);
    let mut stored = Stored::open(home, config).await?;
    let journal = stored.journal()?;
    let rules = Rules {
        own: stored.key.public(),
        chain_id: stored.genesis.chain_id(),
        origin: settings.origin.clone(),
        min_insured: settings.min_insured,
        sweep: settings.sweep.clone(),
        keeping: settings.keeping,
    };
    let first = journal.first()?.unwrap_or(1);
    let (mut desk, mut keys) = (Desk::new(rules, first, journal.last()?), Vec::new());
    for (key, value) in stored.take_records(MERCHANT) {
        let known = desk.restore(&key, &value).and_then(|known| Ok(known || keys::restore(&mut keys, &key, &value)?));
        match known {
            Ok(true) => {}
            Ok(false) => return Err(stored.damaged("it holds a merchant's record of an unknown kind".to_owned())),
            Err(error) => return Err(stored.damaged(error.to_string())),
        }
    }
    let secret = stored.key.clone();
    let told = desk.told();
    let wants = Wants { settings: settings.wallet(), banks: settings.banks.clone(), desk: Some(desk) };
    let mut running = wallet::start(home, config, stored, wants).await?;
    let (changes, changed) = mpsc::channel(limits::MERCHANT_ENDPOINTS);
    let attempts = Attempts::default();
    let shop = http::Parts {
        wallet: running.served.clone(),
        keys: Keyring::new(keys),
        journal: Arc::new(journal),
        url: config.url.trim_end_matches('/').to_owned(),
        secret,
        reach: settings.reach(),
        endpoints: changes,
        authorities: authorities.clone(),
        attempts: attempts.clone(),
        told: told.clone(),
        waiting: http::Places::default(),
    };
    let (host, journal) = (shop.wallet.host.clone(), shop.journal.clone());
    let reach = settings.reach();
    let courier = Courier { host: host.clone(), journal: journal.clone(), told, reach, authorities, attempts };
    running.tasks.push(tokio::spawn(courier::deliver_all(courier, changed)));
    running.tasks.push(tokio::spawn(broom::forget_events(host, journal, settings.keeping.events_ms)));
    let router = http::router(shop);
    running.serve(config, router).await
}
