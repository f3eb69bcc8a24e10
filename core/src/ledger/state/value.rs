//! Values of the state.
//!
//! The canonical bytes of a value are its variant number and its fields (borsh, little endian):
//!
//! ```text
//! number  value       fields after the number
//!   0     Clock       usable_height u64
//!   1     Parameters  as in chain::params
//!   2     Validators  count u32, then each: account 32 │ signing_key 32 │ shares u64 │ url (u32 length, bytes)
//!   3     Counters    accounts u64 │ assets u32
//!   4     Account     id u64 │ nonce u64
//!   5     AccountKey  key 32
//!   6     Balance     amount u64
//!   7     Channel     epoch u64 │ count u32, then each, sorted by asset: asset u32 │ insurance u64 │ ondelta i64
//!                     │ left_consents u64 │ right_consents u64
//!   8     Asset       as in chain::genesis
//!   9     Bank        as in chain::genesis
//! ```

use super::key::Key;
use crate::chain::certificate::ValidatorSet;
use crate::chain::genesis::{Asset, Bank};
use crate::chain::params::Parameters;
use crate::types::{AccountId, Amount, AssetId, Epoch, PublicKey, Side, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// A value of the state. Rare, large kinds are boxed so that the map stays small.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
#[serde(tag = "kind", content = "is", rename_all = "snake_case")]
pub enum Value {
    /// U for the next block.
    Clock(UsableHeight) = 0,
    /// K.
    Parameters(Box<Parameters>) = 1,
    /// A validator set.
    Validators(Box<ValidatorSet>) = 2,
    /// Numbers given so far.
    Counters(Counters) = 3,
    /// An account.
    Account(Account) = 4,
    /// Key of a numbered account.
    AccountKey(PublicKey) = 5,
    /// A balance, never zero.
    Balance(Amount) = 6,
    /// A channel.
    Channel(Channel) = 7,
    /// An asset.
    Asset(Box<Asset>) = 8,
    /// A bank.
    Bank(Box<Bank>) = 9,
}

impl Value {
    /// Whether a value of this kind may stand at a key.
    pub fn fits(&self, key: &Key) -> bool {
        matches!(
            (key, self),
            (Key::Clock, Self::Clock(_))
                | (Key::Parameters, Self::Parameters(_))
                | (Key::Validators | Key::NextValidators, Self::Validators(_))
                | (Key::Counters, Self::Counters(_))
                | (Key::Account(_), Self::Account(_))
                | (Key::AccountKey(_), Self::AccountKey(_))
                | (Key::Balance(..), Self::Balance(1..))
                | (Key::Channel(_), Self::Channel(_))
                | (Key::Asset(_), Self::Asset(_))
                | (Key::Bank(_), Self::Bank(_))
        )
    }
}

/// Numbers given so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Counters {
    /// Registered accounts; the newest has this number.
    pub accounts: AccountId,
    /// Assets; the newest has this number.
    pub assets: u32,
}

/// A registered account. Its balances stand at keys of their own, so that junk assets in somebody's
/// account make nothing larger than itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Nonce of its next batch.
    pub nonce: u64,
}

/// What the chain knows of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Channel {
    /// Disputes resolved so far.
    pub epoch: Epoch,
    /// Sorted by asset, at most K.max_channel_assets.
    pub assets: Vec<ChannelAsset>,
}

/// One asset of a channel on-chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct ChannelAsset {
    /// Which.
    pub asset: AssetId,
    /// Collateral locked.
    pub insurance: Amount,
    /// On-chain part of the delimiter, within ±2^62.
    pub ondelta: i64,
    /// Number of left's next consent.
    pub left_consents: u64,
    /// Number of right's next consent.
    pub right_consents: u64,
}

impl ChannelAsset {
    /// An asset that was never in the channel.
    pub const fn none(asset: AssetId) -> Self {
        Self { asset, insurance: 0, ondelta: 0, left_consents: 0, right_consents: 0 }
    }

    /// Number that the next withdrawal consent for this withdrawer carries.
    pub const fn next_consent(&self, withdrawer: Side) -> u64 {
        match withdrawer {
            Side::Left => self.left_consents,
            Side::Right => self.right_consents,
        }
    }
}

impl Channel {
    /// The asset's part, if it ever entered the channel.
    pub fn asset(&self, asset: AssetId) -> Option<&ChannelAsset> {
        let place = self.assets.binary_search_by_key(&asset, |part| part.asset).ok()?;
        self.assets.get(place)
    }

    /// The asset's part, zeros when it never entered.
    pub fn asset_or_zero(&self, asset: AssetId) -> ChannelAsset {
        self.asset(asset).copied().unwrap_or(ChannelAsset::none(asset))
    }

    /// Replaces an asset's part or adds it in its place.
    pub(crate) fn put(&mut self, part: ChannelAsset) {
        match self.assets.binary_search_by_key(&part.asset, |other| other.asset) {
            Ok(place) => {
                if let Some(old) = self.assets.get_mut(place) {
                    *old = part;
                }
            }
            Err(place) => self.assets.insert(place, part),
        }
    }
}
