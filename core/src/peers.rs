//! The channels of one party, and how one input to several of them becomes one durable write.
//!
//! Banks and wallets own their channels through [`Peers`]. During one input they drive as many channels
//! as they need; each channel's events are handed back to the owner, who may drive further channels because
//! of them. [`Outbox::finish`] then gives one [`Effect::Write`] with the record of every channel that changed
//! and everything the owner stored, followed by the sends. So a lock that is received in one channel and
//! forwarded in another is on disk in both or in neither.
//!
//! Records: `c ‖ partner key` → the channel's record.

mod view;

pub use view::{Chain, ChannelView};

use crate::account::BadRecord;
use crate::channel::event::{Command, Context, Debug, Event, Input, Refusal};
use crate::channel::{self, Channel};
use crate::codec::DecodeError;
use crate::crypto::SecretKey;
use crate::effect::{Effect, Write};
use crate::types::{Amount, Hash, Parties, PublicKey, Side, TimeMs};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// First byte of a channel's key.
pub const CHANNEL: u8 = b'c';

/// One partner.
pub(crate) struct Peer {
    pub(crate) channel: Channel,
    pub(crate) connected: bool,
    /// Its record stands in the store.
    pub(crate) stored: bool,
}

/// What is known of a channel before it has a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Past {
    /// Nothing was ever signed in it.
    None,
    /// Something may have been signed in it and is forgotten: rule 8 of channels.
    Forgotten,
}

/// The channels of one party.
pub(crate) struct Peers {
    key: SecretKey,
    chain_id: Hash,
    debug: Debug,
    peers: BTreeMap<PublicKey, Peer>,
    timers: BTreeSet<(TimeMs, PublicKey)>,
}

/// What one input came to so far.
pub(crate) struct Outbox<E> {
    pub(crate) write: Write,
    dirty: BTreeSet<PublicKey>,
    after: Vec<Effect<E>>,
    events: VecDeque<(PublicKey, Event)>,
}

impl<E> Outbox<E> {
    pub(crate) fn new() -> Self {
        Self { write: Write::default(), dirty: BTreeSet::new(), after: Vec::new(), events: VecDeque::new() }
    }

    /// Tells whoever watches, after the write.
    pub(crate) fn notify(&mut self, event: E) {
        self.after.push(Effect::Notify(event));
    }

    /// Any other request that follows the write.
    pub(crate) fn push(&mut self, effect: Effect<E>) {
        self.after.push(effect);
    }

    /// The next event of a channel, oldest first.
    pub(crate) fn next_event(&mut self) -> Option<(PublicKey, Event)> {
        self.events.pop_front()
    }

    /// The one write, then everything else in order.
    pub(crate) fn finish(mut self, peers: &mut Peers) -> Vec<Effect<E>> {
        assert!(self.events.is_empty(), "every event of a channel is handled in the input that it came with");
        for key in &self.dirty {
            if let Some(peer) = peers.peers.get_mut(key) {
                peer.stored = true;
                self.write.puts.push((channel_key(key), peer.channel.record_bytes()));
            }
        }
        let mut effects = Vec::with_capacity(self.after.len().saturating_add(1));
        if !self.write.is_empty() {
            effects.push(Effect::Write(self.write));
        }
        effects.append(&mut self.after);
        effects
    }
}

impl Peers {
    pub(crate) fn new(key: SecretKey, chain_id: Hash, debug: Debug) -> Self {
        Self { key, chain_id, debug, peers: BTreeMap::new(), timers: BTreeSet::new() }
    }

