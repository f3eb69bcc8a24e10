//! Inclusion and exclusion proofs of the state tree.
//!
//! The tree is a binary sparse Merkle tree over 256-bit places in which a subtree with one leaf is that
//! leaf and one with none has a fixed hash (that of the library `jmt`, Jellyfish Merkle tree). With
//! `H(x) = SHA-256(tag ‖ x)`, tag = [`tags::STATE_TREE`]:
//!
//! ```text
//! place of a key   H(key bytes), walked from its highest bit
//! leaf             H("JMT::LeafNode" ‖ place ‖ H(value bytes))
//! inner node       H("JMT::IntrnalNode" ‖ left hash ‖ right hash)
//! nothing          "SPARSE_MERKLE_PLACEHOLDER_HASH__"
//! ```
//!
//! Layout of a proof: `end u8 (0 here, 1 nothing, 2 other: place 32 │ value hash 32) │ count u32 │
//! siblings, each 0 for nothing or 1 followed by 32 bytes`, from the leaf up. With a million keys about
//! 22 siblings: under 800 bytes.

use super::key::Key;
use super::value::Value;
use crate::codec;
use crate::crypto;
use crate::message::tags;
use crate::types::Hash;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// Longest encoded proof: a sibling for each of 256 bits.
pub const MAX_PROOF_BYTES: usize = 1 + 64 + 4 + 256 * 33;

const LEAF: &[u8] = b"JMT::LeafNode";
const INNER: &[u8] = b"JMT::IntrnalNode";
pub(super) const NOTHING: Hash = Hash(*b"SPARSE_MERKLE_PLACEHOLDER_HASH__");

/// The way from a key's place up to the root.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct StateProof {
    /// What stands where the walk down ends.
    pub end: ProofEnd,
    /// Hash beside each step, from the end up to the root; `None` for an empty subtree.
    pub siblings: Vec<Option<Hash>>,
}

/// What stands where the walk towards a key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ProofEnd {
    /// The key itself.
    Here = 0,
    /// Nothing: the key is absent.
    Nothing = 1,
    /// The only leaf of the subtree, of another key: the key is absent.
    Other {
        /// Place of the other key.
        place: Hash,
        /// Hash of its value.
        value_hash: Hash,
    } = 2,
}

/// A proof that proves something else, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// It shows absence where a value was claimed, or a value where absence was claimed.
    #[error("the proof shows the opposite of what is claimed")]
    OtherKind,
    /// The leaf shown is not on the way to the key.
    #[error("the proof ends at a leaf that is not on the way to the key")]
    OtherPlace,
    /// More steps than a place has bits.
    #[error("the proof has {got} steps; places have 256 bits")]
    TooDeep {
        /// Steps.
        got: usize,
    },
    /// It leads to another root.
    #[error("the proof leads to another state root")]
    WrongRoot {
        /// The root that is known.
        expected: Hash,
        /// Where the proof leads.
        got: Hash,
    },
}

/// Place of a key in the tree.
pub(super) fn place(key: &Key) -> Hash {
    crypto::hash(tags::STATE_TREE, &[&codec::encode(key)])
}

/// What the tree knows of a value.
pub(super) fn value_hash(value: &Value) -> Hash {
    crypto::hash(tags::STATE_TREE, &[&codec::encode(value)])
}

pub(super) fn leaf_hash(place: &Hash, value_hash: &Hash) -> Hash {
    crypto::hash(tags::STATE_TREE, &[LEAF, &place.0, &value_hash.0])
}

pub(super) fn inner_hash(left: &Hash, right: &Hash) -> Hash {
    crypto::hash(tags::STATE_TREE, &[INNER, &left.0, &right.0])
}

/// Whether the step at `depth` towards a place goes right.
pub(super) fn goes_right(place: &Hash, depth: usize) -> bool {
    let byte = place.0.get(depth / 8).copied().unwrap_or(0);
    let shift = u32::try_from(depth % 8).unwrap_or(0);
    byte.rotate_left(shift) & 0x80 != 0
}

fn common_bits(a: &Hash, b: &Hash) -> usize {
    (0..256).take_while(|depth| goes_right(a, *depth) == goes_right(b, *depth)).count()
}

impl StateProof {
    /// Checks that under `root` the key has exactly this value, or none.
    ///
    /// # Errors
    /// [`BadProof`] names what does not fit.
    pub fn verify(&self, root: &Hash, key: &Key, value: Option<&Value>) -> Result<(), BadProof> {
        if self.siblings.len() > 256 {
            return Err(BadProof::TooDeep { got: self.siblings.len() });
        }
        let place = place(key);
        let mut hash = match (&self.end, value) {
            (ProofEnd::Here, Some(value)) => leaf_hash(&place, &value_hash(value)),
            (ProofEnd::Nothing, None) => NOTHING,
            (ProofEnd::Other { place: other, value_hash }, None) => {
                if *other == place || common_bits(other, &place) < self.siblings.len() {
                    return Err(BadProof::OtherPlace);
                }
                leaf_hash(other, value_hash)
            }
            _ => return Err(BadProof::OtherKind),
        };
        let depths = (0..self.siblings.len()).rev();
        for (sibling, depth) in self.siblings.iter().zip(depths) {
            let sibling = sibling.unwrap_or(NOTHING);
            let (left, right) = if goes_right(&place, depth) { (sibling, hash) } else { (hash, sibling) };
            hash = inner_hash(&left, &right);
        }
        if hash == *root { Ok(()) } else { Err(BadProof::WrongRoot { expected: *root, got: hash }) }
    }
}
