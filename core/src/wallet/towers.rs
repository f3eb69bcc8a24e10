//! Watchtowers of a wallet: whatever both have signed is handed over by itself (docs/protocol.md, section 6).
//!
//! What a tower still needs follows from what is stored anyway: the newest both-signed state of each channel,
//! and the newest receipt of the tower. So nothing is queued, nothing is lost in a crash, and only the newest
//! state is ever on its way. One state of a channel is under way to a tower at a time; it is sent again after
//! each reconnection and each [`limits::TOWER_RESEND_MS`], until a receipt names it or a newer one.
//!
//! A receipt counts when the tower signed it for this client, its number is above the earlier one's of the
//! channel and no other channel's, and its state is not below one that the tower had. A tower that breaks that is shown with what it did; what it
//! said before then counts no more, because it may have lost it.
//!
//! Records: `w ‖ tower 32` → [`Tower`], `w ‖ tower 32 ‖ bank 32` → [`HandedOver`].

use super::{Event, Out, Payment, PaymentState, Refusal, Wallet};
use crate::account::{BadRecord, read};
use crate::channel::Channel;
use crate::channel::state::StateOrder;
use crate::codec;
use crate::effect::Effect;
use crate::limits;
use crate::message::{Message as _, Signed};
use crate::peers::Chain;
use crate::tower::wire::{Deliver, FromTower, Place, Reason, Receipt, ToTower};
use crate::types::{Epoch, Hash, PublicKey, TimeMs};
use crate::wallet::Direction;
use borsh::{BorshDeserialize, BorshSerialize};

/// First byte of a tower's keys.
const TOWER: u8 = b'w';

/// A tower in use.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Tower {
    /// Its account key.
    pub key: PublicKey,
    /// Where the host reaches it; empty: through a relay.
    pub url: String,
    /// When it was added.
    pub added_ms: TimeMs,
    /// What it did wrong, the first ones.
    pub misbehaviours: Vec<TowerFault>,
}

/// What a tower said that it has of a channel.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct HandedOver {
    /// Its word.
    pub receipt: Signed<Receipt>,
    /// When it came.
    pub at_ms: TimeMs,
    /// Until when the tower had everything that both had signed.
    pub complete_ms: TimeMs,
}

/// A named break of a tower's word.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, thiserror::Error)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum TowerFault {
    /// Bytes that are no message.
    #[error("it sent what cannot be read")]
    Malformed = 0,
    /// A receipt that it did not sign, or one for somebody else.
    #[error("it sent a receipt that is none")]
    FalseReceipt = 1,
    /// A new receipt with an old number: it lost what it had signed for.
    #[error("receipt {got} came after receipt {earlier}: it has lost what it had")]
    NumberWentBack {
        /// The earlier one's, of the same channel, or the same number for another.
        earlier: u64,
        /// What came.
        got: u64,
    } = 2,
    /// A newer receipt for an older state.
    #[error("it has an older state than it had")]
    StateWentBack {
        /// What it had.
        had: Place,
        /// What it says that it has.
        got: Place,
    } = 3,
    /// Another state under the same number as the own one.
    #[error("it has another state than both have signed")]
    OtherState {
        /// Digest of the own.
        expected: Hash,
        /// Digest of the tower's.
        got: Hash,
    } = 4,
    /// Court decided by an older state than it said it had.
    #[error("court decided by an older state than it had")]
    DidNotAnswer {
        /// In which channel.
        bank: PublicKey,
        /// By what court decided.
        decided: StateOrder,
        /// What the tower had.
        had: StateOrder,
    } = 5,
}

/// How a wallet stands with a tower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TowerView<'a> {
    /// Which.
    pub tower: &'a Tower,
    /// A session stands.
    pub connected: bool,
    /// When its newest receipt came.
    pub last_ms: Option<TimeMs>,
    /// One for each channel in which both have signed something.
    pub channels: Vec<TowerChannel>,
}

/// What a tower has of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TowerChannel {
    /// The channel's bank.
    pub bank: PublicKey,
    /// The newest that it said it has.
    pub has: Option<Place>,
    /// Whether that is what both have signed last, or newer.
    pub is_covered: bool,
    /// Why it did not keep the state, if it said so last.
    pub declined: Option<Reason>,
}

/// What is on its way to a tower, as long as its session stands.
#[derive(Clone, Copy, Debug)]
struct Sent {
    bank: PublicKey,
    /// Which state.
    place: Place,
    /// Not again before.
    again_ms: TimeMs,
    declined: Option<Reason>,
}

