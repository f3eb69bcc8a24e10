//! The checkers' side of a hub: what every honest party counts on, against every state by which court
//! could decide. Nothing here asks a machine what it is worth: only states that left it, payments that
//! were reported as ended, and the ledger.

use super::super::host::Host;
use super::{FRD, Hub, INSURANCE_PRICE};
use fair_core::channel::state::{ChannelState, Lock};
use fair_core::types::{Hash, PublicKey, Side};
use fair_core::wallet::{Direction, InvoiceState, Kind, Payment, PaymentState};
use std::collections::{BTreeMap, BTreeSet};

/// States of one channel by which court could decide, seen from one side, with the chain's part.
struct Exposed {
    partner: PublicKey,
    side: Side,
    states: Vec<ChannelState>,
    insurance: i128,
    /// What this side put in on-chain, less what it took out.
    inflow: i128,
    /// What the partner could still take out by consents that this side gave.
    consented: i128,
    /// Most credit ever granted.
    credit: i128,
    /// What court gave it in this channel beyond what it had put in.
    judged: i128,
}

/// The off-chain part of a side's balance.
fn own_part(state: &ChannelState, side: Side) -> i128 {
    let offdelta = i128::from(state.offdelta(FRD));
    if side == Side::Left { offdelta } else { -offdelta }
}

fn all_locks(state: &ChannelState) -> impl Iterator<Item = &Lock> {
    state.subs.iter().flat_map(|sub| sub.left_locks.iter().chain(&sub.right_locks))
}

fn given(state: &ChannelState, side: Side) -> i128 {
    state.sub(FRD).map_or(0, |sub| sub.locks_of(side).iter().map(|lock| i128::from(lock.amount)).sum())
}

impl Hub {
    fn exposed(&self, host: usize) -> Vec<Exposed> {
        let own = &self.hosts[host];
        let partners = self.plan.links.iter().filter_map(|(a, b)| match (*a == host, *b == host) {
            (true, _) => Some(*b),
            (_, true) => Some(*a),
            _ => None,
        });
        let with = partners.filter(|partner| own.channel(&self.hosts[*partner].public()).is_some());
        with.map(|partner| self.exposed_to(host, partner)).collect()
    }

    fn exposed_to(&self, host: usize, partner: usize) -> Exposed {
        let (own, parties) = (&self.hosts[host], self.parties((host, partner)));
        let partner = self.hosts[partner].public();
        let side = parties.side_of(&own.public()).expect("a party");
        let facts = self.ledger.state().channel(&parties).asset(FRD).copied();
        let (insurance, ondelta) =
            facts.map_or((0, 0), |facts| (i128::from(facts.insurance), i128::from(facts.ondelta)));
        let inflow = if side == Side::Left { ondelta } else { insurance - ondelta };
        // A host that is behind holds states of an epoch that is over.
        let epoch = self.ledger.state().channel(&parties).epoch;
        let mut states: Vec<_> = own.threats(&partner).into_iter().filter(|state| state.epoch == epoch).collect();
        if states.is_empty() {
            let chain_id = self.ledger.state().chain_id();
            states.push(ChannelState::default_of(chain_id, parties, epoch, Hash([0; 32])));
        }
        let for_left = self.judged.get(&parties).copied().unwrap_or(0);
        Exposed {
            partner,
            side,
            states,
            insurance,
            inflow,
            consented: self.consented(own, &partner, side),
            credit: own.credit.get(&partner).map_or(0, |limit| i128::from(*limit)),
            judged: if side == Side::Left { for_left } else { -for_left },
        }
    }

    /// The largest consent that the next block would execute: all of one number exclude each other.
    fn consented(&self, own: &Host, partner: &PublicKey, side: Side) -> i128 {
        let state = self.ledger.state();
        let Some(released) = own.released.get(partner) else { return 0 };
        let alive = released.consents.iter().map(|proof| &proof.body).filter(|consent| {
            let facts = state.channel(&consent.parties).asset(consent.asset).copied();
            consent.withdrawer == side.other()
                && consent.expires_at >= state.usable_height()
                && facts.is_some_and(|facts| {
                    facts.next_consent(consent.withdrawer) == consent.nonce && facts.insurance >= consent.amount
                })
        });
        alive.map(|consent| i128::from(consent.amount)).max().unwrap_or(0)
    }

