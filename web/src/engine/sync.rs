//! Following the chain through relays that nobody has to trust.
//!
//! One task per relay listens for announced heads; one loop fetches blocks from whichever relay
//! announces more than is verified, and has them verified. What does not verify is never used: its
//! relay is dropped and named, and the others go on. Two certified headers of one height stop
//! everything.

mod snapshots;

use super::{Config, Core};
use crate::chain::{Announcement, Chain, Fork};
use crate::changes::Changes;
use crate::error::Error;
use crate::events::now_ms;
use crate::limits;
use crate::net::socket::{Incoming, Socket};
use crate::net::{self, socket_url};
use crate::record;
use crate::store::Store;
use crate::view::{Base as BaseView, Phase, RelayPhase, RelayState, SyncState, VerificationFailure, VerifiedAt};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::Certificate;
use fair_core::chain::genesis::Genesis;
use fair_core::chain::header::Header;
use fair_core::chain::trust::Confirmed;
use fair_core::chain::verify::BadBlock;
use fair_core::codec;
use fair_core::limits as core_limits;
use fair_core::types::Height;
use futures_channel::mpsc;
use futures_util::StreamExt as _;
use futures_util::future::{AbortHandle, Abortable, join};
use gloo_timers::future::TimeoutFuture;
use snapshots::Fetching;
use std::rc::Rc;
use wasm_bindgen_futures::spawn_local;

/// One relay.
struct Relay {
    url: String,
    phase: RelayPhase,
    /// Newest announcement, not verified beyond its certificate.
    announced: Option<(Header, Certificate)>,
    error: Option<Error>,
    /// Since when it announces blocks and does not serve them.
    withholding_since: Option<f64>,
    /// Its snapshots were looked at in this connection.
    snapshots_asked: bool,
    /// It offered a snapshot that does not verify, and is asked for none any more.
    snapshot_refused: bool,
    /// The lowest height of which it has blocks, where that is above our head. Until it announces another one.
    first: Option<Height>,
    task: Option<AbortHandle>,
}

/// A run from one verified height to the announced one.
#[derive(Clone, Copy, Default)]
struct Progress {
    started_ms: f64,
    from: Height,
    bytes: u64,
}

/// What is known about following the chain.
pub(super) struct Sync {
    relays: Vec<Relay>,
    progress: Option<Progress>,
    fetching: Option<Fetching>,
    verified_at_ms: Option<u64>,
    failure: Option<VerificationFailure>,
    forked: bool,
    /// What a person confirmed, to go on from a head that is too old.
    pub(super) confirmed: Option<Confirmed>,
    phase: Phase,
    reported_ms: f64,
}

impl Sync {
    pub(super) async fn load(config: &Config, store: &Store, chain: Option<&Chain>) -> Result<Self, Error> {
        let urls = match store.get(&record::relays()).await? {
            Some(bytes) => codec::decode(&bytes, limits::MAX_RELAYS * (limits::MAX_RELAY_URL_BYTES + 8))
                .unwrap_or_else(|_| config.relays.clone()),
            None => config.relays.clone(),
        };
        let forked = match chain {
            Some(chain) => chain.has_fork().await?,
            None => false,
        };
        Ok(Self {
            relays: urls.into_iter().map(Relay::new).collect(),
            progress: None,
            fetching: None,
            verified_at_ms: None,
            failure: None,
            forked,
            confirmed: super::trust::stored(store).await?,
            phase: if forked { Phase::Forked } else { Phase::Connecting },
            reported_ms: 0.0,
        })
    }

    pub(super) const fn forked(&self) -> bool {
        self.forked
    }

    /// Origins that are not dropped, those online first.
    pub(super) fn usable(&self) -> Vec<String> {
        let in_phase = |phase| self.relays.iter().filter(move |relay| relay.phase == phase);
        let rest = in_phase(RelayPhase::Connecting).chain(in_phase(RelayPhase::Offline));
        in_phase(RelayPhase::Online).chain(rest).map(|relay| relay.url.clone()).collect()
    }

    fn relay(&mut self, url: &str) -> Option<&mut Relay> {
        self.relays.iter_mut().find(|relay| relay.url == url)
    }

    fn target(&self) -> Option<Height> {
        let usable = self.relays.iter().filter(|relay| relay.phase == RelayPhase::Online);
        usable.filter_map(|relay| relay.announced.as_ref()).map(|(header, _)| header.height).max()
    }

