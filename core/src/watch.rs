//! What a party does about court: it looks at its channels with every block, and asks for the batches that court
//! takes (docs/protocol.md, sections 4 to 6). Banks and wallets use it alike.
//!
//! What is needed follows from the chain and the channels alone, so that a restart, a lost batch or another
//! fork of what is under way changes nothing: an answer while the state in court is older than the newest
//! that the partner signed; a reveal while a secret is known, not in the registry and no longer settled
//! off-chain; a dispute while a revealed lock is not settled. Only what somebody wants is kept: a dispute that
//! was asked for.
//!
//! Records: `q ‖ partner 32` → [`Resolution`], the newest of that channel.

mod follow;
mod view;

pub(crate) use follow::Hands;
pub use view::{CourtLine, CourtStage, CourtView, LockSums, OpenDebt};

use crate::account::{BadRecord, CannotSend, OnChain, read};
use crate::channel::state::StateOrder;
use crate::ledger::receipt::ResolvedAsset;
use crate::peers::{Chain, Peers};
use crate::types::{Epoch, Hash, PublicKey, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;

/// Something that court did, or that a party did in court.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CourtEvent {
    /// A batch with a dispute is signed: nothing more is signed in the channel until it is included or can no
    /// longer be.
    Signed,
    /// The batch can no longer be included, and nothing in it was done: the channel goes on.
    Lapsed,
    /// The channel is in court.
    Disputed {
        /// Whether this party began it.
        by_us: bool,
        /// Last U at which an answer counts.
        until: UsableHeight,
    },
    /// Court has a newer state than before.
    Answered {
        /// Its order.
        order: StateOrder,
    },
    /// The dispute is resolved, the channel is in its next epoch.
    Resolved(Resolution),
    /// The secret of a lock in the channel is in the registry.
    Revealed {
        /// Its hash.
        hash: Hash,
    },
}

/// How a dispute was resolved.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Resolution {
    /// The epoch that began with it.
    pub epoch: Epoch,
    /// Order of the state by which it was resolved.
    pub order: StateOrder,
    /// What was split, paid and became a debt, asset by asset; empty when the host did not have it.
    pub assets: Vec<ResolvedAsset>,
}

/// First byte of a record's key.
const WATCHED: u8 = b'q';

/// How long a receiver waits for its partner once the secret of a lock stands in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Half of K.margin_blocks: the partner may be about to fail.
    Short,
    /// As long as the registry's entry outlives a dispute: what the lock pays is covered, and the partner may just
    /// be away.
    Long,
}

/// What a party follows of court.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    patience: Patience,
    /// The newest resolution of each channel.
    last: BTreeMap<PublicKey, Resolution>,
    /// What the newest block showed: order of the state in court.
    seen: BTreeMap<PublicKey, StateOrder>,
    /// Disputes that are needed and could not be signed.
    problems: BTreeMap<PublicKey, CannotSend>,
}

impl Watch {
    pub(crate) const fn new(patience: Patience) -> Self {
        Self { patience, last: BTreeMap::new(), seen: BTreeMap::new(), problems: BTreeMap::new() }
    }

    /// Takes a stored record back. `Ok(false)` when it is of another room.
    pub(crate) fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        let [WATCHED, partner @ ..] = key else { return Ok(false) };
        let partner: PublicKey = read(WATCHED, partner)?;
        self.last.insert(partner, read(WATCHED, value)?);
        Ok(true)
    }

    /// Where a channel stands in court.
    pub(crate) fn view(
        &self,
        peers: &Peers,
        on_chain: &OnChain,
        partner: &PublicKey,
        chain: &Chain<'_>,
    ) -> Option<CourtView> {
        let parts = view::Parts {
            own: peers.own_key(),
            partner: *partner,
            channel: peers.get(partner).map(|peer| &peer.channel),
            on_chain,
            wanted: self.problems.get(partner).cloned(),
            last: self.last.get(partner).cloned(),
        };
        CourtView::of(parts, chain)
    }
}
