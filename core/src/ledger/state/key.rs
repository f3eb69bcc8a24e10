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
//!  16     DisputeByEnd    U u64 │ left 32 │ right 32             73  nothing: a dispute to be looked at then
//!  17     Dispute         left 32 │ right 32                     65  a channel in court
//!  18     Debt            debtor 32 │ asset u32 │ number u64     45  creditor and amount
//!  19     DebtQueue       debtor 32 │ asset u32                  37  first and next number of its debts
//!  20     Hashlock        hash 32                                33  when revealed, when deleted
//!  21     HashlockByDeletion  U u64 │ hash 32                    41  nothing: an entry to be deleted then
//!  22     Proposal        number u64                              9  a proposal
//!  23     ProposalByEnd   U u64 │ number u64                     17  nothing: a proposal to be looked at then
//!  24     Vote            proposal u64 │ account 32              41  a vote
//!  25     Release         version u16                             3  from when on, and its bundle
//!  26     BankHandle      hash of the handle 32                  33  the bank that has it
//!  27     Ticker          hash of the ticker 32                  33  the asset that has it
//! ```

use crate::crypto;
use crate::ledger::operation::ProposalId;
use crate::message::tags;
use crate::types::{AccountId, AssetId, Hash, Parties, PublicKey, UsableHeight};
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
    /// A channel that was ever deposited into or resolved.
    Channel(Parties) = 8,
    /// An asset.
    Asset(AssetId) = 9,
    /// A registered bank.
    Bank(PublicKey) = 10,
    /// A dispute that is to be looked at when U reaches this.
    DisputeByEnd(UsableHeight, Parties) = 16,
    /// A channel in court.
    Dispute(Parties) = 17,
    /// A debt of an account in an asset, by its number.
    Debt(PublicKey, AssetId, u64) = 18,
    /// Numbers of the debts of an account in an asset; absent when it has none.
    DebtQueue(PublicKey, AssetId) = 19,
    /// A revealed secret's hash.
    Hashlock(Hash) = 20,
    /// An entry of the registry that is to be deleted when U reaches this.
    HashlockByDeletion(UsableHeight, Hash) = 21,
    /// A proposal.
    Proposal(ProposalId) = 22,
    /// A proposal that is to be looked at when U reaches this.
    ProposalByEnd(UsableHeight, ProposalId) = 23,
    /// A validator's vote.
    Vote(ProposalId, PublicKey) = 24,
    /// A version of the rules.
    Release(u16) = 25,
    /// Who has a handle, by its hash ([`Self::bank_handle`]).
    BankHandle(Hash) = 26,
    /// Which asset has a ticker, by its hash ([`Self::ticker`]).
    Ticker(Hash) = 27,
}

impl Key {
    /// Where it stands who has a handle.
    pub fn bank_handle(handle: &str) -> Self {
        Self::BankHandle(crypto::hash(tags::BANK_HANDLE, &[handle.as_bytes()]))
    }

    /// Where it stands which asset has a ticker.
    pub fn ticker(ticker: &str) -> Self {
        Self::Ticker(crypto::hash(tags::TICKER, &[ticker.as_bytes()]))
    }
}

/// Longest encoded key.
pub const MAX_KEY_BYTES: usize = 73;
