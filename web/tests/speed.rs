//! What the browser needs for the protocol's parts, each beside the time of its own signatures in the same
//! run. `cargo xtask bench` runs it optimised and prints the rows; elsewhere it shows that they run.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]

use fair_core::chain::certificate::{Certificate, Precommit, Validator, ValidatorSet};
use fair_core::chain::header::Header;
use fair_core::chain::verify;
use fair_core::crypto::SecretKey;
use fair_core::message::Message as _;
use fair_core::types::Hash;
use fair_web::changes::Changes;
use fair_web::store::Store;
use std::hint::black_box;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen]
extern "C" {
    /// Milliseconds of the browser's monotonic clock.
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

const CHAIN: Hash = Hash([7; 32]);
const ROUNDS: u32 = 9;
const CALLS: u32 = 100;

/// Median over rounds of a call's time in microseconds.
fn median<O>(mut work: impl FnMut() -> O) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = now();
            for _ in 0..CALLS {
                black_box(work());
            }
            (now() - start) * 1_000.0 / f64::from(CALLS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

fn row(what: &str, time_us: f64, ratio: &str) {
    console_log!("| {what} | {time_us:.1} µs | {:.0}/s | {ratio} |", 1e6 / time_us);
}

fn certified(signers: u8) -> (Header, Certificate, ValidatorSet) {
    let key = |seed| SecretKey::from_seed(&[seed; 32]);
    let mut validators: Vec<_> = (1..=signers)
        .map(|seed| Validator {
            account: key(seed).public(),
            signing_key: key(100 + seed).public(),
            shares: 25,
            url: String::new(),
        })
        .collect();
    validators.sort_by_key(|validator| validator.account);
    let set = ValidatorSet { validators };
    let header = Header {
        version: 1,
        chain_id: CHAIN,
        height: 1,
        time_ms: 0,
        proposer: set.validators[0].account,
        previous: Hash::ZERO,
        usable_height: 0,
        batches_root: Hash::ZERO,
        state_root: Hash::ZERO,
        validators_hash: set.hash(),
        next_validators_hash: set.hash(),
        parameters_hash: Hash::ZERO,
    };
    let vote = Precommit { height: 1, round: 0, block_hash: Some(header.hash()) };
    let signature = |validator: &Validator| {
        let signer = (101..=100 + signers).map(key).find(|key| key.public() == validator.signing_key)?;
        Some(vote.sign(&CHAIN, &signer))
    };
    let signatures = set.validators.iter().map(signature).collect();
    (header.clone(), Certificate { height: 1, round: 0, block_hash: header.hash(), signatures }, set)
}

#[wasm_bindgen_test]
async fn signatures_certificates_and_commits() {
    let key = SecretKey::from_seed(&[1; 32]);
    let vote = Precommit { height: 1, round: 0, block_hash: None };
    let signature = vote.sign(&CHAIN, &key);
    let sign = median(|| vote.sign(&CHAIN, &key));
    let verify = median(|| assert!(vote.is_signed_by(&CHAIN, &key.public(), &signature)));
    row("browser: sign a message", sign, "1 sign");
    row("browser: verify a message strictly", verify, &format!("{:.2} × sign", verify / sign));

    let (header, certificate, set) = certified(4);
    let time = median(|| assert_eq!(verify::certificate(&header, &certificate, &set), Ok(())));
    row(
        "browser: verify a certificate of 4 signatures",
        time,
        &format!("{:.2} × verify a signature", time / 4.0 / verify),
    );

    let name = format!("test-speed-{}", js_sys::Math::random());
    let store = Store::open(&name).await.unwrap();
    let mut times = Vec::new();
    for number in 0..CALLS {
        let mut changes = Changes::default();
        changes.put(vec![0x20], vec![number.to_le_bytes()[0]; 2_000]);
        let start = now();
        store.commit(changes).await.unwrap();
        times.push((now() - start) * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    let commit = times[times.len() / 2];
    row("browser: one strict commit of 2 KB", commit, &format!("{:.2} × sign", commit / sign));
}
