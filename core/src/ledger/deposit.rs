//! `Deposit`: on-chain money to an account or into a channel, registering at most one unknown key.
//!
//! With amount A, K.standalone_balance S, newcomer's side paying S out of its own part:
//!
//! ```text
//! insurance += A − (newcomer ? S : 0)
//! ondelta   += (to is left ? A : 0) − (newcomer is left ? S : 0)
//! newcomer's on-chain balance += S
//! ```
//!
//! so a newcomer's balances sum up to what they were (plus A when the deposit is to itself), and the other
//! side's are untouched: nobody can be made to owe anything by being registered.

use super::debts;
use super::execute::Context;
use super::operation::Deposit;
use super::receipt::{Flow, Place, Purpose, Registered, SkipReason};
use super::state::{Channel, ChannelAsset, Key, Value};
use super::view::{Overlay, View as _};
use crate::limits;
use crate::types::{Amount, AssetId, Parties, PublicKey, Side};

/// What an applied operation reports.
pub(super) struct Applied {
    pub(super) registered: Option<Registered>,
    pub(super) flows: Vec<Flow>,
}

/// Largest magnitude of an ondelta.
const MAX_ONDELTA: i64 = 1 << 62;

/// Applies a deposit to an overlay, which is dropped if this fails.
pub(super) fn apply(
    overlay: &mut Overlay<'_>,
    context: &Context<'_>,
    signer: PublicKey,
    deposit: &Deposit,
) -> Result<Applied, SkipReason> {
    form(deposit, signer)?;
    if !overlay.has_asset(deposit.asset) {
        return Err(SkipReason::UnknownAsset { asset: deposit.asset });
    }
    let newcomer = newcomer(overlay, context, deposit)?;
    debts::come_first(overlay, signer, deposit.asset)?;
    let creation_fee = if newcomer.is_some() { context.parameters.account_creation_fee } else { 0 };
    affordable(overlay, signer, deposit, creation_fee)?;

    let mut flows = Vec::new();
    let mut registered = None;
    overlay.debit(signer, deposit.asset, deposit.amount).ok_or(SkipReason::OutOfBounds)?;
    flows.push(flow(account(signer), deposit.asset, deposit.amount, Direction::Out, Purpose::Transfer)?);
    if let Some(key) = newcomer {
        overlay.debit(signer, AssetId::FRD, creation_fee).ok_or(SkipReason::OutOfBounds)?;
        overlay.credit(context.proposer, AssetId::FRD, creation_fee).ok_or(SkipReason::OutOfBounds)?;
        let id = overlay.register(key).ok_or(SkipReason::OutOfBounds)?;
        registered = Some(Registered { id, key });
        flows.push(flow(account(signer), AssetId::FRD, creation_fee, Direction::Out, Purpose::CreationFee)?);
        flows.push(flow(account(context.proposer), AssetId::FRD, creation_fee, Direction::In, Purpose::CreationFee)?);
    }
    match deposit.partner {
        None => {
            overlay.credit(deposit.to, deposit.asset, deposit.amount).ok_or(SkipReason::OutOfBounds)?;
            flows.push(flow(account(deposit.to), deposit.asset, deposit.amount, Direction::In, Purpose::Transfer)?);
        }
        Some(partner) => into_channel(overlay, context, signer, deposit, partner, newcomer, &mut flows)?,
    }
    Ok(Applied { registered, flows })
}

/// What can be said without looking at the state.
fn form(deposit: &Deposit, signer: PublicKey) -> Result<(), SkipReason> {
    if deposit.amount == 0 {
        return Err(SkipReason::ZeroAmount);
    }
    if let Some(tag) = &deposit.invoice
        && tag.len() > limits::MAX_INVOICE_TAG_BYTES
    {
        let short = |length| u32::try_from(length).unwrap_or(u32::MAX);
        let (limit, got) = (short(limits::MAX_INVOICE_TAG_BYTES), short(tag.len()));
        return Err(SkipReason::InvoiceTagTooLong { limit, got });
    }
    match deposit.partner {
        Some(partner) if partner == deposit.to => Err(SkipReason::SelfChannel),
        Some(_) => Ok(()),
        None if deposit.epoch.is_some() => Err(SkipReason::EpochWithoutChannel),
        None if deposit.to == signer => Err(SkipReason::DepositToSelf),
        None => Ok(()),
    }
}

/// The key that has no account yet, if one; made only with FRD, and more than it keeps on-chain.
fn newcomer(overlay: &Overlay<'_>, context: &Context<'_>, deposit: &Deposit) -> Result<Option<PublicKey>, SkipReason> {
    let unknown = |key: &PublicKey| overlay.account(key).is_none();
    let key = match (unknown(&deposit.to), deposit.partner.filter(unknown)) {
        (false, None) => return Ok(None),
        (true, None) => deposit.to,
        (false, Some(partner)) => partner,
        (true, Some(_)) => return Err(SkipReason::TwoUnknownKeys),
    };
    if deposit.asset != AssetId::FRD {
        return Err(SkipReason::RegistrationNeedsFrd { key });
    }
    let more_than = context.parameters.standalone_balance;
    if deposit.amount <= more_than {
        return Err(SkipReason::RegistrationTooSmall { key, more_than, got: deposit.amount });
    }
    Ok(Some(key))
}

