//! Sessions between peers: Noise XK, end to end through any relay (docs/protocol.md, sections 4 and 5).
//!
//! The initiator knows the responder's account key (a bank's, from the chain); the responder learns the
//! initiator's. Both use the X25519 form of their account keys as Noise static keys. That map is a
//! function of the public key, so the initiator sends its account key inside the encrypted part of the
//! handshake, and the responder checks that its X25519 form is the static key that Noise has just
//! authenticated.
//!
//! ```text
//! prologue   tag 16 │ chain_id 32 │ version u16        another network or version fails at once
//! 1  →  e
//! 2  ←  e, ee        payload: Greeting of the responder
//! 3  →  s, se        payload: Greeting of the initiator
//! then records: every message is one payload, in records of up to 65,535 bytes:
//!       seal(0 more │ 1 last u8 ‖ up to 65,518 bytes) …
//! ```
//!
//! Each direction takes new keys (Noise rekey) every [`limits::SESSION_REKEY_RECORDS`] records. Noise's
//! counters make loss, copies and reordering end the session: the channel machine resends after reconnecting.
//!
//! **Invariant**: after an error a session is closed and does nothing more. Nothing here does I/O or draws
//! randomness: bytes go in and come out, entropy is an argument.

mod primitives;

use crate::codec;
use crate::crypto::SecretKey;
use crate::entropy::Entropy;
use crate::limits;
use crate::message::tags;
use crate::types::{Hash, PublicKey};
use borsh::{BorshDeserialize, BorshSerialize};
use primitives::Primitives;
use snow::{Builder, HandshakeState, TransportState};

/// Version of the peer protocol; part of the prologue.
pub const VERSION: u16 = 1;

const NOISE: &str = "Noise_XK_25519_ChaChaPoly_SHA256";
/// Longest Noise message.
const RECORD_BYTES: usize = 65_535;
/// Bytes that a seal adds.
const TAG_BYTES: usize = 16;
/// Payload bytes in a record: less the tag and the first byte.
const CHUNK_BYTES: usize = RECORD_BYTES - TAG_BYTES - 1;
/// Longest handshake message.
const MAX_HANDSHAKE_BYTES: usize = 1024;

const MORE: u8 = 0;
const LAST: u8 = 1;

/// What a peer can do beyond the version, as bits. None are defined yet; unknown ones are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Features(pub u64);

/// What each side says first, inside the handshake.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Greeting {
    /// The sender's account key.
    key: PublicKey,
    /// What it can do.
    features: Features,
}

/// What a session asks of its host, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Send these bytes as one message.
    Send(Vec<u8>),
    /// The peer is who it says; payloads may be sealed from now on.
    Established {
        /// The peer's account key.
        peer: PublicKey,
        /// What it can do.
        features: Features,
    },
    /// The peer says this.
    Payload(Vec<u8>),
}

/// Why a session ended. All but [`SessionError::NotOpen`] are the peer's or the line's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The peer's key cannot be used.
    #[error("the peer's key {key} is unusable")]
    Key {
        /// Which.
        key: PublicKey,
    },
    /// Not sealed by the peer for this session, or lost, copied or reordered on the way; in a handshake also
    /// another network, version or key.
    #[error("a message of {bytes} bytes does not fit this session")]
    Seal {
        /// Its length.
        bytes: usize,
    },
    /// A handshake message or payload of an impossible size.
    #[error("a message has {got} bytes, at most {limit} are allowed")]
    TooLong {
        /// The cap in bytes.
        limit: usize,
        /// What came.
        got: usize,
    },
    /// Decrypted, but no greeting or record.
    #[error("a message of the session cannot be read")]
    Malformed,
    /// The peer named an account key that is not the one it proved to have.
    #[error("the peer claims the key {claimed} without having it")]
    Impostor {
        /// What it claimed.
        claimed: PublicKey,
    },
    /// Used before it was established or after it ended.
    #[error("the session is not open")]
    NotOpen,
}

enum State {
    /// We sent message 1.
    AwaitResponder(Box<HandshakeState>),
    /// We wait for message 1.
    AwaitInitiator(Box<HandshakeState>),
    /// We sent message 2.
    AwaitIdentity(Box<HandshakeState>),
    /// Payloads flow.
    Open(Box<Transport>),
    /// Ended.
    Closed,
}

struct Transport {
    noise: TransportState,
    sent_records: u64,
    received_records: u64,
}

