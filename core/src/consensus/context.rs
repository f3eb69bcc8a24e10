//! Our types as Malachite's: heights, validators, votes, proposals. The value agreed on is a block's
//! hash; the blocks themselves stay in [`super::machine`].

use super::message::{Ballot, PolkaCertificate, Proposal, ProposalBody, RoundCertificate, RoundCertificateKind};
use super::message::{RoundVote, Vote, VoteKind};
use crate::chain::certificate::{Certificate, Validator, ValidatorSet};
use crate::crypto::SecretKey;
use crate::types::{Hash, PublicKey, Signature};
use malachite_consensus::LocallyProposedValue;
use malachite_types::{
    self as mal, CommitCertificate, NilOrVal, PolkaSignature, Round, RoundCertificateType, RoundSignature,
    SignedExtension, SignedMessage, SignedProposal, SignedVote, VoteType,
};
use std::collections::BTreeMap;
use std::fmt;

/// The one context of this chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context;

/// A height as Malachite wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Height(pub(super) u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl mal::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

/// What is agreed on: the hash of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BlockHash(pub(super) Hash);

impl mal::Value for BlockHash {
    type Id = Hash;

    fn id(&self) -> Hash {
        self.0
    }
}

impl mal::Address for PublicKey {}

/// Proposals come whole; there are no parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoPart;

impl mal::ProposalPart<Context> for NoPart {
    fn is_first(&self) -> bool {
        true
    }

    fn is_last(&self) -> bool {
        true
    }
}

impl mal::Validator<Context> for Validator {
    fn address(&self) -> &PublicKey {
        &self.account
    }

    fn public_key(&self) -> &PublicKey {
        &self.signing_key
    }

    fn voting_power(&self) -> u64 {
        self.shares
    }
}

impl mal::ValidatorSet<Context> for ValidatorSet {
    fn count(&self) -> usize {
        self.validators.len()
    }

    fn total_voting_power(&self) -> u64 {
        self.total_shares()
    }

    fn get_by_address(&self, address: &PublicKey) -> Option<&Validator> {
        self.by_account(address)
    }

    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.validators.get(index)
    }
}

/// A proposal of a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProposedHash {
    pub(super) height: Height,
    pub(super) round: Round,
    pub(super) value: BlockHash,
    pub(super) polka_round: Round,
    pub(super) proposer: PublicKey,
}

impl mal::Proposal<Context> for ProposedHash {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &BlockHash {
        &self.value
    }

    fn take_value(self) -> BlockHash {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.polka_round
    }

    fn validator_address(&self) -> &PublicKey {
        &self.proposer
    }
}

/// A vote for a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VoteForHash {
    pub(super) kind: VoteType,
    pub(super) height: Height,
    pub(super) round: Round,
    pub(super) value: NilOrVal<Hash>,
    pub(super) validator: PublicKey,
}

impl mal::Vote<Context> for VoteForHash {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<Hash> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<Hash> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &PublicKey {
        &self.validator
    }

    fn extension(&self) -> Option<&SignedExtension<Context>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Context>> {
        None
    }

    /// Votes are never extended: the policy is always `Disabled`.
    fn extend(self, _extension: SignedExtension<Context>) -> Self {
        self
    }
}

/// Signatures as everywhere in this crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ed25519;

impl mal::SigningScheme for Ed25519 {
    type DecodingError = &'static str;
    type Signature = Signature;
    type PublicKey = PublicKey;
    type PrivateKey = SecretKey;

    fn decode_signature(bytes: &[u8]) -> Result<Signature, &'static str> {
        bytes.try_into().map(Signature).map_err(|_| "a signature has 64 bytes")
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.0.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, &'static str> {
        bytes.try_into().map(PublicKey).map_err(|_| "a public key has 32 bytes")
    }

    fn encode_public_key(key: &PublicKey) -> Vec<u8> {
        key.0.to_vec()
    }
}

impl mal::Context for Context {
    type Address = PublicKey;
    type Height = Height;
    type ProposalPart = NoPart;
    type Proposal = ProposedHash;
    type Validator = Validator;
    type ValidatorSet = ValidatorSet;
    type Timeouts = mal::LinearTimeouts;
    type Value = BlockHash;
    type Vote = VoteForHash;
    type Extension = ();
    type SigningScheme = Ed25519;

    #[allow(clippy::expect_used, reason = "a checked set has at least one validator with shares")]
    fn select_proposer<'a>(&self, set: &'a ValidatorSet, height: Height, round: Round) -> &'a Validator {
        set.proposer(height.0, round.as_u32().unwrap_or(0)).expect("a checked set")
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        value: BlockHash,
        polka_round: Round,
        proposer: PublicKey,
    ) -> ProposedHash {
        ProposedHash { height, round, value, polka_round, proposer }
    }

    fn new_prevote(&self, height: Height, round: Round, value: NilOrVal<Hash>, validator: PublicKey) -> VoteForHash {
        VoteForHash { kind: VoteType::Prevote, height, round, value, validator }
    }

    fn new_precommit(&self, height: Height, round: Round, value: NilOrVal<Hash>, validator: PublicKey) -> VoteForHash {
        VoteForHash { kind: VoteType::Precommit, height, round, value, validator }
    }
}

// Conversions. Malachite's `Round::Nil` never reaches a message: everything that is signed has a round.

