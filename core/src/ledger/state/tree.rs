//! The state tree in memory, versioned by height; what it hashes is in `proof`.
//!
//! Versions share the nodes in which they do not differ. A version is kept for a window of heights, so that proofs
//! against recent roots can be made; nodes that no later one has go with it. The root depends on the keys and values
//! alone, not on their history.

mod nodes;

use super::proof::{self, NOTHING, ProofEnd, StateProof, goes_right};
use crate::types::{Hash, Height};
use nodes::{Added, Slot, Slots};
use std::collections::VecDeque;

/// The newest version and those within the window.
pub(super) struct Tree {
    version: Height,
    newest: Subtree,
    /// Those before the newest, without a gap, oldest first.
    past: VecDeque<Past>,
    inner: Slots<[Subtree; 2]>,
    leaves: Slots<Leaf>,
}

/// A version that is not the newest.
struct Past {
    root: Subtree,
    /// Nodes that the version after it does not have.
    last: Vec<Node>,
}

/// Everything below a point of the tree. Its hash stands where one comes from: who changes what is beside it need
/// not go there.
#[derive(Clone, Copy, Debug)]
struct Subtree {
    hash: Hash,
    node: Node,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    Nothing,
    /// The only one of its subtree.
    Leaf(Slot),
    /// More than one leaf, left and right of it together.
    Inner(Slot),
}

#[derive(Clone, Copy, Debug)]
struct Leaf {
    place: Hash,
    value_hash: Hash,
}

/// What one block does to the tree; nothing has changed yet.
#[derive(Debug)]
pub(super) struct TreeUpdate {
    version: Height,
    newest: Subtree,
    inner: Vec<[Subtree; 2]>,
    leaves: Vec<Leaf>,
    /// Nodes that are no longer there.
    gone: Vec<Node>,
}

/// A place, and the hash of the value to be put there, or none to remove it. No place stands twice among those given
/// together.
pub(super) type Put = (Hash, Option<Hash>);

impl Tree {
    /// A tree with these values at a version, and nothing before it.
    pub(super) fn new(version: Height, values: impl Iterator<Item = Put>) -> Self {
        let (inner, leaves) = (Slots::default(), Slots::default());
        let mut tree = Self { version, newest: Subtree::NOTHING, past: VecDeque::new(), inner, leaves };
        let update = tree.next(values);
        tree.commit(TreeUpdate { version, ..update }, 0);
        tree
    }

    /// Root of the newest version.
    pub(super) const fn root(&self) -> Hash {
        self.newest.hash
    }

    /// Oldest version that proofs can be made for.
    pub(super) fn oldest(&self) -> Height {
        self.version.saturating_sub(u64::try_from(self.past.len()).unwrap_or(u64::MAX))
    }

    /// Computes the next version without changing anything.
    pub(super) fn next(&self, puts: impl Iterator<Item = Put>) -> TreeUpdate {
        let (inner, leaves) = (self.inner.added(), self.leaves.added());
        let mut work = Work { tree: self, inner, leaves, gone: Vec::new() };
        let newest = work.put(self.newest, 0, &mut puts.collect::<Vec<_>>());
        let Work { inner, leaves, gone, .. } = work;
        let version = self.version.saturating_add(1);
        TreeUpdate { version, newest, inner: inner.into_nodes(), leaves: leaves.into_nodes(), gone }
    }

    /// Makes a computed version, which must have been computed of the newest, the newest and forgets those older than
    /// `window` heights.
    pub(super) fn commit(&mut self, update: TreeUpdate, window: u64) {
        let TreeUpdate { version, newest, inner, leaves, gone } = update;
        self.inner.take(inner);
        self.leaves.take(leaves);
        self.past.push_back(Past { root: self.newest, last: gone });
        (self.version, self.newest) = (version, newest);
        let forgotten = self.past.len().saturating_sub(usize::try_from(window).unwrap_or(usize::MAX));
        for node in self.past.drain(..forgotten).flat_map(|past| past.last) {
            match node {
                Node::Nothing => {}
                Node::Leaf(slot) => self.leaves.free(slot),
                Node::Inner(slot) => self.inner.free(slot),
            }
        }
    }

