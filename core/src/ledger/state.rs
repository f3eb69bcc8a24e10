//! The ledger's state: a sorted map of keys to values under one root (docs/protocol.md, section 3).
//!
//! Data comes from genesis, from stored bytes ([`State::restore`]) or from an executed block
//! ([`State::commit`]), and from nowhere else. Values of the last K.proof_window_heights heights, and
//! proofs for them, can be asked for as well.
//!
//! **Invariant**: the sum of all balances and all insurance of an asset is its supply.

mod build;
mod key;
mod proof;
mod tree;
mod value;

pub use build::StateBuilder;
pub use key::{Key, MAX_KEY_BYTES};
pub use proof::{BadProof, MAX_PROOF_BYTES, ProofEnd, StateProof};
pub use value::{
    Account, Channel, ChannelAsset, Counters, CourtState, Debt, DebtQueue, Dispute, Hashlock, Proposal, ProposalState,
    Release, Value, VoteCast,
};

use super::operation::{GovernanceAction, ProposalId};
use super::transition::{Transition, Undo};
use super::view::{Changes, View};
use crate::chain::certificate::ValidatorSet;
use crate::chain::genesis::{Asset, Bank, Genesis};
use crate::chain::params::Parameters;
use crate::codec::{self, DecodeError};
use crate::limits;
use crate::ordered;
use crate::types::{AccountId, Amount, AssetId, Hash, Height, Parties, PublicKey, UsableHeight};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tree::{Put, Tree, TreeUpdate};

/// Longest encoded value: the proposal, with the longest text, of a validator set with the longest URLs.
pub const MAX_VALUE_BYTES: usize =
    256 + limits::MAX_PROPOSAL_TEXT_BYTES + limits::MAX_VALIDATORS * (32 + 32 + 8 + 4 + limits::MAX_URL_BYTES);

/// Longest encoded undo of a block: what a full block can touch, generously.
const MAX_UNDO_BYTES: usize = 16 * limits::MAX_BLOCK_BYTES;

/// The ledger after a block.
pub struct State {
    chain_id: Hash,
    height: Height,
    entries: BTreeMap<Key, Value>,
    tree: Tree,
    /// Values before each block of the window, of the keys that it changed.
    past: BTreeMap<Height, Changes>,
    /// Both directions of every channel, to find those of one party.
    partners: BTreeSet<(PublicKey, PublicKey)>,
    facts: Facts,
}

/// The values that every block needs, out of the map.
#[derive(Clone)]
struct Facts {
    usable_height: UsableHeight,
    parameters: Parameters,
    validators: ValidatorSet,
    next_validators: ValidatorSet,
}

/// Stored bytes that are not the state they are said to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadState {
    /// A key or a value cannot be read.
    #[error("entry {index} of the stored state cannot be read: {error}")]
    Decode {
        /// Its place among those given.
        index: usize,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A value of a kind that does not belong to its key, or a key twice.
    #[error("entry {index} of the stored state is out of place")]
    OutOfPlace {
        /// Its place among those given.
        index: usize,
    },
    /// Parameters, validators or clock are missing.
    #[error("the stored state lacks its parameters, validators or clock")]
    Incomplete,
    /// The entries have another root than the block that they should belong to.
    #[error("the stored state has root {got}; the block says {expected}")]
    WrongRoot {
        /// What the header says.
        expected: Hash,
        /// Root of the entries.
        got: Hash,
    },
}

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

impl View for State {
    fn get(&self, key: &Key) -> Option<&Value> {
        self.entries.get(key)
    }

    fn keys_between(&self, first: &Key, last: &Key, most: usize) -> Vec<Key> {
        self.entries.range(*first..=*last).take(most).map(|(key, _)| *key).collect()
    }
}

impl State {
    /// The state that a chain starts with. The document must have passed [`Genesis::check`].
    pub fn genesis(genesis: &Genesis) -> Self {
        let entries = genesis_entries(genesis);
        let facts = Facts {
            usable_height: 0,
            parameters: genesis.parameters.clone(),
            validators: genesis.validators.clone(),
            next_validators: genesis.validators.clone(),
        };
        Self::assemble(genesis.chain_id(), 0, entries, facts)
    }

