//! `GET /v1/peers/{key}`: a pipe to the bank with that key, or to a watchtower that the operator named. What flows is sealed end to end; this only
//! bounds how much, how fast and how long.

use super::{App, Caller};
use crate::crash;
use crate::error::ApiError;
use crate::limit::Permit;
use crate::limits;
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;
use crate::source::web_socket_url;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::ws::{self, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::response::Response;
use fair_core::types::PublicKey;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{self, protocol};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

type Bank = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What comes out of either end.
enum Frame {
    Data(Bytes),
    Alive,
    Text,
    Closed,
}

/// Why a pipe ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Text,
    TooLong,
    Broken,
    Slow,
    Silent,
    Stopping,
}

impl End {
    fn farewell(self) -> (u16, &'static str) {
        match self {
            Self::Closed => (close_code::NORMAL, ""),
            Self::Text => (close_code::UNSUPPORTED, "binary messages only"),
            Self::TooLong => (close_code::SIZE, "message too long"),
            Self::Broken => (close_code::AWAY, "the other end is gone"),
            Self::Slow => (close_code::POLICY, "too slow"),
            Self::Silent => (close_code::POLICY, "silent"),
            Self::Stopping => (close_code::AWAY, "the relay stops"),
        }
    }
}

pub(super) async fn open(
    State(app): State<Arc<App>>,
    Path(key): Path<String>,
    Extension(Caller(address)): Extension<Caller>,
    Extension(shutdown): Extension<Shutdown>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let key: PublicKey =
        key.parse().map_err(|_| ApiError::bad_request("relay.bad_key", "A key is 64 hexadecimal digits."))?;
    let url = app.chain.bank_url(&key).or_else(|| app.towers.get(&key).cloned()).ok_or_else(|| {
        ApiError::not_found("relay.unknown_bank", "Neither a registered bank nor a watchtower known here has this key.")
    })?;
    let permit = app.limits.open_socket(address)?;
    let bank = connect(&url)
        .await
        .ok_or_else(|| ApiError::bad_gateway("relay.bank_unreachable", "The bank does not answer at the moment."))?;
    let upgrade =
        upgrade.max_message_size(limits::MAX_PEER_MESSAGE_BYTES).max_frame_size(limits::MAX_PEER_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |client| pipe(app, client, bank, shutdown, permit)))
}

async fn connect(url: &str) -> Option<Bank> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits::MAX_PEER_MESSAGE_BYTES))
        .max_frame_size(Some(limits::MAX_PEER_MESSAGE_BYTES));
    let connecting = connect_async_with_config(web_socket_url(url, "/v1/peer"), Some(config), true);
    match timeout(limits::CONNECT_TIME, connecting).await {
        Ok(Ok((bank, _))) => Some(bank),
        Ok(Err(error)) => {
            tracing::warn!(bank = url, %error, "a bank does not answer");
            None
        }
        Err(_) => {
            tracing::warn!(bank = url, "a bank does not answer in time");
            None
        }
    }
}

async fn pipe(app: Arc<App>, client: ws::WebSocket, bank: Bank, shutdown: Shutdown, _permit: Permit) {
    app.metrics.pipes_opened.add_one();
    let (mut to_client, from_client) = client.split();
    let (mut to_bank, from_bank) = bank.split();
    let from_client =
        from_client.map(|message| message.map(client_frame).map_err(|error| fault(error.into_inner().as_ref())));
    let from_bank = from_bank.map(|message| message.map(bank_frame).map_err(|error| fault(&error)));
    // Each direction waits for its own receiver alone, so that two full buffers cannot block each other.
    let end = tokio::select! {
        end = forward(from_client, &mut to_bank, bank_message, &app.metrics) => end,
        end = forward(from_bank, &mut to_client, client_message, &app.metrics) => end,
        () = shutdown.stopped() => End::Stopping,
    };
    tracing::debug!(?end, "a pipe ends");
    let (code, reason) = end.farewell();
    let client_farewell = ws::Message::Close(Some(ws::CloseFrame { code, reason: reason.into() }));
    let bank_farewell =
        tungstenite::Message::Close(Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() }));
    // Either end may be gone already.
    let _ = timeout(limits::SEND_TIME, to_client.send(client_farewell)).await;
    let _ = timeout(limits::SEND_TIME, to_bank.send(bank_farewell)).await;
}

