//! Batches: all on-chain actions of one account in one block, under one signature.
//!
//! Layout of a signed batch (borsh, little endian):
//!
//! ```text
//! signer 32 │ nonce u64 │ valid_until u64 │ fee_rate u64 │ count u32 │ entries │ signature 64
//!
//! entry     group (0, or 1 │ u16) │ operation number u8 │ fields of the operation
//! Deposit   asset u32 │ amount u64 │ to 32 │ partner (0, or 1 │ 32) │ keep u64 │ epoch (0, or 1 │ u64)
//!           │ invoice (0, or 1 │ length u32 │ bytes)
//! Withdraw  chain_id 32 │ left 32 │ right 32 │ epoch u64 │ withdrawer u8 (0 right, 1 left) │ asset u32
//!           │ amount u64 │ nonce u64 │ expires_at u64 │ signature 64
//! ```
//!
//! Both signatures are over `SHA-256(tag ‖ chain_id ‖ body)`, the body being what stands before them.

use super::operation::Operation;
use crate::codec;
use crate::crypto::{self, Tag};
use crate::message::{Message, Signed, tags};
use crate::types::{Amount, Hash, Height, PublicKey};
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

/// Percent that a batch pays more than the one of the same account and nonce that it replaces.
pub const REPLACEMENT_PERCENT: u64 = 10;

/// Least fee of a batch that replaces one which pays `fee`.
pub fn outbid(fee: Amount) -> Amount {
    let more = u128::from(fee).saturating_mul(u128::from(REPLACEMENT_PERCENT).saturating_add(100)).div_ceil(100);
    Amount::try_from(more).unwrap_or(Amount::MAX)
}

/// Least rate at which a batch of `bytes` replaces one which pays `fee`.
pub fn outbidding_rate(fee: Amount, bytes: usize) -> Amount {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).max(1);
    let rate = u128::from(outbid(fee)).saturating_mul(1000).div_ceil(u128::from(bytes));
    Amount::try_from(rate).unwrap_or(Amount::MAX)
}

/// Bytes of a signed batch as it stands in a block: what its fee is counted by.
pub fn signed_bytes(signed: &Signed<Batch>) -> usize {
    codec::encode(signed).len()
}

/// Bytes that a batch will have once it is signed.
pub fn bytes_when_signed(batch: &Batch) -> usize {
    codec::encode(batch).len().saturating_add(64)
}

/// Hash by which a signed batch is known; also its leaf under a header's batches root.
pub fn hash(signed: &Signed<Batch>) -> Hash {
    crypto::hash(tags::BATCH_LEAF, &[&codec::encode(signed)])
}

/// Which part of a block a batch may fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// At most K.max_block_bytes − K.court_room_bytes in all.
    Ordinary,
    /// Only `Dispute`, `Answer` and `Reveal`: at most K.court_room_bytes in all.
    Court,
}

/// Whether a batch holds court operations and nothing else: it has a room of its own in every block, and goes to
/// every validator.
pub fn is_court(batch: &Batch) -> bool {
    !batch.entries.is_empty() && batch.entries.iter().all(|entry| entry.operation.is_court())
}

/// The class of a batch.
pub(super) fn class(batch: &Batch) -> Class {
    if is_court(batch) { Class::Court } else { Class::Ordinary }
}

/// Whether a batch repeats every court operation of another, in order: what replaces a batch that waits must,
/// so that nobody who only sees the replacement is kept from what was already said to court.
pub fn repeats_court(batch: &Batch, earlier: &Batch) -> bool {
    let mut operations = batch.entries.iter().map(|entry| &entry.operation);
    let mut wanted = earlier.entries.iter().map(|entry| &entry.operation).filter(|operation| operation.is_court());
    wanted.all(|wanted| operations.any(|operation| operation == wanted))
}