/// A tower, what it has, and what is on its way to it while a session stands. There are few of all of these.
struct Entry {
    tower: Tower,
    handed: Vec<(PublicKey, HandedOver)>,
    line: Option<Vec<Sent>>,
}

impl Entry {
    fn handed(&self, bank: &PublicKey) -> Option<&HandedOver> {
        self.handed.iter().find(|(of, _)| of == bank).map(|(_, handed)| handed)
    }

    fn has(&self, bank: &PublicKey) -> Option<Place> {
        Some(self.handed(bank)?.receipt.body.place)
    }

    fn keep(&mut self, bank: PublicKey, handed: HandedOver) {
        match self.handed.iter_mut().find(|(of, _)| *of == bank) {
            Some((_, before)) => *before = handed,
            None => self.handed.push((bank, handed)),
        }
    }

    fn forget_receipts(&mut self, out: &mut Out) {
        for (bank, _) in self.handed.drain(..) {
            out.write.delete(handed_key(&self.tower.key, &bank));
        }
    }

    fn sent(&mut self, bank: &PublicKey) -> Option<&mut Sent> {
        self.line.as_mut()?.iter_mut().find(|sent| sent.bank == *bank)
    }
}

/// The towers, in order of keys.
#[derive(Default)]
pub(super) struct Towers(Vec<Entry>);

impl Towers {
    pub(super) fn contains(&self, key: &PublicKey) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn is_connected(&self, key: &PublicKey) -> bool {
        self.get(key).is_some_and(|entry| entry.line.is_some())
    }

    fn get(&self, key: &PublicKey) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.tower.key == *key)
    }

    fn get_mut(&mut self, key: &PublicKey) -> Option<&mut Entry> {
        self.0.iter_mut().find(|entry| entry.tower.key == *key)
    }

    fn put(&mut self, tower: Tower) {
        match self.get_mut(&tower.key) {
            Some(entry) => entry.tower = tower,
            None => {
                let place = self.0.partition_point(|entry| entry.tower.key < tower.key);
                self.0.insert(place, Entry { tower, handed: Vec::new(), line: None });
            }
        }
    }
}

/// The newest state that both have signed, if there is one.
fn place_of(channel: &Channel) -> Option<Place> {
    channel.signatures().map(|_| Place::of(&channel.agreement().state))
}

