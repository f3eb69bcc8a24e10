//! Validators, banks, wallets, merchants and watchtowers: the only processes on a server that hold private keys.
//!
//! `init` and `genesis` make homes ([`home`]), `run` starts what a home is for, `status` asks it how it
//! is. A home holds a configuration, private keys, the genesis document and the databases.
//!
//! **Invariant**: what a process promises is durable ([`store`]) before it leaves.

mod bank;
mod channels;
mod checkpoint;
mod cli;
mod clock;
mod court;
mod crash;
mod descriptors;
mod error;
mod genesis;
mod home;
mod host;
mod limits;
mod local;
mod merchant;
mod operator;
mod page;
mod presets;
mod progress;
mod say;
mod serve;
mod snapshot;
mod status;
mod store;
mod tower;
mod validator;
mod wallet;

use clap::Parser as _;
use error::NodeError;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has what it wanted: `node status … | head -1`.
        Err(NodeError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be reading.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
