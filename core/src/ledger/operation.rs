//! Operations and the consents that they carry.
//!
//! Variant numbers are part of every batch's bytes and never change. Unknown kinds are a decoding error.

use crate::chain::certificate::ValidatorSet;
use crate::chain::params::Parameters;
use crate::channel::shared::Sides;
use crate::channel::state::ChannelState;
use crate::crypto::{Secret, Tag};
use crate::message::{Message, Signed, tags};
use crate::types::{Amount, AssetId, Epoch, Hash, Height, Parties, PublicKey, Side, Signature, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// One on-chain action of a batch's signer.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Operation {
    /// From the signer's on-chain balance to an account or into a channel.
    Deposit(Deposit) = 0,
    /// Takes insurance out of a channel with the other side's consent.
    Withdraw(Withdraw) = 1,
    /// Takes a channel to court.
    Dispute(Dispute) = 2,
    /// Shows court a newer state of a disputed channel.
    Answer(Answer) = 3,
    /// Puts secrets into the registry.
    Reveal(Reveal) = 4,
    /// Proposes a change to those who hold shares.
    Propose(Propose) = 5,
    /// Votes on a proposal.
    Vote(Vote) = 6,
    /// Makes an asset.
    CreateAsset(CreateAsset) = 7,
    /// Registers the signer as a bank.
    RegisterBank(BankTerms) = 8,
    /// Changes what the signer is registered with.
    UpdateBank(BankTerms) = 9,
}

impl Operation {
    /// Its name, as people read it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Deposit(_) => "Deposit",
            Self::Withdraw(_) => "Withdraw",
            Self::Dispute(_) => "Dispute",
            Self::Answer(_) => "Answer",
            Self::Reveal(_) => "Reveal",
            Self::Propose(_) => "Propose",
            Self::Vote(_) => "Vote",
            Self::CreateAsset(_) => "CreateAsset",
            Self::RegisterBank(_) => "RegisterBank",
            Self::UpdateBank(_) => "UpdateBank",
        }
    }

    /// Whether it is one of those that have a room of their own in every block.
    pub const fn is_court(&self) -> bool {
        matches!(self, Self::Dispute(_) | Self::Answer(_) | Self::Reveal(_))
    }
}

/// Moves the signer's on-chain money to an account, or into channel `to@partner` on `to`'s side.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Deposit {
    /// What.
    pub asset: AssetId,
    /// How much leaves the signer's balance (registration fees come on top).
    pub amount: Amount,
    /// Who receives.
    pub to: PublicKey,
    /// The other party of the channel; `None` deposits to the on-chain balance.
    pub partner: Option<PublicKey>,
    /// Skipped when less than this would remain on the signer's balance of the asset.
    pub keep: Amount,
    /// Applies in this epoch of the channel only, when given.
    pub epoch: Option<Epoch>,
    /// Public invoice tag, at most [`crate::limits::MAX_INVOICE_TAG_BYTES`].
    pub invoice: Option<Vec<u8>>,
}

/// Takes insurance out of a channel into the signer's on-chain balance.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Withdraw {
    /// The other side's consent; its withdrawer is the batch's signer.
    pub proof: Signed<WithdrawalConsent>,
}

/// What the other side of a channel signs when it lets insurance go.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct WithdrawalConsent {
    /// The chain, repeated in the body so that the bytes name it.
    pub chain_id: Hash,
    /// The channel.
    pub parties: Parties,
    /// The channel's epoch when it was given.
    pub epoch: Epoch,
    /// Who takes out; the other side signs.
    pub withdrawer: Side,
    /// What.
    pub asset: AssetId,
    /// How much.
    pub amount: Amount,
    /// Next consent number of (channel, withdrawer, asset); never reset.
    pub nonce: u64,
    /// Valid while U ≤ this.
    pub expires_at: UsableHeight,
}

impl Message for WithdrawalConsent {
    const TAG: Tag = tags::WITHDRAWAL;
}

/// Takes the signer's channel with a partner to court. Both must be registered.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Dispute {
    /// The other party.
    pub partner: PublicKey,
    /// The newest state that the partner signed; `None`: the default state (zeros).
    pub proof: Option<Signed<ChannelState>>,
}

/// A newer state of a channel in court: from a party with the other's signature, from anyone else with both.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Answer {
    /// Names its parties.
    pub state: ChannelState,
    /// By side.
    pub signatures: Sides<Option<Signature>>,
}

/// Puts secrets into the registry: each hash with the U at which it was first revealed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Reveal {
    /// At least one, at most [`crate::limits::MAX_SECRETS`].
    pub secrets: Vec<Secret>,
}

/// Number of a proposal, from 1.
pub type ProposalId = u64;

/// Proposes an action. The signer is a validator's account.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Propose {
    /// What would be done.
    pub action: GovernanceAction,
    /// Why, for people; at most [`crate::limits::MAX_PROPOSAL_TEXT_BYTES`].
    pub text: String,
}

/// What a proposal does when 2/3+ of the shares approve: data, never code.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GovernanceAction {
    /// Another K.
    SetParameters {
        /// The whole set.
        parameters: Box<Parameters>,
    } = 0,
    /// Other validators or shares.
    SetValidators {
        /// The whole set; each account is registered.
        validators: Box<ValidatorSet>,
    } = 1,
    /// Strikes a bank off the register.
    RemoveBank {
        /// Which.
        bank: PublicKey,
    } = 2,
    /// Changes how an asset is shown.
    RenameAsset {
        /// Which.
        asset: AssetId,
        /// New ticker.
        ticker: String,
        /// New name.
        name: String,
    } = 3,
    /// From a height on, blocks follow the rules of this version.
    Release {
        /// Of the rules.
        version: u16,
        /// First height.
        height: Height,
        /// Hash of the published bundle.
        bundle: Hash,
    } = 4,
}

/// Votes on an open proposal. The signer is a validator's account; a later vote replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Vote {
    /// Which.
    pub proposal: ProposalId,
    /// Yes or no.
    pub approve: bool,
    /// Why, for people; at most [`crate::limits::MAX_RATIONALE_BYTES`].
    pub rationale: String,
}

/// Makes an asset, whose whole supply comes to the signer's on-chain balance.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct CreateAsset {
    /// Short name.
    pub ticker: String,
    /// Full name.
    pub name: String,
    /// Decimal digits that people see after the point.
    pub decimals: u8,
    /// How much exists, in the smallest unit.
    pub supply: Amount,
}

/// What a bank is registered with; its key is the batch's signer.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct BankTerms {
    /// Name after the @; nobody else's.
    pub handle: String,
    /// Where it is reached.
    pub url: String,
    /// Flat part of the fee for mediating.
    pub fee_base: Amount,
    /// Parts per million of the amount, rounding up.
    pub fee_ppm: u32,
    /// Flat price of one insurance, in the asset insured.
    pub insurance_price: Amount,
}
