//! Connections to the other validators: one outgoing to each, kept up as long as it is one. A validator calls
//! and speaks; a node that is none, or not yet, or no more, listens to their heads like any client.
//!
//! Each peer has a queue bounded in frames and bytes. At the bound the oldest frames go: votes are sent
//! again by consensus, and a peer that missed a block fetches it. A call that fails is repeated after a
//! pause that doubles up to a limit.

use super::Identity;
use super::engine::Event;
use super::wire::{Challenge, Frame, ValidatorHello};
use crate::host::follow::{MAX_HEAD_BYTES, web_socket};
use crate::limits;
use fair_core::chain::certificate::{Certificate, Validator, ValidatorSet};
use fair_core::chain::header::Header;
use fair_core::codec;
use fair_core::ledger::state::State;
use fair_core::message::Signed;
use fair_core::types::{Height, PublicKey};
use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{Duration, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{connect_async, connect_async_with_config};

/// Why a call ended.
#[derive(Debug, thiserror::Error)]
enum CallEnded {
    #[error("no answer within {0} ms")]
    Timeout(u64),
    #[error("{0}")]
    Socket(Box<tokio_tungstenite::tungstenite::Error>),
    #[error("the other side did not ask who we are")]
    NoChallenge,
    #[error("it announces a head that cannot be read")]
    NoHead,
    #[error("closed by the other side")]
    Closed,
}

impl From<tokio_tungstenite::tungstenite::Error> for CallEnded {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::Socket(Box::new(error))
    }
}

/// Those who decide the next two heights: who may call, and who is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members {
    now: ValidatorSet,
    next: ValidatorSet,
}

impl Members {
    pub(crate) fn of(state: &State) -> Self {
        Self { now: state.validators().clone(), next: state.next_validators().clone() }
    }

    /// Those of the later set first: what it says of somebody is newer.
    fn all(&self) -> impl Iterator<Item = &Validator> {
        self.next.validators.iter().chain(&self.now.validators)
    }

    /// Whoever has this account.
    pub(crate) fn by_account(&self, account: &PublicKey) -> Option<&Validator> {
        self.all().find(|validator| validator.account == *account)
    }

    /// Whether somebody with this account signs with this key, before or after the change.
    pub(crate) fn has(&self, account: &PublicKey, signing_key: &PublicKey) -> bool {
        self.all().any(|validator| validator.account == *account && validator.signing_key == *signing_key)
    }

    /// Keys with which an account signs.
    pub(crate) fn signing_keys(&self, account: PublicKey) -> impl Iterator<Item = PublicKey> + '_ {
        self.all().filter(move |validator| validator.account == account).map(|validator| validator.signing_key)
    }
}

/// All other validators, as far as they are known: connections follow the sets.
#[derive(Clone)]
pub(crate) struct Peers {
    identity: Identity,
    events: mpsc::Sender<Event>,
    connected: Arc<Mutex<BTreeMap<PublicKey, Connected>>>,
    head: Arc<AtomicU64>,
}

/// One of them.
struct Peer {
    account: PublicKey,
    url: String,
    queue: Queue,
    is_connected: AtomicBool,
}

/// A peer, and the task that keeps it connected.
struct Connected {
    peer: Arc<Peer>,
    way: Way,
    task: AbortHandle,
}

/// What is done with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Validators call each other and speak.
    Call,
    /// Whoever is none listens to their heads like everybody.
    Listen,
}

impl Peers {
    /// Starts a task for each other validator.
    pub(crate) fn new(members: &Members, identity: Identity, head: Height, events: mpsc::Sender<Event>) -> Self {
        let peers = Self { identity, events, connected: Arc::default(), head: Arc::new(AtomicU64::new(head)) };
        peers.follow(members);
        peers
    }

