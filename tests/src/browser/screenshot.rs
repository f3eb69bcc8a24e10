//! Pictures of whole pages.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use thirtyfour::WebDriver;

use super::{Kind, chromium, firefox};

/// What a page believes about the screen it is on; without motion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) theme: &'static str,
}

/// Widths in CSS pixels with the height of the window that the page believes to be in.
const SCREENS: [(u32, u32); 2] = [(390, 844), (1280, 800)];

/// A picture ends at this height in CSS pixels.
const LONGEST: u32 = 6_000;

const THEMES: [&str; 2] = ["light", "dark"];

/// Resolves after the page has drawn itself anew.
const NEXT_FRAME: &str = "const done = arguments[0];
    requestAnimationFrame(() => requestAnimationFrame(() => {
        const page = document.documentElement;
        done([page.scrollWidth, page.scrollHeight]);
    }));";

/// Where all pictures go.
///
/// # Errors
/// If the running program is in no target folder.
pub fn folder() -> Result<PathBuf> {
    Ok(target()?.join("screenshots"))
}

/// The target folder that the running program is in.
pub(super) fn target() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let mut folders = program.ancestors();
    let target = folders.find(|folder| folder.join("CACHEDIR.TAG").is_file());
    Ok(target.context("the running program is in no target folder")?.to_owned())
}

/// Lets the page believe that it is on this screen, or on its own one again.
pub(super) async fn show_on(driver: &WebDriver, kind: Kind, screen: Option<Screen>) -> Result<()> {
    match kind {
        Kind::Chromium => chromium::show_on(driver, screen).await,
        Kind::Firefox => firefox::show_on(driver, screen).await,
    }
}

pub(super) async fn take(driver: &WebDriver, kind: Kind, name: &str) -> Result<()> {
    let folder = folder()?;
    std::fs::create_dir_all(&folder)?;
    let browser = match kind {
        Kind::Chromium => "",
        Kind::Firefox => "-firefox",
    };
    let mut too_wide = Vec::new();
    for (width, height) in SCREENS {
        for theme in THEMES {
            show_on(driver, kind, Some(Screen { width, height, theme })).await?;
            let (page_width, page_height) = page_size(driver).await?;
            let whole = page_height.clamp(height, LONGEST);
            show_on(driver, kind, Some(Screen { width, height: whole, theme })).await?;
            page_size(driver).await?;
            let file = folder.join(format!("{name}-{width}-{theme}{browser}.png"));
            driver.screenshot(&file).await?;
            println!("screenshot {}", file.display());
            if page_width > width {
                too_wide.push(format!("{page_width} px at {width} px"));
            }
        }
    }
    show_on(driver, kind, None).await?;
    if !too_wide.is_empty() {
        bail!("the page `{name}` is wider than the screen: {}", too_wide.join(", "));
    }
    Ok(())
}

/// Width and height of the whole page in CSS pixels, after it has drawn itself anew.
pub(super) async fn page_size(driver: &WebDriver) -> Result<(u32, u32)> {
    Ok(driver.execute_async(NEXT_FRAME, vec![]).await?.convert()?)
}
