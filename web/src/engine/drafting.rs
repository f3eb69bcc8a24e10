//! What a page puts into the draft, as operations.

use super::Core;
use super::method::{DraftAction, DraftOperation, NewValidator, Terms};
use crate::error::Error;
use crate::explorer::{Explorer, parameters};
use crate::view::Draft;
use fair_core::chain::certificate::{Validator, ValidatorSet};
use fair_core::ledger::operation::{BankTerms, CreateAsset, Deposit, GovernanceAction, Operation, Propose, Vote};
use fair_core::ordered;
use fair_core::types::AssetId;
use fair_core::wallet::Input;
use std::rc::Rc;

impl Core {
    /// Adds an action.
    pub(super) async fn draft_add(self: &Rc<Self>, wanted: DraftOperation) -> Result<Draft, Error> {
        drop(self.machine()?);
        let operation = self.explore(|explorer| operation(&explorer, wanted))??;
        self.handle(Input::DraftAdd { operations: vec![operation] }).await?;
        self.draft()
    }
}

fn operation(explorer: &Explorer<'_>, wanted: DraftOperation) -> Result<Operation, Error> {
    Ok(match wanted {
        DraftOperation::Deposit { asset, amount, to, partner, invoice } => {
            known_asset(explorer, asset)?;
            if amount == 0 {
                return Err(Error::new("input.amount", "Give an amount above zero."));
            }
            let partner = partner.map(|partner| explorer.resolve(&partner)).transpose()?;
            let (to, invoice) = (explorer.resolve(&to)?, invoice.map(|text| tag(&text)));
            Operation::Deposit(Deposit { asset, amount, to, partner, keep: 0, epoch: None, invoice })
        }
        DraftOperation::CreateAsset(p) => Operation::CreateAsset(CreateAsset {
            ticker: p.ticker,
            name: p.name,
            decimals: p.decimals,
            supply: p.supply,
        }),
        DraftOperation::RegisterBank(p) => Operation::RegisterBank(terms(p)),
        DraftOperation::UpdateBank(p) => Operation::UpdateBank(terms(p)),
        DraftOperation::Propose { action: wanted, text } => {
            Operation::Propose(Propose { action: action(explorer, wanted)?, text })
        }
        DraftOperation::Vote(p) => {
            Operation::Vote(Vote { proposal: p.proposal, approve: p.approve, rationale: p.rationale })
        }
    })
}

/// The bytes of an invoice tag: the text itself, or what 64 hexadecimal digits say.
pub(super) fn tag(text: &str) -> Vec<u8> {
    let bytes = if text.len() == 64 { hex::decode(text).ok() } else { None };
    bytes.unwrap_or_else(|| text.as_bytes().to_vec())
}

fn known_asset(explorer: &Explorer<'_>, asset: AssetId) -> Result<(), Error> {
    match explorer.state.asset(asset) {
        Some(_) => Ok(()),
        None => Err(Error::new("input.asset", "There is no such asset.").with("got", u64::from(asset.0))),
    }
}

fn terms(terms: Terms) -> BankTerms {
    BankTerms {
        handle: terms.handle,
        url: terms.url,
        fee_base: terms.fee_flat,
        fee_ppm: terms.fee_ppm,
        insurance_price: terms.insurance_price,
    }
}

fn action(explorer: &Explorer<'_>, wanted: DraftAction) -> Result<GovernanceAction, Error> {
    Ok(match wanted {
        DraftAction::SetParameters { changes } => {
            let mut k = explorer.state.parameters().clone();
            for change in changes {
                parameters::set(&mut k, &change.name, change.value).ok_or_else(|| {
                    Error::new("input.parameter", "This value does not fit the parameter.").with("got", change.name)
                })?;
            }
            k.check().map_err(|bad| {
                Error::new("input.parameter_rule", format!("These values break a rule: {}.", bad.rule))
            })?;
            GovernanceAction::SetParameters { parameters: Box::new(k) }
        }
        DraftAction::SetValidators { validators } => {
            let validator = |new: NewValidator| {
                Ok::<_, Error>(Validator {
                    account: explorer.resolve(&new.account)?,
                    signing_key: new.signing_key,
                    shares: new.shares,
                    url: new.url,
                })
            };
            let set: Vec<_> = validators.into_iter().map(validator).collect::<Result<_, _>>()?;
            let set = ValidatorSet { validators: ordered::by_key(set, |validator| validator.account) };
            set.check().map_err(|bad| Error::new("input.validators", format!("This set is not possible: {bad}.")))?;
            GovernanceAction::SetValidators { validators: Box::new(set) }
        }
        DraftAction::RemoveBank { bank } => GovernanceAction::RemoveBank { bank: explorer.resolve(&bank)? },
        DraftAction::RenameAsset { asset, ticker, name } => {
            known_asset(explorer, asset)?;
            GovernanceAction::RenameAsset { asset, ticker, name }
        }
        DraftAction::Release { version, height, bundle } => GovernanceAction::Release { version, height, bundle },
    })
}
