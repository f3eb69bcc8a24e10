//! What court means for a channel: nothing is signed during a dispute, and after it the epoch before is over
//! (docs/protocol.md, section 4, rule 9; section 6).

use super::Channel;
use super::Step;
use super::event::{Closed, Command, CommandFailure, Context, Effect, Event, OutgoingFailure, Reference, Refusal};
use super::record::{Record, Restore, Wish};
use super::state::{Lock, LockId, StateOrder, Sub};
use super::transition::Transition;
use crate::ledger::state::CourtState;
use crate::ordered;
use crate::types::{AssetId, Hash, Side, UsableHeight};

/// What is known of the state that resolved a dispute.
struct Decided {
    order: StateOrder,
    /// Whether this side has seen it. One that was away, or lost data, may not have.
    known: bool,
    subs: Vec<Sub>,
    /// Transitions of the own frame that made it, or what its frame took up.
    commands: Vec<Command>,
    transitions: Vec<Transition>,
}

impl Channel {
    pub(super) fn set_frozen(&mut self, frozen: bool, ctx: &Context<'_>, step: &mut Step) {
        if self.record.frozen != frozen {
            self.record.frozen = frozen;
            step.dirty = true;
        }
        if let (false, Some(session)) = (frozen, &mut self.session) {
            // What came meanwhile was not looked at: the partner says it again when it is greeted.
            let early = session.early.take();
            step.effects.push(Effect::Send(self.own_hello()));
            if let Some(hello) = early {
                self.hello(*hello, ctx, step);
            }
        }
    }

    /// New promises are not made in a channel that is in court.
    pub(super) fn check_court(&self, command: &Command, ctx: &Context<'_>) -> Result<(), Refusal> {
        match command {
            Command::Settle { .. } | Command::Fail { .. } | Command::Expire { .. } | Command::Resume => Ok(()),
            _ if self.may_sign(ctx) => Ok(()),
            _ => Err(Refusal::InCourt),
        }
    }

    /// Follows a running dispute, and begins the next epoch when it is resolved.
    pub(super) fn follow_court(&mut self, ctx: &Context<'_>, step: &mut Step) {
        let court = ctx.chain.court();
        if court.epoch == self.epoch() {
            let in_court = ctx.chain.in_court();
            if in_court != self.record.in_court {
                self.record.in_court = in_court;
                step.dirty = true;
            }
        }
        if court.epoch <= self.epoch() {
            return;
        }
        let base = &self.record.base.state;
        let mut fresh = Record::new(base.chain_id, base.parties, self.record.side, court.epoch);
        fresh.misbehaviours = std::mem::take(&mut self.record.misbehaviours);
        // What was forgotten may have been signed in any epoch.
        fresh.restore = self.record.restore.map(|_| Restore::AwaitHello);
        fresh.frozen = self.record.frozen;
        let old = std::mem::replace(&mut self.record, fresh);
        step.dirty = true;
        let decided = if court.epoch == old.base.state.epoch.saturating_add(1) {
            decided(&old, court.resolved.unwrap_or(StateOrder::DEFAULT))
        } else {
            // The chain knows the order of the last resolution only, and that was of a later epoch.
            Decided::unseen()
        };
        close_incoming(&old, &decided, ctx, step);
        close_outgoing(&old, &decided, ctx, step);
        close_wishes(&old, &decided, step);
        // Everything that was reported as received before is; what waited to be reported counts if it was decided.
        if decided.order >= old.base.state.order() {
            for event in &old.unreported {
                if matches!(event, Event::PayReceived { .. }) {
                    step.event(event.clone());
                }
            }
        }
        step.event(Event::EpochEnded { epoch: court.epoch, resolved: court.resolved });
        // Terms are zero until they are set anew; an asset that was taken before may come again, on no credit.
        for entry in &old.base.shared.assets {
            if entry.terms.get(old.side).accepts {
                let command = Command::SetCredit { asset: entry.asset, limit: 0, insure_above: None };
                self.record.queue.push_back(Wish { command, alive: false });
            }
        }
        self.greet_again(ctx, step);
    }

