//! The verifiers of proofs of payment in other languages, over all vectors: `docs/receipts/`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace;

/// The library that `verify.py` uses.
const CRYPTOGRAPHY: &str = "cryptography==50.0.2";

/// Runs each verifier whose language is installed, as for the types of the pages: a system for building
/// Fair needs neither. Python's library goes into an environment of its own.
pub(crate) fn check() -> Result<()> {
    let vectors = ["--vectors", "docs/receipts/vectors.json"];
    match process::find_program("node") {
        Some(node) => {
            process::run(process::command(&node).arg("docs/receipts/verify.mjs").args(vectors))?;
            refuses_by_any_path(&node)?;
        }
        None => println!("    node is not installed: verify.mjs is left out"),
    }
    let Some(python) = process::find_program("python3") else {
        println!("    python3 is not installed: verify.py is left out");
        return Ok(());
    };
    let folder = workspace::target().join("tools").join(CRYPTOGRAPHY);
    let own = folder.join("bin/python");
    // Written last: an installation that was cut short is done again.
    let ready = folder.join("ready");
    if !ready.exists() {
        process::run(process::command(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
        process::run(process::command(&own).args(["-m", "pip", "install", "--quiet", CRYPTOGRAPHY]))?;
        std::fs::write(&ready, "")?;
    }
    process::run(process::command(own).arg("docs/receipts/verify.py").args(vectors))
}

/// A program that is started by a path with a space or through a link refuses what is no proof, too: one that
/// does not notice that it was started would accept everything.
fn refuses_by_any_path(node: &Path) -> Result<()> {
    const REFUSED: i32 = 1;

    let folder = workspace::target().join("receipts with a space");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let (copy, link) = (folder.join("verify.mjs"), folder.join("link.mjs"));
    fs::copy(workspace::root().join("docs/receipts/verify.mjs"), &copy)?;
    symlink(&copy, &link)?;
    for path in [&copy, &link] {
        let mut command = process::command(node);
        let status = command.arg(path).args(["0".repeat(64).as_str(), "nonsense"]).status().context("node")?;
        if status.code() != Some(REFUSED) {
            bail!("{} ended with {status} over what is no proof", path.display());
        }
    }
    Ok(())
}
