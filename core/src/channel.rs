//! Channels between two keys (docs/protocol.md, section 4): one party's side as a pure machine.
//!
//! A [`Channel`] takes an [`Input`] and a [`Context`] (own view of the chain, key, clock) and returns
//! [`Effect`]s. **Invariant**: the host performs the effects of an input in one order: everything
//! durable first ([`Effect::Write`] asks for [`Channel::record_bytes`], in the same transaction as whatever
//! else the events changed), then the sends. A host that restarts reads the record back and connects anew;
//! nothing else needs to survive.
//!
//! Wishes ([`Command`]) wait in a durable queue; all that wait go into one [`wire::Frame`] with one
//! signature over the resulting state. The partner checks everything on a copy, signs the same state and
//! answers. Events speak only about what is irrevocable: true in every state by which court could still
//! decide (rule 3, [`Channel::outcomes`]).
//!
//! ```text
//! A                                        B
//! │ ── Hello{newest both-signed state} ──▶ │   each session begins so
//! │ ◀── Hello ──────────────────────────── │
//! │ ── Update{frame 7 (Lock), signed} ───▶ │   A's signature is out: base and frame 7 can decide
//! │ ◀── Update{Ack 7, frame 8 (Settle)} ── │   both signed 7: only 7, or 8, can decide
//! │ ── Update{Ack 8} ────────────────────▶ │   B is paid
//! ```
//!
//! One run loop, as every host has it:
//!
//! ```
//! use fair_core::chain::params::Parameters;
//! use fair_core::channel::event::{Command, Context, Debug, Effect, Event, Input};
//! use fair_core::channel::shared::{AssetFacts, ChainView, CourtStatus, Facts, Head, Sides};
//! use fair_core::channel::Channel;
//! use fair_core::crypto::SecretKey;
//! use fair_core::types::{AssetId, Hash, Height, Parties, Side, UsableHeight};
//!
//! /// A verified view of a chain that stands still at height 5: left has 100 in the channel.
//! struct View;
//! impl ChainView for View {
//!     fn parameters(&self) -> &Parameters { &Parameters::DEMO }
//!     fn head(&self) -> Head { Head { height: 5, usable_height: 5, time_ms: 1_000 } }
//!     fn facts(&self, _: Height) -> Option<Facts> {
//!         let funds = AssetFacts { asset: AssetId::FRD, insurance: 100, ondelta: 100, consent_nonces: Sides::default() };
//!         Some(Facts { usable_height: 5, insurance_prices: Sides::default(), assets: vec![funds] })
//!     }
//!     fn revealed(&self, _: &Hash, _: Height) -> Option<UsableHeight> { None }
//!     fn court(&self) -> CourtStatus { CourtStatus::default() }
//! }
//!
//! /// What a host keeps of one channel.
//! struct Host { channel: Channel, key: SecretKey, disk: Vec<u8>, outbox: Vec<Vec<u8>>, log: Vec<Event> }
//! impl Host {
//!     fn input(&mut self, input: Input<'_>) {
//!         let context = Context { chain: &View, key: &self.key, now_ms: 1_500, debug: Debug::Off };
//!         let effects = self.channel.handle(input, &context).expect("a wish that works");
//!         for effect in &effects {
//!             if *effect == Effect::Write { self.disk = self.channel.record_bytes(); } // durable first
//!         }
//!         for effect in effects {
//!             match effect {
//!                 Effect::Send(bytes) => self.outbox.push(bytes),
//!                 Effect::Event(event) => self.log.push(event),
//!                 Effect::Write | Effect::Timer { .. } => {}
//!             }
//!         }
//!     }
//! }
//!
//! let keys = [[1; 32], [2; 32]].map(|seed| SecretKey::from_seed(&seed));
//! let parties = Parties::new(keys[0].public(), keys[1].public()).expect("two keys");
//! let mut hosts = keys.map(|key| {
//!     let side = parties.side_of(&key.public()).expect("a party");
//!     let channel = Channel::new(Hash([7; 32]), parties, side);
//!     Host { disk: channel.record_bytes(), channel, key, outbox: Vec::new(), log: Vec::new() }
//! });
//! let payer = usize::from(hosts[0].channel.side() != Side::Left);
//! let pay = Command::Pay { asset: AssetId::FRD, amount: 30, note: b"tea".to_vec(), reference: 1 };
//! hosts[0].input(Input::Connected);
//! hosts[1].input(Input::Connected);
//! let mut pay = Some(pay);
//! loop {
//!     let mut quiet = true;
//!     for from in 0..2 {
//!         for bytes in std::mem::take(&mut hosts[from].outbox) {
//!             hosts[1 - from].input(Input::Message(&bytes));
//!             quiet = false;
//!         }
//!     }
//!     if quiet && hosts[payer].channel.spendable(AssetId::FRD) >= 30 && let Some(pay) = pay.take() {
//!         hosts[payer].input(Input::Command(pay));
//!     } else if quiet {
//!         break;
//!     }
//! }
//! assert!(hosts[payer].log.contains(&Event::Paid { reference: 1 }));
//! assert_eq!(hosts[1 - payer].channel.agreement().line(AssetId::FRD).balance(Side::Right), 30);
//! let stored = Channel::from_record(&hosts[payer].disk).expect("readable");
//! assert_eq!(stored.agreement(), hosts[1 - payer].channel.agreement());
//! ```
//!
//! Deliberately absent: sending a dispute, an answer or a reveal ([`crate::watch`] does). [`Channel::claims`] are
//! the secrets that may have to go on-chain, [`Channel::dispute_proof`] is what court would be shown, and
//! [`Input::Freeze`] keeps the channel still while a dispute is on its way.

