//! What a new block makes due in court, and the batches that come of it.

use super::{CourtEvent, Patience, Resolution, WATCHED, Watch};
use crate::account::{CannotSend, OnChain};
use crate::channel;
use crate::channel::Channel;
use crate::channel::shared::Sides;
use crate::channel::state::ChannelState;
use crate::codec;
use crate::crypto::Secret;
use crate::ledger::operation::{Answer, Dispute, Operation, Reveal};
use crate::ledger::receipt::{Opening, OpeningEvent};
use crate::ledger::state::Key;
use crate::limits;
use crate::message::Signed;
use crate::ordered;
use crate::peers::{Chain, Outbox, Peers};
use crate::types::{Hash, PublicKey, Side, Signature, TimeMs, UsableHeight};
use std::collections::BTreeSet;

/// What drives the watch during one input.
pub(crate) struct Hands<'a, E> {
    pub(crate) peers: &'a mut Peers,
    pub(crate) on_chain: &'a mut OnChain,
    pub(crate) out: &'a mut Outbox<E>,
    /// Makes an event of the owner.
    pub(crate) event: fn(PublicKey, CourtEvent) -> E,
}

impl<E> Hands<'_, E> {
    fn notify(&mut self, peer: PublicKey, what: CourtEvent) {
        let event = (self.event)(peer, what);
        self.out.notify(event);
    }
}

/// What a channel needs of court now.
#[derive(Default)]
struct Needs {
    /// The newest proof, and until when it counts.
    answer: Option<(UsableHeight, Operation)>,
    /// Secrets, each with the last U at which revealing it counts.
    reveals: Vec<(UsableHeight, Secret)>,
    /// A revealed lock is not settled.
    dispute: bool,
}

impl Watch {
    /// Looks at every channel after a block. The channels have been told of it before.
    pub(crate) fn on_block<E>(
        &mut self,
        hands: &mut Hands<'_, E>,
        openings: &[Opening],
        wanted: &BTreeSet<PublicKey>,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) {
        self.problems.clear();
        let mut answers = Vec::new();
        let mut reveals = Vec::new();
        let mut disputes = BTreeSet::new();
        for partner in hands.peers.keys() {
            self.look(partner, hands, openings, chain, now_ms);
            let Some(peer) = hands.peers.get(&partner) else { continue };
            let needs = needs(&peer.channel, self.patience, chain);
            answers.extend(needs.answer);
            reveals.extend(needs.reveals);
            if needs.dispute || wanted.contains(&partner) {
                disputes.insert(partner);
            }
        }
        answers.retain(|(_, answer)| !is_under_way(hands.on_chain, answer));
        let answers = ordered::by_key(answers, |(until, _)| *until);
        let reveals = ordered::by_key(reveals, |reveal| *reveal);
        let answers = answers.into_iter().map(|(_, operation)| operation);
        let reveals = reveal_operations(hands.on_chain, reveals);
        let disputes: Vec<PublicKey> = disputes.into_iter().collect();
        self.send(hands, answers.chain(reveals).collect(), &disputes, chain, now_ms);
    }

    /// Takes a channel to court, unless it is there or on its way.
    pub(crate) fn dispute<E>(
        &mut self,
        partner: PublicKey,
        hands: &mut Hands<'_, E>,
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) -> Result<(), CannotSend> {
        if chain.state.account_id(&partner).is_none() {
            return Err(CannotSend::Unregistered { key: partner });
        }
        self.send(hands, Vec::new(), &[partner], chain, now_ms);
        self.problems.remove(&partner).map_or(Ok(()), Err)
    }

