//! Relays over HTTP and WebSocket: bounded answers, bounded queues, typed errors.

pub mod archive;
pub mod socket;

use crate::error::Error;
use crate::input::{self, FromJs, from_js};
use crate::limits;
use gloo_net::http::{Request, RequestBuilder, Response};
use js_sys::{JSON, Reflect, Uint8Array};
use std::borrow::Cow;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, ReadableStreamDefaultReader};

/// Error body of relays, validators and banks.
#[derive(Debug)]
struct Refusal {
    code: String,
    message: String,
    retryable: Option<bool>,
    data: JsValue,
}

from_js!(Refusal { code, message, retryable, data });

/// Fetches at most `limit` bytes.
///
/// # Errors
/// `relay.unreachable`, `relay.answer_too_long`, or what the relay says, its code in `room`.
pub async fn get(url: &str, room: &str, limit: usize) -> Result<Vec<u8>, Error> {
    let signal = AbortSignal::timeout_with_u32(limits::REQUEST_TIMEOUT_MS);
    let response = timed(Request::get(url), &signal).send().await.map_err(|error| unreachable(url, &error))?;
    answer(url, room, response, limit).await
}

/// Posts a body and reads the answer.
///
/// # Errors
/// As [`get`].
pub async fn post(url: &str, room: &str, content_type: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
    let signal = AbortSignal::timeout_with_u32(limits::REQUEST_TIMEOUT_MS);
    let request = timed(Request::post(url), &signal)
        .header("content-type", content_type)
        .body(JsValue::from(Uint8Array::from(body)))
        .map_err(|error| unreachable(url, &error))?;
    let response = request.send().await.map_err(|error| unreachable(url, &error))?;
    answer(url, room, response, limits::MAX_JSON_BYTES).await
}

fn timed(request: RequestBuilder, signal: &AbortSignal) -> RequestBuilder {
    request.abort_signal(Some(signal))
}

async fn answer(url: &str, room: &str, response: Response, limit: usize) -> Result<Vec<u8>, Error> {
    if response.ok() {
        return body(url, &response, limit).await;
    }
    let status = response.status();
    let retry_after = response.headers().get("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
    let body = body(url, &response, limits::MAX_JSON_BYTES).await?;
    let error = match parse::<Refusal>(&body) {
        Some(refusal) => Error {
            code: if refusal.code.contains('.') {
                Cow::Owned(refusal.code)
            } else {
                Cow::Owned(format!("{room}.{}", refusal.code))
            },
            message: refusal.message,
            retryable: refusal.retryable.unwrap_or_default(),
            data: refusal.data.dyn_ref().map(input::data),
        },
        None => Error {
            retryable: status >= 500 || status == 429,
            ..Error::new("relay.refused", format!("{url} answered with status {status}."))
        },
    };
    let error = error.with("status", u64::from(status));
    Err(match retry_after {
        Some(seconds) => error.with("retryAfter", seconds),
        None => error,
    })
}

/// What a JSON text says; `None` when it is none or says something else.
pub fn parse<T: FromJs>(text: &[u8]) -> Option<T> {
    let value = JSON::parse(std::str::from_utf8(text).ok()?).ok()?;
    T::from_js(&value).ok()
}

/// Reads a body piece by piece, and no further than allowed.
async fn body(url: &str, response: &Response, limit: usize) -> Result<Vec<u8>, Error> {
    let failed = |error: JsValue| unreachable(url, &describe(&error));
    let Some(stream) = response.body() else { return Ok(Vec::new()) };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    let mut bytes = Vec::new();
    while let Some(piece) = next_piece(&reader).await.map_err(failed)? {
        let before = bytes.len();
        let length = before.saturating_add(piece.length() as usize);
        if length > limit {
            drop(reader.cancel());
            return Err(Error::new("relay.answer_too_long", format!("{url} sent more than {limit} bytes."))
                .with("expected", limit));
        }
        bytes.resize(length, 0);
        piece.copy_to(&mut bytes[before..]);
    }
    Ok(bytes)
}

/// The next piece of a stream of bytes; `None` at its end.
async fn next_piece(reader: &ReadableStreamDefaultReader) -> Result<Option<Uint8Array>, JsValue> {
    let piece = JsFuture::from(reader.read()).await?;
    if Reflect::get(&piece, &"done".into()).is_ok_and(|done| done.is_truthy()) {
        return Ok(None);
    }
    Ok(Some(Reflect::get(&piece, &"value".into())?.unchecked_into()))
}

fn unreachable(url: &str, error: &impl std::fmt::Display) -> Error {
    Error::passing("relay.unreachable", format!("{url} cannot be reached: {error}."))
}

/// A thrown value in words, which end in the middle of a sentence.
pub fn describe(value: &JsValue) -> String {
    match value.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()).trim_end_matches('.').to_owned(),
        None => value.as_string().unwrap_or_else(|| format!("{value:?}")),
    }
}

/// `ws:` for `http:`, `wss:` for `https:`.
pub fn socket_url(origin: &str, path: &str) -> String {
    let origin = match origin.strip_prefix("http") {
        Some(rest) => format!("ws{rest}"),
        None => origin.to_owned(),
    };
    format!("{origin}{path}")
}
