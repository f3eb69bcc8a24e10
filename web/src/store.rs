//! One IndexedDB database: byte keys, byte values, one writer.
//!
//! Everything lies in one object store. A key begins with the byte of its table ([`crate::record`]).
//! Every change is one [`Store::commit`]: a read-write transaction with strict durability that first
//! reads the fencing epoch and is given up when another holder has taken the database over. A commit
//! that fails makes the store read-only for good; whoever goes on opens it anew.
//!
//! **Invariant**: there is no other way to write, and no memory that stands in for a database.

pub use crate::changes::Changes;

use crate::error::Error;
use crate::record;
use futures_util::lock::Mutex;
use indexed_db_futures::KeyRange;
use indexed_db_futures::database::Database;
use indexed_db_futures::error::{DomException, OpenDbError, UnexpectedDataError};
use indexed_db_futures::object_store::ObjectStore;
use indexed_db_futures::prelude::*;
use indexed_db_futures::transaction::{Transaction, TransactionDurability, TransactionMode, TransactionOptions};
use js_sys::Uint8Array;
use std::cell::RefCell;
use wasm_bindgen::{JsCast as _, JsValue};

/// The one object store.
const RECORDS: &str = "records";
/// Version of the layout; each number has one step in [`migrate`].
const VERSION: u8 = 1;

/// An open database of which this is the only writer.
pub struct Store {
    name: String,
    database: Database,
    epoch: u64,
    /// Commits follow each other in the order in which they were asked for.
    turn: Mutex<()>,
    broken: RefCell<Option<Error>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("name", &self.name).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens or makes a database and takes it over from whoever held it.
    ///
    /// # Errors
    /// `storage.newer` when a newer version of this code wrote it, else `storage.…` as the browser says.
    pub async fn open(name: &str) -> Result<Self, Error> {
        let database = Database::open(name.to_owned())
            .with_version(VERSION)
            .with_on_upgrade_needed(|event, database| {
                let steps = (event.old_version() as u8).saturating_add(1)..=VERSION;
                steps.into_iter().try_for_each(|step| migrate(step, &database))
            })
            .await
            .map_err(open_error)?;
        let mut store =
            Self { name: name.to_owned(), database, epoch: 0, turn: Mutex::new(()), broken: RefCell::new(None) };
        store.epoch = store.take_over().await.map_err(|error| write_error(&error))?;
        Ok(store)
    }

    /// Deletes a database. Whoever has it open must have closed it.
    ///
    /// # Errors
    /// `storage.…` as the browser says.
    pub async fn delete(name: &str) -> Result<(), Error> {
        Database::delete_by_name(name).map_err(open_error)?.await.map_err(|error| open_error(error.into()))
    }

    /// Closes the connection; what still runs is finished by the browser.
    pub fn close(self) {
        self.database.close();
    }

    /// Name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why nothing can be written any more.
    pub fn broken(&self) -> Option<Error> {
        self.broken.borrow().clone()
    }

    /// Makes all changes durable, or none.
    ///
    /// # Errors
    /// `storage.fenced` when another tab has taken over, `storage.full`, or `storage.failed`. After any of
    /// them every further commit fails likewise.
    pub async fn commit(&self, changes: Changes) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        if let Some(error) = self.broken() {
            return Err(error);
        }
        let done = match self.write(&changes).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::new(
                "storage.fenced",
                "Another tab has taken this wallet over; this one shows it and changes nothing.",
            )),
            Err(error) => Err(write_error(&error)),
        };
        if let Err(error) = &done {
            *self.broken.borrow_mut() = Some(error.clone());
        }
        done
    }

    /// The value at a key.
    ///
    /// # Errors
    /// `storage.unreadable`.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let read = async {
            let transaction = self.database.transaction(RECORDS).build()?;
            let records = transaction.object_store(RECORDS)?;
            let value: Option<JsValue> = records.get(bytes(key)).primitive()?.await?;
            Ok(value.map(into_vec))
        };
        read.await.map_err(|error| read_error(&error))
    }

    /// Keys and values from `from` up to, without, `to`, in order of keys; at most `limit`.
    ///
    /// # Errors
    /// `storage.unreadable`.
    pub async fn range(&self, from: &[u8], to: &[u8], limit: u32) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Error> {
        // For a browser a range without room for anything is an error.
        if from >= to {
            return Ok(Vec::new());
        }
        let read = async {
            let transaction = self.database.transaction(RECORDS).build()?;
            let records = transaction.object_store(RECORDS)?;
            let query = || KeyRange::Bound(bytes(from), false, bytes(to), true);
            let keys =
                records.get_all_keys::<JsValue>().with_query::<JsValue, _>(query()).with_limit(limit).primitive()?;
            let values =
                records.get_all::<JsValue>().with_query::<JsValue, _>(query()).with_limit(limit).primitive()?;
            let keys: Vec<JsValue> = keys.await?.collect::<Result<_, _>>()?;
            let values: Vec<JsValue> = values.await?.collect::<Result<_, _>>()?;
            Ok(keys.into_iter().map(into_vec).zip(values.into_iter().map(into_vec)).collect())
        };
        read.await.map_err(|error| read_error(&error))
    }

    /// Keys from `from` up to, without, `to`, in their order.
    ///
    /// # Errors
    /// `storage.unreadable`.
    pub async fn keys(&self, from: &[u8], to: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        if from >= to {
            return Ok(Vec::new());
        }
        let read = async {
            let transaction = self.database.transaction(RECORDS).build()?;
            let records = transaction.object_store(RECORDS)?;
            let query = KeyRange::Bound(bytes(from), false, bytes(to), true);
            let keys = records.get_all_keys::<JsValue>().with_query::<JsValue, _>(query).primitive()?;
            keys.await?.map(|key| key.map(into_vec)).collect()
        };
        let read: Result<_, indexed_db_futures::error::Error> = read.await;
        read.map_err(|error| read_error(&error))
    }

    /// Everything whose key begins with `prefix`, in order of keys.
    ///
    /// # Errors
    /// `storage.unreadable`.
    pub async fn all(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Error> {
        self.range(prefix, &record::end_of(prefix), u32::MAX).await
    }

    async fn take_over(&self) -> Result<u64, indexed_db_futures::error::Error> {
        let transaction = self.writing()?;
        let records = transaction.object_store(RECORDS)?;
        let epoch = read_epoch(&records).await?.saturating_add(1);
        put(&records, &record::fence(), &epoch.to_be_bytes())?;
        transaction.commit().await?;
        Ok(epoch)
    }

    /// `Ok(false)`: the epoch is another one and nothing was written.
    async fn write(&self, changes: &Changes) -> Result<bool, indexed_db_futures::error::Error> {
        let transaction = self.writing()?;
        let records = transaction.object_store(RECORDS)?;
        if read_epoch(&records).await? != self.epoch {
            return Ok(false);
        }
        for (key, value) in changes.iter() {
            match value {
                Some(value) => put(&records, key, value)?,
                None => records.delete::<JsValue, _>(bytes(key)).primitive().map(drop)?,
            }
        }
        transaction.commit().await?;
        Ok(true)
    }

    fn writing(&self) -> Result<Transaction<'_>, indexed_db_futures::error::Error> {
        let options = TransactionOptions::new().with_durability(TransactionDurability::Strict);
        self.database.transaction(RECORDS).with_mode(TransactionMode::Readwrite).with_options(options).build()
    }
}

