//! Pages on the narrowest screen, and in the few colours that somebody has chosen.

use super::screenshot::{self, Screen};
use super::{Browser, Kind, chromium};
use anyhow::{Result, ensure};
use serde_json::{Value, json};

/// In CSS pixels: a small phone, or a desk at 400 %.
const WIDTH: u32 = 320;
const HEIGHT: u32 = 640;

impl Browser {
    /// The page as it is now on a small phone: nothing scrolls sideways, everything that can be used is large enough for
    /// a finger, all text can be read on its ground in light and dark, whoever goes through it by keyboard comes to
    /// everything and sees where the focus is, and in Chromium everything has a name for those who do not see it.
    ///
    /// # Errors
    /// If it is not so. `place` names the page.
    pub async fn on_a_small_phone(&self, place: &str) -> Result<()> {
        self.fits_on_a_small_phone(place).await?;
        self.narrow(Some("light")).await?;
        self.by_keyboard(place).await?;
        self.narrow(None).await
    }

    /// All of [`Browser::on_a_small_phone`] but the way by keyboard.
    pub(super) async fn fits_on_a_small_phone(&self, place: &str) -> Result<()> {
        for theme in ["light", "dark"] {
            self.narrow(Some(theme)).await?;
            let (width, _) = screenshot::page_size(&self.driver).await?;
            ensure!(width <= WIDTH, "`{place}` is {width} px wide at {WIDTH} px");
            let faint = self.ask_controls("faint()").await?;
            ensure!(faint == json!([]), "`{place}` has {theme} text that is hard to read: {faint:#}");
        }
        let small = self.ask_controls("tooSmall()").await?;
        ensure!(small == json!([]), "`{place}` has what no finger meets: {small:#}");
        if self.kind() == Kind::Chromium {
            let unnamed = chromium::unnamed(&self.driver).await?;
            ensure!(unnamed.is_empty(), "`{place}` has controls without a name: {unnamed:#?}");
        }
        self.narrow(None).await
    }

    /// A small phone's screen, or the own one again.
    async fn narrow(&self, theme: Option<&'static str>) -> Result<()> {
        let phone = theme.map(|theme| Screen { width: WIDTH, height: HEIGHT, theme });
        screenshot::show_on(&self.driver, self.kind(), phone).await
    }

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
            cdp.send_raw("Emulation.setDeviceMetricsOverride", screen(HEIGHT.into())).await?;
            let size = self.run("const page = document.documentElement; return [page.scrollWidth, page.scrollHeight];");
            let size = size.await?;
            ensure!(size[0].as_u64().is_some_and(|width| width <= WIDTH.into()), "`{name}` is {} px wide", size[0]);
            cdp.send_raw("Emulation.setDeviceMetricsOverride", screen(size[1].as_u64().unwrap_or(HEIGHT.into())))
                .await?;
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