    /// The state after block `height`, out of stored bytes. Order does not matter.
    ///
    /// # Errors
    /// [`BadState`] when the bytes are not the state with this root.
    pub fn restore<'a>(
        chain_id: Hash,
        height: Height,
        root: Hash,
        stored: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, BadState> {
        let mut builder = StateBuilder::default();
        for (key, value) in stored {
            builder.put(key, value)?;
        }
        builder.finish(chain_id, height, root)
    }

    fn assemble(chain_id: Hash, height: Height, entries: BTreeMap<Key, Value>, facts: Facts) -> Self {
        let tree = build_tree(height, &entries);
        let mut partners = BTreeSet::new();
        for key in entries.keys() {
            index_channel(&mut partners, key);
        }
        Self { chain_id, height, entries, tree, past: BTreeMap::new(), partners, facts }
    }

    /// The chain.
    pub const fn chain_id(&self) -> Hash {
        self.chain_id
    }

    /// Height of the block after which this is the state; 0 for genesis.
    pub const fn height(&self) -> Height {
        self.height
    }

    /// Root of the state, as the header of that block says it.
    pub const fn root(&self) -> Hash {
        self.tree.root()
    }

    /// U for the next block.
    pub const fn usable_height(&self) -> UsableHeight {
        self.facts.usable_height
    }

    /// K for the next block.
    pub const fn parameters(&self) -> &Parameters {
        &self.facts.parameters
    }

    /// Who certifies the next block.
    pub const fn validators(&self) -> &ValidatorSet {
        &self.facts.validators
    }

    /// Who certifies the block after the next.
    pub const fn next_validators(&self) -> &ValidatorSet {
        &self.facts.next_validators
    }

    /// A value now.
    pub fn value(&self, key: &Key) -> Option<&Value> {
        self.entries.get(key)
    }

    /// A value as it was after block `height`; `Err` outside the window of kept heights.
    ///
    /// # Errors
    /// [`OutsideWindow`].
    pub fn value_at(&self, height: Height, key: &Key) -> Result<Option<&Value>, OutsideWindow> {
        let oldest = self.oldest_height();
        if height < oldest || height > self.height {
            return Err(OutsideWindow { oldest, newest: self.height, got: height });
        }
        let changed_later = self.past.range(height.saturating_add(1)..).find_map(|(_, before)| before.get(key));
        Ok(match changed_later {
            Some(before) => before.as_ref(),
            None => self.entries.get(key),
        })
    }

    /// Oldest height of which values and proofs are kept.
    pub fn oldest_height(&self) -> Height {
        self.tree.oldest()
    }

    /// A value as it was after block `height`, with its proof against that block's state root.
    ///
    /// # Errors
    /// [`OutsideWindow`].
    pub fn prove_at(&self, height: Height, key: &Key) -> Result<(Option<&Value>, StateProof), OutsideWindow> {
        let value = self.value_at(height, key)?;
        let outside = OutsideWindow { oldest: self.oldest_height(), newest: self.height, got: height };
        let proof = self.tree.proof(&proof::place(key), height).ok_or(outside)?;
        Ok((value, proof))
    }

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

