//! The protocol's worked example (docs/protocol.md, section 8, all but the bad bank) with real processes: a
//! network with a bank and a relay, and wallets without a person for 2 and 123, told what to do by the orders
//! that an operator gives ([`Story::tell`]).
//!
//! After each step every number is heard from three witnesses and held against the protocol. The first that is
//! wrong, or told in different ways, ends the story by its name.
//!
//! The protocol presumes that 2 is registered and has money on-chain. Here the bank's faucet gives it that
//! before the story begins; that batch is set-up and is not counted, nor is anything that 2 had before.

mod client;
mod database;
mod numbers;
mod report;
mod witness;

pub use numbers::{Number, Quantity, Reading, Step};
pub use report::{Keys, Orientation, Report, Told, ToldStep};

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fair_core::channel::agreement::Agreement;
use fair_core::ledger::batch;
use fair_core::types::{Amount, AssetId, Height, PublicKey, Side};
use serde_json::{Value, json};

use crate::network::{BANK, BankKey, Members, Network, NewWallet, Plan};
use crate::wait;
use client::Client;
use database::Databases;
use numbers::{Setting, Where, numbers};
use witness::{Beginning, Pair, Witnesses, nonce};

/// Largest scale: the bank's faucet has 100,000,000 and gives 2 ten thousand, in every orientation.
pub const MAX_SCALE: u32 = 1_000;

/// Least time between blocks.
const BLOCK_TIME_MS: u64 = 200;
/// How long anything may take to show.
const PATIENCE: Duration = Duration::from_secs(60);
/// Cents of an FRD.
const CENTS: u64 = 100;
/// What 2 is given before the story begins, in whole FRD: enough for what it deposits and its fees.
const GIFT: u64 = 10_000;
/// In how many payments 2 pays 1000.
const PAYMENTS: u64 = 50;

/// The orientations: on which side of its channel with the bank each of 2 and 123 is.
pub const ORIENTATIONS: [Orientation; 4] = [
    Orientation { two: Side::Left, newcomer: Side::Right },
    Orientation { two: Side::Left, newcomer: Side::Left },
    Orientation { two: Side::Right, newcomer: Side::Right },
    Orientation { two: Side::Right, newcomer: Side::Left },
];

/// A network on which the story is told.
pub struct Story {
    network: Network,
    client: Client,
    scale: u32,
    told: Vec<Told>,
}

/// One orientation being told.
struct Cast<'a> {
    story: &'a Story,
    orientation: Orientation,
    two: Actor,
    newcomer: Actor,
    bank: PublicKey,
    beginning: Beginning,
    /// In cents.
    two_on_chain: i128,
    steps: Vec<ToldStep>,
}

/// A wallet without a person.
struct Actor {
    name: String,
    key: PublicKey,
    url: String,
}

impl Story {
    /// Starts the network. All amounts but the chain's own fees are `scale` times the protocol's.
    ///
    /// # Errors
    /// If the scale is out of bounds or the network does not start.
    pub async fn begin(scale: u32) -> Result<Self> {
        ensure!((1..=MAX_SCALE).contains(&scale), "the scale is 1 to {MAX_SCALE}");
        let gift = GIFT * CENTS * u64::from(scale);
        let plan = Plan {
            members: Members::All,
            block_time_ms: Some(BLOCK_TIME_MS),
            bank_key: BankKey::Middle,
            // Nothing happens by itself: the story says when the bank rebalances.
            bank_settings: Some(format!("rebalance_every_blocks = 0\nfaucet_amount = {gift}\n")),
            ..Plan::new()?
        };
        let network = Network::start(&plan).await?;
        let client = Client::new(network.url()?, network.genesis()?)?;
        Ok(Self { network, client, scale, told: Vec::new() })
    }

    /// Tells the whole story once, with a 2 and a 123 of its own.
    ///
    /// # Errors
    /// The first number that is not exactly the protocol's, by its name; or what did not work.
    pub async fn tell(&mut self, orientation: Orientation) -> Result<()> {
        let told = self.try_tell(orientation).await.with_context(|| format!("with {orientation}"))?;
        self.told.push(told);
        Ok(())
    }

    async fn try_tell(&mut self, orientation: Orientation) -> Result<Told> {
        let number = self.told.len() + 1;
        let names = [format!("two-{number}"), format!("newcomer-{number}")];
        let limit = self.cents(1_000);
        let settings = format!("funds_itself = false\ncredit_limit = {limit}\n");
        let mut keys = Vec::new();
        for (name, side) in names.iter().zip([orientation.two, orientation.newcomer]) {
            let wallet = NewWallet { name, settings: Some(&settings), side: Some(side) };
            keys.push(self.network.add_wallet(&wallet).await?);
        }
        let actor = |place: usize| -> Result<Actor> {
            let name = names[place].clone();
            Ok(Actor { url: self.network.url_of(&name)?.to_owned(), name, key: keys[place] })
        };
        let (two, newcomer) = (actor(0)?, actor(1)?);
        let bank = self.client.genesis().banks.first().context("no bank")?.key;
        let mut cast = Cast {
            story: self,
            orientation,
            beginning: Beginning { height: 0, two: two.key, nonces: 0 },
            two,
            newcomer,
            bank,
            two_on_chain: 0,
            steps: Vec::new(),
        };
        cast.prepare().await?;
        cast.play().await?;
        let told = Told {
            orientation,
            keys: Keys { one: bank, two: cast.two.key, newcomer: cast.newcomer.key },
            steps: cast.steps,
        };
        for name in names {
            self.network.stop(&name).await?;
        }
        Ok(told)
    }