    /// Rule 11 for a user.
    ///
    /// # Errors
    /// A sentence with the numbers.
    pub fn check_user(&self, user: usize) -> Result<(), String> {
        let counted: i128 = self.hosts[user].wallet().payments().map(counts).sum();
        let exposed = self.exposed(user);
        // A frame that brings a deposit also pays the price that was agreed on for it.
        let unanswered = exposed.iter().filter(|channel| channel.states.len() > 1).count() as i128;
        let counted = counted - unanswered * i128::from(INSURANCE_PRICE);
        let counted = counted - exposed.iter().map(|channel| channel.judged).sum::<i128>();
        let worst = |channel: &Exposed| {
            let owns = channel.states.iter().map(|state| own_part(state, channel.side) - given(state, channel.side));
            owns.min().unwrap_or(0)
        };
        let owns: i128 = exposed.iter().map(worst).sum();
        if owns < counted {
            return Err(format!("user {user} owns {owns} beside its deposits but counts on {counted}"));
        }
        let covered = |channel: &Exposed| {
            (channel.inflow + worst(channel)).min(channel.insurance - channel.consented) + channel.credit
        };
        let safe: i128 = exposed.iter().map(covered).sum();
        let inflow: i128 = exposed.iter().map(|channel| channel.inflow).sum();
        if safe < inflow + counted {
            return Err(format!("user {user} can lose {} beyond its credit", inflow + counted - safe));
        }
        Ok(())
    }

    /// A bank never loses by mediation, and has no more at risk than it granted, by whatever states court
    /// decides in all of its channels at once. `honest` users' reports of what they paid it are believed.
    ///
    /// # Errors
    /// A sentence with the numbers.
    pub fn check_bank(&self, bank: usize, honest: &[usize]) -> Result<(), String> {
        let exposed = self.exposed(bank);
        let forwards = self.hosts[bank].bank().forwards().filter(|forward| forward.secret.is_some());
        let locks = exposed.iter().flat_map(|channel| channel.states.iter().flat_map(all_locks));
        let revealed: BTreeSet<Hash> = locks.filter(|lock| self.is_revealed(lock)).map(|lock| lock.hash).collect();
        let known: BTreeSet<Hash> = forwards.map(|forward| forward.hash).chain(revealed.iter().copied()).collect();
        let unanswered = exposed.iter().filter(|channel| channel.states.len() > 1).count() as i128;
        let slack = unanswered * i128::from(INSURANCE_PRICE);
        let earned: i128 = honest.iter().map(|user| self.paid_to(*user, bank)).sum();
        let judged: i128 = exposed.iter().map(|channel| channel.judged).sum();
        let least = earned - slack - i128::from(self.hosts[bank].direct) - judged;
        let now = self.hosts[bank].chain().head.usable_height;
        let margin = u64::from(self.ledger.state().parameters().margin_blocks);
        let mut choice = vec![0; exposed.len()];
        loop {
            let chosen = exposed.iter().zip(&choice).map(|(channel, at)| (channel.side, &channel.states[*at]));
            let states: Vec<_> = chosen.collect();
            let worth = worst_worth(&states, (&known, &revealed), now, margin);
            if worth < least {
                return Err(format!("bank {bank} has {worth} in its channels, it counts on {least}"));
            }
            let Some(next) = (0..choice.len()).find(|place| choice[*place] + 1 < exposed[*place].states.len()) else {
                break;
            };
            choice[next] += 1;
            choice[..next].fill(0);
        }
        exposed.iter().try_for_each(|channel| check_cover(channel, &known))
    }

    /// Whether the registry shows that a lock is its receiver's.
    fn is_revealed(&self, lock: &Lock) -> bool {
        self.ledger.state().hashlock(&lock.hash).is_some_and(|entry| entry.revealed_at <= lock.expiry)
    }

    /// What a user reports as irrevocably paid to a bank: directly, as prices, and as fees where there is
    /// one bank only.
    fn paid_to(&self, user: usize, bank: usize) -> i128 {
        let key = self.hosts[bank].public();
        let paid = self.hosts[user].wallet().payments().filter(|payment| payment.state == PaymentState::Paid);
        let out = paid.filter(|payment| payment.direction == Direction::Out);
        out.map(|payment| match payment.kind {
            Kind::Direct | Kind::InsurancePrice if payment.counterparty == Some(key) => i128::from(payment.amount),
            Kind::Invoice | Kind::Spontaneous if self.plan.banks == 1 => i128::from(payment.fee),
            _ => 0,
        })
        .sum()
    }

