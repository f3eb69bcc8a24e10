//! Lists of what there is, in the order in which it was made, a part at a time. A part costs no more than its lines and
//! [`limits::MERCHANT_LOOKED_AT`] looks, however much there is that nobody asked for.

use super::Desk;
use crate::limits;
use crate::merchant::entry::{Entry, State};
use crate::merchant::outgoing::{Outgoing, Purpose, Stage};
use fair_core::payment::invoice::InvoiceId;
use std::collections::{BTreeMap, BTreeSet};

/// Ids by numbers that grow, and the numbers of each state.
#[derive(Debug)]
pub(super) struct Numbered<S, I> {
    all: BTreeMap<u64, I>,
    states: BTreeSet<(S, u64)>,
}

impl<S, I> Default for Numbered<S, I> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), states: BTreeSet::new() }
    }
}

impl<S: Copy + Ord, I: Copy> Numbered<S, I> {
    /// `before` is how it stood, if it was there.
    pub(super) fn put(&mut self, number: u64, id: I, before: Option<S>, state: S) {
        self.all.insert(number, id);
        if let Some(before) = before.filter(|before| *before != state) {
            self.states.remove(&(before, number));
        }
        self.states.insert((state, number));
    }

    pub(super) fn remove(&mut self, number: u64, state: S) {
        self.all.remove(&number);
        self.states.remove(&(state, number));
    }

    pub(super) fn last(&self) -> Option<(u64, I)> {
        self.all.last_key_value().map(|(number, id)| (*number, *id))
    }

    /// Those with numbers above one, that stand so if that is asked for.
    fn after(&self, number: u64, state: Option<S>) -> impl Iterator<Item = I> + '_ {
        let from = number.saturating_add(1);
        let all = state.is_none().then(|| self.all.range(from..).map(|(_, id)| *id));
        let of_state = state.map(|state| {
            let numbers = self.states.range((state, from)..=(state, u64::MAX));
            numbers.filter_map(|(_, number)| self.all.get(number).copied())
        });
        all.into_iter().flatten().chain(of_state.into_iter().flatten())
    }
}

/// Which invoices somebody wants.
#[derive(Clone, Debug, Default)]
pub(in crate::merchant) struct Wanted {
    pub(in crate::merchant) state: Option<State>,
    /// The shop's own name for them; not empty.
    pub(in crate::merchant) reference: Option<String>,
}

/// A part of a list.
#[derive(Debug)]
pub(in crate::merchant) struct Part<'a, T> {
    pub(in crate::merchant) lines: Vec<&'a T>,
    /// After which the next part begins.
    pub(in crate::merchant) cursor: u64,
    /// Whether there may be one. This one may have fewer lines than were asked for all the same.
    pub(in crate::merchant) more: bool,
}

impl<'a, T> Part<'a, T> {
    fn of(
        candidates: impl Iterator<Item = &'a T>,
        (after, limit): (u64, usize),
        number: fn(&T) -> u64,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Self {
        let mut part = Self { lines: Vec::new(), cursor: after, more: false };
        for (looks, candidate) in candidates.enumerate() {
            if part.lines.len() >= limit || looks >= limits::MERCHANT_LOOKED_AT {
                part.more = true;
                break;
            }
            part.cursor = number(candidate);
            if is_wanted(candidate) {
                part.lines.push(candidate);
            }
        }
        part
    }
}

impl Desk {
    /// Invoices with numbers above one, oldest first.
    pub(in crate::merchant) fn invoices(&self, wanted: &Wanted, (after, limit): (u64, usize)) -> Part<'_, Entry> {
        let by_state = wanted.reference.is_none().then(|| self.numbered.after(after, wanted.state));
        let by_name = wanted.reference.as_ref().map(|name| {
            let numbers = (name.clone(), after.saturating_add(1))..=(name.clone(), u64::MAX);
            self.references.range(numbers).filter_map(|(_, number)| self.numbered.all.get(number).copied())
        });
        let ids = by_state.into_iter().flatten().chain(by_name.into_iter().flatten());
        let entries = ids.filter_map(|id| self.entries.get(&id));
        let is_wanted = |entry: &Entry| wanted.state.is_none_or(|state| state == entry.state);
        Part::of(entries, (after, limit), |entry| entry.number, is_wanted)
    }

    /// Refunds with numbers above one, oldest first: those of one invoice, if it is given.
    pub(in crate::merchant) fn refunds(
        &self,
        invoice: Option<&Entry>,
        state: Option<Stage>,
        (after, limit): (u64, usize),
    ) -> Part<'_, Outgoing> {
        let of_all = invoice.is_none().then(|| self.refunds.after(after, state));
        let of_one = invoice.map(|entry| entry.refunds.clone());
        let ids = of_all.into_iter().flatten().chain(of_one.into_iter().flatten());
        let refunds = ids.filter_map(|id| self.outgoing.get(&id)).filter(move |refund| refund.number > after);
        let is_wanted = |refund: &Outgoing| state.is_none_or(|state| state == refund.stage);
        Part::of(refunds, (after, limit), |refund| refund.number, is_wanted)
    }

    /// Payouts with numbers above one, oldest first.
    pub(in crate::merchant) fn payouts(&self, state: Option<Stage>, part: (u64, usize)) -> Part<'_, Outgoing> {
        let ids = self.payouts.after(part.0, state);
        Part::of(ids.filter_map(|id| self.outgoing.get(&id)), part, |payout| payout.number, |_| true)
    }

    /// Refunds that wait for somebody to say where they go.
    pub(in crate::merchant) fn claimable_refunds(&self) -> impl Iterator<Item = &Outgoing> {
        self.refunds.after(0, Some(Stage::Claimable)).filter_map(|id| self.outgoing.get(&id))
    }

    pub(super) fn put(&mut self, entry: Entry) {
        let before = self.entries.get(&entry.id);
        if let Some(before) = before {
            self.shelf.take(before);
        } else if !entry.reference.is_empty() {
            self.references.insert((entry.reference.clone(), entry.number));
        }
        self.numbered.put(entry.number, entry.id, before.map(|before| before.state), entry.state);
        self.shelf.put(&entry);
        self.entries.insert(entry.id, entry);
    }

    /// Takes an invoice off all lists.
    pub(super) fn remove(&mut self, id: &InvoiceId) {
        let Some(entry) = self.entries.remove(id) else { return };
        self.numbered.remove(entry.number, entry.state);
        self.shelf.forget(&entry);
        self.references.remove(&(entry.reference, entry.number));
    }

    pub(in crate::merchant) fn put_outgoing(&mut self, one: Outgoing) {
        let list = match one.purpose {
            Purpose::Refund { .. } => &mut self.refunds,
            Purpose::Payout | Purpose::Sweep => &mut self.payouts,
        };
        let before = self.outgoing.get(&one.id).map(|before| before.stage);
        list.put(one.number, one.id, before, one.stage);
        self.outgoing.insert(one.id, one);
    }

    /// The number of the next refund or payout. None is ever forgotten.
    pub(in crate::merchant) fn next_outgoing(&self) -> u64 {
        let last = self.refunds.last().max(self.payouts.last());
        last.map_or(1, |(number, _)| number.saturating_add(1))
    }
}
