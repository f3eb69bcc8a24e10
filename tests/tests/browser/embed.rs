//! Shops with `<fair-pay>` on an origin of their own, and the wallet's checkout: what is paid, what is
//! refused, and what a forger cannot say.

mod forged;
mod invoices;
mod journey;
mod shop;
mod turned;

use anyhow::{Context as _, Result, ensure};
use fair_tests::browser::{Browser, DEADLINE};
use fair_tests::wait;
use serde_json::Value;

/// What the button of an order is called before its invoice is known: the text of the link inside.
const BUTTON: &str = "Pay 12.00 FRD";

/// What the element has said, in order.
async fn told(browser: &Browser) -> Result<Vec<String>> {
    Ok(serde_json::from_value(browser.run("return window.told;").await?)?)
}

/// Waits until the last thing that the element said is this, and gives all.
async fn hear(browser: &Browser, last: &str) -> Result<Vec<String>> {
    let heard = wait::until(format!("the event `{last}`"), DEADLINE, async || {
        let all = told(browser).await?;
        Ok((all.last().map(String::as_str) == Some(last)).then_some(all))
    });
    match heard.await {
        Ok(all) => Ok(all),
        Err(error) => Err(error.context(format!("it said {:?}", told(browser).await?))),
    }
}

/// Waits until so many messages have reached this window since [`count_messages`].
async fn messages(browser: &Browser, count: u64) -> Result<()> {
    wait::until(format!("{count} messages"), DEADLINE, async || {
        Ok((browser.run("return window.heard;").await?.as_u64() >= Some(count)).then_some(()))
    })
    .await
}

/// Begins to count what reaches this window.
async fn count_messages(browser: &Browser) -> Result<()> {
    browser.run("window.heard = 0; addEventListener('message', () => { window.heard += 1; });").await?;
    Ok(())
}

/// Waits until so many windows are open.
pub(crate) async fn windows(browser: &Browser, count: usize) -> Result<()> {
    wait::until(format!("{count} windows"), DEADLINE, async || {
        Ok((browser.driver().windows().await?.len() == count).then_some(()))
    })
    .await
}

/// What the element keeps of its order: the nonce and the invoice.
async fn order(browser: &Browser) -> Result<Value> {
    let kept = wait::until("an order that is kept", DEADLINE, async || {
        let kept = browser
            .run("return Object.entries(sessionStorage).find(([key]) => key.startsWith('fair-pay '))?.[1] ?? null;")
            .await?;
        let Some(text) = kept.as_str() else { return Ok(None) };
        let order: Value = serde_json::from_str(text)?;
        Ok(order["invoice"].is_string().then_some(order))
    });
    let order = kept.await?;
    ensure!(order["nonce"].as_str().is_some_and(|nonce| nonce.len() == 32), "{order}");
    Ok(order)
}

/// The text that a value of JSON is.
fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("{value} is no text"))
}
