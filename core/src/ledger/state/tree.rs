//! The state tree: `jmt` in memory, versioned by height.
//!
//! Nodes of older versions stay readable for a window of heights, so that proofs against recent roots can
//! be made, and are then pruned. The root depends on the keys and values alone, not on their history.

use super::proof::{self, StateProof};
use crate::codec;
use crate::message::tags;
use crate::types::{Hash, Height};
use jmt::storage::{LeafNode, Node, NodeKey, StaleNodeIndex, TreeReader, TreeUpdateBatch};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, SimpleHasher, Version};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// SHA-256 over the state tree's tag first.
struct Hasher(Sha256);

impl SimpleHasher for Hasher {
    fn new() -> Self {
        Self(Sha256::new_with_prefix(tags::STATE_TREE.0))
    }

    fn update(&mut self, data: &[u8]) {
        Sha256::update(&mut self.0, data);
    }

    fn finalize(self) -> [u8; 32] {
        Sha256::finalize(self.0).into()
    }
}

/// Nodes of the newest version and of those within the window.
pub(super) struct Tree {
    nodes: BTreeMap<NodeKey, Node>,
    stale: BTreeSet<StaleNodeIndex>,
    version: Height,
    oldest: Height,
    root: Hash,
}

/// What one block does to the tree; nothing has changed yet.
#[derive(Debug)]
pub(super) struct TreeUpdate {
    version: Height,
    /// Root after it.
    pub(super) root: Hash,
    batch: TreeUpdateBatch,
}

/// A value to be put at, or removed from, a place.
pub(super) type Put = (Hash, Option<Vec<u8>>);

impl Tree {
    /// A tree with these values at a version, and nothing before it.
    pub(super) fn new(version: Height, values: impl Iterator<Item = Put>) -> Self {
        let mut tree =
            Self { nodes: BTreeMap::new(), stale: BTreeSet::new(), version, oldest: version, root: Hash::ZERO };
        let update = tree.at(version, values);
        tree.commit(update, 0);
        tree
    }

    /// Root of the newest version.
    pub(super) const fn root(&self) -> Hash {
        self.root
    }

    /// Oldest version that proofs can be made for.
    pub(super) const fn oldest(&self) -> Height {
        self.oldest
    }

    /// Computes the next version without changing anything.
    pub(super) fn next(&self, puts: impl Iterator<Item = Put>) -> TreeUpdate {
        self.at(self.version.saturating_add(1), puts)
    }

    fn at(&self, version: Height, puts: impl Iterator<Item = Put>) -> TreeUpdate {
        let puts = puts.map(|(place, value)| (KeyHash(place.0), value));
        let update = JellyfishMerkleTree::<_, Hasher>::new(self).put_value_set(puts, version);
        let (root, batch) = complete(update);
        TreeUpdate { version, root: Hash(root.0), batch }
    }

    /// Makes a computed version the newest and prunes those older than `window` heights.
    pub(super) fn commit(&mut self, update: TreeUpdate, window: u64) {
        let TreeUpdate { version, root, batch } = update;
        for (key, node) in batch.node_batch.nodes() {
            self.nodes.insert(key.clone(), node.clone());
        }
        self.stale.extend(batch.stale_node_index_batch);
        (self.version, self.root) = (version, root);
        self.oldest = self.oldest.max(version.saturating_sub(window));
        while let Some(index) = self.stale.first() {
            if index.stale_since_version > self.oldest {
                break;
            }
            self.nodes.remove(&index.node_key);
            self.stale.pop_first();
        }
    }

    /// Proof for the key at `place` against the root of `version`; `None` outside the window.
    #[allow(clippy::expect_used, reason = "a proof of the library is one of ours")]
    pub(super) fn proof(&self, place: &Hash, version: Height) -> Option<StateProof> {
        if version < self.oldest || version > self.version {
            return None;
        }
        let (_, proof) =
            complete(JellyfishMerkleTree::<_, Hasher>::new(self).get_with_proof(KeyHash(place.0), version));
        Some(proof::from_library(&codec::encode(&proof), place).expect("the library's own bytes"))
    }

    #[cfg(test)]
    pub(super) fn node_count(&self) -> usize {
        self.nodes.len()
    }
}

/// What the library answers about nodes that are all in memory. Its error is not shown: that would bring the
/// printing of stack traces into the browser's download.
#[allow(clippy::panic, reason = "the nodes are in memory and complete; only a bug of ours can fail here")]
fn complete<T>(answer: anyhow::Result<T>) -> T {
    answer.unwrap_or_else(|_| panic!("the tree in memory is complete"))
}

impl TreeReader for Tree {
    fn get_node_option(&self, node_key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.nodes.get(node_key).cloned())
    }

    /// Values are kept by the state, not by the tree; proofs need only that there is one.
    fn get_value_option(&self, _: Version, _: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(Some(Vec::new()))
    }

    /// Used only for restoring a tree leaf by leaf, which is not done here.
    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}
