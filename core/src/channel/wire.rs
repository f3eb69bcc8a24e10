//! What two parties of a channel send each other, inside an authenticated session (docs/protocol.md,
//! section 4). A session belongs to one channel; both keys are known from it.
//!
//! Layout (borsh, little endian): one byte says which message, then its fields in order.
//!
//! ```text
//! 0 Hello   epoch u64 │ state ChannelState │ signatures 0 or 1 [left 64 │ right 64] │ shared Shared
//! 1 Update  epoch u64 │ reply 0 or 1 [Reply] │ frame 0 or 1 [Frame]
//! Reply     0 Ack     frame u64 │ signature 64
//!           1 Refuse  frame u64 │ reason RefusalReason │ head u64
//! Frame     number u64 │ proposer u8 │ base [frame u64 │ proposer u8] │ as_of_height u64
//!           │ restore u8 │ transitions u32 [Transition]×n │ signature 64 │ debug 0 or 1 [two states]
//! ```

use super::shared::{Shared, Sides};
use super::state::{ChannelState, StateOrder};
use super::transition::{Invalid, Transition};
use crate::codec::{self, DecodeError};
use crate::crypto;
use crate::limits;
use crate::message::tags;
use crate::types::{Epoch, Hash, Height, Side, Signature, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// Anything that a partner sends.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Message {
    /// First in every session.
    Hello(Box<Hello>),
    /// Everything else.
    Update(Box<Update>),
}

/// What a party shows on connecting, so that data loss on either side is seen before anything is signed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Hello {
    /// The sender's epoch.
    pub epoch: Epoch,
    /// Its newest both-signed state.
    pub state: ChannelState,
    /// Both signatures; none on the default state.
    pub signatures: Option<Sides<Signature>>,
    /// What `shared_hash` of the state is over.
    pub shared: Shared,
}

/// Answer to the partner's last frame, and an own frame. Processed whole, the reply first.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Update {
    /// The sender's epoch; updates of another one are void.
    pub epoch: Epoch,
    /// Repeated in every update until the next one takes its place.
    pub reply: Option<Reply>,
    /// The sender's unanswered frame.
    pub frame: Option<Frame>,
}

/// Answer to a frame; final.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Reply {
    /// The frame's state is signed by both now.
    Ack {
        /// Number of the partner's frame.
        frame: u64,
        /// Over the state that it makes.
        signature: Signature,
    },
    /// The frame is never acknowledged.
    Refuse {
        /// Number of the partner's frame.
        frame: u64,
        /// Why.
        reason: RefusalReason,
        /// The refuser's head; the proposer reaches it before it proposes again.
        head: Height,
    },
}

/// Why a frame is refused.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum RefusalReason {
    /// Facts older than K.proof_window, or older than before.
    #[error("chain facts of height {got} where at least {least} is needed")]
    FactsTooOld {
        /// The least height.
        least: Height,
        /// The frame's.
        got: Height,
    },
    /// Facts further ahead than K.max_lead, or a block that did not come in time.
    #[error("chain facts of height {got} where at most {most} can be checked")]
    FactsTooNew {
        /// The highest.
        most: Height,
        /// The frame's.
        got: Height,
    },
    /// A settlement after expiry without a reveal in time, by the refuser's head.
    #[error("settled at {now}, but the lock expired at {expiry}")]
    SettledTooLate {
        /// The lock's.
        expiry: UsableHeight,
        /// U of the refuser's head.
        now: UsableHeight,
    },
    /// A transition that is not allowed.
    #[error("transition {position}: {invalid}")]
    Transition {
        /// Its place in the frame, from 0.
        position: u32,
        /// Why.
        invalid: Invalid,
    },
    /// A bound of the whole state.
    #[error("{0}")]
    Bounds(Invalid),
    /// More transitions than a frame may have.
    #[error("{got} transitions where at most {limit} are allowed")]
    TooManyTransitions {
        /// The cap.
        limit: u32,
        /// What came.
        got: u32,
    },
    /// The signature is not the proposer's over the state that the transitions make.
    #[error("the signature is not over the state that the frame makes")]
    Signature,
    /// A restore that does something.
    #[error("a restore must be empty")]
    RestoreNotEmpty,
}

/// A step of the channel, proposed by one party.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Frame {
    /// 1 + the highest number that its proposer signed or received in this epoch.
    pub number: u64,
    /// Who proposes; the sender.
    pub proposer: Side,
    /// The state that it builds on.
    pub base: StateOrder,
    /// Height of the chain facts by which it is judged.
    pub as_of_height: Height,
    /// The proposer lost data and starts anew from `base` (rule 8).
    pub restore: bool,
    /// In order.
    pub transitions: Vec<Transition>,
    /// The proposer's, over the resulting state.
    pub signature: Signature,
    /// On test networks, to find a difference.
    pub debug: Option<Box<DebugStates>>,
}

/// What a proposer started from and came to.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DebugStates {
    /// The base.
    pub base: ChannelState,
    /// The result.
    pub result: ChannelState,
}

impl Frame {
    /// Its place in the one order.
    pub const fn order(&self) -> StateOrder {
        StateOrder { frame: self.number, proposer: self.proposer }
    }

    /// Identifies its bytes.
    pub fn digest(&self) -> Hash {
        crypto::hash(tags::FRAME, &[&codec::encode(self)])
    }
}

impl Reply {
    /// The frame that it answers.
    pub const fn frame(&self) -> u64 {
        match self {
            Self::Ack { frame, .. } | Self::Refuse { frame, .. } => *frame,
        }
    }
}

impl Message {
    /// Canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a partner's bytes.
    ///
    /// # Errors
    /// [`DecodeError`] when they are too many or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, limits::MAX_PEER_MESSAGE_BYTES)
    }
}
