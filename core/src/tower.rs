//! A watchtower: keeps the newest states of its clients' channels and shows them in court when an older one
//! is there (docs/protocol.md, section 6).
//!
//! [`Tower::handle`] is the machine: an input, a view of the verified chain and a time come in, effects go
//! out. `Err` means that nothing changed. A client is a party of the channel that it hands over; both
//! signatures are checked, so a tower cannot be made to show what was never agreed on. The only operation that
//! it ever signs is `Answer`: it can start nothing, move nothing of anybody's, and what it shows is what
//! both have signed. It sees the balances of what it keeps.
//!
//! **Invariant**: for one channel a state is replaced only by one of a higher [`Place`]. What court could still
//! need is never pushed out: a tower that is full declines new channels ([`hold`] says how room is shared).
//! A state goes when the chain shows that its epoch is over.
//!
//! Records: `e ‖ left 32 ‖ right 32` → what is kept of a channel, `r ‖ client 32 ‖ partner 32` → the newest
//! [`Receipt`] of that client, `c ‖ client 32` → its numbers, `b` → the batch under way.
//!
//! Deliberately absent: disputes, reveals, payment for the service.

mod court;
mod event;
mod hold;
pub mod wire;

pub use court::{Money, Skipped};
pub use event::{Event, Input, Misbehaviour, Refusal};
pub use hold::{Holding, Room};

use crate::account::{BadRecord, read};
use crate::channel::state::StateOrder;
use crate::codec;
use crate::crypto::SecretKey;
use crate::effect::{Effect, Write};
use crate::ledger::court::would_take;
use crate::ledger::receipt::BatchOutcome;
use crate::limits;
use crate::message::{Message as _, Signed};
use crate::peers::Chain;
use crate::types::{Amount, Hash, Parties, PublicKey, Side, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};
use court::Sent;
use hold::Holdings;
use std::collections::{BTreeMap, BTreeSet};
use wire::{Declined, Deliver, FromTower, Place, Reason, Receipt, ToTower};

const RECEIPT: u8 = b'r';
const CLIENT: u8 = b'c';

/// What the operator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Who may be a client; `None`: everybody.
    pub clients: Option<BTreeSet<PublicKey>>,
    /// Rooms for channels between two accounts.
    pub channels: usize,
    /// Rooms for channels with one party that has no account.
    pub strangers: usize,
    /// Most of those with one account.
    pub strangers_per_account: usize,
    /// Most channels that one client hands over.
    pub channels_per_client: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            clients: None,
            channels: limits::TOWER_CHANNELS,
            strangers: limits::TOWER_STRANGERS,
            strangers_per_account: limits::TOWER_STRANGERS_PER_ACCOUNT,
            channels_per_client: limits::TOWER_CHANNELS_PER_CLIENT,
        }
    }
}

/// What is remembered of a client for as long as the tower exists, so that no number is used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Client {
    /// Number of its newest receipt.
    receipts: u64,
    /// FRD that answers for its channels have cost.
    spent: Amount,
}

/// How much a client may hand over at the moment.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// In thousandths of a state.
    left: u64,
    at_ms: TimeMs,
}

/// What one input came to.
struct Out {
    write: Write,
    after: Vec<Effect<Event>>,
}

impl Out {
    fn notify(&mut self, event: Event) {
        self.after.push(Effect::Notify(event));
    }

    fn send(&mut self, to: PublicKey, message: &FromTower) {
        self.after.push(Effect::Send { to, bytes: message.encode() });
    }

    fn finish(self) -> Vec<Effect<Event>> {
        let write = (!self.write.is_empty()).then_some(Effect::Write(self.write));
        write.into_iter().chain(self.after).collect()
    }
}

/// A tower.
pub struct Tower {
    config: Config,
    key: SecretKey,
    chain_id: Hash,
    holdings: Holdings,
    /// The newest receipt by client and partner.
    receipts: BTreeMap<(PublicKey, PublicKey), Signed<Receipt>>,
    clients: BTreeMap<PublicKey, Client>,
    /// The batch that waits for a block.
    sent: Option<Sent>,
    money: Money,
    sessions: BTreeMap<PublicKey, Pace>,
    /// Channels held here that were in court at the last block, or when a state of theirs came after it; `None` before
    /// the first one.
    in_court: Option<BTreeSet<Parties>>,
}

impl Tower {
    /// A tower with its stored records; none for a new one.
    ///
    /// # Errors
    /// [`BadRecord`]: the store is damaged or newer than this program. Nothing is dropped silently.
    pub fn restore<'a>(
        config: Config,
        key: SecretKey,
        chain_id: Hash,
        records: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, BadRecord> {
        let mut tower = Self {
            config,
            key,
            chain_id,
            holdings: Holdings::default(),
            receipts: BTreeMap::new(),
            clients: BTreeMap::new(),
            sent: None,
            money: Money::Enough,
            sessions: BTreeMap::new(),
            in_court: None,
        };
        for (key, value) in records {
            let known = tower.holdings.restore(key, value)?
                || tower.restore_receipt(key, value)?
                || tower.restore_client(key, value)?
                || tower.restore_sent(key, value)?;
            if !known {
                return Err(BadRecord::unknown(key));
            }
        }
        Ok(tower)
    }

