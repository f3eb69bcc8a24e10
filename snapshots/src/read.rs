//! Inflating and verifying an archive.

use crate::{MAX_INFLATED_BYTES, REPORT_EVERY};
use fair_core::chain::snapshot::archive::Unpacker;
use fair_core::chain::snapshot::{BadSnapshot, Opened, Reader};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Bytes that are inflated at a time.
const PIECE: usize = 64 << 10;

/// Why an archive is not used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not readable, or not compressed as it should be.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What is in it is not believed.
    #[error("{}: {error}", path.display())]
    Bad {
        /// Which.
        path: PathBuf,
        /// Why, and where.
        error: BadSnapshot,
    },
}

/// Reads and verifies a whole archive; `report` hears now and then how many chunks of how many are done.
///
/// # Errors
/// [`ReadError`].
pub fn read(path: &Path, reader: Reader, mut report: impl FnMut(usize, usize)) -> Result<Opened, ReadError> {
    let file_error = |error| ReadError::File { path: path.to_owned(), error };
    let bad = |error| ReadError::Bad { path: path.to_owned(), error };
    let file = File::open(path).map_err(file_error)?;
    let mut inflating = MultiGzDecoder::new(BufReader::new(file));
    let mut unpacker = Unpacker::new(reader, MAX_INFLATED_BYTES);
    let mut piece = vec![0; PIECE];
    let mut reported = Instant::now();
    loop {
        let count = inflating.read(&mut piece).map_err(file_error)?;
        if count == 0 {
            break;
        }
        unpacker.push(piece.get(..count).unwrap_or_default()).map_err(bad)?;
        if reported.elapsed() > REPORT_EVERY {
            reported = Instant::now();
            let (done, all) = unpacker.progress();
            report(done, all);
        }
    }
    unpacker.finish().map_err(bad)
}
