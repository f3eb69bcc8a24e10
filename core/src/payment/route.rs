//! Routes: which banks a payment goes through, what they take, when each lock expires
//! (docs/protocol.md, section 5).
//!
//! Banks, their fees and the channels between them are public on-chain. The sender picks the cheapest route;
//! the next one only after the earlier attempt failed irrevocably (the wallet's business).
//!
//! Amounts are computed backwards from the payee: a bank takes `base + ppm` of what it forwards, rounding
//! up, so `incoming = outgoing + fee(outgoing)`, and each incoming lock expires K.hop_delta_blocks after
//! the outgoing one.

use super::onion::{Final, Layer};
use crate::chain::genesis::Bank;
use crate::chain::params::Parameters;
use crate::limits;
use crate::ordered;
use crate::types::{Amount, AssetId, PublicKey, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// What a bank takes for mediating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Fee {
    /// Flat part, in the asset's smallest unit.
    pub base: Amount,
    /// Parts per million of the forwarded amount.
    pub ppm: u32,
}

impl Fee {
    /// As registered.
    pub fn of(bank: &Bank) -> Self {
        Self { base: bank.fee_base, ppm: bank.fee_ppm }
    }

    /// The fee for forwarding an amount, rounded up; `None` when no amount could hold it.
    pub fn on(&self, forwarded: Amount) -> Option<Amount> {
        let share = u128::from(forwarded).checked_mul(u128::from(self.ppm))?.div_ceil(1_000_000);
        Amount::try_from(share).ok()?.checked_add(self.base)
    }

    /// What must come in for an amount to be forwarded.
    pub fn incoming(&self, forwarded: Amount) -> Option<Amount> {
        forwarded.checked_add(self.on(forwarded)?)
    }
}

/// Banks, fees and the channels between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    banks: BTreeMap<PublicKey, Fee>,
    links: BTreeMap<PublicKey, BTreeSet<PublicKey>>,
}

impl Map {
    /// A map of registered banks, without links.
    pub fn new<'a>(banks: impl IntoIterator<Item = &'a Bank>) -> Self {
        Self { banks: ordered::map(banks.into_iter().map(|bank| (bank.key, Fee::of(bank)))), links: BTreeMap::new() }
    }

    /// Adds a channel between two banks, usable both ways. Keys that are no banks are ignored.
    pub fn link(&mut self, a: PublicKey, b: PublicKey) {
        if a != b && self.banks.contains_key(&a) && self.banks.contains_key(&b) {
            self.links.entry(a).or_default().insert(b);
            self.links.entry(b).or_default().insert(a);
        }
    }

    /// What a bank takes, if it is one.
    pub fn fee(&self, bank: &PublicKey) -> Option<Fee> {
        self.banks.get(bank).copied()
    }
}

/// What is to be paid, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What.
    pub asset: AssetId,
    /// What the payee gets.
    pub amount: Amount,
    /// Who.
    pub payee: PublicKey,
    /// Banks through which the payee says it is reached; the payee itself may be a bank.
    pub payee_banks: Vec<PublicKey>,
    /// The sender's peers, with what it can send to each.
    pub available: BTreeMap<PublicKey, Amount>,
    /// No route may cost more.
    pub max_fee: Amount,
}

/// A way for a payment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Route {
    /// Banks in the order of the payment; empty when the payee is a direct peer.
    pub banks: Vec<PublicKey>,
    /// Who is paid.
    pub payee: PublicKey,
    /// What.
    pub asset: AssetId,
    /// The amount of each lock: first the sender's own, last what the payee gets. One more than `banks`.
    pub amounts: Vec<Amount>,
}

impl Route {
    /// Who gets the sender's lock.
    pub fn first_hop(&self) -> PublicKey {
        self.banks.first().copied().unwrap_or(self.payee)
    }

    /// What the sender locks.
    pub fn sent(&self) -> Amount {
        self.amounts.first().copied().unwrap_or(0)
    }

    /// What the payee gets.
    pub fn received(&self) -> Amount {
        self.amounts.last().copied().unwrap_or(0)
    }

    /// What the banks take together.
    pub fn fee(&self) -> Amount {
        self.sent().saturating_sub(self.received())
    }

    /// Expiry of each lock, the sender's own first, when it is sent at `usable_height`: the payee has
    /// K.hop_delta_blocks, every hop before it as much more.
    pub fn expiries(&self, usable_height: UsableHeight, parameters: &Parameters) -> Vec<UsableHeight> {
        let delta = u64::from(parameters.hop_delta_blocks);
        let hops = (1..=self.amounts.len()).rev().filter_map(|hops| u64::try_from(hops).ok());
        hops.map(|hops| usable_height.saturating_add(delta.saturating_mul(hops))).collect()
    }

