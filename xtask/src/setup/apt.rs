//! Debian packages.

use anyhow::{Result, bail};

use crate::process;

/// Installs packages, or says what a person has to do. `purpose` completes "needed to …".
pub(super) fn install(packages: &[&str], purpose: &str) -> Result<()> {
    let by_hand = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if process::find_program("apt-get").is_none() {
        bail!(
            "{} needed to {purpose}, but this system has no apt-get.\n\
             Install the equivalent of `{by_hand}` with the system's own package manager.",
            packages.join(", ")
        );
    }
    let is_root = process::capture(process::command("id").arg("-u"))? == "0";
    if !is_root {
        bail!(
            "{} needed to {purpose}; installing needs root.\n\
             Run `sudo apt-get update && sudo {by_hand}` and start this task again.",
            packages.join(", ")
        );
    }
    process::run(apt_get().arg("update"))?;
    process::run(apt_get().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

/// Asks nothing, prints little, waits for another package manager that is at work.
fn apt_get() -> std::process::Command {
    let mut command = process::command("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args(["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]);
    command
}
