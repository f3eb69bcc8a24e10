//! Disputes, resolutions and debts in the shapes that pages see.

use super::Explorer;
use crate::view::{Court, CourtAsset, Debt, Dispute, Flow, Opening, OpeningEvent};
use fair_core::channel::delta::NumberLine;
use fair_core::channel::state::{Lock, StateOrder, Sub};
use fair_core::ledger::receipt::{
    Flow as CoreFlow, Opening as CoreOpening, OpeningEvent as CoreEvent, Place, ResolvedAsset,
};
use fair_core::ledger::state::Dispute as CoreDispute;
use fair_core::ordered;
use fair_core::types::{Amount, AssetId, Parties, PublicKey, Side};

impl Explorer<'_> {
    /// Money that moved.
    pub(super) fn flows(&self, flows: &[CoreFlow]) -> Vec<Flow> {
        flows
            .iter()
            .map(|flow| {
                let (account, partner) = match flow.place {
                    Place::Account { key } => (key, None),
                    Place::Channel { owner, partner } => (owner, Some(partner)),
                };
                Flow {
                    asset: flow.asset,
                    amount: flow.amount,
                    account: self.reference(&account),
                    partner: partner.map(|partner| self.reference(&partner)),
                    purpose: flow.purpose,
                }
            })
            .collect()
    }

    /// What fell due at a block's start.
    pub fn opening(&self, opening: &CoreOpening) -> Opening {
        let event = match &opening.event {
            CoreEvent::Resolved { parties, epoch, order, assets } => OpeningEvent::Resolved {
                left: self.reference(&parties.left()),
                right: self.reference(&parties.right()),
                epoch: (*epoch).into(),
                frame: order.frame.into(),
                assets: assets.clone(),
            },
            CoreEvent::Proposal { id, state } => {
                OpeningEvent::Proposal { id: (*id).into(), state: super::governance::proposal_state(*state) }
            }
        };
        Opening { event, flows: self.flows(&opening.flows) }
    }

    /// Channels in court, the next to be resolved first, and debts; those of an account, if one is given.
    pub fn court(&self, account: Option<&PublicKey>) -> Court {
        let disputes = self
            .state
            .disputes()
            .filter(|(parties, _)| account.is_none_or(|account| parties.side_of(account).is_some()));
        let disputes = ordered::by_key(disputes, |(parties, dispute)| (dispute.end, *parties));
        Court {
            disputes: disputes.iter().map(|(parties, dispute)| self.view_dispute(parties, dispute)).collect(),
            debts: self.debts(account),
        }
    }

    /// A channel in court.
    pub fn dispute(&self, parties: &Parties) -> Option<Dispute> {
        self.state.dispute(parties).map(|dispute| self.view_dispute(parties, dispute))
    }

    fn view_dispute(&self, parties: &Parties, dispute: &CoreDispute) -> Dispute {
        let subs = dispute.state.as_ref().map_or(&[][..], |state| &state.subs);
        Dispute {
            left: self.reference(&parties.left()),
            right: self.reference(&parties.right()),
            starter: dispute.starter,
            start: dispute.start.into(),
            answers_until: dispute.answers_until().into(),
            end: dispute.end.into(),
            now: self.state.usable_height().into(),
            frame: (dispute.order() != StateOrder::DEFAULT).then_some(dispute.order().frame.into()),
            assets: self.would_split(parties, subs),
        }
    }

    /// How court would split a channel by these subs, with the secrets that are revealed by now.
    pub fn would_split(&self, parties: &Parties, subs: &[Sub]) -> Vec<CourtAsset> {
        let channel = self.state.channel(parties);
        let on_chain = channel.assets.iter().map(|part| part.asset);
        ordered::set(on_chain.chain(subs.iter().map(|sub| sub.asset)))
            .into_iter()
            .map(|asset| {
                let part = channel.asset_or_zero(asset);
                let sub = subs.iter().find(|sub| sub.asset == asset).cloned().unwrap_or(Sub::zero(asset));
                let revealed = |locks: &[Lock]| -> i128 {
                    locks.iter().filter(|lock| self.is_revealed(lock)).map(|lock| i128::from(lock.amount)).sum()
                };
                let delta = i128::from(part.ondelta) + i128::from(sub.offdelta) + revealed(&sub.left_locks)
                    - revealed(&sub.right_locks);
                let waiting = || sub.left_locks.iter().chain(&sub.right_locks).filter(|lock| !self.is_revealed(lock));
                CourtAsset {
                    split: split(asset, part.insurance, i64::try_from(delta).unwrap_or_default()),
                    locks: waiting().count().into(),
                    locked: waiting().fold(0, |sum, lock| sum.saturating_add(lock.amount)),
                }
            })
            .collect()
    }

    fn is_revealed(&self, lock: &Lock) -> bool {
        self.state.hashlock(&lock.hash).is_some_and(|entry| entry.revealed_at <= lock.expiry)
    }

    /// Debts, by debtor and age; those that an account has or is owed, if one is given.
    fn debts(&self, account: Option<&PublicKey>) -> Vec<Debt> {
        let mut queue = None;
        let mut place = 0_u64;
        let mut debts = Vec::new();
        for (debtor, asset, number, debt) in self.state.debts() {
            place = if queue == Some((debtor, asset)) { place.saturating_add(1) } else { 1 };
            queue = Some((debtor, asset));
            if account.is_none_or(|account| *account == debtor || *account == debt.creditor) {
                debts.push(Debt {
                    debtor: self.reference(&debtor),
                    creditor: self.reference(&debt.creditor),
                    asset,
                    number: number.into(),
                    place: place.into(),
                    amount: debt.amount,
                });
            }
        }
        debts
    }
}

/// By the number line.
fn split(asset: AssetId, insurance: Amount, delta: i64) -> ResolvedAsset {
    let line = NumberLine::new(insurance, delta, 0);
    let debtor = [Side::Left, Side::Right].into_iter().find(|side| line.owed_by(*side) > 0);
    ResolvedAsset {
        asset,
        insurance,
        delta,
        left: line.insured(Side::Left),
        right: line.insured(Side::Right),
        debtor,
        owed: debtor.map_or(0, |side| line.owed_by(side)),
        paid: 0,
        debt: 0,
    }
}
