//! The verifying client in light mode: follows headers and takes Merkle proofs, executes nothing
//! (docs/protocol.md, section 3).
//!
//! ```text
//! trusted header ──next set──▶ any later header with 2/3+ of its own set, and either
//!                              that set is the trusted header's next set, or
//!                              2/3+ of that next set signed it too
//! ```
//!
//! Otherwise the client walks: it takes a header that names another set as next, then one that this set
//! certified, and so on ([`NotAccepted::Unauthorised`] asks for it). Signatures of a set are worth something as
//! long as its members can be held to account: a trusted header older than K.trust_period leads nowhere, and a
//! fresh checkpoint is needed. Only the first walk from genesis has no such bound; [`Light::basis`] says so.

use super::certificate::{Certificate, Precommit, ValidatorSet};
use super::conflict::{self, Conflict};
use super::genesis::Genesis;
use super::header::Header;
use super::proven::{NotProven, Proven};
use super::trust;
use super::verify::{self, BadBlock};
use crate::ledger::state::{Key, Value};
use crate::limits;
use crate::message::Message as _;
use crate::ordered;
use crate::types::{Hash, Height, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;

/// A header with all that a light client needs to believe it: its certificate and the sets whose hashes it names.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Candidate {
    /// The header.
    pub header: Header,
    /// Over it.
    pub certificate: Certificate,
    /// Who certified it.
    pub validators: ValidatorSet,
    /// Who certifies the next one.
    pub next_validators: ValidatorSet,
}

/// Where a client's trust comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A header younger than K.trust_period, out of the release or somebody's mouth.
    Checkpoint,
    /// The genesis document, and that no two thirds of any set since then sold or lost their keys.
    Genesis,
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is the newest trusted header now.
    Accepted,
    /// It was trusted already.
    Known,
    /// Another one is trusted at its height; both are evidence.
    Conflict(Conflict),
}

/// Why a candidate was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// It does not verify by itself.
    #[error(transparent)]
    Bad(#[from] BadBlock),
    /// What is trusted is too old to lead anywhere.
    #[error(
        "the newest trusted header is of {trusted_ms} and too old at {now_ms} (trust lasts {trust_period_ms} ms): a fresh checkpoint is needed"
    )]
    Expired {
        /// Its time.
        trusted_ms: TimeMs,
        /// The local clock.
        now_ms: TimeMs,
        /// K.trust_period_ms.
        trust_period_ms: u64,
    },
    /// Certified by a set to which nothing trusted leads: walk the changes between.
    #[error("nothing trusted leads from height {trusted} to the validators of height {got}")]
    Unauthorised {
        /// Newest trusted height.
        trusted: Height,
        /// The candidate's.
        got: Height,
    },
    /// Its time lies before that of the trusted header.
    #[error("the header's time {got} lies before {trusted}, that of the trusted one")]
    BackInTime {
        /// Time of the trusted header.
        trusted: TimeMs,
        /// The candidate's.
        got: TimeMs,
    },
    /// Below the newest trusted header, at a height that is not kept.
    #[error("nothing is known of height {got} any more; heights from {newest} on are followed")]
    Past {
        /// Newest trusted height.
        newest: Height,
        /// The candidate's.
        got: Height,
    },
}

/// A proven value, and when it was so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// What stood there; `None`: nothing.
    pub value: Option<&'a Value>,
    /// Height after which it stood there.
    pub height: Height,
    /// Time of that block.
    pub time_ms: TimeMs,
}

struct Trusted {
    header: Header,
    /// Who certified it.
    validators: ValidatorSet,
}

/// A light client's trust.
pub struct Light {
    chain_id: Hash,
    trust_period_ms: u64,
    basis: Basis,
    /// Whether the first walk from genesis has reached a header younger than K.trust_period.
    has_arrived: bool,
    trusted: BTreeMap<Height, Trusted>,
    /// Newest trusted height, its time, and who certifies what follows.
    newest: (Height, TimeMs),
    next: ValidatorSet,
}

impl Light {
    /// Starts at genesis. The document must have passed [`Genesis::check`].
    pub fn from_genesis(genesis: &Genesis) -> Self {
        Self {
            chain_id: genesis.chain_id(),
            trust_period_ms: genesis.parameters.trust_period_ms,
            basis: Basis::Genesis,
            has_arrived: false,
            trusted: BTreeMap::new(),
            newest: (0, genesis.time_ms),
            next: genesis.validators.clone(),
        }
    }

    /// Starts at a header that is believed for reasons of its own. `trust_period_ms` is K's there.
    ///
    /// # Errors
    /// [`BadBlock`] when it is not certified by its own set, or its sets are others.
    pub fn from_checkpoint(chain_id: Hash, trust_period_ms: u64, checkpoint: Candidate) -> Result<Self, BadBlock> {
        checkpoint.verify_alone(chain_id)?;
        let Candidate { header, validators, next_validators, .. } = checkpoint;
        Ok(Self {
            chain_id,
            trust_period_ms,
            basis: Basis::Checkpoint,
            has_arrived: true,
            newest: (header.height, header.time_ms),
            trusted: ordered::map([(header.height, Trusted { header, validators })]),
            next: next_validators,
        })
    }

    /// What trust rests on.
    pub const fn basis(&self) -> Basis {
        self.basis
    }

    /// Newest trusted height and its time: what every answer is worth.
    pub const fn newest(&self) -> (Height, TimeMs) {
        self.newest
    }

