//! Payer, bank and payee as their operators see them, over HTTP.

use anyhow::{Context as _, Result, ensure};
use fair_core::chain::genesis::Genesis;
use fair_core::payment::invoice;
use fair_core::types::{AssetId, Hash};
use fair_tests::network::{BANK, Network, RELAY};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Who pays.
pub(super) const PAYER: &str = "payer";
/// Who is paid.
pub(super) const PAYEE: &str = "payee";

/// An answer that takes longer comes from nobody.
const ANSWER: Duration = Duration::from_secs(30);

/// One end of a channel: everything that both must say alike.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    idle: bool,
    connected: bool,
    epoch: u64,
    frame: u64,
    proposer: String,
    state: String,
}

/// A wallet.
#[derive(Clone, Debug)]
pub(super) struct Wallet {
    /// All that it has in its channel, what it owes taken off.
    pub(super) own: i128,
    pub(super) can_send: u64,
    under_way: u64,
    stale: bool,
    end: End,
}

/// The bank.
#[derive(Clone, Debug)]
pub(super) struct Bank {
    /// All that it has in both channels, what it owes taken off.
    pub(super) own: i128,
    forwards: u64,
    stale: bool,
    to_payer: End,
    to_payee: End,
}

/// All three, seen one after another.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) payer: Wallet,
    pub(super) bank: Bank,
    pub(super) payee: Wallet,
}

impl Seen {
    /// Nothing is under way, and both ends of each channel hold the same state.
    pub(super) fn rests(&self) -> bool {
        let Self { payer, bank, payee } = self;
        let is_quiet = |wallet: &Wallet, theirs: &End| {
            let end = &wallet.end;
            end.idle && end.connected && end == theirs && wallet.under_way == 0 && !wallet.stale
        };
        is_quiet(payer, &bank.to_payer) && is_quiet(payee, &bank.to_payee) && bank.forwards == 0 && !bank.stale
    }
}

/// A payment that was asked for. Whoever was asked may have been killed before answering.
#[derive(Debug)]
pub(super) struct Begun {
    made: Option<Made>,
    handed: Option<JoinHandle<()>>,
}

#[derive(Clone, Debug)]
struct Made {
    invoice_id: String,
    payment_id: String,
}

impl Begun {
    /// The payer has answered, or never will.
    pub(super) fn is_handed_over(&self) -> bool {
        self.handed.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

/// How a payment ended, as both sides say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    UnderWay,
    Paid,
    /// Or never begun.
    Failed,
    Disagreement(String),
}

pub(super) struct Parties {
    client: reqwest::Client,
    urls: [(&'static str, String); 4],
    chain_id: Hash,
}

impl Parties {
    pub(super) fn new(network: &Network) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER).build()?;
        let url = |name: &'static str| Ok::<_, anyhow::Error>((name, network.url_of(name)?.to_owned()));
        let urls = [url(PAYER)?, url(BANK)?, url(PAYEE)?, url(RELAY)?];
        let genesis = Genesis::decode(&std::fs::read(network.folder().join("genesis.bin"))?)?;
        Ok(Self { client, urls, chain_id: genesis.chain_id() })
    }

    fn url(&self, name: &str) -> Result<&str> {
        let found = self.urls.iter().find(|(known, _)| *known == name);
        found.map(|(_, url)| url.as_str()).with_context(|| format!("no process {name}"))
    }

    async fn get(&self, name: &str, path: &str) -> Result<Option<Value>> {
        let response = self.client.get(format!("{}{path}", self.url(name)?)).send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(response.error_for_status()?.json().await?))
    }

