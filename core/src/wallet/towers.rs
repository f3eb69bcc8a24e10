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
use std::collections::BTreeMap;

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
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// By bank.
    sent: BTreeMap<PublicKey, Sent>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    /// Which state.
    place: Place,
    /// Not again before.
    again_ms: TimeMs,
    declined: Option<Reason>,
}

/// The towers, their receipts by tower and bank, and the sessions that stand.
#[derive(Default)]
pub(super) struct Towers {
    all: BTreeMap<PublicKey, Tower>,
    handed: BTreeMap<(PublicKey, PublicKey), HandedOver>,
    lines: BTreeMap<PublicKey, Line>,
}

impl Towers {
    pub(super) fn contains(&self, key: &PublicKey) -> bool {
        self.all.contains_key(key)
    }

    pub(super) fn is_connected(&self, key: &PublicKey) -> bool {
        self.lines.contains_key(key)
    }

    fn handed_to(&self, tower: &PublicKey) -> impl Iterator<Item = (&PublicKey, &HandedOver)> {
        let ends = (*tower, PublicKey([0; 32]))..=(*tower, PublicKey([0xff; 32]));
        self.handed.range(ends).map(|((_, bank), handed)| (bank, handed))
    }

    fn has(&self, tower: &PublicKey, bank: &PublicKey) -> Option<Place> {
        Some(self.handed.get(&(*tower, *bank))?.receipt.body.place)
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
                self.towers.all.insert(tower.key, tower);
            }
            [TOWER, rest @ ..] if rest.len() == 64 => {
                let bank = rest.last_chunk::<32>().copied().ok_or_else(|| BadRecord::unknown(key))?;
                let handed: HandedOver = read(TOWER, value)?;
                self.towers.handed.insert((handed.receipt.body.tower, PublicKey(bank)), handed);
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
        if !self.towers.contains(&key) && self.towers.all.len() >= limits::MAX_TOWERS {
            return Err(Refusal::TooManyTowers { limit: limits::MAX_TOWERS });
        }
        let new = Tower { key, url: String::new(), added_ms: now_ms, misbehaviours: Vec::new() };
        let tower = Tower { url, ..self.towers.all.get(&key).cloned().unwrap_or(new) };
        out.write.put(tower_key(&key), codec::encode(&tower));
        self.towers.all.insert(key, tower);
        out.notify(Event::Tower(key));
        Ok(())
    }

    /// Uses a tower no more. It keeps what it has until the epochs of the channels end.
    pub(super) fn remove_tower(&mut self, key: PublicKey, out: &mut Out) -> Result<(), Refusal> {
        if self.towers.all.remove(&key).is_none() {
            return Err(Refusal::UnknownTower { key });
        }
        out.write.delete(tower_key(&key));
        self.forget_receipts(&key, out);
        if self.towers.lines.remove(&key).is_some() {
            out.push(Effect::Disconnect { peer: key });
        }
        out.notify(Event::Tower(key));
        Ok(())
    }

    fn forget_receipts(&mut self, tower: &PublicKey, out: &mut Out) {
        let banks: Vec<PublicKey> = self.towers.handed_to(tower).map(|(bank, _)| *bank).collect();
        for bank in banks {
            self.towers.handed.remove(&(*tower, bank));
            out.write.delete(handed_key(tower, &bank));
        }
    }

    pub(super) fn tower_connected(&mut self, tower: PublicKey, connected: bool, out: &mut Out) {
        if connected {
            self.towers.lines.insert(tower, Line::default());
        } else {
            self.towers.lines.remove(&tower);
        }
        out.notify(Event::Tower(tower));
    }

