//! Signed messages: the only place where a value becomes a verified one (docs/protocol.md, section 2).
//!
//! A signature is made over `SHA-256(tag ‖ chain_id ‖ body)`; every signed kind has its own tag.

use crate::codec;
use crate::crypto::{self, SecretKey, Tag};
use crate::types::{Hash, PublicKey, Signature};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// Domain tags of everything that is hashed or signed.
pub mod tags {
    use crate::crypto::Tag;

    /// Genesis document → chain id.
    pub const GENESIS: Tag = Tag(b"fair/genesis/001");
    /// Header → block hash.
    pub const HEADER: Tag = Tag(b"fair/header//001");
    /// Batch (signed).
    pub const BATCH: Tag = Tag(b"fair/batch///001");
    /// Leaf of the batches tree.
    pub const BATCH_LEAF: Tag = Tag(b"fair/btleaf//001");
    /// Inner node of the batches tree.
    pub const BATCH_NODE: Tag = Tag(b"fair/btnode//001");
    /// Validator set.
    pub const VALIDATORS: Tag = Tag(b"fair/valset//001");
    /// Parameters.
    pub const PARAMETERS: Tag = Tag(b"fair/params//001");
    /// Prevote (signed).
    pub const PREVOTE: Tag = Tag(b"fair/prevote/001");
    /// Precommit (signed): what certificates hold.
    pub const PRECOMMIT: Tag = Tag(b"fair/precommit01");
    /// Block proposal (signed).
    pub const PROPOSAL: Tag = Tag(b"fair/proposal001");
    /// Answer of a validator that calls another (signed).
    pub const VALIDATOR_HELLO: Tag = Tag(b"fair/vhello//001");
    /// Leaf and inner nodes of the state tree.
    pub const STATE_TREE: Tag = Tag(b"fair/state///001");
    /// A bank's handle, in the key of its index.
    pub const BANK_HANDLE: Tag = Tag(b"fair/handle//001");
    /// An asset's ticker, in the key of its index.
    pub const TICKER: Tag = Tag(b"fair/ticker//001");
    /// Consent to a withdrawal (signed by the other side).
    pub const WITHDRAWAL: Tag = Tag(b"fair/withdraw001");
    /// Channel state (signed by both parties).
    pub const CHANNEL_STATE: Tag = Tag(b"fair/chstate/001");
    /// Shared part of a channel, hashed into its state.
    pub const CHANNEL_SHARED: Tag = Tag(b"fair/chshare/001");
    /// Frame body (signed).
    pub const FRAME: Tag = Tag(b"fair/frame///001");
    /// Refusal of a frame (signed).
    pub const REFUSAL: Tag = Tag(b"fair/refusal/001");
    /// Invoice (signed by the payee).
    pub const INVOICE: Tag = Tag(b"fair/invoice/001");
    /// Receipt (signed by the payee).
    pub const RECEIPT: Tag = Tag(b"fair/receipt/001");
    /// Address checksum domain.
    pub const ADDRESS: Tag = Tag(b"fair/address/001");
    /// Onion layer: bound into the seal.
    pub const ONION: Tag = Tag(b"fair/onion///001");
    /// Noise prologue of a peer session.
    pub const SESSION: Tag = Tag(b"fair/session/001");
    /// Hello of a peer session.
    pub const HELLO: Tag = Tag(b"fair/hello///001");

    /// Manifest of a snapshot → its identity.
    pub const SNAPSHOT: Tag = Tag(b"fair/snapshot001");
    /// Chunk of a snapshot's state.
    pub const SNAPSHOT_CHUNK: Tag = Tag(b"fair/snpchunk001");
    /// Receipt of a tower for a channel state (signed by the tower).
    pub const TOWER_RECEIPT: Tag = Tag(b"fair/towrcpt/001");

    /// Every tag, so that a test can see that they differ.
    pub const ALL: &[Tag] = &[
        GENESIS,
        HEADER,
        BATCH,
        BATCH_LEAF,
        BATCH_NODE,
        VALIDATORS,
        PARAMETERS,
        PREVOTE,
        PRECOMMIT,
        PROPOSAL,
        VALIDATOR_HELLO,
        STATE_TREE,
        BANK_HANDLE,
        TICKER,
        WITHDRAWAL,
        CHANNEL_STATE,
        CHANNEL_SHARED,
        FRAME,
        REFUSAL,
        INVOICE,
        RECEIPT,
        ADDRESS,
        ONION,
        SESSION,
        HELLO,
        SNAPSHOT,
        SNAPSHOT_CHUNK,
        TOWER_RECEIPT,
    ];
}

/// A kind of value that is signed.
pub trait Message: BorshSerialize + BorshDeserialize {
    /// Its domain tag; no two kinds share one.
    const TAG: Tag;

    /// What is signed: `SHA-256(tag ‖ chain_id ‖ body)`.
    fn digest(&self, chain_id: &Hash) -> Hash {
        crypto::hash(Self::TAG, &[&chain_id.0, &codec::encode(self)])
    }

    /// Signs the value.
    fn sign(&self, chain_id: &Hash, key: &SecretKey) -> Signature {
        key.sign(&self.digest(chain_id))
    }

    /// Whether `key` signed exactly this value on this chain.
    fn is_signed_by(&self, chain_id: &Hash, key: &PublicKey, signature: &Signature) -> bool {
        key.verifies(&self.digest(chain_id), signature)
    }
}

/// A value with a signature that nobody has looked at yet.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Signed<T> {
    /// The value.
    pub body: T,
    /// Said to be over it.
    pub signature: Signature,
}

/// The signature is not one of this key over this value on this chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not one of {signer} over this value on this network")]
pub struct BadSignature {
    /// Whose signature it should be.
    pub signer: PublicKey,
}

impl<T: Message> Signed<T> {
    /// Signs a value.
    pub fn new(body: T, chain_id: &Hash, key: &SecretKey) -> Self {
        let signature = body.sign(chain_id, key);
        Self { body, signature }
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`BadSignature`] when it is not one of `signer` over this value on this chain.
    pub fn verify(self, chain_id: &Hash, signer: &PublicKey) -> Result<Verified<T>, BadSignature> {
        if self.body.is_signed_by(chain_id, signer, &self.signature) {
            Ok(Verified { signer: *signer, signed: self })
        } else {
            Err(BadSignature { signer: *signer })
        }
    }
}

/// A value whose signature was checked, or made here. It cannot be made in any other way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T> {
    signer: PublicKey,
    signed: Signed<T>,
}

impl<T: Message> Verified<T> {
    /// Signs a value. There is nothing to check about a signature that was made just now.
    pub fn make(body: T, chain_id: &Hash, key: &SecretKey) -> Self {
        Self { signer: key.public(), signed: Signed::new(body, chain_id, key) }
    }
}

impl<T> Verified<T> {
    /// Who signed.
    pub fn signer(&self) -> &PublicKey {
        &self.signer
    }

    /// The value.
    pub fn body(&self) -> &T {
        &self.signed.body
    }

    /// The value with its signature, to be stored or passed on.
    pub fn signed(&self) -> &Signed<T> {
        &self.signed
    }

    /// Gives up the proof of verification.
    pub fn into_signed(self) -> Signed<T> {
        self.signed
    }
}

#[cfg(test)]
mod tests;
