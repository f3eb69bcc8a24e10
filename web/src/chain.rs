//! The verified chain: genesis, state and blocks, in memory and in the database `fair-<name>-chain`.
//!
//! Data comes from relays through [`crate::sync`] and is believed only after [`Chain::verify`], which
//! re-executes every block. Verified blocks, changed state and head are stored in one transaction
//! before anything else sees them as the head.

pub mod block;

use crate::error::Error;
use crate::events::now_ms;
use crate::record;
use crate::store::{Changes, Store};
use crate::view::VerifiedAt;
use block::StoredBlock;
use fair_core::chain::block::CertifiedBlock;
use fair_core::chain::certificate::Certificate;
use fair_core::chain::conflict::{self, Conflict};
use fair_core::chain::follow::Follower;
use fair_core::chain::genesis::Genesis;
use fair_core::chain::header::Header;
use fair_core::chain::snapshot::Opened;
use fair_core::chain::trust::Lead;
use fair_core::chain::verify::{self, BadBlock};
use fair_core::codec;
use fair_core::ledger::state::{Key, State, Value};
use fair_core::limits as core_limits;
use fair_core::types::{Hash, Height, TimeMs};
use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

/// Two different headers of one height, both certified.
#[derive(Clone, Debug, PartialEq, Eq, borsh::BorshSerialize, borsh::BorshDeserialize)]
pub struct Fork {
    /// The header that we executed.
    pub ours: Header,
    /// The other.
    pub other: Header,
    /// Why the other would have been believed.
    pub certificate: Certificate,
}

/// A chain that is being followed.
pub struct Chain {
    genesis: Genesis,
    chain_id: Hash,
    follower: RefCell<Follower>,
    base: Cell<Option<Base>>,
    store: Rc<Store>,
}

/// The snapshot that a chain here begins with: its height, and the hash of its manifest.
pub type Base = (Height, Hash);

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("chain_id", &self.chain_id).finish_non_exhaustive()
    }
}

/// What verifying some blocks came to.
#[derive(Debug)]
pub struct Verified {
    /// How many blocks were verified and stored.
    pub blocks: usize,
    /// The first one that was not, if one was wrong.
    pub bad: Option<(Height, BadBlock)>,
}

impl Chain {
    /// Takes up the stored chain, if there is one.
    ///
    /// # Errors
    /// `storage.…`, or `storage.damaged` when what is stored does not have the root that its head says.
    pub async fn load(store: Rc<Store>) -> Result<Option<Self>, Error> {
        let Some(document) = store.get(&record::genesis()).await? else { return Ok(None) };
        let genesis = Genesis::decode(&document).map_err(|error| damaged(&error))?;
        let base: Option<Base> = match store.get(&record::base()).await? {
            Some(bytes) => Some(codec::decode(&bytes, 8 + 32).map_err(|error| damaged(&error))?),
            None => None,
        };
        let follower = match store.get(&record::head()).await? {
            None => Follower::new(&genesis),
            Some(bytes) => {
                let head: Header =
                    codec::decode(&bytes, core_limits::MAX_HEADER_BYTES).map_err(|error| damaged(&error))?;
                let stored = store.all(&[record::STATE]).await?;
                let entries = stored.iter().map(|(key, value)| (key.get(1..).unwrap_or_default(), value.as_slice()));
                let height = head.height;
                let mut follower = Follower::restore(&genesis, head, entries).map_err(|error| damaged(&error))?;
                let window = u64::from(genesis.parameters.proof_window_heights);
                let recent = (record::block(height.saturating_sub(window)), record::block(height.saturating_add(1)));
                let recent = store.range(&recent.0, &recent.1, u32::MAX).await?;
                let recent = recent.iter().rev().map(|(_, bytes)| block::decode(bytes));
                let recent = recent.collect::<Result<Vec<_>, _>>()?;
                let recent = recent.into_iter().map(|stored| (stored.certified.block.header, stored.undo));
                follower.recall(recent).map_err(|error| damaged(&error))?;
                follower
            }
        };
        Ok(Some(Self::new(genesis, follower, base, store)))
    }

