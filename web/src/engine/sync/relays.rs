//! Which relays there are, and what they announce.
//!
//! One task per relay listens for announced heads and wakes the loop that follows the chain ([`super`]). An announcement
//! is a claim: it counts for whom is asked, and for nothing else. A relay that lies is dropped and named, and tried
//! again only when a person says so.

use super::{Core, Sync};
use crate::chain::{Announcement, Chain};
use crate::changes::Changes;
use crate::error::Error;
use crate::events::now_ms;
use crate::limits;
use crate::net::socket::{Incoming, Socket};
use crate::net::{self, socket_url};
use crate::record;
use crate::view::{RelayPhase, SyncState};
use fair_core::chain::certificate::Certificate;
use fair_core::chain::genesis::Genesis;
use fair_core::chain::header::Header;
use fair_core::chain::trust::Lead;
use fair_core::chain::verify::BadBlock;
use fair_core::codec;
use fair_core::limits as core_limits;
use fair_core::types::Height;
use futures_util::future::{AbortHandle, Abortable};
use gloo_timers::future::TimeoutFuture;
use std::rc::Rc;
use wasm_bindgen_futures::spawn_local;

/// One relay.
pub(in crate::engine) struct Relay {
    pub(super) url: String,
    pub(super) phase: RelayPhase,
    /// Newest announcement, not verified beyond its certificate.
    pub(super) announced: Option<(Header, Certificate)>,
    pub(super) error: Option<Error>,
    /// Since when it announces blocks and does not serve them.
    pub(super) withholding_since: Option<f64>,
    /// How often it was asked and did not lead to the end in its time.
    pub(in crate::engine) turns: u32,
    /// How far its headers lead to the confirmed block, when its turn was over before they did.
    pub(in crate::engine) lead: Option<Lead>,
    /// Its snapshots were looked at in this connection.
    pub(super) snapshots_asked: bool,
    /// It offered a snapshot that does not verify, and is asked for none any more.
    pub(super) snapshot_refused: bool,
    /// The lowest height of which it has blocks, where that is above our head. Until it announces another one.
    pub(super) first: Option<Height>,
    pub(super) task: Option<AbortHandle>,
}

impl Relay {
    pub(super) const fn new(url: String) -> Self {
        Self {
            url,
            phase: RelayPhase::Connecting,
            announced: None,
            error: None,
            withholding_since: None,
            turns: 0,
            lead: None,
            snapshots_asked: false,
            snapshot_refused: false,
            first: None,
            task: None,
        }
    }

    /// Whether it is online, and says that it has this height.
    fn has_announced(&self, height: Height) -> bool {
        self.phase == RelayPhase::Online && self.announced.as_ref().is_some_and(|(header, _)| header.height >= height)
    }
}

impl Sync {
    /// Origins that are not dropped, those online first.
    pub(in crate::engine) fn usable(&self) -> Vec<String> {
        let in_phase = |phase| self.relays.iter().filter(move |relay| relay.phase == phase);
        let rest = in_phase(RelayPhase::Connecting).chain(in_phase(RelayPhase::Offline));
        in_phase(RelayPhase::Online).chain(rest).map(|relay| relay.url.clone()).collect()
    }

    pub(in crate::engine) fn relay(&mut self, url: &str) -> Option<&mut Relay> {
        self.relays.iter_mut().find(|relay| relay.url == url)
    }

    /// It did not lead to the end in its time: others are asked before it is again.
    pub(in crate::engine) fn give_way(&mut self, url: &str) {
        if let Some(relay) = self.relay(url) {
            relay.turns = relay.turns.saturating_add(1);
        }
    }

    /// How far a relay led from one place to another, or where to begin with it.
    pub(in crate::engine) fn lead_of(&mut self, url: &str, begun: Lead) -> Lead {
        let kept = self.relay(url).and_then(|relay| relay.lead.take());
        kept.filter(|kept| (kept.from(), kept.to()) == (begun.from(), begun.to())).unwrap_or(begun)
    }

