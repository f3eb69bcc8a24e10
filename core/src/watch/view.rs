//! Where a channel stands in court, for people to look at.

use super::Resolution;
use crate::account::{CannotSend, OnChain};
use crate::channel::Channel;
use crate::channel::delta::NumberLine;
use crate::channel::state::{StateOrder, Sub};
use crate::ledger::operation::Operation;
use crate::ledger::state::{Dispute, State};
use crate::ordered;
use crate::peers::Chain;
use crate::types::{Amount, AssetId, Epoch, Height, Parties, PublicKey, Side, UsableHeight};

/// How far a dispute of a channel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CourtStage {
    /// The channel is not in court, and nobody here wants it there.
    None,
    /// A dispute is wanted and no batch with it could be signed.
    Wanted {
        /// Why.
        problem: CannotSend,
    },
    /// A batch with the dispute waits for a block; nothing is signed in the channel meanwhile.
    BatchUnderWay {
        /// Its last height.
        until: Height,
    },
    /// In court, and newer states count.
    Answering {
        /// Last U at which they do.
        until: UsableHeight,
    },
    /// In court: the answers are over, locks in the state have their time.
    Waiting {
        /// It is resolved when U reaches this.
        end: UsableHeight,
    },
}

/// A channel and court.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CourtView {
    /// How far.
    pub stage: CourtStage,
    /// Disputes resolved in the channel.
    pub epoch: Epoch,
    /// U for the next block: what the deadlines in `stage` are held against.
    pub usable_height: UsableHeight,
    /// Whether this party began the dispute; `None` when there is none.
    pub begun_by_us: Option<bool>,
    /// U of the block that began it.
    pub start: Option<UsableHeight>,
    /// Order of the state in court; `None` when there is no dispute.
    pub in_court: Option<StateOrder>,
    /// What that state says, one for each asset of it or of the channel.
    pub lines_in_court: Vec<CourtLine>,
    /// Order of the newest state that the partner signed: what this party shows.
    pub newest: StateOrder,
    /// What it says.
    pub lines_newest: Vec<CourtLine>,
    /// A batch of ours with an answer waits for a block.
    pub answer_under_way: bool,
    /// The newest resolution that this party saw.
    pub last: Option<Resolution>,
    /// What the partner still owes this party from resolved disputes, oldest first.
    pub owed_to_us: Vec<OpenDebt>,
    /// What this party still owes the partner.
    pub owed_by_us: Vec<OpenDebt>,
    /// Answer window of a dispute that this party would begin now, in usable blocks.
    pub delay_blocks: u32,
}

/// One asset as a state in court would split it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CourtLine {
    /// Which.
    pub asset: AssetId,
    /// Collateral.
    pub insurance: Amount,
    /// On-chain part of the delimiter.
    pub ondelta: i64,
    /// Off-chain part of the delimiter, with the locks that were revealed in time by now.
    pub offdelta: i64,
    /// The number line of these three.
    pub line: NumberLine,
    /// What of the own balance insurance covers.
    pub insured: Amount,
    /// What of it is a claim on the partner's on-chain balance, or a debt.
    pub uninsured: Amount,
    /// What this party owes beyond insurance.
    pub owed: Amount,
    /// Locks that are not revealed.
    pub locks: LockSums,
}

/// Locks whose secret court has not seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockSums {
    /// Would pay this party.
    pub incoming: Amount,
    /// Would be paid by it.
    pub outgoing: Amount,
}

/// What is left of a debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenDebt {
    /// In which asset.
    pub asset: AssetId,
    /// Its number among the debtor's.
    pub number: u64,
    /// How much.
    pub amount: Amount,
}

/// What a view is made of.
pub(crate) struct Parts<'a> {
    pub(crate) own: PublicKey,
    pub(crate) partner: PublicKey,
    pub(crate) channel: Option<&'a Channel>,
    pub(crate) on_chain: &'a OnChain,
    /// A dispute is wanted, and why no batch could be signed.
    pub(crate) wanted: Option<CannotSend>,
    pub(crate) last: Option<Resolution>,
}

