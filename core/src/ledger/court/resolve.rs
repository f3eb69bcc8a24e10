//! Resolution: what a channel is worth to each side when its dispute ends.

use super::dispute::running;
use super::reveal::is_revealed_by;
use crate::chain::params::Parameters;
use crate::channel::state::{Lock, Sub};
use crate::ledger::debts::{self, Payments};
use crate::ledger::deposit::{account, side};
use crate::ledger::execute::Context;
use crate::ledger::receipt::{Flow, Opening, OpeningEvent, Place, Purpose, ResolvedAsset};
use crate::ledger::state::{Channel, ChannelAsset, Debt, Dispute, Key, Value};
use crate::ledger::view::{Overlay, View};
use crate::limits;
use crate::ordered;
use crate::types::{Amount, AssetId, Parties, Side};
use std::collections::BTreeSet;

/// Whether disputes that are due have to wait, or had to until this block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backlog {
    None,
    Some,
}

/// Looks at the disputes that are due, in order of (end, left, right), as long as a block has work left for them. The
/// last one may take more than is left, so that each has its turn.
pub(super) fn due(
    overlay: &mut Overlay<'_>,
    context: &Context<'_>,
    payments: &mut Payments,
) -> (Vec<Opening>, Backlog) {
    let first = Key::DisputeByEnd(0, Parties::FIRST);
    let last = Key::DisputeByEnd(context.usable_height, Parties::LAST);
    let most = work_of_block(context.parameters);
    let keys = overlay.keys_between(&first, &last, most.saturating_add(1));
    let waited = matches!(keys.first(), Some(Key::DisputeByEnd(due, _)) if *due < context.usable_height);
    let (mut done, mut openings) = (0_usize, Vec::new());
    let mut due = keys.into_iter().peekable();
    while let Some(key) = due.next_if(|_| done < most) {
        done = done.saturating_add(work(overlay, &key));
        openings.extend(look_at(overlay, context, payments, key));
    }
    let backlog = if waited || due.peek().is_some() { Backlog::Some } else { Backlog::None };
    (openings, backlog)
}

/// Pieces of work that a block does on disputes; at least one.
fn work_of_block(parameters: &Parameters) -> usize {
    let pieces = parameters.max_block_bytes.div_ceil(limits::BYTES_PER_RESOLUTION_WORK);
    usize::try_from(pieces).unwrap_or(usize::MAX)
}

/// Pieces of work on one dispute: itself, each asset on-chain and in the state, and each lock.
fn work(view: &dyn View, key: &Key) -> usize {
    let Key::DisputeByEnd(_, parties) = key else { return 1 };
    let on_chain = view.channel(parties).map_or(0, |channel| channel.assets.len());
    let subs = running(view, parties).and_then(|dispute| dispute.state.as_ref()).map_or(&[][..], |state| &state.subs);
    subs.iter().fold(on_chain.saturating_add(1), |sum, sub| {
        sum.saturating_add(1).saturating_add(sub.left_locks.len()).saturating_add(sub.right_locks.len())
    })
}

/// Resolves one dispute, or puts it back until its locks have run out.
fn look_at(overlay: &mut Overlay<'_>, context: &Context<'_>, payments: &mut Payments, key: Key) -> Option<Opening> {
    let Key::DisputeByEnd(_, parties) = key else { return None };
    overlay.remove(key);
    let mut dispute = running(overlay, &parties)?.clone();
    let end = dispute.resolvable_from();
    if context.usable_height < end {
        dispute.end = end;
        overlay.put(Key::DisputeByEnd(end, parties), Value::Due);
        overlay.put(Key::Dispute(parties), Value::Dispute(Box::new(dispute)));
        return None;
    }
    overlay.remove(Key::Dispute(parties));
    payments.begin_step(context.parameters);
    Some(resolve(overlay, context, payments, &parties, &dispute))
}

fn resolve(
    overlay: &mut Overlay<'_>,
    context: &Context<'_>,
    payments: &mut Payments,
    parties: &Parties,
    dispute: &Dispute,
) -> Opening {
    let mut channel = overlay.channel(parties).cloned().unwrap_or_default();
    let mut court = Court { overlay, context, payments, parties, flows: Vec::new() };
    let mut assets = Vec::new();
    for asset in all_assets(&channel, dispute) {
        let part = channel.asset_or_zero(asset);
        let sub = dispute.state.iter().flat_map(|state| &state.subs).find(|sub| sub.asset == asset);
        assets.push(court.split(&part, sub));
    }
    let flows = court.flows;
    let order = dispute.order();
    channel.epoch = channel.epoch.saturating_add(1);
    channel.resolved = Some(order);
    // Consent numbers stay, so that no consent can be used again.
    channel.assets.retain(|part| part.left_consents > 0 || part.right_consents > 0);
    for part in &mut channel.assets {
        (part.insurance, part.ondelta) = (0, 0);
    }
    let epoch = channel.epoch;
    overlay.put(Key::Channel(*parties), Value::Channel(channel));
    Opening { event: OpeningEvent::Resolved { parties: *parties, epoch, order, assets }, flows }
}

