//! How fast a merchant's process is: invoices made over HTTP by a shop's clients, and payments accepted between real
//! payers, a real bank and a real receiver of webhooks, everything on this machine.
//!
//! Beside each stands its ceiling: a process that did nothing but make and check the signatures that the work costs
//! when it comes alone, and commit as many rows of the same size, as many in one transaction as in this run, to a
//! database of the same kind. Both are processor time: what the merchant's process takes of the cores that it shares
//! with those who pay.

mod network;

use crate::measure::{self, Signatures, Table, per_second};
use anyhow::{Result, ensure};
use network::{CLIENTS, Figures, INVOICES_OF_A_CLIENT, PAYMENTS, World};
use rusqlite::Connection;
use std::fmt::Write as _;
use std::time::Duration;

/// A merchant makes invoices and accepts payments at no less than this part of its ceiling.
const LEAST_PART: f64 = 0.5;
/// Rows that the database holds before it is measured.
const ROWS_BEFORE: u64 = 20_000;
/// Transactions that are measured.
const TRANSACTIONS: u32 = 1_000;

/// A database as a merchant's process keeps it.
struct Disk {
    connection: Connection,
    rows: u64,
    _folder: tempfile::TempDir,
}

impl Disk {
    fn new(value: &[u8]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let connection = Connection::open(folder.path().join("db.sqlite"))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE records (key BLOB PRIMARY KEY, value BLOB NOT NULL);",
        )?;
        let mut disk = Self { connection, rows: 0, _folder: folder };
        disk.commit(ROWS_BEFORE, value)?;
        Ok(disk)
    }

    /// Puts rows under new keys that are in no order, as ids are.
    fn commit(&mut self, rows: u64, value: &[u8]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for _ in 0..rows {
            self.rows += 1;
            let key = self.rows.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
            transaction
                .prepare_cached("INSERT OR REPLACE INTO records (key, value) VALUES (?1, ?2)")?
                .execute((key.as_slice(), value))?;
        }
        transaction.commit()
    }
}

/// The processor time of one commit of so many rows of so many bytes.
fn commit_time(rows: u64, bytes: usize) -> Result<Duration> {
    let value = vec![0xA5; bytes];
    let mut disk = Disk::new(&value)?;
    measure::spent(TRANSACTIONS, || Ok(disk.commit(rows, &value)?))
}

/// Signatures that a piece of work costs the merchant.
#[derive(Clone, Copy)]
struct Cost {
    signs: u32,
    verifies: u32,
}

impl Cost {
    /// An invoice is signed.
    const INVOICE: Self = Self { signs: 1, verifies: 0 };
    /// A payment that comes alone has a frame with its lock and one with its settlement; a frame costs each side one
    /// signature that it makes and one that it checks.
    const PAYMENT: Self = Self { signs: 2, verifies: 2 };

    fn time(self, signatures: &Signatures) -> Duration {
        signatures.sign * self.signs + signatures.verify * self.verifies
    }
}

/// Puts what was seen beside what it could be.
fn compare(table: &mut Table, what: &str, seen: &Figures, cost: Cost, signatures: &Signatures) -> Result<()> {
    let whole = |number: u64| Ok::<_, anyhow::Error>(f64::from(u32::try_from(number)?));
    let (count, commits, rows) = (f64::from(seen.count), whole(seen.commits)?, whole(seen.rows)?);
    ensure!(seen.commits > 0 && seen.rows > 0, "nothing was stored");
    let (in_one, bytes) = (seen.rows.div_ceil(seen.commits), usize::try_from(seen.bytes / seen.rows)?);
    let storing = commit_time(in_one, bytes)?.mul_f64(rows / whole(in_one)? / count);
    let (least, spent) = (cost.time(signatures) + storing, seen.cpu.div_f64(count));
    let part = least.div_duration_f64(spent);
    let what = format!("{what}, {:.1} rows of {bytes} bytes each, {:.1} in a commit", rows / count, count / commits);
    let rate = format!("{}, in time {}", per_second(spent, 1), per_second(seen.wall, usize::try_from(seen.count)?));
    let mut ratio = format!("{part:.2} of its ceiling {}", per_second(least, 1));
    if seen.frames > 0 {
        // Payments that come together share frames, so that fewer signatures were made.
        let frames = whole(seen.frames)? / count;
        let shared = (signatures.sign + signatures.verify).mul_f64(frames) + storing;
        let of_shared = shared.div_duration_f64(spent);
        write!(ratio, "; with {frames:.2} frames each, {of_shared:.2} of {}", per_second(shared, 1))?;
    }
    table.add(&what, spent, rate, ratio);
    table.promise(part >= LEAST_PART, format!("{what}: {part:.2} of its ceiling, promised is {LEAST_PART}"));
    Ok(())
}

/// Both figures.
pub(crate) fn figures(table: &mut Table) -> Result<()> {
    let signatures = measure::signatures_spent(table)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (invoices, payments) = runtime.block_on(async {
        let world = World::start().await?;
        let made = world.make_invoices(CLIENTS, INVOICES_OF_A_CLIENT).await?;
        let payments = world.pay(made.texts.into_iter().take(PAYMENTS).collect()).await?;
        world.end().await?;
        anyhow::Ok((made.figures, payments))
    })?;
    let invoice = format!("a merchant makes an invoice for one of {CLIENTS} clients (1 sign)");
    compare(table, &invoice, &invoices, Cost::INVOICE, &signatures)?;
    let payment = "a merchant accepts a payment and delivers both its webhooks (2 signs and 2 verifies)";
    compare(table, payment, &payments, Cost::PAYMENT, &signatures)
}
