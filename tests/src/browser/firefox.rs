//! What only Firefox does so. What WebDriver has no command for is asked of the browser itself, by scripts with its
//! own rights.

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};
use thirtyfour::common::capabilities::firefox::FirefoxPreferences;
use thirtyfour::common::command::FormatRequestData;
use thirtyfour::prelude::*;
use thirtyfour::{RequestData, SessionId};

use super::screenshot::Screen;
use super::{DEADLINE, Profile, Windows, find_program};
use crate::process::{Process, Spec};
use crate::wait;

/// Starts a geckodriver of its own and a browser through it.
pub(super) async fn start(profile: &Profile) -> Result<(Process, WebDriver)> {
    let arguments = ["--port=0", "--websocket-port=0", "--allow-system-access"];
    let spec = Spec {
        name: "geckodriver".into(),
        program: find_program(&["geckodriver"])?,
        arguments: arguments.map(Into::into).into(),
        environment: Vec::new(),
        log_file: profile.folder.path().join("geckodriver.log"),
    };
    let server = Process::start(spec)?;
    let line = server.wait_for_line("Listening on ", DEADLINE).await?;
    let address = line.rsplit(' ').next().context("an address in geckodriver's line")?.to_owned();

    std::fs::create_dir_all(&profile.storage)?;
    let mut capabilities = DesiredCapabilities::firefox();
    capabilities.set_firefox_binary(&find_program(&["firefox-esr", "firefox"])?.to_string_lossy())?;
    for argument in ["-headless", "-width", "800", "-height", "600", "-profile", &profile.storage.to_string_lossy()] {
        capabilities.add_arg(argument)?;
    }
    let mut preferences = FirefoxPreferences::new();
    // It talks to nobody on its own.
    preferences.set("network.captive-portal-service.enabled", false)?;
    preferences.set("network.connectivity-service.enabled", false)?;
    preferences.set("app.normandy.enabled", false)?;
    preferences.set("app.shield.optoutstudies.enabled", false)?;
    preferences.set("nimbus.rollouts.enabled", false)?;
    preferences.set("ui.useOverlayScrollbars", 1)?;
    preferences.set("intl.accept_languages", "en-GB, en")?;
    preferences.set("dom.disable_open_during_load", profile.windows == Windows::Guarded)?;
    capabilities.set_preferences(preferences)?;
    let driver = WebDriver::new(format!("http://{address}"), capabilities)
        .await
        .with_context(|| format!("cannot start Firefox; geckodriver says:\n{}", server.log_end()))?;
    Ok((server, driver))
}

/// What no script caught, and what a policy forbade, from the browser's console, which is emptied. What a page itself
/// writes there stays in its own process.
pub(super) async fn console_errors(driver: &WebDriver) -> Result<Vec<String>> {
    let script = "const errors = Services.console.getMessageArray().filter((one) =>
            one instanceof Ci.nsIScriptError && !(one.flags & Ci.nsIScriptError.warningFlag)
            && /^(https?|file):/.test(one.sourceName));
        Services.console.reset();
        return errors.map((one) => `${one.sourceName} ${one.lineNumber}: ${one.errorMessage}`);";
    Ok(serde_json::from_value(in_chrome(driver, script, vec![]).await?)?)
}

pub(super) async fn show_on(driver: &WebDriver, screen: Option<Screen>) -> Result<()> {
    let script = "const [screen] = arguments;
        const browser = gBrowser.selectedBrowser;
        for (const side of ['width', 'height']) {
            for (const bound of ['', 'min-', 'max-']) {
                if (screen) browser.style.setProperty(bound + side, `${screen[side]}px`);
                else browser.style.removeProperty(bound + side);
            }
        }
        browser.browsingContext.top.prefersColorSchemeOverride = screen ? screen.theme : 'none';
        if (screen) Services.prefs.setIntPref('ui.prefersReducedMotion', 1);
        else Services.prefs.clearUserPref('ui.prefersReducedMotion');";
    let Some(Screen { width, height, theme }) = screen else {
        in_chrome(driver, script, vec![Value::Null]).await?;
        return Ok(());
    };
    in_chrome(driver, script, vec![json!({"width": width, "height": height, "theme": theme})]).await?;
    // The page is in another process, and hears of it later.
    let arrived = format!(
        "return innerWidth === {width} && innerHeight === {height}
            && matchMedia('(prefers-color-scheme: {theme})').matches;"
    );
    wait::until(format!("a screen of {width} by {height}"), DEADLINE, async || {
        Ok(driver.execute(arrived.as_str(), vec![]).await?.convert::<bool>()?.then_some(()))
    })
    .await
}

/// In whose name the next scripts run.
#[derive(Debug)]
struct Context(&'static str);

impl FormatRequestData for Context {
    fn format_request(&self, session: &SessionId) -> RequestData {
        RequestData::new(Method::POST, format!("/session/{session}/moz/context")).add_body(json!({"context": self.0}))
    }
}

/// Runs a script in the browser's own window, around the page.
async fn in_chrome(driver: &WebDriver, script: &str, arguments: Vec<Value>) -> Result<Value> {
    driver.handle().cmd(Context("chrome")).await?;
    let result = driver.execute(script, arguments).await;
    driver.handle().cmd(Context("content")).await?;
    Ok(result?.json().clone())
}
