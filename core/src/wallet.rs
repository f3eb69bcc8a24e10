//! A user's side: the same channels as a bank's, receiving and paying (docs/protocol.md, sections 4, 5 and 7).
//!
//! [`Wallet::handle`] is the machine: an input, a view of the verified chain and a time come in, effects
//! go out. `Err` means that nothing changed. Queries read what is stored; [`Event`]s say what to read again.
//!
//! Records: those of [`crate::peers`] and [`crate::account`], and `i ‖ invoice id` → [`OwnInvoice`],
//! `p ‖ payment id` → [`Payment`], `f ‖ payment id` → [`RefundAddress`] that came with an incoming one, `t ‖ bank 32 ‖ asset u32 big-endian` → [`Target`] of a withdrawal under way,
//! `r` → that the wallet was made from its words ([`Wallet::first_record_from_words`]), `w ‖ …` → towers and what
//! they have ([`towers`]).
//!
//! Court is followed by [`crate::watch`].
//!
//! Deliberately absent: payments in several parts.

mod pay;
mod payment;
mod receive;
mod restored;
mod terms;
mod towers;

pub use pay::{CannotPay, Payable, Quote};
pub use payment::{Attempt, AttemptState, Direction, Failure, Kind, Payment, PaymentState};
pub use receive::{CannotCancel, InvoiceState, NewInvoice, OwnInvoice};
pub use restored::{Restoration, RestoreStage};
pub use terms::{Credit, Parts, Target};
pub use towers::{HandedOver, Tower, TowerChannel, TowerFault, TowerView};

use crate::account::{BadRecord, CannotDraft, CannotSend, OnChain, RequestId, SentBatch};
use crate::channel::event::{Command, Debug, Event as ChannelEvent, Misbehaviour, Reference, Suspension};
use crate::channel::{self, Channel};
use crate::crypto::SecretKey;
use crate::effect::Effect;
use crate::entropy::Entropy;
use crate::ledger::operation::Operation;
use crate::ledger::receipt::{BatchOutcome, Opening, SkipReason};
use crate::payment::address::Address;
use crate::payment::invoice::{BadInvoice, InvoiceId};
use crate::payment::onion::RefundAddress;
use crate::peers::{Chain, Outbox, Peers};
use crate::types::{Amount, AssetId, Hash, PublicKey, TimeMs};
use crate::watch::{CourtEvent, CourtView, Hands, Patience, Watch};
use std::collections::{BTreeMap, BTreeSet};

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
    /// A time that an [`Effect::Timer`] named has come.
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
    /// A restored wallet asks this bank what it knows: keep a session with it ([`Wallet::sessions`]).
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
    /// [`Wallet::towers`].
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

/// A wallet.
pub struct Wallet {
    peers: Peers,
    on_chain: OnChain,
    watch: Watch,
    invoices: BTreeMap<InvoiceId, OwnInvoice>,
    payments: BTreeMap<RequestId, Payment>,
    /// Of incoming payments.
    refunds: BTreeMap<RequestId, RefundAddress>,
    /// Payments whose wish is in a channel.
    references: BTreeMap<Reference, RequestId>,
    /// Payments of ours by their lock hash.
    hashes: BTreeSet<(Hash, RequestId)>,
    targets: BTreeMap<(PublicKey, AssetId), Target>,
    /// Set for good in a wallet that was made from its words.
    restored: Option<restored::Restored>,
    towers: towers::Towers,
    entropy: Entropy,
}

type Out = Outbox<Event>;

const fn court_event(peer: PublicKey, what: CourtEvent) -> Event {
    Event::Court { peer, what }
}

