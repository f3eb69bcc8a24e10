//! Connections to a wallet's process: so many, and none that sends its request drop by drop.

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
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

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
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await {
        tracing::debug!(%error, "connection");
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
