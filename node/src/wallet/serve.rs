//! Connections to a wallet's process: so many, and none that sends its request drop by drop or reads no answer.

use crate::crash;
use crate::limits;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::{Extension, Router};
use futures_util::{StreamExt as _, stream};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep, timeout_at};

/// Before another connection is accepted when there was no room for one.
const PAUSE: Duration = Duration::from_millis(500);

/// Serves for ever.
pub(super) async fn serve(listener: TcpListener, router: Router) -> io::Result<()> {
    let router = router.merge(crash::routes()).layer(middleware::from_fn(bound_body));
    let places = Arc::new(Semaphore::new(limits::WALLET_CONNECTIONS));
    loop {
        // Whoever finds none waits outside: the slow ones end.
        let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
        match listener.accept().await {
            Ok((stream, from)) => {
                let router = router.clone().layer(Extension(ConnectInfo::<SocketAddr>(from)));
                tokio::spawn(async move {
                    connection(stream, router).await;
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

async fn connection(stream: TcpStream, router: Router) {
    // Small frames must not wait for each other; the connection works without it too.
    let _ = stream.set_nodelay(true);
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_millis(limits::REQUEST_HEAD_MS));
    let stream = TokioIo::new(Impatient { stream, stuck: None });
    if let Err(error) = builder.serve_connection(stream, TowerToHyperService::new(router)).await {
        tracing::debug!(%error, "connection");
    }
}

/// A connection that ends when its other side takes nothing of an answer for too long.
struct Impatient {
    stream: TcpStream,
    /// Runs while a write waits.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Impatient {
    fn bound(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let patience = || Box::pin(sleep(Duration::from_millis(limits::ANSWER_STUCK_MS)));
        ready!(self.stuck.get_or_insert_with(patience).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Impatient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Impatient {
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

    // The stream buffers nothing: neither of both waits for the other side.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Ends the reading of a body that takes too long.
async fn bound_body(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let end = Instant::now() + Duration::from_millis(limits::REQUEST_BODY_MS);
    let bounded = stream::try_unfold(body.into_data_stream(), move |mut parts| async move {
        match timeout_at(end, parts.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(part)) => part.map(|part| Some((part, parts))),
            Err(_) => Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut))),
        }
    });
    next.run(Request::from_parts(head, Body::from_stream(bounded))).await
}
