//! The one canonical encoding: borsh with strict order (docs/protocol.md, section 2).
//!
//! One byte string per value: trailing bytes, unsorted maps and oversized lengths are refused, and the
//! byte cap is checked before anything is decoded. Wire, disk and signatures use the same bytes.

use borsh::{BorshDeserialize, BorshSerialize};

/// Bytes that are not the canonical encoding of a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than a value of this kind may have.
    #[error("{got} bytes where at most {limit} are allowed")]
    TooLong {
        /// The cap in bytes.
        limit: usize,
        /// What came.
        got: usize,
    },
    /// Truncated, trailing or otherwise not canonical.
    #[error("not a canonical encoding: {0}")]
    Malformed(String),
}

/// The canonical bytes of a value.
#[allow(clippy::expect_used, reason = "writing to memory fails only for a length over 4 GiB, which no value here has")]
pub fn encode<T: BorshSerialize + ?Sized>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to memory")
}

/// Decodes a value of at most `limit_bytes`.
///
/// # Errors
/// [`DecodeError`] when the bytes are too many or not canonical.
pub fn decode<T: BorshDeserialize>(bytes: &[u8], limit_bytes: usize) -> Result<T, DecodeError> {
    if bytes.len() > limit_bytes {
        return Err(DecodeError::TooLong { limit: limit_bytes, got: bytes.len() });
    }
    T::try_from_slice(bytes).map_err(|error| DecodeError::Malformed(error.to_string()))
}
