//! Values of the state.
//!
//! The canonical bytes of a value are its variant number and its fields (borsh, little endian):
//!
//! ```text
//! number  value       fields after the number
//!   0     Clock       usable_height u64
//!   1     Parameters  as in chain::params
//!   2     Validators  count u32, then each: account 32 │ signing_key 32 │ shares u64 │ url (u32 length, bytes)
//!   3     Counters    accounts u64 │ assets u32 │ proposals u64
//!   4     Account     id u64 │ nonce u64
//!   5     AccountKey  key 32
//!   6     Balance     amount u64
//!   7     Channel     epoch u64 │ count u32, then each, sorted by asset: asset u32 │ insurance u64 │ ondelta i64
//!                     │ left_consents u64 │ right_consents u64; then resolved (0, or 1 │ frame u64 │ proposer u8)
//!   8     Asset       as in chain::genesis
//!   9     Bank        as in chain::genesis
//!  16     Due         nothing: the key says it
//!  17     Dispute     starter u8 │ start u64 │ delay u32 │ horizon u32 │ state (0, or 1 │ frame u64 │ proposer u8 │ subs) │ end u64
//!  18     Debt        creditor 32 │ amount u64
//!  19     DebtQueue   first u64 │ next u64
//!  20     Hashlock    secret 32 │ revealed_at u64 │ deleted_at u64
//!  22     Proposal    proposer 32 │ action │ text (u32 length, bytes) │ start u64 │ votes_until u64 │ state
//!                     (0 open, 1 accepted │ effective u64, 2 executed │ at u64, 3 rejected, 4 void)
//!  24     Vote        approve u8 │ rationale (u32 length, bytes)
//!  25     Release     height u64 │ bundle 32
//!  26     BankHandle  key 32
//!  27     Ticker      asset u32
//! ```

use super::key::Key;
use crate::chain::certificate::ValidatorSet;
use crate::chain::genesis::{Asset, Bank};
use crate::chain::params::Parameters;
use crate::channel::state::{StateOrder, Sub};
use crate::crypto::Secret;
use crate::ledger::operation::GovernanceAction;
use crate::types::{AccountId, Amount, AssetId, Epoch, Hash, Height, PublicKey, Side, UsableHeight};
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
    /// Nothing but that its key is there.
    Due = 16,
    /// A channel in court.
    Dispute(Box<Dispute>) = 17,
    /// A debt, never zero.
    Debt(Debt) = 18,
    /// Numbers of debts, never none.
    DebtQueue(DebtQueue) = 19,
    /// A revealed hash.
    Hashlock(Hashlock) = 20,
    /// A proposal.
    Proposal(Box<Proposal>) = 22,
    /// A vote.
    Vote(Box<VoteCast>) = 24,
    /// A version of the rules.
    Release(Release) = 25,
    /// The bank that has a handle.
    BankHandle(PublicKey) = 26,
    /// The asset that has a ticker.
    Ticker(AssetId) = 27,
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
                | (Key::DisputeByEnd(..) | Key::HashlockByDeletion(..) | Key::ProposalByEnd(..), Self::Due)
                | (Key::Dispute(_), Self::Dispute(_))
                | (Key::Debt(..), Self::Debt(_))
                | (Key::DebtQueue(..), Self::DebtQueue(_))
                | (Key::Hashlock(_), Self::Hashlock(_))
                | (Key::Proposal(_), Self::Proposal(_))
                | (Key::Vote(..), Self::Vote(_))
                | (Key::Release(_), Self::Release(_))
                | (Key::BankHandle(_), Self::BankHandle(_))
                | (Key::Ticker(_), Self::Ticker(_))
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
    /// Proposals; the newest has this number.
    pub proposals: u64,
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
    /// Order of the state by which the last dispute was resolved.
    pub resolved: Option<StateOrder>,
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

    /// Whether there is anything on-chain that court could split or that one side owes the other.
    pub fn holds_anything(&self) -> bool {
        self.assets.iter().any(|part| part.insurance > 0 || part.ondelta != 0)
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

/// A channel in court.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Dispute {
    /// Who began it.
    pub starter: Side,
    /// U of the block that began it.
    pub start: UsableHeight,
    /// Length of the answer window, fixed at the start: answers count while U ≤ start + delay.
    pub delay: u32,
    /// How long after the start locks may keep it open, fixed then.
    pub horizon: u32,
    /// The newest state shown; `None`: the default state.
    pub state: Option<CourtState>,
    /// It is looked at, and resolved if the answer window is over, when U reaches this. During the answer window
    /// start + delay + 1; afterwards the end, computed once from the state in court.
    pub end: UsableHeight,
}

/// What court keeps of a channel state.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct CourtState {
    /// Its place among the states of its epoch.
    pub order: StateOrder,
    /// One for each asset that is not all zero, sorted by asset.
    pub subs: Vec<Sub>,
}

impl Dispute {
    /// Last U at which an answer counts.
    pub fn answers_until(&self) -> UsableHeight {
        self.start.saturating_add(UsableHeight::from(self.delay))
    }

    /// U from which on it can be resolved, by the state that is in court now:
    /// max(start + delay, min(last lock's expiry, start + horizon)) + 1.
    pub fn resolvable_from(&self) -> UsableHeight {
        let locks = self.state.iter().flat_map(|state| &state.subs);
        let locks = locks.flat_map(|sub| sub.left_locks.iter().chain(&sub.right_locks));
        let last_expiry = locks.map(|lock| lock.expiry).max().unwrap_or(0);
        let latest = self.start.saturating_add(UsableHeight::from(self.horizon));
        self.answers_until().max(last_expiry.min(latest)).saturating_add(1)
    }

    /// Order of the state in court.
    pub fn order(&self) -> StateOrder {
        self.state.as_ref().map_or(StateOrder::DEFAULT, |state| state.order)
    }
}

/// What a resolved dispute could not pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Debt {
    /// To whom.
    pub creditor: PublicKey,
    /// What is still open.
    pub amount: Amount,
}

/// Which debts an account has in an asset: those numbered `first` to `next − 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct DebtQueue {
    /// The oldest that is open.
    pub first: u64,
    /// Number of the next.
    pub next: u64,
}

/// An entry of the registry of secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Hashlock {
    /// The secret itself, for whoever holds a lock with this hash.
    pub secret: Secret,
    /// U at which it was first revealed; never changes.
    pub revealed_at: UsableHeight,
    /// It is deleted when U reaches this; a second reveal extends it.
    pub deleted_at: UsableHeight,
}

/// A proposal of governance.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Proposal {
    /// Who proposed it.
    pub proposer: PublicKey,
    /// What it does.
    pub action: GovernanceAction,
    /// Why.
    pub text: String,
    /// U of the block that took it.
    pub start: UsableHeight,
    /// Votes count while U ≤ this.
    pub votes_until: UsableHeight,
    /// Where it stands.
    pub state: ProposalState,
}

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ProposalState {
    /// Votes are taken.
    Open = 0,
    /// 2/3+ approved; it takes effect when U reaches this.
    Accepted {
        /// When.
        effective: UsableHeight,
    } = 1,
    /// It took effect.
    Executed {
        /// In the block that was executed by this U.
        at: UsableHeight,
    } = 2,
    /// Too few approved.
    Rejected = 3,
    /// Accepted, but what would result breaks a rule.
    Void = 4,
}

/// A vote as it stands.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct VoteCast {
    /// Yes or no.
    pub approve: bool,
    /// Why.
    pub rationale: String,
}

/// A version of the rules that governance announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Release {
    /// First height that follows it.
    pub height: Height,
    /// Hash of the published bundle.
    pub bundle: Hash,
}
