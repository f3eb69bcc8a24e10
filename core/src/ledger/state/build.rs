//! A state out of keys and values that somebody else stored, one after the other.

use super::{BadState, Facts, Key, MAX_KEY_BYTES, MAX_VALUE_BYTES, State, Value};
use crate::codec;
use crate::types::{Hash, Height};
use std::collections::BTreeMap;

/// Takes encoded keys and values; [`StateBuilder::finish`] believes them only under the right root.
#[derive(Debug, Default)]
pub struct StateBuilder {
    entries: BTreeMap<Key, Value>,
    taken: usize,
}

impl StateBuilder {
    /// Takes one entry.
    ///
    /// # Errors
    /// [`BadState::Decode`] or [`BadState::OutOfPlace`], with its place among those given so far.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), BadState> {
        let index = self.taken;
        let decode = |error| BadState::Decode { index, error };
        let key: Key = codec::decode(key, MAX_KEY_BYTES).map_err(decode)?;
        let value: Value = codec::decode(value, MAX_VALUE_BYTES).map_err(decode)?;
        if !value.fits(&key) || self.entries.insert(key, value).is_some() {
            return Err(BadState::OutOfPlace { index });
        }
        self.taken = self.taken.saturating_add(1);
        Ok(())
    }

    /// As [`Self::put`], of an entry that comes after all before it in the order of the map.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn put_after(&mut self, key: &[u8], value: &[u8]) -> Result<(), BadState> {
        let newest = self.entries.last_key_value().map(|(key, _)| *key);
        self.put(key, value)?;
        if newest.is_some() && self.entries.last_key_value().map(|(key, _)| *key) == newest {
            return Err(BadState::OutOfPlace { index: self.taken.saturating_sub(1) });
        }
        Ok(())
    }

    /// The state after block `height`.
    ///
    /// # Errors
    /// [`BadState::Incomplete`] or [`BadState::WrongRoot`].
    pub fn finish(self, chain_id: Hash, height: Height, root: Hash) -> Result<State, BadState> {
        let facts = Facts::read(&self.entries).ok_or(BadState::Incomplete)?;
        let state = State::assemble(chain_id, height, self.entries, facts);
        match state.root() {
            got if got == root => Ok(state),
            got => Err(BadState::WrongRoot { expected: root, got }),
        }
    }
}