    /// A channel as it was after block `height`.
    ///
    /// # Errors
    /// [`OutsideWindow`].
    pub fn channel_at(&self, height: Height, parties: &Parties) -> Result<Channel, OutsideWindow> {
        Ok(match self.value_at(height, &Key::Channel(*parties))? {
            Some(Value::Channel(channel)) => channel.clone(),
            _ => Channel::default(),
        })
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

    /// Every key and value in their canonical bytes, to be stored.
    pub fn encoded(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
        self.entries.iter().map(|(key, value)| (codec::encode(key), codec::encode(value)))
    }

    /// The same as it was after block `height`.
    ///
    /// # Errors
    /// [`OutsideWindow`].
    pub fn encoded_at(&self, height: Height) -> Result<impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_, OutsideWindow> {
        let oldest = self.oldest_height();
        if height < oldest || height > self.height {
            return Err(OutsideWindow { oldest, newest: self.height, got: height });
        }
        let mut entries: BTreeMap<&Key, &Value> = self.entries.iter().collect();
        for (key, before) in self.past.range(height.saturating_add(1)..).rev().flat_map(|(_, changes)| changes) {
            match before {
                Some(before) => entries.insert(key, before),
                None => entries.remove(key),
            };
        }
        Ok(entries.into_iter().map(|(key, value)| (codec::encode(key), codec::encode(value))))
    }

    /// Computes the tree with changes, without changing anything.
    pub(super) fn next_tree(&self, changes: &[(Key, Option<Value>)]) -> TreeUpdateHandle {
        TreeUpdateHandle(self.tree.next(changes.iter().map(|(key, value)| put(key, value.as_ref()))))
    }

    /// Makes the outcome of a block the newest state.
    pub(crate) fn commit(&mut self, transition: Transition) {
        assert_eq!(self.height.checked_add(1), Some(transition.height), "a transition of another height");
        let Transition { height, changes, before, tree, openings: _, outcomes: _ } = transition;
        self.tree.commit(tree.0, u64::from(self.facts.parameters.proof_window_heights));
        self.past.insert(height, ordered::map(changes.iter().map(|(key, _)| *key).zip(before)));
        for (key, value) in changes {
            index_channel(&mut self.partners, &key);
            match value {
                Some(value) => {
                    self.facts.update(&key, &value);
                    self.entries.insert(key, value);
                }
                None => drop(self.entries.remove(&key)),
            }
        }
        self.height = height;
        let oldest = self.oldest_height();
        self.past.retain(|height, _| *height > oldest);
    }

    /// Takes back the recent heights of a restored state: `undos` lead from the newest block backwards, and
    /// `roots` are the state roots after each of the same blocks and the one before them.
    ///
    /// # Errors
    /// [`BadState`] when an undo does not lead to the root before it; then nothing changed.
    pub(crate) fn recall(&mut self, undos: &[&[u8]], roots: &[Hash]) -> Result<(), BadState> {
        let mut entries = self.entries.clone();
        let mut redos = Vec::with_capacity(undos.len());
        let mut past = BTreeMap::new();
        let mut height = self.height;
        for (index, bytes) in undos.iter().enumerate() {
            let undo: Undo = codec::decode(bytes, MAX_UNDO_BYTES).map_err(|error| BadState::Decode { index, error })?;
            // Each key once, whatever the bytes say.
            let undo = ordered::map(undo);
            let mut redo: Vec<Put> = Vec::with_capacity(undo.len());
            for (key, before) in &undo {
                let now = match before {
                    Some(before) if before.fits(key) => entries.insert(*key, before.clone()),
                    Some(_) => return Err(BadState::OutOfPlace { index }),
                    None => entries.remove(key),
                };
                redo.push(put(key, now.as_ref()));
            }
            past.insert(height, undo);
            redos.push(redo);
            height = height.saturating_sub(1);
        }
        let tree = build_tree(height, &entries);
        let tree = replay(tree, redos, roots, u64::from(self.facts.parameters.proof_window_heights))?;
        assert_eq!(tree.root(), self.root(), "the same values have the same root");
        (self.tree, self.past) = (tree, past);
        let oldest = self.oldest_height();
        self.past.retain(|height, _| *height > oldest);
        Ok(())
    }

    /// Sum of all balances and insurance of every asset.
    pub fn totals(&self) -> BTreeMap<AssetId, u128> {
        let mut sums = BTreeMap::new();
        for (key, value) in &self.entries {
            for (asset, amount) in holdings(key, Some(value)) {
                let sum: &mut u128 = sums.entry(asset).or_default();
                *sum = sum.saturating_add(u128::from(amount));
            }
        }
        sums
    }

    #[cfg(test)]
    pub(crate) fn tree_nodes(&self) -> usize {
        self.tree.node_count()
    }
}

/// The tree after a block that is not committed yet.
#[derive(Debug)]
pub(super) struct TreeUpdateHandle(TreeUpdate);

impl TreeUpdateHandle {
    /// Root after it.
    pub(super) const fn root(&self) -> Hash {
        self.0.root()
    }
}

/// A height whose state is not, or no longer, known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("the state of height {got} is not known; heights {oldest} to {newest} are")]
pub struct OutsideWindow {
    /// Oldest height kept.
    pub oldest: Height,
    /// Newest height.
    pub newest: Height,
    /// What was asked for.
    pub got: Height,
}

impl Facts {
    fn read(entries: &BTreeMap<Key, Value>) -> Option<Self> {
        let set = |key| match entries.get(&key) {
            Some(Value::Validators(set)) => Some(set.as_ref().clone()),
            _ => None,
        };
        match (entries.get(&Key::Clock), entries.get(&Key::Parameters)) {
            (Some(Value::Clock(usable_height)), Some(Value::Parameters(parameters))) => Some(Self {
                usable_height: *usable_height,
                parameters: parameters.as_ref().clone(),
                validators: set(Key::Validators)?,
                next_validators: set(Key::NextValidators)?,
            }),
            _ => None,
        }
    }

