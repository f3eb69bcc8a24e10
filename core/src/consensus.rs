//! Deciding on blocks: Tendermint through Malachite's sans-IO machine (docs/protocol.md, section 3).
//!
//! [`Consensus::handle`] is one step of a pure machine: an [`Input`] and the time go in, [`Effect`]s come
//! out in order. Signing and verifying happen inside; everything else is the host's.
//!
//! **What the host does with effects**: all [`Effect::Log`] and [`Effect::Signed`] of one input in one
//! durable transaction; then, in order, the rest. Nothing signed leaves before the log that it depends
//! on is on disk.
//!
//! **Run loop**
//! 1. [`Consensus::restore`] with what the store holds for the height after the head.
//! 2. When the pace allows and there is something to include, or [`Consensus::is_awaited`], or
//!    K.max_idle_ms has passed: [`Input::Begin`].
//! 3. [`Effect::Execute`] asks for [`Input::Executed`], [`Effect::Build`] for [`Input::Built`],
//!    [`Effect::SetTimer`] for [`Input::Elapsed`]; what peers send is [`Input::Received`].
//! 4. [`Effect::Decided`]: commit block and state, forget the log of that height, then
//!    [`Input::NewHead`]. A block that came with its certificate from elsewhere is committed likewise.
//!
//! **Rules**
//! - A validator signs one thing for one height, round and step ([`Slot`]), whatever happens: what was
//!   signed is on record, the same request gets the same bytes, another one is a [`Fault`] that stops it.
//! - A block is prevoted only when it was executed and found right. The verdict is a function of the
//!   block; the local clock is asked only about fresh proposals, and a fresh proposal whose time is off
//!   waits until the prevote of its round is cast, so that it can still be decided by others.
//! - Messages for the next height, or for one that has not begun here, are verified and kept within
//!   bounds; anything further ahead is dropped, since a node that far behind fetches certified blocks.
//!
//! Deviation from Malachite's defaults: values are block hashes, blocks travel inside our proposal
//! messages (`ProposalAndParts`, since `ProposalOnly` would mark every proposal valid), timers belong to
//! the height of their `StartHeight`, and every kind of certificate is verified here.

mod certificates;
mod context;
mod desk;
mod early;
mod event;
mod machine;
mod message;
mod timeouts;

pub use event::{Effect, Fault, Input, Restored, Signer};
pub use machine::Consensus;
pub use message::{
    Ballot, ExecutedBlock, LogEntry, Message, PolkaCertificate, Proposal, ProposalBody, RoundCertificate,
    RoundCertificateKind, RoundVote, Slot, Step, Timer, TimerKind, Verdict, Vote, VoteKind,
};
pub use timeouts::Timeouts;

#[cfg(test)]
mod tests;
