//! Lines to peers: a Noise session inside a WebSocket, each in a task of its own. Handshake, sealing and
//! opening happen here; the host sees payloads.

use super::follow::web_socket;
use super::{Handle, LineId, Machine, Told};
use crate::clock;
use crate::crash;
use crate::limits;
use axum::body::Bytes;
use axum::extract::ws;
use fair_core::crypto::SecretKey;
use fair_core::entropy::Entropy;
use fair_core::session::{Features, Out, Session, SessionError};
use fair_core::types::{Hash, PublicKey};
use futures_util::{SinkExt as _, StreamExt as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep_until, timeout};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

const PING: Duration = Duration::from_millis(limits::LINE_PING_MS);
const SILENCE: Duration = Duration::from_millis(limits::LINE_SILENCE_MS);
const HANDSHAKE: Duration = Duration::from_millis(limits::HELLO_TIMEOUT_MS);
const SEND: Duration = Duration::from_millis(limits::SEND_TIMEOUT_MS);

/// Who speaks on a line.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) chain_id: Hash,
    pub(crate) key: SecretKey,
}

/// Why a line ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("it could not be opened: {0}")]
    Connect(String),
    #[error("the peer hung up")]
    Closed,
    #[error("the peer was too slow")]
    Slow,
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("a text message")]
    Text,
    #[error("the host hung up")]
    HungUp,
    #[error("no randomness: {0}")]
    Entropy(String),
}

/// Either end of a WebSocket.
pub(crate) enum Socket {
    /// A caller's.
    Incoming(Box<ws::WebSocket>),
    /// Called by us.
    Outgoing(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
}

enum Came {
    Bytes(Bytes),
    Alive,
}

impl Socket {
    /// Calls a peer.
    async fn call(url: &str, path: &str) -> Result<Self, Ended> {
        let limit = fair_core::limits::MAX_SESSION_MESSAGE_BYTES;
        let config = WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
        let connecting = connect_async_with_config(web_socket(url, path), Some(config), true);
        match timeout(Duration::from_millis(limits::CONNECT_TIMEOUT_MS), connecting).await {
            Ok(Ok((socket, _))) => Ok(Self::Outgoing(Box::new(socket))),
            Ok(Err(error)) => Err(Ended::Connect(error.to_string())),
            Err(_) => Err(Ended::Connect("no answer in time".to_owned())),
        }
    }

    async fn next(&mut self) -> Result<Came, Ended> {
        match self {
            Self::Incoming(socket) => match socket.recv().await {
                Some(Ok(ws::Message::Binary(bytes))) => Ok(Came::Bytes(bytes)),
                Some(Ok(ws::Message::Ping(_) | ws::Message::Pong(_))) => Ok(Came::Alive),
                Some(Ok(ws::Message::Text(_))) => Err(Ended::Text),
                Some(Ok(ws::Message::Close(_)) | Err(_)) | None => Err(Ended::Closed),
            },
            Self::Outgoing(socket) => match socket.next().await {
                Some(Ok(tungstenite::Message::Binary(bytes))) => Ok(Came::Bytes(bytes)),
                Some(Ok(tungstenite::Message::Text(_))) => Err(Ended::Text),
                Some(Ok(tungstenite::Message::Close(_)) | Err(_)) | None => Err(Ended::Closed),
                Some(Ok(_)) => Ok(Came::Alive),
            },
        }
    }

    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), Ended> {
        match self {
            Self::Incoming(socket) => sent(socket.send(ws::Message::Binary(bytes.into()))).await,
            Self::Outgoing(socket) => sent(socket.send(tungstenite::Message::Binary(bytes.into()))).await,
        }
    }

    async fn ping(&mut self) -> Result<(), Ended> {
        match self {
            Self::Incoming(socket) => sent(socket.send(ws::Message::Ping(Bytes::new()))).await,
            Self::Outgoing(socket) => sent(socket.send(tungstenite::Message::Ping(Bytes::new()))).await,
        }
    }
}

/// Waits for what is sent, but not for a peer that takes nothing.
async fn sent<E>(sending: impl Future<Output = Result<(), E>>) -> Result<(), Ended> {
    match timeout(SEND, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Ended::Closed),
        Err(_) => Err(Ended::Slow),
    }
}

/// Serves a caller until the line ends.
pub(crate) async fn serve<M: Machine>(socket: ws::WebSocket, identity: &Identity, host: &Handle<M>) -> Ended {
    let mut socket = Socket::Incoming(Box::new(socket));
    let session = entropy().and_then(|mut entropy| {
        Ok(Session::responder(&identity.chain_id, &identity.key, Features::default(), &mut entropy)?)
    });
    match session {
        Ok(session) => talk(&mut socket, session, host).await,
        Err(ended) => ended,
    }
}

