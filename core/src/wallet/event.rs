//! What a wallet is told and what it tells.

use super::pay::{CannotPay, Payable};
use super::receive::{CannotCancel, NewInvoice};
use super::terms::{Credit, Target};
use super::towers::TowerFault;
use crate::account::{CannotDraft, CannotSend, RequestId, SentBatch};
use crate::channel;
use crate::channel::event::{Debug, Misbehaviour, Suspension};
use crate::ledger::operation::Operation;
use crate::ledger::receipt::{BatchOutcome, Opening, SkipReason};
use crate::payment::invoice::{BadInvoice, InvoiceId};
use crate::types::{Amount, AssetId, PublicKey};
use crate::watch::CourtEvent;

/// What the host decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether frames carry their states, on test networks.
    pub debug: Debug,
}

/// Something that happened to a wallet, or that its owner wants.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A session with a bank stands.
    Connected {
        /// Which bank.
        peer: PublicKey,
    },
    /// It ended.
    Disconnected {
        /// Which bank.
        peer: PublicKey,
    },
    /// A bank's bytes.
    Message {
        /// Which bank.
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
    /// A time that an [`crate::effect::Effect::Timer`] named has come.
    Tick,
    /// Use a bank: accept credit in these assets.
    AddBank {
        /// Its key.
        bank: PublicKey,
        /// At least one.
        credit: Vec<Credit>,
    },
    /// Change what is accepted from a bank.
    SetCredit {
        /// Its key.
        bank: PublicKey,
        /// In one asset.
        credit: Credit,
    },
    /// Ask for insurance of what is uninsured.
    RequestInsurance {
        /// Whom.
        bank: PublicKey,
        /// In which asset.
        asset: AssetId,
        /// What it may cost. Insurances above a threshold in this asset cost from then on what this one does.
        most_price: Amount,
    },
    /// Take insured money out; the consent arrives in the draft.
    RequestWithdrawal {
        /// Whom to ask.
        bank: PublicKey,
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// Where it goes.
        target: Target,
    },
    /// Make an invoice.
    CreateInvoice(Box<NewInvoice>),
    /// Take no payment of an own invoice any more. Of one that is cancelled or void already: does nothing.
    CancelInvoice(InvoiceId),
    /// Pay an invoice or address through banks.
    Pay {
        /// Names the payment; the same again does nothing.
        request: RequestId,
        /// Whom.
        to: Box<Payable>,
        /// What; an invoice's own must agree.
        asset: AssetId,
        /// How much; an invoice's own must agree.
        amount: Amount,
        /// The banks may not take more together.
        max_fee: Amount,
        /// For the own records.
        description: String,
    },
    /// Pay a bank directly and unconditionally.
    PayDirect {
        /// Names the payment; the same again does nothing.
        request: RequestId,
        /// Which bank.
        bank: PublicKey,
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// For the payee to read.
        note: Vec<u8>,
    },
    /// Put operations into the draft; several as one group.
    DraftAdd {
        /// In order.
        operations: Vec<Operation>,
    },
    /// Take one out, with its group.
    DraftRemove {
        /// Its number.
        id: u64,
    },
    /// Sign the draft and send it.
    SendBatch {
        /// Names the batch; the same again does nothing.
        request: RequestId,
    },
    /// Propose again in a suspended channel.
    Resume {
        /// Whose.
        bank: PublicKey,
    },
    /// Take a channel to court with the newest state that the partner signed. Does nothing while a batch with a
    /// dispute of it waits for a block, or the channel is in court.
    Dispute {
        /// Whose.
        bank: PublicKey,
    },
    /// Hand states over to a tower from now on; again: reach it elsewhere.
    AddTower {
        /// Its key.
        tower: PublicKey,
        /// Where the host reaches it; empty: through a relay.
        url: String,
    },
    /// Do so no more.
    RemoveTower {
        /// Its key.
        tower: PublicKey,
    },
}

