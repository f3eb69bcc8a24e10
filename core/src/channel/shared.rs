//! The shared part of a channel: what both parties agree on beside the state, hashed into it, and
//! ignored by court (docs/protocol.md, section 4). Chain facts as of one height, credit terms, holds, onions.
//!
//! Shared rules read chain facts from here and nowhere else, so that both parties come to the same
//! result whatever heads they see.

use crate::chain::params::Parameters;
use crate::codec;
use crate::crypto::{self, Secret};
use crate::ledger::state::CourtState;
use crate::message::tags;
use crate::types::{Amount, AssetId, Epoch, Hash, Height, Side, TimeMs, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

use super::state::{LockId, StateOrder};

/// One value for each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Sides<T> {
    /// Left's.
    pub left: T,
    /// Right's.
    pub right: T,
}

impl<T> Sides<T> {
    /// One side's.
    pub const fn get(&self, side: Side) -> &T {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// One side's, to be changed.
    pub const fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }
}

/// What both sides agree on beside the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Shared {
    /// The height whose chain facts these are.
    pub as_of_height: Height,
    /// U of the block at that height.
    pub usable_height: UsableHeight,
    /// What a side registered as its price of an insurance; `None`: it is no bank.
    pub insurance_prices: Sides<Option<Amount>>,
    /// Sorted by asset, none saying nothing.
    pub assets: Vec<SharedAsset>,
    /// Lowest index that a giver may use next.
    pub next_index: Sides<u64>,
    /// After a restore by the other side: until U is above this, a side's whole insured part is held,
    /// because consents may be out that the other one forgot.
    pub held_until: Sides<UsableHeight>,
    /// Digest of each lock's onion, sorted.
    pub onions: Vec<(LockId, Hash)>,
    /// Registry answers for the locks of the base: hash and the U at which it was first revealed, sorted.
    pub reveals: Vec<(Hash, UsableHeight)>,
}

/// Chain facts and terms of one asset.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct SharedAsset {
    /// Which asset.
    pub asset: AssetId,
    /// Collateral in the channel on-chain.
    pub insurance: Amount,
    /// On-chain part of the delimiter.
    pub ondelta: i64,
    /// The chain's next consent number of each withdrawer.
    pub consent_nonces: Sides<u64>,
    /// What each side granted and asked.
    pub terms: Sides<Terms>,
}

/// One side's terms in an asset. Zeros until it sets them.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Terms {
    /// It has set its credit once: the asset may enter the state.
    pub accepts: bool,
    /// How much uninsured balance it takes from the other.
    pub credit_limit: Amount,
    /// It wants insurance, at `insurance_price`, whenever its uninsured balance is above this.
    pub insure_above: Option<Amount>,
    /// It asked for insurance and has not seen it.
    pub insurance_requested: bool,
    /// The other side's price when insurance was last asked for, by request or threshold.
    pub insurance_price: Amount,
    /// Its withdrawal under way.
    pub hold: Option<Hold>,
}

/// A withdrawal under way. Its amount is reserved from the frame that asks, before any consent exists,
/// until the chain shows it executed or it can no longer be.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Hold {
    /// How much is to be withdrawn.
    pub amount: Amount,
    /// The consent's number.
    pub nonce: u64,
    /// The consent is valid while U ≤ this.
    pub expires_at: UsableHeight,
    /// The other side gave its consent.
    pub granted: bool,
}

impl SharedAsset {
    /// Nothing in an asset.
    pub fn zero(asset: AssetId) -> Self {
        Self { asset, insurance: 0, ondelta: 0, consent_nonces: Sides::default(), terms: Sides::default() }
    }
}

impl Shared {
    /// Goes into the state.
    pub fn hash(&self) -> Hash {
        crypto::hash(tags::CHANNEL_SHARED, &[&codec::encode(self)])
    }

    /// Facts and terms of an asset, if there are any.
    pub fn asset(&self, asset: AssetId) -> Option<&SharedAsset> {
        let position = self.assets.binary_search_by_key(&asset, |entry| entry.asset).ok()?;
        self.assets.get(position)
    }

