//! Medians, and a table of them. Where processes share the cores, processor time takes the place of time.

use anyhow::{Context as _, Result, ensure};
use fair_core::crypto::SecretKey;
use fair_core::ledger::operation::WithdrawalConsent;
use fair_core::message::Message as _;
use fair_core::types::{AssetId, Hash, Parties, Side};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How often a thing is measured; the median counts.
const ROUNDS: usize = 15;
/// How often a signature is made and checked while processor time is counted.
const CALLS: u32 = 10_000;
/// In which Linux says how long a process has run.
const TICKS_PER_SECOND: f64 = 100.0;

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

fn micros(time: Duration) -> String {
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

/// Processor time that this thread has had.
fn own_time() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().context("no time in schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// Processor time that a process has had, all its threads together.
pub(crate) fn time_of(process: u32) -> Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name before it may have any character.
    let (_, fields) = text.rsplit_once(')').context("no name in stat")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || Ok::<f64, anyhow::Error>(fields.next().context("no time in stat")?.parse()?);
    Ok(Duration::from_secs_f64((ticks()? + ticks()?) / TICKS_PER_SECOND))
}

/// Processor time of one call among many. The first are not counted.
pub(crate) fn spent(count: u32, mut work: impl FnMut() -> Result<()>) -> Result<Duration> {
    (0..count.div_ceil(10)).try_for_each(|_| work())?;
    let before = own_time()?;
    (0..count).try_for_each(|_| work())?;
    Ok(own_time()?.saturating_sub(before) / count)
}

/// Something that is signed and checked.
struct Sample {
    key: SecretKey,
    chain_id: Hash,
    consent: WithdrawalConsent,
}

/// A small signed message: what every other figure is held against.
fn sample() -> Sample {
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
    Sample { key, chain_id, consent }
}

/// The time that signatures take.
pub(crate) fn signatures(table: &mut Table) -> Signatures {
    let Sample { key, chain_id, consent } = sample();
    let (public, signature) = (key.public(), consent.sign(&chain_id, &key));
    let sign = median_of_many(200, || consent.sign(&chain_id, &key));
    let verify = median_of_many(200, || consent.is_signed_by(&chain_id, &public, &signature));
    Signatures { sign, verify }.shown(table)
}

/// The processor time that they take.
pub(crate) fn signatures_spent(table: &mut Table) -> Result<Signatures> {
    let Sample { key, chain_id, consent } = sample();
    let (public, signature) = (key.public(), consent.sign(&chain_id, &key));
    let sign = spent(CALLS, || {
        black_box(consent.sign(&chain_id, &key));
        Ok(())
    })?;
    let verify = spent(CALLS, || {
        black_box(consent.is_signed_by(&chain_id, &public, &signature));
        Ok(())
    })?;
    Ok(Signatures { sign, verify }.shown(table))
}

impl Signatures {
    fn shown(self, table: &mut Table) -> Self {
        let Self { sign, verify } = self;
        table.add("sign a message", sign, per_second(sign, 1), "1 sign".to_owned());
        table.add("verify a message strictly", verify, per_second(verify, 1), times(verify, sign, "sign"));
        self
    }
}
