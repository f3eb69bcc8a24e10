//! Operations and the consents that they carry.
//!
//! Variant numbers are part of every batch's bytes and never change. Numbers of kinds that this version
//! does not execute are reserved in [`RESERVED`]; such bytes are a decoding error.

use crate::crypto::Tag;
use crate::message::{Message, Signed, tags};
use crate::types::{Amount, AssetId, Epoch, Hash, Parties, PublicKey, Side, UsableHeight};
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
}

/// Variant numbers of kinds that this version does not execute.
pub const RESERVED: &[(u8, &str)] = &[
    (2, "Dispute"),
    (3, "Answer"),
    (4, "Reveal"),
    (5, "Propose"),
    (6, "Vote"),
    (7, "CreateAsset"),
    (8, "RegisterBank"),
    (9, "UpdateBank"),
];

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
