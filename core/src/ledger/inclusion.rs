//! Whether a batch may stand in a block (docs/protocol.md, section 3). The mempool, the proposer and
//! everybody who executes the block ask the same function.

use super::batch::{self, Batch};
use super::debts;
use super::state::{Key, State, Value};
use super::view::{Overlay, View};
use crate::chain::params::Parameters;
use crate::limits;
use crate::message::{Signed, Verified};
use crate::types::{Amount, AssetId, Hash, Height, PublicKey};
use serde::Serialize;

/// Why a batch may not stand in the next block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum InclusionError {
    /// More bytes than a batch may have.
    #[error("the batch has {got} bytes; {limit} are allowed")]
    BatchTooLong {
        /// K.max_batch_bytes.
        limit: u64,
        /// What came.
        got: u64,
    },
    /// More operations than a batch may have.
    #[error("the batch has {got} operations; {limit} are allowed")]
    TooManyOperations {
        /// [`limits::MAX_OPERATIONS`].
        limit: u64,
        /// What came.
        got: u64,
    },
    /// The signer has no account.
    #[error("{signer} is not registered on this network")]
    UnknownSigner {
        /// Who.
        signer: PublicKey,
    },
    /// Another nonce is next.
    #[error("the batch has nonce {got}; {expected} is next")]
    WrongNonce {
        /// The account's next.
        expected: u64,
        /// The batch's.
        got: u64,
    },
    /// Too late.
    #[error("the batch was valid until block {valid_until}; the next is {next}")]
    Expired {
        /// Last height.
        valid_until: Height,
        /// Height of the block.
        next: Height,
    },
    /// Valid for too long.
    #[error("the batch is valid until block {valid_until}; {latest} is the latest allowed now")]
    ValidTooLong {
        /// Last height.
        valid_until: Height,
        /// Latest that is allowed.
        latest: Height,
    },
    /// Pays too little for its bytes.
    #[error("the batch pays {got} for 1,000 bytes; {least} is the least")]
    FeeTooLow {
        /// K.min_fee_rate.
        least: Amount,
        /// The batch's rate.
        got: Amount,
    },
    /// A debtor pays the least fee rate and nothing more.
    #[error("{signer} has open debts of FRD and may pay {limit} for 1,000 bytes; the batch pays {got}")]
    FeeBeforeDebts {
        /// Who.
        signer: PublicKey,
        /// K.min_fee_rate.
        limit: Amount,
        /// The batch's rate.
        got: Amount,
    },
    /// Cannot pay.
    #[error("the batch costs {fee} of FRD; its signer has {balance}")]
    CannotPayFee {
        /// What it costs; the largest number if it is beyond all.
        fee: Amount,
        /// What the signer has.
        balance: Amount,
    },
    /// The signer has another ordinary batch in the block.
    #[error("{signer} has another batch in this block")]
    SecondBatch {
        /// Who.
        signer: PublicKey,
    },
    /// Not signed by the signer.
    #[error("the batch is not signed by {signer} for this network")]
    BatchSignature {
        /// Who should have.
        signer: PublicKey,
    },
}

/// A batch that may stand in the block, and what it pays.
pub(super) struct Admitted {
    pub(super) batch: Verified<Batch>,
    pub(super) fee: Amount,
}

/// Whether a batch could be the next block's, `next_height` being that block's height: what a mempool asks.
/// It comes behind `earlier` ones of its account that wait, in order of their nonces, as if each had been included
/// and done nothing but pay its fee.
///
/// # Errors
/// [`InclusionError`] says why not.
pub fn check_inclusion<'a>(
    state: &State,
    earlier: impl IntoIterator<Item = &'a Signed<Batch>>,
    batch: &Signed<Batch>,
    next_height: Height,
) -> Result<Verified<Batch>, InclusionError> {
    let mut overlay = Overlay::new(state);
    for waiting in earlier {
        let fee = batch::fee(waiting.body.fee_rate, batch::signed_bytes(waiting)).unwrap_or(Amount::MAX);
        let balance = overlay.balance(&waiting.body.signer, AssetId::FRD);
        use_up(&mut overlay, waiting.body.signer, fee).ok_or(InclusionError::CannotPayFee { fee, balance })?;
    }
    admit(&overlay, &state.chain_id(), state.parameters(), batch, next_height).map(|admitted| admitted.batch)
}

