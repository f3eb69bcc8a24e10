//! Verified blocks as they are stored: with their certificate, and what became of each batch.

use crate::error::Error;
use crate::record;
use crate::store::Changes;
use borsh::{BorshDeserialize, BorshSerialize};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::follow::Step;
use fair_core::codec;
use fair_core::ledger::batch::Batch;
use fair_core::ledger::operation::{GovernanceAction, Operation};
use fair_core::ledger::receipt::{BatchOutcome, Flow, Opening, OpeningEvent, Place};
use fair_core::limits;
use fair_core::ordered;
use fair_core::types::PublicKey;
use std::collections::BTreeSet;

/// Outcomes are at most five times as long as the batches they belong to, those of disputes that end at most eight times
/// as long as a block, and the way back has a bound of its own.
const MAX_STORED_BYTES: usize = limits::MAX_CERTIFIED_BLOCK_BYTES * 16 + limits::MAX_UNDO_BYTES;

/// A verified block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StoredBlock {
    /// As relays serve it.
    pub certified: CertifiedBlock,
    /// What fell due at its start.
    pub openings: Vec<Opening>,
    /// What became of each batch.
    pub outcomes: Vec<BatchOutcome>,
    /// The way back to the state before ([`fair_core::chain::follow::Follower::recall`]).
    pub undo: Vec<u8>,
}

/// Adds a verified block, its indexes, the state it changes and the new head.
pub fn store(changes: &mut Changes, certified: &CertifiedBlock, step: &Step) {
    let header = step.header();
    let stored = StoredBlock {
        certified: certified.clone(),
        openings: step.openings().to_vec(),
        outcomes: step.outcomes().to_vec(),
        undo: step.encoded_undo(),
    };
    changes.put(record::block(header.height), codec::encode(&stored));
    changes.put(record::block_hash(&header.hash()), header.height.to_be_bytes().to_vec());
    for (index, (signed, outcome)) in (0..).zip(certified.block.batches.iter().zip(step.outcomes())) {
        let mut accounts = mentioned(&signed.body);
        reached(&outcome.debts, &mut accounts);
        for account in accounts {
            changes.put(record::mention(&account, header.height, index), Vec::new());
        }
    }
    for (index, opening) in (0..).zip(step.openings()) {
        for account in concerned(opening) {
            changes.put(record::mention(&account, header.height, OPENING | index), Vec::new());
        }
    }
    for (key, value) in step.encoded_changes() {
        changes.set(record::state(&key), value);
    }
    changes.put(record::head(), codec::encode(header));
}

/// Reads a stored block.
///
/// # Errors
/// `storage.damaged`.
pub fn decode(bytes: &[u8]) -> Result<StoredBlock, Error> {
    codec::decode(bytes, MAX_STORED_BYTES)
        .map_err(|error| Error::new("storage.damaged", format!("A stored block cannot be read: {error}")))
}

/// Bit in the place of a mention: it is an opening of the block, not a batch.
pub const OPENING: u32 = 1 << 31;

/// Everybody whom something that fell due concerns.
pub fn concerned(opening: &Opening) -> BTreeSet<PublicKey> {
    let mut accounts = BTreeSet::new();
    reached(&opening.flows, &mut accounts);
    if let OpeningEvent::Resolved { parties, .. } = &opening.event {
        accounts.extend([parties.left(), parties.right()]);
    }
    accounts
}

/// Everybody whose money moved.
fn reached(flows: &[Flow], accounts: &mut BTreeSet<PublicKey>) {
    for flow in flows {
        match flow.place {
            Place::Account { key } => accounts.extend([key]),
            Place::Channel { owner, partner } => accounts.extend([owner, partner]),
        }
    }
}

/// Everybody whom a batch concerns.
pub fn mentioned(batch: &Batch) -> BTreeSet<PublicKey> {
    let mut accounts = ordered::set([batch.signer]);
    for entry in &batch.entries {
        match &entry.operation {
            Operation::Deposit(deposit) => {
                accounts.insert(deposit.to);
                accounts.extend(deposit.partner);
            }
            Operation::Withdraw(withdraw) => {
                let parties = withdraw.proof.body.parties;
                accounts.extend([parties.left(), parties.right()]);
            }
            Operation::Dispute(dispute) => {
                accounts.insert(dispute.partner);
            }
            Operation::Answer(answer) => {
                accounts.extend([answer.state.parties.left(), answer.state.parties.right()]);
            }
            Operation::Propose(propose) => match &propose.action {
                GovernanceAction::RemoveBank { bank } => accounts.extend([*bank]),
                GovernanceAction::SetValidators { validators } => {
                    accounts.extend(validators.validators.iter().map(|validator| validator.account));
                }
                _ => {}
            },
            Operation::Reveal(_)
            | Operation::Vote(_)
            | Operation::CreateAsset(_)
            | Operation::RegisterBank(_)
            | Operation::UpdateBank(_) => {}
        }
    }
    accounts
}
