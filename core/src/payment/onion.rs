//! Onions: what a lock tells each hop, and nobody else (docs/protocol.md, section 5).
//!
//! A packet is one byte and K.max_hops slots of [`SLOT_BYTES`], the same size at every hop:
//!
//! ```text
//! first u8: 0 open, 1 sealed │ slot │ slot │ …
//! sealed slot   encapsulated key 32 │ ciphertext of the padded layer 208 │ tag 16
//! open slot     padded layer 256
//! ```
//!
//! Each slot is sealed to its hop alone with HPKE (RFC 9180, base mode, DHKEM X25519 + HKDF-SHA256,
//! ChaCha20Poly1305) to the X25519 form of its account key; `info` is tag ‖ chain id, the associated data is the
//! lock hash, so a slot fits one payment of one network. A hop opens the first slot, drops it and appends one
//! that nobody can open ([`forward`]). The direct peer's own layer may stand open, because the session
//! seals it; unless the giver is a bank, which must not read it.
//!
//! Stated limit: hops that compare lock hashes see that they serve the same payment.

use super::address::Address;
use crate::codec;
use crate::crypto::{Secret, SecretKey};
use crate::entropy::Entropy;
use crate::message::tags;
use crate::payment::invoice::InvoiceId;
use crate::types::{Amount, AssetId, Hash, PublicKey, UsableHeight};
use borsh::{BorshDeserialize, BorshSerialize};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};

/// Bytes of one slot.
pub const SLOT_BYTES: usize = 256;
/// Bytes of an encapsulated key.
const KEY_BYTES: usize = 32;
/// Bytes of an authentication tag.
const TAG_BYTES: usize = 16;
/// Bytes of a layer with its padding.
pub const LAYER_BYTES: usize = SLOT_BYTES - KEY_BYTES - TAG_BYTES;

const OPEN: u8 = 0;
const SEALED: u8 = 1;

type Suite = X25519HkdfSha256;

/// What one hop is told.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Layer {
    /// Lock `amount` towards `next`, until `expiry`, under the same hash.
    Forward {
        /// What.
        asset: AssetId,
        /// How much to lock; the incoming lock's amount less the hop's fee.
        amount: Amount,
        /// When the new lock expires.
        expiry: UsableHeight,
        /// Who gets it.
        next: PublicKey,
    },
    /// The payment ends here.
    Final(Final),
}

/// What the payee is told, and checks against lock and invoice.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Final {
    /// What is paid.
    pub asset: AssetId,
    /// What the lock must hold.
    pub amount: Amount,
    /// What the whole payment comes to.
    pub total: Amount,
    /// The lock must not expire earlier.
    pub least_expiry: UsableHeight,
    /// What entitles the payee.
    pub claim: Claim,
    /// Where a refund may go.
    pub refund: Option<RefundAddress>,
}

/// What the payee needs for settling.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Claim {
    /// It made an invoice and has the preimage.
    Invoice {
        /// Which.
        id: InvoiceId,
        /// As in the invoice.
        payment_secret: Secret,
    },
    /// A spontaneous payment carries the preimage itself, and so proves nothing.
    Spontaneous {
        /// The preimage.
        preimage: Secret,
    },
}

/// An address that fits into a layer.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RefundAddress {
    /// Who gets the refund.
    pub key: PublicKey,
    /// Through which bank.
    pub bank: PublicKey,
}

impl RefundAddress {
    /// As an address that can be paid.
    pub fn to_address(&self, chain_id: &Hash) -> Address {
        Address::new(chain_id, self.key, &[self.bank])
    }
}

/// Whether the first layer needs a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstLayer {
    /// For the direct peer of a user: the session seals it.
    Open,
    /// The giver is a bank, or somebody else hands the packet on.
    Sealed,
}

/// A packet that cannot be built or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOnion {
    /// A packet has exactly one byte and K.max_hops slots.
    #[error("the onion has {got} bytes, expected are {expected}")]
    Size {
        /// By K.max_hops.
        expected: usize,
        /// What came.
        got: usize,
    },
    /// Not sealed to this key, for another payment, or changed.
    #[error("the onion's first layer cannot be opened")]
    Seal,
    /// Opened, but no layer.
    #[error("the onion's first layer cannot be read")]
    Layer,
    /// More hops than slots, or none.
    #[error("{got} hops do not fit, allowed are 1 to {limit}")]
    Hops {
        /// K.max_hops.
        limit: usize,
        /// What was asked for.
        got: usize,
    },
    /// A hop's key is no point of the curve.
    #[error("nothing can be sealed to the key {key}")]
    Key {
        /// Whose.
        key: PublicKey,
    },
}

/// Bytes of a packet.
pub fn packet_bytes(max_hops: u8) -> usize {
    usize::from(max_hops).saturating_mul(SLOT_BYTES).saturating_add(1)
}

