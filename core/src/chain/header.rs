//! Block headers.
//!
//! Layout (borsh, little endian, 282 bytes):
//!
//! ```text
//! version u16 │ chain_id 32 │ height u64 │ time_ms u64 │ proposer 32 │ previous 32 │ usable_height u64
//! │ batches_root 32 │ state_root 32 │ validators_hash 32 │ next_validators_hash 32 │ parameters_hash 32
//! ```

use crate::codec;
use crate::crypto;
use crate::message::tags;
use crate::types::{Hash, Height, PublicKey, TimeMs, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// The version of the rules by which every chain starts.
pub const FIRST_VERSION: u16 = 1;

/// The newest version of the rules that this code knows.
pub const VERSION: u16 = 1;

/// What validators certify.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Header {
    /// Version of the rules by which the block is executed.
    pub version: u16,
    /// Hash of the genesis document.
    pub chain_id: Hash,
    /// Its number, from 1.
    pub height: Height,
    /// When the proposer built it.
    pub time_ms: TimeMs,
    /// Account key of the validator that built it and receives the fees.
    pub proposer: PublicKey,
    /// Hash of the header before; zeros at height 1.
    pub previous: Hash,
    /// U: usable blocks before this one; the clock by which the block is executed.
    pub usable_height: UsableHeight,
    /// Root of the tree of batches ([`super::block::batches_root`]).
    pub batches_root: Hash,
    /// Root of the state after this block.
    pub state_root: Hash,
    /// Who certifies this block.
    pub validators_hash: Hash,
    /// Who certifies the next one.
    pub next_validators_hash: Hash,
    /// K by which this block is executed.
    pub parameters_hash: Hash,
}

impl Header {
    /// The block hash.
    pub fn hash(&self) -> Hash {
        crypto::hash(tags::HEADER, &[&codec::encode(self)])
    }
}