/// One step from the version before to this one.
fn migrate(step: u8, database: &Database) -> Result<(), indexed_db_futures::error::Error> {
    if step == 1 {
        database.create_object_store(RECORDS).build()?;
    }
    Ok(())
}

async fn read_epoch(records: &ObjectStore<'_>) -> Result<u64, indexed_db_futures::error::Error> {
    let value: Option<JsValue> = records.get(bytes(&record::fence())).primitive()?.await?;
    let stored = value.map(into_vec).and_then(|value| <[u8; 8]>::try_from(value).ok());
    Ok(stored.map_or(0, u64::from_be_bytes))
}

fn put(records: &ObjectStore<'_>, key: &[u8], value: &[u8]) -> Result<(), indexed_db_futures::error::Error> {
    records.put(bytes(value)).with_key(bytes(key)).without_key_type().primitive().map(drop)
}

fn bytes(value: &[u8]) -> JsValue {
    Uint8Array::from(value).into()
}

/// Values come back as `Uint8Array`, keys as `ArrayBuffer`.
fn into_vec(value: JsValue) -> Vec<u8> {
    match value.dyn_into::<Uint8Array>() {
        Ok(array) => array.to_vec(),
        Err(buffer) => Uint8Array::new(&buffer).to_vec(),
    }
}

fn open_error(error: OpenDbError) -> Error {
    match &error {
        OpenDbError::Base(base) if exception_name(base).as_deref() == Some("VersionError") => Error::new(
            "storage.newer",
            "The stored data was written by a newer version of this page; load the page again to get that version.",
        ),
        OpenDbError::Base(base) => {
            Error::passing("storage.unavailable", format!("The browser's storage cannot be opened: {}.", said(base)))
        }
        other => Error::new("storage.unavailable", format!("The browser's storage cannot be used here: {other}.")),
    }
}

fn write_error(error: &indexed_db_futures::error::Error) -> Error {
    // At the end of a transaction a browser does not always say that it is the room.
    if let indexed_db_futures::error::Error::MissingData(UnexpectedDataError::TransactionAborted) = error {
        return Error::new(
            "storage.failed",
            "The browser gave up storing a change, most often for want of room. Nothing was changed; make room and \
             load the page again.",
        );
    }
    match exception_name(error).as_deref() {
        Some("QuotaExceededError") => Error::new(
            "storage.full",
            "There is no room left in the browser's storage. Nothing was changed; make room and load the page again.",
        ),
        name => Error::new(
            "storage.failed",
            format!("The browser could not store a change: {}. Nothing was changed; load the page again.", said(error)),
        )
        .with("got", name),
    }
}

fn read_error(error: &indexed_db_futures::error::Error) -> Error {
    Error::passing("storage.unreadable", format!("The browser's storage could not be read: {}.", said(error)))
}

/// What the browser says, without the full stop of ours.
fn said(error: &indexed_db_futures::error::Error) -> String {
    error.to_string().trim_end_matches('.').to_owned()
}

fn exception_name(error: &indexed_db_futures::error::Error) -> Option<String> {
    match error {
        indexed_db_futures::error::Error::DomException(exception) => {
            Some(web_sys::DomException::from(DomException::clone(exception)).name())
        }
        _ => None,
    }
}
