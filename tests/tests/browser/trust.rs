//! A wallet is closed for longer than K.trust_period. Meanwhile the keys of the validators that it knew have leaked,
//! and one of its relays serves a continuation that they certify. The wallet believes nobody until its owner confirms
//! a block; then it goes on over the blocks that lead there, and over no others.

mod forger;

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use fair_core::chain::block::CertifiedBlock;
use fair_core::codec;
use fair_core::types::Height;
use fair_tests::browser::Browser;
use fair_tests::browser::person::{self, BLOCKS, Pictures};
use fair_tests::network::{Network, Plan};
use fair_tests::wait;
use forger::Forger;
use serde_json::Value;

use crate::snapshots::counted;
use crate::snapshots::proxy::{Offer, OfferingRelay};

/// More than any process here falls behind while it runs.
const TRUST_MS: u64 = 45_000;
/// Until it is over, on a machine that may be busy.
const LONG: Duration = Duration::from_secs(150);
/// Blocks that the thief certifies: beyond the head of the true chain, so that they can be held against it.
const FORGED: usize = 700;

async fn head(relay: &str) -> Result<Value> {
    let info: Value = reqwest::get(format!("{relay}/v1/info")).await?.json().await?;
    Ok(info["head"].clone())
}

/// All blocks up to a height.
async fn blocks(relay: &str, until: Height) -> Result<Vec<CertifiedBlock>> {
    let mut blocks: Vec<CertifiedBlock> = Vec::new();
    while (blocks.len() as u64) < until {
        let from = blocks.len() + 1;
        let bytes = reqwest::get(format!("{relay}/v1/blocks?from={from}&count=256")).await?.bytes().await?;
        blocks.extend(codec::decode::<Vec<_>>(&bytes, 64 << 20)?);
    }
    blocks.truncate(usize::try_from(until)?);
    Ok(blocks)
}

/// The block that a wallet shows which is up to date, in a tab of its own. It holds it still while others come.
async fn at_a_friends(browser: &Browser, relay: &str) -> Result<String> {
    let tab = browser.driver().new_tab().await?;
    browser.driver().switch_to_window(tab).await?;
    browser.go(&format!("{relay}/?wallet=friend#/verification")).await?;
    browser.see_within("Show a block to go on with", BLOCKS).await?;
    browser.click("Show a block to go on with").await?;
    let shown = browser.text_of(".copyable code").await?;
    let (height, hash) = shown.split_once(':').context("a height and a hash")?;
    let height: Height = height.parse()?;
    let label = format!("QR code of block #{}", counted(height));
    let drawn = browser.run("return document.querySelector('svg.qr').getAttribute('aria-label');").await?;
    ensure!(drawn == label.as_str(), "{drawn}");
    browser.screenshot("checkpoint").await?;
    wait::until("a newer block", BLOCKS, async || {
        let line = browser.text_of(".trust").await?.replace(',', "");
        let newest = line.split_once('#').and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<Height>().ok());
        Ok((newest > Some(height)).then_some(()))
    })
    .await?;
    ensure!(browser.text_of(".copyable code").await? == shown, "a newer block took its place");
    let truth = blocks(relay, height).await?;
    let is_true = truth.last().is_some_and(|block| block.block.header.hash().to_string() == hash);
    ensure!(is_true, "{shown} is no block");
    browser.driver().close_window().await?;
    browser.to_tab(0).await?;
    Ok(shown)
}

