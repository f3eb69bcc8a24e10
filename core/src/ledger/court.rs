//! Court: disputes, answers, the registry of secrets, resolution (docs/protocol.md, section 6).
//!
//! ```text
//! Dispute ─ answers while U ≤ start + delay ─ looked at when U ≥ start + delay + 1
//!         ─ locks may run on until min(last expiry, start + horizon) ─ resolved at the start of a block
//! ```
//!
//! Delay and horizon are fixed when it begins: changes of K never touch a dispute that runs.

mod dispute;
mod resolve;
mod reveal;

pub(crate) use dispute::would_take;
pub(super) use dispute::{answer, dispute};
pub(super) use reveal::reveal;

use super::debts::Payments;
use super::execute::Context;
use super::receipt::Opening;
use super::view::Overlay;

/// What falls due at the start of a block: disputes, then entries of the registry, which stay as long as
/// a dispute that is due waits for its turn, and in the block in which the last of those has it: so that whoever
/// looks at the chain after that block finds what the resolution was made with.
pub(super) fn open_block(overlay: &mut Overlay<'_>, context: &Context<'_>, payments: &mut Payments) -> Vec<Opening> {
    let (openings, backlog) = resolve::due(overlay, context, payments);
    if backlog == resolve::Backlog::None {
        reveal::delete_due(overlay, context);
    }
    openings
}

#[cfg(test)]
mod tests;