/// Whether an account may offer a fee rate: at least K.min_fee_rate, and while it owes FRD not more.
pub fn may_offer(state: &State, signer: &PublicKey, fee_rate: Amount) -> bool {
    let least = state.parameters().min_fee_rate;
    fee_rate == least || (fee_rate > least && debts::open(state, signer, AssetId::FRD) == 0)
}

/// The nonce is used up and the fee is gone; `None` when it cannot be paid.
pub(super) fn use_up(overlay: &mut Overlay<'_>, signer: PublicKey, fee: Amount) -> Option<()> {
    let mut account = overlay.account(&signer)?;
    account.nonce = account.nonce.checked_add(1)?;
    overlay.debit(signer, AssetId::FRD, fee)?;
    overlay.put(Key::Account(signer), Value::Account(account));
    Some(())
}

/// All rules but the one on batches of one account, which needs the block. Signatures come last, since
/// they cost most.
pub(super) fn admit(
    view: &dyn View,
    chain_id: &Hash,
    parameters: &Parameters,
    signed: &Signed<Batch>,
    height: Height,
) -> Result<Admitted, InclusionError> {
    let bytes = batch::signed_bytes(signed);
    size(&signed.body, bytes, parameters)?;
    lifetime(&signed.body, height, parameters)?;
    nonce(&signed.body, view)?;
    let fee = payable_fee(&signed.body, bytes, view, parameters)?;
    let signer = signed.body.signer;
    let batch = signed.clone().verify(chain_id, &signer).map_err(|_| InclusionError::BatchSignature { signer })?;
    Ok(Admitted { batch, fee })
}

/// Size caps.
fn size(batch: &Batch, bytes: usize, parameters: &Parameters) -> Result<(), InclusionError> {
    let (limit, got) = (u64::from(parameters.max_batch_bytes), u64::try_from(bytes).unwrap_or(u64::MAX));
    if got > limit {
        return Err(InclusionError::BatchTooLong { limit, got });
    }
    let got = batch.entries.len();
    if got > limits::MAX_OPERATIONS {
        let wide = |number| u64::try_from(number).unwrap_or(u64::MAX);
        return Err(InclusionError::TooManyOperations { limit: wide(limits::MAX_OPERATIONS), got: wide(got) });
    }
    Ok(())
}

/// Not past `valid_until`, and that not further ahead than K.max_batch_life_heights.
fn lifetime(batch: &Batch, height: Height, parameters: &Parameters) -> Result<(), InclusionError> {
    let valid_until = batch.valid_until;
    if valid_until < height {
        return Err(InclusionError::Expired { valid_until, next: height });
    }
    let latest = height.saturating_add(u64::from(parameters.max_batch_life_heights));
    if valid_until > latest { Err(InclusionError::ValidTooLong { valid_until, latest }) } else { Ok(()) }
}

/// Registered signer with the right nonce.
fn nonce(batch: &Batch, view: &dyn View) -> Result<(), InclusionError> {
    let account = view.account(&batch.signer).ok_or(InclusionError::UnknownSigner { signer: batch.signer })?;
    let (expected, got) = (account.nonce, batch.nonce);
    if got == expected { Ok(()) } else { Err(InclusionError::WrongNonce { expected, got }) }
}

/// At least K.min_fee_rate, not more for who owes FRD, and payable in FRD.
fn payable_fee(
    batch: &Batch,
    bytes: usize,
    view: &dyn View,
    parameters: &Parameters,
) -> Result<Amount, InclusionError> {
    let (least, got) = (parameters.min_fee_rate, batch.fee_rate);
    if got < least {
        return Err(InclusionError::FeeTooLow { least, got });
    }
    if got > least && debts::open(view, &batch.signer, AssetId::FRD) > 0 {
        return Err(InclusionError::FeeBeforeDebts { signer: batch.signer, limit: least, got });
    }
    let balance = view.balance(&batch.signer, AssetId::FRD);
    match batch::fee(batch.fee_rate, bytes) {
        Some(fee) if fee <= balance => Ok(fee),
        fee => Err(InclusionError::CannotPayFee { fee: fee.unwrap_or(Amount::MAX), balance }),
    }
}
