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
    Error::of("chain", &error)
}

/// Asks a relay for the headers that lead from a head to a confirmed block. It is trusted with nothing.
///
/// # Errors
/// `chain.other_checkpoint`, `chain.too_far`, `relay.…`.
pub(super) async fn lead(url: &str, from: (Height, Hash), to: Confirmed) -> Result<Lead, Error> {
    let mut lead = Lead::new(from, to).map_err(none)?;
    while let Some(next) = lead.next() {
        let address = format!("{url}/v1/headers?from={next}&count={}", limits::HEADERS_PER_REQUEST);
        let limit = limits::HEADERS_PER_REQUEST * limits::MAX_HEAD_BYTES;
        let bytes = net::get(&address, "relay", limit).await?;
        let headers: Vec<(Header, Certificate)> = codec::decode(&bytes, limit).unwrap_or_default();
        if headers.is_empty() {
            return Err(Error::passing("relay.withholding", format!("{url} does not give out the header {next}.")));
        }
        headers.iter().try_for_each(|(header, _)| lead.push(header)).map_err(none)?;
    }
    Ok(lead)
}

impl Core {
    /// Asks a relay for what leads on. `false`: nothing can be done now.
    pub(super) async fn go_on(self: &Rc<Self>, chain: &Rc<Chain>, url: &str) -> bool {
        let (height, confirmed) = (chain.height(), self.sync.borrow().confirmed);
        let Some(to) = confirmed.filter(|to| to.height > height) else { return false };
        let from = chain.follower().place();
        match lead(url, from, to).await {
            Ok(lead) => chain.take_lead(lead),
            Err(error) if error.code == "chain.too_far" => {
                return self.try_snapshot(chain, url, height.saturating_add(1)).await;
            }
            Err(error) if error.code == "relay.before_snapshot" => self.before_snapshot(chain, url, error).await,
            Err(error) if error.retryable => self.relay_offline(url, error),
            Err(error) => self.drop_relay(url, error, Some(to.height)),
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
        // Also those that did not lead to what was confirmed before.
        self.dismiss_failure().await?;
        drop(self.wake.unbounded_send(()));
        Ok(self.sync_state())
    }
}