    /// Ends the network and hands over what was told.
    ///
    /// # Errors
    /// If a process does not end in time.
    pub async fn end(self) -> Result<Report> {
        let genesis = self.client.genesis();
        let report = Report::new(genesis.chain_id(), self.scale, self.told);
        self.network.shut_down().await?;
        Ok(report)
    }

    /// Whole FRD of the example in cents, scaled.
    fn cents(&self, whole: u64) -> Amount {
        whole * CENTS * u64::from(self.scale)
    }

    /// The same as an operator writes it.
    fn written(&self, whole: u64) -> String {
        (whole * u64::from(self.scale)).to_string()
    }
}

impl Cast<'_> {
    /// What the protocol presumes: 2 has money on-chain; both have set their terms with the bank.
    async fn prepare(&mut self) -> Result<()> {
        let account = self.two.key.to_string();
        self.story.network.node(BANK, "faucet", &["--account", &account]).await?;
        let given = wait::until("2 to have its first money", PATIENCE, async || {
            let verified = self.home(&self.two).verified(self.story.client.genesis(), 0)?;
            Ok(verified.filter(|verified| verified.state().balance(&self.two.key, AssetId::FRD) > 0))
        });
        let given = given.await?;
        self.two_on_chain = i128::from(given.state().balance(&self.two.key, AssetId::FRD));
        let mut height = given.height;
        for (place, user) in [(Where::Two, &self.two), (Where::Newcomer, &self.newcomer)] {
            height = height.max(self.wait_for_terms(place, user).await?);
        }
        let client = &self.story.client;
        let nonces = [nonce(client, &self.two.key, height).await?, nonce(client, &self.bank, height).await?];
        self.beginning = Beginning { height, two: self.two.key, nonces: nonces.into_iter().flatten().sum() };
        Ok(())
    }

    /// Waits until both sides hold the user's terms; height of its newest block then.
    async fn wait_for_terms(&self, place: Where, user: &Actor) -> Result<Height> {
        let limit = self.story.cents(1_000);
        let pair = self.pair(place);
        let is_set = |agreement: &Agreement| {
            agreement.shared.terms(AssetId::FRD, pair.side()).is_some_and(|terms| terms.credit_limit == limit)
        };
        let heard = pair.hear(&self.story.client, 1, &self.beginning, is_set).await;
        Ok(heard.with_context(|| format!("the terms of {}", user.name))?.proof.height)
    }

    async fn play(&mut self) -> Result<()> {
        let deposited = self.deposit().await?;
        self.look(Step::Deposit, deposited).await?;
        let amount = self.story.written(10);
        let direct = ["--amount", &amount, "--request", &name("direct")];
        let paid = self.node(&self.two.name, "pay-direct", &direct).await?;
        ensure!(paid["state"] == "paid", "2 pays 10 to 1: {paid}");
        self.look(Step::Direct, deposited).await?;
        self.pay_back(&amount).await?;
        self.look(Step::Back, deposited).await?;
        self.pay().await?;
        self.look(Step::Payments, deposited).await?;
        let rebalanced = self.rebalance().await?;
        self.look(Step::Rebalance, rebalanced).await?;
        let spliced = self.splice().await?;
        self.look(Step::Splice, spliced).await
    }

    /// 2 deposits 5000 to 2@1 and pays its fee.
    async fn deposit(&mut self) -> Result<Height> {
        let amount = self.story.written(5_000);
        let order = ["--amount", &amount, "--request", &name("deposit")];
        let height = self.applied("deposit", &order).await?;
        self.two_on_chain -= i128::from(self.story.cents(5_000)) + self.fee(height).await?;
        Ok(height)
    }

    async fn pay_back(&self, amount: &str) -> Result<()> {
        let peer = self.two.key.to_string();
        // The bank keeps the names of all its payments: one for each 2.
        let request: String = peer.chars().take(32).collect();
        let order = ["--peer", &peer, "--amount", amount, "--note", "back", "--request", &request];
        let mut paid = Value::Null;
        for _ in 0..2 {
            paid = self.node(BANK, "pay-direct", &order).await?;
            ensure!(paid["state"] == "paid", "1 pays the 10 back: {paid}");
        }
        ensure!(paid["request"] == request, "{paid}");
        Ok(())
    }

    /// 2 pays 123 through 1 in many payments.
    async fn pay(&self) -> Result<()> {
        let client = &self.story.client;
        let amount = self.story.cents(1_000) / PAYMENTS;
        let network = &self.story.network;
        let [payee, payer] = [&self.newcomer, &self.two].map(|actor| network.operator_token(&actor.name));
        let (payee, payer) = (payee?, payer?);
        for number in 0..PAYMENTS {
            let wanted = json!({ "amount": amount, "description": format!("payment {number}") });
            let invoice = client.order(&format!("{}/v1/invoices", self.newcomer.url), &payee, &wanted).await?;
            let order = json!({ "request": format!("{number:032x}"), "to": invoice["invoice"], "max_fee": 0 });
            let paid = client.order(&format!("{}/v1/pay", self.two.url), &payer, &order).await?;
            ensure!(paid["state"] == "paid" && paid["fee"] == 0, "payment {number}: {paid}");
        }
        Ok(())
    }

    /// 123 asks for insurance, and the bank rebalances. Height of the block with its batch.
    async fn rebalance(&self) -> Result<Height> {
        let asked = self.node(&self.newcomer.name, "insure", &[]).await?;
        ensure!(asked["agreed"] == true, "123 asks for insurance: {asked}");
        self.node(BANK, "rebalance", &[]).await?;
        let genesis = self.story.client.genesis();
        wait::until("the bank's rebalance in a block", PATIENCE, async || {
            let verified = self.home_of(BANK).verified(genesis, self.beginning.height)?;
            Ok(verified.filter(|verified| verified.batches >= 2).map(|verified| verified.height))
        })
        .await
    }

    /// 2 takes 3000 from 2@1 and deposits it to 123@1 in one batch.
    async fn splice(&mut self) -> Result<Height> {
        let (amount, owner) = (self.story.written(3_000), self.newcomer.key.to_string());
        let order = ["--amount", &amount, "--owner", &owner, "--request", &name("splice")];
        let height = self.applied("splice", &order).await?;
        self.two_on_chain -= self.fee(height).await?;
        Ok(height)
    }

    /// An order of 2 that ends in a batch, given until that is in a block. Height of the block.
    async fn applied(&self, subcommand: &str, order: &[&str]) -> Result<Height> {
        wait::until(format!("the batch of 2's {subcommand}"), PATIENCE, async || {
            let answer = self.node(&self.two.name, subcommand, order).await?;
            match answer["state"].as_str() {
                Some("applied") => Ok(answer["height"].as_u64()),
                Some("asked" | "waiting") => Ok(None),
                _ => bail!("2's {subcommand}: {answer}"),
            }
        })
        .await
    }

    /// What 2's batch in a block cost, by its length there.
    async fn fee(&self, height: Height) -> Result<i128> {
        let certified = self.story.client.block(height).await?;
        let own = certified.block.batches.iter().find(|batch| batch.body.signer == self.two.key);
        let own = own.with_context(|| format!("no batch of 2 in block {height}"))?;
        let fee = batch::fee(own.body.fee_rate, batch::signed_bytes(own)).context("a fee")?;
        Ok(i128::from(fee))
    }

    /// Hears all three witnesses of both channels and holds every number against the protocol.
    async fn look(&mut self, step: Step, height: Height) -> Result<()> {
        let setting = Setting {
            scale: i128::from(self.story.scale),
            two: self.orientation.two,
            newcomer: self.orientation.newcomer,
            two_on_chain: self.two_on_chain,
        };
        let mut all = Vec::new();
        for place in [Where::Two, Where::Newcomer] {
            let heard: Witnesses = self.pair(place).hear(&self.story.client, height, &self.beginning, |_| true).await?;
            all.extend(numbers(step, place, &setting, &heard));
        }
        let wrong: Vec<String> = all.iter().filter_map(|number| Some(number.check().err()?.to_string())).collect();
        ensure!(wrong.is_empty(), "after {step}: {}", wrong.join("; "));
        self.steps.push(ToldStep { step, numbers: all });
        Ok(())
    }

    fn pair(&self, place: Where) -> Pair {
        let user = match place {
            Where::Two => &self.two,
            Where::Newcomer => &self.newcomer,
        };
        Pair { bank: self.bank, user: user.key, bank_home: self.home_of(BANK), user_home: self.home(user) }
    }

    fn home(&self, actor: &Actor) -> Databases {
        self.home_of(&actor.name)
    }

    fn home_of(&self, name: &str) -> Databases {
        Databases::of(&self.story.network.folder().join(name))
    }

    /// An operator's command and its answer.
    async fn node(&self, name: &str, subcommand: &str, arguments: &[&str]) -> Result<Value> {
        let said = self.story.network.node(name, subcommand, arguments).await?;
        serde_json::from_str(&said).with_context(|| format!("`node {subcommand}` of {name} says {said:?}"))
    }
}

/// The name of an order: every wallet has its own names.
fn name(order: &str) -> String {
    let mut name = hex::encode(order);
    name.extend(std::iter::repeat_n('0', 32 - name.len()));
    name
}
