//! Writing a snapshot.

use super::{CHUNK_HEAD_BYTES, ChunkId, GENESIS, HEAD, MANIFEST, Manifest, VERSION};
use super::{Opened, chunk_name, entry_bytes, turn_name};
use crate::chain::certificate::Certificate;
use crate::chain::genesis::Genesis;
use crate::chain::header::Header;
use crate::chain::walk::Turn;
use crate::codec;
use crate::ledger::state::{OutsideWindow, State};
use crate::limits;

/// The state after a block in its canonical chunks. Taking one costs a copy of the state, and nothing of what
/// takes long: hashing, packing and writing can be done elsewhere while the chain goes on.
pub struct Snapshot {
    genesis: Vec<u8>,
    turns: Vec<Turn>,
    head: Header,
    certificate: Certificate,
    chunks: Vec<Vec<u8>>,
}

impl Snapshot {
    /// The state after `head`. `turns` are those of all heights below, lowest first.
    pub fn new(genesis: &Genesis, turns: Vec<Turn>, head: Header, certificate: Certificate, state: &State) -> Self {
        assert_eq!((state.height(), state.root()), (head.height, head.state_root), "the state of another block");
        Self { genesis: codec::encode(genesis), turns, head, certificate, chunks: chunks(state.encoded()) }
    }

    /// The state after `head`, also when the chain has gone on since.
    ///
    /// # Errors
    /// [`OutsideWindow`]: it is known no more.
    pub fn past(
        genesis: &Genesis,
        turns: Vec<Turn>,
        head: Header,
        certificate: Certificate,
        state: &State,
    ) -> Result<Self, OutsideWindow> {
        let chunks = chunks(state.encoded_at(head.height)?);
        Ok(Self { genesis: codec::encode(genesis), turns, head, certificate, chunks })
    }

    /// The same again out of one that was read, to be offered to others; `None` at genesis, which has none.
    pub fn of(opened: &Opened) -> Option<Self> {
        let Opened { genesis, turns, certificate, follower, .. } = opened;
        let head = follower.head()?.clone();
        Some(Self::new(genesis, turns.clone(), head, certificate.clone(), follower.state()))
    }

    /// What the identity is made of.
    pub fn manifest(&self) -> Manifest {
        Manifest {
            version: VERSION,
            chain_id: self.head.chain_id,
            height: self.head.height,
            headers: self.turns.iter().map(|turn| &turn.header).chain([&self.head]).cloned().collect(),
            chunks: self.chunks.iter().map(|chunk| ChunkId::of(chunk)).collect(),
        }
    }

    /// Names and bytes of its files in order. Each is let go as it is handed out.
    pub fn into_files(self, manifest: &Manifest) -> impl Iterator<Item = (String, Vec<u8>)> + use<> {
        let first = [(MANIFEST.to_owned(), codec::encode(manifest)), (GENESIS.to_owned(), self.genesis)];
        let turns = self.turns.into_iter().enumerate().map(|(at, turn)| (turn_name(at), codec::encode(&turn)));
        let head = (HEAD.to_owned(), codec::encode(&(self.head, self.certificate)));
        let chunks = self.chunks.into_iter().enumerate().map(|(at, chunk)| (chunk_name(at), chunk));
        first.into_iter().chain(turns).chain([head]).chain(chunks)
    }
}

/// Entries in the order of the map; each chunk takes as many as fit.
fn chunks(all: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    let mut entries: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut bytes = CHUNK_HEAD_BYTES;
    for (key, value) in all {
        let more = entry_bytes(&key, &value);
        if bytes.saturating_add(more) > limits::SNAPSHOT_CHUNK_BYTES {
            chunks.push(codec::encode(&entries));
            entries.clear();
            bytes = CHUNK_HEAD_BYTES;
        }
        bytes = bytes.saturating_add(more);
        entries.push((key, value));
    }
    chunks.push(codec::encode(&entries));
    chunks
}
