//! `GET /v1/heads`: announces each new block to whoever listens. Who reads too slowly is dropped and can
//! come back.

use super::{App, Caller};
use crate::error::ApiError;
use crate::limit::Permit;
use crate::limits;
use crate::shutdown::Shutdown;
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, interval, sleep_until, timeout};

/// A listener has nothing to say but pongs.
const MAX_MESSAGE_BYTES: usize = 1024;

pub(super) async fn listen(
    State(app): State<Arc<App>>,
    Extension(Caller(address)): Extension<Caller>,
    Extension(shutdown): Extension<Shutdown>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let permit = app.limits.open_socket(address)?;
    let upgrade = upgrade.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |socket| announce(app, socket, shutdown, permit)))
}

async fn announce(app: Arc<App>, mut socket: WebSocket, shutdown: Shutdown, _permit: Permit) {
    app.metrics.heads_opened.add_one();
    let (newest, mut heads) = app.chain.listen();
    if let Some(head) = newest
        && send(&mut socket, Message::Binary(head)).await.is_err()
    {
        return;
    }
    let mut ping = interval(limits::PING_TIME);
    ping.reset();
    let mut heard = Instant::now();
    let farewell = loop {
        tokio::select! {
            head = heads.recv() => {
                let message = match head {
                    Ok(head) => Message::Binary(head),
                    Err(RecvError::Lagged(_)) => {
                        app.metrics.heads_dropped.add_one();
                        break (close_code::POLICY, "too slow");
                    }
                    Err(RecvError::Closed) => break (close_code::AWAY, "the relay stops"),
                };
                if send(&mut socket, message).await.is_err() {
                    app.metrics.heads_dropped.add_one();
                    return;
                }
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => heard = Instant::now(),
                Some(Ok(Message::Text(_) | Message::Binary(_))) => break (close_code::POLICY, "nothing is taken here"),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            _ = ping.tick() => if send(&mut socket, Message::Ping(axum::body::Bytes::new())).await.is_err() { return },
            () = sleep_until(heard + limits::SILENCE_TIME) => break (close_code::POLICY, "silent"),
            () = shutdown.stopped() => break (close_code::AWAY, "the relay stops"),
        }
    };
    let (code, reason) = farewell;
    // The other side may be gone already.
    let _ = send(&mut socket, Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
}

/// Sends, but does not wait for a reader that takes nothing.
async fn send(socket: &mut WebSocket, message: Message) -> Result<(), ()> {
    match timeout(limits::SEND_TIME, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(()),
    }
}