    /// Signs what is needed. Where a dispute was signed the channel is frozen in the same write.
    fn send<E>(
        &mut self,
        hands: &mut Hands<'_, E>,
        mut operations: Vec<Operation>,
        disputes: &[PublicKey],
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) {
        for partner in disputes {
            let registered = chain.state.account_id(partner).is_some();
            let there = chain.channel(hands.peers.own_key(), *partner).dispute().is_some();
            if there || hands.on_chain.disputing(partner).is_some() {
                continue;
            }
            if !registered {
                self.problems.insert(*partner, CannotSend::Unregistered { key: *partner });
            } else if let Some(peer) = hands.peers.get(partner) {
                let proof = proof(&peer.channel);
                if proof.is_none() && !chain.state.channel(&peer.channel.parties()).holds_anything() {
                    self.problems.insert(*partner, CannotSend::NothingAtStake);
                    continue;
                }
                operations.push(Operation::Dispute(Dispute { partner: *partner, proof }));
            }
        }
        let key = hands.peers.secret_key();
        let sent = hands.on_chain.send_court(operations.clone(), key, chain.state, now_ms, &mut hands.out.write);
        for batch in &sent.batches {
            hands.out.push(crate::effect::Effect::Submit { batch: Box::new(batch.batch.clone()) });
        }
        for operation in &operations {
            let Operation::Dispute(dispute) = operation else { continue };
            let partner = dispute.partner;
            if hands.on_chain.disputing(&partner).is_some() {
                hands.peers.tell(&partner, channel::event::Input::Freeze, chain, now_ms, hands.out);
                hands.notify(partner, CourtEvent::Signed);
            } else if let Some(problem) = &sent.problem {
                self.problems.insert(partner, problem.clone());
            }
        }
    }

    /// What changed about one channel.
    fn look<E>(
        &mut self,
        partner: PublicKey,
        hands: &mut Hands<'_, E>,
        openings: &[Opening],
        chain: &Chain<'_>,
        now_ms: TimeMs,
    ) {
        let Some(peer) = hands.peers.get(&partner) else { return };
        let (parties, side) = (peer.channel.parties(), peer.channel.side());
        let frozen = peer.channel.is_frozen();
        let locks = peer.channel.incoming_locks().chain(peer.channel.outgoing_locks());
        let revealed = ordered::set(locks.map(|(_, lock)| lock.hash).filter(|hash| is_news(hash, chain)));
        let dispute = chain.state.dispute(&parties);
        match (self.seen.get(&partner).copied(), dispute) {
            (None, Some(dispute)) => {
                let (by_us, until) = (dispute.starter == side, dispute.answers_until());
                hands.notify(partner, CourtEvent::Disputed { by_us, until });
            }
            (Some(before), Some(dispute)) if dispute.order() > before => {
                hands.notify(partner, CourtEvent::Answered { order: dispute.order() });
            }
            _ => {}
        }
        match dispute {
            Some(dispute) => self.seen.insert(partner, dispute.order()),
            None => self.seen.remove(&partner),
        };
        for hash in revealed {
            hands.notify(partner, CourtEvent::Revealed { hash });
        }
        let on_chain = chain.state.channel(&parties);
        let known = self.last.get(&partner).map_or(0, |last| last.epoch);
        if let (true, Some(order)) = (on_chain.epoch > known, on_chain.resolved) {
            let resolution = Resolution {
                epoch: on_chain.epoch,
                order,
                assets: openings
                    .iter()
                    .find_map(|opening| match &opening.event {
                        OpeningEvent::Resolved { parties: of, epoch, assets, .. }
                            if (*of, *epoch) == (parties, on_chain.epoch) =>
                        {
                            Some(assets.clone())
                        }
                        _ => None,
                    })
                    .unwrap_or_default(),
            };
            let mut key = vec![WATCHED];
            key.extend_from_slice(&partner.0);
            hands.out.write.put(key, codec::encode(&resolution));
            self.last.insert(partner, resolution.clone());
            hands.notify(partner, CourtEvent::Resolved(resolution));
        }
        // A dispute that can still be included holds the channel, also in the epoch after another one.
        let disputing = hands.on_chain.disputing(&partner).is_some();
        if frozen && !disputing {
            hands.peers.tell(&partner, channel::event::Input::Thaw, chain, now_ms, hands.out);
            if dispute.is_none() {
                hands.notify(partner, CourtEvent::Lapsed);
            }
        } else if disputing && !frozen {
            hands.peers.tell(&partner, channel::event::Input::Freeze, chain, now_ms, hands.out);
        }
    }
}

