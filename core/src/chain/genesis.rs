//! The genesis document: everything that a chain starts with. Its hash is the chain's id.

use super::certificate::{BadValidatorSet, ValidatorSet};
use super::names;
use super::params::{BadParameters, Parameters};
use crate::codec::{self, DecodeError};
use crate::crypto;
use crate::limits;
use crate::message::tags;
use crate::ordered;
use crate::types::{Amount, AssetId, Hash, PublicKey, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// What a chain starts with.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Genesis {
    /// Name that people see.
    pub network: String,
    /// Whether it is for play: faucets and debug data are allowed only there.
    pub purpose: Purpose,
    /// No block is older.
    pub time_ms: TimeMs,
    /// K.
    pub parameters: Parameters,
    /// Who certifies the first block.
    pub validators: ValidatorSet,
    /// Sorted by id, without gaps from 1.
    pub assets: Vec<Asset>,
    /// Accounts that exist from the start; their numbers are 1, 2, … in this order.
    pub accounts: Vec<GenesisAccount>,
    /// Banks, sorted by account number; each account is one of `accounts`.
    pub banks: Vec<Bank>,
}

/// What a network is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Money without worth; faucets give it away.
    Test,
    /// Money with worth.
    Main,
}

/// An asset.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Asset {
    /// Its number.
    pub id: AssetId,
    /// Short name, `FRD`.
    pub ticker: String,
    /// Full name.
    pub name: String,
    /// Decimal digits that people see after the point.
    pub decimals: u8,
    /// How much exists, in the smallest unit.
    pub supply: Amount,
}

impl Asset {
    /// Whether ticker, name and decimals are within their bounds.
    fn is_presentable(&self) -> bool {
        names::is_ticker(&self.ticker) && names::is_name(&self.name) && self.decimals <= limits::MAX_DECIMALS
    }
}

/// An account at the start.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct GenesisAccount {
    /// Its key.
    pub key: PublicKey,
    /// First balances, sorted by asset, none zero.
    pub balances: Vec<(AssetId, Amount)>,
}

/// A bank as registered on-chain.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Bank {
    /// Its account.
    pub key: PublicKey,
    /// Name after the @, `main`.
    pub handle: String,
    /// Where it is reached.
    pub url: String,
    /// Fee for mediating a payment: flat part, in the asset's unit.
    pub fee_base: Amount,
    /// Fee for mediating a payment: parts per million of the amount, rounding up.
    pub fee_ppm: u32,
    /// Flat price of one insurance, in the asset insured.
    pub insurance_price: Amount,
}

/// A genesis document that no chain may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGenesis {
    /// Not decodable.
    #[error("the genesis document cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// Parameters that break a rule.
    #[error(transparent)]
    Parameters(#[from] BadParameters),
    /// An impossible validator set.
    #[error("validators: {0}")]
    Validators(#[from] BadValidatorSet),
    /// Anything else, in words.
    #[error("genesis: {0}")]
    Content(&'static str),
}

impl Genesis {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// [`BadGenesis`] names what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadGenesis> {
        let genesis: Self = codec::decode(bytes, limits::MAX_GENESIS_BYTES)?;
        genesis.check()?;
        Ok(genesis)
    }

    /// Hash of the document: binds every signature to this chain.
    pub fn chain_id(&self) -> Hash {
        crypto::hash(tags::GENESIS, &[&codec::encode(self)])
    }

    /// Checks what every chain must start with.
    ///
    /// # Errors
    /// [`BadGenesis`] names what is wrong.
    pub fn check(&self) -> Result<(), BadGenesis> {
        self.parameters.check()?;
        self.validators.check()?;
        let keys = ordered::set(self.accounts.iter().map(|account| account.key));
        let rules = [
            (names::is_name(&self.network), "the network needs a short name"),
            (keys.len() == self.accounts.len(), "an account stands twice"),
            (
                self.validators.validators.iter().all(|validator| keys.contains(&validator.account)),
                "a validator has no account",
            ),
            (self.banks.iter().all(|bank| keys.contains(&bank.key)), "a bank has no account"),
            (
                ordered::set(self.banks.iter().map(|bank| &bank.handle)).len() == self.banks.len()
                    && ordered::set(self.banks.iter().map(|bank| bank.key)).len() == self.banks.len(),
                "two banks share a handle or an account",
            ),
            (
                self.banks.iter().all(|bank| names::is_handle(&bank.handle) && bank.url.len() <= limits::MAX_URL_BYTES),
                "a bank's handle is none or its URL too long",
            ),
            (self.banks.iter().all(|bank| bank.fee_ppm <= limits::MAX_FEE_PPM), "a bank takes more than it is paid"),
            (
                self.assets.iter().zip(1_u32..).all(|(asset, number)| asset.id == AssetId(number)),
                "assets are not numbered from 1",
            ),
            (self.assets.len() >= 2, "FRD and FRB must exist"),
            (self.assets.iter().all(Asset::is_presentable), "an asset's ticker, name or decimals are out of bounds"),
            (
                ordered::set(self.assets.iter().map(|asset| &asset.ticker)).len() == self.assets.len(),
                "two assets share a ticker",
            ),
            (
                self.accounts.iter().all(|account| {
                    account.balances.is_sorted_by(|a, b| a.0 < b.0) && account.balances.iter().all(|(_, n)| *n > 0)
                }),
                "balances are not sorted by asset and positive",
            ),
            (self.balances_match_supply(), "balances do not sum up to the supply"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(BadGenesis::Content(rule)),
            None => Ok(()),
        }
    }

    fn balances_match_supply(&self) -> bool {
        let mut sums = ordered::map(self.assets.iter().map(|asset| (asset.id, 0_u128)));
        for (asset, amount) in self.accounts.iter().flat_map(|account| &account.balances) {
            let Some(sum) = sums.get_mut(asset) else { return false };
            *sum = sum.saturating_add(u128::from(*amount));
        }
        self.assets
            .iter()
            .all(|asset| asset.supply <= limits::MAX_SUPPLY && sums.get(&asset.id) == Some(&u128::from(asset.supply)))
    }
}
