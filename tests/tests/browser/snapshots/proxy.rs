//! A relay that offers a snapshot of our making: everything else comes from an honest relay behind it.

use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::{Context as _, Result};
use fair_tests::http::{Server, pass_on, read_head};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Duration, interval};

/// Between two bytes of an answer that trickles: less than any client takes for silence.
const BEAT: Duration = Duration::from_millis(500);

/// What it offers.
#[derive(Clone, Default)]
pub(crate) struct Offer {
    /// Its only line in the list.
    pub(crate) listed: Value,
    /// The archive.
    pub(crate) archive: Vec<u8>,
    /// The first answer breaks off behind so many bytes, when [`OfferingRelay::cut`] says so.
    pub(crate) breaks_after: Option<usize>,
    /// From then on it goes on by a byte at a time, and is never cut.
    pub(crate) trickles: bool,
    /// Asked for the first blocks, it says that it has none before the first.
    pub(crate) contradicts: bool,
    /// It announces nothing.
    pub(crate) is_mute: bool,
    /// It gives out one header at a time, however many are asked for.
    pub(crate) is_stingy: bool,
}

#[derive(Default)]
struct Script {
    upstream: String,
    offer: Mutex<Offer>,
    /// From where on the archive was asked for, each time.
    asked: Mutex<Vec<usize>>,
    cut: Notify,
}

/// The relay, on a free port, until it is dropped.
pub(crate) struct OfferingRelay {
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    script: Arc<Script>,
    _server: Server,
}

impl OfferingRelay {
    /// Stands before an honest relay.
    pub(crate) async fn start(upstream: &str) -> Result<Self> {
        let upstream = upstream.strip_prefix("http://").context("an http address")?.to_owned();
        let script = Arc::new(Script { upstream, ..Script::default() });
        let shared = script.clone();
        let server = Server::start(move |stream| answer(stream, shared.clone())).await?;
        Ok(Self { url: server.url.clone(), script, _server: server })
    }

    /// Offers this from now on, and nothing else.
    pub(crate) fn offer(&self, offer: Offer) {
        lock(&self.script.asked).clear();
        *lock(&self.script.offer) = offer;
    }

    /// Breaks the answer off that waits for it.
    pub(crate) fn cut(&self) {
        self.script.cut.notify_one();
    }

    /// From where on the archive was asked for since then.
    pub(crate) fn asked(&self) -> Vec<usize> {
        lock(&self.script.asked).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with it")
}

/// One request per connection; a WebSocket lasts as long as its connection.
async fn answer(mut stream: TcpStream, script: Arc<Script>) -> Result<()> {
    let (head, rest) = read_head(&mut stream).await?;
    let path = head.split(' ').nth(1).context("a path")?;
    if path == "/v1/snapshots" {
        let body = serde_json::to_vec(&[&lock(&script.offer).listed])?;
        return send(stream, "200 OK", body.len(), &body).await;
    }
    if path.starts_with("/v1/snapshots/") {
        let from = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok());
        lock(&script.asked).push(from.unwrap_or(0));
        let (archive, (breaks_after, trickles)) = {
            let mut offer = lock(&script.offer);
            (offer.archive.clone(), (offer.breaks_after.take(), offer.trickles))
        };
        let part = archive.get(from.unwrap_or(0)..).unwrap_or_default();
        let status = if from.is_some() { "206 Partial Content" } else { "200 OK" };
        let Some(broken) = breaks_after.and_then(|at| part.get(..at)) else {
            return send(stream, status, part.len(), part).await;
        };
        write(&mut stream, status, part.len(), broken).await?;
        if trickles {
            let mut beat = interval(BEAT);
            for byte in part.get(broken.len()..).unwrap_or_default() {
                beat.tick().await;
                stream.write_all(&[*byte]).await?;
            }
        }
        script.cut.notified().await;
        return Ok(stream.shutdown().await?);
    }
    if path == "/v1/heads" && lock(&script.offer).is_mute {
        return send(stream, "503 Service Unavailable", 0, &[]).await;
    }
    if path.starts_with("/v1/blocks?") && lock(&script.offer).contradicts {
        let (code, message) = ("relay.before_snapshot", "This relay has blocks from height 1 on.");
        let refusal = json!({ "code": code, "message": message, "retryable": false, "data": { "first": 1 } });
        let body = serde_json::to_vec(&refusal)?;
        return send(stream, "404 Not Found", body.len(), &body).await;
    }
    let is_stingy = path.starts_with("/v1/headers?") && lock(&script.offer).is_stingy;
    let head = if is_stingy { head.replacen("&count=", "&count=1&and=", 1) } else { head };
    pass_on(stream, &script.upstream, &head, &rest).await
}

async fn send(mut stream: TcpStream, status: &str, length: usize, body: &[u8]) -> Result<()> {
    write(&mut stream, status, length, body).await?;
    Ok(stream.shutdown().await?)
}

async fn write(stream: &mut TcpStream, status: &str, length: usize, body: &[u8]) -> Result<()> {
    // Also for the pages of another relay.
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\naccess-control-allow-origin: *\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    Ok(stream.write_all(body).await?)
}
