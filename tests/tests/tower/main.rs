//! A watchtower as a real process: wallets hand their states over to it and go away; whoever has the bank's key
//! takes them to court with older states; the tower answers, and court decides by the newest. The tower is
//! killed at every point between a state and its receipt, and between a block and its answer.

use anyhow::{Context as _, Result, ensure};
use fair_core::channel::state::{ChannelState, StateOrder};
use fair_core::crypto::SecretKey;
use fair_core::ledger::operation::{Dispute, Operation};
use fair_core::message::Signed;
use fair_core::types::{Parties, PublicKey};
use fair_tests::chain::{Chain, account_key};
use fair_tests::disk;
use fair_tests::network::{BANK, Network, NewWallet, Plan};
use fair_tests::wait;
use serde_json::{Value, json};
use std::time::Duration;

const TOWER: &str = "tower";
/// Reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(90);
/// One more than there are points between a block and its answer.
const USERS: usize = 6;
/// Most points that are looked for between a state and its receipt.
const MOST_POINTS: u64 = 12;
/// On-chain money of each user and of the tower, in cents.
const MONEY: u64 = 20_000;

struct User {
    name: String,
    key: PublicKey,
    /// What it signed first, for the bank to show.
    old: Signed<ChannelState>,
    newest: StateOrder,
}

struct World {
    network: Network,
    chain: Chain,
    http: reqwest::Client,
    bank: SecretKey,
    tower: PublicKey,
}

impl World {
    async fn start() -> Result<(Self, Vec<(String, PublicKey)>)> {
        let plan = Plan { validators: 2, ..Plan::new()? };
        let mut network = Network::start(&plan).await?;
        let mut users = Vec::new();
        for index in 0..USERS {
            let name = format!("user{index}");
            let settings = Some("funds_itself = false\n");
            let key = network.add_wallet(&NewWallet { name: &name, settings, side: None }).await?;
            users.push((name, key));
        }
        let tower = network.add_tower(TOWER).await?;
        let mut chain = Chain::new(&network)?;
        let giver = account_key(&network, "v2")?;
        let keys: Vec<PublicKey> = users.iter().map(|(_, key)| *key).chain([tower]).collect();
        chain.give(&giver, &keys, MONEY).await?;
        let bank = account_key(&network, BANK)?;
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok((Self { network, chain, http, bank, tower }, users))
    }

    async fn status(&self, name: &str) -> Result<Value> {
        let url = format!("{}/v1/status", self.network.url_of(name)?);
        Ok(self.http.get(url).send().await?.error_for_status()?.json().await?)
    }

    /// Lets the tower end at a point to come, or at none; how many it passed since the last time.
    async fn arm(&self, left: u64) -> Result<u64> {
        let url = format!("{}/v1/crash-points", self.network.url_of(TOWER)?);
        let request = self.http.post(url).header("x-fair-operator", "1").json(&json!({ "left": left }));
        let answer = request.send().await?.error_for_status();
        let answer = answer.context("this test needs programs with the feature `crash-points` (docs/testing.md)")?;
        let answer: Value = answer.json().await?;
        answer["passed"].as_u64().context("a count of points")
    }

    /// Lets the tower go on without an end. Whether it came to one before.
    async fn disarm(&mut self) -> Result<bool> {
        let mut was_killed = false;
        // The system may tell a moment later that one was killed.
        wait::until("the tower to answer", PATIENCE, async || {
            if self.arm(0).await.is_ok() {
                return Ok(Some(()));
            }
            was_killed |= self.revive().await?;
            Ok(None)
        })
        .await?;
        Ok(was_killed)
    }

    /// Starts the tower again if it was killed; whether it was.
    async fn revive(&mut self) -> Result<bool> {
        let ended = self.network.ended()?;
        for (name, _) in &ended {
            ensure!(name == TOWER, "{name} ended");
            self.network.restart(name).await?;
        }
        Ok(!ended.is_empty())
    }

    /// The bank pays a user directly, once that may owe it so much, and both have signed it.
    async fn pay(&self, name: &str, user: &PublicKey, amount: &str) -> Result<()> {
        wait::until(format!("{name} to be able to receive"), PATIENCE, async || {
            let status = self.status(name).await?;
            let assets = status["assets"].as_array().context("assets")?;
            let can = assets.iter().any(|asset| asset["asset"] == 1 && asset["can_receive"].as_u64() >= Some(10_000));
            Ok((can && status["channel"]["connected"] == true && status["channel"]["idle"] == true).then_some(()))
        })
        .await?;
        let answer = self.network.node(BANK, "pay-direct", &["--peer", &user.to_string(), "--amount", amount]).await?;
        let answer: Value = serde_json::from_str(&answer)?;
        ensure!(answer["state"] == "paid", "{answer}");
        Ok(())
    }

