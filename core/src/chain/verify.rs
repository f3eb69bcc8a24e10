//! Verification of a certified block against its predecessor: one named check per rule
//! (docs/protocol.md, section 3). The same checks run in validators before a prevote (without
//! certificate), in relays and in browsers.
//!
//! What these checks cannot see is the state root, which takes execution: `ledger` computes it and the
//! caller compares with [`state_root`].

use super::block::{Block, batches_root};
use super::certificate::{Certificate, Precommit, ValidatorSet};
use super::header::{FIRST_VERSION, Header, VERSION};
use super::params::Parameters;
use crate::ledger::inclusion::InclusionError;
use crate::limits;
use crate::message::Message as _;
use crate::types::{Hash, Height, PublicKey, TimeMs, UsableHeight};
use serde::Serialize;

/// What is known after the predecessor, and what its successor is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected<'a> {
    /// Version of the rules at that height.
    pub version: u16,
    /// The chain.
    pub chain_id: Hash,
    /// Height of the block.
    pub height: Height,
    /// Hash of the header before; zeros at height 1.
    pub previous: Hash,
    /// Time of the block before; the genesis time at height 1.
    pub previous_time_ms: TimeMs,
    /// U for this block.
    pub usable_height: UsableHeight,
    /// Who certifies it.
    pub validators: &'a ValidatorSet,
    /// Who certifies the next one.
    pub next_validators_hash: Hash,
    /// K for this block.
    pub parameters: &'a Parameters,
}

