//! `cargo xtask demo`: compiles and packs what the demo needs, then becomes it.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::bundle::{self, Profile};
use crate::process;
use crate::setup;
use crate::steps::Steps;
use crate::workspace;

/// Set-up, pages, programs.
pub(crate) fn prepare(steps: &mut Steps) -> Result<()> {
    let toolchain = setup::wasm_target(steps)?;
    bundle::bundle(steps, &toolchain, Profile::Small)?;
    steps.run("compile the programs", || {
        let packages = ["fair-node", "fair-relay", "fair-shop", "fair-tests"];
        let mut cargo = process::cargo();
        cargo.args(["build", "--bins"]).args(packages.iter().flat_map(|package| ["--package", package]));
        process::run(&mut cargo)
    })
}

/// Replaces this process, so that Ctrl-C reaches the demo alone. Returns only on failure.
pub(crate) fn run(keep: Option<PathBuf>, blocktime: Option<u64>, port: Option<u16>) -> Result<()> {
    let mut demo = process::command(workspace::target().join("debug/demo"));
    if let Some(folder) = keep {
        demo.arg("--keep").arg(std::path::absolute(folder)?);
    }
    if let Some(blocktime) = blocktime {
        demo.args(["--blocktime", &blocktime.to_string()]);
    }
    if let Some(port) = port {
        demo.args(["--port", &port.to_string()]);
    }
    Err(demo.exec()).context("cannot start the demo")
}
