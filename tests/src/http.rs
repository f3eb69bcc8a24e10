//! Requests as servers that stand before others read them.

use anyhow::{Result, bail};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// Longest head of a request.
const MAX_HEAD_BYTES: usize = 32 << 10;

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

/// The head with which a server closes after its answer, so that each request is looked at; an upgrade stays.
#[must_use]
pub fn last_of_its_connection(head: &str) -> String {
    let is_connection = |line: &&str| line.to_ascii_lowercase().starts_with("connection:");
    if head.to_ascii_lowercase().contains("\r\nupgrade:") {
        return head.to_owned();
    }
    let lines: Vec<&str> = head.trim_end().lines().filter(|line| !is_connection(line)).collect();
    format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"))
}
