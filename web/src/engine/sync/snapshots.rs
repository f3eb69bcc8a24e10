//! Beginning with a snapshot, and what relays list of them.
//!
//! A snapshot may come from anybody: it is read with [`Reader`] from the genesis on that is known here, and nothing
//! of it counts before all of it was found right. A relay whose snapshot was not is named and asked for no other one;
//! its blocks are still verified one by one, so that a spoilt archive keeps nobody from the network.

use super::super::trust::{begin, is_whole, lead};
use super::Core;
use crate::chain::Chain;
use crate::error::Error;
use crate::events::now_ms;
use crate::input::{FromJs as _, from_js};
use crate::limits;
use crate::net;
use crate::net::archive::Archive;
use crate::view::{BlockSummary, Snapshot, SnapshotProgress, SnapshotState};
use fair_core::chain::header::Header;
use fair_core::chain::snapshot::archive::Unpacker;
use fair_core::chain::snapshot::{BadSnapshot, Opened, Reader, archive_name};
use fair_core::chain::trust::{Confirmed, Lead};
use fair_core::chain::walk::Checkpoint;
use fair_core::ordered;
use fair_core::types::{Hash, Height};
use std::cmp::Reverse;
use std::rc::Rc;
use wasm_bindgen::JsValue;

/// A snapshot that is being fetched.
#[derive(Clone, Copy)]
pub(super) struct Fetching {
    height: Height,
    bytes: u64,
    all: u64,
    started_ms: f64,
}

impl Fetching {
    pub(super) fn view(self) -> SnapshotProgress {
        let rate = (js_sys::Date::now() - self.started_ms) / 1000.0 / self.bytes as f64;
        let seconds_left = (rate * self.all.saturating_sub(self.bytes) as f64).ceil() as u64;
        SnapshotProgress {
            height: self.height.into(),
            bytes_done: self.bytes.into(),
            bytes_total: self.all.into(),
            seconds_left: (self.bytes > 0).then_some(seconds_left.into()),
        }
    }
}

/// What a relay lists; not verified.
struct Listed {
    height: Height,
    hash: Hash,
    block: Hash,
    bytes: u64,
}

from_js!(Listed { height, hash, block, bytes });

impl Listed {
    fn url(&self, relay: &str) -> String {
        format!("{relay}/v1/snapshots/{}", archive_name(self.height))
    }
}

async fn list(relay: &str) -> Result<Vec<Listed>, Error> {
    let bytes = net::get(&format!("{relay}/v1/snapshots"), "relay", limits::MAX_JSON_BYTES).await?;
    let list: Vec<JsValue> = net::parse(&bytes).ok_or_else(|| {
        Error::new("relay.malformed", format!("{relay} sent a list of snapshots that cannot be read."))
    })?;
    Ok(list.iter().take(limits::MAX_LISTED).filter_map(|one| Listed::from_js(one).ok()).collect())
}

impl Core {
    /// Goes on from a snapshot of a relay that is online, the newest that is high enough; each relay is asked once in a
    /// connection. `true`: one was taken, or refused.
    pub(in crate::engine) async fn try_snapshots(self: &Rc<Self>, chain: &Rc<Chain>, least: Height) -> bool {
        loop {
            // Only from these heights something leads to what was confirmed.
            let to = chain.check_age().err().and(self.sync.borrow().confirmed);
            let reach = to.map_or(least..=Height::MAX, |to| to.reach());
            let heights = least.max(*reach.start())..=*reach.end();
            let announced = to.map_or(least, |to| to.height);
            let Some(url) = self.sync.borrow_mut().ask_for_snapshots(announced) else { return false };
            let Ok(listed) = list(&url).await else { continue };
            let fits = |one: &Listed| heights.contains(&one.height) && one.bytes <= limits::MAX_ARCHIVE_BYTES;
            let newest = listed.into_iter().filter(fits).max_by_key(|one| one.height);
            if let Some(newest) = newest
                && self.try_snapshot(chain, &url, &newest, to).await
            {
                return true;
            }
        }
    }

    async fn try_snapshot(
        self: &Rc<Self>,
        chain: &Rc<Chain>,
        url: &str,
        listed: &Listed,
        to: Option<Confirmed>,
    ) -> bool {
        let taken = self.take_snapshot(chain, url, listed, to).await;
        self.sync.borrow_mut().fetching = None;
        match taken {
            Ok(()) => {
                if let Some(relay) = self.sync.borrow_mut().relay(url) {
                    relay.error = None;
                }
                self.sync.borrow_mut().verified_at_ms = Some(now_ms());
                self.emit_status();
                self.events.emit("head", &None::<BlockSummary>);
                self.look_at_head();
                self.feed_machine().await;
                true
            }
            // Given up until it connects again, or the fault of nobody but this browser.
            Err(error) if error.retryable || error.code == "chain.expired" || self.broken().is_some() => {
                self.events.error(&error);
                // Nothing else leads on from there: it is asked again when others were.
                let gives_way = error.code == "relay.slow_headers";
                let mut sync = self.sync.borrow_mut();
                if let Some(relay) = sync.relay(url) {
                    relay.snapshots_asked = !gives_way;
                }
                if gives_way {
                    sync.give_way(url);
                }
                false
            }
            Err(error) if error.code.starts_with("snapshot.") => {
                if let Some(relay) = self.sync.borrow_mut().relay(url) {
                    relay.snapshot_refused = true;
                }
                self.fail(url, error.with("relay", url), Some(listed.height));
                true
            }
            Err(error) => {
                self.drop_relay(url, error, Some(listed.height));
                true
            }
        }
    }

