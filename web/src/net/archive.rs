//! Archives of snapshots: fetched piece by piece, resumed after a break, inflated by the browser.
//!
//! **Invariant**: no more is in memory than a piece of the network and what a few compressed KB inflate to.

use super::{describe, next_piece, unreachable};
use crate::error::Error;
use crate::limits;
use futures_util::future::{Either, select, try_join};
use gloo_net::http::Request;
use gloo_timers::future::TimeoutFuture;
use js_sys::{Array, Function, Reflect, Uint8Array};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, ReadableStream, ReadableStreamDefaultReader, WritableStream, WritableStreamDefaultWriter,
};

/// What takes inflated bytes; what it refuses ends the download.
pub type Taker<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Error>;

/// A download.
#[derive(Debug)]
pub struct Archive {
    url: String,
    bytes: u64,
    received: Cell<u64>,
    resumed: Cell<bool>,
}

impl Archive {
    /// Of so many bytes at this address.
    pub const fn new(url: String, bytes: u64) -> Self {
        Self { url, bytes, received: Cell::new(0), resumed: Cell::new(false) }
    }

    /// Whether its bytes came in several parts. A relay that put another archive of the same height there meanwhile
    /// lied about neither.
    pub fn was_resumed(&self) -> bool {
        self.resumed.get()
    }

    /// Hands all of it over as it inflates; `heard` is told how many compressed bytes there are now. All of it comes from
    /// one source, which has to answer for it: what two sent says nothing about either.
    ///
    /// # Errors
    /// What the taker says; `snapshot.archive` where it is not compressed, or longer than it should be;
    /// `relay.unreachable`, `relay.refused`, `relay.too_slow` and `browser.unsupported` can be gone the next time.
    pub async fn read(&self, take: Taker<'_>, heard: &dyn Fn(u64)) -> Result<(), Error> {
        let inflater = Inflater::new().ok_or_else(|| {
            Error::passing("browser.unsupported", "This browser cannot inflate archives; blocks are used instead.")
        })?;
        try_join(self.fetch(&inflater.writer, heard), inflater.hand_over(take)).await.map(drop)
    }

    async fn fetch(&self, writer: &WritableStreamDefaultWriter, heard: &dyn Fn(u64)) -> Result<(), Error> {
        let (mut tries, mut wait_ms) = (1, limits::RECONNECT_MIN_MS);
        loop {
            let before = self.received.get();
            let ended = self.fetch_rest(writer, heard).await;
            let received = self.received.get();
            match ended {
                Err(error) if !error.retryable => return Err(error),
                _ if received == self.bytes => break,
                Err(error) if error.code == "relay.too_slow" => return Err(error),
                // Who hangs up after each few bytes is left, too.
                _ if received.saturating_sub(before) >= limits::LEAST_PACE_BYTES.into() => {
                    (tries, wait_ms) = (1, limits::RECONNECT_MIN_MS);
                }
                Err(error) if tries == limits::DOWNLOAD_TRIES => return Err(error),
                // Shorter than it should be: what is missing shows when it has been inflated.
                Ok(()) if tries == limits::DOWNLOAD_TRIES => break,
                _ => tries += 1,
            }
            self.resumed.set(received > 0);
            TimeoutFuture::new(wait_ms).await;
            wait_ms = wait_ms.saturating_mul(2);
        }
        JsFuture::from(writer.close()).await.map_err(not_inflated).map(drop)
    }

