//! A payment between two people in two browsers, with the real engine, bank and relay. The worker of either
//! is ended at every durable write and every message to the bank in turn; its page starts another, and the
//! person unlocks the wallet again: the payment ends paid on both sides or failed on both, and balances and
//! frames agree.

mod person;

use anyhow::{Context as _, Result, bail, ensure};
use fair_tests::network::{BANK, Network, Plan};
use fair_tests::points::{self, Outcome};
use fair_tests::wait;
use person::{End, Person, Sight};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(90);
/// In cents.
const AMOUNT: u64 = 25;
/// One that none of this many payments came to was no point of a payment.
const TRIES: u32 = 4;

/// The bundled pages with the points before the worker's script, and the page's client within reach.
fn make_pages(bundled: &Path) -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("fair-pages-").tempdir()?;
    copy(bundled, folder.path())?;
    replace(&folder.path().join("js/worker.js"), |own| Some(format!("{}{own}", include_str!("kill/points.js"))))?;
    replace(&folder.path().join("js/main.js"), |own| {
        let (from, to) = ("client = connect(", "client = window.client = connect(");
        own.contains(from).then(|| own.replace(from, to))
    })?;
    Ok(folder)
}

/// All but what is compressed: a relay would send that instead of what is changed here.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from).with_context(|| format!("{}: bundle the pages first", from.display()))? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            std::fs::create_dir(&target)?;
            copy(&path, &target)?;
        } else if path.extension().is_none_or(|ending| ending != "br") {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

fn replace(path: &PathBuf, change: impl FnOnce(&str) -> Option<String>) -> Result<()> {
    let changed = change(&std::fs::read_to_string(path)?).with_context(|| format!("{} is another", path.display()))?;
    Ok(std::fs::write(path, changed)?)
}

/// Both people and the bank, seen one after another.
#[derive(Debug)]
struct Seen {
    payer: Sight,
    payee: Sight,
    forwards: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Payer,
    Payee,
}

struct World {
    network: Network,
    client: reqwest::Client,
    payer: Person,
    payee: Person,
    payments: u32,
    _pages: TempDir,
}

impl World {
    async fn start() -> Result<Self> {
        let plan = Plan { validators: 1, ..Plan::with_pages()? };
        let pages = make_pages(plan.pages.as_deref().context("bundled pages")?)?;
        let network = Network::start(&Plan { pages: Some(pages.path().to_owned()), ..plan }).await?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let url = network.url()?;
        let (payer, payee) = tokio::try_join!(Person::start("payer", url), Person::start("payee", url))?;
        let mut world = Self { network, client, payer, payee, payments: 0, _pages: pages };
        world.payer.deposit().await?;
        world.rest(|seen| seen.payer.can_send >= 100 * AMOUNT).await?;
        Ok(world)
    }

    /// The bank's status.
    async fn bank(&self) -> Result<Value> {
        let url = format!("{}/v1/status", self.network.url_of(BANK)?);
        Ok(self.client.get(url).send().await?.error_for_status()?.json().await?)
    }

    async fn look(&self) -> Result<Option<Seen>> {
        let (Some(payer), Some(payee)) = tokio::try_join!(self.payer.look(), self.payee.look())? else {
            return Ok(None);
        };
        let bank = self.bank().await?;
        let their_end = |person: &Person| {
            let channels = bank["channels"].as_array().context("channels")?;
            let with = channels.iter().find(|channel| channel["partner"] == *person.account);
            Ok::<_, anyhow::Error>(with.map(|channel| End {
                idle: channel["idle"] == true && channel["connected"] == true,
                epoch: channel["epoch"].as_u64().unwrap_or_default(),
                frame: channel["frame"].as_u64().unwrap_or_default(),
            }))
        };
        let ends = (their_end(&self.payer)?, their_end(&self.payee)?);
        let agree = ends == (Some(payer.end.clone()), Some(payee.end.clone()));
        let forwards = bank["exposure"]["forwards"].as_u64().context("forwards")?;
        Ok(Some(Seen { payer, payee, forwards }).filter(|_| agree))
    }

    /// Waits until nothing is under way and `wanted` holds; whoever's worker was ended unlocks. Says whether
    /// one was.
    async fn rest(&mut self, wanted: impl Fn(&Seen) -> bool) -> Result<(Seen, bool)> {
        let mut was_killed = false;
        let mut last = None;
        let resting = wait::until("both channels to rest", PATIENCE, async || {
            for person in [&mut self.payer, &mut self.payee] {
                was_killed |= person.unlock_if_ended().await?;
            }
            let seen = self.look().await?;
            last = seen.as_ref().map(|seen| format!("{seen:#?}"));
            let rests = |seen: &Seen| seen.payer.rests() && seen.payee.rests() && seen.forwards == 0;
            Ok(seen.filter(|seen| rests(seen) && wanted(seen)))
        });
        let result = resting.await;
        let seen = match result {
            Ok(seen) => seen,
            Err(error) => {
                let bank = self.bank().await.map(|bank| bank["channels"].to_string()).unwrap_or_default();
                let states = (self.payer.state().await, self.payee.state().await);
                return Err(error.context(format!("seen last: {last:?}\n{states:?}\n{bank}")));
            }
        };
        Ok((seen, was_killed))
    }

    fn person(&mut self, role: Role) -> &mut Person {
        match role {
            Role::Payer => &mut self.payer,
            Role::Payee => &mut self.payee,
        }
    }

    /// One payment from beginning to end, with a worker to be ended on the way.
    async fn pay(&mut self, killed: Option<(Role, u64)>) -> Result<Outcome> {
        let (before, _) = self.rest(|_| true).await?;
        if let Some((role, point)) = killed {
            self.person(role).arm(point).await?;
        }
        self.payments += 1;
        let key = format!("00000000-0000-4000-8000-{:012}", self.payments);
        self.begin(&key).await?;
        let (mut was_killed, mut ended) = (false, false);
        let until = tokio::time::Instant::now() + PATIENCE;
        while !ended {
            ensure!(tokio::time::Instant::now() < until, "the payment does not end");
            was_killed |= self.rest(|_| true).await?.1;
            ended = self.paid(&key).await?.is_some();
        }
        // It may have ended between two looks.
        let (mut after, killed_late) = self.rest(|_| true).await?;
        was_killed |= killed_late;
        if let Some((role, _)) = killed {
            self.person(role).arm(0).await?;
            let (seen, killed_late) = self.rest(|_| true).await?;
            (after, was_killed) = (seen, was_killed | killed_late);
        }
        let was_paid = self.paid(&key).await?.context("a payment that ended is under way")?;
        let paid = if was_paid { i128::from(AMOUNT) } else { 0 };
        ensure!(after.payer.own == before.payer.own - paid, "{before:#?}{after:#?}");
        ensure!(after.payee.own == before.payee.own + paid, "{before:#?}{after:#?}");
        Ok(Outcome { was_killed, was_paid })
    }

    /// The payee makes an invoice, the payer begins to pay it; either may be ended meanwhile.
    async fn begin(&self, key: &str) -> Result<()> {
        match self.payee.make_invoice(key, AMOUNT).await? {
            Some(invoice) => self.payer.begin_to_pay(key, &invoice).await,
            None => Ok(()),
        }
    }

    /// Whether a payment was paid, as both say; nothing while it is under way.
    async fn paid(&self, key: &str) -> Result<Option<bool>> {
        let (paying, invoice) = tokio::try_join!(self.payer.payment(key), self.payee.invoice(key))?;
        Ok(match (paying.as_deref(), invoice.as_deref()) {
            (Some("locking" | "settling" | "unknown"), _) | (_, Some("pending" | "unknown")) => None,
            (Some("paid"), Some("paid")) => Some(true),
            (None | Some("failed"), None | Some("open" | "expired")) => Some(false),
            _ => bail!("the payer says {paying:?}, the payee {invoice:?}"),
        })
    }

    /// Points that a worker passes in a payment, the fewest of some payments: blocks may add some.
    async fn count(&mut self, role: Role) -> Result<u64> {
        let mut fewest = u64::MAX;
        for _ in 0..3 {
            self.rest(|_| true).await?;
            self.person(role).arm(0).await?;
            let outcome = self.pay(None).await?;
            ensure!(outcome.was_paid && !outcome.was_killed, "an undisturbed payment arrives");
            fewest = fewest.min(self.person(role).arm(0).await?);
        }
        Ok(fewest)
    }

    /// Ends a worker at one point after another, each in a payment of its own, until no payment has so many.
    async fn kill_at_every_point(&mut self, role: Role) -> Result<()> {
        let counted = self.count(role).await?;
        ensure!(counted > 4, "{role:?}: a payment has more durable writes and sends than {counted}");
        let who = format!("worker of the {role:?}");
        points::end_at_each(who, counted, TRIES, async |point| self.pay(Some((role, point))).await).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn either_worker_may_be_ended_at_any_point_of_a_payment() -> Result<()> {
    let mut world = World::start().await?;
    for role in [Role::Payer, Role::Payee] {
        world.kill_at_every_point(role).await?;
    }
    let World { network, payer, payee, .. } = world;
    payer.close().await?;
    payee.close().await?;
    network.shut_down().await
}
