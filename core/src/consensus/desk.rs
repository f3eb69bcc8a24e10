//! Answers what Malachite asks for: signs and verifies inline, turns the rest into our effects.

use super::certificates;
use super::context::{self, Context};
use super::event::{Effect, Fault, Signer};
use super::message::{ExecutedBlock, LogEntry, Message, Slot, Step, Timer, TimerKind, VoteKind};
use super::timeouts::Timeouts;
use crate::chain::certificate::ValidatorSet;
use crate::codec;
use crate::message::Message as _;
use crate::types::{Hash, Height};
use malachite_consensus::{
    ConsensusMsg, Effect as Asked, Input, LivenessMsg, MisbehaviorEvidence, Resumable as _, Resume, SignedConsensusMsg,
};
use malachite_types::{CertificateError, CommitCertificate, SignedMessage, Timeout, TimeoutKind};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that effects need, apart from Malachite's own state.
pub(super) struct Desk {
    pub(super) chain_id: Hash,
    pub(super) signer: Signer,
    pub(super) timeouts: Timeouts,
    pub(super) set: ValidatorSet,
    /// Who decides the height after it.
    pub(super) next_set: ValidatorSet,
    /// The height being decided; timers belong to it, whatever height Malachite is leaving.
    pub(super) height: Height,
    /// What was signed at this height.
    pub(super) signed: BTreeMap<Slot, Hash>,
    /// Executed blocks of this height.
    pub(super) blocks: BTreeMap<Hash, ExecutedBlock>,
    /// Timers that run.
    pub(super) timers: BTreeSet<Timer>,
    /// The log of this height as far as it is not on disk already; `Some` while it is being replayed.
    pub(super) replay: Option<Replay>,
    pub(super) log_length: u64,
    pub(super) effects: Vec<Effect>,
    pub(super) fault: Option<Fault>,
}

/// What is kept back while a log is fed again.
#[derive(Default)]
pub(super) struct Replay {
    /// Lines that are on disk.
    pub(super) logged: BTreeSet<Vec<u8>>,
    /// Round for which a block was last asked for.
    pub(super) build: Option<u32>,
}

impl Desk {
    /// Does or notes what Malachite asks for, and says how it goes on.
    pub(super) fn perform(&mut self, asked: Asked<Context>) -> Resume<Context> {
        match asked {
            Asked::SignVote(vote, resume) => {
                let ballot = context::ballot(&vote);
                let step = match ballot.kind {
                    VoteKind::Prevote => Step::Prevote,
                    VoteKind::Precommit => Step::Precommit,
                };
                let slot = Slot { height: ballot.height, round: ballot.round, step };
                if !self.may_sign(slot, codec::encode(&ballot.block_hash)) {
                    return Resume::Continue;
                }
                let signature = ballot.sign(&self.chain_id, &self.signer.key);
                resume.resume_with(SignedMessage::new(vote, signature))
            }
            Asked::SignProposal(proposal, resume) => {
                let body = context::proposal_body(&proposal);
                let slot = Slot { height: body.height, round: body.round, step: Step::Propose };
                if !self.may_sign(slot, codec::encode(&body)) {
                    return Resume::Continue;
                }
                let signature = body.sign(&self.chain_id, &self.signer.key);
                resume.resume_with(SignedMessage::new(proposal, signature))
            }
            Asked::VerifySignature(message, key, resume) => {
                let right = match message.message {
                    ConsensusMsg::Vote(vote) => {
                        context::ballot(&vote).is_signed_by(&self.chain_id, &key, &message.signature)
                    }
                    ConsensusMsg::Proposal(proposal) => {
                        context::proposal_body(&proposal).is_signed_by(&self.chain_id, &key, &message.signature)
                    }
                };
                resume.resume_with(right)
            }
            Asked::VerifyCommitCertificate(certificate, set, _, resume) => {
                resume.resume_with(certificates::commit(&self.chain_id, &set, &certificate))
            }
            Asked::VerifyPolkaCertificate(certificate, set, _, resume) => {
                resume.resume_with(certificates::polka(&self.chain_id, &set, &certificate))
            }
            Asked::VerifyRoundCertificate(certificate, set, _, resume) => {
                resume.resume_with(certificates::round(&self.chain_id, &set, &certificate))
            }
            // Blocks with certificates from elsewhere never pass through Malachite.
            Asked::VerifyExtendedCommitCertificate(_, _, _, _, resume) => {
                resume.resume_with(Err(CertificateError::VerificationError(None)))
            }
            Asked::ExtendVote(_, _, _, _, resume) => resume.resume_with(None),
            Asked::VerifyVoteExtension(_, _, _, _, _, _, resume) => resume.resume_with(Ok(())),
            other => {
                self.note(other);
                Resume::Continue
            }
        }
    }

