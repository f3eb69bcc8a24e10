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
//! - [`released`]: what a party let go, by its messages alone.
//! - [`host`]: a bank or a wallet as its host runs it.
//! - [`hub`]: users, banks between them, and a real ledger.
//!
//! The same seed gives the same trace; a pair is a value and can be copied.

pub mod book;
pub mod byzantine;
pub mod chain;
pub mod explore;
pub mod host;
pub mod hub;
pub mod pair;
pub mod party;
pub mod random;
pub mod released;
pub mod simulation;
