//! Orders that change what everybody relies on: proposals, votes, assets, banks. Each is tried out on the home's own
//! copy of the chain first: what the ledger would skip is refused before anything is signed.
//!
//! A validator's process never reads the key of its account: the command signs, and hands the batch to the process
//! of the home. A bank's or a wallet's process signs itself, among its other batches.

use super::OfHome;
use crate::clock;
use crate::error::NodeError;
use crate::home::{self, Config, Home, Kind};
use crate::store::onchain;
use crate::{limits, local, operator, page, presets, say};
use clap::{Args, Subcommand, ValueEnum};
use fair_core::chain::certificate::{Validator, ValidatorSet};
use fair_core::chain::follow::Follower;
use fair_core::codec;
use fair_core::crypto::SecretKey;
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{
    BankTerms, CreateAsset, GovernanceAction, Operation, ProposalId, Propose as Proposing, Vote as Voting,
};
use fair_core::ledger::receipt::Receipt;
use fair_core::message::Signed;
use fair_core::types::{Amount, AssetId, Hash, Height, PublicKey};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Propose {
    #[command(flatten)]
    of: OfHome,
    /// Why, for those who vote
    #[arg(long, default_value = "")]
    text: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Other parameters: those in force with some changed
    Parameters {
        /// NAME=NUMBER, as `node proposals` shows them; repeat it
        #[arg(long = "set", required = true)]
        changes: Vec<String>,
    },
    /// Other validators or shares: those in force with some changed
    Validators {
        /// member.json of a home that becomes a validator, or whose key or address changes; repeat it
        #[arg(long = "add")]
        added: Vec<PathBuf>,
        /// Account of one that leaves; repeat it
        #[arg(long = "remove")]
        removed: Vec<PublicKey>,
        /// ACCOUNT=SHARES; repeat it. A new one gets 25 otherwise
        #[arg(long = "shares")]
        shares: Vec<String>,
    },
    /// Strike a bank off the register
    RemoveBank {
        /// Its account
        #[arg(long)]
        bank: PublicKey,
    },
    /// Another ticker and name of an asset
    RenameAsset {
        /// Its number
        #[arg(long)]
        asset: u32,
        /// Capital letters and digits
        #[arg(long)]
        ticker: String,
        /// In full
        #[arg(long)]
        name: String,
    },
    /// A version of the rules, in force from a height on
    Release {
        /// Of the rules
        #[arg(id = "number", long = "number")]
        version: u16,
        /// First height
        #[arg(long)]
        height: Height,
        /// Hash of the published bundle
        #[arg(long)]
        bundle: Hash,
    },
}

#[derive(Debug, Args)]
pub(super) struct Vote {
    #[command(flatten)]
    of: OfHome,
    /// Number of the proposal
    proposal: ProposalId,
    /// What to vote
    choice: Choice,
    /// Why, for everybody to read
    #[arg(long, default_value = "")]
    why: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Choice {
    Yes,
    No,
}

#[derive(Debug, Args)]
pub(super) struct NewAsset {
    #[command(flatten)]
    of: OfHome,
    /// Capital letters and digits; no other asset's
    #[arg(long)]
    ticker: String,
    /// In full
    #[arg(long)]
    name: String,
    /// Digits after the point
    #[arg(long, default_value_t = 2)]
    decimals: u8,
    /// How much exists, as in 5000.00; all of it comes to the home's account
    #[arg(long)]
    supply: String,
}

#[derive(Debug, Args)]
pub(super) struct Terms {
    #[command(flatten)]
    of: OfHome,
    /// Name after the @: lower-case letters, digits and '-'
    #[arg(long)]
    handle: String,
    /// Where the bank is reached; the home's own when not given
    #[arg(long)]
    url: Option<String>,
    /// Flat part of the fee for mediating, in the asset's smallest unit
    #[arg(long, default_value_t = 0)]
    fee_base: Amount,
    /// Parts per million of the amount
    #[arg(long, default_value_t = 0)]
    fee_ppm: u32,
    /// Price of one insurance, in the smallest unit of the asset insured
    #[arg(long, default_value_t = 0)]
    insurance_price: Amount,
}

/// Shares of a new validator of which nothing else is said.
const USUAL_SHARES: u64 = 25;

fn refused(reason: impl Into<String>) -> NodeError {
    NodeError::Refused { reason: reason.into() }
}

/// A home and the chain as it has it.
struct Desk {
    home: Home,
    config: Config,
    follower: Follower,
    /// Validators of the genesis.
    first: ValidatorSet,
}

impl Desk {
    fn open(of: &OfHome) -> Result<Self, NodeError> {
        let (home, config) = Home::open(&of.home)?;
        let (genesis, _) = home.genesis()?;
        let follower = onchain::look(&home.database("onchain")?, &genesis)?;
        Ok(Self { home, config, follower, first: genesis.validators })
    }

