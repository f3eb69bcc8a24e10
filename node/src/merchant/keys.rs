//! Keys with which a shop's server asks its merchant, each good for some kinds of requests.
//!
//! A key is `fair_ID_SECRET`, 16 and 64 hexadecimal digits. Of the secret, which is 32 random bytes, only the
//! SHA-256 is stored.

use super::MERCHANT;
use crate::limits;
use borsh::{BorshDeserialize, BorshSerialize};
use fair_core::codec::{self, DecodeError};
use fair_core::crypto::{self, Tag};
use fair_core::effect::Write;
use fair_core::types::{Hash, TimeMs};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;
use zeroize::Zeroizing;

const KEY: u8 = b'k';
const HASHED: Tag = Tag(b"fair/shop-key/01");
const PREFIX: &str = "fair_";

/// What a key is good for.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
pub(crate) enum Scope {
    /// Look at invoices and their refunds.
    #[value(name = "invoices:read")]
    #[serde(rename = "invoices:read")]
    InvoicesRead,
    /// Make and cancel invoices.
    #[value(name = "invoices:write")]
    #[serde(rename = "invoices:write")]
    InvoicesWrite,
    /// Give money back to those who paid.
    #[value(name = "refunds")]
    #[serde(rename = "refunds")]
    Refunds,
    /// Pay anybody.
    #[value(name = "payouts")]
    #[serde(rename = "payouts")]
    Payouts,
    /// Read events.
    #[value(name = "events:read")]
    #[serde(rename = "events:read")]
    EventsRead,
    /// See balances.
    #[value(name = "balance:read")]
    #[serde(rename = "balance:read")]
    BalanceRead,
    /// Say where webhooks go.
    #[value(name = "webhooks")]
    #[serde(rename = "webhooks")]
    Webhooks,
}

/// Names a key.
pub(super) type KeyId = [u8; 8];

/// A key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Key {
    pub(super) id: KeyId,
    hash: Hash,
    pub(super) scopes: BTreeSet<Scope>,
    /// For its owner to know it by. What is asked for under the same name and `Idempotency-Key` is the same thing.
    pub(super) name: String,
    pub(super) created_ms: TimeMs,
}

/// A key and its text, which is shown once.
pub(super) type Fresh = (Key, Zeroizing<String>);

impl Key {
    /// A key of the system's randomness, and its text, which is nowhere else.
    pub(super) fn fresh(scopes: BTreeSet<Scope>, name: String, created_ms: TimeMs) -> Result<Fresh, getrandom::Error> {
        let mut id = [0; 8];
        getrandom::fill(&mut id)?;
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice())?;
        let text = Zeroizing::new(format!("{PREFIX}{}_{}", hex::encode(id), hex::encode(secret.as_slice())));
        Ok((Self { id, hash: hashed(&secret), scopes, name, created_ms }, text))
    }

    /// Another key in the place of this one, of the same name: what is asked for again with it is the same thing.
    pub(super) fn successor(&self, created_ms: TimeMs) -> Result<Fresh, getrandom::Error> {
        Self::fresh(self.scopes.clone(), self.name.clone(), created_ms)
    }

    pub(super) fn write(&self) -> Write {
        let mut write = Write::default();
        write.put(record_key(&self.id), codec::encode(self));
        write
    }
}

fn hashed(secret: &[u8; 32]) -> Hash {
    crypto::hash(HASHED, &[secret])
}

fn record_key(id: &KeyId) -> Vec<u8> {
    [&[MERCHANT, KEY], id.as_slice()].concat()
}

/// Takes a stored key back. `Ok(false)` when the record is of another kind.
pub(super) fn restore(keys: &mut Vec<Key>, key: &[u8], value: &[u8]) -> Result<bool, DecodeError> {
    let [MERCHANT, KEY, ..] = key else { return Ok(false) };
    keys.push(codec::decode(value, fair_core::limits::MAX_RECORD_BYTES)?);
    Ok(true)
}

