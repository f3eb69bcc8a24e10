//! Following the chain: one validator is listened to at a time; whoever is silent, unreachable or false
//! is left for the next. A false one is named in the log and not asked again for a while. Only blocks count as a sign of
//! life: whoever repeats an old head, or serves the chain too slowly to reach its end, would else hold everybody back who
//! follows this relay.

use crate::chain::{Chain, NotTaken};
use crate::checkpoint;
use crate::limits;
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;
use crate::source::{Announcements, Source, SourceError};
use fair_core::chain::verify::BadBlock;
use fair_core::types::TimeMs;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep, timeout_at};

/// Why a validator is left.
#[derive(Debug, thiserror::Error)]
enum Leave {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("it serves a false block: {0}")]
    Lie(BadBlock),
    #[error("it announces height {announced} and serves nothing above {served}")]
    Withholds { announced: u64, served: u64 },
    #[error("it has brought no block that is of now for {0:?}")]
    Silent(Duration),
    #[error("{0}")]
    Clock(BadBlock),
    #[error("{0}")]
    Rules(BadBlock),
    #[error("{0}")]
    Expired(BadBlock),
    #[error(transparent)]
    Store(rusqlite::Error),
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs::try_from(since.as_millis()).unwrap_or(TimeMs::MAX)
}

/// Follows until `shutdown`.
///
/// # Errors
/// A verified block could not be stored, the chain follows rules that this program does not know, or no block came
/// for longer than trust lasts.
pub(crate) async fn run(
    chain: Arc<Chain>,
    sources: Vec<Source>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let following = follow_all(&chain, sources, &metrics);
    tokio::select! {
        () = shutdown.stopped() => Ok(()),
        error = following => Err(error),
    }
}

/// Goes from one validator to the next, those who were voted in later among them; ends only when the disk fails or
/// the rules are others.
async fn follow_all(chain: &Arc<Chain>, mut sources: Vec<Source>, metrics: &Metrics) -> anyhow::Error {
    let mut banned_until: Vec<Option<Instant>> = vec![None; sources.len()];
    loop {
        for url in chain.newcomers() {
            if sources.iter().all(|source| source.url() != url) {
                sources.push(Source::new(url));
                banned_until.push(None);
            }
        }
        for (source, banned_until) in sources.iter().zip(&mut banned_until) {
            if banned_until.is_some_and(|until| until > Instant::now()) {
                continue;
            }
            let height = chain.head().height;
            let reason = follow(chain, source, metrics).await;
            let validator = source.url();
            match reason {
                Leave::Store(error) => return anyhow::Error::new(error).context("cannot store blocks"),
                Leave::Rules(rules) => return anyhow::Error::new(rules),
                Leave::Expired(expired) => return anyhow::Error::new(expired).context(checkpoint::HOW),
                Leave::Lie(_) | Leave::Source(SourceError::Malformed(_)) => {
                    metrics.lies.add_one();
                    *banned_until = Some(Instant::now() + limits::LIAR_TIME);
                    tracing::error!(validator, %reason, "a validator serves something false; using another");
                }
                Leave::Withholds { .. } => {
                    metrics.lies.add_one();
                    tracing::warn!(validator, %reason, "a validator withholds blocks; using another");
                }
                Leave::Clock(_) => tracing::warn!(validator, %reason, "a block from the future"),
                Leave::Silent(_) | Leave::Source(_) => {
                    metrics.source_failures.add_one();
                    tracing::warn!(validator, %reason, "leaving a validator");
                }
            }
            if chain.head().height == height {
                sleep(limits::RETRY_TIME).await;
            }
        }
        if banned_until.iter().all(|banned| banned.is_some_and(|until| until > Instant::now())) {
            sleep(limits::RETRY_TIME).await;
        }
    }
}

/// How late a block may be, by the parameters in force: votes change them.
fn patience(chain: &Chain) -> Duration {
    chain.max_idle() + limits::LATE_TIME
}

/// Since when a validator brings no block that is of now.
struct Deadline(Instant);

impl Deadline {
    /// Until when it has to.
    fn at(&self, chain: &Chain) -> Instant {
        self.0 + patience(chain)
    }

    /// Blocks came. Only a young head gives more time.
    fn moved(&mut self, chain: &Chain) -> Result<(), Leave> {
        let age = Duration::from_millis(now_ms().saturating_sub(chain.head().time_ms));
        if age <= patience(chain) {
            self.0 = Instant::now();
        }
        if self.at(chain) <= Instant::now() { Err(Leave::Silent(patience(chain))) } else { Ok(()) }
    }
}

/// Follows one validator until there is a reason to leave it.
async fn follow(chain: &Arc<Chain>, source: &Source, metrics: &Metrics) -> Leave {
    let mut deadline = Deadline(Instant::now());
    let mut announcements = match source.announcements().await {
        Ok(announcements) => announcements,
        Err(error) => return error.into(),
    };
    tracing::info!(validator = source.url(), height = chain.head().height, "following");
    if let Err(reason) = catch_up(chain, source, metrics, &mut deadline).await {
        return reason;
    }
    loop {
        if let Err(reason) = step(chain, source, &mut announcements, metrics, &mut deadline).await {
            return reason;
        }
    }
}

/// Waits for one announcement and fetches up to it.
async fn step(
    chain: &Arc<Chain>,
    source: &Source,
    announcements: &mut Announcements,
    metrics: &Metrics,
    deadline: &mut Deadline,
) -> Result<(), Leave> {
    let announced = timeout_at(deadline.at(chain), announcements.next()).await;
    let announced = announced.map_err(|_| Leave::Silent(patience(chain)))??;
    if announced > chain.head().height {
        catch_up(chain, source, metrics, deadline).await?;
        let served = chain.head().height;
        if announced > served {
            return Err(Leave::Withholds { announced, served });
        }
    }
    Ok(())
}

/// Fetches and takes blocks until the validator has no more, or its time is over.
async fn catch_up(
    chain: &Arc<Chain>,
    source: &Source,
    metrics: &Metrics,
    deadline: &mut Deadline,
) -> Result<(), Leave> {
    loop {
        let blocks = source.blocks(chain.head().height.saturating_add(1)).await?;
        if blocks.is_empty() {
            return Ok(());
        }
        let taking_chain = chain.clone();
        let taking = tokio::task::spawn_blocking(move || {
            let mut taken: u64 = 0;
            for certified in &blocks {
                if let Err(reason) = taking_chain.take(certified, now_ms()) {
                    return (taken, Err(reason));
                }
                taken += 1;
            }
            (taken, Ok(()))
        });
        let (taken, result) = match taking.await {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        metrics.blocks_verified.add(taken);
        result.map_err(|reason| match reason {
            NotTaken::Bad(bad @ BadBlock::FromTheFuture { .. }) => Leave::Clock(bad),
            NotTaken::Bad(bad @ BadBlock::NewRules { .. }) => Leave::Rules(bad),
            NotTaken::Bad(bad @ BadBlock::Expired { .. }) => Leave::Expired(bad),
            NotTaken::Bad(bad) => Leave::Lie(bad),
            NotTaken::Store(error) => Leave::Store(error),
        })?;
        deadline.moved(chain)?;
    }
}
