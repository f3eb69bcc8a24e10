//! What a bank does with one incoming lock: a pure decision (docs/protocol.md, section 5, Mediation).
//!
//! The lock is irrevocable and the head is fresh when this is asked: the channel reports it only then. What
//! is refused here is failed in the incoming channel; nothing has been promised to anybody by then.

use crate::chain::params::Parameters;
use crate::channel::state::{Lock, LockId};
use crate::channel::transition::FailReason;
use crate::payment::onion::Layer;
use crate::payment::route::Fee;
use crate::types::{Amount, PublicKey, UsableHeight};

/// What the bank knows while it decides.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// K.
    pub parameters: &'a Parameters,
    /// U of the bank's head.
    pub usable_height: UsableHeight,
    /// What the bank takes.
    pub fee: Fee,
    /// The giver's locks that are forwarded already, and what they hold.
    pub in_flight: InFlight,
    /// Most of them.
    pub max_forwards: usize,
    /// Most that they may hold; `None`: the asset is not mediated.
    pub max_in_flight: Option<Amount>,
}

/// Locks of one partner that are being forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// How many.
    pub locks: usize,
    /// What they hold in the asset in question.
    pub amount: Amount,
}

/// The outgoing lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Who gets it.
    pub next: PublicKey,
    /// How much.
    pub amount: Amount,
    /// When it expires.
    pub expiry: UsableHeight,
}

/// Decides about an incoming lock. `layer` is what its onion says, if it can be read.
///
/// # Errors
/// Why the lock is failed.
pub fn decide(
    id: &LockId,
    lock: &Lock,
    layer: Option<&Layer>,
    giver: &PublicKey,
    situation: &Situation<'_>,
) -> Result<Outgoing, FailReason> {
    let layer = layer.ok_or(FailReason::BadOnion)?;
    let Layer::Forward { asset, amount, expiry, next } = layer else { return Err(FailReason::Rejected) };
    if *asset != id.asset || *amount == 0 || next == giver {
        return Err(FailReason::BadOnion);
    }
    check_fee(lock.amount, *amount, situation.fee)?;
    check_expiry(lock.expiry, *expiry, situation)?;
    check_room(lock.amount, situation)?;
    Ok(Outgoing { next: *next, amount: *amount, expiry: *expiry })
}

/// Amount − fee, the fee rounding up.
fn check_fee(incoming: Amount, outgoing: Amount, fee: Fee) -> Result<(), FailReason> {
    match fee.incoming(outgoing) {
        Some(needed) if incoming >= needed => Ok(()),
        _ => Err(FailReason::FeeTooLow),
    }
}

/// `expiry_out ≤ expiry_in − K.hop_delta`, and enough time left for whoever gets the outgoing lock to settle.
fn check_expiry(incoming: UsableHeight, outgoing: UsableHeight, situation: &Situation<'_>) -> Result<(), FailReason> {
    let delta = UsableHeight::from(situation.parameters.hop_delta_blocks);
    let margin = UsableHeight::from(situation.parameters.margin_blocks);
    let leaves_time_to_us = outgoing.checked_add(delta).is_some_and(|least| least <= incoming);
    let leaves_time_to_them = outgoing > situation.usable_height.saturating_add(margin);
    if leaves_time_to_us && leaves_time_to_them { Ok(()) } else { Err(FailReason::ExpiryTooSoon) }
}

/// Slots and value are capped for each incoming channel.
fn check_room(amount: Amount, situation: &Situation<'_>) -> Result<(), FailReason> {
    let limit = situation.max_in_flight.ok_or(FailReason::NextHopUnavailable)?;
    let fits = situation.in_flight.locks < situation.max_forwards
        && situation.in_flight.amount.checked_add(amount).is_some_and(|sum| sum <= limit);
    if fits { Ok(()) } else { Err(FailReason::NextHopUnavailable) }
}

#[cfg(test)]
mod tests;
