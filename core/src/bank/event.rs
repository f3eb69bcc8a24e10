//! What a bank is told, what it tells, and what its operator decides.

use crate::account::{CannotDraft, CannotSend, RequestId, SentBatch};
use crate::channel;
use crate::channel::event::{Debug, Misbehaviour, Suspension};
use crate::ledger::operation::{Deposit, Operation};
use crate::ledger::receipt::{BatchOutcome, Opening};
use crate::types::{Amount, AssetId, PublicKey};
use crate::watch::CourtEvent;

/// What an operator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Assets that are mediated, with their limits.
    pub assets: Vec<AssetPolicy>,
    /// Most locks of one partner that are forwarded at a time.
    pub max_forwards: usize,
    /// Most partners without an account or money in their channel; the oldest idle one gives way.
    pub max_strangers: usize,
    /// Blocks between two rebalances; 0: only when asked.
    pub rebalance_every_blocks: u64,
    /// For how many blocks a rebalance waits for consents.
    pub consent_wait_blocks: u64,
    /// For how many blocks a partner whose money is needed may stay away or decline before it is disputed; 0: for ever.
    pub dispute_after_blocks: u64,
    /// Whether frames carry their states, on test networks.
    pub debug: Debug,
}

/// What an operator decides about one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssetPolicy {
    /// Which.
    pub asset: AssetId,
    /// Uninsured balance that the bank accepts from each partner.
    pub credit_limit: Amount,
    /// Most that one partner may have in locks under way.
    pub max_in_flight: Amount,
    /// On-chain balance that rebalancing never touches.
    pub safety_balance: Amount,
}

/// Something that happened to a bank.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A session with a partner stands.
    Connected {
        /// Who.
        peer: PublicKey,
    },
    /// It ended.
    Disconnected {
        /// Whose.
        peer: PublicKey,
    },
    /// A partner's bytes.
    Message {
        /// Whose.
        peer: PublicKey,
        /// The payload of its session.
        bytes: &'a [u8],
    },
    /// The chain has a new head, with what came of this block. Once for each block, in order.
    Block {
        /// Of the batches in it.
        outcomes: &'a [BatchOutcome],
        /// What fell due at its start, as far as the host has it.
        openings: &'a [Opening],
    },
    /// A time that an [`Effect::Timer`] named has come.
    Tick,
    /// The operator wants a rebalance now.
    Rebalance,
    /// The operator, or the faucet, sends on-chain money; it joins the next batch.
    Deposit {
        /// What.
        deposit: Box<Deposit>,
    },
    /// The operator proposes, votes, or registers something; it joins the next batch.
    Order {
        /// Names the order; the same again does nothing.
        request: RequestId,
        /// What.
        operation: Box<Operation>,
    },
    /// The operator pays a partner directly.
    Pay {
        /// Names the payment; the same again does nothing.
        request: RequestId,
        /// Whom.
        peer: PublicKey,
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// For the payee to read.
        note: Vec<u8>,
    },
    /// The operator changes the terms of one channel.
    SetCredit {
        /// Whose.
        peer: PublicKey,
        /// In which asset.
        asset: AssetId,
        /// Uninsured balance that is accepted.
        limit: Amount,
        /// Above which insurance is wanted.
        insure_above: Option<Amount>,
    },
    /// The operator lets a suspended channel propose again.
    Resume {
        /// Whose.
        peer: PublicKey,
    },
    /// Take a channel to court with the newest state that the partner signed. Does nothing while a batch with a
    /// dispute of it waits for a block, or the channel is in court.
    Dispute {
        /// Whose.
        peer: PublicKey,
    },
}

/// What a bank tells its operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A payment was mediated: both locks are settled.
    Mediated {
        /// What.
        asset: AssetId,
        /// What was forwarded.
        amount: Amount,
        /// What was earned.
        fee: Amount,
    },
    /// A rebalance asks partners for consents.
    RebalanceStarted {
        /// How many were asked.
        asked: usize,
    },
    /// A rebalance was sent.
    RebalanceSent {
        /// Withdrawals in it.
        withdrawals: usize,
        /// Deposits in it.
        deposits: usize,
    },
    /// A batch was included, or is too old.
    Batch(Box<SentBatch>),
    /// Something about a channel and court.
    Court {
        /// Whose channel.
        peer: PublicKey,
        /// What.
        what: CourtEvent,
    },
    /// A direct payment was taken up or ended.
    Direct(RequestId),
    /// The partner broke the protocol.
    Misbehaviour {
        /// Who.
        peer: PublicKey,
        /// What it did.
        what: Misbehaviour,
    },
    /// A channel proposes nothing more until the operator resumes it.
    Suspended {
        /// Whose.
        peer: PublicKey,
        /// Why.
        why: Suspension,
    },
    /// A channel changed.
    Channel {
        /// Whose.
        peer: PublicKey,
    },
}

/// An input that a bank does not take. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody has a channel with themselves.
    #[error("this is the bank's own key")]
    OwnKey,
    /// Whom nobody finds on the register begins no channels; those that it has go on.
    #[error("this bank is not on the register: it begins no channels")]
    NotRegistered,
    /// No session with this partner stands.
    #[error("there is no session with {peer}")]
    NotConnected {
        /// Who.
        peer: PublicKey,
    },
    /// No channel with this key.
    #[error("there is no channel with {peer}")]
    UnknownPeer {
        /// Who.
        peer: PublicKey,
    },
    /// As many unknown partners as the bank takes are connected.
    #[error("the bank takes at most {limit} partners without an account")]
    TooManyStrangers {
        /// [`Config::max_strangers`].
        limit: usize,
    },
    /// The channel does not allow it.
    #[error(transparent)]
    Channel(#[from] channel::event::Refusal),
    /// The draft does not take it.
    #[error(transparent)]
    Draft(#[from] CannotDraft),
    /// The name is in use by another payment or order.
    #[error("another payment or order has this name")]
    RequestUsed,
    /// No batch with the dispute can be signed.
    #[error(transparent)]
    Court(#[from] CannotSend),
}
