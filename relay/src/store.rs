//! Verified blocks and the state after the newest, in one SQLite file.
//!
//! ```text
//! about   name → value        chain_id; pace: when the next snapshot is due; base: head of the snapshot that
//!                             this began with, there are blocks above it only
//! blocks  height → head (borsh Header ‖ Certificate), bytes (borsh CertifiedBlock)
//! turns   height → Turn       headers that change the validators
//! state   key → value         canonical bytes of the ledger, as of the newest block
//! ```
//!
//! A block and its changes of the state are written in one transaction. Everything here can be had again
//! from validators, so a loss of the newest blocks at a power cut is harmless; half a block is not, and
//! cannot happen.

use anyhow::{Context as _, bail, ensure};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::Certificate;
use fair_core::chain::follow::Step;
use fair_core::chain::genesis::Genesis;
use fair_core::chain::header::Header;
use fair_core::chain::snapshot::{Opened, Pace};
use fair_core::chain::walk::{MAX_TURN_BYTES, Turn};
use fair_core::codec;
use fair_core::types::{Hash, Height};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Version of the layout above.
const LAYOUT: u32 = 2;
const PACE: &str = "pace";
const BASE: &str = "base";
/// Longest header with its certificate.
const MAX_HEAD_BYTES: usize = fair_core::limits::MAX_HEADER_BYTES + fair_core::limits::MAX_CERTIFICATE_BYTES;

/// A key and value of the ledger as stored.
pub type Row = (Vec<u8>, Vec<u8>);

/// The newest header and certificate, and the whole state after that block.
pub type Stored = ((Header, Certificate), Vec<Row>);

/// What a block is stored with.
pub struct Beside<'a> {
    /// The state of genesis, with the first block.
    pub genesis_state: Vec<Row>,
    /// The change of validators that the block makes.
    pub turn: Option<Turn>,
    /// The pace of snapshots after it.
    pub pace: Pace,
    /// What it changes of the state.
    pub changes: &'a Step,
}

