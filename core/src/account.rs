//! The on-chain side of one account: a draft of actions, one batch under way, what became of it
//! (docs/protocol.md, section 3). Banks and wallets use it alike.
//!
//! Actions collect in a draft and are sent together under one signature. One such batch is under way at a time;
//! it is submitted again with every block until it is included or its last height has passed. Then its
//! actions are gone (included) or come back into the draft (too old), except consents, which have an expiry
//! of their own.
//!
//! Court does not wait for it: [`OnChain::send_court`] signs at once, in place of the batch under way (same nonce,
//! higher fee) or behind other court batches (next nonce). Which of two batches with one nonce counts is known
//! only when the nonce is used up; until then nothing of either is given back. A batch that was displaced is then
//! signed again under its request, so that whoever asks again gets the same answer and nothing is done twice.
//!
//! Records (borsh values): `d ‖ action id u64 big-endian` → [`Action`], `s ‖ request 16` → [`SentBatch`].

mod court;
mod draft;

pub use draft::{Action, CannotDraft, Estimate};

use crate::codec::{self, DecodeError};
use crate::crypto::SecretKey;
use crate::effect::Write;
use crate::ledger::batch::{self, Batch};
use crate::ledger::inclusion::may_offer;
use crate::ledger::receipt::{BatchOutcome, Receipt};
use crate::ledger::state::State;
use crate::limits;
use crate::message::Signed;
use crate::types::{Amount, AssetId, Hash, Height, PublicKey, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};
use draft::ACTION;
use std::collections::BTreeMap;

/// Chosen by whoever asks for something, so that asking again does nothing twice.
pub type RequestId = [u8; 16];

const SENT: u8 = b's';

/// A batch of ours.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SentBatch {
    /// Whoever asked for it named it so.
    pub request: RequestId,
    /// What was signed.
    pub batch: Signed<Batch>,
    /// Its hash, as receipts name it.
    pub hash: Hash,
    /// What it costs, in FRD.
    pub fee: Amount,
    /// When it was signed.
    pub sent_ms: TimeMs,
    /// What became of it.
    pub state: SentState,
    /// The head when it was first signed: what it waits is counted from there, whatever K says by now.
    #[borsh(deserialize_with = "read_signed_at")]
    pub signed_at: Height,
}

/// A record without it is one of a batch that offers no more until it is too old, and is signed anew then.
fn read_signed_at<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Height> {
    let mut bytes = [0; size_of::<Height>()];
    match reader.read(&mut bytes)? {
        0 => Ok(Height::MAX),
        got if got == bytes.len() => Ok(Height::from_le_bytes(bytes)),
        _ => Err(borsh::io::ErrorKind::InvalidData.into()),
    }
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum SentState {
    /// Not in a block yet.
    Waiting,
    /// In a block.
    Included {
        /// Which.
        height: Height,
        /// Its time.
        time_ms: TimeMs,
        /// One for each operation; empty when a crash lost them.
        receipts: Vec<Receipt>,
    },
    /// No block may include it any more.
    Expired,
}

/// Why the draft cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotSend {
    /// Nothing in it.
    #[error("there is nothing to send")]
    Empty,
    /// The account does not exist on-chain.
    #[error("the account {key} is not registered on-chain yet")]
    Unregistered {
        /// Whose.
        key: PublicKey,
    },
    /// Another batch waits for a block.
    #[error("another batch waits for a block until height {until}")]
    Busy {
        /// Its last height.
        until: Height,
    },
    /// Not enough FRD for the fee.
    #[error("the fee is {fee} FRD units, the account has {balance}")]
    Fee {
        /// What it costs.
        fee: Amount,
        /// What there is.
        balance: Amount,
    },
    /// More than fits into a batch.
    #[error("the batch would have {got} bytes, at most {limit} are allowed")]
    TooLarge {
        /// K.max_batch_bytes.
        limit: usize,
        /// What it would have.
        got: usize,
    },
    /// A dispute about nothing: the channel has nothing on-chain, and no state signed by the partner is known.
    #[error("nothing is in the channel on-chain, and its partner has signed no state of it")]
    NothingAtStake,
}

