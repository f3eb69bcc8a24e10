//! Batches: all on-chain actions of one account in one block, under one signature.

use super::operation::Operation;
use crate::crypto::Tag;
use crate::message::{Message, tags};
use crate::types::{Amount, Height, PublicKey};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// Actions of one account. The signature is over the whole batch.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Batch {
    /// Whose actions; a registered account.
    pub signer: PublicKey,
    /// The account's next nonce, from 0, never used twice.
    pub nonce: u64,
    /// Last height that may include it; at most K.max_batch_life_heights ahead.
    pub valid_until: Height,
    /// Fee in FRD units per 1,000 bytes of the signed batch, rounding up; at least K.min_fee_rate.
    pub fee_rate: Amount,
    /// Executed in order.
    pub entries: Vec<Entry>,
}

impl Message for Batch {
    const TAG: Tag = tags::BATCH;
}

/// One operation of a batch. Neighbours with the same group apply wholly or are skipped wholly.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Entry {
    /// `None`: the operation stands alone.
    pub group: Option<u16>,
    /// What to do.
    pub operation: Operation,
}

/// Fee of a batch of `bytes` at a rate per 1,000 bytes; `None` when it overflows.
pub fn fee(fee_rate: Amount, bytes: usize) -> Option<Amount> {
    let bytes = u64::try_from(bytes).ok()?;
    Some(fee_rate.checked_mul(bytes)?.div_ceil(1000))
}
