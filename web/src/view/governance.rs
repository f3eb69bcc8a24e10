//! Proposals, votes and releases.

use super::{AccountRef, Num};
use fair_core::types::{AssetId, Hash, PublicKey};
use serde::Serialize;

shapes! {
    Governance {
        now: Num,
        version: u16,
        shares_of_you: Num,
        proposals: Vec<Proposal>,
        releases: Vec<Release>,
    }
    Proposal {
        id: Num,
        proposer: AccountRef,
        action: GovernanceAction,
        text: String,
        votes_until: Num,
        state: ProposalState,
        shares: Num,
        needed: Num,
        votes: Vec<VoteCast>,
    }
    VoteCast { account: AccountRef, shares: Num, approve: bool, rationale: String }
    Release { version: u16, height: Num, bundle: Hash }
    ParameterChange { name: &'static str, unit: &'static str, from: u64, to: u64 }
    ValidatorTerms { signing_key: PublicKey, shares: Num, url: String }
    ValidatorChange { account: AccountRef, from: Option<ValidatorTerms>, to: Option<ValidatorTerms> }
}

/// What a proposal would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum GovernanceAction {
    SetParameters { changes: Vec<ParameterChange> },
    SetValidators { changes: Vec<ValidatorChange> },
    RemoveBank { bank: AccountRef },
    RenameAsset { asset: AssetId, ticker: String, name: String },
    Release { version: u16, height: Num, bundle: Hash },
}

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented in www/js/api.d.ts")]
pub enum ProposalState {
    Open,
    Accepted { effective: Num },
    Executed { at: Num },
    Rejected,
    Void,
}
