//! Chromium and Firefox, operated by what a person sees.
//!
//! Things are found by their visible label: a button by its text, a field by the text of its
//! `<label>`. Every call waits until what it needs is there, up to [`DEADLINE`], and says what was
//! on the page if it never came. Elements in open shadow roots are found too.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let browser = fair_tests::browser::Browser::open().await?;
//! browser.go("http://127.0.0.1:8080/").await?;
//! browser.click("Create a wallet").await?;
//! browser.fill("Amount", "12.00").await?;
//! browser.see("Paid").await?;
//! browser.screenshot("paid").await?;
//! browser.close().await
//! # }
//! ```

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use thirtyfour::error::WebDriverErrorInner;
use thirtyfour::prelude::*;

use crate::process::Process;
use crate::wait;

mod chromium;
mod firefox;
mod keyboard;
mod narrow;
pub mod person;
mod pictures;
mod screenshot;

pub use pictures::Place;
pub use screenshot::folder as screenshot_folder;
use screenshot::target;

/// How long a call waits for what it needs.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// What finds elements by their labels, in the page.
const FINDER: &str = include_str!("browser/find.js");

/// What tells of a page's controls, after the finder.
const CONTROLS: &str = include_str!("browser/controls.js");

/// Which browser a person uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Debian's Chromium.
    Chromium,
    /// Debian's Firefox ESR.
    Firefox,
}

/// What the browser does when a page opens a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// Opens it, also for a script of a test that nobody pressed anything for.
    Opened,
    /// What it does as people have it: opens none that nobody pressed anything for.
    Guarded,
}

/// A person with an own profile: a browser whose storage nobody shares.
pub struct Browser {
    driver: Session,
    server: Process,
    profile: Profile,
}

/// What outlives a browser's processes.
#[derive(Debug)]
struct Profile {
    kind: Kind,
    windows: Windows,
    storage: PathBuf,
    folder: TempDir,
}

/// A browser that is closed: nothing of it runs.
#[derive(Debug)]
pub struct Closed {
    address: String,
    profile: Profile,
}

impl Closed {
    /// Opens it again with its profile.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn open(self) -> Result<Browser> {
        Browser::start(self.profile).await
    }

    /// Opens it again at the page where it was.
    ///
    /// # Errors
    /// If it does not start, or the page cannot be loaded.
    pub async fn open_where_it_was(self) -> Result<Browser> {
        let address = self.address.clone();
        let browser = self.open().await?;
        browser.go(&address).await?;
        Ok(browser)
    }
}

/// A session with a driver. Where nobody quits it, its processes are killed: asking them to end, as
/// dropping a session usually does, would wait for minutes for those that are gone or busy.
struct Session(WebDriver);

impl Deref for Session {
    type Target = WebDriver;

    fn deref(&self) -> &WebDriver {
        &self.0
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // An error says that somebody has quit it.
        let _ = self.0.clone().leak();
    }
}

impl Browser {
    /// Starts Chromium with a fresh profile.
    ///
    /// # Errors
    /// As [`Browser::open_as`].
    pub async fn open() -> Result<Self> {
        Self::open_as(Kind::Chromium, Windows::Opened).await
    }

