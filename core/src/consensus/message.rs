//! What validators send each other, and the log of it that a validator keeps for a height.
//!
//! Votes carry the signatures that certificates are made of: a precommit is signed as
//! [`crate::chain::certificate::Precommit`], a prevote as [`crate::chain::certificate::Prevote`].

use crate::chain::block::Block;
use crate::chain::certificate::{Precommit, Prevote, ValidatorSet};
use crate::crypto::{SecretKey, Tag};
use crate::limits;
use crate::message::{Message as _, tags};
use crate::types::{Hash, Height, PublicKey, Signature};
use borsh::{BorshDeserialize, BorshSerialize};

/// The two votes of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum VoteKind {
    /// "I executed it and found it right", or nil.
    Prevote = 0,
    /// "I saw 2/3+ prevote it", or nil.
    Precommit = 1,
}

/// A vote without its signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Ballot {
    /// Account key of who votes.
    pub validator: PublicKey,
    /// Which vote.
    pub kind: VoteKind,
    /// Height voted on.
    pub height: Height,
    /// Round voted in.
    pub round: u32,
    /// The block, or nil.
    pub block_hash: Option<Hash>,
}

impl Ballot {
    /// Signs it: over the bytes of a prevote or precommit, which do not name the validator.
    pub fn sign(&self, chain_id: &Hash, key: &SecretKey) -> Signature {
        match self.kind {
            VoteKind::Prevote => self.prevote().sign(chain_id, key),
            VoteKind::Precommit => self.precommit().sign(chain_id, key),
        }
    }

    /// Whether `key` signed it.
    pub fn is_signed_by(&self, chain_id: &Hash, key: &PublicKey, signature: &Signature) -> bool {
        match self.kind {
            VoteKind::Prevote => self.prevote().is_signed_by(chain_id, key, signature),
            VoteKind::Precommit => self.precommit().is_signed_by(chain_id, key, signature),
        }
    }

    fn prevote(&self) -> Prevote {
        Prevote { height: self.height, round: self.round, block_hash: self.block_hash }
    }

    fn precommit(&self) -> Precommit {
        Precommit { height: self.height, round: self.round, block_hash: self.block_hash }
    }
}

/// A vote with the signature that is said to be over it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Vote {
    /// The vote.
    pub ballot: Ballot,
    /// Of the validator's block-signing key.
    pub signature: Signature,
}

/// What a proposer signs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ProposalBody {
    /// Height proposed for.
    pub height: Height,
    /// Round proposed in.
    pub round: u32,
    /// Earlier round in which 2/3+ prevoted this block; `None`: a fresh proposal.
    pub polka_round: Option<u32>,
    /// The block.
    pub block_hash: Hash,
}

impl crate::message::Message for ProposalBody {
    const TAG: Tag = tags::PROPOSAL;
}

/// A proposal without its block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// Account key of the proposer of the round.
    pub proposer: PublicKey,
    /// What it signed.
    pub body: ProposalBody,
    /// Of the proposer's block-signing key.
    pub signature: Signature,
}

/// 2/3+ prevoted one block in one round.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PolkaCertificate {
    /// Height voted on.
    pub height: Height,
    /// Round voted in.
    pub round: u32,
    /// The block.
    pub block_hash: Hash,
    /// Prevotes: account key and signature.
    pub signatures: Vec<(PublicKey, Signature)>,
}

/// Why a round may be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum RoundCertificateKind {
    /// More than a third voted in this round.
    Skip = 0,
    /// 2/3+ precommitted in the round before, for whatever.
    Precommit = 1,
}

/// A vote inside a round certificate.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RoundVote {
    /// Account key of who voted.
    pub validator: PublicKey,
    /// Which vote.
    pub kind: VoteKind,
    /// The block, or nil.
    pub block_hash: Option<Hash>,
    /// Of the validator's block-signing key.
    pub signature: Signature,
}

/// Votes that let everybody enter a round.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RoundCertificate {
    /// Height voted on.
    pub height: Height,
    /// Round voted in.
    pub round: u32,
    /// What the votes prove.
    pub kind: RoundCertificateKind,
    /// The votes, one of each validator.
    pub votes: Vec<RoundVote>,
}

