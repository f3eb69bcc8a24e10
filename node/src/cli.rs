//! The command line.

mod governance;
mod keys;
mod orders;

use crate::error::NodeError;
use crate::genesis::{self, Plan};
use crate::home::{Claims, Home, Kind};
use crate::presets::Preset;
use crate::{bank, descriptors, merchant, operator, say, status, tower, validator, wallet};
use clap::{Args, Parser, Subcommand};
use fair_core::chain::trust::Confirmed;
use fair_core::ledger::operation::Operation;
use fair_core::types::PublicKey;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Validators, banks, merchants and watchtowers of a Fair network.
#[derive(Debug, Parser)]
#[command(name = "node", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a home with fresh keys for one process; print its public half
    Init(Init),
    /// Make a genesis document: of members that exist, or with homes for a whole local network
    Genesis(Genesis),
    /// Run the process of a home
    Run(Run),
    /// Say how the process of a home is
    Status(Status),
    /// Let the bank of a home that runs rebalance now
    Rebalance(OfHome),
    /// Let the bank or wallet of a home that runs propose again on a suspended channel
    Resume(OfChannel),
    /// Let the bank or wallet of a home that runs take a channel to court, with the newest state that the partner signed
    Dispute(OfChannel),
    /// Say where a channel of the bank or wallet of a home that runs stands in court
    Court(OfChannel),
    /// Let the bank of a home that runs give play money to an account; test networks only
    Faucet(Faucet),
    /// Let the wallet of a home that runs deposit on-chain money into its channel with its bank
    Deposit(orders::Deposit),
    /// Let it take insured money out of that channel and deposit it in another one, in one batch
    Splice(orders::Splice),
    /// Let it pay an invoice or an address
    Pay(orders::Pay),
    /// Let a wallet pay its bank, or a bank one of its partners, directly
    PayDirect(orders::PayDirect),
    /// Let the wallet accept so much uninsured balance from its bank
    Credit(orders::Credit),
    /// Let the wallet ask its bank for insurance
    Insure(orders::Insure),
    /// The watchtowers to which the wallet hands its states over
    Towers(orders::Towers),
    /// The keys with which a shop's server asks its merchant
    Key(keys::Keys),
    /// Propose a change to the validators, as the account of the home, which is one of theirs
    Propose(governance::Propose),
    /// Vote on a proposal, likewise; a later vote replaces an earlier one
    Vote(governance::Vote),
    /// Print proposals with their votes, parameters and validators, as the home's copy of the chain has them
    Proposals(OfHome),
    /// Make an asset, whose whole supply comes to the account of the home
    CreateAsset(governance::NewAsset),
    /// Register the account of the home as a bank
    RegisterBank(governance::Terms),
    /// Change what it is registered with
    UpdateBank(governance::Terms),
}

