//! What both parties of a channel sign (docs/protocol.md, section 4).
//!
//! Layout (borsh, little endian; `│` between fields, `[…]×n` a sequence after its `u32` length):
//!
//! ```text
//! ChannelState  chain_id 32 │ left 32 │ right 32 │ epoch u64 │ frame u64 │ proposer u8 (0 right, 1 left)
//!               │ subs u32 [Sub]×n │ shared_hash 32                                        149 bytes + subs
//! Sub           asset u32 │ offdelta i64 │ left_locks u32 [Lock]×n │ right_locks u32 [Lock]×n
//!                                                                                           20 bytes + locks
//! Lock          index u64 │ amount u64 │ hash 32 │ expiry u64                               56 bytes
//! ```
//!
//! Subs are sorted by asset and never all zero; locks are sorted by index. The signature is over the
//! digest of these bytes under the tag `CHANNEL_STATE`.

use crate::crypto::Tag;
use crate::limits;
use crate::message::{Message, tags};
use crate::types::{Amount, AssetId, Epoch, Hash, Parties, Side, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// Bytes of an encoded state without subs.
pub const STATE_BYTES: u64 = 32 * 3 + 8 + 8 + 1 + 4 + 32;
/// Bytes that a sub without locks adds.
pub const SUB_BYTES: u64 = 4 + 8 + 4 + 4;
/// Bytes that a lock adds.
pub const LOCK_BYTES: u64 = 8 + 8 + 32 + 8;

/// What both parties sign, and what court resolves.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct ChannelState {
    /// The chain that enforces it.
    pub chain_id: Hash,
    /// Whose channel.
    pub parties: Parties,
    /// Disputes resolved in the channel before; states of another epoch are void.
    pub epoch: Epoch,
    /// Number of the frame that made it; 0 is the default state that nobody signs.
    pub frame: u64,
    /// Who made it.
    pub proposer: Side,
    /// One for each asset that is not all zero, sorted by asset.
    pub subs: Vec<Sub>,
    /// Over the shared part ([`super::shared::Shared`]), which court ignores.
    pub shared_hash: Hash,
}

impl Message for ChannelState {
    const TAG: Tag = tags::CHANNEL_STATE;
}

/// The off-chain part of one asset.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Sub {
    /// Which asset.
    pub asset: AssetId,
    /// Off-chain part of the delimiter; positive pays left.
    pub offdelta: i64,
    /// Pay left when unlocked: given by right.
    pub left_locks: Vec<Lock>,
    /// Pay right when unlocked: given by left.
    pub right_locks: Vec<Lock>,
}

/// A reservation that turns into a payment when the preimage of its hash is shown in time.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Lock {
    /// Never used twice by its giver within an epoch.
    pub index: u64,
    /// How much.
    pub amount: Amount,
    /// SHA-256 of the 32-byte secret.
    pub hash: Hash,
    /// The secret counts when it is shown at U ≤ this.
    pub expiry: UsableHeight,
}

/// Names a lock within an epoch of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize)]
pub struct LockId {
    /// Its asset.
    pub asset: AssetId,
    /// Who pays when it is unlocked.
    pub giver: Side,
    /// Its number among this giver's.
    pub index: u64,
}

/// The one order of states, off-chain and in court: by frame, then right below left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize)]
pub struct StateOrder {
    /// Frame number.
    pub frame: u64,
    /// Who made the frame.
    pub proposer: Side,
}

impl StateOrder {
    /// Order of the default state, below every signed one.
    pub const DEFAULT: Self = Self { frame: 0, proposer: Side::Right };
}

impl Sub {
    /// Nothing in an asset.
    pub const fn zero(asset: AssetId) -> Self {
        Self { asset, offdelta: 0, left_locks: Vec::new(), right_locks: Vec::new() }
    }

    /// Whether it says nothing and is left out of the state.
    pub fn is_zero(&self) -> bool {
        self.offdelta == 0 && self.left_locks.is_empty() && self.right_locks.is_empty()
    }

    /// Locks that `giver` pays when they are unlocked.
    pub fn locks_of(&self, giver: Side) -> &[Lock] {
        match giver {
            Side::Left => &self.right_locks,
            Side::Right => &self.left_locks,
        }
    }

