//! Errors of the core on their way to the page.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::expect_used, reason = "tests")]

use fair_core::chain::verify::BadBlock;
use fair_core::types::Hash;
use fair_web::error::{Datum, Error};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
fn an_error_of_the_core_keeps_its_code_and_values() {
    let bad = BadBlock::WrongStateRoot { expected: Hash([1; 32]), got: Hash([2; 32]) };
    let error = Error::of("chain", &bad);
    assert_eq!(error.code, "chain.wrong_state_root");
    assert_eq!(error.message, "Executing the block ends in another state than the one certified.");
    let data = error.data.expect("data");
    assert_eq!(data["expected"], Datum::Text(Hash([1; 32]).to_string()));
    assert_eq!(data["got"], Datum::Text(Hash([2; 32]).to_string()));
    assert!(!data.contains_key("code"));
}

#[wasm_bindgen_test]
fn heights_stay_numbers() {
    let error = Error::of("chain", &BadBlock::WrongHeight { expected: 7, got: 9 });
    assert_eq!(error.data.expect("data")["got"], Datum::Number(9));
}
