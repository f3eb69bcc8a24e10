//! Governance: proposals, votes, and their effect (docs/protocol.md, section 3).
//!
//! ```text
//! Propose → Open ──U > votes_until──▶ Accepted ──U ≥ effective──▶ Executed
//!                         └▶ Rejected     └▶ Void: what would result breaks a rule
//! ```
//!
//! A proposal that is open or accepted stands in the index of what falls due, at the U of its next step. An account has
//! its share of [`limits::PROPOSAL_PLACES`] there, so that nobody's proposals keep those of another out, and one block
//! can take all steps of what the validators in force have open. What was decided stays with its votes: it is the
//! record of who changed the chain and why, and only validators add to it.

use super::deposit::Applied;
use super::execute::Context;
use super::operation::{GovernanceAction, ProposalId, Propose, Vote};
use super::receipt::{Opening, OpeningEvent, SkipReason};
use super::registry;
use super::state::{Key, Proposal, ProposalState, Release, Value, VoteCast};
use super::view::{Overlay, View};
use crate::chain::certificate::ValidatorSet;
use crate::chain::header;
use crate::chain::names;
use crate::chain::params::Parameters;
use crate::limits;
use crate::ordered;
use crate::types::{AssetId, Height, PublicKey, UsableHeight};

/// What falls due at the start of a block, in order of proposals.
pub(super) fn open_block(overlay: &mut Overlay<'_>, context: &Context<'_>) -> Vec<Opening> {
    let due = waiting(overlay, context.usable_height, limits::MAX_PROPOSAL_STEPS);
    let due = due.into_iter().filter_map(|key| match key {
        Key::ProposalByEnd(_, id) => Some((id, key)),
        _ => None,
    });
    let mut openings = Vec::new();
    for (id, key) in ordered::by_key(due, |due| *due) {
        overlay.remove(key);
        let Some(mut proposal) = overlay.proposal(id).cloned() else { continue };
        let state = match proposal.state {
            ProposalState::Open => tally(overlay, context, id, &proposal),
            ProposalState::Accepted { .. } => execute(overlay, context, &proposal.action),
            _ => continue,
        };
        if let ProposalState::Accepted { effective } = state {
            overlay.put(Key::ProposalByEnd(effective, id), Value::Due);
        }
        proposal.state = state;
        overlay.put(Key::Proposal(id), Value::Proposal(Box::new(proposal)));
        openings.push(Opening { event: OpeningEvent::Proposal { id, state }, flows: Vec::new() });
    }
    openings
}

/// Entries of the index of proposals up to U, the first `most` of them.
fn waiting(view: &dyn View, until: UsableHeight, most: usize) -> Vec<Key> {
    let (first, last) = (Key::ProposalByEnd(0, 0), Key::ProposalByEnd(until, ProposalId::MAX));
    view.keys_between(&first, &last, most)
}

/// How many proposals of an account are open or wait.
fn waiting_of(view: &dyn View, proposer: &PublicKey) -> usize {
    let is_theirs = |key: &Key| match key {
        Key::ProposalByEnd(_, id) => view.proposal(*id).is_some_and(|proposal| proposal.proposer == *proposer),
        _ => false,
    };
    waiting(view, UsableHeight::MAX, usize::MAX).iter().filter(|key| is_theirs(key)).count()
}

/// How many of them an account may have.
fn places(view: &dyn View) -> usize {
    let validators = validators(view).map_or(1, |set| set.validators.len());
    limits::PROPOSAL_PLACES.checked_div(validators).map_or(1, |places| places.max(1))
}

/// Votes weigh the shares of the set in force now.
fn tally(overlay: &Overlay<'_>, context: &Context<'_>, id: ProposalId, proposal: &Proposal) -> ProposalState {
    let Some(set) = validators(overlay) else { return ProposalState::Rejected };
    let approves = |account: &PublicKey| match overlay.get(&Key::Vote(id, *account)) {
        Some(Value::Vote(vote)) => vote.approve,
        _ => false,
    };
    let shares = set
        .validators
        .iter()
        .filter(|validator| approves(&validator.account))
        .fold(0_u64, |sum, validator| sum.saturating_add(validator.shares));
    if !set.is_quorum(shares) {
        return ProposalState::Rejected;
    }
    let wait = wait(&proposal.action, context.parameters);
    ProposalState::Accepted { effective: context.usable_height.saturating_add(wait) }
}