/// Whether the newest block put a hash into the registry.
fn is_news(hash: &Hash, chain: &Chain<'_>) -> bool {
    let before = chain.head.height.saturating_sub(1);
    chain.state.hashlock(hash).is_some() && chain.state.value_at(before, &Key::Hashlock(*hash)) == Ok(None)
}

/// What this party shows: the newest state that the partner signed.
fn proof(channel: &Channel) -> Option<Signed<ChannelState>> {
    let (state, signature) = channel.dispute_proof()?;
    Some(Signed { body: state.clone(), signature })
}

fn needs(channel: &Channel, patience: Patience, chain: &Chain<'_>) -> Needs {
    let mut needs = Needs::default();
    let parties = channel.parties();
    let (state, now) = (chain.state, chain.head.usable_height);
    if state.channel(&parties).epoch != channel.epoch() {
        return needs;
    }
    let dispute = state.dispute(&parties);
    if let (Some(dispute), Some((newest, signature))) = (dispute, channel.dispute_proof()) {
        let until = dispute.answers_until();
        if newest.order() > dispute.order() && now <= until {
            let signatures = by(channel.partner(), signature);
            needs.answer = Some((until, Operation::Answer(Answer { state: newest.clone(), signatures })));
        }
    }
    let off_chain = dispute.is_none() && !channel.is_frozen();
    for (_, lock, secret) in channel.claims() {
        let margin = UsableHeight::from(chain.parameters().margin_blocks);
        match state.hashlock(&lock.hash) {
            // From expiry − margin on, and where nothing is signed, the secret goes on-chain.
            None => {
                if now <= lock.expiry && (!off_chain || now.saturating_add(margin) > lock.expiry) {
                    needs.reveals.push((lock.expiry, secret));
                }
            }
            Some(entry) if entry.revealed_at <= lock.expiry => {
                let longest = chain.parameters().longest_dispute_blocks();
                // Counted from the first reveal: anybody can extend an entry, and so could make a bank wait for ever.
                let keepalive = UsableHeight::from(chain.parameters().hashlock_keepalive_blocks);
                let kept_until = entry.revealed_at.saturating_add(keepalive).min(entry.deleted_at);
                let waited = match patience {
                    Patience::Short => now > entry.revealed_at.saturating_add(half(margin)),
                    Patience::Long => now.saturating_add(longest).saturating_add(margin) >= kept_until,
                };
                needs.dispute |= dispute.is_none() && waited;
            }
            Some(_) => {}
        }
    }
    needs
}

const fn half(blocks: UsableHeight) -> UsableHeight {
    blocks >> 1
}

fn by(side: Side, signature: Signature) -> Sides<Option<Signature>> {
    match side {
        Side::Left => Sides { left: Some(signature), right: None },
        Side::Right => Sides { left: None, right: Some(signature) },
    }
}

/// Whether a batch of ours with as much waits for a block.
fn is_under_way(on_chain: &OnChain, wanted: &Operation) -> bool {
    let Operation::Answer(wanted) = wanted else { return false };
    on_chain.court_under_way().any(|operation| {
        matches!(operation, Operation::Answer(answer)
            if answer.state.parties == wanted.state.parties && answer.state.order() >= wanted.state.order())
    })
}

/// Secrets that no batch under way reveals, in the order of their deadlines.
fn reveal_operations(on_chain: &OnChain, reveals: Vec<(UsableHeight, Secret)>) -> Vec<Operation> {
    let mut known: BTreeSet<Secret> = BTreeSet::new();
    for operation in on_chain.court_under_way() {
        if let Operation::Reveal(reveal) = operation {
            known.extend(&reveal.secrets);
        }
    }
    let secrets: Vec<Secret> =
        reveals.into_iter().map(|(_, secret)| secret).filter(|secret| known.insert(*secret)).collect();
    secrets.chunks(limits::MAX_SECRETS).map(|secrets| Operation::Reveal(Reveal { secrets: secrets.to_vec() })).collect()
}
