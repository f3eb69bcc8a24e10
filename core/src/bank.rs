//! A bank: mediates payments between its channels, insures its partners by rebalancing
//! (docs/protocol.md, sections 5 and 7).
//!
//! [`Bank::handle`] is the machine: an input, a view of the verified chain and a time come in, effects go out.
//! `Err` means that nothing changed. Everything that one input changes in any channel is one durable
//! write. Decisions are pure functions of their own: [`mediation`] about one lock, [`rebalance`] about one
//! batch.
//!
//! Records: those of [`crate::peers`] and [`crate::account`], and
//! `f ‖ reference u64 big-endian` → [`Forward`], `w ‖ partner 32 ‖ asset u32 big-endian` → a consent to a withdrawal,
//! `o ‖ request 16` → [`DirectPayment`], `y ‖ partner 32` → nothing, for each partner that the bank paid directly,
//! `x ‖ partner 32 ‖ asset u32 big-endian` → the U since when a consent is wanted, `n ‖ request 16` → [`Order`],
//! `r` → nothing, in a bank that lost its records ([`Bank::first_record_after_data_loss`]). Court is followed by
//! [`crate::watch`].
//!
//! Deliberately absent: insurance out of debts.

mod absent;
mod direct;
mod event;
mod exposure;
mod forward;
mod lost;
mod mandate;
pub mod mediation;
mod order;
pub mod rebalance;

pub use direct::{DirectPayment, DirectState};
pub use event::{AssetPolicy, Config, Event, Input, Refusal};
pub use exposure::{Exposure, PartnerExposure};
pub use forward::{Forward, Origin, Outgoing};
pub use order::Order;

use crate::account::{BadRecord, CannotSend, OnChain, SentState};
use crate::channel::event::{Command, CommandFailure, Event as ChannelEvent};
use crate::channel::state::StateOrder;
use crate::channel::{self, Channel};
use crate::crypto::SecretKey;
use crate::effect::Effect;
use crate::entropy::Entropy;
use crate::ledger::operation::Operation;
use crate::ledger::receipt::{BatchOutcome, Opening};
use crate::peers::{Chain, Outbox, Past, Peers};
use crate::types::{Hash, PublicKey, TimeMs, UsableHeight};
use crate::watch::{CourtEvent, CourtView, Hands, Patience, Watch};
use absent::Absent;
use direct::Directs;
use forward::Forwards;
use mandate::Mandates;
use order::Orders;
use std::collections::BTreeSet;

/// A bank.
pub struct Bank {
    config: Config,
    peers: Peers,
    on_chain: OnChain,
    watch: Watch,
    forwards: Forwards,
    mandates: Mandates,
    absent: Absent,
    entropy: Entropy,
    /// Partners that the bank paid directly: their channels are never forgotten.
    paid: BTreeSet<PublicKey>,
    direct: Directs,
    orders: Orders,
    /// Records were lost: what was signed with partners that have none here is forgotten.
    past: Past,
}

type Out = Outbox<Event>;

/// First byte of the key of a partner that was paid directly.
const PAID: u8 = b'y';

const fn court_event(peer: PublicKey, what: CourtEvent) -> Event {
    Event::Court { peer, what }
}

fn paid_key(partner: &PublicKey) -> Vec<u8> {
    let mut key = vec![PAID];
    key.extend_from_slice(&partner.0);
    key
}

