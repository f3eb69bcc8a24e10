//! A value of the state with everything that proves it: what relays answer to `GET /v1/proof/{key}`, and
//! what whoever asks checks without trusting them (docs/protocol.md, section 3).
//!
//! Layout (borsh): `Header │ Certificate │ value u8 (0 none, 1 followed by the value) │ StateProof`.
//!
//! Deliberately absent: which validator set may certify. The caller holds it: the one of genesis, or that to
//! which a trusted header leads.

use super::certificate::{Certificate, ValidatorSet};
use super::header::Header;
use super::verify::{self, BadBlock};
use crate::ledger::state::{BadProof, Key, MAX_PROOF_BYTES, MAX_VALUE_BYTES, StateProof, Value};
use crate::limits;
use crate::types::Hash;
use borsh::{BorshDeserialize, BorshSerialize};

/// Longest encoding in bytes.
pub const MAX_PROVEN_BYTES: usize =
    limits::MAX_HEADER_BYTES + limits::MAX_CERTIFICATE_BYTES + 1 + MAX_VALUE_BYTES + MAX_PROOF_BYTES;

/// What stood at one key after one block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proven {
    /// Of the block.
    pub header: Header,
    /// Over that header.
    pub certificate: Certificate,
    /// What stood there; `None`: nothing.
    pub value: Option<Value>,
    /// From there up to the header's state root.
    pub proof: StateProof,
}

/// An answer that proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// The header is not certified by the set.
    #[error(transparent)]
    Header(#[from] BadBlock),
    /// The value, or its absence, is not under the header's root.
    #[error(transparent)]
    Value(#[from] BadProof),
}

impl Proven {
    /// What stood at `key` after the block, once 2/3+ of `validators` are seen to certify it.
    ///
    /// # Errors
    /// [`NotProven`] names the first thing that does not fit.
    pub fn verify(&self, key: &Key, chain_id: Hash, validators: &ValidatorSet) -> Result<Option<&Value>, NotProven> {
        verify::alone(&self.header, &self.certificate, chain_id, validators)?;
        self.proof.verify(&self.header.state_root, key, self.value.as_ref())?;
        Ok(self.value.as_ref())
    }
}

#[cfg(test)]
mod tests;