/// One end of a session.
pub struct Session {
    state: State,
    own: Greeting,
    /// The peer's account key: known to the initiator from the start.
    peer: Option<PublicKey>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("peer", &self.peer).field("open", &self.is_open()).finish_non_exhaustive()
    }
}

impl Session {
    /// Starts a session with a known peer. Returns the first message.
    ///
    /// # Errors
    /// [`SessionError::Key`] when the peer's key is no usable one.
    pub fn initiator(
        chain_id: &Hash,
        own: &SecretKey,
        peer: PublicKey,
        features: Features,
        entropy: &mut Entropy,
    ) -> Result<(Self, Vec<u8>), SessionError> {
        let remote = peer.x25519().ok_or(SessionError::Key { key: peer })?;
        let mut noise = handshake(chain_id, own, Some(&remote), entropy)?;
        let first = write(&mut noise, &[])?;
        let own = Greeting { key: own.public(), features };
        Ok((Self { state: State::AwaitResponder(Box::new(noise)), own, peer: Some(peer) }, first))
    }

    /// Waits for a peer's first message.
    ///
    /// # Errors
    /// [`SessionError::Key`] when the own key is no usable one.
    pub fn responder(
        chain_id: &Hash,
        own: &SecretKey,
        features: Features,
        entropy: &mut Entropy,
    ) -> Result<Self, SessionError> {
        let noise = handshake(chain_id, own, None, entropy)?;
        let own = Greeting { key: own.public(), features };
        Ok(Self { state: State::AwaitInitiator(Box::new(noise)), own, peer: None })
    }

    /// Whether payloads can be sealed.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// The peer's account key: proven once the session is open.
    pub fn peer(&self) -> Option<PublicKey> {
        self.peer
    }

    /// Takes one message from the line.
    ///
    /// # Errors
    /// [`SessionError`]; the session is closed then.
    pub fn handle(&mut self, bytes: &[u8]) -> Result<Vec<Out>, SessionError> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::AwaitResponder(mut noise) => {
                let greeting = read_greeting(&mut noise, bytes)?;
                self.check_claim(&noise, &greeting)?;
                let reply = write(&mut noise, &codec::encode(&self.own))?;
                self.open(*noise)?;
                Ok(vec![Out::Send(reply), Out::Established { peer: greeting.key, features: greeting.features }])
            }
            State::AwaitInitiator(mut noise) => {
                if !read(&mut noise, bytes)?.is_empty() {
                    return Err(SessionError::Malformed);
                }
                let reply = write(&mut noise, &codec::encode(&self.own))?;
                self.state = State::AwaitIdentity(noise);
                Ok(vec![Out::Send(reply)])
            }
            State::AwaitIdentity(mut noise) => {
                let greeting = read_greeting(&mut noise, bytes)?;
                self.check_claim(&noise, &greeting)?;
                self.peer = Some(greeting.key);
                self.open(*noise)?;
                Ok(vec![Out::Established { peer: greeting.key, features: greeting.features }])
            }
            State::Open(mut transport) => {
                let payload = transport.open(bytes)?;
                self.state = State::Open(transport);
                Ok(vec![Out::Payload(payload)])
            }
            State::Closed => Err(SessionError::NotOpen),
        }
    }

    /// Seals a payload into one message for the line.
    ///
    /// # Errors
    /// [`SessionError::NotOpen`] or [`SessionError::TooLong`].
    pub fn seal(&mut self, payload: &[u8]) -> Result<Vec<u8>, SessionError> {
        let State::Open(transport) = &mut self.state else { return Err(SessionError::NotOpen) };
        transport.seal(payload)
    }

    /// The account key that the peer claims must map to the static key that Noise authenticated.
    fn check_claim(&self, noise: &HandshakeState, greeting: &Greeting) -> Result<(), SessionError> {
        let claimed = greeting.key;
        let proven = noise.get_remote_static();
        let fits = claimed.x25519().is_some_and(|key| proven == Some(&key[..]));
        if !fits || self.peer.is_some_and(|expected| expected != claimed) {
            return Err(SessionError::Impostor { claimed });
        }
        Ok(())
    }

    fn open(&mut self, noise: HandshakeState) -> Result<(), SessionError> {
        let noise = noise.into_transport_mode().map_err(|_| SessionError::Malformed)?;
        self.state = State::Open(Box::new(Transport { noise, sent_records: 0, received_records: 0 }));
        Ok(())
    }
}