/// Builds a packet. `hops` are in the order of the payment, each with its layer.
///
/// # Errors
/// [`BadOnion::Hops`] or [`BadOnion::Key`].
pub fn build(
    chain_id: &Hash,
    lock_hash: &Hash,
    hops: &[(PublicKey, Layer)],
    first: FirstLayer,
    max_hops: u8,
    entropy: &mut Entropy,
) -> Result<Vec<u8>, BadOnion> {
    let slots = usize::from(max_hops);
    if hops.is_empty() || hops.len() > slots {
        return Err(BadOnion::Hops { limit: slots, got: hops.len() });
    }
    let mut packet = Vec::with_capacity(packet_bytes(max_hops));
    packet.push(if first == FirstLayer::Open { OPEN } else { SEALED });
    for (position, (key, layer)) in hops.iter().enumerate() {
        if position == 0 && first == FirstLayer::Open {
            packet.extend_from_slice(&padded::<SLOT_BYTES>(layer));
        } else {
            packet.extend_from_slice(&seal(chain_id, lock_hash, key, layer, entropy)?);
        }
    }
    for _ in hops.len()..slots {
        packet.extend_from_slice(&throw_away(entropy));
    }
    Ok(packet)
}

/// Reads the layer that is meant for the holder of `key`.
///
/// # Errors
/// [`BadOnion::Size`], [`BadOnion::Seal`] or [`BadOnion::Layer`].
pub fn open(
    chain_id: &Hash,
    lock_hash: &Hash,
    packet: &[u8],
    max_hops: u8,
    key: &SecretKey,
) -> Result<Layer, BadOnion> {
    let expected = packet_bytes(max_hops);
    let size = BadOnion::Size { expected, got: packet.len() };
    if packet.len() != expected {
        return Err(size);
    }
    let (first, slots) = packet.split_first().ok_or_else(|| size.clone())?;
    let slot = slots.first_chunk::<SLOT_BYTES>().ok_or(size)?;
    match *first {
        OPEN => read(slot),
        SEALED => {
            let (enclosed, ciphertext) = slot.split_at(KEY_BYTES);
            let enclosed = <Suite as Kem>::EncappedKey::from_bytes(enclosed).map_err(|_| BadOnion::Seal)?;
            let own = <Suite as Kem>::PrivateKey::from_bytes(&*key.x25519()).map_err(|_| BadOnion::Seal)?;
            let info = info(chain_id);
            let mut context =
                hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, Suite>(&OpModeR::Base, &own, &enclosed, &info)
                    .map_err(|_| BadOnion::Seal)?;
            read(&context.open(ciphertext, &lock_hash.0).map_err(|_| BadOnion::Seal)?)
        }
        _ => Err(BadOnion::Layer),
    }
}

/// What the next hop gets: without the first slot, with one more that nobody can open.
///
/// # Errors
/// [`BadOnion::Size`].
pub fn forward(packet: &[u8], max_hops: u8, entropy: &mut Entropy) -> Result<Vec<u8>, BadOnion> {
    let expected = packet_bytes(max_hops);
    let rest = packet.get(1 + SLOT_BYTES..).filter(|_| packet.len() == expected);
    let Some(rest) = rest else { return Err(BadOnion::Size { expected, got: packet.len() }) };
    let mut next = Vec::with_capacity(expected);
    next.push(SEALED);
    next.extend_from_slice(rest);
    next.extend_from_slice(&throw_away(entropy));
    Ok(next)
}

fn info(chain_id: &Hash) -> [u8; 48] {
    let mut info = [0; 48];
    let (tag, chain) = info.split_at_mut(16);
    tag.copy_from_slice(tags::ONION.0);
    chain.copy_from_slice(&chain_id.0);
    info
}

fn padded<const N: usize>(layer: &Layer) -> [u8; N] {
    let mut bytes = [0; N];
    let encoded = codec::encode(layer);
    assert!(encoded.len() <= LAYER_BYTES, "every layer fits: it has a bounded encoding");
    for (to, from) in bytes.iter_mut().zip(encoded) {
        *to = from;
    }
    bytes
}

/// A layer and zeros.
fn read(mut bytes: &[u8]) -> Result<Layer, BadOnion> {
    let layer = Layer::deserialize(&mut bytes).map_err(|_| BadOnion::Layer)?;
    if bytes.iter().any(|byte| *byte != 0) {
        return Err(BadOnion::Layer);
    }
    Ok(layer)
}

fn seal(
    chain_id: &Hash,
    lock_hash: &Hash,
    key: &PublicKey,
    layer: &Layer,
    entropy: &mut Entropy,
) -> Result<Vec<u8>, BadOnion> {
    let bad_key = || BadOnion::Key { key: *key };
    let to = <Suite as Kem>::PublicKey::from_bytes(&key.x25519().ok_or_else(bad_key)?).map_err(|_| bad_key())?;
    let info = info(chain_id);
    let (enclosed, mut context) = hpke::setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, Suite>(
        &OpModeS::Base,
        &to,
        &info,
        entropy.generator(),
    )
    .map_err(|_| bad_key())?;
    let mut slot = enclosed.to_bytes().to_vec();
    let ciphertext = context.seal(&padded::<LAYER_BYTES>(layer), &lock_hash.0).map_err(|_| bad_key())?;
    slot.extend_from_slice(&ciphertext);
    Ok(slot)
}

/// What a seal to a thrown-away key looks like: a fresh encapsulated key and bytes that are as random as a
/// ciphertext under a key that nobody has. A hop spends one fixed-base multiplication on it.
fn throw_away(entropy: &mut Entropy) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    let (_, public) = Suite::gen_keypair_with_rng(entropy.generator());
    let (enclosed, ciphertext) = slot.split_at_mut(KEY_BYTES);
    enclosed.copy_from_slice(&public.to_bytes());
    entropy.fill(ciphertext);
    slot
}

#[cfg(test)]
mod tests;