    /// A batch of one operation, which the next block would apply.
    fn tried(&self, operation: Operation) -> Result<Signed<Batch>, NodeError> {
        self.follower.check_rules().map_err(NodeError::Rules)?;
        let (key, state) = (self.home.account_key()?, self.follower.state());
        if key.public() != self.config.account {
            return Err(refused("the key in the home is not that of its account"));
        }
        let batch = signed(&self.follower, &key, operation);
        let proposer = state.validators().validators.first().map_or(key.public(), |validator| validator.account);
        let built = self.follower.build([&batch], proposer, clock::now_ms());
        if let Some((_, why)) = built.left_out.first() {
            return Err(refused(why.to_string()));
        }
        let receipts = built.step.outcomes().iter().flat_map(|outcome| &outcome.operations);
        for outcome in receipts {
            if let Receipt::Skipped { reason } = &outcome.receipt {
                return Err(refused(reason.to_string()));
            }
        }
        Ok(batch)
    }

    /// Does it, and says what became of it.
    fn order(&self, operation: Operation) -> Result<(), NodeError> {
        let bytes = codec::encode(&operation);
        let batch = self.tried(operation)?;
        let answer = match self.config.kind {
            Kind::Validator => operator::submit(&self.config, &batch)?,
            Kind::Bank | Kind::Wallet | Kind::Merchant => {
                let name = local::fresh_name()
                    .map_err(|error| NodeError::System { what: "randomness", reason: error.to_string() })?;
                let body = json!({ "request": hex::encode(name), "operation": hex::encode(bytes) });
                return operator::post(self.home.path(), "/v1/order", &body);
            }
            Kind::Tower => {
                let reason = "a tower answers in court and does nothing else".to_owned();
                return Err(NodeError::Refused { reason });
            }
        };
        say::json(&answer)
    }
}

fn signed(follower: &Follower, key: &SecretKey, operation: Operation) -> Signed<Batch> {
    let state = follower.state();
    let parameters = state.parameters();
    let life = u64::from(parameters.max_batch_life_heights).min(limits::ORDER_LIFE_HEIGHTS);
    let batch = Batch {
        signer: key.public(),
        nonce: state.account(&key.public()).map_or(0, |account| account.nonce),
        valid_until: state.height().saturating_add(life),
        fee_rate: parameters.min_fee_rate,
        entries: vec![Entry { group: None, operation }],
    };
    Signed::new(batch, &state.chain_id(), key)
}

impl Propose {
    pub(super) fn run(self) -> Result<(), NodeError> {
        let desk = Desk::open(&self.of)?;
        let action = self.action.read(&desk)?;
        desk.order(Operation::Propose(Proposing { action, text: self.text }))
    }
}

impl Action {
    fn read(self, desk: &Desk) -> Result<GovernanceAction, NodeError> {
        let state = desk.follower.state();
        Ok(match self {
            Self::Parameters { changes } => {
                let parameters = Box::new(presets::changed(state.parameters(), &changes)?);
                GovernanceAction::SetParameters { parameters }
            }
            Self::Validators { added, removed, shares } => {
                let validators = Box::new(changed_set(state.next_validators(), &added, &removed, &shares)?);
                GovernanceAction::SetValidators { validators }
            }
            Self::RemoveBank { bank } => GovernanceAction::RemoveBank { bank },
            Self::RenameAsset { asset, ticker, name } => {
                GovernanceAction::RenameAsset { asset: AssetId(asset), ticker, name }
            }
            Self::Release { version, height, bundle } => GovernanceAction::Release { version, height, bundle },
        })
    }
}

fn changed_set(
    now: &ValidatorSet,
    added: &[PathBuf],
    removed: &[PublicKey],
    shares: &[String],
) -> Result<ValidatorSet, NodeError> {
    let mut set = now.clone();
    for account in removed {
        set.by_account(account).ok_or_else(|| refused(format!("{account} is no validator")))?;
        set.validators.retain(|validator| validator.account != *account);
    }
    for path in added {
        let home::Member { account, signing_key, url, .. } = home::read_member(path)?;
        let signing_key = signing_key.ok_or_else(|| refused(format!("{} has no signing key", path.display())))?;
        let shares = set.by_account(&account).map_or(USUAL_SHARES, |validator| validator.shares);
        set.validators.retain(|validator| validator.account != account);
        set.validators.push(Validator { account, signing_key, shares, url });
    }
    for pair in presets::pairs(shares) {
        let (account, shares) = pair?;
        let validator = set.validators.iter_mut().find(|validator| validator.account.to_string() == account);
        validator.ok_or_else(|| refused(format!("{account} is no validator")))?.shares = shares;
    }
    set.validators.sort_by_key(|validator| validator.account);
    Ok(set)
}

impl Vote {
    pub(super) fn run(self) -> Result<(), NodeError> {
        let approve = matches!(self.choice, Choice::Yes);
        Desk::open(&self.of)?.order(Operation::Vote(Voting { proposal: self.proposal, approve, rationale: self.why }))
    }
}

impl NewAsset {
    pub(super) fn run(self) -> Result<(), NodeError> {
        let Self { of, ticker, name, decimals, supply } = self;
        let supply = page::parse_decimal(&supply, decimals)
            .ok_or_else(|| refused(format!("{supply:?} is no amount with at most {decimals} decimals")))?;
        Desk::open(&of)?.order(Operation::CreateAsset(CreateAsset { ticker, name, decimals, supply }))
    }
}

impl Terms {
    pub(super) fn run(self, order: fn(BankTerms) -> Operation) -> Result<(), NodeError> {
        let Self { of, handle, url, fee_base, fee_ppm, insurance_price } = self;
        let desk = Desk::open(&of)?;
        let url = url.unwrap_or_else(|| desk.config.url.clone());
        desk.order(order(BankTerms { handle, url, fee_base, fee_ppm, insurance_price }))
    }
}

/// Prints what was proposed lately, with votes, and the parameters and validators in force.
pub(super) fn print_proposals(of: &OfHome) -> Result<(), NodeError> {
    let desk = Desk::open(of)?;
    let state = desk.follower.state();
    let proposals: Vec<Value> = state
        .proposals()
        .rev()
        .take(fair_core::limits::MAX_PROPOSAL_STEPS)
        .map(|(id, proposal)| {
            let set = state.counted_by(proposal, &desk.first);
            let votes: Vec<_> = state
                .votes(id)
                .map(|(account, vote)| {
                    let shares = set.by_account(&account).map_or(0, |validator| validator.shares);
                    json!({ "account": account, "shares": shares, "approve": vote.approve, "why": vote.rationale })
                })
                .collect();
            json!({ "id": id, "proposal": proposal, "votes": votes })
        })
        .collect();
    let releases: Vec<Value> =
        state.releases().map(|(version, release)| json!({ "version": version, "release": release })).collect();
    let answer = json!({
        "height": state.height(),
        "usable_height": state.usable_height(),
        "proposals": proposals,
        "releases": releases,
        "parameters": state.parameters(),
        "validators": state.validators().validators,
        "next_validators": state.next_validators().validators,
    });
    say::json(&answer)
}
