//! Court batches that a validator has taken: given to every validator again with each new block until one has
//! them, so that nobody who takes and drops them, and no wallet that is gone, keeps an answer out.
//!
//! Kept in memory, as far as there is room: a wallet that is there repeats them too. What a validator takes proves
//! nothing, so each account keeps only what it can pay for and a block could have soon.

use crate::chain::Chain;
use crate::http::{App, batches};
use crate::limits;
use crate::shutdown::Shutdown;
use axum::body::Bytes;
use fair_core::ledger::batch::{self, Batch};
use fair_core::message::Signed;
use fair_core::types::{Amount, PublicKey};
use futures_util::StreamExt as _;
use futures_util::stream::{self, FuturesUnordered};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

struct Waiting {
    batch: Signed<Batch>,
    bytes: Bytes,
    fee: Amount,
}

/// An account and a nonce.
type Place = (PublicKey, u64);

/// How many lower nonces of the account wait, and the place: in this order batches are repeated.
type Turn = (usize, Place);

/// By account and nonce; of one nonce the batch that pays most.
#[derive(Default)]
pub(crate) struct Kept(Mutex<BTreeMap<Place, Waiting>>);

impl Kept {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<Place, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a batch, if there is room and its account can pay for all of its own that are kept.
    pub(crate) fn keep(&self, chain: &Chain, batch: Signed<Batch>, bytes: Bytes) {
        let mut waiting = self.waiting();
        let (signer, nonce) = (batch.body.signer, batch.body.nonce);
        let place = (signer, nonce);
        let fee = batch::fee(batch.body.fee_rate, bytes.len()).unwrap_or(Amount::MAX);
        let others = waiting.iter().filter(|(other, _)| **other != place).map(|(_, other)| other.bytes.len());
        let has_room = others.sum::<usize>().saturating_add(bytes.len()) <= limits::MAX_KEPT_COURT_BYTES;
        let own = waiting.range((signer, 0)..=(signer, u64::MAX)).filter(|(other, _)| **other != place);
        let fees = own.fold(fee, |fees, (_, own)| fees.saturating_add(own.fee));
        let pays_more = waiting.get(&place).is_none_or(|old| old.fee < fee);
        if has_room && pays_more && chain.may_include(&batch.body, fees) {
            waiting.insert(place, Waiting { batch, bytes, fee });
        }
    }

    /// What the next block could have, by what this relay has verified: of each account the lowest nonce first. The
    /// rest is forgotten.
    fn still(&self, chain: &Chain) -> BTreeMap<Turn, Bytes> {
        let mut waiting = self.waiting();
        let mut of_account: (Option<PublicKey>, usize, Amount) = (None, 0, 0);
        let mut turns = BTreeMap::new();
        waiting.retain(|(signer, nonce), waiting| {
            let (lower, fees) = match of_account {
                (Some(account), lower, fees) if account == *signer => (lower, fees),
                _ => (0, 0),
            };
            let with = waiting.fee.saturating_add(fees);
            let stays = chain.may_include(&waiting.batch.body, with);
            of_account = (Some(*signer), lower, fees);
            if stays {
                of_account = (Some(*signer), lower.saturating_add(1), with);
                turns.insert((lower, (*signer, *nonce)), waiting.bytes.clone());
            }
            stays
        });
        turns
    }
}

/// All turns once, beginning at one.
fn from(turns: &BTreeMap<Turn, Bytes>, begin: Turn) -> impl Iterator<Item = (&Turn, &Bytes)> {
    turns.range(begin..).chain(turns.range(..begin))
}

/// Repeats what is kept with each new block, until `shutdown`.
pub(crate) async fn repeat(app: Arc<App>, shutdown: Shutdown) {
    let (_, mut heads) = app.chain.listen();
    // Where a validator that is slow, or has much to take, goes on.
    let mut begins: BTreeMap<String, Turn> = BTreeMap::new();
    // One offer to each validator at a time, and none waits for another: one that is slow keeps nothing from the others.
    let mut offers = FuturesUnordered::new();
    let mut is_offered = BTreeSet::new();
    loop {
        tokio::select! {
            () = shutdown.stopped() => return,
            Some(offered) = offers.next() => {
                let (url, cut_off): (String, Option<Turn>) = offered;
                is_offered.remove(&url);
                begins.extend(cut_off.map(|next| (url, next)));
                continue;
            }
            head = heads.recv() => if matches!(head, Err(RecvError::Closed)) { return },
        }
        let turns = Arc::new(app.kept.still(&app.chain));
        if turns.is_empty() {
            continue;
        }
        for url in batches::validators(&app) {
            if is_offered.insert(url.clone()) {
                let begin = begins.remove(&url).unwrap_or(FIRST);
                offers.push(offer(&app, url, turns.clone(), begin));
            }
        }
    }
}

const FIRST: Turn = (0, (PublicKey([0; 32]), 0));

/// Gives one validator what waits, as much as it takes in time, a few at once; returns where it was cut off.
async fn offer(app: &App, url: String, turns: Arc<BTreeMap<Turn, Bytes>>, begin: Turn) -> (String, Option<Turn>) {
    let mut answered = 0;
    let offering = async {
        let mut asking = Vec::new();
        for (_, bytes) in from(&turns, begin) {
            asking.push(batches::ask(app, &url, bytes.clone()));
        }
        let mut answers = stream::iter(asking).buffer_unordered(limits::REPEATED_AT_ONCE);
        while answers.next().await.is_some() {
            answered += 1;
        }
    };
    let was_cut_off = timeout(limits::ANSWER_TIME, offering).await.is_err();
    let next = from(&turns, begin).nth(answered).filter(|_| was_cut_off).map(|(turn, _)| *turn);
    (url, next)
}

#[cfg(test)]
mod tests;