    /// Ends connections to those who are validators no more or are elsewhere now, and begins with the new ones.
    pub(crate) fn follow(&self, members: &Members) {
        let signer = &self.identity.signer;
        let way = if members.has(&signer.account, &signer.key.public()) { Way::Call } else { Way::Listen };
        let mut wanted: BTreeMap<PublicKey, &str> = BTreeMap::new();
        for validator in members.all().filter(|validator| validator.account != signer.account) {
            wanted.entry(validator.account).or_insert(&validator.url);
        }
        let mut connected = self.connected();
        connected.retain(|account, it| {
            let stays = it.way == way && wanted.get(account).is_some_and(|url| *url == it.peer.url);
            if !stays {
                it.task.abort();
            }
            stays
        });
        for (account, url) in wanted {
            connected.entry(account).or_insert_with(|| self.connect(account, url.to_owned(), way));
        }
    }

    fn connect(&self, account: PublicKey, url: String, way: Way) -> Connected {
        let peer = Arc::new(Peer { account, url, queue: Queue::default(), is_connected: AtomicBool::new(false) });
        let (identity, head, events) = (self.identity.clone(), self.head.clone(), self.events.clone());
        let task = tokio::spawn(keep_connected(peer.clone(), way, identity, head, events)).abort_handle();
        Connected { peer, way, task }
    }

    fn connected(&self) -> MutexGuard<'_, BTreeMap<PublicKey, Connected>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends to every other validator, now or when it is connected again. Whoever is none has nothing to say.
    pub(crate) fn broadcast(&self, frame: &Frame) {
        let bytes = Bytes::from(codec::encode(frame));
        for it in self.connected().values().filter(|it| it.way == Way::Call) {
            it.peer.queue.push(bytes.clone());
        }
    }

    /// Says that the head moved.
    pub(crate) fn announce(&self, head: Height) {
        self.head.store(head, Ordering::Relaxed);
        self.broadcast(&Frame::Head(head));
    }

    /// Where a validator is reached.
    pub(crate) fn url_of(&self, account: &PublicKey) -> Option<String> {
        self.connected().get(account).map(|it| it.peer.url.clone())
    }

    /// Account, address, and whether our connection stands.
    pub(crate) fn overview(&self) -> Vec<(PublicKey, String, bool)> {
        let all = self.connected();
        all.values()
            .map(|it| (it.peer.account, it.peer.url.clone(), it.peer.is_connected.load(Ordering::Relaxed)))
            .collect()
    }
}

async fn keep_connected(
    peer: Arc<Peer>,
    way: Way,
    identity: Identity,
    head: Arc<AtomicU64>,
    events: mpsc::Sender<Event>,
) {
    let (shortest, longest) = limits::RECONNECT_MS;
    let mut pause = shortest;
    loop {
        let ended = match way {
            Way::Call => talk(&peer, &identity, &head).await,
            Way::Listen => listen(&peer, &events).await,
        };
        let ended = ended.err().unwrap_or(CallEnded::Closed);
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

/// Hears the heads of a validator, as any client does.
async fn listen(peer: &Peer, events: &mpsc::Sender<Event>) -> Result<(), CallEnded> {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_HEAD_BYTES)).max_frame_size(Some(MAX_HEAD_BYTES));
    let connecting = connect_async_with_config(web_socket(&peer.url, "/v1/heads"), Some(config), true);
    let wait = limits::CONNECT_TIMEOUT_MS;
    let connected = timeout(Duration::from_millis(wait), connecting).await;
    let (mut heads, _) = connected.map_err(|_| CallEnded::Timeout(wait))??;
    peer.is_connected.store(true, Ordering::Relaxed);
    tracing::info!(peer = peer.url, "listening to a validator");
    while let Some(message) = heads.next().await {
        match message? {
            Message::Binary(bytes) => {
                let (header, _): (Header, Certificate) =
                    codec::decode(&bytes, MAX_HEAD_BYTES).map_err(|_| CallEnded::NoHead)?;
                // A claim and no more: blocks are fetched and verified.
                let heard = events.send(Event::Head { from: peer.account, height: header.height }).await;
                heard.map_err(|_| CallEnded::Closed)?;
            }
            Message::Close(_) => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

async fn talk(peer: &Peer, identity: &Identity, head: &AtomicU64) -> Result<(), CallEnded> {
    let url = web_socket(&peer.url, "/v1/consensus");
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
