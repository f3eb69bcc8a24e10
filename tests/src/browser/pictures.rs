//! How a scenario ends: places of the pages that say who, how much and why, and their pictures.

use super::{Browser, person::BLOCKS};
use anyhow::{Context as _, Result};

/// A place of the pages, and what has to stand there.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// What follows `#/` in its address.
    pub at: &'a str,
    /// Texts that it shows.
    pub says: &'a [&'a str],
    /// Name of its pictures.
    pub picture: &'a str,
}

impl Browser {
    /// Goes to places of the pages that are loaded, waits for all that each has to say, and takes its pictures on a
    /// phone and a desk, light and dark.
    ///
    /// # Errors
    /// If a place does not say it, with what it says instead, or is wider than the screen.
    pub async fn pictures(&self, places: &[Place<'_>]) -> Result<()> {
        for place in places {
            self.run(&format!("location.hash = '#/{}';", place.at)).await?;
            for text in place.says {
                self.see_within(text, BLOCKS).await.with_context(|| format!("for the picture {}", place.picture))?;
            }
            self.screenshot(place.picture).await?;
        }
        Ok(())
    }
}
