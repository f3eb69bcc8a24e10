//! What anybody registers: assets and banks (docs/protocol.md, section 3).

use super::deposit::Applied;
use super::execute::Context;
use super::operation::{BankTerms, CreateAsset};
use super::receipt::SkipReason;
use super::view::Overlay;
use crate::types::PublicKey;

/// Makes an asset.
pub(super) fn create_asset(
    _overlay: &mut Overlay<'_>,
    _context: &Context<'_>,
    _signer: PublicKey,
    _operation: &CreateAsset,
) -> Result<Applied, SkipReason> {
    Err(SkipReason::OutOfBounds)
}

/// Registers the signer as a bank.
pub(super) fn register_bank(
    _overlay: &mut Overlay<'_>,
    _context: &Context<'_>,
    _signer: PublicKey,
    _operation: &BankTerms,
) -> Result<Applied, SkipReason> {
    Err(SkipReason::OutOfBounds)
}

/// Changes what the signer is registered with.
pub(super) fn update_bank(
    _overlay: &mut Overlay<'_>,
    _context: &Context<'_>,
    _signer: PublicKey,
    _operation: &BankTerms,
) -> Result<Applied, SkipReason> {
    Err(SkipReason::OutOfBounds)
}
