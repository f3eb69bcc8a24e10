//! Proofs of payment in the browser: the vectors that all verifiers share.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]

use fair_web::verify_proof;
use js_sys::Reflect;
use serde_json::Value;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

const VECTORS: &str = include_str!("../../docs/receipts/vectors.json");

fn text(value: &JsValue, name: &str) -> Option<String> {
    Reflect::get(value, &name.into()).unwrap().as_string()
}

#[wasm_bindgen_test]
fn the_browser_agrees_with_every_vector() {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let chain_id = file["chain_id"].as_str().unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert!(vectors.len() > 40);
    for vector in vectors {
        let verified = verify_proof(vector["text"].as_str().unwrap(), chain_id);
        match (verified, vector.get("good")) {
            (Ok(proven), Some(good)) => {
                assert_eq!(text(&proven, "payee").as_deref(), good["payee"].as_str(), "{}", vector["why"]);
                assert_eq!(text(&proven, "origin").as_deref(), good["origin"].as_str(), "{}", vector["why"]);
            }
            (Err(error), None) => assert_eq!(text(&error, "code").as_deref(), Some("payment.bad_proof")),
            (verified, good) => panic!("{}: {verified:?} where {good:?} is expected", vector["why"]),
        }
    }
    let unreadable = verify_proof("", "00").unwrap_err();
    assert_eq!(text(&unreadable, "code").as_deref(), Some("input.chain_id"));
}
