//! What a page asks with, read property by property.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]

use fair_core::types::AssetId;
use fair_web::engine::method::{BlockId, DraftAction, DraftOperation, Method};
use fair_web::input::FromJs as _;
use js_sys::JSON;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn read(name: &str, parameters: &str) -> Method {
    Method::read(name, &JSON::parse(parameters).unwrap()).unwrap()
}

#[wasm_bindgen_test]
fn properties_are_read_by_their_names_in_javascript() {
    let Method::Pay(pay) = read("pay", r#"{"key":"k","text":"t","asset":3,"maxFee":7,"amount":null}"#) else {
        panic!("another method");
    };
    assert_eq!((pay.max_fee, pay.amount, pay.asset, pay.description), (7, None, Some(AssetId(3)), None));
    let by_hash = read("block", r#"{"hash":"ab"}"#);
    assert!(matches!(by_hash, Method::Block(BlockId::Hash { hash }) if hash == "ab"));
    let by_height = read("block", r#"{"height":5}"#);
    assert!(matches!(by_height, Method::Block(BlockId::Height { height: 5 })));
}

#[wasm_bindgen_test]
fn operations_are_read_by_their_kind() {
    let vote = r#"{"operation":{"kind":"vote","proposal":4,"approve":true,"rationale":"r"}}"#;
    let Method::DraftAdd(vote) = read("draftAdd", vote) else { panic!("another method") };
    assert!(matches!(vote.operation, DraftOperation::Vote(vote) if vote.proposal == 4 && vote.approve));
    let changes = r#"{"operation":{"kind":"propose","text":"t",
        "action":{"kind":"set_parameters","changes":[{"name":"max_locks","value":9}]}}}"#;
    let Method::DraftAdd(propose) = read("draftAdd", changes) else { panic!("another method") };
    let DraftOperation::Propose { action: DraftAction::SetParameters { changes }, .. } = propose.operation else {
        panic!("another operation");
    };
    assert_eq!((changes[0].name.as_str(), changes[0].value), ("max_locks", 9));
}

#[wasm_bindgen_test]
fn what_does_not_fit_is_named() {
    let refused = |name: &str, parameters: &JsValue| Method::read(name, parameters).err().unwrap();
    let json = |text: &str| JSON::parse(text).unwrap();
    for (name, parameters, what) in [
        ("pay", r#"{"key":"k","text":"t"}"#, "`maxFee`"),
        ("pay", r#"{"key":1,"text":"t","maxFee":7}"#, "`key`"),
        ("faucet", r#"{"asset":4294967296}"#, "`asset`"),
        ("confirmWords", r#"{"answers":[{"index":-1,"word":"w"}]}"#, "`index`"),
        ("draftAdd", r#"{"operation":{"kind":"none"}}"#, "`operation`"),
        ("draftAdd", r#"{"operation":{"kind":"deposit","asset":1,"amount":1.5,"to":"t"}}"#, "`amount`"),
    ] {
        let error = refused(name, &json(parameters));
        assert_eq!(error.code, "input.parameters");
        assert!(error.message.contains(what), "{}", error.message);
    }
    assert_eq!(refused("pay", &JsValue::UNDEFINED).code, "input.parameters");
    assert_eq!(refused("another", &JsValue::UNDEFINED).code, "engine.unknown_method");
}

#[wasm_bindgen_test]
fn integers_are_exact() {
    let largest = JsValue::from(u64::MAX);
    assert_eq!(u64::from_js(&largest).unwrap(), u64::MAX);
    assert_eq!(u64::from_js(&JsValue::from_f64(9_007_199_254_740_991.0)).unwrap(), (1 << 53) - 1);
    for wrong in
        [JsValue::from_f64(9_007_199_254_740_992.0), JsValue::from_f64(-1.0), JsValue::from(-1_i64), "1".into()]
    {
        assert!(u64::from_js(&wrong).is_err(), "{wrong:?}");
    }
}