impl Wallet {
    /// A wallet with its stored records; none for a new one.
    ///
    /// # Errors
    /// [`BadRecord`]: the store is damaged or newer than this program. Nothing is dropped silently.
    pub fn restore<'a>(
        config: &Config,
        key: SecretKey,
        chain_id: Hash,
        entropy: Entropy,
        records: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, BadRecord> {
        let own = key.public();
        let mut wallet = Self {
            peers: Peers::new(key, chain_id, config.debug),
            on_chain: OnChain::new(own),
            watch: Watch::new(Patience::Short),
            invoices: BTreeMap::new(),
            payments: BTreeMap::new(),
            refunds: BTreeMap::new(),
            references: BTreeMap::new(),
            hashes: BTreeSet::new(),
            targets: BTreeMap::new(),
            restored: None,
            towers: towers::Towers::default(),
            entropy,
        };
        for (key, value) in records {
            let known = wallet.peers.restore(key, value)?
                || wallet.on_chain.restore(key, value)?
                || wallet.watch.restore(key, value)?
                || wallet.restore_invoice(key, value)?
                || wallet.restore_payment(key, value)?
                || wallet.restore_refund(key, value)?
                || wallet.restore_target(key, value)?
                || wallet.restore_restored(key, value)?
                || wallet.restore_tower(key, value)?;
            if !known {
                return Err(BadRecord::unknown(key));
            }
        }
        wallet.ask_again();
        Ok(wallet)
    }

