//! Bringing a database to the newest layout.

use super::StoreError;
use rusqlite::Connection;
use std::path::Path;

/// Applies what the file has not seen yet, each migration in one transaction with its number.
pub(super) fn apply(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| StoreError::of(path, &error);
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let found = usize::try_from(version).unwrap_or(usize::MAX);
    if found > migrations.len() {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: migrations.len() });
    }
    for (index, migration) in migrations.iter().enumerate().skip(found) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(migration).map_err(failed)?;
        transaction.execute_batch(&format!("PRAGMA user_version = {}", index + 1)).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}
