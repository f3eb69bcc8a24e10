//! Identifiers and small values that every room shares (docs/protocol.md, section 1).

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An amount of an asset in its smallest unit (FRD: cents).
pub type Amount = u64;

/// Number of a block; the first block after genesis is 1, genesis itself is 0.
pub type Height = u64;

/// The usable-block clock U: how many usable blocks lie before the block being executed.
pub type UsableHeight = u64;

/// Milliseconds since the Unix epoch.
pub type TimeMs = u64;

/// Short number of a registered account, given in order of registration, from 1.
pub type AccountId = u64;

/// Number of disputes resolved in a channel; states and consents of an earlier epoch are void.
pub type Epoch = u64;

/// Number of an asset.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct AssetId(pub u32);

impl AssetId {
    /// Fair dollar; pays on-chain fees.
    pub const FRD: Self = Self(1);
    /// Fair bet.
    pub const FRB: Self = Self(2);
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A fixed-size byte string that is written as lowercase hexadecimal wherever people or JSON read it.
macro_rules! bytes_type {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex::encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = NotHex;
            fn from_str(text: &str) -> Result<Self, NotHex> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| NotHex { expected_bytes: $len })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

bytes_type!(
    /// A SHA-256 digest.
    Hash, 32
);
bytes_type!(
    /// An ed25519 public key: an account, a party of a channel, or a validator's signing key.
    /// It need not be a point of the curve; such a key can own things but never sign.
    PublicKey, 32
);
bytes_type!(
    /// An ed25519 signature.
    Signature, 64
);

impl Hash {
    /// All zeros: the previous hash of the first block.
    pub const ZERO: Self = Self([0; 32]);
}

/// Text that is not the hexadecimal form of a value of known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected_bytes} bytes as hexadecimal")]
pub struct NotHex {
    /// Length of the value in bytes.
    pub expected_bytes: usize,
}

/// One of the two parties of a channel: left's public key compares lower.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[borsh(use_discriminant = true)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Ordered below left wherever equal frames are compared.
    Right = 0,
    /// The party with the lower key.
    Left = 1,
}

impl Side {
    /// The partner's side.
    pub const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// The two parties of a channel, ordered. Two keys have exactly one channel.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
pub struct Parties {
    left: PublicKey,
    right: PublicKey,
}

impl Parties {
    /// Not above any two parties.
    pub(crate) const FIRST: Self = Self { left: PublicKey([0; 32]), right: PublicKey([0; 32]) };
    /// Not below any two parties.
    pub(crate) const LAST: Self = Self { left: PublicKey([0xff; 32]), right: PublicKey([0xff; 32]) };

    /// Orders two keys; `None` when they are equal, since nobody has a channel with themselves.
    pub fn new(a: PublicKey, b: PublicKey) -> Option<Self> {
        match a.cmp(&b) {
            std::cmp::Ordering::Less => Some(Self { left: a, right: b }),
            std::cmp::Ordering::Greater => Some(Self { left: b, right: a }),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// Whether left really is lower: decoded values may break it.
    pub fn is_ordered(&self) -> bool {
        self.left < self.right
    }

    /// The party whose key compares lower.
    pub const fn left(&self) -> PublicKey {
        self.left
    }

    /// The party whose key compares higher.
    pub const fn right(&self) -> PublicKey {
        self.right
    }

    /// The key on a side.
    pub const fn key(&self, side: Side) -> PublicKey {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }

    /// The side of a key, if it is a party.
    pub fn side_of(&self, key: &PublicKey) -> Option<Side> {
        if *key == self.left {
            Some(Side::Left)
        } else if *key == self.right {
            Some(Side::Right)
        } else {
            None
        }
    }
}