    fn restore_receipt(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        if key.first() != Some(&RECEIPT) {
            return Ok(false);
        }
        let receipt: Signed<Receipt> = read(RECEIPT, value)?;
        let Some(partner) = partner_of(&receipt.body.parties, &receipt.body.client) else {
            return Err(BadRecord::unknown(key));
        };
        self.receipts.insert((receipt.body.client, partner), receipt);
        Ok(true)
    }

    fn restore_client(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        let [CLIENT, client @ ..] = key else { return Ok(false) };
        let client = <[u8; 32]>::try_from(client).map_err(|_| BadRecord::unknown(key))?;
        self.clients.insert(PublicKey(client), read(CLIENT, value)?);
        Ok(true)
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
        let mut out = Out { write: Write::default(), after: Vec::new() };
        match input {
            Input::Connected { peer } => {
                if self.config.clients.as_ref().is_some_and(|clients| !clients.contains(&peer)) {
                    return Err(Refusal::NotAClient { client: peer });
                }
                self.sessions.insert(peer, Pace { left: limits::TOWER_BURST.saturating_mul(1000), at_ms: now_ms });
            }
            Input::Disconnected { peer } => {
                self.sessions.remove(&peer);
            }
            Input::Message { peer, bytes } => {
                if !self.sessions.contains_key(&peer) {
                    return Err(Refusal::NotConnected { client: peer });
                }
                let taken = ToTower::decode(bytes).map_err(Misbehaviour::Malformed);
                let taken =
                    taken.and_then(|ToTower::Deliver(deliver)| self.deliver(peer, *deliver, chain, now_ms, &mut out));
                if let Err(what) = taken {
                    self.sessions.remove(&peer);
                    out.after.push(Effect::Disconnect { peer });
                    out.notify(Event::Misbehaviour { client: peer, what });
                }
            }
            Input::Block { outcomes } => self.block(outcomes, chain, &mut out),
        }
        Ok(out.finish())
    }

    /// A client hands over a state.
    fn deliver(
        &mut self,
        client: PublicKey,
        deliver: Deliver,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) -> Result<(), Misbehaviour> {
        let Deliver { state, signatures } = &deliver;
        let parties = state.parties;
        let partner = partner_of(&parties, &client).ok_or(Misbehaviour::NotAParty)?;
        let place = Place::of(state);
        // The same again: the same receipt, without any work.
        let is_held = self.holdings.get(&parties).is_some_and(|held| held.state == *state);
        if let Some(receipt) = self.receipts.get(&(client, partner))
            && is_held
            && receipt.body.place == place
        {
            out.send(client, &FromTower::Receipt(Box::new(receipt.clone())));
            return Ok(());
        }
        if state.chain_id != self.chain_id {
            return Err(Misbehaviour::WrongChain);
        }
        if let Err(reason) = self.admit(client, partner, state, chain, now_ms) {
            out.send(client, &FromTower::Declined(Declined { parties, place, reason }));
            out.notify(Event::Declined { client, reason });
            return Ok(());
        }
        if !is_held {
            for side in [Side::Left, Side::Right] {
                let signer = parties.key(side);
                if !state.is_signed_by(&self.chain_id, &signer, signatures.get(side)) {
                    return Err(Misbehaviour::Unsigned { signer });
                }
            }
        }
        if self.holdings.get(&parties).is_none_or(|held| place > Place::of(&held.state)) {
            let room = hold::room_for(&parties, chain.state).unwrap_or(Room::Accounts);
            if let (Some(in_court), Some(_)) = (&mut self.in_court, chain.state.dispute(&parties)) {
                in_court.insert(parties);
            }
            self.holdings.keep(deliver, room, &self.config, &mut out.write);
            out.notify(Event::Kept { client, parties, place });
        }
        self.acknowledge(client, partner, parties, place, chain, out);
        self.answer(chain, out);
        Ok(())
    }

