//! Pictures of whole pages.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use thirtyfour::WebDriver;

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
    let program = std::env::current_exe()?;
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file())
        .context("the running program is in no target folder")?;
    Ok(target.join("screenshots"))
}

pub(super) async fn take(driver: &WebDriver, name: &str) -> Result<()> {
    let folder = folder()?;
    std::fs::create_dir_all(&folder)?;
    let cdp = driver.cdp();
    let mut too_wide = Vec::new();
    for (width, height) in SCREENS {
        for theme in THEMES {
            let features = json!([
                {"name": "prefers-color-scheme", "value": theme},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ]);
            cdp.send_raw("Emulation.setEmulatedMedia", json!({"features": features})).await?;
            cdp.send_raw("Emulation.setDeviceMetricsOverride", screen(width, height)).await?;
            let (page_width, page_height) = page_size(driver).await?;
            let whole = page_height.clamp(height, LONGEST);
            cdp.send_raw("Emulation.setDeviceMetricsOverride", screen(width, whole)).await?;
            page_size(driver).await?;
            let file = folder.join(format!("{name}-{width}-{theme}.png"));
            driver.screenshot(&file).await?;
            println!("screenshot {}", file.display());
            if page_width > width {
                too_wide.push(format!("{page_width} px at {width} px"));
            }
        }
    }
    cdp.send_raw("Emulation.clearDeviceMetricsOverride", json!({})).await?;
    cdp.send_raw("Emulation.setEmulatedMedia", json!({"features": []})).await?;
    if !too_wide.is_empty() {
        bail!("the page `{name}` is wider than the screen: {}", too_wide.join(", "));
    }
    Ok(())
}

/// A window of this size.
fn screen(width: u32, height: u32) -> Value {
    json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
}

/// Width and height of the whole page in CSS pixels, after it has drawn itself anew.
async fn page_size(driver: &WebDriver) -> Result<(u32, u32)> {
    Ok(driver.execute_async(NEXT_FRAME, vec![]).await?.convert()?)
}