/// A stored record that is not what its key says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored record of kind {kind:?} cannot be read: {error}")]
pub struct BadRecord {
    /// First byte of its key.
    pub kind: char,
    /// What is wrong.
    pub error: DecodeError,
}

impl BadRecord {
    /// A record of a kind that this program does not know.
    pub(crate) fn unknown(key: &[u8]) -> Self {
        let kind = key.first().copied().map_or('?', char::from);
        Self { kind, error: DecodeError::Malformed("unknown kind of record".into()) }
    }
}

/// The on-chain side of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnChain {
    key: PublicKey,
    draft: BTreeMap<u64, Action>,
    next_action: u64,
    sent: BTreeMap<RequestId, SentBatch>,
    /// The draft's batch that waits for a block.
    under_way: Option<RequestId>,
    /// All that wait for a block, by nonce; of one nonce the one that pays most last.
    waiting: BTreeMap<u64, Vec<RequestId>>,
}

impl OnChain {
    /// Of an account that has done nothing yet.
    pub const fn new(key: PublicKey) -> Self {
        Self {
            key,
            draft: BTreeMap::new(),
            next_action: 0,
            sent: BTreeMap::new(),
            under_way: None,
            waiting: BTreeMap::new(),
        }
    }

    /// Takes a stored record back. `Ok(false)` when it is of another room.
    ///
    /// # Errors
    /// [`BadRecord`] when it is ours and cannot be read.
    pub fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        match key.first() {
            Some(&ACTION) => {
                let action: Action = read(ACTION, value)?;
                self.next_action = self.next_action.max(action.id.saturating_add(1));
                self.draft.insert(action.id, action);
            }
            Some(&SENT) => {
                let sent: SentBatch = read(SENT, value)?;
                self.index(&sent);
                self.sent.insert(sent.request, sent);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Batches by request; of a court batch that was signed again and waits, the last.
    pub fn sent(&self) -> impl Iterator<Item = &SentBatch> {
        self.sent.values().filter(|sent| {
            let of_nonce = self.waiting.get(&sent.batch.body.nonce).filter(|_| sent.state == SentState::Waiting);
            let is_last = of_nonce.is_none_or(|requests| requests.last() == Some(&sent.request));
            is_last || !batch::is_court(&sent.batch.body)
        })
    }

    /// The draft's batch that waits for a block, also while court batches go first.
    pub fn under_way(&self) -> Option<&SentBatch> {
        self.sent.get(&self.under_way?)
    }

    /// Every batch that could still be included, displaced ones too.
    pub fn waiting(&self) -> impl Iterator<Item = &SentBatch> {
        self.waiting.values().flatten().filter_map(|request| self.sent.get(request))
    }

    /// What is to be brought to validators now, by nonce: of each the batch that pays most, or, where court took money
    /// since, the one that pays most of those that a block can still have.
    pub fn to_submit<'a>(&'a self, state: &State) -> impl Iterator<Item = &'a SentBatch> + use<'a> {
        let mut left = state.balance(&self.key, AssetId::FRD);
        let mut chosen = Vec::with_capacity(self.waiting.len());
        for requests in self.waiting.values() {
            let signings = || requests.iter().rev().filter_map(|request| self.sent.get(request));
            let is_court = |sent: &SentBatch| batch::is_court(&sent.batch.body);
            // What is of court is never held up by the ordinary batch whose nonce it has.
            let court = signings().find(|sent| is_court(sent));
            let Some(last) = court.or_else(|| signings().next()) else { continue };
            let fits = |sent: &&SentBatch| {
                is_court(sent) == is_court(last)
                    && sent.fee <= left
                    && may_offer(state, &self.key, sent.batch.body.fee_rate)
            };
            let sent = signings().find(fits).unwrap_or(last);
            left = left.saturating_sub(sent.fee);
            chosen.push(sent);
        }
        chosen.into_iter()
    }

    /// What was sent for a request.
    pub fn sent_for(&self, request: &RequestId) -> Option<&SentBatch> {
        self.sent.get(request)
    }

    /// Stores a batch as it stands now.
    fn keep(&mut self, sent: SentBatch, write: &mut Write) {
        write.put(sent_key(&sent.request), codec::encode(&sent));
        self.index(&sent);
        self.sent.insert(sent.request, sent);
    }

    /// Finds its place among those that wait.
    fn index(&mut self, sent: &SentBatch) {
        if sent.state != SentState::Waiting {
            return;
        }
        if !batch::is_court(&sent.batch.body) {
            self.under_way = Some(sent.request);
        }
        let fee = |request: &RequestId| self.sent.get(request).map_or(0, |other| other.fee);
        let of_nonce = self.waiting.entry(sent.batch.body.nonce).or_default();
        if !of_nonce.contains(&sent.request) {
            let place = of_nonce.iter().take_while(|request| fee(request) <= sent.fee).count();
            of_nonce.insert(place, sent.request);
        }
    }

    /// Looks which batches were included in the newest block, or can no longer be. Returns those that are decided;
    /// one that court displaced is signed again and goes on waiting, and so does one of court that waits for long.
    pub fn on_block(
        &mut self,
        key: &SecretKey,
        state: &State,
        block_time_ms: TimeMs,
        outcomes: &[BatchOutcome],
        write: &mut Write,
    ) -> Vec<SentBatch> {
        let used = state.account(&self.key).map_or(0, |account| account.nonce);
        let mut decided = Vec::new();
        let mut displaced = None;
        for (nonce, requests) in std::mem::take(&mut self.waiting) {
            let all: Vec<SentBatch> = requests.iter().filter_map(|request| self.sent.get(request).cloned()).collect();
            let outcome = outcomes.iter().find_map(|outcome| {
                let winner = all.iter().find(|sent| sent.hash == outcome.hash)?;
                let receipts = outcome.operations.iter().map(|operation| operation.receipt.clone()).collect();
                Some((winner.request, receipts))
            });
            // Used up in a block whose outcomes were lost in a crash; nobody else signs for this account. What is
            // not of court counts as done, so that it is never done twice; what court needs shows in the state.
            let lost = || {
                let ordinary = all.iter().find(|sent| !batch::is_court(&sent.batch.body));
                ordinary.or(all.first()).map(|sent| (sent.request, Vec::new()))
            };
            let winner = outcome.or_else(|| if nonce < used { lost() } else { None });
            for sent in all.iter().cloned() {
                let fate = match &winner {
                    Some((request, receipts)) if *request == sent.request => Some(SentState::Included {
                        height: state.height(),
                        time_ms: block_time_ms,
                        receipts: receipts.clone(),
                    }),
                    Some(_) => Some(SentState::Expired),
                    None if state.height() >= sent.batch.body.valid_until => Some(SentState::Expired),
                    None => None,
                };
                let Some(fate) = fate else {
                    self.waiting.entry(nonce).or_default().push(sent.request);
                    continue;
                };
                let is_ordinary = self.under_way == Some(sent.request);
                if is_ordinary {
                    self.under_way = None;
                }
                if is_ordinary && winner.is_some() && fate == SentState::Expired {
                    displaced = Some(sent);
                    continue;
                }
                if court::is_repeated(&sent, &all, winner.as_ref().map(|(request, _)| request)) {
                    self.sent.remove(&sent.request);
                    write.delete(sent_key(&sent.request));
                    continue;
                }
                let sent = SentBatch { state: fate, ..sent };
                if is_ordinary && sent.state == SentState::Expired {
                    self.put_back(&sent, state, write);
                }
                self.keep(sent.clone(), write);
                decided.push(sent);
            }
        }
        if let Some(sent) = displaced {
            decided.extend(self.sign_again(sent, key, state, write));
        }
        self.raise_court(key, state, write);
        decided
    }

    /// The lowest nonce that no batch of ours has.
    fn free_nonce(&self, state: &State) -> u64 {
        let used = state.account(&self.key).map_or(0, |account| account.nonce);
        self.waiting.keys().fold(used, |free, nonce| if *nonce == free { free.saturating_add(1) } else { free })
    }
}

fn sent_key(request: &RequestId) -> Vec<u8> {
    let mut key = vec![SENT];
    key.extend_from_slice(request);
    key
}

/// Reads a record.
pub(crate) fn read<T: BorshDeserialize>(kind: u8, value: &[u8]) -> Result<T, BadRecord> {
    codec::decode(value, limits::MAX_RECORD_BYTES).map_err(|error| BadRecord { kind: char::from(kind), error })
}

#[cfg(test)]
mod tests;
