//! Durable key/value tables in SQLite with one writer thread and group commit.
//!
//! A host turns the writes of one input into one [`Store::commit`], waits until it is durable, and only
//! then sends. The writer takes all commits that wait and makes them one transaction (WAL,
//! `synchronous=FULL`); each is whole or not at all, and they become durable in the order in which they
//! were handed in.
//!
//! Layout: each table is `(key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID`, keys compare as bytes.
//! `PRAGMA user_version` is the number of migrations that were applied: an older file is migrated, a newer
//! one refused.
//!
//! **Invariant**: after an error of the disk the store accepts nothing more; the process stops and
//! continues from what is durable.

mod migrations;
pub(crate) mod onchain;
mod writer;

use crate::limits;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// A table's name. Tables are made by migrations only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Table(pub(crate) &'static str);

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Sets a value.
    Put {
        /// Where.
        table: Table,
        /// Key.
        key: Vec<u8>,
        /// Value.
        value: Vec<u8>,
    },
    /// Sets a value that never changes: another one already there fails the whole commit.
    Keep {
        /// Where.
        table: Table,
        /// Key.
        key: Vec<u8>,
        /// Value.
        value: Vec<u8>,
    },
    /// Removes a value, if there is one.
    Delete {
        /// Where.
        table: Table,
        /// Key.
        key: Vec<u8>,
    },
    /// Removes all values of `from ≤ key < until`.
    DeleteRange {
        /// Where.
        table: Table,
        /// First key.
        from: Vec<u8>,
        /// First key that stays.
        until: Vec<u8>,
    },
}

impl Write {
    /// Whether what is stored already may be a reason to refuse it.
    const fn may_conflict(&self) -> bool {
        matches!(self, Self::Keep { .. })
    }
}

/// Why something is not stored, or not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// No space.
    #[error("{}: the disk is full; nothing of the last step was kept", path.display())]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// The file went away under a running process.
    #[error("{}: the database file is gone; nothing more is accepted", path.display())]
    Gone {
        /// The database.
        path: PathBuf,
    },
    /// Written by a newer program.
    #[error("{}: has layout {found}; this program knows layouts up to {known}. Use a newer program", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its layout.
        found: usize,
        /// The newest layout known.
        known: usize,
    },
    /// Something else is on record.
    #[error("{table} already holds another value for {key}; the commit was refused")]
    Conflict {
        /// The table.
        table: &'static str,
        /// The key in hexadecimal.
        key: String,
    },
    /// Anything else that SQLite says.
    #[error("{}: {reason}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What it says.
        reason: String,
    },
    /// The writer stopped after an earlier error.
    #[error("{}: the database stopped after an earlier error", path.display())]
    Stopped {
        /// The database.
        path: PathBuf,
    },
}

impl StoreError {
    fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full { path },
            _ => Self::Database { path, reason: error.to_string() },
        }
    }
}

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// A commit on its way to the writer.
struct Job {
    writes: Vec<Write>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// Writes in line for the disk.
pub(crate) struct HandedIn {
    path: PathBuf,
    result: oneshot::Receiver<Result<(), StoreError>>,
}

impl HandedIn {
    /// Returns when they are durable.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub(crate) async fn durable(self) -> Result<(), StoreError> {
        self.result.await.map_err(|_| StoreError::Stopped { path: self.path })?
    }
}

/// What became durable since the database was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Stored {
    /// Transactions, each with one flush to the disk.
    pub(crate) commits: u64,
    /// Rows that were put or deleted in them.
    pub(crate) rows: u64,
    /// Bytes of their keys and values.
    pub(crate) bytes: u64,
}

impl Stored {
    fn add(&mut self, write: &Write) {
        let bytes = match write {
            Write::Put { key, value, .. } | Write::Keep { key, value, .. } => key.len().saturating_add(value.len()),
            Write::Delete { key, .. } => key.len(),
            Write::DeleteRange { from, until, .. } => from.len().saturating_add(until.len()),
        };
        self.rows = self.rows.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes.try_into().unwrap_or(u64::MAX));
    }
}

/// Looks at what a database has stored. Clones look at the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<Mutex<Stored>>);

impl Counter {
    pub(crate) fn read(&self) -> Stored {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more transaction.
    fn count<'a>(&self, writes: impl Iterator<Item = &'a Write>) {
        let mut stored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stored.commits = stored.commits.saturating_add(1);
        writes.for_each(|write| stored.add(write));
    }
}

