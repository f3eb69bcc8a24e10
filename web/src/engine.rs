//! What the worker runs: one wallet, one chain, one writer. All parts share a [`Core`] on one thread;
//! nothing of it is borrowed while something is awaited.

mod banks;
mod batches;
mod court;
mod dispatch;
mod drafting;
mod machine;
pub mod method;
mod pay;
mod sessions;
mod sync;
mod towers;
mod trust;
mod wallet;

use crate::chain::Chain;
use crate::error::Error;
use crate::events::Events;
use crate::explorer::Explorer;
use crate::limits;
use crate::store::Store;
use crate::view::{Network, Status, WalletState};
use batches::Delivery;
use fair_core::chain::genesis::Purpose;
use fair_core::crypto::SecretKey;
use fair_core::types::{Hash, Height, PublicKey, TimeMs};
use fair_core::wallet::Wallet as Machine;
use futures_channel::mpsc;
use futures_util::lock::Mutex;
use sessions::Link;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use sync::Sync;
use wallet::Wallet;

/// What the page gives when it opens the engine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the wallet; the databases are `fair-<name>` and `fair-<name>-chain`.
    pub name: String,
    /// Relays to use when none were set.
    pub relays: Vec<String>,
    /// The chain to follow and no other. `None`: the one seen first.
    pub chain_id: Option<Hash>,
}