impl CourtView {
    /// Of a channel that may or may not be in use.
    pub(crate) fn of(parts: Parts<'_>, chain: &Chain<'_>) -> Option<Self> {
        let Parts { own, partner, channel, on_chain, wanted, last } = parts;
        let parties = Parties::new(own, partner)?;
        let side = parties.side_of(&own)?;
        let state = chain.state;
        let dispute = state.dispute(&parties);
        let newest = channel.map(|channel| &channel.agreement().state);
        let subs = newest.map_or(&[][..], |state| state.subs.as_slice());
        let in_court = |dispute: &Dispute| dispute.state.as_ref().map_or(Vec::new(), |state| state.subs.clone());
        Some(Self {
            stage: stage(dispute, &partner, on_chain, wanted, chain),
            epoch: state.channel(&parties).epoch,
            usable_height: chain.head.usable_height,
            begun_by_us: dispute.map(|dispute| dispute.starter == side),
            start: dispute.map(|dispute| dispute.start),
            in_court: dispute.map(Dispute::order),
            lines_in_court: dispute.map_or(Vec::new(), |dispute| lines(state, &parties, side, &in_court(dispute))),
            newest: newest.map_or(StateOrder::DEFAULT, |state| state.order()),
            lines_newest: lines(state, &parties, side, subs),
            answer_under_way: on_chain
                .court_under_way()
                .any(|operation| matches!(operation, Operation::Answer(answer) if answer.state.parties == parties)),
            last,
            owed_to_us: debts(state, &partner, &own),
            owed_by_us: debts(state, &own, &partner),
            delay_blocks: match state.bank(&partner) {
                Some(_) => chain.parameters().bank_dispute_delay_blocks,
                None => chain.parameters().dispute_delay_blocks,
            },
        })
    }
}

fn stage(
    dispute: Option<&Dispute>,
    partner: &PublicKey,
    on_chain: &OnChain,
    wanted: Option<CannotSend>,
    chain: &Chain<'_>,
) -> CourtStage {
    if let Some(dispute) = dispute {
        let until = dispute.answers_until();
        return if chain.head.usable_height <= until {
            CourtStage::Answering { until }
        } else {
            CourtStage::Waiting { end: dispute.end }
        };
    }
    match (on_chain.disputing(partner), wanted) {
        (Some(until), _) => CourtStage::BatchUnderWay { until },
        (None, Some(problem)) => CourtStage::Wanted { problem },
        (None, None) => CourtStage::None,
    }
}

/// How court would split each asset now.
fn lines(state: &State, parties: &Parties, side: Side, subs: &[Sub]) -> Vec<CourtLine> {
    let channel = state.channel(parties);
    let on_chain = channel.assets.iter().map(|part| part.asset);
    let assets = ordered::set(on_chain.chain(subs.iter().map(|sub| sub.asset)));
    let line = |asset: AssetId| {
        let part = channel.asset_or_zero(asset);
        let sub = subs.iter().find(|sub| sub.asset == asset);
        let mut offdelta = sub.map_or(0, |sub| sub.offdelta);
        let mut locks = LockSums::default();
        for giver in [Side::Left, Side::Right] {
            for lock in sub.map_or(&[][..], |sub| sub.locks_of(giver)) {
                let in_time = state.hashlock(&lock.hash).is_some_and(|entry| entry.revealed_at <= lock.expiry);
                match (in_time, giver) {
                    (true, Side::Left) => offdelta = offdelta.saturating_sub_unsigned(lock.amount),
                    (true, Side::Right) => offdelta = offdelta.saturating_add_unsigned(lock.amount),
                    (false, giver) if giver == side => locks.outgoing = locks.outgoing.saturating_add(lock.amount),
                    (false, _) => locks.incoming = locks.incoming.saturating_add(lock.amount),
                }
            }
        }
        let line = NumberLine::new(part.insurance, part.ondelta, offdelta);
        CourtLine {
            asset,
            insurance: part.insurance,
            ondelta: part.ondelta,
            offdelta,
            line,
            insured: line.insured(side),
            uninsured: line.uninsured(side),
            owed: line.owed_by(side),
            locks,
        }
    };
    assets.into_iter().map(line).collect()
}

fn debts(state: &State, debtor: &PublicKey, creditor: &PublicKey) -> Vec<OpenDebt> {
    let all = state.all_debts_of(debtor).filter(|(_, _, debt)| debt.creditor == *creditor);
    all.map(|(asset, number, debt)| OpenDebt { asset, number, amount: debt.amount }).collect()
}
