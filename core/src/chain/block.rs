//! Blocks: a header and its batches; and blocks with their certificate.

use super::certificate::Certificate;
use super::header::Header;
use crate::codec;
use crate::crypto;
use crate::ledger::batch::Batch;
use crate::message::{Signed, tags};
use crate::types::Hash;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// A header with the batches that its `batches_root` commits to, in order of execution.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Block {
    /// What is certified.
    pub header: Header,
    /// What is executed.
    pub batches: Vec<Signed<Batch>>,
}

/// A block that was decided: what relays serve and clients verify.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct CertifiedBlock {
    /// The block.
    pub block: Block,
    /// Why it may be believed.
    pub certificate: Certificate,
}

/// Root of the binary tree over the batches' bytes; zeros for none. An odd node at the end of a level
/// moves up unchanged. Leaves and inner nodes have different tags.
pub fn batches_root(batches: &[Signed<Batch>]) -> Hash {
    let mut level: Vec<Hash> =
        batches.iter().map(|batch| crypto::hash(tags::BATCH_LEAF, &[&codec::encode(batch)])).collect();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => crypto::hash(tags::BATCH_NODE, &[&left.0, &right.0]),
                [alone] => *alone,
                _ => Hash::ZERO,
            })
            .collect();
    }
    level.first().copied().unwrap_or(Hash::ZERO)
}
