//! Taking the partner's messages: replies first, then frames (docs/protocol.md, section 4, rules 1 to 6).
//!
//! Everything is checked on a copy; one marked step then changes the record.

use super::Channel;
use super::Step;
use super::agreement::{Agreement, FactChange};
use super::event::{Context, Effect, Event, Misbehaviour, Suspension};
use super::record::{AliveState, Fate, Received, Restore, Waiting, Wish};
use super::shared::Sides;
use super::transition::{self, Transition};
use super::wire::{Frame, Message, RefusalReason, Reply, Update};
use crate::crypto;
use crate::limits;
use crate::message::Message as _;
use crate::ordered;
use crate::types::{Hash, Height, Signature, UsableHeight};

/// What a frame makes, if it is to be acknowledged.
struct Judged {
    result: Agreement,
    changes: Vec<FactChange>,
}

/// Why a frame is not acknowledged now.
enum Verdict {
    /// Its facts are of a block that has not come.
    Wait,
    /// Never.
    Refuse(RefusalReason),
}

impl From<RefusalReason> for Verdict {
    fn from(reason: RefusalReason) -> Self {
        Self::Refuse(reason)
    }
}

impl Channel {
    /// The partner's bytes. Whatever they are, the outcome is a value (rule 10).
    pub(super) fn message(&mut self, bytes: &[u8], ctx: &Context<'_>, step: &mut Step) {
        if self.session.is_none() {
            return;
        }
        match Message::decode(bytes) {
            Err(error) => self.misbehaved(error.into(), step),
            Ok(Message::Hello(hello)) => self.hello(*hello, ctx, step),
            Ok(Message::Update(update)) => self.update(*update, ctx, step),
        }
    }

    /// Processed whole, the reply first, before anything new is proposed.
    fn update(&mut self, update: Update, ctx: &Context<'_>, step: &mut Step) {
        let greeted = self.session.as_ref().is_some_and(|session| session.greeted);
        if !greeted || update.epoch != self.epoch() || !self.may_sign(ctx) {
            return;
        }
        if let Some(frame) = &update.frame {
            self.learn_secrets(frame, step);
        }
        if let Some(reply) = update.reply
            && let Err(misbehaviour) = self.reply(reply, ctx, step)
        {
            self.misbehaved(misbehaviour, step);
            return;
        }
        if let Some(frame) = update.frame
            && let Err(misbehaviour) = self.frame(frame, ctx, step)
        {
            self.misbehaved(misbehaviour, step);
        }
    }

    /// Whether court lets this epoch's states be signed, and no dispute of ours is on its way.
    pub(super) fn may_sign(&self, ctx: &Context<'_>) -> bool {
        let court = ctx.chain.court();
        court.epoch == self.epoch() && !court.disputed && !self.record.frozen
    }

    fn reply(&mut self, reply: Reply, ctx: &Context<'_>, step: &mut Step) -> Result<(), Misbehaviour> {
        let number = reply.frame();
        let Some(own) = &self.record.own else {
            let highest = self.record.highest;
            return if number > highest { Err(Misbehaviour::UnknownReply { highest, got: number }) } else { Ok(()) };
        };
        if number < own.frame.number {
            return Ok(());
        }
        if number > own.frame.number {
            return Err(Misbehaviour::UnknownReply { highest: own.frame.number, got: number });
        }
        match reply {
            Reply::Ack { signature, .. } => {
                let partner = self.partner_key();
                if !own.result.state.is_signed_by(&self.chain_id(), &partner, &signature) {
                    return Err(Misbehaviour::AckSignature { frame: number });
                }
                self.own_acknowledged(signature, step);
            }
            Reply::Refuse { reason, head, .. } => self.own_refused(reason, head, ctx, step),
        }
        Ok(())
    }

    /// The partner signed the own frame's state: it is the new base.
    pub(super) fn own_acknowledged(&mut self, partner_signature: Signature, step: &mut Step) {
        let Some(own) = self.record.own.take() else { return };
        let before = std::mem::replace(&mut self.record.base, own.result).state;
        self.record.signatures = Some(self.both(own.frame.signature, partner_signature));
        if own.frame.restore {
            self.record.restore = None;
            step.event(Event::Restored);
        }
        self.base_moved(step);
        for change in own.changes {
            step.event(change_event(change));
        }
        for (transition, wish) in own.frame.transitions.into_iter().zip(own.wishes) {
            self.own_transition_done(transition, wish, &before, step);
        }
    }

