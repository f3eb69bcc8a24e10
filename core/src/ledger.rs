//! The ledger: batches, operations, and their effect on the state (docs/protocol.md, section 3).

pub mod batch;
pub mod operation;
