//! A process that is ended at each of its points in turn, each in a life of its own.

use crate::network::Network;
use anyhow::{Context as _, Result, ensure};
use std::fmt::Display;

/// What became of a life, a payment or more, during which a process was to be ended.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The process came to the point.
    pub was_killed: bool,
    /// All was paid.
    pub was_paid: bool,
}

/// Lets `live` end `who` at one point after another, until no life has so many. Several things may share one
/// durable write, so that not every life has every point: one that none of `tries` lives came to is a point of none,
/// and a busy machine has fewer.
///
/// # Errors
/// What `live` says; that a life in which nobody was ended was not paid; that fewer than three of four points were
/// reached of `counted`, which lives have that nothing disturbs.
pub async fn end_at_each(
    who: impl Display,
    counted: u64,
    tries: u32,
    mut live: impl AsyncFnMut(u64) -> Result<Outcome>,
) -> Result<()> {
    let (mut paid, mut failed) = (0, 0);
    'points: for point in 1.. {
        for _ in 0..tries {
            let outcome = live(point).await.with_context(|| format!("{who}, {point}"))?;
            if outcome.was_killed {
                if outcome.was_paid {
                    paid += 1
                } else {
                    failed += 1
                }
                continue 'points;
            }
            ensure!(outcome.was_paid, "what nobody disturbs is paid");
        }
        let hit = point - 1;
        println!("{who}: ended at each of {hit} points; all was paid in {paid} lives, something failed in {failed}");
        ensure!(hit * 4 >= counted * 3, "{who}: {hit} points were reached of {counted}");
        return Ok(());
    }
    unreachable!("points do not end");
}

/// Nobody found fault with a partner, however often it was ended.
///
/// # Errors
/// What a log says of one.
pub fn check_logs(network: &Network, names: &[&str]) -> Result<()> {
    for name in names {
        let log = std::fs::read_to_string(network.folder().join("logs").join(format!("{name}.log")))?;
        let bad = log.lines().find(|line| line.contains("broke the protocol") || line.contains("is suspended"));
        ensure!(bad.is_none(), "{name}: {bad:?}");
    }
    Ok(())
}