    /// The relay to ask for blocks above a height.
    fn source(&self, height: Height) -> Option<String> {
        let ahead = |relay: &&Relay| {
            relay.phase == RelayPhase::Online
                && relay.announced.as_ref().is_some_and(|(header, _)| header.height > height)
                && relay.first.is_none_or(|first| first <= height.saturating_add(1))
        };
        let relays = self.relays.iter().filter(ahead);
        let order = |relay: &&Relay| (relay.withholding_since.is_some(), relay.snapshot_refused);
        relays.min_by_key(order).map(|relay| relay.url.clone())
    }
}

impl Relay {
    const fn new(url: String) -> Self {
        Self {
            url,
            phase: RelayPhase::Connecting,
            announced: None,
            error: None,
            withholding_since: None,
            snapshots_asked: false,
            snapshot_refused: false,
            first: None,
            task: None,
        }
    }
}

impl Core {
    /// Starts listening and fetching.
    pub(super) fn begin_sync(self: &Rc<Self>, waked: mpsc::UnboundedReceiver<()>) {
        self.listen_to_relays();
        spawn_local(self.clone().fetch_when_waked(waked));
    }

    fn listen_to_relays(self: &Rc<Self>) {
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

    async fn fetch_when_waked(self: Rc<Self>, mut waked: mpsc::UnboundedReceiver<()>) {
        while waked.next().await.is_some() {
            while waked.try_recv().is_ok() {}
            while self.fetch_once().await {}
            self.sync.borrow_mut().progress = None;
            self.look_at_head();
        }
    }

    /// Fetches and verifies from one relay until it has no more, or fails. `false`: nothing more to do now.
    async fn fetch_once(self: &Rc<Self>) -> bool {
        let Ok(chain) = self.chain() else { return false };
        if self.sync.borrow().forked || self.chain_store.broken().is_some() {
            return false;
        }
        let height = chain.height();
        let Some(url) = self.sync.borrow().source(height) else { return false };
        if chain.check_age().is_err() {
            return self.go_on(&chain, &url).await;
        }
        let is_far = self.sync.borrow().target().is_some_and(|target| target > limits::SNAPSHOT_LEAD);
        if height == 0 && is_far && self.try_snapshot(&chain, &url, limits::SNAPSHOT_LEAD).await {
            return true;
        }
        self.sync.borrow_mut().progress.get_or_insert(Progress {
            started_ms: js_sys::Date::now(),
            from: height,
            bytes: 0,
        });
        match self.fetch_blocks(&url, height.saturating_add(1)).await {
            Ok(blocks) if blocks.is_empty() => self.note_withholding(&url).await,
            Ok(blocks) => self.verify_blocks(&chain, &url, blocks).await,
            Err(error) if error.code == "relay.before_snapshot" => {
                self.before_snapshot(&chain, &url, error).await;
                true
            }
            Err(error) if error.retryable => {
                self.relay_offline(&url, error);
                true
            }
            Err(error) => {
                self.drop_relay(&url, error, None);
                true
            }
        }
    }

    /// The relay began above our head and did nothing wrong: another one has the blocks, or its snapshot leads there.
    pub(super) async fn before_snapshot(self: &Rc<Self>, chain: &Rc<Chain>, url: &str, error: Error) {
        let height = chain.height();
        let first = error.number("first").unwrap_or(Height::MAX);
        if first <= height.saturating_add(1) {
            // It says that it has the block that it refused: it would be asked for ever.
            return self.drop_relay(url, error, None);
        }
        if let Some(relay) = self.sync.borrow_mut().relay(url) {
            relay.snapshots_asked = false;
            relay.first = Some(first);
            relay.error = Some(error);
        }
        let has_other = self.sync.borrow().source(height).is_some();
        if !has_other {
            self.try_snapshot(chain, url, height.saturating_add(1)).await;
        }
        self.look_at_head();
    }

    async fn fetch_blocks(&self, url: &str, from: Height) -> Result<Vec<CertifiedBlock>, Error> {
        let address = format!("{url}/v1/blocks?from={from}&count={}", limits::BLOCKS_PER_REQUEST);
        let bytes = net::get(&address, "relay", limits::MAX_BLOCKS_BYTES).await?;
        if let Some(progress) = &mut self.sync.borrow_mut().progress {
            progress.bytes += bytes.len() as u64;
        }
        codec::decode(&bytes, limits::MAX_BLOCKS_BYTES)
            .map_err(|error| Error::new("relay.malformed", format!("{url} sent blocks that cannot be read: {error}.")))
    }

    /// Verifies a range while the next one is being fetched.
    async fn verify_blocks(self: &Rc<Self>, chain: &Rc<Chain>, url: &str, first: Vec<CertifiedBlock>) -> bool {
        let mut blocks = first;
        loop {
            let next = chain.height().saturating_add(blocks.len() as u64).saturating_add(1);
            let more = self.sync.borrow().target().is_some_and(|target| target >= next);
            let verifying = self.verify_range(chain, url, &blocks);
            if !more {
                return verifying.await;
            }
            let (went_well, fetched) = join(verifying, self.fetch_blocks(url, next)).await;
            match fetched {
                Ok(fetched) if went_well && !fetched.is_empty() => blocks = fetched,
                _ => return true,
            }
        }
    }

    /// `false`: nothing more can be fetched now.
    async fn verify_range(self: &Rc<Self>, chain: &Rc<Chain>, url: &str, blocks: &[CertifiedBlock]) -> bool {
        let mut rest = blocks;
        while !rest.is_empty() {
            let end = js_sys::Date::now() + limits::WORK_SLICE_MS;
            let verified = match chain.verify(rest, now_ms(), || js_sys::Date::now() < end).await {
                Ok(verified) => verified,
                Err(error) => {
                    self.events.error(&error);
                    self.emit_status();
                    return false;
                }
            };
            rest = rest.get(verified.blocks..).unwrap_or_default();
            if verified.blocks > 0 {
                self.on_verified(chain, url).await;
            }
            if let Some((height, bad)) = verified.bad {
                return self.on_bad_block(chain, url, height, bad).await;
            }
        }
        true
    }

    async fn on_verified(self: &Rc<Self>, chain: &Rc<Chain>, url: &str) {
        {
            let mut sync = self.sync.borrow_mut();
            sync.verified_at_ms = Some(now_ms());
            if let Some(relay) = sync.relay(url) {
                relay.withholding_since = None;
            }
        }
        self.look_at_head();
        self.feed_machine().await;
        let at_head = self.sync.borrow().target().is_none_or(|target| target <= chain.height());
        if at_head {
            match chain.block(chain.height()).await {
                Ok(Some(block)) => {
                    if let Ok(summary) = self.explore(|explorer| explorer.summary(&block, chain.genesis())) {
                        self.events.emit("head", &summary);
                    }
                }
                Ok(None) => {}
                Err(error) => self.events.error(&error),
            }
            self.emit_draft();
            self.compare_announced(chain).await;
        }
    }

    /// Announced heads that we have reached by now are held against what was executed.
    async fn compare_announced(self: &Rc<Self>, chain: &Rc<Chain>) {
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

    async fn on_bad_block(self: &Rc<Self>, chain: &Rc<Chain>, url: &str, height: Height, bad: BadBlock) -> bool {
        if let BadBlock::FromTheFuture { .. } = bad {
            // The clock here may be the wrong one; nobody is dropped for it.
            self.fail(url, Error { retryable: true, ..Error::of("chain", &bad) }, Some(height));
            TimeoutFuture::new(limits::WATCH_INTERVAL_MS).await;
            return true;
        }
        if let BadBlock::Expired { .. } = bad {
            // It is this client that slept.
            self.look_at_head();
            return false;
        }
        if let BadBlock::NewRules { .. } = bad {
            // Every relay serves such blocks; only a newer program can read them.
            let error = Error::of("chain", &bad);
            self.events.error(&error);
            self.fail(url, error, Some(height));
            return false;
        }
        if let BadBlock::WrongPrevious { .. } = bad
            && let Some(fork) = self.look_for_fork(chain, url).await
        {
            self.on_fork(chain, url, fork).await;
            return false;
        }
        self.drop_relay(url, Error::of("chain", &bad), Some(height));
        true
    }

    /// A block on another predecessor: does the relay show a certified one?
    async fn look_for_fork(&self, chain: &Rc<Chain>, url: &str) -> Option<Fork> {
        let address = format!("{url}/v1/headers?from={}&count=1", chain.height());
        let bytes = net::get(&address, "relay", limits::MAX_HEAD_BYTES + 4).await.ok()?;
        let headers: Vec<(Header, Certificate)> = codec::decode(&bytes, limits::MAX_HEAD_BYTES + 4).ok()?;
        let (header, certificate) = headers.first()?;
        chain.compare(header, certificate, now_ms()).await.ok()?
    }

    async fn on_fork(self: &Rc<Self>, chain: &Rc<Chain>, url: &str, fork: Fork) {
        if let Err(error) = chain.keep_fork(&fork).await {
            self.events.error(&error);
        }
        self.sync.borrow_mut().forked = true;
        let height = fork.other.height;
        let error = Error::new(
            "chain.fork",
            format!("Two blocks at height {height} are certified. The network has split; nothing is signed any more."),
        )
        .with("expected", fork.ours.hash().to_string())
        .with("got", fork.other.hash().to_string())
        .with("height", height);
        self.fail(url, error, Some(height));
        self.look_at_head();
    }

    /// An announced block did not come. `true`: look for another source at once.
    async fn note_withholding(self: &Rc<Self>, url: &str) -> bool {
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

    pub(super) fn relay_offline(&self, url: &str, error: Error) {
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
    pub(super) fn drop_relay(&self, url: &str, error: Error, height: Option<Height>) {
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

    fn fail(&self, url: &str, error: Error, height: Option<Height>) {
        self.events.error(&error);
        self.sync.borrow_mut().failure = Some(VerificationFailure {
            error,
            relay: url.to_owned(),
            height: height.map(Into::into),
            at: now_ms().into(),
        });
        self.report(true);
    }

    /// Works out the phase anew; tells the page when something changed.
    pub(super) fn look_at_head(&self) {
        let phase = self.phase();
        let changed = std::mem::replace(&mut self.sync.borrow_mut().phase, phase) != phase;
        self.report(changed);
    }

    fn report(&self, at_once: bool) {
        let now = js_sys::Date::now();
        let due = {
            let sync = self.sync.borrow();
            at_once || now - sync.reported_ms >= limits::PROGRESS_INTERVAL_MS
        };
        if due {
            self.sync.borrow_mut().reported_ms = now;
            self.events.emit("sync", &self.sync_state());
        }
    }

    fn phase(&self) -> Phase {
        let sync = self.sync.borrow();
        let any = |phase| sync.relays.iter().any(|relay| relay.phase == phase);
        if sync.forked {
            return Phase::Forked;
        }
        let chain = self.chain.borrow().clone();
        if chain.as_ref().is_some_and(|chain| chain.check_age().is_err()) {
            return Phase::Expired;
        }
        match (chain, sync.target()) {
            (Some(chain), Some(target)) => {
                let behind = target.saturating_sub(chain.height());
                let was_syncing = sync.phase != Phase::Live;
                let age = now_ms().saturating_sub(chain.follower().head_time_ms());
                if behind > if was_syncing { 0 } else { 2 } {
                    Phase::Syncing
                } else if age > chain.state().parameters().stale_head_ms {
                    Phase::Stale
                } else {
                    Phase::Live
                }
            }
            _ if any(RelayPhase::Online) || any(RelayPhase::Connecting) => Phase::Connecting,
            _ if any(RelayPhase::Offline) => Phase::Offline,
            _ => Phase::Failed,
        }
    }

    pub(super) fn sync_state(&self) -> SyncState {
        let chain = self.chain.borrow().clone();
        let height = chain.as_ref().map_or(0, |chain| chain.height());
        let chain_base = chain.as_ref().and_then(|chain| chain.base());
        let sync = self.sync.borrow();
        let expired = chain.as_ref().and_then(|chain| chain.check_age().err());
        let hash = chain.as_ref().and_then(|chain| chain.follower().head().map(Header::hash));
        let verified: Option<VerifiedAt> = chain.filter(|_| height > 0).map(|chain| chain.verified_at());
        let progress = sync.progress.unwrap_or(Progress { from: height, ..Progress::default() });
        let total = sync.target().unwrap_or(height).max(height).saturating_sub(progress.from);
        let done = height.saturating_sub(progress.from);
        let seconds_left = sync.progress.filter(|_| done > 0).map(|progress| {
            let rate = (js_sys::Date::now() - progress.started_ms) / 1000.0 / done as f64;
            (rate * total.saturating_sub(done) as f64).ceil() as u64
        });
        let relays = sync.relays.iter().map(|relay| RelayState {
            url: relay.url.clone(),
            state: relay.phase,
            head: relay.announced.as_ref().map(|(header, _)| header.height.into()),
            hash: relay.announced.as_ref().map(|(header, _)| header.hash()),
            error: relay.error.clone(),
        });
        SyncState {
            phase: sync.phase,
            mode: "full",
            base: chain_base.map(|(height, hash)| BaseView { height: height.into(), hash }),
            snapshot: sync.fetching.map(Fetching::view),
            verified,
            hash,
            expired,
            confirmed: sync.confirmed.map(|to| to.to_string()),
            verified_at: sync.verified_at_ms.map(Into::into),
            target: sync.target().map(Into::into),
            blocks_done: done.into(),
            blocks_total: total.into(),
            bytes_done: progress.bytes.into(),
            seconds_left: seconds_left.map(Into::into),
            relays: relays.collect(),
            failure: sync.failure.clone(),
        }
    }

    pub(super) async fn set_relays(self: &Rc<Self>, urls: Vec<String>) -> Result<SyncState, Error> {
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
    pub(super) async fn dismiss_failure(self: &Rc<Self>) -> Result<SyncState, Error> {
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
