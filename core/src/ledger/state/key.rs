//! Keys of the state (docs/protocol.md, section 3).
//!
//! The canonical bytes of a key are its variant number and its fields (borsh, little endian); the tree
//! places a key at `SHA-256(tag ‖ key bytes)`.
//!
//! ```text
//! number  key             fields after the number             bytes  value
//!   0     Clock           –                                       1  U for the next block
//!   1     Parameters      –                                       1  K
//!   2     Validators      –                                       1  set that certifies the next block
//!   3     NextValidators  –                                       1  set that certifies the one after it
//!   4     Counters        –                                       1  numbers given so far
//!   5     Account         key 32                                 33  number and nonce
//!   6     AccountKey      number u64                              9  the account's key
//!   7     Balance         key 32 │ asset u32                     37  on-chain balance
//!   8     Channel         left 32 │ right 32                     65  collateral and consents
//!   9     Asset           asset u32                               5  what it is
//!  10     Bank            key 32                                 33  what is registered
//! ```
//!
//! The numbers in [`RESERVED`] belong to the court and to governance, which version 1 does not execute.

use crate::types::{AccountId, AssetId, Parties, PublicKey};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// Where a value of the state stands. The order of variants and fields is the order of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
#[serde(tag = "kind", content = "of", rename_all = "snake_case")]
pub enum Key {
    /// The clock U.
    Clock = 0,
    /// K.
    Parameters = 1,
    /// Who certifies the next block.
    Validators = 2,
    /// Who certifies the block after the next.
    NextValidators = 3,
    /// Numbers given so far.
    Counters = 4,
    /// A registered account.
    Account(PublicKey) = 5,
    /// Key of the account with a number.
    AccountKey(AccountId) = 6,
    /// On-chain balance of an account in an asset; absent when zero.
    Balance(PublicKey, AssetId) = 7,
    /// A channel that was ever deposited into.
    Channel(Parties) = 8,
    /// An asset.
    Asset(AssetId) = 9,
    /// A registered bank.
    Bank(PublicKey) = 10,
}

/// Numbers of key kinds that version 1 does not have; such bytes are a decoding error.
pub const RESERVED: &[(u8, &str)] = &[
    (16, "DisputeByEnd"),
    (17, "Dispute"),
    (18, "Debt"),
    (19, "DebtQueue"),
    (20, "Hashlock"),
    (21, "HashlockByDeletion"),
    (22, "Proposal"),
    (23, "ProposalByEnd"),
    (24, "Vote"),
    (25, "Release"),
];

/// Longest encoded key.
pub const MAX_KEY_BYTES: usize = 65;
