//! Payments that a bank mediates: the incoming lock, the outgoing lock, and how one ends because of the other.
//!
//! ```text
//!   incoming irrevocable ─► Lock out ─┬─ secret learned ─► Settle in ─► both closed, forgotten
//!                                     ├─ out in no possible outcome (a) ─► Fail in ─► forgotten
//!                                     └─ U > expiry_out, not revealed in time (b) ─► Fail in; the
//!                                        outgoing lock is expired by its channel
//! ```
//!
//! A forward is stored in the same write as the outgoing lock's wish, and forgotten when both locks are closed.

use super::mediation::{self, InFlight, Situation};
use super::{Bank, Event, Out};
use crate::account::{BadRecord, read};
use crate::channel::event::{Closed, Command, Reference};
use crate::channel::state::{Lock, LockId};
use crate::channel::transition::FailReason;
use crate::codec;
use crate::crypto::{self, Secret, Tag};
use crate::effect::Write;
use crate::payment::onion;
use crate::payment::route::Fee;
use crate::peers::Chain;
use crate::types::{Amount, AssetId, Epoch, Hash, PublicKey, TimeMs, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// First byte of a forward's key.
const FORWARD: u8 = b'f';
/// For the references of forwards.
const REFERENCE: Tag = Tag(b"fair/forward/001");

/// A payment that is mediated.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Forward {
    /// Names the outgoing lock's wish.
    pub reference: Reference,
    /// What.
    pub asset: AssetId,
    /// The lock hash.
    pub hash: Hash,
    /// The incoming lock.
    pub origin: Origin,
    /// The outgoing lock.
    pub outgoing: Outgoing,
    /// Known from the outgoing channel; from then on the incoming lock is never failed.
    pub secret: Option<Secret>,
}

/// An incoming lock.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Origin {
    /// Who gave it.
    pub peer: PublicKey,
    /// Its name.
    pub lock: LockId,
    /// How much.
    pub amount: Amount,
    /// When it expires.
    pub expiry: UsableHeight,
    /// It is gone.
    pub closed: bool,
}

/// An outgoing lock.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Outgoing {
    /// Who gets it.
    pub peer: PublicKey,
    /// How much.
    pub amount: Amount,
    /// When it expires.
    pub expiry: UsableHeight,
    /// It is gone.
    pub closed: bool,
}

/// All forwards, found from both ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Forwards {
    by_reference: BTreeMap<Reference, Forward>,
    by_origin: BTreeMap<(PublicKey, LockId), Reference>,
    by_expiry: BTreeSet<(UsableHeight, Reference)>,
    by_hash: BTreeSet<(PublicKey, Hash, Reference)>,
}

