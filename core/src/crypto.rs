//! Hashing and signing (docs/protocol.md, section 2). All of it is ed25519-dalek and sha2.

use crate::types::{Hash, PublicKey, Signature};
use borsh::{BorshDeserialize, BorshSerialize};
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Says what kind of thing is hashed or signed. All tags have one length, so none is a prefix of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(pub &'static [u8; 16]);

/// SHA-256 over `tag ‖ parts`. The parts must have fixed or self-describing lengths.
pub fn hash(tag: Tag, parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(tag.0);
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

/// The lock hash of a payment secret: plain SHA-256 of exactly 32 bytes, as in Lightning.
pub fn lock_hash(secret: &Secret) -> Hash {
    Hash(Sha256::digest(secret.0).into())
}

/// A payment secret (preimage of a lock hash).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Secret(pub [u8; 32]);

/// A secret is written where it stands in the public registry.
impl serde::Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// An ed25519 key that signs. Wiped from memory when dropped.
#[derive(Clone)]
pub struct SecretKey(ed25519_dalek::SigningKey);

impl SecretKey {
    /// Makes a key of 32 bytes of entropy (RFC 8032 seed).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The seed, to be stored.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// The X25519 form of the key (Noise sessions, onion layers), so that an account has one public key.
    pub fn x25519(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_scalar_bytes())
    }

    /// Signs a digest. Callers go through [`crate::message`], which puts tag and chain into it.
    pub(crate) fn sign(&self, digest: &Hash) -> Signature {
        Signature(self.0.sign(&digest.0).to_bytes())
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

impl PublicKey {
    /// The X25519 form of the key, `None` when the bytes are no point of the curve or a weak one.
    pub fn x25519(&self) -> Option<[u8; 32]> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(&self.0).ok()?;
        (!key.is_weak()).then(|| key.to_montgomery().to_bytes())
    }

    /// Strict verification (RFC 8032 without cofactor, no weak keys, canonical encodings).
    pub(crate) fn verifies(&self, digest: &Hash, signature: &Signature) -> bool {
        let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(&self.0) else { return false };
        key.verify_strict(&digest.0, &ed25519_dalek::Signature::from_bytes(&signature.0)).is_ok()
    }
}