    /// Rule 4: dead off-chain, alive in court until the base is above it. Its wishes go back in order.
    fn own_refused(&mut self, reason: RefusalReason, head: Height, ctx: &Context<'_>, step: &mut Step) {
        let Some(frame) = self.record.own.as_ref().map(|own| own.frame.number) else { return };
        self.bury_own(ctx);
        let window = Height::from(ctx.chain.parameters().proof_window_heights);
        let furthest = ctx.chain.head().height.saturating_add(window);
        self.record.reach = head.min(furthest);
        // Whoever is only behind the chain disagrees with nothing.
        if !matches!(reason, RefusalReason::FactsTooNew { .. }) {
            self.record.refusals = self.record.refusals.saturating_add(1);
        } else if let Some(session) = &mut self.session {
            session.most_facts = Some(head);
        }
        step.dirty = true;
        step.event(Event::FrameRefused { frame, reason });
        if self.record.refusals >= limits::MAX_REFUSALS && self.record.suspended.is_none() {
            self.record.suspended = Some(Suspension::Refusals);
            step.event(Event::Suspended(Suspension::Refusals));
        }
    }

    /// The own frame comes to nothing while the base stays: its state could still decide in court.
    fn bury_own(&mut self, ctx: &Context<'_>) {
        let Some(own) = self.record.own.take() else { return };
        if own.frame.restore {
            self.record.restore = Some(Restore::AwaitBlock { above: ctx.chain.head().height, after_ms: 0 });
        }
        let commands = own.wishes.iter().map(|wish| wish.command.clone()).collect();
        self.record.alive.push(AliveState { state: own.result.state, base: own.frame.base, commands });
        for wish in own.wishes.into_iter().rev() {
            self.record.queue.push_front(Wish { alive: true, ..wish });
        }
    }

    fn frame(&mut self, frame: Frame, ctx: &Context<'_>, step: &mut Step) -> Result<(), Misbehaviour> {
        if frame.proposer != self.partner() {
            return Err(Misbehaviour::WrongProposer);
        }
        let digest = frame.digest();
        if let Some(received) = self.record.received {
            if frame.number < received.number {
                return Ok(());
            }
            if frame.number == received.number {
                return self.duplicate(received, digest, step);
            }
        }
        let restoring = self.record.restore.is_some();
        if (restoring && !frame.restore) || self.record.unreported.len() >= limits::MAX_UNREPORTED {
            return Ok(());
        }
        let most = self.highest_possible(&frame, ctx);
        if frame.number > most {
            return Err(Misbehaviour::NumberTooHigh { most, got: frame.number });
        }
        step.dirty = true;
        self.record.highest = self.record.highest.max(frame.number);
        self.record.received = Some(Received { number: frame.number, digest, fate: Fate::Ignored });
        self.judge(frame, ctx, step)
    }

    /// Rule 2: a duplicate gets the current reply and own outstanding frame; it is never judged again.
    fn duplicate(&mut self, received: Received, digest: Hash, step: &mut Step) -> Result<(), Misbehaviour> {
        if received.digest != digest {
            let number = received.number;
            return Err(Misbehaviour::TwoFramesOneNumber { number, expected: received.digest, got: digest });
        }
        step.answer |= match received.fate {
            Fate::Answered => true,
            Fate::Ignored => self.record.own.is_some(),
            Fate::Waiting => false,
        };
        Ok(())
    }

    /// Rule 2: 1 + the highest number that the partner can have seen; a declared restore may jump to
    /// height · 2^32.
    fn highest_possible(&self, frame: &Frame, ctx: &Context<'_>) -> u64 {
        let next = self.record.highest.saturating_add(1);
        if frame.restore {
            let lead = Height::from(ctx.chain.parameters().max_lead_heights);
            next.max(super::restore::restore_number(ctx.chain.head().height.saturating_add(lead)))
        } else {
            next
        }
    }

    /// Decides on a frame of a new number, or on one whose block has come.
    fn judge(&mut self, frame: Frame, ctx: &Context<'_>, step: &mut Step) -> Result<(), Misbehaviour> {
        step.answer = true;
        if frame.order() < self.record.highest_signed() {
            // Rules 1 and 5: of two competing frames the one ordered higher wins; this one never.
            self.set_fate(Fate::Ignored);
            return Ok(());
        }
        let expected = self.record.base.state.order();
        if frame.base != expected {
            self.set_fate(Fate::Ignored);
            return Err(Misbehaviour::WrongBase { expected, got: frame.base });
        }
        match self.build(&frame, ctx) {
            Err(Verdict::Wait) => {
                step.answer = false;
                self.set_fate(Fate::Waiting);
                let until_ms = ctx.now_ms.saturating_add(ctx.chain.parameters().max_lead_ms);
                self.record.waiting = Some(Waiting { frame, until_ms });
                step.effects.push(Effect::Timer { at_ms: until_ms });
                Ok(())
            }
            Err(Verdict::Refuse(reason)) => {
                self.refuse(frame.number, reason, ctx, step);
                Ok(())
            }
            Ok(judged) => {
                let state = &judged.result.state;
                if state.is_signed_by(&self.chain_id(), &self.partner_key(), &frame.signature) {
                    self.accept(frame, judged, ctx, step);
                    return Ok(());
                }
                let chain_id = self.chain_id();
                let got = frame.debug.as_ref().map(|states| states.result.digest(&chain_id));
                let expected = state.digest(&chain_id);
                self.refuse(frame.number, RefusalReason::Signature, ctx, step);
                Err(Misbehaviour::FrameSignature { frame: frame.number, expected, got })
            }
        }
    }

