//! The words at rest: sealed with XChaCha20-Poly1305 under a key that Argon2id makes of the password.
//!
//! Layout (borsh, little endian):
//!
//! ```text
//! version u8 │ memory_kib u32 │ passes u32 │ lanes u32 │ salt 16 │ nonce 24 │ account 32 │ length u32 │ sealed
//! ```
//!
//! Everything before `length` is authenticated with the seal, so neither the account nor the cost of a
//! guess can be changed under it.

use super::Words;
use crate::error::Error;
use crate::limits;
use argon2::{Algorithm, Argon2, Params, Version};
use borsh::{BorshDeserialize, BorshSerialize};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use fair_core::codec;
use fair_core::types::PublicKey;
use zeroize::Zeroizing;

const VERSION: u8 = 1;

/// Randomness for one sealing: salt, then nonce.
pub type Entropy = [u8; 40];

/// What is authenticated and not secret.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Envelope {
    version: u8,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; 16],
    nonce: [u8; 24],
    account: PublicKey,
}

/// Sealed words.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Vault {
    envelope: Envelope,
    sealed: Vec<u8>,
}

impl Vault {
    /// Seals words under a password. Takes a good part of a second, on purpose.
    ///
    /// # Errors
    /// `wallet.weak_password`; `wallet.seal` when memory for the key derivation is not to be had.
    pub fn seal(words: &Words, password: &str, entropy: &Entropy) -> Result<Self, Error> {
        check_password(password)?;
        let (salt, nonce) = split(entropy);
        let envelope = Envelope {
            version: VERSION,
            memory_kib: limits::ARGON2_MEMORY_KIB,
            passes: limits::ARGON2_PASSES,
            lanes: limits::ARGON2_LANES,
            salt,
            nonce,
            account: words.account_key().public(),
        };
        let aad = codec::encode(&envelope);
        let sealed = cipher(&envelope, password)?
            .encrypt(&XNonce::from(envelope.nonce), Payload { msg: words.entropy(), aad: &aad })
            .map_err(|_| Error::new("wallet.seal", "The words could not be sealed."))?;
        Ok(Self { envelope, sealed })
    }

    /// Opens the vault.
    ///
    /// # Errors
    /// `wallet.wrong_password`; `wallet.damaged` when the record cannot be one of ours.
    pub fn open(&self, password: &str) -> Result<Words, Error> {
        let aad = codec::encode(&self.envelope);
        let entropy = cipher(&self.envelope, password)?
            .decrypt(&XNonce::from(self.envelope.nonce), Payload { msg: &self.sealed, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| Error::new("wallet.wrong_password", "The password is not the one of this wallet."))?;
        let words = Words::from_entropy(&entropy).map_err(|_| damaged())?;
        if words.account_key().public() != self.envelope.account {
            return Err(damaged());
        }
        Ok(words)
    }

    /// Whose words; known without the password.
    pub fn account(&self) -> PublicKey {
        self.envelope.account
    }

    /// Reads a stored vault.
    ///
    /// # Errors
    /// `wallet.damaged`, or `storage.newer` for a version that this code does not know.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.first().is_some_and(|version| *version > VERSION) {
            return Err(Error::new("storage.newer", "The wallet was written by a newer version; load the page again."));
        }
        codec::decode(bytes, limits::MAX_VAULT_BYTES).map_err(|_| damaged())
    }
}

/// A password that is worth the name.
fn check_password(password: &str) -> Result<(), Error> {
    let chars = password.chars().count();
    if chars < limits::MIN_PASSWORD_CHARS || password.len() > limits::MAX_PASSWORD_BYTES {
        return Err(Error::new(
            "wallet.weak_password",
            format!("A password needs at least {} characters.", limits::MIN_PASSWORD_CHARS),
        )
        .with("expected", limits::MIN_PASSWORD_CHARS)
        .with("got", chars));
    }
    Ok(())
}

fn damaged() -> Error {
    Error::new("wallet.damaged", "The stored wallet cannot be read; restore it from your words.")
}

fn cipher(envelope: &Envelope, password: &str) -> Result<XChaCha20Poly1305, Error> {
    if envelope.memory_kib > limits::MAX_ARGON2_MEMORY_KIB || envelope.passes > limits::MAX_ARGON2_PASSES {
        return Err(damaged());
    }
    let params = Params::new(envelope.memory_kib, envelope.passes, envelope.lanes, Some(32)).map_err(|_| damaged())?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), &envelope.salt, &mut *key)
        .map_err(|error| Error::passing("wallet.seal", format!("The password could not be worked on: {error}.")))?;
    XChaCha20Poly1305::new_from_slice(&*key).map_err(|_| damaged())
}

fn split(entropy: &Entropy) -> ([u8; 16], [u8; 24]) {
    let (mut salt, mut nonce) = ([0; 16], [0; 24]);
    salt.copy_from_slice(&entropy[..16]);
    nonce.copy_from_slice(&entropy[16..]);
    (salt, nonce)
}

#[cfg(test)]
mod tests;
