//! Takes connections: so many, each for so long, and none that sends its request drop by drop.

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tower_http::timeout::TimeoutLayer;

/// Connections at once; whoever finds no place waits outside until one ends.
const CONNECTIONS: u32 = 512;
/// Before another one is accepted when the machine had no room for one.
const PAUSE: Duration = Duration::from_millis(500);

/// How long everything may take.
#[derive(Clone, Copy)]
struct Times {
    /// The head of a request, a connection without one included.
    head: Duration,
    /// A request with its body, until its answer begins: longer than somebody waits for an order.
    request: Duration,
    /// A connection, whatever is asked through it. Whoever reads no answer does not keep it.
    connection: Duration,
    /// What is under way when a connection is to end.
    end: Duration,
}

const TIMES: Times = Times {
    head: Duration::from_secs(10),
    request: Duration::from_secs(40),
    connection: Duration::from_secs(600),
    end: Duration::from_secs(5),
};

/// Serves until `stopping`, then ends what is under way, but waits not long for it.
pub(crate) async fn serve(listener: TcpListener, router: Router, stopping: impl Future<Output = ()>) {
    let (stop, stopped) = watch::channel(false);
    let places = Arc::new(Semaphore::new(CONNECTIONS as usize));
    tokio::select! {
        () = accept(&listener, &router, &places, &stopped) => {}
        () = stopping => {}
    }
    drop(listener);
    stop.send_replace(true);
    // Each ends itself in this time.
    let _ = timeout(TIMES.end, places.acquire_many(CONNECTIONS)).await;
}

/// Accepts connections for ever.
async fn accept(listener: &TcpListener, router: &Router, places: &Arc<Semaphore>, stopped: &watch::Receiver<bool>) {
    loop {
        // Closed it never is.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, from)) => {
                let (router, stopped) = (router.clone(), stopped.clone());
                tokio::spawn(async move {
                    connection(stream, from, router, TIMES, stopped).await;
                    drop(place);
                });
            }
            Err(error) => {
                eprintln!("cannot accept a connection: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn connection<S>(stream: S, from: SocketAddr, router: Router, times: Times, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(times.head);
    let router = router.layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, times.request));
    let router = TowerToHyperService::new(router);
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(from));
        router.call(request)
    });
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // Whatever came in the same moment is the last that is answered.
        biased;
        _ = stopped.wait_for(|stopped| *stopped) => {}
        () = sleep(times.connection) => {}
        // What a client does wrong is its own affair.
        _ = &mut serving => return,
    }
    serving.as_mut().graceful_shutdown();
    let _ = timeout(times.end, serving).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::net::TcpStream;
    use tokio::task::JoinHandle;

    /// Reached only by a failure.
    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(100);
    const FOREVER: Times = Times { head: LONG, request: LONG, connection: LONG, end: LONG };

    /// A connection, and what tells it to stop.
    fn open(times: Times) -> (DuplexStream, JoinHandle<()>, watch::Sender<bool>) {
        open_to(Router::new(), times)
    }

    fn open_to(more: Router, times: Times) -> (DuplexStream, JoinHandle<()>, watch::Sender<bool>) {
        let (client, server) = duplex(64);
        let (stop, stopped) = watch::channel(false);
        let router =
            more.route("/", post(async |body: Bytes| body)).route("/large", post(|| async { vec![7; 1 << 20] }));
        let served = tokio::spawn(connection(server, ([127, 0, 0, 1], 1).into(), router, times, stopped));
        (client, served, stop)
    }

    /// What comes after some bytes until the other side hangs up.
    async fn answer(mut client: DuplexStream, sent: &str) -> String {
        client.write_all(sent.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        timeout(LONG / 2, client.read_to_end(&mut got)).await.expect("nobody hangs up").unwrap();
        String::from_utf8(got).unwrap()
    }

    #[tokio::test]
    async fn whoever_sends_half_a_request_or_none_is_hung_up_on() {
        for half in ["", "POST / HTTP/1.1\r\nHost: x\r\n"] {
            let (client, served, _stop) = open(Times { head: SHORT, ..FOREVER });
            let got = answer(client, half).await;
            assert!(got.is_empty() || got.starts_with("HTTP/1.1 408"), "{got}");
            served.await.unwrap();
        }
        // With the rest of it to come, and after a whole one.
        let (client, _served, _stop) = open(Times { request: SHORT, head: SHORT, ..FOREVER });
        let got = answer(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf").await;
        assert!(got.starts_with("HTTP/1.1 408"), "{got}");
        let (client, _served, _stop) = open(Times { head: SHORT, ..FOREVER });
        let got = answer(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nwhole").await;
        assert!(got.starts_with("HTTP/1.1 200") && got.ends_with("whole"), "{got}");
    }

    #[tokio::test]
    async fn whoever_reads_no_answer_does_not_keep_the_connection() {
        let (mut client, served, _stop) = open(Times { connection: SHORT, end: SHORT, ..FOREVER });
        client.write_all(b"POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        timeout(LONG / 2, served).await.expect("it is kept").unwrap();
    }

    #[tokio::test]
    async fn so_many_connections_stand_at_a_time_and_others_wait_for_a_place() {
        let (order, mut served) = tokio::sync::mpsc::unbounded_channel();
        let router = Router::new().route("/", post(async move |body: String| drop(order.send(body))));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let (places, whole) = (Arc::new(Semaphore::new(1)), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
        let accepting = tokio::spawn(async move { accept(&listener, &router, &places, &stopped).await });
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(whole.as_bytes()).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(format!("{whole}later").as_bytes()).await.unwrap();
        // Time enough for whoever is served at once.
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        first.write_all(b"first").await.unwrap();
        assert_eq!(served.recv().await.unwrap(), "first");
        drop(first);
        assert_eq!(served.recv().await.unwrap(), "later");
        accepting.abort();
    }

    #[tokio::test]
    async fn a_request_that_is_under_way_is_answered_when_the_shop_closes() {
        let (begin, mut begun) = tokio::sync::mpsc::unbounded_channel();
        let slow = Router::new().route(
            "/slow",
            post(async move |request: Request| {
                let _ = begin.send(());
                axum::body::to_bytes(request.into_body(), 9).await.unwrap()
            }),
        );
        let (mut client, served, stop) = open_to(slow, FOREVER);
        client.write_all(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nha").await.unwrap();
        begun.recv().await.unwrap();
        stop.send_replace(true);
        let got = answer(client, "lf!").await;
        assert!(got.starts_with("HTTP/1.1 200") && got.contains("connection: close"), "{got}");
        served.await.unwrap();
    }
}