impl Bank {
    /// A bank with its stored records; none for a new one.
    ///
    /// # Errors
    /// [`BadRecord`]: the store is damaged or newer than this program. Nothing is dropped silently.
    pub fn restore<'a>(
        config: Config,
        key: SecretKey,
        chain_id: Hash,
        entropy: Entropy,
        records: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, BadRecord> {
        let own = key.public();
        let mut bank = Self {
            peers: Peers::new(key, chain_id, config.debug),
            config,
            on_chain: OnChain::new(own),
            watch: Watch::new(Patience::Long),
            forwards: Forwards::default(),
            mandates: Mandates::default(),
            absent: Absent::default(),
            entropy,
            paid: BTreeSet::new(),
            direct: Directs::default(),
            orders: Orders::default(),
            past: Past::None,
        };
        for (key, value) in records {
            let known = bank.peers.restore(key, value)?
                || bank.on_chain.restore(key, value)?
                || bank.watch.restore(key, value)?
                || bank.forwards.restore(key, value)?
                || bank.mandates.restore(key, value)?
                || bank.absent.restore(key, value)?
                || bank.direct.restore(key, value)?
                || bank.orders.restore(key, value)?
                || bank.restore_paid(key)
                || bank.restore_loss(key);
            if !known {
                return Err(BadRecord::unknown(key));
            }
        }
        Ok(bank)
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
            Input::Connected { peer } => self.connected(peer, chain, now_ms, &mut out)?,
            Input::Disconnected { peer } => {
                self.peers.tell(&peer, channel::event::Input::Disconnected, chain, now_ms, &mut out);
                self.peers.set_connected(&peer, false);
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
            Input::Rebalance => self.start_rebalance(chain, now_ms, &mut out),
            Input::Deposit { deposit } => self.put(Operation::Deposit(*deposit), chain, now_ms, &mut out)?,
            Input::Order { request, operation } => {
                self.take_order(request, *operation, chain, now_ms, &mut out)?;
            }
            Input::Pay { request, peer, asset, amount, note } => {
                self.pay_directly(request, peer, asset, amount, note, chain, now_ms, &mut out)?;
            }
            Input::SetCredit { peer, asset, limit, insure_above } => {
                self.known(&peer)?;
                let command = Command::SetCredit { asset, limit, insure_above };
                self.peers.command(&peer, command, chain, now_ms, &mut out)?;
            }
            Input::Resume { peer } => {
                self.known(&peer)?;
                self.peers.command(&peer, Command::Resume, chain, now_ms, &mut out)?;
            }
            Input::Dispute { peer } => {
                self.known(&peer)?;
                self.dispute(peer, chain, now_ms, &mut out)?;
            }
        }
        self.follow_events(chain, now_ms, &mut out);
        Ok(out.finish(&mut self.peers))
    }

    /// The on-chain side: draft, batch under way, history.
    pub fn on_chain(&self) -> &OnChain {
        &self.on_chain
    }

    /// The channel with a partner.
    pub fn channel(&self, peer: &PublicKey) -> Option<&Channel> {
        self.peers.get(peer).map(|peer| &peer.channel)
    }

    /// Where the channel with a partner stands in court; `None` for the own key.
    pub fn court(&self, peer: &PublicKey, chain: &Chain<'_>) -> Option<CourtView> {
        self.watch.view(&self.peers, &self.on_chain, peer, chain)
    }

    /// Everybody with a channel.
    pub fn partners(&self) -> impl Iterator<Item = (&PublicKey, &Channel)> {
        self.peers.iter().map(|(key, peer)| (key, &peer.channel))
    }

    /// Payments under way.
    pub fn forwards(&self) -> impl Iterator<Item = &Forward> {
        self.forwards.iter()
    }

    /// U from which the next rebalance may start by itself; `None` when it starts only on request.
    pub fn next_rebalance(&self) -> Option<UsableHeight> {
        let every = self.config.rebalance_every_blocks;
        (every > 0).then(|| self.mandates.started.saturating_add(every))
    }

    fn known(&self, peer: &PublicKey) -> Result<(), Refusal> {
        self.peers.get(peer).map(|_| ()).ok_or(Refusal::UnknownPeer { peer: *peer })
    }

    /// A partner comes. Strangers are capped: an idle one with nothing in its channel gives way.
    fn connected(&mut self, peer: PublicKey, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) -> Result<(), Refusal> {
        if peer == self.peers.own_key() {
            return Err(Refusal::OwnKey);
        }
        let is_new = self.peers.get(&peer).is_none();
        // Who lost its records may have had a channel with anybody.
        if is_new && self.past == Past::None && chain.state.bank(&self.peers.own_key()).is_none() {
            return Err(Refusal::NotRegistered);
        }
        if is_new && !self.is_somebody(&peer, chain) {
            self.make_room(chain, out)?;
        }
        self.peers.ensure(peer, self.past);
        // The chain may be in a later epoch than a channel without a record.
        self.peers.tell(&peer, channel::event::Input::Head, chain, now_ms, out);
        self.peers.set_connected(&peer, true);
        self.peers.tell(&peer, channel::event::Input::Connected, chain, now_ms, out);
        if is_new {
            self.set_terms(&peer, chain, now_ms, out);
        }
        Ok(())
    }