/// One message between validators.
#[allow(clippy::large_enum_variant, reason = "a block is most of it, and lives on the heap anyway")]
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Message {
    /// A vote.
    Vote(Vote) = 0,
    /// A proposal with its block.
    Proposal(Proposal, Block) = 1,
    /// A polka certificate.
    Polka(PolkaCertificate) = 2,
    /// A round certificate.
    Round(RoundCertificate) = 3,
}

impl Message {
    /// The height that it is about.
    pub fn height(&self) -> Height {
        match self {
            Self::Vote(vote) => vote.ballot.height,
            Self::Proposal(proposal, _) => proposal.body.height,
            Self::Polka(certificate) => certificate.height,
            Self::Round(certificate) => certificate.height,
        }
    }

    /// The round that it is about.
    pub fn round(&self) -> u32 {
        match self {
            Self::Vote(vote) => vote.ballot.round,
            Self::Proposal(proposal, _) => proposal.body.round,
            Self::Polka(certificate) => certificate.round,
            Self::Round(certificate) => certificate.round,
        }
    }

    /// Whether it was signed by whom it should be: a validator of the set, for a proposal the proposer
    /// of its round, with the block that it names; a fresh one is the proposer's own work, so that fees go
    /// to who built it. Certificates are checked when they are used.
    pub fn is_authentic(&self, chain_id: &Hash, validators: &ValidatorSet) -> bool {
        match self {
            Self::Vote(vote) => validators
                .by_account(&vote.ballot.validator)
                .is_some_and(|from| vote.ballot.is_signed_by(chain_id, &from.signing_key, &vote.signature)),
            Self::Proposal(proposal, block) => {
                let body = &proposal.body;
                let is_fresh = body.polka_round.is_none();
                block.header.height == body.height
                    && (!is_fresh || block.header.proposer == proposal.proposer)
                    && body.polka_round.is_none_or(|polka_round| polka_round < body.round)
                    && validators.proposer(body.height, body.round).is_some_and(|from| {
                        from.account == proposal.proposer
                            && body.is_signed_by(chain_id, &from.signing_key, &proposal.signature)
                    })
                    && block.header.hash() == body.block_hash
            }
            Self::Polka(certificate) => certificate.signatures.len() <= validators.validators.len(),
            Self::Round(certificate) => certificate.votes.len() <= validators.validators.len(),
        }
    }
}

/// One line of the log that a validator keeps of the height it decides on. Fed again in the same order
/// after a restart, it leads to the same state.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum LogEntry {
    /// A vote that was counted, own ones included.
    Vote(Vote) = 0,
    /// A proposal that was accepted, own ones included.
    Proposal(Proposal) = 1,
    /// A polka certificate that was accepted.
    Polka(PolkaCertificate) = 2,
    /// A timer that ran out.
    Timer(Timer) = 3,
    /// A block that was executed.
    Block(ExecutedBlock) = 4,
}

/// A block and what executing it showed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ExecutedBlock {
    /// Round of the proposal with which it came first.
    pub round: u32,
    /// Who proposed it there.
    pub proposer: PublicKey,
    /// The block.
    pub block: Block,
    /// What executing it showed.
    pub verdict: Verdict,
}

/// What executing a block showed. A function of the block alone, never of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Verdict {
    /// Wrong root, bad batch, too big, or not the next block.
    Invalid = 0,
    /// Right in everything.
    Valid = 1,
}

/// What a timer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum TimerKind {
    /// The proposal of the round.
    Propose = 0,
    /// More prevotes, after 2/3+ of any kind.
    Prevote = 1,
    /// More precommits, after 2/3+ of any kind.
    Precommit = 2,
    /// Until own votes are sent again.
    Rebroadcast = 3,
}

/// A timer of the consensus machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Timer {
    /// Height that it belongs to.
    pub height: Height,
    /// Round that it belongs to.
    pub round: u32,
    /// What it waits for.
    pub kind: TimerKind,
}

/// What a validator signs at most one thing for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Slot {
    /// Height signed for.
    pub height: Height,
    /// Round signed for.
    pub round: u32,
    /// Step of the round.
    pub step: Step,
}

/// The three things that are signed in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Step {
    /// The proposal.
    Propose = 0,
    /// The prevote.
    Prevote = 1,
    /// The precommit.
    Precommit = 2,
}

const _: () = assert!(limits::MAX_BLOCK_BYTES < limits::MAX_CONSENSUS_MESSAGE_BYTES);
