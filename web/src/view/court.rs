//! Disputes, what court did, and debts.

use super::governance::ProposalState;
use super::{AccountRef, Num};
use crate::error::Error;
use fair_core::ledger::receipt::{Purpose, ResolvedAsset};
use fair_core::types::{AssetId, Side};
use serde::Serialize;

shapes! {
    Court { disputes: Vec<Dispute>, debts: Vec<Debt> }
    Dispute {
        left: AccountRef,
        right: AccountRef,
        starter: Side,
        start: Num,
        answers_until: Num,
        end: Num,
        now: Num,
        frame: Option<Num>,
        assets: Vec<CourtAsset>,
    }
    CourtAsset { split: ResolvedAsset, locks: Num, locked: u64 }
    Debt { debtor: AccountRef, creditor: AccountRef, asset: AssetId, number: Num, place: Num, amount: u64 }
    Flow { asset: AssetId, amount: i64, account: AccountRef, partner: Option<AccountRef>, purpose: Purpose }
    ChannelCourt {
        stage: &'static str,
        problem: Option<Error>,
        until: Option<Num>,
        dispute: Option<Dispute>,
        frame: Option<Num>,
        assets: Vec<CourtAsset>,
        answering: bool,
        delay: Num,
        fee: u64,
        last: Option<Resolution>,
    }
    Resolution { epoch: Num, frame: Num, assets: Vec<ResolvedAsset> }
    Opening { event: OpeningEvent, flows: Vec<Flow> }
}

/// What fell due.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum OpeningEvent {
    Resolved { left: AccountRef, right: AccountRef, epoch: Num, frame: Num, assets: Vec<ResolvedAsset> },
    Proposal { id: Num, state: ProposalState },
}
