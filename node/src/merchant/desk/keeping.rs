//! How much a merchant keeps, and for how long: what anybody with a key can make without money must not grow without
//! bound. What is paid stays, with its refunds and its proof.

use super::{Changes, Desk, Refused};
use crate::limits;
use crate::merchant::entry::{Entry, State};
use crate::merchant::keys::KeyId;
use fair_core::effect::Effect;
use fair_core::payment::invoice::{InvoiceId, LatePolicy};
use fair_core::types::TimeMs;
use fair_core::wallet::{Event, InvoiceState, OwnInvoice, Wallet};
use std::collections::{BTreeMap, BTreeSet};

/// Shortest and longest time after which whoever has too many open invoices may come again.
const ROOM_WAIT_S: (u64, u64) = (1, 3_600);

/// What the operator decided about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::merchant) struct Keeping {
    /// Most open invoices.
    pub(in crate::merchant) open: usize,
    /// Of them with one key.
    pub(in crate::merchant) open_per_key: usize,
    /// Most unpaid ones, open or not, that can be paid late.
    pub(in crate::merchant) late: usize,
    /// Of them with one key.
    pub(in crate::merchant) late_per_key: usize,
    /// Most that ended unpaid, without those that can still be paid late.
    pub(in crate::merchant) unpaid: usize,
    /// Of them with one key.
    pub(in crate::merchant) unpaid_per_key: usize,
    /// How long one that ended unpaid is kept.
    pub(in crate::merchant) unpaid_ms: u64,
    /// How long events are kept.
    pub(in crate::merchant) events_ms: u64,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            open: limits::MERCHANT_OPEN_INVOICES,
            open_per_key: limits::MERCHANT_OPEN_PER_KEY,
            late: limits::MERCHANT_LATE_INVOICES,
            late_per_key: limits::MERCHANT_LATE_PER_KEY,
            unpaid: limits::MERCHANT_UNPAID_INVOICES,
            unpaid_per_key: limits::MERCHANT_UNPAID_PER_KEY,
            unpaid_ms: limits::MERCHANT_KEEP_UNPAID_S * 1_000,
            events_ms: limits::MERCHANT_KEEP_EVENTS_S * 1_000,
        }
    }
}

/// Counts what is open, and knows what is to be forgotten.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    open: usize,
    open_of: BTreeMap<KeyId, usize>,
    /// By when they ended.
    unpaid: BTreeSet<(TimeMs, InvoiceId)>,
    unpaid_of: BTreeMap<KeyId, usize>,
    /// Unpaid ones that can be paid late. The wallet knows which they are: `None` until it was asked.
    late_of: Option<BTreeMap<KeyId, BTreeSet<InvoiceId>>>,
}

impl Shelf {
    pub(super) fn put(&mut self, entry: &Entry) {
        if !may_be_paid(entry) {
            self.forget_late(entry);
        }
        if entry.state == State::Open {
            self.open = self.open.saturating_add(1);
            count(&mut self.open_of, entry.key);
        }
        if let Some(ended) = entry.ended_unpaid() {
            self.unpaid.insert(ended);
            count(&mut self.unpaid_of, entry.key);
        }
    }

    pub(super) fn take(&mut self, entry: &Entry) {
        if entry.state == State::Open {
            self.open = self.open.saturating_sub(1);
            uncount(&mut self.open_of, &entry.key);
        }
        if let Some(ended) = entry.ended_unpaid() {
            self.unpaid.remove(&ended);
            uncount(&mut self.unpaid_of, &entry.key);
        }
    }

    /// It is there no more.
    pub(super) fn forget(&mut self, entry: &Entry) {
        self.take(entry);
        self.forget_late(entry);
    }

    fn forget_late(&mut self, entry: &Entry) {
        if let Some(of_keys) = &mut self.late_of
            && let Some(of_key) = of_keys.get_mut(&entry.key)
        {
            of_key.remove(&entry.id);
            if of_key.is_empty() {
                of_keys.remove(&entry.key);
            }
        }
    }
}

/// Whether it is neither paid nor cancelled.
const fn may_be_paid(entry: &Entry) -> bool {
    matches!(entry.state, State::Open | State::Expired)
}

fn count(of_keys: &mut BTreeMap<KeyId, usize>, key: KeyId) {
    let of_key = of_keys.entry(key).or_default();
    *of_key = of_key.saturating_add(1);
}

fn uncount(of_keys: &mut BTreeMap<KeyId, usize>, key: &KeyId) {
    if let Some(of_key) = of_keys.get_mut(key) {
        *of_key = of_key.saturating_sub(1);
        if *of_key == 0 {
            of_keys.remove(key);
        }
    }
}

/// Whether somebody can pay it although its time is over.
fn is_payable_late(entry: &Entry, wallet: &Wallet) -> bool {
    entry.state == State::Expired && accepts_late(entry, wallet)
}

fn accepts_late(entry: &Entry, wallet: &Wallet) -> bool {
    let can = |own: &OwnInvoice| own.state == InvoiceState::Open && own.invoice.body.late == LatePolicy::Accept;
    wallet.invoice(&entry.id).is_some_and(can)
}

impl Desk {
    /// How many are open, and how many ended unpaid.
    #[cfg(test)]
    pub(super) fn shelf_counts(&self) -> (usize, usize) {
        (self.shelf.open, self.shelf.unpaid.len())
    }

