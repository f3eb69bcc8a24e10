//! Deadlines: what a new head makes due (docs/protocol.md, section 4, rules 6 and 9; section 5).

use super::Channel;
use super::Step;
use super::event::{Command, Context, Event};
use super::record::Wish;
use super::state::{Lock, LockId};
use crate::crypto::Secret;
use crate::types::UsableHeight;

impl Channel {
    /// A new head: court first, then frames that waited for it, then locks that are due.
    pub(super) fn new_head(&mut self, ctx: &Context<'_>, step: &mut Step) {
        if let Some(session) = &mut self.session {
            session.most_facts = None;
        }
        self.follow_court(ctx, step);
        self.settle_revealed(ctx, step);
        self.retry_waiting(ctx, step);
        self.expire_due(ctx, step);
        self.reveal_due(ctx, step);
    }

    /// Whether the head is too old to decide by: no new locks, no settling, nothing reported as paid.
    pub(super) fn head_is_stale(&self, ctx: &Context<'_>) -> bool {
        let age_ms = ctx.now_ms.saturating_sub(ctx.chain.head().time_ms);
        age_ms > ctx.chain.parameters().stale_head_ms
    }

    /// Nobody settles later than expiry − margin, unless the secret was revealed on-chain in time.
    pub(super) fn may_settle(&self, lock: &Lock, ctx: &Context<'_>) -> bool {
        let head = ctx.chain.head();
        let margin = UsableHeight::from(ctx.chain.parameters().margin_blocks);
        head.usable_height.saturating_add(margin) <= lock.expiry || self.was_revealed(lock, ctx)
    }

    /// A giver takes its lock back when U > expiry + margin and it was not revealed at U ≤ expiry.
    pub(super) fn may_expire(&self, lock: &Lock, ctx: &Context<'_>) -> bool {
        let margin = UsableHeight::from(ctx.chain.parameters().margin_blocks);
        ctx.chain.head().usable_height > lock.expiry.saturating_add(margin) && !self.was_revealed(lock, ctx)
    }

    fn was_revealed(&self, lock: &Lock, ctx: &Context<'_>) -> bool {
        let height = ctx.chain.head().height;
        ctx.chain.revealed(&lock.hash, height).is_some_and(|at| at <= lock.expiry)
    }

    /// Wishes to take back own locks whose time is up.
    fn expire_due(&mut self, ctx: &Context<'_>, step: &mut Step) {
        let due: Vec<LockId> = self
            .record
            .base
            .state
            .locks_of(self.record.side)
            .filter(|(_, lock)| self.may_expire(lock, ctx))
            .map(|(id, _)| id)
            .filter(|id| !self.is_closing(id))
            .collect();
        for lock in due {
            self.record.queue.push_back(Wish { command: Command::Expire { lock }, alive: false });
            step.dirty = true;
        }
    }

    /// A lock whose secret is known and that no acknowledged settlement closed in time: the secret goes
    /// on-chain. Said once for each lock.
    fn reveal_due(&mut self, ctx: &Context<'_>, step: &mut Step) {
        let known = self.record.secrets.iter().filter(|(_, (_, said))| !said).map(|(id, (secret, _))| (*id, *secret));
        for (id, secret) in known.collect::<Vec<(LockId, Secret)>>() {
            let Some(lock) = self.record.base.state.lock(&id).cloned() else { continue };
            if !self.may_settle(&lock, ctx) {
                self.record.secrets.insert(id, (secret, true));
                step.dirty = true;
                step.event(Event::RevealDue { id, lock, secret });
            }
        }
    }

    /// Whether a wish to close a lock is under way.
    pub(super) fn is_closing(&self, id: &LockId) -> bool {
        let unanswered = self.record.own.iter().flat_map(|own| &own.wishes);
        self.record.queue.iter().chain(unanswered).any(|wish| {
            matches!(&wish.command,
                Command::Settle { lock, .. } | Command::Fail { lock, .. } | Command::Expire { lock } if lock == id)
        })
    }

    /// Reports what was received once the head is fresh and shows no dispute.
    pub(super) fn report(&mut self, ctx: &Context<'_>, step: &mut Step) {
        if self.record.unreported.is_empty() || self.head_is_stale(ctx) || !self.may_sign(ctx) {
            return;
        }
        step.dirty = true;
        for event in std::mem::take(&mut self.record.unreported) {
            step.event(event);
        }
    }
}
