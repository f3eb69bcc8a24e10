//! Connections to a daemon: so many, so many of one address, and none that sends its request or takes its answer drop
//! by drop.

use crate::crash;
use crate::descriptors;
use crate::limits;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// Before another connection is accepted when there was no room for one.
const PAUSE: Duration = Duration::from_millis(500);

/// How many connections there may be at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) all: usize,
    /// Of one address.
    pub(crate) each: usize,
}

/// Wallets and merchants: all may come from the proxy in front.
pub(crate) const ANYBODY: Room = Room { all: limits::CONNECTIONS, each: limits::CONNECTIONS };
/// Banks and towers: a relay brings many of their customers.
pub(crate) const NOBODY_ALONE: Room = Room { all: limits::CONNECTIONS, each: limits::CONNECTIONS / 2 };
/// Validators: relays, banks and nodes come.
pub(crate) const FEW_EACH: Room = Room { all: limits::CONNECTIONS, each: limits::CONNECTIONS_PER_ADDRESS };

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, router: Router, room: Room) -> io::Result<()> {
    let router = router.merge(crash::routes());
    let all = room.all.min(descriptors::most().saturating_sub(limits::OTHER_DESCRIPTORS)).max(1);
    let places = Arc::new(Semaphore::new(all));
    // Of few places an address has as large a part as of many.
    let addresses = Addresses::new((room.each * all / room.all).max(1));
    loop {
        // Whoever finds none waits outside: the slow ones end.
        let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
        match listener.accept().await {
            Ok((stream, from)) => {
                let Some(share) = addresses.take(from.ip()) else { continue };
                // Small frames must not wait for each other; the connection works without it too.
                let _ = stream.set_nodelay(true);
                tokio::spawn(connection(stream, from, router.clone(), PACE, (place, share)));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(PAUSE).await;
            }
        }
    }
}

/// How many connections each address has.
pub(crate) struct Addresses {
    each: usize,
    taken: Mutex<BTreeMap<IpAddr, usize>>,
}

impl Addresses {
    pub(crate) fn new(each: usize) -> Arc<Self> {
        Arc::new(Self { each, taken: Mutex::default() })
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Share> {
        let address = bucket(address);
        let mut taken = self.taken();
        let count = taken.entry(address).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Share { of: self.clone(), address })
    }
}

/// A connection of an address; given back when dropped.
pub(crate) struct Share {
    of: Arc<Addresses>,
    address: IpAddr,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.of.taken();
        if let Some(count) = taken.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// Whoever has an IPv6 address has the whole /64 of it.
fn bucket(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

/// `place` is held until the stream is gone, which a WebSocket takes over.
async fn connection<S, P>(stream: S, from: SocketAddr, router: Router, pace: Pace, place: P)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    P: Send + Unpin + 'static,
{
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_millis(limits::REQUEST_HEAD_MS));
    let stream = TokioIo::new(Impatient { stream, pace, until: None, _place: place });
    let router = TowerToHyperService::new(router);
    // Here and not in layers of the router: each of these costs every request some memory.
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(from));
        router.call(request.map(Bounded::new))
    });
    if let Err(error) = builder.serve_connection(stream, service).with_upgrades().await {
        tracing::debug!(%error, "connection");
    }
}

/// How fast an answer must be taken.
#[derive(Clone, Copy)]
struct Pace {
    /// How long nothing of it may be.
    stuck: Duration,
    /// How much in a second, when it is taken slowly.
    bytes_per_s: u64,
}

const PACE: Pace =
    Pace { stuck: Duration::from_millis(limits::ANSWER_STUCK_MS), bytes_per_s: limits::ANSWER_BYTES_PER_S };

impl Pace {
    /// Until when the other side must take more after it took some: so much later as that is worth, but not later
    /// than if it had taken all that is due.
    fn later(self, until: Instant, now: Instant, taken: usize) -> Instant {
        let taken = u64::try_from(taken).unwrap_or(u64::MAX);
        let worth = Duration::from_millis(taken.saturating_mul(1_000) / self.bytes_per_s);
        (until + worth.min(self.stuck)).min(now + self.stuck)
    }
}

/// A connection that ends when its other side takes an answer too slowly.
struct Impatient<S, P> {
    stream: S,
    pace: Pace,
    /// Since a write had to wait, and until all of the answer is written.
    until: Option<Pin<Box<Sleep>>>,
    _place: P,
}