    /// Proof for the key at `place` against the root of `version`; `None` outside the window.
    pub(super) fn proof(&self, place: &Hash, version: Height) -> Option<StateProof> {
        let mut subtree = if version == self.version {
            self.newest
        } else {
            self.past.get(usize::try_from(version.checked_sub(self.oldest())?).ok()?)?.root
        };
        let mut siblings = Vec::new();
        while let Node::Inner(slot) = subtree.node {
            let [left, right] = *self.inner.at(slot);
            let (towards, sibling) = if goes_right(place, siblings.len()) { (right, left) } else { (left, right) };
            siblings.push((!matches!(sibling.node, Node::Nothing)).then_some(sibling.hash));
            subtree = towards;
        }
        siblings.reverse();
        let end = match subtree.node {
            Node::Leaf(slot) => match *self.leaves.at(slot) {
                leaf if leaf.place == *place => ProofEnd::Here,
                Leaf { place, value_hash } => ProofEnd::Other { place, value_hash },
            },
            Node::Nothing | Node::Inner(_) => ProofEnd::Nothing,
        };
        Some(StateProof { end, siblings })
    }

    #[cfg(test)]
    pub(super) fn node_count(&self) -> usize {
        self.inner.count() + self.leaves.count()
    }
}

impl TreeUpdate {
    /// Root after it.
    pub(super) const fn root(&self) -> Hash {
        self.newest.hash
    }
}

impl Subtree {
    const NOTHING: Self = Self { hash: NOTHING, node: Node::Nothing };
}

/// A version being computed.
struct Work<'a> {
    tree: &'a Tree,
    inner: Added<'a, [Subtree; 2]>,
    leaves: Added<'a, Leaf>,
    gone: Vec<Node>,
}

impl Work<'_> {
    /// A subtree, whose root is at `depth`, with changes whose places are all below it. Each hash is computed once,
    /// however many of them lie below it.
    fn put(&mut self, subtree: Subtree, depth: usize, puts: &mut [Put]) -> Subtree {
        let nothing = Subtree::NOTHING;
        let [left, right] = match (subtree.node, &*puts) {
            (_, []) => return subtree,
            (Node::Nothing, [(place, value)]) => return self.leaf(*place, *value),
            (Node::Nothing, _) => [nothing, nothing],
            (Node::Leaf(slot), _) => {
                let there = self.tree.leaves.at(slot).place;
                match &*puts {
                    [(place, value)] if *place == there => {
                        self.gone.push(subtree.node);
                        return self.leaf(*place, *value);
                    }
                    _ if goes_right(&there, depth) => [nothing, subtree],
                    _ => [subtree, nothing],
                }
            }
            (Node::Inner(slot), _) => {
                self.gone.push(subtree.node);
                *self.tree.inner.at(slot)
            }
        };
        let (lefts, rights) = part(puts, depth);
        let below = depth.saturating_add(1);
        let (left, right) = (self.put(left, below, lefts), self.put(right, below, rights));
        self.join(left, right)
    }

    fn leaf(&mut self, place: Hash, value: Option<Hash>) -> Subtree {
        let Some(value_hash) = value else { return Subtree::NOTHING };
        let node = Node::Leaf(self.leaves.add(Leaf { place, value_hash }));
        Subtree { hash: proof::leaf_hash(&place, &value_hash), node }
    }

    /// What two subtrees are together: a leaf alone rises.
    fn join(&mut self, left: Subtree, right: Subtree) -> Subtree {
        match (left.node, right.node) {
            (Node::Nothing, Node::Nothing | Node::Leaf(_)) => right,
            (Node::Leaf(_), Node::Nothing) => left,
            _ => Subtree {
                hash: proof::inner_hash(&left.hash, &right.hash),
                node: Node::Inner(self.inner.add([left, right])),
            },
        }
    }
}

/// The changes that go left at this depth, and those that go right.
fn part(puts: &mut [Put], depth: usize) -> (&mut [Put], &mut [Put]) {
    let mut lefts = 0;
    for index in 0..puts.len() {
        if puts.get(index).is_some_and(|(place, _)| !goes_right(place, depth)) {
            puts.swap(lefts, index);
            lefts = lefts.saturating_add(1);
        }
    }
    puts.split_at_mut(lefts)
}