    /// Takes a stored channel back. `Ok(false)` when the record is of another room.
    pub(crate) fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        let [CHANNEL, partner @ ..] = key else { return Ok(false) };
        let bad = |text: String| BadRecord { kind: char::from(CHANNEL), error: DecodeError::Malformed(text) };
        let partner = <[u8; 32]>::try_from(partner).map(PublicKey).map_err(|error| bad(error.to_string()))?;
        let channel = Channel::from_record(value).map_err(|error| bad(error.to_string()))?;
        if channel.chain_id() != self.chain_id || channel.partner_key() != partner {
            return Err(bad("a channel of another network or partner".into()));
        }
        self.peers.insert(partner, Peer { channel, connected: false, stored: true });
        Ok(true)
    }

    pub(crate) fn own_key(&self) -> PublicKey {
        self.key.public()
    }

    pub(crate) fn secret_key(&self) -> &SecretKey {
        &self.key
    }

    pub(crate) fn chain_id(&self) -> Hash {
        self.chain_id
    }

    pub(crate) fn get(&self, partner: &PublicKey) -> Option<&Peer> {
        self.peers.get(partner)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PublicKey, &Peer)> {
        self.peers.iter()
    }

    pub(crate) fn keys(&self) -> Vec<PublicKey> {
        self.peers.keys().copied().collect()
    }

    /// Makes sure that there is a channel with a partner; nothing is opened by that.
    pub(crate) fn ensure(&mut self, partner: PublicKey, past: Past) {
        let own = self.key.public();
        let Some(parties) = Parties::new(own, partner) else { return };
        let side = if parties.left() == own { Side::Left } else { Side::Right };
        let chain_id = self.chain_id;
        let new = || {
            let channel = Channel::new(chain_id, parties, side);
            let channel = match past {
                Past::None => channel,
                Past::Forgotten => channel.after_data_loss(),
            };
            Peer { channel, connected: false, stored: false }
        };
        self.peers.entry(partner).or_insert_with(new);
    }

    /// Forgets a channel that holds nothing.
    pub(crate) fn forget(&mut self, partner: &PublicKey, write: &mut Write) {
        if self.peers.remove(partner).is_some_and(|peer| peer.stored) {
            write.delete(channel_key(partner));
        }
    }

    /// Whether a session with a partner stands.
    pub(crate) fn is_connected(&self, partner: &PublicKey) -> bool {
        self.peers.get(partner).is_some_and(|peer| peer.connected)
    }

    pub(crate) fn set_connected(&mut self, partner: &PublicKey, connected: bool) {
        if let Some(peer) = self.peers.get_mut(partner) {
            peer.connected = connected;
        }
    }

    /// Partners whose channel asked to be woken at or before a time.
    pub(crate) fn due(&mut self, now_ms: TimeMs) -> BTreeSet<PublicKey> {
        let mut due = BTreeSet::new();
        while self.timers.first().is_some_and(|(at, _)| *at <= now_ms) {
            due.extend(self.timers.pop_first().map(|(_, partner)| partner));
        }
        due
    }

    /// Gives one channel one input and collects what comes of it.
    ///
    /// # Errors
    /// The channel's [`Refusal`] of a command; nothing has changed then.
    pub(crate) fn drive<E>(
        &mut self,
        partner: &PublicKey,
        input: Input<'_>,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        outbox: &mut Outbox<E>,
    ) -> Result<(), Refusal> {
        let Some(peer) = self.peers.get_mut(partner) else { return Ok(()) };
        let view = chain.channel(self.key.public(), *partner);
        let context = Context { chain: &view, key: &self.key, now_ms, debug: self.debug };
        for effect in peer.channel.handle(input, &context)? {
            match effect {
                channel::event::Effect::Write => {
                    outbox.dirty.insert(*partner);
                }
                channel::event::Effect::Send(bytes) => outbox.after.push(Effect::Send { to: *partner, bytes }),
                channel::event::Effect::Timer { at_ms } => {
                    self.timers.insert((at_ms, *partner));
                    outbox.after.push(Effect::Timer { at_ms });
                }
                channel::event::Effect::Event(event) => outbox.events.push_back((*partner, event)),
            }
        }
        Ok(())
    }

    /// Gives one channel a wish.
    pub(crate) fn command<E>(
        &mut self,
        partner: &PublicKey,
        command: Command,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        outbox: &mut Outbox<E>,
    ) -> Result<(), Refusal> {
        self.drive(partner, Input::Command(command), chain, now_ms, outbox)
    }

    /// Gives one channel a wish of which insurances may come, at this price at most.
    pub(crate) fn command_priced<E>(
        &mut self,
        partner: &PublicKey,
        (command, most_price): (Command, Amount),
        chain: &Chain<'_>,
        now_ms: TimeMs,
        outbox: &mut Outbox<E>,
    ) -> Result<(), Refusal> {
        self.drive(partner, Input::Priced { command, most_price }, chain, now_ms, outbox)
    }

    /// Gives one channel an input that no channel refuses.
    pub(crate) fn tell<E>(
        &mut self,
        partner: &PublicKey,
        input: Input<'_>,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        outbox: &mut Outbox<E>,
    ) {
        let told = self.drive(partner, input, chain, now_ms, outbox);
        assert!(told.is_ok(), "only commands are refused: {told:?}");
    }
}

fn channel_key(partner: &PublicKey) -> Vec<u8> {
    let mut key = vec![CHANNEL];
    key.extend_from_slice(&partner.0);
    key
}
