//! Following the chain through relays that nobody has to trust.
//!
//! One loop fetches blocks from whichever relay announces more than is verified ([`relays`]), and has
//! them verified. What does not verify is never used: its relay is dropped and named, and the others
//! go on. Two certified headers of one height stop everything.

mod relays;
mod snapshots;

use super::{Config, Core};
use crate::chain::{Chain, Fork};
use crate::error::Error;
use crate::events::now_ms;
use crate::limits;
use crate::net;
use crate::record;
use crate::store::Store;
use crate::view::{Base as BaseView, Phase, RelayPhase, RelayState, SyncState, VerificationFailure, VerifiedAt};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::Certificate;
use fair_core::chain::header::Header;
use fair_core::chain::trust::Confirmed;
use fair_core::chain::verify::BadBlock;
use fair_core::codec;
use fair_core::types::Height;
use futures_channel::mpsc;
use futures_util::StreamExt as _;
use futures_util::future::join;
use gloo_timers::future::TimeoutFuture;
use relays::Relay;
use snapshots::Fetching;
use std::rc::Rc;
use wasm_bindgen_futures::spawn_local;

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
    /// No relay has the blocks or the snapshot that would lead on.
    pub(super) stuck: bool,
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
            stuck: false,
            phase: if forked { Phase::Forked } else { Phase::Connecting },
            reported_ms: 0.0,
        })
    }

    pub(super) const fn forked(&self) -> bool {
        self.forked
    }
}

impl Core {
    /// Starts listening and fetching.
    pub(super) fn begin_sync(self: &Rc<Self>, waked: mpsc::UnboundedReceiver<()>) {
        self.listen_to_relays();
        spawn_local(self.clone().fetch_when_waked(waked));
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
        if chain.check_age().is_err() {
            return self.go_on(&chain).await;
        }
        let height = chain.height();
        let next = height.saturating_add(1);
        let is_far = self.sync.borrow().target().is_some_and(|target| target > limits::SNAPSHOT_LEAD);
        if height == 0 && is_far && self.try_snapshots(&chain, limits::SNAPSHOT_LEAD).await {
            return true;
        }
        let Some(url) = self.sync.borrow().source(height, next) else { return false };
        self.sync.borrow_mut().progress.get_or_insert(Progress {
            started_ms: js_sys::Date::now(),
            from: height,
            bytes: 0,
        });
        match self.fetch_blocks(&url, next).await {
            Ok(blocks) if blocks.is_empty() => self.note_withholding(&url).await,
            Ok(blocks) => self.verify_blocks(&chain, &url, blocks).await,
            Err(error) if error.code == "relay.before_snapshot" => {
                self.before_snapshot(&chain, &url, next, error).await;
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
    /// `target`: to which height its blocks were to lead.
    pub(super) async fn before_snapshot(self: &Rc<Self>, chain: &Rc<Chain>, url: &str, target: Height, error: Error) {
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
        let has_other = self.sync.borrow().source(height, target).is_some();
        if !has_other {
            let went_on = self.try_snapshots(chain, height.saturating_add(1)).await;
            self.sync.borrow_mut().stuck = !went_on;
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

    /// Verifies a range while the next one is being fetched. Whoever does not lead to the end within some time has to
    /// let others try: it may serve one block now and then.
    async fn verify_blocks(self: &Rc<Self>, chain: &Rc<Chain>, url: &str, first: Vec<CertifiedBlock>) -> bool {
        let until = js_sys::Date::now() + limits::PACE_WINDOW_MS;
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
                Ok(fetched) if went_well && !fetched.is_empty() && js_sys::Date::now() < until => blocks = fetched,
                _ => break,
            }
        }
        self.sync.borrow_mut().give_way(url);
        true
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
            stuck: sync.stuck,
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
}
