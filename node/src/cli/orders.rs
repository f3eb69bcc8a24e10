//! Orders to a wallet or bank that runs: amounts as people write them, each order under a name.

use crate::error::NodeError;
use crate::home::{Home, Kind};
use crate::{local, operator, page};
use clap::{Args, Subcommand};
use fair_core::chain::genesis::Genesis;
use fair_core::types::{Amount, AssetId, PublicKey};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
struct Named {
    /// The home
    #[arg(long)]
    home: PathBuf,
    /// Name of the order, 32 hexadecimal digits: the same again does nothing twice; fresh when not given
    #[arg(long)]
    request: Option<String>,
    /// Number of the asset
    #[arg(long, default_value_t = 1)]
    asset: u32,
}

#[derive(Debug, Args)]
pub(super) struct Deposit {
    #[command(flatten)]
    named: Named,
    /// How much, as in 5000.00
    #[arg(long)]
    amount: String,
}

#[derive(Debug, Args)]
pub(super) struct Splice {
    #[command(flatten)]
    named: Named,
    /// How much, as in 5000.00
    #[arg(long)]
    amount: String,
    /// On whose side it arrives
    #[arg(long)]
    owner: PublicKey,
    /// The other party there; the wallet's own bank when not given
    #[arg(long)]
    partner: Option<PublicKey>,
}

#[derive(Debug, Args)]
pub(super) struct Pay {
    #[command(flatten)]
    named: Named,
    /// An invoice or an address
    #[arg(long)]
    to: String,
    /// How much, as in 5000.00; an invoice says it itself
    #[arg(long)]
    amount: Option<String>,
    /// Banks may not take more together; one in a hundred when not given
    #[arg(long)]
    max_fee: Option<String>,
    /// For the own records
    #[arg(long, default_value = "")]
    description: String,
}