    /// The operator's terms, in a channel that has none.
    fn set_terms(&mut self, peer: &PublicKey, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        for policy in self.config.assets.clone() {
            let AssetPolicy { asset, credit_limit: limit, .. } = policy;
            let command = Command::SetCredit { asset, limit, insure_above: None };
            // A channel that cannot take it now says so; the operator can set it later.
            let _ = self.peers.command(peer, command, chain, now_ms, out);
        }
    }

    /// Registered, or with something in its channel.
    fn is_somebody(&self, peer: &PublicKey, chain: &Chain<'_>) -> bool {
        let holds = self.peers.get(peer).is_some_and(|peer| !peer.channel.agreement().state.subs.is_empty());
        holds || chain.state.account_id(peer).is_some()
    }

    fn make_room(&mut self, chain: &Chain<'_>, out: &mut Out) -> Result<(), Refusal> {
        let strangers: Vec<_> = self.peers.keys().into_iter().filter(|key| !self.is_somebody(key, chain)).collect();
        if strangers.len() < self.config.max_strangers {
            return Ok(());
        }
        let Some(idle) = strangers.iter().find(|key| self.may_forget(key)) else {
            return Err(Refusal::TooManyStrangers { limit: self.config.max_strangers });
        };
        self.peers.forget(idle, &mut out.write);
        Ok(())
    }

    /// A channel may be forgotten when no state of it was ever better for the partner than nothing: the bank
    /// neither paid nor locked anything in it. Otherwise an old state could be shown again. After data loss one that
    /// has shown nothing yet begins again as it began.
    fn may_forget(&self, partner: &PublicKey) -> bool {
        let Some(peer) = self.peers.get(partner) else { return false };
        let own = peer.channel.side();
        let is_silent = peer.channel.is_restoring() && !peer.channel.has_adopted();
        !peer.connected
            && (peer.channel.is_idle() || is_silent)
            && !self.paid.contains(partner)
            && *peer.channel.agreement().shared.next_index.get(own) == 0
    }