/// The open file. Reads and writes have a connection each.
pub struct Store {
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    /// Held as long as the store is open, so that no second process writes.
    _lock: File,
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A transaction that a panic left behind is rolled back by its own drop.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// Opens or makes the file in a folder.
    ///
    /// # Errors
    /// Another process has it open, it belongs to another network or a newer version, or the disk fails.
    pub fn open(folder: &Path, genesis: &Genesis) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).context("the folder cannot be made")?;
        let lock = take_lock(&folder.join("lock"))?;
        let path = folder.join("blocks.sqlite");
        let writer = connect(&path)?;
        prepare(&writer, genesis.chain_id())?;
        let reader = connect(&path)?;
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(reader), _lock: lock })
    }

    /// The newest block's header and certificate, with all keys and values of the state after it.
    ///
    /// # Errors
    /// The disk fails or the file is damaged.
    pub fn load(&self) -> anyhow::Result<Option<Stored>> {
        let connection = lock(&self.reader);
        let head: Option<Vec<u8>> = connection
            .query_row("SELECT head FROM blocks ORDER BY height DESC LIMIT 1", [], |row| row.get(0))
            .optional()?;
        let Some(head) = head.map_or_else(|| about(&connection, BASE), |head| Ok(Some(head)))? else {
            return Ok(None);
        };
        let head = codec::decode(&head, MAX_HEAD_BYTES).context("the newest stored header is damaged")?;
        let mut statement = connection.prepare("SELECT key, value FROM state")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        Ok(Some((head, rows)))
    }

    /// Begins with a snapshot that was verified: its state and its head, in one transaction.
    ///
    /// # Errors
    /// The disk fails; nothing is written then.
    pub fn begin(&self, opened: &Opened) -> rusqlite::Result<()> {
        let Some(head) = opened.follower.head() else { return Ok(()) };
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction()?;
        put_about(&transaction, BASE, &codec::encode(&(head, &opened.certificate)))?;
        put_about(&transaction, PACE, &Pace::default().encoded())?;
        for turn in &opened.turns {
            put_turn(&transaction, turn)?;
        }
        for (key, value) in opened.follower.encoded() {
            transaction.prepare_cached("INSERT INTO state (key, value) VALUES (?, ?)")?.execute(params![key, value])?;
        }
        transaction.commit()
    }

    /// Height of the snapshot that this began with; 0 when it began at genesis.
    ///
    /// # Errors
    /// The disk fails.
    pub fn base(&self) -> rusqlite::Result<Height> {
        let head = about(&lock(&self.reader), BASE)?;
        let head = head.and_then(|bytes| codec::decode::<(Header, Certificate)>(&bytes, MAX_HEAD_BYTES).ok());
        Ok(head.map_or(0, |(header, _)| header.height))
    }

    /// Where the pace of snapshots stands. A file of an older layout has none: its blocks are counted again.
    ///
    /// # Errors
    /// The disk fails or the file is damaged.
    pub fn pace(&self, genesis: &Genesis) -> anyhow::Result<Pace> {
        let connection = lock(&self.reader);
        if let Some(pace) = about(&connection, PACE)?.and_then(|bytes| Pace::decode(&bytes)) {
            return Ok(pace);
        }
        let mut pace = Pace::default();
        let mut statement = connection.prepare("SELECT bytes FROM blocks ORDER BY height")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let bytes: Vec<u8> = row.get(0)?;
            let certified: CertifiedBlock = codec::decode(&bytes, fair_core::limits::MAX_CERTIFIED_BLOCK_BYTES)?;
            pace = pace.after(&certified.block, &genesis.parameters).0;
        }
        Ok(pace)
    }

    /// All changes of validators below a height, lowest first.
    ///
    /// # Errors
    /// The disk fails or the file is damaged.
    pub fn turns_below(&self, height: Height) -> anyhow::Result<Vec<Turn>> {
        let connection = lock(&self.reader);
        let mut statement = connection.prepare("SELECT bytes FROM turns WHERE height < ? ORDER BY height")?;
        let rows = statement.query_map([i64::try_from(height)?], |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|bytes| Ok(codec::decode(&bytes?, MAX_TURN_BYTES)?)).collect()
    }

    /// Adds the next block with what belongs to it.
    ///
    /// # Errors
    /// The disk fails; nothing is written then.
    pub fn append(&self, certified: &CertifiedBlock, beside: Beside<'_>) -> rusqlite::Result<()> {
        let Beside { genesis_state, turn, pace, changes } = beside;
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction()?;
        {
            put_about(&transaction, PACE, &pace.encoded())?;
            if let Some(turn) = &turn {
                put_turn(&transaction, turn)?;
            }
            let head = codec::encode(&(&certified.block.header, &certified.certificate));
            let height = i64::try_from(certified.block.header.height)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            transaction
                .prepare_cached("INSERT INTO blocks (height, head, bytes) VALUES (?, ?, ?)")?
                .execute(params![height, head, codec::encode(certified)])?;
            let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)")?;
            let mut delete = transaction.prepare_cached("DELETE FROM state WHERE key = ?")?;
            for (key, value) in genesis_state {
                put.execute(params![key, value])?;
            }
            for (key, value) in changes.encoded_changes() {
                match value {
                    Some(value) => put.execute(params![key, value])?,
                    None => delete.execute(params![key])?,
                };
            }
        }
        transaction.commit()
    }

    /// Bytes of one block.
    ///
    /// # Errors
    /// The disk fails.
    pub fn block(&self, height: Height) -> rusqlite::Result<Option<Vec<u8>>> {
        let Ok(height) = i64::try_from(height) else { return Ok(None) };
        lock(&self.reader)
            .prepare_cached("SELECT bytes FROM blocks WHERE height = ?")?
            .query_row([height], |row| row.get(0))
            .optional()
    }

    /// Bytes of neighbouring blocks: at most `count`, none further once there are `enough_bytes`.
    ///
    /// # Errors
    /// The disk fails.
    pub fn blocks(&self, from: Height, count: u64, enough_bytes: usize) -> rusqlite::Result<Vec<Vec<u8>>> {
        self.range("SELECT bytes FROM blocks WHERE height >= ? ORDER BY height LIMIT ?", from, count, enough_bytes)
    }

    /// Bytes of neighbouring headers with their certificates.
    ///
    /// # Errors
    /// The disk fails.
    pub fn heads(&self, from: Height, count: u64) -> rusqlite::Result<Vec<Vec<u8>>> {
        self.range("SELECT head FROM blocks WHERE height >= ? ORDER BY height LIMIT ?", from, count, usize::MAX)
    }

    /// Bytes of the header and certificate of one height, that of the snapshot included.
    ///
    /// # Errors
    /// The disk fails.
    pub fn head(&self, height: Height) -> rusqlite::Result<Option<Vec<u8>>> {
        if height > 0 && height == self.base()? {
            return about(&lock(&self.reader), BASE);
        }
        let Ok(height) = i64::try_from(height) else { return Ok(None) };
        lock(&self.reader)
            .prepare_cached("SELECT head FROM blocks WHERE height = ?")?
            .query_row([height], |row| row.get(0))
            .optional()
    }

    fn range(&self, query: &str, from: Height, count: u64, enough_bytes: usize) -> rusqlite::Result<Vec<Vec<u8>>> {
        let (Ok(from), Ok(count)) = (i64::try_from(from), i64::try_from(count)) else { return Ok(Vec::new()) };
        let connection = lock(&self.reader);
        let mut statement = connection.prepare_cached(query)?;
        let mut rows = statement.query([from, count])?;
        let (mut found, mut bytes) = (Vec::new(), 0_usize);
        while let Some(row) = rows.next()? {
            let one: Vec<u8> = row.get(0)?;
            bytes = bytes.saturating_add(one.len());
            found.push(one);
            if bytes >= enough_bytes {
                break;
            }
        }
        Ok(found)
    }
}

