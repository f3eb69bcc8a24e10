//! A network with short disputes, and wallets without a person in it.

use anyhow::{Context, Result, bail, ensure};
use fair_core::crypto::SecretKey;
use fair_core::payment::invoice;
use fair_core::types::{Amount, AssetId, Hash, Parties, PublicKey, Side};
use fair_tests::browser::{Browser, Place};
use fair_tests::censor::Censors;
use fair_tests::network::{BANK, BankKey, Network, NewWallet, Plan};
use fair_tests::wait;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::chain::{Chain, PATIENCE, Resolution, account_key};

/// Whole FRD in cents.
pub(super) const fn frd(whole: u64) -> Amount {
    whole * 100
}

/// A wallet that runs.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) name: String,
    pub(super) key: PublicKey,
}

pub(super) struct World {
    pub(super) network: Network,
    pub(super) watcher: Chain,
    pub(super) bank: PublicKey,
    /// Somebody with money who is no party of anything.
    pub(super) stranger: SecretKey,
    http: reqwest::Client,
    orders: u32,
}

impl World {
    pub(super) async fn start() -> Result<Self> {
        Self::with(None).await
    }

    /// Whose validators may drop batches.
    pub(super) async fn with(censors: Option<Censors>) -> Result<Self> {
        let plan = Plan {
            preset: "swift",
            bank_key: BankKey::Middle,
            censors,
            // Nothing happens by itself.
            bank_settings: Some("rebalance_every_blocks = 0\n".to_owned()),
            ..Plan::with_pages()?
        };
        let network = Network::start(&plan).await?;
        let watcher = Chain::new(&network)?;
        let bank = network.genesis()?.banks.first().context("no bank")?.key;
        let stranger = account_key(&network, "v2")?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { network, watcher, bank, stranger, http, orders: 0 })
    }

    /// A wallet on a side of its channel with the bank, with a credit limit of 1,000.
    pub(super) async fn wallet(&mut self, name: &str, side: Side) -> Result<Actor> {
        let settings = format!("funds_itself = false\ncredit_limit = {}\n", frd(1_000));
        let wallet = NewWallet { name, settings: Some(&settings), side: Some(side) };
        let key = self.network.add_wallet(&wallet).await?;
        Ok(Actor { name: name.to_owned(), key })
    }

    /// Gives an account FRD from the stranger, so that it is registered.
    pub(super) async fn give(&mut self, to: PublicKey, amount: Amount) -> Result<()> {
        self.watcher.give(&self.stranger, &[to], amount).await
    }

    /// An operator's command and its answer.
    pub(super) async fn node(&self, name: &str, subcommand: &str, arguments: &[&str]) -> Result<Value> {
        let said = self.network.node(name, subcommand, arguments).await?;
        serde_json::from_str(&said).with_context(|| format!("`node {subcommand}` of {name} says {said:?}"))
    }

    pub(super) fn name_order(&mut self) -> String {
        self.orders += 1;
        format!("{:032x}", self.orders)
    }

    /// A deposit into the wallet's own channel, in a block.
    pub(super) async fn deposit(&mut self, of: &Actor, amount: &str) -> Result<()> {
        let request = self.name_order();
        let seen = self.watcher.state().height();
        wait::until(format!("{} to see what it was given", of.name), PATIENCE, async || {
            Ok((self.status(of).await?["head"].as_u64() >= Some(seen)).then_some(()))
        })
        .await?;
        wait::until(format!("the deposit of {}", of.name), PATIENCE, async || {
            let order = ["--amount", amount, "--request", &request];
            let answer = self.node(&of.name, "deposit", &order).await?;
            match answer["state"].as_str() {
                Some("applied") => Ok(Some(())),
                Some("waiting") => Ok(None),
                _ => bail!("{answer}"),
            }
        })
        .await
    }

    /// An invoice of a wallet: its id and its text.
    pub(super) async fn invoice(&self, of: &Actor, amount: Amount) -> Result<(String, String)> {
        let wanted = json!({ "amount": amount, "description": "for the court" });
        let made = self.post(&of.name, "/v1/invoices", &wanted).await?;
        let text = |what: &str| Ok::<_, anyhow::Error>(made[what].as_str().context("an invoice")?.to_owned());
        Ok((text("id")?, text("invoice")?))
    }

    /// The hash for whose preimage an invoice is paid.
    pub(super) fn lock_hash(&self, text: &str) -> Result<Hash> {
        Ok(invoice::from_text(text, &self.network.genesis()?.chain_id())?.body().lock_hash)
    }

    async fn post(&self, name: &str, path: &str, body: &Value) -> Result<Value> {
        let request = self.http.post(format!("{}{path}", self.network.url_of(name)?));
        let request = request.header("x-fair-operator", self.network.operator_token(name)?).json(body);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    pub(super) async fn get(&self, of: &Actor, path: &str) -> Result<Value> {
        let url = format!("{}{path}", self.network.url_of(&of.name)?);
        Ok(self.http.get(url).send().await?.error_for_status()?.json().await?)
    }

    /// Lets a process kill itself at the n-th point from now on; 0: at none.
    pub(super) async fn arm(&self, name: &str, left: u64) -> Result<()> {
        let answer = self.post(name, "/v1/crash-points", &json!({ "left": left })).await;
        answer.map(drop).context("this test needs programs with the feature `crash-points` (docs/testing.md)")
    }

    /// Asks a wallet to pay an invoice, without waiting for its answer.
    pub(super) fn begin(&self, payer: &Actor, order: Value) -> Result<JoinHandle<()>> {
        let request = self.http.post(format!("{}/v1/pay-me", self.network.url_of(&payer.name)?)).json(&order);
        Ok(tokio::spawn(async move { drop(request.send().await) }))
    }

    /// Waits until a wallet has a session with its bank, and its terms stand.
    pub(super) async fn connected(&self, of: &Actor) -> Result<()> {
        wait::until(format!("{} to be connected", of.name), PATIENCE, async || {
            let status = self.status(of).await?;
            Ok((status["assets"][0]["can_receive"].as_u64() == Some(frd(1_000))).then_some(()))
        })
        .await
    }

    /// Waits until a wallet has found the bank again and nothing is under way between them.
    pub(super) async fn at_rest(&self, of: &Actor) -> Result<()> {
        wait::until(format!("{} to be at rest", of.name), PATIENCE, async || {
            let channel = &self.status(of).await?["channel"];
            Ok((channel["connected"] == true && channel["idle"] == true).then_some(()))
        })
        .await
    }

    /// A payment through the bank.
    pub(super) async fn pay_invoice(&mut self, from: &Actor, invoice: &str) -> Result<()> {
        let request = self.name_order();
        let order = ["--to", invoice, "--max-fee", "0", "--request", &request];
        wait::until(format!("the payment of {}", from.name), PATIENCE, async || {
            let paid = self.node(&from.name, "pay", &order).await?;
            match paid["state"].as_str() {
                Some("paid") => Ok(Some(())),
                Some("locking" | "settling") => Ok(None),
                _ => bail!("{paid}"),
            }
        })
        .await
    }

    /// The bank pays a partner directly.
    pub(super) async fn bank_pays(&mut self, to: &PublicKey, amount: &str) -> Result<()> {
        let (request, peer) = (self.name_order(), to.to_string());
        let order = ["--peer", &peer, "--amount", amount, "--request", &request];
        wait::until(format!("the bank's payment to {to}"), PATIENCE, async || {
            let paid = self.node(BANK, "pay-direct", &order).await?;
            match paid["state"].as_str() {
                Some("paid") => Ok(Some(())),
                Some("waiting" | "sent" | "sending") => Ok(None),
                _ => bail!("{paid}"),
            }
        })
        .await
    }

    /// What a wallet's operator sees.
    pub(super) async fn status(&self, of: &Actor) -> Result<Value> {
        let url = format!("{}/v1/status", self.network.url_of(&of.name)?);
        Ok(self.http.get(url).send().await?.error_for_status()?.json().await?)
    }

    /// Waits until a wallet is told what it owns in its channel, in cents.
    pub(super) async fn owns(&self, of: &Actor, amount: i64) -> Result<()> {
        let mut last = Value::Null;
        let waiting = wait::until(format!("{} to own {amount} in its channel", of.name), PATIENCE, async || {
            last = self.status(of).await?;
            let asset = last["assets"][0].clone();
            let sum = asset["insured"].as_i64().zip(asset["uninsured"].as_i64()).map(|(a, b)| a + b);
            Ok((sum == Some(amount)).then_some(()))
        });
        let result = waiting.await;
        result.with_context(|| last.to_string())
    }

    pub(super) fn parties(&self, of: &PublicKey) -> Result<Parties> {
        Parties::new(*of, self.bank).context("two keys")
    }

    /// Where a wallet's pages show the channel with the bank, after `#/`.
    pub(super) fn bank_place(&self) -> String {
        format!("banks/{}", self.bank)
    }

    /// Leads a wallet's pages to the channel with the bank.
    pub(super) async fn to_bank(&self, browser: &Browser) -> Result<()> {
        browser.run(&format!("location.hash = '#/{}'", self.bank_place())).await.map(drop)
    }

    /// On-chain FRD of an account at the newest block seen.
    pub(super) fn balance(&self, key: &PublicKey) -> Amount {
        self.watcher.state().balance(key, AssetId::FRD)
    }

    /// The number of an account, as the explorer calls it.
    pub(super) fn number(&self, key: &PublicKey) -> Result<String> {
        Ok(self.watcher.state().account_id(key).context("a registered account")?.to_string())
    }

    /// A browser at the explorer, without a wallet.
    pub(super) async fn explorer(&self) -> Result<Browser> {
        let browser = Browser::open().await?;
        browser.go(&format!("{}/#/explorer", self.network.url()?)).await?;
        Ok(browser)
    }

    /// The end of a scenario, for everybody to look up: places of the explorer.
    pub(super) async fn pictures(&self, places: &[Place<'_>]) -> Result<()> {
        let browser = self.explorer().await?;
        browser.pictures(places).await?;
        browser.close().await
    }

    /// The bank's page of somebody who took their channel with it to court, by the newest state.
    pub(super) async fn picture_of_decision(
        &self,
        browser: &Browser,
        decided: &Resolution,
        says: &[&str],
        picture: &str,
    ) -> Result<()> {
        let by = format!("Court decided: by state {}, the newest that was shown", decided.order.frame);
        let always = ["Court has decided", "(you) took its channel with @main to court", &by];
        let says = [&always, says].concat();
        browser.pictures(&[Place { at: &self.bank_place(), says: &says, picture }]).await
    }

    /// Ends the network; no log has a panic in it.
    pub(super) async fn end(self) -> Result<()> {
        let logs = self.network.folder().join("logs");
        for entry in std::fs::read_dir(&logs)? {
            let path = entry?.path();
            let log = std::fs::read_to_string(&path)?;
            ensure!(!log.contains("panicked at"), "{} has a panic", path.display());
        }
        self.network.shut_down().await
    }
}