#[derive(Debug, Args)]
struct Init {
    /// Folder to make
    #[arg(long)]
    home: PathBuf,
    /// What it is for
    #[arg(long, value_enum, default_value = "validator")]
    kind: Kind,
    /// Where it will listen
    #[arg(long, default_value = "127.0.0.1:7100")]
    listen: SocketAddr,
    /// Where others reach it, when that is another address
    #[arg(long)]
    url: Option<String>,
    /// A wallet's or merchant's relay
    #[arg(long, required_if_eq_any([("kind", "wallet"), ("kind", "merchant")]))]
    relay: Option<String>,
    /// Genesis document of a network that exists already
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Genesis {
    /// Parameter set
    #[arg(long, value_enum, default_value = "demo")]
    preset: Preset,
    /// Name of the network that people see
    #[arg(long, default_value = "local")]
    name: String,
    /// Folder for genesis.bin (and the homes v1 … vN and bank)
    #[arg(long)]
    out: PathBuf,
    /// Least time between blocks in milliseconds, instead of the preset's
    #[arg(long)]
    blocktime: Option<u64>,
    /// NAME=NUMBER: another parameter of the preset; repeat it
    #[arg(long = "set")]
    changes: Vec<String>,
    /// member.json of a home that takes part; repeat it. None: homes for a local network are made
    #[arg(long = "member")]
    members: Vec<PathBuf>,
    /// Validators of a local network
    #[arg(long, default_value_t = 4)]
    validators: u16,
    /// First port of a local network: validators from here on, then the bank
    #[arg(long, default_value_t = 7100)]
    base_port: u16,
}

#[derive(Debug, Args)]
struct OfHome {
    /// The home
    #[arg(long)]
    home: PathBuf,
}

#[derive(Debug, Args)]
struct OfChannel {
    #[command(flatten)]
    of: OfHome,
    /// A bank's partner; a wallet has only its bank
    #[arg(long)]
    peer: Option<PublicKey>,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    of: OfHome,
    /// A wallet's or merchant's relay, instead of the home's
    #[arg(long)]
    relay: Option<String>,
    /// Begin a home that has no blocks yet with a snapshot: an archive, its URL, or the URL of a validator or
    /// relay whose newest one is taken
    #[arg(long, value_name = "FILE|URL")]
    snapshot: Option<String>,
    /// The home's keys have signed nothing that its databases do not tell: a validator that begins signs at once, a
    /// bank, wallet or merchant begins as new. For a first start, or after a snapshot above all that a validator signed
    #[arg(long, conflicts_with = "data_lost")]
    never_signed: bool,
    /// The home of a bank, wallet or merchant lost its records, and takes the states of its channels from its
    /// partners. What a partner keeps back is lost
    #[arg(long)]
    data_lost: bool,
    /// A newer block that somebody you trust sees: needed where the newest one of the home is older than
    /// K.trust_period
    #[arg(long, value_name = "HEIGHT:HASH")]
    checkpoint: Option<Confirmed>,
}

#[derive(Debug, Args)]
struct Status {
    #[command(flatten)]
    of: OfHome,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Faucet {
    #[command(flatten)]
    of: OfHome,
    /// Public key of the account
    #[arg(long)]
    account: PublicKey,
    /// Number of the asset
    #[arg(long, default_value_t = 1)]
    asset: u32,
}

impl Arguments {
    /// Does what was asked for.
    pub(crate) fn run(self) -> Result<(), NodeError> {
        match self.command {
            Command::Init(init) => {
                let Init { home, kind, listen, url, relay, genesis: network } = init;
                let member = genesis::init(&home, kind, listen, url, relay, network.as_deref())?;
                say::json(&member)
            }
            Command::Genesis(asked) => {
                let plan = Plan {
                    preset: asked.preset,
                    name: asked.name,
                    block_time_ms: asked.blocktime,
                    changes: asked.changes,
                    out: asked.out,
                    members: asked.members,
                    validators: asked.validators,
                    base_port: asked.base_port,
                };
                let genesis = genesis::genesis(&plan)?;
                say::line(format_args!("chain {} in {}", genesis.chain_id(), plan.out.display()))
            }
            Command::Run(asked) => run(asked),
            Command::Rebalance(OfHome { home }) => operator::post(&home, "/v1/rebalance", &serde_json::json!({})),
            Command::Resume(channel) => channel.post("/v1/resume"),
            Command::Dispute(channel) => channel.post("/v1/dispute"),
            Command::Court(channel) => channel.post("/v1/court"),
            Command::Faucet(Faucet { of, account, asset }) => {
                operator::post(&of.home, "/v1/faucet", &serde_json::json!({ "account": account, "asset": asset }))
            }
            Command::Deposit(order) => order.run(),
            Command::Splice(order) => order.run(),
            Command::Pay(order) => order.run(),
            Command::PayDirect(order) => order.run(),
            Command::Credit(order) => order.run(),
            Command::Insure(order) => order.run(),
            Command::Towers(order) => order.run(),
            Command::Key(order) => order.run(),
            Command::Propose(order) => order.run(),
            Command::Vote(order) => order.run(),
            Command::Proposals(of) => governance::print_proposals(&of),
            Command::CreateAsset(order) => order.run(),
            Command::RegisterBank(order) => order.run(Operation::RegisterBank),
            Command::UpdateBank(order) => order.run(Operation::UpdateBank),
            Command::Status(asked) => status::print(&asked.of.home, asked.json),
        }
    }
}

impl OfChannel {
    fn post(&self, what: &str) -> Result<(), NodeError> {
        operator::post(&self.of.home, what, &serde_json::json!({ "peer": self.peer }))
    }
}

fn run(asked: Run) -> Result<(), NodeError> {
    let Run { of, relay, snapshot, never_signed, data_lost, checkpoint } = asked;
    let (home, mut config) = Home::open(&of.home)?;
    config.relay = relay.or(config.relay);
    config.checkpoint = checkpoint;
    config.claims = Claims { never_signed, data_lost };
    log_to_stderr();
    descriptors::raise();
    let mut runtime = match config.kind {
        // One task does their work, and the disk has a thread of its own: more would wake each other for every request.
        Kind::Wallet | Kind::Merchant => tokio::runtime::Builder::new_current_thread(),
        Kind::Validator | Kind::Bank | Kind::Tower => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| NodeError::System { what: "threads", reason: error.to_string() })?;
    if let Some(from) = snapshot {
        runtime.block_on(crate::snapshot::begin(&home, &config, &from))?;
    }
    match config.kind {
        Kind::Validator => runtime.block_on(validator::run(&home, &config)),
        Kind::Bank => runtime.block_on(bank::run(&home, &config)),
        Kind::Wallet => runtime.block_on(wallet::run(&home, &config)),
        Kind::Merchant => runtime.block_on(merchant::run(&home, &config)),
        Kind::Tower => runtime.block_on(tower::run(&home, &config)),
    }
}

/// `RUST_LOG` says what is shown. Lines of the consensus library repeat ours at a finer grain.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,arc_malachitebft_core_consensus=error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .log_internal_errors(false)
        .init();
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_order_can_be_read() {
        Arguments::command().debug_assert();
    }
}