    /// Rule 6: everything is checked on a copy.
    fn build(&self, frame: &Frame, ctx: &Context<'_>) -> Result<Judged, Verdict> {
        let parameters = ctx.chain.parameters();
        if frame.transitions.len() > limits::MAX_FRAME_TRANSITIONS {
            let [limit, got] =
                [limits::MAX_FRAME_TRANSITIONS, frame.transitions.len()].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
            return Err(RefusalReason::TooManyTransitions { limit, got }.into());
        }
        if frame.restore && !frame.transitions.is_empty() {
            return Err(RefusalReason::RestoreNotEmpty.into());
        }
        let mut result = self.record.base.clone();
        let changes = take_facts(&mut result, frame, ctx)?;
        if frame.restore {
            result.guard_after_restore(parameters, frame.proposer);
        }
        for (transition, position) in frame.transitions.iter().zip(0_u32..) {
            check_deadline(&result, transition, ctx)?;
            transition::apply(&mut result, parameters, frame.proposer, transition)
                .map_err(|invalid| RefusalReason::Transition { position, invalid })?;
        }
        result.seal(frame.order());
        result.check_bounds(parameters).map_err(RefusalReason::Bounds)?;
        Ok(Judged { result, changes })
    }

    /// Rule 4: stored before it is sent, final. An own frame ordered below gives way: the partner will
    /// never take it, and is released to propose again.
    fn refuse(&mut self, number: u64, reason: RefusalReason, ctx: &Context<'_>, step: &mut Step) {
        self.set_fate(Fate::Answered);
        self.record.waiting = None;
        self.bury_own(ctx);
        let head = ctx.chain.head().height;
        self.record.reply = Some(Reply::Refuse { frame: number, reason: reason.clone(), head });
        step.dirty = true;
        step.event(Event::RefusedFrame { frame: number, reason });
    }

    /// Signs and takes over a frame's result. The own frame, if there is one, lost the collision: it is
    /// below the new base and dead everywhere, and its wishes go back in order.
    fn accept(&mut self, frame: Frame, judged: Judged, ctx: &Context<'_>, step: &mut Step) {
        let signature = judged.result.state.sign(&self.chain_id(), ctx.key);
        // From here on the record changes, and nothing fails.
        let before = std::mem::replace(&mut self.record.base, judged.result).state;
        self.record.signatures = Some(self.both(signature, frame.signature));
        self.record.reply = Some(Reply::Ack { frame: frame.number, signature });
        self.set_fate(Fate::Answered);
        self.record.waiting = None;
        if let Some(own) = self.record.own.take() {
            if own.frame.restore {
                self.record.restore = Some(Restore::AwaitBlock { above: 0, after_ms: 0 });
            }
            for wish in own.wishes.into_iter().rev() {
                self.record.queue.push_front(wish);
            }
        }
        self.base_moved(step);
        for change in judged.changes {
            step.event(change_event(change));
        }
        for transition in frame.transitions {
            self.partner_transition_done(transition, &before, step);
        }
    }

    /// A new base: what was signed below it can no longer decide.
    fn base_moved(&mut self, step: &mut Step) {
        step.dirty = true;
        self.record.alive.clear();
        self.record.refusals = 0;
        for wish in &mut self.record.queue {
            wish.alive = false;
        }
        step.event(Event::StateSigned(self.record.base.state.order()));
        for (command, reason) in std::mem::take(&mut self.record.limbo) {
            step.command_failed(command, reason);
        }
        let names = self.record.base.lock_names();
        self.record.secrets.retain(|id, _| names.contains(id) || id.giver == self.record.side);
        self.record.maybe_forwarded.retain(|id| names.contains(id));
        let (shared, partner) = (&self.record.base.shared, self.record.side.other());
        self.record.consented.retain(|(asset, nonce, expires_at)| {
            shared.hold(*asset, partner).is_some_and(|hold| (hold.nonce, hold.expires_at) == (*nonce, *expires_at))
        });
    }

    /// The secret of an own lock is worth knowing even in a frame that does not stand.
    fn learn_secrets(&self, frame: &Frame, step: &mut Step) {
        for transition in &frame.transitions {
            let Transition::Settle { lock, secret } = transition else { continue };
            let hash = crypto::lock_hash(secret);
            let fits = |state: &super::state::ChannelState| state.lock(lock).is_some_and(|found| found.hash == hash);
            if lock.giver == self.record.side && self.record.outcomes().any(fits) {
                step.event(Event::SecretLearned { hash, secret: *secret });
            }
        }
    }

