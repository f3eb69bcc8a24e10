//! The types that the pages' scripts state in their comments.

use anyhow::Result;

use crate::process;
use crate::workspace;

/// The version of the checker; it has no dependencies of its own.
const TYPESCRIPT: &str = "typescript@5.9.3";

/// Checks them with TypeScript as `tsconfig.json` says. This alone needs npm, which a system for
/// building Fair need not have.
pub(crate) fn check() -> Result<()> {
    let Some(npm) = process::find_program("npm") else {
        println!("    npm is not installed: left out");
        return Ok(());
    };
    let folder = workspace::target().join("tools").join(TYPESCRIPT);
    let compiler = folder.join("node_modules/.bin/tsc");
    if !compiler.exists() {
        let quiet = ["install", "--no-audit", "--no-fund", "--no-save", "--prefix"];
        process::run(process::command(npm).args(quiet).arg(&folder).arg(TYPESCRIPT))?;
    }
    process::run(process::command(compiler).args(["--project", "tsconfig.json"]))
}
