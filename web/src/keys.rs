//! A wallet's secret: BIP-39 words, and the account key derived from them.
//!
//! Words → BIP-39 seed (PBKDF2-HMAC-SHA512, empty passphrase, 64 bytes) → SLIP-0010 for ed25519 along
//! [`ACCOUNT_PATH`] → the 32-byte seed of the account key. Any tool that knows the two standards gets
//! the same key from the same words.

mod mnemonic;
pub mod vault;

use crate::error::{Datum, Error};
use fair_core::crypto::SecretKey;
use hmac::{Hmac, KeyInit as _, Mac as _};
use pbkdf2::pbkdf2_hmac;
use sha2::Sha512;
use zeroize::Zeroizing;

/// `m/44'/1178683730'/0'`: BIP-44's purpose, the coin type `FAIR` in ASCII, the first account.
pub const ACCOUNT_PATH: &[u32] = &[44, u32::from_be_bytes(*b"FAIR"), 0];

const HARDENED: u32 = 1 << 31;
/// Of a wallet.
const MOST_WORDS: usize = 24;

/// BIP-39's salt without a passphrase, and its rounds.
const SEED_SALT: &[u8] = b"mnemonic";
const SEED_ROUNDS: u32 = 2048;

/// The entropy behind a list of words: 16 bytes for 12 words, 32 for 24. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Words(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Words(…)")
    }
}

impl Words {
    /// From fresh entropy of 16 or 32 bytes.
    ///
    /// # Errors
    /// `input.words` for another length.
    pub fn from_entropy(entropy: &[u8]) -> Result<Self, Error> {
        match entropy.len() {
            16 | 32 => Ok(Self(Zeroizing::new(entropy.to_vec()))),
            _ => Err(Error::new("input.words", "A wallet has 12 or 24 words.")),
        }
    }

    /// From what a person typed or pasted: any case, and any separators between the words.
    ///
    /// # Errors
    /// `wallet.bad_words`; `data.index` is the place of an unknown word, null for a wrong count or checksum.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
        // It never grows: that would leave a copy of the words behind.
        let mut places = Zeroizing::new(Vec::with_capacity(MOST_WORDS));
        let mut count = 0;
        for word in words {
            let word = Zeroizing::new(word.to_ascii_lowercase());
            let place = mnemonic::place(&word).ok_or_else(|| {
                Error::new("wallet.bad_words", format!("Word {} is not in the list of words.", count + 1))
                    .with("index", count)
            })?;
            if count < MOST_WORDS {
                places.push(place);
            }
            count += 1;
        }
        if !matches!(count, 12 | MOST_WORDS) {
            return Err(Error::new("wallet.bad_words", format!("There are {count} words; a wallet has 12 or 24."))
                .with("index", Datum::Null)
                .with("got", count));
        }
        mnemonic::entropy(&places).map(Self).ok_or_else(|| {
            Error::new("wallet.bad_words", "These words do not belong together: one is wrong, or their order is.")
                .with("index", Datum::Null)
        })
    }

    /// The entropy.
    pub fn entropy(&self) -> &[u8] {
        &self.0
    }

    /// The words, to be shown or compared.
    pub fn list(&self) -> Vec<String> {
        mnemonic::words(&self.0)
    }

    /// Checks a person's copy of some words; returns the positions that are wrong.
    pub fn wrong_answers(&self, answers: &[(usize, String)]) -> Vec<usize> {
        let list = self.list();
        answers
            .iter()
            .filter(|(index, word)| list.get(*index).is_none_or(|right| *right != word.trim().to_ascii_lowercase()))
            .map(|(index, _)| *index)
            .collect()
    }

    /// The account's key.
    pub fn account_key(&self) -> SecretKey {
        let words = Zeroizing::new(self.list().join(" "));
        let mut seed = Zeroizing::new([0; 64]);
        pbkdf2_hmac::<Sha512>(words.as_bytes(), SEED_SALT, SEED_ROUNDS, &mut *seed);
        SecretKey::from_seed(&derive(&*seed, ACCOUNT_PATH))
    }
}

/// SLIP-0010 for ed25519: every step is hardened.
fn derive(seed: &[u8], path: &[u32]) -> Zeroizing<[u8; 32]> {
    let (mut key, mut chain) = split(hmac_sha512(b"ed25519 seed", &[seed]));
    for index in path {
        let index = (index | HARDENED).to_be_bytes();
        (key, chain) = split(hmac_sha512(&*chain, &[&[0], &*key, &index]));
    }
    key
}

fn split(node: Zeroizing<[u8; 64]>) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>) {
    let (mut key, mut chain) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
    key.copy_from_slice(&node[..32]);
    chain.copy_from_slice(&node[32..]);
    (key, chain)
}

#[allow(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn hmac_sha512(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests;