/// Why a block is not the next one of this chain. Each has a stable code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum BadBlock {
    /// Made by other rules than those of its height, or by rules that this code does not know.
    #[error("the block follows version {got} of the rules; version {expected} is expected")]
    UnknownVersion {
        /// That of the height; [`VERSION`] where only one header is known.
        expected: u16,
        /// What the header says.
        got: u16,
    },
    /// Governance released rules that this code does not know, and they are in force.
    #[error(
        "from block {height} on the network follows version {version} of the rules, which this program does not know: \
         install the release with the bundle {bundle}"
    )]
    NewRules {
        /// Of the rules.
        version: u16,
        /// First height.
        height: Height,
        /// Hash of the published bundle.
        bundle: Hash,
    },
    /// The head is older than K.trust_period: whoever certified it may have lost their keys since.
    #[error(
        "block {height}, the newest known here, is of {trusted_ms} and too old at {now_ms}: what follows is believed \
         for {trust_period_ms} ms only. Either this computer's clock is wrong, or a fresh checkpoint is needed"
    )]
    Expired {
        /// Height of the head.
        height: Height,
        /// Its time.
        trusted_ms: TimeMs,
        /// The local clock.
        now_ms: TimeMs,
        /// K.trust_period_ms.
        trust_period_ms: u64,
    },
    /// Another block than the one that leads to the checkpoint that a person confirmed.
    #[error("the block does not lead to the checkpoint that was confirmed")]
    OtherCheckpoint {
        /// Hash of the one that does.
        expected: Hash,
        /// What came.
        got: Hash,
    },
    /// Of another network.
    #[error("the block belongs to another network ({got})")]
    WrongChain {
        /// Our chain.
        expected: Hash,
        /// What the header says.
        got: Hash,
    },
    /// Not the next height.
    #[error("the block has height {got} where {expected} comes next")]
    WrongHeight {
        /// The next height.
        expected: Height,
        /// What the header says.
        got: Height,
    },
    /// Built on another block.
    #[error("the block does not continue the block before it")]
    WrongPrevious {
        /// Hash of the block before.
        expected: Hash,
        /// What the header says.
        got: Hash,
    },
    /// Sooner after its predecessor than K.min_block_interval_ms.
    #[error("the block's time {got} lies before {earliest}, the earliest that is allowed")]
    TooEarly {
        /// Earliest time allowed.
        earliest: TimeMs,
        /// What the header says.
        got: TimeMs,
    },
    /// Ahead of the local clock.
    #[error("the block's time {got} lies ahead of this computer's clock ({now}); is the clock right?")]
    FromTheFuture {
        /// The local clock.
        now: TimeMs,
        /// What the header says.
        got: TimeMs,
    },
    /// The clock U does not continue.
    #[error("the block's clock U is {got} where {expected} is right")]
    WrongUsableHeight {
        /// U as computed.
        expected: UsableHeight,
        /// What the header says.
        got: UsableHeight,
    },
    /// Built by nobody of the set.
    #[error("the block was built by {got}, who is not a validator")]
    UnknownProposer {
        /// What the header says.
        got: PublicKey,
    },
    /// Names another validator set.
    #[error("the block names another validator set")]
    WrongValidators {
        /// Hash of the set in force.
        expected: Hash,
        /// What the header says.
        got: Hash,
    },
    /// Names another next validator set.
    #[error("the block names another next validator set")]
    WrongNextValidators {
        /// Hash of the next set.
        expected: Hash,
        /// What the header says.
        got: Hash,
    },
    /// Names other parameters.
    #[error("the block names other parameters")]
    WrongParameters {
        /// Hash of K.
        expected: Hash,
        /// What the header says.
        got: Hash,
    },
    /// The batches are not those that the header commits to.
    #[error("the batches are not those that the header commits to")]
    WrongBatches {
        /// Root over the batches that came.
        expected: Hash,
        /// What the header says.
        got: Hash,
    },
    /// As [`Self::WrongBatches`], in a header that nobody certified: what was changed is the header's root.
    #[error("the header commits to batches that nobody certified")]
    WrongBatchesRoot {
        /// Root over the batches that came.
        expected: Hash,
        /// What the header says.
        got: Hash,
    },
    /// The batches are larger than a block may be.
    #[error("the batches take {got} bytes where {limit} are allowed")]
    TooLarge {
        /// K.max_block_bytes.
        limit: usize,
        /// What came.
        got: usize,
    },
    /// A batch that may not stand in a block.
    #[error("batch {index}: {reason}")]
    BadBatch {
        /// Its place.
        index: usize,
        /// Why not.
        reason: InclusionError,
    },
    /// Execution ends in another state.
    #[error("executing the block ends in another state than the one certified")]
    WrongStateRoot {
        /// Root after execution here.
        expected: Hash,
        /// What the header says.
        got: Hash,
    },
    /// The certificate is for another block.
    #[error("the certificate is for another block")]
    CertificateForOtherBlock {
        /// Hash of this header.
        expected: Hash,
        /// What the certificate says.
        got: Hash,
    },
    /// The certificate is for another height.
    #[error("the certificate is for height {got}; {expected} comes next")]
    CertificateHeight {
        /// The next height.
        expected: Height,
        /// What the certificate says.
        got: Height,
    },
    /// As many places as validators are needed.
    #[error("the certificate has places for {got} validators where {expected} sign")]
    CertificateLength {
        /// Validators of the set.
        expected: usize,
        /// Places in the certificate.
        got: usize,
    },
    /// The validators signed for this header, but the certificate names another.
    #[error("the certificate names another block than the one that its signatures are for")]
    CertificateBlockHash {
        /// Hash of this header, which was signed.
        expected: Hash,
        /// What the certificate says.
        got: Hash,
    },
    /// Not one signature is for what the certificate names.
    #[error("no signature of the certificate is for the round and block that it names")]
    CertificateVote {
        /// Round that it names.
        round: u32,
    },
    /// A signature that is not one, among others that are.
    #[error("the signature of validator {index} does not verify")]
    CertificateSignature {
        /// Place in the set.
        index: usize,
    },
    /// Too few signed.
    #[error("validators with {got} of {total} shares signed; more than two thirds are needed")]
    NoQuorum {
        /// Shares that signed.
        got: u64,
        /// All shares.
        total: u64,
    },
}

/// The rules of this height only.
fn version(header: &Header, expected: u16) -> Result<(), BadBlock> {
    let got = header.version;
    if got == expected { Ok(()) } else { Err(BadBlock::UnknownVersion { expected, got }) }
}

/// Rules that this code knows only.
fn known_version(header: &Header) -> Result<(), BadBlock> {
    let (expected, got) = (VERSION, header.version);
    if (FIRST_VERSION..=VERSION).contains(&got) { Ok(()) } else { Err(BadBlock::UnknownVersion { expected, got }) }
}

/// This network only.
fn chain(header: &Header, expected: Hash) -> Result<(), BadBlock> {
    let got = header.chain_id;
    if got == expected { Ok(()) } else { Err(BadBlock::WrongChain { expected, got }) }
}

