//! The chain as far as this relay has verified it.

use crate::crash;
use crate::limits;
use crate::store::{Beside, Store};
use anyhow::Context as _;
use axum::body::Bytes;
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::Certificate;
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::Genesis;
use fair_core::chain::header::Header;
use fair_core::chain::snapshot::{Pace, Snapshot};
use fair_core::chain::trust::Lead;
use fair_core::chain::verify::BadBlock;
use fair_core::chain::walk::Turn;
use fair_core::codec;
use fair_core::ledger::batch::Batch;
use fair_core::ledger::inclusion::may_offer;
use fair_core::ledger::state::{Key, OutsideWindow};
use fair_core::types::{Amount, AssetId, Hash, Height, PublicKey, TimeMs};
use fair_snapshots::Folder;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;
use tokio::sync::broadcast;

/// Verified blocks: in the store, and the state after the newest in memory.
pub struct Chain {
    genesis: Genesis,
    genesis_bytes: Bytes,
    chain_id: Hash,
    follower: RwLock<Follower>,
    store: Arc<Store>,
    /// Height of the snapshot that this began with; 0: genesis.
    base: Height,
    /// Only one task takes blocks.
    pace: Mutex<Pace>,
    snapshots: Folder,
    /// The newest head's bytes; changed under the same lock as `heads`, so that a listener misses none.
    newest: RwLock<Option<Bytes>>,
    heads: broadcast::Sender<Bytes>,
}

/// Why a block was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// Whoever served it is at fault, or the local clock.
    #[error(transparent)]
    Bad(#[from] BadBlock),
    /// The disk failed.
    #[error("a verified block could not be stored: {0}")]
    Store(#[from] rusqlite::Error),
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum NoProof {
    /// Of that height.
    #[error(transparent)]
    Window(#[from] OutsideWindow),
    /// Genesis has no certified header.
    #[error("there is no block yet")]
    NoBlock,
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] rusqlite::Error),
}

/// Where the chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// 0 before the first block.
    pub height: Height,
    /// Zeros before the first block.
    pub hash: Hash,
    /// Time of the block, or of genesis.
    pub time_ms: TimeMs,
}

impl Chain {
    /// Takes up what is stored, or starts at genesis.
    ///
    /// # Errors
    /// The stored state is not that of the stored head.
    pub fn open(genesis: Genesis, store: Store, snapshots: Folder) -> anyhow::Result<Self> {
        let (follower, head) = match store.load()? {
            None => (Follower::new(&genesis), None),
            Some((head, rows)) => {
                let rows = rows.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
                let follower = Follower::restore(&genesis, head.0.clone(), rows)
                    .context("the stored blocks are damaged; remove the data folder to fetch them again (--data)")?;
                (follower, Some(head))
            }
        };
        let chain = Self {
            genesis_bytes: codec::encode(&genesis).into(),
            chain_id: genesis.chain_id(),
            follower: RwLock::new(follower),
            base: store.base()?,
            pace: Mutex::new(store.pace(&genesis)?),
            genesis,
            snapshots,
            store: Arc::new(store),
            newest: RwLock::new(head.as_ref().map(|head| codec::encode(head).into())),
            heads: broadcast::Sender::new(limits::HEADS_QUEUE),
        };
        if let Some((head, certificate)) = &head {
            chain.record_unfinished(head, certificate);
        }
        Ok(chain)
    }

    /// The network's document.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Its bytes.
    pub fn genesis_bytes(&self) -> Bytes {
        self.genesis_bytes.clone()
    }

    /// Its hash.
    pub fn chain_id(&self) -> Hash {
        self.chain_id
    }

    /// Stored blocks.
    pub fn store(&self) -> Arc<Store> {
        self.store.clone()
    }

    /// Snapshots of states that this relay has verified.
    pub fn snapshots(&self) -> &Folder {
        &self.snapshots
    }

    /// The lowest height of which there is, or will be, a block: 1, or the one after the snapshot.
    pub const fn first(&self) -> Height {
        self.base.saturating_add(1)
    }

    fn follower(&self) -> RwLockReadGuard<'_, Follower> {
        self.follower.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the chain stands.
    pub fn head(&self) -> Head {
        let follower = self.follower();
        Head {
            height: follower.height(),
            hash: follower.head().map_or(Hash::ZERO, Header::hash),
            time_ms: follower.head_time_ms(),
        }
    }

    /// How far apart blocks are at most, by the parameters in force.
    pub fn max_idle(&self) -> Duration {
        Duration::from_millis(self.follower().state().parameters().max_idle_ms)
    }

    /// Whether the head is young enough to be led on by those who certified it.
    ///
    /// # Errors
    /// [`BadBlock::Expired`].
    pub fn check_age(&self, now: TimeMs) -> Result<(), BadBlock> {
        self.follower().check_age(now)
    }

    /// Goes on by what leads to a checkpoint ([`Follower::take_lead`]).
    pub fn take_lead(&self, lead: Lead) {
        self.follower.write().unwrap_or_else(PoisonError::into_inner).take_lead(lead);
    }

    /// Where the bank with this key is reached, if the chain knows such a bank.
    pub fn bank_url(&self, key: &PublicKey) -> Option<String> {
        self.follower().state().bank(key).map(|bank| bank.url.clone())
    }

    /// Where the bank of the lowest account number is reached.
    pub fn first_bank_url(&self) -> Option<String> {
        let follower = self.follower();
        let state = follower.state();
        state.banks().min_by_key(|bank| state.account_id(&bank.key)).map(|bank| bank.url.clone())
    }

