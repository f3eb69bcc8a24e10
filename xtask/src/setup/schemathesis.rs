//! schemathesis, which tests an HTTP interface against its document.

use std::path::PathBuf;

use anyhow::Result;

use crate::process;
use crate::workspace;

/// Its version; pip chooses those of what it needs.
const VERSION: &str = "4.32.5";

/// The program, in a folder of its own. `None` without Python, which a system for building Fair need not have.
pub(super) fn set_up() -> Result<Option<PathBuf>> {
    let Some(python) = process::find_program("python3") else {
        println!("    python3 is not installed: left out");
        return Ok(None);
    };
    let folder = workspace::target().join("tools").join(format!("schemathesis-{VERSION}"));
    let program = folder.join("bin/schemathesis");
    if !program.exists() {
        process::run(process::command(python).args(["-m", "venv"]).arg(&folder))?;
        let install = ["install", "--quiet", "--disable-pip-version-check"];
        process::run(process::command(folder.join("bin/pip")).args(install).arg(format!("schemathesis=={VERSION}")))?;
    }
    Ok(Some(program))
}