/// What changed; read it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A payment, in or out.
    Payment(RequestId),
    /// An own invoice.
    Invoice(InvoiceId),
    /// Somebody who has read an own invoice pays it although it is paid, or is being paid: the money goes back.
    InvoicePaidAgain(InvoiceId),
    /// A channel in any way.
    Channel(PublicKey),
    /// The draft.
    Draft,
    /// A batch of ours was included, or is too old.
    Batch(Box<SentBatch>),
    /// Something about a channel and court.
    Court {
        /// Whose channel.
        peer: PublicKey,
        /// What.
        what: CourtEvent,
    },
    /// A bank broke the protocol.
    Misbehaviour {
        /// Which.
        bank: PublicKey,
        /// What it did.
        what: Misbehaviour,
    },
    /// A channel proposes nothing more until [`Input::Resume`].
    Suspended {
        /// Whose.
        bank: PublicKey,
        /// Why.
        why: Suspension,
    },
    /// A restored wallet asks this bank what it knows: keep a session with it ([`super::Wallet::sessions`]).
    SessionWanted(PublicKey),
    /// It knows nothing; no further session is wanted.
    SessionUnwanted(PublicKey),
    /// A bank declined a withdrawal.
    WithdrawalRefused {
        /// Which.
        bank: PublicKey,
        /// In which asset.
        asset: AssetId,
    },
    /// A tower was added or removed, its session began or ended, or it has more: keep a session with each of
    /// [`super::Wallet::towers`].
    Tower(PublicKey),
    /// A tower broke its word.
    TowerFault {
        /// Which.
        tower: PublicKey,
        /// What it did.
        what: TowerFault,
    },
}

/// An input that a wallet does not take. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No session with this bank stands.
    #[error("there is no session with {peer}")]
    NotConnected {
        /// Which.
        peer: PublicKey,
    },
    /// The bank is not used by this wallet.
    #[error("{bank} is none of this wallet's banks")]
    UnknownBank {
        /// Which.
        bank: PublicKey,
    },
    /// The key is no registered bank.
    #[error("{key} is no registered bank")]
    NotABank {
        /// Whose.
        key: PublicKey,
    },
    /// A bank is used with at least one asset.
    #[error("no asset was named")]
    NoAsset,
    /// A key or place that no tower has.
    #[error("{key} at this place is no watchtower")]
    BadTower {
        /// Whose.
        key: PublicKey,
    },
    /// A bank cannot watch itself.
    #[error("{key} is a bank; a watchtower is somebody else")]
    TowerIsBank {
        /// Whose.
        key: PublicKey,
    },
    /// Enough towers.
    #[error("a wallet uses at most {limit} watchtowers")]
    TooManyTowers {
        /// [`crate::limits::MAX_TOWERS`].
        limit: usize,
    },
    /// None of the wallet's towers.
    #[error("{key} is none of this wallet's watchtowers")]
    UnknownTower {
        /// Whose.
        key: PublicKey,
    },
    /// A limit beyond any supply.
    #[error("the limit for asset {asset} is beyond any supply")]
    CreditTooLarge {
        /// Which asset.
        asset: AssetId,
    },
    /// A withdrawal in this asset is under way.
    #[error("a withdrawal from this bank is under way already")]
    WithdrawalUnderWay,
    /// The withdrawn money would come back to where it was.
    #[error("the money comes from the channel that it is to go to")]
    SameChannel,
    /// The withdrawn money could not be put where it is to go.
    #[error("the money cannot be put there: {0}")]
    Target(SkipReason),
    /// The invoice cannot be made.
    #[error(transparent)]
    Invoice(#[from] BadInvoice),
    /// The invoice cannot be cancelled.
    #[error(transparent)]
    Cancel(#[from] CannotCancel),
    /// The payment cannot be made.
    #[error(transparent)]
    Payment(#[from] CannotPay),
    /// The channel does not allow it.
    #[error(transparent)]
    Channel(#[from] channel::event::Refusal),
    /// The draft does not take it.
    #[error(transparent)]
    Draft(#[from] CannotDraft),
    /// The batch cannot be sent.
    #[error(transparent)]
    Batch(#[from] CannotSend),
}
