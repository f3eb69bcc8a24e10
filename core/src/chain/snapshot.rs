//! Snapshots: the state after a block with everything that proves it, for those who do not want to execute
//! all blocks before (docs/protocol.md, section 3).
//!
//! A snapshot is a list of files in this order; nothing may be missing, added or exchanged:
//!
//! ```text
//! manifest.bin      Manifest
//! genesis.bin       Genesis
//! turns/000000.bin  Turn: every header below the height at which the validators change, with its
//!                   certificate and the validators after it, lowest first
//! head.bin          Header │ Certificate of the height
//! state/000000.bin  chunks: Vec<(key, value)>, each as bytes, keys in the order of the map. A chunk ends
//!                   before SNAPSHOT_CHUNK_BYTES and not earlier
//! ```
//!
//! The identity is the hash of the manifest. Certificates are not part of it: nodes hold different ones for
//! the same block. [`Snapshot`] writes, [`Reader`] believes nothing that it has not verified, so a snapshot
//! can come from anybody. Files travel in a tar archive ([`archive`]), compressed; neither counts for the identity.
//!
//! When one is due ([`Pace`]) follows from the blocks alone, the same for all who follow the chain.

pub mod archive;
mod pace;
mod read;
mod write;

pub use pace::Pace;
pub use read::{BadSnapshot, Opened, Reader};
pub use write::Snapshot;

use super::header::Header;
use crate::codec;
use crate::crypto;
use crate::ledger::state::{MAX_KEY_BYTES, MAX_VALUE_BYTES};
use crate::limits;
use crate::message::tags;
use crate::types::{Hash, Height};
use borsh::{BorshDeserialize, BorshSerialize};

/// The version of the layout that this code knows.
pub const VERSION: u16 = 1;

/// Longest encoded manifest in bytes.
pub const MAX_MANIFEST_BYTES: usize = 64
    + (limits::MAX_SNAPSHOT_TURNS + 1) * limits::MAX_HEADER_BYTES
    + limits::MAX_SNAPSHOT_CHUNKS * size_of::<ChunkId>();

/// Longest name of a file.
pub const MAX_FILE_NAME_BYTES: usize = 32;

/// What the identity of a snapshot is made of.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u16,
    /// Hash of the genesis document.
    pub chain_id: Hash,
    /// Height of the block after which this is the state.
    pub height: Height,
    /// Headers of the turns, lowest first, then the header of the height.
    pub headers: Vec<Header>,
    /// Chunks of the state in order.
    pub chunks: Vec<ChunkId>,
}

/// Which chunk it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ChunkId {
    /// Hash of its bytes.
    pub hash: Hash,
    /// How many they are.
    pub bytes: u32,
}

impl Manifest {
    /// The identity of the snapshot.
    pub fn hash(&self) -> Hash {
        crypto::hash(tags::SNAPSHOT, &[&codec::encode(self)])
    }
}

impl ChunkId {
    fn of(bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { hash: crypto::hash(tags::SNAPSHOT_CHUNK, &[bytes]), bytes: length }
    }
}

/// Name of the archive of a height, as every host writes and serves it.
pub fn archive_name(height: Height) -> String {
    format!("Fair-{height}.tar.gz")
}

/// The height in the name of an archive.
pub fn archive_height(name: &str) -> Option<Height> {
    let height: Height = name.strip_prefix("Fair-")?.strip_suffix(".tar.gz")?.parse().ok()?;
    (archive_name(height) == name).then_some(height)
}

const MANIFEST: &str = "manifest.bin";
const GENESIS: &str = "genesis.bin";
const HEAD: &str = "head.bin";

fn turn_name(index: usize) -> String {
    format!("turns/{index:06}.bin")
}

fn chunk_name(index: usize) -> String {
    format!("state/{index:06}.bin")
}

/// What an entry takes of a chunk: two lengths, key and value.
fn entry_bytes(key: &[u8], value: &[u8]) -> usize {
    key.len().saturating_add(value.len()).saturating_add(8)
}

/// Bytes of a chunk before its first entry: the count.
const CHUNK_HEAD_BYTES: usize = 4;

const _: () = assert!(CHUNK_HEAD_BYTES + 8 + MAX_KEY_BYTES + MAX_VALUE_BYTES <= limits::SNAPSHOT_CHUNK_BYTES);

#[cfg(test)]
mod tests;