    /// The session goes on in the new epoch, beginning with greetings.
    fn greet_again(&mut self, ctx: &Context<'_>, step: &mut Step) {
        let Some(session) = &mut self.session else { return };
        session.greeted = false;
        let early = session.early.take();
        step.effects.push(Effect::Send(self.own_hello()));
        if let Some(hello) = early {
            self.hello(*hello, ctx, step);
        }
    }

    /// Incoming locks whose secret the registry shows in time are settled, by whoever it was revealed.
    pub(super) fn settle_revealed(&mut self, ctx: &Context<'_>, step: &mut Step) {
        let height = ctx.chain.head().height;
        let due: Vec<_> = self
            .record
            .base
            .state
            .locks_of(self.partner())
            .filter(|(id, _)| !self.is_closing(id))
            .filter(|(_, lock)| ctx.chain.revealed(&lock.hash, height).is_some_and(|at| at <= lock.expiry))
            .filter_map(|(id, lock)| Some((id, ctx.chain.secret(&lock.hash)?)))
            .collect();
        for (lock, secret) in due {
            self.record.secrets.entry(lock).or_insert((secret, true));
            self.record.queue.push_back(Wish { command: Command::Settle { lock, secret }, alive: false });
            step.dirty = true;
        }
    }
}

/// The state that decided: the one last seen in court, or the one signed here that has its order.
fn decided(old: &Record, order: StateOrder) -> Decided {
    let own = old.own.iter().filter(|own| own.frame.order() == order);
    let own: Vec<_> =
        own.map(|own| (&own.result.state, own.frame.transitions.clone(), commands(&own.wishes))).collect();
    let alive = old.alive.iter().filter(|alive| alive.state.order() == order);
    let alive = alive.map(|alive| (&alive.state, Vec::new(), alive.commands.clone()));
    let signed = own.into_iter().chain(alive).next();
    let seen = old.in_court.clone().filter(|seen| seen.order == order);
    let base = Some(&old.base.state).filter(|state| state.order() == order);
    let subs = match (&seen, &signed, base) {
        (Some(CourtState { subs, .. }), _, _) => Some(subs.clone()),
        (None, Some((state, _, _)), _) => Some(state.subs.clone()),
        (None, None, Some(state)) => Some(state.subs.clone()),
        (None, None, None) => (order == StateOrder::DEFAULT).then(Vec::new),
    };
    let (transitions, commands) =
        signed.map_or((Vec::new(), Vec::new()), |(_, transitions, commands)| (transitions, commands));
    Decided { order, known: subs.is_some(), subs: subs.unwrap_or_default(), commands, transitions }
}

fn commands(wishes: &[Wish]) -> Vec<Command> {
    wishes.iter().map(|wish| wish.command.clone()).collect()
}

impl Decided {
    /// A state of which nothing is known.
    const fn unseen() -> Self {
        let order = StateOrder::DEFAULT;
        Self { order, known: false, subs: Vec::new(), commands: Vec::new(), transitions: Vec::new() }
    }

    fn lock(&self, id: &LockId) -> Option<&Lock> {
        let sub = self.subs.iter().find(|sub| sub.asset == id.asset)?;
        sub.locks_of(id.giver).iter().find(|lock| lock.index == id.index)
    }

    /// How court closed a lock that this state holds: paid if its secret was revealed in time.
    fn is_paid(lock: &Lock, ctx: &Context<'_>) -> bool {
        was_revealed(&lock.hash, lock.expiry, ctx)
    }

    /// Whether the own frame that made the state settled a lock.
    fn settled(&self, id: &LockId) -> bool {
        let settles = |transition: &Transition| matches!(transition, Transition::Settle { lock, .. } if lock == id);
        let wished = |command: &Command| matches!(command, Command::Settle { lock, .. } if lock == id);
        self.transitions.iter().any(settles) || self.commands.iter().any(wished)
    }
}

/// Locks of the partner that were reported as received.
fn close_incoming(old: &Record, decided: &Decided, ctx: &Context<'_>, step: &mut Step) {
    let unreported = ordered::set(old.unreported.iter().filter_map(|event| match event {
        Event::LockReceived { id, .. } => Some(*id),
        _ => None,
    }));
    let reported = old.base.state.locks_of(old.side.other()).filter(|(id, _)| !unreported.contains(id));
    for (id, lock) in reported {
        let paid = match decided.lock(&id) {
            Some(lock) => Decided::is_paid(lock, ctx),
            None => decided.settled(&id),
        };
        let closed = if paid { Closed::Settled } else { Closed::Expired };
        let epoch = old.base.state.epoch;
        step.event(Event::IncomingClosed { id, lock: lock.clone(), closed, epoch });
    }
}