    /// Fetches what is missing, until its end or a break.
    async fn fetch_rest(&self, writer: &WritableStreamDefaultWriter, heard: &dyn Fn(u64)) -> Result<(), Error> {
        let url = &self.url;
        let failed = |error: JsValue| unreachable(url, &describe(&error));
        let silent = || unreachable(url, &"it fell silent");
        let aborting = Aborting(AbortController::new().map_err(failed)?);
        let from = self.received.get();
        let mut request = Request::get(url).abort_signal(Some(&aborting.0.signal()));
        if from > 0 {
            request = request.header("range", &format!("bytes={from}-"));
        }
        let answer = timely(request.send()).await.ok_or_else(silent)?;
        let answer = answer.map_err(|error| unreachable(url, &error))?;
        // Nothing is there behind what came already.
        if answer.status() == 416 {
            return Ok(());
        }
        if !answer.ok() {
            let message = format!("{url} answered with status {}.", answer.status());
            return Err(Error::passing("relay.refused", message));
        }
        let Some(body) = answer.body() else { return Ok(()) };
        let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
        // A whole archive in answer to a range.
        let mut known = if answer.status() == 206 { 0 } else { from };
        let (mut since_ms, mut came) = (js_sys::Date::now(), 0);
        while let Some(piece) = timely(next_piece(&reader)).await.ok_or_else(silent)?.map_err(failed)? {
            let skipped = u32::try_from(known).unwrap_or(u32::MAX).min(piece.length());
            known = known.saturating_sub(skipped.into());
            self.write(writer, &piece.subarray(skipped, piece.length())).await?;
            heard(self.received.get());
            came += piece.length();
            if js_sys::Date::now() - since_ms > limits::PACE_WINDOW_MS {
                if came < limits::LEAST_PACE_BYTES {
                    return Err(Error::passing("relay.too_slow", format!("{url} sends the archive too slowly.")));
                }
                (since_ms, came) = (js_sys::Date::now(), 0);
            }
        }
        Ok(())
    }

    /// Small parts, each when there is room for what it inflates to.
    async fn write(&self, writer: &WritableStreamDefaultWriter, piece: &Uint8Array) -> Result<(), Error> {
        let received = self.received.get().saturating_add(piece.length().into());
        if received > self.bytes {
            let message = format!("The archive is longer than the {} bytes that are listed.", self.bytes);
            return Err(Error::new("snapshot.archive", message));
        }
        let mut at = 0;
        while at < piece.length() {
            let end = at.saturating_add(limits::INFLATE_BYTES).min(piece.length());
            JsFuture::from(writer.write_with_chunk(&piece.subarray(at, end))).await.map_err(not_inflated)?;
            at = end;
        }
        self.received.set(received);
        Ok(())
    }
}

/// The browser's own inflating. Given up when it is dropped.
struct Inflater {
    writer: WritableStreamDefaultWriter,
    reader: ReadableStreamDefaultReader,
}

impl Inflater {
    /// `None` where the browser has none.
    fn new() -> Option<Self> {
        let class: Function = Reflect::get(&js_sys::global(), &"DecompressionStream".into()).ok()?.dyn_into().ok()?;
        let stream = Reflect::construct(&class, &Array::of1(&"gzip".into())).ok()?;
        let writable: WritableStream = Reflect::get(&stream, &"writable".into()).ok()?.dyn_into().ok()?;
        let readable: ReadableStream = Reflect::get(&stream, &"readable".into()).ok()?.dyn_into().ok()?;
        Some(Self { writer: writable.get_writer().ok()?, reader: readable.get_reader().unchecked_into() })
    }

    async fn hand_over(&self, take: Taker<'_>) -> Result<(), Error> {
        let mut bytes = Vec::new();
        while let Some(piece) = next_piece(&self.reader).await.map_err(not_inflated)? {
            bytes.resize(piece.length() as usize, 0);
            piece.copy_to(&mut bytes);
            take(&bytes)?;
        }
        Ok(())
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        // Either may say that the other was first. A future hears that, also when it is dropped: what nobody hears ends
        // the worker.
        drop(JsFuture::from(self.writer.abort()));
        drop(JsFuture::from(self.reader.cancel()));
    }
}

/// Ends its request when it is dropped.
struct Aborting(AbortController);

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// `None`: nothing came for too long.
async fn timely<T>(future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), TimeoutFuture::new(limits::REQUEST_TIMEOUT_MS)).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

fn not_inflated(error: JsValue) -> Error {
    Error::new("snapshot.archive", format!("The archive cannot be inflated: {}.", describe(&error)))
}
