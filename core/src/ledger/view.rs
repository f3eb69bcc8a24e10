//! Reading the state, and changing a copy of what is touched.
//!
//! An [`Overlay`] holds changed values above a view that it does not touch. Block, batch and group each
//! work on one of their own, which is merged into the one below when all of it applied, or dropped.

use super::operation::ProposalId;
use super::state::{Account, Channel, Counters, Key, Proposal, Value};
use crate::chain::genesis::Bank;
use crate::ordered;
use crate::types::{AccountId, Amount, AssetId, Parties, PublicKey};
use std::collections::BTreeMap;

/// New values by key; `None` removes.
pub(crate) type Changes = BTreeMap<Key, Option<Value>>;

/// Something that values can be read from.
pub(crate) trait View {
    /// The value at a key.
    fn get(&self, key: &Key) -> Option<&Value>;

    /// Keys between two, both included, in order: the first `most` of them.
    fn keys_between(&self, first: &Key, last: &Key, most: usize) -> Vec<Key>;

    /// A registered account.
    fn account(&self, key: &PublicKey) -> Option<Account> {
        match self.get(&Key::Account(*key)) {
            Some(Value::Account(account)) => Some(*account),
            _ => None,
        }
    }

    /// An on-chain balance; zero for whatever is unknown.
    fn balance(&self, key: &PublicKey, asset: AssetId) -> Amount {
        match self.get(&Key::Balance(*key, asset)) {
            Some(Value::Balance(amount)) => *amount,
            _ => 0,
        }
    }

    /// A channel, `None` when nothing was ever deposited into it.
    fn channel(&self, parties: &Parties) -> Option<&Channel> {
        match self.get(&Key::Channel(*parties)) {
            Some(Value::Channel(channel)) => Some(channel),
            _ => None,
        }
    }

    /// Numbers given so far.
    fn counters(&self) -> Counters {
        match self.get(&Key::Counters) {
            Some(Value::Counters(counters)) => *counters,
            _ => Counters::default(),
        }
    }

    /// A registered bank.
    fn bank(&self, key: &PublicKey) -> Option<&Bank> {
        match self.get(&Key::Bank(*key)) {
            Some(Value::Bank(bank)) => Some(bank),
            _ => None,
        }
    }

    /// A proposal.
    fn proposal(&self, id: ProposalId) -> Option<&Proposal> {
        match self.get(&Key::Proposal(id)) {
            Some(Value::Proposal(proposal)) => Some(proposal),
            _ => None,
        }
    }

    /// Whether an asset exists.
    fn has_asset(&self, asset: AssetId) -> bool {
        self.get(&Key::Asset(asset)).is_some()
    }
}

/// Changes above a view.
pub(crate) struct Overlay<'a> {
    below: &'a dyn View,
    changes: Changes,
}

impl View for Overlay<'_> {
    fn get(&self, key: &Key) -> Option<&Value> {
        match self.changes.get(key) {
            Some(change) => change.as_ref(),
            None => self.below.get(key),
        }
    }

    fn keys_between(&self, first: &Key, last: &Key, most: usize) -> Vec<Key> {
        let changed = || self.changes.range(*first..=*last);
        let removed = changed().filter(|(_, change)| change.is_none()).count();
        let mut keys = self.below.keys_between(first, last, most.saturating_add(removed));
        keys.retain(|key| !self.changes.contains_key(key));
        keys.extend(changed().filter(|(_, change)| change.is_some()).map(|(key, _)| *key));
        ordered::first_by_key(keys, most, |key| *key)
    }
}

impl<'a> Overlay<'a> {
    /// Nothing changed yet.
    pub(crate) fn new(below: &'a dyn View) -> Self {
        Self { below, changes: Changes::new() }
    }

    /// Everything changed.
    pub(crate) fn into_changes(self) -> Changes {
        self.changes
    }

    /// Takes over what was changed above.
    pub(crate) fn merge(&mut self, changes: Changes) {
        self.changes.extend(changes);
    }

    /// Each change as key, value below and value now, without those that changed nothing.
    pub(crate) fn differences(&self) -> impl Iterator<Item = (&Key, Option<&Value>, Option<&Value>)> {
        self.changes
            .iter()
            .map(|(key, now)| (key, self.below.get(key), now.as_ref()))
            .filter(|(_, before, now)| before != now)
    }

    /// Sets a value.
    pub(crate) fn put(&mut self, key: Key, value: Value) {
        self.changes.insert(key, Some(value));
    }

    /// Removes a value.
    pub(crate) fn remove(&mut self, key: Key) {
        self.changes.insert(key, None);
    }

    /// Sets an on-chain balance; zero is absence.
    pub(crate) fn put_balance(&mut self, key: PublicKey, asset: AssetId, amount: Amount) {
        let value = (amount > 0).then_some(Value::Balance(amount));
        self.changes.insert(Key::Balance(key, asset), value);
    }

    /// Adds to an on-chain balance; `None` when it overflows, and then nothing changed.
    #[must_use]
    pub(crate) fn credit(&mut self, key: PublicKey, asset: AssetId, amount: Amount) -> Option<()> {
        let balance = self.balance(&key, asset).checked_add(amount)?;
        self.put_balance(key, asset, balance);
        Some(())
    }

    /// Takes from an on-chain balance; `None` when there is less, and then nothing changed.
    #[must_use]
    pub(crate) fn debit(&mut self, key: PublicKey, asset: AssetId, amount: Amount) -> Option<()> {
        let balance = self.balance(&key, asset).checked_sub(amount)?;
        self.put_balance(key, asset, balance);
        Some(())
    }

    /// Registers an unknown key under the next number; `None` when numbers ran out.
    #[must_use]
    pub(crate) fn register(&mut self, key: PublicKey) -> Option<AccountId> {
        let mut counters = self.counters();
        let id = counters.accounts.checked_add(1)?;
        counters.accounts = id;
        self.put(Key::Counters, Value::Counters(counters));
        self.put(Key::Account(key), Value::Account(Account { id, nonce: 0 }));
        self.put(Key::AccountKey(id), Value::AccountKey(key));
        Some(id)
    }
}