impl Forwards {
    pub(super) fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<bool, BadRecord> {
        if key.first() != Some(&FORWARD) {
            return Ok(false);
        }
        self.index(read(FORWARD, value)?);
        Ok(true)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Forward> {
        self.by_reference.values()
    }

    fn index(&mut self, forward: Forward) {
        if !forward.origin.closed {
            self.by_origin.insert((forward.origin.peer, forward.origin.lock), forward.reference);
        }
        self.by_expiry.insert((forward.outgoing.expiry, forward.reference));
        self.by_hash.insert((forward.outgoing.peer, forward.hash, forward.reference));
        self.by_reference.insert(forward.reference, forward);
    }

    fn add(&mut self, forward: Forward, write: &mut Write) {
        write.put(forward_key(forward.reference), codec::encode(&forward));
        self.index(forward);
    }

    /// Stores a change, or forgets a forward of which both locks are gone.
    fn changed(&mut self, reference: Reference, write: &mut Write) {
        let Some(forward) = self.by_reference.get(&reference) else { return };
        let origin = (forward.origin.peer, forward.origin.lock);
        if forward.origin.closed && self.by_origin.get(&origin) == Some(&reference) {
            // The next epoch may have a lock of this name.
            self.by_origin.remove(&origin);
        }
        if forward.origin.closed && forward.outgoing.closed {
            self.by_expiry.remove(&(forward.outgoing.expiry, reference));
            self.by_hash.remove(&(forward.outgoing.peer, forward.hash, reference));
            self.by_reference.remove(&reference);
            write.delete(forward_key(reference));
        } else {
            write.put(forward_key(reference), codec::encode(forward));
        }
    }

    fn is_known(&self, peer: &PublicKey, lock: &LockId) -> bool {
        self.by_origin.contains_key(&(*peer, *lock))
    }

    /// What a partner's forwarded locks hold in an asset.
    fn in_flight(&self, peer: &PublicKey, asset: AssetId) -> InFlight {
        let all = self.by_origin.range(first_of(*peer)..).take_while(|((giver, _), _)| giver == peer);
        all.filter_map(|(_, reference)| self.by_reference.get(reference)).fold(InFlight::default(), |sum, forward| {
            let amount = if forward.asset == asset { forward.origin.amount } else { 0 };
            InFlight { locks: sum.locks.saturating_add(1), amount: sum.amount.saturating_add(amount) }
        })
    }

    /// Forwards whose outgoing lock is with `peer`, with this hash, and whose secret is not known.
    fn waiting_for(&self, peer: &PublicKey, hash: &Hash) -> Vec<Reference> {
        let same = self.by_hash.range((*peer, *hash, 0)..=(*peer, *hash, Reference::MAX));
        let waits =
            |reference: &Reference| self.by_reference.get(reference).is_some_and(|forward| forward.secret.is_none());
        same.map(|(_, _, reference)| *reference).filter(waits).collect()
    }
}

fn first_of(peer: PublicKey) -> (PublicKey, LockId) {
    (peer, LockId { asset: AssetId(0), giver: crate::types::Side::Right, index: 0 })
}

fn forward_key(reference: Reference) -> Vec<u8> {
    let mut key = vec![FORWARD];
    key.extend_from_slice(&reference.to_be_bytes());
    key
}

/// One incoming lock has one reference, whatever happens in between.
fn reference_of(peer: &PublicKey, epoch: Epoch, lock: &LockId) -> Reference {
    let digest = crypto::hash(REFERENCE, &[&peer.0, &epoch.to_le_bytes(), &codec::encode(lock)]);
    let [a, b, c, d, e, f, g, h, ..] = digest.0;
    Reference::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl Bank {
    /// An incoming lock is irrevocable: forward it or fail it.
    #[allow(clippy::too_many_arguments, reason = "the fields of one event and the context of every handler")]
    pub(super) fn mediate(
        &mut self,
        peer: PublicKey,
        id: LockId,
        lock: Lock,
        packet: &[u8],
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        if let Err(reason) = self.try_forward(peer, id, &lock, packet, chain, now_ms, out) {
            // Refused only when it is being closed already.
            let _ = self.peers.command(&peer, Command::Fail { lock: id, reason }, chain, now_ms, out);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one event and the context of every handler")]
    fn try_forward(
        &mut self,
        peer: PublicKey,
        id: LockId,
        lock: &Lock,
        packet: &[u8],
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) -> Result<(), FailReason> {
        let parameters = chain.parameters();
        let max_hops = parameters.max_hops;
        let opened = onion::open(&chain.state.chain_id(), &lock.hash, packet, max_hops, self.peers.secret_key()).ok();
        let policy = self.config.assets.iter().find(|policy| policy.asset == id.asset);
        let situation = Situation {
            parameters,
            usable_height: chain.head.usable_height,
            fee: chain.state.bank(&self.peers.own_key()).map_or_else(Fee::default, Fee::of),
            in_flight: self.forwards.in_flight(&peer, id.asset),
            max_forwards: self.config.max_forwards,
            max_in_flight: policy.map(|policy| policy.max_in_flight),
        };
        let decided = mediation::decide(&id, lock, opened.as_ref(), &peer, &situation)?;
        if self.peers.get(&decided.next).is_none() {
            return Err(FailReason::UnknownNextHop);
        }
        if !self.peers.is_connected(&decided.next) || chain.is_stale(now_ms) {
            return Err(FailReason::NextHopUnavailable);
        }
        let onion = onion::forward(packet, max_hops, &mut self.entropy).map_err(|_| FailReason::BadOnion)?;
        let epoch = self.peers.get(&peer).map_or(0, |peer| peer.channel.agreement().state.epoch);
        let reference = reference_of(&peer, epoch, &id);
        let (asset, amount, hash, expiry) = (id.asset, decided.amount, lock.hash, decided.expiry);
        let command = Command::Lock { asset, amount, hash, expiry, onion, reference };
        self.peers.command(&decided.next, command, chain, now_ms, out).map_err(|_| FailReason::NextHopUnavailable)?;
        let forward = Forward {
            reference,
            asset,
            hash,
            origin: Origin { peer, lock: id, amount: lock.amount, expiry: lock.expiry, closed: false },
            outgoing: Outgoing { peer: decided.next, amount, expiry, closed: false },
            secret: None,
        };
        self.forwards.add(forward, &mut out.write);
        Ok(())
    }

    /// The secret of an outgoing lock is known: the incoming one can be settled at once, unless several
    /// locks share the hash, and each waits for its own.
    pub(super) fn learned(
        &mut self,
        peer: PublicKey,
        hash: Hash,
        secret: Secret,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        if let [reference] = self.forwards.waiting_for(&peer, &hash)[..] {
            self.settle_origin(reference, secret, chain, now_ms, out);
        }
    }

    pub(super) fn outgoing_settled(
        &mut self,
        peer: PublicKey,
        reference: Option<Reference>,
        secret: Secret,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        let hash = crypto::lock_hash(&secret);
        // After data loss the channel has forgotten whose wish a lock was; its hash still says it.
        let waiting = || self.forwards.waiting_for(&peer, &hash).first().copied();
        let Some(reference) = reference.or_else(waiting) else {
            self.settle_forgotten(&hash, secret, chain, now_ms, out);
            return;
        };
        let Some(forward) = self.forwards.by_reference.get_mut(&reference) else { return };
        forward.outgoing.closed = true;
        let known = forward.secret.is_some();
        let fee = forward.origin.amount.saturating_sub(forward.outgoing.amount);
        out.notify(Event::Mediated { asset: forward.asset, amount: forward.outgoing.amount, fee });
        if known {
            self.forwards.changed(reference, &mut out.write);
        } else {
            self.settle_origin(reference, secret, chain, now_ms, out);
        }
    }

    /// The forward itself was lost. Of the locks with this hash that may have been forwarded before, one was; amount and
    /// asset of what was forwarded are forgotten, so in each asset the largest that is not being closed already is taken.
    fn settle_forgotten(&mut self, hash: &Hash, secret: Secret, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        let mut found = Vec::new();
        for peer in self.peers.keys() {
            let locks = self.peers.get(&peer).into_iter().flat_map(|peer| peer.channel.maybe_forwarded());
            let locks = locks.filter(|(id, lock)| lock.hash == *hash && !self.forwards.is_known(&peer, id));
            found.extend(locks.map(|(id, lock)| (id.asset, Reverse(lock.amount), peer, id)));
        }
        found.sort_unstable();
        let mut settled = BTreeSet::new();
        for (asset, _, peer, lock) in found {
            let is_first = !settled.contains(&asset);
            if is_first && self.peers.command(&peer, Command::Settle { lock, secret }, chain, now_ms, out).is_ok() {
                settled.insert(asset);
            }
        }
    }

    fn settle_origin(
        &mut self,
        reference: Reference,
        secret: Secret,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        let Some(forward) = self.forwards.by_reference.get_mut(&reference) else { return };
        forward.secret = Some(secret);
        let (peer, lock) = (forward.origin.peer, forward.origin.lock);
        // Refused only when the lock is gone or being closed already.
        let _ = self.peers.command(&peer, Command::Settle { lock, secret }, chain, now_ms, out);
        self.forwards.changed(reference, &mut out.write);
    }

    /// (a): the outgoing lock is in no possible outcome.
    pub(super) fn outgoing_failed(
        &mut self,
        peer: PublicKey,
        reference: Option<Reference>,
        hash: Hash,
        chain: &Chain<'_>,
        now_ms: TimeMs,
        out: &mut Out,
    ) {
        let waiting = || self.forwards.waiting_for(&peer, &hash).first().copied();
        let Some(reference) = reference.or_else(waiting) else { return };
        let Some(forward) = self.forwards.by_reference.get_mut(&reference) else { return };
        forward.outgoing.closed = true;
        if forward.secret.is_none() {
            self.fail_origin(reference, chain, now_ms, out);
        }
        self.forwards.changed(reference, &mut out.write);
    }

    fn fail_origin(&mut self, reference: Reference, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        let Some(forward) = self.forwards.by_reference.get(&reference) else { return };
        let (peer, lock) = (forward.origin.peer, forward.origin.lock);
        // Refused when it is being closed already, which is what is wanted.
        let _ = self.peers.command(&peer, Command::Fail { lock, reason: FailReason::Downstream }, chain, now_ms, out);
    }

    /// (b): U > expiry_out and not revealed at U ≤ expiry_out: from then on no settlement of the outgoing
    /// lock is accepted, so the incoming one goes back although the outgoing one still stands in a state.
    pub(super) fn fail_overdue(&mut self, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        if chain.is_stale(now_ms) {
            return;
        }
        let due = self.forwards.by_expiry.range(..(chain.head.usable_height, 0)).map(|(_, reference)| *reference);
        for reference in due.collect::<Vec<_>>() {
            let open = |forward: &Forward| forward.secret.is_none() && !forward.origin.closed;
            if self.forwards.by_reference.get(&reference).is_some_and(open) {
                self.fail_origin(reference, chain, now_ms, out);
            }
        }
    }

    pub(super) fn incoming_closed(
        &mut self,
        peer: PublicKey,
        id: LockId,
        closed: Closed,
        chain: &Chain<'_>,
        out: &mut Out,
    ) {
        let Some(reference) = self.forwards.by_origin.get(&(peer, id)).copied() else { return };
        let Some(forward) = self.forwards.by_reference.get_mut(&reference) else { return };
        forward.origin.closed = true;
        if closed == Closed::Settled && forward.secret.is_none() {
            // Revealed by somebody else, too late for the outgoing lock; the registry may have forgotten it since.
            forward.secret = chain.state.hashlock(&forward.hash).map(|entry| entry.secret);
        }
        self.forwards.changed(reference, &mut out.write);
    }

    /// The registry is global: what is revealed downstream in time settles upstream too, whatever the outgoing
    /// channel says or does not say.
    pub(super) fn learn_from_registry(&mut self, chain: &Chain<'_>, now_ms: TimeMs, out: &mut Out) {
        let waiting = self.forwards.iter().filter(|forward| forward.secret.is_none());
        let learned: Vec<(Reference, Secret)> = waiting
            .filter_map(|forward| {
                let entry = chain.state.hashlock(&forward.hash)?;
                (entry.revealed_at <= forward.outgoing.expiry).then_some((forward.reference, entry.secret))
            })
            .collect();
        for (reference, secret) in learned {
            self.settle_origin(reference, secret, chain, now_ms, out);
        }
    }
}
