//! What a block costs as the ledger grows: the same hundred accounts' worth of changes, made durable, among a
//! thousand accounts and among a million.

use crate::chain::{genesis, key};
use crate::measure::{Table, per_second, times};
use anyhow::Result;
use fair_core::chain::follow::{Follower, Step};
use fair_core::ledger::batch::{Batch, Entry};
use fair_core::ledger::operation::{Deposit, Operation};
use fair_core::message::Signed;
use fair_core::types::AssetId;
use rusqlite::Connection;
use std::time::Instant;

/// Accounts that one block changes.
const UPDATED: usize = 100;
const FEW: usize = 1_000;
const MANY: usize = 1_000_000;
/// How often each is measured; the median counts.
const ROUNDS: usize = 31;
/// Among a million accounts this takes at most so many times as long as among a thousand.
const MOST_GROWTH: f64 = 3.0;

/// As nodes write: a value in its place.
const UPSERT: &str = "INSERT INTO state VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

/// A ledger of so many accounts, and its copy on disk as nodes keep it.
struct Ledger {
    follower: Follower,
    database: Connection,
    accounts: usize,
    _folder: tempfile::TempDir,
}

impl Ledger {
    fn new(accounts: usize) -> Result<Self> {
        let follower = Follower::new(&genesis(accounts));
        let folder = tempfile::tempdir()?;
        let mut database = Connection::open(folder.path().join("db.sqlite"))?;
        database.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
             CREATE TABLE undo (key BLOB PRIMARY KEY, value BLOB NOT NULL);",
        )?;
        let transaction = database.transaction()?;
        {
            let mut put = transaction.prepare("INSERT INTO state VALUES (?1, ?2)")?;
            for (key, value) in follower.state().encoded() {
                put.execute((key, value))?;
            }
        }
        transaction.commit()?;
        database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);")?;
        Ok(Self { follower, database, accounts, _folder: folder })
    }

    /// A batch that pays a hundred accounts, spread over all.
    fn batch(&self, round: usize) -> Signed<Batch> {
        let signer = key(0);
        let state = self.follower.state();
        let entry = |index: usize| {
            let to = 1 + (index * (self.accounts / UPDATED) + round) % (self.accounts - 1);
            let deposit = Deposit {
                asset: AssetId::FRD,
                amount: 1,
                to: key(to).public(),
                partner: None,
                keep: 0,
                epoch: None,
                invoice: None,
            };
            Entry { group: None, operation: Operation::Deposit(deposit) }
        };
        let batch = Batch {
            signer: signer.public(),
            nonce: state.account(&signer.public()).map_or(0, |account| account.nonce),
            valid_until: state.height() + 10,
            fee_rate: state.parameters().min_fee_rate,
            entries: (0..UPDATED).map(entry).collect(),
        };
        Signed::new(batch, &state.chain_id(), &signer)
    }

    /// Executes it, makes it durable, then visible.
    fn update(&mut self, batch: &Signed<Batch>) -> Result<()> {
        let step: Step = self.follower.build([batch], key(0).public(), 0).step;
        let height = step.header().height.to_be_bytes().to_vec();
        let transaction = self.database.transaction()?;
        {
            let mut put = transaction.prepare_cached(UPSERT)?;
            let mut delete = transaction.prepare_cached("DELETE FROM state WHERE key = ?1")?;
            for (key, value) in step.encoded_changes() {
                match value {
                    Some(value) => put.execute((key, value))?,
                    None => delete.execute([key])?,
                };
            }
            transaction.prepare_cached("INSERT INTO undo VALUES (?1, ?2)")?.execute((height, step.encoded_undo()))?;
        }
        transaction.commit()?;
        self.follower.commit(step);
        Ok(())
    }
}

/// The cost of a hundred updated accounts at two sizes, and their ratio. The sizes take turns, so that a disk that
/// becomes slower or faster meanwhile does so for both.
pub(crate) fn updates(table: &mut Table) -> Result<()> {
    let mut ledgers = [Ledger::new(FEW)?, Ledger::new(MANY)?];
    let mut samples = [Vec::new(), Vec::new()];
    for round in 1..=ROUNDS {
        for (ledger, samples) in ledgers.iter_mut().zip(&mut samples) {
            let batch = ledger.batch(round);
            let start = Instant::now();
            ledger.update(&batch)?;
            samples.push(start.elapsed());
        }
    }
    let [few, many] = samples.map(|mut samples| {
        samples.sort();
        samples[ROUNDS / 2]
    });
    for (accounts, time) in [(FEW, few), (MANY, many)] {
        table.add(
            &format!("update {UPDATED} of {accounts} accounts in one block, durable"),
            time,
            per_second(time, UPDATED),
            times(time, few, "at a thousand"),
        );
    }
    let growth = many.div_duration_f64(few);
    let what = format!("updates among {MANY} accounts take {growth:.2} × as long, promised is {MOST_GROWTH}");
    table.promise(growth <= MOST_GROWTH, what);
    Ok(())
}
