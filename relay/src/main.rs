//! A thin public relay.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use fair_relay::config::{Config, LogFormat};
use fair_relay::{Relay, Shutdown};
use std::io::Write as _;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A thin public relay: serves pages and verified blocks, passes batches on, pipes sessions to banks.
#[derive(Parser)]
#[command(name = "relay", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Follow the chain and serve
    Run(Box<Config>),
    /// Look at the settings, start nothing
    CheckConfig(Box<Config>),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("relay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::CheckConfig(config) => {
            let checked = config.check()?;
            println!("network     {} ({})", checked.genesis.network, checked.genesis.chain_id());
            println!("listen      {}", checked.listen);
            println!("pages       {}", checked.pages.map_or("none".into(), |pages| pages.display().to_string()));
            println!("data        {}", checked.data.display());
            println!("validators  {}", checked.validators.join(", "));
            Ok(())
        }
        Command::Run(config) => {
            start_log(config.log_format);
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(*config))
        }
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let relay = Relay::start(config.check()?).await?;
    let shutdown = Shutdown::default();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let on_signal = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("stopping");
        on_signal.stop();
    });
    // Whoever started the relay may have closed its output.
    let _ = writeln!(std::io::stdout(), "ready http://{}", relay.address()?);
    relay.run(shutdown).await
}

/// The log goes to standard error, at the level of `RELAY_LOG`.
fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_env("RELAY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
