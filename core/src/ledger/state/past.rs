//! The state as it was at recent heights: values and proofs of the last K.proof_window_heights, and how a restored
//! state takes them back.

use super::tree::{Put, Tree};
use super::{BadState, Channel, Key, State, StateProof, Value, build_tree, proof, put};
use crate::codec;
use crate::ledger::transition::Undo;
use crate::limits;
use crate::ordered;
use crate::types::{Hash, Height, Parties};
use serde::Serialize;
use std::collections::BTreeMap;

/// A height whose state is not, or no longer, known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("the state of height {got} is not known; heights {oldest} to {newest} are")]
pub struct OutsideWindow {
    /// Oldest height kept.
    pub oldest: Height,
    /// Newest height.
    pub newest: Height,
    /// What was asked for.
    pub got: Height,
}

impl State {
    /// Oldest height of which values and proofs are kept.
    pub fn oldest_height(&self) -> Height {
        self.tree.oldest()
    }

    /// A value as it was after block `height`; `Err` outside the window of kept heights.
    ///
    /// # Errors
    /// [`OutsideWindow`].
    pub fn value_at(&self, height: Height, key: &Key) -> Result<Option<&Value>, OutsideWindow> {
        let oldest = self.oldest_height();
        if height < oldest || height > self.height {
            return Err(OutsideWindow { oldest, newest: self.height, got: height });
        }
        let changed_later = self.past.range(height.saturating_add(1)..).find_map(|(_, before)| before.get(key));
        Ok(match changed_later {
            Some(before) => before.as_ref(),
            None => self.entries.get(key),
        })
    }

    /// A value as it was after block `height`, with its proof against that block's state root.
    ///
    /// # Errors
    /// [`OutsideWindow`].
    pub fn prove_at(&self, height: Height, key: &Key) -> Result<(Option<&Value>, StateProof), OutsideWindow> {
        let value = self.value_at(height, key)?;
        let outside = OutsideWindow { oldest: self.oldest_height(), newest: self.height, got: height };
        let proof = self.tree.proof(&proof::place(key), height).ok_or(outside)?;
        Ok((value, proof))
    }

    /// A channel as it was after block `height`.
    ///
    /// # Errors
    /// [`OutsideWindow`].
    pub fn channel_at(&self, height: Height, parties: &Parties) -> Result<Channel, OutsideWindow> {
        Ok(match self.value_at(height, &Key::Channel(*parties))? {
            Some(Value::Channel(channel)) => channel.clone(),
            _ => Channel::default(),
        })
    }

    /// The same as it was after block `height`.
    ///
    /// # Errors
    /// [`OutsideWindow`].
    pub fn encoded_at(&self, height: Height) -> Result<impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_, OutsideWindow> {
        let oldest = self.oldest_height();
        if height < oldest || height > self.height {
            return Err(OutsideWindow { oldest, newest: self.height, got: height });
        }
        let mut entries: BTreeMap<&Key, &Value> = self.entries.iter().collect();
        for (key, before) in self.past.range(height.saturating_add(1)..).rev().flat_map(|(_, changes)| changes) {
            match before {
                Some(before) => entries.insert(key, before),
                None => entries.remove(key),
            };
        }
        Ok(entries.into_iter().map(|(key, value)| (codec::encode(key), codec::encode(value))))
    }

    /// Takes back the recent heights of a restored state: `undos` lead from the newest block backwards, and
    /// `roots` are the state roots after each of the same blocks and the one before them.
    ///
    /// # Errors
    /// [`BadState`] when an undo does not lead to the root before it; then nothing changed.
    pub(crate) fn recall(&mut self, undos: &[&[u8]], roots: &[Hash]) -> Result<(), BadState> {
        let mut entries = self.entries.clone();
        let mut redos = Vec::with_capacity(undos.len());
        let mut past = BTreeMap::new();
        let mut height = self.height;
        for (index, bytes) in undos.iter().enumerate() {
            let undo: Undo =
                codec::decode(bytes, limits::MAX_UNDO_BYTES).map_err(|error| BadState::Decode { index, error })?;
            // Each key once, whatever the bytes say.
            let undo = ordered::map(undo);
            let mut redo: Vec<Put> = Vec::with_capacity(undo.len());
            for (key, before) in &undo {
                let now = match before {
                    Some(before) if before.fits(key) => entries.insert(*key, before.clone()),
                    Some(_) => return Err(BadState::OutOfPlace { index }),
                    None => entries.remove(key),
                };
                redo.push(put(key, now.as_ref()));
            }
            past.insert(height, undo);
            redos.push(redo);
            height = height.saturating_sub(1);
        }
        let tree = build_tree(height, &entries);
        let tree = replay(tree, redos, roots, u64::from(self.facts.parameters.proof_window_heights))?;
        assert_eq!(tree.root(), self.root(), "the same values have the same root");
        (self.tree, self.past) = (tree, past);
        let oldest = self.oldest_height();
        self.past.retain(|height, _| *height > oldest);
        Ok(())
    }
}

/// Goes forward again over blocks whose new values were collected backwards, holding each root against the
/// header's. `roots` are newest first, one more than there are blocks.
fn replay(mut tree: Tree, redos: Vec<Vec<Put>>, roots: &[Hash], window: u64) -> Result<Tree, BadState> {
    let mut roots = roots.iter().rev();
    let mut hold = |got: Hash| match roots.next() {
        Some(expected) if *expected == got => Ok(()),
        expected => Err(BadState::WrongRoot { expected: expected.copied().unwrap_or(Hash::ZERO), got }),
    };
    hold(tree.root())?;
    for redo in redos.into_iter().rev() {
        let update = tree.next(redo.into_iter());
        hold(update.root())?;
        tree.commit(update, window);
    }
    Ok(tree)
}