impl Transport {
    fn seal(&mut self, payload: &[u8]) -> Result<Vec<u8>, SessionError> {
        if payload.len() > limits::MAX_SESSION_PAYLOAD_BYTES {
            return Err(SessionError::TooLong { limit: limits::MAX_SESSION_PAYLOAD_BYTES, got: payload.len() });
        }
        let mut sealed = Vec::with_capacity(payload.len().saturating_add(64));
        let mut rest = payload;
        loop {
            let (chunk, after) = rest.split_at(rest.len().min(CHUNK_BYTES));
            let mut record = Vec::with_capacity(chunk.len().saturating_add(1));
            record.push(if after.is_empty() { LAST } else { MORE });
            record.extend_from_slice(chunk);
            let mut out = vec![0; record.len().saturating_add(TAG_BYTES)];
            let length =
                self.noise.write_message(&record, &mut out).map_err(|_| SessionError::Seal { bytes: record.len() })?;
            sealed.extend_from_slice(out.get(..length).unwrap_or_default());
            if counted(&mut self.sent_records) {
                self.noise.rekey_outgoing();
            }
            if after.is_empty() {
                return Ok(sealed);
            }
            rest = after;
        }
    }

    fn open(&mut self, message: &[u8]) -> Result<Vec<u8>, SessionError> {
        if message.len() > limits::MAX_SESSION_MESSAGE_BYTES {
            return Err(SessionError::TooLong { limit: limits::MAX_SESSION_MESSAGE_BYTES, got: message.len() });
        }
        let mut payload = Vec::with_capacity(message.len());
        let mut records = message.chunks(RECORD_BYTES).peekable();
        while let Some(record) = records.next() {
            let mut out = vec![0; record.len()];
            let seal = SessionError::Seal { bytes: record.len() };
            let length = self.noise.read_message(record, &mut out).map_err(|_| seal)?;
            if counted(&mut self.received_records) {
                self.noise.rekey_incoming();
            }
            let expected = if records.peek().is_some() { MORE } else { LAST };
            match out.get(..length).and_then(<[u8]>::split_first) {
                Some((mark, chunk)) if *mark == expected => payload.extend_from_slice(chunk),
                _ => return Err(SessionError::Malformed),
            }
        }
        if message.is_empty() { Err(SessionError::Malformed) } else { Ok(payload) }
    }
}

/// Counts a record; whether new keys are due.
fn counted(records: &mut u64) -> bool {
    *records = records.saturating_add(1);
    records.is_multiple_of(limits::SESSION_REKEY_RECORDS)
}

fn handshake(
    chain_id: &Hash,
    own: &SecretKey,
    remote: Option<&[u8; 32]>,
    entropy: &mut Entropy,
) -> Result<HandshakeState, SessionError> {
    let unusable = || SessionError::Key { key: own.public() };
    let mut prologue = tags::SESSION.0.to_vec();
    prologue.extend_from_slice(&chain_id.0);
    prologue.extend_from_slice(&VERSION.to_le_bytes());
    let private = own.x25519();
    let parameters = NOISE.parse().map_err(|_| unusable())?;
    let builder = Builder::with_resolver(parameters, Box::new(Primitives::new(entropy)))
        .prologue(&prologue)
        .and_then(|builder| builder.local_private_key(&*private))
        .map_err(|_| unusable())?;
    match remote {
        Some(remote) => builder.remote_public_key(remote).and_then(Builder::build_initiator),
        None => builder.build_responder(),
    }
    .map_err(|_| unusable())
}

fn write(noise: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, SessionError> {
    let mut out = vec![0; MAX_HANDSHAKE_BYTES];
    let length = noise.write_message(payload, &mut out).map_err(|_| SessionError::Seal { bytes: payload.len() })?;
    out.truncate(length);
    Ok(out)
}

fn read(noise: &mut HandshakeState, message: &[u8]) -> Result<Vec<u8>, SessionError> {
    if message.len() > MAX_HANDSHAKE_BYTES {
        return Err(SessionError::TooLong { limit: MAX_HANDSHAKE_BYTES, got: message.len() });
    }
    let mut out = vec![0; MAX_HANDSHAKE_BYTES];
    let length = noise.read_message(message, &mut out).map_err(|_| SessionError::Seal { bytes: message.len() })?;
    out.truncate(length);
    Ok(out)
}

fn read_greeting(noise: &mut HandshakeState, message: &[u8]) -> Result<Greeting, SessionError> {
    let payload = read(noise, message)?;
    codec::decode(&payload, MAX_HANDSHAKE_BYTES).map_err(|_| SessionError::Malformed)
}

#[cfg(test)]
mod tests;
