//! Transitions: what a frame does to an agreement (docs/protocol.md, section 4).
//!
//! [`apply`] checks everything first and then changes; `Err` means that nothing changed. It reads chain
//! facts from the shared part alone, so both parties come to the same result. What depends on a party's
//! own head (the deadline of a settlement) is checked in `update`.

mod invalid;

pub use invalid::Invalid;

use super::agreement::Agreement;
use super::shared::Hold;
use super::state::{Lock, LockId};
use crate::chain::params::Parameters;
use crate::crypto::{self, Secret};
use crate::ledger::operation::WithdrawalConsent;
use crate::limits;
use crate::message::{Message, Signed, tags};
use crate::types::{Amount, AssetId, Side, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// One change of an agreement, by the frame's proposer.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Transition {
    /// Pays unconditionally.
    Pay {
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// For the payee to read, at most [`limits::MAX_NOTE_BYTES`].
        note: Vec<u8>,
    } = 0,
    /// Reserves an amount until a secret is shown or time is up.
    Lock {
        /// What.
        asset: AssetId,
        /// The reservation.
        lock: Lock,
        /// For the receiver, at most [`limits::MAX_ONION_BYTES`].
        onion: Vec<u8>,
    } = 1,
    /// Takes the amount of a lock, by its receiver.
    Settle {
        /// Which.
        lock: LockId,
        /// Its hash's preimage.
        secret: Secret,
    } = 2,
    /// Gives a lock back, by its receiver.
    Fail {
        /// Which.
        lock: LockId,
        /// Why.
        reason: FailReason,
    } = 3,
    /// Takes a lock back, by its giver, when it can no longer be settled.
    Expire {
        /// Which.
        lock: LockId,
    } = 4,
    /// Sets the proposer's terms.
    SetCredit {
        /// In which asset.
        asset: AssetId,
        /// How much uninsured balance it accepts.
        limit: Amount,
        /// Above which uninsured balance it wants insurance.
        insure_above: Option<Amount>,
    } = 5,
    /// Asks the partner for insurance of the proposer's uninsured balance.
    RequestInsurance {
        /// In which asset.
        asset: AssetId,
    } = 6,
    /// Asks the partner for consent to a withdrawal; the hold starts here.
    RequestWithdrawal {
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// The chain's next consent number of the proposer.
        nonce: u64,
        /// The consent is valid while U ≤ this.
        expires_at: UsableHeight,
    } = 7,
    /// Consents to the partner's withdrawal, repeating exactly what it asked.
    GrantWithdrawal {
        /// The consent.
        proof: Box<Signed<WithdrawalConsent>>,
    } = 8,
    /// Declines the partner's withdrawal.
    RefuseWithdrawal {
        /// In which asset.
        asset: AssetId,
    } = 9,
}

/// Why a receiver gave a lock back. Payees answer wrong amounts, unknown or paid invoices and bad
/// secrets alike, so that nobody can probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize)]
#[borsh(use_discriminant = true)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum FailReason {
    /// The payee does not want it.
    Rejected = 0,
    /// The onion cannot be opened, or disagrees with the lock.
    BadOnion = 1,
    /// The next hop is not known here.
    UnknownNextHop = 2,
    /// The next hop is away or has no room.
    NextHopUnavailable = 3,
    /// Less than amount and fee.
    FeeTooLow = 4,
    /// Not enough time left to forward.
    ExpiryTooSoon = 5,
    /// Failed further on.
    Downstream = 6,
}

