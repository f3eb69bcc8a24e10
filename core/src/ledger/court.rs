//! Court: disputes, answers, the registry of secrets, resolution (docs/protocol.md, section 6).

use super::deposit::Applied;
use super::execute::Context;
use super::operation::{Answer, Dispute, Reveal};
use super::receipt::{Opening, SkipReason};
use super::view::Overlay;
use crate::types::PublicKey;

/// What falls due at the start of a block.
pub(super) fn open_block(_overlay: &mut Overlay<'_>, _context: &Context<'_>) -> Vec<Opening> {
    Vec::new()
}

/// Takes a channel to court.
pub(super) fn dispute(
    _overlay: &mut Overlay<'_>,
    _context: &Context<'_>,
    _signer: PublicKey,
    _operation: &Dispute,
) -> Result<Applied, SkipReason> {
    Err(SkipReason::OutOfBounds)
}

/// Shows a newer state.
pub(super) fn answer(
    _overlay: &mut Overlay<'_>,
    _context: &Context<'_>,
    _signer: PublicKey,
    _operation: &Answer,
) -> Result<Applied, SkipReason> {
    Err(SkipReason::OutOfBounds)
}

/// Puts secrets into the registry.
pub(super) fn reveal(
    _overlay: &mut Overlay<'_>,
    _context: &Context<'_>,
    _signer: PublicKey,
    _operation: &Reveal,
) -> Result<Applied, SkipReason> {
    Err(SkipReason::OutOfBounds)
}
