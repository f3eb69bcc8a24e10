//! Proposals, votes and releases in the shapes that pages see.

use super::Explorer;
use super::parameters;
use crate::view::{
    Governance, GovernanceAction, ParameterChange, Proposal, ProposalState, Release, ValidatorChange, ValidatorTerms,
    VoteCast,
};
use fair_core::chain::certificate::{Validator, ValidatorSet};
use fair_core::chain::genesis::Genesis;
use fair_core::chain::header::VERSION;
use fair_core::chain::params::Parameters;
use fair_core::ledger::operation::GovernanceAction as CoreAction;
use fair_core::ledger::state::{Proposal as CoreProposal, ProposalState as CoreState};
use fair_core::ordered;
use fair_core::types::Hash;

/// What a proposal is compared with.
#[derive(Clone, Copy)]
pub struct Base<'a> {
    parameters: &'a Parameters,
    validators: &'a ValidatorSet,
}

impl<'a> Explorer<'a> {
    /// What is in force now.
    pub fn base(&self) -> Base<'a> {
        Base { parameters: self.state.parameters(), validators: self.state.next_validators() }
    }

    /// The validators with this hash: those in force, those that were set once, or the first. The decisions that
    /// set them stay in the state.
    pub fn validator_set(&self, hash: &Hash, genesis: &'a Genesis) -> Option<&'a ValidatorSet> {
        let set = |(_, proposal): (_, &'a CoreProposal)| match &proposal.action {
            CoreAction::SetValidators { validators } => Some(validators.as_ref()),
            _ => None,
        };
        [self.state.validators(), self.state.next_validators(), &genesis.validators]
            .into_iter()
            .chain(self.state.proposals().rev().filter_map(set))
            .find(|set| set.hash() == *hash)
    }

    /// What an action would change.
    pub fn action(&self, action: &CoreAction, base: &Base<'_>) -> GovernanceAction {
        match action {
            CoreAction::SetParameters { parameters } => {
                GovernanceAction::SetParameters { changes: parameter_changes(base.parameters, parameters) }
            }
            CoreAction::SetValidators { validators } => {
                GovernanceAction::SetValidators { changes: self.validator_changes(base.validators, validators) }
            }
            CoreAction::RemoveBank { bank } => GovernanceAction::RemoveBank { bank: self.reference(bank) },
            CoreAction::RenameAsset { asset, ticker, name } => {
                GovernanceAction::RenameAsset { asset: *asset, ticker: ticker.clone(), name: name.clone() }
            }
            CoreAction::Release { version, height, bundle } => {
                GovernanceAction::Release { version: *version, height: (*height).into(), bundle: *bundle }
            }
        }
    }

    fn validator_changes(&self, from: &ValidatorSet, to: &ValidatorSet) -> Vec<ValidatorChange> {
        let all = ordered::set(from.validators.iter().chain(&to.validators).map(|one| one.account));
        all.into_iter()
            .map(|account| ValidatorChange {
                account: self.reference(&account),
                from: from.by_account(&account).map(terms),
                to: to.by_account(&account).map(terms),
            })
            .filter(|change| change.from != change.to)
            .collect()
    }

    /// Everything that governance decides and decided.
    pub fn governance(&self, genesis: &Genesis) -> Governance {
        let validators = self.state.validators();
        Governance {
            now: self.state.usable_height().into(),
            version: VERSION,
            shares_of_you: self.you.and_then(|you| validators.by_account(&you)).map_or(0, |one| one.shares).into(),
            proposals: self
                .state
                .proposals()
                .rev()
                .map(|(id, proposal)| self.proposal(id, proposal, genesis))
                .collect(),
            releases: self
                .state
                .releases()
                .map(|(version, release)| Release { version, height: release.height.into(), bundle: release.bundle })
                .collect(),
        }
    }

    fn proposal(&self, id: u64, proposal: &CoreProposal, genesis: &Genesis) -> Proposal {
        let base = match proposal.state {
            CoreState::Executed { at } => self.base_before((at, id), genesis),
            _ => self.base(),
        };
        let validators = self.state.counted_by(proposal, &genesis.validators);
        let total = validators.total_shares();
        let votes = self.state.votes(id).map(|(account, vote)| VoteCast {
            account: self.reference(&account),
            shares: validators.by_account(&account).map_or(0, |one| one.shares).into(),
            approve: vote.approve,
            rationale: vote.rationale.clone(),
        });
        Proposal {
            id: id.into(),
            proposer: self.reference(&proposal.proposer),
            action: self.action(&proposal.action, &base),
            text: proposal.text.clone(),
            votes_until: proposal.votes_until.into(),
            state: proposal_state(proposal.state),
            shares: total.into(),
            needed: (total / 3 * 2 + total % 3 * 2 / 3 + 1).into(),
            votes: votes.collect(),
        }
    }

    /// What was in force before a proposal took effect: what the one before it set, or the genesis.
    fn base_before<'b>(&'b self, place: (u64, u64), genesis: &'b Genesis) -> Base<'b> {
        let mut base = Base { parameters: &genesis.parameters, validators: &genesis.validators };
        let earlier = self.state.proposals().filter_map(|(id, proposal)| match proposal.state {
            CoreState::Executed { at } if (at, id) < place => Some(((at, id), &proposal.action)),
            _ => None,
        });
        let (mut parameters_at, mut validators_at) = ((0, 0), (0, 0));
        for (at, action) in earlier {
            match action {
                CoreAction::SetParameters { parameters } if at >= parameters_at => {
                    (parameters_at, base.parameters) = (at, parameters);
                }
                CoreAction::SetValidators { validators } if at >= validators_at => {
                    (validators_at, base.validators) = (at, validators);
                }
                _ => {}
            }
        }
        base
    }
}

fn terms(validator: &Validator) -> ValidatorTerms {
    ValidatorTerms { signing_key: validator.signing_key, shares: validator.shares.into(), url: validator.url.clone() }
}

fn parameter_changes(from: &Parameters, to: &Parameters) -> Vec<ParameterChange> {
    let rows = parameters::table(from).into_iter().zip(parameters::table(to));
    rows.filter(|(from, to)| from.value != to.value)
        .map(|(from, to)| ParameterChange { name: from.name, unit: from.unit, from: from.value, to: to.value })
        .collect()
}

/// Where a proposal stands.
pub(super) fn proposal_state(state: CoreState) -> ProposalState {
    match state {
        CoreState::Open => ProposalState::Open,
        CoreState::Accepted { effective } => ProposalState::Accepted { effective: effective.into() },
        CoreState::Executed { at } => ProposalState::Executed { at: at.into() },
        CoreState::Rejected => ProposalState::Rejected,
        CoreState::Void => ProposalState::Void,
    }
}