/// Applies one transition of `proposer`'s frame.
///
/// # Errors
/// [`Invalid`] says which rule forbids it; nothing has changed then.
pub fn apply(
    agreement: &mut Agreement,
    parameters: &Parameters,
    proposer: Side,
    transition: &Transition,
) -> Result<(), Invalid> {
    match transition {
        Transition::Pay { asset, amount, note } => pay(agreement, parameters, proposer, *asset, *amount, note),
        Transition::Lock { asset, lock, onion } => add_lock(agreement, parameters, proposer, *asset, lock, onion),
        Transition::Settle { lock, secret } => settle(agreement, proposer, lock, secret),
        Transition::Fail { lock, .. } => fail(agreement, proposer, lock),
        Transition::Expire { lock } => expire(agreement, parameters, proposer, lock),
        Transition::SetCredit { asset, limit, insure_above } => {
            set_credit(agreement, parameters, proposer, *asset, *limit, *insure_above)
        }
        Transition::RequestInsurance { asset } => request_insurance(agreement, parameters, proposer, *asset),
        Transition::RequestWithdrawal { asset, amount, nonce, expires_at } => {
            let hold = Hold { amount: *amount, nonce: *nonce, expires_at: *expires_at, granted: false };
            request_withdrawal(agreement, parameters, proposer, *asset, hold)
        }
        Transition::GrantWithdrawal { proof } => grant_withdrawal(agreement, proposer, proof),
        Transition::RefuseWithdrawal { asset } => refuse_withdrawal(agreement, proposer, *asset),
    }
}

/// `Pay{asset, amount, note}`: unconditional, by the payer, within available(payer).
fn pay(
    agreement: &mut Agreement,
    parameters: &Parameters,
    payer: Side,
    asset: AssetId,
    amount: Amount,
    note: &[u8],
) -> Result<(), Invalid> {
    check_length(note, limits::MAX_NOTE_BYTES)?;
    check_spendable(agreement, parameters, payer, asset, amount)?;
    agreement.pay(asset, payer, amount);
    Ok(())
}

/// `Lock{asset, amount, hash, expiry, onion}`: by the giver, within every bound of a frame. A receiver
/// that merely dislikes it fails it in its next frame (rule 4).
fn add_lock(
    agreement: &mut Agreement,
    parameters: &Parameters,
    giver: Side,
    asset: AssetId,
    lock: &Lock,
    onion: &[u8],
) -> Result<(), Invalid> {
    check_length(onion, limits::MAX_ONION_BYTES)?;
    if lock.amount < parameters.min_lock {
        return Err(Invalid::TooSmall { least: parameters.min_lock, got: lock.amount });
    }
    check_spendable(agreement, parameters, giver, asset, lock.amount)?;
    if agreement.state.locks_of(giver).count() >= usize::from(parameters.max_locks) {
        return Err(Invalid::TooManyLocks { limit: parameters.max_locks });
    }
    let latest = agreement.shared.usable_height.saturating_add(parameters.lock_horizon_blocks.into());
    if lock.expiry > latest {
        return Err(Invalid::ExpiryTooFar { latest, got: lock.expiry });
    }
    let least = *agreement.shared.next_index.get(giver);
    if lock.index < least || lock.index == u64::MAX {
        return Err(Invalid::IndexUsed { least, got: lock.index });
    }
    let id = LockId { asset, giver, index: lock.index };
    *agreement.shared.next_index.get_mut(giver) = lock.index.saturating_add(1);
    agreement.shared.add_onion(id, crypto::hash(tags::ONION, &[onion]));
    agreement.state.sub_mut(asset).locks_of_mut(giver).push(lock.clone());
    Ok(())
}

/// `Settle{lock, secret}` by the receiver. Its deadline is judged by whoever receives the frame.
fn settle(agreement: &mut Agreement, receiver: Side, id: &LockId, secret: &Secret) -> Result<(), Invalid> {
    let lock = find_lock(agreement, id, receiver.other())?;
    if crypto::lock_hash(secret) != lock.hash {
        return Err(Invalid::WrongSecret);
    }
    remove_lock(agreement, id);
    agreement.pay(id.asset, id.giver, lock.amount);
    Ok(())
}

/// `Fail{lock, reason}` by the receiver.
fn fail(agreement: &mut Agreement, receiver: Side, id: &LockId) -> Result<(), Invalid> {
    find_lock(agreement, id, receiver.other())?;
    remove_lock(agreement, id);
    Ok(())
}

