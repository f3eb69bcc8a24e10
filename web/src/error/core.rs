//! Errors of the core as the page gets them.

use super::{Datum, Error};
use crate::events::to_js;
use crate::input;
use serde::Serialize;
use std::borrow::Cow;
use wasm_bindgen::{JsCast as _, JsValue};

impl Error {
    /// An error of the core: the code is `room.` and the tag that the error serialises with, everything
    /// else that it carries becomes data.
    pub fn of<E: std::error::Error + Serialize>(room: &str, error: &E) -> Self {
        Self::written(room, sentence(error), &to_js(error))
    }

    fn written(room: &str, message: String, error: &JsValue) -> Self {
        let mut data = error.dyn_ref().map(input::data).unwrap_or_default();
        let tag = match data.remove("code") {
            Some(Datum::Text(tag)) => tag,
            _ => error.as_string().unwrap_or_else(|| "refused".to_owned()),
        };
        let data = (!data.is_empty()).then_some(data);
        Self { code: Cow::Owned(format!("{room}.{tag}")), message, retryable: false, data }
    }
}

/// An error's text as a sentence.
pub(crate) fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}{end}", first.to_ascii_uppercase(), letters.as_str()),
        None => text,
    }
}
