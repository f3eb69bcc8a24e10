//! Proposing: waiting wishes become one frame (docs/protocol.md, section 4, rules 2, 4, 5 and 7).

use super::Channel;
use super::Step;
use super::agreement::Agreement;
use super::command;
use super::event::{Command, CommandFailure, Context, Debug};
use super::record::{OwnFrame, Restore, Wish};
use super::shared::Facts;
use super::state::{Lock, StateOrder};
use super::transition::{self, Transition};
use super::update::reveals;
use super::wire::{DebugStates, Frame};
use crate::limits;
use crate::message::{Message as _, Signed};
use crate::types::{Height, Side, UsableHeight};

/// What becomes of a wish when a frame is built.
enum Prepared {
    /// Into the frame.
    Ready(Box<Transition>),
    /// It keeps its place: not by this head.
    Later,
    /// There is nothing left to do.
    Done,
    /// It comes to nothing.
    Failed(CommandFailure),
}

impl Channel {
    /// Proposes what waits, if nothing stands in the way: at most one own frame is unanswered, and nobody
    /// proposes while a partner's frame waits for a block.
    pub(super) fn propose(&mut self, ctx: &Context<'_>, step: &mut Step) {
        let greeted = self.session.as_ref().is_some_and(|session| session.greeted);
        let record = &self.record;
        let head = ctx.chain.head();
        if !greeted
            || record.own.is_some()
            || record.waiting.is_some()
            || record.suspended.is_some()
            || record.alive.len() >= limits::MAX_ALIVE_STATES
            || head.height < record.reach.max(record.base.shared.as_of_height)
            || !self.may_sign(ctx)
        {
            return;
        }
        match record.restore {
            None => self.propose_wishes(ctx, step),
            Some(Restore::AwaitBlock { above, after_ms }) if head.height > above && head.time_ms > after_ms => {
                self.propose_restore(ctx, step);
            }
            Some(_) => {}
        }
    }

    fn propose_wishes(&mut self, ctx: &Context<'_>, step: &mut Step) {
        let mut result = self.record.base.clone();
        let agreed = result.shared.as_of_height;
        let most = self.session.as_ref().and_then(|session| session.most_facts).unwrap_or(Height::MAX);
        let height = ctx.chain.head().height.min(most).max(agreed);
        // Older than what the chain keeps, the agreed facts are still the agreed facts.
        let facts = if height > agreed { ctx.chain.facts(height) } else { None };
        if height > agreed && facts.is_none() {
            return;
        }
        let news = facts.as_ref().is_some_and(|facts| result.needs(facts, ctx.chain.parameters()));
        // A refused frame that is alive in court is put below a new one even when no wish is left.
        let bury = !self.record.alive.is_empty();
        if self.record.queue.is_empty() && !news && !bury {
            return;
        }
        let mut changes = Vec::new();
        if let Some(facts) = facts
            && (news || self.wishes_need_time(&facts, ctx))
        {
            let reveals = reveals(&result, height, ctx);
            changes = result.advance(ctx.chain.parameters(), height, &facts, reveals);
        }
        let (transitions, wishes) = self.take_wishes(&mut result, ctx, step);
        if transitions.is_empty() && !news && !bury {
            return;
        }
        let number = self.record.highest.saturating_add(1);
        self.sign_own(FrameKind::Plain, number, result, transitions, wishes, ctx, step);
        if let Some(own) = &mut self.record.own {
            own.changes = changes;
        }
    }

    /// Whether a wish needs a newer U than the one agreed on.
    fn wishes_need_time(&self, facts: &Facts, ctx: &Context<'_>) -> bool {
        let parameters = ctx.chain.parameters();
        let shared = &self.record.base.shared;
        let now = shared.usable_height;
        facts.usable_height > now
            && self.record.queue.iter().take(limits::MAX_FRAME_TRANSITIONS).any(|wish| match &wish.command {
                Command::Lock { expiry, .. } => *expiry > now.saturating_add(parameters.lock_horizon_blocks.into()),
                Command::Expire { .. } | Command::RequestWithdrawal { .. } => true,
                _ => false,
            })
    }

    /// Applies wishes in order until the frame is full. One that no longer applies returns to its maker.
    fn take_wishes(
        &mut self,
        result: &mut Agreement,
        ctx: &Context<'_>,
        step: &mut Step,
    ) -> (Vec<Transition>, Vec<Wish>) {
        let mut transitions = Vec::new();
        let mut taken = Vec::new();
        let mut later = Vec::new();
        while transitions.len() < limits::MAX_FRAME_TRANSITIONS
            && let Some(wish) = self.record.queue.pop_front()
        {
            let prepared = self.prepare(&wish.command, result, ctx);
            step.dirty |= !matches!(prepared, Prepared::Later);
            match prepared {
                Prepared::Ready(transition) => {
                    match transition::apply(result, ctx.chain.parameters(), self.record.side, &transition) {
                        Ok(()) => {
                            self.promised(&transition);
                            transitions.push(*transition);
                            taken.push(wish);
                        }
                        Err(invalid) => self.give_up(wish, invalid.into(), step),
                    }
                }
                Prepared::Later => later.push(wish),
                Prepared::Done => {}
                Prepared::Failed(reason) => self.give_up(wish, reason, step),
            }
        }
        for wish in later.into_iter().rev() {
            self.record.queue.push_front(wish);
        }
        (transitions, taken)
    }

