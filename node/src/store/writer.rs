//! The one thread that writes.

use super::{Counter, Job, StoreError, Table, Write};
use crate::limits;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

pub(super) struct Writer {
    connection: Connection,
    path: PathBuf,
    /// Which file it was when it was opened.
    inode: u64,
    counter: Counter,
}

impl Writer {
    pub(super) fn new(connection: Connection, path: PathBuf, counter: Counter) -> Result<Self, StoreError> {
        let inode = inode(&path).ok_or_else(|| StoreError::Gone { path: path.clone() })?;
        Ok(Self { connection, path, inode, counter })
    }

    /// Takes commits until nobody is left who could hand one in, or the disk fails.
    pub(super) fn run(mut self, mut waiting: mpsc::Receiver<Job>) {
        while let Some(first) = waiting.blocking_recv() {
            let mut group = vec![first];
            while group.len() < limits::STORE_GROUP {
                match waiting.try_recv() {
                    Ok(job) => group.push(job),
                    Err(_) => break,
                }
            }
            match self.commit_group(&group) {
                Ok(results) => {
                    for (job, result) in group.into_iter().zip(results) {
                        let _ = job.done.send(result);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the database stopped");
                    for job in group {
                        let _ = job.done.send(Err(error.clone()));
                    }
                    return;
                }
            }
        }
    }

    /// One transaction for all; inside it each commit stands or falls alone.
    fn commit_group(&mut self, group: &[Job]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        if inode(&self.path) != Some(self.inode) {
            return Err(StoreError::Gone { path: self.path.clone() });
        }
        let path = &self.path;
        let failed = |error: rusqlite::Error| StoreError::of(path, &error);
        let mut transaction = self.connection.transaction().map_err(failed)?;
        let mut results = Vec::with_capacity(group.len());
        for job in group {
            // A savepoint copies every page that is changed after it. Only what may be refused needs one, unless the
            // whole transaction is its own.
            let applied = if group.len() > 1 && job.writes.iter().any(Write::may_conflict) {
                let savepoint = transaction.savepoint().map_err(failed)?;
                let applied = apply(&savepoint, path, &job.writes);
                if applied.is_ok() {
                    savepoint.commit().map_err(failed)?;
                }
                applied
            } else {
                apply(&transaction, path, &job.writes)
            };
            match applied {
                Ok(()) => results.push(Ok(())),
                Err(conflict @ StoreError::Conflict { .. }) if group.len() > 1 => results.push(Err(conflict)),
                Err(conflict @ StoreError::Conflict { .. }) => return Ok(vec![Err(conflict)]),
                Err(error) => return Err(error),
            }
        }
        transaction.commit().map_err(failed)?;
        let applied = group.iter().zip(&results).filter(|(_, result)| result.is_ok());
        self.counter.count(applied.flat_map(|(job, _)| &job.writes));
        Ok(results)
    }
}

fn apply(connection: &Connection, path: &Path, writes: &[Write]) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| StoreError::of(path, &error);
    // Most writes put into the table that the one before put into.
    let mut puts: Option<(Table, CachedStatement<'_>)> = None;
    for write in writes {
        match write {
            Write::Put { table, key, value } => {
                let statement = match &mut puts {
                    Some((of, statement)) if of == table => statement,
                    _ => &mut puts.insert((*table, put_into(connection, *table).map_err(failed)?)).1,
                };
                statement.execute([key, value]).map_err(failed)?;
            }
            Write::Keep { table, key, value } => keep(connection, path, *table, key, value)?,
            Write::Delete { table, key } => {
                let sql = format!("DELETE FROM {} WHERE key = ?1", table.0);
                execute(connection, &sql, [key]).map_err(failed)?;
            }
            Write::DeleteRange { table, from, until } => {
                let sql = format!("DELETE FROM {} WHERE key >= ?1 AND key < ?2", table.0);
                execute(connection, &sql, [from, until]).map_err(failed)?;
            }
        }
    }
    Ok(())
}

fn put_into(connection: &Connection, table: Table) -> rusqlite::Result<CachedStatement<'_>> {
    // A value that is there is changed in its place: to replace its row would move it, and its key too.
    connection.prepare_cached(&format!(
        "INSERT INTO {} (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        table.0
    ))
}

fn keep(connection: &Connection, path: &Path, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| StoreError::of(path, &error);
    let sql = format!("SELECT value FROM {} WHERE key = ?1", table.0);
    let found: Option<Vec<u8>> = connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_row([key], |row| row.get(0)).optional())
        .map_err(failed)?;
    match found {
        Some(found) if found == value => Ok(()),
        Some(_) => Err(StoreError::Conflict { table: table.0, key: hex::encode(key) }),
        None => {
            let sql = format!("INSERT INTO {} (key, value) VALUES (?1, ?2)", table.0);
            execute(connection, &sql, [key, value]).map_err(failed)
        }
    }
}

fn execute<P: rusqlite::Params>(connection: &Connection, sql: &str, parameters: P) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(parameters).map(|_| ())
}

fn inode(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|metadata| metadata.ino())
}
