//! Keys of what is stored. The first byte is the table; numbers are big-endian, so that the order of
//! keys is the order of numbers.
//!
//! ```text
//! both databases
//!   00                                       fencing epoch, u64
//! fair-<name>-chain: verified, can be had again from any relay
//!   10                                       genesis document: the chain that is trusted
//!   11                                       newest verified header
//!   12 │ key of the state                    value of the state
//!   13 │ height u64                          block with certificate and outcome
//!   14 │ block hash 32                       height u64
//!   15 │ account key 32 │ height u64 │ u32   empty: batch at that place signed by or naming the account
//!   16                                       relays, set by a person
//!   17 │ hash of a header 32                 evidence of a fork: two headers with certificates
//!   18                                       height u64, hash 32: the snapshot that the chain here begins with
//!   19                                       height u64, hash 32: the block that a person confirmed
//! fair-<name>: one person's
//!   20                                       vault: the sealed words
//!   21                                       what is known of the wallet without its password
//!   22 │ request 16                          empty: a direct rebalance was begun under this name
//!   30 │ …                                   everything of the wallet machine (core::wallet), as it names it
//! ```

use fair_core::types::{Hash, Height, PublicKey};

/// Last byte of every key in a table is followed by nothing: ends of ranges.
pub fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    // Only for a prefix of nothing but 0xff, which no table has.
    vec![u8::MAX; prefix.len() + 1]
}

/// Fencing epoch.
pub fn fence() -> Vec<u8> {
    vec![0x00]
}

/// Genesis document.
pub fn genesis() -> Vec<u8> {
    vec![0x10]
}

/// Newest verified header.
pub fn head() -> Vec<u8> {
    vec![0x11]
}

/// Table of state values.
pub const STATE: u8 = 0x12;

/// A value of the state.
pub fn state(key: &[u8]) -> Vec<u8> {
    [&[STATE], key].concat()
}

/// A verified block.
pub fn block(height: Height) -> Vec<u8> {
    [&[0x13][..], &height.to_be_bytes()].concat()
}

/// Height of a block hash.
pub fn block_hash(hash: &Hash) -> Vec<u8> {
    [&[0x14][..], &hash.0].concat()
}

/// Batches that an account signed or that named it.
pub fn mentions(account: &PublicKey) -> Vec<u8> {
    [&[0x15][..], &account.0].concat()
}

/// One of them.
pub fn mention(account: &PublicKey, height: Height, index: u32) -> Vec<u8> {
    [&mentions(account)[..], &height.to_be_bytes(), &index.to_be_bytes()].concat()
}

/// Height and place of a mention.
pub fn mention_place(key: &[u8]) -> Option<(Height, u32)> {
    let place = key.get(33..)?;
    let (height, index) = place.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*height), u32::from_be_bytes(index.try_into().ok()?)))
}

/// Relays.
pub fn relays() -> Vec<u8> {
    vec![0x16]
}

/// Evidence of forks.
pub fn forks() -> Vec<u8> {
    vec![0x17]
}

/// One fork.
pub fn fork(header: &Hash) -> Vec<u8> {
    [&[0x17][..], &header.0].concat()
}

/// The snapshot that the chain here begins with.
pub fn base() -> Vec<u8> {
    vec![0x18]
}

/// The block that a person confirmed.
pub fn confirmed() -> Vec<u8> {
    vec![0x19]
}

/// The sealed words.
pub fn vault() -> Vec<u8> {
    vec![0x20]
}

/// What is known of the wallet without its password.
pub fn profile() -> Vec<u8> {
    vec![0x21]
}

/// A caller's key of a direct rebalance that was begun.
pub fn splice(request: &[u8; 16]) -> Vec<u8> {
    [&[0x22][..], request].concat()
}

/// Table of the wallet machine.
pub const MACHINE: u8 = 0x30;

/// A record of the wallet machine.
pub fn machine(key: &[u8]) -> Vec<u8> {
    [&[MACHINE], key].concat()
}

#[cfg(test)]
mod tests;