/// All keys that are good. Clones are the same.
#[derive(Clone)]
pub(super) struct Keyring {
    keys: Arc<RwLock<BTreeMap<KeyId, Arc<Key>>>>,
    /// Tells that one was revoked.
    revoked: watch::Sender<()>,
}

impl Keyring {
    pub(super) fn new(keys: Vec<Key>) -> Self {
        let keys = Arc::new(RwLock::new(keys.into_iter().map(|key| (key.id, Arc::new(key))).collect()));
        Self { keys, revoked: watch::channel(()).0 }
    }

    /// Whether a key is good still.
    pub(super) fn holds(&self, id: &KeyId) -> bool {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).contains_key(id)
    }

    /// A key that is good, by its id.
    pub(super) fn get(&self, id: &KeyId) -> Option<Arc<Key>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Hears whenever a key is revoked.
    pub(super) fn revocations(&self) -> watch::Receiver<()> {
        self.revoked.subscribe()
    }

    /// The key that a text is.
    pub(super) fn find(&self, text: &str) -> Option<Arc<Key>> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let mut found = KeyId::default();
        hex::decode_to_slice(id, &mut found).ok()?;
        let mut shown = Zeroizing::new([0; 32]);
        hex::decode_to_slice(secret, shown.as_mut_slice()).ok()?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.get(&found)?;
        bool::from(hashed(&shown).0.ct_eq(&key.hash.0)).then(|| key.clone())
    }

    /// Whether one more is too many.
    pub(super) fn is_full(&self) -> bool {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).len() >= limits::MERCHANT_KEYS
    }

    /// After it is stored.
    pub(super) fn add(&self, key: Key) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(key.id, Arc::new(key));
    }

    /// Makes a key good for nothing, and says how to forget it. `None`: there is none.
    pub(super) fn revoke(&self, id: &KeyId) -> Option<Write> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(id)?;
        self.revoked.send_replace(());
        let mut write = Write::default();
        write.delete(record_key(id));
        Some(write)
    }

    pub(super) fn all(&self) -> Vec<Arc<Key>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_whole_text_and_stored_without_it() {
        let scopes = BTreeSet::from([Scope::InvoicesRead]);
        let (key, text) = Key::fresh(scopes.clone(), "shop".to_owned(), 5).unwrap();
        let (other, _) = Key::fresh(scopes, "other".to_owned(), 5).unwrap();
        let secret = hex::decode(text.rsplit_once('_').unwrap().1).unwrap();
        let stored = key.write().puts.remove(0).1;
        assert!(!stored.windows(32).any(|window| window == secret));
        let mut restored = Vec::new();
        assert!(restore(&mut restored, &record_key(&key.id), &stored).unwrap());
        let ring = Keyring::new(vec![restored.remove(0), other.clone()]);
        assert_eq!(ring.find(&text).as_deref(), Some(&key));
        let swapped = text.replace(&hex::encode(key.id), &hex::encode(other.id));
        let shorter = text.get(..text.len() - 1).unwrap();
        let turned = format!("{}{}", shorter, if text.ends_with('0') { '1' } else { '0' });
        for wrong in ["", "fair_", "fair__", &swapped, shorter, &turned, &text.to_uppercase()] {
            assert_eq!(ring.find(wrong), None, "{wrong}");
        }
        let (next, next_text) = ring.get(&key.id).unwrap().successor(6).unwrap();
        assert_eq!((&next.name, &next.scopes), (&key.name, &key.scopes));
        ring.add(next.clone());
        assert_eq!(
            (ring.find(&next_text), ring.find(&text)),
            (Some(Arc::new(next)), Some(Arc::new(key.clone()))),
            "both are good"
        );
        assert!(ring.revoke(&key.id).is_some());
        assert_eq!((ring.find(&text), ring.revoke(&key.id)), (None, None));
        assert!(ring.find(&next_text).is_some());
    }
}
