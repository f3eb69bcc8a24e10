//! Going on after a sleep longer than K.trust_period: by a block that a person confirmed
//! (`fair_core::chain::trust`).

use super::Core;
use crate::chain::Chain;
use crate::changes::Changes;
use crate::error::{Error, sentence};
use crate::limits;
use crate::net;
use crate::record;
use crate::store::Store;
use crate::view::SyncState;
use fair_core::chain::certificate::Certificate;
use fair_core::chain::header::Header;
use fair_core::chain::trust::{Confirmed, Lead, NoLead};
use fair_core::codec;
use fair_core::types::{Hash, Height};
use std::rc::Rc;

/// What was confirmed before this engine began.
pub(super) async fn stored(store: &Store) -> Result<Option<Confirmed>, Error> {
    let bytes = store.get(&record::confirmed()).await?;
    Ok(bytes.and_then(|bytes| codec::decode(&bytes, 8 + 32).ok()))
}

fn none(error: NoLead) -> Error {
    let said = Error::of("chain", &error);
    if matches!(error, NoLead::Withheld { .. }) { Error { code: "relay.withholding".into(), ..said } } else { said }
}

/// What is to lead from a head to a confirmed block.
///
/// # Errors
/// `chain.not_ahead`, `chain.too_far`: nobody's fault.
pub(super) fn begin(from: (Height, Hash), to: Confirmed) -> Result<Lead, Error> {
    Lead::new(from, to).map_err(none)
}

/// Whether it leads to the confirmed block.
pub(super) fn is_whole(lead: &Lead) -> bool {
    lead.next(1).is_none()
}

/// Asks a relay, which announces to have them, for the headers that lead on, until some time. It is trusted with nothing.
///
/// # Errors
/// `chain.other_checkpoint`, `relay.…`.
pub(super) async fn lead(url: &str, lead: &mut Lead, until_ms: f64) -> Result<(), Error> {
    while let Some((from, count)) = lead.next(limits::HEADERS_PER_REQUEST) {
        let address = format!("{url}/v1/headers?from={from}&count={count}");
        let bytes = net::get(&address, "relay", limits::MAX_HEADERS_BYTES).await?;
        let headers: Vec<(Header, Certificate)> = codec::decode(&bytes, limits::MAX_HEADERS_BYTES).unwrap_or_default();
        lead.take(limits::HEADERS_PER_REQUEST, headers.iter().map(|(header, _)| header)).map_err(none)?;
        if js_sys::Date::now() >= until_ms {
            break;
        }
    }
    Ok(())
}

impl Core {
    /// Asks relays for what leads on. `false`: nothing can be done now.
    pub(super) async fn go_on(self: &Rc<Self>, chain: &Rc<Chain>) -> bool {
        let (height, confirmed) = (chain.height(), self.sync.borrow().confirmed);
        let Some(to) = confirmed.filter(|to| to.height > height) else { return false };
        let from = chain.follower().place();
        let Ok(begun) = begin(from, to) else {
            // Headers alone would be too many, whoever has them.
            let went_on = self.try_snapshots(chain, height.saturating_add(1)).await;
            self.sync.borrow_mut().stuck = !went_on;
            self.look_at_head();
            return went_on;
        };
        let Some(url) = self.sync.borrow().source(height, to.height) else { return false };
        // Whoever is slow lets others try, and goes on later from where it was.
        let mut leading = self.sync.borrow_mut().lead_of(&url, begun);
        match lead(&url, &mut leading, js_sys::Date::now() + limits::PACE_WINDOW_MS).await {
            Ok(()) if is_whole(&leading) => {
                chain.take_lead(leading);
                self.sync.borrow_mut().forget_leads();
            }
            Ok(()) => {
                let mut sync = self.sync.borrow_mut();
                sync.give_way(&url);
                if let Some(relay) = sync.relay(&url) {
                    relay.lead = Some(leading);
                }
            }
            Err(error) if error.code == "relay.before_snapshot" => {
                self.before_snapshot(chain, &url, to.height, error).await;
            }
            Err(error) if error.retryable => self.relay_offline(&url, error),
            Err(error) => self.drop_relay(&url, error, Some(to.height)),
        }
        self.look_at_head();
        true
    }

    /// Takes a person's word for a block.
    ///
    /// # Errors
    /// `input.checkpoint`, `chain.not_ahead`; `storage.…`.
    pub(super) async fn confirm(self: &Rc<Self>, text: &str) -> Result<SyncState, Error> {
        let to: Confirmed = text.parse().map_err(|error| Error::new("input.checkpoint", sentence(&error)))?;
        if let Err(error @ NoLead::NotAhead { .. }) = Lead::new(self.chain()?.follower().place(), to) {
            return Err(none(error));
        }
        let mut changes = Changes::default();
        changes.put(record::confirmed(), codec::encode(&to));
        self.chain_store.commit(changes).await?;
        self.sync.borrow_mut().confirmed = Some(to);
        self.sync.borrow_mut().stuck = false;
        // Also those that did not lead to what was confirmed before.
        self.dismiss_failure().await?;
        drop(self.wake.unbounded_send(()));
        Ok(self.sync_state())
    }
}