    /// Nothing is to be led to any more.
    pub(in crate::engine) fn forget_leads(&mut self) {
        self.relays.iter_mut().for_each(|relay| relay.lead = None);
    }

    pub(super) fn target(&self) -> Option<Height> {
        let usable = self.relays.iter().filter(|relay| relay.phase == RelayPhase::Online);
        usable.filter_map(|relay| relay.announced.as_ref()).map(|(header, _)| header.height).max()
    }

    /// The relay to ask for blocks above a height, up to one that it announces to have.
    pub(in crate::engine) fn source(&self, height: Height, target: Height) -> Option<String> {
        let goes_on = |relay: &&Relay| {
            relay.has_announced(target) && relay.first.is_none_or(|first| first <= height.saturating_add(1))
        };
        let relays = self.relays.iter().filter(goes_on);
        let order = |relay: &&Relay| (relay.withholding_since.is_some(), relay.snapshot_refused, relay.turns);
        relays.min_by_key(order).map(|relay| relay.url.clone())
    }

    /// The relay to ask for its snapshots next, of those that announce to have come so far.
    pub(super) fn ask_for_snapshots(&mut self, target: Height) -> Option<String> {
        let is_new =
            |relay: &&mut Relay| relay.has_announced(target) && !relay.snapshots_asked && !relay.snapshot_refused;
        let relays = self.relays.iter_mut().filter(is_new);
        let relay = relays.min_by_key(|relay| (relay.withholding_since.is_some(), relay.turns))?;
        relay.snapshots_asked = true;
        Some(relay.url.clone())
    }
}

impl Core {
    pub(super) fn listen_to_relays(self: &Rc<Self>) {
        for relay in &mut self.sync.borrow_mut().relays {
            if relay.task.is_none() && relay.phase != RelayPhase::Dropped {
                let (handle, registration) = AbortHandle::new_pair();
                relay.task = Some(handle);
                let listening = self.clone().listen(relay.url.clone());
                spawn_local(async move {
                    // Ended by itself or by its handle: either way it is over.
                    let _ = Abortable::new(listening, registration).await;
                });
            }
        }
    }

    /// Keeps a connection to one relay until it is dropped or removed.
    async fn listen(self: Rc<Self>, url: String) {
        let mut wait_ms = limits::RECONNECT_MIN_MS;
        loop {
            let ended = match self.clone().ensure_chain(&url).await {
                Ok(()) => self.listen_once(&url, &mut wait_ms).await,
                Err(error) => Some(error),
            };
            let Some(error) = ended else { return };
            self.relay_offline(&url, error);
            TimeoutFuture::new(wait_ms).await;
            wait_ms = wait_ms.saturating_mul(2).min(limits::RECONNECT_MAX_MS);
        }
    }

    /// `None`: the relay was dropped.
    async fn listen_once(self: &Rc<Self>, url: &str, wait_ms: &mut u32) -> Option<Error> {
        let unreachable = |why| Error::passing("relay.unreachable", format!("{url} cannot be reached: {why}."));
        let mut socket = match Socket::open(&socket_url(url, "/v1/heads"), limits::MAX_HEAD_BYTES) {
            Ok(socket) => socket,
            Err(error) => return Some(unreachable(error)),
        };
        loop {
            match socket.next().await {
                Incoming::Open => {}
                Incoming::Closed(why) => return Some(unreachable(why)),
                Incoming::Bytes(bytes) => {
                    *wait_ms = limits::RECONNECT_MIN_MS;
                    match codec::decode::<(Header, Certificate)>(&bytes, limits::MAX_HEAD_BYTES) {
                        Ok((header, certificate)) => {
                            if !self.on_announcement(url, header, certificate).await {
                                return None;
                            }
                        }
                        Err(error) => {
                            let error = Error::new(
                                "relay.malformed",
                                format!("{url} announced a head that cannot be read: {error}."),
                            );
                            self.drop_relay(url, error, None);
                            return None;
                        }
                    }
                }
            }
        }
    }

