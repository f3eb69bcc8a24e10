//! The databases of a party, read while its process runs: `onchain/db.sqlite` (blocks and state) and
//! `offchain/db.sqlite` (channels). Nothing is believed: the newest block's certificate is verified, and the
//! stored state must have its root.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::Genesis;
use fair_core::chain::verify;
use fair_core::channel::Channel;
use fair_core::codec;
use fair_core::ledger::state::State;
use fair_core::limits::MAX_CERTIFIED_BLOCK_BYTES;
use fair_core::peers::CHANNEL;
use fair_core::types::{Hash, Height, PublicKey};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

/// The databases of one home.
#[derive(Debug)]
pub(super) struct Databases {
    onchain: PathBuf,
    offchain: PathBuf,
}

/// What a party has verified of the chain.
pub(super) struct Verified {
    /// Height of its newest block.
    pub(super) height: Height,
    /// State root in that block's header.
    pub(super) root: Hash,
    follower: Follower,
    /// Batches in the blocks above a height.
    pub(super) batches: u64,
}

impl Verified {
    /// The state after the newest block.
    pub(super) fn state(&self) -> &State {
        self.follower.state()
    }
}

impl Databases {
    pub(super) fn of(home: &Path) -> Self {
        let database = |folder: &str| home.join(folder).join("db.sqlite");
        Self { onchain: database("onchain"), offchain: database("offchain") }
    }

    /// What stands in `onchain/db.sqlite` at one moment; `None` before the first block. Batches are counted in
    /// the blocks above `since`.
    pub(super) fn verified(&self, genesis: &Genesis, since: Height) -> Result<Option<Verified>> {
        let mut connection = open(&self.onchain)?;
        // One transaction sees one moment.
        let moment = connection.transaction()?;
        let newest = "SELECT value FROM blocks ORDER BY key DESC LIMIT 1";
        let newest: Option<Vec<u8>> = moment.query_row(newest, [], |row| row.get(0)).optional()?;
        let Some(newest) = newest else { return Ok(None) };
        let newest = block(&newest)?;
        verify::alone(&newest.block.header, &newest.certificate, genesis.chain_id(), &genesis.validators)
            .with_context(|| format!("the newest block in {}", self.onchain.display()))?;
        let rows: Vec<(Vec<u8>, Vec<u8>)> = moment
            .prepare("SELECT key, value FROM state")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let rows = rows.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
        let header = newest.block.header;
        let (height, root) = (header.height, header.state_root);
        let follower = Follower::restore(genesis, header, rows)
            .with_context(|| format!("the state in {}", self.onchain.display()))?;
        let mut batches = 0;
        let mut later = moment.prepare("SELECT value FROM blocks WHERE key > ?")?;
        let mut rows = later.query([since.to_be_bytes()])?;
        while let Some(row) = rows.next()? {
            batches += block(row.get_ref(0)?.as_blob()?)?.block.batches.len() as u64;
        }
        Ok(Some(Verified { height, root, follower, batches }))
    }

    /// The channel with a partner, as it stands in `offchain/db.sqlite`.
    pub(super) fn channel(&self, partner: &PublicKey) -> Result<Option<Channel>> {
        let key = [&[CHANNEL], partner.0.as_slice()].concat();
        let record: Option<Vec<u8>> = open(&self.offchain)?
            .query_row("SELECT value FROM records WHERE key = ?", [key], |row| row.get(0))
            .optional()?;
        record
            .map(|record| Channel::from_record(&record))
            .transpose()
            .with_context(|| format!("a channel in {}", self.offchain.display()))
    }
}

fn open(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).with_context(|| format!("cannot open {}", path.display()))?;
    connection.execute_batch("PRAGMA busy_timeout = 5000;")?;
    Ok(connection)
}

fn block(bytes: &[u8]) -> Result<CertifiedBlock> {
    Ok(codec::decode(bytes, MAX_CERTIFIED_BLOCK_BYTES)?)
}
