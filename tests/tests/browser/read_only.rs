//! The browser has no room left for what the wallet writes: it says so, shows everything and changes nothing, and what
//! is stored can be taken elsewhere. With room again it goes on.

use anyhow::{Result, ensure};
use fair_tests::browser::Browser;
use fair_tests::browser::person::{self, BLOCKS, Pictures};
use fair_tests::network::{Network, Plan};
use fair_tests::wait;
use serde_json::{Value, json};

/// Keeps what is said over the page from now on.
const TOASTS: &str = "window.toasts = [];
    const earlier = document.querySelector('.toast')?.innerText;
    new MutationObserver(() => {
        const toast = document.querySelector('.toast');
        if (toast && toast.innerText !== earlier) window.toasts.push(toast.innerText);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });";

async fn set_room(browser: &Browser, origin: &str, bytes: Option<u64>) -> Result<()> {
    let mut room = json!({ "origin": origin });
    if let Some(bytes) = bytes {
        room["quotaSize"] = bytes.into();
    }
    browser.driver().cdp().send_raw("Storage.overrideQuotaForOrigin", room).await?;
    Ok(())
}

#[tokio::test]
async fn a_wallet_without_room_is_read_only_and_offers_what_it_has() -> Result<()> {
    let network = Network::start(&Plan { preset: "swift", ..Plan::with_pages()? }).await?;
    let origin = network.url()?.to_owned();
    let browser = Browser::open().await?;
    browser.go(&origin).await?;
    person::create_wallet(&browser, Pictures::None).await?;
    person::get_money(&browser).await?;
    browser.run(TOASTS).await?;
    set_room(&browser, &origin, Some(1)).await?;
    browser.see_within("This wallet is read-only", BLOCKS).await?;
    browser.see("It shows everything, changes nothing and signs nothing").await?;
    // Not every version of a browser says that it is the room.
    browser.see("storage.f").await?;
    browser.screenshot("read-only").await?;

    browser.click("Export what is stored").await?;
    browser.see("Export raw state").await?;
    browser
        .run(
            "const make = URL.createObjectURL.bind(URL);
            window.exported = '';
            URL.createObjectURL = (blob) => { blob.text().then((text) => { window.exported = text; }); return make(blob); };",
        )
        .await?;
    browser.click("Export raw state").await?;
    let exported = wait::until("the export", BLOCKS, async || {
        let text = browser.run("return window.exported;").await?;
        Ok(text.as_str().filter(|text| !text.is_empty()).map(str::to_owned))
    });
    let exported: Value = serde_json::from_str(&exported.await?)?;
    ensure!(exported.is_object(), "{exported}");

    let said = browser.run("return window.toasts;").await?;
    ensure!(said == json!([]), "what stands on the page is said over it too: {said}");
    set_room(&browser, &origin, None).await?;
    browser.reload().await?;
    browser.run("location.hash = '#/home'").await?;
    person::unlock(&browser).await?;
    browser.see_within("verified #", BLOCKS).await?;
    browser.see_no_more("This wallet is read-only").await?;
    browser.see("Add a bank").await?;
    person::add_bank(&browser, Pictures::None).await?;
    browser.close().await?;
    network.shut_down().await
}