    /// Waits until the wallet says that its tower has the state of this order, or a newer one.
    async fn covered(&mut self, name: &str) -> Result<bool> {
        let mut was_killed = false;
        let what = format!("{name}'s state to be with the tower");
        let result = wait::until(what, PATIENCE, async || {
            was_killed |= self.revive().await?;
            let status = self.status(name).await?;
            let newest = &status["channel"]["frame"];
            let channel = &status["towers"][0]["channels"][0];
            let is_covered = channel["covered"] == true && channel["frame"] == *newest;
            Ok((is_covered && status["channel"]["idle"] == true).then_some(()))
        });
        result.await?;
        Ok(was_killed)
    }

    /// With the bank's key, an old state to court; nobody asks the bank's process, which is gone.
    async fn dispute(&mut self, user: &User) -> Result<()> {
        let dispute = Dispute { partner: user.key, proof: Some(user.old.clone()) };
        let bank = self.bank.clone();
        self.chain.apply(&bank, vec![Operation::Dispute(dispute)]).await.map(drop)
    }

    fn parties(&self, user: &User) -> Result<Parties> {
        Parties::new(user.key, self.bank.public()).context("two keys")
    }

    /// Waits until court has the user's newest state. Whether the tower was killed before.
    async fn answered(&mut self, user: &User) -> Result<bool> {
        let parties = self.parties(user)?;
        let mut was_killed = false;
        wait::until(format!("{}'s newest state in court", user.name), PATIENCE, async || {
            was_killed |= self.revive().await?;
            let state = self.chain.newest().await?;
            let order = state.dispute(&parties).context("no dispute runs")?.order();
            Ok((order == user.newest).then_some(()))
        })
        .await?;
        Ok(was_killed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tower_answers_for_wallets_that_are_away() -> Result<()> {
    let (mut world, names) = World::start().await?;
    let address = world.status(TOWER).await?["address"].as_str().context("an address")?.to_owned();
    ensure!(address.starts_with(&world.tower.to_string()), "{address}");
    let mut users = Vec::new();
    for (name, key) in names {
        world.network.node(&name, "towers", &["add", &address]).await?;
        world.pay(&name, &key, "1.00").await?;
        world.covered(&name).await?;
        let old = disk::signed_by_partner(&world.network, &key)?;
        let newest = old.body.order();
        users.push(User { name, key, old, newest });
    }

    // Killed at each point from the message to the receipt.
    let first = users.first().context("a user")?;
    let (name, key) = (first.name.clone(), first.key);
    let mut killed = 0;
    for point in 1..=MOST_POINTS {
        world.arm(point).await?;
        world.pay(&name, &key, "1.00").await?;
        let was_killed = world.covered(&name).await?;
        killed += u64::from(world.disarm().await? || was_killed);
    }
    println!("between a state and its receipt: the tower was killed {killed} times at {MOST_POINTS} points");
    ensure!(killed >= 4, "killed {killed} times");

    for user in &mut users {
        world.pay(&user.name, &user.key, "50.00").await?;
        world.covered(&user.name).await?;
        user.newest = disk::channel(&world.network, &user.key)?.agreement().state.order();
        ensure!(user.newest > user.old.body.order(), "a newer state");
        let listed: Value = serde_json::from_str(&world.network.node(&user.name, "towers", &["list"]).await?)?;
        ensure!(listed["towers"][0]["last_ms"].as_u64() > Some(0) && listed["towers"][0]["faults"] == json!([]));
    }
    // Everybody is away; only the tower and the validators go on.
    world.network.kill(BANK).await?;
    for user in &users {
        world.network.stop(&user.name).await?;
    }
    world.network.ended()?;

    let mut killed = 0;
    for (user, point) in users.iter().zip(1..) {
        world.arm(point).await?;
        world.dispute(user).await?;
        let was_killed = world.answered(user).await?;
        killed += u64::from(world.disarm().await? || was_killed);
    }
    println!("between a block and its answer: the tower was killed {killed} times at {} points", users.len());
    ensure!(killed >= 4, "killed {killed} times");

    // Court decides by what the tower showed: the user is owed what the newest state says.
    let user = users.first().context("a user")?;
    let parties = world.parties(user)?;
    let giver = account_key(&world.network, "v2")?;
    let resolved = loop {
        // A block for each step of the clock.
        world.chain.give(&giver, &[world.tower], 1).await?;
        let channel = world.chain.newest().await?.channel(&parties);
        if channel.epoch > 0 {
            break channel.resolved;
        }
    };
    ensure!(resolved == Some(user.newest), "{resolved:?} instead of {:?}", user.newest);
    wait::until("the tower to let go of the epoch", PATIENCE, async || {
        Ok((world.status(TOWER).await?["channels"] == json!(USERS - 1)).then_some(()))
    })
    .await?;
    world.network.shut_down().await
}