    /// The canonical bytes of a [`fair_core::chain::proven::Proven`]: what stood at a key after a block, by
    /// default the newest.
    ///
    /// # Errors
    /// [`NoProof`].
    pub fn prove(&self, height: Option<Height>, key: &Key) -> Result<Vec<u8>, NoProof> {
        let (height, proven) = {
            let follower = self.follower();
            let height = height.unwrap_or(follower.height());
            let (value, proof) = follower.state().prove_at(height, key)?;
            (height, codec::encode(&(value, proof)))
        };
        // A header is stored before its block becomes the head.
        let mut bytes = match self.store.head(height)? {
            Some(head) if height > 0 => head,
            _ => return Err(NoProof::NoBlock),
        };
        bytes.extend_from_slice(&proven);
        Ok(bytes)
    }

    /// URLs of validators that are not of the genesis document's: voted in since, or elsewhere now.
    pub fn newcomers(&self) -> Vec<String> {
        let first = &self.genesis.validators.validators;
        let follower = self.follower();
        let now = follower.state().validators().validators.iter().map(|validator| &validator.url);
        now.filter(|url| first.iter().all(|validator| validator.url != **url)).cloned().collect()
    }

    /// Whether a batch could still be in a block soon, as far as its account, nonce, last height and fee say. `fees`:
    /// its own, and those of the account's other batches that would be paid beside it.
    pub fn may_include(&self, batch: &Batch, fees: Amount) -> bool {
        let follower = self.follower();
        let state = follower.state();
        let parameters = state.parameters();
        let account = state.account(&batch.signer);
        let next = state.height().saturating_add(1);
        account.is_some_and(|account| {
            (account.nonce..=account.nonce.saturating_add(limits::MAX_NONCES_AHEAD)).contains(&batch.nonce)
        }) && (next..=next.saturating_add(parameters.max_batch_life_heights.into())).contains(&batch.valid_until)
            && may_offer(state, &batch.signer, batch.fee_rate)
            && fees <= state.balance(&batch.signer, AssetId::FRD)
    }

    /// URLs of the validators, whoever proposes the next block first, then the others by turn.
    pub fn validators_by_turn(&self) -> Vec<String> {
        let follower = self.follower();
        let expected = follower.expected();
        let mut urls: Vec<String> = Vec::new();
        let rounds = u32::try_from(expected.validators.validators.len()).unwrap_or(u32::MAX).saturating_mul(2);
        for round in 0..rounds {
            let Some(validator) = expected.validators.proposer(expected.height, round) else { break };
            if !urls.contains(&validator.url) {
                urls.push(validator.url.clone());
            }
        }
        let others = expected.validators.validators.iter().map(|validator| &validator.url);
        let missing: Vec<String> = others.filter(|url| !urls.contains(url)).cloned().collect();
        urls.extend(missing);
        urls
    }

    /// Verifies, executes, stores and announces the next block, in this order. Only one task calls this.
    ///
    /// # Errors
    /// [`NotTaken`]; nothing has changed then.
    pub fn take(&self, certified: &CertifiedBlock, now: TimeMs) -> Result<(), NotTaken> {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let (step, next, is_due) = {
            let follower = self.follower();
            let step = follower.check(certified, now)?;
            let genesis_state: Vec<_> = if follower.height() == 0 { follower.encoded().collect() } else { Vec::new() };
            let (next, is_due) = pace.after(&certified.block, follower.state().parameters());
            let turn = Turn::of(follower.state(), certified);
            crash::pass();
            self.store.append(certified, Beside { genesis_state, turn, pace: next, changes: &step })?;
            crash::pass();
            (step, next, is_due)
        };
        *pace = next;
        self.follower.write().unwrap_or_else(PoisonError::into_inner).commit(step);
        if is_due {
            self.record(&certified.block.header, &certified.certificate);
        }
        let bytes = Bytes::from(codec::encode(&(&certified.block.header, &certified.certificate)));
        let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        *newest = Some(bytes.clone());
        // Nobody may be listening.
        let _ = self.heads.send(bytes);
        Ok(())
    }

    /// Takes the state after the head; it is written while the chain goes on.
    fn record(&self, header: &Header, certificate: &Certificate) {
        let (head, certificate) = (header.clone(), certificate.clone());
        let snapshot = self
            .store
            .turns_below(header.height)
            .and_then(|turns| Ok(Snapshot::past(&self.genesis, turns, head, certificate, self.follower().state())?));
        match snapshot {
            Ok(snapshot) => self.snapshots.record(snapshot),
            Err(error) => tracing::warn!(height = header.height, %error, "a snapshot cannot be made"),
        }
    }

    /// A snapshot that was being written when the process ended is written again, if its state is still the newest:
    /// a relay keeps no earlier ones on disk.
    fn record_unfinished(&self, head: &Header, certificate: &Certificate) {
        let due = self.pace.lock().unwrap_or_else(PoisonError::into_inner).due();
        if due == Some(head.height) && !self.snapshots.has(head.height) {
            self.record(head, certificate);
        }
    }

    /// The newest head's bytes, and all that come after it.
    pub fn listen(&self) -> (Option<Bytes>, broadcast::Receiver<Bytes>) {
        let newest = self.newest.read().unwrap_or_else(PoisonError::into_inner);
        (newest.clone(), self.heads.subscribe())
    }
}