/// Holds a code before the camera. Not every system's browser reads codes: what reads them stands in.
async fn scan(browser: &Browser, text: &str) -> Result<()> {
    let script = format!(
        "window.BarcodeDetector = class {{ async detect() {{ return [{{ rawValue: '{text}' }}]; }} }};
        const picture = document.createElement('canvas');
        const draw = () => {{ picture.getContext('2d').fillRect(0, 0, 9, 9); requestAnimationFrame(draw); }};
        draw();
        navigator.mediaDevices.getUserMedia = async () => picture.captureStream();"
    );
    browser.run(&script).await?;
    browser.click("Scan QR").await?;
    wait::until("the scanned block", BLOCKS, async || {
        Ok((browser.value("Block to go on with").await? == text).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_slept_too_long_waits_for_a_checkpoint_and_goes_on_with_the_right_one() -> Result<()> {
    let parameters = vec![format!("trust_period_ms={TRUST_MS}")];
    let network = Network::start(&Plan { preset: "swift", parameters, ..Plan::with_pages()? }).await?;
    let relay = network.url()?.to_owned();
    let place = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let thief = format!("http://{place}");
    let browser = Browser::open().await?;
    browser.go(&relay).await?;
    person::create_wallet(&browser, Pictures::None).await?;
    person::get_money(&browser).await?;
    person::add_bank(&browser, Pictures::None).await?;
    let bank = browser.run("return location.hash;").await?;
    person::deposit(&browser, "100", Pictures::None).await?;
    browser.run("location.hash = '#/settings'").await?;
    browser.fill("Addresses, one per line", &format!("{thief}\n{relay}")).await?;
    browser.click("Save relays").await?;
    browser.see("Relays changed").await?;
    let asleep = browser.shut().await?;

    let slept = head(&relay).await?["time_ms"].as_u64().context("a time")?;
    wait::until("the end of trust", LONG, async || {
        Ok((head(&relay).await?["time_ms"].as_u64() > Some(slept + TRUST_MS)).then_some(()))
    })
    .await?;
    let browser = asleep.open_where_it_was().await?;
    browser.run("location.hash = '#/home'").await?;
    browser.see_within("This wallet has not looked at the network for", BLOCKS).await?;
    let text = browser.text().await?;
    let (_, known) = text.split_once("The newest block that it knows is #").context("its head")?;
    let (known, _) = known.split_once(' ').context("its head")?;
    let known: Height = known.replace(',', "").parse()?;

    // The thief continues from there, and is the first relay of the wallet.
    let forger = Forger::start(place, &network, blocks(&relay, known).await?, FORGED).await?;
    person::unlock(&browser).await?;
    browser.see_within(&format!("{thief} announces #{}", counted(known + FORGED as u64)), BLOCKS).await?;
    browser.see_within(&format!("{relay} announces #"), BLOCKS).await?;
    browser.screenshot("expired").await?;
    // Nothing is signed, and nobody is asked for blocks.
    browser.run(&format!("location.hash = {bank}")).await?;
    browser.click("Deposit FRD").await?;
    browser.see("Available on-chain").await?;
    browser.fill("Amount", "50").await?;
    browser.click("Add deposit").await?;
    browser.see_within("Confirm a newer block with somebody you trust", BLOCKS).await?;
    browser.screenshot("expired-refused").await?;
    ensure!(forger.asked() == 0, "blocks were asked for");
    browser.see(&format!("The newest block that it knows is #{} of", counted(known))).await?;

    let checkpoint = at_a_friends(&browser, &relay).await?;
    browser.fill("Block to go on with", &checkpoint[..checkpoint.len() - 1]).await?;
    browser.see("64 hexadecimal digits are needed").await?;
    scan(&browser, &checkpoint).await?;
    browser.click("It is the same. Go on").await?;
    browser.see_within("chain.other_checkpoint", BLOCKS).await?;
    browser.see(&thief).await?;
    ensure!(forger.asked() == 0, "blocks of the thief were asked for");
    browser.see_within("verified #", BLOCKS).await?;
    browser.screenshot("expired-goes-on").await?;
    browser.see_no_more("Confirm a newer block with somebody you trust").await?;
    // The channel is as it was.
    browser.run(&format!("location.hash = {bank}")).await?;
    browser.see_within("connected", BLOCKS).await?;
    browser.click("Deposit FRD").await?;
    browser.fill("Amount", "50").await?;
    browser.click("Add deposit").await?;
    browser.click("Sign and send").await?;
    browser.see_within("applied", BLOCKS).await?;
    browser.run("location.hash = '#/home'").await?;
    browser.see_within("Insured 150.00", BLOCKS).await?;
    browser.close().await?;
    network.shut_down().await
}

/// More blocks than a wallet goes over to a confirmed one.
const TOO_FAR: Height = 1 << 21;

/// Its relays: one gives out headers one by one, the other began with a snapshot above the wallet's head.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_slept_too_long_goes_on_from_a_snapshot_below_the_checkpoint() -> Result<()> {
    let parameters = vec![format!("trust_period_ms={TRUST_MS}"), "snapshot_after_bytes=4000".to_owned()];
    let plan = Plan { preset: "swift", parameters, ..Plan::with_pages()? };
    let mut network = Network::start(&plan).await?;
    let relay = network.url()?.to_owned();
    let browser = Browser::open().await?;
    browser.go(&relay).await?;
    browser.run("location.hash = '#/verification'").await?;
    browser.see_within("verified #", BLOCKS).await?;
    let stingy = OfferingRelay::start(&relay).await?;
    stingy.offer(Offer { is_stingy: true, ..Offer::default() });
    let asleep = browser.shut().await?;

    let slept = head(&relay).await?;
    let slept_ms = slept["time_ms"].as_u64().context("a time")?;
    wait::until("the end of trust", LONG, async || {
        Ok((head(&relay).await?["time_ms"].as_u64() > Some(slept_ms + TRUST_MS)).then_some(()))
    })
    .await?;
    network.add_relay("late-relay", plan.pages.as_deref().context("pages")?, "v1").await?;
    let late = network.url_of("late-relay")?.to_owned();

    let browser = asleep.open_where_it_was().await?;
    browser.run("location.hash = '#/settings'").await?;
    browser.fill("Addresses, one per line", &format!("{}\n{late}", stingy.url)).await?;
    browser.click("Save relays").await?;
    browser.see("Relays changed").await?;
    browser.run("location.hash = '#/verification'").await?;
    browser.see_within(&format!("{} announces #", stingy.url), BLOCKS).await?;
    browser.see_within(&format!("{late} announces #"), BLOCKS).await?;
    // Nobody is to blame for a block that is far away.
    let hash = slept["hash"].as_str().context("a hash")?;
    browser.fill("Block to go on with", &format!("{TOO_FAR}:{hash}")).await?;
    browser.click("It is the same. Go on").await?;
    browser.see_within("No relay has what leads there", BLOCKS).await?;
    browser.screenshot("expired-stuck").await?;
    let text = browser.text().await?;
    ensure!(!text.contains("does not verify") && !text.contains("dropped"), "somebody is accused:\n{text}");

    let take = format!(
        "[...document.querySelectorAll('.refusal li')].find((row) => row.innerText.includes('{}')).querySelector('button').click()",
        stingy.url
    );
    browser.run(&take).await?;
    browser.click("It is the same. Go on").await?;
    browser.see_within("relay.withholding", BLOCKS).await?;
    browser.see_within("the snapshot of block #", BLOCKS).await?;
    browser.see_within("verified #", BLOCKS).await?;
    let accused = browser.text_of(".refusal").await?;
    ensure!(accused.contains(&format!("From {}", stingy.url)), "accused is: {accused}");
    ensure!(!browser.text().await?.contains("has not looked at the network"), "it waits still");
    browser.screenshot("expired-goes-on-from-a-snapshot").await?;
    browser.close().await?;
    network.shut_down().await
}
