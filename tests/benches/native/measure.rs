//! Medians, and a table of them. Where processes share the cores, processor time takes the place of time.

use anyhow::{Context as _, Result, ensure};
use fair_core::crypto::SecretKey;
use fair_core::ledger::operation::WithdrawalConsent;
use fair_core::message::Message as _;
use fair_core::types::{AssetId, Hash, Parties, PublicKey, Side, Signature};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a thing is measured; the median counts.
const ROUNDS: usize = 15;

/// What the signatures of this machine cost.
pub(crate) struct Signatures {
    pub(crate) sign: Duration,
    pub(crate) verify: Duration,
}

/// Rows of a result.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 4]>,
    broken: Vec<String>,
}

impl Table {
    /// Adds a row: what, its time, what per second, and its ratio to a reference.
    pub(crate) fn add(&mut self, what: &str, time: Duration, rate: String, ratio: String) {
        self.rows.push([what.to_owned(), micros(time), rate, ratio]);
    }

    /// Notes whether a ratio is what docs/benchmarks.md promises. Times are promised nowhere.
    pub(crate) fn promise(&mut self, is_kept: bool, what: String) {
        if !is_kept {
            self.broken.push(what);
        }
    }

    /// Prints it as Markdown. Fails if a promise was not kept.
    pub(crate) fn finish(self) -> Result<()> {
        println!("| work | time | rate | ratio within this run |");
        println!("|---|---|---|---|");
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
        ensure!(self.broken.is_empty(), "not as docs/benchmarks.md promises: {}", self.broken.join("; "));
        Ok(())
    }
}

pub(crate) fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

/// How many of something fit into a second.
pub(crate) fn per_second(time: Duration, count: usize) -> String {
    #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = count as f64 / time.as_secs_f64();
    format!("{rate:.0}/s")
}

/// `time` as a multiple of `reference`.
pub(crate) fn times(time: Duration, reference: Duration, of: &str) -> String {
    format!("{:.2} × {of}", time.as_secs_f64() / reference.as_secs_f64())
}

/// Median time of a call, each with fresh input that is not measured.
pub(crate) fn median<I, O>(mut prepare: impl FnMut() -> I, mut work: impl FnMut(I) -> O) -> Duration {
    let mut samples: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let input = prepare();
            let start = Instant::now();
            black_box(work(black_box(input)));
            start.elapsed()
        })
        .collect();
    samples.sort();
    samples[ROUNDS / 2]
}

/// Median time of one call among many.
pub(crate) fn median_of_many<O>(count: u32, mut work: impl FnMut() -> O) -> Duration {
    median(|| (), |()| (0..count).for_each(|_| drop(black_box(work())))) / count
}

/// Processor time that a thread has had, by its folder in `/proc`.
fn time_of(thread: &Path) -> Result<Duration> {
    let text = std::fs::read_to_string(thread.join("schedstat"))?;
    let nanoseconds = text.split_whitespace().next().context("no time in schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// Processor time that this thread has had.
fn own_time() -> Result<Duration> {
    // Linux adds up what a thread has had when another one may have its turn.
    std::thread::yield_now();
    time_of(Path::new("/proc/thread-self"))
}

/// Processor time that each thread of a process has had.
pub(crate) struct Times(BTreeMap<OsString, Duration>);

impl Times {
    pub(crate) fn of(process: u32) -> Result<Self> {
        let threads = std::fs::read_dir(format!("/proc/{process}/task"))?;
        let times = threads.map(|thread| {
            let thread = thread?;
            Ok((thread.file_name(), time_of(&thread.path())?))
        });
        Ok(Self(times.collect::<Result<_>>()?))
    }

    /// What all together have had since. A thread that ended meanwhile is an error: nobody knows what it had.
    pub(crate) fn since(&self, before: &Self) -> Result<Duration> {
        ensure!(before.0.keys().all(|thread| self.0.contains_key(thread)), "a thread ended while it was measured");
        let had = |thread| before.0.get(thread).copied().unwrap_or_default();
        Ok(self.0.iter().map(|(thread, time)| time.saturating_sub(had(thread))).sum())
    }
}

/// Processor time that some work takes.
pub(crate) fn spent(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let before = own_time()?;
    work()?;
    Ok(own_time()?.saturating_sub(before))
}

/// A small signed message: what every other figure is held against.
pub(crate) struct Sample {
    key: SecretKey,
    public: PublicKey,
    chain_id: Hash,
    consent: WithdrawalConsent,
    signature: Signature,
}

impl Sample {
    pub(crate) fn new() -> Self {
        let (key, other) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let chain_id = Hash([7; 32]);
        let Some(parties) = Parties::new(key.public(), other.public()) else { unreachable!("two keys") };
        let consent = WithdrawalConsent {
            chain_id,
            parties,
            epoch: 0,
            withdrawer: Side::Left,
            asset: AssetId::FRD,
            amount: 1,
            nonce: 0,
            expires_at: 9,
        };
        let signature = consent.sign(&chain_id, &key);
        Self { public: key.public(), key, chain_id, consent, signature }
    }

    pub(crate) fn sign(&self) {
        black_box(self.consent.sign(&self.chain_id, &self.key));
    }

    pub(crate) fn verify(&self) {
        black_box(self.consent.is_signed_by(&self.chain_id, &self.public, &self.signature));
    }
}

/// The time that signatures take.
pub(crate) fn signatures(table: &mut Table) -> Signatures {
    let sample = Sample::new();
    let (sign, verify) = (median_of_many(200, || sample.sign()), median_of_many(200, || sample.verify()));
    table.add("sign a message", sign, per_second(sign, 1), "1 sign".to_owned());
    table.add("verify a message strictly", verify, per_second(verify, 1), times(verify, sign, "sign"));
    Signatures { sign, verify }
}
