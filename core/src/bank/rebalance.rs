//! What a rebalance puts into its batch: a pure function (docs/protocol.md, section 7, cooperative part).
//!
//! Withdrawals that partners consented to fund deposits that insure other partners. Each deposit is
//! grouped with the withdrawals that fund it: when one of these is stale, that group is skipped and
//! nothing else, and no other money is spent. What withdrawals do not cover comes out of the bank's own
//! balance, never below its safety balance. Deposits go largest first; what is left over of a group funds
//! the next deposit, in a group of its own after all others: so a deposit that the ledger skips, as whoever it is for can
//! bring about, sinks none of theirs.

use crate::ledger::operation::{Deposit, Operation, Withdraw, WithdrawalConsent};
use crate::message::Signed;
use crate::types::{Amount, AssetId, Epoch, PublicKey};

/// A partner who is to be insured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Who.
    pub partner: PublicKey,
    /// What it has uninsured.
    pub amount: Amount,
    /// Deposits for a later epoch are another matter.
    pub epoch: Epoch,
    /// Least deposit that is worth it: K.min_insurance, and more than K.standalone_balance for a new account.
    pub least: Amount,
}

/// Own money that a partner lets go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The consent.
    pub proof: Signed<WithdrawalConsent>,
}

/// One asset of a rebalance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// Which.
    pub asset: AssetId,
    /// The bank, on whose side deposits go.
    pub bank: PublicKey,
    /// Its on-chain balance, less the fees of this batch.
    pub balance: Amount,
    /// What rebalancing never touches.
    pub safety_balance: Amount,
}

/// Operations that apply or are skipped together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Withdrawals.
    pub sources: Vec<Signed<WithdrawalConsent>>,
    /// Deposits.
    pub deposits: Vec<Deposit>,
    /// What the withdrawals bring beyond the deposits.
    left: Amount,
}

impl Group {
    /// In the order of execution: withdrawals first.
    pub fn operations(self) -> Vec<Operation> {
        let sources = self.sources.into_iter().map(|proof| Operation::Withdraw(Withdraw { proof }));
        sources.chain(self.deposits.into_iter().map(Operation::Deposit)).collect()
    }
}

/// Plans one asset. Every source is used: those that no deposit needs stand alone after those that fund one, and deposits
/// that these leave enough for come last.
pub fn plan(mut receivers: Vec<Receiver>, mut sources: Vec<Source>, situation: &Situation) -> Vec<Group> {
    receivers.sort_by(|a, b| b.amount.cmp(&a.amount).then(a.partner.cmp(&b.partner)));
    sources.sort_by(|a, b| {
        let (a, b) = (&a.proof.body, &b.proof.body);
        b.amount.cmp(&a.amount).then(a.parties.cmp(&b.parties))
    });
    let mut sources = sources.into_iter().peekable();
    let mut free = situation.balance.saturating_sub(situation.safety_balance);
    let (mut groups, mut later): (Vec<Group>, Vec<Group>) = (Vec::new(), Vec::new());
    for receiver in receivers {
        if let Some(group) = groups.iter_mut().find(|group| group.left >= receiver.amount) {
            group.left = group.left.saturating_sub(receiver.amount);
            let deposits = vec![deposit(&receiver, situation.asset, situation.bank, receiver.amount, kept(situation))];
            later.push(Group { deposits, ..Group::default() });
            continue;
        }
        let mut group = Group::default();
        while group.left < receiver.amount {
            let Some(source) = sources.next() else { break };
            group.left = group.left.saturating_add(source.proof.body.amount);
            group.sources.push(source.proof);
        }
        let amount = receiver.amount.min(group.left.saturating_add(free));
        if amount >= receiver.least.max(1) {
            free = free.saturating_sub(amount.saturating_sub(group.left));
            group.left = group.left.saturating_sub(amount);
            group.deposits.push(deposit(&receiver, situation.asset, situation.bank, amount, kept(situation)));
        }
        if !group.sources.is_empty() || !group.deposits.is_empty() {
            groups.push(group);
        }
    }
    // A withdrawal that funds nothing must not be skipped with anything.
    let (funding, idle): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| !group.deposits.is_empty());
    let idle = idle.into_iter().flat_map(|group| group.sources).chain(sources.map(|source| source.proof));
    let alone = idle.map(|proof| Group { sources: vec![proof], ..Group::default() });
    funding.into_iter().chain(alone).chain(later).collect()
}

/// `keep` is the safety balance, or what there is when that is less: a group that its withdrawals fund wholly leaves the
/// balance as it is.
fn kept(situation: &Situation) -> Amount {
    situation.safety_balance.min(situation.balance)
}

/// `1@123` on the bank's own side.
pub(super) fn deposit(receiver: &Receiver, asset: AssetId, bank: PublicKey, amount: Amount, keep: Amount) -> Deposit {
    let (partner, epoch) = (Some(receiver.partner), Some(receiver.epoch));
    Deposit { asset, amount, to: bank, partner, keep, epoch, invoice: None }
}

#[cfg(test)]
mod tests;