/// One height after the other.
fn height(header: &Header, expected: Height) -> Result<(), BadBlock> {
    let got = header.height;
    if got == expected { Ok(()) } else { Err(BadBlock::WrongHeight { expected, got }) }
}

/// Each block names its predecessor.
fn previous(header: &Header, expected: Hash) -> Result<(), BadBlock> {
    let got = header.previous;
    if got == expected { Ok(()) } else { Err(BadBlock::WrongPrevious { expected, got }) }
}

/// The earliest time that the block may have.
pub fn earliest_time(expected: &Expected<'_>) -> TimeMs {
    expected.previous_time_ms.saturating_add(expected.parameters.min_block_interval_ms)
}

/// Nobody speeds the clock up: `time ≥ previous + K.min_block_interval`.
fn pace(header: &Header, expected: &Expected<'_>) -> Result<(), BadBlock> {
    let (earliest, got) = (earliest_time(expected), header.time_ms);
    if got >= earliest { Ok(()) } else { Err(BadBlock::TooEarly { earliest, got }) }
}

/// The clock U continues.
fn usable_height(header: &Header, expected: UsableHeight) -> Result<(), BadBlock> {
    let got = header.usable_height;
    if got == expected { Ok(()) } else { Err(BadBlock::WrongUsableHeight { expected, got }) }
}

/// Somebody of the set built it. Not the proposer of the deciding round: a value with an earlier polka
/// is proposed again by others.
fn proposer(header: &Header, validators: &ValidatorSet) -> Result<(), BadBlock> {
    match validators.by_account(&header.proposer) {
        Some(_) => Ok(()),
        None => Err(BadBlock::UnknownProposer { got: header.proposer }),
    }
}

/// The set in force signs, and the next is the one known.
fn validators(header: &Header, expected: &Expected<'_>) -> Result<(), BadBlock> {
    let (now, next) = (expected.validators.hash(), expected.next_validators_hash);
    if header.validators_hash != now {
        return Err(BadBlock::WrongValidators { expected: now, got: header.validators_hash });
    }
    if header.next_validators_hash != next {
        return Err(BadBlock::WrongNextValidators { expected: next, got: header.next_validators_hash });
    }
    Ok(())
}

/// K in force.
fn parameters(header: &Header, parameters: &Parameters) -> Result<(), BadBlock> {
    let (expected, got) = (parameters.hash(), header.parameters_hash);
    if got == expected { Ok(()) } else { Err(BadBlock::WrongParameters { expected, got }) }
}

/// The batches are those of the header.
fn batches(block: &Block) -> Result<(), BadBlock> {
    let (expected, got) = (batches_root(&block.batches), block.header.batches_root);
    if got == expected { Ok(()) } else { Err(BadBlock::WrongBatches { expected, got }) }
}

/// Every check of a header against its predecessor that needs neither the local clock nor execution.
///
/// # Errors
/// The first [`BadBlock`] in the order of this module.
pub fn header(header: &Header, expected: &Expected<'_>) -> Result<(), BadBlock> {
    version(header, expected.version)?;
    chain(header, expected.chain_id)?;
    height(header, expected.height)?;
    previous(header, expected.previous)?;
    pace(header, expected)?;
    usable_height(header, expected.usable_height)?;
    proposer(header, expected.validators)?;
    validators(header, expected)?;
    parameters(header, expected.parameters)
}

/// [`header`], and that the batches are those of the header.
///
/// # Errors
/// The first [`BadBlock`].
pub fn block(block: &Block, expected: &Expected<'_>) -> Result<(), BadBlock> {
    header(&block.header, expected)?;
    batches(block)
}

/// Not ahead of the local clock by more than [`limits::CLOCK_DRIFT_MS`]. Clients check every block,
/// validators only fresh proposals.
///
/// # Errors
/// [`BadBlock::FromTheFuture`].
pub fn clock(header: &Header, now: TimeMs) -> Result<(), BadBlock> {
    let got = header.time_ms;
    if got <= now.saturating_add(limits::CLOCK_DRIFT_MS) { Ok(()) } else { Err(BadBlock::FromTheFuture { now, got }) }
}