/// `Expire{lock}` by the giver when U > expiry + margin and the hash was not revealed at U ≤ expiry,
/// judged at as_of_height.
fn expire(agreement: &mut Agreement, parameters: &Parameters, giver: Side, id: &LockId) -> Result<(), Invalid> {
    let lock = find_lock(agreement, id, giver)?;
    let until = lock.expiry.saturating_add(parameters.margin_blocks.into());
    let now = agreement.shared.usable_height;
    if now <= until {
        return Err(Invalid::NotExpired { until, now });
    }
    if agreement.shared.was_revealed(&lock.hash, lock.expiry) {
        return Err(Invalid::Revealed);
    }
    remove_lock(agreement, id);
    Ok(())
}

/// `SetCredit{asset, limit, insure_above}` by the side that takes the risk; below what is in use it
/// means "no further".
fn set_credit(
    agreement: &mut Agreement,
    parameters: &Parameters,
    side: Side,
    asset: AssetId,
    limit: Amount,
    insure_above: Option<Amount>,
) -> Result<(), Invalid> {
    if limit > limits::MAX_SUPPLY || insure_above.is_some_and(|threshold| threshold > limits::MAX_SUPPLY) {
        return Err(Invalid::TooLarge);
    }
    let set = |terms: &super::shared::Terms| terms.accepts;
    let known = agreement.shared.terms(asset, side).is_some_and(set);
    let accepted = agreement.shared.assets.iter().filter(|entry| set(entry.terms.get(side))).count();
    if !known && accepted >= usize::from(parameters.max_channel_assets) {
        return Err(Invalid::TooManyAssets { limit: parameters.max_channel_assets });
    }
    let price = partner_price(agreement, side);
    let terms = agreement.terms_mut(asset, side);
    terms.accepts = true;
    terms.credit_limit = limit;
    if terms.insure_above != insure_above {
        terms.insure_above = insure_above;
        terms.insurance_price = price;
    }
    Ok(())
}

/// `RequestInsurance{asset}`, at least K.min_insurance. The price is fixed here and falls due with the
/// first facts that show the deposit.
fn request_insurance(
    agreement: &mut Agreement,
    parameters: &Parameters,
    side: Side,
    asset: AssetId,
) -> Result<(), Invalid> {
    let uninsured = agreement.line(asset).uninsured(side);
    if uninsured < parameters.min_insurance {
        return Err(Invalid::NothingToInsure { least: parameters.min_insurance, uninsured });
    }
    if agreement.shared.terms(asset, side).is_some_and(|terms| terms.insurance_requested) {
        return Err(Invalid::AlreadyRequested);
    }
    let price = partner_price(agreement, side);
    let terms = agreement.terms_mut(asset, side);
    terms.insurance_requested = true;
    terms.insurance_price = price;
    Ok(())
}

/// `RequestWithdrawal{asset, amount, nonce, expires_at}` by the withdrawer: one at a time per asset, the
/// chain's next number, within what is insured and not reserved. The hold starts before any consent.
fn request_withdrawal(
    agreement: &mut Agreement,
    parameters: &Parameters,
    side: Side,
    asset: AssetId,
    hold: Hold,
) -> Result<(), Invalid> {
    if hold.amount == 0 {
        return Err(Invalid::ZeroAmount);
    }
    if agreement.shared.hold(asset, side).is_some() {
        return Err(Invalid::AlreadyRequested);
    }
    let expected = agreement.shared.asset(asset).map_or(0, |entry| *entry.consent_nonces.get(side));
    if hold.nonce != expected {
        return Err(Invalid::WrongNonce { expected, got: hold.nonce });
    }
    let latest = agreement.shared.usable_height.saturating_add(parameters.max_consent_blocks.into());
    if hold.expires_at > latest {
        return Err(Invalid::ExpiryTooFar { latest, got: hold.expires_at });
    }
    let available = agreement.withdrawable(asset, side);
    if hold.amount > available {
        return Err(Invalid::Unavailable { available, asked: hold.amount });
    }
    agreement.terms_mut(asset, side).hold = Some(hold);
    Ok(())
}

