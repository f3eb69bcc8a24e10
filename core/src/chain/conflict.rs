//! Two certified headers at one height: evidence that validators lied, and whether anybody must stop
//! (docs/protocol.md, section 3, "Verifying client").
//!
//! Keys leak once nobody guards them any more. So a second block of long ago stops nobody, however well it is
//! signed; it is evidence that is kept. What counts is the time of our own header: the other one's says
//! whatever its makers like.

use super::certificate::{Certificate, ValidatorSet};
use super::header::Header;
use super::verify::{self, BadBlock};
use crate::types::TimeMs;

/// What a second certified header at one height means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Younger than K.trust_period: whoever sees it stops.
    Stops,
    /// Older: kept, and nothing else.
    IsKept,
}

/// Holds another header against ours of the same height, which `validators` certified. `None` when it is the
/// same one.
///
/// # Errors
/// [`BadBlock`] when the other one is certified by other validators, or not at all: it proves nothing.
pub fn judge(
    ours: &Header,
    theirs: &Header,
    certificate: &Certificate,
    validators: &ValidatorSet,
    head_time_ms: TimeMs,
    trust_period_ms: u64,
) -> Result<Option<Conflict>, BadBlock> {
    let (expected, got) = (ours.height, theirs.height);
    if got != expected {
        return Err(BadBlock::WrongHeight { expected, got });
    }
    verify::alone(theirs, certificate, ours.chain_id, validators)?;
    if theirs.hash() == ours.hash() {
        return Ok(None);
    }
    let is_recent = ours.time_ms.saturating_add(trust_period_ms) > head_time_ms;
    Ok(Some(if is_recent { Conflict::Stops } else { Conflict::IsKept }))
}