pub mod agreement;
mod command;
mod court;
pub mod delta;
pub mod event;
mod outcome;
mod policy;
mod propose;
pub mod record;
mod restore;
pub mod shared;
pub mod state;
pub mod transition;
mod update;
pub mod wire;

use self::agreement::Agreement;
use self::event::{Command, Context, Effect, Event, Input, Misbehaviour, Refusal, Suspension};
use self::record::{BadRecord, Record, Restore};
use self::shared::Sides;
use self::state::{ChannelState, Lock, LockId};
use self::wire::{Hello, Message, Update};
use crate::codec;
use crate::crypto::Secret;
use crate::types::{Amount, AssetId, Epoch, Hash, Height, Parties, PublicKey, Side, Signature};

/// One party's side of a channel: the durable record, and what lives only as long as a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    record: Record,
    session: Option<Session>,
}

/// What is known of the partner in this session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Session {
    /// The partner has shown its newest state, and it fits: updates are taken and sent.
    greeted: bool,
    /// A greeting from an epoch that this side's head does not show yet.
    early: Option<Box<Hello>>,
    /// The partner's head is behind: until the own next block nothing newer than this height is proposed,
    /// so that it is not asked again and again for what it cannot check.
    most_facts: Option<Height>,
}

/// What one input leads to.
#[derive(Default)]
struct Step {
    effects: Vec<Effect>,
    /// The record changed.
    dirty: bool,
    /// The current update is to be sent.
    answer: bool,
}

impl Step {
    fn event(&mut self, event: Event) {
        self.effects.push(Effect::Event(event));
    }
}

impl Channel {
    /// A channel of which nothing was ever signed: zeros. For a key whose data may have been lost, see
    /// [`Self::after_data_loss`].
    pub fn new(chain_id: Hash, parties: Parties, side: Side) -> Self {
        Self { record: Record::new(chain_id, parties, side, 0), session: None }
    }

    /// A channel that was used before with this key, of which no record or only an old backup is left.
    /// It adopts what the partner shows and signs nothing before a new block (rule 8).
    pub fn after_data_loss(mut self) -> Self {
        self.record.restore = Some(Restore::AwaitHello);
        self.session = None;
        self
    }

    /// Reads a stored record.
    ///
    /// # Errors
    /// [`BadRecord`] when it is none, or of a version that this program does not know.
    pub fn from_record(bytes: &[u8]) -> Result<Self, BadRecord> {
        Ok(Self { record: Record::decode(bytes)?, session: None })
    }

    /// The durable record, to be stored whenever [`Effect::Write`] asks for it.
    pub fn record_bytes(&self) -> Vec<u8> {
        codec::encode(&self.record)
    }

    /// Takes one input.
    ///
    /// # Errors
    /// [`Refusal`] of a command; nothing changed then. Other inputs never fail.
    pub fn handle(&mut self, input: Input<'_>, ctx: &Context<'_>) -> Result<Vec<Effect>, Refusal> {
        let mut step = Step::default();
        match input {
            Input::Connected => {
                self.session = Some(Session::default());
                step.effects.push(Effect::Send(self.own_hello()));
            }
            Input::Disconnected => self.session = None,
            Input::Message(bytes) => self.message(bytes, ctx, &mut step),
            Input::Command(command) => self.command(command, None, ctx, &mut step)?,
            Input::Priced { command, most_price } => self.command(command, Some(most_price), ctx, &mut step)?,
            Input::Head => self.new_head(ctx, &mut step),
            Input::Timer => self.retry_waiting(ctx, &mut step),
            Input::Freeze => self.set_frozen(true, ctx, &mut step),
            Input::Thaw => self.set_frozen(false, ctx, &mut step),
        }
        self.propose(ctx, &mut step);
        self.report(ctx, &mut step);
        self.record.assert_built_on_base();
        if step.answer && self.session.as_ref().is_some_and(|session| session.greeted) {
            step.effects.push(Effect::Send(self.current_update()));
        }
        if step.dirty {
            step.effects.insert(0, Effect::Write);
        }
        Ok(step.effects)
    }

    /// The last reply and the unanswered own frame, as stored.
    fn current_update(&self) -> Vec<u8> {
        let frame = self.record.own.as_ref().map(|own| own.frame.clone());
        let update = Update { epoch: self.epoch(), reply: self.record.reply.clone(), frame };
        Message::Update(Box::new(update)).encode()
    }

    /// The network.
    pub fn chain_id(&self) -> Hash {
        self.record.base.state.chain_id
    }

