//! `onchain/db.sqlite`: what validators, and all others that follow the chain, store of it.
//!
//! ```text
//! table     key                                  value
//! meta      "chain_id"                           32 bytes
//! meta      "base"                               Header │ Certificate of the snapshot that this began with
//! meta      "pace"                               Pace: when the next snapshot is due; validators only
//! meta      "silent"                             u64 be: time of a block after which this may sign; here from a
//!                                                snapshot, or a first block of others, until there is such a block
//! blocks    height u64 big endian                CertifiedBlock
//! state     encoded ledger key                   encoded ledger value, after the head
//! log       height u64 be │ index u64 be         consensus LogEntry, of the height after the head
//! signed    height u64 be │ round u32 be │ step  digest of what was signed, 32 bytes
//! evidence  height u64 be │ block hash           a CertifiedBlock that contradicts ours
//! undo      height u64 be                        what leads back to the state before that block; empty if too long
//! turns     height u64 be                        Turn: a header that changes the validators; validators only
//! outcomes  height u64 be                        BatchOutcomes │ Openings of that block; not validators
//! ```
//!
//! The head is the last block, or the base when there is none after it: then only blocks above the base are
//! here. Block, state changes, undo and the end of that height's log are one commit.
//! Undos are kept for K.proof_window_heights, so that a restarted process still answers for those heights.