    fn restore_paid(&mut self, key: &[u8]) -> bool {
        let [PAID, partner @ ..] = key else { return false };
        let Ok(partner) = <[u8; 32]>::try_from(partner) else { return false };
        self.paid.insert(PublicKey(partner))
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
            if sent.state == SentState::Expired {
                self.orders.lapsed(sent.request, &mut out.write);
            }
            self.mandates.included(&sent, &mut out.write);
            out.notify(Event::Batch(Box::new(sent)));
        }
        self.learn_from_registry(chain, now_ms, out);
        for peer in self.peers.keys() {
            self.peers.tell(&peer, channel::event::Input::Head, chain, now_ms, out);
        }
        self.follow_events(chain, now_ms, out);
        self.fail_overdue(chain, now_ms, out);
        self.rebalance_on_block(chain, now_ms, out);
        let wanted = self.overdue_spenders(chain, &mut out.write);
        let mut hands = Hands { peers: &mut self.peers, on_chain: &mut self.on_chain, out, event: court_event };
        self.watch.on_block(&mut hands, openings, &wanted, chain, now_ms);
        self.follow_events(chain, now_ms, out);
        self.flush(chain, now_ms, out);
        for sent in self.on_chain.to_submit(chain.state) {
            out.push(Effect::Submit { batch: Box::new(sent.batch.clone()) });
        }
    }

    /// Drafts one operation of the operator's.
    fn put(&mut self, operation: Operation, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) -> Result<(), Refusal> {
        self.on_chain.add(vec![operation], &mut out.write)?;
        self.flush(chain, now_ms, out);
        Ok(())
    }

    /// Sends the draft when there is one and nothing is under way.
    fn flush(&mut self, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        if self.on_chain.draft().next().is_none() || self.on_chain.under_way().is_some() {
            return;
        }
        let request = self.entropy.bytes();
        let sent = self.on_chain.send(request, self.peers.secret_key(), chain.state, now_ms, &mut out.write);
        match sent {
            Ok(sent) => {
                let batch = Box::new(sent.batch.clone());
                self.orders.signed(request, &mut out.write);
                out.push(Effect::Submit { batch });
            }
            // It waits in the draft: `Estimate::problem` says why.
            Err(CannotSend::Empty | CannotSend::Unregistered { .. } | CannotSend::Busy { .. }) => {}
            Err(CannotSend::Fee { .. } | CannotSend::TooLarge { .. } | CannotSend::NothingAtStake) => {}
        }
    }

    /// Takes a channel to court.
    fn dispute(&mut self, peer: PublicKey, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) -> Result<(), CannotSend> {
        let mut hands = Hands { peers: &mut self.peers, on_chain: &mut self.on_chain, out, event: court_event };
        self.watch.dispute(peer, &mut hands, chain, now_ms)
    }

    /// Handles what channels reported, including what that makes other channels report.
    fn follow_events(&mut self, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        while let Some((peer, event)) = out.next_event() {
            self.follow(peer, event, chain, now_ms, out);
        }
    }

    fn follow(&mut self, peer: PublicKey, event: ChannelEvent, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        match event {
            ChannelEvent::LockReceived { id, lock, onion } => {
                self.mediate(peer, id, lock, &onion, chain, now_ms, out);
            }
            ChannelEvent::SecretLearned { hash, secret } => self.learned(peer, hash, secret, chain, now_ms, out),
            ChannelEvent::OutgoingSettled { reference, secret, .. } => {
                self.outgoing_settled(peer, reference, secret, chain, now_ms, out);
            }
            ChannelEvent::OutgoingFailed { reference, hash, .. } => {
                self.outgoing_failed(peer, reference, hash, chain, now_ms, out);
            }
            ChannelEvent::IncomingClosed { id, closed, .. } => self.incoming_closed(peer, id, closed, chain, out),
            ChannelEvent::WithdrawalRequested { asset, .. } => {
                // What is asked is the partner's own insured money, within what is free: the channel checked it.
                let _ = self.peers.command(&peer, Command::GrantWithdrawal { asset }, chain, now_ms, out);
            }
            ChannelEvent::WithdrawalGranted { proof } => self.mandates.granted(peer, *proof, &mut out.write),
            ChannelEvent::WithdrawalRefused { asset, .. } | ChannelEvent::HoldEnded { asset, .. } => {
                self.mandates.ended(peer, asset, &mut out.write);
            }
            ChannelEvent::EpochEnded { .. } => {
                self.mandates.ended_all(peer, &mut out.write);
                self.set_terms(&peer, chain, now_ms, out);
            }
            ChannelEvent::Misbehaviour(what) => out.notify(Event::Misbehaviour { peer, what }),
            ChannelEvent::Suspended(why) => out.notify(Event::Suspended { peer, why }),
            ChannelEvent::StateSigned(_)
            | ChannelEvent::CreditChanged { .. }
            | ChannelEvent::InsuranceRequested { .. }
            | ChannelEvent::InsurancePaid { .. }
            | ChannelEvent::Restored => out.notify(Event::Channel { peer }),
            ChannelEvent::Paid { reference } => self.direct_ended(reference, DirectState::Paid, out),
            ChannelEvent::CommandFailed { command, reason } => match *command {
                Command::Pay { reference, .. } => self.direct_ended(reference, DirectState::Failed(reason), out),
                // Terms set a state: wished for before the partner showed what was forgotten, they still hold.
                Command::SetCredit { .. } if reason == CommandFailure::DataLost => {
                    // Refused only when the queue, just emptied, is full.
                    let _ = self.peers.command(&peer, *command, chain, now_ms, out);
                }
                _ => {}
            },
            ChannelEvent::PayReceived { .. }
            | ChannelEvent::FrameRefused { .. }
            | ChannelEvent::RefusedFrame { .. }
            | ChannelEvent::RevealDue { .. } => {}
            // What was done in it is forgotten: an older state may be worth more to the partner, so it is not evicted.
            ChannelEvent::Restoring { adopted } => {
                if adopted != StateOrder::DEFAULT && self.paid.insert(peer) {
                    out.write.put(paid_key(&peer), Vec::new());
                }
            }
        }
    }
}
