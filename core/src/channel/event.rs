//! What goes into a channel and what comes out of it.

use super::shared::{ChainView, Hold};
use super::state::{Lock, LockId, StateOrder};
use super::transition::{FailReason, Invalid};
use super::wire::RefusalReason;
use crate::codec::DecodeError;
use crate::crypto::{Secret, SecretKey};
use crate::ledger::operation::WithdrawalConsent;
use crate::message::Signed;
use crate::types::{Amount, AssetId, Epoch, Hash, Side, TimeMs, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// A caller's own number for what it asked, returned with what became of it.
pub type Reference = u64;

/// What a channel needs from its host at each input.
pub struct Context<'a> {
    /// This party's verified view of the chain.
    pub chain: &'a dyn ChainView,
    /// This party's key.
    pub key: &'a SecretKey,
    /// The local clock.
    pub now_ms: TimeMs,
    /// Whether frames carry their states, on test networks.
    pub debug: Debug,
}

/// Whether frames carry their states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debug {
    /// They do not.
    Off,
    /// They do: for finding a difference on a test network.
    States,
}

/// Something that happened to a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// A session with the partner stands. Every session begins with this.
    Connected,
    /// The session ended.
    Disconnected,
    /// The partner's bytes.
    Message(&'a [u8]),
    /// A local wish. Insurance is asked for, at once or above a threshold, only while the partner's price of it is not
    /// above what this side last said that it would pay in this asset: nothing, until it said so.
    Command(Command),
    /// A local wish, and what this side pays at most for each insurance that comes of it.
    Priced {
        /// The wish.
        command: Command,
        /// In the smallest unit of its asset.
        most_price: Amount,
    },
    /// The context's chain view has a new head.
    Head,
    /// A timer that an [`Effect::Timer`] asked for.
    Timer,
    /// A batch with a dispute of the channel was signed: nothing more is signed here.
    Freeze,
    /// That batch can no longer be included.
    Thaw,
}

/// A local wish. It waits in a durable queue until a frame takes it up, and is answered by an event with
/// its reference once that outcome is irrevocable.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Command {
    /// Pay unconditionally. Ends in [`Event::Paid`] or [`Event::CommandFailed`].
    Pay {
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// For the payee to read.
        note: Vec<u8>,
        /// The caller's number.
        reference: Reference,
    },
    /// Reserve an amount. Ends in [`Event::OutgoingSettled`] or [`Event::OutgoingFailed`].
    Lock {
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// SHA-256 of the secret.
        hash: Hash,
        /// Last U at which it can be settled.
        expiry: UsableHeight,
        /// For the partner.
        onion: Vec<u8>,
        /// The caller's number.
        reference: Reference,
    },
    /// Take a lock of the partner. Ends in [`Event::IncomingClosed`].
    Settle {
        /// Which.
        lock: LockId,
        /// The preimage.
        secret: Secret,
    },
    /// Give back a lock of the partner. Ends in [`Event::IncomingClosed`].
    Fail {
        /// Which.
        lock: LockId,
        /// Why.
        reason: FailReason,
    },
    /// Take back an own lock; made by the channel itself when the time has come.
    Expire {
        /// Which.
        lock: LockId,
    },
    /// Set own terms.
    SetCredit {
        /// In which asset.
        asset: AssetId,
        /// How much uninsured balance is accepted.
        limit: Amount,
        /// Above which uninsured balance insurance is wanted.
        insure_above: Option<Amount>,
    },
    /// Ask for insurance.
    RequestInsurance {
        /// In which asset.
        asset: AssetId,
    },
    /// Ask for consent to a withdrawal. Number and expiry are filled in when it is proposed.
    RequestWithdrawal {
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// For how many usable blocks the consent is to hold, at most K.max_consent.
        lifetime_blocks: u32,
    },
    /// Consent to the partner's withdrawal under way.
    GrantWithdrawal {
        /// In which asset.
        asset: AssetId,
    },
    /// Decline the partner's withdrawal under way.
    RefuseWithdrawal {
        /// In which asset.
        asset: AssetId,
    },
    /// Propose again after a suspension.
    Resume,
}

/// Something that the host does. All effects of one input: first the writes, in one durable transaction
/// together with whatever the caller changes because of the events, then the sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The durable record changed: store [`super::Channel::record_bytes`] before anything is sent.
    Write,
    /// Send these bytes to the partner.
    Send(Vec<u8>),
    /// Call with [`Input::Timer`] at this time. Timers do not survive a restart and need not.
    Timer {
        /// When.
        at_ms: TimeMs,
    },
    /// Something the caller wants to know, at most once for each time that the record is written.
    Event(Event),
}