    /// What a side granted and asked in an asset.
    pub fn terms(&self, asset: AssetId, side: Side) -> Option<&Terms> {
        self.asset(asset).map(|entry| entry.terms.get(side))
    }

    /// A side's withdrawal under way in an asset.
    pub fn hold(&self, asset: AssetId, side: Side) -> Option<&Hold> {
        self.terms(asset, side)?.hold.as_ref()
    }

    /// The digest of a lock's onion.
    pub fn onion(&self, id: &LockId) -> Option<&Hash> {
        let position = self.onions.binary_search_by(|(entry, _)| entry.cmp(id)).ok()?;
        self.onions.get(position).map(|(_, digest)| digest)
    }

    /// Whether the registry shows, as of these facts, that a hash was revealed at U ≤ `expiry`.
    pub fn was_revealed(&self, hash: &Hash, expiry: UsableHeight) -> bool {
        self.reveals.iter().any(|(revealed, at)| revealed == hash && *at <= expiry)
    }

    pub(crate) fn asset_mut(&mut self, asset: AssetId) -> &mut SharedAsset {
        let position = match self.assets.binary_search_by_key(&asset, |entry| entry.asset) {
            Ok(position) => position,
            Err(position) => {
                self.assets.insert(position, SharedAsset::zero(asset));
                position
            }
        };
        #[allow(clippy::indexing_slicing, reason = "the position was found or filled just above")]
        &mut self.assets[position]
    }

    pub(crate) fn add_onion(&mut self, id: LockId, digest: Hash) {
        if let Err(position) = self.onions.binary_search_by(|(entry, _)| entry.cmp(&id)) {
            self.onions.insert(position, (id, digest));
        }
    }

    pub(crate) fn remove_onion(&mut self, id: &LockId) {
        self.onions.retain(|(entry, _)| entry != id);
    }
}

/// What the chain says about one channel at one height.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Facts {
    /// U of the block at that height.
    pub usable_height: UsableHeight,
    /// Registered price of an insurance of each side that is a bank.
    pub insurance_prices: Sides<Option<Amount>>,
    /// Sorted by asset.
    pub assets: Vec<AssetFacts>,
}

/// What the chain says about one asset of a channel at one height.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct AssetFacts {
    /// Which asset.
    pub asset: AssetId,
    /// Collateral in the channel.
    pub insurance: Amount,
    /// On-chain part of the delimiter.
    pub ondelta: i64,
    /// Next consent number of each withdrawer.
    pub consent_nonces: Sides<u64>,
}

/// The newest certified block that this party verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Head {
    /// Its height.
    pub height: Height,
    /// Its U.
    pub usable_height: UsableHeight,
    /// Its time.
    pub time_ms: TimeMs,
}

/// What this party's own head says about court in the channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CourtStatus {
    /// Disputes resolved.
    pub epoch: Epoch,
    /// A dispute runs: nothing is signed.
    pub disputed: bool,
    /// Order of the state by which the last dispute was resolved.
    pub resolved: Option<StateOrder>,
}

/// A party's own verified view of the chain, as far as one channel needs it. The host keeps the facts of
/// at least K.proof_window heights behind its head.
pub trait ChainView {
    /// K.
    fn parameters(&self) -> &Parameters;

    /// The newest verified block.
    fn head(&self) -> Head;

    /// The channel's facts after the block at a height; `None` ahead of the head or when no longer kept.
    fn facts(&self, height: Height) -> Option<Facts>;

    /// The U at which a hash was first revealed, as of a height.
    fn revealed(&self, hash: &Hash, height: Height) -> Option<UsableHeight>;

    /// The preimage of a hash, as the registry shows it at the head.
    fn secret(&self, _hash: &Hash) -> Option<Secret> {
        None
    }

    /// The channel's court status at the head.
    fn court(&self) -> CourtStatus;

    /// The state in court at the head, while a dispute runs.
    fn in_court(&self) -> Option<CourtState> {
        None
    }
}
