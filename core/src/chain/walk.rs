//! Who certifies a height, for somebody who has not executed the blocks before it: a walk over the headers
//! at which the validators change.
//!
//! A walk begins at the validators of genesis. Each [`Turn`] is certified by 2/3+ of the set that the walk
//! has reached, and names the next one. A [`Checkpoint`], if there is one, must lie on the way.
//!
//! **Invariant**: a set is believed only because the set before it certified a header that names it.

use super::block::CertifiedBlock;
use super::certificate::{BadValidatorSet, Certificate, ValidatorSet};
use super::genesis::Genesis;
use super::header::Header;
use super::verify::{self, BadBlock};
use crate::ledger::state::{MAX_VALUE_BYTES, State};
use crate::limits;
use crate::types::{Hash, Height, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// Longest encoded turn in bytes.
pub const MAX_TURN_BYTES: usize = limits::MAX_HEADER_BYTES + limits::MAX_CERTIFICATE_BYTES + MAX_VALUE_BYTES;

/// A certified header after which other validators certify, with those.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Turn {
    /// Names two different sets.
    pub header: Header,
    /// By the first of them.
    pub certificate: Certificate,
    /// The second: it certifies the block after this.
    pub next: ValidatorSet,
}

impl Turn {
    /// The turn that a block makes, if it makes one. `before` is the state before it.
    pub fn of(before: &State, certified: &CertifiedBlock) -> Option<Self> {
        let CertifiedBlock { block, certificate } = certified;
        let next = before.next_validators();
        (next != before.validators()).then(|| Self {
            header: block.header.clone(),
            certificate: certificate.clone(),
            next: next.clone(),
        })
    }
}

/// A set known from elsewhere: from the release, or from what was verified before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Of the newest header known.
    pub height: Height,
    /// Hash of the set that certifies the block after it.
    pub next_validators_hash: Hash,
}

/// Why a header is not authorised. Each has a stable code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Unauthorised {
    /// Of another chain, not certified by the set that certifies there, or from the future.
    #[error(transparent)]
    Header(BadBlock),
    /// Not above the header before it.
    #[error("height {got} does not lie above {least}")]
    Order {
        /// Height that the walk has reached.
        least: Height,
        /// What the header says.
        got: Height,
    },
    /// Older than the header before it.
    #[error("the header of height {height} is older than one before it")]
    Time {
        /// Its height.
        height: Height,
    },
    /// The set is not the one that the header names.
    #[error("the validators after height {height} are not those that its header names")]
    OtherSet {
        /// Its height.
        height: Height,
    },
    /// The header names the same set twice.
    #[error("the validators do not change at height {height}")]
    NoChange {
        /// Its height.
        height: Height,
    },
    /// A set that no chain may have.
    #[error("the validators after height {height}: {reason}")]
    BadSet {
        /// Its height.
        height: Height,
        /// In words.
        reason: String,
    },
    /// The walk passes the checkpoint with other validators.
    #[error("at the checkpoint of height {height} other validators certify")]
    OtherCheckpoint {
        /// Its height.
        height: Height,
    },
    /// The walk ends below the checkpoint.
    #[error("height {got} lies below the checkpoint of height {height}")]
    BelowCheckpoint {
        /// Its height.
        height: Height,
        /// Where the walk ends.
        got: Height,
    },
}

/// The set that certifies after some height, and why it is believed.
#[derive(Clone, Debug)]
pub struct Walk {
    chain_id: Hash,
    height: Height,
    time_ms: TimeMs,
    validators: ValidatorSet,
    checkpoint: Option<Checkpoint>,
    now: TimeMs,
}

impl Walk {
    /// Begins at genesis. The document must have passed [`Genesis::check`].
    pub fn new(genesis: &Genesis, checkpoint: Option<Checkpoint>, now: TimeMs) -> Self {
        Self {
            chain_id: genesis.chain_id(),
            height: 0,
            time_ms: genesis.time_ms,
            validators: genesis.validators.clone(),
            checkpoint,
            now,
        }
    }

    /// Goes on to the set that a header names.
    ///
    /// # Errors
    /// [`Unauthorised`]; then the walk is where it was.
    pub fn turn(&mut self, turn: &Turn) -> Result<(), Unauthorised> {
        let Turn { header, certificate, next } = turn;
        let height = header.height;
        self.authorise(header, certificate)?;
        if header.next_validators_hash == header.validators_hash {
            return Err(Unauthorised::NoChange { height });
        }
        if next.hash() != header.next_validators_hash {
            return Err(Unauthorised::OtherSet { height });
        }
        next.check().map_err(|reason: BadValidatorSet| Unauthorised::BadSet { height, reason: reason.to_string() })?;
        if self.passes_checkpoint(height) {
            self.checkpoint = None;
        }
        (self.height, self.time_ms, self.validators) = (height, header.time_ms, next.clone());
        Ok(())
    }

    /// Whether the set that the walk has reached certified a header above it.
    ///
    /// # Errors
    /// [`Unauthorised`].
    pub fn authorise(&self, header: &Header, certificate: &Certificate) -> Result<(), Unauthorised> {
        if header.height <= self.height {
            return Err(Unauthorised::Order { least: self.height, got: header.height });
        }
        verify::alone(header, certificate, self.chain_id, &self.validators)
            .and_then(|()| verify::clock(header, self.now))
            .map_err(Unauthorised::Header)?;
        if header.time_ms < self.time_ms {
            return Err(Unauthorised::Time { height: header.height });
        }
        match self.checkpoint {
            Some(Checkpoint { height, next_validators_hash })
                if self.passes_checkpoint(header.height) && next_validators_hash != self.validators.hash() =>
            {
                Err(Unauthorised::OtherCheckpoint { height })
            }
            _ => Ok(()),
        }
    }

    /// The last header of the walk: authorised, and not below the checkpoint.
    ///
    /// # Errors
    /// [`Unauthorised`].
    pub fn end(&self, header: &Header, certificate: &Certificate) -> Result<(), Unauthorised> {
        self.authorise(header, certificate)?;
        match self.checkpoint {
            Some(Checkpoint { height, .. }) if header.height < height => {
                Err(Unauthorised::BelowCheckpoint { height, got: header.height })
            }
            Some(Checkpoint { height, next_validators_hash })
                if header.height == height && header.next_validators_hash != next_validators_hash =>
            {
                Err(Unauthorised::OtherCheckpoint { height })
            }
            _ => Ok(()),
        }
    }

    /// Whether a header of this height is the first above the checkpoint.
    fn passes_checkpoint(&self, height: Height) -> bool {
        self.checkpoint.is_some_and(|checkpoint| height > checkpoint.height)
    }
}

#[cfg(test)]
mod tests;
