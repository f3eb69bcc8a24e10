//! Calls to the other validators: one outgoing connection to each, kept up for ever.
//!
//! Each peer has a queue bounded in frames and bytes. At the bound the oldest frames go: votes are sent
//! again by consensus, and a peer that missed a block fetches it. A call that fails is repeated after a
//! pause that doubles up to a limit.

use super::Identity;
use super::wire::{Challenge, Frame, ValidatorHello};
use crate::limits;
use fair_core::chain::certificate::Validator;
use fair_core::codec;
use fair_core::message::Signed;
use fair_core::types::{Height, PublicKey};
use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Why a call ended.
#[derive(Debug, thiserror::Error)]
enum CallEnded {
    #[error("no answer within {0} ms")]
    Timeout(u64),
    #[error("{0}")]
    Socket(Box<tokio_tungstenite::tungstenite::Error>),
    #[error("the other side did not ask who we are")]
    NoChallenge,
    #[error("closed by the other side")]
    Closed,
}

impl From<tokio_tungstenite::tungstenite::Error> for CallEnded {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::Socket(Box::new(error))
    }
}

/// All other validators.
#[derive(Clone)]
pub(crate) struct Peers {
    peers: Arc<Vec<Arc<Peer>>>,
    head: Arc<AtomicU64>,
}

/// One of them.
pub(crate) struct Peer {
    pub(crate) account: PublicKey,
    pub(crate) url: String,
    queue: Queue,
    is_connected: AtomicBool,
}

impl Peers {
    /// Starts a task for each other validator.
    pub(crate) fn call_all(validators: &[Validator], identity: &Identity, head: Height) -> Self {
        let others = validators.iter().filter(|validator| validator.account != identity.signer.account);
        let peers: Vec<Arc<Peer>> = others
            .map(|validator| {
                Arc::new(Peer {
                    account: validator.account,
                    url: validator.url.clone(),
                    queue: Queue::default(),
                    is_connected: AtomicBool::new(false),
                })
            })
            .collect();
        let all = Self { peers: Arc::new(peers), head: Arc::new(AtomicU64::new(head)) };
        for peer in all.peers.iter() {
            tokio::spawn(keep_calling(peer.clone(), identity.clone(), all.head.clone()));
        }
        all
    }

    /// Sends to every other validator, now or when it is connected again.
    pub(crate) fn broadcast(&self, frame: &Frame) {
        let bytes = Bytes::from(codec::encode(frame));
        for peer in self.peers.iter() {
            peer.queue.push(bytes.clone());
        }
    }

    /// Says that the head moved.
    pub(crate) fn announce(&self, head: Height) {
        self.head.store(head, Ordering::Relaxed);
        self.broadcast(&Frame::Head(head));
    }

    /// Where a validator is reached.
    pub(crate) fn url_of(&self, account: &PublicKey) -> Option<&str> {
        self.peers.iter().find(|peer| peer.account == *account).map(|peer| peer.url.as_str())
    }

    /// Account, address, and whether our call stands.
    pub(crate) fn overview(&self) -> impl Iterator<Item = (PublicKey, &str, bool)> {
        self.peers.iter().map(|peer| (peer.account, peer.url.as_str(), peer.is_connected.load(Ordering::Relaxed)))
    }
}

async fn keep_calling(peer: Arc<Peer>, identity: Identity, head: Arc<AtomicU64>) {
    let (shortest, longest) = limits::RECONNECT_MS;
    let mut pause = shortest;
    loop {
        let ended = call(&peer, &identity, &head).await;
        let was_connected = peer.is_connected.swap(false, Ordering::Relaxed);
        if was_connected {
            tracing::info!(peer = peer.url, reason = %ended, "lost a validator");
            pause = shortest;
        } else {
            tracing::debug!(peer = peer.url, reason = %ended, "cannot reach a validator");
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
        pause = pause.saturating_mul(2).min(longest);
    }
}

async fn call(peer: &Peer, identity: &Identity, head: &AtomicU64) -> CallEnded {
    match talk(peer, identity, head).await {
        Ok(()) => CallEnded::Closed,
        Err(ended) => ended,
    }
}

async fn talk(peer: &Peer, identity: &Identity, head: &AtomicU64) -> Result<(), CallEnded> {
    let url = format!("{}/v1/consensus", peer.url.replacen("http", "ws", 1));
    let wait = limits::CONNECT_TIMEOUT_MS;
    let connected = timeout(Duration::from_millis(wait), connect_async(url)).await;
    let (mut socket, _) = connected.map_err(|_| CallEnded::Timeout(wait))??;
    let asked = timeout(Duration::from_millis(wait), socket.next()).await.map_err(|_| CallEnded::Timeout(wait))?;
    let Some(Message::Binary(asked)) = asked.transpose()? else { return Err(CallEnded::NoChallenge) };
    let challenge: Challenge = asked.as_ref().try_into().map_err(|_| CallEnded::NoChallenge)?;
    let hello = ValidatorHello { challenge, from: identity.signer.account, to: peer.account };
    let hello = Frame::Hello(Signed::new(hello, &identity.chain_id, &identity.signer.key));
    socket.send(Message::Binary(codec::encode(&hello).into())).await?;
    let head = Frame::Head(head.load(Ordering::Relaxed));
    socket.send(Message::Binary(codec::encode(&head).into())).await?;
    peer.is_connected.store(true, Ordering::Relaxed);
    tracing::info!(peer = peer.url, "connected to a validator");
    let (mut sending, mut receiving) = socket.split();
    loop {
        tokio::select! {
            frame = peer.queue.pop() => {
                let wait = limits::SEND_TIMEOUT_MS;
                let sent = timeout(Duration::from_millis(wait), sending.send(Message::Binary(frame))).await;
                sent.map_err(|_| CallEnded::Timeout(wait))??;
            }
            // Nothing is said on this side of the connection, but its end shows here.
            received = receiving.next() => match received {
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            },
        }
    }
}

/// Frames for one peer, oldest first.
#[derive(Default)]
struct Queue {
    inner: Mutex<QueueInner>,
    filled: Notify,
}

#[derive(Default)]
struct QueueInner {
    frames: VecDeque<Bytes>,
    bytes: usize,
}

impl Queue {
    fn push(&self, frame: Bytes) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.bytes = inner.bytes.saturating_add(frame.len());
        inner.frames.push_back(frame);
        while inner.frames.len() > limits::PEER_QUEUE_FRAMES || inner.bytes > limits::PEER_QUEUE_BYTES {
            let Some(oldest) = inner.frames.pop_front() else { break };
            inner.bytes = inner.bytes.saturating_sub(oldest.len());
        }
        drop(inner);
        self.filled.notify_one();
    }

    /// The oldest frame, as soon as there is one. Nothing is lost when the future is dropped.
    async fn pop(&self) -> Bytes {
        loop {
            {
                let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(frame) = inner.frames.pop_front() {
                    inner.bytes = inner.bytes.saturating_sub(frame.len());
                    return frame;
                }
            }
            self.filled.notified().await;
        }
    }
}
