//! Greeting the partner, and starting anew after data loss (docs/protocol.md, section 4, rule 8).

use super::Channel;
use super::Step;
use super::agreement::Agreement;
use super::event::{CommandFailure, Context, Event, Misbehaviour};
use super::propose::FrameKind;
use super::record::Restore;
use super::update::reveals;
use super::wire::{Hello, Message};
use crate::message::Message as _;
use crate::types::Height;

/// The least number of a frame that declares a restore at a height: above every number that was signed
/// before that block.
pub(super) fn restore_number(height: Height) -> u64 {
    height.saturating_mul(1 << 32)
}

impl Channel {
    /// What this side shows on connecting: its newest both-signed state, never one that it ignored or refused.
    pub(super) fn own_hello(&self) -> Vec<u8> {
        let Agreement { state, shared } = self.record.base.clone();
        let hello = Hello { epoch: self.epoch(), state, signatures: self.record.signatures, shared };
        Message::Hello(Box::new(hello)).encode()
    }

    /// The partner's newest both-signed state: an acknowledgement that was lost, or a sign of data loss.
    pub(super) fn hello(&mut self, hello: Hello, ctx: &Context<'_>, step: &mut Step) {
        if hello.epoch != self.epoch() || !self.may_sign(ctx) {
            if let Some(session) = &mut self.session {
                session.early = Some(Box::new(hello));
            }
            return;
        }
        if let Err(misbehaviour) = self.compare(hello, ctx, step) {
            self.misbehaved(misbehaviour, step);
            return;
        }
        if let Some(session) = &mut self.session {
            session.greeted = true;
        }
        step.answer |= self.record.reply.is_some() || self.record.own.is_some();
    }

    fn compare(&mut self, hello: Hello, ctx: &Context<'_>, step: &mut Step) -> Result<(), Misbehaviour> {
        let order = hello.state.order();
        let own = self.record.own.as_ref().map(|own| &own.result.state);
        if order > self.record.highest_signed() {
            self.check_shown(&hello)?;
            self.adopt(hello, ctx, step);
        } else if own == Some(&hello.state) {
            self.check_shown(&hello)?;
            if let Some(signatures) = hello.signatures {
                self.own_acknowledged(*signatures.get(self.partner()), step);
            }
        } else if order == self.record.base.state.order() && hello.state != self.record.base.state {
            self.check_shown(&hello)?;
            let chain_id = self.chain_id();
            let [expected, got] = [&self.record.base.state, &hello.state].map(|state| state.digest(&chain_id));
            return Err(Misbehaviour::TwoStatesOneOrder { order, expected, got });
        }
        if self.record.restore == Some(Restore::AwaitHello) {
            // Restored from a backup that is no older than what the partner shows.
            self.forget_what_may_be_done(ctx, step);
        }
        Ok(())
    }

    /// Both signatures, this channel, and the shared part that hashes to `shared_hash`.
    fn check_shown(&self, hello: &Hello) -> Result<(), Misbehaviour> {
        let state = &hello.state;
        let base = &self.record.base.state;
        let signatures = hello.signatures.ok_or(Misbehaviour::HelloState)?;
        let holds = state.chain_id == base.chain_id
            && state.parties == base.parties
            && state.epoch == base.epoch
            && state.is_well_formed()
            && hello.shared.hash() == state.shared_hash
            && [crate::types::Side::Left, crate::types::Side::Right]
                .iter()
                .all(|side| state.is_signed_by(&base.chain_id, &base.parties.key(*side), signatures.get(*side)));
        if holds { Ok(()) } else { Err(Misbehaviour::HelloState) }
    }

    /// This side signed more than it remembers.
    fn adopt(&mut self, hello: Hello, ctx: &Context<'_>, step: &mut Step) {
        self.record.base = Agreement { state: hello.state, shared: hello.shared };
        self.record.signatures = hello.signatures;
        self.forget_what_may_be_done(ctx, step);
    }

    /// From the adopted base on nothing is known of what was signed above it: wishes may have been done,
    /// locks forwarded, consents given. Nothing counts until a restore is signed.
    fn forget_what_may_be_done(&mut self, ctx: &Context<'_>, step: &mut Step) {
        let base = &self.record.base;
        let order = base.state.order();
        self.record.own = None;
        self.record.waiting = None;
        self.record.reply = None;
        self.record.received = None;
        self.record.alive.clear();
        self.record.unreported.clear();
        self.record.limbo.clear();
        self.record.highest = self.record.highest.max(order.frame);
        let partner = self.record.side.other();
        self.record.maybe_forwarded = base.state.locks_of(partner).map(|(id, _)| id).collect();
        let holds = base.shared.assets.iter().filter_map(|entry| {
            entry.terms.get(partner).hold.as_ref().map(|hold| (entry.asset, hold.nonce, hold.expires_at))
        });
        self.record.consented.extend(holds);
        self.record.restore = Some(Restore::AwaitBlock { above: ctx.chain.head().height, after_ms: ctx.now_ms });
        step.dirty = true;
        step.event(Event::Restoring { adopted: order });
        for wish in std::mem::take(&mut self.record.queue) {
            step.command_failed(wish.command, CommandFailure::DataLost);
        }
    }

    /// The empty frame that declares a restore. Nobody signs twice under its number: the same backup
    /// restored again waits for another block.
    pub(super) fn propose_restore(&mut self, ctx: &Context<'_>, step: &mut Step) {
        let head = ctx.chain.head();
        let Some(facts) = ctx.chain.facts(head.height) else { return };
        let mut result = self.record.base.clone();
        let mut changes = Vec::new();
        if head.height > result.shared.as_of_height {
            let reveals = reveals(&result, head.height, ctx);
            changes = result.advance(ctx.chain.parameters(), head.height, &facts, reveals);
        }
        result.guard_after_restore(ctx.chain.parameters(), self.record.side);
        let adopted = result.state.frame.saturating_add(1);
        let number = adopted.max(restore_number(head.height)).max(self.record.highest.saturating_add(1));
        self.record.restore = Some(Restore::Proposed);
        self.record.next_index = self.record.next_index.max(restore_number(head.height));
        self.sign_own(FrameKind::Restore, number, result, Vec::new(), Vec::new(), ctx, step);
        if let Some(own) = &mut self.record.own {
            own.changes = changes;
        }
    }
}