    /// A block came, or time passed: judges a frame that waited for it.
    pub(super) fn retry_waiting(&mut self, ctx: &Context<'_>, step: &mut Step) {
        let Some(waiting) = self.record.waiting.take() else { return };
        let head = ctx.chain.head().height;
        if !self.may_sign(ctx) {
            self.record.waiting = Some(waiting);
        } else if waiting.frame.as_of_height <= head {
            step.dirty = true;
            if let Err(misbehaviour) = self.judge(waiting.frame, ctx, step) {
                self.misbehaved(misbehaviour, step);
            }
        } else if ctx.now_ms >= waiting.until_ms {
            let reason = RefusalReason::FactsTooNew { most: head, got: waiting.frame.as_of_height };
            step.answer = true;
            self.refuse(waiting.frame.number, reason, ctx, step);
        } else {
            self.record.waiting = Some(waiting);
        }
    }

    fn set_fate(&mut self, fate: Fate) {
        if let Some(received) = &mut self.record.received {
            received.fate = fate;
        }
    }

    /// Own and partner's signature by side.
    pub(super) fn both(&self, own: Signature, partner: Signature) -> Sides<Signature> {
        match self.record.side {
            crate::types::Side::Left => Sides { left: own, right: partner },
            crate::types::Side::Right => Sides { left: partner, right: own },
        }
    }

    pub(super) fn misbehaved(&mut self, misbehaviour: Misbehaviour, step: &mut Step) {
        let kept = &mut self.record.misbehaviours;
        if kept.len() < limits::MAX_MISBEHAVIOURS && !kept.contains(&misbehaviour) {
            kept.push(misbehaviour.clone());
            step.dirty = true;
        }
        step.event(Event::Misbehaviour(misbehaviour));
    }
}

/// Rule 6: facts of a new height, never lower, at most K.proof_window behind and K.max_lead ahead of the
/// own head, read from the own verified chain.
fn take_facts(result: &mut Agreement, frame: &Frame, ctx: &Context<'_>) -> Result<Vec<FactChange>, Verdict> {
    let parameters = ctx.chain.parameters();
    let head = ctx.chain.head().height;
    let (known, got) = (result.shared.as_of_height, frame.as_of_height);
    if got == known {
        return Ok(Vec::new());
    }
    let least = known.max(head.saturating_sub(parameters.proof_window_heights.into()));
    if got < least {
        return Err(RefusalReason::FactsTooOld { least, got }.into());
    }
    let most = head.saturating_add(parameters.max_lead_heights.into());
    if got > most {
        return Err(RefusalReason::FactsTooNew { most, got }.into());
    }
    if got > head {
        return Err(Verdict::Wait);
    }
    let Some(facts) = ctx.chain.facts(got) else { return Err(RefusalReason::FactsTooOld { least: head, got }.into()) };
    let reveals = reveals(result, got, ctx);
    Ok(result.advance(parameters, got, &facts, reveals))
}

/// Registry answers for the locks of an agreement, as of a height, sorted.
pub(super) fn reveals(agreement: &Agreement, height: Height, ctx: &Context<'_>) -> Vec<(Hash, UsableHeight)> {
    let locks = agreement.state.subs.iter().flat_map(|sub| sub.left_locks.iter().chain(&sub.right_locks));
    let hashes = ordered::set(locks.map(|lock| lock.hash));
    hashes.into_iter().filter_map(|hash| Some((hash, ctx.chain.revealed(&hash, height)?))).collect()
}

/// Rule 6: a settlement counts after expiry only if the registry shows the reveal in time, both by the
/// own head, so that nobody gains by naming an old height.
fn check_deadline(result: &Agreement, transition: &Transition, ctx: &Context<'_>) -> Result<(), RefusalReason> {
    let Transition::Settle { lock, .. } = transition else { return Ok(()) };
    let Some(lock) = result.state.lock(lock) else { return Ok(()) };
    let head = ctx.chain.head();
    let revealed = || ctx.chain.revealed(&lock.hash, head.height).is_some_and(|at| at <= lock.expiry);
    if head.usable_height <= lock.expiry || revealed() {
        Ok(())
    } else {
        Err(RefusalReason::SettledTooLate { expiry: lock.expiry, now: head.usable_height })
    }
}

fn change_event(change: FactChange) -> Event {
    match change {
        FactChange::HoldEnded { asset, withdrawer, executed } => Event::HoldEnded { withdrawer, asset, executed },
        FactChange::InsurancePaid { asset, payer, price } => Event::InsurancePaid { by: payer, asset, price },
    }
}
