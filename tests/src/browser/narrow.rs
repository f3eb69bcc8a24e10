//! Pages on the narrowest screen, and in the few colours that somebody has chosen.

use super::{Browser, Kind, screenshot};
use anyhow::{Result, ensure};
use serde_json::{Value, json};

/// In CSS pixels: a small phone, or a desk at 400 %.
const WIDTH: u32 = 320;

impl Browser {
    /// Two pictures at 320 px, `target/screenshots/NAME-320-light.png` and `…-320-forced.png`, the second in forced
    /// colours.
    ///
    /// # Errors
    /// If the page is wider than that, or the browser is not Chromium.
    pub async fn narrow_pictures(&self, name: &str) -> Result<()> {
        ensure!(self.kind() == Kind::Chromium, "only Chromium shows pages in forced colours on request");
        let folder = screenshot::folder()?;
        std::fs::create_dir_all(&folder)?;
        let cdp = self.driver.cdp();
        for (theme, forced) in [("light", "none"), ("forced", "active")] {
            let features = json!([
                {"name": "forced-colors", "value": forced},
                {"name": "prefers-color-scheme", "value": if forced == "active" { "dark" } else { "light" }},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ]);
            cdp.send_raw("Emulation.setEmulatedMedia", json!({"features": features})).await?;
            cdp.send_raw("Emulation.setDeviceMetricsOverride", screen(640)).await?;
            let size = self.run("const page = document.documentElement; return [page.scrollWidth, page.scrollHeight];");
            let size = size.await?;
            ensure!(size[0].as_u64().is_some_and(|width| width <= WIDTH.into()), "`{name}` is {} px wide", size[0]);
            cdp.send_raw("Emulation.setDeviceMetricsOverride", screen(size[1].as_u64().unwrap_or(640))).await?;
            let file = folder.join(format!("{name}-{WIDTH}-{theme}.png"));
            self.driver.screenshot(&file).await?;
            println!("screenshot {}", file.display());
        }
        cdp.send_raw("Emulation.clearDeviceMetricsOverride", json!({})).await?;
        cdp.send_raw("Emulation.setEmulatedMedia", json!({"features": []})).await?;
        Ok(())
    }
}

fn screen(height: u64) -> Value {
    json!({"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": false})
}
