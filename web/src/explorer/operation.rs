//! Operations in the shapes that pages see.

use super::Explorer;
use crate::view::{BankTerms, Operation};
use fair_core::crypto::lock_hash;
use fair_core::ledger::operation::{BankTerms as CoreTerms, Operation as CoreOperation};

impl Explorer<'_> {
    /// An operation in words and references.
    pub fn operation(&self, operation: &CoreOperation) -> Operation {
        match operation {
            CoreOperation::Deposit(deposit) => Operation::Deposit {
                asset: deposit.asset,
                amount: deposit.amount,
                to: self.reference(&deposit.to),
                partner: deposit.partner.map(|partner| self.reference(&partner)),
                keep: (deposit.keep > 0).then_some(deposit.keep),
                epoch: deposit.epoch.map(Into::into),
                invoice: deposit.invoice.as_ref().map(hex::encode),
            },
            CoreOperation::Withdraw(withdraw) => {
                let consent = &withdraw.proof.body;
                Operation::Withdraw {
                    asset: consent.asset,
                    amount: consent.amount,
                    withdrawer: self.reference(&consent.parties.key(consent.withdrawer)),
                    partner: self.reference(&consent.parties.key(consent.withdrawer.other())),
                    nonce: consent.nonce.into(),
                    expires_at: consent.expires_at.into(),
                }
            }
            CoreOperation::Dispute(dispute) => Operation::Dispute {
                partner: self.reference(&dispute.partner),
                frame: dispute.proof.as_ref().map(|proof| proof.body.frame.into()),
            },
            CoreOperation::Answer(answer) => Operation::Answer {
                left: self.reference(&answer.state.parties.left()),
                right: self.reference(&answer.state.parties.right()),
                frame: answer.state.frame.into(),
            },
            CoreOperation::Reveal(reveal) => {
                Operation::Reveal { hashes: reveal.secrets.iter().map(lock_hash).collect() }
            }
            CoreOperation::Propose(propose) => {
                Operation::Propose { action: self.action(&propose.action, &self.base()), text: propose.text.clone() }
            }
            CoreOperation::Vote(vote) => Operation::Vote {
                proposal: vote.proposal.into(),
                approve: vote.approve,
                rationale: vote.rationale.clone(),
            },
            CoreOperation::CreateAsset(asset) => Operation::CreateAsset {
                ticker: asset.ticker.clone(),
                name: asset.name.clone(),
                decimals: asset.decimals,
                supply: asset.supply,
            },
            CoreOperation::UpdateBank(terms) => Operation::UpdateBank(bank_terms(terms)),
            CoreOperation::RegisterBank(terms) => Operation::RegisterBank(bank_terms(terms)),
        }
    }
}

fn bank_terms(terms: &CoreTerms) -> BankTerms {
    BankTerms {
        handle: terms.handle.clone(),
        url: terms.url.clone(),
        fee_flat: terms.fee_base,
        fee_ppm: terms.fee_ppm,
        insurance_price: terms.insurance_price,
    }
}
