//! What an operator sets, and its check before anything starts.

use crate::limits;
use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};
use fair_core::chain::genesis::{Genesis, Purpose};
use fair_core::chain::trust::Confirmed;
use fair_core::types::PublicKey;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

/// Flags; each can also come from the environment.
#[derive(Clone, Debug, Args)]
pub struct Config {
    /// The network's genesis document
    #[arg(long, env = "RELAY_GENESIS", value_name = "FILE")]
    pub genesis: PathBuf,
    /// Where to listen; port 0 takes any free one
    #[arg(long, env = "RELAY_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Folder of the pages; without it only /v1 is served
    #[arg(long, env = "RELAY_PAGES", value_name = "DIR")]
    pub pages: Option<PathBuf>,
    /// Folder for verified blocks; made when missing
    #[arg(long, env = "RELAY_DATA", value_name = "DIR")]
    pub data: PathBuf,
    /// Validators to follow, separated by commas; those of the genesis document when not given
    #[arg(long, env = "RELAY_VALIDATORS", value_name = "URL", value_delimiter = ',')]
    pub validators: Vec<String>,
    /// Proxies in front whose X-Forwarded-For is believed, separated by commas
    #[arg(long, env = "RELAY_TRUSTED_PROXIES", value_name = "IP", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpAddr>,
    /// Terms of use, shown in /v1/info
    #[arg(long, env = "RELAY_TERMS", value_name = "TEXT", default_value = "")]
    pub terms: String,
    /// A shop to try with, named in /v1/info; test networks only
    #[arg(long, env = "RELAY_SHOP", value_name = "URL")]
    pub shop: Option<String>,
    /// Somebody who pays and is paid, to try with, named in /v1/info; test networks only
    #[arg(long, env = "RELAY_COUNTERPART", value_name = "URL")]
    pub counterpart: Option<String>,
    /// Watchtowers to announce and pipe to, as KEY=URL, separated by commas
    #[arg(long = "tower", env = "RELAY_TOWERS", value_name = "KEY=URL", value_delimiter = ',')]
    pub towers: Vec<String>,
    /// Begin a data folder without blocks with a snapshot: an archive, its URL, or that of a validator or relay
    #[arg(long, env = "RELAY_SNAPSHOT", value_name = "FILE|URL")]
    pub snapshot: Option<String>,
    /// A newer block that somebody you trust sees: needed where the newest one here is older than K.trust_period
    #[arg(long, env = "RELAY_CHECKPOINT", value_name = "HEIGHT:HASH")]
    pub checkpoint: Option<Confirmed>,
    /// Form of the log
    #[arg(long, env = "RELAY_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// How often one address may ask.
    #[command(flatten)]
    pub rates: Rates,
}

/// Limits per address.
#[derive(Clone, Debug, Args)]
pub struct Rates {
    /// Requests a minute from one address
    #[arg(long, env = "RELAY_REQUESTS_PER_MINUTE", value_name = "N", default_value = "12000")]
    pub requests_per_minute: NonZeroU32,
    /// Batches a minute from one address
    #[arg(long, env = "RELAY_BATCHES_PER_MINUTE", value_name = "N", default_value = "120")]
    pub batches_per_minute: NonZeroU32,
    /// Faucet requests a minute from one address, and for one account
    #[arg(long, env = "RELAY_FAUCET_PER_MINUTE", value_name = "N", default_value = "20")]
    pub faucet_per_minute: NonZeroU32,
    /// WebSockets open at once from one address
    #[arg(long, env = "RELAY_SOCKETS_PER_ADDRESS", value_name = "N", default_value = "256")]
    pub sockets_per_address: NonZeroU32,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings that were checked.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The network.
    pub genesis: Genesis,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Folder of the pages, with an `index.html`.
    pub pages: Option<PathBuf>,
    /// Folder for verified blocks.
    pub data: PathBuf,
    /// At least one URL without a slash at its end.
    pub validators: Vec<String>,
    /// Proxies in front.
    pub trusted_proxies: Vec<IpAddr>,
    /// Terms of use.
    pub terms: String,
    /// A shop to try with, without a slash at its end.
    pub shop: Option<String>,
    /// Somebody to try with, likewise.
    pub counterpart: Option<String>,
    /// Watchtowers by key, each with a URL without a slash at its end.
    pub towers: BTreeMap<PublicKey, String>,
    /// What to begin with when there are no blocks.
    pub snapshot: Option<String>,
    /// What leads on from a head that is too old.
    pub checkpoint: Option<Confirmed>,
    /// Limits per address.
    pub rates: Rates,
}