    /// Whether a state may be kept, signatures apart: they cost most and come last.
    fn admit(
        &mut self,
        client: PublicKey,
        partner: PublicKey,
        state: &crate::channel::state::ChannelState,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Result<(), Reason> {
        let epoch = chain.state.channel(&state.parties).epoch;
        if state.epoch != epoch {
            return Err(if state.epoch < epoch { Reason::EpochOver } else { Reason::EpochAhead });
        }
        if state.order() <= StateOrder::DEFAULT || would_take(chain.state, state).is_err() {
            return Err(Reason::NotForCourt);
        }
        if self.holdings.get(&state.parties).is_none() {
            let room = hold::room_for(&state.parties, chain.state).ok_or(Reason::Strangers)?;
            if !self.holdings.has_room(room, &self.config) {
                return Err(Reason::Full);
            }
        }
        if !self.receipts.contains_key(&(client, partner)) {
            let ends = (client, PublicKey([0; 32]))..=(client, PublicKey([0xff; 32]));
            if self.receipts.range(ends).count() >= self.config.channels_per_client {
                return Err(Reason::Full);
            }
        }
        if self.sessions.get_mut(&client).is_some_and(|pace| pace.take(now_ms)) { Ok(()) } else { Err(Reason::TooFast) }
    }

    /// Signs for what is kept of a channel, unless what was signed before says as much.
    fn acknowledge(
        &mut self,
        client: PublicKey,
        partner: PublicKey,
        parties: Parties,
        asked: Place,
        chain: &Chain<'_>,
        out: &mut Out,
    ) {
        let before = self.receipts.get(&(client, partner)).filter(|receipt| receipt.body.place >= asked);
        let receipt = match (before, self.holdings.get(&parties)) {
            (Some(receipt), _) => receipt.clone(),
            (None, None) => return,
            (None, Some(held)) => {
                let known = self.clients.entry(client).or_default();
                known.receipts = known.receipts.saturating_add(1);
                let receipt = Receipt {
                    tower: self.key.public(),
                    client,
                    parties,
                    place: Place::of(&held.state),
                    state: held.state.digest(&self.chain_id),
                    number: known.receipts,
                    height: chain.head.height,
                };
                out.write.put(client_key(&client), codec::encode(known));
                let receipt = Signed::new(receipt, &self.chain_id, &self.key);
                out.write.put(receipt_key(&client, &partner), codec::encode(&receipt));
                self.receipts.insert((client, partner), receipt.clone());
                receipt
            }
        };
        out.send(client, &FromTower::Receipt(Box::new(receipt)));
    }

    fn block(&mut self, outcomes: &[BatchOutcome], chain: &Chain<'_>, out: &mut Out) {
        self.settle(outcomes, chain, out);
        self.release(chain, out);
        if !self.answer(chain, out) {
            self.submit(chain, out);
        }
    }

    /// Lets go of channels whose epoch is over. They were in court a block ago; after a start all are looked at.
    fn release(&mut self, chain: &Chain<'_>, out: &mut Out) {
        let held = self.holdings.all().map(|(parties, _)| *parties);
        let disputed: BTreeSet<Parties> = held.filter(|parties| chain.state.dispute(parties).is_some()).collect();
        let looked_at = match self.in_court.replace(disputed) {
            Some(before) => before,
            None => self.holdings.all().map(|(parties, _)| *parties).collect(),
        };
        for parties in looked_at {
            let epoch = chain.state.channel(&parties).epoch;
            if self.holdings.get(&parties).is_none_or(|held| held.state.epoch >= epoch) {
                continue;
            }
            self.holdings.drop(&parties, &mut out.write);
            for (client, partner) in [(parties.left(), parties.right()), (parties.right(), parties.left())] {
                if self.receipts.remove(&(client, partner)).is_some() {
                    out.write.delete(receipt_key(&client, &partner));
                }
            }
            out.notify(Event::Released { parties });
        }
    }

    /// The own account.
    pub fn key(&self) -> PublicKey {
        self.key.public()
    }

    /// What is kept, by parties.
    pub fn holdings(&self) -> impl Iterator<Item = (&Parties, &Holding)> {
        self.holdings.all()
    }

    /// What is kept of a channel.
    pub fn holding(&self, parties: &Parties) -> Option<&Holding> {
        self.holdings.get(parties)
    }

    /// Rooms that are taken: of channels between two accounts, and of those with a stranger.
    pub fn rooms_taken(&self) -> (usize, usize) {
        self.holdings.taken()
    }

    /// Clients that a session stands with.
    pub fn connected(&self) -> usize {
        self.sessions.len()
    }

    /// Everybody for whom a receipt was ever signed.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }
}

impl Pace {
    /// Whether one more state may come now.
    fn take(&mut self, now_ms: TimeMs) -> bool {
        let passed = now_ms.saturating_sub(self.at_ms);
        let more = passed.saturating_mul(limits::TOWER_STATES_PER_SECOND);
        self.left = self.left.saturating_add(more).min(limits::TOWER_BURST.saturating_mul(1000));
        self.at_ms = self.at_ms.max(now_ms);
        match self.left.checked_sub(1000) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

/// The other party, if the first is one and the parties are in order.
fn partner_of(parties: &Parties, client: &PublicKey) -> Option<PublicKey> {
    if !parties.is_ordered() {
        return None;
    }
    Some(parties.key(parties.side_of(client)?.other()))
}

fn receipt_key(client: &PublicKey, partner: &PublicKey) -> Vec<u8> {
    let mut key = vec![RECEIPT];
    key.extend_from_slice(&client.0);
    key.extend_from_slice(&partner.0);
    key
}

fn client_key(client: &PublicKey) -> Vec<u8> {
    let mut key = vec![CLIENT];
    key.extend_from_slice(&client.0);
    key
}

#[cfg(test)]
mod tests;