use super::{Pair, Reader, Store, StoreError, Table, Write};
use crate::clock;
use crate::error::NodeError;
use crate::limits;
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::Certificate;
use fair_core::chain::follow::{Follower, Step as WorkedOut};
use fair_core::chain::genesis::Genesis;
use fair_core::chain::header::Header;
use fair_core::chain::snapshot::{Opened, Pace};
use fair_core::chain::walk::{MAX_TURN_BYTES, Turn};
use fair_core::codec;
use fair_core::consensus::{LogEntry, Slot, Step};
use fair_core::ledger::receipt::{BatchOutcome, Opening};
use fair_core::types::{Hash, Height, TimeMs};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Layouts of the file, oldest first.
pub(crate) const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE meta (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE blocks (key BLOB PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE log (key BLOB PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE signed (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE evidence (key BLOB PRIMARY KEY, value BLOB NOT NULL);
",
    "
    CREATE TABLE undo (key BLOB PRIMARY KEY, value BLOB NOT NULL);
",
    "
    CREATE TABLE turns (key BLOB PRIMARY KEY, value BLOB NOT NULL);
",
    "
    CREATE TABLE outcomes (key BLOB PRIMARY KEY, value BLOB NOT NULL);
",
];

const META: Table = Table("meta");
const BLOCKS: Table = Table("blocks");
const STATE: Table = Table("state");
const LOG: Table = Table("log");
const SIGNED: Table = Table("signed");
const EVIDENCE: Table = Table("evidence");
const UNDO: Table = Table("undo");
const TURNS: Table = Table("turns");
const OUTCOMES: Table = Table("outcomes");
const CHAIN_ID: &[u8] = b"chain_id";
const BASE: &[u8] = b"base";
const PACE: &[u8] = b"pace";
const SILENT: &[u8] = b"silent";
/// Longest header with its certificate.
const MAX_HEAD_BYTES: usize = fair_core::limits::MAX_HEADER_BYTES + fair_core::limits::MAX_CERTIFICATE_BYTES;
/// Longest outcomes of one block: each of its operations says at most five times what it is told with, and each of the
/// disputes that it ends at most eight times the bytes that its work counts for.
const MAX_OUTCOMES_BYTES: usize = 16 * fair_core::limits::MAX_BLOCK_BYTES;
/// Longest log line: a block and what comes with it.
const MAX_LOG_BYTES: usize = fair_core::limits::MAX_CONSENSUS_MESSAGE_BYTES;

/// What became of batches, and what fell due.
pub(crate) type Outcomes = (Vec<BatchOutcome>, Vec<Opening>);

/// A header and why it may be believed.
pub(crate) type Head = (Header, Certificate);

/// What a start finds.
pub(crate) struct Found {
    pub(crate) follower: Follower,
    pub(crate) head: Option<Head>,
    pub(crate) log: Vec<LogEntry>,
    pub(crate) signed: Vec<(Slot, Hash)>,
}

/// Opens the database of a chain, or makes it, and reads where it stands.
pub(crate) async fn open(path: &Path, genesis: &Genesis) -> Result<(Store, Found), NodeError> {
    let store = Store::open(path, MIGRATIONS)?;
    let reader = store.reader()?;
    let chain_id = genesis.chain_id();
    match reader.get(META, CHAIN_ID)? {
        None => {
            let initial = Follower::new(genesis);
            let mut writes: Vec<Write> =
                initial.encoded().map(|(key, value)| Write::Put { table: STATE, key, value }).collect();
            writes.push(Write::Keep { table: META, key: CHAIN_ID.to_vec(), value: chain_id.0.to_vec() });
            store.commit(writes).await?;
        }
        Some(stored) if stored == chain_id.0 => {}
        Some(stored) => {
            return Err(NodeError::WrongGenesis {
                path: path.to_owned(),
                stored: hex::encode(stored),
                genesis: chain_id.to_string(),
            });
        }
    }
    let found = read(&reader, path, genesis)?;
    Ok((store, found))
}

/// The chain as a database has it, whose process may run meanwhile.
pub(crate) fn look(path: &Path, genesis: &Genesis) -> Result<Follower, NodeError> {
    let reader = Reader::open(path)?;
    reader.stand_still()?;
    Ok(read(&reader, path, genesis)?.follower)
}

/// Blocks whose time lies this much after a start were proposed after it, whatever the clocks of those who voted for
/// them, and ours, say: each may be off by the drift.
const SILENCE_MS: u64 = 2 * fair_core::limits::CLOCK_DRIFT_MS;

/// Makes a new database begin with a snapshot that was verified: state, head and what led to it are one commit.
pub(crate) async fn begin(path: &Path, opened: &Opened) -> Result<(), NodeError> {
    let follower = &opened.follower;
    let Some(head) = follower.head() else { return Ok(()) };
    let store = Store::open(path, MIGRATIONS)?;
    let mut writes: Vec<Write> =
        follower.encoded().map(|(key, value)| Write::Keep { table: STATE, key, value }).collect();
    let meta = |key: &[u8], value| Write::Keep { table: META, key: key.to_vec(), value };
    writes.push(meta(CHAIN_ID, head.chain_id.0.to_vec()));
    writes.push(meta(BASE, codec::encode(&(head, &opened.certificate))));
    writes.push(meta(PACE, Pace::default().encoded()));
    writes.push(silence(silent_after(clock::now_ms())));
    writes.extend(opened.turns.iter().map(turn_write));
    Ok(store.commit(writes).await?)
}

/// Time of a block that was proposed after this time, whatever clocks say.
pub(crate) const fn silent_after(now_ms: TimeMs) -> TimeMs {
    now_ms.saturating_add(SILENCE_MS)
}

/// What begins a silence.
pub(crate) fn silence(until_ms: TimeMs) -> Write {
    Write::Put { table: META, key: SILENT.to_vec(), value: until_ms.to_be_bytes().to_vec() }
}

/// Time of the first block after which a home that does not know what it signed may sign again; `None`: it may.
pub(crate) fn silent_until(store: &Store) -> Result<Option<TimeMs>, StoreError> {
    let stored = store.reader()?.get(META, SILENT)?;
    Ok(stored.map(|bytes| <[u8; 8]>::try_from(bytes).map_or(TimeMs::MAX, TimeMs::from_be_bytes)))
}

/// The end of that, in the commit of the block that brings it, or by the word of an operator.
pub(crate) fn silence_ends() -> Write {
    Write::Delete { table: META, key: SILENT.to_vec() }
}

/// Whether a database has anything to continue from.
pub(crate) fn has_begun(path: &Path) -> Result<bool, NodeError> {
    if !path.exists() {
        return Ok(false);
    }
    drop(Store::open(path, MIGRATIONS)?);
    Ok(Reader::open(path)?.get(META, CHAIN_ID)?.is_some())
}

fn turn_write(turn: &Turn) -> Write {
    let key = height_key(turn.header.height).to_vec();
    Write::Keep { table: TURNS, key, value: codec::encode(turn) }
}

/// What snapshots are made of, beside the state: what a validator stores with every block. `follower` is
/// before the block. `true`: a snapshot is due after it.
pub(crate) fn snapshot_writes(certified: &CertifiedBlock, follower: &Follower, pace: &mut Pace) -> (Vec<Write>, bool) {
    let (next, is_due) = pace.after(&certified.block, follower.state().parameters());
    *pace = next;
    let mut writes = vec![Write::Put { table: META, key: PACE.to_vec(), value: next.encoded() }];
    writes.extend(Turn::of(follower.state(), certified).as_ref().map(turn_write));
    (writes, is_due)
}

/// Where the pace of snapshots stands. A file of an older layout has none: its blocks are counted again.
pub(crate) fn pace(store: &Store, genesis: &Genesis) -> Result<Pace, NodeError> {
    let reader = store.reader()?;
    if let Some(pace) = reader.get(META, PACE)?.and_then(|bytes| Pace::decode(&bytes)) {
        return Ok(pace);
    }
    let mut pace = Pace::default();
    let blocks = Blocks { reader: Arc::new(reader), first: 1 };
    blocks.each_from(1, Height::MAX, |certified| pace = pace.after(&certified.block, &genesis.parameters).0)?;
    Ok(pace)
}

/// A stored block.
pub(crate) fn block(store: &Store, height: Height) -> Result<Option<CertifiedBlock>, StoreError> {
    store.reader()?.get(BLOCKS, &height_key(height))?.map(|bytes| decode_block(&bytes)).transpose()
}

/// All changes of validators below a height, lowest first.
pub(crate) fn turns_below(store: &Store, height: Height) -> Result<Vec<Turn>, NodeError> {
    let damaged = |reason: String| NodeError::Damaged { path: store.path().to_owned(), reason };
    let stored = store.reader()?.range(TURNS, &height_key(0), &height_key(height))?;
    let decode = |(_, bytes): &Pair| codec::decode(bytes, MAX_TURN_BYTES).map_err(|error| damaged(error.to_string()));
    stored.iter().map(decode).collect()
}

fn read(reader: &Reader, path: &Path, genesis: &Genesis) -> Result<Found, NodeError> {
    let damaged = |reason: String| NodeError::Damaged { path: path.to_owned(), reason };
    let head = newest_head(reader)?;
    let follower = match &head {
        None => Follower::new(genesis),
        Some((head, _)) => {
            let stored = reader.range(STATE, &[], &[0xFF; 64])?;
            let pairs = stored.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
            let mut follower =
                Follower::restore(genesis, head.clone(), pairs).map_err(|error| damaged(error.to_string()))?;
            let recent = recent(reader, &follower)?;
            follower.recall(recent).map_err(|error| damaged(error.to_string()))?;
            follower
        }
    };
    let next = follower.height().saturating_add(1);
    let lines = reader.range(LOG, &height_key(next), &height_key(next.saturating_add(1)))?;
    let log = lines
        .iter()
        .map(|(_, line)| codec::decode(line, MAX_LOG_BYTES).map_err(|error| damaged(format!("log: {error}"))))
        .collect::<Result<_, _>>()?;
    let slots = reader.range(SIGNED, &height_key(next), &[0xFF; 13])?;
    let signed = slots
        .iter()
        .map(|(key, content)| slot(key, content).ok_or_else(|| damaged("a record of what was signed".to_owned())))
        .collect::<Result<_, _>>()?;
    Ok(Found { follower, head, log, signed })
}

/// Stored headers with their undos, newest first, as far back as undos lead: a file of an older layout
/// has none for its old blocks, nor has a base. The oldest header needs no undo.
fn recent(reader: &Reader, follower: &Follower) -> Result<Vec<(Header, Vec<u8>)>, StoreError> {
    let head = follower.height();
    let oldest = head.saturating_sub(proof_window(follower));
    let (from, until) = (height_key(oldest), height_key(head.saturating_add(1)));
    let mut undos: BTreeMap<Vec<u8>, Vec<u8>> = reader.range(UNDO, &from, &until)?.into_iter().collect();
    let base = base(reader)?.filter(|(header, _)| header.height >= oldest);
    let mut headers: Vec<Header> = base.map(|(header, _)| header).into_iter().collect();
    let mut failed = None;
    reader.walk(BLOCKS, &from, &until, |_, bytes| match decode_block(bytes) {
        Ok(certified) => {
            headers.push(certified.block.header);
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(()), Err)?;
    let mut recent = Vec::new();
    for header in headers.into_iter().rev() {
        let undo = undos.remove(height_key(header.height).as_slice());
        let is_oldest = undo.is_none();
        recent.push((header, undo.unwrap_or_default()));
        if is_oldest {
            break;
        }
    }
    Ok(recent)
}

fn proof_window(follower: &Follower) -> u64 {
    u64::from(follower.state().parameters().proof_window_heights)
}

/// Of the last block, or the base.
fn newest_head(reader: &Reader) -> Result<Option<Head>, StoreError> {
    match reader.last(BLOCKS)? {
        Some((_, bytes)) => decode_block(&bytes).map(|newest| Some((newest.block.header, newest.certificate))),
        None => base(reader),
    }
}

/// The head of the snapshot that this began with.
fn base(reader: &Reader) -> Result<Option<Head>, StoreError> {
    let decode = |bytes: Vec<u8>| codec::decode(&bytes, MAX_HEAD_BYTES);
    let damaged = |error: codec::DecodeError| StoreError::Database { path: "meta".into(), reason: error.to_string() };
    reader.get(META, BASE)?.map(decode).transpose().map_err(damaged)
}

fn decode_block(bytes: &[u8]) -> Result<CertifiedBlock, StoreError> {
    codec::decode(bytes, fair_core::limits::MAX_CERTIFIED_BLOCK_BYTES)
        .map_err(|error| StoreError::Database { path: "blocks".into(), reason: error.to_string() })
}

/// Block, undo, state, and the end of its height's log: one commit. The block was worked out by `follower`.
pub(crate) fn block_writes(certified: &CertifiedBlock, worked_out: &WorkedOut, follower: &Follower) -> Vec<Write> {
    let height = certified.block.header.height;
    let key = height_key(height).to_vec();
    let mut writes = vec![
        Write::Keep { table: BLOCKS, key: key.clone(), value: codec::encode(certified) },
        Write::Keep { table: UNDO, key, value: worked_out.encoded_undo() },
    ];
    writes.extend(worked_out.encoded_changes().map(|(key, value)| match value {
        Some(value) => Write::Put { table: STATE, key, value },
        None => Write::Delete { table: STATE, key },
    }));
    let until = height_key(height.saturating_add(1)).to_vec();
    writes.push(Write::DeleteRange { table: LOG, from: Vec::new(), until });
    let old = height_key(height.saturating_sub(limits::SIGNED_HEIGHTS)).to_vec();
    writes.push(Write::DeleteRange { table: SIGNED, from: Vec::new(), until: old });
    let forgotten = height_key(height.saturating_sub(proof_window(follower))).to_vec();
    writes.push(Write::DeleteRange { table: UNDO, from: Vec::new(), until: forgotten });
    writes
}

/// What became of a block, for a machine that does not hear of it before the process dies.
pub(crate) fn outcome_writes(height: Height, worked_out: &WorkedOut) -> Vec<Write> {
    let key = height_key(height).to_vec();
    let forgotten = height_key(height.saturating_sub(limits::OUTCOME_HEIGHTS)).to_vec();
    vec![
        Write::Keep { table: OUTCOMES, key, value: codec::encode(&(worked_out.outcomes(), worked_out.openings())) },
        Write::DeleteRange { table: OUTCOMES, from: Vec::new(), until: forgotten },
    ]
}

/// What became of the blocks above a height, as far back as it is kept.
pub(crate) fn outcomes_above(store: &Store, height: Height) -> Result<Outcomes, NodeError> {
    let damaged = |reason: String| NodeError::Damaged { path: store.path().to_owned(), reason };
    let mut all = Outcomes::default();
    for (_, bytes) in store.reader()?.range(OUTCOMES, &height_key(height.saturating_add(1)), &[0xFF; 9])? {
        let (outcomes, openings): Outcomes =
            codec::decode(&bytes, MAX_OUTCOMES_BYTES).map_err(|error| damaged(error.to_string()))?;
        all.0.extend(outcomes);
        all.1.extend(openings);
    }
    Ok(all)
}

/// A line of the consensus log.
pub(crate) fn log_write(height: Height, index: u64, entry: &LogEntry) -> Write {
    let mut key = height_key(height).to_vec();
    key.extend(index.to_be_bytes());
    Write::Keep { table: LOG, key, value: codec::encode(entry) }
}

/// What was signed for a slot; another thing for it fails the commit.
pub(crate) fn signed_write(slot: &Slot, content: &Hash) -> Write {
    let mut key = height_key(slot.height).to_vec();
    key.extend(slot.round.to_be_bytes());
    key.push(match slot.step {
        Step::Propose => 0,
        Step::Prevote => 1,
        Step::Precommit => 2,
    });
    Write::Keep { table: SIGNED, key, value: content.0.to_vec() }
}

/// A certified block that contradicts ours.
pub(crate) fn evidence_write(certified: &CertifiedBlock) -> Write {
    let header = &certified.block.header;
    let mut key = height_key(header.height).to_vec();
    key.extend(header.hash().0);
    Write::Put { table: EVIDENCE, key, value: codec::encode(certified) }
}

const fn height_key(height: Height) -> [u8; 8] {
    height.to_be_bytes()
}

fn slot(key: &[u8], content: &[u8]) -> Option<(Slot, Hash)> {
    let (height, rest) = key.split_first_chunk::<8>()?;
    let (round, step) = rest.split_first_chunk::<4>()?;
    let step = match step {
        [0] => Step::Propose,
        [1] => Step::Prevote,
        [2] => Step::Precommit,
        _ => return None,
    };
    let slot = Slot { height: u64::from_be_bytes(*height), round: u32::from_be_bytes(*round), step };
    Some((slot, Hash(content.try_into().ok()?)))
}

/// Blocks as they are stored, for those who ask.
#[derive(Clone)]
pub(crate) struct Blocks {
    reader: Arc<Reader>,
    first: Height,
}

impl Blocks {
    pub(crate) fn new(store: &Store) -> Result<Self, StoreError> {
        let reader = store.reader()?;
        let first = base(&reader)?.map_or(1, |(header, _)| header.height.saturating_add(1));
        Ok(Self { reader: Arc::new(reader), first })
    }

    /// The lowest height of which there is, or will be, a block: 1, or the one after the snapshot.
    pub(crate) const fn first(&self) -> Height {
        self.first
    }

    /// The bytes of one certified block.
    pub(crate) fn at(&self, height: Height) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader.get(BLOCKS, &height_key(height))
    }

    /// The bytes of consecutive certified blocks, as many as fit, at least one if there is one.
    pub(crate) fn from(&self, height: Height, count: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        let until = height.saturating_add(count.min(limits::BLOCKS_PER_ANSWER));
        let mut blocks: Vec<Vec<u8>> = Vec::new();
        let mut bytes = 0_usize;
        self.reader.walk(BLOCKS, &height_key(height), &height_key(until), |_, block| {
            bytes = bytes.saturating_add(block.len());
            if !blocks.is_empty() && bytes > limits::BYTES_PER_ANSWER {
                return ControlFlow::Break(());
            }
            blocks.push(block.to_vec());
            ControlFlow::Continue(())
        })?;
        Ok(blocks)
    }

    /// Consecutive certified blocks, decoded one at a time.
    pub(crate) fn each_from(
        &self,
        height: Height,
        count: u64,
        mut each: impl FnMut(CertifiedBlock),
    ) -> Result<(), StoreError> {
        let until = height.saturating_add(count);
        let mut failed = None;
        self.reader.walk(BLOCKS, &height_key(height), &height_key(until), |_, bytes| match decode_block(bytes) {
            Ok(block) => {
                each(block);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(()), Err)
    }
}

/// Height and hash of the newest block of a database, for a process that does not run.
pub(crate) fn stored_head(path: &Path) -> Result<Option<(Height, Hash)>, NodeError> {
    let reader = Reader::open(path)?;
    let head = newest_head(&reader)?;
    Ok(head.map(|(header, _)| (header.height, header.hash())))
}

#[cfg(test)]
mod tests;
