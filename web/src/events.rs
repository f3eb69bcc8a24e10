//! Events for the page, and values across the boundary.

use crate::error::Error;
use js_sys::{BigInt, Function, JSON, Object, Reflect};
use serde::Serialize;
use std::cell::RefCell;
use wasm_bindgen::JsValue;
use wasm_bindgen::closure::Closure;

/// A value as the page gets it: integers of 64 bits and more as bigint, absent as null, maps as objects.
///
/// # Panics
/// Never for the shapes of [`crate::view`], which serialise without fail.
pub fn to_js<T: Serialize + ?Sized>(value: &T) -> JsValue {
    let serializer = serde_wasm_bindgen::Serializer::new()
        .serialize_large_number_types_as_bigints(true)
        .serialize_missing_as_null(true)
        .serialize_maps_as_objects(true);
    match value.serialize(&serializer) {
        Ok(value) => value,
        Err(error) => wasm_bindgen::throw_str(&format!("a value could not be handed to the page: {error}")),
    }
}

/// A value as text, on lines of their own with an indent. Bigints that are exact as numbers become numbers, others text.
pub fn json(value: &JsValue, indent: u32) -> String {
    let plain = |_: JsValue, value: JsValue| match i64::try_from(value.clone()) {
        Ok(exact) if exact.unsigned_abs() < 1 << f64::MANTISSA_DIGITS => JsValue::from_f64(exact as f64),
        _ if value.is_bigint() => BigInt::from(value).to_string(10).map_or(JsValue::NULL, JsValue::from),
        _ => value,
    };
    let plain = Closure::<dyn Fn(JsValue, JsValue) -> JsValue>::new(plain);
    let text = JSON::stringify_with_replacer_and_space(value, plain.as_ref(), &indent.into());
    text.map(String::from).unwrap_or_default()
}

/// Where events go.
#[derive(Debug)]
pub struct Events {
    listener: RefCell<Function>,
}

impl Events {
    /// Sends `{type, detail}` to a function.
    pub const fn new(listener: Function) -> Self {
        Self { listener: RefCell::new(listener) }
    }

    /// Tells the page.
    pub fn emit<T: Serialize + ?Sized>(&self, kind: &str, detail: &T) {
        let event = Object::new();
        let listener = self.listener.borrow().clone();
        let told = Reflect::set(&event, &"type".into(), &kind.into())
            .and_then(|_| Reflect::set(&event, &"detail".into(), &to_js(detail)))
            .and_then(|_| listener.call1(&JsValue::NULL, &event));
        if let Err(error) = told {
            web_sys::console::error_2(&"an event listener failed".into(), &error);
        }
    }

    /// Tells the page of something that failed outside any call.
    pub fn error(&self, error: &Error) {
        self.emit("error", error);
    }
}

/// Milliseconds since 1970 by this device.
pub fn now_ms() -> u64 {
    js_sys::Date::now() as u64
}
