//! `offchain/db.sqlite`: the records of a machine.
//!
//! ```text
//! table    key                  value
//! meta     "chain_id", "key"    32 bytes each: whose records of which network these are
//! meta     "told"               height u64 be: the newest block with outcomes that the machine was told of
//! records  as the machine says  as the machine says
//! records  0xF0 │ number u64    the journal: what is read when somebody asks for it, not at the start
//! ```

use crate::error::NodeError;
use crate::store::{Reader, Store, StoreError, Table, Write};
use fair_core::effect;
use fair_core::types::{Hash, Height, PublicKey};
use std::path::Path;

/// Layouts of the file, oldest first.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE meta (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE records (key BLOB PRIMARY KEY, value BLOB NOT NULL);
"];

const META: Table = Table("meta");
const TOLD: &[u8] = b"told";
const RECORDS: Table = Table("records");
/// First byte of the journal's keys; those of all other records are less.
const JOURNAL: u8 = 0xF0;

/// Keys and values as they were stored.
pub(crate) type Records = Vec<(Vec<u8>, Vec<u8>)>;

/// Whether there is a database to continue from.
pub(crate) fn have_begun(path: &Path) -> Result<bool, NodeError> {
    if !path.exists() {
        return Ok(false);
    }
    Ok(Store::open(path, MIGRATIONS)?.reader()?.get(META, b"chain_id")?.is_some())
}

/// Opens the database and reads all records. One that is made now begins with `first`.
pub(crate) async fn open(
    path: &Path,
    chain_id: Hash,
    key: PublicKey,
    first: Records,
) -> Result<(Store, Records), NodeError> {
    let store = Store::open(path, MIGRATIONS)?;
    let reader = store.reader()?;
    let stored = reader.get(META, b"chain_id")?.zip(reader.get(META, b"key")?);
    match stored {
        None => {
            let keep =
                |name: &[u8], value: [u8; 32]| Write::Keep { table: META, key: name.to_vec(), value: value.to_vec() };
            let mut writes = vec![keep(b"chain_id", chain_id.0), keep(b"key", key.0)];
            writes.extend(first.into_iter().map(|(key, value)| Write::Put { table: RECORDS, key, value }));
            store.commit(writes).await?;
        }
        Some((stored, _)) if stored != chain_id.0 => {
            return Err(NodeError::WrongGenesis {
                path: path.to_owned(),
                stored: hex::encode(stored),
                genesis: chain_id.to_string(),
            });
        }
        Some((_, stored)) if stored != key.0 => {
            let reason = format!("it holds the channels of {}, not those of {key}", hex::encode(stored));
            return Err(NodeError::Content { path: path.to_owned(), reason });
        }
        Some(_) => {}
    }
    let records = reader.range(RECORDS, &[], &[JOURNAL])?;
    Ok((store, records))
}

/// The newest block with outcomes that the machine was told of; 0: none.
pub(super) fn told(store: &Store) -> Result<Height, NodeError> {
    let damaged = || NodeError::Damaged { path: store.path().to_owned(), reason: "a height".to_owned() };
    let stored = store.reader()?.get(META, TOLD)?;
    stored.map_or(Ok(0), |bytes| bytes.try_into().map(Height::from_be_bytes).map_err(|_| damaged()))
}

/// The machine was told of a block: of one commit with what that came to.
pub(super) fn told_write(height: Height) -> Write {
    Write::Put { table: META, key: TOLD.to_vec(), value: height.to_be_bytes().to_vec() }
}

/// Reads the lines of a machine's journal that are durable.
pub(crate) struct Journal(Reader);

impl Journal {
    pub(crate) fn of(store: &Store) -> Result<Self, StoreError> {
        Ok(Self(store.reader()?))
    }

    /// The key of a line.
    pub(crate) fn key(number: u64) -> Vec<u8> {
        let mut key = vec![JOURNAL];
        key.extend_from_slice(&number.to_be_bytes());
        key
    }

    /// Number of the newest line; 0 when there is none.
    pub(crate) fn last(&self) -> Result<u64, StoreError> {
        let last = self.0.last(RECORDS)?;
        let number = last.and_then(|(key, _)| match key.split_first() {
            Some((&JOURNAL, number)) => <[u8; 8]>::try_from(number).ok(),
            _ => None,
        });
        Ok(number.map_or(0, u64::from_be_bytes))
    }

    /// Number of the oldest line; `None` when there is none.
    pub(crate) fn first(&self) -> Result<Option<u64>, StoreError> {
        let mut first = None;
        self.0.walk(RECORDS, &[JOURNAL], &[JOURNAL + 1], |key, _| {
            let number = key.split_first().and_then(|(_, number)| <[u8; 8]>::try_from(number).ok());
            first = number.map(u64::from_be_bytes);
            std::ops::ControlFlow::Break(())
        })?;
        Ok(first)
    }

    /// The lines after one, oldest first, not more than `most`.
    pub(crate) fn after(&self, number: u64, most: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut lines = Vec::new();
        let from = Self::key(number.saturating_add(1));
        self.0.walk(RECORDS, &from, &[JOURNAL + 1], |_, line| {
            if lines.len() < most {
                lines.push(line.to_vec());
            }
            if lines.len() < most { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) }
        })?;
        Ok(lines)
    }
}

/// A machine's write as the store takes it.
pub(super) fn writes(write: effect::Write) -> impl Iterator<Item = Write> {
    let puts = write.puts.into_iter().map(|(key, value)| Write::Put { table: RECORDS, key, value });
    puts.chain(write.deletes.into_iter().map(|key| Write::Delete { table: RECORDS, key }))
}
