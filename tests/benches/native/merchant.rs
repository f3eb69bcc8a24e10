//! How fast a merchant's process is: invoices made over HTTP by a shop's clients, and payments accepted between real
//! payers, a real bank and a real receiver of webhooks, everything on this machine.
//!
//! Beside each stands its ceiling: a process that did nothing but make and check the signatures that the work costs
//! when it comes alone, and commit as many rows of the same size, as many in one transaction as the merchant did, to a
//! database of the same kind. Both are processor time: what the merchant's process takes of the cores that it shares
//! with those who pay.
//!
//! Work and ceiling take turns in short rounds, so that what else the machine does slows both. The figures are of all
//! rounds together: none is left out, so that what happens in some of them only, as a checkpoint of the database,
//! counts on both sides.

mod network;

use crate::measure::{self, Sample, Table, micros, per_second};
use anyhow::{Result, ensure};
use network::{CLIENTS, Figures, World};
use rusqlite::Connection;
use std::fmt::Write as _;
use std::time::Duration;

/// A merchant makes invoices and accepts payments at no less than this part of its ceiling.
const LEAST_PART: f64 = 0.5;
/// Rows that the database holds before it is measured.
const ROWS_BEFORE: u64 = 20_000;
/// Bytes of its keys.
const KEY_BYTES: usize = 8;
/// Rounds that are measured. One before them warms everything up.
const ROUNDS: usize = 10;
/// Invoices that each client makes in a round: in all less than its key may at once.
const INVOICES_OF_A_CLIENT: u32 = 15;
/// Payments that are accepted in a round.
const PAYMENTS: usize = 360;

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
            let key: [u8; KEY_BYTES] = self.rows.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
            transaction
                .prepare_cached("INSERT OR REPLACE INTO records (key, value) VALUES (?1, ?2)")?
                .execute((key.as_slice(), value))?;
        }
        transaction.commit()
    }
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
}

/// The processor time that work cannot do without.
#[derive(Clone, Copy, Default)]
struct Least {
    signatures: Duration,
    storing: Duration,
}

impl Least {
    fn sum(self) -> Duration {
        self.signatures + self.storing
    }
}

/// Does nothing but what the work cannot do without.
struct Ceiling {
    cost: Cost,
    sample: Sample,
    disk: Disk,
}

impl Ceiling {
    fn new(cost: Cost, like: &Figures) -> Result<Self> {
        Ok(Self { cost, sample: Sample::new(), disk: Disk::new(&value(like)?)? })
    }

    /// Makes and checks the signatures of a round of work, and commits its rows in as many transactions.
    fn take(&mut self, seen: &Figures) -> Result<Least> {
        let Self { cost, sample, disk } = self;
        let signatures = measure::spent(|| {
            (0..seen.count * cost.signs).for_each(|_| sample.sign());
            (0..seen.count * cost.verifies).for_each(|_| sample.verify());
            Ok(())
        })?;
        let value = value(seen)?;
        let storing = measure::spent(|| {
            for number in 0..seen.commits {
                let until = |number| number * seen.rows / seen.commits;
                disk.commit(until(number + 1) - until(number), &value)?;
            }
            Ok(())
        })?;
        Ok(Least { signatures, storing })
    }
}

/// A row's value, so that with the key it has as many bytes as those that were stored.
fn value(seen: &Figures) -> Result<Vec<u8>> {
    ensure!(seen.commits > 0 && seen.rows > 0, "nothing was stored");
    Ok(vec![0xA5; usize::try_from(seen.bytes / seen.rows)?.saturating_sub(KEY_BYTES)])
}

/// What was seen in all rounds beside what it could be.
struct Comparison {
    what: String,
    ceiling: Ceiling,
    seen: Figures,
    least: Least,
    /// Of each round.
    parts: Vec<f64>,
}

impl Comparison {
    /// `first` is the round that warms up.
    fn new(what: String, cost: Cost, first: &Figures) -> Result<Self> {
        let mut ceiling = Ceiling::new(cost, first)?;
        ceiling.take(first)?;
        Ok(Self { what, ceiling, seen: Figures::default(), least: Least::default(), parts: Vec::new() })
    }

    /// The ceiling has its turn after a round of work.
    fn add(&mut self, seen: &Figures) -> Result<()> {
        let least = self.ceiling.take(seen)?;
        self.parts.push(least.sum().div_duration_f64(seen.cpu));
        self.seen.add(seen);
        self.least.signatures += least.signatures;
        self.least.storing += least.storing;
        Ok(())
    }

    fn show(self, table: &mut Table) -> Result<()> {
        let Self { what, ceiling, seen, least, mut parts } = self;
        let whole = |number: u64| Ok::<_, anyhow::Error>(f64::from(u32::try_from(number)?));
        let (count, commits, rows) = (f64::from(seen.count), whole(seen.commits)?, whole(seen.rows)?);
        let bytes = seen.bytes / seen.rows;
        let part = least.sum().div_duration_f64(seen.cpu);
        let what =
            format!("{what}, {:.1} rows of {bytes} bytes each, {:.1} in a commit", rows / count, count / commits);
        let spent = seen.cpu.div_f64(count);
        let rate = format!("{}, in time {}", per_second(spent, 1), per_second(seen.wall, usize::try_from(seen.count)?));
        let of = |least: Least| per_second(least.sum().div_f64(count), 1);
        let [signing, storing] = [least.signatures, least.storing].map(|time| micros(time.div_f64(count)));
        parts.sort_by(f64::total_cmp);
        let (lowest, highest) = (parts.first().unwrap_or(&part), parts.last().unwrap_or(&part));
        let mut ratio = format!(
            "{part:.2} of its ceiling {} ({signing} of signatures, {storing} of commits); in rounds {lowest:.2} to \
             {highest:.2}",
            of(least)
        );
        if seen.frames > 0 {
            // Payments that come together share frames, so that fewer were made: in each one and one checked.
            let frames = whole(seen.frames)? / count;
            let alone = f64::from(ceiling.cost.signs);
            let shared = Least { signatures: least.signatures.mul_f64(frames / alone), ..least };
            let of_shared = shared.sum().div_duration_f64(seen.cpu);
            write!(ratio, "; with {frames:.2} frames each, {of_shared:.2} of {}", of(shared))?;
        }
        table.add(&what, spent, rate, ratio);
        table.promise(part >= LEAST_PART, format!("{what}: {part:.2} of its ceiling, promised is {LEAST_PART}"));
        Ok(())
    }
}

/// Both figures.
pub(crate) fn figures(table: &mut Table) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut world = World::start().await?;
        let made = world.make_invoices(INVOICES_OF_A_CLIENT).await?;
        let what = format!("a merchant makes an invoice for one of {CLIENTS} clients (1 sign)");
        let mut invoices = Comparison::new(what, Cost::INVOICE, &made)?;
        let paid = world.pay(PAYMENTS).await?;
        let what = "a merchant accepts a payment and delivers both its webhooks (2 signs and 2 verifies)".to_owned();
        let mut payments = Comparison::new(what, Cost::PAYMENT, &paid)?;
        for _ in 0..ROUNDS {
            invoices.add(&world.make_invoices(INVOICES_OF_A_CLIENT).await?)?;
            payments.add(&world.pay(PAYMENTS).await?)?;
        }
        world.end().await?;
        invoices.show(table)?;
        payments.show(table)
    })
}