    async fn take_snapshot(
        &self,
        chain: &Rc<Chain>,
        url: &str,
        listed: &Listed,
        to: Option<Confirmed>,
    ) -> Result<(), Error> {
        let archive = Archive::new(listed.url(url), listed.bytes);
        let mut opened = self.read_snapshot(chain, &archive, listed).await;
        // Parts of two archives do not fit, and accuse nobody.
        if archive.was_resumed() && opened.as_ref().is_err_and(|error| !error.retryable) {
            opened = self.read_snapshot(chain, &Archive::new(listed.url(url), listed.bytes), listed).await;
        }
        let opened = opened?;
        let lead = match (chain.check_age(), to) {
            (Ok(()), _) => None,
            (Err(_), Some(to)) => Some(self.lead_from(url, begin(opened.follower.place(), to)?).await?),
            (Err(expired), None) => return Err(expired),
        };
        if self.chain().is_ok_and(|now| Rc::ptr_eq(&now, chain)) {
            chain.go_on_from(opened, lead).await
        } else {
            Ok(())
        }
    }

    /// What leads on from a snapshot. Its relay has twice as long each time that it was too slow.
    async fn lead_from(&self, url: &str, mut leading: Lead) -> Result<Lead, Error> {
        let turns = self.sync.borrow_mut().relay(url).map_or(0, |relay| relay.turns);
        let window_ms = limits::PACE_WINDOW_MS * f64::from(turns.min(limits::MAX_DOUBLINGS)).exp2();
        lead(url, &mut leading, js_sys::Date::now() + window_ms).await?;
        if is_whole(&leading) {
            return Ok(leading);
        }
        Err(Error::passing("relay.slow_headers", format!("{url} sends headers too slowly.")))
    }

    /// Fetches and verifies; nothing is stored.
    async fn read_snapshot(&self, chain: &Chain, archive: &Archive, listed: &Listed) -> Result<Opened, Error> {
        let refused = |bad: BadSnapshot| Error::of("snapshot", &bad);
        // What was verified before lies on the way.
        let checkpoint = chain
            .follower()
            .head()
            .map(|head: &Header| Checkpoint { height: head.height, next_validators_hash: head.next_validators_hash });
        let mut unpacker =
            Unpacker::new(Reader::new(chain.chain_id(), checkpoint, now_ms()), limits::MAX_INFLATED_BYTES);
        let (height, all, started_ms) = (listed.height, listed.bytes, js_sys::Date::now());
        let heard = |bytes| {
            self.sync.borrow_mut().fetching = Some(Fetching { height, bytes, all, started_ms });
            self.look_at_head();
        };
        heard(0);
        archive.read(&mut |bytes| unpacker.push(bytes).map_err(refused), &heard).await?;
        let opened = unpacker.finish().map_err(refused)?;
        if (opened.id, opened.follower.height()) == (listed.hash, height) {
            return Ok(opened);
        }
        let message = format!("The snapshot is not the one that is listed for height {height}: its manifest differs.");
        Err(Error::new("snapshot.not_as_listed", message)
            .with("file", "manifest.bin")
            .with("expected", listed.hash.to_string())
            .with("got", opened.id.to_string()))
    }

    /// What relays offer, highest first, and what is known of it here.
    ///
    /// # Errors
    /// Why the last relay did not answer, if none did.
    pub(in crate::engine) async fn snapshots(&self) -> Result<Vec<Snapshot>, Error> {
        let (mut rows, mut problem): (Vec<Snapshot>, _) = (Vec::new(), None);
        let mut answers = 0;
        let relays = self.sync.borrow().usable();
        for relay in relays {
            match list(&relay).await {
                Ok(listed) => {
                    answers += 1;
                    for one in listed {
                        let url = one.url(&relay);
                        match rows.iter_mut().find(|row| row.height == one.height.into() && row.hash == one.hash) {
                            Some(row) => row.urls.push(url),
                            None => rows.push(self.snapshot_row(&one, url).await?),
                        }
                    }
                }
                Err(error) => problem = Some(error),
            }
        }
        let rows = ordered::by_key(rows, |row| Reverse(row.height));
        problem.filter(|_| answers == 0).map_or(Ok(rows), Err)
    }

    async fn snapshot_row(&self, listed: &Listed, url: String) -> Result<Snapshot, Error> {
        let chain = self.chain()?;
        let state = if chain.base() == Some((listed.height, listed.hash)) {
            SnapshotState::Begun
        } else {
            match chain.block(listed.height).await? {
                None => SnapshotState::Unknown,
                Some(block) if block.certified.block.header.hash() == listed.block => SnapshotState::BlockVerified,
                Some(_) => SnapshotState::OtherBlock,
            }
        };
        let Listed { height, hash, block, bytes } = *listed;
        Ok(Snapshot { height: height.into(), hash, block, bytes: bytes.into(), urls: vec![url], state })
    }
}