impl<S, P> Impatient<S, P> {
    fn bound(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let (Poll::Ready(Ok(taken)), Some(until)) = (&written, &mut self.until) {
            let later = self.pace.later(until.deadline(), Instant::now(), *taken);
            until.as_mut().reset(later);
        }
        if written.is_ready() {
            return written;
        }
        let stuck = self.pace.stuck;
        ready!(self.until.get_or_insert_with(|| Box::pin(sleep(stuck))).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin, P: Unpin> AsyncRead for Impatient<S, P> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin, P: Unpin> AsyncWrite for Impatient<S, P> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.bound(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.bound(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // The stream buffers nothing: neither of both waits for the other side. The server flushes when all is written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.until = None;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A body whose reading ends when it takes too long.
struct Bounded {
    body: Incoming,
    end: Instant,
    /// Runs once a part had to be waited for.
    late: Option<Pin<Box<Sleep>>>,
}

impl Bounded {
    fn new(body: Incoming) -> Self {
        Self { body, end: Instant::now() + Duration::from_millis(limits::REQUEST_BODY_MS), late: None }
    }
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(part) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(part.map(|part| part.map_err(axum::Error::new)));
        }
        let end = self.end;
        ready!(self.late.get_or_insert_with(|| Box::pin(sleep_until(end))).as_mut().poll(cx));
        Poll::Ready(Some(Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    /// Reached only by a failure.
    const PATIENCE: Duration = Duration::from_secs(30);
    const ANSWER: usize = 256 << 10;

    /// A connection that buffers next to nothing, over which something large is asked for.
    async fn asked(pace: Pace) -> (DuplexStream, tokio::task::JoinHandle<()>) {
        let (mut client, server) = duplex(64);
        let router = Router::new().route("/", get(|| async { vec![7; ANSWER] }));
        let served = tokio::spawn(connection(server, ([127, 0, 0, 1], 1).into(), router, pace, ()));
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        (client, served)
    }

    #[tokio::test]
    async fn whoever_takes_an_answer_drop_by_drop_is_hung_up_on() {
        let (mut client, served) = asked(Pace { stuck: Duration::from_millis(200), bytes_per_s: 64 << 10 }).await;
        let drops = async {
            // Something every time, long before nothing of it would have been taken for too long.
            while client.read_u8().await.is_ok() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, drops).await.unwrap();
        served.await.unwrap();
    }

    #[tokio::test]
    async fn whoever_takes_it_at_once_gets_all_of_it() {
        let (mut client, served) = asked(PACE).await;
        let mut got = Vec::new();
        while got.len() < ANSWER {
            assert!(client.read_buf(&mut got).await.unwrap() > 0);
        }
        drop(client);
        served.await.unwrap();
    }

    #[test]
    fn one_address_cannot_take_anothers_places() {
        let addresses = Addresses::new(2);
        let (one, other) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        let (first, _second) = (addresses.take(one).unwrap(), addresses.take(other).unwrap());
        assert!(addresses.take(one).is_none(), "both are of one network");
        assert!(addresses.take("2001:db8:0:1::1".parse().unwrap()).is_some());
        drop(first);
        assert!(addresses.take(other).is_some());
        assert_eq!(addresses.taken().len(), 1, "whoever has gone is forgotten");
    }

    /// A WebSocket keeps its place after the request that opened it.
    #[tokio::test]
    async fn a_place_is_held_until_an_upgraded_connection_ends() {
        let (mut client, server) = duplex(4 << 10);
        let (place, mut gone) = tokio::sync::oneshot::channel::<()>();
        let upgrade = |upgrade: axum::extract::ws::WebSocketUpgrade| async {
            upgrade.on_upgrade(|mut socket| async move { while socket.recv().await.is_some() {} })
        };
        let router = Router::new().route("/", get(upgrade));
        tokio::spawn(connection(server, ([127, 0, 0, 1], 1).into(), router, PACE, place));
        let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 101");
        assert!(matches!(gone.try_recv(), Err(tokio::sync::oneshot::error::TryRecvError::Empty)));
        drop(client);
        tokio::time::timeout(PATIENCE, gone).await.unwrap().unwrap_err();
    }

    #[test]
    fn what_is_taken_makes_room_for_what_is_left() {
        let pace = Pace { stuck: Duration::from_secs(20), bytes_per_s: 100 };
        let (now, ms) = (Instant::now(), Duration::from_millis);
        let until = |left_ms, taken| pace.later(now + ms(left_ms), now, taken) - now;
        assert_eq!(until(5_000, 1), ms(5_010));
        assert_eq!(until(5_000, 300), ms(8_000));
        assert_eq!(until(5_000, 1_500), ms(20_000), "at the pace that is wanted it goes on for ever");
        assert_eq!(until(5_000, usize::MAX), ms(20_000), "and nobody saves up");
    }
}