    /// Whose channel.
    pub fn parties(&self) -> Parties {
        self.record.base.state.parties
    }

    /// Which side this party is.
    pub fn side(&self) -> Side {
        self.record.side
    }

    /// The partner's side.
    pub fn partner(&self) -> Side {
        self.record.side.other()
    }

    /// The partner's key.
    pub fn partner_key(&self) -> PublicKey {
        self.parties().key(self.partner())
    }

    /// Disputes resolved.
    pub fn epoch(&self) -> Epoch {
        self.record.base.state.epoch
    }

    /// The highest state signed by both, with its shared part.
    pub fn agreement(&self) -> &Agreement {
        &self.record.base
    }

    /// Both signatures on it, by side; none on the default state. What a watchtower gets.
    pub fn signatures(&self) -> Option<Sides<Signature>> {
        self.record.signatures
    }

    /// What this party would show in court: the newest state that the partner signed, and its signature.
    pub fn dispute_proof(&self) -> Option<(&ChannelState, Signature)> {
        let signatures = self.record.signatures?;
        Some((&self.record.base.state, *signatures.get(self.partner())))
    }

    /// Every state by which court could still decide (rule 3): the base, and what was signed above it.
    pub fn outcomes(&self) -> impl Iterator<Item = &ChannelState> {
        self.record.outcomes()
    }

    /// Whether a lock stands in every possible outcome.
    pub fn is_irrevocable(&self, id: &LockId) -> bool {
        self.outcomes().all(|state| state.lock(id).is_some())
    }

    /// What this side can still pay or lock, with what waits and what is unanswered deducted.
    pub fn spendable(&self, asset: AssetId) -> Amount {
        let settled = self.record.base.available(asset, self.side());
        let proposed = self.record.own.as_ref().map_or(settled, |own| own.result.available(asset, self.side()));
        self.record.queue.iter().fold(settled.min(proposed), |left, wish| match &wish.command {
            Command::Pay { asset: other, amount, .. } | Command::Lock { asset: other, amount, .. }
                if *other == asset =>
            {
                left.saturating_sub(*amount)
            }
            _ => left,
        })
    }

    /// What the partner can still pay or lock to this side.
    pub fn receivable(&self, asset: AssetId) -> Amount {
        self.record.base.available(asset, self.partner())
    }

    /// Locks that pay this side when it settles them.
    pub fn incoming_locks(&self) -> impl Iterator<Item = (LockId, &Lock)> {
        self.record.base.state.locks_of(self.partner())
    }

    /// Incoming locks that may have been forwarded before data was lost.
    pub fn maybe_forwarded(&self) -> impl Iterator<Item = (LockId, &Lock)> {
        self.incoming_locks().filter(|(id, _)| self.record.maybe_forwarded.contains(id))
    }

    /// Locks that this side gave.
    pub fn outgoing_locks(&self) -> impl Iterator<Item = (LockId, &Lock)> {
        self.record.base.state.locks_of(self.side())
    }

    /// Nothing waits: no wish, no unanswered frame on either side.
    pub fn is_idle(&self) -> bool {
        let record = &self.record;
        record.queue.is_empty()
            && record.own.is_none()
            && record.waiting.is_none()
            && record.restore.is_none()
            && record.limbo.is_empty()
            && record.alive.is_empty()
    }

    /// Whether the partner has greeted in this session.
    pub fn is_connected(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.greeted)
    }

    /// Whether data was lost and no restore is signed: nothing counts as received.
    pub fn is_restoring(&self) -> bool {
        self.record.restore.is_some()
    }

    /// Whether the partner has shown a state since data was lost: what the channel says is taken from there.
    pub fn has_adopted(&self) -> bool {
        !matches!(self.record.restore, None | Some(Restore::AwaitHello))
    }

    /// Whether a dispute that this side signed could still be included: nothing is signed meanwhile.
    pub fn is_frozen(&self) -> bool {
        self.record.frozen
    }

    /// Incoming locks of the agreement whose secret is known: what this side can claim in court.
    pub fn claims(&self) -> impl Iterator<Item = (LockId, &Lock, Secret)> {
        let secrets = self.record.secrets.iter().filter(|(id, _)| id.giver == self.partner());
        secrets.filter_map(|(id, (secret, _))| Some((*id, self.record.base.state.lock(id)?, *secret)))
    }

    /// Why nothing is proposed, if so.
    pub fn suspended(&self) -> Option<Suspension> {
        self.record.suspended
    }

    /// What the partner did wrong, the first ones.
    pub fn misbehaviours(&self) -> &[Misbehaviour] {
        &self.record.misbehaviours
    }

    /// Whether a frame of the partner waits for a block.
    pub fn awaits_block(&self) -> bool {
        self.record.waiting.is_some()
    }

    /// Whether the answer to the partner's newest frame is a refusal.
    pub fn refuses(&self) -> bool {
        matches!(self.record.reply, Some(wire::Reply::Refuse { .. }))
    }

    /// Wishes that no frame has taken up.
    pub fn waiting_wishes(&self) -> usize {
        self.record.queue.len()
    }
}
