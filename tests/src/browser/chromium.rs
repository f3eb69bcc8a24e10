//! What only Chromium does so.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use thirtyfour::prelude::*;
use thirtyfour::{BrowserLogEntry, LoggingPrefsLogLevel};

use super::screenshot::Screen;
use super::{DEADLINE, Profile, Windows, find_program};
use crate::process::{Process, Spec};

/// Flags for a browser without a screen, also as root, that talks to nobody on its own.
const FLAGS: &str = include_str!("flags.txt");

/// What chromedriver says when it serves, before the port.
const SERVES: &str = "started successfully on port";

/// What it says when its port is taken, before it ends.
const PORT_TAKEN: &str = "port not available";

/// Ports that it may try.
const PORTS_TRIED: usize = 10;

/// Roles of what may have the focus without a name of its own.
const UNNAMED_ROLES: [&str; 3] = ["RootWebArea", "main", "heading"];

/// Starts a chromedriver of its own and a browser through it.
pub(super) async fn start(profile: &Profile) -> Result<(Process, WebDriver)> {
    let spec = Spec {
        name: "chromedriver".into(),
        program: find_program(&["chromedriver"])?,
        arguments: vec!["--port=0".into()],
        environment: Vec::new(),
        log_file: profile.folder.path().join("chromedriver.log"),
    };
    let (server, port) = serve(spec).await?;

    let mut capabilities = DesiredCapabilities::chrome();
    let browser = find_program(&["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])?;
    capabilities.set_binary(&browser.to_string_lossy())?;
    for flag in FLAGS.lines() {
        capabilities.add_arg(flag)?;
    }
    capabilities.add_arg(&format!("--user-data-dir={}", profile.storage.display()))?;
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::All)?;
    if profile.windows == Windows::Guarded {
        capabilities.add_exclude_switch("disable-popup-blocking")?;
    }
    let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities)
        .await
        .with_context(|| format!("cannot start Chromium; chromedriver says:\n{}", server.log_end()))?;
    Ok((server, driver))
}

/// Starts a chromedriver and tells its port. It takes a port that is free for IPv4, and ends at once if somebody else
/// has the same one for IPv6: then another is asked for.
async fn serve(spec: Spec) -> Result<(Process, String)> {
    for _ in 0..PORTS_TRIED {
        let server = Process::start(spec.clone())?;
        let said = server.wait_for_line_with_any(&[SERVES, PORT_TAKEN], DEADLINE).await?;
        if said.contains(SERVES) {
            let port = said.trim_end_matches('.').rsplit(' ').next().context("a port in chromedriver's line")?;
            return Ok((server, port.to_owned()));
        }
    }
    bail!("chromedriver found none of {PORTS_TRIED} ports free for IPv6 too")
}

pub(super) async fn console_errors(driver: &WebDriver) -> Result<Vec<String>> {
    let entries: Vec<BrowserLogEntry> = driver.browser_log().await?;
    Ok(entries.into_iter().filter(|entry| entry.level == "SEVERE").map(|entry| entry.message).collect())
}

/// What can have the focus and what Chromium tells somebody of it who does not see it, where that is no name. Titles and
/// the content as a whole take it only from scripts.
pub(super) async fn unnamed(driver: &WebDriver) -> Result<Vec<String>> {
    let tree = driver.cdp().send_raw("Accessibility.getFullAXTree", json!({})).await?;
    let nodes = tree["nodes"].as_array().context("the nodes of a page")?;
    let is_usable = |node: &&Value| {
        let mut properties = node["properties"].as_array().into_iter().flatten();
        properties.any(|one| one["name"] == "focusable" && one["value"]["value"] == true)
            && !UNNAMED_ROLES.iter().any(|role| node["role"]["value"] == *role)
    };
    let without =
        nodes.iter().filter(is_usable).filter(|node| node["name"]["value"].as_str().is_none_or(str::is_empty));
    Ok(without.map(|node| node["role"]["value"].to_string()).collect())
}

pub(super) async fn show_on(driver: &WebDriver, screen: Option<Screen>) -> Result<()> {
    let cdp = driver.cdp();
    let Some(Screen { width, height, theme }) = screen else {
        cdp.send_raw("Emulation.clearDeviceMetricsOverride", json!({})).await?;
        cdp.send_raw("Emulation.setEmulatedMedia", json!({"features": []})).await?;
        return Ok(());
    };
    let features = json!([
        {"name": "prefers-color-scheme", "value": theme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]);
    cdp.send_raw("Emulation.setEmulatedMedia", json!({"features": features})).await?;
    let window = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
    cdp.send_raw("Emulation.setDeviceMetricsOverride", window).await?;
    Ok(())
}