    /// The layer of each hop, the last one the payee's. `last` is completed with this route's amounts.
    pub fn layers(
        &self,
        usable_height: UsableHeight,
        parameters: &Parameters,
        last: impl FnOnce(Amount, UsableHeight) -> Final,
    ) -> Vec<(PublicKey, Layer)> {
        let expiries = self.expiries(usable_height, parameters);
        let nexts = self.banks.iter().skip(1).copied().chain([self.payee]);
        let outgoing = self.amounts.iter().zip(&expiries).skip(1);
        let mut layers: Vec<_> = self
            .banks
            .iter()
            .zip(nexts)
            .zip(outgoing)
            .map(|((bank, next), (amount, expiry))| {
                (*bank, Layer::Forward { asset: self.asset, amount: *amount, expiry: *expiry, next })
            })
            .collect();
        let least_expiry = expiries.last().copied().unwrap_or(usable_height);
        layers.push((self.payee, Layer::Final(last(self.received(), least_expiry))));
        layers
    }
}

/// No way to pay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    /// The sender and the payee have no banks in common, nor banks with a channel between them.
    #[error("no bank connects us with the payee: the payer needs money with a bank, the invoice a bank")]
    NotConnected,
    /// A way exists, but not for that much.
    #[error("{needed} is needed on the cheapest way, at most {available} can be sent")]
    TooMuch {
        /// The most that can be sent to a peer on any way.
        available: Amount,
        /// What the cheapest way needs, with fees.
        needed: Amount,
    },
    /// Every way costs more than allowed.
    #[error("the cheapest way costs {fee}, allowed is {max_fee}")]
    FeeTooHigh {
        /// What it costs.
        fee: Amount,
        /// What was allowed.
        max_fee: Amount,
    },
    /// All ways have been tried.
    #[error("all {tried} ways have been tried")]
    Exhausted {
        /// How many.
        tried: usize,
    },
    /// Amount zero, or one that no fee can be added to.
    #[error("this amount cannot be paid")]
    Amount,
}

/// A partial way, from the payee backwards. Ordered by cost, then length, then names, so that the search
/// gives everybody the same answer.
type Partial = Reverse<(Amount, usize, Vec<PublicKey>, Vec<Amount>)>;

/// The cheapest route that is not among `tried`.
///
/// # Errors
/// [`NoRoute`] says why there is none.
pub fn cheapest(map: &Map, request: &Request, max_hops: u8, tried: &[Route]) -> Result<Route, NoRoute> {
    if request.amount == 0 {
        return Err(NoRoute::Amount);
    }
    let mut short: Option<(Amount, Amount)> = None;
    let mut dear: Option<Amount> = None;
    let mut repeated = 0_usize;
    let mut queue = BinaryHeap::new();
    queue.push(Reverse((request.amount, 0, vec![], vec![request.amount])));
    for _ in 0..limits::MAX_ROUTE_STEPS {
        let Some(Reverse((cost, _, backwards, amounts))) = queue.pop() else { break };
        let head = backwards.last().copied().unwrap_or(request.payee);
        if let Some(available) = request.available.get(&head).copied() {
            let route = finished(request, &backwards, &amounts);
            if cost > available {
                let (most, needed) = short.unwrap_or((0, cost));
                short = Some((most.max(available), needed.min(cost)));
            } else if route.fee() > request.max_fee {
                dear = dear.or(Some(route.fee()));
            } else if tried.iter().any(|other| other.banks == route.banks) {
                repeated = repeated.saturating_add(1);
            } else {
                return Ok(route);
            }
        }
        // The payee is one hop itself.
        if backwards.len().saturating_add(1) < usize::from(max_hops) {
            extend(map, request, cost, &backwards, &amounts, &mut queue);
        }
    }
    Err(match (short, dear) {
        _ if repeated > 0 => NoRoute::Exhausted { tried: repeated },
        (_, Some(fee)) => NoRoute::FeeTooHigh { fee, max_fee: request.max_fee },
        (Some((available, needed)), None) => NoRoute::TooMuch { available, needed },
        (None, None) => NoRoute::NotConnected,
    })
}

fn finished(request: &Request, backwards: &[PublicKey], amounts: &[Amount]) -> Route {
    Route {
        banks: backwards.iter().rev().copied().collect(),
        payee: request.payee,
        asset: request.asset,
        amounts: amounts.iter().rev().copied().collect(),
    }
}

/// Puts every bank that can stand before `backwards` into the queue.
fn extend(
    map: &Map,
    request: &Request,
    cost: Amount,
    backwards: &[PublicKey],
    amounts: &[Amount],
    queue: &mut BinaryHeap<Partial>,
) {
    let before: Vec<PublicKey> = match backwards.last() {
        Some(head) => map.links.get(head).into_iter().flatten().copied().collect(),
        None => {
            let own = map.links.get(&request.payee).into_iter().flatten();
            ordered::set(request.payee_banks.iter().chain(own).copied()).into_iter().collect()
        }
    };
    for bank in before {
        let Some(fee) = map.fee(&bank) else { continue };
        if bank == request.payee || backwards.contains(&bank) {
            continue;
        }
        let Some(incoming) = fee.incoming(cost).filter(|incoming| *incoming <= limits::MAX_SUPPLY) else { continue };
        let mut way = backwards.to_vec();
        way.push(bank);
        let mut amounts = amounts.to_vec();
        amounts.push(incoming);
        queue.push(Reverse((incoming, way.len(), way, amounts)));
    }
}

#[cfg(test)]
mod tests;
