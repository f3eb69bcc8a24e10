//! `Withdraw`: insurance out of a channel with the other side's consent.

use super::deposit::{Applied, Direction, account, flow, side, subtract};
use super::execute::Context;
use super::operation::{Withdraw, WithdrawalConsent};
use super::receipt::{Purpose, SkipReason};
use super::state::{ChannelAsset, Key, Value};
use super::view::{Overlay, View as _};
use crate::message::Message as _;
use crate::types::{PublicKey, Side};

/// Applies a withdrawal to an overlay, which is dropped if this fails.
pub(super) fn apply(
    overlay: &mut Overlay<'_>,
    context: &Context<'_>,
    signer: PublicKey,
    withdraw: &Withdraw,
) -> Result<Applied, SkipReason> {
    let consent = &withdraw.proof.body;
    form(consent, context, signer)?;
    let mut channel = overlay.channel(&consent.parties).cloned().unwrap_or_default();
    if consent.epoch != channel.epoch {
        return Err(SkipReason::WrongEpoch { expected: channel.epoch, got: consent.epoch });
    }
    let mut part = channel.asset_or_zero(consent.asset);
    let (expected, got) = (part.next_consent(consent.withdrawer), consent.nonce);
    if got != expected {
        return Err(SkipReason::WrongConsentNonce { expected, got });
    }
    if context.usable_height > consent.expires_at {
        return Err(SkipReason::ConsentExpired { expires_at: consent.expires_at, now: context.usable_height });
    }
    if consent.amount > part.insurance {
        return Err(SkipReason::MoreThanInsurance { insurance: part.insurance, amount: consent.amount });
    }
    let partner = consent.parties.key(consent.withdrawer.other());
    if !consent.is_signed_by(&context.chain_id, &partner, &withdraw.proof.signature) {
        return Err(SkipReason::BadConsentSignature { expected: partner });
    }

    subtract(&mut part, Some(consent.withdrawer), consent.amount).ok_or(SkipReason::OutOfBounds)?;
    use_consent(&mut part, consent.withdrawer).ok_or(SkipReason::OutOfBounds)?;
    channel.put(part);
    overlay.put(Key::Channel(consent.parties), Value::Channel(channel));
    overlay.credit(signer, consent.asset, consent.amount).ok_or(SkipReason::OutOfBounds)?;
    let flows = vec![
        flow(side(signer, partner), consent.asset, consent.amount, Direction::Out, Purpose::Transfer)?,
        flow(account(signer), consent.asset, consent.amount, Direction::In, Purpose::Transfer)?,
    ];
    Ok(Applied { registered: None, flows })
}

/// What can be said without looking at the channel.
fn form(consent: &WithdrawalConsent, context: &Context<'_>, signer: PublicKey) -> Result<(), SkipReason> {
    if consent.chain_id != context.chain_id {
        return Err(SkipReason::WrongChain);
    }
    if !consent.parties.is_ordered() {
        return Err(SkipReason::UnorderedParties);
    }
    let withdrawer = consent.parties.key(consent.withdrawer);
    if withdrawer != signer {
        return Err(SkipReason::NotTheWithdrawer { expected: withdrawer });
    }
    if consent.amount == 0 { Err(SkipReason::ZeroAmount) } else { Ok(()) }
}

fn use_consent(part: &mut ChannelAsset, withdrawer: Side) -> Option<()> {
    let number = match withdrawer {
        Side::Left => &mut part.left_consents,
        Side::Right => &mut part.right_consents,
    };
    *number = number.checked_add(1)?;
    Some(())
}

#[cfg(test)]
mod tests;
