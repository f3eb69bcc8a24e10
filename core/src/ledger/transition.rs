//! What executing a block does to the state, before it is done.

use super::receipt::BatchOutcome;
use super::state::{Key, TreeUpdateHandle, Value};
use crate::codec;
use crate::types::{Hash, Height};

/// Outcome of a block: computed without changing the state, then committed as a whole.
#[derive(Debug)]
pub struct Transition {
    pub(super) height: Height,
    pub(super) changes: Vec<(Key, Option<Value>)>,
    pub(super) outcomes: Vec<BatchOutcome>,
    pub(super) tree: TreeUpdateHandle,
}

impl Transition {
    /// Height of the block.
    pub const fn height(&self) -> Height {
        self.height
    }

    /// Root of the state after it.
    pub const fn root(&self) -> Hash {
        self.tree.root()
    }

    /// What became of each batch, in order.
    pub fn outcomes(&self) -> &[BatchOutcome] {
        &self.outcomes
    }

    /// New values by key, `None` where one is removed; sorted, none without effect.
    pub fn changes(&self) -> &[(Key, Option<Value>)] {
        &self.changes
    }

    /// [`Self::changes`] in canonical bytes: what hosts store in one transaction with the block.
    pub fn encoded_changes(&self) -> impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> + '_ {
        self.changes.iter().map(|(key, value)| (codec::encode(key), value.as_ref().map(codec::encode)))
    }

    pub(super) fn into_parts(self) -> (Height, Vec<(Key, Option<Value>)>, TreeUpdateHandle) {
        (self.height, self.changes, self.tree)
    }
}
