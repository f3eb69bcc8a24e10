//! What anybody registers: assets and banks (docs/protocol.md, section 3). Each costs
//! K.account_creation_fee, as an account does, so that names are not free to hoard.
//!
//! Handles and tickers are nobody else's: an index by their hash says who has one.

use super::debts;
use super::deposit::{Applied, Direction, account, flow};
use super::execute::Context;
use super::operation::{BankTerms, CreateAsset};
use super::receipt::{Flow, Purpose, SkipReason};
use super::state::{Key, Value};
use super::view::{Overlay, View};
use crate::chain::genesis::{Asset, Bank};
use crate::chain::names;
use crate::limits;
use crate::types::{AssetId, PublicKey};

/// Makes an asset under the next number. Its supply comes to the signer.
pub(super) fn create_asset(
    overlay: &mut Overlay<'_>,
    context: &Context<'_>,
    signer: PublicKey,
    operation: &CreateAsset,
) -> Result<Applied, SkipReason> {
    let CreateAsset { ticker, name, decimals, supply } = operation;
    check_asset_names(overlay, None, ticker, name)?;
    if *decimals > limits::MAX_DECIMALS {
        return Err(SkipReason::TooManyDecimals { got: *decimals });
    }
    match *supply {
        0 => return Err(SkipReason::ZeroAmount),
        1..=limits::MAX_SUPPLY => {}
        got => return Err(SkipReason::SupplyTooLarge { got }),
    }
    let mut flows = pay_for_entry(overlay, context, signer)?;
    let mut counters = overlay.counters();
    counters.assets = counters.assets.checked_add(1).ok_or(SkipReason::OutOfBounds)?;
    let id = AssetId(counters.assets);
    let asset = Asset { id, ticker: ticker.clone(), name: name.clone(), decimals: *decimals, supply: *supply };
    overlay.put(Key::Counters, Value::Counters(counters));
    overlay.put(Key::Asset(id), Value::Asset(Box::new(asset)));
    overlay.put(Key::ticker(ticker), Value::Ticker(id));
    overlay.credit(signer, id, *supply).ok_or(SkipReason::OutOfBounds)?;
    flows.push(flow(account(signer), id, *supply, Direction::In, Purpose::Issue)?);
    Ok(Applied { registered: None, flows })
}

/// Ticker and name have their form, and the ticker is no other asset's than `own`.
pub(super) fn check_asset_names(
    view: &dyn View,
    own: Option<AssetId>,
    ticker: &str,
    name: &str,
) -> Result<(), SkipReason> {
    if !names::is_ticker(ticker) {
        return Err(SkipReason::BadTicker);
    }
    if !names::is_name(name) {
        return Err(SkipReason::BadName);
    }
    match view.get(&Key::ticker(ticker)) {
        Some(Value::Ticker(asset)) if Some(*asset) != own => {
            Err(SkipReason::TickerTaken { ticker: ticker.to_owned(), asset: *asset })
        }
        _ => Ok(()),
    }
}

/// Registers the signer as a bank.
pub(super) fn register_bank(
    overlay: &mut Overlay<'_>,
    context: &Context<'_>,
    signer: PublicKey,
    operation: &BankTerms,
) -> Result<Applied, SkipReason> {
    if overlay.bank(&signer).is_some() {
        return Err(SkipReason::AlreadyABank);
    }
    check_terms(overlay, signer, operation)?;
    let flows = pay_for_entry(overlay, context, signer)?;
    put_bank(overlay, signer, operation);
    Ok(Applied { registered: None, flows })
}

/// Changes what the signer is registered with; a handle that it gives up is free again.
pub(super) fn update_bank(
    overlay: &mut Overlay<'_>,
    _context: &Context<'_>,
    signer: PublicKey,
    operation: &BankTerms,
) -> Result<Applied, SkipReason> {
    if overlay.bank(&signer).is_none() {
        return Err(SkipReason::NotABank { bank: signer });
    }
    check_terms(overlay, signer, operation)?;
    remove_bank(overlay, &signer)?;
    put_bank(overlay, signer, operation);
    Ok(Applied { registered: None, flows: Vec::new() })
}

/// Strikes a bank off the register, with its handle.
pub(super) fn remove_bank(overlay: &mut Overlay<'_>, key: &PublicKey) -> Result<(), SkipReason> {
    let handle = overlay.bank(key).map(|bank| bank.handle.clone()).ok_or(SkipReason::NotABank { bank: *key })?;
    overlay.remove(Key::bank_handle(&handle));
    overlay.remove(Key::Bank(*key));
    Ok(())
}

fn check_terms(overlay: &Overlay<'_>, signer: PublicKey, terms: &BankTerms) -> Result<(), SkipReason> {
    if !names::is_handle(&terms.handle) {
        return Err(SkipReason::BadHandle);
    }
    match overlay.get(&Key::bank_handle(&terms.handle)) {
        Some(Value::BankHandle(owner)) if *owner != signer => {
            return Err(SkipReason::HandleTaken { handle: terms.handle.clone(), owner: *owner });
        }
        _ => {}
    }
    if !names::is_url(&terms.url) {
        return Err(SkipReason::BadUrl);
    }
    if terms.fee_ppm > limits::MAX_FEE_PPM {
        return Err(SkipReason::FeeTooHigh { got: terms.fee_ppm });
    }
    Ok(())
}

fn put_bank(overlay: &mut Overlay<'_>, key: PublicKey, terms: &BankTerms) {
    let BankTerms { handle, url, fee_base, fee_ppm, insurance_price } = terms.clone();
    overlay.put(Key::bank_handle(&handle), Value::BankHandle(key));
    let bank = Bank { key, handle, url, fee_base, fee_ppm, insurance_price };
    overlay.put(Key::Bank(key), Value::Bank(Box::new(bank)));
}

/// An entry of a register costs what an account costs. Debts come first, and the floor pays for no entry.
fn pay_for_entry(overlay: &mut Overlay<'_>, context: &Context<'_>, signer: PublicKey) -> Result<Vec<Flow>, SkipReason> {
    let (asset, needed) = (AssetId::FRD, context.parameters.account_creation_fee);
    debts::come_first(overlay, signer, asset)?;
    let balance = overlay.balance(&signer, asset);
    overlay.debit(signer, asset, needed).ok_or(SkipReason::NotEnough { asset, balance, needed })?;
    overlay.credit(context.proposer, asset, needed).ok_or(SkipReason::OutOfBounds)?;
    Ok(vec![
        flow(account(signer), asset, needed, Direction::Out, Purpose::CreationFee)?,
        flow(account(context.proposer), asset, needed, Direction::In, Purpose::CreationFee)?,
    ])
}

#[cfg(test)]
mod tests;