    /// Takes a header, or says why not.
    ///
    /// # Errors
    /// [`NotAccepted`]; then nothing changed.
    pub fn take(&mut self, candidate: Candidate, now: TimeMs) -> Result<Taken, NotAccepted> {
        candidate.verify_alone(self.chain_id)?;
        let header = &candidate.header;
        verify::clock(header, now)?;
        let (newest, newest_ms) = self.newest;
        if header.height <= newest {
            return self.compare(&candidate);
        }
        self.check_age(now)?;
        if header.time_ms <= newest_ms {
            return Err(NotAccepted::BackInTime { trusted: newest_ms, got: header.time_ms });
        }
        if !self.authorises(&candidate) {
            return Err(NotAccepted::Unauthorised { trusted: newest, got: header.height });
        }
        let Candidate { header, validators, next_validators, .. } = candidate;
        self.newest = (header.height, header.time_ms);
        self.next = next_validators;
        self.has_arrived = self.has_arrived || self.is_fresh(now);
        self.trusted.insert(header.height, Trusted { header, validators });
        while self.trusted.len() > limits::MAX_TRUSTED_HEADERS {
            self.trusted.pop_first();
        }
        Ok(Taken::Accepted)
    }

    /// Whether the newest trusted header is younger than K.trust_period.
    fn is_fresh(&self, now: TimeMs) -> bool {
        trust::is_fresh(self.newest.1, self.trust_period_ms, now)
    }

    /// Trust that slept too long leads nowhere.
    fn check_age(&self, now: TimeMs) -> Result<(), NotAccepted> {
        if !self.has_arrived || self.is_fresh(now) {
            return Ok(());
        }
        let (trusted_ms, trust_period_ms) = (self.newest.1, self.trust_period_ms);
        Err(NotAccepted::Expired { trusted_ms, now_ms: now, trust_period_ms })
    }

    /// The trusted header's next set, or 2/3+ of it beside the header's own.
    fn authorises(&self, candidate: &Candidate) -> bool {
        if candidate.header.validators_hash == self.next.hash() {
            return true;
        }
        // The very next header has the set that was named, and no other.
        if self.newest.0.checked_add(1) == Some(candidate.header.height) {
            return false;
        }
        let certificate = &candidate.certificate;
        let vote = Precommit {
            height: candidate.header.height,
            round: certificate.round,
            block_hash: Some(certificate.block_hash),
        };
        // Its own set's signatures were verified; those of the trusted set are found among them by their keys.
        let signed = candidate.validators.validators.iter().zip(&certificate.signatures);
        let signed: Vec<_> = signed
            .filter_map(|(validator, signature)| signature.as_ref().map(|signature| (validator.signing_key, signature)))
            .collect();
        let shares = self.next.validators.iter().filter(|trusted| {
            signed.iter().any(|(key, signature)| {
                *key == trusted.signing_key && vote.is_signed_by(&self.chain_id, key, signature)
            })
        });
        self.next.is_quorum(shares.fold(0, |sum, trusted| sum.saturating_add(trusted.shares)))
    }

    /// A header at or below the newest trusted one.
    fn compare(&self, candidate: &Candidate) -> Result<Taken, NotAccepted> {
        let (got, (newest, newest_ms)) = (candidate.header.height, self.newest);
        let known = self.trusted.get(&got).ok_or(NotAccepted::Past { newest, got })?;
        let Candidate { header, certificate, .. } = candidate;
        let period = self.trust_period_ms;
        match conflict::judge(&known.header, header, certificate, &known.validators, newest_ms, period)? {
            None => Ok(Taken::Known),
            Some(conflict) => Ok(Taken::Conflict(conflict)),
        }
    }

    /// What a proof says of a key, if its header is a trusted one or certified by the set that follows the newest.
    ///
    /// # Errors
    /// [`NotProven`].
    pub fn answer<'a>(&self, proven: &'a Proven, key: &Key, now: TimeMs) -> Result<Answer<'a>, NotProven> {
        let header = &proven.header;
        verify::clock(header, now)?;
        let set = match self.trusted.get(&header.height) {
            Some(known) if known.header.hash() != header.hash() => {
                let (expected, got) = (known.header.hash(), header.hash());
                return Err(BadBlock::CertificateForOtherBlock { expected, got }.into());
            }
            Some(known) => &known.validators,
            None if header.height < self.newest.0 || !self.is_fresh(now) => {
                return Err(BadBlock::WrongHeight { expected: self.newest.0, got: header.height }.into());
            }
            None => &self.next,
        };
        let value = proven.verify(key, self.chain_id, set)?;
        Ok(Answer { value, height: header.height, time_ms: header.time_ms })
    }

    /// Takes K.trust_period as it is proven to be.
    ///
    /// # Errors
    /// [`NotProven`].
    pub fn learn_trust_period(&mut self, proven: &Proven, now: TimeMs) -> Result<(), NotProven> {
        if let Some(Value::Parameters(parameters)) = self.answer(proven, &Key::Parameters, now)?.value {
            self.trust_period_ms = parameters.trust_period_ms;
        }
        Ok(())
    }
}

impl Candidate {
    /// Certified by its own set, and both sets are those that it names.
    fn verify_alone(&self, chain_id: Hash) -> Result<(), BadBlock> {
        verify::alone(&self.header, &self.certificate, chain_id, &self.validators)?;
        let (expected, got) = (self.next_validators.hash(), self.header.next_validators_hash);
        if got == expected { Ok(()) } else { Err(BadBlock::WrongNextValidators { expected, got }) }
    }
}

#[cfg(test)]
mod tests;