/// Calls a bank, directly or through a relay, and stays until the line ends.
pub(crate) async fn call<M: Machine>(
    url: &str,
    path: &str,
    bank: PublicKey,
    identity: &Identity,
    host: &Handle<M>,
) -> Ended {
    let opened = async {
        let mut socket = Socket::call(url, path).await?;
        let (session, first) =
            Session::initiator(&identity.chain_id, &identity.key, bank, Features::default(), &mut entropy()?)?;
        socket.send(first).await?;
        Ok::<_, Ended>((socket, session))
    };
    match opened.await {
        Ok((mut socket, session)) => talk(&mut socket, session, host).await,
        Err(ended) => ended,
    }
}

async fn talk<M: Machine>(socket: &mut Socket, mut session: Session, host: &Handle<M>) -> Ended {
    let peer = match timeout(HANDSHAKE, establish(socket, &mut session)).await {
        Ok(Ok(peer)) => peer,
        Ok(Err(ended)) => return ended,
        Err(_) => return Ended::Slow,
    };
    let line = next_line();
    let (out, to_send) = mpsc::channel(limits::LINE_QUEUE);
    if host.tell(Told::Connected { peer, line, out }).await.is_err() {
        return Ended::HungUp;
    }
    let ended = match carry(socket, &mut session, to_send, peer, line, host).await {
        Ok(never) => match never {},
        Err(ended) => ended,
    };
    // A host that is gone needs to know nothing.
    let _ = host.tell(Told::Disconnected { peer, line }).await;
    ended
}

async fn establish(socket: &mut Socket, session: &mut Session) -> Result<PublicKey, Ended> {
    loop {
        let Came::Bytes(bytes) = socket.next().await? else { continue };
        let mut established = None;
        for out in session.handle(&bytes)? {
            match out {
                Out::Send(bytes) => socket.send(bytes).await?,
                Out::Established { peer, .. } => established = Some(peer),
                Out::Payload(_) => return Err(SessionError::Malformed.into()),
            }
        }
        if let Some(peer) = established {
            return Ok(peer);
        }
    }
}

/// Carries payloads both ways until something ends it.
async fn carry<M: Machine>(
    socket: &mut Socket,
    session: &mut Session,
    mut to_send: mpsc::Receiver<Vec<u8>>,
    peer: PublicKey,
    line: LineId,
    host: &Handle<M>,
) -> Result<std::convert::Infallible, Ended> {
    let mut ping = interval(PING);
    ping.reset();
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            came = socket.next() => {
                heard = Instant::now();
                let Came::Bytes(bytes) = came? else { continue };
                for out in session.handle(&bytes)? {
                    match out {
                        Out::Payload(bytes) => {
                            let told = host.tell(Told::Message { peer, line, bytes }).await;
                            told.map_err(|_| Ended::HungUp)?;
                        }
                        Out::Send(bytes) => socket.send(bytes).await?,
                        Out::Established { .. } => return Err(SessionError::Malformed.into()),
                    }
                }
            }
            payload = to_send.recv() => {
                let payload = payload.ok_or(Ended::HungUp)?;
                let sealed = session.seal(&payload)?;
                crash::pass();
                socket.send(sealed).await?;
                crash::pass();
            }
            _ = ping.tick() => socket.ping().await?,
            () = sleep_until(heard + SILENCE) => return Err(Ended::Slow),
        }
    }
}

fn next_line() -> LineId {
    static LINES: AtomicU64 = AtomicU64::new(0);
    LINES.fetch_add(1, Ordering::Relaxed)
}

/// Randomness of the system, stretched.
pub(crate) fn entropy() -> Result<Entropy, Ended> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Ended::Entropy(error.to_string()))?;
    Ok(Entropy::from_seed(seed))
}

/// Calls again and again, pausing longer while nobody answers.
pub(crate) async fn keep_calling<M: Machine>(
    urls: Vec<(String, String)>,
    bank: PublicKey,
    identity: Identity,
    host: Handle<M>,
) {
    let (shortest, longest) = limits::RECONNECT_MS;
    let mut pause = shortest;
    loop {
        for (url, path) in &urls {
            let started = clock::now_ms();
            let ended = call(url, path, bank, &identity, &host).await;
            tracing::info!(%bank, reason = %ended, "the line to the bank ended");
            let lasted = clock::now_ms().saturating_sub(started);
            pause = if lasted > longest { shortest } else { pause.saturating_mul(2).min(longest) };
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
}
