//! What executing a block does to the state, before it is done.

use super::receipt::{BatchOutcome, Opening};
use super::state::{Key, TreeUpdateHandle, Value};
use crate::codec;
use crate::limits;
use crate::types::{Hash, Height};

/// Values before a block, of the keys that it changed; `None` where there was none.
pub(super) type Undo = Vec<(Key, Option<Value>)>;

/// Outcome of a block: computed without changing the state, then committed as a whole.
#[derive(Debug)]
pub struct Transition {
    pub(super) height: Height,
    pub(super) changes: Vec<(Key, Option<Value>)>,
    /// Values before, in step with `changes`.
    pub(super) before: Vec<Option<Value>>,
    pub(super) openings: Vec<Opening>,
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

    /// What fell due at the start of the block, in order.
    pub fn openings(&self) -> &[Opening] {
        &self.openings
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

    /// The way back: values before, by key, in canonical bytes. A host that stores it beside the block can
    /// have recent heights back after a restart ([`crate::chain::follow::Follower::recall`]). Empty where it would have
    /// more than [`limits::MAX_UNDO_BYTES`]: then nothing leads back beyond the block.
    pub fn encoded_undo(&self) -> Vec<u8> {
        self.undo_within(limits::MAX_UNDO_BYTES)
    }

    pub(crate) fn undo_within(&self, most: usize) -> Vec<u8> {
        let keys = self.changes.iter().map(|(key, _)| *key);
        let undo: Undo = keys.zip(self.before.iter().cloned()).collect();
        let bytes = codec::encode(&undo);
        if bytes.len() > most { Vec::new() } else { bytes }
    }
}
