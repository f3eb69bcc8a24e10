//! Reading a snapshot of a stranger, file by file.

use super::{ChunkId, GENESIS, HEAD, MANIFEST, MAX_MANIFEST_BYTES, Manifest, VERSION};
use super::{chunk_name, entry_bytes, turn_name};
use crate::chain::certificate::Certificate;
use crate::chain::follow::Follower;
use crate::chain::genesis::Genesis;
use crate::chain::header::Header;
use crate::chain::walk::{Checkpoint, MAX_TURN_BYTES, Turn, Unauthorised, Walk};
use crate::codec;
use crate::ledger::state::StateBuilder;
use crate::limits;
use crate::types::{Hash, TimeMs};
use borsh::BorshDeserialize;
use serde::Serialize;

/// Longest header with its certificate in bytes.
const MAX_HEAD_BYTES: usize = limits::MAX_HEADER_BYTES + limits::MAX_CERTIFICATE_BYTES;

/// Why a snapshot is not believed, and where. Each has a stable code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum BadSnapshot {
    /// What its files lie in is no archive of plain files.
    #[error("the archive cannot be read: {reason}")]
    Archive {
        /// What is wrong with it.
        reason: String,
    },
    /// It ends too early.
    #[error("the snapshot ends where {file} is expected")]
    Missing {
        /// What comes next.
        file: String,
    },
    /// Another file than the next: added, missing or in the wrong order.
    #[error("the snapshot has {got} where {expected} is expected")]
    Unexpected {
        /// The next file; nothing when it should have ended.
        expected: String,
        /// What came.
        got: String,
    },
    /// A file longer than it may be.
    #[error("the file {file} has {got} bytes where {limit} are allowed")]
    TooLong {
        /// Which.
        file: String,
        /// The cap in bytes.
        limit: usize,
        /// What came.
        got: usize,
    },
    /// Not canonical.
    #[error("the file {file} cannot be read: {reason}")]
    Malformed {
        /// Which.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Written by a version of the layout that this code does not know.
    #[error("the snapshot has layout {got}; this program knows layout {expected}")]
    UnknownVersion {
        /// [`VERSION`].
        expected: u16,
        /// What the manifest says.
        got: u16,
    },
    /// Of another chain.
    #[error("the file {file} belongs to another network ({got})")]
    WrongNetwork {
        /// Which.
        file: String,
        /// The chain that was asked for.
        expected: Hash,
        /// What it says.
        got: Hash,
    },
    /// The manifest contradicts itself.
    #[error("the manifest is none: {reason}")]
    Manifest {
        /// In words.
        reason: &'static str,
    },
    /// A header that is not the manifest's.
    #[error("the file {file} has another header than the manifest")]
    OtherHeader {
        /// Which.
        file: String,
    },
    /// A header that the validators of its height did not certify.
    #[error("the file {file}: {error}")]
    Unauthorised {
        /// Which.
        file: String,
        /// Why not.
        error: Unauthorised,
    },
    /// A chunk that is not the manifest's.
    #[error("the file {file} has other bytes than the manifest says")]
    OtherBytes {
        /// Which.
        file: String,
        /// Hash that the manifest says.
        expected: Hash,
        /// Hash of the bytes.
        got: Hash,
    },
    /// An entry that cannot stand there.
    #[error("the file {file}, entry {index}: {reason}")]
    BadEntry {
        /// Which.
        file: String,
        /// Its place in the file.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// All entries together are not the state that the header names.
    #[error("the entries are not the state of block {height}: {reason}")]
    WrongState {
        /// Of the header.
        height: crate::types::Height,
        /// What is wrong.
        reason: String,
    },
}

/// A snapshot that was verified.
pub struct Opened {
    /// Identity of the snapshot.
    pub id: Hash,
    /// The document, checked.
    pub genesis: Genesis,
    /// Changes of validators below the head, lowest first.
    pub turns: Vec<Turn>,
    /// Over the head.
    pub certificate: Certificate,
    /// The chain from the head on.
    pub follower: Follower,
}

/// Takes the files in order. Each is held against its cap before it is decoded ([`Reader::limit`]), and
/// against what the files before it say.
pub struct Reader {
    chain_id: Hash,
    checkpoint: Option<Checkpoint>,
    now: TimeMs,
    begun: Option<Begun>,
    opened: Option<Walking>,
}

/// After the manifest.
struct Begun {
    id: Hash,
    manifest: Manifest,
}

/// After genesis.
struct Walking {
    genesis: Genesis,
    walk: Walk,
    turns: Vec<Turn>,
    head: Option<(Header, Certificate)>,
    state: StateBuilder,
    chunks: usize,
    /// Length of the chunk before.
    previous: Option<usize>,
}

/// Which file comes next.
enum Next {
    Manifest,
    Genesis,
    Turn(usize),
    Head,
    Chunk(usize),
    End,
}

impl Reader {
    /// For a snapshot of a chain. `now` is the local clock.
    pub const fn new(chain_id: Hash, checkpoint: Option<Checkpoint>, now: TimeMs) -> Self {
        Self { chain_id, checkpoint, now, begun: None, opened: None }
    }

    fn next(&self) -> Next {
        let (Some(begun), Some(walking)) = (&self.begun, &self.opened) else {
            return if self.begun.is_none() { Next::Manifest } else { Next::Genesis };
        };
        if walking.turns.len() < begun.manifest.headers.len().saturating_sub(1) {
            Next::Turn(walking.turns.len())
        } else if walking.head.is_none() {
            Next::Head
        } else if walking.chunks < begun.manifest.chunks.len() {
            Next::Chunk(walking.chunks)
        } else {
            Next::End
        }
    }

    /// Name of the next file; `None` when all are there.
    pub fn expected(&self) -> Option<String> {
        Some(match self.next() {
            Next::Manifest => MANIFEST.to_owned(),
            Next::Genesis => GENESIS.to_owned(),
            Next::Turn(index) => turn_name(index),
            Next::Head => HEAD.to_owned(),
            Next::Chunk(index) => chunk_name(index),
            Next::End => return None,
        })
    }

    /// How many of all chunks were taken: (0, 0) before the manifest is known.
    pub fn progress(&self) -> (usize, usize) {
        let all = self.begun.as_ref().map_or(0, |begun| begun.manifest.chunks.len());
        (self.opened.as_ref().map_or(0, |walking| walking.chunks), all)
    }

    /// Looks at a file's name and length before its bytes are taken into memory.
    ///
    /// # Errors
    /// [`BadSnapshot::Unexpected`], [`BadSnapshot::TooLong`].
    pub fn look(&self, name: &str, length: usize) -> Result<(), BadSnapshot> {
        let expected = self.expected();
        if expected.as_deref() != Some(name) {
            // A name is a stranger's bytes too.
            let got = name.chars().filter(|char| char.is_ascii_graphic()).take(super::MAX_FILE_NAME_BYTES).collect();
            return Err(BadSnapshot::Unexpected { expected: expected.unwrap_or_else(|| "the end".to_owned()), got });
        }
        let limit = match self.next() {
            Next::Manifest => MAX_MANIFEST_BYTES,
            Next::Genesis => limits::MAX_GENESIS_BYTES,
            Next::Turn(_) => MAX_TURN_BYTES,
            Next::Head => MAX_HEAD_BYTES,
            Next::Chunk(_) | Next::End => limits::SNAPSHOT_CHUNK_BYTES,
        };
        if length > limit {
            return Err(BadSnapshot::TooLong { file: name.to_owned(), limit, got: length });
        }
        Ok(())
    }

    /// Takes the next file.
    ///
    /// # Errors
    /// [`BadSnapshot`]; the reader is of no more use then.
    pub fn take(&mut self, name: &str, bytes: &[u8]) -> Result<(), BadSnapshot> {
        self.look(name, bytes.len())?;
        match self.next() {
            Next::Manifest => self.manifest(bytes),
            Next::Genesis => self.genesis(bytes),
            Next::Turn(_) => self.turn(name, bytes),
            Next::Head => self.head(bytes),
            Next::Chunk(index) => self.chunk(index, bytes),
            Next::End => Ok(()),
        }
    }

    /// Rebuilds the tree, and compares its root with the head's.
    ///
    /// # Errors
    /// [`BadSnapshot::Missing`], [`BadSnapshot::WrongState`].
    pub fn finish(self) -> Result<Opened, BadSnapshot> {
        if let Some(file) = self.expected() {
            return Err(BadSnapshot::Missing { file });
        }
        let missing = || BadSnapshot::Missing { file: MANIFEST.to_owned() };
        let (begun, walking) = (self.begun.ok_or_else(missing)?, self.opened.ok_or_else(missing)?);
        let (head, certificate) = walking.head.ok_or_else(missing)?;
        let state = walking
            .state
            .finish(self.chain_id, head.height, head.state_root)
            .map_err(|error| BadSnapshot::WrongState { height: head.height, reason: error.to_string() })?;
        let mut follower = Follower::at(&walking.genesis, head, state);
        follower.arrive(self.now);
        Ok(Opened { id: begun.id, genesis: walking.genesis, turns: walking.turns, certificate, follower })
    }

    fn manifest(&mut self, bytes: &[u8]) -> Result<(), BadSnapshot> {
        let manifest: Manifest = decode(MANIFEST, bytes, MAX_MANIFEST_BYTES)?;
        if manifest.version != VERSION {
            return Err(BadSnapshot::UnknownVersion { expected: VERSION, got: manifest.version });
        }
        self.of_this_network(MANIFEST, manifest.chain_id)?;
        let bad = |reason| Err(BadSnapshot::Manifest { reason });
        if manifest.headers.last().is_none_or(|head| head.height != manifest.height) {
            return bad("its last header is not that of its height");
        }
        if manifest.headers.len().saturating_sub(1) > limits::MAX_SNAPSHOT_TURNS {
            return bad("it has too many headers");
        }
        if manifest.chunks.is_empty() || manifest.chunks.len() > limits::MAX_SNAPSHOT_CHUNKS {
            return bad("it has no chunks, or too many");
        }
        self.begun = Some(Begun { id: manifest.hash(), manifest });
        Ok(())
    }

    fn genesis(&mut self, bytes: &[u8]) -> Result<(), BadSnapshot> {
        let genesis: Genesis = decode(GENESIS, bytes, limits::MAX_GENESIS_BYTES)?;
        self.of_this_network(GENESIS, genesis.chain_id())?;
        genesis
            .check()
            .map_err(|error| BadSnapshot::Malformed { file: GENESIS.to_owned(), reason: error.to_string() })?;
        let walk = Walk::new(&genesis, self.checkpoint, self.now);
        let (turns, state) = (Vec::new(), StateBuilder::default());
        self.opened = Some(Walking { genesis, walk, turns, head: None, state, chunks: 0, previous: None });
        Ok(())
    }

    fn of_this_network(&self, file: &str, got: Hash) -> Result<(), BadSnapshot> {
        let expected = self.chain_id;
        if got == expected { Ok(()) } else { Err(BadSnapshot::WrongNetwork { file: file.to_owned(), expected, got }) }
    }

    fn turn(&mut self, name: &str, bytes: &[u8]) -> Result<(), BadSnapshot> {
        let (Some(begun), Some(walking)) = (&self.begun, &mut self.opened) else { return Ok(()) };
        let turn: Turn = decode(name, bytes, MAX_TURN_BYTES)?;
        let file = || name.to_owned();
        if begun.manifest.headers.get(walking.turns.len()) != Some(&turn.header) {
            return Err(BadSnapshot::OtherHeader { file: file() });
        }
        walking.walk.turn(&turn).map_err(|error| BadSnapshot::Unauthorised { file: file(), error })?;
        walking.turns.push(turn);
        Ok(())
    }

    fn head(&mut self, bytes: &[u8]) -> Result<(), BadSnapshot> {
        let (Some(begun), Some(walking)) = (&self.begun, &mut self.opened) else { return Ok(()) };
        let (header, certificate): (Header, Certificate) = decode(HEAD, bytes, MAX_HEAD_BYTES)?;
        let file = || HEAD.to_owned();
        if begun.manifest.headers.last() != Some(&header) {
            return Err(BadSnapshot::OtherHeader { file: file() });
        }
        let end = walking.walk.end(&header, &certificate);
        end.map_err(|error| BadSnapshot::Unauthorised { file: file(), error })?;
        walking.head = Some((header, certificate));
        Ok(())
    }

    fn chunk(&mut self, at: usize, bytes: &[u8]) -> Result<(), BadSnapshot> {
        let (Some(begun), Some(walking)) = (&self.begun, &mut self.opened) else { return Ok(()) };
        let file = || chunk_name(at);
        let (expected, got) = (begun.manifest.chunks.get(at).copied(), ChunkId::of(bytes));
        if expected != Some(got) {
            let expected = expected.map_or(Hash::ZERO, |chunk| chunk.hash);
            return Err(BadSnapshot::OtherBytes { file: file(), expected, got: got.hash });
        }
        let entries: Vec<(Vec<u8>, Vec<u8>)> = decode(&file(), bytes, limits::SNAPSHOT_CHUNK_BYTES)?;
        let Some((first_key, first_value)) = entries.first() else {
            return Err(BadSnapshot::BadEntry { file: file(), index: 0, reason: "a chunk without entries".to_owned() });
        };
        let would_fit =
            |length: usize| length.saturating_add(entry_bytes(first_key, first_value)) <= limits::SNAPSHOT_CHUNK_BYTES;
        if walking.previous.is_some_and(would_fit) {
            let reason = "it belongs into the chunk before".to_owned();
            return Err(BadSnapshot::BadEntry { file: file(), index: 0, reason });
        }
        for (index, (key, value)) in entries.iter().enumerate() {
            let bad = |reason: String| BadSnapshot::BadEntry { file: file(), index, reason };
            walking.state.put_after(key, value).map_err(|error| bad(error.to_string()))?;
        }
        walking.previous = Some(bytes.len());
        walking.chunks = walking.chunks.saturating_add(1);
        Ok(())
    }
}

fn decode<T: BorshDeserialize>(file: &str, bytes: &[u8], limit: usize) -> Result<T, BadSnapshot> {
    codec::decode(bytes, limit)
        .map_err(|error| BadSnapshot::Malformed { file: file.to_owned(), reason: error.to_string() })
}