impl Config {
    /// Reads the genesis document and looks at every setting.
    ///
    /// # Errors
    /// The first setting that cannot be used, in words that name its flag.
    pub fn check(self) -> anyhow::Result<Checked> {
        let bytes = std::fs::read(&self.genesis)
            .with_context(|| format!("cannot read the genesis document {} (--genesis)", self.genesis.display()))?;
        let genesis = Genesis::decode(&bytes).with_context(|| {
            format!("{} is not a genesis document of this version (--genesis)", self.genesis.display())
        })?;
        if let Some(pages) = &self.pages {
            ensure!(
                pages.join("index.html").is_file(),
                "there are no pages in {}: it has no index.html (--pages)",
                pages.display()
            );
        }
        let given = if self.validators.is_empty() {
            genesis.validators.validators.iter().map(|validator| validator.url.clone()).collect()
        } else {
            self.validators
        };
        let validators = given.iter().map(|url| checked_url(url)).collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(!validators.is_empty(), "no validators to follow (--validators)");
        let shop = self.shop.map(|url| checked_link(&url, "--shop")).transpose()?;
        let counterpart = self.counterpart.map(|url| checked_link(&url, "--counterpart")).transpose()?;
        ensure!(
            (shop.is_none() && counterpart.is_none()) || genesis.purpose == Purpose::Test,
            "a shop or somebody to try with is for test networks only (--shop, --counterpart)"
        );
        ensure!(
            self.towers.len() <= limits::MAX_TOWERS,
            "at most {} watchtowers can be announced (--tower)",
            limits::MAX_TOWERS
        );
        let towers = self.towers.iter().map(|text| checked_tower(text)).collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        Ok(Checked {
            genesis,
            listen: self.listen,
            pages: self.pages,
            data: self.data,
            validators,
            trusted_proxies: self.trusted_proxies,
            terms: self.terms,
            shop,
            counterpart,
            towers,
            snapshot: self.snapshot,
            checkpoint: self.checkpoint,
            rates: self.rates,
        })
    }
}

fn checked_url(text: &str) -> anyhow::Result<String> {
    let url = reqwest::Url::parse(text.trim()).with_context(|| format!("{text:?} is not a URL (--validators)"))?;
    if url.scheme() == "https" {
        bail!("{text}: this relay speaks plain http to validators; put a TLS proxy between (--validators)");
    }
    ensure!(
        url.scheme() == "http" && url.has_host(),
        "{text:?} is not a URL of the form http://host:port (--validators)"
    );
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn checked_tower(text: &str) -> anyhow::Result<(PublicKey, String)> {
    let (key, url) = text.split_once('=').with_context(|| format!("{text:?} is not of the form KEY=URL (--tower)"))?;
    let key = key.trim().parse().with_context(|| format!("{key:?} is not a key (--tower)"))?;
    let url = checked_url(url).with_context(|| format!("{text:?} cannot be piped to (--tower)"))?;
    Ok((key, url))
}

/// Pages link to it, so it must be a web address and nothing else.
fn checked_link(text: &str, flag: &str) -> anyhow::Result<String> {
    let url = reqwest::Url::parse(text.trim()).with_context(|| format!("{text:?} is not a URL ({flag})"))?;
    ensure!(
        matches!(url.scheme(), "http" | "https") && url.has_host(),
        "{text:?} is not a URL of the form https://host ({flag})"
    );
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
