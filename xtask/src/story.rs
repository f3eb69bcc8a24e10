//! `cargo xtask story`: compiles what it needs, then becomes the program that tells the worked example.

use std::os::unix::process::CommandExt;

use anyhow::{Context, Result, ensure};

use crate::process;
use crate::workspace;

/// Replaces this process, so that its exit code and its output are the story's: set-up writes to standard
/// error alone. Returns only on failure.
pub(crate) fn run(json: bool, scale: Option<u32>) -> Result<()> {
    eprintln!("compiling the programs");
    let packages = ["fair-node", "fair-relay", "fair-tests"];
    let mut cargo = process::cargo();
    cargo.args(["build", "--bins"]).args(packages.iter().flat_map(|package| ["--package", package]));
    let status = cargo.status().context("cannot start cargo")?;
    ensure!(status.success(), "the programs do not compile ({status})");
    let mut story = process::command(workspace::target().join("debug/story"));
    if json {
        story.arg("--json");
    }
    if let Some(scale) = scale {
        story.args(["--scale", &scale.to_string()]);
    }
    Err(story.exec()).context("cannot start the story")
}