    pub(crate) fn locks_of_mut(&mut self, giver: Side) -> &mut Vec<Lock> {
        match giver {
            Side::Left => &mut self.right_locks,
            Side::Right => &mut self.left_locks,
        }
    }

    /// Sum of the locks that `giver` pays.
    pub fn reserved_by(&self, giver: Side) -> u128 {
        self.locks_of(giver).iter().fold(0, |sum, lock| sum.saturating_add(u128::from(lock.amount)))
    }

    /// `|offdelta| + Σ locks`, which stays within [`limits::MAX_SUPPLY`].
    pub fn extent(&self) -> u128 {
        u128::from(self.offdelta.unsigned_abs())
            .saturating_add(self.reserved_by(Side::Left))
            .saturating_add(self.reserved_by(Side::Right))
    }
}

impl ChannelState {
    /// The state that holds before anything is signed: zeros.
    pub const fn default_of(chain_id: Hash, parties: Parties, epoch: Epoch, shared_hash: Hash) -> Self {
        let StateOrder { frame, proposer } = StateOrder::DEFAULT;
        Self { chain_id, parties, epoch, frame, proposer, subs: Vec::new(), shared_hash }
    }

    /// Its place among the states of its epoch.
    pub const fn order(&self) -> StateOrder {
        StateOrder { frame: self.frame, proposer: self.proposer }
    }

    /// The part of an asset, if there is any.
    pub fn sub(&self, asset: AssetId) -> Option<&Sub> {
        let position = self.subs.binary_search_by_key(&asset, |sub| sub.asset).ok()?;
        self.subs.get(position)
    }

    /// The off-chain part of the delimiter of an asset.
    pub fn offdelta(&self, asset: AssetId) -> i64 {
        self.sub(asset).map_or(0, |sub| sub.offdelta)
    }

    /// A lock by its name.
    pub fn lock(&self, id: &LockId) -> Option<&Lock> {
        let locks = self.sub(id.asset)?.locks_of(id.giver);
        let position = locks.binary_search_by_key(&id.index, |lock| lock.index).ok()?;
        locks.get(position)
    }

    /// All locks that a side pays when they are unlocked.
    pub fn locks_of(&self, giver: Side) -> impl Iterator<Item = (LockId, &Lock)> {
        self.subs.iter().flat_map(move |sub| {
            sub.locks_of(giver).iter().map(move |lock| (LockId { asset: sub.asset, giver, index: lock.index }, lock))
        })
    }

    /// Length of the encoding in bytes.
    pub fn encoded_bytes(&self) -> u64 {
        self.subs.iter().fold(STATE_BYTES, |sum, sub| {
            let locks = sub.left_locks.len().saturating_add(sub.right_locks.len());
            let locks = u64::try_from(locks).unwrap_or(u64::MAX);
            sum.saturating_add(SUB_BYTES).saturating_add(LOCK_BYTES.saturating_mul(locks))
        })
    }

    /// Whether it has the form that every state has: parties, subs and locks in order, no zero sub,
    /// extents within bounds. Bounds of K are checked where frames are.
    pub fn is_well_formed(&self) -> bool {
        self.parties.is_ordered()
            && self.subs.is_sorted_by(|a, b| a.asset < b.asset)
            && self.subs.iter().all(|sub| {
                !sub.is_zero()
                    && sub.left_locks.is_sorted_by(|a, b| a.index < b.index)
                    && sub.right_locks.is_sorted_by(|a, b| a.index < b.index)
                    && sub.extent() <= u128::from(limits::MAX_SUPPLY)
            })
    }

    /// The part of an asset, made when there is none. Callers end with [`Self::drop_zero_subs`].
    pub(crate) fn sub_mut(&mut self, asset: AssetId) -> &mut Sub {
        let position = match self.subs.binary_search_by_key(&asset, |sub| sub.asset) {
            Ok(position) => position,
            Err(position) => {
                self.subs.insert(position, Sub::zero(asset));
                position
            }
        };
        #[allow(clippy::indexing_slicing, reason = "the position was found or filled just above")]
        &mut self.subs[position]
    }

    /// Restores the rule that no sub is all zero.
    pub(crate) fn drop_zero_subs(&mut self) {
        self.subs.retain(|sub| !sub.is_zero());
    }
}

#[cfg(test)]
mod tests;
