//! A local network to try everything on: started, watched, and stopped by Ctrl-C.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Parser;
use fair_tests::network::{COUNTERPART, Members, Network, Plan, SHOP};
use tokio::signal::unix::{SignalKind, signal};

/// Where the demo is found unless another port is asked for.
const USUAL_PORT: u16 = 8080;

/// Where its shop is found at the first start, if nobody has it. Not where the guide for merchants puts one.
const USUAL_SHOP_PORT: u16 = 8090;

/// How often the processes are looked after.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);

/// How long a network may be kept without being run: ten years.
const KEPT_MS: u64 = 10 * 365 * 24 * 3_600_000;

/// A fresh local network: 4 validators, a bank, a relay, a shop with its merchant, a counterpart that pays.
#[derive(Parser)]
#[command(name = "demo")]
struct Arguments {
    /// Keep the network in this folder, or go on with the one that is there.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Time between blocks in milliseconds.
    #[arg(long, value_name = "MS")]
    blocktime: Option<u64>,
    /// The port of the pages.
    #[arg(long, value_name = "N")]
    port: Option<u16>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let plan = Plan {
        folder: arguments.keep,
        block_time_ms: arguments.blocktime,
        relay_port: arguments.port.or_else(|| if_free(USUAL_PORT)),
        shop_port: Some(if_free(USUAL_SHOP_PORT).unwrap_or(0)),
        members: Members::AllAndCounterpart,
        // A network that is kept stands still whenever nobody runs it; nobody's keys leak meanwhile.
        parameters: vec![format!("trust_period_ms={KEPT_MS}")],
        ..Plan::with_pages()?
    };
    let started = Instant::now();
    println!("starting {} validators, a bank, a relay, a shop with its merchant, and a counterpart", plan.validators);
    let mut network = tokio::select! {
        network = start(&plan) => network?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    println!(
        "ready after {:.1} s; keys, databases and logs are in {}",
        started.elapsed().as_secs_f64(),
        network.folder().display()
    );
    println!("\n    {}/   the wallet: make one, and follow its next steps to test money", network.url()?);
    println!("    {}/   the shop: buy something with it\n", network.url_of(SHOP)?);
    println!("To be paid as well, ask the counterpart: {}/", network.url_of(COUNTERPART)?);
    println!("Ctrl-C stops everything.");
    let failure = tokio::select! {
        failure = watch(&mut network) => Some(failure),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
    };
    println!("\nstopping");
    network.shut_down().await?;
    match failure {
        Some(failure) => failure,
        None => Ok(()),
    }
}

async fn start(plan: &Plan) -> Result<Network> {
    let mut network = Network::start(plan).await?;
    network.add_shop().await?;
    Ok(network)
}

/// The port if nobody has it; otherwise any.
fn if_free(port: u16) -> Option<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(port)
}

/// Returns when a process has ended that nobody stopped.
async fn watch(network: &mut Network) -> Result<()> {
    let mut ticks = tokio::time::interval(WATCH_INTERVAL);
    loop {
        ticks.tick().await;
        if let Some((name, status)) = network.ended()?.pop() {
            let log = network.process(&name)?.log_end();
            bail!("{name} ended by itself with {status}; its last lines:\n{log}");
        }
    }
}
