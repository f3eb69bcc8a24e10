//! Connections to a wallet's process: so many, and none that sends its request or takes its answer drop by drop.

use crate::crash;
use crate::limits;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// Before another connection is accepted when there was no room for one.
const PAUSE: Duration = Duration::from_millis(500);

/// Serves for ever.
pub(super) async fn serve(listener: TcpListener, router: Router) -> io::Result<()> {
    let router = router.merge(crash::routes());
    let places = Arc::new(Semaphore::new(limits::WALLET_CONNECTIONS));
    loop {
        // Whoever finds none waits outside: the slow ones end.
        let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
        match listener.accept().await {
            Ok((stream, from)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    // Small frames must not wait for each other; the connection works without it too.
                    let _ = stream.set_nodelay(true);
                    connection(stream, from, router, PACE).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn connection<S>(stream: S, from: SocketAddr, router: Router, pace: Pace)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_millis(limits::REQUEST_HEAD_MS));
    let stream = TokioIo::new(Impatient { stream, pace, until: None });
    let router = TowerToHyperService::new(router);
    // Here and not in layers of the router: each of these costs every request some memory.
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(from));
        router.call(request.map(Bounded::new))
    });
    if let Err(error) = builder.serve_connection(stream, service).await {
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
struct Impatient<S> {
    stream: S,
    pace: Pace,
    /// Since a write had to wait, and until all of the answer is written.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
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

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
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
        let served = tokio::spawn(connection(server, ([127, 0, 0, 1], 1).into(), router, pace));
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
