//! What the state says of accounts, channels, court, debts, votes and releases, each in its own type.

use super::{Channel, Debt, Dispute, Hashlock, Key, Proposal, ProposalState, Release, State, Value, VoteCast};
use crate::chain::certificate::ValidatorSet;
use crate::chain::genesis::{Asset, Bank};
use crate::ledger::operation::{GovernanceAction, ProposalId};
use crate::ledger::view::View;
use crate::types::{AccountId, Amount, AssetId, Hash, Parties, PublicKey};
use serde::Serialize;

/// An account as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountView {
    /// Its number.
    pub id: AccountId,
    /// Its key.
    pub key: PublicKey,
    /// Nonce of its next batch.
    pub nonce: u64,
    /// On-chain balances, sorted by asset, none zero.
    pub balances: Vec<(AssetId, Amount)>,
}

impl State {
    /// A registered account.
    pub fn account(&self, key: &PublicKey) -> Option<AccountView> {
        let account = View::account(self, key)?;
        let balances = self
            .entries
            .range(Key::Balance(*key, AssetId(0))..=Key::Balance(*key, AssetId(u32::MAX)))
            .filter_map(|(key, value)| match (key, value) {
                (Key::Balance(_, asset), Value::Balance(amount)) => Some((*asset, *amount)),
                _ => None,
            })
            .collect();
        Some(AccountView { id: account.id, key: *key, nonce: account.nonce, balances })
    }

    /// Key of the account with a number.
    pub fn account_key(&self, id: AccountId) -> Option<PublicKey> {
        match self.entries.get(&Key::AccountKey(id)) {
            Some(Value::AccountKey(key)) => Some(*key),
            _ => None,
        }
    }

    /// Number of a registered key.
    pub fn account_id(&self, key: &PublicKey) -> Option<AccountId> {
        View::account(self, key).map(|account| account.id)
    }