    /// Handles one input.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn handle(
        &mut self,
        input: Input<'_>,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Result<Vec<Effect<Event>>, Refusal> {
        let mut out = Out::new();
        match input {
            Input::Connected { peer } if self.towers.contains(&peer) => self.tower_connected(peer, true, &mut out),
            Input::Disconnected { peer } if self.towers.contains(&peer) => self.tower_connected(peer, false, &mut out),
            Input::Message { peer, bytes } if self.towers.is_connected(&peer) => {
                self.tower_message(peer, bytes, now_ms, &mut out);
            }
            Input::Connected { peer } => {
                self.bank(&peer)?;
                self.peers.set_connected(&peer, true);
                self.peers.tell(&peer, channel::event::Input::Connected, chain, now_ms, &mut out);
                out.notify(Event::Channel(peer));
            }
            Input::Disconnected { peer } => {
                self.peers.tell(&peer, channel::event::Input::Disconnected, chain, now_ms, &mut out);
                self.peers.set_connected(&peer, false);
                out.notify(Event::Channel(peer));
            }
            Input::Message { peer, bytes } => {
                if !self.peers.is_connected(&peer) {
                    return Err(Refusal::NotConnected { peer });
                }
                self.peers.tell(&peer, channel::event::Input::Message(bytes), chain, now_ms, &mut out);
            }
            Input::Block { outcomes, openings } => self.block(outcomes, openings, chain, now_ms, &mut out),
            Input::Tick => {
                for peer in self.peers.due(now_ms) {
                    self.peers.tell(&peer, channel::event::Input::Timer, chain, now_ms, &mut out);
                }
            }
            other => self.wish(other, chain, now_ms, &mut out)?,
        }
        self.follow_events(chain, now_ms, &mut out);
        self.hand_over(now_ms, &mut out);
        Ok(out.finish(&mut self.peers))
    }

    /// Takes a channel to court.
    fn dispute(&mut self, bank: PublicKey, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) -> Result<(), CannotSend> {
        let mut hands = Hands { peers: &mut self.peers, on_chain: &mut self.on_chain, out, event: court_event };
        self.watch.dispute(bank, &mut hands, chain, now_ms)
    }

    /// Handles what channels reported, including what that makes other channels report.
    fn follow_events(&mut self, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        while let Some((peer, event)) = out.next_event() {
            self.follow(peer, event, chain, now_ms, out);
        }
    }

    /// What the owner wants.
    fn wish(&mut self, input: Input<'_>, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) -> Result<(), Refusal> {
        match input {
            Input::AddBank { bank, credit } => self.add_bank(bank, &credit, chain, now_ms, out),
            Input::SetCredit { bank, credit } => {
                self.bank(&bank)?;
                Ok(self.peers.command(&bank, credit.command(), chain, now_ms, out)?)
            }
            Input::RequestInsurance { bank, asset } => {
                self.bank(&bank)?;
                Ok(self.peers.command(&bank, Command::RequestInsurance { asset }, chain, now_ms, out)?)
            }
            Input::RequestWithdrawal { bank, asset, amount, target } => {
                self.request_withdrawal(bank, asset, amount, target, chain, now_ms, out)
            }
            Input::CreateInvoice(new) => self.create_invoice(*new, now_ms, out),
            Input::CancelInvoice(id) => Ok(self.cancel_invoice(id, out)?),
            Input::Pay { request, to, asset, amount, max_fee, description } => {
                let order = pay::Order { request, to: *to, asset, amount, max_fee, description };
                self.pay(order, chain, now_ms, out)
            }
            Input::PayDirect { request, bank, asset, amount, note } => {
                self.bank(&bank)?;
                let description = String::from_utf8_lossy(&note).into_owned();
                self.pay_direct(pay::Direct { request, bank, asset, amount, note, description }, chain, now_ms, out)
            }
            Input::DraftAdd { operations } => {
                self.on_chain.add(operations, &mut out.write)?;
                out.notify(Event::Draft);
                Ok(())
            }
            Input::DraftRemove { id } => {
                self.on_chain.remove(id, &mut out.write)?;
                out.notify(Event::Draft);
                Ok(())
            }
            Input::SendBatch { request } => {
                let key = self.peers.secret_key();
                let sent = self.on_chain.send(request, key, chain.state, now_ms, &mut out.write)?;
                out.push(Effect::Submit { batch: Box::new(sent.batch.clone()) });
                out.notify(Event::Draft);
                Ok(())
            }
            Input::Resume { bank } => {
                self.bank(&bank)?;
                Ok(self.peers.command(&bank, Command::Resume, chain, now_ms, out)?)
            }
            Input::Dispute { bank } => {
                self.bank(&bank)?;
                Ok(self.dispute(bank, chain, now_ms, out)?)
            }
            Input::AddTower { tower, url } => self.add_tower(tower, url, chain, now_ms, out),
            Input::RemoveTower { tower } => self.remove_tower(tower, out),
            Input::Connected { .. }
            | Input::Disconnected { .. }
            | Input::Message { .. }
            | Input::Block { .. }
            | Input::Tick => Ok(()),
        }
    }

    /// The own key.
    pub fn key(&self) -> PublicKey {
        self.peers.own_key()
    }

    /// The on-chain side: draft, batch under way, history.
    pub fn on_chain(&self) -> &OnChain {
        &self.on_chain
    }

    /// The channel with a bank.
    pub fn channel(&self, bank: &PublicKey) -> Option<&Channel> {
        self.peers.get(bank).map(|peer| &peer.channel)
    }

    /// Where the channel with a bank stands in court; `None` for the own key.
    pub fn court(&self, bank: &PublicKey, chain: &Chain<'_>) -> Option<CourtView> {
        self.watch.view(&self.peers, &self.on_chain, bank, chain)
    }

    /// The banks in use, and whether a session stands.
    pub fn banks(&self) -> impl Iterator<Item = (PublicKey, bool)> + '_ {
        self.peers.iter().filter(|(key, _)| !self.is_awaited(key)).map(|(key, peer)| (*key, peer.connected))
    }

    /// The banks with which a session is to be kept: those in use, and those that a restored wallet asks.
    pub fn sessions(&self) -> impl Iterator<Item = PublicKey> + '_ {
        self.peers.iter().map(|(key, _)| *key)
    }

    /// Own invoices by id.
    pub fn invoices(&self) -> impl Iterator<Item = &OwnInvoice> {
        self.invoices.values()
    }

    /// An own invoice.
    pub fn invoice(&self, id: &InvoiceId) -> Option<&OwnInvoice> {
        self.invoices.get(id)
    }

    /// All payments, in no order of time.
    pub fn payments(&self) -> impl Iterator<Item = &Payment> {
        self.payments.values()
    }

    /// A payment.
    pub fn payment(&self, id: &RequestId) -> Option<&Payment> {
        self.payments.get(id)
    }

    /// Where this wallet is paid without an invoice.
    pub fn address(&self) -> Address {
        let banks: Vec<_> = self.banks().map(|(bank, _)| bank).collect();
        Address::new(&self.peers.chain_id(), self.peers.own_key(), &banks)
    }

    fn bank(&self, bank: &PublicKey) -> Result<&Channel, Refusal> {
        self.channel(bank).ok_or(Refusal::UnknownBank { bank: *bank })
    }

    fn block(
        &mut self,
        outcomes: &[BatchOutcome],
        openings: &[Opening],
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        let (key, time_ms) = (self.peers.secret_key(), chain.head.time_ms);
        for sent in self.on_chain.on_block(key, chain.state, time_ms, outcomes, &mut out.write) {
            out.notify(Event::Batch(Box::new(sent)));
        }
        self.ask_banks(chain, now_ms, out);
        self.learn_from_registry(chain, now_ms, out);
        for bank in self.peers.keys() {
            self.peers.tell(&bank, channel::event::Input::Head, chain, now_ms, out);
            self.grant_waiting(&bank, chain, now_ms, out);
        }
        self.follow_events(chain, now_ms, out);
        let mut hands = Hands { peers: &mut self.peers, on_chain: &mut self.on_chain, out, event: court_event };
        self.watch.on_block(&mut hands, openings, &BTreeSet::new(), chain, now_ms);
        for sent in self.on_chain.to_submit(chain.state) {
            out.push(Effect::Submit { batch: Box::new(sent.batch.clone()) });
        }
    }

    fn follow(&mut self, bank: PublicKey, event: ChannelEvent, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        match event {
            ChannelEvent::LockReceived { id, lock, onion } => {
                self.receive(bank, id, &lock, &onion, chain, now_ms, out);
            }
            ChannelEvent::IncomingClosed { id, closed, epoch, .. } => {
                self.incoming_closed(bank, id, epoch, closed, chain, now_ms, out);
            }
            ChannelEvent::PayReceived { asset, amount, note } => {
                self.received_directly(bank, asset, amount, &note, chain, now_ms, out);
            }
            ChannelEvent::SecretLearned { hash, secret } => self.learned(hash, secret, out),
            ChannelEvent::OutgoingSettled { reference, secret, .. } => {
                self.outgoing_settled(reference, secret, chain, now_ms, out);
            }
            ChannelEvent::OutgoingFailed { reference, hash, reason } => {
                self.outgoing_failed(reference, hash, reason, chain, now_ms, out);
            }
            ChannelEvent::Paid { reference } => self.direct_ended(reference, None, chain, now_ms, out),
            ChannelEvent::CommandFailed { command, reason } => {
                self.command_failed(bank, *command, reason, chain, now_ms, out);
            }
            ChannelEvent::InsurancePaid { by, asset, price } => {
                self.insurance_paid(bank, by, asset, price, chain, now_ms, out);
            }
            ChannelEvent::WithdrawalRequested { .. } => self.grant_waiting(&bank, chain, now_ms, out),
            ChannelEvent::WithdrawalGranted { proof } => self.withdrawal_granted(bank, *proof, chain, out),
            ChannelEvent::WithdrawalRefused { by, asset } => self.withdrawal_refused(bank, by, asset, out),
            ChannelEvent::HoldEnded { withdrawer, asset, .. } => self.hold_ended(bank, withdrawer, asset, out),
            ChannelEvent::Misbehaviour(what) => out.notify(Event::Misbehaviour { bank, what }),
            ChannelEvent::Suspended(why) => out.notify(Event::Suspended { bank, why }),
            ChannelEvent::Restoring { adopted } => self.adopted(bank, adopted, chain, out),
            ChannelEvent::EpochEnded { epoch, resolved } => {
                self.look_at_towers(bank, epoch, resolved, out);
                self.epoch_ended(bank, out);
            }
            ChannelEvent::StateSigned(_)
            | ChannelEvent::CreditChanged { .. }
            | ChannelEvent::InsuranceRequested { .. }
            | ChannelEvent::FrameRefused { .. }
            | ChannelEvent::RefusedFrame { .. }
            | ChannelEvent::RevealDue { .. }
            | ChannelEvent::Restored => out.notify(Event::Channel(bank)),
        }
    }
}
