//! Firefox and geckodriver.

use anyhow::{Context, Result, bail};

use super::apt;
use crate::process;
use crate::workspace;

/// The driver's program name, package and folder.
const GECKODRIVER: &str = "geckodriver";

/// The driver's version; Debian has no package of it.
const VERSION: &str = "0.37.1";

/// Names under which systems install the browser.
const NAMES: [&str; 2] = ["firefox-esr", "firefox"];

pub(super) fn set_up() -> Result<()> {
    let firefox = || NAMES.iter().find_map(|name| process::find_program(name));
    if firefox().is_none() {
        apt::install(&["firefox-esr"], "test the pages in Firefox")?;
    }
    let Some(browser) = firefox() else {
        bail!("Firefox was installed but is not on the PATH");
    };
    println!("    {}", process::capture(process::command(browser).arg("--version"))?);
    if let Some(driver) = process::find_program(GECKODRIVER) {
        println!("    {} is used", driver.display());
        return Ok(());
    }
    // Where the tests look as well. A folder of its own, so that nothing is installed outside of this workspace.
    let folder = workspace::target().join("tools").join(GECKODRIVER);
    let program = folder.join("bin").join(GECKODRIVER);
    let has_version = || {
        let said = process::capture(process::command(&program).arg("--version"));
        said.is_ok_and(|said| said.split_whitespace().nth(1) == Some(VERSION))
    };
    if !has_version() {
        // It only passes requests on: compiling it fast is worth more than its speed.
        let install = ["install", GECKODRIVER, "--version", VERSION, "--locked", "--debug", "--force", "--root"];
        let mut cargo = process::cargo();
        cargo.args(install).arg(&folder).env("CARGO_PROFILE_DEV_DEBUG", "false");
        process::run(&mut cargo).with_context(|| {
            format!(
                "{GECKODRIVER}, needed to test the pages in Firefox, could not be compiled.\n\
                 Put the program {GECKODRIVER} {VERSION} on the PATH and start this task again."
            )
        })?;
    }
    println!("    {GECKODRIVER} {VERSION}");
    Ok(())
}
