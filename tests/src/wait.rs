//! Waiting for a condition.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, MissedTickBehavior};

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(25);

/// Asks `probe` again and again until it returns a value.
///
/// # Errors
/// The first error of `probe`, or that the deadline passed, naming `what` was awaited.
pub async fn until<T>(
    what: impl Display,
    deadline: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(value) = probe().await? {
            return Ok(value);
        }
        if Instant::now() >= end {
            bail!("waited {} s in vain for: {what}", deadline.as_secs_f64());
        }
    }
}