    /// Starts a browser with a fresh profile.
    ///
    /// # Errors
    /// If it or its driver is missing (`cargo xtask setup` installs them) or fails.
    pub async fn open_as(kind: Kind, windows: Windows) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("fair-browser-").tempdir()?;
        let storage = folder.path().join("profile");
        Self::start(Profile { kind, windows, storage, folder }).await
    }

    async fn start(profile: Profile) -> Result<Self> {
        let (server, driver) = match profile.kind {
            Kind::Chromium => chromium::start(&profile).await?,
            Kind::Firefox => firefox::start(&profile).await?,
        };
        Ok(Browser { driver: Session(driver), server, profile })
    }

    /// Which browser it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.profile.kind
    }

    /// Everything that WebDriver offers, for what this interface lacks.
    #[must_use]
    pub fn driver(&self) -> &WebDriver {
        &self.driver
    }

    /// The folder with its storage, named in the arguments of its processes.
    #[must_use]
    pub fn profile(&self) -> &Path {
        &self.profile.storage
    }

    /// Loads an address and waits until the document is there.
    ///
    /// # Errors
    /// If the address cannot be loaded.
    pub async fn go(&self, url: &str) -> Result<()> {
        self.driver.goto(url).await.with_context(|| format!("cannot load {url}"))
    }

    /// Loads the page again.
    ///
    /// # Errors
    /// If it cannot be loaded.
    pub async fn reload(&self) -> Result<()> {
        Ok(self.driver.refresh().await?)
    }

    /// The current address.
    ///
    /// # Errors
    /// If the browser does not answer.
    pub async fn address(&self) -> Result<String> {
        Ok(self.driver.current_url().await?.to_string())
    }

    /// Clicks the enabled button, link, tab, menu item, checkbox, … with this label.
    ///
    /// # Errors
    /// If there is none, or several, until the deadline.
    pub async fn click(&self, label: &str) -> Result<()> {
        // A page that has just changed may have put another element in its place.
        wait::until(format!("a click on `{label}`"), DEADLINE, async || match self.click_once(label).await {
            Err(error) if is_gone(&error) => Ok(None),
            clicked => clicked.map(Some),
        })
        .await
    }

    async fn click_once(&self, label: &str) -> Result<()> {
        let element = self.find_in_middle(label).await?;
        element.click().await.with_context(|| format!("cannot click `{label}`"))
    }

    /// Clicks twice as fast as a hand that trembles.
    ///
    /// # Errors
    /// As [`Browser::click`].
    pub async fn double_click(&self, label: &str) -> Result<()> {
        let element = self.find_in_middle(label).await?;
        let clicks = self.driver.action_chain().double_click_element(&element);
        clicks.perform().await.with_context(|| format!("cannot click `{label}` twice"))
    }

    /// The control, away from the edges, where bars that stay in place would be in the way.
    async fn find_in_middle(&self, label: &str) -> Result<WebElement> {
        let element = self.find("control", label).await?;
        let script = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'});";
        self.driver.execute(script, vec![element.to_json()?]).await?;
        Ok(element)
    }

    /// Clicks what opens a new tab, and goes on in that tab.
    ///
    /// # Errors
    /// If there is no such control, or no tab opens until the deadline.
    pub async fn click_to_new_tab(&self, label: &str) -> Result<()> {
        let before = self.driver.windows().await?;
        self.click(label).await?;
        let opened = wait::until(format!("a tab opened by `{label}`"), DEADLINE, async || {
            Ok(self.driver.windows().await?.into_iter().find(|tab| !before.contains(tab)))
        });
        let tab = self.explained(opened.await).await?;
        Ok(self.driver.switch_to_window(tab).await?)
    }

    /// Goes on in the tab that was opened as the `index`-th, counted from 0.
    ///
    /// # Errors
    /// If there are not so many.
    pub async fn to_tab(&self, index: usize) -> Result<()> {
        let tabs = self.driver.windows().await?;
        let tab = tabs.get(index).with_context(|| format!("there are {} tabs", tabs.len()))?;
        Ok(self.driver.switch_to_window(tab.clone()).await?)
    }

    /// Replaces the content of the field with this label; chooses the option of a list.
    ///
    /// # Errors
    /// If there is no such field until the deadline.
    pub async fn fill(&self, label: &str, text: &str) -> Result<()> {
        let field = self.find("field", label).await?;
        if field.tag_name().await? == "select" {
            let script = "const [list, text] = arguments;
                const option = [...list.options].find(o => o.text.trim() === text);
                if (!option) return false;
                list.value = option.value;
                for (const name of ['input', 'change']) list.dispatchEvent(new Event(name, {bubbles: true}));
                return true;";
            let arguments = vec![field.to_json()?, text.into()];
            if !self.driver.execute(script, arguments).await?.convert::<bool>()? {
                bail!("`{label}` has no option `{text}`");
            }
            return Ok(());
        }
        field.clear().await?;
        field.send_keys(text).await.with_context(|| format!("cannot type into `{label}`"))
    }

    /// The content of the field with this label.
    ///
    /// # Errors
    /// If there is no such field until the deadline.
    pub async fn value(&self, label: &str) -> Result<String> {
        let field = self.find("field", label).await?;
        Ok(field.prop("value").await?.unwrap_or_default())
    }

    /// Presses keys where the focus is, for example [`Key::Tab`] or [`Key::Enter`].
    ///
    /// # Errors
    /// If the browser does not answer.
    pub async fn press(&self, keys: impl AsRef<str>) -> Result<()> {
        let focused = self.driver.active_element().await?;
        Ok(focused.send_keys(keys.as_ref()).await?)
    }

    /// Waits until the page shows this text.
    ///
    /// # Errors
    /// If it does not until the deadline, with what it shows instead.
    pub async fn see(&self, text: &str) -> Result<()> {
        self.see_within(text, DEADLINE).await
    }

    /// Waits until the page shows this text, for things that take longer (or must be faster).
    ///
    /// # Errors
    /// If it does not until the deadline, with what it shows instead.
    pub async fn see_within(&self, text: &str, deadline: Duration) -> Result<()> {
        let seen = wait::until(format!("the text `{text}`"), deadline, async || {
            Ok(self.text().await?.contains(text).then_some(()))
        });
        self.explained(seen.await).await
    }

    /// Waits until the page no longer shows this text.
    ///
    /// # Errors
    /// If it still does at the deadline.
    pub async fn see_no_more(&self, text: &str) -> Result<()> {
        let gone = wait::until(format!("the text `{text}` to go"), DEADLINE, async || {
            Ok((!self.text().await?.contains(text)).then_some(()))
        });
        self.explained(gone.await).await
    }

    /// All text that the page shows, white space reduced to single spaces and line breaks.
    ///
    /// # Errors
    /// If the browser does not answer.
    pub async fn text(&self) -> Result<String> {
        // Of a page that is just being left Firefox says nothing.
        wait::until("a page with text", DEADLINE, async || {
            self.call("text", vec![]).await?.convert::<Option<String>>().context("the page's text")
        })
        .await
    }

    /// The text of the first element that matches a CSS selector, as it is shown.
    ///
    /// # Errors
    /// If there is none until the deadline.
    pub async fn text_of(&self, selector: &str) -> Result<String> {
        let found = wait::until(format!("an element `{selector}`"), DEADLINE, async || {
            match self.driver.find(By::Css(selector)).await {
                Ok(element) => Ok(Some(element.text().await?)),
                Err(error) if matches!(error.as_inner(), WebDriverErrorInner::NoSuchElement(_)) => Ok(None),
                Err(error) => Err(error.into()),
            }
        });
        self.explained(found.await).await
    }

    /// Runs a script's statements in the page; `return` gives a value.
    ///
    /// # Errors
    /// What the script throws.
    pub async fn run(&self, script: &str) -> Result<serde_json::Value> {
        Ok(self.driver.execute(script, vec![]).await?.json().clone())
    }

    /// Uncaught exceptions, what the page's policy forbade, and in Chromium what the page wrote to the console as an
    /// error, since the last call.
    ///
    /// # Errors
    /// If the browser does not answer.
    pub async fn console_errors(&self) -> Result<Vec<String>> {
        match self.profile.kind {
            Kind::Chromium => chromium::console_errors(&self.driver).await,
            Kind::Firefox => firefox::console_errors(&self.driver).await,
        }
    }

    /// Four pictures of the whole page: a phone's width and a desk's, light and dark, without
    /// motion. They are `target/screenshots/NAME-WIDTH-THEME.png`.
    ///
    /// # Errors
    /// If the page is wider than the screen, or than a small phone's: nobody should have to scroll sideways. If
    /// something is too small for a finger there, or has no name.
    pub async fn screenshot(&self, name: &str) -> Result<()> {
        screenshot::take(&self.driver, self.profile.kind, name).await?;
        self.fits_on_a_small_phone(name).await
    }

    /// Closes the browser as a person would, then opens it again with the same profile.
    ///
    /// # Errors
    /// If it does not start again.
    pub async fn reopen(self) -> Result<Self> {
        self.shut().await?.open().await
    }

    /// Closes the browser as a person would; its profile is kept.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn shut(self) -> Result<Closed> {
        let Browser { driver, mut server, profile } = self;
        let address = driver.current_url().await?.to_string();
        driver.clone().quit().await?;
        server.stop().await?;
        Ok(Closed { address, profile })
    }

    /// Closes the browser and removes its profile.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn close(self) -> Result<()> {
        let Browser { driver, mut server, .. } = self;
        driver.clone().quit().await?;
        server.stop().await
    }

    async fn find(&self, kind: &str, label: &str) -> Result<WebElement> {
        let found = wait::until(format!("a {kind} labelled `{label}`"), DEADLINE, async || {
            let found = self.call("find", vec![kind.into(), label.into()]).await?;
            Ok(if found.json().is_null() { None } else { Some(found.element()?) })
        });
        self.explained(found.await).await
    }

    /// Calls a function of the finder.
    async fn call(&self, function: &str, arguments: Vec<serde_json::Value>) -> Result<ScriptRet> {
        let script = format!("{FINDER}\nreturn {function}(...arguments);");
        Ok(self.driver.execute(script, arguments).await?)
    }

    /// The value of an expression with the functions about a page's controls.
    async fn ask_controls(&self, expression: &str) -> Result<serde_json::Value> {
        self.run(&format!("{FINDER}\n{CONTROLS}\nreturn {expression};")).await
    }

    /// Adds what the page shows to an error.
    async fn explained<T>(&self, result: Result<T>) -> Result<T> {
        match result {
            Ok(value) => Ok(value),
            Err(error) => {
                let text = self.text().await.unwrap_or_else(|error| format!("(no text: {error})"));
                let address = self.address().await.unwrap_or_default();
                let console = self.console_errors().await.unwrap_or_default().join("\n");
                Err(error.context(format!("at {address}, the page shows:\n{text}\nconsole:\n{console}")))
            }
        }
    }
}

/// Whether an element was no longer in the page when it was to be used.
fn is_gone(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<WebDriverError>();
    error.is_some_and(|error| matches!(error.as_inner(), WebDriverErrorInner::StaleElementReference(_)))
}

/// A program that is installed, or that `cargo xtask setup` has put into `target/tools`.
fn find_program(names: &[&str]) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = target()?.join("tools");
    let candidates = names.iter().flat_map(|name| {
        let own = own.join(name).join("bin");
        std::env::split_paths(&path).chain([own]).map(|folder| folder.join(name)).collect::<Vec<_>>()
    });
    candidates
        .into_iter()
        .find(|file| file.is_file())
        .with_context(|| format!("{} is not installed: run `cargo xtask setup`", names[0]))
}