    /// A wish that stands in a state that could still decide has failed only when that is over (rule 3).
    fn give_up(&mut self, wish: Wish, reason: CommandFailure, step: &mut Step) {
        if wish.alive {
            self.record.limbo.push((wish.command, reason));
        } else {
            step.command_failed(wish.command, reason);
        }
    }

    /// What the frame gives away for good, whatever becomes of it.
    fn promised(&mut self, transition: &Transition) {
        match transition {
            Transition::Lock { lock, .. } => self.record.next_index = lock.index.saturating_add(1),
            Transition::Settle { lock, secret } => {
                self.record.secrets.entry(*lock).or_insert((*secret, false));
            }
            Transition::GrantWithdrawal { proof } => {
                let consent = &proof.body;
                self.record.consented.insert((consent.asset, consent.nonce, consent.expires_at));
            }
            _ => {}
        }
    }

    fn prepare(&self, command: &Command, result: &Agreement, ctx: &Context<'_>) -> Prepared {
        let side = self.record.side;
        if let Some(asset) = command::priced(command, result, side) {
            let (most, price) = (self.most_price(asset), transition::partner_price(result, side));
            if price > most {
                return Prepared::Failed(CommandFailure::InsurancePrice { most, price });
            }
        }
        let transition = match command {
            Command::Pay { asset, amount, note, .. } => {
                Transition::Pay { asset: *asset, amount: *amount, note: note.clone() }
            }
            Command::Lock { asset, amount, hash, expiry, onion, .. } => {
                let now = ctx.chain.head().usable_height;
                if self.head_is_stale(ctx) {
                    return Prepared::Later;
                }
                if *expiry <= now {
                    return Prepared::Failed(CommandFailure::TooLate { expiry: *expiry, now });
                }
                let index = self.record.next_index.max(*result.shared.next_index.get(side));
                let lock = Lock { index, amount: *amount, hash: *hash, expiry: *expiry };
                Transition::Lock { asset: *asset, lock, onion: onion.clone() }
            }
            Command::Settle { lock: id, secret } => {
                let Some(lock) = result.state.lock(id) else { return Prepared::Done };
                if !self.may_settle(lock, ctx) {
                    // From now on the secret goes on-chain; `policy` has said so.
                    return Prepared::Done;
                }
                if self.head_is_stale(ctx) {
                    return Prepared::Later;
                }
                Transition::Settle { lock: *id, secret: *secret }
            }
            Command::Fail { lock, reason } => {
                if self.record.secrets.contains_key(lock) || result.state.lock(lock).is_none() {
                    return Prepared::Done;
                }
                Transition::Fail { lock: *lock, reason: *reason }
            }
            Command::Expire { lock } => {
                if !result.state.lock(lock).is_some_and(|terms| self.may_expire(terms, ctx)) {
                    return Prepared::Done;
                }
                Transition::Expire { lock: *lock }
            }
            Command::SetCredit { asset, limit, insure_above } => {
                Transition::SetCredit { asset: *asset, limit: *limit, insure_above: *insure_above }
            }
            Command::RequestInsurance { asset } => Transition::RequestInsurance { asset: *asset },
            Command::RequestWithdrawal { asset, amount, lifetime_blocks } => {
                let nonce = result.shared.asset(*asset).map_or(0, |entry| *entry.consent_nonces.get(side));
                let expires_at = result.shared.usable_height.saturating_add(UsableHeight::from(*lifetime_blocks));
                Transition::RequestWithdrawal { asset: *asset, amount: *amount, nonce, expires_at }
            }
            Command::GrantWithdrawal { asset } => {
                let Some(consent) = transition::consent(result, side, *asset) else { return Prepared::Done };
                Transition::GrantWithdrawal { proof: Box::new(Signed::new(consent, &self.chain_id(), ctx.key)) }
            }
            Command::RefuseWithdrawal { asset } => {
                let Some(consent) = transition::consent(result, side, *asset) else { return Prepared::Done };
                if self.record.consented.contains(&(*asset, consent.nonce, consent.expires_at)) {
                    return Prepared::Done;
                }
                Transition::RefuseWithdrawal { asset: *asset }
            }
            Command::Resume => return Prepared::Done,
        };
        Prepared::Ready(Box::new(transition))
    }

    /// Numbers, signs and stores an own frame; it is sent with the step's answer.
    #[allow(clippy::too_many_arguments, reason = "the parts of one frame, each used once")]
    pub(super) fn sign_own(
        &mut self,
        kind: FrameKind,
        number: u64,
        mut result: Agreement,
        transitions: Vec<Transition>,
        wishes: Vec<Wish>,
        ctx: &Context<'_>,
        step: &mut Step,
    ) {
        let proposer: Side = self.record.side;
        let order = StateOrder { frame: number, proposer };
        assert!(order > self.record.highest_signed(), "nothing is signed below what was signed");
        result.seal(order);
        debug_assert!(result.check_bounds(ctx.chain.parameters()).is_ok());
        let signature = result.state.sign(&self.chain_id(), ctx.key);
        let debug = (ctx.debug == Debug::States)
            .then(|| Box::new(DebugStates { base: self.record.base.state.clone(), result: result.state.clone() }));
        let frame = Frame {
            number,
            proposer,
            base: self.record.base.state.order(),
            as_of_height: result.shared.as_of_height,
            restore: kind == FrameKind::Restore,
            transitions,
            signature,
            debug,
        };
        self.record.highest = number;
        self.record.own = Some(OwnFrame { frame, result, wishes, changes: Vec::new() });
        step.dirty = true;
        step.answer = true;
    }
}

/// Whether a frame declares a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    Plain,
    Restore,
}