    /// Begins a chain at a genesis document that was looked at and is to be trusted from now on. What was
    /// stored of a chain before goes.
    ///
    /// # Errors
    /// `storage.…`.
    pub async fn begin(genesis: Genesis, store: Rc<Store>) -> Result<Self, Error> {
        let follower = Follower::new(&genesis);
        let mut changes = Self::forget(&store).await?;
        changes.put(record::genesis(), codec::encode(&genesis));
        for (key, value) in follower.encoded() {
            changes.put(record::state(&key), value);
        }
        store.commit(changes).await?;
        Ok(Self::new(genesis, follower, None, store))
    }

    /// Goes on from a snapshot of this chain that was verified, in one transaction, and by what leads on from it where
    /// that is needed. Blocks below it are forgotten.
    ///
    /// # Errors
    /// `storage.…`: then nothing changed.
    pub async fn go_on_from(&self, opened: Opened, lead: Option<Lead>) -> Result<(), Error> {
        let Opened { id, mut follower, .. } = opened;
        follower.take_over(&self.follower());
        let Some(head) = follower.head() else { return Ok(()) };
        let base = (head.height, id);
        let mut changes = Self::forget(&self.store).await?;
        changes.put(record::genesis(), codec::encode(&self.genesis));
        changes.put(record::base(), codec::encode(&base));
        changes.put(record::head(), codec::encode(head));
        for (key, value) in follower.encoded() {
            changes.put(record::state(&key), value);
        }
        self.store.commit(changes).await?;
        *self.follower.borrow_mut() = follower;
        self.base.set(Some(base));
        if let Some(lead) = lead {
            self.take_lead(lead);
        }
        Ok(())
    }

    /// Whether the head is young enough to be led on by those who certified it.
    ///
    /// # Errors
    /// `chain.expired`.
    pub fn check_age(&self) -> Result<(), Error> {
        self.follower().check_age(now_ms()).map_err(|bad| Error::of("chain", &bad))
    }

    /// Goes on by what leads to a block that a person confirmed.
    pub fn take_lead(&self, lead: Lead) {
        self.follower.borrow_mut().take_lead(lead);
    }

    /// What deletes everything stored of a chain, evidence of forks apart.
    ///
    /// # Errors
    /// `storage.…`.
    pub async fn forget(store: &Store) -> Result<Changes, Error> {
        let mut changes = Changes::default();
        for key in store.keys(&record::genesis(), &record::relays()).await? {
            changes.delete(key);
        }
        changes.delete(record::base());
        Ok(changes)
    }

    /// Id of the stored chain, also when its state is damaged.
    ///
    /// # Errors
    /// `storage.…`.
    pub async fn stored_id(store: &Store) -> Result<Option<Hash>, Error> {
        let document = store.get(&record::genesis()).await?;
        Ok(document.and_then(|document| Genesis::decode(&document).ok()).map(|genesis| genesis.chain_id()))
    }

    fn new(genesis: Genesis, follower: Follower, base: Option<Base>, store: Rc<Store>) -> Self {
        let (follower, base) = (RefCell::new(follower), Cell::new(base));
        Self { chain_id: genesis.chain_id(), genesis, follower, base, store }
    }

    /// The document that the chain begins with.
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Its hash.
    pub const fn chain_id(&self) -> Hash {
        self.chain_id
    }

    /// The snapshot that it begins with here; blocks up to its height are not stored. `None`: genesis.
    pub fn base(&self) -> Option<Base> {
        self.base.get()
    }