    /// `false`: the relay was dropped.
    async fn on_announcement(self: &Rc<Self>, url: &str, header: Header, certificate: Certificate) -> bool {
        let Ok(chain) = self.chain() else { return true };
        match chain.compare(&header, &certificate, now_ms()).await {
            Ok(None) => {}
            Ok(Some(fork)) => {
                self.on_fork(&chain, url, fork).await;
                return true;
            }
            Err(Announcement::Bad(bad)) => {
                self.drop_relay(url, Error::of("chain", &bad), Some(header.height));
                return false;
            }
            Err(Announcement::Storage(error)) => {
                self.events.error(&error);
                return true;
            }
        }
        if let Some(relay) = self.sync.borrow_mut().relay(url) {
            relay.phase = RelayPhase::Online;
            relay.error = None;
            relay.announced = Some((header, certificate));
            relay.first = None;
        }
        self.look_at_head();
        drop(self.wake.unbounded_send(()));
        true
    }

    /// Makes sure that the chain is known: the stored or pinned one, or the first that a relay shows.
    async fn ensure_chain(self: Rc<Self>, url: &str) -> Result<(), Error> {
        if self.chain.borrow().is_some() {
            return Ok(());
        }
        let bytes = net::get(&format!("{url}/v1/genesis"), "relay", core_limits::MAX_GENESIS_BYTES).await?;
        let genesis = match Genesis::decode(&bytes) {
            Ok(genesis) => genesis,
            Err(error) => {
                let error = Error::new("chain.bad_genesis", error.to_string());
                self.drop_relay(url, error.clone(), None);
                return Err(error);
            }
        };
        if let Some(expected) = self.config.chain_id.filter(|expected| *expected != genesis.chain_id()) {
            let error = Error::of("chain", &BadBlock::WrongChain { expected, got: genesis.chain_id() });
            self.drop_relay(url, error.clone(), None);
            return Err(error);
        }
        let writing = self.writing.lock().await;
        if self.chain.borrow().is_none() {
            let chain = Chain::begin(genesis, self.chain_store.clone()).await?;
            *self.chain.borrow_mut() = Some(Rc::new(chain));
            self.emit_status();
        }
        drop(writing);
        self.start_machine().await
    }

    /// Announced heads that we have reached by now are held against what was executed.
    pub(super) async fn compare_announced(self: &Rc<Self>, chain: &Rc<Chain>) {
        let announced: Vec<_> = {
            let sync = self.sync.borrow();
            let announced = sync.relays.iter().filter_map(|relay| Some((relay.url.clone(), relay.announced.clone()?)));
            announced.filter(|(_, (header, _))| header.height <= chain.height()).collect()
        };
        for (url, (header, certificate)) in announced {
            match chain.compare(&header, &certificate, now_ms()).await {
                Ok(Some(fork)) => self.on_fork(chain, &url, fork).await,
                Err(Announcement::Bad(bad)) => self.drop_relay(&url, Error::of("chain", &bad), Some(header.height)),
                Ok(None) | Err(Announcement::Storage(_)) => {}
            }
        }
    }

    /// An announced block did not come. `true`: look for another source at once.
    pub(super) async fn note_withholding(self: &Rc<Self>, url: &str) -> bool {
        let now = js_sys::Date::now();
        let since = {
            let mut sync = self.sync.borrow_mut();
            sync.relay(url).map_or(now, |relay| *relay.withholding_since.get_or_insert(now))
        };
        if now - since > limits::WITHHOLDING_MS {
            let error = Error::new("relay.withholding", format!("{url} announces blocks and does not give them out."));
            self.drop_relay(url, error, None);
        } else {
            TimeoutFuture::new(limits::RECONNECT_MIN_MS).await;
        }
        true
    }