    /// A tower's bytes. Only a session that stands brings any.
    pub(super) fn tower_message(&mut self, tower: PublicKey, bytes: &[u8], now_ms: TimeMs, out: &mut Out) {
        let taken = match FromTower::decode(bytes) {
            Err(_) => Err(TowerFault::Malformed),
            Ok(FromTower::Declined(declined)) => {
                let partner = declined.parties.side_of(&self.key()).map(|own| declined.parties.key(own.other()));
                let line = self.towers.lines.get_mut(&tower);
                let sent = line.zip(partner).and_then(|(line, bank)| line.sent.get_mut(&bank));
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
        let before = self.towers.handed.get(&(tower, bank));
        if before.is_none_or(|before| before.receipt != receipt) {
            let earlier = before.map(|before| before.receipt.body.number).filter(|earlier| number <= *earlier);
            let numbers = self.towers.handed_to(&tower).map(|(_, handed)| handed.receipt.body.number);
            if let Some(earlier) = earlier.or(numbers.into_iter().find(|other| *other == number)) {
                return Err(TowerFault::NumberWentBack { earlier, got: number });
            }
            if let Some(had) = self.towers.has(&tower, &bank).filter(|had| place < *had) {
                return Err(TowerFault::StateWentBack { had, got: place });
            }
        }
        let complete_ms = if place >= base { now_ms } else { before.map_or(0, |before| before.complete_ms) };
        let handed = HandedOver { receipt, at_ms: now_ms, complete_ms };
        out.write.put(handed_key(&tower, &bank), codec::encode(&handed));
        self.towers.handed.insert((tower, bank), handed);
        if let Some(line) = self.towers.lines.get_mut(&tower)
            && line.sent.get(&bank).is_some_and(|sent| place >= sent.place)
        {
            line.sent.remove(&bank);
        }
        Ok(())
    }

    fn tower_fault(&mut self, key: &PublicKey, fault: TowerFault, out: &mut Out) {
        let Some(tower) = self.towers.all.get_mut(key) else { return };
        if tower.misbehaviours.len() < limits::MAX_TOWER_MISBEHAVIOURS && !tower.misbehaviours.contains(&fault) {
            tower.misbehaviours.push(fault.clone());
            out.write.put(tower_key(key), codec::encode(tower));
        }
        out.notify(Event::TowerFault { tower: *key, what: fault });
        self.forget_receipts(key, out);
    }

    /// A dispute was resolved: a tower that had a newer state should have shown it.
    pub(super) fn look_at_towers(&mut self, bank: PublicKey, epoch: Epoch, decided: Option<StateOrder>, out: &mut Out) {
        let decided = decided.unwrap_or(StateOrder::DEFAULT);
        let towers: Vec<PublicKey> = self.towers.all.keys().copied().collect();
        for tower in towers {
            let had = self.towers.has(&tower, &bank).filter(|had| had.epoch.checked_add(1) == Some(epoch));
            if let Some(had) = had.filter(|had| had.order > decided) {
                self.tower_fault(&tower, TowerFault::DidNotAnswer { bank, decided, had: had.order }, out);
            }
        }
    }

    /// Sends every tower what it does not have, as far as its session stands. Called with every input.
    pub(super) fn hand_over(&mut self, now_ms: TimeMs, out: &mut Out) {
        let Self { peers, towers, .. } = self;
        let Towers { handed, lines, .. } = towers;
        for (tower, line) in lines {
            for (bank, peer) in peers.iter() {
                let Some(signatures) = peer.channel.signatures() else { continue };
                let state = &peer.channel.agreement().state;
                let place = Place::of(state);
                if handed.get(&(*tower, *bank)).is_some_and(|handed| handed.receipt.body.place >= place) {
                    line.sent.remove(bank);
                    continue;
                }
                let before = line.sent.get(bank);
                if before.is_some_and(|sent| now_ms < sent.again_ms) {
                    continue;
                }
                let declined = before.and_then(|sent| sent.declined);
                let again_ms = now_ms.saturating_add(limits::TOWER_RESEND_MS);
                line.sent.insert(*bank, Sent { place, again_ms, declined });
                let bytes = ToTower::Deliver(Box::new(Deliver { state: state.clone(), signatures })).encode();
                out.push(Effect::Send { to: *tower, bytes });
                out.push(Effect::Timer { at_ms: again_ms });
            }
        }
    }

    /// The towers in use, in order of keys.
    pub fn towers(&self) -> impl Iterator<Item = TowerView<'_>> {
        self.towers.all.values().map(|tower| self.tower_view(tower))
    }

    /// A tower in use.
    pub fn tower(&self, key: &PublicKey) -> Option<TowerView<'_>> {
        Some(self.tower_view(self.towers.all.get(key)?))
    }

    fn tower_view<'a>(&'a self, tower: &'a Tower) -> TowerView<'a> {
        let line = self.towers.lines.get(&tower.key);
        let channels = self.peers.iter().filter_map(|(bank, peer)| {
            let place = place_of(&peer.channel)?;
            let has = self.towers.has(&tower.key, bank);
            let is_covered = has.is_some_and(|has| has >= place);
            let declined = line.and_then(|line| line.sent.get(bank)).and_then(|sent| sent.declined);
            Some(TowerChannel { bank: *bank, has, is_covered, declined: declined.filter(|_| !is_covered) })
        });
        TowerView {
            tower,
            connected: line.is_some(),
            last_ms: self.towers.handed_to(&tower.key).map(|(_, handed)| handed.at_ms).max(),
            channels: channels.collect(),
        }
    }

    /// Whether some tower has every state by which a received payment is paid; `None` for a wallet without
    /// towers, and for payments that were not received. Until then the payment is paid all the same: only
    /// nobody would answer for it while this wallet is away.
    pub fn is_with_tower(&self, payment: &Payment) -> Option<bool> {
        let is_received = payment.direction == Direction::In && payment.state == PaymentState::Paid;
        let ended_ms = payment.ended_ms.filter(|_| is_received && !self.towers.all.is_empty())?;
        let has_all = |tower: &PublicKey| {
            self.peers.iter().filter_map(|(bank, peer)| Some((bank, place_of(&peer.channel)?))).all(|(bank, place)| {
                let handed = self.towers.handed.get(&(*tower, *bank));
                handed.is_some_and(|handed| handed.receipt.body.place >= place || handed.complete_ms > ended_ms)
            })
        };
        Some(self.towers.all.keys().any(has_all))
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
