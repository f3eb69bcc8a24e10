//! The page before a relay that lies: one bit flipped in any part of a block is refused, each part under a code of
//! its own that the page shows.

mod proxy;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use fair_core::chain::block::CertifiedBlock;
use fair_core::types::{Height, PublicKey};
use fair_core::{codec, limits};
use fair_tests::browser::Browser;
use fair_tests::network::{Network, Plan};
use fair_tests::wait;
use proxy::{Lie, LyingRelay};

/// Blocks come every few seconds; something that needs one or two of them takes longer than a click.
const BLOCKS: Duration = Duration::from_secs(60);

/// The bit that makes a time a little later: still one that the block could have.
fn a_little_later(time_ms: u64) -> u64 {
    time_ms ^ (1 << (!time_ms).trailing_zeros())
}

/// What is changed, how, and what the page must say. A batch and its signature share a code: whichever of the
/// two was changed, they no longer belong together.
const LIES: &[(&str, &str, Lie)] = &[
    ("header: version", "chain.unknown_version", |b| b.block.header.version ^= 1),
    ("header: chain_id", "chain.wrong_chain", |b| b.block.header.chain_id.0[7] ^= 1),
    ("header: height", "chain.wrong_height", |b| b.block.header.height ^= 1),
    ("header: time_ms, earlier", "chain.too_early", |b| b.block.header.time_ms ^= 1 << 40),
    ("header: time_ms, later", "chain.from_the_future", |b| b.block.header.time_ms ^= 1 << 42),
    ("header: time_ms, possible", "chain.certificate_for_other_block", |b| {
        b.block.header.time_ms = a_little_later(b.block.header.time_ms);
    }),
    ("header: proposer", "chain.unknown_proposer", |b| b.block.header.proposer.0[7] ^= 1),
    ("header: previous", "chain.wrong_previous", |b| b.block.header.previous.0[7] ^= 1),
    ("header: usable_height", "chain.wrong_usable_height", |b| b.block.header.usable_height ^= 1),
    ("header: batches_root", "chain.wrong_batches_root", |b| b.block.header.batches_root.0[7] ^= 1),
    ("header: state_root", "chain.wrong_state_root", |b| b.block.header.state_root.0[7] ^= 1),
    ("header: validators_hash", "chain.wrong_validators", |b| b.block.header.validators_hash.0[7] ^= 1),
    ("header: next_validators_hash", "chain.wrong_next_validators", |b| {
        b.block.header.next_validators_hash.0[7] ^= 1;
    }),
    ("header: parameters_hash", "chain.wrong_parameters", |b| b.block.header.parameters_hash.0[7] ^= 1),
    ("a batch", "chain.wrong_batches", |b| b.block.batches[0].body.nonce ^= 1),
    ("a batch's signature", "chain.wrong_batches", |b| b.block.batches[0].signature.0[7] ^= 1),
    ("certificate: height", "chain.certificate_height", |b| b.certificate.height ^= 1),
    ("certificate: round", "chain.certificate_vote", |b| b.certificate.round ^= 1),
    ("certificate: block_hash", "chain.certificate_block_hash", |b| b.certificate.block_hash.0[7] ^= 1),
    ("certificate: a signature", "chain.certificate_signature", |b| {
        if let Some(signature) = b.certificate.signatures.iter_mut().flatten().last() {
            signature.0[7] ^= 1;
        }
    }),
];

/// Looked at by people, at all widths and in both themes.
const PICTURED: [&str; 3] = ["header: state_root", "a batch", "certificate: a signature"];

async fn blocks(relay: &str) -> Result<Vec<CertifiedBlock>> {
    let bytes = reqwest::get(format!("{relay}/v1/blocks?from=1&count=256")).await?.bytes().await?;
    Ok(codec::decode(&bytes, limits::MAX_BLOCK_BYTES)?)
}

/// Makes a block with a batch, after the first, and returns its height.
async fn block_with_a_batch(relay: &str) -> Result<Height> {
    wait::until("a first block", BLOCKS, async || Ok((!blocks(relay).await?.is_empty()).then_some(()))).await?;
    let body = serde_json::json!({ "account": PublicKey([3; 32]) });
    reqwest::Client::new().post(format!("{relay}/v1/faucet")).json(&body).send().await?.error_for_status()?;
    wait::until("a block with a batch", BLOCKS, async || {
        let with_batch = blocks(relay).await?.into_iter().find(|block| !block.block.batches.is_empty());
        Ok(with_batch.map(|block| block.block.header.height))
    })
    .await
}

#[tokio::test]
async fn one_flipped_bit_anywhere_is_refused_under_its_own_code() -> Result<()> {
    let network = Network::start(&Plan::with_pages()?).await?;
    let height = block_with_a_batch(network.url()?).await?;
    let relay = LyingRelay::start(network.url()?, height).await?;
    let browser = Browser::open().await?;
    let mut by_code: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (index, (part, code, lie)) in LIES.iter().enumerate() {
        let started = Instant::now();
        relay.tell(Some(*lie));
        // A wallet of its own has a chain of its own: nothing is known from the lie before.
        browser.go(&format!("{}/?wallet=lie-{index}#/verification", relay.url)).await?;
        browser.see_within("does not verify", BLOCKS).await?;
        let shown = browser.text_of(".refusal .code").await?;
        println!("{part:30} {shown:36} {} ms", started.elapsed().as_millis());
        ensure!(shown == *code, "{part}: the page says {shown}, {code} was expected");
        // Everything below the block was verified, nothing of it was used.
        let head = browser.text_of(".facts a[href^='#/explorer/block/']").await?;
        ensure!(head == format!("#{}", height - 1), "{part}: the head is {head}, the lie is at {height}");
        let page = browser.text().await?;
        ensure!(page.contains(&relay.url), "{part}: the page does not name the relay:\n{page}");
        if PICTURED.contains(part) {
            browser.screenshot(&format!("refused-{}", code.trim_start_matches("chain."))).await?;
        }
        by_code.entry(code).or_default().push(part);
    }
    let shared: Vec<_> = by_code.into_values().filter(|parts| parts.len() > 1).collect();
    assert_eq!(shared, [["a batch", "a batch's signature"]], "every other part has a code of its own");

    relay.tell(None);
    browser.go(&format!("{}/?wallet=truth", relay.url)).await?;
    browser.see_within("verified #", BLOCKS).await.context("the same relay telling the truth")?;
    browser.close().await?;
    network.shut_down().await
}
