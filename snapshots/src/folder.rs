//! A folder with the newest archives.

use crate::{KEPT, MAX_DOWNLOADS};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use fair_core::chain::snapshot::{Manifest, Snapshot, archive, archive_height, archive_name};
use fair_core::codec;
use fair_core::types::{Hash, Height};
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;
use tower_http::services::ServeFile;

const TEMPORARY: &str = ".tmp";

/// An archive, as `GET /v1/snapshots` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Height of the block after which it holds the state.
    pub height: Height,
    /// Its identity: the hash of its manifest, the same on every node.
    pub hash: Hash,
    /// Hash of the block, as the manifest says.
    pub block: Hash,
    /// Length of the archive.
    pub bytes: u64,
    /// Name of the archive.
    pub file: String,
}

/// The archives that a process has written, and the thread that writes them. Clones share it.
#[derive(Clone)]
pub struct Folder {
    path: PathBuf,
    listed: Arc<Mutex<BTreeMap<Height, Listed>>>,
    /// What is to be written next.
    next: Arc<Mutex<Option<Snapshot>>>,
    wake: SyncSender<()>,
    downloads: Arc<Semaphore>,
}

impl Folder {
    /// Takes up what is in a folder that only this process writes to; what was never finished goes.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut listed = BTreeMap::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let Some(height) = archive_height(name.strip_suffix(TEMPORARY).unwrap_or(name)) else { continue };
            if name.ends_with(TEMPORARY) {
                fs::remove_file(entry.path())?;
                continue;
            }
            match look(&entry.path(), height) {
                Ok(found) => drop(listed.insert(height, found)),
                Err(error) => tracing::warn!(name, %error, "not listed"),
            }
        }
        let listed = Arc::new(Mutex::new(listed));
        let next = Arc::<Mutex<Option<Snapshot>>>::default();
        let (wake, woken) = sync_channel(1);
        let (folder, list, job) = (path.to_owned(), listed.clone(), next.clone());
        std::thread::Builder::new().name("snapshots".to_owned()).spawn(move || {
            while woken.recv().is_ok() {
                let snapshot = lock(&job).take();
                if let Some(snapshot) = snapshot {
                    record(&folder, &list, snapshot);
                }
            }
        })?;
        Ok(Self { path: path.to_owned(), listed, next, wake, downloads: Arc::new(Semaphore::new(MAX_DOWNLOADS)) })
    }

    /// Lets the thread write a snapshot. Returns at once; one that still waits then is left out, so that the newest
    /// is always written.
    pub fn record(&self, snapshot: Snapshot) {
        if lock(&self.next).replace(snapshot).is_some() {
            tracing::warn!("a snapshot is left out: a newer one came while another was being written");
        }
        match self.wake.try_send(()) {
            Ok(()) | Err(TrySendError::Full(())) => {}
            Err(TrySendError::Disconnected(())) => tracing::error!("snapshots are written no more"),
        }
    }

    /// What is there, newest first.
    pub fn list(&self) -> Vec<Listed> {
        lock(&self.listed).values().rev().cloned().collect()
    }

    /// Whether the archive of a height is there, whole.
    pub fn has(&self, height: Height) -> bool {
        lock(&self.listed).contains_key(&height)
    }

    /// Answers a request for an archive, ranges included. `None`: there is none of this name.
    pub async fn serve(&self, name: &str, request: Request) -> Option<Response> {
        let known = archive_height(name).is_some_and(|height| lock(&self.listed).contains_key(&height));
        let place = if known { self.downloads.clone().acquire_owned().await.ok()? } else { return None };
        let file = self.path.join(name);
        let gzip = "application/gzip".parse().ok()?;
        let mut response = match ServeFile::new_with_mime(file, &gzip).try_call(request).await {
            Ok(response) => response.map(|body| {
                // The place is free again when the body has left, or the reader.
                Body::new(body.map_frame(move |frame| {
                    let _ = &place;
                    frame
                }))
            }),
            Err(error) => {
                tracing::warn!(name, %error, "an archive cannot be read");
                return None;
            }
        };
        // Another network may stand at the same address tomorrow.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Some(response)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn record(folder: &Path, listed: &Mutex<BTreeMap<Height, Listed>>, snapshot: Snapshot) {
    let written = match write(folder, snapshot) {
        Ok(written) => written,
        Err(error) => return tracing::error!(%error, "a snapshot cannot be written"),
    };
    tracing::info!(height = written.height, hash = %written.hash, bytes = written.bytes, "wrote a snapshot");
    let mut listed = lock(listed);
    listed.insert(written.height, written);
    while listed.len() > KEPT {
        let Some((_, old)) = listed.pop_first() else { break };
        // Whoever reads it keeps it open.
        if let Err(error) = fs::remove_file(folder.join(&old.file)) {
            tracing::warn!(file = old.file, %error, "an old snapshot cannot be removed");
        }
    }
}

/// Writes an archive beside its name, flushes it, and gives it its name.
///
/// # Errors
/// The disk fails; what was written of it has another name.
pub fn write(folder: &Path, snapshot: Snapshot) -> io::Result<Listed> {
    let manifest = snapshot.manifest();
    let name = archive_name(manifest.height);
    let (path, temporary) = (folder.join(&name), folder.join(format!("{name}{TEMPORARY}")));
    let file = BufWriter::new(File::create(&temporary)?);
    // No name and no time: the same files make the same archive.
    let mut packing = GzBuilder::new().write(file, Compression::default());
    for (name, bytes) in snapshot.into_files(&manifest) {
        packing.write_all(&archive::header(&name, bytes.len()))?;
        packing.write_all(&bytes)?;
        packing.write_all(archive::padding(bytes.len()))?;
    }
    packing.write_all(archive::end())?;
    let file = packing.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    fs::rename(&temporary, &path)?;
    File::open(folder)?.sync_all()?;
    Ok(listed(&manifest, bytes, name))
}

fn listed(manifest: &Manifest, bytes: u64, file: String) -> Listed {
    let block = manifest.headers.last().map_or(Hash::ZERO, fair_core::chain::header::Header::hash);
    Listed { height: manifest.height, hash: manifest.hash(), block, bytes, file }
}

/// Reads the manifest of an archive of our own: it is the first file.
fn look(path: &Path, height: Height) -> io::Result<Listed> {
    let other = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut inflating = GzDecoder::new(BufReader::new(file));
    let mut header = [0; 512];
    inflating.read_exact(&mut header)?;
    let length = header.get(124..135).and_then(|digits| std::str::from_utf8(digits).ok());
    let length = length.and_then(|digits| u64::from_str_radix(digits, 8).ok()).ok_or_else(|| other("no archive"))?;
    let limit = fair_core::chain::snapshot::MAX_MANIFEST_BYTES;
    let mut manifest = Vec::new();
    inflating.take(length.min(limit as u64)).read_to_end(&mut manifest)?;
    let manifest: Manifest = codec::decode(&manifest, limit).map_err(|error| other(&error.to_string()))?;
    if manifest.height != height {
        return Err(other("its manifest is of another height"));
    }
    Ok(listed(&manifest, bytes, archive_name(height)))
}