fn about(connection: &Connection, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    connection.prepare_cached("SELECT value FROM about WHERE name = ?")?.query_row([name], |row| row.get(0)).optional()
}

fn put_about(connection: &Connection, name: &str, value: &[u8]) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached("INSERT OR REPLACE INTO about (name, value) VALUES (?, ?)")?;
    put.execute(params![name, value]).map(drop)
}

fn put_turn(connection: &Connection, turn: &Turn) -> rusqlite::Result<()> {
    let height =
        i64::try_from(turn.header.height).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let mut put = connection.prepare_cached("INSERT INTO turns (height, bytes) VALUES (?, ?)")?;
    put.execute(params![height, codec::encode(turn)]).map(drop)
}

fn take_lock(path: &PathBuf) -> anyhow::Result<File> {
    let file = File::create(path).context("the folder cannot be written to")?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another relay is using it"),
        Err(TryLockError::Error(error)) => Err(error).context("it cannot be locked"),
    }
}

fn connect(path: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(path).context("the database cannot be opened")?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL").context("the database cannot be used")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

fn prepare(connection: &Connection, chain_id: Hash) -> anyhow::Result<()> {
    let layout: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    ensure!(layout <= LAYOUT, "its data is of version {layout}, made by a newer relay; this one knows {LAYOUT}");
    if layout == 0 {
        connection.execute_batch(&format!(
            "BEGIN;
             CREATE TABLE about (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
             CREATE TABLE blocks (height INTEGER PRIMARY KEY, head BLOB NOT NULL, bytes BLOB NOT NULL) STRICT;
             CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
             INSERT INTO about VALUES ('chain_id', x'{chain_id}');
             PRAGMA user_version = 1;
             COMMIT;"
        ))?;
    }
    if layout <= 1 {
        connection.execute_batch(&format!(
            "BEGIN;
             CREATE TABLE turns (height INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
             PRAGMA user_version = {LAYOUT};
             COMMIT;"
        ))?;
    }
    let stored: Vec<u8> =
        connection.query_row("SELECT value FROM about WHERE name = 'chain_id'", [], |row| row.get(0))?;
    ensure!(
        stored == chain_id.0,
        "it holds another network's blocks ({}), not those of {chain_id}; use another folder or the right --genesis",
        stored.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    );
    Ok(())
}
