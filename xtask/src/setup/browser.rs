//! Chromium and chromedriver.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::apt;
use crate::process;

/// The driver's program name.
pub(crate) const CHROMEDRIVER: &str = "chromedriver";

/// Names under which systems install the browser.
const CHROMIUM_NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Flags for a browser without a screen, one a line; the end-to-end tests use the same.
const FLAGS: &str = include_str!("../../../tests/src/browser/flags.txt");

/// The installed browser.
pub(crate) fn chromium() -> Option<PathBuf> {
    CHROMIUM_NAMES.iter().find_map(|name| process::find_program(name))
}

/// The capabilities with which a WebDriver client starts the browser, as JSON.
pub(crate) fn capabilities(browser: &Path) -> String {
    let flags: Vec<&str> = FLAGS.lines().map(|flag| flag.trim_start_matches('-')).collect();
    format!(r#"{{"goog:chromeOptions":{{"args":{flags:?},"binary":{browser:?}}}}}"#)
}

pub(super) fn set_up() -> Result<()> {
    let mut missing = Vec::new();
    if chromium().is_none() {
        missing.push("chromium");
    }
    if process::find_program(CHROMEDRIVER).is_none() {
        missing.push("chromium-driver");
    }
    if !has_font() {
        missing.push("fonts-dejavu-core");
    }
    if !missing.is_empty() {
        apt::install(&missing, "test the pages in a real browser")?;
    }
    let (Some(browser), Some(driver)) = (chromium(), process::find_program(CHROMEDRIVER)) else {
        bail!("Chromium and chromedriver were installed but are not on the PATH");
    };
    let browser_version = process::capture(process::command(browser).arg("--version"))?;
    let driver_version = process::capture(process::command(driver).arg("--version"))?;
    println!("    {browser_version}\n    {driver_version}");
    if major(&browser_version) != major(&driver_version) {
        bail!("Chromium and chromedriver have different major versions; install a matching pair");
    }
    Ok(())
}

/// The first number in a version text.
fn major(version: &str) -> Option<&str> {
    version.split(|character: char| !character.is_ascii_digit()).find(|part| !part.is_empty())
}

/// Without a font Chromium draws boxes instead of letters.
fn has_font() -> bool {
    let folders = ["/usr/share/fonts/truetype", "/usr/share/fonts/opentype"];
    folders.iter().any(|folder| Path::new(folder).read_dir().is_ok_and(|mut entries| entries.next().is_some()))
}