/// What became known. "Irrevocable" is rule 3: it holds in every state that court could still decide by.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Event {
    /// A state is signed by both.
    StateSigned(StateOrder),
    /// The partner's lock is irrevocable, and a fresh head shows no dispute: it may be forwarded or settled.
    LockReceived {
        /// Its name.
        id: LockId,
        /// Its terms.
        lock: Lock,
        /// What the partner sent along.
        onion: Vec<u8>,
    },
    /// The partner's lock is gone, irrevocably.
    IncomingClosed {
        /// Its name.
        id: LockId,
        /// Its terms.
        lock: Lock,
        /// How it ended; settled means paid to this side.
        closed: Closed,
        /// The epoch that it belonged to.
        epoch: Epoch,
    },
    /// The secret of an own lock is known, even if the frame that brought it does not stand.
    SecretLearned {
        /// The lock's hash.
        hash: Hash,
        /// Its preimage.
        secret: Secret,
    },
    /// An own lock was paid out, irrevocably.
    OutgoingSettled {
        /// Whose wish it was; `None` after data loss.
        reference: Option<Reference>,
        /// The preimage.
        secret: Secret,
    },
    /// An own lock is in no possible outcome any more.
    OutgoingFailed {
        /// Whose wish it was; `None` after data loss.
        reference: Option<Reference>,
        /// Its hash.
        hash: Hash,
        /// How it ended.
        reason: OutgoingFailure,
    },
    /// A `Pay` of this side is irrevocable.
    Paid {
        /// Whose wish it was.
        reference: Reference,
    },
    /// The partner paid, irrevocably.
    PayReceived {
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// From the payer.
        note: Vec<u8>,
    },
    /// A side's terms changed.
    CreditChanged {
        /// Whose.
        by: Side,
        /// In which asset.
        asset: AssetId,
        /// Its credit limit.
        limit: Amount,
        /// Its threshold.
        insure_above: Option<Amount>,
    },
    /// A side asked for insurance.
    InsuranceRequested {
        /// Who.
        by: Side,
        /// In which asset.
        asset: AssetId,
    },
    /// Insurance arrived and was paid for.
    InsurancePaid {
        /// Who paid.
        by: Side,
        /// In which asset.
        asset: AssetId,
        /// The price.
        price: Amount,
    },
    /// The partner asks for consent to a withdrawal: answer with a grant or a refusal.
    WithdrawalRequested {
        /// In which asset.
        asset: AssetId,
        /// What it asks.
        hold: Hold,
    },
    /// The partner consented: put this into a batch while it is valid.
    WithdrawalGranted {
        /// The consent.
        proof: Box<Signed<WithdrawalConsent>>,
    },
    /// A withdrawal request was declined.
    WithdrawalRefused {
        /// Who declined.
        by: Side,
        /// In which asset.
        asset: AssetId,
    },
    /// A withdrawal ended.
    HoldEnded {
        /// Whose it was.
        withdrawer: Side,
        /// In which asset.
        asset: AssetId,
        /// Executed on-chain, or expired.
        executed: bool,
    },
    /// A wish other than a lock came to nothing, irrevocably.
    CommandFailed {
        /// The wish.
        command: Box<Command>,
        /// Why.
        reason: CommandFailure,
    },
    /// The partner refused a frame of this side.
    FrameRefused {
        /// Which.
        frame: u64,
        /// Why.
        reason: RefusalReason,
    },
    /// This side refused a frame of the partner.
    RefusedFrame {
        /// Which.
        frame: u64,
        /// Why.
        reason: RefusalReason,
    },
    /// The partner broke the protocol. Nothing was taken from it.
    Misbehaviour(Misbehaviour),
    /// Nothing more is proposed until [`Command::Resume`]; the partner's frames are still answered.
    Suspended(Suspension),
    /// The secret of this incoming lock must go on-chain now: no acknowledgement came in time.
    RevealDue {
        /// The lock.
        id: LockId,
        /// Its terms.
        lock: Lock,
        /// The preimage.
        secret: Secret,
    },
    /// Data was lost: a state shown by the partner was adopted, nothing counts until a restore is signed.
    Restoring {
        /// The adopted state.
        adopted: StateOrder,
    },
    /// The restore is signed by both.
    Restored,
    /// A dispute was resolved: everything of the epoch before is over.
    EpochEnded {
        /// The new epoch.
        epoch: Epoch,
        /// By which state it was resolved.
        resolved: Option<StateOrder>,
    },
}

/// How an incoming lock ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// Paid to this side.
    Settled,
    /// Given back by this side.
    Failed,
    /// Taken back by its giver after expiry.
    Expired,
}

/// How an outgoing lock came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum OutgoingFailure {
    /// The partner gave it back.
    ByPartner {
        /// Why.
        reason: FailReason,
    },
    /// Its time was up.
    Expired,
    /// It never entered a state that counts.
    NotAdded {
        /// Why.
        reason: CommandFailure,
    },
    /// A dispute was resolved by a state without it, or before its secret was revealed in time.
    ClosedByCourt,
}