    /// What is paid at one end is not failed at the other.
    ///
    /// # Errors
    /// A sentence with the payment.
    pub fn check_payments(&self) -> Result<(), String> {
        for order in &self.orders {
            let Some(payment) = self.hosts[order.payer].wallet().payment(&order.request) else { continue };
            let arrived = self.arrived(order.payee, payment);
            if arrived > 1 {
                return Err(format!("paid {arrived} times: {payment:?}"));
            }
            if arrived == 1 && payment.state == PaymentState::Failed {
                return Err(format!("arrived and failed: {payment:?}"));
            }
        }
        Ok(())
    }

    fn arrived(&self, payee: usize, payment: &Payment) -> usize {
        let same = |other: &&Payment| {
            other.direction == Direction::In && other.hash == payment.hash && other.state == PaymentState::Paid
        };
        self.hosts[payee].wallet().payments().filter(same).count()
    }

    /// What waits anywhere, in words; nothing at rest.
    pub fn unrest(&self) -> Vec<String> {
        let mut waits = Vec::new();
        for (wire, queue) in self.wires.iter().filter(|(_, queue)| !queue.is_empty()) {
            waits.push(format!("{} messages on {wire:?}", queue.len()));
        }
        for (a, b) in self.plan.links.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]) {
            let Some(channel) = self.channel(a, b) else { continue };
            let shared = &channel.agreement().shared;
            let held = [Side::Left, Side::Right].iter().any(|side| shared.hold(FRD, *side).is_some());
            let locks = channel.incoming_locks().chain(channel.outgoing_locks()).count();
            let in_court = self.ledger.state().dispute(&channel.parties()).is_some();
            if in_court || channel.is_frozen() {
                waits.push(format!("{a} with {b} is in court"));
            }
            if !channel.is_idle() || held || locks > 0 {
                let what = format!("{} wishes, {locks} locks, holds: {held}", channel.waiting_wishes());
                waits.push(format!("{a} with {b}: {what}, suspended: {:?}", channel.suspended()));
            }
        }
        for user in self.users() {
            let open = self.hosts[user].wallet().payments().filter(|payment| payment.ended_ms.is_none());
            waits.extend(open.map(|payment| format!("{user}: {:?} {:?}", payment.kind, payment.state)));
        }
        for bank in 0..self.plan.banks {
            let forwards = self.hosts[bank].bank().forwards();
            waits.extend(forwards.map(|forward| format!("{bank}: forward {}", forward.reference)));
            let under_way = self.hosts[bank].bank().on_chain().under_way();
            waits.extend(under_way.map(|sent| format!("{bank}: batch {}", sent.hash)));
        }
        waits
    }

    /// At rest: both ends agree on everything, the books are exact, and every payment is paid on both
    /// sides or failed on both.
    ///
    /// # Errors
    /// What differs.
    pub fn check_rest(&self) -> Result<(), String> {
        for (a, b) in &self.plan.links {
            self.check_link(*a, *b)?;
        }
        for user in self.users() {
            let counted: i128 = self.hosts[user].wallet().payments().map(counts).sum();
            let exposed = self.exposed(user);
            let owns: i128 = exposed.iter().flat_map(|c| c.states.iter().map(|state| own_part(state, c.side))).sum();
            let owns = owns + exposed.iter().map(|channel| channel.judged).sum::<i128>();
            if owns != counted {
                return Err(format!("user {user} owns {owns} beside its deposits and counts on {counted}"));
            }
        }
        for order in &self.orders {
            let Some(payment) = self.hosts[order.payer].wallet().payment(&order.request) else { continue };
            let arrived = self.arrived(order.payee, payment);
            if (payment.state == PaymentState::Paid) != (arrived == 1) {
                return Err(format!("{:?} but arrived {arrived} times: {payment:?}", payment.state));
            }
            let id = payment.invoice.as_ref().map(|invoice| invoice.body.id);
            let own = id.and_then(|id| self.hosts[order.payee].wallet().invoice(&id));
            if let Some(own) = own
                && arrived == 1
                && own.state != InvoiceState::Paid
            {
                return Err(format!("a paid invoice is {:?}", own.state));
            }
        }
        Ok(())
    }

    fn check_link(&self, a: usize, b: usize) -> Result<(), String> {
        let (Some(one), Some(other)) = (self.channel(a, b), self.channel(b, a)) else {
            return Err(format!("no channel between {a} and {b}"));
        };
        if one.agreement() != other.agreement() || one.signatures() != other.signatures() {
            return Err(format!("{a} and {b} hold different states"));
        }
        let facts = self.ledger.state().channel(&self.parties((a, b))).asset(FRD).copied();
        let (insurance, ondelta) = facts.map_or((0, 0), |facts| (facts.insurance, facts.ondelta));
        let noted = one.agreement().shared.asset(FRD).map_or((0, 0), |entry| (entry.insurance, entry.ondelta));
        if noted != (insurance, ondelta) {
            return Err(format!("{a} and {b} note {noted:?} where the chain has {:?}", (insurance, ondelta)));
        }
        Ok(())
    }
}