    /// How many unpaid ones can be paid late, as far as they were counted.
    #[cfg(test)]
    pub(super) fn late_count(&self) -> usize {
        self.shelf.late_of.iter().flat_map(BTreeMap::values).map(BTreeSet::len).sum()
    }

    /// Whether whoever has a key may make another invoice.
    pub(super) fn check_room(&self, key: &KeyId, now_ms: TimeMs) -> Result<(), Refused> {
        let Keeping { open, open_per_key, .. } = self.rules.keeping;
        let of_key = self.shelf.open_of.get(key).copied().unwrap_or(0);
        let full = [("This merchant", self.shelf.open, open), ("This key", of_key, open_per_key)];
        match full.into_iter().find(|(_, has, most)| has >= most) {
            Some((whose, _, most)) => {
                let wait_ms = self.next_look().map_or(0, |ends| ends.saturating_sub(now_ms));
                let (shortest, longest) = ROOM_WAIT_S;
                Err(Refused::TooManyOpen { whose, most, wait_s: wait_ms.div_ceil(1_000).clamp(shortest, longest) })
            }
            None => Ok(()),
        }
    }

    /// The unpaid invoices that can be paid late, by key.
    fn late_of(&mut self, wallet: &Wallet) -> &mut BTreeMap<KeyId, BTreeSet<InvoiceId>> {
        self.shelf.late_of.get_or_insert_with(|| {
            let mut of_keys: BTreeMap<KeyId, BTreeSet<InvoiceId>> = BTreeMap::new();
            for entry in self.entries.values().filter(|entry| may_be_paid(entry) && accepts_late(entry, wallet)) {
                of_keys.entry(entry.key).or_default().insert(entry.id);
            }
            of_keys
        })
    }

    /// Whether whoever has a key may make another invoice that can be paid late: those stay longer than others.
    pub(super) fn check_late(&mut self, key: &KeyId, wallet: &Wallet) -> Result<(), Refused> {
        let Keeping { late, late_per_key, .. } = self.rules.keeping;
        let of_keys = self.late_of(wallet);
        let (all, of_key) = (of_keys.values().map(BTreeSet::len).sum(), of_keys.get(key).map_or(0, BTreeSet::len));
        let full = [("This merchant", all, late), ("This key", of_key, late_per_key)];
        match full.into_iter().find(|(_, has, most)| has >= most) {
            Some((whose, _, most)) => Err(Refused::TooManyLate { whose, most, wait_s: ROOM_WAIT_S.1 }),
            None => Ok(()),
        }
    }

    /// Counts an invoice that can be paid late.
    pub(super) fn note_late(&mut self, entry: &Entry, wallet: &Wallet) {
        self.late_of(wallet).entry(entry.key).or_default().insert(entry.id);
    }

    /// Invoices that ended unpaid long ago, and where there are too many the oldest that nobody can pay any more. The
    /// newest one stays: the next is counted from it.
    fn due_unpaid(&self, wallet: &Wallet, now_ms: TimeMs) -> Vec<InvoiceId> {
        let newest = self.numbered.last().map(|(_, id)| id);
        let Keeping { unpaid, unpaid_per_key, unpaid_ms, .. } = self.rules.keeping;
        let mut over = self.shelf.unpaid.len().saturating_sub(unpaid);
        let of_keys = self.shelf.unpaid_of.iter();
        let of_keys = of_keys.map(|(key, has)| (*key, has.saturating_sub(unpaid_per_key)));
        let mut over_of: BTreeMap<KeyId, usize> = of_keys.filter(|(_, over)| *over > 0).collect();
        let mut due = Vec::new();
        for (ended, id) in &self.shelf.unpaid {
            let is_old = ended.saturating_add(unpaid_ms) < now_ms;
            let is_enough = !is_old && over == 0 && over_of.is_empty();
            if is_enough || due.len() >= limits::MERCHANT_FORGOTTEN_AT_ONCE {
                break;
            }
            let Some(entry) = self.entries.get(id).filter(|_| Some(*id) != newest) else { continue };
            let is_over = (over > 0 || over_of.contains_key(&entry.key)) && !is_payable_late(entry, wallet);
            if is_old || is_over {
                over = over.saturating_sub(1);
                uncount(&mut over_of, &entry.key);
                due.push(*id);
            }
        }
        due
    }

    /// Forgets them.
    pub(super) fn forget_unpaid(&mut self, wallet: &mut Wallet, now_ms: TimeMs) -> Changes {
        let mut changes = Changes::default();
        for id in self.due_unpaid(wallet, now_ms) {
            // Paid late, in this very moment.
            if wallet.forget_invoice(&id, &mut changes.write).is_err() {
                continue;
            }
            Entry::forget(&id, &mut changes.write);
            self.remove(&id);
        }
        changes
    }

    /// Forgets events up to a number. Webhooks that were not brought them go on with the next.
    pub(in crate::merchant) fn forget_events(&mut self, until: u64) -> Vec<Effect<Event>> {
        let mut changes = Changes::default();
        self.recorder.forget(until, &mut changes.write);
        self.skip_forgotten(&mut changes.write);
        changes.added_to(Vec::new())
    }
}