/// A database: the way to its writer.
pub(crate) struct Store {
    path: PathBuf,
    counter: Counter,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens or makes a database and brings it to the newest layout. `migrations` are numbered by their
    /// place; the list only ever grows.
    pub(crate) fn open(path: &Path, migrations: &'static [&'static str]) -> Result<Self, StoreError> {
        let error = |error| StoreError::of(path, &error);
        let mut connection = Connection::open(path).map_err(error)?;
        configure(&connection).map_err(error)?;
        migrations::apply(&mut connection, path, migrations)?;
        let (jobs, waiting) = mpsc::channel(limits::STORE_QUEUE);
        let counter = Counter::default();
        let writer = writer::Writer::new(connection, path.to_owned(), counter.clone())?;
        let writer = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(waiting))
            .map_err(|error| StoreError::Database { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self { path: path.to_owned(), counter, jobs: Some(jobs), writer: Some(writer) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn counter(&self) -> Counter {
        self.counter.clone()
    }

    /// Makes the writes durable, all or none. Returns when they are.
    ///
    /// # Errors
    /// [`StoreError::Conflict`]: this commit was refused, others go on. All others: the store has stopped.
    pub(crate) async fn commit(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        if writes.is_empty() {
            return Ok(());
        }
        self.hand_in(writes).await?.durable().await
    }

    /// Puts the writes in line, behind all that were handed in before: for hosts that work on the next
    /// input meanwhile. What depends on them leaves after [`HandedIn::durable`]. Waits when the line is
    /// full.
    ///
    /// # Errors
    /// [`StoreError::Stopped`].
    pub(crate) async fn hand_in(&self, writes: Vec<Write>) -> Result<HandedIn, StoreError> {
        let stopped = || StoreError::Stopped { path: self.path.clone() };
        let (done, result) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(Job { writes, done }).await.map_err(|_| stopped())?;
        Ok(HandedIn { path: self.path.clone(), result })
    }

    /// A connection for reading what is committed.
    pub(crate) fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.path)
    }
}

impl Drop for Store {
    /// Lets the writer finish what was handed in.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// Reads what is committed. One query at a time.
pub(crate) struct Reader {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Reader {
    /// Opens an existing database for reading.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| StoreError::of(path, &error))?;
        connection
            .execute_batch("PRAGMA query_only = 1; PRAGMA busy_timeout = 5000;")
            .map_err(|error| StoreError::of(path, &error))?;
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection) })
    }

    /// From the next reading on, everything is as it was then, whatever a process writes.
    pub(crate) fn stand_still(&self) -> Result<(), StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.execute_batch("BEGIN").map_err(|error| StoreError::of(&self.path, &error))
    }

    /// The value of a key.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = format!("SELECT value FROM {} WHERE key = ?1", table.0);
        connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_row([key], |row| row.get(0)).optional())
            .map_err(|error| StoreError::of(&self.path, &error))
    }

    /// Walks through `from ≤ key < until` in order until `each` says to stop.
    pub(crate) fn walk(
        &self,
        table: Table,
        from: &[u8],
        until: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> std::ops::ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = format!("SELECT key, value FROM {} WHERE key >= ?1 AND key < ?2 ORDER BY key", table.0);
        let mut run = || {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([from, until])?;
            while let Some(row) = rows.next()? {
                let (key, value) = (row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
                if each(key, value).is_break() {
                    break;
                }
            }
            Ok(())
        };
        run().map_err(|error: rusqlite::Error| StoreError::of(&self.path, &error))
    }

    /// The pair with the greatest key.
    pub(crate) fn last(&self, table: Table) -> Result<Option<Pair>, StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = format!("SELECT key, value FROM {} ORDER BY key DESC LIMIT 1", table.0);
        connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional())
            .map_err(|error| StoreError::of(&self.path, &error))
    }

    /// All pairs of `from ≤ key < until` in order.
    pub(crate) fn range(&self, table: Table, from: &[u8], until: &[u8]) -> Result<Vec<Pair>, StoreError> {
        let mut found = Vec::new();
        self.walk(table, from, until, |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            std::ops::ControlFlow::Continue(())
        })?;
        Ok(found)
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA busy_timeout = 5000;
         PRAGMA foreign_keys = ON;",
    )
}

#[cfg(test)]
mod tests;