/// What is sent into an end.
enum Sent {
    Data(Bytes),
    Ping,
}

async fn forward<M, E>(
    mut from: impl Stream<Item = Result<Frame, End>> + Unpin,
    to: &mut (impl Sink<M, Error = E> + Unpin),
    message: fn(Sent) -> M,
    metrics: &Metrics,
) -> End {
    let pace = pace();
    let mut ping = interval(limits::PING_TIME);
    ping.reset();
    let mut heard = Instant::now();
    loop {
        let sent = tokio::select! {
            frame = from.next() => {
                heard = Instant::now();
                match frame {
                    Some(Ok(Frame::Data(bytes))) => {
                        let counted = u32::try_from(bytes.len()).unwrap_or(u32::MAX).max(limits::PEER_LEAST_BYTES);
                        if let Some(counted) = NonZeroU32::new(counted)
                            && pace.until_n_ready(counted).await.is_err()
                        {
                            return End::TooLong;
                        }
                        metrics.pipe_messages.add_one();
                        metrics.pipe_bytes.add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                        Sent::Data(bytes)
                    }
                    Some(Ok(Frame::Alive)) => continue,
                    Some(Ok(Frame::Text)) => return End::Text,
                    Some(Ok(Frame::Closed)) | None => return End::Closed,
                    Some(Err(end)) => return end,
                }
            }
            _ = ping.tick() => Sent::Ping,
            () = sleep_until(heard + limits::SILENCE_TIME) => return End::Silent,
        };
        let is_data = matches!(sent, Sent::Data(_));
        if is_data {
            crash::pass();
        }
        match timeout(limits::SEND_TIME, to.send(message(sent))).await {
            Ok(Ok(())) if is_data => crash::pass(),
            Ok(Ok(())) => {}
            Ok(Err(_)) => return End::Broken,
            Err(_) => return End::Slow,
        }
    }
}

fn pace() -> DefaultDirectRateLimiter {
    let per_second = NonZeroU32::new(limits::PEER_BYTES_PER_SECOND).unwrap_or(NonZeroU32::MIN);
    let burst = NonZeroU32::new(limits::PEER_BURST_BYTES).unwrap_or(NonZeroU32::MIN);
    RateLimiter::direct(Quota::per_second(per_second).allow_burst(burst))
}

fn fault(error: &(dyn std::error::Error + 'static)) -> End {
    match error.downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => End::TooLong,
        _ => End::Broken,
    }
}

fn client_frame(message: ws::Message) -> Frame {
    match message {
        ws::Message::Binary(bytes) => Frame::Data(bytes),
        ws::Message::Text(_) => Frame::Text,
        ws::Message::Ping(_) | ws::Message::Pong(_) => Frame::Alive,
        ws::Message::Close(_) => Frame::Closed,
    }
}

fn bank_frame(message: protocol::Message) -> Frame {
    match message {
        protocol::Message::Binary(bytes) => Frame::Data(bytes),
        protocol::Message::Text(_) => Frame::Text,
        protocol::Message::Ping(_) | protocol::Message::Pong(_) | protocol::Message::Frame(_) => Frame::Alive,
        protocol::Message::Close(_) => Frame::Closed,
    }
}

fn client_message(sent: Sent) -> ws::Message {
    match sent {
        Sent::Data(bytes) => ws::Message::Binary(bytes),
        Sent::Ping => ws::Message::Ping(Bytes::new()),
    }
}

fn bank_message(sent: Sent) -> protocol::Message {
    match sent {
        Sent::Data(bytes) => protocol::Message::Binary(bytes),
        Sent::Ping => protocol::Message::Ping(Bytes::new()),
    }
}