    /// The database of blocks.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The chain up to the head. To be let go before anything is awaited.
    pub fn follower(&self) -> Ref<'_, Follower> {
        self.follower.borrow()
    }

    /// The state after the head. To be let go before anything is awaited.
    pub fn state(&self) -> Ref<'_, State> {
        Ref::map(self.follower.borrow(), Follower::state)
    }

    /// Height of the head; 0 at genesis.
    pub fn height(&self) -> Height {
        self.follower.borrow().height()
    }

    /// The head as answers name it.
    pub fn verified_at(&self) -> VerifiedAt {
        let follower = self.follower.borrow();
        VerifiedAt {
            height: follower.height().into(),
            time: follower.head_time_ms().into(),
            state_root: follower.state().root(),
        }
    }

    /// Verifies as many blocks as fit into a slice of work, and stores them in one transaction. Blocks
    /// below the head are passed over.
    ///
    /// # Errors
    /// `storage.…`: nothing of this slice counts, and the chain must be loaded again.
    pub async fn verify(
        &self,
        blocks: &[CertifiedBlock],
        now: TimeMs,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<Verified, Error> {
        let mut changes = Changes::default();
        let mut verified = Verified { blocks: 0, bad: None };
        {
            let mut follower = self.follower.borrow_mut();
            for certified in blocks {
                if verified.blocks > 0 && !go_on() {
                    break;
                }
                match follower.check(certified, now) {
                    Ok(step) => {
                        block::store(&mut changes, certified, &step);
                        follower.commit(step);
                        verified.blocks += 1;
                    }
                    Err(bad) => {
                        verified.bad = Some((certified.block.header.height, bad));
                        break;
                    }
                }
            }
        }
        if verified.blocks > 0 {
            self.store.commit(changes).await?;
        }
        Ok(verified)
    }

    /// A stored block.
    ///
    /// # Errors
    /// `storage.…`.
    pub async fn block(&self, height: Height) -> Result<Option<StoredBlock>, Error> {
        match self.store.get(&record::block(height)).await? {
            Some(bytes) => block::decode(&bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Holds an announced head against our own chain. Returns a fork when both are certified.
    ///
    /// # Errors
    /// [`Announcement::Bad`] when the certificate is not one of the validators that we know.
    pub async fn compare(
        &self,
        header: &Header,
        certificate: &Certificate,
        now: TimeMs,
    ) -> Result<Option<Fork>, Announcement> {
        if header.chain_id != self.chain_id {
            let bad = BadBlock::WrongChain { expected: self.chain_id, got: header.chain_id };
            return Err(Announcement::Bad(bad));
        }
        // A later set can only be known by executing up to it.
        let (ours, validators) = (self.height(), self.state().validators().clone());
        if header.height > ours {
            if header.validators_hash == validators.hash() {
                verify::certificate(header, certificate, &validators).map_err(Announcement::Bad)?;
            }
            return Ok(None);
        }
        let Some(stored) = self.block(header.height).await.map_err(Announcement::Storage)? else { return Ok(None) };
        let mine = stored.certified.block.header;
        let (head_ms, period, then) = {
            let follower = self.follower.borrow();
            let state = follower.state();
            let then = match state.value_at(mine.height.saturating_sub(1), &Key::Validators) {
                Ok(Some(Value::Validators(set))) => Some(set.as_ref().clone()),
                // Older than what is kept: only today's validators are known.
                _ => Some(validators).filter(|set| set.hash() == mine.validators_hash),
            };
            // Of a client that slept, its own head says nothing about how old the other one is.
            (follower.head_time_ms().max(now), state.parameters().trust_period_ms, then)
        };
        let Some(then) = then else { return Ok(None) };
        match conflict::judge(&mine, header, certificate, &then, head_ms, period).map_err(Announcement::Bad)? {
            Some(Conflict::Stops) => {
                Ok(Some(Fork { ours: mine, other: header.clone(), certificate: certificate.clone() }))
            }
            // Somebody has old keys; that stops nobody.
            Some(Conflict::IsKept) | None => Ok(None),
        }
    }

    /// Keeps evidence of a fork.
    ///
    /// # Errors
    /// `storage.…`.
    pub async fn keep_fork(&self, fork: &Fork) -> Result<(), Error> {
        let mut changes = Changes::default();
        changes.put(record::fork(&fork.other.hash()), codec::encode(fork));
        self.store.commit(changes).await
    }

    /// Whether a fork of this chain is known.
    ///
    /// # Errors
    /// `storage.…`.
    pub async fn has_fork(&self) -> Result<bool, Error> {
        Ok(!self.store.all(&record::forks()).await?.is_empty())
    }
}

/// Why an announced head is not believed.
#[derive(Debug)]
pub enum Announcement {
    /// It does not verify.
    Bad(BadBlock),
    /// Our own chain could not be read.
    Storage(Error),
}

fn damaged(error: &dyn std::fmt::Display) -> Error {
    Error::new("storage.damaged", format!("The stored chain cannot be used: {error}"))
}
