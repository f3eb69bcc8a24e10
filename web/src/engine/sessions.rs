//! Sessions with banks and watchtowers: Noise inside a WebSocket that a relay pipes and cannot read.

use super::Core;
use crate::events::now_ms;
use crate::limits;
use crate::net::socket::{Incoming, Sender, Socket};
use crate::net::socket_url;
use crate::view::{Connection, Phase};
use fair_core::entropy::Entropy;
use fair_core::limits as core_limits;
use fair_core::session::{Features, Out, Session};
use fair_core::types::PublicKey;
use fair_core::wallet::Input;
use futures_util::future::{AbortHandle, Abortable};
use gloo_timers::future::TimeoutFuture;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen_futures::spawn_local;

/// One bank's session, or the attempts at one.
pub(super) struct Link {
    task: AbortHandle,
    connection: Connection,
    line: Option<Line>,
}

/// What is sealed and where it goes.
#[derive(Clone)]
struct Line {
    session: Rc<RefCell<Session>>,
    sender: Sender,
}

impl Core {
    /// Keeps a session with a bank until the wallet is locked.
    pub(super) fn keep_session(self: &Rc<Self>, bank: PublicKey) {
        if self.links.borrow().contains_key(&bank) {
            return;
        }
        let (task, registration) = AbortHandle::new_pair();
        self.links.borrow_mut().insert(bank, Link { task, connection: Connection::Connecting, line: None });
        let keeping = self.clone().connect_again(bank);
        spawn_local(async move {
            // Ended by its handle, when the wallet is locked.
            let _ = Abortable::new(keeping, registration).await;
        });
    }

    /// How the session with a bank does.
    pub(super) fn connection(&self, bank: &PublicKey) -> Connection {
        self.links.borrow().get(bank).map_or(Connection::Offline, |link| link.connection)
    }

    /// Ends all sessions at once. The machine must be gone or about to go.
    pub(super) fn end_sessions(&self) {
        for (_, link) in std::mem::take(&mut *self.links.borrow_mut()) {
            link.task.abort();
        }
    }

    /// Ends one session, and the attempts at it.
    pub(super) fn end_session(&self, bank: &PublicKey) {
        let link = self.links.borrow_mut().remove(bank);
        if let Some(link) = link {
            link.task.abort();
        }
    }

    pub(super) fn send(&self, bank: &PublicKey, bytes: &[u8]) {
        let line = self.links.borrow().get(bank).and_then(|link| link.line.clone());
        // Without a session nothing is lost: the channel sends again after connecting.
        let Some(Line { session, sender }) = line else { return };
        let sealed = session.borrow_mut().seal(bytes);
        match sealed {
            Ok(sealed) => sender.send(&sealed),
            Err(_) => sender.close(),
        }
    }

    pub(super) fn disconnect(&self, bank: &PublicKey) {
        if let Some(Line { sender, .. }) = self.links.borrow().get(bank).and_then(|link| link.line.as_ref()) {
            sender.close();
        }
    }

    async fn connect_again(self: Rc<Self>, bank: PublicKey) {
        let mut wait_ms = limits::RECONNECT_MIN_MS;
        let mut turn = 0_usize;
        loop {
            // Before the chain is verified up to its head, a bank's frames would only wait.
            while self.sync_state().phase != Phase::Live {
                TimeoutFuture::new(limits::READY_INTERVAL_MS).await;
            }
            let relays = self.sync.borrow().usable();
            if let Some(relay) = relays.get(turn.checked_rem(relays.len()).unwrap_or(0)) {
                let started = now_ms();
                self.connect_once(&bank, relay).await;
                if now_ms().saturating_sub(started) > u64::from(limits::RECONNECT_MAX_MS) {
                    wait_ms = limits::RECONNECT_MIN_MS;
                }
            }
            self.set_connection(&bank, Connection::Offline, None);
            TimeoutFuture::new(wait_ms).await;
            wait_ms = wait_ms.saturating_mul(2).min(limits::RECONNECT_MAX_MS);
            turn = turn.wrapping_add(1);
        }
    }

    /// One connection, from its handshake to its end.
    async fn connect_once(self: &Rc<Self>, bank: &PublicKey, relay: &str) {
        let (Ok(key), Ok(chain)) = (self.key(), self.chain()) else { return };
        let mut seed = [0; 32];
        if super::wallet::fill(&mut seed).is_err() {
            return;
        }
        let entropy = &mut Entropy::from_seed(seed);
        let Ok((session, first)) = Session::initiator(&chain.chain_id(), &key, *bank, Features(0), entropy) else {
            return;
        };
        let address = match self.own_place(bank) {
            Some(place) => socket_url(&place, "/v1/peer"),
            None => socket_url(relay, &format!("/v1/peers/{bank}")),
        };
        let Ok(mut socket) = Socket::open(&address, core_limits::MAX_SESSION_MESSAGE_BYTES) else { return };
        let line = Line { session: Rc::new(RefCell::new(session)), sender: socket.sender() };
        let mut established = false;
        loop {
            match socket.next().await {
                Incoming::Open => line.sender.send(&first),
                Incoming::Closed(_) => break,
                Incoming::Bytes(bytes) => {
                    let outs = line.session.borrow_mut().handle(&bytes);
                    let Ok(outs) = outs else { break };
                    for out in outs {
                        match out {
                            Out::Send(bytes) => line.sender.send(&bytes),
                            Out::Established { .. } => {
                                established = true;
                                self.set_connection(bank, Connection::Online, Some(line.clone()));
                                self.tell(Input::Connected { peer: *bank }).await;
                            }
                            Out::Payload(payload) => {
                                self.tell(Input::Message { peer: *bank, bytes: &payload }).await;
                            }
                        }
                        if !self.links.borrow().contains_key(bank) {
                            return;
                        }
                    }
                }
            }
        }
        if established {
            self.set_connection(bank, Connection::Offline, None);
            self.tell(Input::Disconnected { peer: *bank }).await;
        }
    }

    fn set_connection(&self, bank: &PublicKey, connection: Connection, line: Option<Line>) {
        let changed = match self.links.borrow_mut().get_mut(bank) {
            Some(link) => {
                link.line = line;
                std::mem::replace(&mut link.connection, connection) != connection
            }
            None => false,
        };
        if changed {
            self.emit_channel(bank);
        }
    }
}
