//! What the machine is told, what it asks its host to do, and why it stops.

use super::message::{LogEntry, Message, Slot, Timer, Verdict};
use crate::chain::block::Block;
use crate::chain::certificate::{Certificate, ValidatorSet};
use crate::crypto::SecretKey;
use crate::types::{Hash, Height, PublicKey};

/// Who votes.
#[derive(Clone, Debug)]
pub struct Signer {
    /// Account key of the validator.
    pub account: PublicKey,
    /// Its block-signing key.
    pub key: SecretKey,
}

/// What the store holds for the height after the head.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The chain.
    pub chain_id: Hash,
    /// Height to decide on: the head's plus one.
    pub height: Height,
    /// Who decides it.
    pub validators: ValidatorSet,
    /// Who decides the one after it.
    pub next_validators: ValidatorSet,
    /// The log of that height in order; empty when it had not begun.
    pub log: Vec<LogEntry>,
    /// What was signed at that height.
    pub signed: Vec<(Slot, Hash)>,
}

/// What the machine reacts to.
#[derive(Clone, Debug)]
pub enum Input {
    /// It is time to decide on the height: something is to be included, or the idle time has passed.
    Begin,
    /// A message of another validator.
    Received(Message),
    /// Answer to [`Effect::Execute`].
    Executed {
        /// Hash of the block.
        block_hash: Hash,
        /// What executing it showed.
        verdict: Verdict,
    },
    /// Answer to [`Effect::Build`]: a block that this node executed while it built it.
    Built {
        /// Round that it is for.
        round: u32,
        /// The block.
        block: Block,
    },
    /// A timer ran out.
    Elapsed(Timer),
    /// A block was committed: decided here, or fetched with its certificate.
    NewHead {
        /// Its height.
        height: Height,
        /// Who decides the next.
        validators: ValidatorSet,
        /// Who decides the one after it.
        next_validators: ValidatorSet,
    },
}

/// What the host is to do. [`Effect::Log`] and [`Effect::Signed`] of one input come first, in one
/// durable transaction; the rest follows in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Keep a line of the log, forgotten when its height is committed.
    Log {
        /// Height that it belongs to.
        height: Height,
        /// Its place, from 0.
        index: u64,
        /// The line.
        entry: LogEntry,
    },
    /// Keep what was signed. If the slot is on record with other content, stop.
    Signed {
        /// For what.
        slot: Slot,
        /// Digest of what was signed.
        content: Hash,
    },
    /// Send to all other validators.
    Send(Message),
    /// Execute a block on the head and answer with [`Input::Executed`].
    Execute(Block),
    /// Build a block on the head and answer with [`Input::Built`].
    Build {
        /// Height to build for.
        height: Height,
        /// Round to build for.
        round: u32,
    },
    /// Start, or start anew, a timer.
    SetTimer {
        /// Which.
        timer: Timer,
        /// How long it runs.
        after_ms: u64,
    },
    /// Forget a timer.
    CancelTimer(Timer),
    /// Forget all timers.
    CancelTimers,
    /// Commit a block: block, state and head in one durable transaction; then [`Input::NewHead`].
    Decided {
        /// The block.
        block: Block,
        /// 2/3+ of the precommits.
        certificate: Certificate,
    },
    /// A round begins (to be shown).
    Round {
        /// Height.
        height: Height,
        /// Round.
        round: u32,
        /// Whose turn it is.
        proposer: PublicKey,
    },
    /// A validator signed two things for one slot (to be shown and kept).
    Misbehaved {
        /// Who.
        validator: PublicKey,
        /// In words.
        what: &'static str,
    },
    /// Malachite could not use an input (to be shown).
    Complaint(String),
}

/// Why this validator must stop. Nothing of the input that led here may leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Another thing was signed for the slot before.
    #[error("refusing to sign twice for {slot:?}: {signed} is on record, {asked} was asked for")]
    WouldSignTwice {
        /// The slot.
        slot: Slot,
        /// Digest on record.
        signed: Hash,
        /// Digest of what was to be signed.
        asked: Hash,
    },
    /// A block that was voted on is not here.
    #[error("block {block_hash} was voted on and is missing")]
    MissingBlock {
        /// Its hash.
        block_hash: Hash,
    },
    /// Malachite and its log disagree.
    #[error("the consensus log does not lead to what was signed: {0}")]
    Engine(String),
}
