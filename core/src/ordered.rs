//! Ordered collections, built entry by entry.
//!
//! `collect` and `sort` would do, but they bring an elaborate sort of its own for every type: 25 KB of a
//! browser's download.

use borsh::BorshDeserialize;
use borsh::io::{Error, ErrorKind, Read, Result};
use std::collections::{BTreeMap, BTreeSet};

/// A map of these entries; the last of a key stands.
pub fn map<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(entries);
    map
}

/// A set of these items.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

/// The first of these items by a key; equal ones keep their order.
pub fn first_by_key<T, K: Ord>(items: impl IntoIterator<Item = T>, most: usize, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut first = Vec::new();
    for item in items {
        let place = first.partition_point(|known| key(known) <= key(&item));
        if place < most {
            first.insert(place, item);
            first.truncate(most);
        }
    }
    first
}

/// All of these items by a key; equal ones keep their order. In a browser for lists of hundreds, not of many thousands.
#[cfg(target_arch = "wasm32")]
pub fn by_key<T, K: Ord>(items: impl IntoIterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
    first_by_key(items, usize::MAX, key)
}

/// All of these items by a key; equal ones keep their order. A bank may have to order tens of thousands in a block.
#[cfg(not(target_arch = "wasm32"))]
pub fn by_key<T, K: Ord>(items: impl IntoIterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut ordered: Vec<T> = items.into_iter().collect();
    ordered.sort_by_key(key);
    ordered
}

/// Reads a map as the library writes and reads it: refuses keys that do not ascend.
pub(crate) fn read_map<R: Read, K, V>(reader: &mut R) -> Result<BTreeMap<K, V>>
where
    K: BorshDeserialize + Ord,
    V: BorshDeserialize,
{
    let count = u32::deserialize_reader(reader)?;
    let mut map = BTreeMap::new();
    for _ in 0..count {
        let key = K::deserialize_reader(reader)?;
        if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(Error::new(ErrorKind::InvalidData, "keys do not ascend"));
        }
        map.insert(key, V::deserialize_reader(reader)?);
    }
    Ok(map)
}

/// Reads a map that may be absent.
pub(crate) fn read_optional_map<R: Read, K, V>(reader: &mut R) -> Result<Option<BTreeMap<K, V>>>
where
    K: BorshDeserialize + Ord,
    V: BorshDeserialize,
{
    let is_there = bool::deserialize_reader(reader)?;
    is_there.then(|| read_map(reader)).transpose()
}

/// Reads a set as the library writes and reads it: refuses items that do not ascend.
pub(crate) fn read_set<R: Read, T: BorshDeserialize + Ord>(reader: &mut R) -> Result<BTreeSet<T>> {
    let count = u32::deserialize_reader(reader)?;
    let mut set = BTreeSet::new();
    for _ in 0..count {
        let item = T::deserialize_reader(reader)?;
        if set.last().is_some_and(|last| *last >= item) {
            return Err(Error::new(ErrorKind::InvalidData, "items do not ascend"));
        }
        set.insert(item);
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::{by_key, first_by_key, map, read_map, read_optional_map, read_set, set};
    use crate::codec;

    #[test]
    fn what_was_written_is_read() {
        let names = map([(2_u32, "b".to_owned()), (1, "a".to_owned()), (2, "c".to_owned())]);
        assert_eq!(names[&2], "c");
        assert_eq!(read_map(&mut &*codec::encode(&names)).unwrap(), names);
        for banks in [Some(names), None] {
            assert_eq!(read_optional_map(&mut &*codec::encode(&banks)).unwrap(), banks);
        }
        let numbers = set([3_u32, 1, 2, 1]);
        assert_eq!(read_set(&mut &*codec::encode(&numbers)).unwrap(), numbers);
    }

    #[test]
    fn the_first_by_a_key_keep_their_order() {
        let items = [(3_u8, 'a'), (1, 'b'), (3, 'c'), (2, 'd'), (1, 'e')];
        let sorted = [(1, 'b'), (1, 'e'), (2, 'd'), (3, 'a'), (3, 'c')];
        assert_eq!(by_key(items, |(key, _)| *key), sorted);
        for most in 0..=5 {
            assert_eq!(first_by_key(items, most, |(key, _)| *key), sorted[..most]);
        }
    }

    #[test]
    fn keys_that_do_not_ascend_are_refused() {
        for keys in [[1_u8, 1], [2, 1]] {
            let listed = codec::encode(&keys.to_vec());
            assert!(read_set::<_, u8>(&mut &*listed).is_err());
            let listed = codec::encode(&keys.map(|key| (key, 0_u8)).to_vec());
            assert!(read_map::<_, u8, u8>(&mut &*listed).is_err());
        }
    }

    #[test]
    fn a_count_above_what_follows_is_refused() {
        let mut listed = codec::encode(&vec![1_u8, 2]);
        listed[0] = 3;
        assert!(read_set::<_, u8>(&mut &*listed).is_err());
        assert!(read_map::<_, u8, u8>(&mut &*listed).is_err());
    }
}
