//! Frames on `/v1/consensus`.
//!
//! The callee sends 32 random bytes. The caller answers with [`Frame::Hello`], signed by its
//! block-signing key over those bytes and both accounts; then it sends what it has to say. Nothing comes
//! back on the same connection: each validator calls each other. Frames are canonical borsh, one per
//! binary message. A frame that cannot be read ends the connection.

use borsh::{BorshDeserialize, BorshSerialize};
use fair_core::consensus::Message as ConsensusMessage;
use fair_core::crypto::Tag;
use fair_core::ledger::batch::Batch;
use fair_core::limits;
use fair_core::message::{Message, Signed, tags};
use fair_core::types::{Height, PublicKey};

/// Longest frame in bytes.
pub(crate) const MAX_FRAME_BYTES: usize = limits::MAX_CONSENSUS_MESSAGE_BYTES + 64;

/// Bytes that the callee wants to see signed.
pub(crate) type Challenge = [u8; 32];

/// Who calls whom, in answer to which challenge.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct ValidatorHello {
    pub(crate) challenge: Challenge,
    pub(crate) from: PublicKey,
    pub(crate) to: PublicKey,
}

impl Message for ValidatorHello {
    const TAG: Tag = tags::VALIDATOR_HELLO;
}

/// One message of the caller.
#[allow(clippy::large_enum_variant, reason = "a proposal's block is most of it")]
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub(crate) enum Frame {
    /// Who calls; the first frame and no other.
    Hello(Signed<ValidatorHello>) = 0,
    /// Height of the caller's head: sent first and after each commit.
    Head(Height) = 1,
    /// A consensus message.
    Consensus(ConsensusMessage) = 2,
    /// A batch to include.
    Batch(Signed<Batch>) = 3,
}