/// Everything that runs.
pub struct Core {
    config: Config,
    events: Events,
    chain_store: Rc<Store>,
    chain: RefCell<Option<Rc<Chain>>>,
    sync: RefCell<Sync>,
    /// Wakes the loop that fetches blocks.
    wake: mpsc::UnboundedSender<()>,
    wallet: RefCell<Wallet>,
    /// Runs while the wallet is unlocked and the chain is known.
    machine: RefCell<Option<Machine>>,
    delivery: RefCell<Delivery>,
    links: RefCell<BTreeMap<PublicKey, Link>>,
    timers: RefCell<BTreeSet<TimeMs>>,
    store: Rc<Store>,
    /// Held while the wallet's records are read, changed and stored.
    writing: Mutex<()>,
    persisted: Cell<Option<bool>>,
    /// The machine knows what fell due below this height, as far as it concerns its account.
    told: Cell<Height>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Core {
    /// Opens the databases, takes up what they hold, and begins to follow the chain.
    ///
    /// # Errors
    /// `storage.…` when a database cannot be opened or was written by a newer version.
    pub async fn open(mut config: Config, events: Events) -> Result<Rc<Self>, Error> {
        let wallet_store = Rc::new(Store::open(&format!("fair-{}", config.name)).await?);
        let chain_store = Rc::new(Store::open(&format!("fair-{}-chain", config.name)).await?);
        let wallet = Wallet::load(&wallet_store).await?;
        let (chain, unusable) = match Chain::load(chain_store.clone()).await {
            Ok(chain) => (chain.map(Rc::new), None),
            // Blocks can be had again from any relay, if only of the chain that was trusted before.
            Err(error) if error.code == "storage.damaged" => {
                config.chain_id = config.chain_id.or(Chain::stored_id(&chain_store).await?);
                (None, Some(error))
            }
            Err(error) => return Err(error),
        };
        let sync = Sync::load(&config, &chain_store, chain.as_deref()).await?;
        let (wake, waked) = mpsc::unbounded();
        let core = Rc::new(Self {
            config,
            events,
            chain_store,
            chain: RefCell::new(chain),
            sync: RefCell::new(sync),
            wake,
            wallet: RefCell::new(wallet),
            machine: RefCell::new(None),
            delivery: RefCell::default(),
            links: RefCell::default(),
            timers: RefCell::default(),
            store: wallet_store,
            writing: Mutex::new(()),
            persisted: Cell::new(None),
            told: Cell::new(0),
        });
        if let Some(error) = unusable {
            core.events.error(&error);
        }
        core.read_persisted().await;
        core.begin_sync(waked);
        wasm_bindgen_futures::spawn_local(core.clone().watch());
        Ok(core)
    }

    /// The chain, once it is known.
    ///
    /// # Errors
    /// `chain.unknown` before the genesis document came.
    fn chain(&self) -> Result<Rc<Chain>, Error> {
        self.chain.borrow().clone().ok_or_else(|| {
            Error::passing("chain.unknown", "The network is not known yet: no relay has answered so far.")
        })
    }

    /// The own account's key, also while the wallet is locked.
    fn you(&self) -> Option<PublicKey> {
        self.wallet.borrow().account()
    }

    /// Answers out of the state after the head.
    fn explore<T>(&self, ask: impl FnOnce(Explorer<'_>) -> T) -> Result<T, Error> {
        let chain = self.chain()?;
        let state = chain.state();
        Ok(ask(Explorer { state: &state, you: self.you() }))
    }

    /// The account's key.
    ///
    /// # Errors
    /// `wallet.none`, `wallet.locked`.
    fn key(&self) -> Result<SecretKey, Error> {
        self.wallet.borrow().key()
    }

    /// Why nothing can be signed now, whatever it is.
    ///
    /// # Errors
    /// `chain.fork`, `chain.expired`, or why a database cannot be written any more.
    fn may_sign(&self) -> Result<(), Error> {
        if let Some(error) = self.broken() {
            return Err(error);
        }
        if self.sync.borrow().forked() {
            return Err(Error::new(
                "chain.fork",
                "The network has certified two blocks at one height. Nothing is signed until that is resolved.",
            ));
        }
        self.chain().map_or(Ok(()), |chain| chain.check_age())
    }

    fn broken(&self) -> Option<Error> {
        self.store.broken().or_else(|| self.chain_store.broken())
    }

    /// What `status` answers.
    fn status(&self) -> Status {
        let chain = self.chain.borrow().clone();
        let network = chain.as_ref().map(|chain| {
            let genesis = chain.genesis();
            let test = genesis.purpose == Purpose::Test;
            Network { name: genesis.network.clone(), chain_id: chain.chain_id(), test, faucet: test }
        });
        let wallet = self.wallet.borrow();
        let account = wallet.account().map(|key| match &chain {
            Some(chain) => Explorer { state: &chain.state(), you: Some(key) }.reference(&key),
            None => crate::view::AccountRef { id: None, key, handle: None, you: true },
        });
        Status {
            version: env!("CARGO_PKG_VERSION"),
            network,
            wallet: match (wallet.account(), wallet.key()) {
                (None, _) => WalletState::None,
                (Some(_), Err(_)) => WalletState::Locked,
                (Some(_), Ok(_)) => WalletState::Unlocked,
            },
            words_confirmed: wallet.words_confirmed(),
            account,
            read_only: self.broken(),
            persisted: self.persisted.get(),
        }
    }

    fn emit_status(&self) {
        self.events.emit("status", &self.status());
    }

    /// Everything that happens by the clock: staleness, batches sent again. When a wallet that nobody uses is locked, its
    /// pages decide.
    async fn watch(self: Rc<Self>) {
        loop {
            gloo_timers::future::TimeoutFuture::new(limits::WATCH_INTERVAL_MS).await;
            self.look_at_head();
            self.deliver_batches().await;
        }
    }

    /// Whether the browser keeps the databases when room gets scarce. Only a page can ask for it.
    async fn read_persisted(&self) {
        if let Some(storage) = storage_manager()
            && let Ok(promise) = storage.persisted()
            && let Ok(answer) = wasm_bindgen_futures::JsFuture::from(promise).await
        {
            self.persisted.set(Some(answer.is_truthy()));
        }
    }
}

fn storage_manager() -> Option<web_sys::StorageManager> {
    use wasm_bindgen::JsCast as _;
    let global: web_sys::WorkerGlobalScope = js_sys::global().dyn_into().ok()?;
    Some(global.navigator().storage())
}