/// How long an accepted proposal waits: a change of validators as long as K says; what running channels rely on,
/// as long as a lock or dispute that began before can last.
fn wait(action: &GovernanceAction, parameters: &Parameters) -> u64 {
    match action {
        GovernanceAction::SetValidators { .. } => u64::from(parameters.validator_delay_blocks),
        _ => parameters.longest_dispute_blocks().max(u64::from(parameters.lock_horizon_blocks)).saturating_add(1),
    }
}

/// Does what was accepted, if what results keeps every rule.
fn execute(overlay: &mut Overlay<'_>, context: &Context<'_>, action: &GovernanceAction) -> ProposalState {
    if check(overlay, action, context.height.saturating_add(1)).is_err() {
        return ProposalState::Void;
    }
    match action {
        GovernanceAction::SetParameters { parameters } => {
            overlay.put(Key::Parameters, Value::Parameters(parameters.clone()));
        }
        GovernanceAction::SetValidators { validators } => {
            overlay.put(Key::NextValidators, Value::Validators(validators.clone()));
        }
        GovernanceAction::RemoveBank { bank } => {
            if registry::remove_bank(overlay, bank).is_err() {
                return ProposalState::Void;
            }
        }
        GovernanceAction::RenameAsset { asset, ticker, name } => rename(overlay, *asset, ticker, name),
        GovernanceAction::Release { version, height, bundle } => {
            overlay.put(Key::Release(*version), Value::Release(Release { height: *height, bundle: *bundle }));
        }
    }
    ProposalState::Executed { at: context.usable_height }
}

fn rename(overlay: &mut Overlay<'_>, id: AssetId, ticker: &str, name: &str) {
    let Some(Value::Asset(asset)) = overlay.get(&Key::Asset(id)) else { return };
    let mut asset = asset.clone();
    overlay.remove(Key::ticker(&asset.ticker));
    overlay.put(Key::ticker(ticker), Value::Ticker(id));
    (asset.ticker, asset.name) = (ticker.to_owned(), name.to_owned());
    overlay.put(Key::Asset(id), Value::Asset(asset));
}

/// Whether an action could be done on the state as it is. `earliest` is the least height of a release.
fn check(view: &dyn View, action: &GovernanceAction, earliest: Height) -> Result<(), SkipReason> {
    match action {
        GovernanceAction::SetParameters { parameters } => check_parameters(view, parameters),
        GovernanceAction::SetValidators { validators } => check_validators(view, validators),
        GovernanceAction::RemoveBank { bank } => match view.bank(bank) {
            Some(_) => Ok(()),
            None => Err(SkipReason::NotABank { bank: *bank }),
        },
        GovernanceAction::RenameAsset { asset, ticker, name } => {
            if !view.has_asset(*asset) {
                return Err(SkipReason::UnknownAsset { asset: *asset });
            }
            registry::check_asset_names(view, Some(*asset), ticker, name)
        }
        GovernanceAction::Release { version, height, .. } => check_release(view, *version, *height, earliest),
    }
}

/// The whole of K, and that it may follow the present one.
fn check_parameters(view: &dyn View, parameters: &Parameters) -> Result<(), SkipReason> {
    let broken = |rule: String| SkipReason::BreaksRule { rule };
    parameters.check().map_err(|bad| broken(bad.rule.to_owned()))?;
    match view.get(&Key::Parameters) {
        Some(Value::Parameters(before)) => {
            parameters.check_succession(before).map_err(|bad| broken(bad.rule.to_owned()))
        }
        _ => Err(SkipReason::OutOfBounds),
    }
}

/// The whole set: what every set keeps, URLs that can be called, accounts that can be paid.
fn check_validators(view: &dyn View, set: &ValidatorSet) -> Result<(), SkipReason> {
    set.check().map_err(|bad| SkipReason::BreaksRule { rule: bad.to_string() })?;
    for validator in &set.validators {
        if !names::is_url(&validator.url) {
            return Err(SkipReason::BadUrl);
        }
        if view.account(&validator.account).is_none() {
            return Err(SkipReason::UnregisteredValidator { account: validator.account });
        }
    }
    Ok(())
}