/// What is locked and what the state says, in order of assets.
fn all_assets(channel: &Channel, dispute: &Dispute) -> BTreeSet<AssetId> {
    let in_state = dispute.state.iter().flat_map(|state| &state.subs).map(|sub| sub.asset);
    ordered::set(channel.assets.iter().map(|part| part.asset).chain(in_state))
}

/// A resolution under way.
struct Court<'a, 'b, 'c> {
    overlay: &'a mut Overlay<'b>,
    context: &'a Context<'c>,
    payments: &'a mut Payments,
    parties: &'a Parties,
    flows: Vec<Flow>,
}

impl Court<'_, '_, '_> {
    /// One asset: insurance by the number line; older debts of both; then what the debtor owes newly.
    fn split(&mut self, part: &ChannelAsset, sub: Option<&Sub>) -> ResolvedAsset {
        let asset = part.asset;
        let delta = delta(self.overlay, part, sub);
        let shares = Shares::of(delta, part.insurance);
        for (side, amount) in [(Side::Left, shares.left), (Side::Right, shares.right)] {
            self.pay_out(side, asset, amount);
        }
        for side in [Side::Left, Side::Right] {
            let debtor = self.parties.key(side);
            debts::pay(self.overlay, self.context.parameters, self.payments, debtor, asset, &mut self.flows);
        }
        let paid = shares.debtor.map_or(0, |side| self.enforce(side, asset, shares.owed));
        let debt = shares.owed.saturating_sub(paid);
        let Shares { left, right, debtor, owed } = shares;
        let delta = i64::try_from(delta).unwrap_or(if delta < 0 { i64::MIN } else { i64::MAX });
        ResolvedAsset { asset, insurance: part.insurance, delta, left, right, debtor, owed, paid, debt }
    }

    /// A side's part of the insurance goes to its on-chain balance.
    fn pay_out(&mut self, to: Side, asset: AssetId, amount: Amount) {
        let (owner, partner) = (self.parties.key(to), self.parties.key(to.other()));
        // Cannot fail: what exists of an asset is at most 2^62.
        let (Some(()), Ok(moved)) = (self.overlay.credit(owner, asset, amount), i64::try_from(amount)) else { return };
        if moved > 0 {
            let flow = |place: Place, amount| Flow { place, asset, amount, purpose: Purpose::Resolution };
            self.flows.push(flow(side(owner, partner), moved.saturating_neg()));
            self.flows.push(flow(account(owner), moved));
        }
    }

    /// Takes what is owed from the debtor's on-chain balance, if older debts left any of it; the rest
    /// becomes a debt. Returns what was paid.
    fn enforce(&mut self, debtor: Side, asset: AssetId, owed: Amount) -> Amount {
        let (debtor, creditor) = (self.parties.key(debtor), self.parties.key(debtor.other()));
        let has_older = debts::open(self.overlay, &debtor, asset) > 0;
        let seizable = debts::seizable(self.overlay, self.context.parameters, &debtor, asset);
        let mut paid = if has_older { 0 } else { owed.min(seizable) };
        if paid > 0 {
            let both = (debtor, creditor);
            let done = debts::transfer(self.overlay, both, asset, paid, Purpose::Enforcement, &mut self.flows);
            paid = done.map_or(0, |()| paid);
        }
        let amount = owed.saturating_sub(paid);
        if amount > 0 {
            debts::add(self.overlay, debtor, asset, Debt { creditor, amount });
        }
        paid
    }
}

/// D: on-chain and off-chain part, and the locks that were revealed in time. Within ±2^63, since each part
/// and all locks of a state are within ±2^62.
fn delta(view: &dyn View, part: &ChannelAsset, sub: Option<&Sub>) -> i128 {
    let revealed = |locks: &[Lock]| {
        let counted = locks.iter().filter(|lock| is_revealed_by(view, &lock.hash, lock.expiry));
        counted.fold(0_i128, |sum, lock| sum.saturating_add(i128::from(lock.amount)))
    };
    let off_chain = sub.map_or(0, |sub| {
        let unlocked = revealed(&sub.left_locks).saturating_sub(revealed(&sub.right_locks));
        i128::from(sub.offdelta).saturating_add(unlocked)
    });
    i128::from(part.ondelta).saturating_add(off_chain)
}

/// Who gets what of the insurance, and who owes how much beyond it.
struct Shares {
    left: Amount,
    right: Amount,
    debtor: Option<Side>,
    owed: Amount,
}

impl Shares {
    fn of(delta: i128, insurance: Amount) -> Self {
        let insured = delta.clamp(0, i128::from(insurance));
        let left = Amount::try_from(insured).unwrap_or(insurance);
        let right = insurance.saturating_sub(left);
        let beyond = delta.saturating_sub(insured);
        let debtor = match beyond {
            0 => None,
            ..0 => Some(Side::Left),
            _ => Some(Side::Right),
        };
        let owed = Amount::try_from(beyond.unsigned_abs()).unwrap_or(Amount::MAX);
        Self { left, right, debtor, owed }
    }
}
