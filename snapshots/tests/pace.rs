//! A source from which an archive trickles is left: it never falls silent, and would never end.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use fair_snapshots::{LEAST_PACE_BYTES, PACE_WINDOW, fetch};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{interval, timeout};

/// Between two bytes.
const BEAT: Duration = Duration::from_millis(500);

async fn trickle(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let _ = stream.read(&mut [0; 4096]).await.unwrap();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LEAST_PACE_BYTES}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut beat = interval(BEAT);
    // Until the other side hangs up.
    while stream.write_all(&[0]).await.is_ok() {
        beat.tick().await;
    }
}

#[tokio::test]
async fn an_archive_that_trickles_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/snapshots/Fair-5.tar.gz", listener.local_addr().unwrap());
    tokio::spawn(trickle(listener));
    let folder = tempfile::tempdir().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let file = folder.path().join("fetched");
    let fetched = fetch(&client, &url, &file, |_, _| {});
    let error = timeout(2 * PACE_WINDOW, fetched).await.expect("it is left in time").unwrap_err().to_string();
    assert!(error.contains("it sent only"), "{error}");
}
