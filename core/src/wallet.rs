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

mod event;
mod pay;
mod payment;
mod receive;
mod restored;
mod terms;
mod towers;

pub use event::{Config, Event, Input, Refusal};
pub use pay::{CannotPay, Payable, Quote};
pub use payment::{Attempt, AttemptState, Direction, Failure, Kind, Payment, PaymentState};
pub use receive::{CannotCancel, InvoiceState, NewInvoice, OwnInvoice};
pub use restored::{Restoration, RestoreStage};
pub use terms::{Credit, Parts, Target, usual_price};
pub use towers::{HandedOver, Tower, TowerChannel, TowerFault, TowerView};

use crate::account::{BadRecord, CannotSend, OnChain, RequestId};
use crate::channel::event::{Command, Event as ChannelEvent, Reference};
use crate::channel::{self, Channel};
use crate::crypto::SecretKey;
use crate::effect::Effect;
use crate::entropy::Entropy;
use crate::ledger::receipt::{BatchOutcome, Opening};
use crate::payment::address::Address;
use crate::payment::invoice::InvoiceId;
use crate::payment::onion::RefundAddress;
use crate::peers::{Chain, Outbox, Peers};
use crate::types::{AssetId, Hash, PublicKey, TimeMs};
use crate::watch::{CourtEvent, CourtView, Hands, Patience, Watch};
use std::collections::{BTreeMap, BTreeSet};

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
                Ok(self.peers.command_priced(&bank, credit.command(), chain, now_ms, out)?)
            }
            Input::RequestInsurance { bank, asset, most_price } => {
                self.bank(&bank)?;
                let priced = (Command::RequestInsurance { asset }, most_price);
                Ok(self.peers.command_priced(&bank, priced, chain, now_ms, out)?)
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