impl Wallet {
    pub(super) fn restore_tower(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        match key {
            [TOWER, rest @ ..] if rest.len() == 32 => {
                let tower: Tower = read(TOWER, value)?;
                self.towers.put(tower);
            }
            [TOWER, rest @ ..] if rest.len() == 64 => {
                let bank = rest.last_chunk::<32>().copied().ok_or_else(|| BadRecord::unknown(key))?;
                let handed: HandedOver = read(TOWER, value)?;
                // A tower's own record stands before those of its receipts.
                let tower = self.towers.get_mut(&handed.receipt.body.tower);
                tower.ok_or_else(|| BadRecord::unknown(key))?.keep(PublicKey(bank), handed);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Uses a tower, or reaches it at another place.
    pub(super) fn add_tower(
        &mut self,
        key: PublicKey,
        url: String,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        if key == self.key() || key.x25519().is_none() || url.len() > limits::MAX_URL_BYTES {
            return Err(Refusal::BadTower { key });
        }
        if self.channel(&key).is_some() || chain.state.bank(&key).is_some() {
            return Err(Refusal::TowerIsBank { key });
        }
        if !self.towers.contains(&key) && self.towers.0.len() >= limits::MAX_TOWERS {
            return Err(Refusal::TooManyTowers { limit: limits::MAX_TOWERS });
        }
        let new = Tower { key, url: String::new(), added_ms: now_ms, misbehaviours: Vec::new() };
        let tower = Tower { url, ..self.towers.get(&key).map_or(new, |entry| entry.tower.clone()) };
        out.write.put(tower_key(&key), codec::encode(&tower));
        self.towers.put(tower);
        out.notify(Event::Tower(key));
        Ok(())
    }

    /// Uses a tower no more. It keeps what it has until the epochs of the channels end.
    pub(super) fn remove_tower(&mut self, key: PublicKey, out: &mut Out) -> Result<(), Refusal> {
        let place = self.towers.0.iter().position(|entry| entry.tower.key == key);
        let mut entry = self.towers.0.remove(place.ok_or(Refusal::UnknownTower { key })?);
        out.write.delete(tower_key(&key));
        entry.forget_receipts(out);
        if entry.line.is_some() {
            out.push(Effect::Disconnect { peer: key });
        }
        out.notify(Event::Tower(key));
        Ok(())
    }

    pub(super) fn tower_connected(&mut self, tower: PublicKey, connected: bool, out: &mut Out) {
        if let Some(entry) = self.towers.get_mut(&tower) {
            entry.line = connected.then(Vec::new);
        }
        out.notify(Event::Tower(tower));
    }

    /// A tower's bytes. Only a session that stands brings any.
    pub(super) fn tower_message(&mut self, tower: PublicKey, bytes: &[u8], now_ms: TimeMs, out: &mut Out) {
        let taken = match FromTower::decode(bytes) {
            Err(_) => Err(TowerFault::Malformed),
            Ok(FromTower::Declined(declined)) => {
                let partner = declined.parties.side_of(&self.key()).map(|own| declined.parties.key(own.other()));
                let entry = self.towers.get_mut(&tower);
                let sent = entry.zip(partner).and_then(|(entry, bank)| entry.sent(&bank));
                if let Some(sent) = sent.filter(|sent| sent.place == declined.place) {
                    sent.declined = Some(declined.reason);
                    sent.again_ms = now_ms.saturating_add(limits::TOWER_DECLINED_PAUSE_MS);
                    out.push(Effect::Timer { at_ms: sent.again_ms });
                }
                Ok(())
            }
            Ok(FromTower::Receipt(receipt)) => self.take_receipt(tower, *receipt, now_ms, out),
        };
        if let Err(fault) = taken {
            self.tower_fault(&tower, fault, out);
        }
        out.notify(Event::Tower(tower));
    }

    fn take_receipt(
        &mut self,
        tower: PublicKey,
        receipt: Signed<Receipt>,
        now_ms: TimeMs,
        out: &mut Out,
    ) -> Result<(), TowerFault> {
        let own = self.key();
        let verified = receipt.verify(&self.peers.chain_id(), &tower).map_err(|_| TowerFault::FalseReceipt)?;
        let receipt = verified.into_signed();
        let Receipt { parties, place, number, .. } = receipt.body;
        if (receipt.body.tower, receipt.body.client) != (tower, own) {
            return Err(TowerFault::FalseReceipt);
        }
        let side = parties.side_of(&own).ok_or(TowerFault::FalseReceipt)?;
        let bank = parties.key(side.other());
        let Some(channel) = self.channel(&bank) else { return Err(TowerFault::FalseReceipt) };
        let state = &channel.agreement().state;
        let base = Place::of(state);
        if place == base {
            let expected = state.digest(&self.peers.chain_id());
            if receipt.body.state != expected {
                return Err(TowerFault::OtherState { expected, got: receipt.body.state });
            }
        }
        let Some(entry) = self.towers.get_mut(&tower) else { return Ok(()) };
        let before = entry.handed(&bank);
        if before.is_none_or(|before| before.receipt != receipt) {
            let earlier = before.map(|before| before.receipt.body.number).filter(|earlier| number <= *earlier);
            let mut numbers = entry.handed.iter().map(|(_, handed)| handed.receipt.body.number);
            if let Some(earlier) = earlier.or(numbers.find(|other| *other == number)) {
                return Err(TowerFault::NumberWentBack { earlier, got: number });
            }
            if let Some(had) = entry.has(&bank).filter(|had| place < *had) {
                return Err(TowerFault::StateWentBack { had, got: place });
            }
        }
        let complete_ms = if place >= base { now_ms } else { before.map_or(0, |before| before.complete_ms) };
        let handed = HandedOver { receipt, at_ms: now_ms, complete_ms };
        out.write.put(handed_key(&tower, &bank), codec::encode(&handed));
        entry.keep(bank, handed);
        if let Some(line) = &mut entry.line {
            line.retain(|sent| sent.bank != bank || sent.place > place);
        }
        Ok(())
    }

    fn tower_fault(&mut self, key: &PublicKey, fault: TowerFault, out: &mut Out) {
        let Some(entry) = self.towers.get_mut(key) else { return };
        let tower = &mut entry.tower;
        if tower.misbehaviours.len() < limits::MAX_TOWER_MISBEHAVIOURS && !tower.misbehaviours.contains(&fault) {
            tower.misbehaviours.push(fault.clone());
            out.write.put(tower_key(key), codec::encode(tower));
        }
        out.notify(Event::TowerFault { tower: *key, what: fault });
        entry.forget_receipts(out);
    }

    /// A dispute was resolved: a tower that had a newer state should have shown it.
    pub(super) fn look_at_towers(&mut self, bank: PublicKey, epoch: Epoch, decided: Option<StateOrder>, out: &mut Out) {
        let decided = decided.unwrap_or(StateOrder::DEFAULT);
        let had = self.towers.0.iter().filter_map(|entry| Some((entry.tower.key, entry.has(&bank)?)));
        let failed = had.filter(|(_, had)| had.epoch.checked_add(1) == Some(epoch) && had.order > decided);
        let failed: Vec<_> = failed.collect();
        for (tower, had) in failed {
            self.tower_fault(&tower, TowerFault::DidNotAnswer { bank, decided, had: had.order }, out);
        }
    }

    /// Sends every tower what it does not have, as far as its session stands. Called with every input.
    pub(super) fn hand_over(&mut self, now_ms: TimeMs, out: &mut Out) {
        let Self { peers, towers, .. } = self;
        for entry in &mut towers.0 {
            if entry.line.is_none() {
                continue;
            }
            for (bank, peer) in peers.iter() {
                let Some(signatures) = peer.channel.signatures() else { continue };
                let state = &peer.channel.agreement().state;
                let place = Place::of(state);
                let is_covered = entry.has(bank).is_some_and(|has| has >= place);
                let before = entry.sent(bank).map(|sent| *sent);
                if is_covered || before.is_some_and(|sent| now_ms < sent.again_ms) {
                    continue;
                }
                let again_ms = now_ms.saturating_add(limits::TOWER_RESEND_MS);
                let sent = Sent { bank: *bank, place, again_ms, declined: before.and_then(|sent| sent.declined) };
                if let Some(line) = &mut entry.line {
                    line.retain(|sent| sent.bank != *bank);
                    line.push(sent);
                }
                let bytes = ToTower::Deliver(Box::new(Deliver { state: state.clone(), signatures })).encode();
                out.push(Effect::Send { to: entry.tower.key, bytes });
                out.push(Effect::Timer { at_ms: again_ms });
            }
        }
    }

    /// The towers in use, in order of keys.
    pub fn towers(&self) -> impl Iterator<Item = TowerView<'_>> {
        self.towers.0.iter().map(|entry| self.tower_view(entry))
    }

    /// A tower in use.
    pub fn tower(&self, key: &PublicKey) -> Option<TowerView<'_>> {
        Some(self.tower_view(self.towers.get(key)?))
    }

    fn tower_view<'a>(&'a self, entry: &'a Entry) -> TowerView<'a> {
        let channels = self.peers.iter().filter_map(|(bank, peer)| {
            let place = place_of(&peer.channel)?;
            let has = entry.has(bank);
            let is_covered = has.is_some_and(|has| has >= place);
            let sent = entry.line.iter().flatten().find(|sent| sent.bank == *bank && !is_covered);
            Some(TowerChannel { bank: *bank, has, is_covered, declined: sent.and_then(|sent| sent.declined) })
        });
        TowerView {
            tower: &entry.tower,
            connected: entry.line.is_some(),
            last_ms: entry.handed.iter().map(|(_, handed)| handed.at_ms).max(),
            channels: channels.collect(),
        }
    }

    /// Whether some tower has every state by which a received payment is paid; `None` for a wallet without
    /// towers, and for payments that were not received. Until then the payment is paid all the same: only
    /// nobody would answer for it while this wallet is away.
    pub fn is_with_tower(&self, payment: &Payment) -> Option<bool> {
        let is_received = payment.direction == Direction::In && payment.state == PaymentState::Paid;
        let ended_ms = payment.ended_ms.filter(|_| is_received && !self.towers.0.is_empty())?;
        let has_all = |entry: &Entry| {
            self.peers.iter().filter_map(|(bank, peer)| Some((bank, place_of(&peer.channel)?))).all(|(bank, place)| {
                entry
                    .handed(bank)
                    .is_some_and(|handed| handed.receipt.body.place >= place || handed.complete_ms > ended_ms)
            })
        };
        Some(self.towers.0.iter().any(has_all))
    }
}

fn tower_key(tower: &PublicKey) -> Vec<u8> {
    let mut key = vec![TOWER];
    key.extend_from_slice(&tower.0);
    key
}

fn handed_key(tower: &PublicKey, bank: &PublicKey) -> Vec<u8> {
    let mut key = tower_key(tower);
    key.extend_from_slice(&bank.0);
    key
}