/// Versions are announced in order, each for a height not below that of the one before it.
fn check_release(view: &dyn View, version: u16, height: Height, earliest: Height) -> Result<(), SkipReason> {
    let (mut newest, mut least) = (header::FIRST_VERSION, earliest);
    let (first, last) = (Key::Release(0), Key::Release(u16::MAX));
    for key in view.keys_between(&first, &last, usize::from(u16::MAX)) {
        if let (Key::Release(number), Some(Value::Release(release))) = (key, view.get(&key)) {
            newest = newest.max(number);
            least = least.max(release.height);
        }
    }
    if version <= newest {
        return Err(SkipReason::OldVersion { newest, got: version });
    }
    if height < least {
        return Err(SkipReason::ReleaseTooEarly { earliest: least, got: height });
    }
    Ok(())
}

fn validators(view: &dyn View) -> Option<&ValidatorSet> {
    match view.get(&Key::Validators) {
        Some(Value::Validators(set)) => Some(set),
        _ => None,
    }
}

fn only_validators(view: &dyn View, signer: &PublicKey) -> Result<(), SkipReason> {
    match validators(view).and_then(|set| set.by_account(signer)) {
        Some(_) => Ok(()),
        None => Err(SkipReason::NotAValidator),
    }
}

fn short_text(text: &str, limit: usize) -> Result<(), SkipReason> {
    let short = |length| u32::try_from(length).unwrap_or(u32::MAX);
    match text.len() {
        got if got > limit => Err(SkipReason::TextTooLong { limit: short(limit), got: short(got) }),
        _ => Ok(()),
    }
}

/// Takes a proposal.
pub(super) fn propose(
    overlay: &mut Overlay<'_>,
    context: &Context<'_>,
    signer: PublicKey,
    operation: &Propose,
) -> Result<Applied, SkipReason> {
    let Propose { action, text } = operation;
    only_validators(overlay, &signer)?;
    short_text(text, limits::MAX_PROPOSAL_TEXT_BYTES)?;
    let places = places(overlay);
    if waiting_of(overlay, &signer) >= places {
        let limit = u32::try_from(places).unwrap_or(u32::MAX);
        return Err(SkipReason::TooManyProposals { limit });
    }
    let (start, period) = (context.usable_height, u64::from(context.parameters.voting_period_blocks));
    // At the earliest it takes effect after these blocks, each of which has a height of its own.
    let steps = period.saturating_add(wait(action, context.parameters)).saturating_add(2);
    check(overlay, action, context.height.saturating_add(steps))?;
    let mut counters = overlay.counters();
    let id = counters.proposals.checked_add(1).ok_or(SkipReason::OutOfBounds)?;
    counters.proposals = id;
    let votes_until = start.checked_add(period).ok_or(SkipReason::OutOfBounds)?;
    let proposal = Proposal {
        proposer: signer,
        action: action.clone(),
        text: text.clone(),
        start,
        votes_until,
        state: ProposalState::Open,
    };
    overlay.put(Key::Counters, Value::Counters(counters));
    overlay.put(Key::Proposal(id), Value::Proposal(Box::new(proposal)));
    overlay.put(Key::ProposalByEnd(votes_until.saturating_add(1), id), Value::Due);
    Ok(Applied { registered: None, flows: Vec::new() })
}

/// Takes a vote; it replaces the one before.
pub(super) fn vote(
    overlay: &mut Overlay<'_>,
    context: &Context<'_>,
    signer: PublicKey,
    operation: &Vote,
) -> Result<Applied, SkipReason> {
    let Vote { proposal: id, approve, rationale } = operation;
    only_validators(overlay, &signer)?;
    short_text(rationale, limits::MAX_RATIONALE_BYTES)?;
    let (proposal, now) = (*id, context.usable_height);
    let votes_until = overlay.proposal(proposal).ok_or(SkipReason::UnknownProposal { proposal })?.votes_until;
    if now > votes_until {
        return Err(SkipReason::VotingOver { proposal, votes_until, now });
    }
    let vote = VoteCast { approve: *approve, rationale: rationale.clone() };
    overlay.put(Key::Vote(proposal, signer), Value::Vote(Box::new(vote)));
    Ok(Applied { registered: None, flows: Vec::new() })
}

#[cfg(test)]
mod tests;
