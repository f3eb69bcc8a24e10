//! Small servers of tests, and requests as those read them that stand before others.

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Longest head of a request.
const MAX_HEAD_BYTES: usize = 32 << 10;

/// A server on a free port, until it is dropped.
pub struct Server {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    task: JoinHandle<()>,
}

impl Server {
    /// Each connection is `answer`'s, which may give it up whenever it likes.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start<A>(answer: impl Fn(TcpStream) -> A + Send + 'static) -> Result<Self>
    where
        A: Future<Output = Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
        Ok(Self { url, task })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The head of a request, and what came with it.
///
/// # Errors
/// If there is none.
pub async fn read_head(stream: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8(bytes)?, rest));
        }
        if bytes.len() > MAX_HEAD_BYTES || stream.read_buf(&mut bytes).await? == 0 {
            bail!("no request");
        }
    }
}

/// Lets the server behind answer one request; a WebSocket lasts as long as its connection.
///
/// # Errors
/// If either hangs up.
pub async fn pass_on(mut stream: TcpStream, behind: &str, head: &str, rest: &[u8]) -> Result<()> {
    let mut upstream = TcpStream::connect(behind).await?;
    upstream.write_all(last_of_its_connection(head).as_bytes()).await?;
    upstream.write_all(rest).await?;
    copy_bidirectional(&mut stream, &mut upstream).await?;
    Ok(())
}

/// The head with which a server closes after its answer, so that each request is looked at; an upgrade stays.
fn last_of_its_connection(head: &str) -> String {
    let is_connection = |line: &&str| line.to_ascii_lowercase().starts_with("connection:");
    if head.to_ascii_lowercase().contains("\r\nupgrade:") {
        return head.to_owned();
    }
    let lines: Vec<&str> = head.trim_end().lines().filter(|line| !is_connection(line)).collect();
    format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"))
}
