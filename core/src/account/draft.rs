//! The draft of an account: actions that collect, and what they become when they are sent.

use super::{CannotSend, OnChain, RequestId, SentBatch, SentState};
use crate::codec;
use crate::crypto::SecretKey;
use crate::effect::Write;
use crate::ledger::batch::{self, Batch, Entry};
use crate::ledger::operation::Operation;
use crate::ledger::state::State;
use crate::limits;
use crate::message::Signed;
use crate::types::{Amount, AssetId, Height, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;

/// First byte of an action's key.
pub(super) const ACTION: u8 = b'd';

/// One operation waiting to be signed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Action {
    /// Its number in the draft, growing.
    pub id: u64,
    /// Actions with one group are sent side by side and apply or are skipped together.
    pub group: Option<u64>,
    /// What to do.
    pub operation: Operation,
}

/// What the draft would cost now, and why it could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Length of the signed batch in bytes.
    pub bytes: usize,
    /// FRD units per 1,000 bytes.
    pub fee_rate: Amount,
    /// What it costs.
    pub fee: Amount,
    /// Why it cannot be sent now.
    pub problem: Option<CannotSend>,
}

/// Why the draft was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotDraft {
    /// No such action.
    #[error("there is no action {id} in the draft")]
    Unknown {
        /// What was named.
        id: u64,
    },
    /// The draft holds as much as a batch may.
    #[error("a draft holds at most {limit} actions")]
    Full {
        /// [`limits::MAX_DRAFT_ACTIONS`].
        limit: usize,
    },
}

impl OnChain {
    /// Actions in the order in which they would be executed.
    pub fn draft(&self) -> impl Iterator<Item = &Action> {
        self.draft.values()
    }

    /// Adds actions; together as one group when there are several.
    ///
    /// # Errors
    /// [`CannotDraft::Full`].
    pub fn add(&mut self, operations: Vec<Operation>, write: &mut Write) -> Result<(), CannotDraft> {
        if self.draft.len().saturating_add(operations.len()) > limits::MAX_DRAFT_ACTIONS {
            return Err(CannotDraft::Full { limit: limits::MAX_DRAFT_ACTIONS });
        }
        let group = (operations.len() > 1).then_some(self.next_action);
        for operation in operations {
            let id = self.next_action;
            self.next_action = id.saturating_add(1);
            self.insert(Action { id, group, operation }, write);
        }
        Ok(())
    }

    /// Removes an action, with its whole group.
    ///
    /// # Errors
    /// [`CannotDraft::Unknown`].
    pub fn remove(&mut self, id: u64, write: &mut Write) -> Result<(), CannotDraft> {
        let group = self.draft.get(&id).ok_or(CannotDraft::Unknown { id })?.group;
        let goes = |action: &Action| action.id == id || (group.is_some() && action.group == group);
        let ids: Vec<u64> = self.draft.values().filter(|action| goes(action)).map(|action| action.id).collect();
        for id in ids {
            self.draft.remove(&id);
            write.delete(action_key(id));
        }
        Ok(())
    }

    fn insert(&mut self, action: Action, write: &mut Write) {
        write.put(action_key(action.id), codec::encode(&action));
        self.draft.insert(action.id, action);
    }

    /// What the draft would cost now.
    pub fn estimate(&self, state: &State) -> Estimate {
        let batch = self.assemble(state);
        let bytes = batch::bytes_when_signed(&batch);
        let fee = batch::fee(batch.fee_rate, bytes).unwrap_or(Amount::MAX);
        Estimate { bytes, fee_rate: batch.fee_rate, fee, problem: self.problem(state, bytes, fee) }
    }

    fn problem(&self, state: &State, bytes: usize, fee: Amount) -> Option<CannotSend> {
        let limit = usize::try_from(state.parameters().max_batch_bytes).unwrap_or(usize::MAX);
        let balance = state.balance(&self.key, AssetId::FRD);
        if self.draft.is_empty() {
            Some(CannotSend::Empty)
        } else if state.account(&self.key).is_none() {
            Some(CannotSend::Unregistered { key: self.key })
        } else if let Some(sent) = self.under_way().or_else(|| self.waiting().last()) {
            Some(CannotSend::Busy { until: sent.batch.body.valid_until })
        } else if bytes > limit {
            Some(CannotSend::TooLarge { limit, got: bytes })
        } else if fee > balance {
            Some(CannotSend::Fee { fee, balance })
        } else {
            None
        }
    }

    /// The draft as a batch on top of a state. Groups of the draft become the batch's 0, 1, …
    fn assemble(&self, state: &State) -> Batch {
        let mut groups: BTreeMap<u64, u16> = BTreeMap::new();
        let mut entries = Vec::with_capacity(self.draft.len());
        for action in self.draft.values() {
            let group = action.group.map(|group| {
                let next = u16::try_from(groups.len()).unwrap_or(u16::MAX);
                *groups.entry(group).or_insert(next)
            });
            entries.push(Entry { group, operation: action.operation.clone() });
        }
        let life = Height::from(state.parameters().max_batch_life_heights);
        Batch {
            signer: self.key,
            nonce: state.account(&self.key).map_or(0, |account| account.nonce),
            valid_until: state.height().saturating_add(life),
            fee_rate: state.parameters().min_fee_rate,
            entries,
        }
    }

    /// Signs the draft. The same request again returns the same batch and does nothing.
    ///
    /// # Errors
    /// [`CannotSend`] says why not.
    pub fn send(
        &mut self,
        request: RequestId,
        key: &SecretKey,
        state: &State,
        now_ms: TimeMs,
        write: &mut Write,
    ) -> Result<&SentBatch, CannotSend> {
        if !self.sent.contains_key(&request) {
            let estimate = self.estimate(state);
            if let Some(problem) = estimate.problem {
                return Err(problem);
            }
            let batch = Signed::new(self.assemble(state), &state.chain_id(), key);
            let hash = batch::hash(&batch);
            let sent = SentBatch {
                request,
                batch,
                hash,
                fee: estimate.fee,
                sent_ms: now_ms,
                state: SentState::Waiting,
                signed_at: state.height(),
            };
            for id in std::mem::take(&mut self.draft).into_keys() {
                write.delete(action_key(id));
            }
            self.keep(sent, write);
        }
        self.sent.get(&request).ok_or(CannotSend::Empty)
    }

    /// Deposits of a batch that was never included wait in the draft again; so do withdrawals whose
    /// consent still holds.
    pub(super) fn put_back(&mut self, sent: &SentBatch, state: &State, write: &mut Write) {
        let mut groups: BTreeMap<u16, u64> = BTreeMap::new();
        for entry in alive(&sent.batch.body.entries, state) {
            let id = self.next_action;
            self.next_action = id.saturating_add(1);
            let group = entry.group.map(|group| *groups.entry(group).or_insert(id));
            self.insert(Action { id, group, operation: entry.operation }, write);
        }
    }
}

/// Entries that can still apply: a group goes with the consent that ran out.
pub(super) fn alive(entries: &[Entry], state: &State) -> Vec<Entry> {
    let alive = |entry: &Entry| match &entry.operation {
        Operation::Withdraw(withdraw) => withdraw.proof.body.expires_at >= state.usable_height(),
        _ => true,
    };
    let whole = |entry: &&Entry| match entry.group {
        None => alive(entry),
        Some(group) => entries.iter().filter(|other| other.group == Some(group)).all(alive),
    };
    entries.iter().filter(whole).cloned().collect()
}

fn action_key(id: u64) -> Vec<u8> {
    let mut key = vec![ACTION];
    key.extend_from_slice(&id.to_be_bytes());
    key
}