/// Execution ends where the header says.
///
/// # Errors
/// [`BadBlock::WrongStateRoot`].
pub fn state_root(header: &Header, computed: Hash) -> Result<(), BadBlock> {
    let got = header.state_root;
    if got == computed { Ok(()) } else { Err(BadBlock::WrongStateRoot { expected: computed, got }) }
}

/// A header without its predecessor: of these rules and this chain, and certified by exactly this set.
///
/// # Errors
/// The first [`BadBlock`].
pub fn alone(
    header: &Header,
    certificate: &Certificate,
    chain_id: Hash,
    validators: &ValidatorSet,
) -> Result<(), BadBlock> {
    known_version(header)?;
    chain(header, chain_id)?;
    let (expected, got) = (validators.hash(), header.validators_hash);
    if got != expected {
        return Err(BadBlock::WrongValidators { expected, got });
    }
    self::certificate(header, certificate, validators)
}

/// 2/3+ of the set precommitted exactly this header.
///
/// # Errors
/// The first [`BadBlock`] of kind certificate.
pub fn certificate(header: &Header, certificate: &Certificate, validators: &ValidatorSet) -> Result<(), BadBlock> {
    certified(header, certificate)?;
    quorum(certificate, header.height, header.chain_id, validators)
}

/// The certificate is for exactly this header.
///
/// # Errors
/// [`BadBlock::CertificateForOtherBlock`].
pub fn certified(header: &Header, certificate: &Certificate) -> Result<(), BadBlock> {
    let (expected, got) = (header.hash(), certificate.block_hash);
    if got == expected && certificate.height == header.height {
        Ok(())
    } else {
        Err(BadBlock::CertificateForOtherBlock { expected, got })
    }
}

/// The root that does not fit is the header's own fault if the certificate is for another header. (A batch and
/// its signature share a code: whichever of the two was changed, they no longer belong together, and nothing
/// else tells.)
pub(super) fn blame_root(error: BadBlock, header: &Header, certificate: &Certificate) -> BadBlock {
    match error {
        BadBlock::WrongBatches { expected, got } if certified(header, certificate).is_err() => {
            BadBlock::WrongBatchesRoot { expected, got }
        }
        error => error,
    }
}

/// Signatures for nothing that the certificate names may still be for this header: then the named hash was
/// changed.
pub(super) fn blame_vote(
    error: BadBlock,
    header: &Header,
    certificate: &Certificate,
    validators: &ValidatorSet,
) -> BadBlock {
    let BadBlock::CertificateVote { .. } = error else { return error };
    let (expected, got) = (header.hash(), certificate.block_hash);
    let corrected = Certificate { block_hash: expected, ..certificate.clone() };
    match quorum(&corrected, header.height, header.chain_id, validators) {
        Ok(()) => BadBlock::CertificateBlockHash { expected, got },
        Err(_) => error,
    }
}

/// 2/3+ of the set precommitted what the certificate names, at this height of this chain. Every signature
/// present must be right.
///
/// # Errors
/// The first [`BadBlock`] of kind certificate.
pub fn quorum(
    certificate: &Certificate,
    height: Height,
    chain_id: Hash,
    validators: &ValidatorSet,
) -> Result<(), BadBlock> {
    let (expected, got) = (height, certificate.height);
    if got != expected {
        return Err(BadBlock::CertificateHeight { expected, got });
    }
    let (expected, got) = (validators.validators.len(), certificate.signatures.len());
    if got != expected {
        return Err(BadBlock::CertificateLength { expected, got });
    }
    let vote = Precommit { height, round: certificate.round, block_hash: Some(certificate.block_hash) };
    let (mut signed, mut bad) = (0_u64, None);
    for (index, (validator, signature)) in validators.validators.iter().zip(&certificate.signatures).enumerate() {
        let Some(signature) = signature else { continue };
        if vote.is_signed_by(&chain_id, &validator.signing_key, signature) {
            signed = signed.saturating_add(validator.shares);
        } else {
            bad = bad.or(Some(index));
        }
    }
    match bad {
        Some(index) if signed > 0 => return Err(BadBlock::CertificateSignature { index }),
        Some(_) => return Err(BadBlock::CertificateVote { round: certificate.round }),
        None => {}
    }
    if validators.is_quorum(signed) {
        Ok(())
    } else {
        Err(BadBlock::NoQuorum { got: signed, total: validators.total_shares() })
    }
}