    fn update(&mut self, key: &Key, value: &Value) {
        match (key, value) {
            (Key::Clock, Value::Clock(usable_height)) => self.usable_height = *usable_height,
            (Key::Parameters, Value::Parameters(parameters)) => self.parameters = parameters.as_ref().clone(),
            (Key::Validators, Value::Validators(set)) => self.validators = set.as_ref().clone(),
            (Key::NextValidators, Value::Validators(set)) => self.next_validators = set.as_ref().clone(),
            _ => {}
        }
    }
}

/// What an entry holds of every asset.
pub(super) fn holdings(key: &Key, value: Option<&Value>) -> Vec<(AssetId, Amount)> {
    match (key, value) {
        (Key::Balance(_, asset), Some(Value::Balance(amount))) => vec![(*asset, *amount)],
        (_, Some(Value::Channel(channel))) => channel.assets.iter().map(|part| (part.asset, part.insurance)).collect(),
        _ => Vec::new(),
    }
}

fn put(key: &Key, value: Option<&Value>) -> Put {
    (proof::place(key), value.map(proof::value_hash))
}

fn build_tree(height: Height, entries: &BTreeMap<Key, Value>) -> Tree {
    Tree::new(height, entries.iter().map(|(key, value)| put(key, Some(value))))
}

/// Goes forward again over blocks whose new values were collected backwards, holding each root against the
/// header's. `roots` are newest first, one more than there are blocks.
fn replay(mut tree: Tree, redos: Vec<Vec<Put>>, roots: &[Hash], window: u64) -> Result<Tree, BadState> {
    let mut roots = roots.iter().rev();
    let mut hold = |got: Hash| match roots.next() {
        Some(expected) if *expected == got => Ok(()),
        expected => Err(BadState::WrongRoot { expected: expected.copied().unwrap_or(Hash::ZERO), got }),
    };
    hold(tree.root())?;
    for redo in redos.into_iter().rev() {
        let update = tree.next(redo.into_iter());
        hold(update.root())?;
        tree.commit(update, window);
    }
    Ok(tree)
}

fn index_channel(partners: &mut BTreeSet<(PublicKey, PublicKey)>, key: &Key) {
    if let Key::Channel(parties) = key {
        partners.insert((parties.left(), parties.right()));
        partners.insert((parties.right(), parties.left()));
    }
}

fn genesis_entries(genesis: &Genesis) -> BTreeMap<Key, Value> {
    let mut entries = ordered::map([
        (Key::Clock, Value::Clock(0)),
        (Key::Parameters, Value::Parameters(Box::new(genesis.parameters.clone()))),
        (Key::Validators, Value::Validators(Box::new(genesis.validators.clone()))),
        (Key::NextValidators, Value::Validators(Box::new(genesis.validators.clone()))),
    ]);
    let mut counters = Counters::default();
    for asset in &genesis.assets {
        counters.assets = counters.assets.max(asset.id.0);
        entries.insert(Key::Asset(asset.id), Value::Asset(Box::new(asset.clone())));
        entries.insert(Key::ticker(&asset.ticker), Value::Ticker(asset.id));
    }
    for account in &genesis.accounts {
        counters.accounts = counters.accounts.saturating_add(1);
        let id = counters.accounts;
        entries.insert(Key::Account(account.key), Value::Account(Account { id, nonce: 0 }));
        entries.insert(Key::AccountKey(id), Value::AccountKey(account.key));
        for (asset, amount) in &account.balances {
            entries.insert(Key::Balance(account.key, *asset), Value::Balance(*amount));
        }
    }
    for bank in &genesis.banks {
        entries.insert(Key::Bank(bank.key), Value::Bank(Box::new(bank.clone())));
        entries.insert(Key::bank_handle(&bank.handle), Value::BankHandle(bank.key));
    }
    entries.insert(Key::Counters, Value::Counters(counters));
    entries
}

#[cfg(test)]
mod tests;
