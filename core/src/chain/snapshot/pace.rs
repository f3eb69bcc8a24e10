//! When a snapshot is due.

use crate::chain::block::Block;
use crate::chain::params::Parameters;
use crate::codec;
use crate::types::Height;
use borsh::{BorshDeserialize, BorshSerialize};

/// The newest block at which a snapshot was due, and the bytes of blocks, without certificates, after it. Stored
/// with every block, so that a restart changes nothing. Whoever begins with a snapshot begins at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Pace {
    bytes: u64,
    due: Height,
}

/// Longest encoded pace in bytes.
const MAX_BYTES: usize = 16;

impl Pace {
    /// Counts the next block. `true`: a snapshot of the state after it is due. That is so at height 1, and
    /// where the encoded blocks since the last time reach K.snapshot_after_bytes; K is that by which the
    /// block was executed.
    pub fn after(self, block: &Block, k: &Parameters) -> (Self, bool) {
        let length = u64::try_from(codec::encode(block).len()).unwrap_or(u64::MAX);
        let bytes = self.bytes.saturating_add(length);
        if block.header.height == FIRST || bytes >= k.snapshot_after_bytes {
            (Self { bytes: 0, due: block.header.height }, true)
        } else {
            (Self { bytes, ..self }, false)
        }
    }

    /// Height of the newest block at which one was due; `None`: of none since the beginning.
    pub fn due(self) -> Option<Height> {
        (self.due > 0).then_some(self.due)
    }

    /// As it is stored.
    pub fn encoded(self) -> Vec<u8> {
        codec::encode(&self)
    }

    /// As it was stored; `None` for other bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::decode(bytes, MAX_BYTES).ok()
    }
}

const FIRST: Height = 1;
