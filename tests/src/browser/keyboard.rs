//! Going through a page by keyboard.

use super::{Browser, DEADLINE, Kind};
use crate::wait;
use anyhow::{Context as _, Result, ensure};

/// The key, as WebDriver writes it.
const TAB: &str = "\u{e004}";

impl Browser {
    /// Waits until the focus is at what has this id, or without an id this text.
    ///
    /// # Errors
    /// If it is elsewhere at the deadline.
    pub async fn see_focus(&self, at: &str) -> Result<()> {
        let script = "const one = document.activeElement; return one.id || one.innerText.trim();";
        let seen = wait::until(format!("the focus at `{at}`"), DEADLINE, async || {
            Ok((self.run(script).await? == *at).then_some(()))
        });
        self.explained(seen.await).await
    }

    /// Goes by Tab through the whole page: the keyboard comes to every control, in the order in which they stand there,
    /// and each shows that it has the focus.
    ///
    /// # Errors
    /// If one is left out or does not show it, or there is none. `place` names the page.
    pub async fn by_keyboard(&self, place: &str) -> Result<()> {
        // Firefox scrolls later than it focuses.
        let is_scrolled = self.kind() == Kind::Chromium;
        let count =
            self.ask_controls(&format!("beginWalk({is_scrolled})")).await?.as_u64().context("a number of controls")?;
        ensure!(count > 0, "{place} has no control");
        self.press(TAB.repeat(usize::try_from(count)? - 1)).await?;
        let walk = self.ask_controls("endWalk()").await?;
        ensure!(walk["wrong"] == serde_json::json!([]), "{place}, by keyboard: {:#}", walk["wrong"]);
        ensure!(walk["steps"] == count, "{place}: the keyboard comes to {} of {count} controls", walk["steps"]);
        Ok(())
    }
}
