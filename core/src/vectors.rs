//! Golden vectors: bytes that every build on every target must read, hash, sign and execute alike
//! (`tests/vectors/*.json`). Each says why it is there; invalid ones are refused.
//!
//! A changed vector is a changed format: regenerate with `UPDATE_VECTORS=1 cargo test -p fair-core --test
//! vectors`, read the difference, and say so in the changelog.

use crate::chain::block::{Block, CertifiedBlock};
use crate::chain::certificate::{Certificate, Precommit, Prevote, ValidatorSet};
use crate::chain::follow::Follower;
use crate::chain::genesis::Genesis;
use crate::chain::header::Header;
use crate::chain::params::Parameters;
use crate::chain::verify::BadBlock;
use crate::codec;
use crate::ledger::batch::{self, Batch};
use crate::ledger::operation::{Operation, WithdrawalConsent};
use crate::ledger::state::{Key, StateProof, Value};
use crate::limits;
use crate::message::{Message, Signed};
use crate::types::{Amount, Hash, Parties, PublicKey, Side, Signature, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Every file of vectors: its name and its text.
pub const FILES: &[(&str, &str)] = &[
    ("encoding.json", include_str!("../../tests/vectors/encoding.json")),
    ("hash.json", include_str!("../../tests/vectors/hash.json")),
    ("signature.json", include_str!("../../tests/vectors/signature.json")),
    ("proof.json", include_str!("../../tests/vectors/proof.json")),
    ("chain.json", include_str!("../../tests/vectors/chain.json")),
];

/// One vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vector {
    /// What it pins, in a line.
    pub why: String,
    /// Input and expected outcome.
    #[serde(flatten)]
    pub case: Case,
}

/// Input and expected outcome. Bytes are hexadecimal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Case {
    /// Bytes of a type: its only encoding of this value, or none at all.
    Encoding {
        /// Name of the type.
        of: String,
        /// The bytes.
        hex: String,
        /// The value as people read it; absent when the bytes must be refused.
        value: Option<serde_json::Value>,
    },
    /// Hash of a value.
    Hash {
        /// Which hash.
        of: String,
        /// The value's bytes.
        hex: String,
        /// What must come out.
        expected: Hash,
    },
    /// Fee of a batch.
    Fee {
        /// FRD per 1,000 bytes.
        rate: Amount,
        /// Bytes of the signed batch.
        bytes: u32,
        /// The fee; absent when it overflows.
        fee: Option<Amount>,
    },
    /// A signature over a value.
    Signature {
        /// Name of the type.
        of: String,
        /// The value's bytes.
        hex: String,
        /// On this chain.
        chain_id: Hash,
        /// By this key.
        signer: PublicKey,
        /// Signed.
        signature: Signature,
        /// Whether it verifies.
        valid: bool,
    },
    /// A proof against a state root.
    Proof {
        /// Of the state.
        root: Hash,
        /// The key's bytes.
        key: String,
        /// The value's bytes; absent when absence is claimed.
        value: Option<String>,
        /// The proof's bytes.
        proof: String,
        /// Whether it verifies.
        valid: bool,
    },
    /// A chain followed from genesis.
    Chain {
        /// The genesis document's bytes.
        genesis: String,
        /// Root of the state that it makes.
        root: Hash,
        /// Blocks in order; refused ones leave the head where it is.
        blocks: Vec<ChainBlock>,
    },
}

/// A certified block put before a follower.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChainBlock {
    /// What it shows.
    pub why: String,
    /// The local clock.
    pub now_ms: TimeMs,
    /// The certified block's bytes.
    pub hex: String,
    /// Code under which it is refused; absent when it is accepted.
    pub error: Option<String>,
    /// Receipts and flows of an accepted block.
    pub outcomes: serde_json::Value,
}

/// Reads a file of vectors.
///
/// # Errors
/// In words, when it is no such file.
pub fn read(text: &str) -> Result<Vec<Vector>, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Checks every vector of every file and returns how many there are.
///
/// # Errors
/// Names the file, the vector and what came instead.
pub fn check_all() -> Result<usize, String> {
    let mut count: usize = 0;
    for (file, text) in FILES {
        for vector in read(text).map_err(|error| format!("{file}: {error}"))? {
            check(&vector.case).map_err(|error| format!("{file}: {}: {error}", vector.why))?;
            count = count.saturating_add(1);
        }
    }
    Ok(count)
}

/// Checks one vector.
///
/// # Errors
/// Says what came instead.
pub fn check(case: &Case) -> Result<(), String> {
    match case {
        Case::Encoding { of, hex, value } => expect(&decoded(of, &bytes(hex)?)?, value),
        Case::Hash { of, hex, expected } => expect(&hash_of(of, &bytes(hex)?)?, expected),
        Case::Fee { rate, bytes, fee } => {
            let bytes = usize::try_from(*bytes).map_err(|error| error.to_string())?;
            expect(&batch::fee(*rate, bytes), fee)
        }
        Case::Signature { of, hex, chain_id, signer, signature, valid } => {
            expect(&verifies(of, &bytes(hex)?, chain_id, signer, signature)?, valid)
        }
        Case::Proof { root, key, value, proof, valid } => {
            let key: Key = read_as(&bytes(key)?)?;
            let value: Option<Value> = match value {
                Some(value) => Some(read_as(&bytes(value)?)?),
                None => None,
            };
            let proof: StateProof = read_as(&bytes(proof)?)?;
            expect(&proof.verify(root, &key, value.as_ref()).is_ok(), valid)
        }
        Case::Chain { genesis, root, blocks } => follow(&bytes(genesis)?, root, blocks),
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(got: &T, expected: &T) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("expected {expected:?}, got {got:?}")) }
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    hex::decode(hex).map_err(|error| error.to_string())
}