/// What a payment adds to what its owner counts on.
fn counts(payment: &Payment) -> i128 {
    match (payment.direction, payment.state) {
        (Direction::In, PaymentState::Paid) => i128::from(payment.amount),
        (Direction::Out, PaymentState::Failed) | (Direction::In, _) => 0,
        (Direction::Out, _) => -i128::from(payment.amount) - i128::from(payment.fee),
    }
}

/// Locks of one hash: expiry and amount.
#[derive(Default)]
struct Locks {
    incoming: Vec<(u64, i128)>,
    outgoing: Vec<(u64, i128)>,
}

impl Locks {
    /// What they come to when the secret comes out at the time that is worst for the bank. What pays it
    /// counts if it can still be settled a margin later.
    fn worst(&self, margin: u64) -> i128 {
        let at = |time: u64| {
            let incoming = self.incoming.iter().filter(|(expiry, _)| *expiry > time + margin);
            let outgoing = self.outgoing.iter().filter(|(expiry, _)| *expiry >= time);
            incoming.map(|(_, amount)| amount).sum::<i128>() - outgoing.map(|(_, amount)| amount).sum::<i128>()
        };
        self.outgoing.iter().map(|(expiry, _)| at(*expiry)).min().unwrap_or(0).min(0)
    }

    /// What they come to when the secret is known.
    fn known(&self) -> i128 {
        let sum = |locks: &[(u64, i128)]| locks.iter().map(|(_, amount)| amount).sum::<i128>();
        sum(&self.incoming) - sum(&self.outgoing)
    }
}

/// What all channels are worth together when court decides by these states and every secret that is not
/// known comes out only if that costs the bank: locks of one hash are settled together. A lock that can no
/// longer be settled is nobody's.
fn worst_worth(
    states: &[(Side, &ChannelState)],
    (known, revealed): (&BTreeSet<Hash>, &BTreeSet<Hash>),
    now: u64,
    margin: u64,
) -> i128 {
    let mut hashes: BTreeMap<Hash, Locks> = BTreeMap::new();
    let mut worth = 0;
    for (side, state) in states {
        worth += own_part(state, *side);
        let given = state.locks_of(*side).filter(|(id, _)| id.asset == FRD);
        for (_, lock) in given.filter(|(_, lock)| now <= lock.expiry || revealed.contains(&lock.hash)) {
            hashes.entry(lock.hash).or_default().outgoing.push((lock.expiry, lock.amount.into()));
        }
        for (_, lock) in state.locks_of(side.other()).filter(|(id, _)| id.asset == FRD) {
            hashes.entry(lock.hash).or_default().incoming.push((lock.expiry, lock.amount.into()));
        }
    }
    let of = |(hash, locks): (&Hash, &Locks)| if known.contains(hash) { locks.known() } else { locks.worst(margin) };
    worth + hashes.iter().map(of).sum::<i128>()
}

/// In every state, what the bank owns beyond the insurance that stays is within the credit that it granted.
fn check_cover(channel: &Exposed, known: &BTreeSet<Hash>) -> Result<(), String> {
    for state in &channel.states {
        let opened = state.locks_of(channel.side.other()).filter(|(_, lock)| known.contains(&lock.hash));
        let coming: i128 = opened.map(|(_, lock)| i128::from(lock.amount)).sum();
        let balance = channel.inflow + own_part(state, channel.side) + coming;
        let most = channel.insurance - channel.consented + channel.credit;
        if balance > most {
            return Err(format!("{} of {balance} with {} is not covered", balance - most, channel.partner));
        }
    }
    Ok(())
}