/// `GrantWithdrawal{proof}` repeats exactly what was asked, signed by the granter. A second grant of
/// the same is allowed: proofs are proposed again until the hold ends.
fn grant_withdrawal(
    agreement: &mut Agreement,
    granter: Side,
    proof: &Signed<WithdrawalConsent>,
) -> Result<(), Invalid> {
    let expected = consent(agreement, granter, proof.body.asset).ok_or(Invalid::NoHold)?;
    let key = agreement.state.parties.key(granter);
    if proof.body != expected || !proof.body.is_signed_by(&agreement.state.chain_id, &key, &proof.signature) {
        return Err(Invalid::WrongConsent);
    }
    if let Some(hold) = agreement.hold_mut(proof.body.asset, granter.other()) {
        hold.granted = true;
    }
    Ok(())
}

/// `RefuseWithdrawal{asset}` ends a hold that was not granted.
fn refuse_withdrawal(agreement: &mut Agreement, granter: Side, asset: AssetId) -> Result<(), Invalid> {
    match agreement.shared.hold(asset, granter.other()) {
        None => Err(Invalid::NoHold),
        Some(hold) if hold.granted => Err(Invalid::AlreadyGranted),
        Some(_) => {
            agreement.terms_mut(asset, granter.other()).hold = None;
            Ok(())
        }
    }
}

/// The consent that the partner of `granter` asks for in an asset.
pub(crate) fn consent(agreement: &Agreement, granter: Side, asset: AssetId) -> Option<WithdrawalConsent> {
    let withdrawer = granter.other();
    let hold = agreement.shared.hold(asset, withdrawer)?;
    Some(WithdrawalConsent {
        chain_id: agreement.state.chain_id,
        parties: agreement.state.parties,
        epoch: agreement.state.epoch,
        withdrawer,
        asset,
        amount: hold.amount,
        nonce: hold.nonce,
        expires_at: hold.expires_at,
    })
}

/// An asset enters the state only when the receiver accepted it or the chain has it in the channel.
fn check_spendable(
    agreement: &Agreement,
    parameters: &Parameters,
    payer: Side,
    asset: AssetId,
    amount: Amount,
) -> Result<(), Invalid> {
    if amount == 0 {
        return Err(Invalid::ZeroAmount);
    }
    let accepted = agreement.shared.terms(asset, payer.other()).is_some_and(|terms| terms.accepts);
    let on_chain = agreement.shared.asset(asset).is_some_and(|entry| entry.insurance > 0);
    if !accepted && !on_chain {
        return Err(Invalid::AssetNotAccepted { asset });
    }
    let is_new = agreement.state.sub(asset).is_none();
    if is_new && agreement.state.subs.len() >= usize::from(parameters.max_channel_assets) {
        return Err(Invalid::TooManyAssets { limit: parameters.max_channel_assets });
    }
    let available = agreement.available(asset, payer);
    if amount > available {
        return Err(Invalid::Unavailable { available, asked: amount });
    }
    if amount > agreement.room(asset) {
        return Err(Invalid::TooLarge);
    }
    Ok(())
}

fn check_length(bytes: &[u8], limit: usize) -> Result<(), Invalid> {
    if bytes.len() > limit { Err(Invalid::TooLong { limit, got: bytes.len() }) } else { Ok(()) }
}

fn find_lock(agreement: &Agreement, id: &LockId, giver: Side) -> Result<Lock, Invalid> {
    if id.giver != giver {
        return Err(Invalid::NotYours);
    }
    agreement.state.lock(id).cloned().ok_or(Invalid::NoSuchLock(*id))
}

fn remove_lock(agreement: &mut Agreement, id: &LockId) {
    agreement.state.sub_mut(id.asset).locks_of_mut(id.giver).retain(|lock| lock.index != id.index);
    agreement.state.drop_zero_subs();
    agreement.shared.remove_onion(id);
}

/// What an insurance of a side costs by the facts agreed on.
pub(super) fn partner_price(agreement: &Agreement, side: Side) -> Amount {
    agreement.shared.insurance_prices.get(side.other()).unwrap_or(0)
}
