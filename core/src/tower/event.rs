//! What goes into a tower and what comes out of it.

use super::court::{Money, Skipped};
use super::wire::{Place, Reason};
use crate::codec::DecodeError;
use crate::ledger::receipt::BatchOutcome;
use crate::types::{Amount, Parties, PublicKey};

/// Something that happened to a tower.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A session with a client stands.
    Connected {
        /// Who.
        peer: PublicKey,
    },
    /// It ended.
    Disconnected {
        /// Who.
        peer: PublicKey,
    },
    /// A client's bytes.
    Message {
        /// Who.
        peer: PublicKey,
        /// The payload of its session.
        bytes: &'a [u8],
    },
    /// The chain has a new head, with this block's outcomes. Once for each block, in order.
    Block {
        /// Of the batches in it.
        outcomes: &'a [BatchOutcome],
    },
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A newer state is kept.
    Kept {
        /// Who handed it over.
        client: PublicKey,
        /// Whose.
        parties: Parties,
        /// Which.
        place: Place,
    },
    /// A state is not kept.
    Declined {
        /// Who handed it over.
        client: PublicKey,
        /// Why.
        reason: Reason,
    },
    /// A client broke the protocol; its session is ended.
    Misbehaviour {
        /// Who.
        client: PublicKey,
        /// What it did.
        what: Misbehaviour,
    },
    /// A batch with answers was signed, or signed again with a higher fee.
    Answering {
        /// How many.
        answers: usize,
        /// What it costs.
        fee: Amount,
    },
    /// It was included.
    Answered {
        /// Answers that court took.
        taken: usize,
        /// Those that it did not take.
        skipped: Vec<Skipped>,
    },
    /// There is no money to answer with, or there is again.
    Money(Money),
    /// The epoch of a channel is over; nothing of it is kept any more.
    Released {
        /// Whose.
        parties: Parties,
    },
}

/// A named break of the protocol by a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaviour {
    /// Not a message.
    #[error("malformed message: {0}")]
    Malformed(DecodeError),
    /// A channel that is none of the client's, or none at all.
    #[error("a state of a channel to which the client is no party")]
    NotAParty,
    /// A state of another network.
    #[error("a state of another network")]
    WrongChain,
    /// A signature that is none.
    #[error("the state is not signed by {signer}")]
    Unsigned {
        /// Whose signature it should be.
        signer: PublicKey,
    },
}

/// An input that a tower does not take. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not one of its clients.
    #[error("{client} is none of this tower's clients")]
    NotAClient {
        /// Who.
        client: PublicKey,
    },
    /// No session with this client stands.
    #[error("there is no session with {client}")]
    NotConnected {
        /// Who.
        client: PublicKey,
    },
}
