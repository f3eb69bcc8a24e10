//! Court batches that a validator has taken: given to every validator again with each new block until one has
//! them, so that nobody who takes and drops them, and no wallet that is gone, keeps an answer out.
//!
//! Kept in memory, as far as there is room: a wallet that is there repeats them too.

use crate::http::{App, batches};
use crate::limits;
use crate::shutdown::Shutdown;
use axum::body::Bytes;
use fair_core::ledger::batch::{self, Batch};
use fair_core::message::Signed;
use fair_core::types::{Amount, PublicKey};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

struct Waiting {
    batch: Signed<Batch>,
    bytes: Bytes,
    fee: Amount,
}

/// By account and nonce; of one nonce the batch that pays most.
#[derive(Default)]
pub(crate) struct Kept(Mutex<BTreeMap<(PublicKey, u64), Waiting>>);

impl Kept {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(PublicKey, u64), Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a batch, if there is room.
    pub(crate) fn keep(&self, batch: Signed<Batch>, bytes: Bytes) {
        let mut waiting = self.waiting();
        let place = (batch.body.signer, batch.body.nonce);
        let fee = batch::fee(batch.body.fee_rate, bytes.len()).unwrap_or(Amount::MAX);
        let others = waiting.iter().filter(|(other, _)| **other != place).map(|(_, other)| other.bytes.len());
        let has_room = others.sum::<usize>().saturating_add(bytes.len()) <= limits::MAX_KEPT_COURT_BYTES;
        if has_room && waiting.get(&place).is_none_or(|old| old.fee < fee) {
            waiting.insert(place, Waiting { batch, bytes, fee });
        }
    }

    /// What the next block could have, by what this relay has verified. The rest is forgotten.
    fn still(&self, app: &App) -> Vec<Bytes> {
        let mut waiting = self.waiting();
        waiting.retain(|_, waiting| app.chain.may_include(&waiting.batch.body, waiting.fee));
        waiting.values().map(|waiting| waiting.bytes.clone()).collect()
    }
}

/// Repeats what is kept with each new block, until `shutdown`.
pub(crate) async fn repeat(app: Arc<App>, shutdown: Shutdown) {
    let (_, mut heads) = app.chain.listen();
    loop {
        tokio::select! {
            () = shutdown.stopped() => return,
            head = heads.recv() => if matches!(head, Err(RecvError::Closed)) { return },
        }
        let all = app.kept.still(&app);
        if all.is_empty() {
            continue;
        }
        // One after another to each, so that a validator that is slow keeps nothing from the others.
        let each = batches::validators(&app).into_iter().map(async |url| {
            for bytes in &all {
                batches::ask(&app, &url, bytes.clone()).await;
            }
        });
        // Whoever is still busy then is asked again with the next block.
        let _ = timeout(limits::ANSWER_TIME, join_all(each)).await;
    }
}
