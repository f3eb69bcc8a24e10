//! Medians, and a table of them.

use fair_core::crypto::SecretKey;
use fair_core::ledger::operation::WithdrawalConsent;
use fair_core::message::Message as _;
use fair_core::types::{AssetId, Hash, Parties, Side};
use std::hint::black_box;
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
}

impl Table {
    /// Adds a row: what, its time, what per second, and its ratio to a reference.
    pub(crate) fn add(&mut self, what: &str, time: Duration, rate: String, ratio: String) {
        self.rows.push([what.to_owned(), micros(time), rate, ratio]);
    }

    /// Prints it as Markdown.
    pub(crate) fn print(&self) {
        println!("| work | time | rate | ratio within this run |");
        println!("|---|---|---|---|");
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
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

/// A small signed message: what every other figure is held against.
pub(crate) fn signatures(table: &mut Table) -> Signatures {
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
    let sign = median_of_many(200, || consent.sign(&chain_id, &key));
    let verify = median_of_many(200, || consent.is_signed_by(&chain_id, &key.public(), &signature));
    table.add("sign a message", sign, per_second(sign, 1), "1 sign".to_owned());
    table.add("verify a message strictly", verify, per_second(verify, 1), times(verify, sign, "sign"));
    Signatures { sign, verify }
}