pub(super) const fn number(round: Round) -> u32 {
    match round {
        Round::Some(round) => round,
        Round::Nil => 0,
    }
}

fn hash_of(value: &NilOrVal<Hash>) -> Option<Hash> {
    match value {
        NilOrVal::Nil => None,
        NilOrVal::Val(hash) => Some(*hash),
    }
}

fn nil_or(hash: Option<Hash>) -> NilOrVal<Hash> {
    hash.map_or(NilOrVal::Nil, NilOrVal::Val)
}

const fn kind_of(kind: VoteType) -> VoteKind {
    match kind {
        VoteType::Prevote => VoteKind::Prevote,
        VoteType::Precommit => VoteKind::Precommit,
    }
}

const fn type_of(kind: VoteKind) -> VoteType {
    match kind {
        VoteKind::Prevote => VoteType::Prevote,
        VoteKind::Precommit => VoteType::Precommit,
    }
}

pub(super) fn ballot(vote: &VoteForHash) -> Ballot {
    Ballot {
        validator: vote.validator,
        kind: kind_of(vote.kind),
        height: vote.height.0,
        round: number(vote.round),
        block_hash: hash_of(&vote.value),
    }
}

pub(super) fn vote_out(vote: &SignedVote<Context>) -> Vote {
    Vote { ballot: ballot(&vote.message), signature: vote.signature }
}

pub(super) fn vote_in(vote: Vote) -> SignedVote<Context> {
    let Ballot { validator, kind, height, round, block_hash } = vote.ballot;
    let message = VoteForHash {
        kind: type_of(kind),
        height: Height(height),
        round: Round::new(round),
        value: nil_or(block_hash),
        validator,
    };
    SignedMessage::new(message, vote.signature)
}

pub(super) fn proposal_body(proposal: &ProposedHash) -> ProposalBody {
    ProposalBody {
        height: proposal.height.0,
        round: number(proposal.round),
        polka_round: proposal.polka_round.as_u32(),
        block_hash: proposal.value.0,
    }
}

pub(super) fn proposal_out(proposal: &SignedProposal<Context>) -> Proposal {
    Proposal {
        proposer: proposal.message.proposer,
        body: proposal_body(&proposal.message),
        signature: proposal.signature,
    }
}

pub(super) fn proposal_in(proposal: Proposal) -> SignedProposal<Context> {
    let ProposalBody { height, round, polka_round, block_hash } = proposal.body;
    let message = ProposedHash {
        height: Height(height),
        round: Round::new(round),
        value: BlockHash(block_hash),
        polka_round: Round::from(polka_round),
        proposer: proposal.proposer,
    };
    SignedMessage::new(message, proposal.signature)
}

pub(super) fn local_value(height: u64, round: u32, block_hash: Hash) -> LocallyProposedValue<Context> {
    LocallyProposedValue::new(Height(height), Round::new(round), BlockHash(block_hash))
}

pub(super) fn polka_out(certificate: &mal::PolkaCertificate<Context>) -> PolkaCertificate {
    PolkaCertificate {
        height: certificate.height.0,
        round: number(certificate.round),
        block_hash: certificate.value_id,
        signatures: certificate.polka_signatures.iter().map(|vote| (vote.address, vote.signature)).collect(),
    }
}

pub(super) fn polka_in(certificate: PolkaCertificate) -> mal::PolkaCertificate<Context> {
    mal::PolkaCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round),
        value_id: certificate.block_hash,
        polka_signatures: certificate
            .signatures
            .into_iter()
            .map(|(address, signature)| PolkaSignature::new(address, signature))
            .collect(),
    }
}

pub(super) fn round_out(certificate: &mal::RoundCertificate<Context>) -> RoundCertificate {
    RoundCertificate {
        height: certificate.height.0,
        round: number(certificate.round),
        kind: match certificate.cert_type {
            RoundCertificateType::Skip => RoundCertificateKind::Skip,
            RoundCertificateType::Precommit => RoundCertificateKind::Precommit,
        },
        votes: certificate
            .round_signatures
            .iter()
            .map(|vote| RoundVote {
                validator: vote.address,
                kind: kind_of(vote.vote_type),
                block_hash: hash_of(&vote.value_id),
                signature: vote.signature,
            })
            .collect(),
    }
}

pub(super) fn round_in(certificate: RoundCertificate) -> mal::RoundCertificate<Context> {
    mal::RoundCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round),
        cert_type: match certificate.kind {
            RoundCertificateKind::Skip => RoundCertificateType::Skip,
            RoundCertificateKind::Precommit => RoundCertificateType::Precommit,
        },
        round_signatures: certificate
            .votes
            .into_iter()
            .map(|vote| {
                RoundSignature::new(type_of(vote.kind), nil_or(vote.block_hash), vote.validator, vote.signature)
            })
            .collect(),
    }
}

/// Malachite's list of commits as our certificate with one place per validator of the set.
pub(super) fn certificate(decided: &CommitCertificate<Context>, set: &ValidatorSet) -> Certificate {
    let signatures: BTreeMap<PublicKey, Signature> =
        decided.commit_signatures.iter().map(|commit| (commit.address, commit.signature)).collect();
    Certificate {
        height: decided.height.0,
        round: number(decided.round),
        block_hash: decided.value_id,
        signatures: set.validators.iter().map(|validator| signatures.get(&validator.account).copied()).collect(),
    }
}
