//! The tree is that of the library `jmt`: the same roots and the same proofs, whatever is put and removed.

use super::super::proof::{ProofEnd, StateProof, inner_hash, leaf_hash};
use super::super::tree::Tree;
use super::{changes, place, value_hash};
use crate::codec;
use crate::message::tags;
use crate::types::Hash;
use borsh::BorshDeserialize;
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, SimpleHasher, Version};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

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

/// The library's nodes of every version.
#[derive(Default)]
struct Library {
    nodes: HashMap<NodeKey, Node>,
}

impl TreeReader for Library {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.nodes.get(key).cloned())
    }

    /// Proofs need only that there is one.
    fn get_value_option(&self, _: Version, _: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(Some(Vec::new()))
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}

/// A step of the library's proof as it encodes it; inner nodes come with both children.
#[derive(BorshDeserialize)]
enum LibraryNode {
    Nothing,
    Inner { left: Hash, right: Hash },
    Leaf { place: Hash, value_hash: Hash },
}

/// The library's proof, whose fields are private: read through its canonical bytes.
#[derive(BorshDeserialize)]
struct LibraryProof {
    leaf: Option<(Hash, Hash)>,
    siblings: Vec<LibraryNode>,
}

impl Library {
    fn put(&mut self, version: Version, puts: impl IntoIterator<Item = (Hash, Option<Vec<u8>>)>) -> Hash {
        let puts = puts.into_iter().map(|(place, value)| (KeyHash(place.0), value));
        let (root, batch) = JellyfishMerkleTree::<_, Hasher>::new(&*self).put_value_set(puts, version).unwrap();
        self.nodes.extend(batch.node_batch.nodes().clone());
        Hash(root.0)
    }

    fn proof(&self, sought: &Hash, version: Version) -> StateProof {
        let tree = JellyfishMerkleTree::<_, Hasher>::new(self);
        let (_, proof) = tree.get_with_proof(KeyHash(sought.0), version).unwrap();
        let LibraryProof { leaf, siblings } = LibraryProof::try_from_slice(&codec::encode(&proof)).unwrap();
        let end = match leaf {
            None => ProofEnd::Nothing,
            Some((place, _)) if place == *sought => ProofEnd::Here,
            Some((place, value_hash)) => ProofEnd::Other { place, value_hash },
        };
        let hash = |node| match node {
            LibraryNode::Nothing => None,
            LibraryNode::Inner { left, right } => Some(inner_hash(&left, &right)),
            LibraryNode::Leaf { place, value_hash } => Some(leaf_hash(&place, &value_hash)),
        };
        StateProof { end, siblings: siblings.into_iter().map(hash).collect() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, rng_seed: RngSeed::Fixed(2), ..ProptestConfig::default() })]

    #[test]
    fn roots_and_proofs_are_the_library_s(versions in changes()) {
        let mut library = Library::default();
        let mut tree = Tree::new(0, std::iter::empty());
        let mut roots = vec![library.put(0, [])];
        for (version, changes) in (1..).zip(versions) {
            let puts = || changes.iter().map(|(number, value)| (place(*number), value.map(|byte| vec![byte])));
            roots.push(library.put(version, puts()));
            let update = tree.next(puts().map(|(place, value)| (place, value.map(|bytes| value_hash(&bytes)))));
            tree.commit(update, u64::MAX);
            prop_assert_eq!(tree.root(), *roots.last().unwrap());
        }
        for version in 0..roots.len() as u64 {
            for number in 0..48 {
                prop_assert_eq!(tree.proof(&place(number), version), Some(library.proof(&place(number), version)));
            }
        }
    }
}
