//! What a tower and its clients send each other, inside an authenticated session (docs/protocol.md, section 6).
//!
//! Layout (borsh, little endian): one byte says which message, then its fields in order.
//!
//! ```text
//! to a tower
//! 0 Deliver   state ChannelState │ signatures: left 64 │ right 64
//! from a tower
//! 0 Receipt   tower 32 │ client 32 │ left 32 │ right 32 │ epoch u64 │ frame u64 │ proposer u8 │ state 32
//!             │ number u64 │ height u64 │ signature 64
//! 1 Declined  left 32 │ right 32 │ epoch u64 │ frame u64 │ proposer u8 │ reason
//! ```

use crate::channel::shared::Sides;
use crate::channel::state::{ChannelState, StateOrder};
use crate::codec::{self, DecodeError};
use crate::crypto::Tag;
use crate::limits;
use crate::message::{Message, Signed, tags};
use crate::types::{Epoch, Hash, Height, Parties, PublicKey, Signature};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// Anything that a client sends.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum ToTower {
    /// Keep this state.
    Deliver(Box<Deliver>) = 0,
}

/// A state with the signatures of both parties. The client is one of them.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Deliver {
    /// Names its parties.
    pub state: ChannelState,
    /// By side.
    pub signatures: Sides<Signature>,
}

/// Anything that a tower sends.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum FromTower {
    /// The tower has at least this state on disk.
    Receipt(Box<Signed<Receipt>>) = 0,
    /// It does not keep it.
    Declined(Declined) = 1,
}

/// A place among all states of a channel: states of a later epoch are above those of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Place {
    /// Disputes resolved in the channel before.
    pub epoch: Epoch,
    /// Order within it.
    pub order: StateOrder,
}

impl Place {
    /// Of a state.
    pub const fn of(state: &ChannelState) -> Self {
        Self { epoch: state.epoch, order: state.order() }
    }
}

/// What a tower signs: that it has this state, and will show it when an older one is in court.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Receipt {
    /// Who signs.
    pub tower: PublicKey,
    /// Who handed the state, or an older one, over.
    pub client: PublicKey,
    /// Whose channel.
    pub parties: Parties,
    /// The newest that the tower has; for one client and channel it never goes back.
    pub place: Place,
    /// Digest of that state, as its parties sign it.
    pub state: Hash,
    /// Grows with every receipt for this client, from 1.
    pub number: u64,
    /// The tower's head.
    pub height: Height,
}

impl Message for Receipt {
    const TAG: Tag = tags::TOWER_RECEIPT;
}

/// A state that a tower does not keep. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Declined {
    /// Whose channel.
    pub parties: Parties,
    /// Which state.
    pub place: Place,
    /// Why.
    pub reason: Reason,
}

/// Why a state is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, thiserror::Error)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A dispute was resolved since.
    #[error("a dispute of the channel was resolved since")]
    EpochOver = 0,
    /// The tower's head does not show this epoch yet.
    #[error("the watchtower has not seen the block that began this epoch")]
    EpochAhead = 1,
    /// Court would skip it.
    #[error("court would not take this state")]
    NotForCourt = 2,
    /// Neither party has an account: nobody can take the channel to court.
    #[error("neither side has an account on-chain")]
    Strangers = 3,
    /// No room for another channel.
    #[error("the watchtower has no room for another channel")]
    Full = 4,
    /// Too many in a short time; again a little later.
    #[error("too many states in a short time")]
    TooFast = 5,
}

impl ToTower {
    /// Canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a client's bytes.
    ///
    /// # Errors
    /// [`DecodeError`] when they are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, limits::MAX_TOWER_MESSAGE_BYTES)
    }
}

impl FromTower {
    /// Canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a tower's bytes.
    ///
    /// # Errors
    /// [`DecodeError`] when they are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, limits::MAX_TOWER_MESSAGE_BYTES)
    }
}