    async fn post(&self, name: &str, path: &str, body: &Value) -> Result<Value> {
        let request = self.client.post(format!("{}{path}", self.url(name)?)).header("x-fair-operator", "1");
        let response = request.json(body).send().await?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "{name}{path} answers {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Lets a process end at a point to come, or at none, and returns how many it passed since the last time.
    pub(super) async fn arm(&self, name: &str, left: u64) -> Result<u64> {
        let answer = self.post(name, "/v1/crash-points", &json!({ "left": left })).await;
        let answer = answer.context("this test needs programs with the feature `crash-points` (docs/testing.md)")?;
        answer["passed"].as_u64().context("a count of points")
    }

    /// Asks the payee for an invoice and the payer, without waiting for its answer, to pay it.
    pub(super) async fn begin(&self, amount: u64) -> Begun {
        let made = self.post(PAYEE, "/v1/invoices", &json!({ "amount": amount, "description": "a test" })).await;
        let Ok(made) = made else { return Begun { made: None, handed: None } };
        let text = made["invoice"].as_str().unwrap_or_default().to_owned();
        let invoice = invoice::from_text(&text, &self.chain_id).expect("a payee's invoice");
        let lock_hash = invoice.body().lock_hash.to_string();
        let invoice_id = made["id"].as_str().unwrap_or_default().to_owned();
        let request = self.client.post(format!("{}/v1/pay-me", self.url(PAYER).unwrap_or_default()));
        let handed = tokio::spawn(async move {
            // A payer that is killed on the way does not answer.
            let _ = request.json(&json!({ "invoice": text })).send().await;
        });
        let payment_id = lock_hash.get(..32).unwrap_or_default().to_owned();
        Begun { made: Some(Made { invoice_id, payment_id }), handed: Some(handed) }
    }

    /// What both sides say of a payment.
    pub(super) async fn ending(&self, begun: &Begun) -> Result<Ending> {
        let Some(Made { invoice_id, payment_id }) = &begun.made else { return Ok(Ending::Failed) };
        let paying = self.get(PAYER, &format!("/v1/pay-me/{payment_id}")).await?;
        let invoice = self.get(PAYEE, &format!("/v1/invoices/{invoice_id}")).await?;
        let state = |answer: &Option<Value>| answer.as_ref().and_then(|a| a["state"].as_str().map(str::to_owned));
        let (paying, invoice) = (state(&paying), state(&invoice));
        Ok(match (paying.as_deref(), invoice.as_deref()) {
            (Some("locking" | "settling"), _) | (_, Some("pending")) => Ending::UnderWay,
            (Some("paid"), Some("paid")) => Ending::Paid,
            (None | Some("failed"), None | Some("open" | "void")) => Ending::Failed,
            _ => Ending::Disagreement(format!("the payer says {paying:?}, the payee {invoice:?}")),
        })
    }

    /// Looks at all three.
    pub(super) async fn look(&self) -> Result<Seen> {
        let payer = self.status(PAYER).await?;
        let bank = self.status(BANK).await?;
        let payee = self.status(PAYEE).await?;
        let (payer_key, payee_key) = (&payer["account"], &payee["account"]);
        let partners = bank["exposure"]["partners"].as_array().context("partners")?;
        let own = partners.iter().filter(|line| line["asset"] == json!(AssetId::FRD)).map(|line| {
            let part = |name: &str| i128::from(line[name].as_u64().unwrap_or_default());
            part("own_insured") + part("own_uninsured") - part("partner_uninsured")
        });
        let bank = Bank {
            own: own.sum(),
            forwards: bank["exposure"]["forwards"].as_u64().context("forwards")?,
            stale: bank["stale"].as_bool().context("stale")?,
            to_payer: end_of(channel_with(&bank, payer_key)?)?,
            to_payee: end_of(channel_with(&bank, payee_key)?)?,
        };
        Ok(Seen { payer: wallet(&payer)?, bank, payee: wallet(&payee)? })
    }

    async fn status(&self, name: &str) -> Result<Value> {
        self.get(name, "/v1/status").await?.context("a status")
    }
}

fn channel_with<'a>(bank: &'a Value, partner: &Value) -> Result<&'a Value> {
    let channels = bank["channels"].as_array().context("channels")?;
    channels.iter().find(|channel| channel["partner"] == *partner).context("no channel with the partner")
}

fn end_of(channel: &Value) -> Result<End> {
    let text = |name: &str| channel[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
    let number = |name: &str| channel[name].as_u64().with_context(|| format!("no {name}"));
    let is = |name: &str| channel[name].as_bool().with_context(|| format!("no {name}"));
    Ok(End {
        idle: is("idle")?,
        connected: is("connected")?,
        epoch: number("epoch")?,
        frame: number("frame")?,
        proposer: text("proposer")?,
        state: text("state")?,
    })
}

fn wallet(status: &Value) -> Result<Wallet> {
    let assets = status["assets"].as_array().context("assets")?;
    let frd = assets.iter().find(|asset| asset["asset"] == json!(AssetId::FRD)).context("FRD")?;
    let part = |name: &str| frd[name].as_u64().with_context(|| format!("no {name}"));
    let own = i128::from(part("insured")?) + i128::from(part("uninsured")?) + i128::from(part("in_flight")?)
        - i128::from(part("owed")?);
    Ok(Wallet {
        own,
        can_send: part("can_send")?,
        under_way: part("in_flight")? + part("incoming")?,
        stale: status["stale"].as_bool().context("stale")?,
        end: end_of(&status["channel"])?,
    })
}