    /// What needs no answer.
    fn note(&mut self, asked: Asked<Context>) {
        match asked {
            Asked::CancelAllTimeouts(_) => {
                self.timers.clear();
                self.effects.push(Effect::CancelTimers);
            }
            Asked::CancelTimeout(timeout, _) => {
                if let Some(timer) = self.timer(timeout) {
                    self.timers.remove(&timer);
                    self.effects.push(Effect::CancelTimer(timer));
                }
            }
            Asked::ScheduleTimeout(timeout, _) => {
                if let Some(timer) = self.timer(timeout) {
                    self.timers.insert(timer);
                    self.effects.push(Effect::SetTimer { timer, after_ms: self.timeouts.duration_ms(&timer) });
                }
            }
            Asked::StartRound(_, round, proposer, _, _) => {
                self.effects.push(Effect::Round { height: self.height, round: context::number(round), proposer });
            }
            Asked::PublishConsensusMsg(SignedConsensusMsg::Vote(vote), _)
            | Asked::PublishLivenessMsg(LivenessMsg::Vote(vote), _)
            | Asked::RepublishVote(vote, _) => self.send(Message::Vote(context::vote_out(&vote))),
            Asked::PublishConsensusMsg(SignedConsensusMsg::Proposal(proposal), _) => {
                self.send_proposal(context::proposal_out(&proposal));
            }
            Asked::PublishLivenessMsg(LivenessMsg::PolkaCertificate(certificate), _) => {
                self.send(Message::Polka(context::polka_out(&certificate)));
            }
            Asked::PublishLivenessMsg(LivenessMsg::SkipRoundCertificate(certificate), _)
            | Asked::RepublishRoundCertificate(certificate, _) => {
                self.send(Message::Round(context::round_out(&certificate)));
            }
            Asked::GetValue(_, round, _, _) => {
                let round = context::number(round);
                match &mut self.replay {
                    Some(replay) => replay.build = Some(round),
                    None => self.effects.push(Effect::Build { height: self.height, round }),
                }
            }
            Asked::WalAppend(_, input, _) => self.log(input),
            Asked::Decide(certificate, _, _) => self.decided(&certificate),
            Asked::Finalize(_, _, evidence, _) => self.report(&evidence),
            // A proposal message carries its block, so there is nothing to stream once more; the others
            // were answered above or concern blocks that do not pass through Malachite.
            _ => {}
        }
    }

    /// One thing per slot: the same again is fine, another one is a fault.
    fn may_sign(&mut self, slot: Slot, content: Vec<u8>) -> bool {
        let asked = crate::crypto::hash(crate::message::tags::PROPOSAL, &[&content]);
        match self.signed.get(&slot) {
            None => {
                self.signed.insert(slot, asked);
                self.effects.push(Effect::Signed { slot, content: asked });
                true
            }
            Some(signed) if *signed == asked => true,
            Some(signed) => {
                self.fault = Some(Fault::WouldSignTwice { slot, signed: *signed, asked });
                false
            }
        }
    }

    fn log(&mut self, input: Input<Context>) {
        let entry = match input {
            Input::Vote(vote) => LogEntry::Vote(context::vote_out(&vote)),
            Input::Proposal(proposal) => LogEntry::Proposal(context::proposal_out(&proposal)),
            Input::PolkaCertificate(certificate) => LogEntry::Polka(context::polka_out(&certificate)),
            Input::TimeoutElapsed(timeout) => match self.timer(timeout) {
                Some(timer) => LogEntry::Timer(timer),
                None => return,
            },
            Input::ProposedValue(proposed, _) => match self.blocks.get(&proposed.value.0) {
                Some(executed) => LogEntry::Block(executed.clone()),
                None => return self.fault = Some(Fault::MissingBlock { block_hash: proposed.value.0 }),
            },
            _ => return,
        };
        if self.replay.as_ref().is_some_and(|replay| replay.logged.contains(&codec::encode(&entry))) {
            return;
        }
        let index = self.log_length;
        self.log_length = index.saturating_add(1);
        self.effects.push(Effect::Log { height: self.height, index, entry });
    }

    fn send(&mut self, message: Message) {
        if self.replay.is_none() {
            self.effects.push(Effect::Send(message));
        }
    }

    pub(super) fn send_proposal(&mut self, proposal: super::message::Proposal) {
        match self.blocks.get(&proposal.body.block_hash) {
            Some(executed) => {
                let block = executed.block.clone();
                self.send(Message::Proposal(proposal, block));
            }
            None => self.fault = Some(Fault::MissingBlock { block_hash: proposal.body.block_hash }),
        }
    }

    fn decided(&mut self, certificate: &CommitCertificate<Context>) {
        match self.blocks.get(&certificate.value_id) {
            Some(executed) => self.effects.push(Effect::Decided {
                block: executed.block.clone(),
                certificate: context::certificate(certificate, &self.set),
            }),
            None => self.fault = Some(Fault::MissingBlock { block_hash: certificate.value_id }),
        }
    }

    fn report(&mut self, evidence: &MisbehaviorEvidence<Context>) {
        for validator in evidence.votes.iter().map(|(validator, _)| validator) {
            self.effects.push(Effect::Misbehaved { validator: *validator, what: "voted twice in one round" });
        }
        for validator in evidence.proposals.iter().map(|(validator, _)| validator) {
            self.effects.push(Effect::Misbehaved { validator: *validator, what: "proposed twice in one round" });
        }
    }

    fn timer(&self, timeout: Timeout) -> Option<Timer> {
        let kind = match timeout.kind {
            TimeoutKind::Propose => TimerKind::Propose,
            TimeoutKind::Prevote => TimerKind::Prevote,
            TimeoutKind::Precommit => TimerKind::Precommit,
            TimeoutKind::Rebroadcast => TimerKind::Rebroadcast,
            // Heights end with their decision: no target time is ever set.
            TimeoutKind::FinalizeHeight(_) => return None,
        };
        Some(Timer { height: self.height, round: context::number(timeout.round), kind })
    }
}

/// A timer as Malachite knows it.
pub(super) const fn timeout(timer: &Timer) -> Timeout {
    let kind = match timer.kind {
        TimerKind::Propose => TimeoutKind::Propose,
        TimerKind::Prevote => TimeoutKind::Prevote,
        TimerKind::Precommit => TimeoutKind::Precommit,
        TimerKind::Rebroadcast => TimeoutKind::Rebroadcast,
    };
    Timeout::new(malachite_types::Round::new(timer.round), kind)
}
