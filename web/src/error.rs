//! The one error that leaves this crate: a stable code, a sentence, whether asking again can help, and
//! what was expected and what came.

use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;

#[cfg(target_arch = "wasm32")]
mod core;
#[cfg(target_arch = "wasm32")]
pub(crate) use self::core::sentence;

/// What every rejected call and every `error` event carries (`FairErrorShape` in `www/js/api.d.ts`).
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    /// Stable; a room, a dot, a name: `wallet.wrong_password`.
    pub code: Cow<'static, str>,
    /// One English sentence.
    pub message: String,
    /// Whether the same call can succeed later without a change.
    pub retryable: bool,
    /// Expected and got, as far as it is known.
    pub data: Option<BTreeMap<String, Datum>>,
}

/// A value in [`Error::data`].
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// Nothing.
    Null,
    /// Yes or no.
    Flag(bool),
    /// A height, count or index; a number in JavaScript.
    Number(u64),
    /// An amount; a bigint in JavaScript.
    Amount(i128),
    /// A hash, key, name or sentence.
    Text(String),
    /// Several.
    List(Vec<Datum>),
}

impl Serialize for Datum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => crate::view::Num(*number).serialize(serializer),
            Self::Amount(amount) => serializer.serialize_i128(*amount),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => list.serialize(serializer),
        }
    }
}

impl From<u64> for Datum {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Datum {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<String> for Datum {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Datum {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T: Into<Datum>> From<Option<T>> for Datum {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Error {
    /// An error that stays until something is changed.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), message: message.into(), retryable: false, data: None }
    }

    /// An error that may be gone the next time.
    pub fn passing(code: &'static str, message: impl Into<String>) -> Self {
        Self { retryable: true, ..Self::new(code, message) }
    }

    /// Adds a value to `data`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Datum>) -> Self {
        self.data.get_or_insert_default().insert(name.to_owned(), value.into());
        self
    }

    /// A number in `data`.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.data.as_ref()?.get(name)? {
            Datum::Number(number) => Some(*number),
            _ => None,
        }
    }
}
