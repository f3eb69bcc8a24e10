//! A payment from one wallet through a bank to another, all of them real processes with real databases and
//! sockets. Each, and the relay between them, is killed at every durable write and every send in turn and
//! started again: the payment ends paid on both sides or failed on both, and all balances and frames agree.

mod parties;

use anyhow::{Context as _, Result, bail, ensure};
use fair_tests::network::{BANK, Network, NewWallet, Plan, RELAY};
use fair_tests::points::{self, Outcome};
use fair_tests::wait;
use parties::{Begun, Ending, PAYEE, PAYER, Parties, Seen};
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

/// Reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(90);
/// In cents.
const AMOUNT: u64 = 25;
/// SIGKILL.
const KILLED: i32 = 9;
/// One that none of this many payments came to was no point of a payment.
const TRIES: u32 = 6;

struct World {
    network: Network,
    parties: Parties,
}

impl World {
    async fn start() -> Result<Self> {
        let plan = Plan { validators: 1, ..Plan::new()? };
        let mut network = Network::start(&plan).await?;
        for name in [PAYER, PAYEE] {
            network.add_wallet(&NewWallet { name, settings: None, side: None }).await?;
        }
        let parties = Parties::new(&network)?;
        let mut world = Self { network, parties };
        // Both have money in their channels once their deposits are in blocks.
        world.rest(|seen| seen.payer.can_send >= 100 * AMOUNT && seen.payee.can_send > 0).await?;
        Ok(world)
    }

    /// Waits until nothing is under way anywhere and `wanted` holds. Processes that were killed are started.
    async fn rest(&mut self, wanted: impl Fn(&Seen) -> bool) -> Result<(Seen, bool)> {
        let Self { network, parties, .. } = self;
        let mut was_killed = false;
        let mut last = String::new();
        let resting = wait::until("all channels to rest", PATIENCE, async || {
            for (name, status) in network.ended()? {
                ensure!(status.signal() == Some(KILLED), "{name} ended with {status}");
                ensure!(!std::mem::replace(&mut was_killed, true), "{name} was killed too");
                network.restart(&name).await?;
            }
            match parties.look().await {
                Ok(seen) if seen.rests() && wanted(&seen) => Ok(Some(seen)),
                Ok(seen) => {
                    last = format!("{seen:#?}");
                    Ok(None)
                }
                Err(error) => {
                    last = format!("{error:#}");
                    Ok(None)
                }
            }
        });
        let result = resting.await;
        Ok((result.with_context(|| format!("seen last: {last}"))?, was_killed))
    }

    /// One payment from beginning to end, with a process to be killed on the way.
    async fn pay(&mut self, killed: Option<(&str, u64)>) -> Result<Outcome> {
        let (before, _) = self.rest(|_| true).await?;
        if let Some((process, point)) = killed {
            self.parties.arm(process, point).await?;
        }
        let begun = self.parties.begin(AMOUNT).await;
        let end = self.end(&begun).await;
        let (mut after, mut was_killed) = end.with_context(|| format!("{begun:?}"))?;
        // The next block may come to the point before this is said.
        if let Some((process, _)) = killed
            && self.parties.arm(process, 0).await.is_err()
        {
            let (seen, killed_late) = self.rest(|_| true).await?;
            (after, was_killed) = (seen, was_killed | killed_late);
        }
        let paid = match self.parties.ending(&begun).await? {
            Ending::Paid => AMOUNT,
            Ending::Failed => 0,
            Ending::Disagreement(what) => bail!("{what}"),
            Ending::UnderWay => bail!("it is under way although all channels rest"),
        };
        let paid = i128::from(paid);
        ensure!(after.payer.own == before.payer.own - paid, "{before:#?}{after:#?}");
        ensure!(after.payee.own == before.payee.own + paid, "{before:#?}{after:#?}");
        ensure!(after.bank.own == before.bank.own, "the bank gains and loses nothing: {before:#?}{after:#?}");
        Ok(Outcome { was_killed, was_paid: paid != 0 })
    }

    /// Waits for the end of a payment, in all channels.
    async fn end(&mut self, begun: &Begun) -> Result<(Seen, bool)> {
        let mut was_killed = false;
        let mut ended = None;
        let until = tokio::time::Instant::now() + PATIENCE;
        while ended.is_none() {
            ensure!(tokio::time::Instant::now() < until, "the payment does not end");
            let (seen, killed) = self.rest(|_| true).await?;
            was_killed |= killed;
            let is_handed_over = begun.is_handed_over();
            let ending = self.parties.ending(begun).await;
            if is_handed_over && ending.is_ok_and(|ending| ending != Ending::UnderWay) {
                ended = Some(seen);
            }
        }
        // It may have ended between two looks.
        let (seen, killed) = self.rest(|_| true).await?;
        Ok((seen, was_killed | killed))
    }

    /// Points that a process passes in a payment, the fewest of some payments: blocks may add some.
    async fn count(&mut self, process: &str) -> Result<u64> {
        let mut fewest = u64::MAX;
        for _ in 0..3 {
            self.rest(|_| true).await?;
            self.parties.arm(process, 0).await?;
            let outcome = self.pay(None).await?;
            ensure!(outcome.was_paid && !outcome.was_killed, "an undisturbed payment arrives");
            fewest = fewest.min(self.parties.arm(process, 0).await?);
        }
        Ok(fewest)
    }

    /// Kills a process at one point after another, each in a payment of its own, until no payment has so many.
    async fn kill_at_every_point(&mut self, process: &str) -> Result<()> {
        let counted = self.count(process).await?;
        ensure!(counted > 4, "{process}: a payment has more durable writes and sends than {counted}");
        points::end_at_each(process, counted, TRIES, async |point| self.pay(Some((process, point))).await).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_may_be_killed_at_any_point_of_a_payment() -> Result<()> {
    let mut world = World::start().await?;
    for process in [PAYER, BANK, PAYEE, RELAY] {
        world.kill_at_every_point(process).await?;
    }
    points::check_logs(&world.network, &[PAYER, PAYEE, BANK])?;
    world.network.shut_down().await
}
