//! What a transition that both parties signed means to the caller: events, and what is forgotten.
//!
//! Called with the base already moved, so all of it holds in every possible outcome (rule 3).

use super::Channel;
use super::Step;
use super::event::{Closed, Command, CommandFailure, Event, OutgoingFailure};
use super::record::Wish;
use super::state::{ChannelState, Lock, LockId};
use super::transition::Transition;

impl Channel {
    /// A transition of an own frame that the partner acknowledged.
    pub(super) fn own_transition_done(
        &mut self,
        transition: Transition,
        wish: Wish,
        before: &ChannelState,
        step: &mut Step,
    ) {
        let by = self.record.side;
        match transition {
            Transition::Pay { .. } => {
                if let Command::Pay { reference, .. } = wish.command {
                    step.event(Event::Paid { reference });
                }
            }
            Transition::Lock { asset, lock, .. } => {
                if let Command::Lock { reference, .. } = wish.command {
                    self.record.references.insert(LockId { asset, giver: by, index: lock.index }, reference);
                }
            }
            Transition::Settle { lock, .. } => self.incoming_closed(lock, before, Closed::Settled, step),
            Transition::Fail { lock, .. } => self.incoming_closed(lock, before, Closed::Failed, step),
            Transition::Expire { lock } => {
                let reference = self.record.references.remove(&lock);
                if let Some(terms) = before.lock(&lock) {
                    step.event(Event::OutgoingFailed { reference, hash: terms.hash, reason: OutgoingFailure::Expired });
                }
            }
            Transition::SetCredit { asset, limit, insure_above } => {
                step.event(Event::CreditChanged { by, asset, limit, insure_above });
            }
            Transition::RequestInsurance { asset } => step.event(Event::InsuranceRequested { by, asset }),
            Transition::RequestWithdrawal { .. } | Transition::GrantWithdrawal { .. } => {}
            Transition::RefuseWithdrawal { asset } => step.event(Event::WithdrawalRefused { by, asset }),
        }
    }

    /// A transition of a frame of the partner that this side acknowledged.
    pub(super) fn partner_transition_done(&mut self, transition: Transition, before: &ChannelState, step: &mut Step) {
        let by = self.partner();
        match transition {
            Transition::Pay { asset, amount, note } => {
                self.record.unreported.push(Event::PayReceived { asset, amount, note });
            }
            Transition::Lock { asset, lock, onion } => {
                let id = LockId { asset, giver: by, index: lock.index };
                self.record.unreported.push(Event::LockReceived { id, lock, onion });
            }
            Transition::Settle { lock, secret } => {
                let reference = self.record.references.remove(&lock);
                step.event(Event::OutgoingSettled { reference, secret });
            }
            Transition::Fail { lock, reason } => {
                let reference = self.record.references.remove(&lock);
                if let Some(terms) = before.lock(&lock) {
                    let reason = OutgoingFailure::ByPartner { reason };
                    step.event(Event::OutgoingFailed { reference, hash: terms.hash, reason });
                }
            }
            Transition::Expire { lock } => self.incoming_closed(lock, before, Closed::Expired, step),
            Transition::SetCredit { asset, limit, insure_above } => {
                step.event(Event::CreditChanged { by, asset, limit, insure_above });
            }
            Transition::RequestInsurance { asset } => step.event(Event::InsuranceRequested { by, asset }),
            Transition::RequestWithdrawal { asset, .. } => {
                if let Some(hold) = self.record.base.shared.hold(asset, by) {
                    step.event(Event::WithdrawalRequested { asset, hold: hold.clone() });
                }
            }
            Transition::GrantWithdrawal { proof } => step.event(Event::WithdrawalGranted { proof }),
            Transition::RefuseWithdrawal { asset } => step.event(Event::WithdrawalRefused { by, asset }),
        }
    }

    /// A lock that was never reported is closed in silence.
    fn incoming_closed(&mut self, id: LockId, before: &ChannelState, closed: Closed, step: &mut Step) {
        let reports = self.record.unreported.len();
        self.record.unreported.retain(|event| !matches!(event, Event::LockReceived { id: other, .. } if *other == id));
        let reported = self.record.unreported.len() == reports;
        let terms: Option<Lock> = before.lock(&id).cloned();
        if let (true, Some(lock)) = (reported, terms) {
            step.event(Event::IncomingClosed { id, lock, closed, epoch: before.epoch });
        }
    }
}

impl Step {
    /// A wish came to nothing, irrevocably. What is about a lock that is gone needs no word.
    pub(super) fn command_failed(&mut self, command: Command, reason: CommandFailure) {
        match command {
            Command::Lock { reference, hash, .. } => {
                let reason = OutgoingFailure::NotAdded { reason };
                self.event(Event::OutgoingFailed { reference: Some(reference), hash, reason });
            }
            Command::Settle { .. } | Command::Fail { .. } | Command::Expire { .. } | Command::Resume => {}
            command => self.event(Event::CommandFailed { command: Box::new(command), reason }),
        }
    }
}