#[derive(Debug, Args)]
pub(super) struct PayDirect {
    #[command(flatten)]
    named: Named,
    /// How much, as in 5000.00
    #[arg(long)]
    amount: String,
    /// A bank's partner; a wallet pays its bank
    #[arg(long)]
    peer: Option<PublicKey>,
    /// For the payee to read
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Debug, Args)]
pub(super) struct Credit {
    /// The home
    #[arg(long)]
    home: PathBuf,
    /// Number of the asset
    #[arg(long, default_value_t = 1)]
    asset: u32,
    /// Uninsured balance that is accepted, as in 1000.00
    #[arg(long)]
    limit: String,
    /// Uninsured balance above which insurance is wanted; not by itself when not given
    #[arg(long)]
    insure_above: Option<String>,
    /// What each of those insurances may cost; a hundredth of the threshold when not given
    #[arg(long)]
    most_price: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Insure {
    /// The home
    #[arg(long)]
    home: PathBuf,
    /// Number of the asset
    #[arg(long, default_value_t = 1)]
    asset: u32,
    /// What it may cost; a hundredth of what is not insured when not given
    #[arg(long)]
    most_price: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Towers {
    /// The home
    #[arg(long)]
    home: PathBuf,
    #[command(subcommand)]
    what: WhatOfTowers,
}

#[derive(Debug, Subcommand)]
enum WhatOfTowers {
    /// Hand every new state over to a tower, or reach it at another place
    Add {
        /// Its address, KEY@http://host:port as `node status` of the tower says it; a key alone is reached through the relay
        address: String,
    },
    /// Do so no more
    Remove {
        /// Its key
        tower: PublicKey,
    },
    /// Say what each of them has
    List,
}

/// An asset and how its amounts are written.
struct Written {
    genesis: Genesis,
    home: PathBuf,
    asset: AssetId,
}

impl Written {
    fn read(home: &Path, asset: u32) -> Result<Self, NodeError> {
        let (opened, _) = Home::open(home)?;
        let (genesis, _) = opened.genesis()?;
        Ok(Self { genesis, home: home.to_owned(), asset: AssetId(asset) })
    }

    fn amount(&self, text: &str) -> Result<Amount, NodeError> {
        let refused = |reason: String| NodeError::Refused { reason };
        let asset = self.genesis.assets.iter().find(|asset| asset.id == self.asset);
        let decimals = asset.ok_or_else(|| refused(format!("there is no asset {}", self.asset)))?.decimals;
        page::parse_decimal(text, decimals)
            .ok_or_else(|| refused(format!("{text:?} is no amount with at most {decimals} decimals")))
    }

    fn optional(&self, text: Option<&str>) -> Result<Option<Amount>, NodeError> {
        text.map(|text| self.amount(text)).transpose()
    }

    fn post(&self, what: &str, body: &Value) -> Result<(), NodeError> {
        operator::post(&self.home, what, body)
    }
}

impl Named {
    fn open(&self) -> Result<(Written, String), NodeError> {
        let name = match &self.request {
            Some(name) => name.clone(),
            None => hex::encode(
                local::fresh_name()
                    .map_err(|error| NodeError::System { what: "randomness", reason: error.to_string() })?,
            ),
        };
        Ok((Written::read(&self.home, self.asset)?, name))
    }
}

impl Deposit {
    pub(super) fn run(&self) -> Result<(), NodeError> {
        let (written, request) = self.named.open()?;
        let amount = written.amount(&self.amount)?;
        written.post("/v1/deposit", &json!({ "request": request, "asset": written.asset, "amount": amount }))
    }
}

impl Splice {
    pub(super) fn run(&self) -> Result<(), NodeError> {
        let (written, request) = self.named.open()?;
        let amount = written.amount(&self.amount)?;
        let (asset, owner, partner) = (written.asset, self.owner, self.partner);
        let body = json!({ "request": request, "asset": asset, "amount": amount, "owner": owner, "partner": partner });
        written.post("/v1/splice", &body)
    }
}

impl Pay {
    pub(super) fn run(&self) -> Result<(), NodeError> {
        let (written, request) = self.named.open()?;
        let amount = written.optional(self.amount.as_deref())?;
        let max_fee = written.optional(self.max_fee.as_deref())?;
        let body = json!({
            "request": request, "to": self.to, "asset": written.asset, "amount": amount, "max_fee": max_fee,
            "description": self.description,
        });
        operator::pay(&written.home, "/v1/pay", &body)
    }
}

impl PayDirect {
    pub(super) fn run(&self) -> Result<(), NodeError> {
        let (written, request) = self.named.open()?;
        let amount = written.amount(&self.amount)?;
        let mut body = json!({ "request": request, "asset": written.asset, "amount": amount, "note": self.note });
        let (_, config) = Home::open(&self.named.home)?;
        let refused = |reason: &str| Err(NodeError::Refused { reason: reason.to_owned() });
        match (config.kind, self.peer) {
            (Kind::Bank, Some(peer)) => {
                body["peer"] = json!(peer);
                operator::pay(&written.home, "/v1/pay", &body)
            }
            (Kind::Bank, None) => refused("a bank has many partners: say which with --peer"),
            (_, Some(_)) => refused("a wallet pays its bank directly and nobody else: leave --peer out"),
            (_, None) => operator::pay(&written.home, "/v1/pay-direct", &body),
        }
    }
}

impl Credit {
    pub(super) fn run(&self) -> Result<(), NodeError> {
        let written = Written::read(&self.home, self.asset)?;
        let limit = written.amount(&self.limit)?;
        let insure_above = written.optional(self.insure_above.as_deref())?;
        let most_price = written.optional(self.most_price.as_deref())?;
        let body = json!({
            "asset": written.asset, "limit": limit, "insure_above": insure_above, "most_price": most_price,
        });
        written.post("/v1/credit", &body)
    }
}

impl Insure {
    pub(super) fn run(&self) -> Result<(), NodeError> {
        let written = Written::read(&self.home, self.asset)?;
        let most_price = written.optional(self.most_price.as_deref())?;
        written.post("/v1/insurance", &json!({ "asset": written.asset, "most_price": most_price }))
    }
}

impl Towers {
    pub(super) fn run(&self) -> Result<(), NodeError> {
        match &self.what {
            WhatOfTowers::Add { address } => {
                let (tower, url) = address.split_once('@').unwrap_or((address, ""));
                operator::post(&self.home, "/v1/towers/add", &json!({ "tower": tower, "url": url }))
            }
            WhatOfTowers::Remove { tower } => {
                operator::post(&self.home, "/v1/towers/remove", &json!({ "tower": tower }))
            }
            WhatOfTowers::List => operator::post(&self.home, "/v1/towers/list", &json!({})),
        }
    }
}
