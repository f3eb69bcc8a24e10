//! The ledger's state: a sorted map of keys to values under one root (docs/protocol.md, section 3).
//!
//! Data comes from genesis, from stored bytes ([`State::restore`]) or from an executed block
//! ([`State::commit`]), and from nowhere else. Values of the last K.proof_window_heights heights, and
//! proofs for them, can be asked for as well.
//!
//! **Invariant**: the sum of all balances and all insurance of an asset is its supply.

mod build;
mod key;
mod lookup;
mod past;
mod proof;
mod tree;
mod value;

pub use build::StateBuilder;
pub use key::{Key, MAX_KEY_BYTES};
pub use lookup::AccountView;
pub use past::OutsideWindow;
pub use proof::{BadProof, MAX_PROOF_BYTES, ProofEnd, StateProof};
pub use value::{
    Account, Channel, ChannelAsset, Counters, CourtState, Debt, DebtQueue, Dispute, Hashlock, Proposal, ProposalState,
    Release, Value, VoteCast,
};

use super::transition::Transition;
use super::view::{Changes, View};
use crate::chain::certificate::ValidatorSet;
use crate::chain::genesis::Genesis;
use crate::chain::params::Parameters;
use crate::codec::{self, DecodeError};
use crate::limits;
use crate::ordered;
use crate::types::{Amount, AssetId, Hash, Height, PublicKey, UsableHeight};
use std::collections::{BTreeMap, BTreeSet};
use tree::{Put, Tree, TreeUpdate};

/// Longest encoded value: the proposal, with the longest text, of a validator set with the longest URLs.
pub const MAX_VALUE_BYTES: usize =
    256 + limits::MAX_PROPOSAL_TEXT_BYTES + limits::MAX_VALIDATORS * (32 + 32 + 8 + 4 + limits::MAX_URL_BYTES);

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

    /// Every key and value in their canonical bytes, to be stored.
    pub fn encoded(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
        self.entries.iter().map(|(key, value)| (codec::encode(key), codec::encode(value)))
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