/// Amount and creation fee leave at least `keep`.
fn affordable(
    overlay: &Overlay<'_>,
    signer: PublicKey,
    deposit: &Deposit,
    creation_fee: Amount,
) -> Result<(), SkipReason> {
    let balance = overlay.balance(&signer, deposit.asset);
    let needed =
        u128::from(deposit.amount).saturating_add(u128::from(deposit.keep)).saturating_add(u128::from(creation_fee));
    if needed <= u128::from(balance) {
        return Ok(());
    }
    let needed = Amount::try_from(needed).unwrap_or(Amount::MAX);
    Err(SkipReason::NotEnough { asset: deposit.asset, balance, needed })
}

fn into_channel(
    overlay: &mut Overlay<'_>,
    context: &Context<'_>,
    signer: PublicKey,
    deposit: &Deposit,
    partner: PublicKey,
    newcomer: Option<PublicKey>,
    flows: &mut Vec<Flow>,
) -> Result<(), SkipReason> {
    let (asset, amount) = (deposit.asset, deposit.amount);
    let parties = Parties::new(deposit.to, partner).ok_or(SkipReason::SelfChannel)?;
    let mut channel = overlay.channel(&parties).cloned().unwrap_or_default();
    if let Some(epoch) = deposit.epoch.filter(|epoch| *epoch != channel.epoch) {
        return Err(SkipReason::WrongEpoch { expected: channel.epoch, got: epoch });
    }
    let mut part = match channel.asset(asset) {
        Some(part) => *part,
        None => new_asset(&channel, context, &parties, signer, asset)?,
    };
    add(&mut part, parties.side_of(&deposit.to), amount).ok_or(SkipReason::OutOfBounds)?;
    flows.push(flow(side(deposit.to, partner), asset, amount, Direction::In, Purpose::Transfer)?);
    if let Some(key) = newcomer {
        let standalone = context.parameters.standalone_balance;
        subtract(&mut part, parties.side_of(&key), standalone).ok_or(SkipReason::OutOfBounds)?;
        overlay.credit(key, asset, standalone).ok_or(SkipReason::OutOfBounds)?;
        let other = if key == partner { deposit.to } else { partner };
        flows.push(flow(side(key, other), asset, standalone, Direction::Out, Purpose::StandaloneBalance)?);
        flows.push(flow(account(key), asset, standalone, Direction::In, Purpose::StandaloneBalance)?);
    }
    channel.put(part);
    overlay.put(Key::Channel(parties), Value::Channel(channel));
    Ok(())
}

/// An asset enters a channel only by one of its parties, and only so many do.
fn new_asset(
    channel: &Channel,
    context: &Context<'_>,
    parties: &Parties,
    signer: PublicKey,
    asset: AssetId,
) -> Result<ChannelAsset, SkipReason> {
    if parties.side_of(&signer).is_none() {
        return Err(SkipReason::NewAssetByStranger { asset });
    }
    let limit = context.parameters.max_channel_assets;
    if channel.assets.len() >= usize::from(limit) {
        return Err(SkipReason::TooManyAssets { limit });
    }
    Ok(ChannelAsset::none(asset))
}

/// Money comes to a side: I += amount, and D += amount when the side is left.
pub(super) fn add(part: &mut ChannelAsset, side: Option<Side>, amount: Amount) -> Option<()> {
    part.insurance = part.insurance.checked_add(amount)?;
    if side? == Side::Left {
        part.ondelta = bounded(part.ondelta.checked_add_unsigned(amount)?)?;
    }
    Some(())
}

/// Money leaves a side: I −= amount, and D −= amount when the side is left.
pub(super) fn subtract(part: &mut ChannelAsset, side: Option<Side>, amount: Amount) -> Option<()> {
    part.insurance = part.insurance.checked_sub(amount)?;
    if side? == Side::Left {
        part.ondelta = bounded(part.ondelta.checked_sub_unsigned(amount)?)?;
    }
    Some(())
}

fn bounded(ondelta: i64) -> Option<i64> {
    (-MAX_ONDELTA..=MAX_ONDELTA).contains(&ondelta).then_some(ondelta)
}

/// Whether money comes or goes.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    In,
    Out,
}

/// A flow; amounts are at most a supply and so fit.
pub(super) fn flow(
    place: Place,
    asset: AssetId,
    amount: Amount,
    direction: Direction,
    purpose: Purpose,
) -> Result<Flow, SkipReason> {
    let amount = i64::try_from(amount).map_err(|_| SkipReason::OutOfBounds)?;
    let amount = match direction {
        Direction::In => amount,
        Direction::Out => amount.checked_neg().ok_or(SkipReason::OutOfBounds)?,
    };
    Ok(Flow { place, asset, amount, purpose })
}

pub(super) const fn account(key: PublicKey) -> Place {
    Place::Account { key }
}

pub(super) const fn side(owner: PublicKey, partner: PublicKey) -> Place {
    Place::Channel { owner, partner }
}

#[cfg(test)]
mod tests;
