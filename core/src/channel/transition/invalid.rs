//! Why a transition is not allowed.

use crate::channel::state::LockId;
use crate::types::{Amount, AssetId, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// A transition that the agreement does not allow.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Invalid {
    /// Nothing to pay.
    #[error("the amount is zero")]
    ZeroAmount,
    /// More than can be paid.
    #[error("{asked} where {available} are available")]
    Unavailable {
        /// Balance + credit − locks − holds.
        available: Amount,
        /// What was to be paid.
        asked: Amount,
    },
    /// The receiver has not accepted this asset.
    #[error("the partner has not accepted asset {asset}")]
    AssetNotAccepted {
        /// Which.
        asset: AssetId,
    },
    /// Sums would leave the range of a state.
    #[error("sums of the state would become too large")]
    TooLarge,
    /// Under the least amount.
    #[error("{got} where at least {least} is needed")]
    TooSmall {
        /// The least.
        least: Amount,
        /// What came.
        got: Amount,
    },
    /// No more locks on this side.
    #[error("more than {limit} locks on one side")]
    TooManyLocks {
        /// K.max_locks.
        limit: u16,
    },
    /// No more assets in this channel.
    #[error("more than {limit} assets in one channel")]
    TooManyAssets {
        /// K.max_channel_assets.
        limit: u16,
    },
    /// The state would be too large to dispute.
    #[error("a state of {got_bytes} bytes where at most {limit_bytes} are allowed")]
    StateTooLarge {
        /// K.max_state_bytes.
        limit_bytes: u32,
        /// What it would be.
        got_bytes: u64,
    },
    /// Later than any lock may expire.
    #[error("expiry {got} is after {latest}")]
    ExpiryTooFar {
        /// U(as_of_height) + horizon.
        latest: UsableHeight,
        /// What came.
        got: UsableHeight,
    },
    /// An index that the giver may have used.
    #[error("lock index {got} where at least {least} is needed")]
    IndexUsed {
        /// The least.
        least: u64,
        /// What came.
        got: u64,
    },
    /// A note or onion is too long.
    #[error("{got} bytes where at most {limit} are allowed")]
    TooLong {
        /// The cap in bytes.
        limit: usize,
        /// What came.
        got: usize,
    },
    /// There is no such lock.
    #[error("there is no lock {0:?}")]
    NoSuchLock(LockId),
    /// The other side may do this, not the proposer.
    #[error("not the proposer's to do")]
    NotYours,
    /// The secret is not the preimage of the lock's hash.
    #[error("the secret does not open the lock")]
    WrongSecret,
    /// A lock that may still be settled.
    #[error("the lock can be settled until {until}, it is {now}")]
    NotExpired {
        /// Expiry + margin.
        until: UsableHeight,
        /// U as of the frame's facts.
        now: UsableHeight,
    },
    /// The secret was revealed in time: the lock belongs to its receiver.
    #[error("the secret was revealed on-chain in time")]
    Revealed,
    /// Too little to insure.
    #[error("{uninsured} is uninsured, at least {least} is needed")]
    NothingToInsure {
        /// K.min_insurance.
        least: Amount,
        /// What is uninsured.
        uninsured: Amount,
    },
    /// It was asked for before.
    #[error("it was asked for already")]
    AlreadyRequested,
    /// Not the chain's next consent number.
    #[error("consent number {got} where the chain's next is {expected}")]
    WrongNonce {
        /// The chain's next.
        expected: u64,
        /// What came.
        got: u64,
    },
    /// There is no withdrawal under way.
    #[error("no withdrawal is under way")]
    NoHold,
    /// Consent was given, it cannot be taken back.
    #[error("the withdrawal was granted")]
    AlreadyGranted,
    /// Not the consent that was asked for, or not signed by its giver.
    #[error("the consent is not the one that was asked for")]
    WrongConsent,
}
