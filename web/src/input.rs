//! Values from JavaScript: what a page asks with, and JSON that the browser has read.
//!
//! A library would do; reading shapes of all kinds, it is 20 KB of the download.

use crate::error::Datum;
use crate::events::json;
use fair_core::ordered;
use fair_core::types::{AssetId, Hash, PublicKey};
use js_sys::{Array, Number, Object, Reflect};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use wasm_bindgen::{JsCast as _, JsValue};

/// A value that is not what it should be, by the name of its property if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit(Option<&'static str>);

impl Misfit {
    /// A value of another kind than wanted.
    pub const KIND: Self = Self(None);
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "`{}` is missing or of another kind", camel_case(name)),
            None => f.write_str("it is of another kind"),
        }
    }
}

/// What can be read from a value of JavaScript.
pub trait FromJs: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// The first property that does not fit.
    fn from_js(value: &JsValue) -> Result<Self, Misfit>;
}

/// Reads a property by its name in Rust.
///
/// # Errors
/// The property, or one within it.
pub fn field<T: FromJs>(object: &JsValue, name: &'static str) -> Result<T, Misfit> {
    T::from_js(&property(object, name)?).map_err(|misfit| Misfit(misfit.0.or(Some(name))))
}

fn property(object: &JsValue, name: &str) -> Result<JsValue, Misfit> {
    Reflect::get(object, &camel_case(name).into()).map_err(|_| Misfit::KIND)
}

/// A property's name in JavaScript.
fn camel_case(name: &str) -> String {
    let mut camel = String::new();
    let mut begins = false;
    for letter in name.chars() {
        if letter == '_' {
            begins = true;
            continue;
        }
        camel.push(if begins { letter.to_ascii_uppercase() } else { letter });
        begins = false;
    }
    camel
}

/// Reads structs property by property; `expires_in_seconds` is `expiresInSeconds` in JavaScript.
macro_rules! from_js {
    ($name:ident { $($field:ident),* }) => {
        impl $crate::input::FromJs for $name {
            fn from_js(value: &wasm_bindgen::JsValue) -> Result<Self, $crate::input::Misfit> {
                Ok(Self { $($field: $crate::input::field(value, stringify!($field))?),* })
            }
        }
    };
}
pub(crate) use from_js;

impl FromJs for JsValue {
    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        Ok(value.clone())
    }
}

impl FromJs for String {
    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        value.as_string().ok_or(Misfit::KIND)
    }
}

impl FromJs for bool {
    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        value.as_bool().ok_or(Misfit::KIND)
    }
}

/// A bigint, or a number that is exact.
impl FromJs for u64 {
    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        if Number::is_safe_integer(value) {
            return value.as_f64().filter(|number| *number >= 0.0).map(|number| number as Self).ok_or(Misfit::KIND);
        }
        Self::try_from(value.clone()).map_err(|_| Misfit::KIND)
    }
}

macro_rules! from_js_integers {
    ($($type:ty)*) => {$(
        impl FromJs for $type {
            fn from_js(value: &JsValue) -> Result<Self, Misfit> {
                Self::try_from(u64::from_js(value)?).map_err(|_| Misfit::KIND)
            }
        }
    )*};
}
from_js_integers!(u8 u16 u32 usize);

impl FromJs for AssetId {
    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        u32::from_js(value).map(Self)
    }
}

fn from_text<T: FromStr>(value: &JsValue) -> Result<T, Misfit> {
    String::from_js(value)?.parse().map_err(|_| Misfit::KIND)
}

impl FromJs for Hash {
    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        from_text(value)
    }
}

impl FromJs for PublicKey {
    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        from_text(value)
    }
}

/// Absent, undefined and null are none.
impl<T: FromJs> FromJs for Option<T> {
    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        if value.is_null() || value.is_undefined() {
            return Ok(None);
        }
        T::from_js(value).map(Some)
    }
}

impl<T: FromJs> FromJs for Vec<T> {
    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        value.dyn_ref::<Array>().ok_or(Misfit::KIND)?.iter().map(|item| T::from_js(&item)).collect()
    }
}

/// Lists hold no lists, so that nesting cannot exhaust the stack; what they and objects hold is kept as text.
impl FromJs for Datum {
    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        Ok(match value.dyn_ref::<Array>() {
            Some(list) => Self::List(list.iter().map(|value| datum(&value)).collect()),
            None => datum(value),
        })
    }
}

fn datum(value: &JsValue) -> Datum {
    if value.is_null() {
        return Datum::Null;
    }
    if let Some(flag) = value.as_bool() {
        return Datum::Flag(flag);
    }
    if let Some(text) = value.as_string() {
        return Datum::Text(text);
    }
    match u64::from_js(value) {
        Ok(number) => Datum::Number(number),
        Err(_) => Datum::Text(json(value, 0)),
    }
}

/// The properties of an object.
pub fn data(object: &Object) -> BTreeMap<String, Datum> {
    ordered::map(Object::entries(object).iter().map(|entry| {
        let entry: Array = entry.unchecked_into();
        let value = Datum::from_js(&entry.get(1)).unwrap_or(Datum::Null);
        (entry.get(0).as_string().unwrap_or_default(), value)
    }))
}
