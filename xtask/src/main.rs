//! `cargo xtask`: set-up, checks and packaging.
//!
//! Every command sets up what it needs and is missing (the wasm target, a browser), says what it
//! does and how long it took, and stops at the first thing that fails. Nothing here is part of
//! the product: it only calls the tools that a developer would call by hand.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod bundle;
mod check;
mod demo;
mod embed;
mod mutate;
mod order;
mod process;
mod receipts;
mod setup;
mod steps;
mod story;
mod types;
mod words;
mod workspace;

use steps::Steps;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set-up, checks and packaging of Fair")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Format, lints, every test, the client in Chromium, the whole network in Chromium and in Firefox.
    Test {
        /// Leave out what needs a browser.
        #[arg(long)]
        quick: bool,
    },
    /// A fresh local network with its pages and a shop; prints their addresses, Ctrl-C stops it.
    Demo {
        /// Keep the network in this folder, or go on with the one that is there.
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
        /// Time between blocks in milliseconds.
        #[arg(long, value_name = "MS")]
        blocktime: Option<u64>,
        /// The port of the pages; 8080 or a free one when not given.
        #[arg(long, value_name = "N")]
        port: Option<u16>,
    },
    /// Compile the client to WebAssembly and put it with the pages into target/www.
    Bundle {
        /// Compile fast instead of small; the size gate is not applied.
        #[arg(long)]
        dev: bool,
    },
    /// The protocol's worked example with real processes: every number by proof and from both databases.
    Story {
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
        /// All amounts but the chain's own fees are so many times the protocol's.
        #[arg(long, value_name = "N")]
        scale: Option<u32>,
    },
    /// Sizes of the bundle and times of the protocol, with release code.
    Bench,
    /// Take protocol rules out of a copy of the code, one by one, and see the test of each fail.
    Mutate {
        /// Only rules whose line in tests/rules.txt contains this.
        #[arg(default_value = "")]
        only: String,
    },
    /// The verifiers of receipts in other languages, over all vectors.
    Receipts,
    /// Install what is missing: the wasm target, Chromium, Firefox, their drivers, a font.
    Setup,
    /// Runs one compiled wasm test file in Chromium; cargo calls this.
    #[command(hide = true)]
    WasmTestRunner {
        /// The test file and arguments of the test harness.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Task::Test { quick: true } => with_steps(check::quick),
        Task::Test { quick: false } => with_steps(check::full),
        Task::Demo { keep, blocktime, port } => {
            with_steps(demo::prepare).and_then(|()| demo::run(keep, blocktime, port))
        }
        Task::Bundle { dev } => with_steps(|steps| {
            let toolchain = setup::wasm_target(steps)?;
            let profile = if dev { bundle::Profile::Fast } else { bundle::Profile::Small };
            bundle::bundle(steps, &toolchain, profile)
        }),
        Task::Story { json, scale } => story::run(json, scale),
        Task::Bench => with_steps(bench::run),
        Task::Mutate { only } => with_steps(|steps| mutate::run(steps, &only)),
        Task::Receipts => with_steps(|steps| steps.run("verifiers of receipts", receipts::check)),
        Task::Setup => with_steps(|steps| {
            setup::wasm_target(steps)?;
            setup::browser(steps)?;
            setup::firefox(steps)
        }),
        Task::WasmTestRunner { arguments } => check::run_wasm_test_file(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a task and prints the summary of its steps, also when it fails.
fn with_steps(task: impl FnOnce(&mut Steps) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut steps = Steps::new();
    let result = task(&mut steps);
    steps.print_summary();
    result
}