fn read_as<T: BorshDeserialize>(bytes: &[u8]) -> Result<T, String> {
    codec::decode(bytes, limits::MAX_CERTIFIED_BLOCK_BYTES).map_err(|error| error.to_string())
}

/// The value as people read it, `None` for bytes that are refused. A value that has a second encoding is
/// an error of its own.
fn value_of<T: BorshDeserialize + BorshSerialize + Serialize>(
    bytes: &[u8],
) -> Result<Option<serde_json::Value>, String> {
    let Ok(value) = read_as::<T>(bytes) else { return Ok(None) };
    if codec::encode(&value) != bytes {
        return Err("the bytes are a second encoding of a value".into());
    }
    serde_json::to_value(&value).map(Some).map_err(|error| error.to_string())
}

/// What bytes of a named type mean.
///
/// # Errors
/// When the type has no name here.
pub fn decoded(of: &str, bytes: &[u8]) -> Result<Option<serde_json::Value>, String> {
    match of {
        "Genesis" => value_of::<Genesis>(bytes),
        "Parameters" => value_of::<Parameters>(bytes),
        "ValidatorSet" => value_of::<ValidatorSet>(bytes),
        "Header" => value_of::<Header>(bytes),
        "Block" => value_of::<Block>(bytes),
        "Certificate" => value_of::<Certificate>(bytes),
        "CertifiedBlock" => value_of::<CertifiedBlock>(bytes),
        "Prevote" => value_of::<Prevote>(bytes),
        "Precommit" => value_of::<Precommit>(bytes),
        "Batch" => value_of::<Batch>(bytes),
        "SignedBatch" => value_of::<Signed<Batch>>(bytes),
        "Operation" => value_of::<Operation>(bytes),
        "WithdrawalConsent" => value_of::<WithdrawalConsent>(bytes),
        "Parties" => value_of::<Parties>(bytes),
        "Side" => value_of::<Side>(bytes),
        "Key" => value_of::<Key>(bytes),
        "Value" => value_of::<Value>(bytes),
        "StateProof" => value_of::<StateProof>(bytes),
        other => Err(format!("no type {other}")),
    }
}

fn hash_of(of: &str, bytes: &[u8]) -> Result<Hash, String> {
    Ok(match of {
        "chain_id" => read_as::<Genesis>(bytes)?.chain_id(),
        "header" => read_as::<Header>(bytes)?.hash(),
        "batches_root" => crate::chain::block::batches_root(&read_as::<Vec<Signed<Batch>>>(bytes)?),
        "batch" => batch::hash(&read_as(bytes)?),
        "validators" => read_as::<ValidatorSet>(bytes)?.hash(),
        "parameters" => read_as::<Parameters>(bytes)?.hash(),
        "lock_hash" => crate::crypto::lock_hash(&read_as(bytes)?),
        other => return Err(format!("no hash {other}")),
    })
}

fn verifies(
    of: &str,
    bytes: &[u8],
    chain_id: &Hash,
    signer: &PublicKey,
    signature: &Signature,
) -> Result<bool, String> {
    fn signed<T: Message>(
        bytes: &[u8],
        chain_id: &Hash,
        signer: &PublicKey,
        signature: &Signature,
    ) -> Result<bool, String> {
        Ok(read_as::<T>(bytes)?.is_signed_by(chain_id, signer, signature))
    }
    match of {
        "Batch" => signed::<Batch>(bytes, chain_id, signer, signature),
        "WithdrawalConsent" => signed::<WithdrawalConsent>(bytes, chain_id, signer, signature),
        "Prevote" => signed::<Prevote>(bytes, chain_id, signer, signature),
        "Precommit" => signed::<Precommit>(bytes, chain_id, signer, signature),
        other => Err(format!("no signed type {other}")),
    }
}

fn follow(genesis: &[u8], root: &Hash, blocks: &[ChainBlock]) -> Result<(), String> {
    let genesis = Genesis::decode(genesis).map_err(|error| error.to_string())?;
    let mut follower = Follower::new(&genesis);
    expect(&follower.state().root(), root)?;
    for block in blocks {
        let certified: CertifiedBlock = read_as(&bytes(&block.hex)?)?;
        let result = match follower.check(&certified, block.now_ms) {
            Ok(step) => {
                let outcomes = serde_json::to_value(step.outcomes()).map_err(|error| error.to_string())?;
                follower.commit(step);
                (None, outcomes)
            }
            Err(error) => (Some(code(&error)?), serde_json::Value::Null),
        };
        expect(&result, &(block.error.clone(), block.outcomes.clone()))
            .map_err(|error| format!("{}: {error}", block.why))?;
    }
    Ok(())
}

/// The stable code of a refusal.
///
/// # Errors
/// When it has none.
pub fn code(error: &BadBlock) -> Result<String, String> {
    let value = serde_json::to_value(error).map_err(|error| error.to_string())?;
    let code = value.get("code").and_then(serde_json::Value::as_str);
    code.map(str::to_owned).ok_or_else(|| format!("{error} has no code"))
}
