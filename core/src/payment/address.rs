//! Addresses: where somebody is paid without an invoice.
//!
//! Text: `fairto1…`. Layout (borsh): `version u8 │ network 4 │ key 32 │ count u32 │ count × bank 32`.
//! `network` are the first bytes of the chain id, so that an address of a play network is not paid with
//! real money by mistake.

use super::text::{self, BadText, Case};
use crate::limits;
use crate::ordered;
use crate::types::{Hash, PublicKey};
use borsh::{BorshDeserialize, BorshSerialize};

/// Human-readable part of an address.
pub const KIND: &str = "fairto";

/// The version that this code writes and reads.
pub const VERSION: u8 = 1;

/// Somebody's key and the banks through which it is reached.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Address {
    /// [`VERSION`].
    pub version: u8,
    /// First bytes of the chain id.
    pub network: [u8; 4],
    /// Who is paid.
    pub key: PublicKey,
    /// Banks that the payee has channels with, most liked first; at most [`limits::MAX_PAYEE_BANKS`].
    pub banks: Vec<PublicKey>,
}

/// Text that is no address here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// Not readable.
    #[error("this is no address: {0}")]
    Text(#[from] BadText),
    /// Made by newer software.
    #[error("the address has version {got}, known is {VERSION}")]
    Version {
        /// What came.
        got: u8,
    },
    /// For another network.
    #[error("the address belongs to another network")]
    WrongNetwork,
    /// The key, or one of a bank, cannot be sealed to.
    #[error("the address names the unusable key {key}")]
    Key {
        /// Which.
        key: PublicKey,
    },
    /// Too many banks, or one twice.
    #[error("the address names {got} banks, allowed are {limit} different ones", limit = limits::MAX_PAYEE_BANKS)]
    Banks {
        /// How many.
        got: usize,
    },
}

/// The part of a chain id that addresses carry.
pub fn network_of(chain_id: &Hash) -> [u8; 4] {
    let [a, b, c, d, ..] = chain_id.0;
    [a, b, c, d]
}

impl Address {
    /// An address. Banks beyond the allowed number are left out.
    pub fn new(chain_id: &Hash, key: PublicKey, banks: &[PublicKey]) -> Self {
        let banks = banks.iter().take(limits::MAX_PAYEE_BANKS).copied().collect();
        Self { version: VERSION, network: network_of(chain_id), key, banks }
    }

    /// As text.
    pub fn to_text(&self, case: Case) -> String {
        text::write(KIND, self, case)
    }

    /// Reads and checks an address for a chain.
    ///
    /// # Errors
    /// [`BadAddress`] says what is wrong.
    pub fn from_text(text: &str, chain_id: &Hash) -> Result<Self, BadAddress> {
        let address: Self = text::read(KIND, text, limits::MAX_ADDRESS_BYTES)?;
        address.check(chain_id)?;
        Ok(address)
    }

    fn check(&self, chain_id: &Hash) -> Result<(), BadAddress> {
        if self.version != VERSION {
            return Err(BadAddress::Version { got: self.version });
        }
        if self.network != network_of(chain_id) {
            return Err(BadAddress::WrongNetwork);
        }
        check_banks(&self.banks).map_err(|got| BadAddress::Banks { got })?;
        match std::iter::once(&self.key).chain(&self.banks).find(|key| key.x25519().is_none()) {
            Some(key) => Err(BadAddress::Key { key: *key }),
            None => Ok(()),
        }
    }
}

/// At most [`limits::MAX_PAYEE_BANKS`] different banks; `Err` carries how many came.
pub(super) fn check_banks(banks: &[PublicKey]) -> Result<(), usize> {
    if banks.len() > limits::MAX_PAYEE_BANKS || ordered::set(banks).len() != banks.len() {
        return Err(banks.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