/// Own locks: those of the base, and those that stand in a frame without an answer.
fn close_outgoing(old: &Record, decided: &Decided, ctx: &Context<'_>, step: &mut Step) {
    let base = old.base.state.locks_of(old.side);
    let mut locks: Vec<OwnLock> = base
        .map(|(id, lock)| OwnLock {
            reference: old.references.get(&id).copied(),
            hash: lock.hash,
            expiry: lock.expiry,
            id: Some(id),
        })
        .collect();
    let own = old.own.iter().flat_map(|own| &own.wishes).chain(&old.queue).map(|wish| &wish.command);
    for command in own.chain(old.limbo.iter().map(|(command, _)| command)) {
        if let Command::Lock { asset, amount, hash, expiry, reference, .. } = command {
            // In the state that decided it has the first index that no lock before had.
            let same = |(id, lock): &(LockId, &Lock)| {
                (lock.amount, lock.hash, lock.expiry) == (*amount, *hash, *expiry)
                    && old.base.state.lock(id).is_none()
                    && decided.commands.contains(command)
                    && !locks.iter().any(|taken| taken.id == Some(*id))
            };
            let id = locks_of(&decided.subs, *asset, old.side).into_iter().find(same).map(|(id, _)| id);
            locks.push(OwnLock { reference: Some(*reference), hash: *hash, expiry: *expiry, id });
        }
    }
    for lock in locks {
        let OwnLock { reference, hash, .. } = lock;
        match lock.is_paid(decided, ctx).then(|| ctx.chain.secret(&hash)).flatten() {
            Some(secret) => step.event(Event::OutgoingSettled { reference, secret }),
            None => step.event(Event::OutgoingFailed { reference, hash, reason: OutgoingFailure::ClosedByCourt }),
        }
    }
}

/// An own lock that court has closed.
struct OwnLock {
    reference: Option<Reference>,
    hash: Hash,
    expiry: UsableHeight,
    /// Its name in the state that decided, if that is known and may hold it.
    id: Option<LockId>,
}

impl OwnLock {
    /// Whether it counts as paid. Where the state that decided is not known it may have held the lock: with its secret
    /// revealed in time court has then taken the money, and who thinks that it failed pays twice, or gives back what
    /// it forwarded. The secret settles what came in, and proves the payment; so nothing is lost when court had it not.
    fn is_paid(&self, decided: &Decided, ctx: &Context<'_>) -> bool {
        if !decided.known {
            return was_revealed(&self.hash, self.expiry, ctx);
        }
        self.id.and_then(|id| decided.lock(&id)).is_some_and(|lock| Decided::is_paid(lock, ctx))
    }
}

/// Whether the registry shows a secret as revealed in time.
fn was_revealed(hash: &Hash, expiry: UsableHeight, ctx: &Context<'_>) -> bool {
    let height = ctx.chain.head().height;
    ctx.chain.revealed(hash, height).is_some_and(|at| at <= expiry)
}

fn locks_of(subs: &[Sub], asset: AssetId, giver: Side) -> Vec<(LockId, &Lock)> {
    let locks = subs.iter().filter(|sub| sub.asset == asset).flat_map(|sub| sub.locks_of(giver));
    locks.map(|lock| (LockId { asset, giver, index: lock.index }, lock)).collect()
}

/// Wishes other than locks are done if the state that decided holds them, and dead otherwise.
fn close_wishes(old: &Record, decided: &Decided, step: &mut Step) {
    let pending = old.own.iter().flat_map(|own| &own.wishes).chain(&old.queue).map(|wish| &wish.command);
    for command in pending.chain(old.limbo.iter().map(|(command, _)| command)) {
        match command {
            Command::Lock { .. } => {}
            Command::Pay { reference, .. } if decided.commands.contains(command) => {
                step.event(Event::Paid { reference: *reference });
            }
            _ => step.command_failed(command.clone(), CommandFailure::EpochEnded),
        }
    }
}
