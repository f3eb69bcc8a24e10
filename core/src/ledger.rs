//! The ledger: batches, operations, and their effect on the state (docs/protocol.md, section 3).
//!
//! `signed batch → inclusion → Verified → execute (groups, operations) → Transition → State::commit`.
//! Computing a [`transition::Transition`] changes nothing, so a proposer, a voter and a client can look at
//! the outcome of a block before anybody has decided it.
//!
//! **Invariant**: only this module makes a [`state::State`]; a batch either may stand in a block and pays
//! its fee, or the block is invalid; an operation either applies wholly or leaves no trace.

pub mod batch;
pub(crate) mod court;
mod debts;
mod deposit;
pub(crate) mod execute;
#[cfg(test)]
pub(crate) mod fixture;
mod governance;
pub mod inclusion;
pub mod operation;
pub mod receipt;
mod registry;
pub mod state;
pub mod transition;
mod view;
mod withdraw;
