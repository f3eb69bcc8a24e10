//! The registry of secrets: when each hash was first revealed, for every channel at once.

use crate::crypto::{Secret, lock_hash};
use crate::ledger::deposit::Applied;
use crate::ledger::execute::Context;
use crate::ledger::operation::Reveal;
use crate::ledger::receipt::SkipReason;
use crate::ledger::state::{Hashlock, Key, Value};
use crate::ledger::view::{Overlay, View};
use crate::limits;
use crate::types::{Hash, PublicKey, UsableHeight};

/// Puts secrets into the registry. The first reveal of a hash fixes its U; a later one only keeps it longer.
pub(in crate::ledger) fn reveal(
    overlay: &mut Overlay<'_>,
    context: &Context<'_>,
    _signer: PublicKey,
    operation: &Reveal,
) -> Result<Applied, SkipReason> {
    if operation.secrets.is_empty() {
        return Err(SkipReason::NoSecrets);
    }
    if operation.secrets.len() > limits::MAX_SECRETS {
        let wide = |number| u64::try_from(number).unwrap_or(u64::MAX);
        let (limit, got) = (wide(limits::MAX_SECRETS), wide(operation.secrets.len()));
        return Err(SkipReason::TooManySecrets { limit, got });
    }
    for secret in &operation.secrets {
        enter(overlay, context, secret);
    }
    Ok(Applied { registered: None, flows: Vec::new() })
}

fn enter(overlay: &mut Overlay<'_>, context: &Context<'_>, secret: &Secret) {
    let hash = lock_hash(secret);
    let now = context.usable_height;
    let deleted_at = now.saturating_add(UsableHeight::from(context.parameters.hashlock_keepalive_blocks));
    let entry = match hashlock(overlay, &hash) {
        None => Hashlock { secret: *secret, revealed_at: now, deleted_at },
        Some(entry) => {
            overlay.remove(Key::HashlockByDeletion(entry.deleted_at, hash));
            Hashlock { deleted_at: entry.deleted_at.max(deleted_at), ..entry }
        }
    };
    overlay.put(Key::HashlockByDeletion(entry.deleted_at, hash), Value::Due);
    overlay.put(Key::Hashlock(hash), Value::Hashlock(entry));
}

/// Deletes what is due, in order of (deletion, hash), so many in a block.
pub(super) fn delete_due(overlay: &mut Overlay<'_>, context: &Context<'_>) {
    let first = Key::HashlockByDeletion(0, Hash([0; 32]));
    let last = Key::HashlockByDeletion(context.usable_height, Hash([0xff; 32]));
    for key in overlay.keys_between(&first, &last, limits::MAX_DELETIONS) {
        if let Key::HashlockByDeletion(_, hash) = key {
            overlay.remove(key);
            overlay.remove(Key::Hashlock(hash));
        }
    }
}

/// Whether the secret of a hash was revealed in time.
pub(super) fn is_revealed_by(view: &dyn View, hash: &Hash, expiry: UsableHeight) -> bool {
    hashlock(view, hash).is_some_and(|entry| entry.revealed_at <= expiry)
}

fn hashlock(view: &dyn View, hash: &Hash) -> Option<Hashlock> {
    match view.get(&Key::Hashlock(*hash)) {
        Some(Value::Hashlock(entry)) => Some(*entry),
        _ => None,
    }
}
