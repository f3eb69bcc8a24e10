//! How long what a client knew of the validators leads it on, and how a person leads it on afterwards
//! (docs/protocol.md, section 3, "Verifying client").
//!
//! Keys of validators leak once nobody guards them any more. So a client whose head is older than
//! K.trust_period takes no block on the word of the validators that it knew. A person confirms a newer block by
//! height and hash; [`Lead`] then holds what lies between to it: each header names the one before by its hash,
//! so whoever has the last one right has all of them right.
//!
//! The age is that of the head's block time against the host's clock. A clock that is wrong refuses or waits; nothing
//! is stored of it.

use super::header::Header;
use crate::limits;
use crate::types::{Hash, Height, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A block that a person confirmed. As text: `HEIGHT:HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Confirmed {
    /// Its height.
    pub height: Height,
    /// Hash of its header.
    pub hash: Hash,
}

impl fmt::Display for Confirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.height, self.hash)
    }
}

impl FromStr for Confirmed {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let (height, hash) = text.trim().split_once(':').ok_or(NotAPlace)?;
        Ok(Self { height: height.parse().map_err(|_| NotAPlace)?, hash: hash.parse().map_err(|_| NotAPlace)? })
    }
}

impl Confirmed {
    /// Heights from which a [`Lead`] goes to it.
    pub fn reach(&self) -> RangeInclusive<Height> {
        self.height.saturating_sub(limits::MAX_LEAD)..=self.height.saturating_sub(1)
    }
}

/// A text that names no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a checkpoint is a block's height and hash, as HEIGHT:HASH")]
pub struct NotAPlace;

/// Why headers do not lead to the confirmed block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum NoLead {
    /// It lies where the client is already.
    #[error("the checkpoint is block {got}, and block {head} is verified already: a newer one is needed")]
    NotAhead {
        /// Height of the head.
        head: Height,
        /// The checkpoint's.
        got: Height,
    },
    /// More headers than are kept in memory.
    #[error("the checkpoint lies {got} blocks ahead, and {limit} are followed at most: begin with a snapshot")]
    TooFar {
        /// [`limits::MAX_LEAD`].
        limit: u64,
        /// Blocks to it.
        got: u64,
    },
    /// Another chain than the confirmed one.
    #[error("the header {height} that is served does not lead to the confirmed checkpoint")]
    OtherCheckpoint {
        /// Its height.
        height: Height,
    },
    /// Fewer headers than were asked for, of those that lie below the confirmed block.
    #[error("{got} of {asked} headers from {from} on are given out")]
    Withheld {
        /// The first that was asked for.
        from: Height,
        /// How many were.
        asked: u64,
        /// How many came.
        got: u64,
    },
}

/// The hashes of all headers from a head to a confirmed block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    from: (Height, Hash),
    to: Confirmed,
    hashes: Vec<Hash>,
}

impl Lead {
    /// From a head (zeros at genesis) to a block above it.
    ///
    /// # Errors
    /// [`NoLead`].
    pub fn new(from: (Height, Hash), to: Confirmed) -> Result<Self, NoLead> {
        match to.height.checked_sub(from.0) {
            None | Some(0) => Err(NoLead::NotAhead { head: from.0, got: to.height }),
            Some(got) if !to.reach().contains(&from.0) => Err(NoLead::TooFar { limit: limits::MAX_LEAD, got }),
            Some(_) => Ok(Self { from, to, hashes: Vec::new() }),
        }
    }

    /// Where it begins: a head with this height and hash.
    pub const fn from(&self) -> (Height, Hash) {
        self.from
    }

    /// Where it leads.
    pub const fn to(&self) -> Confirmed {
        self.to
    }

    fn above(&self) -> Height {
        self.from.0.saturating_add(u64::try_from(self.hashes.len()).unwrap_or(u64::MAX)).saturating_add(1)
    }

    /// The headers to ask for next: from which height on, and how many of `most` at once; `None`: it leads there.
    pub fn next(&self, most: u32) -> Option<(Height, u64)> {
        let next = self.above();
        let missing = self.to.height.checked_sub(next)?.saturating_add(1);
        Some((next, missing.min(most.into())))
    }

    /// Takes the answer to that; headers beyond the confirmed block are passed over. Nobody's signature counts here.
    ///
    /// All of them must be there. Whoever has the confirmed block has those below it, and somebody who gave them out one
    /// at a time would keep a client waiting for each.
    ///
    /// # Errors
    /// [`NoLead::OtherCheckpoint`], [`NoLead::Withheld`]: begin again, with the headers of somebody else.
    pub fn take<'a>(&mut self, most: u32, headers: impl IntoIterator<Item = &'a Header>) -> Result<(), NoLead> {
        let Some((from, asked)) = self.next(most) else { return Ok(()) };
        let mut got = 0_u64;
        for header in headers {
            let next = self.above();
            if next > self.to.height {
                break;
            }
            self.push(next, header)?;
            got = got.saturating_add(1);
        }
        if got < asked { Err(NoLead::Withheld { from, asked, got }) } else { Ok(()) }
    }

    fn push(&mut self, next: Height, header: &Header) -> Result<(), NoLead> {
        let (hash, before) = (header.hash(), self.hashes.last().copied().unwrap_or(self.from.1));
        let ends_right = next < self.to.height || hash == self.to.hash;
        if header.height != next || header.previous != before || !ends_right {
            return Err(NoLead::OtherCheckpoint { height: next });
        }
        self.hashes.push(hash);
        Ok(())
    }

    /// Hash of the block that it expects at a height.
    pub(super) fn at(&self, height: Height) -> Option<Hash> {
        let place = height.checked_sub(self.from.0)?.checked_sub(1)?;
        self.hashes.get(usize::try_from(place).ok()?).copied()
    }
}

/// Whether a block of that time is younger than K.trust_period.
pub(super) const fn is_fresh(time_ms: TimeMs, trust_period_ms: u64, now: TimeMs) -> bool {
    time_ms.saturating_add(trust_period_ms) > now
}