    /// Numbers and keys of the accounts after a number, in order.
    pub fn accounts_after(&self, id: AccountId) -> impl Iterator<Item = (AccountId, PublicKey)> + '_ {
        let first = Key::AccountKey(id.saturating_add(1));
        self.entries.range(first..=Key::AccountKey(AccountId::MAX)).filter_map(move |(key, value)| match (key, value) {
            (Key::AccountKey(number), Value::AccountKey(key)) if *number > id => Some((*number, *key)),
            _ => None,
        })
    }

    /// How many accounts are registered.
    pub fn account_count(&self) -> AccountId {
        self.counters().accounts
    }

    /// An on-chain balance; zero for whatever is unknown.
    pub fn balance(&self, key: &PublicKey, asset: AssetId) -> Amount {
        View::balance(self, key, asset)
    }

    /// A channel; zeros when nothing was ever deposited into it.
    pub fn channel(&self, parties: &Parties) -> Channel {
        View::channel(self, parties).cloned().unwrap_or_default()
    }

    /// Everybody with whom a key has a channel on-chain, in order of keys.
    pub fn partners(&self, key: &PublicKey) -> impl Iterator<Item = PublicKey> + '_ {
        let ends = (*key, PublicKey([0; 32]))..=(*key, PublicKey([0xff; 32]));
        self.partners.range(ends).map(|(_, partner)| *partner)
    }

    /// An asset.
    pub fn asset(&self, id: AssetId) -> Option<&Asset> {
        match self.entries.get(&Key::Asset(id)) {
            Some(Value::Asset(asset)) => Some(asset),
            _ => None,
        }
    }

    /// All assets by number.
    pub fn assets(&self) -> impl Iterator<Item = &Asset> {
        self.entries.range(Key::Asset(AssetId(0))..=Key::Asset(AssetId(u32::MAX))).filter_map(
            |(_, value)| match value {
                Value::Asset(asset) => Some(asset.as_ref()),
                _ => None,
            },
        )
    }

    /// The bank with this key.
    pub fn bank(&self, key: &PublicKey) -> Option<&Bank> {
        match self.entries.get(&Key::Bank(*key)) {
            Some(Value::Bank(bank)) => Some(bank),
            _ => None,
        }
    }

    /// All banks in order of keys.
    pub fn banks(&self) -> impl Iterator<Item = &Bank> {
        let (first, last) = (PublicKey([0; 32]), PublicKey([0xff; 32]));
        self.entries.range(Key::Bank(first)..=Key::Bank(last)).filter_map(|(_, value)| match value {
            Value::Bank(bank) => Some(bank.as_ref()),
            _ => None,
        })
    }

    /// A channel in court, `None` when it is not.
    pub fn dispute(&self, parties: &Parties) -> Option<&Dispute> {
        match self.entries.get(&Key::Dispute(*parties)) {
            Some(Value::Dispute(dispute)) => Some(dispute.as_ref()),
            _ => None,
        }
    }

    /// Every channel in court, in order of parties.
    pub fn disputes(&self) -> impl Iterator<Item = (Parties, &Dispute)> {
        self.entries.range(Key::Dispute(Parties::FIRST)..=Key::Dispute(Parties::LAST)).filter_map(
            |(key, value)| match (key, value) {
                (Key::Dispute(parties), Value::Dispute(dispute)) => Some((*parties, dispute.as_ref())),
                _ => None,
            },
        )
    }

    /// What the registry says about a hash.
    pub fn hashlock(&self, hash: &Hash) -> Option<Hashlock> {
        match self.entries.get(&Key::Hashlock(*hash)) {
            Some(Value::Hashlock(entry)) => Some(*entry),
            _ => None,
        }
    }

    /// Open debts of an account in an asset, oldest first, with their numbers.
    pub fn debts_of(&self, debtor: &PublicKey, asset: AssetId) -> impl Iterator<Item = (u64, Debt)> + '_ {
        self.entries.range(Key::Debt(*debtor, asset, 0)..=Key::Debt(*debtor, asset, u64::MAX)).filter_map(
            |(key, value)| match (key, value) {
                (Key::Debt(_, _, number), Value::Debt(debt)) => Some((*number, *debt)),
                _ => None,
            },
        )
    }

    /// Open debts of an account in every asset, by asset, oldest first.
    pub fn all_debts_of(&self, debtor: &PublicKey) -> impl Iterator<Item = (AssetId, u64, Debt)> + '_ {
        let ends = Key::Debt(*debtor, AssetId(0), 0)..=Key::Debt(*debtor, AssetId(u32::MAX), u64::MAX);
        self.entries.range(ends).filter_map(|(key, value)| match (key, value) {
            (Key::Debt(_, asset, number), Value::Debt(debt)) => Some((*asset, *number, *debt)),
            _ => None,
        })
    }

    /// All open debts: debtor, asset, number, debt.
    pub fn debts(&self) -> impl Iterator<Item = (PublicKey, AssetId, u64, Debt)> + '_ {
        let first = Key::Debt(PublicKey([0; 32]), AssetId(0), 0);
        let last = Key::Debt(PublicKey([0xff; 32]), AssetId(u32::MAX), u64::MAX);
        self.entries.range(first..=last).filter_map(|(key, value)| match (key, value) {
            (Key::Debt(debtor, asset, number), Value::Debt(debt)) => Some((*debtor, *asset, *number, *debt)),
            _ => None,
        })
    }

    /// All proposals by number.
    pub fn proposals(&self) -> impl DoubleEndedIterator<Item = (ProposalId, &Proposal)> {
        self.entries.range(Key::Proposal(0)..=Key::Proposal(ProposalId::MAX)).filter_map(|(key, value)| {
            match (key, value) {
                (Key::Proposal(id), Value::Proposal(proposal)) => Some((*id, proposal.as_ref())),
                _ => None,
            }
        })
    }

    /// Votes on a proposal as they stand, by account.
    pub fn votes(&self, proposal: ProposalId) -> impl Iterator<Item = (PublicKey, &VoteCast)> {
        let (first, last) = (PublicKey([0; 32]), PublicKey([0xff; 32]));
        self.entries.range(Key::Vote(proposal, first)..=Key::Vote(proposal, last)).filter_map(|(key, value)| {
            match (key, value) {
                (Key::Vote(_, account), Value::Vote(vote)) => Some((*account, vote.as_ref())),
                _ => None,
            }
        })
    }

    /// The set whose shares weigh the votes on a proposal: that in force at its tally, as far as it is decided by now.
    /// `first`: that of the genesis. Where U stood still between a change and a tally, that it came first is assumed.
    pub fn counted_by<'a>(&'a self, proposal: &Proposal, first: &'a ValidatorSet) -> &'a ValidatorSet {
        let changes = self.proposals().filter_map(|(id, change)| match (change.state, &change.action) {
            (
                ProposalState::Executed { at } | ProposalState::Accepted { effective: at },
                GovernanceAction::SetValidators { validators },
            ) => Some(((at, id), validators.as_ref())),
            _ => None,
        });
        // A set decided in one block is in force from the second one after it, and the tally comes after the last vote.
        let before = changes.filter(|((at, _), _)| *at < proposal.votes_until);
        before.max_by_key(|(place, _)| *place).map_or(first, |(_, set)| set)
    }

    /// Announced versions of the rules, in order.
    pub fn releases(&self) -> impl Iterator<Item = (u16, Release)> + '_ {
        self.entries.range(Key::Release(0)..=Key::Release(u16::MAX)).filter_map(|(key, value)| match (key, value) {
            (Key::Release(version), Value::Release(release)) => Some((*version, *release)),
            _ => None,
        })
    }
}
