//! Verification of the certificates that Malachite asks about: members of the set only, each once,
//! every signature right, enough shares.
#![allow(clippy::result_large_err, reason = "the error type is Malachite's")]

use super::context::{Context, Height, vote_out};
use crate::chain::certificate::ValidatorSet;
use crate::types::{Hash, PublicKey};
use malachite_types::{
    CertificateError, CommitCertificate, Context as _, NilOrVal, PolkaCertificate, Round, RoundCertificate,
    RoundCertificateType, SignedMessage, SignedVote, VoteType,
};
use std::collections::BTreeSet;

type Checked = Result<(), CertificateError<Context>>;

/// Shares behind a certificate, counted as it is walked through.
struct Tally<'a> {
    chain_id: &'a Hash,
    set: &'a ValidatorSet,
    seen: BTreeSet<PublicKey>,
    shares: u64,
}

impl<'a> Tally<'a> {
    fn new(chain_id: &'a Hash, set: &'a ValidatorSet) -> Self {
        Self { chain_id, set, seen: BTreeSet::new(), shares: 0 }
    }

    /// Counts one vote; `wrong` makes the error for a bad signature.
    fn count(&mut self, vote: &SignedVote<Context>, wrong: impl FnOnce() -> CertificateError<Context>) -> Checked {
        let address = vote.message.validator;
        let validator = self.set.by_account(&address).ok_or(CertificateError::UnknownValidator(address))?;
        if !self.seen.insert(address) {
            return Err(CertificateError::DuplicateVote(address));
        }
        let vote = vote_out(vote);
        if !vote.ballot.is_signed_by(self.chain_id, &validator.signing_key, &vote.signature) {
            return Err(wrong());
        }
        self.shares = self.shares.saturating_add(validator.shares);
        Ok(())
    }

    /// 2/3+.
    fn quorum(&self) -> Checked {
        self.enough(self.set.is_quorum(self.shares))
    }

    /// More than one third: at least one of them is honest.
    fn honest(&self) -> Checked {
        let total = u128::from(self.set.total_shares());
        self.enough(u128::from(self.shares).saturating_mul(3) > total)
    }

    fn enough(&self, met: bool) -> Checked {
        if met {
            return Ok(());
        }
        let total = self.set.total_shares();
        Err(CertificateError::NotEnoughVotingPower { signed: self.shares, total, expected: total })
    }
}

fn vote_for(
    kind: VoteType,
    height: Height,
    round: Round,
    hash: Hash,
    address: PublicKey,
    signature: crate::types::Signature,
) -> SignedVote<Context> {
    let value = NilOrVal::Val(hash);
    let message = match kind {
        VoteType::Prevote => Context.new_prevote(height, round, value, address),
        VoteType::Precommit => Context.new_precommit(height, round, value, address),
    };
    SignedMessage::new(message, signature)
}

/// 2/3+ precommitted the block.
pub(super) fn commit(chain_id: &Hash, set: &ValidatorSet, certificate: &CommitCertificate<Context>) -> Checked {
    let mut tally = Tally::new(chain_id, set);
    for commit in &certificate.commit_signatures {
        let vote = vote_for(
            VoteType::Precommit,
            certificate.height,
            certificate.round,
            certificate.value_id,
            commit.address,
            commit.signature,
        );
        tally.count(&vote, || CertificateError::InvalidCommitSignature(commit.clone()))?;
    }
    tally.quorum()
}

/// 2/3+ prevoted the block.
pub(super) fn polka(chain_id: &Hash, set: &ValidatorSet, certificate: &PolkaCertificate<Context>) -> Checked {
    let mut tally = Tally::new(chain_id, set);
    for prevote in &certificate.polka_signatures {
        let vote = vote_for(
            VoteType::Prevote,
            certificate.height,
            certificate.round,
            certificate.value_id,
            prevote.address,
            prevote.signature,
        );
        tally.count(&vote, || CertificateError::InvalidPolkaSignature(prevote.clone()))?;
    }
    tally.quorum()
}

/// 2/3+ precommitted whatever, or more than a third voted at all.
pub(super) fn round(chain_id: &Hash, set: &ValidatorSet, certificate: &RoundCertificate<Context>) -> Checked {
    let mut tally = Tally::new(chain_id, set);
    for (vote, signature) in certificate.votes(&Context).zip(&certificate.round_signatures) {
        if certificate.cert_type == RoundCertificateType::Precommit && vote.message.kind != VoteType::Precommit {
            return Err(CertificateError::InvalidVoteType(vote.message.validator));
        }
        tally.count(&vote, || CertificateError::InvalidRoundSignature(signature.clone()))?;
    }
    match certificate.cert_type {
        RoundCertificateType::Precommit => tally.quorum(),
        RoundCertificateType::Skip => tally.honest(),
    }
}
