//! What a tower keeps, and how its room is shared so that nobody can take an honest user's.
//!
//! A room holds the newest state of one channel and is sized for a largest one: what has a room can always be
//! replaced by something newer. There are two kinds of rooms. Those for channels between two accounts cannot be
//! taken by keys that cost nothing. Those for channels with a party that has no account are needed as well,
//! since a bank can register its user and dispute at once; there an account has only so many, because it can
//! sign with any number of keys that it made up. A channel between two strangers has none: nobody can take
//! it to court. A stranger that gets an account moves to the other kind with its next state, if there is room.
//!
//! Nothing is ever pushed out by anybody's states: whoever floods a tower keeps newcomers away, at the price of
//! an account for every few channels, and touches nobody who is in. A client has only so many rooms, counted by
//! what it handed over itself, so its partners cannot use them up.

use super::Config;
use super::court::Skip;
use super::wire::Deliver;
use crate::account::{BadRecord, read};
use crate::channel::shared::Sides;
use crate::channel::state::ChannelState;
use crate::codec;
use crate::effect::Write;
use crate::ledger::state::State;
use crate::types::{Parties, PublicKey, Signature};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;

const HOLDING: u8 = b'e';

/// A kind of room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Room {
    /// Both parties have accounts.
    Accounts,
    /// One has.
    Stranger {
        /// Which.
        account: PublicKey,
    },
}

/// The newest state of a channel that the tower knows.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Holding {
    /// What both signed.
    pub state: ChannelState,
    /// By side.
    pub signatures: Sides<Signature>,
    /// Which kind of room it has.
    pub room: Room,
    /// Court did not take it in the dispute that runs.
    pub(super) skip: Option<Skip>,
}

/// The room that a channel needs; `None` when neither party has an account.
pub(super) fn room_for(parties: &Parties, state: &State) -> Option<Room> {
    let has_account = |key: PublicKey| state.account_id(&key).is_some();
    match (has_account(parties.left()), has_account(parties.right())) {
        (true, true) => Some(Room::Accounts),
        (true, false) => Some(Room::Stranger { account: parties.left() }),
        (false, true) => Some(Room::Stranger { account: parties.right() }),
        (false, false) => None,
    }
}

/// Everything kept, and how many rooms of each kind that takes.
#[derive(Default)]
pub(super) struct Holdings {
    all: BTreeMap<Parties, Holding>,
    strangers: BTreeMap<PublicKey, usize>,
    all_strangers: usize,
}

impl Holdings {
    /// Takes a stored record back. `Ok(false)` when it is of another room.
    pub(super) fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        if key.first() != Some(&HOLDING) {
            return Ok(false);
        }
        let holding: Holding = read(HOLDING, value)?;
        self.insert(holding);
        Ok(true)
    }

    pub(super) fn get(&self, parties: &Parties) -> Option<&Holding> {
        self.all.get(parties)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&Parties, &Holding)> {
        self.all.iter()
    }

    /// Rooms taken: between accounts, and with a stranger.
    pub(super) fn taken(&self) -> (usize, usize) {
        (self.all.len().saturating_sub(self.all_strangers), self.all_strangers)
    }

    /// Whether one more channel fits.
    pub(super) fn has_room(&self, room: Room, config: &Config) -> bool {
        match room {
            Room::Accounts => self.taken().0 < config.channels,
            Room::Stranger { account } => {
                let of_account = self.strangers.get(&account).copied().unwrap_or(0);
                self.all_strangers < config.strangers && of_account < config.strangers_per_account
            }
        }
    }

    /// Keeps a state in the place of an older one, whose room stays its own unless the other kind is free.
    pub(super) fn keep(&mut self, deliver: Deliver, wanted: Room, config: &Config, write: &mut Write) {
        let Deliver { state, signatures } = deliver;
        let before = self.all.get(&state.parties).map(|held| held.room);
        let room = match before {
            Some(before) if before != wanted && !self.has_room(wanted, config) => before,
            _ => wanted,
        };
        let holding = Holding { state, signatures, room, skip: None };
        write.put(holding_key(&holding.state.parties), codec::encode(&holding));
        self.insert(holding);
    }

    /// Court did not take what is kept of a channel.
    pub(super) fn note_skip(&mut self, parties: &Parties, skip: Skip, write: &mut Write) {
        if let Some(holding) = self.all.get_mut(parties) {
            holding.skip = Some(skip);
            write.put(holding_key(parties), codec::encode(holding));
        }
    }

    /// Lets a channel go.
    pub(super) fn drop(&mut self, parties: &Parties, write: &mut Write) {
        if let Some(holding) = self.all.remove(parties) {
            self.count(holding.room, usize::saturating_sub);
            write.delete(holding_key(parties));
        }
    }

    fn insert(&mut self, holding: Holding) {
        let room = holding.room;
        if let Some(before) = self.all.insert(holding.state.parties, holding) {
            self.count(before.room, usize::saturating_sub);
        }
        self.count(room, usize::saturating_add);
    }

    fn count(&mut self, room: Room, step: fn(usize, usize) -> usize) {
        if let Room::Stranger { account } = room {
            let count = self.strangers.entry(account).or_default();
            *count = step(*count, 1);
            if *count == 0 {
                self.strangers.remove(&account);
            }
            self.all_strangers = step(self.all_strangers, 1);
        }
    }
}

fn holding_key(parties: &Parties) -> Vec<u8> {
    let mut key = vec![HOLDING];
    key.extend_from_slice(&parties.left().0);
    key.extend_from_slice(&parties.right().0);
    key
}
