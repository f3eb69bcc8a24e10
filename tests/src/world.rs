//! A small deterministic world: real machines of core, a modelled chain and court, wires that lose, copy,
//! delay and reorder, parties that crash around every write and send, and partners that lie.
//!
//! - [`chain`]: heights, deposits, withdrawals and court decisions of channels, as a party's verified view.
//! - [`party`]: one party as its host runs it: durable record, write before send, restart from the record.
//! - [`book`]: what a party may rely on, kept from its events alone: the checkers' side of every account.
//! - [`pair`]: two parties and the wires between them.
//! - [`simulation`]: one seed derives every choice; faults first, then healing, which must bring progress.
//! - [`byzantine`]: a partner with a real key that sends whatever it likes.
//! - [`explore`]: all interleavings of a small case.
//!
//! Everything is a value: a world can be copied, and the same seed gives the same trace.

pub mod book;
pub mod byzantine;
pub mod chain;
pub mod explore;
pub mod pair;
pub mod party;
pub mod random;
pub mod simulation;
