//! The golden vectors, read by the browser's build of the core.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, reason = "a test")]

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
fn the_browser_agrees_with_every_vector() {
    let checked = fair_core::vectors::check_all();
    assert!(matches!(checked, Ok(count) if count > 100), "{checked:?}");
}
