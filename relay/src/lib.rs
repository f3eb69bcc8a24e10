//! A thin public relay: serves pages and verified blocks, passes batches to validators and pipes
//! WebSockets to banks and watchtowers. It holds no key and is trusted with nothing.
//!
//! Blocks come from validators ([`sync`]), are verified and executed ([`chain`]), stored ([`store`]) and
//! only then served ([`http`]).
//!
//! **Invariant**: no block, header or genesis byte is served that this process has not verified.
//! **Invariant**: what flows through a pipe is never read, kept or logged.
//!
//! Snapshots that it serves are its own, of states that it has verified ([`snapshot`]).
//!
//! Deliberately absent: TLS (a front proxy does it), and storage of backups.

pub mod chain;
mod checkpoint;
pub mod config;
mod court;
mod crash;
mod error;
pub mod http;
mod limit;
pub mod limits;
mod metrics;
mod shutdown;
mod snapshot;
mod source;
pub mod store;
pub mod sync;

use anyhow::Context as _;
use config::Checked;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

pub use shutdown::Shutdown;

/// A relay that listens already; [`Relay::run`] serves until it is told to stop.
pub struct Relay {
    app: Arc<http::App>,
    listener: TcpListener,
    sources: Vec<source::Source>,
}

impl Relay {
    /// Opens the data, takes the port.
    ///
    /// # Errors
    /// Data of another network or of a newer version, a folder or port that cannot be had: in words.
    pub async fn start(config: Checked) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.listen).await.with_context(|| {
            format!("cannot listen on {}; is another program using the port? (--listen)", config.listen)
        })?;
        let store = store::Store::open(&config.data, &config.genesis)
            .with_context(|| format!("cannot use the data folder {} (--data)", config.data.display()))?;
        if let Some(from) = &config.snapshot {
            snapshot::begin(&store, &config, from).await?;
        }
        let snapshots = fair_snapshots::Folder::open(&config.data).context("cannot list snapshots (--data)")?;
        let chain = Arc::new(chain::Chain::open(config.genesis.clone(), store, snapshots)?);
        checkpoint::go_on(&chain, &config).await?;
        let sources = config.validators.iter().map(|url| source::Source::new(url.clone())).collect();
        let app = Arc::new(http::App::new(config, chain)?);
        Ok(Self { app, listener, sources })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Follows the chain and serves until `shutdown`, then drains.
    ///
    /// # Errors
    /// The data could not be written.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let follow = sync::run(self.app.chain.clone(), self.sources, self.app.metrics.clone(), shutdown.clone());
        let repeating = tokio::spawn(court::repeat(self.app.clone(), shutdown.clone()));
        let serve = http::serve(self.listener, self.app.clone(), shutdown.clone());
        tokio::pin!(serve);
        let result = tokio::select! {
            () = &mut serve => Ok(()),
            result = follow => {
                shutdown.stop();
                serve.await;
                result
            }
        };
        repeating.abort();
        result
    }
}
