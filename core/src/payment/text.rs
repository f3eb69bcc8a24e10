//! Values as text that people copy and scan: bech32m (BIP-350) over the canonical encoding.
//!
//! The human-readable part says what the value is. Bech32m's length limit, made for addresses, is lifted as
//! Lightning lifts it for invoices; the checksum still catches every error of a character or two and all but
//! one in a billion others, and invoices are signed on top. Lower and upper case are both read (a QR code is
//! smaller in upper case), never a mix.

use crate::codec::{self, DecodeError};
use crate::limits;
use bech32::primitives::checksum::Checksum;
use bech32::primitives::decode::{CheckedHrpstring, CheckedHrpstringError};
use bech32::{Bech32m, Hrp};
use borsh::{BorshDeserialize, BorshSerialize};

/// Which case to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// For people and links.
    Lower,
    /// For QR codes, which have a denser mode for it.
    Upper,
}

/// Text that is no value of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// Longer than any such value.
    #[error("{got} characters where at most {limit} are allowed")]
    TooLong {
        /// The cap in characters.
        limit: usize,
        /// What came.
        got: usize,
    },
    /// Not bech32m at all: wrong characters, mixed case, no separator.
    #[error("this is no payment text")]
    NotText,
    /// A character is wrong or missing.
    #[error("the checksum does not fit: a character is wrong or missing")]
    Checksum,
    /// Readable, but another kind of thing.
    #[error("this is a `{got}` where a `{expected}` is expected")]
    Kind {
        /// Human-readable part of the kind asked for.
        expected: &'static str,
        /// The one that came.
        got: String,
    },
    /// The bytes inside are no such value.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Bech32m without its length limit.
enum LongBech32m {}

impl Checksum for LongBech32m {
    type MidstateRepr = <Bech32m as Checksum>::MidstateRepr;
    const CODE_LENGTH: usize = limits::MAX_TEXT_CHARS;
    const CHECKSUM_LENGTH: usize = Bech32m::CHECKSUM_LENGTH;
    const GENERATOR_SH: [u32; 5] = Bech32m::GENERATOR_SH;
    const TARGET_RESIDUE: u32 = Bech32m::TARGET_RESIDUE;
}

/// Writes a value.
pub(super) fn write<T: BorshSerialize>(kind: &'static str, value: &T, case: Case) -> String {
    let bytes = codec::encode(value);
    // Five bits a character, and what stands before and after them.
    let chars = bytes.len().saturating_mul(2).saturating_add(kind.len()).saturating_add(8);
    let text = Hrp::parse(kind).ok().and_then(|hrp| {
        let mut text = String::with_capacity(chars);
        match case {
            Case::Lower => bech32::encode_lower_to_fmt::<LongBech32m, _>(&mut text, hrp, &bytes),
            Case::Upper => bech32::encode_upper_to_fmt::<LongBech32m, _>(&mut text, hrp, &bytes),
        }
        .ok()?;
        Some(text)
    });
    assert!(text.is_some(), "a checked {kind} of {} bytes fits into its text", bytes.len());
    text.unwrap_or_default()
}

/// Reads a value of at most `limit_bytes`. White space around it is ignored.
pub(super) fn read<T: BorshDeserialize>(kind: &'static str, text: &str, limit_bytes: usize) -> Result<T, BadText> {
    let text = text.trim();
    if text.len() > limits::MAX_TEXT_CHARS {
        return Err(BadText::TooLong { limit: limits::MAX_TEXT_CHARS, got: text.len() });
    }
    let checked = CheckedHrpstring::new::<LongBech32m>(text).map_err(|error| match error {
        CheckedHrpstringError::Checksum(_) => BadText::Checksum,
        _ => BadText::NotText,
    })?;
    let got = checked.hrp().to_lowercase();
    if got != kind {
        return Err(BadText::Kind { expected: kind, got });
    }
    let bytes: Vec<u8> = checked.byte_iter().collect();
    // Bits of the last character beyond the last byte must be zero: one text per value.
    let value = codec::decode(&bytes, limit_bytes)?;
    let canonical = Hrp::parse(kind).ok().and_then(|hrp| bech32::encode_lower::<LongBech32m>(hrp, &bytes).ok());
    if canonical.as_deref() != Some(text.to_ascii_lowercase().as_str()) {
        return Err(BadText::NotText);
    }
    Ok(value)
}

/// What kind of text this is, by its human-readable part alone: `fairpay`, `fairto`, `fairproof` or another.
pub fn kind_of(text: &str) -> Option<String> {
    let text = text.trim();
    let (kind, _) = text.rsplit_once('1')?;
    (kind.len() <= limits::MAX_NAME_BYTES).then(|| kind.to_ascii_lowercase())
}
