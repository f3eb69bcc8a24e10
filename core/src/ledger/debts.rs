//! Debts: what resolved disputes could not pay (docs/protocol.md, section 3).
//!
//! They are paid, oldest first, whenever their debtor's on-chain balance is touched. A *step* is one batch or
//! one resolution and makes at most K.debt_payments_per_step payments, a block at most
//! [`limits::MAX_DEBT_PAYMENTS`]; while debts of an asset are open, nothing of it is spent. What a creditor
//! receives pays its own debts at its own next step, so that a ring of debts goes around once.
//!
//! ```text
//! before a batch's operations   the signer's debts of FRD and of every asset that it would deposit
//! after them                    debts of everybody whose on-chain balance a deposit or withdrawal raised
//! at a resolution, per asset    left's, then right's, out of their parts; then what the debtor owes newly
//! ```

use super::deposit::account;
use super::receipt::{Flow, Purpose, SkipReason};
use super::state::{Debt, DebtQueue, Key, Value};
use super::view::{Overlay, View};
use crate::chain::params::Parameters;
use crate::limits;
use crate::types::{Amount, AssetId, PublicKey};

/// How many payments may still be made.
pub(super) struct Payments {
    block: u32,
    step: u32,
}

impl Payments {
    /// At the start of a block.
    pub(super) const fn of_block() -> Self {
        Self { block: limits::MAX_DEBT_PAYMENTS, step: 0 }
    }

    /// The next batch or resolution.
    pub(super) fn begin_step(&mut self, parameters: &Parameters) {
        self.step = self.block.min(u32::from(parameters.debt_payments_per_step));
    }

    fn take(&mut self) -> Option<()> {
        self.step = self.step.checked_sub(1)?;
        self.block = self.block.saturating_sub(1);
        Some(())
    }
}

/// How many debts of an asset an account has.
pub(super) fn open(view: &dyn View, debtor: &PublicKey, asset: AssetId) -> u64 {
    queue(view, debtor, asset).map_or(0, |queue| queue.next.saturating_sub(queue.first))
}

/// Nothing is spent while debts are open.
pub(super) fn come_first(view: &dyn View, signer: PublicKey, asset: AssetId) -> Result<(), SkipReason> {
    match open(view, &signer, asset) {
        0 => Ok(()),
        open => Err(SkipReason::DebtsFirst { asset, open }),
    }
}

/// What debts may take of an on-chain balance: in FRD all but K.debt_floor.
pub(super) fn seizable(view: &dyn View, parameters: &Parameters, debtor: &PublicKey, asset: AssetId) -> Amount {
    let floor = if asset == AssetId::FRD { parameters.debt_floor } else { 0 };
    view.balance(debtor, asset).saturating_sub(floor)
}

/// Pays debts of an account in an asset, oldest first, as far as its balance and the step reach.
pub(super) fn pay(
    overlay: &mut Overlay<'_>,
    parameters: &Parameters,
    payments: &mut Payments,
    debtor: PublicKey,
    asset: AssetId,
    flows: &mut Vec<Flow>,
) {
    while let Some(paid) = pay_oldest(overlay, parameters, payments, debtor, asset, flows)
        && paid == Paid::Wholly
    {}
}

#[derive(PartialEq, Eq)]
enum Paid {
    Wholly,
    InPart,
}

/// One payment of the oldest debt; `None` when there is none, or nothing to pay it with.
fn pay_oldest(
    overlay: &mut Overlay<'_>,
    parameters: &Parameters,
    payments: &mut Payments,
    debtor: PublicKey,
    asset: AssetId,
    flows: &mut Vec<Flow>,
) -> Option<Paid> {
    let mut queue = queue(overlay, &debtor, asset)?;
    let place = Key::Debt(debtor, asset, queue.first);
    let Some(Value::Debt(debt)) = overlay.get(&place) else { return None };
    let (creditor, amount) = (debt.creditor, debt.amount);
    let paid = amount.min(seizable(overlay, parameters, &debtor, asset));
    if paid == 0 {
        return None;
    }
    payments.take()?;
    transfer(overlay, (debtor, creditor), asset, paid, Purpose::Debt, flows)?;
    let rest = amount.saturating_sub(paid);
    if rest > 0 {
        overlay.put(place, Value::Debt(Debt { creditor, amount: rest }));
        return Some(Paid::InPart);
    }
    overlay.remove(place);
    queue.first = queue.first.saturating_add(1);
    let key = Key::DebtQueue(debtor, asset);
    if queue.first < queue.next {
        overlay.put(key, Value::DebtQueue(queue))
    } else {
        overlay.remove(key)
    }
    Some(Paid::Wholly)
}

/// Adds the newest debt of an account.
pub(super) fn add(overlay: &mut Overlay<'_>, debtor: PublicKey, asset: AssetId, debt: Debt) {
    let mut queue = queue(overlay, &debtor, asset).unwrap_or(DebtQueue { first: 0, next: 0 });
    overlay.put(Key::Debt(debtor, asset, queue.next), Value::Debt(debt));
    queue.next = queue.next.saturating_add(1);
    overlay.put(Key::DebtQueue(debtor, asset), Value::DebtQueue(queue));
}

/// From one on-chain balance to another; `None`, and nothing changed, when there is less.
pub(super) fn transfer(
    overlay: &mut Overlay<'_>,
    (from, to): (PublicKey, PublicKey),
    asset: AssetId,
    amount: Amount,
    purpose: Purpose,
    flows: &mut Vec<Flow>,
) -> Option<()> {
    let moved = i64::try_from(amount).ok()?;
    overlay.debit(from, asset, amount)?;
    // Cannot overflow: what exists of an asset is at most 2^62.
    overlay.credit(to, asset, amount)?;
    flows.push(Flow { place: account(from), asset, amount: moved.saturating_neg(), purpose });
    flows.push(Flow { place: account(to), asset, amount: moved, purpose });
    Some(())
}

fn queue(view: &dyn View, debtor: &PublicKey, asset: AssetId) -> Option<DebtQueue> {
    match view.get(&Key::DebtQueue(*debtor, asset)) {
        Some(Value::DebtQueue(queue)) => Some(*queue),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
