//! `Dispute` and `Answer`: which states court takes.

use crate::channel::state::{ChannelState, StateOrder};
use crate::ledger::deposit::Applied;
use crate::ledger::execute::Context;
use crate::ledger::operation::{Answer, Dispute};
use crate::ledger::receipt::SkipReason;
use crate::ledger::state::{self, Channel, CourtState, Key, State, Value};
use crate::ledger::view::{Overlay, View};
use crate::message::Message as _;
use crate::types::{Parties, PublicKey, Side, Signature};

/// Takes a channel to court. Faults are looked for in the order: parties, registration, a dispute that runs, something
/// at stake, then those of the state ([`check_state`]), and the signature last. A channel with nothing on-chain is at
/// stake only by a state: else whoever has two accounts could fill court with what costs next to nothing.
pub(in crate::ledger) fn dispute(
    overlay: &mut Overlay<'_>,
    context: &Context<'_>,
    signer: PublicKey,
    operation: &Dispute,
) -> Result<Applied, SkipReason> {
    let partner = operation.partner;
    let parties = Parties::new(signer, partner).ok_or(SkipReason::SelfChannel)?;
    let starter = parties.side_of(&signer).ok_or(SkipReason::OtherChannel)?;
    if overlay.account(&partner).is_none() {
        return Err(SkipReason::AccusedUnknown { key: partner });
    }
    if let Some(running) = running(overlay, &parties) {
        return Err(SkipReason::AlreadyInCourt { start: running.start });
    }
    if operation.proof.is_none() && !overlay.channel(&parties).is_some_and(Channel::holds_anything) {
        return Err(SkipReason::NothingAtStake);
    }
    let state = match &operation.proof {
        None => None,
        Some(proof) => {
            let state = &proof.body;
            if state.chain_id != context.chain_id {
                return Err(SkipReason::WrongChain);
            }
            if state.parties != parties {
                return Err(SkipReason::OtherChannel);
            }
            check_state(overlay, context, state, StateOrder::DEFAULT)?;
            check_signature(context, state, partner, Some(&proof.signature))?;
            Some(CourtState { order: state.order(), subs: state.subs.clone() })
        }
    };
    let is_bank = overlay.get(&Key::Bank(partner)).is_some();
    let parameters = context.parameters;
    let delay = if is_bank { parameters.bank_dispute_delay_blocks } else { parameters.dispute_delay_blocks };
    let (start, horizon) = (context.usable_height, parameters.lock_horizon_blocks);
    let mut dispute = state::Dispute { starter, start, delay, horizon, state, end: 0 };
    dispute.end = dispute.answers_until().saturating_add(1);
    overlay.put(Key::DisputeByEnd(dispute.end, parties), Value::Due);
    overlay.put(Key::Dispute(parties), Value::Dispute(Box::new(dispute)));
    Ok(Applied { registered: None, flows: Vec::new() })
}

/// Shows a newer state. Faults are looked for in the order: chain, parties, a dispute that runs, its answer
/// window, then those of the state ([`check_state`]), and the signatures last. An answer changes the state
/// in court and nothing else: no dispute ends early.
pub(in crate::ledger) fn answer(
    overlay: &mut Overlay<'_>,
    context: &Context<'_>,
    signer: PublicKey,
    operation: &Answer,
) -> Result<Applied, SkipReason> {
    let state = &operation.state;
    if state.chain_id != context.chain_id {
        return Err(SkipReason::WrongChain);
    }
    if !state.parties.is_ordered() {
        return Err(SkipReason::UnorderedParties);
    }
    let mut dispute = running(overlay, &state.parties).cloned().ok_or(SkipReason::NotInCourt)?;
    let (until, now) = (dispute.answers_until(), context.usable_height);
    if now > until {
        return Err(SkipReason::AnswerTooLate { until, now });
    }
    check_state(overlay, context, state, dispute.order())?;
    let own = state.parties.side_of(&signer);
    for side in [Side::Left, Side::Right] {
        if own != Some(side) {
            let signature = operation.signatures.get(side).as_ref();
            check_signature(context, state, state.parties.key(side), signature)?;
        }
    }
    dispute.state = Some(CourtState { order: state.order(), subs: state.subs.clone() });
    overlay.put(Key::Dispute(state.parties), Value::Dispute(Box::new(dispute)));
    Ok(Applied { registered: None, flows: Vec::new() })
}

/// Whether court would take a state now if its channel were there with nothing shown; signatures apart.
///
/// # Errors
/// [`SkipReason`] says why not.
pub(crate) fn would_take(state: &State, shown: &ChannelState) -> Result<(), SkipReason> {
    let context = Context::after(state, shown.parties.left());
    if shown.chain_id != context.chain_id {
        return Err(SkipReason::WrongChain);
    }
    check_state(&Overlay::new(state), &context, shown, StateOrder::DEFAULT)
}

/// Epoch, order, form, bytes, assets, locks, and that the assets exist. Expiries need no bound, since a
/// dispute ends by its horizon whatever they say. Assets are counted for the state alone: if those that
/// a party deposited counted too, it could fill the channel and keep the other's state out of court.
fn check_state(
    overlay: &Overlay<'_>,
    context: &Context<'_>,
    state: &ChannelState,
    in_court: StateOrder,
) -> Result<(), SkipReason> {
    let expected = overlay.channel(&state.parties).map_or(0, |channel| channel.epoch);
    if state.epoch != expected {
        return Err(SkipReason::WrongEpoch { expected, got: state.epoch });
    }
    let got = state.order();
    if got <= in_court {
        return Err(SkipReason::NotNewer { in_court, got });
    }
    if !state.is_well_formed() {
        return Err(SkipReason::MalformedState);
    }
    let (limit, got) = (u64::from(context.parameters.max_state_bytes), state.encoded_bytes());
    if got > limit {
        return Err(SkipReason::StateTooLong { limit, got });
    }
    let (limit, got) = (u64::from(context.parameters.max_channel_assets), wide(state.subs.len()));
    if got > limit {
        return Err(SkipReason::TooManyStateAssets { limit, got });
    }
    for side in [Side::Left, Side::Right] {
        let (limit, got) = (u64::from(context.parameters.max_locks), wide(state.locks_of(side).count()));
        if got > limit {
            return Err(SkipReason::TooManyLocks { giver: state.parties.key(side), limit, got });
        }
    }
    match state.subs.iter().find(|sub| !overlay.has_asset(sub.asset)) {
        Some(sub) => Err(SkipReason::UnknownAsset { asset: sub.asset }),
        None => Ok(()),
    }
}

fn check_signature(
    context: &Context<'_>,
    state: &ChannelState,
    expected: PublicKey,
    signature: Option<&Signature>,
) -> Result<(), SkipReason> {
    match signature {
        None => Err(SkipReason::MissingStateSignature { expected }),
        Some(signature) if state.is_signed_by(&context.chain_id, &expected, signature) => Ok(()),
        Some(_) => Err(SkipReason::BadStateSignature { expected }),
    }
}

/// The dispute of a channel, if it is in court.
pub(super) fn running<'a>(view: &'a dyn View, parties: &Parties) -> Option<&'a state::Dispute> {
    match view.get(&Key::Dispute(*parties)) {
        Some(Value::Dispute(dispute)) => Some(dispute),
        _ => None,
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
