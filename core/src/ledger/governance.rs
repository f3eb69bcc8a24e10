//! Governance: proposals, votes, and their effect (docs/protocol.md, section 3).

use super::deposit::Applied;
use super::execute::Context;
use super::operation::{Propose, Vote};
use super::receipt::{Opening, SkipReason};
use super::view::Overlay;
use crate::types::PublicKey;

/// What falls due at the start of a block.
pub(super) fn open_block(_overlay: &mut Overlay<'_>, _context: &Context<'_>) -> Vec<Opening> {
    Vec::new()
}

/// Takes a proposal.
pub(super) fn propose(
    _overlay: &mut Overlay<'_>,
    _context: &Context<'_>,
    _signer: PublicKey,
    _operation: &Propose,
) -> Result<Applied, SkipReason> {
    Err(SkipReason::OutOfBounds)
}

/// Takes a vote.
pub(super) fn vote(
    _overlay: &mut Overlay<'_>,
    _context: &Context<'_>,
    _signer: PublicKey,
    _operation: &Vote,
) -> Result<Applied, SkipReason> {
    Err(SkipReason::OutOfBounds)
}