/// Why a wish came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum CommandFailure {
    /// The agreement does not allow it.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// Too late to be settled off-chain.
    #[error("too late: expiry {expiry}, it is {now}")]
    TooLate {
        /// The lock's.
        expiry: UsableHeight,
        /// U of the own head.
        now: UsableHeight,
    },
    /// A dispute ended the epoch in which it was wished.
    #[error("a dispute was resolved before it was done")]
    EpochEnded,
    /// Data was lost; whether it was done before shows in the adopted state.
    #[error("data was lost, the outcome shows in the channel's state")]
    DataLost,
    /// The partner raised its price of an insurance before the wish was signed.
    #[error("an insurance costs {price}, and {most} is the most that was to be paid")]
    InsurancePrice {
        /// What was to be paid at most.
        most: Amount,
        /// The partner's price.
        price: Amount,
    },
}

/// Why nothing more is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Suspension {
    /// The partner refused several frames in a row.
    Refusals,
}

/// A named break of the protocol by the partner: what was expected and what came.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Misbehaviour {
    /// Not a message.
    #[error("malformed message: {0}")]
    Malformed(String),
    /// A frame in this side's name.
    #[error("a frame that names this side as its proposer")]
    WrongProposer,
    /// A number beyond what it can have seen.
    #[error("frame number {got} where at most {most} is possible")]
    NumberTooHigh {
        /// The highest possible.
        most: u64,
        /// What came.
        got: u64,
    },
    /// Two frames under one number.
    #[error("two different frames numbered {number}")]
    TwoFramesOneNumber {
        /// Which.
        number: u64,
        /// Digest of the first.
        expected: Hash,
        /// Digest of the second.
        got: Hash,
    },
    /// The frame's signature is not over what its transitions make.
    #[error("the signature of frame {frame} is not over the state that it makes, {expected}")]
    FrameSignature {
        /// Which.
        frame: u64,
        /// Digest of the state that its transitions make.
        expected: Hash,
        /// Digest of the state that the sender came to, where it said so.
        got: Option<Hash>,
    },
    /// An acknowledgement without a valid signature.
    #[error("the acknowledgement of frame {frame} is not signed")]
    AckSignature {
        /// Which.
        frame: u64,
    },
    /// An answer to a frame that was never sent.
    #[error("an answer to frame {got}; the highest number signed is {highest}")]
    UnknownReply {
        /// The highest signed or received.
        highest: u64,
        /// What was answered.
        got: u64,
    },
    /// A frame builds on a state that is not this side's base.
    #[error("a frame on {got:?} where {expected:?} is signed by both")]
    WrongBase {
        /// This side's base.
        expected: StateOrder,
        /// The frame's.
        got: StateOrder,
    },
    /// A state shown on connecting is of another channel, unsigned or badly formed.
    #[error("the state shown on connecting is not a both-signed state of this channel")]
    HelloState,
    /// Both-signed states of one order that differ.
    #[error("two both-signed states of order {order:?}")]
    TwoStatesOneOrder {
        /// Their order.
        order: StateOrder,
        /// Digest of this side's.
        expected: Hash,
        /// Digest of the partner's.
        got: Hash,
    },
}

impl From<DecodeError> for Misbehaviour {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// A command that was not taken up; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Refusal {
    /// Too much is waiting.
    #[error("{limit} wishes are waiting already")]
    QueueFull {
        /// The cap.
        limit: usize,
    },
    /// The agreement would not allow it even now.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is no such incoming lock.
    #[error("there is no such incoming lock")]
    NoSuchLock,
    /// Something else was wished for this lock before.
    #[error("the lock is being closed already")]
    AlreadyClosing,
    /// A lock whose secret was sent is never failed.
    #[error("its secret was sent")]
    SecretSent,
    /// After data loss an incoming lock may have been forwarded: it fails only after its own expiry.
    #[error("it may have been forwarded before data was lost: not before {expiry}")]
    MaybeForwarded {
        /// The lock's.
        expiry: UsableHeight,
    },
    /// A consent was sent, it cannot be taken back.
    #[error("the consent was sent")]
    ConsentSent,
    /// The head is too old to decide by.
    #[error("the chain's head is stale")]
    StaleHead,
    /// The channel is in court, or on its way there: nothing new is signed in it.
    #[error("the channel is in court")]
    InCourt,
    /// Made by the channel alone.
    #[error("the channel does this by itself")]
    Internal,
    /// The partner's price of an insurance is above what is to be paid.
    #[error("an insurance costs {price}, and {most} is the most that is to be paid")]
    InsurancePrice {
        /// What is to be paid at most.
        most: Amount,
        /// The partner's price.
        price: Amount,
    },
}
