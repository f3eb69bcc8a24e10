//! The engine in a dedicated worker without any network: keys, password, draft, and what is refused.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]

use fair_web::Engine;
use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        Reflect::set(&object, &(*name).into(), value).unwrap();
    }
    object.into()
}

fn field(value: &JsValue, name: &str) -> JsValue {
    Reflect::get(value, &name.into()).unwrap()
}

fn text(value: &JsValue, name: &str) -> String {
    field(value, name).as_string().unwrap_or_else(|| panic!("{name} of {value:?}"))
}

async fn open(name: &str) -> Engine {
    let relays = Array::of1(&"http://127.0.0.1:9".into());
    let config =
        object(&[("name", name.into()), ("relays", relays.into()), ("onEvent", Function::new_no_args("").into())]);
    Engine::open(config).await.unwrap()
}

async fn call(engine: &Engine, method: &str, params: JsValue) -> Result<JsValue, JsValue> {
    engine.call(method.to_owned(), params, JsValue::UNDEFINED).await
}

async fn refused(engine: &Engine, method: &str, params: JsValue) -> String {
    text(&call(engine, method, params).await.expect_err(method), "code")
}

fn password(password: &str) -> JsValue {
    object(&[("password", password.into())])
}

#[wasm_bindgen_test]
async fn a_wallet_is_made_locked_unlocked_and_wiped() {
    let name = format!("test-wallet-{}", js_sys::Math::random());
    let engine = open(&name).await;
    assert_eq!(text(&call(&engine, "status", JsValue::NULL).await.unwrap(), "wallet"), "none");
    assert_eq!(refused(&engine, "unlock", password("correct horse")).await, "wallet.none");

    let weak = object(&[("words", 12.into()), ("password", "short".into())]);
    assert_eq!(refused(&engine, "create", weak).await, "wallet.weak_password");
    let create = object(&[("words", 12.into()), ("password", "correct horse".into())]);
    let made = call(&engine, "create", create.clone()).await.unwrap();
    let words = Array::from(&field(&made, "words"));
    assert_eq!(words.length(), 12);
    assert_eq!(refused(&engine, "create", create).await, "wallet.exists");

    let status = call(&engine, "status", JsValue::NULL).await.unwrap();
    assert_eq!(text(&status, "wallet"), "unlocked");
    let key = text(&field(&status, "account"), "key");
    assert_eq!(field(&status, "wordsConfirmed"), JsValue::FALSE);

    let answer =
        |word: JsValue| object(&[("answers", Array::of1(&object(&[("index", 3.into()), ("word", word)])).into())]);
    assert_eq!(refused(&engine, "confirmWords", answer("zzz".into())).await, "wallet.wrong_words");
    let status = call(&engine, "confirmWords", answer(words.get(3))).await.unwrap();
    assert_eq!(field(&status, "wordsConfirmed"), JsValue::TRUE);

    // As after a reload: locked, and the account is known all the same.
    let engine = open(&name).await;
    let status = call(&engine, "status", JsValue::NULL).await.unwrap();
    assert_eq!(text(&status, "wallet"), "locked");
    assert_eq!(text(&field(&status, "account"), "key"), key);
    assert_eq!(refused(&engine, "unlock", password("correct h0rse")).await, "wallet.wrong_password");
    assert_eq!(text(&call(&engine, "unlock", password("correct horse")).await.unwrap(), "wallet"), "unlocked");
    assert_eq!(text(&call(&engine, "lock", JsValue::NULL).await.unwrap(), "wallet"), "locked");

    let change = object(&[("old", "correct horse".into()), ("new", "battery staple".into())]);
    call(&engine, "changePassword", change).await.unwrap();
    assert_eq!(refused(&engine, "words", password("correct horse")).await, "wallet.wrong_password");
    let shown = call(&engine, "words", password("battery staple")).await.unwrap();
    assert_eq!(Array::from(&field(&shown, "words")).join(" "), words.join(" "));

    assert_eq!(text(&call(&engine, "wipe", JsValue::NULL).await.unwrap(), "wallet"), "none");
    let restore = object(&[("words", words.clone().into()), ("password", "correct horse".into())]);
    let status = call(&engine, "restore", restore).await.unwrap();
    assert_eq!(text(&field(&status, "account"), "key"), key);
}

#[wasm_bindgen_test]
async fn what_does_not_fit_is_refused() {
    let engine = open(&format!("test-refuse-{}", js_sys::Math::random())).await;
    assert_eq!(refused(&engine, "noSuchMethod", JsValue::NULL).await, "engine.unknown_method");
    assert_eq!(refused(&engine, "create", object(&[("words", "12".into())])).await, "input.parameters");
    assert_eq!(refused(&engine, "assets", JsValue::NULL).await, "chain.unknown");
    let ftp = object(&[("urls", Array::of1(&"ftp://example".into()).into())]);
    assert_eq!(refused(&engine, "setRelays", ftp).await, "input.relays");
    let bad = object(&[
        ("words", Array::of2(&"abandon".into(), &"zzzz".into()).into()),
        ("password", "correct horse".into()),
    ]);
    assert_eq!(refused(&engine, "restore", bad).await, "wallet.bad_words");
    assert!(call(&engine, "head", JsValue::NULL).await.unwrap().is_null());
    assert_eq!(refused(&engine, "block", object(&[("height", 3.into())])).await, "chain.unknown");
    let amount: JsValue = js_sys::BigInt::from(12_345_u64).into();
    let deposit = object(&[
        ("kind", "deposit".into()),
        ("asset", 1.into()),
        ("amount", amount.clone()),
        ("to", "2".into()),
        ("partner", JsValue::NULL),
    ]);
    assert_eq!(refused(&engine, "draftAdd", object(&[("operation", deposit)])).await, "wallet.none");
    let pay = object(&[
        ("key", "k".into()),
        ("text", "x".into()),
        ("amount", amount),
        ("maxFee", js_sys::BigInt::from(0).into()),
    ]);
    assert_eq!(refused(&engine, "pay", pay).await, "chain.unknown");
}
