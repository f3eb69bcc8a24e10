//! Validator sets, votes, and the certificate that 2/3+ of a set makes for a block.

use crate::codec;
use crate::crypto::{self, Tag};
use crate::limits;
use crate::message::{Message, tags};
use crate::types::{Hash, Height, PublicKey, Signature};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One validator.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Validator {
    /// Its account, which receives the fees.
    pub account: PublicKey,
    /// The key with which it signs votes and proposals, kept apart from the account's.
    pub signing_key: PublicKey,
    /// Its weight.
    pub shares: u64,
    /// Where it is reached (`http://host:port`).
    pub url: String,
}

/// The validators of a height, in a fixed order.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct ValidatorSet {
    /// Sorted by account key.
    pub validators: Vec<Validator>,
}

/// A validator set that no chain may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadValidatorSet {
    /// Nobody, or more than [`limits::MAX_VALIDATORS`].
    #[error("{0} validators")]
    Count(usize),
    /// Not sorted by account, or an account twice.
    #[error("validators are not sorted by distinct accounts")]
    Order,
    /// Two validators sign with one key.
    #[error("two validators share the signing key {0}")]
    SharedKey(PublicKey),
    /// Somebody has no shares, or all shares together overflow.
    #[error("shares must be positive and sum up to less than 2^60")]
    Shares,
    /// A URL is too long.
    #[error("a URL is longer than {} bytes", limits::MAX_URL_BYTES)]
    Url,
}

impl ValidatorSet {
    /// Checks what every set must keep.
    ///
    /// # Errors
    /// [`BadValidatorSet`] names what is wrong.
    pub fn check(&self) -> Result<(), BadValidatorSet> {
        let count = self.validators.len();
        if count == 0 || count > limits::MAX_VALIDATORS {
            return Err(BadValidatorSet::Count(count));
        }
        if !self.validators.is_sorted_by(|a, b| a.account < b.account) {
            return Err(BadValidatorSet::Order);
        }
        let mut keys = BTreeSet::new();
        let mut shares: u64 = 0;
        for validator in &self.validators {
            if !keys.insert(validator.signing_key) {
                return Err(BadValidatorSet::SharedKey(validator.signing_key));
            }
            if validator.url.len() > limits::MAX_URL_BYTES {
                return Err(BadValidatorSet::Url);
            }
            shares = match (validator.shares, shares.checked_add(validator.shares)) {
                (1.., Some(sum)) if sum < 1 << 60 => sum,
                _ => return Err(BadValidatorSet::Shares),
            };
        }
        Ok(())
    }

    /// All shares together; a checked set cannot overflow.
    pub fn total_shares(&self) -> u64 {
        self.validators.iter().fold(0, |sum, validator| sum.saturating_add(validator.shares))
    }

    /// Whether `shares` is strictly more than two thirds of all.
    pub fn is_quorum(&self, shares: u64) -> bool {
        u128::from(shares).saturating_mul(3) > u128::from(self.total_shares()).saturating_mul(2)
    }

    /// Hash that headers carry.
    pub fn hash(&self) -> Hash {
        crypto::hash(tags::VALIDATORS, &[&codec::encode(self)])
    }

    /// The validator with this account.
    pub fn by_account(&self, account: &PublicKey) -> Option<&Validator> {
        self.validators.iter().find(|validator| validator.account == *account)
    }

    /// Who proposes: a pure function of height, round and set. Weighted round-robin: slot
    /// `height + round` walks over all shares in steps that are coprime to their number, so that turns
    /// of one validator are spread out.
    pub fn proposer(&self, height: Height, round: u32) -> Option<&Validator> {
        let total = self.total_shares();
        let stride = stride(total);
        let turn = u128::from(height).checked_add(u128::from(round))?;
        let mut ticket = turn.checked_mul(u128::from(stride))?.checked_rem(u128::from(total))?;
        for validator in &self.validators {
            match ticket.checked_sub(u128::from(validator.shares)) {
                Some(rest) => ticket = rest,
                None => return Some(validator),
            }
        }
        None
    }
}

/// The least step above a golden section of the circle that is coprime to its length.
fn stride(total: u64) -> u64 {
    let mut step = u64::try_from(u128::from(total).saturating_mul(618) / 1000).unwrap_or(1).max(1);
    while greatest_common_divisor(step, total) != 1 {
        step = step.saturating_add(1);
    }
    step
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}

/// What a validator signs as prevote: that it executed a proposal and found it right, or `None` (nil).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Prevote {
    /// Height voted on.
    pub height: Height,
    /// Round voted in.
    pub round: u32,
    /// The block, or nil.
    pub block_hash: Option<Hash>,
}

impl Message for Prevote {
    const TAG: Tag = tags::PREVOTE;
}

/// What a validator signs as precommit. Certificates hold these signatures; all are over the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Precommit {
    /// Height voted on.
    pub height: Height,
    /// Round voted in.
    pub round: u32,
    /// The block, or nil.
    pub block_hash: Option<Hash>,
}

impl Message for Precommit {
    const TAG: Tag = tags::PRECOMMIT;
}

/// Proof that 2/3+ of a validator set precommitted a block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Certificate {
    /// Height of the block.
    pub height: Height,
    /// Round in which it was decided.
    pub round: u32,
    /// Its hash.
    pub block_hash: Hash,
    /// One place per validator, in the order of the set.
    pub signatures: Vec<Option<Signature>>,
}

#[cfg(test)]
mod tests;
