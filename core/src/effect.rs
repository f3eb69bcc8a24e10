//! What machines ask of their hosts: data, performed in one fixed order (docs/architecture.md).
//!
//! **Invariant**: an input's effects hold at most one [`Effect::Write`], and it comes first. The host makes it
//! durable in one transaction before it performs anything that follows; if it cannot, it performs nothing
//! and stops the machine.

use crate::ledger::batch::Batch;
use crate::message::Signed;
use crate::types::{PublicKey, TimeMs};

/// One request to the host. `E` is what the machine notifies about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<E> {
    /// Store this, all of it in one durable transaction, before anything else.
    Write(Write),
    /// Seal these bytes in the session with the peer and send them; drop them when there is none (the
    /// channel sends again after reconnecting).
    Send {
        /// The peer's account key.
        to: PublicKey,
        /// The payload.
        bytes: Vec<u8>,
    },
    /// End the session with a peer.
    Disconnect {
        /// The peer's account key.
        peer: PublicKey,
    },
    /// Handle a tick at this time, or earlier; a later request replaces nothing.
    Timer {
        /// When, by the host's clock.
        at_ms: TimeMs,
    },
    /// Bring a batch to a validator. It is asked for again until the batch is included or too old.
    Submit {
        /// The batch.
        batch: Box<Signed<Batch>>,
    },
    /// Tell whoever watches.
    Notify(E),
}

/// Keys and values to be stored and keys to be deleted, in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Write {
    /// Key and value; a later put of a key replaces an earlier one.
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys to delete; none is also put.
    pub deletes: Vec<Vec<u8>>,
}

impl Write {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.deletes.is_empty()
    }

    /// Adds a value.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.deletes.retain(|other| *other != key);
        self.puts.push((key, value));
    }

    /// Adds a deletion.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.puts.retain(|(other, _)| *other != key);
        self.deletes.push(key);
    }
}