    pub(in crate::engine) fn relay_offline(&self, url: &str, error: Error) {
        if let Some(relay) = self.sync.borrow_mut().relay(url)
            && relay.phase != RelayPhase::Dropped
        {
            relay.phase = RelayPhase::Offline;
            relay.error = Some(error);
            relay.snapshots_asked = false;
        }
        self.look_at_head();
    }

    /// Nothing more is taken from this relay until a person says so.
    pub(in crate::engine) fn drop_relay(&self, url: &str, error: Error, height: Option<Height>) {
        if let Some(relay) = self.sync.borrow_mut().relay(url) {
            relay.phase = RelayPhase::Dropped;
            relay.error = Some(error.clone());
            relay.announced = None;
            if let Some(task) = relay.task.take() {
                task.abort();
            }
        }
        self.fail(url, error.with("relay", url), height);
    }

    pub(in crate::engine) async fn set_relays(self: &Rc<Self>, urls: Vec<String>) -> Result<SyncState, Error> {
        let urls = urls.into_iter().map(|url| check_origin(&url)).collect::<Result<Vec<_>, _>>()?;
        if urls.is_empty() || urls.len() > limits::MAX_RELAYS {
            return Err(
                Error::new("input.relays", format!("Give 1 to {} relays.", limits::MAX_RELAYS)).with("got", urls.len())
            );
        }
        let mut changes = Changes::default();
        changes.put(record::relays(), codec::encode(&urls));
        self.chain_store.commit(changes).await?;
        for relay in &self.sync.borrow().relays {
            if let Some(task) = &relay.task {
                task.abort();
            }
        }
        self.sync.borrow_mut().relays = urls.into_iter().map(Relay::new).collect();
        self.listen_to_relays();
        self.look_at_head();
        Ok(self.sync_state())
    }

    /// Forgets the failure shown and tries dropped relays again. Somebody without a wallet who was told
    /// that every relay shows another network thereby turns to that one.
    pub(in crate::engine) async fn dismiss_failure(self: &Rc<Self>) -> Result<SyncState, Error> {
        let other_network = {
            let sync = self.sync.borrow();
            let wrong = |relay: &Relay| relay.error.as_ref().is_some_and(|error| error.code == "chain.wrong_chain");
            !sync.relays.is_empty() && sync.relays.iter().all(wrong)
        };
        if other_network && self.you().is_none() && self.config.chain_id.is_none() {
            self.forget_chain().await?;
        }
        {
            let mut sync = self.sync.borrow_mut();
            sync.failure = None;
            for relay in sync.relays.iter_mut().filter(|relay| relay.phase == RelayPhase::Dropped) {
                *relay = Relay::new(relay.url.clone());
            }
        }
        self.listen_to_relays();
        self.look_at_head();
        Ok(self.sync_state())
    }

    async fn forget_chain(self: &Rc<Self>) -> Result<(), Error> {
        *self.chain.borrow_mut() = None;
        let mut changes = Chain::forget(&self.chain_store).await?;
        for (key, _) in self.chain_store.all(&record::forks()).await? {
            changes.delete(key);
        }
        self.chain_store.commit(changes).await?;
        self.sync.borrow_mut().forked = false;
        self.emit_status();
        Ok(())
    }
}

/// An `http` or `https` origin without a slash at the end.
fn check_origin(url: &str) -> Result<String, Error> {
    let origin = url.trim().trim_end_matches('/');
    let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    match rest {
        Some(rest)
            if !rest.is_empty()
                && !rest.contains(['/', '?', '#', ' '])
                && origin.len() <= limits::MAX_RELAY_URL_BYTES =>
        {
            Ok(origin.to_owned())
        }
        _ => Err(Error::new(
            "input.relays",
            format!("{url} is not the address of a relay; give https://host or http://host:port."),
        )
        .with("got", url)),
    }
}
